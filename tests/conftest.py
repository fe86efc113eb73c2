"""The test bench: one Spark session for all tests, and where the public data lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession
from tests.said import listen

from otklik import session

# A busy machine is slow at times, and that is no fault of the code.
settings.register_profile("otklik", deadline=None)
settings.load_profile("otklik")

listen()

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Faults late: they run commands again in the session of the tests, which is warm by then. Messages last of all."""
    items.sort(key=lambda item: (item.path.name == "test_every_message.py", "faults" in item.path.parts))


#: Two cores and small settings: what tests read and write is a few files of a few rows.
SMALL_SESSION = {
    "spark.master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Delta keeps what it knows of a table for an hour; of the thousands that the tests make that fills the heap.
    "spark.databricks.delta.delta.log.cacheSize": "10",
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
def shared_data() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the public data sets are not at {SHARED_DATA.parent.name}/{SHARED_DATA.name} beside the project")
    return SHARED_DATA
