import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from otklik.errors import DamagedError
from otklik.models.bootstrap import Floats
from otklik.models.calibrate import Calibrator, fit, fit_isotonic, fit_platt, log_odds_of, probability_of


@pytest.fixture(scope="module")
def overconfident() -> tuple[Floats, Floats]:
    """Log-odds twice as far from the middle as they should be, and answers."""
    random = np.random.default_rng(3)
    truth = random.normal(-2, 1, 4_000)
    return 2 * truth + 1, (random.random(4_000) < probability_of(truth)).astype(float)


def test_platt_is_the_logistic_line_through_smoothed_targets(overconfident: tuple[Floats, Floats]) -> None:
    score, label = overconfident
    found = fit_platt(score, label)
    positives, negatives = label.sum(), len(label) - label.sum()
    target = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # A soft target is a row of both answers, weighted.
    line = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1_000).fit(
        np.concatenate([score, score])[:, None],
        np.concatenate([np.ones(len(score)), np.zeros(len(score))]),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    assert found.slope == pytest.approx(line.coef_[0, 0], abs=1e-5)
    assert found.intercept == pytest.approx(line.intercept_[0], abs=1e-5)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.apply(score).mean() == pytest.approx(label.mean(), abs=1e-3)


def test_platt_does_not_depend_on_the_unit_of_a_margin(overconfident: tuple[Floats, Floats]) -> None:
    score, label = overconfident
    far = fit_platt(1e6 * score - 3e7, label)
    assert far.apply(1e6 * score - 3e7) == pytest.approx(fit_platt(score, label).apply(score), abs=1e-9)


def test_isotonic_is_scikit_learns_but_never_sure(overconfident: tuple[Floats, Floats]) -> None:
    score, label = overconfident
    found = fit_isotonic(score, label)
    reference = IsotonicRegression(out_of_bounds="clip").fit(score, label)
    doubt = 1 / (len(score) + 2)
    assert found.apply(score) == pytest.approx(np.clip(reference.predict(score), doubt, 1 - doubt))
    assert found.apply(np.array([-1e9, 1e9])) == pytest.approx([doubt, found.probabilities[-1]])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibrators_keep_order_and_survive_json(method: Any, overconfident: tuple[Floats, Floats]) -> None:
    probability, label = probability_of(overconfident[0]), overconfident[1]
    found = fit(method, probability, label, "probability")
    assert (np.diff(found.apply(np.linspace(0, 1, 101))) >= 0).all()
    assert Calibrator.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("method", ["platt", "isotonic", "identity"])
@pytest.mark.parametrize("scale", ["log_odds", "probability"])
def test_sql_says_what_python_says(
    method: Any, scale: Any, spark: SparkSession, overconfident: tuple[Floats, Floats]
) -> None:
    log_odds, label = overconfident[0].round(1), overconfident[1]
    score = log_odds if scale == "log_odds" else probability_of(log_odds)
    found = Calibrator("identity", scale) if method == "identity" else fit(method, score, label, scale)
    seen = np.concatenate([np.linspace(-9, 9, 50), score[:50]])
    if scale == "probability":
        seen = np.concatenate([[0.0, 1.0], probability_of(seen)])
    rows = spark.createDataFrame([(float(value),) for value in seen], "score DOUBLE")
    said = rows.selectExpr("score", f"{found.sql('score')} AS probability").toPandas()
    assert said["probability"].to_numpy() == pytest.approx(found.apply(said["score"].to_numpy()), abs=1e-12)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_order_of_rows_changes_nothing(method: Any, overconfident: tuple[Floats, Floats]) -> None:
    score, label = overconfident[0].round(1), overconfident[1]
    order = np.random.default_rng(0).permutation(len(score))
    assert fit(method, score[order], label[order], "log_odds") == fit(method, score, label, "log_odds")


@pytest.mark.parametrize(
    ("score", "label", "reason"),
    [
        (np.arange(50.0), np.zeros(50), "only 0 rows"),
        (np.arange(50.0), np.arange(50) < 9, "only 9 rows"),
        (np.ones(50), np.arange(50) % 2, "all scores are equal"),
        (-np.arange(50.0), np.arange(50) > 25, "a higher score does not mean more yes"),
    ],
)
def test_nothing_to_learn_is_the_identity_with_a_reason(score: Floats, label: Any, reason: str) -> None:
    found = fit_platt(score, label.astype(int))
    assert found.method == "identity"
    assert reason in found.reason
    assert found.apply(np.array([0.0, 100.0])).tolist() == [0.5, 1.0]


def test_the_identity_of_probabilities_is_the_identity() -> None:
    found = fit_isotonic(np.full(50, 0.3), np.arange(50) % 2, "probability")
    assert found.apply(np.array([0.0, 0.3])).tolist() == [0.0, 0.3]


def test_pure_leaves_are_rare_and_not_impossible() -> None:
    probability, label = np.array([0.0] * 100 + [1.0] * 100), np.array([0] * 90 + [1] * 10 + [0] * 10 + [1] * 90)
    found = fit_platt(probability, label, "probability")
    assert found.apply(np.array([0.0, 1.0])) == pytest.approx([0.1, 0.9], abs=0.01)
    rare = fit_platt(np.linspace(0, 0.02, 2_000), np.arange(2_000) >= 1_980, "probability")
    assert rare.clip == pytest.approx(1e-4)


def test_perfect_separation_ends() -> None:
    found = fit_platt(np.concatenate([np.zeros(500), np.ones(500)]), np.repeat([0, 1], 500))
    assert found.apply(np.array([0.0, 1.0])) == pytest.approx([1 / 502, 501 / 502])


@given(st.floats(-700, 700))
def test_probability_and_log_odds(log_odds: float) -> None:
    probability = probability_of(np.array([log_odds, -log_odds]))
    assert probability.sum() == pytest.approx(1)
    if abs(log_odds) < 6:
        assert log_odds_of(probability)[0] == pytest.approx(log_odds, abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [{"slope": float("nan")}, {"method": "magic"}, {"scores": [1.0]}, {"scores": None}, {"more": 1}, {"slope": "2"}],
)
def test_a_damaged_calibrator_is_refused(changes: dict[str, Any]) -> None:
    values = Calibrator("platt", "log_odds", 2.0, 1.0).to_dict()
    with pytest.raises(DamagedError, match="calibrator"):
        Calibrator.from_dict({**values, **changes})
