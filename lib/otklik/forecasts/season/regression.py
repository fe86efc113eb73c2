"""Daily quantities as level × trend × indices: a quasi-Poisson regression with standard errors clustered by week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Floats = npt.NDArray[np.float64]

_STEPS = 50


@dataclass(frozen=True, eq=False)
class Design:
    """The columns of the regression.

    Attributes:
        columns: (days, columns), the first one is 1.
        parts: name of each part → its levels and their columns; the first level of a part has none.
    """

    columns: Floats
    parts: dict[str, list[tuple[int, int | None]]]


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Attributes:
        coefficients: natural logarithms.
        covariance: sandwich estimator, clustered by week (Liang & Zeger 1986).
        weeks: number of weeks; with few of them the sandwich itself is uncertain.
    """

    coefficients: Floats
    covariance: Floats
    weeks: int

    @property
    def reach(self) -> float:
        """Half the width of a 95 % interval, in standard errors."""
        return float(stats.t.ppf(0.975, max(self.weeks - 1, 1)))


def design_of(days: pd.DataFrame, parts: list[str]) -> Design:
    """Columns for days: a linear trend, the parts that vary, logarithm of price, promotion.

    Args:
        days: day (consecutive whole numbers), and the columns of parts; perhaps price, is_promotion.
        parts: columns that are levels.
    """
    count = len(days)
    columns = [np.ones(count), (days["day"].to_numpy(float) - days["day"].mean()) / 365.25]
    found: dict[str, list[tuple[int, int | None]]] = {}
    for part in parts:
        levels = sorted(set(days[part].tolist()))
        if len(levels) < 2:
            continue
        places: list[tuple[int, int | None]] = [(int(levels[0]), None)]
        for level in levels[1:]:
            places.append((int(level), len(columns)))
            columns.append((days[part].to_numpy() == level).astype(float))
        found[part] = places
    for name, values in (("price", np.log), ("is_promotion", np.asarray)):
        if name in days.columns and days[name].nunique() > 1:
            found[name] = [(1, len(columns))]
            columns.append(np.asarray(values(days[name].to_numpy(float)), float))
    return Design(np.column_stack(columns), found)


def fit(design: Design, quantities: Floats, weeks: npt.NDArray[np.int64]) -> Fit:
    """Iteratively reweighted least squares with a log link and a tiny ridge penalty."""
    x = design.columns
    ridge = 1e-6 * np.diag([0.0, *np.ones(x.shape[1] - 1)])
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(max(quantities.mean(), 1e-9))
    for _ in range(_STEPS):
        mean = np.exp(np.clip(x @ beta, -30, 30))
        step = np.linalg.solve(
            (x * mean[:, np.newaxis]).T @ x / mean.sum() + ridge, x.T @ (quantities - mean) / mean.sum()
        )
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    mean = np.exp(np.clip(x @ beta, -30, 30))
    bread = np.linalg.pinv((x * mean[:, np.newaxis]).T @ x)
    _, place = np.unique(weeks, return_inverse=True)
    scores = np.zeros((place.max() + 1, x.shape[1]))
    np.add.at(scores, place, x * (quantities - mean)[:, np.newaxis])
    clusters = len(scores)
    covariance = bread @ (scores.T @ scores) @ bread * clusters / max(clusters - 1, 1)
    return Fit(beta, covariance, clusters)


def indices_of(design: Design, fitted: Fit, part: str) -> list[tuple[int, float, float, float]]:
    """level, index, low, high of a part: 1 is the mean over its levels."""
    places = design.parts[part]
    pick = np.zeros((len(places), len(fitted.coefficients)))
    for row, (_, column) in enumerate(places):
        if column is not None:
            pick[row, column] = 1.0
    if len(places) > 1:
        pick -= pick.mean(axis=0)
    logs = pick @ fitted.coefficients
    # Indices have mean 1, not their logarithms.
    shift = np.log(np.exp(logs).mean()) if len(places) > 1 else 0.0
    errors = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", pick, fitted.covariance, pick), 0.0))
    return [
        (
            level,
            float(np.exp(log - shift)),
            float(np.exp(log - shift - fitted.reach * error)),
            float(np.exp(log - shift + fitted.reach * error)),
        )
        for (level, _), log, error in zip(places, logs, errors, strict=True)
    ]


def p_of(design: Design, fitted: Fit, part: str) -> float:
    """Wald test that all levels of a part are equal, with Hotelling's distribution: weeks are the observations."""
    columns = [column for _, column in design.parts[part] if column is not None]
    beta = fitted.coefficients[columns]
    chi2 = float(beta @ np.linalg.pinv(fitted.covariance[np.ix_(columns, columns)]) @ beta)
    levels, free = len(columns), fitted.weeks - len(columns)
    return float(stats.f.sf(chi2 * free / (levels * (fitted.weeks - 1)), levels, free)) if free > 0 else 1.0
