"""The same commands on Spark Connect, and with the tables in a Hive metastore, make the same tables as in a folder.

Each is a process of its own: neither can be had in the session of the tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.bench import QUICK_OPTIONS
from tests.faults.harness import environment, fingerprint
from tests.faults.small_lake import write_files
from tests.jobs.test_cluster import KEY, assert_same_scoreboard, run_here

from otklik.world.writing import write_world

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

    def run_there(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command on the other lake alone."""
        command = [sys.executable, "-m", "otklik.cli", *arguments, *MODES[self.mode], "--lake", f"{self.there}"]
        done = subprocess.run(
            command, env={**environment(), **KEY}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done

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


@pytest.fixture(scope="module")
def passed(ingested: Pair) -> Pair:
    """All jobs once."""
    ingested.run("run", f"{ingested.files / 'calls_task.toml'}")
    return ingested


@pytest.mark.long
def test_one_pass_of_the_jobs_makes_the_same_tables(spark: SparkSession, passed: Pair, tmp_path: Path) -> None:
    there = passed.as_folder(tmp_path / "there")

    assert fingerprint(spark, there) == fingerprint(spark, passed.here)
    assert_same_scoreboard(spark, passed.here, there)


@pytest.mark.long
def test_a_second_file_updates_rows_of_the_first_and_is_taken_once(
    spark: SparkSession, passed: Pair, tmp_path: Path
) -> None:
    """MERGE, and the ledger that knows what is loaded."""
    july = ("ingest", f"{passed.files / 'calls.toml'}", f"{passed.files / 'july.csv'}")
    passed.run(*july)
    log = passed.run_there(*july, "--log-format", "json").stderr

    assert fingerprint(spark, passed.as_folder(tmp_path / "there")) == fingerprint(spark, passed.here)
    said = [json.loads(line) for line in log.splitlines()]
    assert [line["counts"]["rows"] for line in said if line.get("step") == "ingest july.csv"] == [152]
    assert all(line["command"] == "ingest" and line["level"] == "info" for line in said)


@pytest.mark.long
def test_the_lake_is_sound_and_its_tables_can_be_shown(passed: Pair) -> None:
    passed.run_there("maintain")
    passed.run_there("maintain", "--check-only")

    assert '"status":"loaded"' in passed.run_there("show", "ops.files", "--format", "json").stdout.replace(" ", "")


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_the_world_makes_the_same_tables(spark: SparkSession, tmp_path: Path, mode: str) -> None:
    """A shipped task: three sources, personal columns, a split by time, engagement."""
    world = tmp_path / "world"
    facts = write_world(spark, 1_000, 7, str(world))
    pair = Pair(mode, tmp_path, tmp_path / "here", tmp_path / "there")
    for source in facts.sources:
        pair.run("ingest", source, f"{world / source}")

    pair.run("run", "campaign_response", *QUICK_OPTIONS)

    there = pair.as_folder(tmp_path / "tables")
    assert fingerprint(spark, there) == fingerprint(spark, pair.here)
    assert_same_scoreboard(spark, pair.here, there)
    run_here("export", "silver.customers", "--to", f"{tmp_path / 'here.csv'}", "--lake", f"{pair.here}")
    pair.run_there("export", "silver.customers", "--to", f"{tmp_path / 'there.csv'}")
    exported = [pd.read_csv(tmp_path / name).filter(regex="^[^_]") for name in ("here.csv", "there.csv")]
    here, there_too = (frame.sort_values("customer_id", ignore_index=True) for frame in exported)
    pd.testing.assert_frame_equal(here, there_too)
