"""Agreement of two groupings of the same customers."""

from __future__ import annotations

from otklik.models.bootstrap import Floats


def adjusted_rand_index(counts: Floats) -> float:
    """Adjusted Rand index of two groupings from their contingency table: 1 = the same groups, 0 = chance.

    Hubert & Arabie 1985, "Comparing partitions", Journal of Classification 2.

    Args:
        counts: (groups of the first, groups of the second) number of customers in both.
    """
    in_both, in_first, in_second = _pairs(counts), _pairs(counts.sum(axis=1)), _pairs(counts.sum(axis=0))
    # With fewer than two customers there are no pairs to disagree about.
    by_chance = in_first * in_second / max(_pairs(counts.sum()), 1.0)
    most = (in_first + in_second) / 2
    return 1.0 if most == by_chance else float((in_both - by_chance) / (most - by_chance))


def _pairs(counts: Floats) -> float:
    return float((counts * (counts - 1) / 2).sum())
