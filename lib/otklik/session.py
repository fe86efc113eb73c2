"""The only builder of a SparkSession. It never stops a session that it did not start."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from pyspark.sql import SparkSession

#: What every session needs, wherever it runs: Delta, one time zone, and errors instead of silent nulls.
REQUIRED_PROPERTIES = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
#: Set on the running session, also on one that somebody else started.
RUNTIME_PROPERTIES = {
    "spark.sql.session.timeZone": "UTC",
    # Frames travel to and from Python in columns.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.ansi.enabled": "true",
    # A date that does not exist is a fault, not the next month's second day.
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # Delta's parser does not pass named parameters (:as_of) on to Spark 4.1's way of replacing them in the text; this
    # is the way of Spark 4.0, which binds them in the plan.
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
    # Code pages such as windows-1251 and koi8-r.
    "spark.sql.legacy.javaCharsets": "true",
    # A byte that its charset does not know becomes U+FFFD and rejects its own record, not the whole file.
    "spark.sql.legacy.codingErrorAction": "true",
}


@dataclass(frozen=True)
class Session:
    """A Spark session, and whether it is ours to stop."""

    spark: SparkSession
    is_ours: bool

    def stop(self) -> None:
        """Stop the session if `start` started it."""
        if self.is_ours:
            self.spark.stop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(name: str, properties: Mapping[str, str], *, submitted: bool, jvm_log: Path | None = None) -> Session:
    """The running session, or a new one.

    Args:
        name: the application's name.
        properties: Spark properties for a session of our own; under spark-submit only what its own ones cannot know.
        submitted: whether spark-submit launched this process.
        jvm_log: where the JVM's own output goes; None leaves it where ours goes.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        return Session(_with_runtime_properties(running), is_ours=False)
    builder = SparkSession.builder.appName(name)
    for key, value in {**REQUIRED_PROPERTIES, **properties}.items():
        builder = builder.config(key, value)
    if not submitted:
        # Spark starts its Python workers with `python3` from PATH otherwise, and they miss our packages.
        os.environ["PYSPARK_PYTHON"] = sys.executable
    with _output_to(jvm_log):
        spark = builder.getOrCreate()
    return Session(_with_runtime_properties(spark), is_ours=True)


def jvm_processes() -> list[int]:
    """The JVM of the running session: the one that this process started, or the spark-submit that started it."""
    mine = psutil.Process()
    near = [*mine.children(recursive=True), *mine.parents()]
    found = []
    for process in near:
        with contextlib.suppress(psutil.Error):
            if "java" in process.name():
                found.append(process.pid)
    return found


@contextlib.contextmanager
def without_stage_code(spark: SparkSession) -> Iterator[None]:
    """While it lasts, queries run without code generated per stage: for many small queries over rows in memory.

    Each fit of a model reads a few columns of rows that are laid out already; to generate, compile and optimise code
    for that takes longer than reading them.
    """
    name = "spark.sql.codegen.wholeStage"
    before = spark.conf.get(name)
    spark.conf.set(name, "false")
    try:
        yield
    finally:
        spark.conf.set(name, before or "true")


def _with_runtime_properties(spark: SparkSession) -> SparkSession:
    for key, value in RUNTIME_PROPERTIES.items():
        spark.conf.set(key, value)
    return spark


@contextlib.contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """While it lasts, processes started from here inherit the log as their stdout and stderr.

    Delta prints what a VACUUM deleted, Java its warnings: neither is part of a command's result.
    """
    if log is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    with log.open("ab") as target:
        for number in kept:
            os.dup2(target.fileno(), number)
        try:
            yield
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
