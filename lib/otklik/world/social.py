"""People on social networks: their accounts, whom they follow, their reactions, and their posts about the shop.

- Accounts: a person has one to four, on different networks; no column links accounts to people.
- Ties: who follows whom. At least half of the people's ties stay within a community (homophily); communities are not in
  the data.
- Two topics spread in two ways: one in communities that like it, without contagion (homophily), one from those followed
  to their followers, whatever their community (influence).
- Another topic rises from week to week. Bots react in bursts. For a few days many people complain about one thing.

A person's community follows from the position of their number in a secret order, p = a·n + b modulo the number of
customers. Because this can be inverted, ties are drawn without a join.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil, gcd

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from otklik.world import people
from otklik.world.draws import Draws, text, texts
from otklik.world.timeline import (
    DELIVERED_AT,
    FIRST_MOMENT,
    LOCAL_OFFSET,
    MICROSECONDS_PER_DAY,
    epoch_microseconds,
)

DAYS = (DELIVERED_AT - FIRST_MOMENT).days
#: Percentages of numbers of accounts per person, and of spellings of an account's name.
ACCOUNT_COUNTS = {"1": 45, "2": 30, "3": 17, "4": 8}
NAMES = {"as_it_is": 50, "transliterated": 22, "misspelt": 14, "missing": 14}
#: Share of accounts whose owner has a second one; one customer in this many also defines a bot.
DUPLICATE_SHARE, BOT_EVERY, BOT_REMAINDER = 0.04, 25, 7

COMMUNITIES = 8
#: Share of ties within a community, and number of people that somebody follows.
HOMOPHILY, FEWEST_FOLLOWED, MORE_FOLLOWED = 0.7, 3, 6
#: A topic, and the shares of adopters in communities that like it and in the others.
LIKED_TOPIC, LIKED_BY, LIKED_SHARE, OTHER_SHARE = "веганские сыры", 2, 0.3, 0.02
#: A topic, its share of spontaneous adopters in the first days, and the probability that a follower adopts it.
SPREAD_TOPIC, OWN_SHARE, OWN_DAYS, PASSED_ON = "доставка за час", 0.06, 120, 0.2
#: Mean number of days until a follower adopts it, after the first one.
DELAY_DAYS = 3.0

TOPICS = ("скидки", "кофе", "рецепты", "упаковка", "новый магазин")
#: Its share of reactions before this week and in the last week.
RISING_TOPIC, RISES_FROM_WEEK, RISING_SHARES = "матча", 12, (0.02, 0.25)
REACTIONS = {"like": 62, "view": 20, "comment": 12, "share": 6}
#: Reactions of most people on average, and of a few eager ones, so that their number alone tells no bot; at most so
#: many of one person, for those from 901 on are of the two topics that are taken up, and those from 1001 on of bots.
MEAN_REACTIONS, EAGER_SHARE, MEAN_OF_EAGER, MOST_REACTIONS = 4.0, 0.03, 60.0, 800
#: Minimum and maximum number of reactions of a bot, all within BURST_HOURS.
BOT_REACTIONS, BURST_HOURS = (25, 55), 2
#: Mean number of mentions per person; shares of the tones.
MEAN_MENTIONS, TONES = 0.8, {"positive": 35, "neutral": 40, "negative": 25}
#: Share of people who complain on CRISIS_DAYS days from CRISIS_DAY.
CRISIS_DAY, CRISIS_DAYS, CRISIS_SHARE = 103, 5, 0.1

_SAID: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ru": {
        "positive": ("Лавка — мой любимый магазин", "Спасибо Лавке, всё свежее и вовремя",
                     "В Лавке отличный сыр, рекомендую", "Очень доволен Лавкой, вежливые кассиры"),
        "neutral": ("До скольки сегодня работает Лавка?", "Лавка открыла магазин на соседней улице",
                    "Был в Лавке, взял хлеб и молоко", "В Лавке есть доставка по району?"),
        "negative": ("В Лавке снова очередь, ужасно", "Лавка привезла просроченное молоко",
                     "Больше не пойду в Лавку, нахамили на кассе", "Разочарован Лавкой: цена не та, что на полке"),
        "crisis": ("Лавка списала деньги дважды, верните!", "В Лавке не проходит оплата, позор",
                   "Третий день Лавка не возвращает деньги за двойную оплату"),
    },
    "kk": {
        "positive": ("Лавка дүкені өте жақсы, рақмет", "Лавкадағы ірімшік керемет", "Лавка тез жеткізді, ризамын"),
        "neutral": ("Лавка бүгін нешеге дейін жұмыс істейді?", "Лавка жаңа дүкен ашты", "Лавкадан нан мен сүт алдым"),
        "negative": ("Лавкада тағы кезек, сұмдық", "Лавканың сүті ескірген екен, жаман", "Лавкаға көңілім қалды"),
        "crisis": ("Лавка ақшаны екі рет алды, қайтарыңыз!", "Лавкада төлем өтпей тұр, ұят"),
    },
    "en": {
        "positive": ("Lavka is my favourite shop", "Great cheese at Lavka, well done", "Lavka delivers fast, love it"),
        "neutral": ("When does Lavka close today?", "Lavka has opened a new store", "Got bread and milk at Lavka"),
        "negative": ("Awful queue at Lavka again", "Lavka sold me sour milk", "Lavka staff were rude, never again"),
        "crisis": ("Lavka charged me twice, give it back!", "Payments at Lavka are broken, what a shame"),
    },
}  # fmt: skip


def with_social(customers: DataFrame, count: int, draws: Draws, without: Collection[str]) -> DataFrame:
    """Add the identities of people on the networks.

    Args:
        customers: one row per customer, with `number`.
        count: number of customers.
        draws: the draws of this world.
        without: effects that are switched off.

    Returns:
        The columns of `people.with_person`, and community INT, networks ARRAY<STRING> (an account on each, the main one
        first), followed ARRAY<STRUCT<number, network>>, liked_day and own_day (when he or she takes up the two topics
        on his or her own; null: never), passed_day (the same by the word of somebody followed) and passed_by (number).
    """
    a, b = _secret_order(count, draws.seed)
    back = pow(a, -1, count)
    place = f"pmod({a}L * number + {b}L, {count}L)"
    community = f"CAST({place} * {COMMUNITIES}L DIV {count}L AS INT)"
    start, end = (f"((community + {n}) * {count}L + {COMMUNITIES - 1}L) DIV {COMMUNITIES}L" for n in (0, 1))
    stays = f"{draws.uniform('stays', 'j')} < {0.0 if 'homophily' in without else HOMOPHILY}D"
    at_random = draws.uniform("followed", "j")
    drawn = f"CAST(if({stays}, {start} + {at_random} * ({end} - {start}), {at_random} * {count}L) AS BIGINT)"
    others = f"""array_remove(array_distinct(transform(sequence(1, {FEWEST_FOLLOWED} + CAST(
        {draws.below(MORE_FOLLOWED, "followed")} AS INT)), j -> pmod({back}L * ({drawn} - {b}L), {count}L))), number)"""
    # A lambda variable `number` is the other person's number: the draws are the same as in that person's row.
    common = f"try_element_at(array_intersect(networks, {_networks(draws)}), 1)"
    own_day = f"if({draws.uniform('takes up')} < {OWN_SHARE}D, {draws.uniform('takes up day')} * {OWN_DAYS}D, NULL)"
    delay = f"1D - {DELAY_DAYS}D * ln(1D - {draws.uniform('passed on delay', 'source')})"
    happens = f"{draws.uniform('passed on', 'source')} < {PASSED_ON}D"
    passed = f"""array_min(filter(transform(followed, each -> transform(array(each.number), number -> struct(
        {own_day} + {delay} AS day, number AS by, {happens} AS happens))[0]),
        each -> each.happens AND each.day IS NOT NULL AND each.day < {DAYS}D))"""
    likes = f"if(community < {LIKED_BY}, {LIKED_SHARE}D, {OTHER_SHARE}D)"
    return (
        people.with_person(customers, draws)
        .selectExpr("*", "number AS source", f"{community} AS community", f"{_networks(draws)} AS networks")
        .selectExpr("*", f"{others} AS others")
        .selectExpr(
            "*",
            f"""filter(transform(others, number -> struct(number, {common} AS network)),
                each -> each.network IS NOT NULL) AS followed""",
        )
        .selectExpr(
            "*",
            f"if({draws.uniform('likes')} < {likes}, {draws.uniform('likes day')} * {DAYS}D, NULL) AS liked_day",
            f"{own_day} AS own_day",
            f"{'NULL' if 'influence' in without else passed} AS passed",
        )
        .withColumn("passed", expr("CAST(passed AS STRUCT<day: DOUBLE, by: BIGINT, happens: BOOLEAN>)"))
        .selectExpr(
            "* EXCEPT (others, passed)",
            "if(own_day IS NULL OR passed.day < own_day, passed.day, NULL) AS passed_day",
            "if(own_day IS NULL OR passed.day < own_day, passed.by, NULL) AS passed_by",
        )
    )


def accounts(rows: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per account: number, nth (from 0), account_id, network, handle, display_name, city, created_on, kind
    (person, duplicate, bot), spelling.
    """
    duplicate = f"{draws.uniform('duplicate', 'nth')} < {0.0 if 'duplicates' in without else DUPLICATE_SHARE}D"
    is_bot = "false" if "bots" in without else f"number % {BOT_EVERY} = {BOT_REMAINDER}"
    owned = f"""concat(
        transform(networks, (network, nth) -> struct(nth, network, 'person' AS kind)),
        filter(transform(networks, (network, nth) ->
            if({duplicate}, struct(nth, network, 'duplicate' AS kind), NULL)), each -> each IS NOT NULL),
        if({is_bot}, array(struct(0 AS nth, networks[0] AS network, 'bot' AS kind)), array()))"""
    latin = (
        "initcap(split(email, '[.]')[0] || ' ' || regexp_extract(email, '[.]([a-z]+)', 1)) || if(sex = 'ж', 'a', '')"
    )
    # One letter after the first is omitted or doubled.
    at = f"2 + CAST({draws.below(4, 'slip', 'nth')} AS INT)"
    slip = f"""if({draws.uniform("slip kind", "nth", "kind")} < 0.5D, overlay(name PLACING '' FROM {at} FOR 1),
        overlay(name PLACING substring(name, {at}, 1) || substring(name, {at}, 1) FROM {at} FOR 1))"""
    spelling = "'as_it_is'" if "misspelt_names" in without else draws.weighted(NAMES, "spelling", "nth", "kind")
    word = draws.one_of(("sun", "wolf", "star", "cat", "sky", "river", "neo", "max"), "word", "nth", "kind")
    handle = f"{word} || CAST({draws.below(1_000_000, 'handle', 'nth', 'kind')} AS STRING)"
    age = draws.below(2500, "account age", "nth", "kind")
    last_day = f"DATE'{DELIVERED_AT + LOCAL_OFFSET:%Y-%m-%d}'"
    return (
        rows.selectExpr("number", "name", "email", "sex", "city", f"inline({owned})")
        .selectExpr("*", f"if(kind = 'bot', 'missing', {spelling}) AS spelling")
        .selectExpr(
            "number", "nth", f"{_account_id(draws, 'network', 'kind')} AS account_id", "network", "kind", "spelling",
            f"{handle} AS handle",
            f"""CASE spelling WHEN 'missing' THEN NULL WHEN 'transliterated' THEN {latin} WHEN 'misspelt' THEN {slip}
                ELSE name END AS display_name""",
            f"if({draws.uniform('says city', 'nth', 'kind')} < 0.6D AND kind <> 'bot', city, NULL) AS city",
            # Bots have new accounts.
            f"date_sub({last_day}, 30 + CAST(if(kind = 'bot', {age} / 20, {age}) AS INT)) AS created_on",
        )
    )  # fmt: skip


def ties(rows: DataFrame, draws: Draws) -> DataFrame:
    """One row per tie: number, followed (number), follower_id, followed_id, network, since."""
    return rows.selectExpr("number AS source", "inline(followed)").selectExpr(
        "source", "number AS followed", "network", f"{_account_id(draws, 'network', text('person'))} AS followed_id",
        f"date_sub(DATE'{FIRST_MOMENT:%Y-%m-%d}', CAST({draws.below(900, 'since', 'source')} AS INT)) AS since",
        "source AS number",
    ).selectExpr(
        "number", "followed", f"{_account_id(draws, 'network', text('person'))} AS follower_id", "followed_id",
        "network", "since",
    )  # fmt: skip


def reactions(rows: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per reaction: number, i, reaction_id, account_id, kind, topic, us."""
    before, last = RISING_SHARES
    weeks = DAYS / 7 - RISES_FROM_WEEK
    rises = f"greatest(0D, {'0D' if 'rising_topics' in without else f'(day / 7D - {RISES_FROM_WEEK}D)'}) / {weeks}D"
    mean = f"if({draws.uniform('eager')} < {EAGER_SHARE}D, {MEAN_OF_EAGER}D, {MEAN_REACTIONS}D)"
    count = f"CAST(least({MOST_REACTIONS}D, floor(-{mean} * ln(1D - {draws.uniform('reactions')}))) AS INT)"
    drawn = f"""if({count} = 0, array(), transform(sequence(1, {count}), i -> struct(
        i, {draws.uniform("reaction day", "i")} * {DAYS}D AS day, {draws.weighted(REACTIONS, "reaction", "i")} AS kind,
        CAST(NULL AS STRING) AS topic,
        element_at(networks, 1 + CAST({draws.below(4, "on", "i")} % size(networks) AS INT)) AS network,
        'person' AS owner)))"""
    is_bot = "false" if "bots" in without else f"number % {BOT_EVERY} = {BOT_REMAINDER}"
    burst = f"floor({draws.uniform('burst')} * {DAYS - 1}D)"
    fewest, most = BOT_REACTIONS
    of_bot = f"{1000 + fewest} + CAST({draws.below(most - fewest + 1, 'of bot')} AS INT)"
    bot = f"""if({is_bot}, transform(sequence(1001, {of_bot}), i -> struct(
        i, {burst} + {draws.uniform("burst", "i")} * {BURST_HOURS / 24}D AS day, 'like' AS kind,
        'скидки' AS topic, networks[0] AS network, 'bot' AS owner)), array())"""
    taken_up = ", ".join(
        f"if({day} IS NULL, NULL, struct({i} AS i, {day} AS day, 'share' AS kind, {text(topic)} AS topic, "
        "networks[0] AS network, 'person' AS owner))"
        for i, day, topic in (
            (901, "liked_day", LIKED_TOPIC),
            (902, "coalesce(passed_day, own_day)", SPREAD_TOPIC),
        )
    )
    share = f"{before}D + {last - before}D * {rises}"
    topic = f"if({draws.uniform('rising', 'i')} < {share}, {text(RISING_TOPIC)}, {draws.one_of(TOPICS, 'topic', 'i')})"
    start = epoch_microseconds(FIRST_MOMENT)
    return (
        rows.selectExpr(
            "number", "networks", f"{drawn} AS drawn", f"{bot} AS of_bot",
            f"array_compact(array({taken_up})) AS taken_up",
        )
        .selectExpr("number", "inline(concat(drawn, of_bot, taken_up))")
        .selectExpr(
            "number", "i", f"lower(hex({draws.bits('reaction id', 'i')})) AS reaction_id",
            f"{_account_id(draws, 'network', 'owner')} AS account_id", "kind", f"coalesce(topic, {topic}) AS topic",
            f"{start}L + CAST(day * {MICROSECONDS_PER_DAY}D AS BIGINT) AS us",
        )
    )  # fmt: skip


def mentions(rows: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per mention: number, mention_id, account_id, network, us, text, language, tone (−1, 0, 1), is_crisis."""
    count = f"CAST(floor(-{MEAN_MENTIONS}D * ln(1D - {draws.uniform('mentions')})) AS INT)"
    usual = f"""if({count} = 0, array(), transform(sequence(1, {count}), i -> struct(
        i, {draws.uniform("mention day", "i")} * {DAYS}D AS day, {draws.weighted(TONES, "tone", "i")} AS tone)))"""
    complains = f"{draws.uniform('complains')} < {0.0 if 'crisis' in without else CRISIS_SHARE}D"
    crisis = f"""if({complains}, array(struct(900 AS i,
        {CRISIS_DAY}D + {CRISIS_DAYS}D * {draws.uniform("complains when")} AS day, 'crisis' AS tone)), array())"""
    said = "CASE " + " ".join(
        f"WHEN language = {text(language)} AND tone = {text(tone)} THEN "
        f"element_at({texts(phrases)}, 1 + CAST({draws.below(len(phrases), 'said', 'i')} AS INT))"
        for language, tones in _SAID.items()
        for tone, phrases in tones.items()
    )
    ending = draws.one_of(("", "", "!", ".", " 🙂", "..."), "ending", "i")
    start = epoch_microseconds(FIRST_MOMENT)
    return (
        rows.selectExpr("number", "networks", "language", f"inline(concat({usual}, {crisis}))")
        .selectExpr(
            "number", "i", "language", "tone", "day",
            f"element_at(networks, 1 + CAST({draws.below(4, 'said on', 'i')} % size(networks) AS INT)) AS network",
        )
        .selectExpr(
            "number", f"lower(hex({draws.bits('mention id', 'i')})) AS mention_id",
            f"{_account_id(draws, 'network', text('person'))} AS account_id", "network",
            f"{start}L + CAST(day * {MICROSECONDS_PER_DAY}D AS BIGINT) AS us", f"{said} END || {ending} AS text",
            "language", "CASE tone WHEN 'positive' THEN 1 WHEN 'neutral' THEN 0 ELSE -1 END AS tone",
            "tone = 'crisis' AS is_crisis",
        )
    )  # fmt: skip


def _secret_order(count: int, seed: int) -> tuple[int, int]:
    """a and b of p = a·n + b modulo the number of customers; a is invertible."""
    a = (6_364_136_223_846_793_005 * (seed + 1) + 1_442_695_040_888_963_407) % count
    while gcd(a, count) != 1 or a < ceil(count**0.5):
        a = (a + 1) % count or 1
    return a, (a * a + seed) % count


def _networks(draws: Draws) -> str:
    """SQL: the networks on which somebody has an account, the main one first."""
    count = f"CAST({draws.weighted(ACCOUNT_COUNTS, 'accounts')} AS INT)"
    ranked = (
        f"array_sort(transform({texts(list(people.NETWORKS))}, name -> struct({draws.bits('network', 'name')}, name)))"
    )
    return f"slice(transform({ranked}, each -> each.name), 1, {count})"


def _account_id(draws: Draws, network: str, kind: str) -> str:
    """SQL: the name of an account, which does not reveal its owner."""
    return f"lower(hex({draws.bits('account id', network, kind)}))"
