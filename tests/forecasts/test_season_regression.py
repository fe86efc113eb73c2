"""The regression of daily quantities, against statsmodels on the same days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from otklik.forecasts.season.regression import Design, Fit, design_of, fit, indices_of, p_of

DRAW = np.random.default_rng(12)
DAYS = pd.DataFrame({"day": np.arange(280)})
DAYS["weekday"] = DAYS["day"] % 7 + 1
DAYS["price"] = DRAW.uniform(2, 4, len(DAYS))
DAYS["is_promotion"] = DRAW.integers(0, 2, len(DAYS)).astype(float)
WEEKDAYS = np.array([0.5, 0.8, 1.0, 1.1, 1.6, 1.4, 0.6])
MEAN = 60 * WEEKDAYS[DAYS["weekday"] - 1] * 1.001 ** DAYS["day"] * DAYS["price"] ** -1.5 * 1.3 ** DAYS["is_promotion"]
QUANTITY = DRAW.poisson(MEAN).astype(float)
WEEKS = (DAYS["day"] // 7).to_numpy()


@pytest.fixture(scope="module")
def fitted() -> tuple[Design, Fit]:
    design = design_of(DAYS, ["weekday"])
    return design, fit(design, QUANTITY, WEEKS)


def test_it_is_the_poisson_regression_of_statsmodels(fitted: tuple[Design, Fit]) -> None:
    design, ours = fitted

    reference = sm.GLM(QUANTITY, design.columns, family=sm.families.Poisson()).fit(
        cov_type="cluster", cov_kwds={"groups": WEEKS, "use_correction": False}
    )

    np.testing.assert_allclose(ours.coefficients, reference.params, atol=1e-5)
    factor = np.sqrt(40 / 39)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), factor * reference.bse, rtol=1e-3)


def test_planted_indices_lie_in_their_intervals(fitted: tuple[Design, Fit]) -> None:
    rows = indices_of(*fitted, "weekday")

    inside = [low < index < high for index, (_, _, low, high) in zip(WEEKDAYS / WEEKDAYS.mean(), rows, strict=True)]
    assert sum(inside) >= 6
    assert np.mean([row[1] for row in rows]) == pytest.approx(1)
    assert p_of(*fitted, "weekday") < 1e-6


def test_price_and_promotion_are_told_apart_from_the_weekday(fitted: tuple[Design, Fit]) -> None:
    design, ours = fitted
    price, promotion = design.parts["price"][0][1], design.parts["is_promotion"][0][1]
    assert price is not None and promotion is not None

    assert ours.coefficients[price] == pytest.approx(-1.5, abs=0.15)
    assert np.exp(ours.coefficients[promotion]) == pytest.approx(1.3, abs=0.1)


def test_shuffled_days_have_no_weekday() -> None:
    p = []
    some = DAYS[["day", "weekday"]].head(112)
    for _ in range(100):
        design = design_of(some, ["weekday"])
        p.append(p_of(design, fit(design, DRAW.permutation(QUANTITY)[:112], WEEKS[:112]), "weekday"))

    assert np.mean(np.array(p) < 0.05) <= 0.1
