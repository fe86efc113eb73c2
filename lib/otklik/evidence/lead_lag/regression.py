"""Distributed lags of a signal, controlling for the outcome's own past and seasons. Imports no Spark.

y(t) = season(t) + Σ own(i) · y(t − i) + Σ effect(k) · s(t − k) + noise

Sources: Granger 1969, "Investigating causal relations by econometric models and cross-spectral methods", for testing
what a signal adds to the outcome's own past; Sims 1972, "Money, income, and causality", for its later values as the
placebo; Toda & Yamamoto 1995, "Statistical inference in vector autoregressions with possibly integrated processes", for
one more, untested lag of both: without it two random walks explain each other. Standard errors are robust to
heteroscedasticity (White 1980, HC1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from otklik.inference import Estimate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """An outcome and a signal per period, and seasonal regressors.

    Attributes:
        outcome: (periods,).
        signal: (periods,), of mean 0 and standard deviation 1.
        season: (periods, columns).
        own_lags: number of lags of the outcome.
        lags: number of lags of the signal.
    """

    outcome: Floats
    signal: Floats
    season: Floats
    own_lags: int
    lags: int

    @property
    def first(self) -> int:
        """The first period that has all lags."""
        return max(self.own_lags, self.lags) + 1

    def base(self, last: int) -> Floats:
        """Season and own past of the periods from the first to before the last."""
        own = [self.outcome[self.first - lag : last - lag] for lag in range(1, self.own_lags + 2)]
        return np.column_stack([self.season[self.first : last], *own])

    def lagged(self, last: int, lags: Sequence[int]) -> Floats:
        """The signal `lag` periods earlier; a negative lag is a later period."""
        return np.column_stack([self.signal[self.first - lag : last - lag] for lag in lags])


def effects(series: Series, alpha: float) -> tuple[list[Estimate], float]:
    """Effect of each lag 1 … lags, and the p-value of the test that all are 0."""
    last = len(series.outcome)
    tested = series.lagged(last, range(1, series.lags + 1))
    rest = np.column_stack([series.base(last), series.lagged(last, [0, series.lags + 1])])
    return _tested(series.outcome[series.first : last], tested, rest, alpha)


def placebo(series: Series, alpha: float) -> tuple[list[Estimate], float]:
    """The same test for the signal 1 … lags periods after the outcome, controlling for all earlier values."""
    last = len(series.outcome) - series.lags
    tested = series.lagged(last, [-lead for lead in range(1, series.lags + 1)])
    rest = np.column_stack([series.base(last), series.lagged(last, range(series.lags + 2))])
    return _tested(series.outcome[series.first : last], tested, rest, alpha)


def gain(series: Series, holdout: int, block: int, seed: int) -> Estimate:
    """Reduction of the squared error of one-period forecasts by the signal, out of sample.

    Each forecast is fitted to all earlier periods. The interval is from a block bootstrap; p is one-sided, of the test
    that the signal reduces nothing (Clark & West 2007, "Approximately normal tests for equal predictive accuracy in
    nested models"), which corrects for the noise of superfluous regressors.
    """
    last = len(series.outcome)
    y, base = series.outcome[series.first :], series.base(last)
    whole = np.column_stack([base, series.lagged(last, range(1, series.lags + 1))])
    cut = len(y) - holdout
    said = [_one_ahead(y, columns, cut) for columns in (base, whole)]
    without, having = ((y[cut:] - one) ** 2 for one in said)
    adjusted = without - having + (said[0] - said[1]) ** 2
    p = float(stats.norm.sf(math.sqrt(holdout) * adjusted.mean() / adjusted.std(ddof=1)))
    draws = np.random.default_rng(seed)
    starts = draws.integers(0, holdout - block + 1, (1000, math.ceil(holdout / block)))
    places = (starts[:, :, np.newaxis] + np.arange(block)).reshape(1000, -1)
    drawn = 1 - having[places].sum(axis=1) / without[places].sum(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(1 - float(having.sum() / without.sum()), float(low), float(high), p)


def season_columns(periods: int, per_week: int, per_year: float, harmonics: int) -> Floats:
    """Constant, trend, days of the week (of days) and waves of the year, (periods, columns)."""
    t = np.arange(periods)
    columns = [np.ones(periods), t / periods - 0.5]
    columns += [(t % per_week == day).astype(np.float64) for day in range(1, per_week)]
    if periods >= 1.5 * per_year:
        angles = 2 * np.pi * t / per_year
        columns += [wave(k * angles) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.column_stack(columns)


def _tested(y: Floats, tested: Floats, rest: Floats, alpha: float) -> tuple[list[Estimate], float]:
    columns = np.column_stack([tested, rest])
    inverse = np.linalg.pinv(columns.T @ columns)
    found = inverse @ columns.T @ y
    freedom = len(y) - int(np.linalg.matrix_rank(columns))
    scored = columns * (y - columns @ found)[:, np.newaxis]
    spread = inverse @ (scored.T @ scored) @ inverse * len(y) / freedom
    count = tested.shape[1]
    own, part = found[:count], spread[:count, :count]
    statistic = float(own @ np.linalg.pinv(part) @ own) / count
    estimates = [
        Estimate.around(float(own[place]), math.sqrt(part[place, place]), alpha, freedom) for place in range(count)
    ]
    return estimates, float(stats.f.sf(statistic, count, freedom))


def _one_ahead(y: Floats, columns: Floats, cut: int) -> Floats:
    """Forecast of each period from `cut` on, fitted to those before it; sums grow by one period at a time."""
    gram, cross = columns[:cut].T @ columns[:cut], columns[:cut].T @ y[:cut]
    trace = 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    said = []
    for place in range(cut, len(y)):
        row = columns[place]
        said.append(float(row @ np.linalg.solve(gram + trace, cross)))
        gram, cross = gram + np.outer(row, row), cross + row * y[place]
    return np.array(said)
