"""A session that somebody else owns is used as it is, and never stopped; threads end when a command is stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event
from time import sleep
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from tests.faults.harness import environment

from otklik import session
from otklik.session import RUNTIME_PROPERTIES, cached, checkpointed, start, threads, with_property

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
SERVERLESS = "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on serverless compute. SQLSTATE: 0A000"


class Conf:
    """Properties of a session, some of which belong to the platform."""

    def __init__(self, platform: set[str]) -> None:
        self.values: dict[str, str] = {"spark.sql.session.timeZone": "Etc/UTC"}
        self.platform = platform

    def get(self, name: str, default: str | None) -> str | None:
        return self.values.get(name, default)

    def set(self, name: str, value: str) -> None:
        if name in self.platform:
            raise AnalysisException(f"[CONFIG_NOT_AVAILABLE] Configuration {name} is not available. SQLSTATE: 42K0I")
        self.values[name] = value

    def unset(self, name: str) -> None:
        del self.values[name]


class Lent:
    """The session of a platform."""

    def __init__(self, *platform: str) -> None:
        self.conf = Conf(set(platform))
        self.is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True


class Rows:
    """Rows where keeping them has no place."""

    def __init__(self, says: str) -> None:
        self.says = says

    def persist(self) -> Rows:
        raise AnalysisException(self.says)

    localCheckpoint = persist  # noqa: N815


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Lent:
    """What the builder finds. It takes no properties: ours would put another Delta before the platform's."""
    found = Lent("spark.sql.legacy.javaCharsets")

    class Builder:
        def getOrCreate(self) -> Lent:  # noqa: N802
            return found

    class Spark:
        builder = Builder()

        @staticmethod
        def getActiveSession() -> None:  # noqa: N802
            return None

    monkeypatch.setattr(session, "SparkSession", Spark)
    return found


def test_a_lent_session_is_taken_as_it_is_and_not_stopped(lent: Lent) -> None:
    with start("otklik train", {"spark.sql.warehouse.dir": "w"}, submitted=True, is_lent=True) as started:
        spark: object = started.spark
        assert spark is lent

    assert not lent.is_stopped
    assert set(lent.conf.values) == {*RUNTIME_PROPERTIES} - {"spark.sql.legacy.javaCharsets"}
    assert started.refused == ("spark.sql.legacy.javaCharsets",)


def test_a_client_without_the_names_of_spark_4_1_will_do() -> None:
    """The client of Databricks serverless is that of Spark 4.0: it lacks them, and starts none of them."""
    older = (
        "from pyspark import accumulators as a; del a.AccumulatorTCPServer, a.AccumulatorUnixServer; import otklik.cli"
    )
    steps = "; ".join(f"import otklik.steps.{name}" for name in ("ingest", "features", "train", "score", "report"))
    silenced = "import otklik.session; otklik.session._silence_counts()"

    subprocess.run([sys.executable, "-c", f"{older}; {steps}; {silenced}"], check=True, env=environment())


def test_what_is_wrong_with_a_property_is_not_taken_for_a_refusal(lent: Lent, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: str) -> None:
        raise AnalysisException("[INVALID_CONF_VALUE] The value 'yes' is invalid.")

    monkeypatch.setattr(lent.conf, "set", breaks)

    with pytest.raises(AnalysisException, match="INVALID_CONF_VALUE"):
        start("otklik train", {}, submitted=True, is_lent=True)


@pytest.mark.parametrize("before", [{"some.name": "before"}, {}])
def test_a_property_is_as_before_afterwards(before: dict[str, str]) -> None:
    spark: Any = Lent()
    spark.conf.values = dict(before)

    with with_property(spark, "some.name", "meanwhile"):
        assert spark.conf.values == {"some.name": "meanwhile"}

    assert spark.conf.values == before


def test_a_property_of_the_platform_is_left_alone() -> None:
    spark: Any = Lent("some.name")

    with with_property(spark, "some.name", "meanwhile"):
        assert "some.name" not in spark.conf.values


def test_java_reads_its_classes_from_the_archive(spark: SparkSession) -> None:
    if not session.CLASS_ARCHIVE.is_file():
        pytest.skip("set-up could make no archive of classes here")
    files = {each.path for number in session.jvm_processes() for each in psutil.Process(number).memory_maps()}

    assert f"{session.CLASS_ARCHIVE}" in files


@pytest.mark.parametrize(("submitted", "expected"), [(False, [11]), (True, [2])])
def test_a_java_above_that_did_not_submit_us_is_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, submitted: bool, expected: list[int]
) -> None:
    """A build server's agent, which lives on when we are killed: a lease that names it would never end."""

    class Near:
        def children(self, recursive: bool) -> list[Any]:
            return [process(10, "bash"), process(11, "java")]

        def parents(self) -> list[Any]:
            return [process(1, "bash"), process(2, "java"), process(3, "java")]

    def process(number: int, name: str) -> Any:
        return SimpleNamespace(pid=number, name=lambda: name)

    monkeypatch.setattr(psutil, "Process", Near)

    assert session.jvm_processes(submitted=submitted) == expected


@pytest.mark.parametrize("is_made, options", [(False, {}), (True, {JAVA_OPTIONS: '-Xss4m "-XX:SharedArchiveFile={}"'})])
def test_an_archive_of_classes_is_used_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool, options: dict[str, str]
) -> None:
    archive = tmp_path / "java classes.jsa"
    monkeypatch.setattr(session, "CLASS_ARCHIVE", archive)
    if is_made:
        archive.touch()

    found = session._with_class_archive({JAVA_OPTIONS: "-Xss4m"})

    assert found == {name: value.format(archive) for name, value in options.items()}


def test_java_does_not_read_the_archive_that_it_makes() -> None:
    assert session._with_class_archive({JAVA_OPTIONS: "-XX:ArchiveClassesAtExit=new.jsa"}) == {}


def test_expressions_take_no_calls_to_java_beside_their_own(spark: SparkSession) -> None:
    assert spark.conf.get("spark.python.sql.dataFrameDebugging.enabled") == "false"


def test_where_rows_cannot_be_kept_they_are_computed_again() -> None:
    rows: Any = Rows(SERVERLESS)

    with cached(rows) as found:
        assert found is rows
    assert checkpointed(rows) is rows


def test_another_failure_to_keep_rows_is_one() -> None:
    rows: Any = Rows("[TABLE_OR_VIEW_NOT_FOUND] no such table")

    with pytest.raises(AnalysisException), cached(rows):
        pass
    with pytest.raises(AnalysisException):
        checkpointed(rows)


def test_who_stops_a_command_does_not_wait_for_its_threads(spark: SparkSession) -> None:
    has_begun, may_end = Event(), Event()

    def work() -> None:
        has_begun.set()
        may_end.wait(60)

    with pytest.raises(KeyboardInterrupt), threads(spark, 1) as executor:
        running, waiting = (executor.submit(work) for _ in range(2))
        has_begun.wait()
        raise KeyboardInterrupt

    assert not running.done()
    assert waiting.cancelled()
    may_end.set()


def test_a_fault_waits_for_what_runs_and_drops_what_waits(spark: SparkSession) -> None:
    has_begun = Event()

    def work() -> None:
        has_begun.set()
        sleep(0.1)

    with pytest.raises(ValueError, match="wrong"), threads(spark, 1) as executor:
        running, waiting = executor.submit(work), executor.submit(sleep, 60)
        has_begun.wait()
        raise ValueError("wrong")

    assert running.done()
    assert waiting.cancelled()
