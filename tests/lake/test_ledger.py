"""What the ledger remembers of runs and files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.lake.ledger import FileEntry, Run, find_file, find_run, record_file, record_run
from otklik.lake.store import Lake

START = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
RUN = Run(
    run_id="0f1e2d3c4b5a6978",
    job="train",
    task="calls",
    as_of=START - timedelta(days=1),
    status="failed",
    inputs={"gold.calls_features": "3"},
    settings_hash="s",
    code_version="0.1+abc",
    started_at=START,
)
FILE = FileEntry(
    source="calls",
    file="calls.csv",
    bytes=10,
    content_hash="c",
    contract_hash="k",
    rows=5,
    accepted=3,
    inserted=3,
    updated=0,
    rejected=1,
    duplicates=1,
    table_versions={"silver.calls": 1},
    started_at=START,
    ended_at=START + timedelta(seconds=1),
    status="loaded",
    warnings={"odd": 2},
    batch="b",
)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake"))


def test_a_run_that_ended_well_is_found_with_its_times(lake: Lake) -> None:
    assert find_run(lake, RUN.run_id, "train", None) is None
    done = RUN.done(START + timedelta(minutes=1), {"gold.scoreboard": 4}, 10, 5, "fine")
    record_run(lake, RUN)
    record_run(lake, done)
    record_run(lake, RUN.reused(START + timedelta(minutes=2), done))

    assert find_run(lake, RUN.run_id, "train", RUN.inputs) == done
    assert find_run(lake, RUN.run_id, "train", None) == done
    assert find_run(lake, RUN.run_id, "train", {"gold.calls_features": "4"}) is None
    assert find_run(lake, RUN.run_id, "score", None) is None


def test_a_reused_run_carries_the_earlier_result() -> None:
    done = RUN.done(START, {"gold.scoreboard": 4}, 10, 5, "fine")

    again = replace(RUN, started_at=START + timedelta(days=1)).reused(START + timedelta(days=2), done)

    assert (again.status, again.outputs, again.rows_in, again.rows_out, again.message) == (
        "reused",
        {"gold.scoreboard": 4},
        10,
        5,
        "fine",
    )


def test_a_file_is_found_once_it_is_loaded(lake: Lake) -> None:
    assert find_file(lake, "calls", "c") is None
    record_file(lake, replace(FILE, status="rejected"))
    record_file(lake, replace(FILE, content_hash="other"))
    assert find_file(lake, "calls", "c") is None

    record_file(lake, replace(FILE, started_at=START + timedelta(hours=1)))

    assert find_file(lake, "calls", "c") == replace(FILE, started_at=START + timedelta(hours=1))
    assert lake.read("ops.files").count() == 2
