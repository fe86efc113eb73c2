"""Results of a campaign from its counts, and advice for the next one. Imports no Spark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from scipy import stats

from otklik.inference import Estimate

State = Literal["done", "open", "no_control", "few_units", "not_contacted", "control_contacted"]

#: Candidate shares of the control group.
_SHARES = np.arange(1, 51) / 100
#: Below this p-value bands deviate from their predictions by more than chance.
_MISFIT_ALPHA = 0.001
_POWER = 0.8


@dataclass(frozen=True)
class Band:
    """Contacted units with similar predictions; `control` and `control_yes` are those held out."""

    units: int
    yes: int
    promised: float
    control: int
    control_yes: int


@dataclass(frozen=True)
class Campaign:
    """Counts of a campaign.

    Attributes:
        name: of the campaign.
        made_at: when its list was made.
        is_over: whether its outcome window has passed.
        to_contact: units to contact, and of these in_time, late, never.
        yes: outcomes of those to contact, and of those contacted.
        control: units held out, those contacted anyway, and their outcomes.
        promised: sum of the predicted probabilities of the contacted; NaN if the list had none.
        promised_effect: mean expected effect of those to contact, or NaN.
        promised_profit: sum of expected profit of those to contact, or NaN.
        least: the lowest probability on the list, or NaN.
        bands: deciles of the list.
        list_of: the task that made it, or empty.
    """

    name: str
    made_at: datetime
    is_over: bool
    to_contact: int
    in_time: int
    late: int
    never: int
    yes: int
    contacted_yes: int
    control: int
    control_contacted: int
    control_yes: int
    promised: float
    promised_effect: float
    promised_profit: float
    least: float
    bands: Sequence[Band]
    list_of: str = ""

    @property
    def contacted(self) -> int:
        """Units that were contacted, in time or late."""
        return self.in_time + self.late

    @property
    def control_share(self) -> float:
        """Share of the list that was held out."""
        return self.control / max(self.control + self.to_contact, 1)

    def state(self, minimum_units: int, contacted_share: float, control_contacted: float) -> State:
        """Whether the campaign can be evaluated, and if not, why."""
        if not self.is_over:
            return "open"
        if not self.control:
            return "no_control"
        if self.contacted < contacted_share * self.to_contact:
            return "not_contacted"
        if self.control_contacted > control_contacted * self.control:
            return "control_contacted"
        return "few_units" if min(self.to_contact, self.control) < minimum_units else "done"

    def effect(self, alpha: float) -> Estimate:
        """Share with the outcome of those to contact, contacted or not, − that of the control group.

        Units that could not be reached count as to contact: excluding them would compare the reachable with everybody.
        """
        if not self.to_contact or not self.control:
            return Estimate()
        return difference(self.yes, self.to_contact, self.control_yes, self.control, alpha)

    def profit(self, value: float | None, cost: float | None, alpha: float) -> Estimate:
        """Incremental value of the contacts minus their cost."""
        if value is None or cost is None:
            return Estimate()
        return self.effect(alpha).by(self.to_contact * value, -cost * self.contacted)

    def ratio(self, alpha: float) -> Estimate:
        """Observed ÷ predicted outcomes of the contacted."""
        if not self.contacted or not self.promised > 0:
            return Estimate()
        rate = self.contacted_yes / self.contacted
        error = math.sqrt(self.contacted * rate * (1 - rate)) / self.promised
        return Estimate.around(self.contacted_yes / self.promised, error, alpha)

    def misfit_p(self) -> float:
        """p-value of the test that all bands share one ratio of observed to predicted; NaN with fewer than three bands.

        Source: Hosmer & Lemeshow 1980, scaled to the observed total, so that a wrong overall level does not count.
        """
        ratio = self.ratio(0.05).value
        parts = []
        for band in self.bands:
            rate = band.promised * ratio
            if band.units and 0 < rate < 1:
                parts.append((band.yes - band.units * rate) ** 2 / (band.units * rate * (1 - rate)))
        return float(stats.chi2.sf(sum(parts), len(parts) - 1)) if len(parts) > 2 else math.nan


def difference(yes: int, units: int, other_yes: int, others: int, alpha: float) -> Estimate:
    """Difference of two shares with Newcombe's hybrid score interval (1998, method 10)."""
    p, q = yes / units, other_yes / others
    (low_p, high_p), (low_q, high_q) = (_wilson(one, count, alpha) for one, count in ((p, units), (q, others)))
    return Estimate(
        p - q,
        p - q - math.hypot(p - low_p, high_q - q),
        p - q + math.hypot(high_p - p, q - low_q),
    )


def _wilson(share: float, count: int, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.ppf(1 - alpha / 2))
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - reach, middle + reach


def drift_p(now: Campaign, before: Campaign) -> float:
    """p-value of the test that observed ÷ predicted is the same in two campaigns, on the log scale."""
    if min(now.contacted_yes, before.contacted_yes) < 1:
        return math.nan
    ratios = [one.contacted_yes / one.promised for one in (now, before)]
    # Variance of the logarithm of a share: (1 − p) ÷ (n p).
    spread = sum((1 - one.contacted_yes / one.contacted) / one.contacted_yes for one in (now, before))
    return (
        float(2 * stats.norm.sf(abs(math.log(ratios[0] / ratios[1])) / math.sqrt(spread))) if spread > 0 else math.nan
    )


@dataclass(frozen=True)
class Advice:
    """The recommended value of a setting; see the table."""

    setting: Literal["threshold", "control_share", "retrain"]
    now: float
    proposed: float
    reason: str
    low: float = math.nan
    high: float = math.nan

    @property
    def is_change(self) -> bool:
        """Whether it advises any change."""
        return self.reason not in ("as_it_is", "not_known")


def advised_threshold(last: Campaign, value: float, cost: float, alpha: float) -> Advice:
    """The probability above which a contact would have paid.

    A contact pays if its effect is worth more than it costs. A list by response takes every response for an effect;
    for a unit with probability p the effect was p × effect ÷ predicted rate, so it pays above cost ÷ value ×
    predicted rate ÷ effect. That the effect is proportional to the probability is an assumption.
    """
    now = last.least
    # Per contact made: units that were not contacted had neither cost nor effect.
    effect = last.effect(alpha).by(last.to_contact / last.contacted) if last.contacted else Estimate()
    rate = last.promised / last.contacted if last.contacted else math.nan
    if not math.isfinite(rate) or not rate > 0:
        return Advice("threshold", now, now, "not_known")
    ends = [min(cost / value * rate / end, 1.0) if end > 0 else 1.0 for end in (effect.value, effect.high, effect.low)]
    if ends[1] <= now <= ends[2]:
        return Advice("threshold", now, now, "as_it_is", ends[1], ends[2])
    return Advice("threshold", now, ends[0], "pays_later" if ends[0] > now else "pays_earlier", ends[1], ends[2])


def advised_control(last: Campaign, worth: float, alpha: float, *, is_open: bool = False) -> Advice:
    """The smallest control share that detects a profitable effect, with the same rates and list length.

    Args:
        last: the campaign.
        worth: the effect to detect: cost ÷ value, or the observed one.
        alpha: significance level of the test; its power is 80 %.
        is_open: whether it remained unclear if this campaign paid; the control group is then not reduced.
    """
    listed = last.to_contact + last.control
    spread, other = (p * (1 - p) for p in (last.yes / last.to_contact, last.control_yes / last.control))
    errors = np.sqrt(spread / (listed * (1 - _SHARES)) + other / (listed * _SHARES))
    enough = _SHARES[float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(_POWER)) * errors <= worth]
    if not len(enough):
        return Advice("control_share", last.control_share, 0.5, "longer_list")
    proposed = float(enough[0])
    # Less than half as many again is not worth a change.
    if proposed / 1.5 <= last.control_share <= proposed * 1.5 or (is_open and proposed < last.control_share):
        return Advice("control_share", last.control_share, last.control_share, "as_it_is")
    reason = "more_control" if proposed > last.control_share else "less_control"
    return Advice("control_share", last.control_share, proposed, reason)


def advised_retraining(last: Campaign, tolerance: float, alpha: float) -> Advice:
    """Whether the model must be retrained: predictions too high, too low, or in the wrong order."""
    ratio, misfit = last.ratio(alpha), last.misfit_p()
    if not math.isfinite(ratio.value):
        return Advice("retrain", 0.0, 0.0, "not_known")
    ends = (ratio.low, ratio.high)
    if ratio.high < 1 / (1 + tolerance):
        return Advice("retrain", ratio.value, 1.0, "promised_too_much", *ends)
    if ratio.low > 1 + tolerance:
        return Advice("retrain", ratio.value, 1.0, "promised_too_little", *ends)
    if misfit < _MISFIT_ALPHA:
        return Advice("retrain", ratio.value, 1.0, "wrong_order", *ends)
    return Advice("retrain", ratio.value, 0.0, "as_it_is", *ends)
