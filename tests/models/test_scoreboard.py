"""What each row of the scoreboard is held against: whose draws, which rate, and which numbers do not exist."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otklik.lake.tables import SCOREBOARD
from otklik.models.evaluate import auc
from otklik.models.scoreboard import ScoringTerms, gains_of_challengers, rows_of
from otklik.models.split import Plan
from otklik.models.training import Candidate, CrossValidation, InnerPredictions, Labelled, Predicted

NO_FILTER: Any = None
TERMS = ScoringTerms(cost=1.0, value=5.0, replicates=200, salt="salt", by_moment_always=False, label_window=timedelta())
COLUMNS = [
    "task", "run_id", "model", "leaks", "split", "calibration", "rows", "positives", "mean_probability", "accuracy",
    "majority_accuracy", "auc", "auc_within", "pr_auc", "log_loss", "brier", "ece", "lift_10", "gain_50", "threshold",
    "profit", "accuracy_low", "accuracy_high", "auc_low", "auc_high", "auc_within_low", "auc_within_high",
    "lift_10_low", "lift_10_high", "profit_low", "profit_high",
]  # fmt: skip


def labelled(answers: str) -> Labelled:
    """One word a day, one letter a customer, the first customer first: 1 or 0."""
    rows = [(day, who, int(label)) for day, word in enumerate(answers.split()) for who, label in enumerate(word)]
    day, who, label = (np.array(column) for column in zip(*rows, strict=True))
    as_of = np.datetime64("2026-01-01", "us") + day * np.timedelta64(1, "D")
    return Labelled(np.arange(len(rows)), as_of, who.astype(str), label)


def result(split: str, places: np.ndarray[Any, Any], probability: Any, model: str = "decision_tree") -> CrossValidation:
    """What a model said of the rows at these places; the linear SVC gives a margin only."""
    raw = np.asarray(probability, dtype=np.float64)
    tested = Predicted(places, raw - 0.5, None if model == "linear_svc" else raw)
    plan = Plan(split, (), (), NO_FILTER)
    return CrossValidation(
        Candidate(model, "features", ()), plan, tested, raw, places, InnerPredictions(()), {}, {}, {}
    )


def both_splits(answers: str, test_days: int, model: str = "decision_tree") -> tuple[Labelled, list[CrossValidation]]:
    """The same doubtful probabilities of all rows on the random split, and of the last days' rows on time."""
    rows = labelled(answers)
    said = np.resize([0.1, 0.7, 0.4, 0.6], len(rows.label))
    late = np.flatnonzero(rows.as_of > rows.as_of.max() - test_days * np.timedelta64(1, "D"))
    everywhere = np.arange(len(rows.label))
    return rows, [result("random", everywhere, said, model), result("time", late, said[late], model)]


def board_of(rows: Labelled, judged: dict[str, list[CrossValidation]], terms: ScoringTerms) -> pd.DataFrame:
    with ThreadPoolExecutor(2) as executor:
        return rows_of(rows, judged, terms, executor)


def by_customer(day: np.ndarray[Any, Any], who: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Every other customer always: half of the rows of each day."""
    return who % 2 == 0


def by_day(day: np.ndarray[Any, Any], who: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """On every other day all customers: half of the rows of each customer."""
    return day % 2 == 0


@pytest.mark.parametrize(
    ("is_right", "always", "sure"),
    [
        (by_customer, False, {"time"}),
        (by_day, False, {"random"}),
        (by_customer, True, {"time", "random"}),
        (by_day, True, set()),
    ],
)
def test_time_draws_moments_and_random_draws_customers_unless_the_task_says_moments(
    is_right: Callable[..., np.ndarray[Any, Any]], always: bool, sure: set[str]
) -> None:
    """Where each unit is right on exactly half of its rows, no draw of units changes the accuracy."""
    rows = labelled("1011001110 " * 20)
    right = is_right(np.arange(200) // 10, np.arange(200) % 10)
    said = np.where(right, rows.label, 1 - rows.label)
    places = {"random": np.arange(200), "time": np.arange(100, 200)}
    judged = [result(split, of_split, said[of_split]) for split, of_split in places.items()]

    board = board_of(rows, {"without": judged}, replace(TERMS, by_moment_always=always))

    of_model = board[board["model"] == "decision_tree"]
    assert (of_model["accuracy"] == 0.5).all()
    width = of_model["accuracy_high"] - of_model["accuracy_low"]
    assert set(of_model["split"][width == 0]) == sure
    assert set(of_model["split"][width > 0.1]) == {"random", "time"} - sure


@pytest.mark.parametrize(
    ("split", "window", "rate"),
    [("time", 0, 5 / 12), ("time", 2, 3 / 10), ("random", 0, 8 / 16), ("random", 2, 8 / 16)],
)
def test_the_majority_promises_the_rate_of_the_training_part_only(split: str, window: int, rate: float) -> None:
    """The test part starts on day 6; with a window of two days the answers of day 5 are not final by then."""
    rows, judged = both_splits("10 00 10 00 10 11 11 01", test_days=2)

    board = board_of(rows, {"without": judged}, replace(TERMS, label_window=timedelta(days=window)))

    majority = board[(board["model"] == "majority") & (board["split"] == split)]
    assert list(majority["calibration"]) == ["raw", "calibrated"]
    assert majority["mean_probability"].to_numpy() == pytest.approx(rate)
    assert (majority["auc"] == 0.5).all()


def test_a_challenger_is_held_against_the_best_simpler_model_on_the_same_draws() -> None:
    rows = labelled("1011001110 " * 20)
    places, label = np.arange(100, 200), rows.label[100:]
    doubtful = np.where(np.arange(100) % 7 == 0, 1 - label, label).astype(float)
    best = result("time", places[::-1], doubtful[::-1], "random_forest")
    worse = result("time", places, np.full(100, 0.5), "logistic_regression")
    sure, same = result("time", places, label, "sequence"), result("time", places, doubtful, "xgboost")

    gain, none = gains_of_challengers(rows, [worse, best, sure, same], TERMS)

    assert gain.measure == "auc_gain" and gain.subject == "sequence" and gain.split == "time"
    assert gain.value == pytest.approx(1 - auc(label, doubtful))
    assert 0 < gain.low < gain.value < gain.high and gain.baseline == 0.0
    # Each replicate draws the same days for both.
    assert (none.value, none.low, none.high) == (0.0, 0.0, 0.0)
    assert gains_of_challengers(rows, [sure], TERMS) == []


def test_the_columns_are_exactly_those_of_the_table() -> None:
    rows, judged = both_splits("10 01 10 01", test_days=1)

    board = board_of(rows, {"without": judged, "with": judged}, TERMS)

    assert [column.name for column in SCOREBOARD.columns] == COLUMNS
    assert {"task", "run_id", *board.columns} == set(COLUMNS)
    named = board[["model", "leaks", "split", "calibration"]].drop_duplicates()
    assert len(board) == len(named) == 2 * 2 * 2 * 2


def of_calibration(board: pd.DataFrame, model: str, calibration: str) -> pd.DataFrame:
    return board[(board["model"] == model) & (board["calibration"] == calibration)]


def test_a_margin_has_ranks_but_no_log_loss_brier_or_ece_until_it_is_calibrated() -> None:
    rows, judged = both_splits("10 01 10 01", test_days=2, model="linear_svc")

    board = board_of(rows, {"without": judged}, TERMS)

    promises, ranks = ["log_loss", "brier", "ece"], ["auc", "pr_auc", "lift_10", "gain_50"]
    raw, calibrated = (of_calibration(board, "linear_svc", name) for name in ("raw", "calibrated"))
    assert len(raw) == len(calibrated) == 2
    assert raw[promises].isna().all().all()
    assert calibrated[promises].notna().all().all()
    # The calibrated probabilities of this test rank as the margins do.
    assert raw[ranks].to_numpy() == pytest.approx(calibrated[ranks].to_numpy())
    assert of_calibration(board, "majority", "raw")[promises].notna().all().all()


def test_threshold_and_profit_exist_only_where_the_task_declares_cost_and_value() -> None:
    rows, judged = both_splits("10 01 10 01", test_days=2)

    declared = board_of(rows, {"without": judged}, TERMS)
    undeclared = board_of(rows, {"without": judged}, replace(TERMS, cost=None, value=None))

    money = ["threshold", "profit", "profit_low", "profit_high"]
    assert (declared["threshold"] == 1 / 5).all()
    assert declared[money].notna().all().all()
    assert undeclared[money].isna().all().all()
    assert undeclared["auc"].notna().all()
