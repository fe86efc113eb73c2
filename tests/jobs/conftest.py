"""Passes of all jobs in local mode, which the tests of other ways to run compare theirs with."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.bench import QUICK_OPTIONS
from tests.faults.small_lake import write_files
from tests.jobs.elsewhere import Pass, run_here

from otklik.world.writing import write_world

#: The name of a pass, what writes its files into a folder, and its commands on that folder.
MakePass = Callable[[str, Callable[[Path], object], Callable[[Path], Sequence[Sequence[str]]]], Pass]


@pytest.fixture(scope="session")
def make_pass(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakePass:
    """Write files, and run commands on them; made once, by whichever process of tests asks first."""
    own = tmp_path_factory.getbasetemp()

    def make(
        name: str, write: Callable[[Path], object], commands_on: Callable[[Path], Sequence[Sequence[str]]]
    ) -> Pass:
        folder = (own if worker_id == "master" else own.parent) / name
        folder.mkdir(exist_ok=True)
        files, is_made = folder / "files", folder / "is_made"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = Pass(files, folder / "lake", commands_on(files))
            if not is_made.exists():
                write(files)
                for command in made.commands:
                    run_here(*command, "--lake", f"{made.lake}")
                is_made.touch()
        return made

    return make


@pytest.fixture(scope="session")
def small_pass(make_pass: MakePass) -> Pass:
    """Some 300 rows and a small task."""

    def commands(files: Path) -> list[list[str]]:
        return [["ingest", f"{files / 'calls.toml'}", f"{files / 'june.csv'}"], ["run", f"{files / 'calls_task.toml'}"]]

    return make_pass("small_pass", write_files, commands)


@pytest.fixture(scope="session")
def world_pass(spark: SparkSession, make_pass: MakePass) -> Pass:
    """A shipped task: three sources, personal columns, a split by time, engagement."""

    def commands(world: Path) -> list[list[str]]:
        ingests = [["ingest", source, f"{world / source}"] for source in ("customers", "contacts", "engagements")]
        return [*ingests, ["run", "campaign_response", *QUICK_OPTIONS]]

    return make_pass("world_pass", lambda folder: write_world(spark, 1_000, 7, f"{folder}"), commands)
