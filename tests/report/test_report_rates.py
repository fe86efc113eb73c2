"""Intervals, attribute strength, periods and rankings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik.inference import wilson
from otklik.page import figures
from otklik.report import rates


def counts(*pairs: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["rows", "positives"])


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263 → .2553 to .3662, 0 of 20 → 0 to .1611.
    low, high = wilson([81, 0], [263, 20])
    assert low == pytest.approx([0.2553, 0.0], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1611], abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_rate_and_stays_in_range(pair: tuple[int, int]) -> None:
    positives, rows = pair
    low, high = wilson([positives], [rows])
    assert 0 <= low[0] <= positives / rows + 1e-12
    assert positives / rows - 1e-12 <= high[0] <= 1


def test_strength_is_zero_by_chance_and_one_when_the_level_is_the_answer() -> None:
    assert rates.strength(counts((100, 10), (100, 10))) == 0
    assert rates.strength(counts((100, 100), (100, 0))) == pytest.approx(1, abs=0.01)
    assert 0 < rates.strength(counts((1000, 100), (1000, 200))) < 0.2


def test_the_bank_s_over_fifty_is_two_different_bands() -> None:
    ages = pd.DataFrame(
        [(np.nan, 30, 5273, 928), (30, 50, 29744, 2976), (50, 60, 8410, 785), (60, np.nan, 1784, 600)],
        columns=["low", "high", "rows", "positives"],
    )
    found = rates.coarse_band(ages)
    assert found is not None
    assert (found.at_top, found.inner[0], found.outer[0]) == (True, 50, 60)
    assert (found.rows, found.positives) == (10194, 1385)


def test_bands_that_rise_steadily_are_not_too_coarse() -> None:
    rising = pd.DataFrame(
        [(np.nan, 1, 1000, 50), (1, 2, 1000, 100), (2, 3, 1000, 150), (3, np.nan, 1000, 200)],
        columns=["low", "high", "rows", "positives"],
    )
    assert rates.coarse_band(rising) is None


@pytest.mark.parametrize(
    ("days", "grain", "periods"), [(30, "day", 30), (200, "week", 29), (900, "month", 30), (3000, "quarter", 33)]
)
def test_periods_are_the_finest_that_stay_readable(days: int, grain: str, periods: int) -> None:
    daily = pd.DataFrame({"period": pd.date_range("2024-01-01", periods=days), "rows": 10, "positives": 1})
    found, name = rates.per_period(daily)
    assert (name, len(found), found["rows"].sum()) == (grain, periods, 10 * days)


def test_fifths_follow_rows_and_not_the_calendar() -> None:
    daily = pd.DataFrame(
        {"period": pd.date_range("2024-01-01", periods=8), "rows": [400, 400, 400, 400, 100, 100, 100, 100]}
    )
    found = rates.fifths(daily.assign(positives=[4, 4, 4, 4, 50, 50, 50, 50]))
    assert list(found["rows"]) == [400, 400, 400, 400, 400]
    assert found["rate"].iloc[-1] == 0.5


def test_a_ranking_goes_from_the_best_score_down_and_joins_ties() -> None:
    found = rates.ranking(pd.DataFrame({"bin": [1, 3, 3, 2], "rows": [4, 1, 1, 2], "positives": [0, 1, 0, 1]}))
    assert list(found.rows) == [0, 2, 4, 8]
    assert list(found.gain) == [0, 0.5, 1, 1]
    assert list(found.precision) == [0.5, 0.5, 0.5, 0.25]


def test_thinning_keeps_ends_and_bounds_the_points() -> None:
    x = np.linspace(0, 1, 5000)
    thin_x, thin_y = figures.thinned(x, x**2, points=50)
    assert len(thin_x) <= 50
    assert (thin_x[0], thin_y[0], thin_x[-1], thin_y[-1]) == (0, 0, 1, 1)
