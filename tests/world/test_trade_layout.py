"""The trade of the world: nothing but size, seed and effects decides its content."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import ConfigurationError
from otklik.world import dialogue, journeys, mailings, offers, purchases, shop, social, subscriptions, trials, visits
from otklik.world.draws import Draws
from otklik.world.options import named_effects


def content(spark: SparkSession, partitions: int) -> list[int]:
    """A hash of each part's frames, made in so many partitions."""
    draws = Draws(7)
    numbers = spark.range(0, 400, 1, partitions).withColumnRenamed("id", "number")
    buyers = purchases.with_purchases(numbers, draws, [])
    lines = purchases.lines(buyers, shop.choices(shop.prices(spark, draws, []), []), draws, [])
    frames = [lines, mailings.contacts(buyers, draws, []), subscriptions.with_subscriptions(numbers, draws, [])]
    return list(map(hash_of, frames))


def hash_of(frame: DataFrame) -> int:
    return frame.selectExpr("sum(CAST(xxhash64(*) AS DECIMAL(38, 0))) AS hash").collect()[0].hash


def content_of_people(spark: SparkSession, partitions: int) -> list[int]:
    draws = Draws(7)
    numbers = spark.range(0, 400, 1, partitions).withColumnRenamed("id", "number")
    everybody = social.with_social(numbers, 400, draws, [])
    frames = [
        social.accounts(everybody, draws, []), social.ties(everybody, draws), social.reactions(everybody, draws, []),
        social.mentions(everybody, draws, []), trials.sends(numbers, draws, []), trials.card_uses(numbers, draws, []),
        trials.leads(numbers, draws, []), dialogue.consents(numbers, draws), journeys.journeys(numbers, draws, []),
        dialogue.support_messages(numbers, draws, []),
        offers.played(offers.pilot(offers.with_chances(numbers, draws, []), draws), draws),
        visits.events(visits.offers(numbers, draws, [])),
    ]  # fmt: skip
    return list(map(hash_of, frames))


def test_content_does_not_depend_on_the_layout(spark: SparkSession) -> None:
    assert content(spark, 1) == content(spark, 3)


@pytest.mark.long
def test_what_people_do_does_not_depend_on_the_layout(spark: SparkSession) -> None:
    assert content_of_people(spark, 1) == content_of_people(spark, 3)


def test_an_effect_that_is_not_planted_cannot_be_switched_off() -> None:
    with pytest.raises(ConfigurationError, match="no effect named luck"):
        named_effects("season, luck")
