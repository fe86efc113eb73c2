"""Conditions on many columns as one."""

from __future__ import annotations

from pyspark.sql import functions as F

from otklik.sources.conditions import all_of, any_of


def test_a_thousand_conditions_are_one(spark) -> None:
    number = F.col("id")
    many = [number >= place for place in range(1_500)]

    rows = spark.range(0, 3_000, 1_000).select(all_of(many).alias("all"), any_of(many[1:]).alias("any"))

    assert [tuple(row) for row in rows.collect()] == [(False, False), (False, True), (True, True)]
