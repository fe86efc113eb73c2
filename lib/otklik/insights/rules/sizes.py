"""Expected counts of itemsets if items were independent given the sizes of the baskets.

Large baskets contain more of everything, so even unrelated items have lifts above 1. This is the mean over all ways to
fill the baskets in which each basket keeps its number of items and each item its number of baskets (swap randomisation:
Gionis, Mannila, Mielikäinen, Tsaparas 2007), without sampling. The log-odds that a basket of a size contains an item
are a sum of one number per item and one per size (the Rasch model, which has maximum entropy: De Bie 2011); joint
shares given the size are approximated as in conditional Poisson sampling (Hájek 1964).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_ROUNDS = 500
_CLOSE_ENOUGH = 1e-7
_LARGEST_LOGIT = 30.0
#: Maximum size of the largest array.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class UnrelatedItems:
    """Baskets of given sizes with unrelated items of given frequencies.

    Attributes:
        shares: (sizes, kinds of items) share of the baskets of a size that contain an item; items of the same frequency
            are one kind.
        kind_of_item: (items,) index into the kinds.
        baskets: (sizes,) number of baskets.
        spread: (sizes,) variance of the number of items if they were independent.
    """

    shares: Floats
    kind_of_item: npt.NDArray[np.intp]
    baskets: Floats
    spread: Floats

    @classmethod
    def of(cls, sizes: Counts, baskets: Counts, frequency: Counts) -> UnrelatedItems:
        """Fit the shares to the sizes of baskets and the frequencies of items.

        Args:
            sizes: (sizes,) distinct basket sizes, from 1.
            baskets: (sizes,) number of baskets of each size.
            frequency: (items,) number of baskets with each item; its sum is that of sizes × baskets.
        """
        frequencies, kind_of_item, items = np.unique(frequency, return_inverse=True, return_counts=True)
        total = float(baskets.sum())
        of_item = logit(np.clip(frequencies / total, 1e-12, 1 - 1e-12)) if total else np.zeros(len(frequencies))
        of_size = np.zeros(len(sizes))
        shares = expit(of_size[:, None] + of_item)
        for _ in range(_ROUNDS):
            slope = shares * (1 - shares)
            of_size = _moved(of_size, sizes - shares @ items, slope @ items)
            shares = expit(of_size[:, None] + of_item)
            missing = frequencies - baskets @ shares
            if (np.abs(missing) <= _CLOSE_ENOUGH * total).all():
                break
            of_item = _moved(of_item, missing, baskets @ (shares * (1 - shares)))
            shares = expit(of_size[:, None] + of_item)
        return cls(shares, kind_of_item, baskets.astype(np.float64), (shares * (1 - shares)) @ items)

    def expected(self, sets: Sequence[tuple[int, ...]]) -> Floats:
        """Expected number of baskets with all items of each set."""
        expected = np.zeros(len(sets))
        lengths = np.array([len(items) for items in sets], dtype=int)
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            at_once = max(1, _CHUNK // (max(len(self.baskets), 1) * int(length)))
            for start in range(0, len(places), at_once):
                some = places[start : start + at_once]
                kinds = self.kind_of_item[np.array([sets[place] for place in some])]
                expected[some] = self.baskets @ self._joint(self.shares[:, kinds], int(length))
        return expected

    def _joint(self, shares: Floats, length: int) -> Floats:
        """Shares of baskets with all items of a set, (sizes, sets), from those with each item, (sizes, sets, items)."""
        joint: Floats = shares.prod(axis=2)
        if length == 1:
            return joint
        absent = 1 - shares
        pairs = (absent.sum(axis=2) ** 2 - (absent**2).sum(axis=2)) / (length * (length - 1))
        # An item in the basket leaves less room for others; a basket with every item has room for all.
        crowding = np.divide(pairs, self.spread[:, None], out=np.zeros_like(pairs), where=self.spread[:, None] > 1e-9)
        for others in range(1, length):
            joint = joint * np.maximum(0.0, 1 - others * crowding)
        return joint


def _moved(logits: Floats, missing: Floats, slope: Floats) -> Floats:
    """One Newton step, limited to 1."""
    step = np.clip(missing / np.maximum(slope, 1e-300), -1.0, 1.0)
    return np.clip(logits + step, -_LARGEST_LOGIT, _LARGEST_LOGIT)
