"""A table that is made without Spark is the one that Spark makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from otklik.errors import DamagedError
from otklik.lake.creation import create
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, FILES, RUNS, SCORES, Column, Table

ODD = Table(
    "gold.odd",
    "it's “odd”, \\ and 'quoted'",
    (
        Column("а б", "STRING", "имя"),
        Column("parts", "ARRAY<STRUCT<code:STRING,pairs:MAP<STRING,DECIMAL(9,2)>>>"),
        Column("local", "TIMESTAMP_NTZ"),
    ),
    properties={"otklik.personal": "а б"},
)


def actions(lake: Lake, table: str) -> dict[str, Any]:
    """What the first commit says of the table, without what differs from one making to another."""
    first = Path(lake.folder(*table.split("."), "_delta_log", f"{0:020}.json"))
    said: dict[str, Any] = {}
    for line in first.read_text(encoding="utf-8").splitlines():
        said |= json.loads(line)
    told = {key: value for key, value in said["metaData"].items() if key not in ("id", "createdTime", "schemaString")}
    return {
        "metaData": told,
        "schema": json.loads(said["metaData"]["schemaString"]),
        "protocol": said["protocol"],
        "operation": said["commitInfo"]["operation"],
    }


@pytest.mark.parametrize("table", [RUNS, FILES, BRONZE.of("calls"), SCORES.of("calls")], ids=lambda table: table.name)
def test_a_table_is_made_as_spark_makes_it(spark: SparkSession, tmp_path: Path, table: Table) -> None:
    here, by_spark = (Lake(spark, str(tmp_path / name), is_here=name == "here") for name in ("here", "spark"))

    here.make(table)
    here.make(table)
    by_spark.make(table)

    assert actions(here, table.name) == actions(by_spark, table.name)
    assert [commit.operation for commit in here.commits(table.name) or []] == ["CREATE TABLE"]
    assert here.read(table.name).dtypes == by_spark.read(table.name).dtypes == table.dtypes
    history = spark.sql(f"DESCRIBE HISTORY {here.reference(table.name)}").collect()
    assert [(row.version, row.operation) for row in history] == [(0, "CREATE TABLE")]


@pytest.mark.parametrize(
    "columns",
    [ODD.columns[:1], ODD.columns[2:], (Column("a", "STRING"), Column("A", "STRING"))],
    ids=["name", "type", "case"],
)
def test_what_the_first_protocol_does_not_know_is_left_to_spark(tmp_path: Path, columns: tuple[Column, ...]) -> None:
    assert not create(tmp_path / "log", Table("gold.odd", "", columns), {})
    assert not (tmp_path / "log").exists()


def test_nested_types_and_odd_texts_are_taken(spark: SparkSession, tmp_path: Path) -> None:
    table = Table("gold.odd", ODD.meaning, ODD.columns[1:2], properties=ODD.properties)
    here, by_spark = (Lake(spark, str(tmp_path / name), is_here=name == "here") for name in ("here", "spark"))
    for lake in (here, by_spark):
        lake.make(table)

    assert actions(here, table.name) == actions(by_spark, table.name)
    here.add_rows(table, [[[{"code": "ё", "pairs": [("a", None)]}]]], "one")
    assert [row.parts[0].code for row in here.read(table.name).collect()] == ["ё"]


def test_another_table_that_is_there_stays(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path), is_here=True)
    lake.make(RUNS)
    log = Path(lake.folder("ops", "runs", "_delta_log"))
    before = (log / f"{0:020}.json").read_text()

    assert create(log, FILES, {})

    assert [file.name for file in log.iterdir()] == [f"{0:020}.json"]
    assert (log / f"{0:020}.json").read_text() == before


def test_rows_are_added_without_spark_and_types_other_than_defined_are_damage(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Types with parts are called otherwise by each writer; a number in the place of a text is another one."""
    lake = Lake(spark, str(tmp_path), is_here=True)
    table = Table("gold.odd", "", (Column("n", "BIGINT"), ODD.columns[1]))
    rows = [[1, [{"code": "ё", "pairs": [("a", None)]}]]]

    version = lake.add_rows(table, rows, "one")

    commit = Path(lake.folder("gold", "odd", "_delta_log", f"{version:020}.json")).read_text(encoding="utf-8")
    assert "delta-rs" in commit
    with pytest.raises(DamagedError, match="columns"):
        lake.add_rows(Table("gold.odd", "", (Column("n", "STRING"), ODD.columns[1])), [["1", None]], "two")
    assert lake.read("gold.odd").count() == 1
