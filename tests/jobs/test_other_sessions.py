"""The same commands on Spark Connect, and with the tables in a Hive metastore, make the same tables as in a folder.

Each is a process of its own: neither can be had in the session of the tests. With the metastore Java and Spark are as a
user's command has them, so that code which Spark generates is held against the session of the tests, which has none.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.faults.harness import as_users, environment
from tests.jobs.elsewhere import KEY, Pass, assert_same_lakes, run_here

#: What is given to the commands, by where the work is done or the tables are.
MODES = {"catalog": ("--catalog", "spark_catalog"), "connect": ("--env", "connect")}
#: Seconds that a command may take where other tests have the cores.
PATIENCE = 3_600


#: Commands one after the other in one process: what Java and Python have to load is loaded once. That a later process
#: finds what an earlier one made is tried by the long tests.
IN_ONE_PROCESS = "import json, sys; from otklik.cli import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"


@dataclass(frozen=True)
class There:
    """A lake whose commands run in another kind of session, or whose tables are in a catalog."""

    mode: str
    lake: Path

    def run(self, *commands: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Commands in a process of their own."""
        given = [[*command, *MODES[self.mode], "--lake", f"{self.lake}"] for command in commands]
        process = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(given)]
        variables = as_users() if self.mode == "catalog" else environment()
        done = subprocess.run(
            process, env={**variables, **KEY}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done

    def as_folder(self, place: Path) -> Path:
        """The lake, a catalog's tables copied to where those of a folder are."""
        if self.mode != "catalog":
            return self.lake
        for layer in (self.lake / "warehouse").glob("*.db"):
            shutil.copytree(layer, place / layer.stem)
        for name in ("models", "report"):
            if (self.lake / name).is_dir():
                shutil.copytree(self.lake / name, place / name)
        return place


@pytest.fixture(scope="module", params=["connect", "catalog"])
def there(request: pytest.FixtureRequest, small_pass: Pass, tmp_path_factory: pytest.TempPathFactory) -> There:
    """One pass of all jobs over some 300 rows."""
    made = There(request.param, tmp_path_factory.mktemp(request.param) / "lake")
    made.run(*small_pass.commands)
    return made


@pytest.mark.long
def test_one_pass_of_the_jobs_makes_the_same_tables(
    spark: SparkSession, small_pass: Pass, there: There, tmp_path: Path
) -> None:
    assert_same_lakes(spark, small_pass.lake, there.as_folder(tmp_path / "there"))


@pytest.mark.long
def test_a_second_file_updates_rows_of_the_first_and_is_taken_once(
    spark: SparkSession, small_pass: Pass, there: There, tmp_path: Path
) -> None:
    """MERGE, and the ledger that knows what is loaded."""
    here = tmp_path / "here"
    shutil.copytree(small_pass.lake, here)
    july = ("ingest", f"{small_pass.files / 'calls.toml'}", f"{small_pass.files / 'july.csv'}")
    run_here(*july, "--lake", f"{here}")
    there.run(july)
    log = there.run((*july, "--log-format", "json")).stderr

    assert_same_lakes(spark, here, there.as_folder(tmp_path / "there"))
    said = [json.loads(line) for line in log.splitlines()]
    assert [line["counts"]["rows"] for line in said if line.get("step") == "ingest july.csv"] == [152]
    assert all(line["command"] == "ingest" and line["level"] == "info" for line in said)


@pytest.mark.long
def test_the_lake_is_sound_and_its_tables_can_be_shown(there: There) -> None:
    there.run(["maintain"], ["maintain", "--check-only"])

    assert '"status":"loaded"' in there.run(["show", "ops.files", "--format", "json"]).stdout.replace(" ", "")


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_the_world_makes_the_same_tables(spark: SparkSession, world_pass: Pass, tmp_path: Path, mode: str) -> None:
    there = There(mode, tmp_path / "there")
    there.run(*world_pass.commands)

    assert_same_lakes(spark, world_pass.lake, there.as_folder(tmp_path / "tables"))
    run_here("export", "silver.customers", "--to", f"{tmp_path / 'here.csv'}", "--lake", f"{world_pass.lake}")
    there.run(["export", "silver.customers", "--to", f"{tmp_path / 'there.csv'}"])
    exported, exported_there = (
        pd.read_csv(tmp_path / name).filter(regex="^[^_]").sort_values("customer_id", ignore_index=True)
        for name in ("here.csv", "there.csv")
    )
    pd.testing.assert_frame_equal(exported, exported_there)
