"""How good a model's answers are: every number of gold.scoreboard, with intervals.

Nothing here depends on the order of rows: rows are first put into an order of their own (score, label, moment), and
rows of equal score are always treated as one step.

A row's `score` is its probability, or its margin where the model has no probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from otklik.models.bootstrap import Floats, Resampling, interval

Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

#: Probabilities are moved this far from 0 and 1 before a logarithm is taken, so that a sure mistake costs 34.5 nats.
LOG_LOSS_CLIP = 1e-15
#: Bins of the expected calibration error.
CALIBRATION_BINS = 10
#: The columns of gold.scoreboard that have <name>_low and <name>_high.
WITH_INTERVALS = ("accuracy", "auc", "auc_within", "lift_10", "profit")


def evaluate(
    label: npt.NDArray[Any],
    moment: npt.NDArray[Any],
    unit: npt.NDArray[Any],
    *,
    probability: Floats | None,
    margin: Floats,
    training_rate: float,
    cost: float | None,
    value: float | None,
    replicates: int,
    salt: str,
) -> dict[str, float | None]:
    """One row of gold.scoreboard, without the columns that name it.

    Args:
        label: (rows,) 1 or 0.
        moment: (rows,) the decision moment.
        unit: (rows,) resampling unit of the bootstrap: the customer, or the moment for time splits.
        probability: (rows,) probability of yes; None for a model with margins only. Then ranks come from the margin,
            accuracy is at margin 0, and mean_probability, log_loss, brier, ece and profit are None.
        margin: (rows,) any score that is higher for yes; used only if probability is None.
        training_rate: share of yes in the training part.
        cost: of one contact, or None.
        value: of one response, or None. threshold and profit are None if either is.
        replicates: of the bootstrap; with 0 there is no interval.
        salt: of the bootstrap.

    Returns:
        Column → value; None for undefined metrics (auc with one class, auc_within without a pair …).

    Raises:
        ValueError: if there are no rows, lengths differ, a label is not 0 or 1, or a score is not finite.
    """
    score = margin if probability is None else probability
    rows = _Rows.of(label, moment, unit, score)
    resampling = Resampling.of(rows.unit, replicates, salt)
    threshold = None if cost is None or value is None else cost / value
    yes = rows.label == 1
    right = (rows.score > (0.0 if probability is None else 0.5)) == yes
    found: dict[str, float | None] = {
        "rows": rows.count,
        "positives": int(yes.sum()),
        "mean_probability": None,
        "accuracy": float(right.mean()),
        "majority_accuracy": float((yes == (training_rate > 0.5)).mean()),
        "pr_auc": _average_precision(rows),
        "log_loss": None,
        "brier": None,
        "ece": None,
        "threshold": threshold,
        "profit": None,
    }
    found |= _ranking_figures(rows)
    contacted = np.zeros(rows.count, dtype=np.bool_)
    if probability is not None:
        found |= {
            "mean_probability": float(rows.score.mean()),
            "log_loss": float(_surprise(yes, rows.score).mean()),
            "brier": float(((rows.score - yes) ** 2).mean()),
            "ece": _calibration_error(rows),
        }
        if cost is not None and value is not None:
            contacted = is_worthwhile(rows.score, cost, value)
            found["profit"] = float(value * (contacted & yes).sum() - cost * contacted.sum())
    if not replicates:
        return found | {f"{name}_{end}": None for name in WITH_INTERVALS for end in ("low", "high")}
    draws, sums = _draws(rows, resampling, {"right": right, "hits": contacted & yes, "contacts": contacted})
    draws["accuracy"] = _ratio(sums["right"], sums["rows"])
    if cost is not None and value is not None:
        draws["profit"] = profit_draws(
            sums["hits"], sums["contacts"], sums["rows"], cost=cost, value=value, rows=rows.count
        )
    # One unit, drawn more or less often, is always the same rows.
    can_differ = len(resampling.seeds) > 1
    for name in WITH_INTERVALS:
        has_draws = can_differ and name in draws and found[name] is not None
        low, high = interval(draws[name]) if has_draws else (None, None)
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found


def auc(label: npt.NDArray[Any], score: Floats) -> float | None:
    """Area under the ROC curve: the share of (yes, no) pairs in which yes scores higher, ties half; None for one class.

    Raises:
        ValueError: as `evaluate`.
    """
    rows = _Rows.of(label, np.zeros(len(label)), np.zeros(len(label)), score)
    return _number(rows.auc(np.ones((1, rows.count))))


def auc_within(label: npt.NDArray[Any], moment: npt.NDArray[Any], score: Floats) -> float | None:
    """The same over the pairs that share a decision moment, every pair weighing the same; None without such a pair.

    Raises:
        ValueError: as `evaluate`.
    """
    rows = _Rows.of(label, moment, np.zeros(len(label)), score)
    won, pairs = rows.pairs_within(np.ones((1, rows.count)))
    return _number(_ratio(won.sum(axis=1), pairs.sum(axis=1)))


def auc_gain(
    label: npt.NDArray[Any], unit: npt.NDArray[Any], score: Floats, other: Floats, *, replicates: int, salt: str
) -> tuple[float | None, float | None, float | None]:
    """Difference in AUC between two scores of the same rows, with its interval.

    Paired: each replicate draws the same units for both.

    Args:
        label: (rows,) 1 or 0.
        unit: (rows,) what the bootstrap draws.
        score: (rows,) higher for yes.
        other: (rows,) the score compared with.
        replicates: of the bootstrap; with 0 there is no interval.
        salt: of the bootstrap.
    """

    def draws_of(rows: _Rows) -> Floats:
        resampling = Resampling.of(rows.unit, replicates, salt)
        return np.concatenate([rows.auc(some[:, resampling.unit_of_row]) for some in resampling.chunks()])

    both = [_Rows.of(label, np.zeros(len(label)), unit, each) for each in (score, other)]
    value, than = (rows.auc(np.ones((1, rows.count))) for rows in both)
    low, high = (None, None) if not replicates else interval(draws_of(both[0]) - draws_of(both[1]))
    return _number(value - than), low, high


def log_loss(label: npt.NDArray[Any], probability: Floats) -> float:
    """Mean negative log-likelihood in nats; probabilities are clipped by LOG_LOSS_CLIP.

    Raises:
        ValueError: as `evaluate`.
    """
    rows = _Rows.of(label, np.zeros(len(label)), np.zeros(len(label)), probability)
    return float(_surprise(rows.label == 1, rows.score).mean())


def reliability(label: npt.NDArray[Any], probability: Floats, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """Predicted and observed rates in bins of equal count, lowest probability first.

    Rows of equal probability on a border are divided between the two bins in proportion, so a bin may hold fractions
    of rows.

    Returns:
        One row per bin: rows, mean_probability, observed_rate.

    Raises:
        ValueError: as `evaluate`.
    """
    rows = _Rows.of(label, np.zeros(len(label)), np.zeros(len(label)), probability)
    return _reliability(rows, bins)


def is_worthwhile(probability: Floats, cost: float, value: float) -> Bools:
    """Whom to contact: probability above cost / value, that is, expected profit above nothing. Equal is not enough."""
    return probability > cost / value


def profit_draws(hits: Floats, contacts: Floats, size: Floats, *, cost: float, value: float, rows: int) -> Floats:
    """The profit of a contact list in each replicate, scaled to the number of rows.

    The weights of a replicate do not add up to the number of rows, so its profit per row is multiplied by that number:
    the profit that as many other customers would have brought.

    Args:
        hits: (replicates,) weighted number of contacted rows that say yes.
        contacts: (replicates,) weighted number of contacted rows.
        size: (replicates,) weighted number of all rows.
        cost: of a contact.
        value: of a response.
        rows: number of rows without weights.
    """
    return _ratio(value * hits - cost * contacts, size) * rows


def profit_figures(
    label: npt.NDArray[Any],
    unit: npt.NDArray[Any],
    probabilities: Sequence[Floats | None],
    *,
    cost: float,
    value: float,
    replicates: int,
    salt: str,
) -> list[dict[str, float | None]]:
    """Threshold and profit as in `evaluate`, for several probabilities of the same rows.

    Args:
        label: (rows,) 1 or 0.
        unit: (rows,) what the bootstrap draws.
        probabilities: (rows,) each; None for a model with margins only.
        cost: of one contact.
        value: of one response.
        replicates: of the bootstrap.
        salt: of the bootstrap.
    """
    yes, nobody = label == 1, np.zeros(len(label), dtype=np.bool_)
    chosen = [nobody if each is None else is_worthwhile(each, cost, value) for each in probabilities]
    resampling = Resampling.of(unit, replicates, salt)
    size, *sums = resampling.sums(~nobody, *(part for contacted in chosen for part in (contacted & yes, contacted)))
    found: list[dict[str, float | None]] = []
    for place, (probability, contacted) in enumerate(zip(probabilities, chosen, strict=True)):
        profit, low, high = None, None, None
        if probability is not None:
            profit = float(value * (contacted & yes).sum() - cost * contacted.sum())
            hits, contacts = sums[2 * place : 2 * place + 2]
            if len(resampling.seeds) > 1:
                low, high = interval(profit_draws(hits, contacts, size, cost=cost, value=value, rows=len(label)))
        found.append({"threshold": cost / value, "profit": profit, "profit_low": low, "profit_high": high})
    return found


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows by falling score, and what is needed to rank them again under weights without sorting again."""

    label: Ints
    moment: Ints
    unit: npt.NDArray[Any]
    score: Floats

    @classmethod
    def of(cls, label: npt.NDArray[Any], moment: npt.NDArray[Any], unit: npt.NDArray[Any], score: Floats) -> _Rows:
        score = np.asarray(score, dtype=np.float64)
        if not len(score) == len(label) == len(moment) == len(unit) or len(score) == 0:
            raise ValueError("label, moment, unit and score need one entry per row, and at least one row")
        if not np.isin(label, (0, 1)).all():
            raise ValueError("a label is neither 0 nor 1")
        if not np.isfinite(score).all():
            raise ValueError("a score is not finite")
        moments, _ = pd.factorize(moment, sort=True)
        # Equal rows of this order are interchangeable except for their units, and no sum over units is rounded.
        order = np.lexsort((moments, label, -score))
        return cls(np.asarray(label)[order].astype(np.intp), moments[order], np.asarray(unit)[order], score[order])

    @property
    def count(self) -> int:
        return len(self.score)

    @cached_property
    def yes(self) -> Ints:
        """Positions of the rows with label 1."""
        return np.flatnonzero(self.label == 1)

    @cached_property
    def no(self) -> Ints:
        """Positions of the rows with label 0."""
        return np.flatnonzero(self.label == 0)

    @cached_property
    def rank(self) -> Ints:
        """(rows,) number of the step each row belongs to, from 0 for the highest score; equal scores share a step."""
        return np.cumsum(np.concatenate([[0], self.score[1:] != self.score[:-1]]))

    @cached_property
    def step_ends(self) -> Ints:
        """(steps + 1,) 0, and where each step ends."""
        return np.concatenate([[0], np.searchsorted(self.rank, np.arange(self.rank[-1] + 1), side="right")])

    @cached_property
    def _beaten(self) -> tuple[Ints, Ints]:
        """For each positive row: the number of negative rows before its step, and before the end of its step."""
        ranks_of_no, ranks_of_yes = self.rank[self.no], self.rank[self.yes]
        return np.searchsorted(ranks_of_no, ranks_of_yes, "left"), np.searchsorted(ranks_of_no, ranks_of_yes, "right")

    def auc(self, weights: Floats) -> Floats:
        """AUC under each row of weights (replicates, rows); NaN where a class is missing."""
        no = _from_zero(weights[:, self.no])
        yes = weights[:, self.yes]
        before, until = self._beaten
        lost = (yes * (no[:, before] + no[:, until])).sum(axis=1) / 2
        pairs = yes.sum(axis=1) * no[:, -1]
        return _ratio(pairs - lost, pairs)

    @cached_property
    def _no_by_moment(self) -> Ints:
        """Positions of the rows with label 0, ordered by moment."""
        return self.no[np.argsort(self.moment[self.no], kind="stable")]

    @cached_property
    def _beaten_within(self) -> tuple[Ints, Ints, Ints, Ints]:
        """For each yes, places in `_no_by_moment`: start of moment, start and end of step, end of moment."""
        span = self.rank[-1] + 1
        places = self.moment[self._no_by_moment] * span + self.rank[self._no_by_moment]
        starts = self.moment[self.yes] * span
        steps = starts + self.rank[self.yes]
        return (
            np.searchsorted(places, starts),
            np.searchsorted(places, steps, "left"),
            np.searchsorted(places, steps, "right"),
            np.searchsorted(places, starts + span),
        )

    def pairs_within(self, weights: Floats) -> tuple[Floats, Floats]:
        """Won pairs and all pairs within the moment of each yes, both (replicates, yes)."""
        no = _from_zero(weights[:, self._no_by_moment])
        yes = weights[:, self.yes]
        start, before, until, end = (no[:, places] for places in self._beaten_within)
        return yes * (end - (before + until) / 2), yes * (end - start)

    def yes_in_best(self, weights: Floats, share: float) -> Floats:
        """Share of all yes among the best `share` of rows, (replicates,); a step on the border counts in proportion."""
        rows, yes = _from_zero(weights), _from_zero(weights[:, self.yes])
        found = np.empty(len(weights))
        for replicate, (rows_until, yes_until) in enumerate(zip(rows, yes, strict=True)):
            target = share * rows_until[-1]
            last = min(int(np.searchsorted(rows_until[1:], target)), self.count - 1)
            border = self.step_ends[self.rank[last] : self.rank[last] + 2]
            rows_at, yes_at = rows_until[border], yes_until[np.searchsorted(self.yes, border)]
            found[replicate] = np.interp(target, rows_at, yes_at)
        return _ratio(found, yes[:, -1])


def _ranking_figures(rows: _Rows) -> dict[str, float | None]:
    once = np.ones((1, rows.count))
    won, pairs = rows.pairs_within(once)
    return {
        "auc": _number(rows.auc(once)),
        "auc_within": _number(_ratio(won.sum(axis=1), pairs.sum(axis=1))),
        "lift_10": _number(rows.yes_in_best(once, 0.1) / 0.1),
        "gain_50": _number(rows.yes_in_best(once, 0.5)),
    }


def _draws(
    rows: _Rows, resampling: Resampling, to_sum: dict[str, npt.NDArray[Any]]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """auc, auc_within and lift_10 in each replicate, and weighted sums of (rows,) arrays, in one pass of weights."""
    to_sum = {"rows": np.ones(rows.count)} | to_sum
    whole_moments = _moments_are_drawn_whole(rows)
    if whole_moments:
        to_sum |= _pairs_of_moments(rows)
    per_unit = resampling.per_unit(*to_sum.values())
    auc, within, lift, sums = [], [], [], []
    for of_units in resampling.chunks():
        weights = of_units[:, resampling.unit_of_row]
        auc.append(rows.auc(weights))
        lift.append(rows.yes_in_best(weights, 0.1) / 0.1)
        sums.append(of_units @ per_unit)
        if not whole_moments:
            won, pairs = rows.pairs_within(weights)
            within.append(_ratio(won.sum(axis=1), pairs.sum(axis=1)))
    summed = dict(zip(to_sum, np.concatenate(sums).T, strict=True))
    within_draws = _ratio(summed["won"], summed["pairs"]) if whole_moments else np.concatenate(within)
    return {"auc": np.concatenate(auc), "auc_within": within_draws, "lift_10": np.concatenate(lift)}, summed


def _moments_are_drawn_whole(rows: _Rows) -> bool:
    """Whether every moment belongs to one unit, so that drawing a unit draws its moments."""
    owners = pd.DataFrame({"moment": rows.moment, "unit": pd.factorize(rows.unit)[0]}).drop_duplicates()
    return bool(owners["moment"].is_unique)


def _pairs_of_moments(rows: _Rows) -> dict[str, Floats]:
    """Won and all pairs within the moment, booked on its yes-rows, for a bootstrap that draws moments whole.

    A moment drawn twice is two moments: its pairs count twice, not four times as they would if both rows of a pair
    brought their weights.
    """
    won, pairs = rows.pairs_within(np.ones((1, rows.count)))
    booked = {"won": np.zeros(rows.count), "pairs": np.zeros(rows.count)}
    booked["won"][rows.yes] = won[0]
    booked["pairs"][rows.yes] = pairs[0]
    return booked


def _average_precision(rows: _Rows) -> float | None:
    """Average precision: precision at the end of each step of equal scores, weighted by the recall it adds."""
    if len(rows.yes) == 0:
        return None
    ends = rows.step_ends[1:]
    yes_until = np.cumsum(rows.label)[ends - 1]
    precision = yes_until / ends
    return float((np.diff(yes_until, prepend=0) * precision).sum() / yes_until[-1])


def _reliability(rows: _Rows, bins: int) -> pd.DataFrame:
    borders = rows.count * np.arange(bins + 1) / bins
    yes_until = _from_zero(rows.label[np.newaxis, :])[0][rows.step_ends]
    predicted_until = _from_zero(rows.score[np.newaxis, :])[0][rows.step_ends]
    size = rows.count / bins
    table = pd.DataFrame(
        {
            "rows": np.full(bins, size),
            "mean_probability": np.diff(np.interp(borders, rows.step_ends, predicted_until)) / size,
            "observed_rate": np.diff(np.interp(borders, rows.step_ends, yes_until)) / size,
        }
    )
    return table[::-1].reset_index(drop=True)


def _calibration_error(rows: _Rows) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins of equal count."""
    table = _reliability(rows, CALIBRATION_BINS)
    return float((table["mean_probability"] - table["observed_rate"]).abs().mean())


def _surprise(yes: Bools, probability: Floats) -> Floats:
    clipped = np.clip(probability, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return -np.where(yes, np.log(clipped), np.log1p(-clipped))


def _from_zero(values: npt.NDArray[Any]) -> Floats:
    """Running sums along the second axis, with a 0 before the first."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where whole is 0."""
    ratio: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)
    return ratio


def _number(values: Floats) -> float | None:
    """The only entry of an array, None for NaN."""
    return None if np.isnan(values[0]) else float(values[0])
