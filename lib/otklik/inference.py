"""Shared statistics: estimates with intervals, shares, q-values of many tests. Imports no Spark."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
#: Normal quantile of a two-sided 95 % interval.
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and the two-sided p-value that it is 0; NaN if there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan

    @classmethod
    def around(cls, value: float, error: float, alpha: float = 0.05, freedom: float = math.inf) -> Estimate:
        """From its standard error, normal or, with degrees of freedom, by Student's t."""
        if not error > 0:
            return cls(value, value, value)
        is_normal = math.isinf(freedom)
        reach = error * float(special.ndtri(1 - alpha / 2) if is_normal else special.stdtrit(freedom, 1 - alpha / 2))
        beyond = -abs(value) / error
        p = 2 * float(special.ndtr(beyond) if is_normal else special.stdtr(freedom, beyond))
        return cls(value, value - reach, value + reach, p)

    @classmethod
    def by_jackknife(cls, values: Floats) -> Estimate:
        """From the number for all rows, followed by those leaving out each group of rows (Tukey 1958)."""
        whole, left_out = float(values[0]), values[1:]
        count = len(left_out)
        if count < 2:
            return cls(whole)
        error = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
        return cls.around(whole, error, freedom=count - 1) if math.isfinite(error) else cls(whole)

    @property
    def is_beyond_nought(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def by(self, factor: float, plus: float = 0.0) -> Estimate:
        """The number times a factor, which is not negative, plus another."""
        return Estimate(*(factor * end + plus for end in (self.value, self.low, self.high)))


def known(value: float) -> float | None:
    """A number for a table; None for NaN."""
    return float(value) if math.isfinite(value) else None


def wilson(positives: npt.ArrayLike, rows: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The 95 % interval of a share (Wilson 1927): right near 0 and 1 and for few rows, where p ± 2·SE is not."""
    yes, n = np.asarray(positives, dtype=float), np.asarray(rows, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = yes / n
        middle = (share + NORMAL_95**2 / (2 * n)) / (1 + NORMAL_95**2 / n)
        half = NORMAL_95 / (1 + NORMAL_95**2 / n) * np.sqrt(share * (1 - share) / n + NORMAL_95**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def q_values(p_values: npt.ArrayLike, tests: int | None = None) -> Floats:
    """False discovery rate if everything up to each p-value counts as a discovery (Benjamini & Hochberg 1995).

    Args:
        p_values: NaN stays NaN and does not count as a test; p-values that are left out are larger than all of these.
        tests: number of tests; default: the number of p-values.
    """
    p = np.asarray(p_values, dtype=float)
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    raw = p[order] * (len(known) if tests is None else tests) / np.arange(1, len(known) + 1)
    found[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return found
