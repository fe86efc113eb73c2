"""A table of the house is read by whoever reads Delta: plain Spark, pandas through deltalake, DuckDB, `otklik show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.lake.test_ledger import FILE

from otklik.cli import main
from otklik.lake.ledger import FileLedger
from otklik.lake.store import Lake
from otklik.lake.tables import Column, Table

#: Every type that a table of the house may have.
POSTS = Table(
    "silver.posts",
    "posts, 'as they were'",
    (
        Column("id", "BIGINT", "the post's number"),
        Column("text", "STRING"),
        Column("price", "DECIMAL(12,2)"),
        Column("share", "DOUBLE"),
        Column("is_ours", "BOOLEAN"),
        Column("day", "DATE"),
        Column("at", "TIMESTAMP"),
        Column("topics", "ARRAY<STRING>"),
        Column("counts", "MAP<STRING,BIGINT>"),
        Column("reasons", "ARRAY<STRUCT<feature:STRING,contribution:DOUBLE>>"),
    ),
    key=("id",),
    constraints={"number_is_positive": "id > 0"},
)
MOMENT = datetime(2026, 3, 31, 18, 30, 15, 123456, tzinfo=UTC)


def post(number: int, text: str | None) -> tuple[Any, ...]:
    day = MOMENT.date()
    return (number, text, Decimal("12.50"), 0.25, True, day, MOMENT, ["жилье"], {"like": 3}, [("age", 0.5)])


@pytest.fixture(scope="module")
def root(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose table was written to, merged into and deleted from."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("readers") / "lake"), is_here=True)
    types = ", ".join(f"{column.name} {column.type}" for column in POSTS.columns)
    first = [post(1, "отклик"), post(2, "gone"), post(3, None)]
    lake.append(POSTS, spark.createDataFrame(first, types), "one")
    lake.merge(POSTS, spark.createDataFrame([post(1, "Қазақша"), post(4, "new")], types), "two", update_when="true")
    version = lake.delete(POSTS.name, "id = 2", "three", 2).version
    FileLedger(lake).record(replace(FILE, source="posts", table_versions={POSTS.name: version}))
    return Path(lake.root)


EXPECTED = [(1, "Қазақша"), (3, None), (4, "new")]


def by_spark(spark: SparkSession, table: Path) -> list[tuple[Any, ...]]:
    rows = spark.read.format("delta").load(str(table)).collect()
    assert rows[0].asDict(recursive=True)["reasons"] == [{"feature": "age", "contribution": 0.5}]
    assert rows[0]["counts"] == {"like": 3}
    return [(row["id"], row["text"], row["price"], row["at"].timestamp()) for row in rows]


def by_deltalake(_: SparkSession, table: Path) -> list[tuple[Any, ...]]:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed: pip install 'otklik[spark]'")
    frame = deltalake.DeltaTable(str(table)).to_pandas()
    assert list(frame["reasons"].iloc[0]) == [{"feature": "age", "contribution": 0.5}]
    assert dict(frame["counts"].iloc[0]) == {"like": 3}
    texts = frame["text"].astype(object).where(frame["text"].notna(), None)
    return [
        (number, text, price, at.timestamp())
        for number, text, price, at in zip(frame["id"], texts, frame["price"], frame["at"], strict=True)
    ]


def by_duckdb(_: SparkSession, table: Path) -> list[tuple[Any, ...]]:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed: pip install 'otklik[dev]'")
    with duckdb.connect() as connection:
        try:
            connection.execute("INSTALL delta; LOAD delta; SET TimeZone = 'UTC'")
        except duckdb.Error as fault:
            pytest.skip(f"DuckDB's reader of Delta cannot be installed here: {str(fault).splitlines()[0][:60]}")
        found = connection.execute("SELECT id, text, price, epoch(at) FROM delta_scan(?)", [str(table)]).fetchall()
    return [tuple(row) for row in found]


@pytest.mark.parametrize("read", [by_spark, by_deltalake, by_duckdb])
def test_a_reader_finds_the_rows(
    spark: SparkSession, root: Path, read: Callable[[SparkSession, Path], list[tuple[Any, ...]]]
) -> None:
    found = sorted(read(spark, root / "silver" / "posts"))

    assert found == [(*row, Decimal("12.50"), MOMENT.timestamp()) for row in EXPECTED]


def test_the_command_shows_the_rows(spark: SparkSession, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", POSTS.name, "--lake", str(root), "--format", "json"]) == 0

    shown = sorted(json.loads(capsys.readouterr().out), key=lambda row: row["id"])
    assert [(row["id"], row["text"]) for row in shown] == EXPECTED
    assert shown[0]["at"].startswith("2026-03-31T18:30:15.123456")


def test_the_table_says_what_it_and_its_columns_mean(spark: SparkSession, root: Path) -> None:
    described = spark.sql(f"DESCRIBE TABLE EXTENDED delta.`{root}/silver/posts`").collect()

    assert ("id", "the post's number") in [(row["col_name"], row["comment"]) for row in described]
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{root}/silver/posts`").collect()[0]
    assert detail["description"] == POSTS.meaning


def test_a_row_that_breaks_a_constraint_is_refused_whoever_writes(spark: SparkSession, root: Path) -> None:
    before = Lake(spark, str(root), is_here=True).version(POSTS.name)

    with pytest.raises(Exception, match="number_is_positive"):
        spark.sql(f"INSERT INTO delta.`{root}/silver/posts` (id, text) VALUES (-1, 'from elsewhere')")

    assert Lake(spark, str(root), is_here=True).version(POSTS.name) == before
