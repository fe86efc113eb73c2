"""What an ingest leaves of personal columns beside the rows themselves: no statistics, and which key it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench import CALLS, TakeIn, job_on

from otklik.errors import ConfigurationError
from otklik.lake.store import Lake
from otklik.privacy.pseudonyms import fingerprint
from otklik.steps.ingest import ingest_files

PERSONAL_CALLS = CALLS.replace('text = { type = "string"', 'text = { type = "string", personal = true')
PERSONAL_KEY = PERSONAL_CALLS.replace('columns = ["id"]', 'columns = ["text"]')
KEY_PROPERTY = "pseudonyms.key_fingerprint"
TABLES = ("bronze.calls", "bronze.rejected", "silver.calls", "ops.files", "ops.runs")
#: The key of these tests is "0123456789abcdef"; see tests/bench.py.
OTHER_KEY = b"fedcba9876543210"


def columns_with_statistics(lake: Lake, table: str) -> list[set[str]]:
    """Of each data file that was ever added to the table: the columns whose least and greatest value its log holds."""
    logs = Path(lake.root, *table.split("."), "_delta_log").glob("*.json")
    actions = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    statistics = [json.loads(action["add"]["stats"]) for action in actions if "add" in action]
    return [{*each.get("minValues", {}), *each.get("maxValues", {})} for each in statistics]


def test_logs_hold_no_statistics_of_personal_values(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,Anna", "2,Boris", "x,Clara", contract=PERSONAL_CALLS)
    take_in("july.csv", "2,Berta", contract=PERSONAL_CALLS)

    silver, bronze, rejected = (columns_with_statistics(lake, table) for table in TABLES[2::-1])
    assert silver and all("id" in each and "text" not in each for each in silver)
    assert bronze and all("record_no" in each and "record" not in each for each in bronze)
    assert rejected and all("record_no" in each and "record" not in each for each in rejected)


@pytest.fixture
def take_in_under_another_key(lake: Lake, take_in: TakeIn, tmp_path: Path) -> Callable[[], None]:
    """One file taken in under the key of the tests, and a way to take in another one, of the same person, otherwise."""
    take_in("june.csv", "1,Anna", contract=PERSONAL_KEY)
    (tmp_path / "july.csv").write_text("id,text\n3,Anna\n", encoding="utf-8")

    def take() -> None:
        job = job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=[str(tmp_path / "july.csv")])
        ingest_files(replace(job, pseudonym_key=lambda: OTHER_KEY))

    return take


def test_under_another_key_a_source_is_refused_before_anything_is_written(
    lake: Lake, take_in_under_another_key: Callable[[], None]
) -> None:
    before = {table: lake.version(table) for table in TABLES}

    with pytest.raises(ConfigurationError, match=r"silver\.calls: its pseudonyms were made with another key"):
        take_in_under_another_key()

    assert {table: lake.version(table) for table in TABLES} == before
    assert lake.properties("silver.calls")[KEY_PROPERTY] == fingerprint(b"0123456789abcdef")


@pytest.mark.long
def test_a_table_from_before_the_fingerprint_is_taken_as_it_is(
    lake: Lake, take_in_under_another_key: Callable[[], None]
) -> None:
    lake.spark.sql(f"ALTER TABLE {lake.reference('silver.calls')} UNSET TBLPROPERTIES ('{KEY_PROPERTY}')")

    take_in_under_another_key()

    assert lake.read("silver.calls").count() == 2
    assert KEY_PROPERTY not in lake.properties("silver.calls")
