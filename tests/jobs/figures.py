"""The whole way of one public data set, for the tests that compare its figures with published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession
from tests.bench import job_on

from otklik.errors import WARNING_EXIT_CODE
from otklik.lake.store import Lake
from otklik.lake.tables import SCOREBOARD
from otklik.steps.ingest import ingest_files
from otklik.steps.run import run_task


def lake_after(
    spark: SparkSession, folder: Path, source: str, file: Path, task: str, overrides: dict[str, Any] | None = None
) -> Lake:
    """A fresh lake that took in one file and answered one task."""
    lake = Lake(spark, str(folder / "lake"), is_here=True)
    ingest_files(job_on(lake, folder, source=source, paths=[str(file)]))
    assert run_task(job_on(lake, folder, overrides, task=task)) in (0, WARNING_EXIT_CODE)
    assert max(page.stat().st_size for page in (folder / "lake" / "report").glob("*.html")) > 100_000
    return lake


def board_of(lake: Lake, split: str, leaks: str, calibration: str = "raw") -> pd.DataFrame:
    """The scoreboard's rows of one kind, by model."""
    board = lake.read(SCOREBOARD.name).toPandas()
    chosen = (board["split"] == split) & (board["leaks"] == leaks) & (board["calibration"] == calibration)
    return board[chosen].set_index("model")
