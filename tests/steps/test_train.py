"""When training stops, and when it only warns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.bench import CALLS, QUICK, dying, job_on
from tests.steps.test_resolve_classify import TASK

from otklik.errors import RefusedError
from otklik.lake.store import Lake
from otklik.models import registry
from otklik.models.prepare import Preparation, Slot
from otklik.models.registry import has_sound_model, history
from otklik.models.training import Labelled
from otklik.project_files import find_project
from otklik.settings import load
from otklik.steps import train
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.train import look_for_leaks, require_enough, train_models, verdict_on
from otklik.task import Task


def task_with(**settings: Any) -> Task:
    """A shipped task with other settings; `checks__x` stands for checks.x."""
    overrides = {name.replace("__", "."): value for name, value in settings.items()}
    return load(Task, find_project(None).task("marketing_campaign"), overrides)


def labelled(rows: int, positives: int) -> Labelled:
    number = np.arange(rows)
    label = (number < positives).astype(np.int64)
    return Labelled(number, number, number.astype(str), label)


@pytest.mark.parametrize(
    ("rows", "positives", "said"),
    [
        (99, 50, "99 labelled rows with 50 positives are fewer than required"),
        (100, 19, "100 labelled rows with 19 positives are fewer than required"),
        (100, 0, "all 100 labelled rows have the same label"),
        (100, 100, "all 100 labelled rows have the same label"),
        (0, 0, "0 labelled rows with 0 positives are fewer than required"),
    ],
)
def test_too_few_rows_or_one_answer_only_are_refused(rows: int, positives: int, said: str) -> None:
    task = task_with(checks__minimum_rows=100, checks__minimum_positives=20)

    with pytest.raises(RefusedError, match=said) as refused:
        require_enough(task, labelled(rows, positives))

    assert refused.value.exit_code == 4


def test_a_champion_cannot_be_chosen_by_pairs_that_there_are_not() -> None:
    task = task_with(champion__metric="auc_within")

    with pytest.raises(RefusedError, match="no two rows with different labels share a decision moment"):
        require_enough(task, labelled(300, 100))


def test_as_many_rows_and_positives_as_declared_are_enough() -> None:
    require_enough(task_with(checks__minimum_rows=100, checks__minimum_positives=20), labelled(100, 20))


@pytest.fixture(scope="module")
def tried(spark: SparkSession) -> DataFrame:
    """Ten rows: `paid` is the label, `talk` as well, `age` knows nothing."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [(str(i), moment, i % 2, float(i % 2), float(i % 2), float(i // 2)) for i in range(10)]
    return spark.createDataFrame(
        rows, "key STRING, as_of TIMESTAMP, label INT, paid DOUBLE, talk DOUBLE, age DOUBLE"
    ).cache()


PREPARED = Preparation(tuple(Slot(name, name, None, name, name == "talk") for name in ("paid", "talk", "age")), ())


def test_a_suspected_leak_stops_the_training_by_its_name(tried: DataFrame) -> None:
    with pytest.raises(RefusedError, match=r"too well on its own: paid \(AUC 1\.000\) →") as refused:
        look_for_leaks(task_with(checks__on_suspected_leak="stop"), tried, PREPARED, 10)

    assert refused.value.exit_code == 4
    assert "talk" not in refused.value.what
    assert "age" not in refused.value.what


def test_a_suspected_leak_is_only_warned_of_where_the_task_says_so(tried: DataFrame) -> None:
    found = look_for_leaks(task_with(checks__on_suspected_leak="warn"), tried, PREPARED, 10)

    assert [(f.feature, f.kind, f.action) for f in found] == [
        ("paid", "suspected_leak", "warned"),
        ("talk", "known_leak", "left out"),
    ]


def board_with(auc_low: float | None) -> pd.DataFrame:
    """A decisive row of a candidate, and rows that would be better but do not count."""
    row = {
        "model": "logistic_regression", "leaks": "without", "split": "random", "calibration": "calibrated",
        "auc": 0.55, "auc_low": auc_low, "auc_high": 0.6, "majority_accuracy": 0.85,
    }  # fmt: skip
    others = [{"leaks": "with"}, {"calibration": "raw"}, {"split": "time"}, {"model": "linear_svc"}]
    return pd.DataFrame([row, *({**row, "auc": 0.9, "auc_low": 0.8, **other} for other in others)])


def test_where_no_candidate_is_better_than_the_base_line_training_stops() -> None:
    with pytest.raises(RefusedError, match=r"nothing to gain: logistic_regression: AUC 0\.550") as refused:
        verdict_on(task_with(checks__on_nothing_to_gain="stop"), board_with(auc_low=0.5), "logistic_regression")

    assert refused.value.exit_code == 4


def test_nothing_to_gain_is_only_said_where_the_task_warns() -> None:
    assert verdict_on(
        task_with(checks__on_nothing_to_gain="warn"), board_with(auc_low=0.5), "logistic_regression"
    ).startswith("nothing to gain")
    assert verdict_on(
        task_with(checks__on_nothing_to_gain="stop"), board_with(auc_low=None), "logistic_regression"
    ).startswith("too little data to assess the model: logistic_regression: AUC 0.550; too few")
    assert verdict_on(
        task_with(checks__on_nothing_to_gain="stop"), board_with(auc_low=0.501), "logistic_regression"
    ).startswith("chosen without leaks, random split: logistic_regression: AUC 0.550")


@pytest.mark.long
def test_what_is_known_only_later_is_tried_with_the_chosen_model(lake: Lake, tmp_path: Path) -> None:
    """`age` says a little about the answer, `paid` all."""
    columns = 'age = { type = "integer" }, paid = { type = "integer", known = "after_decision" }, id = {'
    (tmp_path / "calls.toml").write_text(CALLS.replace("id = {", columns), encoding="utf-8")
    lines = ["id,text,age,paid", *(f"{i},{'ab'[i % 2]},{i * 37 % 50 + 15 * (i % 2)},{i % 2}" for i in range(240)), ""]
    (tmp_path / "june.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=[str(tmp_path / "june.csv")]))
    (tmp_path / "task.toml").write_text(TASK.replace('["text"]', '["age"], known_after = ["paid"]'), encoding="utf-8")

    job = job_on(lake, tmp_path, QUICK | {"champion.candidates": ["decision_tree"]}, task=str(tmp_path / "task.toml"))
    build_features(job)
    train_models(job)

    board = lake.read("gold.scoreboard").toPandas()
    assert {*board.loc[board["leaks"] == "with", "model"]} == {"majority", "decision_tree"}
    best = board[board["model"] == "decision_tree"].groupby("leaks")["auc"].max()
    assert 0.6 < best["without"] < best["with"] == 1.0


@pytest.mark.long
def test_a_training_that_stops_leaves_no_champion_and_a_damaged_one_is_trained_anew(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls whose `paid` is the answer, and whose `age` has nothing to do with it."""
    (tmp_path / "calls.toml").write_text(
        CALLS.replace("id = {", 'age = { type = "integer" }, paid = { type = "integer" }, id = {'), encoding="utf-8"
    )
    lines = ["id,text,age,paid", *(f"{i},{'ab'[i % 2]},{i // 2 * 37 % 50},{i % 2}" for i in range(240)), ""]
    (tmp_path / "june.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=[str(tmp_path / "june.csv")]))
    others = ("decision_tree", "random_forest", "naive_bayes", "linear_svc")
    only = {f"models.{model}": None for model in others}

    def train_on(columns: str, **checks: str) -> int:
        (tmp_path / "task.toml").write_text(TASK.replace('["text"]', columns), encoding="utf-8")
        settings = {key: value for key, value in QUICK.items() if key.split(".")[1] not in others}
        declared = {f"checks.{name}": value for name, value in checks.items()}
        job = job_on(lake, tmp_path, {**settings, **only, **declared}, task=str(tmp_path / "task.toml"))
        build_features(job)
        return train_models(job)

    with pytest.raises(RefusedError, match="suspected leak"):
        train_on('["age", "paid"]', on_suspected_leak="stop")
    with pytest.raises(RefusedError, match="nothing to gain"):
        train_on('["age"]', on_nothing_to_gain="stop")
    assert not lake.exists("gold.model_runs")
    assert not Path(lake.folder("models")).exists()

    assert train_on('["age"]', on_nothing_to_gain="warn") == 0
    [row] = history(lake, "calls").to_dict("records")
    assert row["serves"]
    Path(lake.folder(row["folder"], "manifest.json")).unlink()
    assert train_on('["age"]', on_nothing_to_gain="warn") == 0
    assert has_sound_model(lake, "calls", row["run_id"])
    [again] = history(lake, "calls").to_dict("records")
    # What a pointer names is never written over; what none names any more goes.
    assert (again["run_id"], again["folder"]) == (row["run_id"], f"{row['folder']}-2")
    assert not Path(lake.folder(row["folder"])).exists()

    with monkeypatch.context() as patch:
        patch.setattr(train, "has_sound_model", lambda *_: False)
        with dying(patch, registry, "register"):
            train_on('["age"]', on_nothing_to_gain="warn")
    assert has_sound_model(lake, "calls", row["run_id"])
