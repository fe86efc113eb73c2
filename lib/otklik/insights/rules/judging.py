"""Share of rules that hold on later baskets, with its interval, and the share expected by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from otklik.inference import NORMAL_95, wilson
from otklik.insights import fourfold
from otklik.insights.fourfold import Counts, Floats
from otklik.kind import Measure
from otklik.models.bootstrap import Resampling

_REPLICATES = 200
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Holding:
    """Results of rules on later baskets.

    Attributes:
        index: index of the rules in their frame.
        baskets: number of later baskets.
        both: (rules,) number of later baskets with all items.
        lift: (rules,) lift on them; NaN if one side never occurs.
        holds: (rules,) whether that lift is on the rule's side of 1.
        by_replicate: (rules, replicates) likewise in bootstrap samples of baskets.
        chance: (rules,) probability of `holds` if items are unrelated.
    """

    index: pd.Index
    baskets: int
    both: Counts
    lift: Floats
    holds: Flags
    by_replicate: Flags
    chance: Floats

    def only(self, index: pd.Index) -> Holding:
        """A subset of the rules."""
        which = self.index.isin(index)
        parts = {name: getattr(self, name)[which] for name in ("both", "lift", "holds", "by_replicate", "chance")}
        return replace(self, index=self.index[which], **parts)

    def measure(self, name: str) -> Measure:
        """The share that holds, with the share expected for unrelated items as baseline.

        The interval is the union of Wilson's, over rules, and a bootstrap interval over baskets.
        """
        rules = len(self.index)
        if not rules:
            return Measure(name, None, split="later", rows=0)
        share = float(self.holds.mean())
        least, most = (float(end) for end in wilson(self.holds.sum(), rules))
        reach = float(NORMAL_95 * self.by_replicate.mean(axis=0).std(ddof=1))
        return Measure(
            name,
            share,
            split="later",
            low=max(0.0, min(share - reach, least)),
            high=min(1.0, max(share + reach, most)),
            baseline=float(self.chance.mean()),
            rows=rules,
        )


def beside(rules: pd.DataFrame, held: Holding | None) -> pd.DataFrame:
    """The rules with later_baskets, later_both, later_lift, holds_later; null if they were not evaluated."""
    names = ["later_baskets", "later_both", "later_lift", "holds_later"]
    values = [] if held is None else [[held.baskets] * len(held.index), held.both, held.lift, held.holds]
    index = rules.index[:0] if held is None else held.index
    judged = {name: pd.Series(some, index, dtype=object) for name, some in zip(names, values or [[]] * 4, strict=True)}
    return rules.join(pd.DataFrame(judged, index=index)).astype({"later_lift": float})


def held_later(
    index: pd.Index, is_above: Flags, counts: Sequence[Counts], confidence: Floats, sizes: Counts
) -> Holding:
    """Evaluate rules by counts of later baskets.

    Args:
        index: index of the rules.
        is_above: (rules,) whether the earlier lift was above 1.
        counts: both, first, second, each (rules, groups): baskets with all items, with either side.
        confidence: (rules,) share of the baskets with the first side that would contain the second if items were
            unrelated.
        sizes: (groups,) number of baskets.
    """
    once = np.ones(len(sizes))
    resampled = Resampling.of(np.arange(len(sizes)), _REPLICATES, "later").weights(0, _REPLICATES)
    both, first, second = (each.sum(axis=1) for each in counts)
    independent = first * second / sizes.sum()
    above = stats.binom.sf(np.floor(independent), first, confidence)
    below = stats.binom.cdf(np.ceil(independent) - 1, first, confidence)
    return Holding(
        index,
        int(sizes.sum()),
        both,
        _lift(counts, sizes, once),
        _holds(counts, sizes, once, is_above),
        np.stack([_holds(counts, sizes, drawn, is_above) for drawn in resampled], axis=1),
        np.where(is_above, above, below),
    )


def _lift(counts: Sequence[Counts], sizes: Counts, weights: Floats) -> Floats:
    both, first, second = (each @ weights for each in counts)
    return fourfold.lift(both, first, second, float(sizes @ weights))


def _holds(counts: Sequence[Counts], sizes: Counts, weights: Floats, is_above: Flags) -> Flags:
    lift = _lift(counts, sizes, weights)
    return np.where(is_above, lift > 1, lift < 1)
