"""Personal columns are masked wherever rows leave the lake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from otklik.errors import ConfigurationError, MissingResultError
from otklik.lake.store import Lake
from otklik.steps.masking import clear_conditions, masked_rows
from otklik.steps.show import show_table
from otklik.steps.table_options import MASK


def values_of(lake: Lake, table: str, column: str, where: str | None = None) -> list[Any]:
    return [row[column] for row in masked_rows(lake, table, where).collect()]


def test_personal_columns_of_silver_are_masked_and_null_stays_null(people_lake: Lake) -> None:
    assert sorted(values_of(people_lake, "silver.people", "name"), key=str) == [MASK, None]


def test_the_record_is_masked_where_its_source_has_personal_columns(people_lake: Lake) -> None:
    assert values_of(people_lake, "bronze.people", "record") == [MASK]
    assert values_of(people_lake, "bronze.posts", "record") == ["1;=1+1"]


def test_rejected_records_are_masked_source_by_source(people_lake: Lake) -> None:
    rows = masked_rows(people_lake, "bronze.rejected", None).select("source", "record").collect()

    assert {row.source: row.record for row in rows} == {"people": MASK, "posts": "x;y"}


@pytest.mark.long
def test_rejected_records_stay_masked_where_no_table_says_any_more_what_is_personal(
    people_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = people_lake.exists
    monkeypatch.setattr(Lake, "exists", lambda _, table: table != "bronze.posts" and exists(table))

    rows = masked_rows(people_lake, "bronze.rejected", None).collect()

    assert [row.record for row in rows] == [MASK, MASK]


def test_a_condition_cannot_probe_what_is_masked(people_lake: Lake) -> None:
    assert values_of(people_lake, "silver.people", "id", "name LIKE 'abc%'") == []
    assert values_of(people_lake, "bronze.rejected", "source", "record LIKE '%Борис'") == []
    assert values_of(people_lake, "silver.people", "id", f"name = '{MASK}'") == [1]


@pytest.mark.parametrize("query", ["EXISTS (SELECT * FROM {0} WHERE record LIKE '%Анна%')", "1 IN (SELECT 1 FROM {0})"])
def test_a_condition_cannot_ask_another_table(people_lake: Lake, query: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--where: .*[Ss]ubquery"):
        masked_rows(people_lake, "silver.people", query.format(people_lake.reference("bronze.people")))


@pytest.mark.parametrize("where", ["no_such > 1", "id >", "max(id) > 1"])
def test_a_wrong_condition_is_named_with_the_columns(people_lake: Lake, where: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--where: .*columns: id, name, _file"):
        masked_rows(people_lake, "silver.people", where)


def test_a_condition_that_fails_on_a_row_quotes_no_value(people_lake: Lake) -> None:
    rows = masked_rows(people_lake, "silver.people", "cast(name AS INT) = 1")

    with (
        pytest.raises(ConfigurationError, match="--where: raises an error on some row instead of") as caught,
        clear_conditions(),
    ):
        rows.collect()

    assert MASK not in caught.value.line()


@pytest.mark.parametrize("table", ["people", "silver.", "silver.people; DROP", "silver.`x`", "a.b.c"])
def test_what_is_no_name_of_a_table_is_refused(people_lake: Lake, table: str) -> None:
    with pytest.raises(ConfigurationError, match="not a valid table name"):
        masked_rows(people_lake, table, None)


def test_a_missing_table_is_named(people_lake: Lake) -> None:
    with pytest.raises(MissingResultError, match=r"gold\.nothing: no such table"):
        masked_rows(people_lake, "gold.nothing", None)


def test_show_prints_masked_rows_and_no_more_than_asked(make_job, spark: SparkSession) -> None:
    job, printed = make_job(table="silver.people", where=None, limit=1, format="json")

    assert show_table(job) == 0

    [row] = json.loads(printed[0])
    assert list(row) == ["id", "name", "_file", "_record_no", "_batch", "_arrived_at"]
    assert "abc123" not in printed[0]
