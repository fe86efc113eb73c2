"""`run TASK --as-of PAST` on a lake with later data: the features and the scoreboard that it gave then."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.faults.small_lake import CONTRACT, write_files

from otklik.cli import main
from otklik.lake.content import content_hash
from otklik.lake.store import Lake

pytestmark = pytest.mark.long

#: What names a run and not what it found.
OF_THE_RUN = ("run_id",)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    write_files(folder)
    # Corrections come later, and what a row was before them counts at earlier moments.
    (folder / "calls.toml").write_text(CONTRACT.replace(', known = "untimed"', ""), encoding="utf-8")
    return folder


def command(lake: Path, *given: str) -> None:
    assert main([*given, "--lake", str(lake)]) == 0


def answers(spark: SparkSession, root: Path) -> dict[str, str]:
    """Features and the newest run's scoreboard, as hashes."""
    lake = Lake(spark, str(root), is_here=True)
    newest = lake.read("gold.model_runs").toPandas().sort_values("sequence")["run_id"].iloc[-1]
    scoreboard = lake.read("gold.scoreboard").where(f"run_id = '{newest}'").drop(*OF_THE_RUN)
    assert scoreboard.count() > 0
    return {"features": content_hash(lake.read("gold.calls_features")), "scoreboard": content_hash(scoreboard)}


def test_later_data_changes_no_earlier_answer(spark: SparkSession, files: Path, tmp_path: Path) -> None:
    lake, task = tmp_path / "lake", files / "calls_task.toml"
    command(lake, "ingest", f"{files}/calls.toml", f"{files}/june.csv")
    then = datetime.now(UTC).isoformat()
    command(lake, "run", str(task), "--as-of", then)
    first = answers(spark, lake)
    command(lake, "ingest", f"{files}/calls.toml", f"{files}/july.csv")
    command(lake, "run", str(task))
    later = answers(spark, lake)

    # With another limit that it keeps as well it is another training.
    command(lake, "run", str(task), "--as-of", then, "--set", "checks.minimum_rows=21")

    assert answers(spark, lake) == first
    assert first["features"] != later["features"]
    assert first["scoreboard"] != later["scoreboard"]
