"""Methods for one series, against statsforecast on the same values, and which one is chosen."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from statsforecast import models as reference

from otklik.errors import ConfigurationError
from otklik.forecasts.demand import models
from otklik.forecasts.demand.choice import choose, default_for, kind_of
from otklik.forecasts.demand.series import filled

DRAW = np.random.default_rng(2)
COUNTS = DRAW.poisson(0.6, 60).astype(float)
TREND = 50 + 0.4 * np.arange(80) + DRAW.normal(0, 3, 80)
SEASON = TREND * (1 + 0.3 * np.sin(2 * np.pi * np.arange(80) / 12))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (models.croston, reference.CrostonClassic()),
        (models.sba, reference.CrostonSBA()),
        (models.ses, reference.SimpleExponentialSmoothing(alpha=0.1)),
        (models.mean, reference.HistoricAverage()),
        (models.naive, reference.Naive()),
        (models.seasonal_naive, reference.SeasonalNaive(season_length=12)),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_simple_methods_are_those_of_statsforecast(ours: models.Forecast, theirs: object) -> None:
    known = theirs.forecast(y=COUNTS, h=6)["mean"]  # type: ignore[attr-defined]

    np.testing.assert_allclose(ours(COUNTS, 6, 12), known, rtol=1e-9)


@pytest.mark.parametrize(("values", "season"), [(TREND, 1), (SEASON, 12)])
def test_theta_comes_near_that_of_statsforecast(values: np.ndarray, season: int) -> None:
    """They fit alpha and the first level more finely: forecasts differ by less than 2 %."""
    known = reference.Theta(season_length=season, decomposition_type="multiplicative").forecast(y=values, h=12)["mean"]

    np.testing.assert_allclose(models.theta(values, 12, season), known, rtol=0.02)


def test_a_season_is_found_where_there_is_one() -> None:
    indices = models.season_of(SEASON, 12)

    assert indices is not None
    np.testing.assert_allclose(indices, 1 + 0.3 * np.sin(2 * np.pi * np.arange(12) / 12), atol=0.06)
    assert models.season_of(DRAW.normal(50, 3, 80), 12) is None
    assert models.season_of(SEASON[:20], 12) is None


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (TREND, "smooth"),
        (DRAW.lognormal(2, 1.2, 60), "erratic"),
        (np.tile([4.0, 0.0, 0.0], 20), "intermittent"),
        (np.where(np.arange(60) % 3 == 0, DRAW.lognormal(2, 1.2, 60), 0.0), "lumpy"),
    ],
)
def test_kinds_of_demand(values: np.ndarray, kind: str) -> None:
    assert kind_of(values) == kind
    assert default_for(values, 12) == ("theta" if kind == "smooth" else "ses")


METHODS = models.forecasts(["naive", "mean", "ses", "theta"])


def test_a_method_that_was_far_better_replaces_the_default() -> None:
    """A line goes on: only Theta knows the slope."""
    values = 10.0 * np.arange(60) + DRAW.normal(0, 1, 60)

    choice = choose(values, 4, 12, 4, METHODS, "mean")

    assert not choice.is_default
    assert choice.model in ("theta", "naive")
    assert choice.errors.shape == (4, 4)


def test_what_chance_explains_replaces_nothing() -> None:
    kept = [choose(DRAW.normal(50, 3, 60), 4, 12, 4, METHODS, "ses").is_default for _ in range(40)]

    assert sum(kept) >= 36


def test_with_two_origins_the_default_stays() -> None:
    assert choose(np.arange(20.0), 5, 12, 4, METHODS, "mean").is_default


def test_gaps_are_nothing_sold_or_lie_between_their_neighbours() -> None:
    rows = pd.DataFrame({"place": [5, 2], "quantity": [8.0, 2.0]})

    assert filled(rows, 2, 6, "zero").tolist() == [2, 0, 0, 8, 0]
    assert filled(rows, 2, 6, "interpolate").tolist() == [2, 4, 6, 8, 8]


def test_methods_of_statsforecast_join_where_it_is_installed() -> None:
    found = models.forecasts(["auto_theta", "auto_ets"])

    for method in found.values():
        assert np.abs(method(TREND, 4, 1) - (50 + 0.4 * np.arange(80, 84))).max() < 5


def test_without_statsforecast_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)

    with pytest.raises(ConfigurationError, match=r"auto_ets is of the package statsforecast.*otklik\[forecast\]"):
        models.forecasts(["naive", "auto_ets"])
