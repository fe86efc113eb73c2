"""Choose products that together retain the most value: greedy maximisation of a submodular function. Imports no Spark.

A need is what a customer buys in a category within a period. A kept product retains all its value. Of a dropped one
the share `transfer` is retained if the need has another product that is kept, otherwise nothing:

    kept(S) = (1 - transfer) · value of the products in S + transfer · value of the needs that S meets

The first part is a sum over products, the second a weighted coverage, so kept is monotone and submodular: the greedy
choice retains at least 1 - 1/e of what the best set of its size retains (Nemhauser, Wolsey, Fisher 1978). This holds
for each pool of products that compete for the same places, because each category belongs to one pool. With transfer =
0 the result is the list of best sellers; with transfer = 1 and equal values of all needs it is TURF (Miaoulis, Free,
Parsons 1990): the largest reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
#: Decimal places to which shares of value are compared, so that the order of summation does not matter.
_DIGITS = 9
#: Block size of the search for substitutes, so that products × kept products need not fit into memory.
_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class Needs:
    """What customers buy, need by need.

    Attributes:
        values: (needs × products) value of each product in each need.
        own: (products,) value of each product, as a share of all value.
        scale: factor from values to such shares; more than 1 / total value if needs are a sample.
    """

    values: sp.csr_matrix
    own: Floats
    scale: float

    @classmethod
    def of(cls, need: Whole, product: Whole, value: Floats, own: Floats) -> Needs:
        """From rows of need, product (its index) and value, and the value of each product over all customers."""
        _, row = np.unique(need, return_inverse=True)
        values = sp.csr_matrix((value, (row.reshape(-1), product)), shape=(int(row.max(initial=-1)) + 1, len(own)))
        return cls(values, own / own.sum(), 1 / max(float(value.sum()), math.ulp(0.0)))

    @property
    def totals(self) -> Floats:
        """(needs,) value of each need as a share of all."""
        sums: Floats = np.asarray(self.values.sum(axis=1)).reshape(-1) * self.scale
        return sums

    @property
    def has(self) -> sp.csr_matrix:
        """(needs × products) 1 if the need has the product."""
        return sp.csr_matrix(
            (np.ones_like(self.values.data), self.values.indices, self.values.indptr), self.values.shape
        )

    def portable(self) -> Floats:
        """(products,) share of each product's value in needs that also have another product."""
        several = np.diff(self.values.indptr) > 1
        value = np.asarray(self.values.sum(axis=0)).reshape(-1)
        moves = np.asarray(self.values[several].sum(axis=0)).reshape(-1)
        share: Floats = np.divide(moves, value, out=np.zeros_like(value), where=value > 0)
        return share


def greedy(needs: Needs, transfer: float, pool: Whole, most: Whole) -> Whole:
    """The order in which products are chosen: in each step the one that adds most to the retained value.

    Args:
        needs: of the products.
        transfer: see above.
        pool: (products,) index of the pool in which each product competes.
        most: (pools,) maximum number of products.

    Returns:
        (products,) from 1; 0 = not chosen.
    """
    totals, has = needs.totals, needs.has
    of_product = has.tocsc()
    adds = (1 - transfer) * needs.own + transfer * np.asarray(has.T @ totals).reshape(-1)
    is_met = np.zeros(len(totals), dtype=bool)
    turn = np.zeros(len(adds), dtype=np.int64)
    order = np.argsort(-np.round(needs.own, _DIGITS), kind="stable")
    for place in range(len(most)):
        # Ties go to the larger product, as in the list of best sellers: argmax returns the first.
        candidates = order[pool[order] == place]
        for step in range(1, min(int(most[place]), len(candidates)) + 1):
            best = candidates[np.argmax(np.round(adds[candidates], _DIGITS))]
            turn[best], adds[best] = step, -math.inf
            of_best = of_product.indices[of_product.indptr[best] : of_product.indptr[best + 1]]
            fresh = of_best[~is_met[of_best]]
            is_met[fresh] = True
            # Once a need is met, its other products add nothing to it.
            met = has[fresh]
            np.subtract.at(adds, met.indices, transfer * np.repeat(totals[fresh], np.diff(met.indptr)))
    return turn


def by_value(own: Floats, pool: Whole) -> Whole:
    """The rank of each product, from 1, by value within its pool; ties go to the earlier one."""
    order = np.lexsort((-np.round(own, _DIGITS), pool))
    turn = np.empty(len(own), dtype=np.int64)
    of_pool = pool[order]
    starts = np.searchsorted(of_pool, of_pool, side="left")
    turn[order] = np.arange(len(own)) - starts + 1
    return turn


def kept_share(needs: Needs, transfer: float, kept: Flags) -> float:
    """Value that a set retains, as a share of the total."""
    is_met = np.asarray(needs.has @ kept.astype(float)).reshape(-1) > 0
    return float((1 - transfer) * needs.own[kept].sum() + transfer * needs.totals[is_met].sum())


def lost_without(needs: Needs, transfer: float, kept: Flags) -> Floats:
    """(products,) marginal value of each product in the set, and of adding each other one, as shares of the total."""
    has, totals = needs.has, needs.totals
    found = np.asarray(has @ kept.astype(float)).reshape(-1)
    last, first = (np.asarray(has.T @ (totals * (found == count))).reshape(-1) for count in (1, 0))
    lost: Floats = (1 - transfer) * needs.own + transfer * np.where(kept, last, first)
    return lost


def substitutes(needs: Needs, kept: Flags) -> tuple[Whole, Floats]:
    """The kept product that buyers of each product buy most, by value, for the same needs.

    Returns:
        (products,) its index, −1 if there is none, and the share of the product's value in needs with both.
    """
    count = len(needs.own)
    chosen = np.flatnonzero(kept)
    best, share = np.full(count, -1, dtype=np.int64), np.zeros(count)
    if not len(chosen):
        return best, share
    beside, columns = needs.has.tocsc()[:, chosen], needs.values.tocsc()
    for start in range(0, count, _AT_ONCE):
        some = np.arange(start, min(start + _AT_ONCE, count))
        value = np.asarray(columns[:, some].sum(axis=0)).reshape(-1)
        shared = np.asarray((columns[:, some].T @ beside).todense())
        # A product is not its own substitute.
        at = np.searchsorted(chosen, some).clip(max=len(chosen) - 1)
        is_itself = chosen[at] == some
        shared[np.flatnonzero(is_itself), at[is_itself]] = 0
        shares = np.round(np.divide(shared, value[:, np.newaxis], out=np.zeros_like(shared), where=shared > 0), _DIGITS)
        place = shares.argmax(axis=1)
        share[some] = shares[np.arange(len(some)), place]
        best[some] = np.where(share[some] > 0, chosen[place], -1)
    return best, share
