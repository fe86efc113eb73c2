"""Weekly advertising and revenue of the whole company: the effect of each channel, with carry-over and saturation.

A channel's effect in a week is EFFECT · a^shape / (a^shape + half^shape) of the carried-over spend
a(t) = spend(t) + carry_over · a(t − 1), the form of Jin, Wang, Sun, Chan, Koehler, "Bayesian Methods for Media Mix
Modeling with Carryover and Shape Effects", 2017.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr

from otklik.world import shop
from otklik.world.draws import Draws, text

WEEKS = 156
#: The Monday on which the first week begins; the last one is the shop's last one.
FIRST_DAY = shop.FIRST_DAY - timedelta(weeks=WEEKS - shop.WEEKS)
#: Revenue is seasonal; it is highest in the middle of December.
WEEKS_TO_DECEMBER = 24


@dataclass(frozen=True)
class Channel:
    """Planted properties of a channel.

    Attributes:
        name: name in the files.
        usual_spend: median spend of a week with advertising, tenge.
        pause_share: share of the weeks without advertising.
        carry_over: share of the effective spend that carries over to the next week.
        half: effective spend at which half of the effect is reached, tenge.
        shape: exponent of the saturation.
        effect: maximum weekly revenue from the channel, tenge.
    """

    name: str
    usual_spend: float
    pause_share: float
    carry_over: float
    half: float
    shape: float
    effect: float


CHANNELS = (
    Channel("tv", 2_000_000.0, 0.35, 0.6, 4_000_000.0, 2.0, 9_000_000.0),
    Channel("search", 600_000.0, 0.1, 0.1, 700_000.0, 1.0, 5_000_000.0),
    Channel("social", 800_000.0, 0.2, 0.3, 1_000_000.0, 1.5, 4_000_000.0),
    Channel("radio", 700_000.0, 0.4, 0.0, 1_000_000.0, 1.0, 0.0),
)
#: Revenue without advertising, its weekly growth, its seasonal amplitude, and the standard deviation of the noise.
BASE, GROWTH, SWING, NOISE = 20_000_000.0, 15_000.0, 2_500_000.0, 600_000.0


def media_weeks(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per week and channel: number (of the channel), week (from 0), channel, spend, effective_spend, effect."""
    spend = (
        f"if({draws.uniform('pause', 'week')} < pause_share, 0D, "
        f"round(usual_spend * exp(0.5D * {draws.normal('media spend', 'week')})))"
    )
    return responses(channels(spark, without), spend, WEEKS, without)


def channels(spark: SparkSession, without: Collection[str]) -> DataFrame:
    """One row per channel: number, channel, usual_spend, pause_share, carry_over, half, shape, most."""
    carry_over, most = "carry_over" not in without, "advertising" not in without
    rows = ", ".join(
        f"struct({place}L AS number, {text(one.name)} AS channel, {one.usual_spend}D AS usual_spend, "
        f"{one.pause_share}D AS pause_share, {one.carry_over * carry_over}D AS carry_over, {one.half}D AS half, "
        f"{one.shape}D AS shape, {one.effect * most}D AS most)"
        for place, one in enumerate(CHANNELS)
    )
    # Not rows of the driver's: what is computed of these Spark computes while it plans, and where two threads plan at
    # once, in the same lambda variables.
    return spark.range(0, 1, 1, 1).selectExpr(f"inline(array({rows}))")


def responses(channels: DataFrame, spend: str, weeks: int, without: Collection[str]) -> DataFrame:
    """One row per row of `channels` and week: its columns, week (from 0), spend, effective_spend, effect.

    Args:
        channels: carry_over, half, shape, most (maximum weekly revenue), and columns of `spend`.
        spend: SQL of the spend in `week`.
        weeks: number of weeks.
        without: effects to switch off.
    """
    carried = """aggregate(spends, CAST(array() AS ARRAY<DOUBLE>), (done, spend) ->
        concat(done, array(spend + carry_over * coalesce(try_element_at(done, -1), 0D))))"""
    # Without saturation: the return is constant, as it is on average up to half of the effect.
    effect = (
        "most * effective_spend / (2D * half)"
        if "saturation" in without
        else "most * pow(effective_spend, shape) / (pow(effective_spend, shape) + pow(half, shape))"
    )
    return (
        channels.selectExpr("*", f"transform(sequence(0, {weeks - 1}), week -> {spend}) AS spends")
        .selectExpr("*", f"{carried} AS effective_spends")
        .selectExpr("* EXCEPT (spends, effective_spends)", "arrays_zip(spends, effective_spends) AS weeks")
        .selectExpr("* EXCEPT (weeks)", "posexplode(weeks) AS (week, at)")
        .selectExpr("* EXCEPT (at)", "at.spends AS spend", "at.effective_spends AS effective_spend")
        .selectExpr("*", f"{effect} AS effect")
    )


def revenue_weeks(media: DataFrame, draws: Draws) -> DataFrame:
    """One row per week: week, base (revenue without advertising), effect (of all channels), revenue, in order."""
    number = "CAST(week AS BIGINT) AS number"
    base = f"{BASE}D + {GROWTH}D * week + {SWING}D * cos(2D * pi() * (week - {WEEKS_TO_DECEMBER}D) / 52D)"
    in_order = "sort_array(collect_list(struct(number, effect)))"
    return (
        media.groupBy("week")
        .agg(expr(f"aggregate({in_order}, 0D, (sum, channel) -> sum + channel.effect)").alias("effect"))
        .selectExpr("week", number, f"{base} AS base", "effect")
        .selectExpr("week", "base", "effect", f"round(base + effect + {NOISE}D * {draws.normal('revenue')}) AS revenue")
        .orderBy("week")
    )


def monday_of(week: str) -> str:
    """SQL: the Monday of a week, as in the files."""
    return f"date_format(date_add(DATE'{FIRST_DAY}', CAST(7 * {week} AS INT)), 'yyyy-MM-dd')"
