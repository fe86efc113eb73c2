"""The benchmark at its smallest, in the session of the tests: everything works and gives the same. Never how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from scripts.benchmarks import figures, inputs, page, process
from scripts.benchmarks.child import Order, perform
from scripts.benchmarks.contenders import BARE, CONTENDERS, DUCKDB, OURS, PANDAS, POLARS, XGBOOST
from scripts.benchmarks.figures import Result
from scripts.benchmarks.judge import evidence_of
from scripts.benchmarks.plan import Entry, Start, starts
from scripts.benchmarks.work import RESULT

pytestmark = pytest.mark.long

PEERS = (PANDAS, POLARS, DUCKDB)
ENTRIES = [
    Entry("ingest", 1_000, (OURS, BARE, *PEERS), 1, 0),
    Entry("features", 4_000, (OURS, BARE, *PEERS), 1, 0),
    Entry("train", 20_000, (OURS, BARE, PANDAS), 1, 0),
    Entry("forest", 20_000, (OURS, BARE, PANDAS, XGBOOST), 1, 0),
]
MISSING = {name: "left out: not installed" for name, each in CONTENDERS.items() if not each.is_installed}
SETTING = {"command": "./scripts/benchmark", "cores": 2, "heap": "2g", "code": "0", "machine": {"processor": "some"}}


def measured(spark: SparkSession, folder: Path, start: Start) -> Result:
    """As the command does it, but in this process."""
    places = inputs.places(folder / "inputs", start.entry.case, start.entry.rows)
    for name, (kind, size) in inputs.wanted(start.entry.case, start.entry.rows).items():
        if not places[name].exists():
            inputs.make(spark, folder / "inputs", kind, size)
    own = folder / start.name.replace(" ", "-")
    own.mkdir()
    named = {name: str(path) for name, path in places.items()}
    perform(Order(start.contender, start.entry.case, named, str(own), 1, 2, "2g"), spark, 0.0)
    result = json.loads((own / RESULT).read_text(encoding="utf-8"))
    evidence = evidence_of(start.entry.case, own, result)
    done = process.Done(result, process.Memory(1.0, 1.0, 2.0), "")
    return figures.result_of(start, done, evidence, "0", "2026-01-01")


@pytest.fixture(scope="module")
def boards(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[figures.Board]:
    folder = tmp_path_factory.mktemp("benchmark")
    results = [measured(spark, folder, start) for start in starts(ENTRIES) if start.contender not in MISSING]
    return figures.boards(ENTRIES, results, MISSING)


def test_every_contender_gives_the_same_rows_or_a_model_as_good(boards: list[figures.Board]) -> None:
    found = [(board.case, figure) for board in boards for figure in board.figures]

    assert [f"{case} {f.contender}: {f.fault}" for case, f in found if f.fault and f.contender not in MISSING] == []
    assert {figure.fault for _, figure in found if figure.contender in MISSING} <= {"left out: not installed"}


def test_a_promise_has_a_value_where_its_cases_were_measured(boards: list[figures.Board]) -> None:
    values = {verdict.text: verdict.value for verdict in figures.verdicts(boards)}

    assert values["ingest of 1,000 rows over bare Spark"] is not None
    assert values["peak memory of train of 20,000 rows over pandas + scikit-learn"] is not None
    assert values["growth of all together between the two largest worlds, exponent"] is None


def test_the_page_has_one_table_and_the_picture_is_drawn(boards: list[figures.Board], tmp_path: Path) -> None:
    picture = tmp_path / "performance.svg"
    text = page.page(boards, [], SETTING, picture.name, "results.jsonl")

    assert page.draw(boards, picture)
    assert picture.stat().st_size > 1_000
    for board in boards:
        assert sum(f"| {board.size} |" in line for line in text.splitlines()) >= len(board.figures)
    widths = [line.count("|") for line in page.table(boards).splitlines()]
    assert len(set(widths)) == 1
    assert set(CONTENDERS) == {figure.contender for board in boards for figure in board.figures}
