"""Response rates: intervals, differences between levels of an attribute, changes over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from otklik.inference import Floats, wilson


def with_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Adds rate, rate_low, rate_high (Wilson, 95 %) to a frame of rows and positives."""
    low, high = wilson(counts["positives"], counts["rows"])
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = counts["positives"].to_numpy(dtype=float) / counts["rows"].to_numpy(dtype=float)
    return counts.assign(rate=rate, rate_low=low, rate_high=high)


def strength(counts: pd.DataFrame) -> float:
    """How much an attribute's levels differ: bias-corrected Cramér's V of level × answer, 0 to 1 (Bergsma 2013)."""
    rows = counts["rows"].to_numpy(dtype=float)
    yes = counts["positives"].to_numpy(dtype=float)
    total, overall = rows.sum(), yes.sum() / max(rows.sum(), 1)
    if len(rows) < 2 or overall in (0, 1):
        return 0.0
    chi_square = float((((yes - rows * overall) ** 2) / (rows * overall * (1 - overall))).sum())
    # With two answers the smaller dimension is 2, so V² = φ² up to the correction.
    phi_square = max(0.0, chi_square / total - (len(rows) - 1) / (total - 1))
    return float(np.sqrt(min(1.0, phi_square)))


@dataclass(frozen=True)
class CoarseBand:
    """A wide band whose rate hides two different ones: `inner`, and `outer` beyond it.

    Both are (low, high, rows, positives); together they are the wide band.
    """

    inner: tuple[float, float, int, int]
    outer: tuple[float, float, int, int]
    at_top: bool

    @property
    def rows(self) -> int:
        """Rows of the wide band."""
        return self.inner[2] + self.outer[2]

    @property
    def positives(self) -> int:
        """Positives of the wide band."""
        return self.inner[3] + self.outer[3]


def coarse_band(counts: pd.DataFrame) -> CoarseBand | None:
    """The two outermost bands of a number if together they seem above average but only the outer one is.

    Args:
        counts: the bands of one attribute: low, high, rows, positives, in order; without missing.
    """
    if len(counts) < 3:
        return None
    overall = counts["positives"].sum() / counts["rows"].sum()
    rated = with_rates(counts)
    for at_top, (outer_at, inner_at) in ((True, (-1, -2)), (False, (0, 1))):
        outer, inner = rated.iloc[outer_at], rated.iloc[inner_at]
        together = (outer["positives"] + inner["positives"]) / (outer["rows"] + inner["rows"])
        if together > overall and inner["rate_high"] < overall and outer["rate_low"] > together:
            ends = [
                (float(band["low"]), float(band["high"]), int(band["rows"]), int(band["positives"]))
                for band in (inner, outer)
            ]
            return CoarseBand(inner=ends[0], outer=ends[1], at_top=at_top)
    return None


#: Grains from fine to coarse; the first that gives at most PERIODS_SHOWN periods is used.
_GRAINS = (("hour", "h"), ("6h", "6h"), ("day", "D"), ("week", "W-MON"), ("month", "MS"), ("quarter", "QS"))
PERIODS_SHOWN = 40


def per_period(counts: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Counts by hour or day → counts by the finest readable grain, with rates; and the grain's name.

    Returns:
        period, rows, positives, rate, rate_low, rate_high of periods that have rows; and
        hour | 6h | day | week | month | quarter.
    """
    times = pd.to_datetime(counts["period"])
    frame = counts.assign(period=times)[["period", "rows", "positives"]].set_index("period")
    for name, code in _GRAINS:
        grain, grouped = name, frame.resample(code, label="left", closed="left").sum()
        if len(grouped) <= PERIODS_SHOWN:
            break
    return with_rates(grouped[grouped["rows"] > 0].reset_index()), grain


def fifths(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows in order of time, divided between periods into five parts of about equal count.

    Returns:
        part (0–4), rows, positives, rate, rate_low, rate_high.
    """
    ordered = counts.sort_values("period")
    rows = ordered["rows"].to_numpy(dtype=float)
    middle = (np.cumsum(rows) - rows / 2) / max(rows.sum(), 1)
    part = np.minimum((middle * 5).astype(int), 4)
    return with_rates(ordered.assign(part=part).groupby("part", as_index=False)[["rows", "positives"]].sum())


def is_apart(parts: pd.DataFrame) -> bool:
    """Whether the intervals (rate_low, rate_high) of any two parts do not overlap."""
    return bool(parts["rate_low"].max() > parts["rate_high"].min())


@dataclass(frozen=True)
class Ranking:
    """Rows in descending order of score: cumulative counts after each group of equal scores, from 0."""

    rows: Floats
    positives: Floats

    @property
    def share(self) -> Floats:
        """Share of all rows taken."""
        return np.asarray(self.rows / max(self.rows[-1], 1))

    @property
    def gain(self) -> Floats:
        """Share of all positives among them (recall, true positive rate)."""
        return np.asarray(self.positives / max(self.positives[-1], 1))

    @property
    def false_positive_rate(self) -> Floats:
        """Share of all negatives among them."""
        return np.asarray((self.rows - self.positives) / max(self.rows[-1] - self.positives[-1], 1))

    @property
    def precision(self) -> Floats:
        """Share of positives among the rows taken; of the first group at 0 rows."""
        share = self.positives[1:] / np.maximum(self.rows[1:], 1)
        return np.concatenate([share[:1], share])


def ranking(counts: pd.DataFrame) -> Ranking:
    """Counts per bin (bin, rows, positives) → the ranking by descending bin."""
    summed = counts.groupby("bin")[["rows", "positives"]].sum().sort_index(ascending=False)
    return Ranking(
        rows=np.concatenate([[0.0], summed["rows"].to_numpy(dtype=float).cumsum()]),
        positives=np.concatenate([[0.0], summed["positives"].to_numpy(dtype=float).cumsum()]),
    )
