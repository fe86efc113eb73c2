"""One process of the benchmark: one contender on one case, once cold and then warm. Started by `process`.

What is timed is the work alone. Starting Java and the session is timed apart; rows are compared and models judged by
the process that started this one, so that neither costs time or memory here.
"""

from __future__ import annotations

import ctypes
import gc
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from scripts.benchmarks.contenders import CONTENDERS
from scripts.benchmarks.work import RESULT, SAID, Outcome, Work

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Of Linux's prctl(2).
_PR_SET_PDEATHSIG = 1
#: Seconds that Spark's cleaner needs after a collection.
_SPARK_TIDIES_UP = 2


@dataclass(frozen=True)
class Order:
    """What the process is to do.

    Args:
        contender: who.
        case: what.
        inputs: name → file or folder.
        folder: an empty one of its own.
        repetitions: one cold and the rest warm.
        cores: to use.
        heap: of the JVM, as Spark writes it.
    """

    contender: str
    case: str
    inputs: dict[str, str]
    folder: str
    repetitions: int
    cores: int
    heap: str

    def to_json(self) -> str:
        """As text for the command line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Do what the only argument orders; the result lies in the order's folder afterwards."""
    order = Order(**json.loads(sys.argv[1]))
    # On Linux a process whose parent was killed is killed, too: nobody would look at what it measures.
    system = ctypes.CDLL(None)
    if hasattr(system, "prctl"):
        system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    use_cores(order.cores)
    begun = time.perf_counter()
    uses_spark = CONTENDERS[order.contender].uses_spark
    with spark_session(Path(order.folder), order.cores, order.heap) if uses_spark else nullcontext() as spark:
        perform(order, spark, time.perf_counter() - begun)


def perform(order: Order, spark: SparkSession | None, session_seconds: float) -> None:
    """Do the work as often as it is ordered, and write the result.

    Args:
        order: see `Order`.
        spark: the session, for contenders that use one.
        session_seconds: that it took to start.
    """
    folder = Path(order.folder)
    work = Work({name: Path(path) for name, path in order.inputs.items()}, order.cores, spark)
    once = CONTENDERS[order.contender].cases[order.case](work)
    seconds, parts, outcome = [], [], Outcome()
    out = folder / "out"
    for number in range(order.repetitions):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        if number:
            _forget(spark)
        begun = time.perf_counter()
        outcome = once(out)
        seconds.append(time.perf_counter() - begun)
        parts.append(outcome.parts)
    said = {
        f"{model}.{what}": getattr(each, what) for model, each in outcome.said.items() for what in ("label", "score")
    }
    np.savez(folder / SAID, **said)
    tables = {name: str(path) for name, path in outcome.tables.items()}
    text = json.dumps({"session": session_seconds, "seconds": seconds, "parts": parts, "tables": tables})
    (folder / RESULT).write_text(text, encoding="utf-8")


def _forget(spark: SparkSession | None) -> None:
    """Let go of what an earlier repetition left in memory: a command has a process of its own, and no such burden."""
    gc.collect()
    if spark is not None:
        # Spark drops blocks whose owner Java has collected, a little later.
        java: Any = spark._jvm
        java.System.gc()
        time.sleep(_SPARK_TIDIES_UP)


def use_cores(cores: int) -> None:
    """Keep this process and all it starts on so many cores, where the system can do that."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity(process.cpu_affinity()[:cores])


@contextmanager
def spark_session(folder: Path, cores: int, heap: str) -> Iterator[SparkSession]:
    """A session with the properties of conf/spark/local.conf: the same for Otklik and for bare Spark."""
    # The process of a peer is to hold the peer only.
    from otklik import session  # noqa: PLC0415
    from otklik.environment import read_properties  # noqa: PLC0415
    from otklik.project_files import find_project  # noqa: PLC0415

    project = find_project(None)
    java = "spark.driver.extraJavaOptions"
    properties = read_properties(project.spark_properties("local"))
    quiet = (project.path / "conf" / "spark" / "log4j2.properties").as_uri()
    properties |= {
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": heap,
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "spark"),
        java: f"{properties.get(java, '')} -Dlog4j2.configurationFile={quiet}",
    }
    with session.start("benchmark", properties, submitted=False, jvm_log=folder / "spark.log") as started:
        yield started.spark


if __name__ == "__main__":
    main()
