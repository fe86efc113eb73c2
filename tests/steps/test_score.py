"""Scoring says by its exit code whether the rows are still those of training, and never uses a damaged model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.bench import CALLS, job_on, register_model
from tests.steps.test_resolve_classify import TASK

from otklik.errors import (
    WARNING_EXIT_CODE,
    ConfigurationError,
    DamagedError,
    MissingResultError,
    OtklikError,
    RefusedError,
)
from otklik.features.catalogue import read_select
from otklik.lake.content import content_hash
from otklik.lake.identity import hash_of
from otklik.lake.maintenance import vacuum
from otklik.lake.store import Lake
from otklik.lake.tables import FINDINGS
from otklik.models import registry
from otklik.models.drift import SCORE, Bins
from otklik.models.scoreboard import miscalibrated
from otklik.progress import Progress
from otklik.steps.features import build_features
from otklik.steps.frames import replace_rows
from otklik.steps.ingest import ingest_files
from otklik.steps.score import score_rows

BINS = (Bins("age", edges=(4.0,)), Bins(SCORE, edges=(0.0,)))
#: Of the SELECT that gives the rows, so that the model fits them.
ROWS_HASH = hash_of(
    read_select(
        "record_rows", {"input": "calls", "key": "id", "label": "text", "yes": "a", "moment": "2020-01-01"}, []
    ).text
)
#: What is counted in the forty rows: half are up to four years old, and the model gives each a high probability.
AS_TRAINED = {"age": [20, 20, 0], SCORE: [0, 40, 0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("score")


@pytest.fixture(scope="module")
def lake(spark: SparkSession, folder: Path) -> Lake:
    """Forty calls by customers of every age from 0 to 9, and their features."""
    lake = Lake(spark, str(folder / "lake"), is_here=True)
    (folder / "calls.toml").write_text(CALLS.replace("id = {", 'age = { type = "integer" }, id = {'), encoding="utf-8")
    (folder / "task.toml").write_text(TASK.replace('columns = ["text"]', 'columns = ["age"]'), encoding="utf-8")
    lines = ["id,text,age", *(f"{i},{'ab'[i % 2]},{i % 10}" for i in range(40)), ""]
    (folder / "june.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest_files(job_on(lake, folder, source=str(folder / "calls.toml"), paths=[str(folder / "june.csv")]))
    build_features(job_on(lake, folder, task=str(folder / "task.toml")))
    return lake


def score(lake: Lake, folder: Path, overrides: dict[str, str] | None = None) -> tuple[int, str]:
    """Returns the exit code and what was said."""
    said = io.StringIO()
    job = job_on(lake, folder, overrides, task=str(folder / "task.toml"))
    code = score_rows(replace(job, progress=Progress(said, lambda: 0.0, is_live=False)))
    return code, said.getvalue()


@pytest.mark.parametrize(
    ("sequence", "feature", "counts"), [(1, "nothing", []), (2, "age", [38, 2, 0]), (3, SCORE, [20, 20, 0])]
)
def test_drift_of_inputs_or_scores_past_the_limit_is_an_exit_code_of_its_own(
    lake: Lake, folder: Path, sequence: int, feature: str, counts: Sequence[int]
) -> None:
    expected = AS_TRAINED | ({feature: counts} if counts else {})
    register_model(lake, "calls", sequence, BINS, expected, ROWS_HASH)

    code, said = score(lake, folder)
    code_again, said_again = score(lake, folder)

    assert code == code_again == (WARNING_EXIT_CODE if counts else 0)
    assert "reused" in said_again
    for each in (said, said_again):
        assert (f"warning: inputs have drifted: {feature} PSI" in each) == bool(counts)
    findings = lake.read("gold.findings").where(F.col("kind") == "drift").collect()
    assert {(row.feature, row.action) for row in findings} == {
        (name, "warned" if name == feature else "kept") for name in ("age", SCORE)
    }


def test_features_that_were_compacted_and_vacuumed_are_scored(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 4, BINS, AS_TRAINED, ROWS_HASH)
    # Laid out anew, because compacting leaves a table of one file as it is.
    lake.spark.sql(f"OPTIMIZE {lake.reference('gold.calls_features')} ZORDER BY (key)")
    vacuum(lake, "gold.calls_features", 0)

    code, _ = score(lake, folder)

    assert code == 0
    [of_age_nine] = lake.read("gold.calls_scores").where("key = '9'").collect()
    assert of_age_nine.raw_score % 100 == 9 + 4


@pytest.mark.parametrize(
    ("sequence", "where", "fault", "says"),
    [
        (5, "1 / age > 0", ConfigurationError, r"score\.where of calls: raises an error on some row"),
        (6, "age > 1000", RefusedError, r"calls: no row matches score\.where"),
    ],
)
def test_a_condition_that_fails_on_a_row_or_holds_for_none_is_a_fault_of_the_task(
    lake: Lake, folder: Path, sequence: int, where: str, fault: type[OtklikError], says: str
) -> None:
    register_model(lake, "calls", sequence, BINS, AS_TRAINED, ROWS_HASH)
    job = job_on(lake, folder, {"score.where": where}, task=str(folder / "task.toml"))
    build_features(job)

    with pytest.raises(fault, match=says):
        score_rows(job)


def test_a_row_is_scored_by_the_model_that_had_not_seen_it_whatever_the_task_says_now(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 7, BINS, AS_TRAINED, ROWS_HASH)
    score(lake, folder)
    before = content_hash(lake.read("gold.calls_scores").drop("run_id"))
    another = {"splits.fold_salt": "another"}
    build_features(job_on(lake, folder, another, task=str(folder / "task.toml")))

    score(lake, folder, another)

    assert content_hash(lake.read("gold.calls_scores").drop("run_id")) == before


def test_a_champion_of_other_rows_scores_nothing(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 8, BINS, AS_TRAINED, "other rows")

    with pytest.raises(MissingResultError, match="calls: the champion cannot score these rows: it was trained on rows"):
        score(lake, folder)


def test_with_a_damaged_champion_the_one_before_it_scores(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 11, BINS, AS_TRAINED, ROWS_HASH)
    newest = register_model(lake, "calls", 12, BINS, AS_TRAINED, ROWS_HASH)
    (newest / "serving.json").write_bytes((newest / "serving.json").read_bytes().replace(b"12.0", b"12.1", 1))

    code, said = score(lake, folder)

    assert code == 0
    assert "warning: models/calls/run_12: files were changed, added or removed: serving.json" in said
    assert "using the previous champion" in said
    [of_age_nine] = lake.read("gold.calls_scores").where("key = '9'").collect()
    # 100 for each number of the fold whose model had not seen the row.
    assert of_age_nine.raw_score % 100 == 9 + 11

    for manifest in Path(lake.folder("models", "calls")).glob("*/manifest.json"):
        manifest.unlink()
    with pytest.raises(DamagedError, match="calls: no champion is intact") as no_champion:
        score(lake, folder)
    assert no_champion.value.exit_code == 6


def train_found(lake: Lake, run_id: str, **changes: Any) -> None:
    """Note what the training of a run notes of this row of its scoreboard, where 20 of 100 test rows said yes."""
    row = {
        "model": "logistic_regression", "leaks": "without", "split": "random", "calibration": "calibrated",
        "rows": 100, "positives": 20, "mean_probability": 0.1, **changes,
    }  # fmt: skip
    findings = pd.DataFrame([finding.row for finding in miscalibrated(pd.DataFrame([row]), 0.2)])
    named = {"task": "calls", "run_id": run_id}
    replace_rows(lake, FINDINGS, findings.assign(**named), f"train {run_id}", named)


def test_scores_of_a_champion_whose_rate_has_moved_are_said_to_be_not_calibrated(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 21, BINS, AS_TRAINED, ROWS_HASH)
    train_found(lake, "run_21")

    code, said = score(lake, folder)

    assert code == 0
    assert (
        "  warning: miscalibrated, the response rate has shifted: logistic regression, random split: "
        "mean probability 0.100, observed 0.200\n"
    ) in said


@pytest.mark.parametrize(
    ("sequence", "found_of", "changes"),
    [
        (31, "run_31", {"mean_probability": 0.19}),
        (32, "run_32", {"model": "random_forest"}),
        (33, "run_33", {"split": "time"}),
        (34, "run_21", {}),
    ],
)
def test_a_rate_that_stayed_or_moved_for_others_is_not_spoken_of(
    lake: Lake, folder: Path, sequence: int, found_of: str, changes: dict[str, Any]
) -> None:
    """The task has no order in time, so that its champion was chosen on the random split."""
    register_model(lake, "calls", sequence, BINS, AS_TRAINED, ROWS_HASH)
    train_found(lake, found_of, **changes)

    code, said = score(lake, folder)

    assert code == 0
    assert "score calls" in said
    assert "not calibrated" not in said


def test_a_model_that_was_trained_later_does_not_answer_an_earlier_question(lake: Lake, folder: Path) -> None:
    later = datetime(2199, 1, 1, tzinfo=UTC)
    register_model(lake, "calls", 40, BINS, AS_TRAINED, ROWS_HASH)
    register_model(lake, "calls", 41, BINS, AS_TRAINED, ROWS_HASH, trained_at=later)

    _, said = score(lake, folder)

    [of_age_nine] = lake.read("gold.calls_scores").where("key = '9'").collect()
    assert of_age_nine.raw_score % 100 == 9 + 40
    assert "the newest champion was trained as of 2199-01-01 00:00, after this task's moment" in said


def test_where_all_models_were_trained_later_the_newest_answers_with_a_warning(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_model(lake, "calls", 42, BINS, AS_TRAINED, ROWS_HASH, trained_at=datetime(2199, 1, 1, tzinfo=UTC))
    everything = registry.history

    def only_the_newest(lake: Lake, task: str, trained_by: datetime | None = None) -> pd.DataFrame:
        return everything(lake, task).head(1 if trained_by is None else 0)

    monkeypatch.setattr(registry, "history", only_the_newest)

    _, said = score(lake, folder)

    assert "warning: the champion was trained as of 2199-01-01 00:00, after this task's moment" in said


def test_the_score_of_one_tree_is_compared_with_its_own_leaves_only(lake: Lake, folder: Path) -> None:
    """All forty rows are labelled, so that trees of the folds score them: nothing of its own is there to compare."""
    register_model(lake, "calls", 43, BINS, AS_TRAINED | {SCORE: [40, 0, 0]}, ROWS_HASH, name="decision_tree")

    code, _ = score(lake, folder)

    assert code == 0
    drift = lake.read("gold.findings").where(F.col("kind") == "drift").collect()
    assert {row.feature: row.value is None for row in drift} == {"age": False, SCORE: True}
