"""The same commands on Spark Connect, and with the tables in a Hive metastore, make the same tables as in a folder.

Each is a process of its own: neither can be had in the session of the tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.faults.harness import environment, fingerprint
from tests.faults.small_lake import write_files
from tests.jobs.test_cluster import KEY, assert_same_scoreboard, run_here

#: What is given to the commands, by where the work is done or the tables are.
MODES = {"catalog": ("--catalog", "spark_catalog"), "connect": ("--env", "connect")}
#: Seconds that a command may take where other tests have the cores.
PATIENCE = 3_600


@dataclass(frozen=True)
class Pair:
    """The same commands' lakes: one of the usual kind, and the other one."""

    mode: str
    files: Path
    here: Path
    there: Path

    def run(self, *arguments: str) -> None:
        """A command on both lakes."""
        run_here(*arguments, "--lake", f"{self.here}")
        self.run_there(*arguments)

    def run_there(self, *arguments: str) -> str:
        """A command on the other lake alone; returns what it printed."""
        command = [sys.executable, "-m", "otklik.cli", *arguments, *MODES[self.mode], "--lake", f"{self.there}"]
        done = subprocess.run(
            command, env={**environment(), **KEY}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done.stdout

    def as_folder(self, place: Path) -> Path:
        """The other lake, its catalog's tables copied to where those of a folder are."""
        if self.mode != "catalog":
            return self.there
        for layer in (self.there / "warehouse").glob("*.db"):
            shutil.copytree(layer, place / layer.stem)
        for name in ("models", "report"):
            if (self.there / name).is_dir():
                shutil.copytree(self.there / name, place / name)
        return place


@pytest.fixture(scope="module", params=MODES)
def ingested(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Some 300 rows: most of it is starting."""
    folder = tmp_path_factory.mktemp(request.param)
    pair = Pair(request.param, folder / "files", folder / "here", folder / "there")
    write_files(pair.files)
    pair.run("ingest", f"{pair.files / 'calls.toml'}", f"{pair.files / 'june.csv'}")
    return pair


def test_records_come_to_the_same_tables(spark: SparkSession, ingested: Pair, tmp_path: Path) -> None:
    there = ingested.as_folder(tmp_path / "there")

    assert fingerprint(spark, there) == fingerprint(spark, ingested.here)


@pytest.mark.long
def test_a_second_file_updates_rows_of_the_first_and_is_taken_once(
    spark: SparkSession, ingested: Pair, tmp_path: Path
) -> None:
    """MERGE, and the ledger that knows what is loaded."""
    july = ("ingest", f"{ingested.files / 'calls.toml'}", f"{ingested.files / 'july.csv'}")
    ingested.run(*july)
    ingested.run_there(*july)

    assert fingerprint(spark, ingested.as_folder(tmp_path / "there")) == fingerprint(spark, ingested.here)


@pytest.mark.long
def test_models_scores_and_report_are_the_same(spark: SparkSession, ingested: Pair, tmp_path: Path) -> None:
    ingested.run("run", f"{ingested.files / 'calls_task.toml'}")
    there = ingested.as_folder(tmp_path / "there")

    assert fingerprint(spark, there) == fingerprint(spark, ingested.here)
    assert_same_scoreboard(spark, ingested.here, there)


@pytest.mark.long
def test_the_lake_is_sound_and_its_tables_can_be_shown(ingested: Pair) -> None:
    ingested.run_there("maintain")
    ingested.run_there("maintain", "--check-only")

    assert '"status":"loaded"' in ingested.run_there("show", "ops.files", "--format", "json").replace(" ", "")
