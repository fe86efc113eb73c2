"""Qini and uplift curves of binned scores, their areas and intervals. Imports no Spark.

Units are sorted by the score, greatest first. With n1, n0 units of the arm and the control so far, and y1, y0 outcomes
among them, the curves are

    qini(n) = y1 − y0 · n1 / n0          uplift(n) = (y1 / n1 − y0 / n0) · n          (0 where n0 or n1 is 0)

and each coefficient is (area − area of the straight line to the curve's end) ÷ the same of the perfect order, where
the perfect Qini order is: outcome in the arm, no outcome, outcome in the control. That is what scikit-uplift 0.5 calls
qini_auc_score (with negative effects) and uplift_auc_score. Source of the curves: Radcliffe 2007, "Using control
groups to target on predicted lift"; of the perfect order: Devriendt et al. 2020, "Learning to rank for uplift
modeling".

Intervals come from resampled groups: units are dealt into groups by a hash of their key, and whole groups are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Units by bin of the score, greatest score first; arrays of (…, bins).

    Attributes:
        units: of the arm.
        yes: of the arm, with the outcome.
        control: units of the control.
        control_yes: of the control, with the outcome.
    """

    units: Floats
    yes: Floats
    control: Floats
    control_yes: Floats

    @property
    def totals(self) -> Counts:
        """Sums over all bins, as (…, 1)."""
        return Counts(*(part.sum(axis=-1, keepdims=True) for part in _parts(self)))

    def drawn(self, weights: Floats) -> Counts:
        """Counts of (groups, bins) under weights of (replicates, groups), as (replicates, bins)."""
        return Counts(*(weights @ part for part in _parts(self)))

    def together(self) -> Counts:
        """Counts of (groups, bins) added up over the groups."""
        return Counts(*(part.sum(axis=0) for part in _parts(self)))


def qini_curve(counts: Counts) -> tuple[Floats, Floats]:
    """Cumulative units and incremental outcomes, from 0; arrays of (…, bins + 1)."""
    n1, y1, n0, y0 = _so_far(counts)
    return n1 + n0, y1 - y0 * _ratio(n1, n0)


def uplift_curve(counts: Counts) -> tuple[Floats, Floats]:
    """Cumulative units and the effect among them times their number, from 0; arrays of (…, bins + 1)."""
    n1, y1, n0, y0 = _so_far(counts)
    return n1 + n0, (_ratio(y1, n1) - _ratio(y0, n0)) * (n1 + n0)


def qini(counts: Counts) -> Floats:
    """The normalised Qini coefficient; 0 = chance, 1 = perfect."""
    t = counts.totals
    no, control_no = t.units - t.yes, t.control - t.control_yes
    none = np.zeros_like(no)
    perfect = _bins(
        (t.yes, t.yes, none, none), (no, none, control_no, none), (none, none, t.control_yes, t.control_yes)
    )
    return _coefficient(qini_curve(counts), qini_curve(perfect))


def auuc(counts: Counts) -> Floats:
    """The normalised area under the uplift curve."""
    t = counts.totals
    no, control_no = t.units - t.yes, t.control - t.control_yes
    none = np.zeros_like(no)
    won, saved = (t.yes, t.yes, none, none), (none, none, control_no, none)
    lost, harmed = (no, none, none, none), (none, none, t.control_yes, t.control_yes)
    by_outcome, by_arm = _bins(won, saved, harmed, lost), _bins(won, saved, lost, harmed)
    perfect = Counts(
        *(np.where(t.control_yes > no, a, b) for a, b in zip(_parts(by_outcome), _parts(by_arm), strict=True))
    )
    return _coefficient(uplift_curve(counts), uplift_curve(perfect))


def group_weights(groups: int, replicates: int, seed: int) -> Floats:
    """How often each group is drawn in each replicate, (replicates, groups)."""
    draws = np.random.default_rng(seed)
    return draws.multinomial(groups, np.full(groups, 1 / groups), size=replicates).astype(np.float64)


def _so_far(counts: Counts) -> tuple[Floats, Floats, Floats, Floats]:
    start = [(0, 0)] * (counts.units.ndim - 1) + [(1, 0)]
    n1, y1, n0, y0 = (np.pad(np.cumsum(part, axis=-1), start) for part in _parts(counts))
    return n1, y1, n0, y0


def _parts(counts: Counts) -> tuple[Floats, Floats, Floats, Floats]:
    return counts.units, counts.yes, counts.control, counts.control_yes


def _bins(*bins: tuple[Floats, Floats, Floats, Floats]) -> Counts:
    return Counts(*(np.concatenate(part, axis=-1) for part in zip(*bins, strict=True)))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _coefficient(actual: tuple[Floats, Floats], perfect: tuple[Floats, Floats]) -> Floats:
    (x, y), (best_x, best_y) = actual, perfect
    chance = x[..., -1] * best_y[..., -1] / 2
    best = np.asarray(np.trapezoid(best_y, best_x, axis=-1)) - chance
    won = np.asarray(np.trapezoid(y, x, axis=-1)) - chance
    return np.divide(won, best, out=np.full_like(won, np.nan), where=best > 0)
