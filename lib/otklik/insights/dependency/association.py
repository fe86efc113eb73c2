"""Association of two columns from tables of counts: strength, interval, test; also within strata. Imports no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from otklik.inference import NORMAL_95
from otklik.insights.dependency.coding import Codes

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)

_REPLICATES = 200


@dataclass(frozen=True)
class AssociationEstimate:
    """A number with its 95 % interval, and its value for independent columns."""

    value: float
    low: float
    high: float
    chance: float = 0.0


def without_empty(table: Counts) -> Counts:
    """The table without rows and columns of zeros."""
    filled: Counts = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return filled


def freedom(table: Counts) -> int:
    """Degrees of freedom of a table without empty rows and columns."""
    rows, columns = table.shape
    return int((rows - 1) * (columns - 1))


def chi_square(tables: Counts | Floats) -> Floats:
    """Pearson's statistic of tables (…, rows, columns); cells with an expected count of 0 are ignored."""
    rows, columns = tables.sum(axis=-1, keepdims=True), tables.sum(axis=-2, keepdims=True)
    total = tables.sum(axis=(-2, -1), keepdims=True)
    expected = np.divide(rows * columns, total, out=np.zeros(np.broadcast_shapes(tables.shape)), where=total > 0)
    parts = np.divide((tables - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0)
    return np.asarray(parts.sum(axis=(-2, -1)))


def chi_square_test(table: Counts) -> float:
    """p-value of Pearson's test of independence; 1 if a table has fewer than two rows or columns."""
    filled = without_empty(table)
    return float(stats.chi2.sf(chi_square(filled), freedom(filled))) if min(filled.shape) > 1 else 1.0


def mutual_information(table: Counts) -> float:
    """Mutual information of rows and columns, in nats."""
    share = table / table.sum()
    independent = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    is_filled = share > 0
    return float((share[is_filled] * np.log(share[is_filled] / independent[is_filled])).sum())


def midranks(counts: Counts | Floats) -> Floats:
    """(…, grades) mean rank of each grade, from 0 to 1, given its number of rows."""
    total = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return np.asarray((np.cumsum(counts, axis=-1) - counts / 2) / total)


def spearman(tables: Counts | Floats) -> Floats:
    """Rank correlation of rows and columns of tables (…, rows, columns); NaN if one of them is constant."""
    first, second = midranks(tables.sum(axis=-1)) - 0.5, midranks(tables.sum(axis=-2)) - 0.5
    together = np.einsum("...ij,...i,...j->...", tables, first, second)
    spread = np.einsum("...ij,...i->...", tables, first**2) * np.einsum("...ij,...j->...", tables, second**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(together / np.sqrt(spread))


@dataclass(frozen=True)
class Association:
    """Two columns.

    Attributes:
        rows: customers who have both.
        spearman: rank correlation, where both have an order.
        cramers_v: of the table of parts.
        mutual_information: nats; its interval is not known.
        p_value: of Pearson's chi-square test.
    """

    rows: int
    spearman: AssociationEstimate | None
    cramers_v: AssociationEstimate
    mutual_information: AssociationEstimate
    p_value: float


def association(
    fine: Counts, parts: tuple[Codes, Codes], *, is_ordered: bool, draw: np.random.Generator
) -> Association:
    """Association of two columns.

    Intervals are percentiles of bootstrap tables: rows drawn with replacement have multinomial counts. Resampling adds
    as much to the chi-square statistic as chance does; this bias is subtracted.

    Args:
        fine: counts by fine bins of the first and of the second column.
        parts: the coarse bin of each fine bin of both.
        is_ordered: whether both are ordered.
        draw: generator of the bootstrap.
    """
    rows = int(fine.sum())
    table = without_empty(coarse(fine, parts))
    if rows == 0 or min(table.shape) < 2:
        nothing = AssociationEstimate(0.0, 0.0, 0.0)
        return Association(rows, None, nothing, nothing, 1.0)
    statistic, degrees = float(chi_square(table)), freedom(table)
    most = rows * (min(table.shape) - 1)
    filled = np.flatnonzero(fine)
    resampled = np.zeros((_REPLICATES, fine.size))
    resampled[:, filled] = draw.multinomial(rows, fine.ravel()[filled] / rows, size=_REPLICATES)
    resampled = resampled.reshape(_REPLICATES, *fine.shape)
    squared = np.maximum(chi_square(coarse(resampled, parts)) - degrees, 0.0) / most
    cramers_v = AssociationEstimate(
        float(np.sqrt(statistic / most)), *_percentiles(np.sqrt(squared)), float(np.sqrt(degrees / most))
    )
    information = mutual_information(table)
    return Association(
        rows,
        AssociationEstimate(float(spearman(fine)), *_percentiles(spearman(resampled))) if is_ordered else None,
        cramers_v,
        AssociationEstimate(information, np.nan, np.nan, degrees / (2 * rows)),
        chi_square_test(table),
    )


def coarse(fine: npt.NDArray[Number], parts: tuple[Codes, Codes]) -> npt.NDArray[Number]:
    """Tables of grades (…, rows, columns) as tables of parts."""
    for axis, of_grades in zip((-2, -1), parts, strict=True):
        starts = np.flatnonzero(np.diff(of_grades, prepend=-1))
        fine = np.add.reduceat(fine, starts, axis=axis)
    return fine


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Conditional:
    """Association of two columns given others: within strata.

    Attributes:
        spearman: pooled rank correlation within strata, if both columns are ordered.
        cramers_v: pooled V within strata, without an interval.
        p_value: p-value of the Cochran-Mantel-Haenszel test of general association (Landis, Heyman, Koch 1978).
    """

    spearman: AssociationEstimate | None
    cramers_v: AssociationEstimate
    p_value: float


def conditional(strata: Counts, *, is_ordered: bool) -> Conditional:
    """Association of two columns given the confounders.

    Args:
        strata: (strata, rows, columns) counts.
        is_ordered: whether both have an order.
    """
    whole = strata.sum(axis=0)
    strata = strata[:, whole.sum(axis=1) > 0][:, :, whole.sum(axis=0) > 0]
    strata = strata[strata.sum(axis=(1, 2)) > 1]
    rows, smaller = int(strata.sum()), min(strata.shape[1:]) - 1
    if not rows or smaller < 1:
        return Conditional(None, AssociationEstimate(0.0, np.nan, np.nan), 1.0)
    most = rows * smaller
    degrees = sum(freedom(without_empty(one)) for one in strata)
    pooled = AssociationEstimate(
        float(np.sqrt(chi_square(strata).sum() / most)), np.nan, np.nan, float(np.sqrt(degrees / most))
    )
    return Conditional(_pooled_spearman(strata) if is_ordered else None, pooled, cmh_test(strata))


def _pooled_spearman(strata: Counts) -> AssociationEstimate | None:
    """Correlation of ranks within strata; the interval is Fisher's with the variance of Bonett and Wright (2000)."""
    first, second = midranks(strata.sum(axis=2)) - 0.5, midranks(strata.sum(axis=1)) - 0.5
    together = np.einsum("sij,si,sj->", strata, first, second)
    spread = np.einsum("sij,si->", strata, first**2) * np.einsum("sij,sj->", strata, second**2)
    freedom_left = int(strata.sum()) - len(strata) - 2
    if not spread or freedom_left < 1:
        return None
    value = float(together / np.sqrt(spread))
    middle = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    reach = NORMAL_95 * np.sqrt((1 + value**2 / 2) / freedom_left)
    return AssociationEstimate(value, float(np.tanh(middle - reach)), float(np.tanh(middle + reach)))


def cmh_test(strata: Counts) -> float:
    """p-value of the Cochran-Mantel-Haenszel test of general association over tables (strata, rows, columns)."""
    rows, columns = strata.sum(axis=2).astype(float), strata.sum(axis=1).astype(float)
    total = strata.sum(axis=(1, 2)).astype(float)
    expected = rows[:, :, None] * columns[:, None, :] / total[:, None, None]
    apart = (strata - expected).sum(axis=0)[:-1, :-1].ravel()
    weight = 1 / (total**2 * (total - 1))
    of_rows = total[:, None, None] * _diagonals(rows) - rows[:, :, None] * rows[:, None, :]
    of_columns = total[:, None, None] * _diagonals(columns) - columns[:, :, None] * columns[:, None, :]
    spread = np.einsum("s,sij,skl->ikjl", weight, of_rows[:, :-1, :-1], of_columns[:, :-1, :-1])
    matrix = spread.reshape(len(apart), len(apart))
    degrees = int(np.linalg.matrix_rank(matrix))
    if degrees == 0:
        return 1.0
    return float(stats.chi2.sf(apart @ np.linalg.pinv(matrix, hermitian=True) @ apart, degrees))


def _diagonals(values: Floats) -> Floats:
    return np.asarray(values[:, :, None] * np.eye(values.shape[1]))


def permuted(table: Counts, draw: np.random.Generator) -> Counts:
    """A table with the same margins and one column permuted at random."""
    filled = without_empty(table)
    shuffled = stats.random_table(filled.sum(axis=1), filled.sum(axis=0)).rvs(1, method="patefield", random_state=draw)
    return np.asarray(shuffled[0]).astype(np.int64)
