"""The receipts of the shop: who buys what, when and for how much.

- When: BG/NBD (Fader, Hardie, Lee 2005) in a time that runs faster on busy days: each customer has a Gamma distributed
  purchase rate, and after each repeat purchase drops out with a Beta distributed probability.
- How much: Gamma-Gamma (Fader, Hardie 2005): receipts of a customer are Gamma distributed around the customer's mean,
  whose rate is Gamma distributed; independent of the purchase rate.
- What: drawn by segment, taste and the prices of the week; then substitutes are removed and complements added.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from itertools import accumulate

from pyspark.sql import DataFrame
from pyspark.sql.functions import broadcast, expr

from otklik.world import shop
from otklik.world.draws import Draws
from otklik.world.people import CUSTOMER_ID
from otklik.world.timeline import MICROSECONDS_PER_DAY, microseconds_of_local_day

#: BG/NBD, in weeks: rate of purchases ~ Gamma(shape 1, rate RATE_ALPHA), drop-out ~ Beta(1, DROPOUT_B).
RATE_ALPHA, DROPOUT_B = 9.0, 4
#: Weeks from the beginning with first purchases.
FIRST_WEEKS = 52
#: Gamma-Gamma: receipts ~ Gamma(SPEND_P, rate), rate ~ Gamma(SPEND_Q, SPEND_GAMMA), tenge.
SPEND_P, SPEND_Q, SPEND_GAMMA = 4, 4, 3000.0
MOST_REPEATS = 150
#: Lines of a receipt: 1 and on average 2 more, geometrically distributed, before pairs.
_MORE_LINES, MOST_LINES = 2.5, 9

#: Factors on purchases by month, weekday (Monday first), and days around holidays.
MONTHS = (0.85, 0.85, 1.0, 1.0, 1.0, 0.95, 0.85, 0.95, 1.05, 1.05, 1.1, 1.5)
WEEKDAYS = (0.8, 0.8, 0.85, 0.9, 1.2, 1.5, 1.2)
HOLIDAYS = {(12, 30): 2.0, (12, 31): 2.0, (3, 7): 1.8, (3, 20): 1.8, (3, 21): 1.8}


def busyness(without: Collection[str]) -> list[float]:
    """Busyness of each day of the shop's weeks; 1 on average."""
    days = [shop.FIRST_DAY + timedelta(days=n) for n in range(7 * shop.WEEKS)]
    raw = [_busyness_of(day, without) for day in days]
    mean = sum(raw) / len(raw)
    return [each / mean for each in raw]


def with_purchases(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """Add the purchase times of each customer, and the hidden traits behind them.

    Args:
        customers: one row per customer, with `number`.
        draws: the draws of this world.
        without: effects that are switched off.

    Returns:
        The same rows with customer_id, segment, taste, purchase_rate (a week), dropout_probability, spend_rate,
        has_dropped_out (before the end of the last week), home_store, and `receipts`, in order of time:
        array<struct<n (from 0), day (from shop.FIRST_DAY), us>>.
    """
    last_repeat = (
        f"{MOST_REPEATS}"
        if "dropout" in without
        else f"CAST(least({MOST_REPEATS}D, 1D + floor(ln(1D - {draws.uniform('last repeat')}) / "
        "ln(1D - dropout_probability))) AS INT)"
    )
    shares = {segment: share for segment, (share, _) in shop.SEGMENTS.items()}
    spend_rate = (
        f"{SPEND_Q / SPEND_GAMMA}D" if "spend" in without else _gamma(SPEND_Q, f"{SPEND_GAMMA}D", draws, "rate")
    )
    # Times in weeks of equal busyness; all times after the first one past the end are also past it.
    times = f"""aggregate(transform(sequence(1, repeats), k -> -ln(1D - {draws.uniform("gap", "k")}) / purchase_rate),
        struct(first_week AS last, array(first_week) AS times),
        (done, gap) -> struct(done.last + gap AS last,
            if(done.last + gap < {shop.WEEKS}D, concat(done.times, array(done.last + gap)), done.times) AS times),
        done -> done.times)"""
    return (
        customers.selectExpr(
            "*",
            CUSTOMER_ID,
            f"{draws.weighted(shares, 'segment')} AS segment",
            f"CAST({draws.below(shop.TASTES, 'taste')} AS INT) AS taste",
            f"-ln(1D - {draws.uniform('purchase rate')}) / {RATE_ALPHA}D AS purchase_rate",
            f"1D - pow(1D - {draws.uniform('dropout')}, {1 / DROPOUT_B}D) AS dropout_probability",
            f"{FIRST_WEEKS}D * {draws.uniform('first purchase')} AS first_week",
            f"{spend_rate} AS spend_rate",
            f"1 + CAST({draws.below(shop.STORE_COUNT, 'home store')} AS INT) AS home_store",
        )
        .withColumn("repeats", expr(last_repeat))
        .withColumn("times", expr(times))
        .withColumn("has_dropped_out", expr(f"size(times) = repeats + 1 AND repeats < {MOST_REPEATS}"))
        .withColumn("receipts", expr(_dated(draws, without)))
        .drop("times", "first_week", "repeats")
    )


def lines(customers: DataFrame, choices: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per line of a receipt, in the customers' order.

    Args:
        customers: from `with_purchases`.
        choices: from `shop.choices`.
        draws: the draws of this world.
        without: effects that are switched off.

    Returns:
        number, customer_id, receipt (its number among the customer's, from 0), us, store, line (from 1), product (its
        number), quantity, price, amount.
    """
    more = f"floor(-{_MORE_LINES}D * ln(1D - {draws.uniform('lines', 'receipt')}))"
    # The draws are made first, in a separate array: in the filter each would be repeated for every product.
    points = (
        f"transform(sequence(1, CAST(least({MOST_LINES}D, 1D + {more}) AS INT)), "
        f"k -> {draws.uniform('product', 'receipt', 'k')} * element_at(bounds, -1))"
    )
    chosen = "transform(points, point -> size(filter(bounds, bound -> bound <= point)) + 1)"
    strays = f"{draws.uniform('strays', 'receipt')} < 0.15D"
    receipts = (
        customers.selectExpr(
            "number", "customer_id", "segment", "taste", "spend_rate", "home_store", "explode(receipts) AS receipt_"
        )
        .selectExpr("* EXCEPT (receipt_)", "receipt_.n AS receipt", "receipt_.us AS us", "receipt_.day DIV 7 AS week")
        .join(broadcast(choices), ["week", "segment", "taste"])
        .withColumn("points", expr(points))
        .withColumn("items", expr(f"array_distinct({chosen})"))
    )
    # One expression with named items: the optimiser would repeat the expression of each separate step.
    pairs = f"""aggregate({_pairs(draws, without)}, items, (items, pair) ->
        CASE WHEN NOT pair.happens OR NOT array_contains(items, pair.first) THEN items
             WHEN pair.is_complement THEN array_union(items, array(pair.second))
             ELSE array_remove(items, pair.second) END)"""
    # Sorted: otherwise the order of lines would reveal complements.
    parts = f"""transform(array_sort({pairs}), item ->
        struct(item, 0.5D + {draws.uniform("part", "receipt", "item")} AS part))"""
    priced = (
        receipts.selectExpr(
            "number", "customer_id", "receipt", "us", "prices",
            f"if({strays}, 1 + CAST({draws.below(shop.STORE_COUNT, 'store', 'receipt')} AS INT), home_store) AS store",
            f"{_gamma(SPEND_P, 'spend_rate', draws, 'spend', 'receipt')} AS spent",
            f"""explode(transform(array({parts}), parts ->
                struct(parts, aggregate(parts, 0D, (sum, each) -> sum + each.part) AS whole))) AS bought""",
        )
        .selectExpr(
            "* EXCEPT (bought)", "spent / bought.whole AS per_part", "posexplode(bought.parts) AS (place, item)"
        )
    )  # fmt: skip
    return priced.selectExpr(
        "number", "customer_id", "receipt", "us", "store", "place + 1 AS line", "item.item AS product",
        "element_at(prices, item.item) AS price",
        "greatest(round(per_part * item.part / element_at(prices, item.item), 3), 0.001D) AS quantity",
    ).selectExpr("*", "round(quantity * price, 2) AS amount")  # fmt: skip


def _busyness_of(day: date, without: Collection[str]) -> float:
    of_season = 1.0 if "season" in without else MONTHS[day.month - 1] * HOLIDAYS.get((day.month, day.day), 1.0)
    return of_season * (1.0 if "weekday" in without else WEEKDAYS[day.weekday()])


def _dated(draws: Draws, without: Collection[str]) -> str:
    """SQL: calendar days for `times`: first the week that a time falls into, then the day of that week."""
    busy = list(accumulate(busyness(without)))
    per_week = shop.WEEKS / busy[-1]
    weeks = ", ".join(f"{busy[7 * week + 6] * per_week!r}D" for week in range(shop.WEEKS))
    days = ", ".join(
        "array(" + ", ".join(f"{busy[7 * week + day] * per_week!r}D" for day in range(7)) + ")"
        for week in range(shop.WEEKS)
    )
    week = f"least({shop.WEEKS - 1}, size(filter(array({weeks}), bound -> bound <= time)))"
    in_week = f"transform(times, (time, n) -> struct(n, time, {week} AS week))"
    day = f"least(6, size(filter(element_at(array({days}), each.week + 1), bound -> bound <= each.time)))"
    dated = f"transform({in_week}, each -> struct(each.n AS n, 7 * each.week + {day} AS day))"
    # Open from 9:00 to 21:00, busiest at 15:00.
    two_hours = f"({draws.uniform('hour one', 'each.n')} + {draws.uniform('hour two', 'each.n')})"
    second = f"CAST(32400D + 21600D * {two_hours} AS BIGINT)"
    start = microseconds_of_local_day(shop.FIRST_DAY)
    return f"""transform({dated}, each -> struct(each.n AS n, each.day AS day,
        {start}L + each.day * {MICROSECONDS_PER_DAY}L + 1000000L * {second} AS us))"""


def _pairs(draws: Draws, without: Collection[str]) -> str:
    """SQL: the planted pairs, substitutes first: first, second, is_complement, happens (in this receipt)."""
    planted = [(pair, False) for pair in shop.SUBSTITUTES if "negative_rules" not in without]
    planted += [(pair, True) for pair in shop.COMPLEMENTS if "rules" not in without]
    listed = ", ".join(
        f"struct({shop.number_of(pair.first)} AS first, {shop.number_of(pair.second)} AS second, "
        f"{str(is_complement).lower()} AS is_complement, "
        f"{draws.uniform('pair', 'receipt', str(shop.number_of(pair.second)))} < {pair.probability}D AS happens)"
        for pair, is_complement in planted
    )
    nothing = "ARRAY<STRUCT<first: INT, second: INT, is_complement: BOOLEAN, happens: BOOLEAN>>"
    return f"CAST(array({listed}) AS {nothing})"


def _gamma(shape: int, rate: str, draws: Draws, salt: str, *also: str) -> str:
    """SQL: a draw from a Gamma distribution of whole shape: a sum of exponential ones."""
    logs = " + ".join(f"ln(1D - {draws.uniform(f'{salt} {n}', *also)})" for n in range(shape))
    return f"(-({logs}) / {rate})"
