"""Have the inputs drifted since training? The population stability index of every feature, from counts in bins.

Bins are set on the training rows (deciles and missing for numbers; the commonest levels, the others and missing for
names), kept with the model, and counted again on the rows to score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import DamagedError
from otklik.lake.store import sql_double, sql_text
from otklik.models.prepare import MISSING, OTHER, levels_of

#: What the model's own score is called among the features.
SCORE = "raw_score"
#: Shares of training rows at which the bins of a number are cut.
_DECILES = [tenth / 10 for tenth in range(1, 10)]
#: Half a row is added to every bin on both sides, so that an empty bin is rare and not impossible (Jeffreys).
_SMOOTHING = 0.5
#: Probability of finding drift where there is none.
_BY_CHANCE = 0.01
#: Exact deciles hold every different value in memory, so they are taken from about this many rows, chosen by key.
_ROWS_FOR_DECILES = 100_000


@dataclass(frozen=True)
class Bins:
    """How the values of one feature are binned.

    Attributes:
        feature: the column.
        edges: numbers: ascending cut points; bin i ends at edges[i], inclusive, and the last bin takes the rest.
        levels: categories: the levels with their own bin; None for numbers.
    """

    feature: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The bins in order, MISSING last."""
        if self.levels is not None:
            return (*self.levels, OTHER, MISSING)
        return (*(f"<= {edge:.6g}" for edge in self.edges), "above", MISSING)

    def bin_of(self) -> Column:
        """Index of a row's bin in `names`; NaN is missing."""
        # As a text it is one call to Java; as columns three for each bin of each feature.
        missing = len(self.names) - 1
        if self.levels is not None:
            value = f"`{self.feature}`"
            is_missing = f"{value} IS NULL"
            places = [f"WHEN {value} = {sql_text(level)} THEN {index}" for index, level in enumerate(self.levels)]
        else:
            value = f"CAST(`{self.feature}` AS DOUBLE)"
            is_missing = f"{value} IS NULL OR isnan({value})"
            places = [f"WHEN {value} <= {sql_double(edge)} THEN {index}" for index, edge in enumerate(self.edges)]
        return F.expr(f"CASE WHEN {is_missing} THEN {missing} {' '.join(places)} ELSE {len(places)} END")

    def to_dict(self) -> dict[str, Any]:
        """The bins as JSON values."""
        return {
            "feature": self.feature,
            "edges": list(self.edges),
            "levels": None if self.levels is None else list(self.levels),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Bins:
        """The bins that `to_dict` wrote.

        Raises:
            DamagedError: if they are not readable.
        """
        try:
            levels = values["levels"]
            edges = tuple(float(edge) for edge in values["edges"])
            return cls(str(values["feature"]), edges, None if levels is None else tuple(map(str, levels)))
        except (KeyError, TypeError, ValueError):
            raise DamagedError("the bins of a feature are not readable", hint="train again, or roll back") from None


def bins_of(
    rows: DataFrame, numeric: Sequence[str], categorical: Sequence[str], key: Sequence[str], maximum_levels: int = 20
) -> list[Bins]:
    """Set the bins of all features on training rows: a count, one aggregate for numbers, one for names.

    Args:
        rows: the training rows.
        numeric: columns of numbers (booleans included).
        categorical: columns of names.
        key: the columns that name a row; where there are many rows, deciles come from those with a low hash.
        maximum_levels: commonest levels of a name with a bin of their own (ties by name).
    """
    return [*_bins_of_numbers(rows, numeric, key), *_bins_of_names(rows, categorical, maximum_levels)]


def counts_in(rows: DataFrame, bins: Sequence[Bins]) -> dict[str, list[int]]:
    """Rows in each bin of each feature, in one pass: feature → counts in the order of `Bins.names`."""
    if not bins:
        return {}
    pairs = F.explode(
        F.array(*[F.struct(F.lit(i).alias("feature"), b.bin_of().alias("bin")) for i, b in enumerate(bins)])
    )
    counted = rows.select(pairs.alias("pair")).groupBy("pair.feature", "pair.bin").count().collect()
    found = {one.feature: [0] * len(one.names) for one in bins}
    for row in counted:
        found[bins[row["feature"]].feature][row["bin"]] = row["count"]
    return found


def psi(expected: Sequence[int], actual: Sequence[int]) -> float | None:
    """Population stability index: Σ (actual share − expected share) · ln(actual share / expected share).

    Siddiqi 2006, "Credit Risk Scorecards": below .1 no shift, above .25 another population. Half a row is added to
    every bin; bins empty on both sides are left out.

    Args:
        expected: rows per bin in training.
        actual: rows per bin now.

    Returns:
        The index; None if one side has no rows.

    Raises:
        ValueError: if the two sides differ in their number of bins.
    """
    pairs = [(old, new) for old, new in zip(expected, actual, strict=True) if old or new]
    if sum(expected) == 0 or sum(actual) == 0:
        return None
    old_total = sum(old + _SMOOTHING for old, _ in pairs)
    new_total = sum(new + _SMOOTHING for _, new in pairs)
    shares = [((old + _SMOOTHING) / old_total, (new + _SMOOTHING) / new_total) for old, new in pairs]
    return math.fsum((new - old) * math.log(new / old) for old, new in shares)


def psi_of_chance(expected: Sequence[int], actual: Sequence[int], tried: int) -> float:
    """99th percentile of the index of a feature without drift.

    Without drift the index is distributed like (1/n + 1/m) times chi-squared with (bins − 1) degrees of freedom
    (Yurdakul & Naranjo 2020, "Statistical properties of the population stability index"); its quantile is approximated
    by Wilson & Hilferty 1931. With few rows it exceeds any fixed limit. Rows are assumed to be independent: if
    customers have many rows each, the true percentile is higher.

    Args:
        expected: rows per bin in training.
        actual: rows per bin now.
        tried: number of features tested: the 1 % holds for all of them together (Bonferroni).
    """
    freedom = sum(1 for old, new in zip(expected, actual, strict=True) if old or new) - 1
    if freedom < 1 or not sum(expected) or not sum(actual):
        return 0.0
    spread = 2 / (9 * freedom)
    deviate = NormalDist().inv_cdf(1 - _BY_CHANCE / tried)
    chi_squared = freedom * (1 - spread + deviate * math.sqrt(spread)) ** 3
    return (1 / sum(expected) + 1 / sum(actual)) * chi_squared


def drift_of(expected: Mapping[str, Sequence[int]], actual: Mapping[str, Sequence[int]], limit: float) -> pd.DataFrame:
    """The index of every feature counted on both sides, largest first, ties by name.

    Returns:
        feature, psi, has_drifted (above the limit and above what chance explains).

    Raises:
        ValueError: as `psi`.
    """
    both = [feature for feature in expected if feature in actual]
    found = []
    for feature in both:
        index = psi(expected[feature], actual[feature])
        by_chance = psi_of_chance(expected[feature], actual[feature], len(both))
        found.append((feature, index, index is not None and index > max(limit, by_chance)))
    table = pd.DataFrame(found, columns=["feature", "psi", "has_drifted"]).astype(
        {"psi": "float64", "has_drifted": bool}
    )
    return table.sort_values(["psi", "feature"], ascending=[False, True], ignore_index=True)


def _bins_of_numbers(rows: DataFrame, numeric: Sequence[str], key: Sequence[str]) -> list[Bins]:
    if not numeric:
        return []
    count = rows.count()
    if count > _ROWS_FOR_DECILES:
        # A sketch (percentile_approx) would depend on the layout of rows; exact deciles of rows chosen by key do not.
        one_in = math.ceil(count / _ROWS_FOR_DECILES)
        rows = rows.where(F.pmod(F.xxhash64(*key, F.lit("deciles")), F.lit(one_in)) == 0)
    numbers = [F.nanvl(F.col(f"`{name}`").cast("double"), F.lit(None).cast("double")) for name in numeric]
    of_rows = rows.agg(*[F.percentile(number, _DECILES).alias(f"of_{i}") for i, number in enumerate(numbers)])
    (deciles,) = of_rows.collect()
    return [Bins(name, edges=tuple(sorted(set(deciles[i] or ())))) for i, name in enumerate(numeric)]


def _bins_of_names(rows: DataFrame, categorical: Sequence[str], maximum_levels: int) -> list[Bins]:
    found = levels_of(rows, categorical, maximum_levels)
    commonest = {name: tuple(level for level, _ in levels.commonest) for name, levels in found.items()}
    return [Bins(name, levels=commonest.get(name, ())) for name in categorical]
