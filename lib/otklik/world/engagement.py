"""Activity on social networks: one array of events per customer, drawn from their hidden traits."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from otklik.world.draws import Draws, by_value, text
from otklik.world.people import NETWORKS, TOPICS
from otklik.world.timeline import (
    DELIVERED_AT,
    ENGAGEMENT_DELAY,
    FIRST_MOMENT,
    MICROSECONDS_PER_DAY,
    epoch_microseconds,
)

KINDS = ("like", "comment", "repost", "view", "follow")

#: Days of a burst of interest, and the share of a customer's events in it.
_INTEREST_DAYS = 40
_INTEREST_SHARE = 0.45

_TOPIC_WORDS = {
    "ru": {
        "deposits": "вклады", "loans": "кредиты", "cards": "карты", "mortgage": "ипотеку", "travel": "мили и поездки",
        "events": "ваши встречи", "complaints": "очереди в отделении",
    },
    "kk": {
        "deposits": "депозиттер", "loans": "несиелер", "cards": "карталар", "mortgage": "ипотека",
        "travel": "саяхат мильдері", "events": "кездесулер", "complaints": "бөлімшедегі кезек",
    },
    "en": {
        "deposits": "deposits", "loans": "loans", "cards": "cards", "mortgage": "mortgages", "travel": "travel miles",
        "events": "your meetups", "complaints": "queues at the branch",
    },
}  # fmt: skip
_TEMPLATES = {
    "ru": ("Расскажите подробнее про {}", "Спасибо за пост про {}!", "Кто уже пробовал? Думаю про {}",
           "А что нового про {} для пенсионеров?", "Читаю про {} и не понимаю условий"),
    "kk": ("{} туралы толығырақ айтыңызшы", "{} туралы жазбаға рақмет!", "{} туралы кім біледі?",
           "{} бойынша шарттар қандай?"),
    "en": ("Tell us more about {}", "Thanks for the post about {}!", "Anyone here with experience of {}?"),
}  # fmt: skip


def with_events(customers: DataFrame, draws: Draws) -> DataFrame:
    """Add `events`: array<struct<i, us, kind, topic>>, `us` being microseconds since 1970 (UTC), unordered.

    Every customer has at least one event, and all reached the company before the files were delivered.

    Args:
        customers: one row per customer with the hidden traits of `people.with_person`.
        draws: the draws of this world.
    """
    first = epoch_microseconds(FIRST_MOMENT)
    last = epoch_microseconds(DELIVERED_AT - ENGAGEMENT_DELAY)
    days = (DELIVERED_AT - FIRST_MOMENT).days
    drawn = f"""transform(sequence(1L, event_count), i -> named_struct(
        'i', i,
        'is_interest', {draws.uniform("in a burst", "i")} < {_INTEREST_SHARE}D,
        'day', {draws.uniform("day", "i")},
        'hour', busiest_hour + 4D * ({draws.uniform("hour one", "i")} + {draws.uniform("hour two", "i")} - 1D),
        'topic', {draws.weighted(TOPICS, "topic", "i")},
        'kind', {draws.uniform("kind", "i")}))"""
    placed = f"""transform(drawn_events, e -> named_struct(
        'i', e.i,
        'day', CAST(if(e.is_interest, least({days - 1}D, interest_day * {days}D + e.day * {_INTEREST_DAYS}D),
                       e.day * {days}D) AS BIGINT),
        'us_of_day', pmod(CAST(e.hour * 3600000000D AS BIGINT), {MICROSECONDS_PER_DAY}L),
        'topic', if(e.is_interest AND pmod(e.i, 4) <> 0, interest, e.topic),
        'kind', CASE WHEN e.kind < talkativeness THEN 'comment'
                     WHEN e.kind < 1.5D * talkativeness THEN 'repost'
                     WHEN e.kind < 0.80D THEN if(e.kind < 0.55D, 'like', 'view')
                     WHEN e.kind < 0.92D THEN 'view' ELSE 'follow' END))"""
    # Days count from FIRST_MOMENT, a local midnight; 2025-01-01 was a Wednesday, so day 3 is the first Saturday.
    # Some people are inactive at weekends.
    dated = f"""transform(placed_events, e -> named_struct(
        'i', e.i,
        'us', least({last}L, {first}L + e.us_of_day
              + {MICROSECONDS_PER_DAY}L * if(pmod(e.day, 7) IN (3, 4) AND weekend_share < 0.3D, e.day - 2, e.day)),
        'kind', e.kind,
        'topic', e.topic))"""
    return (
        customers.withColumn("drawn_events", expr(drawn))
        .withColumn("placed_events", expr(placed))
        .withColumn("events", expr(dated))
        .drop("drawn_events", "placed_events")
    )


def events(customers: DataFrame, draws: Draws) -> DataFrame:
    """One row per event: number, customer_id, nth (from 0), event_id, us, kind, topic, network, text.

    `text` is null except for comments and reposts. Rows keep the customers' order.
    """
    # Outer, although nobody is without events: otherwise the optimiser draws all events twice to filter empty arrays.
    said = by_value("language", {code: _phrase(code, draws) for code in _TEMPLATES})
    return (
        customers.selectExpr(
            "number", "customer_id", "language", "favourite_network", "posexplode_outer(events) AS (nth, event)"
        )
        .selectExpr(
            "number", "customer_id", "nth", "language", "favourite_network",
            "event.i AS i", "event.us AS us", "event.kind AS kind", "event.topic AS topic",
        )
        .selectExpr(
            "number", "customer_id", "nth", "us", "kind", "topic",
            "concat('E', lpad(number * 1000 + i, 10, '0')) AS event_id",
            f"if({draws.uniform('favourite', 'i')} < 0.6D, favourite_network, "
            f"{draws.weighted(NETWORKS, 'network', 'i')}) AS network",
            f"if(kind IN ('comment', 'repost'), {said}, NULL) AS text",
        )
    )  # fmt: skip


def _phrase(language: str, draws: Draws) -> str:
    words = _TOPIC_WORDS[language]
    word = by_value("topic", {topic: text(word) for topic, word in words.items()})
    return f"replace({draws.one_of(_TEMPLATES[language], 'phrase', 'i')}, '{{}}', {word})"
