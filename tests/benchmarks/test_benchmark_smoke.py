"""The benchmark at its smallest, in the session of the tests: everything works and gives the same. Never how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from scripts.benchmarks import bars, figures, page, plot, process
from scripts.benchmarks.child import RESULT, Order, perform
from scripts.benchmarks.contenders import BARE, CONTENDERS, FLOOR, LAYOUTS, OURS, TRIALS
from scripts.benchmarks.evidence import evidence_of
from scripts.benchmarks.figures import Result
from scripts.benchmarks.inputs import kept
from scripts.benchmarks.plan import Entry, Start, starts

pytestmark = pytest.mark.long

PEERS = ("pandas_sklearn", "with_polars", "with_duckdb")
ENTRIES = [
    Entry("ingest", 1_000, (OURS, BARE, *PEERS), 1, 0),
    Entry("features", 2_000, (OURS, *PEERS), 1, 0),
]
LONG_ENTRIES = [
    Entry("ingest", 2_000, (OURS, BARE, FLOOR), 1, 0),
    Entry("features", 4_000, (OURS, BARE, FLOOR), 1, 0),
    Entry("train", 20_000, (OURS, BARE, "tutorial_spark", FLOOR, "pandas_sklearn"), 1, 0),
    Entry("forest", 20_000, (OURS, BARE, "pandas_sklearn", "with_xgboost"), 1, 0),
    Entry("faster_forest", 2_000, (TRIALS,), 1, 0),
    Entry("clustering", 4_000, (LAYOUTS,), 1, 0),
    Entry("score", 20_000, (OURS, BARE, "pandas_sklearn"), 1, 0),
    Entry("pipeline", 5_000, (OURS, "tutorial_spark", "pandas_sklearn"), 1, 0),
]
MISSING = {name: "left out: not installed" for name, each in CONTENDERS.items() if not each.is_installed}
SETTING = page.Setting({"processor": "some"}, "2026-01-01", "0", 2, "2g", "./scripts/benchmark --rows 1000")


def measured(spark: SparkSession, folder: Path, start: Start) -> Result:
    """As the command does it, but in this process."""
    inputs = kept.inputs_of(folder / "inputs", start.entry.case, start.entry.rows)
    for kind, size in kept.missing(folder / "inputs", start.entry.case, start.entry.rows):
        kept.make(spark, folder / "inputs", kind, size)
    own = folder / start.name.replace(" ", "-")
    own.mkdir()
    named = {name: str(path) for name, path in inputs.items()}
    perform(Order(start.contender, start.entry.case, named, str(own), 1, 2, "2g"), spark, 0.0)
    result = json.loads((own / RESULT).read_text(encoding="utf-8"))
    evidence = evidence_of(start.entry.case, own, result, inputs)
    done = process.Done(result, process.Memory(1.0, 1.0, 2.0), "")
    return figures.result_of(start, done, evidence, "0", "2026-01-01")


def boards_of(spark: SparkSession, folder: Path, entries: list[Entry]) -> list[figures.Board]:
    results = [measured(spark, folder, start) for start in starts(entries) if start.contender not in MISSING]
    return figures.boards(entries, results, MISSING)


@pytest.fixture(scope="module")
def boards(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[figures.Board]:
    return boards_of(spark, tmp_path_factory.mktemp("benchmark"), ENTRIES)


def faults(boards: list[figures.Board]) -> list[str]:
    """Of all but those that are not installed, and the tutorial, whose trees are known to be worse."""
    found = [(board.case, figure) for board in boards for figure in board.figures]
    return [
        f"{case} {f.contender}: {f.fault}"
        for case, f in found
        if f.fault and f.contender not in {*MISSING, "tutorial_spark"}
    ]


def test_every_contender_gives_the_same_rows(boards: list[figures.Board]) -> None:
    assert faults(boards) == []
    assert all(figure.is_sound for board in boards for figure in board.figures if figure.contender not in MISSING)


def test_who_is_not_installed_is_named_as_left_out(boards: list[figures.Board]) -> None:
    said = {figure.fault for board in boards for figure in board.figures if figure.contender in MISSING}

    assert said <= {"left out: not installed"}


def test_a_promise_has_a_value_where_its_cases_were_measured(boards: list[figures.Board]) -> None:
    values = {verdict.text: verdict.value for verdict in bars.verdicts(boards)}

    assert values["ingest over bare Spark"] is not None
    assert values["features over pandas"] is not None
    assert values["these three together over bare Spark"] is None
    assert values["growth of all together between the two largest worlds, exponent"] is None


def test_the_page_has_a_table_per_case_and_the_picture_is_drawn(boards: list[figures.Board], tmp_path: Path) -> None:
    picture = tmp_path / "performance.svg"
    text = page.page(boards, [], SETTING, picture.name, "results.jsonl")

    assert plot.draw(boards, picture)
    assert picture.stat().st_size > 1_000
    assert text.count("\n### ") == len(ENTRIES)
    for contender in (OURS, BARE, *PEERS):
        assert f"| {CONTENDERS[contender].title} |" in text
    widths = [line.count("|") for line in page.table_of(boards[0]).splitlines()]
    assert len(set(widths)) == 1


def test_the_cases_that_take_longer_work_too(spark: SparkSession, tmp_path: Path) -> None:
    found = boards_of(spark, tmp_path, LONG_ENTRIES)

    assert faults(found) == []
    assert all(figure.is_measured for board in found for figure in board.figures if figure.contender not in MISSING)
    overhead = {verdict.text: verdict.value for verdict in bars.verdicts(found)}["these three together over bare Spark"]
    assert overhead is not None
    assert {*found[-1].figures[0].parts} == {"ingest", "features", "train", "score", "report"}
