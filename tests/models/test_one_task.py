"""Rows come to one task in the order of their hash, as many as are wanted."""

from __future__ import annotations

import json

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from otklik.models.one_task import learn_in_one_task


def test_rows_come_in_the_order_of_their_hash_and_no_more_than_are_wanted(spark: SparkSession) -> None:
    rows = spark.range(0, 400, 1, 4).selectExpr("xxhash64(id) AS row_hash", "id AS number", "id AS other")

    def learnt(most: int, partitions: int) -> list[int]:
        found = learn_in_one_task(
            rows.repartition(partitions),
            [F.col("number")],
            most,
            lambda table: json.dumps([table.column_names, *table["number"].to_pylist()]).encode(),
        )
        names, *numbers = json.loads(found)
        assert names == ["row_hash", "number"]
        return numbers

    everything = learnt(400, 1)
    assert everything == [row.number for row in rows.orderBy("row_hash").collect()]
    assert learnt(1_000, 3) == everything
    few = learnt(100, 3)
    assert 60 < len(few) < 140 and few == [number for number in everything if number in set(few)]
