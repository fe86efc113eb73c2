"""The test bench: one Spark session for all tests of a process, and where the public data lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession
from tests.browser import running_browser
from tests.said import SAID, listen, never_said

from otklik import session

# A busy machine is slow at times, and that is no fault of the code.
settings.register_profile("otklik", deadline=None)
settings.load_profile("otklik")

listen()

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first, so that two processes, which take whole files in this order, end together."""
    with_long_ones = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: ("faults" not in item.path.parts, item.path not in with_long_ones))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the first what it has heard; the first fails where a message was never said."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["said"] = sorted(SAID)
    elif not _ran_everything(config):
        return
    elif not SHARED_DATA.is_dir():
        # Tests on them are skipped, and messages that only they provoke would count as never said.
        print(f"\nWhether tests provoke all messages of docs/errors.md was not checked: {_no_shared_data()}")
    elif never := never_said():
        print(f"\nNo test provokes these messages of docs/errors.md ({len(never)}):", *never, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several processes has ended."""
    SAID.update((code, what) for code, what in getattr(node, "workeroutput", {}).get("said", ()))


def _ran_everything(config: pytest.Config) -> bool:
    """Whether no test was left out by choice: only then a silence says something."""
    options = config.option
    chosen = options.keyword or options.markexpr or options.collectonly or options.maxfail
    return not chosen and config.args_source is pytest.Config.ArgsSource.TESTPATHS


def _no_shared_data() -> str:
    return f"the public data sets are not at {SHARED_DATA.parent.name}/{SHARED_DATA.name} beside the project"


#: Two cores and small settings: what tests read and write is a few files of a few rows.
SMALL_SESSION = {
    "spark.master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Delta keeps what it knows of a table for an hour; of the thousands that the tests make that fills the heap.
    "spark.databricks.delta.delta.log.cacheSize": "10",
    # So do the plans of the last thousand queries, which Spark keeps for a page that is not there.
    "spark.sql.ui.retainedExecutions": "10",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # VACUUM lists files with 10,000 tasks otherwise.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session, started by the first test that asks for it."""
    scratch = tmp_path_factory.mktemp("spark")
    properties = {**SMALL_SESSION, "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    started = session.start("otklik-tests", properties, submitted=False, jvm_log=scratch / "spark.log")
    yield started.spark
    started.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started by the first test that asks for it."""
    with running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(_no_shared_data())
    return SHARED_DATA
