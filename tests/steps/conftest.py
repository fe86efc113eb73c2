"""A job on a lake of its own, for steps that are tested one by one."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.bench import CALLS, TakeIn, take_in_calls, write_calls
from tests.lake.test_ledger import FILE

from otklik.lake.ledger import FileLedger
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, REJECTED, SILVER, Column
from otklik.progress import Progress
from otklik.project_files import find_project
from otklik.steps.context import Job, Options


@pytest.fixture(scope="session")
def people_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """bronze, silver and rejected of `people`, which has a personal column, and of `posts`, which has none."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("lake")), is_here=True)
    silver = SILVER.of(
        "people", (Column("id", "BIGINT"), Column("name", "STRING")), properties={"otklik.personal": "name"}
    )
    rows = spark.createDataFrame(
        [(1, "abc123", "f", 1, "b", None), (2, None, "f", 2, "b", None)],
        "id BIGINT, name STRING, _file STRING, _record_no BIGINT, _batch STRING, _arrived_at TIMESTAMP",
    )
    versions = {silver.name: lake.append(silver, rows, "one").version}
    record = "record STRING, file STRING, record_no BIGINT, _batch STRING, _arrived_at TIMESTAMP"
    personal = BRONZE.of("people", properties={**BRONZE.properties, "otklik.personal": "record"})
    for table, row in (
        (personal, ("1;Анна", "f", 1, "b", None)),
        (BRONZE.of("posts"), ("1;=1+1", "g", 1, "b", None)),
    ):
        versions[table.name] = lake.append(table, spark.createDataFrame([row], record), "one").version
    reasons = "reasons ARRAY<STRUCT<reason:STRING,column:STRING,rule:STRING>>"
    rejected = spark.createDataFrame(
        [
            ("people", "f", 3, [("not_a_number", "id", None)], "=Борис", "b", None),
            ("posts", "g", 2, [("not_a_number", "id", None)], "x;y", "b", None),
        ],
        f"source STRING, file STRING, record_no BIGINT, {reasons}, record STRING, _batch STRING, _arrived_at TIMESTAMP",
    )
    versions[REJECTED.name] = lake.append(REJECTED, rejected, "one").version
    FileLedger(lake).record(replace(FILE, table_versions=versions))
    return lake


@pytest.fixture
def make_job(people_lake: Lake, tmp_path: Path) -> Callable[..., tuple[Job, list[str]]]:
    """A job on the small lake with these options, and the list that its results go to."""

    def make(**names: object) -> tuple[Job, list[str]]:
        printed: list[str] = []
        now = datetime(2026, 4, 1, tzinfo=UTC)
        job = Job(
            options=Options(names, None, {}, "en"),
            lake=people_lake,
            project=find_project(None),
            progress=Progress(io.StringIO(), lambda: 0.0, is_live=False),
            clock=lambda: now,
            pseudonym_key=lambda: b"k" * 16,
            print_result=printed.append,
            temporary_folder=Path(tempfile.mkdtemp(dir=tmp_path)),
        )
        return job, printed

    return make


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """A fresh lake."""
    return Lake(spark, str(tmp_path / "lake"), is_here=True)


@pytest.fixture(scope="session")
def lakes_of_one_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[object], Path]:
    """Where the lake after this one file is kept, once a test has made it."""
    folder = tmp_path_factory.mktemp("lakes")
    known: dict[object, Path] = {}
    return lambda file: known.setdefault(file, folder / f"{len(known)}")


@pytest.fixture
def take_in(
    lake: Lake, tmp_path: Path, request: pytest.FixtureRequest, lakes_of_one_file: Callable[[object], Path]
) -> TakeIn:
    """Write a file of calls and ingest it into the lake.

    Many tests begin with the same file: the first of them ingests it, the others get a copy of its lake. A test that
    may patch something ingests for itself.
    """
    may_patch = "monkeypatch" in request.fixturenames

    def take(name: str, *lines: str, contract: str = CALLS, **options: Any) -> None:
        kept = lakes_of_one_file((name, lines, contract, *options.items()))
        is_first = not (may_patch or Path(lake.root).exists())
        if is_first and kept.exists():
            write_calls(tmp_path, name, *lines, contract=contract)
            shutil.copytree(kept, lake.root)
            return
        take_in_calls(lake, tmp_path, name, *lines, contract=contract, **options)
        if is_first:
            shutil.copytree(lake.root, kept)

    return take
