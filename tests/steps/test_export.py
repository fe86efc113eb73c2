"""What a spreadsheet gets: masked, without formulas, whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.errors import ConfigurationError, PlatformError
from otklik.lake.store import Lake
from otklik.lake.tables import Column, Table
from otklik.steps.export import export_table, neutralised
from otklik.steps.printing import FORMULA_STARTS
from otklik.steps.table_options import CsvForm

TEXTS = [
    "=1+1", "+7 701", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "plain", "a=b", "", " =1+1", "two\nlines",
    'a "quoted", one', "back\\slash", " ends ",
]  # fmt: skip


def written(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_csv_file_holds_texts_as_they_are_but_no_formula(make_job, people_lake: Lake, spark, tmp_path: Path) -> None:
    notes = Table("gold.notes", "notes", (Column("id", "BIGINT"), Column("note", "STRING"), Column("n", "DOUBLE")))
    rows = [(number, text, -1.5) for number, text in enumerate(TEXTS)]
    people_lake.replace(notes, spark.createDataFrame(rows, "id BIGINT, note STRING, n DOUBLE"), "notes")
    target = tmp_path / "notes.csv"

    assert export_table(make_job(table="gold.notes", where=None, to=str(target))[0]) == 0

    found = {int(row["id"]): row for row in written(target)}
    expected = [f"'{text}" if text and text[0] in FORMULA_STARTS else text for text in TEXTS]
    assert [found[number]["note"] for number in range(len(TEXTS))] == expected
    assert {row["n"] for row in found.values()} == {"-1.5"}
    assert [path.name for path in tmp_path.glob("*notes*")] == ["notes.csv"]


def test_nested_values_become_json_and_null_stays_null(spark: SparkSession) -> None:
    rows = spark.sql("SELECT array(named_struct('f', 'a', 'c', 1.5D)) AS reasons, CAST(NULL AS STRING) AS note")

    assert [tuple(row) for row in neutralised(rows, CsvForm()).collect()] == [('[{"f":"a","c":1.5}]', None)]


@pytest.mark.parametrize("order", ["20 - id AS rank", "id / 20 AS probability"])
def test_rows_are_written_from_the_best_on_with_the_columns_that_were_named(
    order: str, make_job, people_lake: Lake, spark: SparkSession, tmp_path: Path
) -> None:
    rows = spark.range(20).selectExpr("CONCAT('к', id) AS key", order, "0.5D AS p").repartition(4)
    table = Table("gold.wanted", "list", tuple(Column(name, kind.upper()) for name, kind in rows.dtypes))
    people_lake.replace(table, rows, "list")
    target = tmp_path / "list.csv"

    export_table(make_job(table=table.name, where=None, to=str(target), columns="p, key", reader="excel")[0])

    assert target.read_bytes().startswith(b"\xef\xbb\xbfp,key\n")
    assert [row["key"] for row in written(target)] == [f"к{number}" for number in range(19, -1, -1)]
    with pytest.raises(ConfigurationError, match="no column nobody"):
        export_table(make_job(table=table.name, where=None, to=str(target), columns="nobody")[0])
    with pytest.raises(ConfigurationError, match=r"applies to \.csv files only"):
        export_table(make_job(table=table.name, where=None, to=str(tmp_path / "a.parquet"), reader="excel")[0])


def test_personal_values_do_not_leave(make_job, spark: SparkSession, tmp_path: Path) -> None:
    target = tmp_path / "people.csv"

    export_table(make_job(table="silver.people", where="id = 1", to=str(target))[0])

    assert [row["name"] for row in written(target)] == ["***"]


def test_a_file_of_no_rows_has_its_columns(make_job, spark: SparkSession, tmp_path: Path) -> None:
    for ending in ("parquet", "csv"):
        target = tmp_path / f"none.{ending}"
        export_table(make_job(table="silver.people", where="id > 99", to=str(target))[0])
    assert spark.read.parquet(str(tmp_path / "none.parquet")).columns[:2] == ["id", "name"]
    assert (tmp_path / "none.csv").read_text(encoding="utf-8").startswith("id,name,")


@pytest.mark.parametrize(
    ("to", "fault"), [("list.xlsx", ConfigurationError), ("no/such/folder/list.csv", PlatformError)]
)
def test_a_wrong_target_is_refused_and_nothing_is_written(make_job, tmp_path: Path, to: str, fault) -> None:
    with pytest.raises(fault):
        export_table(make_job(table="silver.people", where=None, to=str(tmp_path / to))[0])
    assert list(tmp_path.rglob("*.csv")) == []
