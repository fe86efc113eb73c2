"""Evaluate the ranking of units by scores, from counts by bin and group that Spark computes.

The driver collects at most 250 bins × 50 groups × two arms per score, and a sample of 50,000 scores for the bin edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.evidence.uplift.curves import Counts, Floats, auuc, group_weights, qini, qini_curve
from otklik.inference import Estimate

_BINS, _GROUPS, _REPLICATES = 250, 50, 500
_SAMPLE_ROWS = 50_000
_PARTS = 1_000_000
_DECILES = 10


@dataclass(frozen=True)
class Sorted:
    """Units by bin of one score, greatest first.

    Attributes:
        counts: (groups, bins).
        totals: (bins,) sums of the score.
    """

    counts: Counts
    totals: Floats


@dataclass(frozen=True)
class Decile:
    """A decile of the units; see the table."""

    decile: int
    units: int
    expected: float
    effect: Estimate


def sort_units(pair: DataFrame, scores: Sequence[str], units: int, seed: int) -> dict[str, Sorted]:
    """Count the units of an arm and of the control by bins of each score.

    Args:
        pair: unit, is_arm BOOLEAN, y DOUBLE, weight DOUBLE (1 if arms were randomised), and the scores.
        scores: their columns.
        units: how many rows there are.
        seed: of the groups and the sample.
    """
    drawn = F.pmod(F.xxhash64("unit", F.lit(f"sample {seed}")), F.lit(_PARTS))
    kept = int(min(1.0, _SAMPLE_ROWS / max(units, 1)) * _PARTS)
    sample = pair.where(drawn < kept).select(*(F.col(f"`{name}`") for name in scores)).toPandas()
    edges = {name: _edges(sample[name].to_numpy(dtype=np.float64)) for name in scores}
    group = F.pmod(F.xxhash64("unit", F.lit(f"groups {seed}")), F.lit(_GROUPS)).cast("int")
    rows = pair.select(
        group.alias("group"), F.col("is_arm").cast("int").alias("is_arm"), "y", "weight", *map(_quoted, scores)
    )
    parts = rows.mapInPandas(
        _Binned(edges), "score INT, bin INT, group INT, is_arm INT, units DOUBLE, yes DOUBLE, total DOUBLE"
    )
    summed = parts.groupBy("score", "bin", "group", "is_arm").agg(
        *(F.sum(c).alias(c) for c in ("units", "yes", "total"))
    )
    found = summed.toPandas()
    return {name: _sorted(found[found["score"] == place], len(edges[name]) + 1) for place, name in enumerate(scores)}


def coefficients(found: Sorted, seed: int) -> dict[str, Estimate]:
    """The normalised Qini coefficient and AUUC of a score."""
    drawn = found.counts.drawn(group_weights(_GROUPS, _REPLICATES, seed))
    whole = found.counts.together()
    return {name: _estimate(float(of(whole)), of(drawn)) for name, of in (("qini", qini), ("auuc", auuc))}


def qini_beyond(found: Sorted, other: Sorted, seed: int) -> Estimate:
    """Difference between the Qini coefficients of two scores on the same units."""
    weights = group_weights(_GROUPS, _REPLICATES, seed)
    value = float(qini(found.counts.together())) - float(qini(other.counts.together()))
    return _estimate(value, qini(found.counts.drawn(weights)) - qini(other.counts.drawn(weights)))


def overall(found: Sorted) -> Estimate:
    """The average effect of the arm on all units."""
    return _difference(found.counts.together().totals)


def curve_points(found: Sorted, points: int = 50) -> tuple[Floats, Floats]:
    """Shares of the units contacted, and incremental outcomes per unit of the arm."""
    counts = found.counts.together()
    x, gain = qini_curve(counts)
    shares = np.linspace(0, 1, points + 1)
    return shares, np.interp(shares, x / x[-1], gain / counts.units.sum())


def deciles(found: Sorted) -> Iterator[Decile]:
    """Deciles of units by score; a bin on a border belongs to the decile of its midpoint."""
    counts = found.counts.together()
    size = counts.units + counts.control
    middle = np.cumsum(size) - size / 2
    tenth = np.minimum((middle / size.sum() * _DECILES).astype(int), _DECILES - 1)
    for number in np.unique(tenth):
        here = tenth == number
        part = Counts(*(np.array([c[here].sum()]) for c in vars(counts).values()))
        yield Decile(
            int(number) + 1,
            int(size[here].sum()),
            float(found.totals[here].sum() / size[here].sum()),
            _difference(part),
        )


def _difference(part: Counts) -> Estimate:
    """Share of the arm − share of the control, with the error from unpooled variances."""
    (n1,), (y1,), (n0,), (y0,) = part.units, part.yes, part.control, part.control_yes
    if not n1 or not n0:
        return Estimate()
    p1, p0 = y1 / n1, y0 / n0
    return Estimate.around(float(p1 - p0), float(np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)))


def _estimate(value: float, drawn: Floats) -> Estimate:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _edges(values: Floats) -> Floats:
    """Lower edges of bins: each distinct value, or quantiles if there are more values than bins."""
    distinct = np.unique(values)
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[:-1], method="lower"))
    return distinct[1:]


@dataclass(frozen=True)
class _Binned:
    """Counts a batch of units by score, bin, group and arm."""

    edges: Mapping[str, Floats]

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for place, (name, edges) in enumerate(self.edges.items()):
                score, weight = batch[name].to_numpy(dtype=np.float64), batch["weight"].to_numpy(dtype=np.float64)
                rows = pd.DataFrame(
                    {
                        "score": np.int32(place),
                        "bin": np.searchsorted(edges, score, side="right").astype(np.int32),
                        "group": batch["group"].to_numpy(dtype=np.int32),
                        "is_arm": batch["is_arm"].to_numpy(dtype=np.int32),
                        "units": weight,
                        "yes": weight * batch["y"].to_numpy(dtype=np.float64),
                        "total": weight * score,
                    }
                )
                yield rows.groupby(["score", "bin", "group", "is_arm"], as_index=False).sum()


def _sorted(rows: pd.DataFrame, bins: int) -> Sorted:
    """Counts as (groups, bins), highest score first."""
    made = {}
    for is_arm in (0, 1):
        of_arm = rows[rows["is_arm"] == is_arm]
        for name in ("units", "yes", "total"):
            table = np.zeros((_GROUPS, bins))
            table[of_arm["group"], bins - 1 - of_arm["bin"]] = of_arm[name]
            made[name, is_arm] = table
    counts = Counts(made["units", 1], made["yes", 1], made["units", 0], made["yes", 0])
    return Sorted(counts, (made["total", 0] + made["total", 1]).sum(axis=0))


def _quoted(name: str) -> str:
    return f"`{name}`"
