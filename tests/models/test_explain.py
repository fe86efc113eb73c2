"""What the models say, with names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from otklik.models.explain import dependence, impurity_importance, odds_ratios
from otklik.models.prepare import MISSING, OTHER, Slot


def slot(source: str, level: str | None = None) -> Slot:
    return Slot(source if level is None else f"{source}={level}", source, level, "0D", False)


SLOTS = (
    slot("age"),
    slot("age", MISSING),
    slot("balance"),
    slot("job", "a"),
    slot("job", "b"),
    slot("job", OTHER),
)
COEFFICIENTS = np.array([0.02, 0.5, 0.3, -0.1, 0.4, 0.9])
SHARES = np.array([40.0, 0.1, 6.0, 0.3, 0.7, 0.0])


DRAWS = COEFFICIENTS + np.linspace(-1, 1, 41)[:, None] * np.array([0.01, 0.1, 0.1, 0.0, 0.1, 0.1])


def ratios(draws: np.ndarray = DRAWS, **changes: object) -> pd.DataFrame:
    settings: dict = {
        "shares": SHARES,
        "units": {"age": 10.0},
        "references": {"job": "a"},
        "log_scale": frozenset({"balance"}),
        **changes,
    }
    return odds_ratios(SLOTS, COEFFICIENTS, draws, **settings).set_index(["feature", "level"])


def test_a_number_is_per_its_unit_and_a_logarithm_per_factor_e() -> None:
    found = ratios()

    assert found.loc[("age", "+10"), "value"] == pytest.approx(np.exp(0.2))
    assert found.loc[("balance", "× e"), "value"] == pytest.approx(np.exp(0.3))
    assert set(found["note"]) == {"shrunken_normal_interval"}


def test_the_interval_is_normal_on_the_log_scale_by_the_standard_error_of_the_refits() -> None:
    """Ten refits whose coefficients of age have a standard deviation of 0.01, one far off: per 10 years 0.1."""
    draws = COEFFICIENTS + np.array([3, *[-1 / 3] * 9])[:, None] * np.array([0.01, 0, 0, 0, 0, 0]) / np.sqrt(10 / 9)

    found = ratios(draws)

    assert found.loc[("age", "+10"), "low"] == pytest.approx(np.exp(0.2 - 1.959964 * 0.1))
    assert found.loc[("age", "+10"), "high"] == pytest.approx(np.exp(0.2 + 1.959964 * 0.1))


def test_a_missing_number_is_against_known_ones() -> None:
    assert ratios().loc[("age", MISSING), ["value", "reference"]].tolist() == [pytest.approx(np.exp(0.5)), "known"]


def test_levels_are_against_the_declared_or_the_commonest_one() -> None:
    declared, commonest = ratios(), ratios(references={"job": "no such level"})

    assert declared.loc[("job", "b"), ["value", "reference"]].tolist() == [pytest.approx(np.exp(0.5)), "a"]
    assert commonest.loc[("job", "a"), ["value", "reference"]].tolist() == [pytest.approx(np.exp(-0.5)), "b"]
    assert ("job", "a") not in declared.index


def test_a_level_that_training_never_had_has_no_ratio() -> None:
    assert ("job", OTHER) not in ratios().index
    assert ("job", OTHER) in ratios(shares=np.array([40.0, 0.1, 6.0, 0.3, 0.6, 0.1])).index


def test_without_replicates_there_is_no_interval() -> None:
    found = odds_ratios(
        SLOTS[:1], COEFFICIENTS[:1], np.empty((0, 1)), shares=SHARES[:1], units={}, references={}, log_scale=frozenset()
    )

    assert found["low"].isna().all()
    assert found["value"].tolist() == [pytest.approx(np.exp(0.02))]


def test_impurity_is_added_up_per_source_column() -> None:
    found = impurity_importance(SLOTS, np.array([0.1, 0.1, 0.2, 0.1, 0.2, 0.3]))

    assert found["feature"].tolist() == ["age", "balance", "job"]
    assert found["value"].to_numpy() == pytest.approx([0.2, 0.2, 0.6])


def test_dependence_moves_a_number_along_its_quantiles_and_levels_one_by_one() -> None:
    is_other = np.arange(100) == 0
    numbers = np.column_stack([np.arange(100.0), np.zeros(100), np.ones(100), ~is_other, np.zeros(100), is_other])

    found = dependence(lambda rows: rows @ COEFFICIENTS, SLOTS, numbers, ["age", "job"], frozenset())

    age, job = found[found["feature"] == "age"], found[found["feature"] == "job"]
    assert age["level"].tolist()[:: len(age) - 1] == ["5", "94"]
    assert np.diff(age["value"]) == pytest.approx(0.02 * np.diff(age["level"].astype(float)))
    assert job["level"].tolist() == ["a", "b", OTHER]
    # One level at a time, never two.
    assert (job["value"] - job["value"].iloc[0]).to_numpy() == pytest.approx([0, 0.5, 1.0])


def test_of_other_levels_that_nobody_has_there_is_no_dependence() -> None:
    numbers = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

    found = dependence(lambda rows: rows[:, 0], SLOTS[3:], numbers, ["job"], frozenset())

    assert found["level"].tolist() == ["a", "b"]


def test_dependence_is_of_known_numbers_even_where_most_are_missing() -> None:
    """Nine of ten rows are filled with 50; along the grid nobody is missing any more, and at its end all are."""
    is_missing = np.arange(100) % 10 > 0
    numbers = np.column_stack([np.where(is_missing, 50.0, np.arange(100.0)), is_missing]).astype(float)

    found = dependence(lambda rows: rows[:, 0] + 1000 * rows[:, 1], SLOTS[:2], numbers, ["age"], frozenset())

    assert found["level"].tolist() == [*(str(tens) for tens in range(0, 100, 10)), MISSING]
    assert found["value"].tolist() == [*(float(tens) for tens in range(0, 100, 10)), 1050.0]


def test_a_number_that_nobody_has_has_no_dependence() -> None:
    numbers = np.column_stack([np.zeros(5), np.ones(5)])

    assert dependence(lambda rows: rows[:, 0], SLOTS[:2], numbers, ["age"], frozenset()).empty


def test_a_logarithm_is_shown_as_the_number_that_everybody_knows() -> None:
    known = np.array([-1000.0, -10.0, 0.0, 250.0, 12_500.0])
    numbers = (np.sign(known) * np.log1p(np.abs(known)))[:, None]

    found = dependence(lambda rows: rows[:, 0], (slot("balance"),), numbers, ["balance"], frozenset({"balance"}))

    assert found["level"].astype(float).tolist() == known.tolist()
    assert found["value"].to_numpy() == pytest.approx(numbers[:, 0])


def test_bands_move_with_their_number() -> None:
    slots = (slot("age"), slot("age", "<50"), slot("age", "≥50"))
    age = np.arange(100.0)
    numbers = np.column_stack([age, age < 50, age >= 50]).astype(float)

    found = dependence(lambda rows: rows[:, 1] * 0.1 + rows[:, 2] * 0.9, slots, numbers, ["age"], frozenset())

    expected = np.where(found["level"].astype(float) < 50, 0.1, 0.9)
    assert found["value"].to_numpy() == pytest.approx(expected)
