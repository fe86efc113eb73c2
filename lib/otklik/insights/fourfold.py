"""Vectorised tests of two-by-two tables of counts: how often two things occur, and how often together.

Each table is given by four integers: `both` (rows with both), `first` and `second` (rows with each), `rows` (all).
Arrays of tables are tested in one call; the cost does not depend on the number of counted rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from otklik.inference import NORMAL_95

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

#: Tables count as equally likely within this relative distance, as in R's fisher.test.
_EQUALLY_LIKELY = 1e-7


def lift(both: Counts | Floats, first: Counts | Floats, second: Counts | Floats, rows: float) -> Floats:
    """Lift: the joint share relative to independence; NaN if one of them never occurs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(both * float(rows) / (first.astype(np.float64) * second))


def lift_interval(both: Counts, first: Counts, second: Counts, rows: int) -> tuple[Floats, Floats]:
    """95 % interval of the lift: delta method on its logarithm, with multinomial counts.

    NaN if both never occur together.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share, one, other = both / rows, first / rows, second / rows
        # Gradient of log(share) - log(one) - log(other) in the three cells in which it is not 0; its mean is -1.
        spread = (
            share * (1 / share - 1 / one - 1 / other) ** 2 + (one - share) / one**2 + (other - share) / other**2 - 1.0
        ) / rows
        reach = np.exp(NORMAL_95 * np.sqrt(np.maximum(spread, 0.0)))
        estimate = np.where(both > 0, lift(both, first, second, rows), np.nan)
        return estimate / reach, estimate * reach


def chi_square_test(both: Counts, first: Counts, second: Counts, rows: int) -> Floats:
    """p-values of Pearson's chi-square test of independence, two-sided, without continuity correction.

    1 if a table has an empty row or column: nothing can be tested.
    """
    one, other, total = first.astype(np.float64), second.astype(np.float64), float(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (both * total - one * other) ** 2 * total / (one * other * (total - one) * (total - other))
    return np.where(np.isfinite(statistic), stats.chi2.sf(np.nan_to_num(statistic), 1), 1.0)


def fisher_test(both: Counts, first: Counts, second: Counts, rows: int) -> Floats:
    """Two-sided p-values of Fisher's exact test: the sum over tables with the same margins that are no more likely."""
    low, high = np.maximum(0, first + second - rows), np.minimum(first, second)
    mode = np.clip((first + 1) * (second + 1) // (rows + 2), low, high)

    def log_pmf(count: Counts) -> Floats:
        return np.asarray(stats.hypergeom.logpmf(count, rows, first, second))

    limit = log_pmf(both) + _EQUALLY_LIKELY
    # Probabilities decrease on each side of the mode: find the tail of tables that are no more likely.
    lower_end = _last_where(lambda count: log_pmf(count) <= limit, low - 1, mode)
    upper_start = -_last_where(lambda count: log_pmf(-count) <= limit, -high - 1, -mode)
    lower = np.where(lower_end >= low, stats.hypergeom.cdf(lower_end, rows, first, second), 0.0)
    upper = np.where(upper_start <= high, stats.hypergeom.sf(upper_start - 1, rows, first, second), 0.0)
    return np.where((lower_end >= mode) | (upper_start <= mode), 1.0, np.minimum(lower + upper, 1.0))


def _last_where(holds: Callable[[Counts], npt.NDArray[np.bool_]], below: Counts, last: Counts) -> Counts:
    """The largest count up to `last` for which a condition holds, by bisection; the condition must hold up to a limit.

    `below` if it holds for none.
    """
    known, open_end = below.copy(), last.copy()
    while (known < open_end).any():
        middle = (known + open_end + 1) // 2
        is_held = holds(middle)
        known = np.where(is_held & (known < open_end), middle, known)
        open_end = np.where(~is_held & (known < open_end), middle - 1, open_end)
    return known
