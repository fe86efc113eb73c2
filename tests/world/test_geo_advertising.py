"""What the world plants of advertising by region: by computation from what was spent."""

from __future__ import annotations

from multiprocessing.pool import ThreadPool

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from otklik.world import advertising, shop
from otklik.world import geo_advertising as geo
from otklik.world.advertising import CHANNELS
from otklik.world.draws import Draws


def weeks_of(spark: SparkSession, *without: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    draws = Draws(7)
    media = geo.media_weeks(spark, draws, without)
    return media.toPandas(), geo.revenue_weeks(media, spark, draws).toPandas()


def test_channels_bring_the_same_per_inhabitant_in_every_region(spark: SparkSession) -> None:
    media, revenue = weeks_of(spark)
    per_head = dict(zip(revenue["region"], revenue["inhabitants"] / geo.INHABITANTS, strict=True))
    planted = {channel.name: channel for channel in CHANNELS}
    effective: dict[tuple[str, str], float] = {}

    for row in media.sort_values("week").to_dict("records"):
        channel, size, cell = planted[row["channel"]], per_head[row["region"]], (row["region"], row["channel"])
        effective[cell] = row["spend"] + channel.carry_over * effective.get(cell, 0.0)
        power = (effective[cell] / size) ** channel.shape
        share = power / (power + channel.half**channel.shape)
        assert row["effect"] == pytest.approx(size * channel.effect * share)
    assert len(media) == geo.REGIONS * shop.WEEKS * len(CHANNELS)
    noise = (revenue["revenue"] - revenue["base"] - revenue["effect"]) / revenue["inhabitants"]
    assert noise.std() == pytest.approx((geo.NOISE**2 + geo.COMMON_NOISE**2) ** 0.5, rel=0.1)
    # A part of the noise, and of spend, is common to all regions.
    assert noise.groupby(revenue["week"]).mean().std() > 0.7 * geo.COMMON_NOISE
    assert revenue.groupby("week")["is_holiday"].nunique().max() == 1
    assert revenue["is_holiday"].mean() == pytest.approx(2 / 52, abs=0.01)


@pytest.mark.long
def test_without_it_nothing_is_brought_and_all_else_stays(spark: SparkSession) -> None:
    media, revenue = weeks_of(spark, "geo_advertising")
    planted = weeks_of(spark)

    assert (media["effect"] == 0).all() and (media["spend"] == planted[0]["spend"]).all()
    assert (revenue["base"] == planted[1]["base"]).all() and (revenue["effect"] == 0).all()


def test_weeks_are_the_same_in_whatever_number_of_threads_they_are_computed(spark: SparkSession) -> None:
    media = advertising.media_weeks(spark, Draws(7), [])

    with ThreadPool(4) as pool:
        found = pool.map(lambda n: media.selectExpr("week", "number", "effect", f"{n} AS n").collect(), range(8))

    assert {len(rows) for rows in found} == {advertising.WEEKS * len(advertising.CHANNELS)}
