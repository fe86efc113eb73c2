"""The same numbers on any number of cores and partitions, also under spark-submit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.bench import QUICK_OPTIONS, job_on

from otklik.lake.store import Lake
from otklik.steps.ingest import ingest_files
from otklik.world.writing import write_world

pytestmark = pytest.mark.long

PROJECT = Path(__file__).resolve().parents[2]
TASK = "campaign_response"
#: Cores and shuffle partitions.
LAYOUTS = [(1, 1), (2, 3), (4, 8)]


@pytest.fixture(scope="module")
def lakes(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[Lake]:
    """One lake per layout: the same silver tables, everything after them made by spark-submit on that layout."""
    temporary_folder = tmp_path_factory.mktemp("layouts")
    facts = write_world(spark, 1_500, 11, str(temporary_folder / "world"))
    first = Lake(spark, str(temporary_folder / "ingested"), is_here=True)
    for source in facts.sources:
        ingest_files(job_on(first, temporary_folder, source=source, paths=[str(temporary_folder / "world" / source)]))
    made = []
    for cores, partitions in LAYOUTS:
        folder = temporary_folder / f"local-{cores}"
        shutil.copytree(first.root, folder)
        submit(cores, partitions, "run", TASK, "--lake", f"{folder}")
        made.append(Lake(spark, str(folder), is_here=True))
    return made


def submit(cores: int, partitions: int, job: str, *arguments: str) -> None:
    """Run a job by the environment's own spark-submit, from another folder than the project's."""
    binaries = Path(sys.executable).parent
    command = [
        f"{binaries / 'spark-submit'}", "--properties-file", f"{PROJECT / 'conf' / 'spark' / 'local.conf'}",
        "--master", f"local[{cores}]",
        "--conf", f"spark.sql.shuffle.partitions={partitions}", "--conf", "spark.ui.enabled=false",
        f"{PROJECT / 'jobs' / job}.py", *arguments, *QUICK_OPTIONS,
    ]  # fmt: skip
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, env={**os.environ, "PATH": path}, cwd="/", capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode in (0, 10), done.stderr[-2_000:]


def same(table: str, lakes: list[Lake], order: list[str]) -> None:
    frames = [lake.read(table).toPandas().sort_values(order, ignore_index=True) for lake in lakes]
    first, *others = [frame.drop(columns=["run_id", "_run_id"], errors="ignore") for frame in frames]
    assert len(first)
    for other in others:
        pd.testing.assert_frame_equal(first, other, atol=1e-6, rtol=0)


def test_scoreboard(lakes: list[Lake]) -> None:
    same("gold.scoreboard", lakes, ["model", "leaks", "split", "calibration"])


def test_features(lakes: list[Lake]) -> None:
    same(f"gold.{TASK}_features", lakes, ["key", "as_of"])


def test_scores(lakes: list[Lake]) -> None:
    same(f"gold.{TASK}_scores", [*lakes], ["key", "as_of"])


def test_list_to_act_on(lakes: list[Lake]) -> None:
    same(f"gold.{TASK}_actions", lakes, ["rank"])
