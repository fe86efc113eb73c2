"""What a contender is given, and what it gives back."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Settings of the models, the same for everybody: contenders translate them into their own words.
LOGISTIC = {"reg_param": 0.001, "max_iter": 50}
TREE = {"max_depth": 10, "min_leaf": 50, "max_bins": 64}
FOREST = {"trees": 100, "max_depth": 10, "min_leaf": 20, "max_bins": 64}
SEED = 7
#: What a process leaves: its times, and labels and scores of rows that its models had not seen.
RESULT, SAID = "result.json", "said.npz"


@dataclass(frozen=True)
class Said:
    """What a model said of rows that it had not seen."""

    label: npt.NDArray[Any]
    score: npt.NDArray[Any]


@dataclass
class Outcome:
    """What one repetition left behind, for the gate.

    Attributes:
        tables: name → the Parquet file, the folder of such files, or the Delta table whose rows must be everybody's.
        said: model → what it said of the rows held out.
        parts: part → its seconds, where the work has parts.
    """

    tables: dict[str, Path] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of the work; the log of the process has it, too, where what comes after fails."""
        begun = time.perf_counter()
        yield
        self.parts[name] = time.perf_counter() - begun
        sys.stderr.write(f"{name}: {self.parts[name]:.1f} s\n")


@dataclass(frozen=True)
class Work:
    """What a contender works on.

    Args:
        inputs: name → file or folder, see `inputs`.
        cores: how many it may use.
        session: of Spark, for those who use it.
    """

    inputs: Mapping[str, Path]
    cores: int
    session: SparkSession | None

    @property
    def spark(self) -> SparkSession:
        """The session of a contender that uses Spark.

        Raises:
            RuntimeError: if the contender is not registered as one that does.
        """
        if self.session is None:
            raise RuntimeError("this contender was started without Spark")
        return self.session


#: What is timed: the work once, into a folder that is empty.
Repetition = Callable[[Path], Outcome]
#: Everything before that is not timed, such as fitting the model that is then only used.
Case = Callable[[Work], Repetition]


def said(label: Any, score: Any) -> Said:
    """From columns of any library."""
    return Said(np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64))


def live_files(table: Path) -> list[Path]:
    """The Parquet files whose rows are the table's now.

    Args:
        table: a Parquet file, a folder of such files, or a Delta table whose log has no checkpoint yet.
    """
    if table.is_file():
        return [table]
    log = table / "_delta_log"
    if not log.is_dir():
        return sorted(table.rglob("*.parquet"))
    live: dict[str, None] = {}
    for commit in sorted(log.glob("*.json")):
        for line in commit.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = None
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [table / unquote(name) for name in live]
