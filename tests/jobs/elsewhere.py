"""What the tests on a cluster, with a catalog and on Spark Connect share: the same pass here, and how to compare."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.faults.harness import fingerprint

from otklik.cli import main
from otklik.lake.store import Lake

KEY = {"OTKLIK_PSEUDONYM_KEY": "00112233445566778899aabbccddeeff" * 2}


@dataclass(frozen=True)
class Pass:
    """One pass of all jobs in local mode.

    Attributes:
        files: the folder of what it reads.
        lake: what the commands made of that here.
        commands: what the pass consists of.
    """

    files: Path
    lake: Path
    commands: Sequence[Sequence[str]]


def run_here(*command: str) -> None:
    """A command in local mode, in the warm session of the tests."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        for name, value in KEY.items():
            patch.setenv(name, value)
        assert main(command) == 0


def assert_same_lakes(spark: SparkSession, here: Path, there: Path) -> None:
    """Every table has the same rows, floating-point numbers rounded, and every file that is not a table is there."""
    assert fingerprint(spark, there) == fingerprint(spark, here)
    order = ["model", "leaks", "split", "calibration"]
    board, board_there = (
        Lake(spark, str(lake)).read("gold.scoreboard").toPandas().sort_values(order, ignore_index=True)
        for lake in (here, there)
    )
    assert len(board)
    pd.testing.assert_frame_equal(board, board_there, atol=1e-6, rtol=0)
