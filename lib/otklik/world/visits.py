"""Visits of an app before an offer, in which the order of events matters more than their number.

Everybody looks at the product, compares it and asks a question exactly once before the offer. Only customers who did so
in this order are likely to accept; counts of events cannot distinguish them.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import permutations

from pyspark.sql import DataFrame

from otklik.world.draws import Draws, by_value, texts
from otklik.world.people import CUSTOMER_ID
from otklik.world.timeline import MICROSECONDS_PER_DAY, microseconds_of_local_day
from otklik.world.trials import DAYS, FIRST_DAY

#: Events that raise the odds in this order, and the share of customers with it; the others have another order.
IN_ORDER, IN_ORDER_SHARE = ("view", "compare", "question"), 0.3
#: Percentages of other events; minimum and maximum number of them; days before the offer with events.
OTHERS = {"open": 40, "search": 25, "balance": 20, "transfer": 15}
FEWEST, MOST, WINDOW_DAYS = 5, 25, 30
#: Log-odds of a yes: with SEARCHES searches and any other order; for the order; for each additional search.
BASE, ORDER_EFFECT, SEARCHES, SEARCH_EFFECT = -1.6, 1.8, 4, 0.15
#: Days between offers, which are made at 10:00, and the first such day.
EVERY_DAYS, FIRST_OFFER = 3, 33
_OFFER_DAYS = len(range(FIRST_OFFER, DAYS - EVERY_DAYS, EVERY_DAYS))


def offers(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per customer and offer: number, customer_id, us (of the offer), events, is_in_order, probability,
    is_taken.

    `events` is an array of struct<us, kind>; all happened in the WINDOW_DAYS before the offer.
    """
    start = microseconds_of_local_day(FIRST_DAY) + FIRST_OFFER * MICROSECONDS_PER_DAY + 10 * 3_600_000_000
    orders = [order for order in permutations(IN_ORDER) if order != IN_ORDER]
    another = by_value("another", {str(place): texts(order) for place, order in enumerate(orders)})
    before = f"us - 1000000L - CAST({{}} * {WINDOW_DAYS - 1} * {MICROSECONDS_PER_DAY}D AS BIGINT)"
    other_events = f"""transform(sequence(1, others), i -> struct(
        {before.format(draws.uniform("other at", "i"))} AS us, {draws.weighted(OTHERS, "other", "i")} AS kind))"""
    times = f"array_sort(transform(sequence(0, 2), i -> {before.format(draws.uniform('in order at', 'i'))}))"
    effect = 0.0 if "order_matters" in without else ORDER_EFFECT
    searches = "size(filter(events, e -> e.kind = 'search'))"
    odds = f"{BASE}D + if(is_in_order, {effect}D, 0D) + {SEARCH_EFFECT}D * ({searches} - {SEARCHES})"
    return (
        customers.selectExpr(
            "number", CUSTOMER_ID,
            f"{start}L + {EVERY_DAYS * MICROSECONDS_PER_DAY}L * {draws.below(_OFFER_DAYS, 'offered on')} AS us",
            f"{draws.uniform('is in order')} < {IN_ORDER_SHARE}D AS is_in_order",
            f"CAST({draws.below(len(orders), 'another order')} AS STRING) AS another",
            f"{FEWEST} + CAST({draws.below(MOST - FEWEST + 1, 'others')} AS INT) AS others",
        )
        .selectExpr(
            "*", f"{other_events} AS other_events", f"{times} AS times",
            f"if(is_in_order, {texts(IN_ORDER)}, {another}) AS kinds",
        )
        .selectExpr(
            "*", "concat(other_events, transform(arrays_zip(times, kinds), e -> "
            "struct(e.times AS us, e.kinds AS kind))) AS events",
        )
        .selectExpr("*", f"1D / (1D + exp(-({odds}))) AS probability")
        .selectExpr(
            "number", "customer_id", "us", "events", "is_in_order", "probability",
            f"{draws.uniform('taken')} < probability AS is_taken",
        )
    )  # fmt: skip


def events(made: DataFrame) -> DataFrame:
    """One row per event of `offers`: event_id, customer_id, us, kind."""
    return made.selectExpr("number", "customer_id", "posexplode(array_sort(events)) AS (nth, event)").selectExpr(
        "concat('V', lpad(number * 100 + nth, 10, '0')) AS event_id", "customer_id", "event.us AS us",
        "event.kind AS kind",
    )  # fmt: skip
