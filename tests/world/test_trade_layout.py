"""The trade of the world: nothing but size, seed and effects decides its content."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from otklik.errors import ConfigurationError
from otklik.world import mailings, purchases, shop, subscriptions
from otklik.world.draws import Draws
from otklik.world.options import named_effects


def content(spark: SparkSession, partitions: int) -> list[int]:
    """A hash of each part's frames, made in so many partitions."""
    draws = Draws(7)
    numbers = spark.range(0, 400, 1, partitions).withColumnRenamed("id", "number")
    buyers = purchases.with_purchases(numbers, draws, [])
    lines = purchases.lines(buyers, shop.choices(shop.prices(spark, draws, []), []), draws, [])
    frames = [lines, mailings.contacts(buyers, draws, []), subscriptions.with_subscriptions(numbers, draws, [])]
    return [frame.selectExpr("sum(CAST(xxhash64(*) AS DECIMAL(38, 0))) AS hash").collect()[0].hash for frame in frames]


def test_content_does_not_depend_on_the_layout(spark: SparkSession) -> None:
    assert content(spark, 1) == content(spark, 3)


def test_an_effect_that_is_not_planted_cannot_be_switched_off() -> None:
    with pytest.raises(ConfigurationError, match="no effect is called luck"):
        named_effects("season, luck")
