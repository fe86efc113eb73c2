"""Small data sets with one planted effect each.

Stock-outs, a regional experiment, hours at which customers read, cards shared by a household, leads whose mix
changes, and daily signals that precede or follow orders.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession

from otklik.world import shop
from otklik.world.draws import Draws
from otklik.world.people import CUSTOMER_ID
from otklik.world.timeline import DELIVERED_AT, FIRST_MOMENT, LOCAL_OFFSET, microseconds_of_local_day

#: The first local day of the six months, and their number of days.
FIRST_DAY = (FIRST_MOMENT + LOCAL_OFFSET).date()
DAYS = (DELIVERED_AT - FIRST_MOMENT).days

#: Products counted every day in every store; mean daily demand, by place.
COUNTED, WANTED = ("молоко", "хлеб белый", "курица", "бананы", "кофе", "подгузники"), (40, 60, 18, 25, 12, 8)
#: Days of mean demand covered by a delivery, and the stock at which it is ordered; it may be late.
COVERED_DAYS, LATE_SHARE = 3, 0.25

#: Regions, treated ones from week TREATED_FROM of REGION_WEEKS on, and the factor on revenue.
REGIONS, TREATED, REGION_WEEKS, TREATED_FROM, GEO_LIFT = 40, 14, 52, 40, 1.08
REGION_WEEK_NOISE = 0.03

#: Messages per customer, and their local hours; percentages of the customers' preferred hours.
SENDS, FIRST_HOUR, LAST_HOUR = 12, 8, 22
FAVOURITE_HOURS = {"9": 35, "13": 20, "20": 45}
#: Probability of opening: OPEN_BASE + OPEN_MORE · exp(−(hours from the preferred one / 2)²).
OPEN_BASE, OPEN_MORE = 0.1, 0.3

#: Share of cards used by two people, and number of uses of a card.
SHARED_SHARE, CARD_USES = 0.12, 10

#: Leads change halfway through the six months: fewer come from the web, and the sign of the income effect flips.
CHANGES_ON, WEB_SHARES, INCOME_EFFECTS = DAYS // 2, (0.7, 0.3), (0.9, -0.5)
LEAD_BASE, LEAD_WEB = -1.0, 0.6

#: Daily signals. Mentions precede orders, reviews follow them; searches are unrelated.
SIGNALS = ("mentions", "reviews", "searches")
#: Days with signals and orders; days by which mentions precede orders, and reviews follow them.
SIGNAL_DAYS, LEAD_DAYS, FOLLOWING_DAYS = 540, 3, 2
#: Change of the logarithm of orders when mentions are higher by a standard deviation; of reviews, when orders are.
LEAD_EFFECT, FOLLOWING_EFFECT = 0.15, 0.2
#: Standard deviation of the residual logarithms.
SIGNAL_SPREAD, ORDER_SPREAD = 0.5, 0.12


def stock_days(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per store, product and day: store, product (id), day, opening, sold, wanted (hidden)."""
    by_name = {product.name: product.id for product in shop.products()}
    products = ", ".join(
        f"struct('{by_name[name]}' AS product, {wanted} AS mean)" for name, wanted in zip(COUNTED, WANTED, strict=True)
    )
    wanted = f"CAST(greatest(0D, round(mean + sqrt(mean) * {draws.normal('wanted', 'product', 'd')})) AS INT)"
    is_late = f"{draws.uniform('late', 'product', 'd')} < {LATE_SHARE}D"
    cover = "1000000" if "stock_outs" in without else f"{COVERED_DAYS} * mean"
    # Delivered overnight if less than a day's demand is left, unless the van is late.
    days = f"""aggregate(sequence(0, {DAYS - 1}), struct({cover} AS left,
            CAST(array() AS ARRAY<STRUCT<d: INT, opening: INT, sold: INT, wanted: INT>>) AS days),
        (done, d) -> struct(
            done.left - least(done.left, {wanted})
                + if(done.left - least(done.left, {wanted}) < mean AND NOT ({is_late}), {cover}, 0) AS left,
            concat(done.days, array(struct(d, done.left AS opening, least(done.left, {wanted}) AS sold,
                {wanted} AS wanted))) AS days), done -> done.days)"""
    stores = spark.range(0, shop.STORE_COUNT, 1, 1).withColumnRenamed("id", "number")
    return (
        stores.selectExpr("number", f"inline(array({products}))")
        .selectExpr("number", "product", f"inline({days})")
        .selectExpr(
            "concat('T', lpad(number + 1, 2, '0')) AS store", "product",
            f"date_add(DATE'{FIRST_DAY}', d) AS day", "opening", "sold", "wanted",
        )
    )  # fmt: skip


def region_weeks(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per region and week: number, region, arm, week (from 0), monday, revenue (tenge), lift (the factor of the
    effect).
    """
    ranked = f"row_number() OVER (ORDER BY {draws.bits('treated')})"
    lift = "1D" if "geo_lift" in without else f"if(arm = 'treated' AND week >= {TREATED_FROM}, {GEO_LIFT}D, 1D)"
    first = shop.FIRST_DAY + timedelta(weeks=shop.WEEKS - REGION_WEEKS)
    size = f"exp(15D + 0.6D * {draws.normal('size')})"
    # Variation common to all regions, and of each region.
    season = f"1D + 0.15D * cos(2D * pi() * (week - 24D) / 52D + 0.6D * {draws.uniform('phase')})"
    noise = f"exp({REGION_WEEK_NOISE}D * {draws.normal('region week', 'week')})"
    return (
        spark.range(0, REGIONS, 1, 1)
        .withColumnRenamed("id", "number")
        .selectExpr("number", f"if({ranked} <= {TREATED}, 'treated', 'control') AS arm")
        .selectExpr("*", f"explode(sequence(0, {REGION_WEEKS - 1})) AS week")
        .selectExpr("*", f"{lift} AS lift")
        .selectExpr(
            "number", "concat('G', lpad(number + 1, 2, '0')) AS region", "arm", "week",
            f"date_add(DATE'{first}', 7 * week) AS monday", f"round({size} * ({season}) * {noise} * lift) AS revenue",
            "lift",
        )
        .orderBy("number", "week")
    )  # fmt: skip


def sends(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per message: number, n, send_id, customer_id, us, hour, is_opened, opened_us, favourite_hour."""
    hours = LAST_HOUR - FIRST_HOUR
    more = 0.0 if "send_hour" in without else OPEN_MORE
    flat = OPEN_BASE + (0.1 if "send_hour" in without else 0.0)
    opens = f"{flat}D + {more}D * exp(-pow((hour + 0.5D - favourite_hour) / 2D, 2))"
    start = microseconds_of_local_day(FIRST_DAY)
    return (
        customers.selectExpr(
            "number", CUSTOMER_ID,
            f"CAST({draws.weighted(FAVOURITE_HOURS, 'favourite hour')} AS INT) AS favourite_hour",
            f"explode(sequence(0, {SENDS - 1})) AS n",
        )
        .selectExpr("*", f"{FIRST_HOUR} + CAST({draws.below(hours, 'send hour', 'n')} AS INT) AS hour")
        .selectExpr(
            "*",
            f"{start}L + 86400000000L * ({DAYS // SENDS} * n + {draws.below(7, 'send day', 'n')}) + 3600000000L * hour"
            f" + 60000000L * {draws.below(60, 'send minute', 'n')} AS us",
            f"{draws.uniform('opened', 'n')} < {opens} AS is_opened",
        )
        .selectExpr(
            "*", "concat('W', lpad(number * 100 + n, 9, '0')) AS send_id",
            f"if(is_opened, us - 60000000D * (1D + 40D * ln(1D - {draws.uniform('opened after', 'n')})), NULL)"
            " AS opened",
        )
        .selectExpr("* EXCEPT (opened)", "CAST(greatest(opened, us + 1000000D) AS BIGINT) AS opened_us")
    )  # fmt: skip


def card_uses(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per use of a card: number, n, use_id, card_id, us, store, user (0: the holder, 1: the other one).

    People who share a card have different stores and hours.
    """
    shared = f"{draws.uniform('shared')} < {0.0 if 'shared_cards' in without else SHARED_SHARE}D"
    start = microseconds_of_local_day(FIRST_DAY)
    hour = f"if({draws.bits('habit', 'user')} % 2 = 0, 10D, 18D)"
    return (
        customers.selectExpr(
            "number", "concat('L', lpad(number + 1, 7, '0')) AS card_id", f"{shared} AS is_shared",
            f"explode(sequence(0, {CARD_USES - 1})) AS n",
        )
        .selectExpr("*", f"if(is_shared AND {draws.uniform('who', 'n')} < 0.5D, 1, 0) AS user")
        .selectExpr(
            "number", "n", "card_id", "is_shared", "user",
            "concat('U', lpad(number * 100 + n, 9, '0')) AS use_id",
            f"1 + CAST({draws.below(shop.STORE_COUNT, 'own store', 'user')} AS INT) AS store",
            f"{start}L + 86400000000L * {draws.below(DAYS, 'used on', 'n')} + CAST(3600000000D * "
            f"({hour} + 2D * {draws.uniform('used at', 'n')}) AS BIGINT) AS us",
        )
    )  # fmt: skip


def leads(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per lead: number, lead_id, us, came_by, income (standardised), is_won, probability."""
    changed = "false" if "drift" in without else f"day >= {CHANGES_ON}"
    web = f"if({changed}, {WEB_SHARES[1]}D, {WEB_SHARES[0]}D)"
    effect = f"if({changed}, {INCOME_EFFECTS[1]}D, {INCOME_EFFECTS[0]}D)"
    start = microseconds_of_local_day(FIRST_DAY)
    return (
        customers.selectExpr("number", f"CAST({draws.below(DAYS, 'lead day')} AS INT) AS day")
        .selectExpr(
            "*", f"if({draws.uniform('came by')} < {web}, 'web', 'app') AS came_by",
            f"round({draws.normal('lead income')}, 3) AS income",
        )
        .selectExpr(
            "*", f"1D / (1D + exp(-({LEAD_BASE}D + {effect} * income + if(came_by = 'web', {LEAD_WEB}D, 0D))))"
            " AS probability",
        )
        .selectExpr(
            "number", "concat('Q', lpad(number + 1, 7, '0')) AS lead_id",
            f"{start}L + 86400000000L * day + 1000000L * {draws.below(86_400, 'lead second')} AS us",
            "came_by", "income", f"{draws.uniform('won')} < probability AS is_won", "probability",
        )
    )  # fmt: skip


def signal_days(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per day: number, day, orders, mentions, reviews, searches (unrelated to orders)."""

    def at(sql: str, days_before: int) -> str:
        """The draws of an earlier day."""
        return f"transform(array(number - {days_before}), number -> {sql})[0]"

    mentions, own = draws.normal("mentions"), draws.normal("orders")
    lead = 0.0 if "leading_signal" in without else LEAD_EFFECT
    following = 0.0 if "following_signal" in without else FOLLOWING_EFFECT
    by_chance = f"{lead}D * {at(mentions, LEAD_DAYS)} + {ORDER_SPREAD}D * {own}"
    weekend = "if(pmod(number, 7) IN (5, 6), 0.3D, 0D)"
    spread = f"{(lead**2 + ORDER_SPREAD**2) ** 0.5}D"
    first = shop.FIRST_DAY + timedelta(weeks=shop.WEEKS) - timedelta(days=SIGNAL_DAYS)

    def count(mean: int, logarithm: str) -> str:
        return f"CAST(round({mean}D * exp({logarithm})) AS INT)"

    reviews = f"{following}D * {at(by_chance, FOLLOWING_DAYS)} / {spread} + 0.2D * {draws.normal('reviews')}"
    return (
        spark.range(0, SIGNAL_DAYS, 1, 1)
        .withColumnRenamed("id", "number")
        .selectExpr(
            "number", f"date_add(DATE'{first}', CAST(number AS INT)) AS day",
            f"{count(800, f'{weekend} + {by_chance}')} AS orders",
            f"{count(150, f'{SIGNAL_SPREAD}D * {mentions}')} AS mentions", f"{count(90, reviews)} AS reviews",
            f"{count(2000, f'{SIGNAL_SPREAD}D * ' + draws.normal('searches'))} AS searches",
        )
    )  # fmt: skip
