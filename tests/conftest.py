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

# A busy machine is slow at times, and that is not a fault of the code.
settings.register_profile("otklik", deadline=None)
settings.load_profile("otklik")

listen()

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


#: The long tests in parts that run alone, and where each part's tests are: a file's name comes before its folder's. A
#: part takes ten minutes at most.
PARTS = {
    "evidence": ("evidence",),
    "media": ("evidence/test_media_mix.py", "evidence/test_media_mix_regions.py"),
    "kinds": ("insights", "decisions", "steps/test_lists.py", "steps/test_stages.py"),
    "faults": ("faults",),
    "figures": ("jobs/test_bank_figures.py", "jobs/test_public_figures.py", "house/test_readme.py"),
    "challengers": ("jobs/test_challenger_figures.py",),
    "models": ("models", "steps/test_challengers.py", "steps/test_resolve_classify.py", "steps/test_train.py"),
    "runs": ("jobs/test_one_pass.py", "jobs/test_past_run.py", "jobs/test_rising_rate.py"),
    "world": ("steps/test_demo.py", "world"),
    "large_world": ("jobs/test_large_world.py", "jobs/test_whole_world.py"),
    "world_tasks": ("jobs/test_world_campaigns.py", "jobs/test_world_tasks.py"),
    "modes": (
        "jobs/test_any_layout.py", "jobs/test_cluster.py", "jobs/test_other_sessions.py", "steps/test_package.py",
        "house/test_databricks.py",
    ),
    "errors": (
        "jobs/test_full_disk.py", "jobs/test_handled_input.py", "jobs/test_personal_values.py",
        "jobs/test_sql_errors.py", "jobs/test_user_faults.py",
    ),
    "ingest": (
        "steps/test_ingest_again.py", "steps/test_ingest_many.py", "steps/test_ingest_personal.py",
        "steps/test_ingest_real.py", "steps/test_reingest.py", "jobs/test_real_files.py", "sources",
    ),
    "lake": (
        "lake", "steps/test_champion.py", "steps/test_features_step.py", "steps/test_maintain.py",
        "steps/test_masking.py", "steps/test_report_step.py",
    ),
    "forecasts": ("forecasts",),
    "recommend": ("forecasts/test_recommend.py",),
    "benchmark": ("benchmarks",),
}  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long PART` for one part of the long tests."""
    parser.addoption("--long", metavar="PART", choices=PARTS, help=f"a part of the long tests: {', '.join(PARTS)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the long tests one part, if one is named; the files that take longest first.

    Two processes take whole files in this order, and so end together.
    """
    long_ones = {item: _part_of(item.path) for item in items if item.get_closest_marker("long")}
    if part := config.getoption("--long"):
        config.hook.pytest_deselected(items=[item for item in items if long_ones.get(item) != part])
        items[:] = [item for item in items if long_ones.get(item) == part]
    with_long_ones = {item.path for item in long_ones}
    items.sort(key=lambda item: ("faults" not in item.path.parts, item.path not in with_long_ones))


def _part_of(file: Path) -> str:
    """The part to which the long tests of a file belong: the one that names it, or the folder it is in."""
    found = [
        (len(place), part)
        for part, places in PARTS.items()
        for place in places
        if file.is_relative_to(PROJECT / "tests" / place)
    ]
    if not found:
        raise pytest.UsageError(f"{file}: its long tests belong to none of the PARTS in tests/conftest.py")
    return max(found)[1]


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
    chosen = options.keyword or options.markexpr or options.long or options.collectonly or options.maxfail
    return not chosen and config.args_source is pytest.Config.ArgsSource.TESTPATHS


def _no_shared_data() -> str:
    return f"the public data sets are not at {SHARED_DATA.parent.name}/{SHARED_DATA.name} beside the project"


#: Java for queries of a few rows: code by the first compiler only, with room for all of it (it drops code above 48 MB),
#: and loggers that are made without a look at the stack.
JAVA_FOR_FEW_ROWS = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m "
    "-Dlog4j2.contextSelector=org.apache.logging.log4j.core.selector.BasicContextSelector"
)
#: To generate code for a query, and to plan it anew after each stage, takes longer than a few rows do.
PLANS_FOR_FEW_ROWS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
#: Two cores and small settings: what tests read and write is a few files of a few rows.
SMALL_SESSION = {
    **PLANS_FOR_FEW_ROWS,
    "spark.master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Delta keeps what it knows of a table for an hour; of the thousands that the tests make that fills the heap.
    "spark.databricks.delta.delta.log.cacheSize": "10",
    # So do the plans of the last thousand queries, which Spark keeps for a page that is not there.
    "spark.sql.ui.retainedExecutions": "10",
    "spark.driver.extraJavaOptions": f"-XX:+UseParallelGC {JAVA_FOR_FEW_ROWS}",
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
    temporary_folder = tmp_path_factory.mktemp("spark")
    places = {
        "spark.sql.warehouse.dir": f"{temporary_folder}/warehouse",
        "spark.checkpoint.dir": f"{temporary_folder}/checkpoints",
    }
    properties = {**SMALL_SESSION, **places}
    started = session.start("otklik-tests", properties, submitted=False, jvm_log=temporary_folder / "spark.log")
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
