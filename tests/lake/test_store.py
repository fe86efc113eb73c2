import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.content import content_hash
from otklik.lake.store import Lake
from otklik.lake.tables import Column, Table

POSTS = Table(
    "silver.posts",
    "posts, 'as they were'",
    (Column("id", "BIGINT", "the post's number"), Column("text", "STRING"), Column("_batch", "STRING")),
    key=("id",),
)


@pytest.fixture(params=["folder", *(pytest.param(each, marks=pytest.mark.long) for each in ("here", "catalog"))])
def lake(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lake]:
    if request.param != "catalog":
        yield Lake(spark, str(tmp_path / "a lake"), is_here=request.param == "here")
        return
    yield Lake(spark, str(tmp_path / "a lake"), catalog="spark_catalog")
    spark.sql("DROP SCHEMA IF EXISTS spark_catalog.silver CASCADE")


def posts(spark: SparkSession, *rows: tuple[int, str]) -> DataFrame:
    return spark.createDataFrame(list(rows), "id BIGINT, text STRING").withColumn("_batch", F.lit("b1"))


def rows_of(lake: Lake) -> list[tuple[int, str]]:
    return sorted((row.id, row.text) for row in lake.read("silver.posts").collect())


def test_a_write_with_a_known_label_is_not_written_again(lake: Lake, spark: SparkSession) -> None:
    assert lake.version("silver.posts") is None
    first = lake.append(POSTS, posts(spark, (1, "a"), (2, "b")), "batch 1")
    again = lake.append(POSTS, posts(spark, (1, "a"), (2, "b")), "batch 1")
    assert again.version == first.version
    assert rows_of(lake) == [(1, "a"), (2, "b")]


def test_a_label_is_found_in_a_long_history_of_others(lake: Lake, spark: SparkSession) -> None:
    first = lake.append(POSTS, posts(spark, (1, "a")), "batch 1")
    for number in range(2, 13):
        lake.add(POSTS, posts(spark, (number, "b")), f"batch {number}")

    assert lake.append(POSTS, posts(spark, (1, "a")), "batch 1").version == first.version
    assert len(rows_of(lake)) == 12


def test_merge_inserts_new_keys_updates_changed_ones_and_leaves_the_rest(lake: Lake, spark: SparkSession) -> None:
    lake.append(POSTS, posts(spark, (1, "a"), (2, "b")), "batch 1")
    commit = lake.merge(POSTS, posts(spark, (1, "a"), (2, "B"), (3, "c")), "batch 2", update_when="s.text <> t.text")
    assert (commit.count("numTargetRowsInserted"), commit.count("numTargetRowsUpdated")) == (1, 1)
    assert rows_of(lake) == [(1, "a"), (2, "B"), (3, "c")]


def test_merge_looks_only_into_files_that_may_hold_a_coming_key(lake: Lake, spark: SparkSession) -> None:
    counted = replace(POSTS, properties={"delta.dataSkippingStatsColumns": "id"})
    lake.append(counted, posts(spark, (1, "a"), (9, "i")).coalesce(1), "batch 1")
    lake.append(counted, posts(spark, (10, "j"), (19, "s")).coalesce(1), "batch 2")

    lake.merge(counted, posts(spark, (19, "S"), (20, "t")), "batch 3", update_when="true")

    (merged,) = spark.sql(f"DESCRIBE HISTORY {lake.reference(POSTS.name)} LIMIT 1").collect()
    assert all(end in merged.operationParameters["predicate"] for end in (">= 19)", "<= 20)"))
    assert merged.operationMetrics["numTargetFilesRemoved"] == merged.operationMetrics["numTargetRowsCopied"] == "1"
    assert rows_of(lake) == [(1, "a"), (9, "i"), (10, "j"), (19, "S"), (20, "t")]


def test_merge_finds_keys_that_are_null(lake: Lake, spark: SparkSession) -> None:
    counted = replace(POSTS, properties={"delta.dataSkippingStatsColumns": "id"})
    nothing = "CAST(NULL AS BIGINT) AS id, 'b1' AS _batch"
    lake.append(counted, posts(spark, (1, "a")).unionByName(spark.sql(f"SELECT {nothing}, 'n' AS text")), "batch 1")

    lake.merge(counted, spark.sql(f"SELECT {nothing}, 'N' AS text"), "batch 2", update_when="true")
    both = posts(spark, (1, "A")).unionByName(spark.sql(f"SELECT {nothing}, 'NN' AS text"))
    lake.merge(counted, both, "batch 3", update_when="true")

    assert {(row.id, row.text) for row in lake.read(POSTS.name).collect()} == {(1, "A"), (None, "NN")}


def test_merge_finds_moments_that_the_machine_s_own_zone_knows_twice_or_not_at_all(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 27 October 2024 the hour from 00:00 to 02:00 UTC was 2 o'clock twice in Berlin; 9999 ends an hour early."""
    calls = Table("silver.calls", "calls", (Column("at", "TIMESTAMP", "when"), Column("text", "STRING")), key=("at",))
    counted = replace(calls, properties={"delta.dataSkippingStatsColumns": "at"})
    moments = [f"TIMESTAMP '{at} UTC'" for at in ("2024-10-27 00:30:00", "2024-10-27 01:30:00", "9999-12-31 23:59:59")]
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        lake = Lake(spark, str(tmp_path / "lake"))
        for text in ("a", "b"):
            for at in moments:
                lake.merge(
                    counted, spark.sql(f"SELECT {at} AS at, '{text}' AS text"), f"{text} {at}", update_when="true"
                )
        assert [row.text for row in lake.read("silver.calls").select("text").collect()] == ["b"] * 3
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_version_that_is_not_there_is_named(lake: Lake, spark: SparkSession) -> None:
    lake.append(POSTS, posts(spark, (1, "a")), "one")

    with pytest.raises(MissingResultError, match="version 9 no longer exists"):
        lake.read(POSTS.name, 9)


def test_a_table_that_somebody_changed_is_not_written_to(lake: Lake, spark: SparkSession) -> None:
    lake.append(POSTS, posts(spark, (1, "a")), "one")
    spark.sql(f"ALTER TABLE {lake.reference(POSTS.name)} ADD COLUMN remark STRING")

    with pytest.raises(DamagedError, match="its columns do not match its definition; it has: id bigint, text"):
        lake.append(POSTS, posts(spark, (2, "b")), "two")

    assert rows_of(lake) == [(1, "a")]


def test_a_write_that_left_no_commit_is_noticed(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append(POSTS, posts(spark, (1, "a")), "one")
    monkeypatch.setattr(Lake, "commits", lambda *_: [])

    with pytest.raises(DamagedError, match="the write 'two' is not in its history"):
        lake.append(POSTS, posts(spark, (2, "b")), "two")


def test_a_merge_or_delete_that_left_no_commit_is_noticed(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta makes no commit where there is nothing to do: what it skipped must not pass as that."""
    lake.append(POSTS, posts(spark, (1, "a")), "one")
    monkeypatch.setattr(SparkSession, "sql", without(SparkSession.sql, "MERGE", "DELETE"))

    with pytest.raises(DamagedError, match="the write 'two' is not in its history"):
        lake.merge(POSTS, posts(spark, (2, "b")), "two", update_when=None, after=1)
    with pytest.raises(DamagedError, match="the write 'three' is not in its history"):
        lake.merge(POSTS, posts(spark, (1, "A")), "three", update_when="true", after=1)
    with pytest.raises(DamagedError, match="the write 'four' is not in its history"):
        lake.delete(POSTS.name, "id = 1", "four", after=1)
    # There is nothing to do, and so nothing is missed.
    assert lake.merge(POSTS, posts(spark, (1, "A")), "five", update_when=None, after=1).metrics == {}
    assert lake.delete(POSTS.name, "id = 9", "six", after=1).metrics == {}


def without(sql: Callable, *statements: str) -> Callable:
    """Spark that skips these statements in silence."""

    def run(spark: SparkSession, query: str, *values: Any, **frames: DataFrame) -> DataFrame | None:
        return None if query.startswith(statements) else sql(spark, query, *values, **frames)

    return run


def test_old_versions_stay_readable_when_a_table_is_replaced_with_other_columns(
    lake: Lake, spark: SparkSession
) -> None:
    first = lake.replace(POSTS, posts(spark, (1, "a")), "one")
    narrower = Table("silver.posts", "only numbers", (Column("id", "BIGINT"),))
    lake.replace(narrower, posts(spark, (7, "x")), "two")
    assert [tuple(row) for row in lake.read("silver.posts").collect()] == [(7,)]
    assert [row.text for row in lake.read("silver.posts", first.version).collect()] == ["a"]


def test_nothing_instead_of_nothing_is_no_fault(lake: Lake, spark: SparkSession) -> None:
    first = lake.append(POSTS, posts(spark, (1, "a")), "one").version
    assert lake.replace(POSTS, posts(spark).limit(0), "two", where={"text": "b"}).version >= first
    assert lake.append(POSTS, posts(spark).limit(0), "three").version >= first
    assert rows_of(lake) == [(1, "a")]


def test_a_small_table_comes_to_the_driver_as_its_rows_stand(lake: Lake, spark: SparkSession) -> None:
    assert lake.small("silver.runs") is None
    runs = Table(
        "silver.runs",
        "starts",
        (Column("task", "STRING"), Column("ended", "TIMESTAMP"), Column("outputs", "MAP<STRING,BIGINT>"),
         Column("why", "ARRAY<STRUCT<code:STRING,said:MAP<STRING,STRING>,value:DOUBLE>>")),
    )  # fmt: skip
    moment = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    rows = [("a", moment, {"x": 1}, [("c", {"n": "1"}, None)]), ("b", None, None, []), (None, None, {}, None)]
    lake.append(runs, spark.createDataFrame(rows, runs.ddl), "one")

    found = lake.small("silver.runs", {"task": ["a", "c"]})
    assert found is not None and [*found.columns] == ["task", "ended", "outputs", "why"]
    why = [{"code": "c", "said": {"n": "1"}, "value": None}]
    assert found.rows == [{"task": "a", "ended": moment, "outputs": {"x": 1}, "why": why}]
    everything = lake.small("silver.runs")
    assert everything is not None and len(everything.rows) == 3


def test_replace_where_touches_only_the_named_rows(lake: Lake, spark: SparkSession) -> None:
    lake.append(POSTS, posts(spark, (1, "a"), (2, "b")), "one")
    lake.replace(POSTS, posts(spark, (2, "b"), (3, "b")), "two", where={"text": "b"})
    assert rows_of(lake) == [(1, "a"), (2, "b"), (3, "b")]


def test_a_version_older_than_a_week_can_be_read_and_brought_back(spark: SparkSession, tmp_path: Path) -> None:
    """Delta forbids both by default, also where every file is still there."""
    lake, three_weeks_ago = Lake(spark, str(tmp_path / "lake")), time.time() - 21 * 86_400
    old = lake.append(POSTS, posts(spark, (1, "a")), "one").version
    for log in Path(lake.folder("silver", "posts", "_delta_log")).glob("*.json"):
        os.utime(log, (three_weeks_ago, three_weeks_ago))
    spark.sql(f"REFRESH TABLE {lake.reference('silver.posts')}")
    lake.append(POSTS, posts(spark, (2, "b")), "two")

    assert [row.text for row in lake.read("silver.posts", old).collect()] == ["a"]
    lake.restore("silver.posts", old)
    assert rows_of(lake) == [(1, "a")]


def test_content_hash_knows_neither_order_nor_layout_nor_run_columns(spark: SparkSession) -> None:
    rows = posts(spark, (1, "a"), (2, "b"), (2, "b")).withColumn("share", F.col("id") / F.lit(3.0))
    shuffled = rows.repartition(4, "text").orderBy(F.desc("id")).withColumn("_batch", F.lit("other"))
    nudged = rows.withColumn("share", F.col("share") + F.lit(1e-9))
    assert content_hash(rows) == content_hash(shuffled) == content_hash(nudged)
    assert content_hash(rows) != content_hash(rows.dropDuplicates())
    assert content_hash(rows) != content_hash(rows.withColumn("share", F.col("share") + F.lit(1e-4)))
    moments = [rows.withColumn("moment", F.timestamp_micros(F.lit(micros))) for micros in (1, 2)]
    assert content_hash(moments[0]) != content_hash(moments[1])


def test_a_table_whose_first_commit_was_never_made_can_be_made(spark: SparkSession, tmp_path: Path) -> None:
    log = tmp_path / "silver" / "posts" / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000000.json.0f1e.tmp").write_text('{"commitInfo', encoding="utf-8")
    lake = Lake(spark, str(tmp_path))

    lake.append(POSTS, posts(spark, (1, "a")), "batch 1")

    assert rows_of(lake) == [(1, "a")]


def test_a_lake_may_lie_anywhere(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path / "a{b} `c' d;--"))
    lake.append(POSTS, posts(spark, (1, "a")), "batch 1")

    lake.merge(POSTS, posts(spark, (2, "b")), "batch 2", update_when=None)

    assert rows_of(lake) == [(1, "a"), (2, "b")]
