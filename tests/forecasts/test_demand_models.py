"""Methods for one series, against statsforecast on the same values, and which one is chosen."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from statsforecast import models as reference

from otklik.errors import ConfigurationError
from otklik.forecasts.demand import models
from otklik.forecasts.demand.choice import Defaults, chosen, defaults_of, kind_of
from otklik.forecasts.demand.pooled import KNOWN, coefficients_of, pooled, products_of
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


# --- which method


def tried(spark: SparkSession, **errors: list[list[float]]) -> DataFrame:
    """Errors of each method: a list per series, from the hold-out (back 1) to ever earlier origins."""
    rows = [
        (f"s{place}", model, back, float(error))
        for model, of_series in errors.items()
        for place, of_one in enumerate(of_series)
        for back, error in enumerate(of_one, start=1)
    ]
    return spark.createDataFrame(rows, "series string, model string, back int, error double")


def test_all_start_from_the_method_that_was_best_before_the_hold_out(spark: SparkSession) -> None:
    """In the hold-out `naive` would be best; one series that nobody can forecast outweighs nothing."""
    rows = tried(spark, naive=[[0.1, 1.0, 1.0], [0.1, 1.0, 90.0]], mean=[[5.0, 0.5, 0.5], [5.0, 0.5, 99.0]])

    found = defaults_of(rows, ["naive", "mean"], 2)

    assert found.model == {"holdout": "mean", "next": "naive"}
    assert found.errors["holdout"]["naive"] == pytest.approx(90 ** (1 / 4))


def test_without_an_earlier_origin_the_first_method_forecasts(spark: SparkSession) -> None:
    found = defaults_of(tried(spark, naive=[[1.0]], mean=[[0.5]]), ["naive", "mean"], 4)

    assert found.model == {"holdout": "naive", "next": "mean"}
    assert found.errors["holdout"] == {}


def models_of(rows: DataFrame, origins: int) -> dict[tuple[str, str], tuple[str, bool]]:
    defaults = Defaults({"holdout": "mean", "next": "mean"}, {})
    found = chosen(rows, defaults, ["naive", "mean", "ses"], origins).collect()
    return {(row.series, row.part): (row.model, row.is_default) for row in found}


def test_another_method_takes_over_where_it_was_better_beyond_chance(spark: SparkSession) -> None:
    """Of the first series each origin says so, of the second one of four; the third has two origins only."""
    rows = tried(
        spark,
        mean=[[9.0, 2.0, 2.1, 1.9, 2.0], [9.0, 2.0, 2.1, 1.9, 2.0], [9.0, 2.0, 2.1]],
        ses=[[9.0, 1.0, 1.0, 1.0, 1.1], [9.0, 2.0, 2.2, 1.9, 0.1], [9.0, 1.0, 1.0]],
    )

    found = models_of(rows, 4)

    assert found["s0", "holdout"] == ("ses", False)
    assert found["s1", "holdout"] == ("mean", True)
    assert found["s2", "holdout"] == ("mean", True)


def test_what_chance_explains_replaces_nothing(spark: SparkSession) -> None:
    draw = np.random.default_rng(5).lognormal(0, 0.3, (3, 200, 6))
    rows = tried(spark, **{name: of_one.tolist() for name, of_one in zip(("naive", "mean", "ses"), draw, strict=True)})

    found = models_of(rows, 4)

    assert np.mean([is_default for _, is_default in found.values()]) > 0.93


# --- all series together


def known_of(values: np.ndarray, ahead: int) -> np.ndarray:
    return np.zeros((len(values) + ahead, KNOWN))


def products(series: Sequence[np.ndarray], ahead: int, backs: int) -> np.ndarray:
    return products_of([(values, known_of(values, ahead)) for values in series], ahead, 12, backs)


SERIES = [np.random.default_rng(seed).normal(50 + seed, 5, 40).cumsum() / 10 + 50 for seed in range(12)]


def test_the_pooled_model_forecasts_nearly_as_well_as_the_rule_behind_the_series() -> None:
    """Half of the way back to 100 in each period: no method for one series knows that, all series together tell it."""
    draw, series = np.random.default_rng(6), []
    for _ in range(30):
        walk = [100.0]
        for _ in range(120):
            walk.append(100 + 0.5 * (walk[-1] - 100) + draw.normal(0, 4))
        series.append(np.array(walk))
    parts = [products(some, 3, 1) for some in (series[:10], series[10:20])]
    whole = products(series[:20], 3, 1)
    coefficients = coefficients_of(whole)[0]

    np.testing.assert_allclose(parts[0] + parts[1], whole, rtol=1e-9, atol=1e-6)
    errors = np.zeros((3, 3))
    for values in series[20:]:
        for end in range(60, 118):
            past, coming = values[:end], values[end : end + 3]
            behind = 100 + (past[-1] - 100) * 0.5 ** np.arange(1, 4)
            said = (pooled(past, known_of(past, 3), 3, 12, coefficients), behind, models.ses_fitted(past, 3, 12))
            errors += [np.abs(coming - one) for one in said]
    assert (errors[0] < 1.08 * errors[1]).all()
    assert errors[0][0] < 0.97 * errors[2][0]


def test_what_comes_after_an_origin_teaches_it_nothing() -> None:
    """Three origins, four periods apart: the last eight values are seen by fewer of them."""
    other = [np.concatenate([values[:-8], DRAW.normal(50, 20, 8)]) for values in SERIES]

    before, after = (products(series, 4, 3) for series in (SERIES, other))

    np.testing.assert_allclose(before[2], after[2], rtol=1e-12)
    assert not np.allclose(before[1], after[1])


def test_a_series_that_stood_still_teaches_nothing_and_is_forecast_as_it_is() -> None:
    still = np.full(30, 7.0)

    assert not products([still], 2, 2).any()
    assert pooled(still, known_of(still, 2), 2, 12, coefficients_of(products(SERIES, 2, 1))[0]).tolist() == [7.0, 7.0]


def test_what_a_planned_price_does_is_learnt_from_all_series() -> None:
    """At half the price twenty more are sold; the next period has that price."""
    draw, series = np.random.default_rng(7), []
    for _ in range(20):
        known = np.zeros((84, KNOWN))
        known[:, 1] = np.log(np.where(draw.random(84) < 0.2, 0.5, 1.0))
        series.append((100 - 20 * known[:80, 1] / np.log(2) + draw.normal(0, 3, 80), known))
    coefficients = coefficients_of(products_of(series[1:], 4, 12, 1))[0]
    values, known = series[0]
    known[80:, 1] = [np.log(0.5), 0.0, np.log(0.5), 0.0]

    found = pooled(values, known, 4, 12, coefficients)

    assert found == pytest.approx([120, 100, 120, 100], abs=3)


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

    with pytest.raises(ConfigurationError, match=r"auto_ets needs the package statsforecast.*otklik\[forecast\]"):
        models.forecasts(["naive", "auto_ets"])
