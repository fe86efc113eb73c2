import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from otklik.lake.tables import SCOREBOARD
from otklik.models.bootstrap import interval, poisson_weights
from otklik.models.evaluate import auc, auc_within, evaluate, is_worthwhile, log_loss, profit_figures, reliability

#: (label, score out of five, moment, unit): few values, so that ties abound.
ROW = st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.2, 0.5, 0.51, 1.0]), st.integers(0, 2), st.integers(0, 4))
ROWS = st.lists(ROW, min_size=1, max_size=25)


def columns(rows: list[tuple[int, float, int, int]]) -> tuple[np.ndarray[Any, Any], ...]:
    label, score, moment, unit = zip(*rows, strict=True)
    return np.array(label), np.array(score), np.array(moment), np.array(unit)


def figures(rows: list[tuple[int, float, int, int]], **changes: Any) -> dict[str, float | None]:
    label, score, moment, unit = columns(rows)
    given = {"probability": score, "margin": score, "training_rate": 0.3, "cost": 3.0, "value": 11.0, **changes}
    return evaluate(label, moment, unit, **given, replicates=40, salt="salt")


def pairs(rows: list[tuple[int, float, int, int]], *, within: bool) -> float | None:
    """AUC by looking at every pair."""
    won = [
        (yes[1] > no[1]) + (yes[1] == no[1]) / 2
        for yes, no in itertools.product(rows, rows)
        if yes[0] > no[0] and (not within or yes[2] == no[2])
    ]
    return sum(won) / len(won) if won else None


def yes_in_best(rows: list[tuple[int, float, int, int]], share: float) -> float:
    """Expected share of all yes among the best, where rows of equal score are shuffled: by walking down."""
    left, found = share * len(rows), 0.0
    for score in sorted({row[1] for row in rows}, reverse=True):
        step = [row for row in rows if row[1] == score]
        taken = min(left, len(step))
        found += taken / len(step) * sum(row[0] for row in step)
        left -= taken
    return found / sum(row[0] for row in rows)


@given(ROWS)
def test_ranking_figures_by_brute_force(rows: list[tuple[int, float, int, int]]) -> None:
    label, score, moment, _ = columns(rows)
    found = figures(rows)
    assert found["auc"] == auc(label, score) == pytest.approx(pairs(rows, within=False))
    assert found["auc_within"] == auc_within(label, moment, score) == pytest.approx(pairs(rows, within=True))
    if label.any():
        assert found["gain_50"] == pytest.approx(yes_in_best(rows, 0.5))
        assert found["lift_10"] == pytest.approx(yes_in_best(rows, 0.1) / 0.1)
    else:
        assert found["gain_50"] is found["lift_10"] is found["pr_auc"] is None


@given(ROWS)
def test_figures_against_scikit_learn(rows: list[tuple[int, float, int, int]]) -> None:
    label, score, _, _ = columns(rows)
    found = figures(rows)
    assert found["brier"] == pytest.approx(brier_score_loss(label, score))
    assert found["log_loss"] == log_loss(label, score)
    assert found["log_loss"] == pytest.approx(sklearn_log_loss(label, np.clip(score, 1e-15, 1 - 1e-15), labels=[0, 1]))
    assert found["mean_probability"] == pytest.approx(score.mean())
    if label.any():
        assert found["pr_auc"] == pytest.approx(average_precision_score(label, score))


@given(ROWS, st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[tuple[int, float, int, int]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert figures(shuffled) == figures(rows)


@given(ROWS)
def test_decisions_by_counting(rows: list[tuple[int, float, int, int]]) -> None:
    found = figures(rows)
    assert found["accuracy"] == pytest.approx(
        sum((score > 0.5) == bool(label) for label, score, *_ in rows) / len(rows)
    )
    assert found["majority_accuracy"] == pytest.approx(sum(not label for label, *_ in rows) / len(rows))
    assert found["threshold"] == 3 / 11
    assert found["profit"] == sum(11 * label - 3 for label, score, *_ in rows if score > 3 / 11)


@settings(max_examples=50)
@given(ROWS)
def test_intervals_are_those_of_repeated_rows(rows: list[tuple[int, float, int, int]]) -> None:
    """A weight of 2 must do what standing there twice does."""
    # Every unit in every moment, so that rows, not whole moments, are drawn.
    rows = [*rows, (1, 0.2, 0, 90), (0, 0.5, 1, 90), (0, 0.2, 0, 91), (1, 0.5, 1, 91)]
    draws: dict[str, list[float]] = {"auc": [], "auc_within": [], "lift_10": [], "accuracy": [], "profit": []}
    for weights in poisson_weights(np.array([unit for *_, unit in rows]), 40, "salt"):
        repeated = [row for row, weight in zip(rows, weights, strict=True) for _ in range(int(weight))]
        has_yes = any(row[0] for row in repeated)
        draws["auc"].append(_or_nan(pairs(repeated, within=False)))
        draws["auc_within"].append(_or_nan(pairs(repeated, within=True)))
        draws["lift_10"].append(yes_in_best(repeated, 0.1) / 0.1 if has_yes else math.nan)
        kept = max(len(repeated), 1)
        right = sum((score > 0.5) == bool(label) for label, score, *_ in repeated)
        profit = sum(11 * label - 3 for label, score, *_ in repeated if score > 3 / 11)
        draws["accuracy"].append(right / kept if repeated else math.nan)
        draws["profit"].append(profit / kept * len(rows) if repeated else math.nan)
    found = figures(rows)
    for name, values in draws.items():
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(interval(np.array(values)))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def test_a_moment_drawn_twice_is_two_moments() -> None:
    rows = [
        (1, 0.9, 0, 0),
        (0, 0.1, 0, 0),
        (1, 0.2, 1, 1),
        (0, 0.8, 1, 1),
        (0, 0.1, 1, 1),
        (1, 0.2, 2, 2),
        (0, 0.2, 2, 2),
    ]
    won, of_pairs = np.array([1.0, 1.0, 0.5]), np.array([1.0, 2.0, 1.0])
    weights = poisson_weights(np.arange(3), 40, "salt")
    with np.errstate(invalid="ignore"):
        draws = (weights @ won) / (weights @ of_pairs)
    found = figures(rows)
    assert (found["auc_within_low"], found["auc_within_high"]) == pytest.approx(interval(draws))


def test_auc_against_scikit_learn_on_many_rows() -> None:
    random = np.random.default_rng(0)
    score = random.beta(1, 7, 5_000).round(3)
    label = (random.random(5_000) < score).astype(int)
    assert auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_calibration_error_spreads_ties() -> None:
    label, probability = np.array([1, 0, 0, 0] * 10), np.full(40, 0.4)
    found = evaluate(
        label,
        np.zeros(40),
        np.arange(40),
        probability=probability,
        margin=probability,
        training_rate=0.3,
        cost=None,
        value=None,
        replicates=10,
        salt="salt",
    )
    # Every bin promises .4 and keeps .25, however the rows stand.
    assert found["ece"] == pytest.approx(0.15)
    assert found["threshold"] is found["profit"] is found["profit_low"] is None
    table = reliability(label, probability)
    assert table["rows"].tolist() == [4.0] * 10
    assert table["observed_rate"].to_numpy() == pytest.approx(0.25)


def test_calibration_error_of_two_bins_by_hand() -> None:
    label = np.array([0] * 9 + [1] + [1] * 5 + [0] * 5)
    probability = np.array([0.1] * 10 + [0.7] * 10)
    table = reliability(label, probability, bins=2)
    assert table["mean_probability"].to_numpy() == pytest.approx([0.1, 0.7])
    assert table["observed_rate"].to_numpy() == pytest.approx([0.1, 0.5])


def test_a_margin_ranks_but_promises_nothing() -> None:
    rows = [(1, 2.0, 0, 0), (0, -1.0, 0, 1), (0, 0.5, 1, 2), (1, 0.5, 1, 3)]
    found = figures(rows, probability=None)
    assert found["auc"] == pytest.approx(3.5 / 4)
    assert found["accuracy"] == 0.75
    assert found["auc_low"] is not None
    for name in ("mean_probability", "log_loss", "brier", "ece", "profit", "profit_low"):
        assert found[name] is None


def test_the_columns_are_those_of_the_scoreboard() -> None:
    named = {"task", "run_id", "model", "leaks", "split", "calibration"}
    assert set(figures([(1, 0.2, 0, 0)])) == {column.name for column in SCOREBOARD.columns} - named


def test_one_class_has_no_ranking_and_no_interval_of_it() -> None:
    found = figures([(0, 0.2, 0, 0), (0, 0.5, 0, 1)])
    assert found["auc"] is found["auc_within"] is found["auc_low"] is found["pr_auc"] is found["lift_10"] is None
    assert found["accuracy"] == 1.0


def test_rows_of_one_unit_have_no_interval() -> None:
    found = figures([(1, 0.9, 0, 7), (0, 0.2, 0, 7), (1, 0.4, 0, 7)])
    assert found["auc"] == 1.0
    assert {
        name: value for name, value in found.items() if name.endswith(("_low", "_high")) and value is not None
    } == {}


def test_equal_to_the_threshold_is_not_worth_a_contact() -> None:
    assert is_worthwhile(np.array([3 / 11, 0.28]), 3.0, 11.0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("label", "score"), [([], []), ([1], [0.1, 0.2]), ([2], [0.1]), ([1], [math.nan]), ([1], [math.inf])]
)
def test_impossible_input_is_refused(label: list[int], score: list[float]) -> None:
    with pytest.raises(ValueError, match=r"row|label|finite"):
        auc(np.array(label), np.array(score))


@given(ROWS)
def test_profits_alone_are_those_of_the_whole_row(rows: list[tuple[int, float, int, int]]) -> None:
    label, score, _, unit = columns(rows)
    names = ("threshold", "profit", "profit_low", "profit_high")

    several = profit_figures(label, unit, [score, None, 1 - score], cost=3.0, value=11.0, replicates=40, salt="salt")

    for found, probability in zip(several, (score, None, 1 - score), strict=True):
        whole = figures(rows, probability=probability)
        for name in names:
            assert found[name] == (None if whole[name] is None else pytest.approx(whole[name])), name
