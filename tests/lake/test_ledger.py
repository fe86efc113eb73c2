"""What the ledger remembers of runs and files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.errors import MissingResultError
from otklik.lake.ledger import (
    FileEntry,
    FileLedger,
    Run,
    find_answer,
    find_run,
    input_versions,
    record_run,
)
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
    repeated=0,
    table_versions={"silver.calls": 1},
    started_at=START,
    ended_at=START + timedelta(seconds=1),
    status="loaded",
    warnings={"odd": 2},
    batch="b",
)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake"), is_here=True)


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


def test_a_file_counts_once_it_is_loaded(lake: Lake) -> None:
    ledger = FileLedger(lake)
    ledger.record(replace(FILE, status="rejected"))
    ledger.record(replace(FILE, content_hash="other", status="rejected"))
    assert ledger.loaded("calls") == FileLedger(lake).loaded("calls") == []

    loaded = replace(FILE, started_at=START + timedelta(hours=1))
    ledger.record(loaded)

    assert ledger.loaded("calls") == FileLedger(lake).loaded("calls") == [loaded]
    assert lake.read("ops.files").count() == 2


def test_a_replaced_file_counts_no_more(lake: Lake) -> None:
    ledger = FileLedger(lake)
    ledger.record(FILE)
    newer = replace(FILE, content_hash="d", batch="e", table_versions={"silver.calls": 2}, started_at=START)

    ledger.record(newer, instead_of=FILE)

    assert ledger.loaded("calls") == FileLedger(lake).loaded("calls") == [newer]
    assert {row.content_hash: row.status for row in lake.read("ops.files").collect()} == {
        "c": "replaced",
        "d": "loaded",
    }


def test_the_ledger_knows_the_newest_version_of_each_table_and_that_of_a_moment(lake: Lake) -> None:
    ledger = FileLedger(lake)
    ledger.record(FILE)
    ledger.record(
        replace(FILE, content_hash="d", table_versions={"silver.calls": 5}, started_at=START + timedelta(days=1))
    )

    for each in (ledger, FileLedger(lake)):
        assert each.versions(["silver.calls", "silver.posts"]) == {"silver.calls": 5}
        assert each.versions(["silver.calls"], by=START) == {"silver.calls": 1}
    assert input_versions(lake, ["silver.calls"]) == {"silver.calls": 5}


def test_an_input_without_a_file_is_named_with_what_to_do(lake: Lake) -> None:
    with pytest.raises(MissingResultError, match=r"silver.posts: .*otklik ingest posts"):
        input_versions(lake, ["silver.posts"])


def test_the_answer_to_a_moment_is_found_whatever_it_read(lake: Lake) -> None:
    moment = START - timedelta(days=1)
    first = replace(RUN, job="features").done(START, {}, 1, 1, "")
    record_run(lake, first)
    record_run(lake, replace(first, status="failed", ended_at=START + timedelta(days=2)))

    found = find_answer(lake, "calls", moment, "features")

    assert found is not None
    assert found.inputs == {"gold.calls_features": "3"}
    assert find_answer(lake, "calls", moment + timedelta(seconds=1), "features") is None


def test_the_files_of_a_version_are_as_the_ledger_knew_them_then(lake: Lake) -> None:
    """june comes, rubbish is refused, june is replaced, july comes; in between are versions 1, 2 and 3 of silver."""
    june, rubbish, better, july = (
        replace(
            FILE,
            file=file,
            content_hash=f"{hour}",
            status=status,
            table_versions={} if version is None else {"silver.calls": version},
            started_at=START + timedelta(hours=hour),
        )
        for hour, (file, status, version) in enumerate(
            [("june", "loaded", 1), ("rubbish", "rejected", None), ("june", "loaded", 2), ("july", "loaded", 3)]
        )
    )
    for entry in (june, rubbish):
        FileLedger(lake).record(entry)
    FileLedger(lake).record(better, instead_of=june)
    FileLedger(lake).record(july)

    ledger = FileLedger(lake)

    known = [[(file.content_hash, file.status) for file in ledger.files_at("calls", version)] for version in (1, 2, 3)]
    then, later = [("0", "loaded"), ("1", "rejected")], [("0", "replaced"), ("1", "rejected"), ("2", "loaded")]
    assert known == [then, later, [*later, ("3", "loaded")]]
    assert ledger.files_at("other", 1) == []
