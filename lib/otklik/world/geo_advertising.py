"""Weekly advertising and revenue of regions: the channels of `advertising`, the same per inhabitant everywhere.

Spend differs between regions, and so do their base, prices and noise; season, trend, holidays and a part of the noise
are common to all.
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr

from otklik.world import advertising, shop
from otklik.world.draws import Draws

REGIONS = 20
#: Inhabitants of the country in `advertising`, by which its spend and effects are divided.
INHABITANTS = 50_000.0
#: Median of the inhabitants of a region, and standard deviation of their logarithm.
MEDIAN_SIZE, SIZE_SPREAD = 250_000.0, 0.8
#: Tenge per inhabitant and week: revenue without advertising, its growth, its seasonal amplitude, a holiday, and a
#: price twice as high as usual.
BASE, GROWTH, SWING, HOLIDAY, PRICE = 400.0, 0.3, 50.0, 40.0, -300.0
#: Standard deviations: of the base between regions, of prices, of the common noise and of each region's noise.
BASE_SPREAD, PRICE_SPREAD, COMMON_NOISE, NOISE = 0.2, 0.05, 6.0, 18.0
#: Weeks of the year with a holiday: Nauryz and New Year.
HOLIDAYS = (12, 52)


def regions(spark: SparkSession, draws: Draws) -> DataFrame:
    """One row per region: number, region, inhabitants."""
    size = f"round({MEDIAN_SIZE}D * exp({SIZE_SPREAD}D * {draws.normal('inhabitants')}))"
    return (
        spark.range(0, REGIONS, 1, 1)
        .selectExpr("id AS number")
        .selectExpr("number", "concat('B', lpad(number + 1, 2, '0')) AS region", f"{size} AS inhabitants")
    )


def media_weeks(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per region, channel and week: number (of the region), region, channel, week (from 0), spend,
    effective_spend, effect, and carry_over, half, shape, most of the channel in the region.
    """
    off = [*without, *(["advertising"] if "geo_advertising" in without else [])]
    per_head = f"inhabitants / {INHABITANTS}D"
    channels = (
        advertising.channels(spark, off)
        .withColumnRenamed("number", "place")
        .crossJoin(regions(spark, draws))
        .selectExpr(
            "number", "region", "place", "channel", "pause_share", "carry_over", "shape",
            *(f"{name} * {per_head} AS {name}" for name in ("usual_spend", "half", "most")),
        )
    )  # fmt: skip
    # Part of the variation of spend is common to all regions.
    common = _everywhere(draws.normal("geo spend", "place", "week"))
    spend = (
        f"if({draws.uniform('geo pause', 'place', 'week')} < pause_share, 0D, round(usual_spend * "
        f"exp(0.3D * {common} + 0.4D * {draws.normal('geo spend of a region', 'place', 'week')})))"
    )
    return advertising.responses(channels, spend, shop.WEEKS, off)


def revenue_weeks(media: DataFrame, spark: SparkSession, draws: Draws) -> DataFrame:
    """One row per region and week: region, week, inhabitants, price_index, is_holiday, base (revenue without
    advertising), effect (of all channels), revenue; in order.
    """
    in_order = "sort_array(collect_list(struct(place, effect)))"
    effects = media.groupBy("region", "week").agg(
        expr(f"aggregate({in_order}, 0D, (sum, channel) -> sum + channel.effect)").alias("effect")
    )
    season = f"{GROWTH}D * week + {SWING}D * cos(2D * pi() * (week - {advertising.WEEKS_TO_DECEMBER}D) / 52D)"
    own = f"{BASE}D * exp({BASE_SPREAD}D * {draws.normal('geo base')})"
    causes = f"{PRICE}D * (price_index - 1D) + if(is_holiday, {HOLIDAY}D, 0D)"
    common = _everywhere(draws.normal("geo common noise", "week"))
    noise = f"{COMMON_NOISE}D * {common} + {NOISE}D * {draws.normal('geo noise', 'week')}"
    return (
        regions(spark, draws)
        .selectExpr("*", f"explode(sequence(0, {shop.WEEKS - 1})) AS week")
        .selectExpr(
            "*", f"round(1D + {PRICE_SPREAD}D * {draws.normal('geo price', 'week')}, 3) AS price_index",
            f"{day_of('week')} AS monday",
        )
        .selectExpr("*", f"weekofyear(monday) IN {HOLIDAYS} AS is_holiday")
        .selectExpr("*", f"inhabitants * ({own} + {season} + {causes}) AS base", f"inhabitants * ({noise}) AS noise")
        .join(effects, ["region", "week"])
        .selectExpr(
            "region", "week", "monday", "inhabitants", "price_index", "is_holiday", "base", "effect",
            "round(base + effect + noise) AS revenue",
        )
        .orderBy("region", "week")
    )  # fmt: skip


def day_of(week: str) -> str:
    """SQL: the Monday of a week."""
    return f"date_add(DATE'{shop.FIRST_DAY}', CAST(7 * {week} AS INT))"


def _everywhere(draw: str) -> str:
    """A draw that is common to all regions."""
    return f"transform(array(0L), number -> {draw})[0]"
