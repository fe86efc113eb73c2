"""What a contender is given, and what it gives back."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Settings of the models, the same for everybody: contenders translate them into their own words.
LOGISTIC = {"reg_param": 0.001, "max_iter": 50}
TREE = {"max_depth": 10, "min_leaf": 50, "max_bins": 64}
FOREST = {"trees": 100, "max_depth": 10, "min_leaf": 20, "max_bins": 64}
#: Those of the whole way, where every model is fitted many times over.
SMALL_TREE = {"max_depth": 5, "min_leaf": 50, "max_bins": 64}
SMALL_FOREST = {"trees": 20, "max_depth": 5, "min_leaf": 20, "max_bins": 64}
SEED = 7


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
        auc: model → its AUC, where the contender judges itself.
        parts: part → its seconds, where the work has parts.
        spans: part → when it began and ended, in seconds since 1970.
    """

    tables: dict[str, Path] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    auc: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of the work; the log of the process has it, too, where what comes after fails."""
        begun, began_at = time.perf_counter(), time.time()
        yield
        self.parts[name] = time.perf_counter() - begun
        self.spans[name] = (began_at, time.time())
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
