"""The only builder of a SparkSession. It never stops a session that it did not start."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import pyspark
from pyspark import accumulators
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from pyspark.util import inheritable_thread_target

from otklik.arrow import Rows, arrow_rows

#: What every session of ours is started with, wherever it runs.
REQUIRED_PROPERTIES = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # To note for each expression from which line of Python it comes takes five calls to Java where one is enough.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}
#: Set on the running session, also on one that somebody else started.
RUNTIME_PROPERTIES = {
    "spark.sql.session.timeZone": "UTC",
    # Frames travel to and from Python in columns.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Frames above this size stay packed until a task reads them. Smaller ones Spark unpacks on the driver's heap, where
    # a million predictions of 44 MB took more than a gigabyte.
    "spark.sql.execution.arrow.localRelationThreshold": "4MB",
    "spark.sql.ansi.enabled": "true",
    # Times in nanoseconds come as numbers instead of a failure; the reader of Parquet files makes times of them.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # A date that does not exist is a fault, not the next month's second day.
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # Delta's parser does not pass named parameters (:as_of) on to Spark 4.1's way of replacing them in the text; this
    # is the way of Spark 4.0, which binds them in the plan.
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
    # Java leaves methods of more than 8,000 bytes to its interpreter, which takes several times as long. A stage whose
    # code would have one goes without: its expressions are then cut into methods of their own.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # With many groups a map of the first ones before the map of all is one look more for each row.
    "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
    # Rows are kept to be read once or twice: to pack them takes longer than that saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # Code pages such as windows-1251 and koi8-r.
    "spark.sql.legacy.javaCharsets": "true",
    # A byte that its charset does not know becomes U+FFFD and rejects its own record, not the whole file.
    "spark.sql.legacy.codingErrorAction": "true",
}
#: Java's classes as they lie in memory, made by scripts/setup for this environment's Java and jars.
CLASS_ARCHIVE = Path(sys.prefix) / "java-classes.jsa"
#: How Databricks serverless says that a property is its own, and that a statement has no place there.
_NOT_OURS = ("CONFIG_NOT_AVAILABLE", "NOT_SUPPORTED_WITH_SERVERLESS")


@dataclass(frozen=True)
class Session:
    """A Spark session.

    Attributes:
        spark: the session.
        is_ours: whether it is ours to stop.
        refused: the properties that it does not let us set.
    """

    spark: SparkSession
    is_ours: bool
    refused: tuple[str, ...] = ()

    def stop(self) -> None:
        """Stop the session if `start` started it."""
        if self.is_ours:
            with _without_warnings():
                self.spark.stop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    name: str,
    properties: Mapping[str, str],
    *,
    submitted: bool,
    is_lent: bool = False,
    jvm_log: Path | None = None,
) -> Session:
    """The running session, or a new one.

    Args:
        name: the application's name.
        properties: Spark properties for a session of our own; under spark-submit only what its own ones cannot know.
        submitted: whether spark-submit launched this process.
        is_lent: whether the platform has a session for us, with its own Delta and catalogs, which it also stops.
        jvm_log: where the JVM's own output goes; None leaves it where ours goes.
    """
    running = SparkSession.getActiveSession()
    if running is None and is_lent:
        running = SparkSession.builder.getOrCreate()
    if running is not None:
        return Session(running, is_ours=False, refused=_set_runtime_properties(running))
    builder = SparkSession.builder.appName(name)
    needed = {**REQUIRED_PROPERTIES, **properties}
    if not submitted:
        needed |= _with_class_archive(needed)
        _use_own_spark()
        # Spark starts its Python workers with `python3` from PATH otherwise, and they miss our packages.
        os.environ["PYSPARK_PYTHON"] = sys.executable
    for key, value in needed.items():
        builder = builder.config(key, value)
    _silence_counts()
    with _output_to(jvm_log), _without_warnings():
        spark = builder.getOrCreate()
    return Session(spark, is_ours=True, refused=_set_runtime_properties(spark))


def _use_own_spark() -> None:
    """Use the bundled Spark and ignore SPARK_HOME."""
    own = Path(pyspark.__file__).parent
    if (own / "bin" / "spark-submit").is_file():
        os.environ["SPARK_HOME"] = str(own)
        os.environ.pop("SPARK_CONF_DIR", None)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress Spark warnings that are expected or already reported."""
    with warnings.catch_warnings():
        # Spark Connect gives a server's own properties to the server, and then tries them on the session, too.
        warnings.filterwarnings("ignore", "Failed to set spark", module=r"pyspark\.sql\.connect")
        # A signal has ended Java first, or broken a call to it: the command says so in one line.
        warnings.filterwarnings("ignore", "Unable to cleanly shutdown Spark JVM", RuntimeWarning)
        yield


def _with_class_archive(properties: Mapping[str, str]) -> dict[str, str]:
    """Java's options with the archive of classes: a start without it takes twice as long."""
    name = "spark.driver.extraJavaOptions"
    options = properties.get(name, "")
    # Java can use an archive or make one.
    if not CLASS_ARCHIVE.is_file() or "-XX:ArchiveClassesAtExit" in options:
        return {}
    return {name: f'{options} "-XX:SharedArchiveFile={CLASS_ARCHIVE}"'.strip()}


def _silence_counts() -> None:
    """Prevent a thread of Spark from printing a stack trace when Java is killed, next to the one-line error."""
    # Their names are those of Spark 4.1; the client of Databricks serverless is older, and starts none of them.
    for name in ("AccumulatorTCPServer", "AccumulatorUnixServer"):
        if server := getattr(accumulators, name, None):
            server.handle_error = _nothing_more


def _nothing_more(*_: object) -> None:
    """Replacement for `handle_error` of Spark's accumulator server."""


def jvm_processes(*, submitted: bool = False) -> list[int]:
    """The JVM of the running session: a child of this process, or the spark-submit that started it.

    Args:
        submitted: whether spark-submit launched this process. If not, a Java process above it is not ours, e.g. a build
            server's.
    """
    mine = psutil.Process()
    found = []
    for process in mine.parents() if submitted else mine.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "java" in process.name():
                found.append(process.pid)
    # Of those above, the nearest is spark-submit.
    return found[:1] if submitted else found


@contextlib.contextmanager
def without_stage_code(spark: SparkSession) -> Iterator[None]:
    """Context manager that turns off whole-stage code generation, for many small queries over rows in memory.

    Each fit of a model reads a few columns of prepared rows; generating, compiling and optimising code takes longer
    than reading them.
    """
    with with_property(spark, "spark.sql.codegen.wholeStage", "false"):
        yield


@contextlib.contextmanager
def without_generated_code(spark: SparkSession) -> Iterator[None]:
    """Context manager that turns off all code generation and adaptive planning, for small tables throughout.

    Up to some ten thousand rows, generating and compiling code for a query takes longer than interpreting it.
    """
    with (
        without_stage_code(spark),
        with_property(spark, "spark.sql.codegen.factoryMode", "NO_CODEGEN"),
        with_property(spark, "spark.sql.adaptive.enabled", "false"),
    ):
        yield


@contextlib.contextmanager
def with_property(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    """Context manager that sets a property, if the session allows it."""
    is_ours, before = _may_be_read(spark, name)
    if not is_ours or not _set_if_ours(spark, name, value):
        yield
        return
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, before)


@contextlib.contextmanager
def threads(spark: SparkSession, count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that use this session; on Spark Connect each thread has its own active session.

    Stopping the command does not wait for their work, which may take minutes: it ends with the session.
    """
    executor = ThreadPoolExecutor(count, initializer=inheritable_thread_target(spark)(_nothing))
    is_stopped = False
    try:
        yield executor
    except BaseException as fault:
        is_stopped = not isinstance(fault, Exception)
        raise
    finally:
        executor.shutdown(wait=not is_stopped, cancel_futures=True)


def _nothing() -> None:
    """Initialiser of a thread."""


@contextlib.contextmanager
def cached(rows: DataFrame) -> Iterator[DataFrame]:
    """Context manager that caches rows; on platforms without caching they are recomputed."""
    try:
        rows = rows.persist()
    except PySparkException as fault:
        if not _is_not_ours(fault):
            raise
        yield rows
        return
    try:
        yield rows
    finally:
        rows.unpersist()


def analysed(rows: DataFrame) -> DataFrame:
    """The same rows after analysis, which Spark Connect would otherwise delay until execution.

    Raises:
        AnalysisException: if the query is invalid.
    """
    _ = rows.schema
    return rows


def frame_of(spark: SparkSession, rows: Rows, columns: str) -> DataFrame:
    """Some rows of the driver as a frame that Spark has at hand.

    They travel as an Arrow table. A Python worker would have to unpack a list of rows each time the frame is read,
    which takes longer than writing a table of a few rows.

    Args:
        spark: the session.
        rows: as `arrow_rows` takes them.
        columns: names and types as DDL.
    """
    struct = cast("StructType", StructType.fromDDL(columns))
    frame: DataFrame = spark.createDataFrame(arrow_rows(rows, to_arrow_schema(struct)), struct)
    return frame


def checkpointed(rows: DataFrame) -> DataFrame:
    """Rows computed and stored without their lineage; on platforms without checkpoints, rows as given."""
    try:
        return rows.localCheckpoint()
    except PySparkException as fault:
        if not _is_not_ours(fault):
            raise
        return rows


def has_checkpoint_folder(spark: SparkSession) -> bool:
    """Whether MLlib can checkpoint iterations, to cut their lineage."""
    return bool(_may_be_read(spark, "spark.checkpoint.dir")[1])


def _is_not_ours(fault: PySparkException) -> bool:
    return (fault.getCondition() or f"{fault}".lstrip("[")).startswith(_NOT_OURS)


def _may_be_read(spark: SparkSession, name: str) -> tuple[bool, str | None]:
    """Whether the session lets us look at a property, and its value."""
    try:
        return True, spark.conf.get(name, None)
    except PySparkException as fault:
        if not _is_not_ours(fault):
            raise
        return False, None


def _set_if_ours(spark: SparkSession, name: str, value: str) -> bool:
    try:
        spark.conf.set(name, value)
    except PySparkException as fault:
        if not _is_not_ours(fault):
            raise
        return False
    return True


def _set_runtime_properties(spark: SparkSession) -> tuple[str, ...]:
    """Returns those that the session does not let us set."""
    return tuple(name for name, value in RUNTIME_PROPERTIES.items() if not _set_if_ours(spark, name, value))


@contextlib.contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """Context manager in which child processes inherit the log as their stdout and stderr.

    Delta prints what a VACUUM deleted, and Java its warnings: neither belongs to a command's output.
    """
    if log is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    cached = {number: os.dup(number) for number in (1, 2)}
    with log.open("ab") as target:
        for number in cached:
            os.dup2(target.fileno(), number)
        try:
            yield
        finally:
            for number, copy in cached.items():
                os.dup2(copy, number)
                os.close(copy)
