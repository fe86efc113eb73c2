"""Candidates for some customers with one score per method, computed from tables of items.

Customers are positions in a block here, and items are integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from otklik.models.bootstrap import Floats

#: The methods, in the order of every vector of weights.
METHODS = ("own", "popularity", "item_item", "als", "segment")
#: Maximum size of each of the few largest arrays of a block of customers: 40 MB.
_NUMBERS = 5_000_000

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ItemTables:
    """Tables of up to some hundred thousand items, in small types, as they are sent with the query plan.

    Attributes:
        buyers: (items,) number of customers who have bought each.
        may_be_shown: (items,) whether it may be recommended.
        category: (items,) None if it has none; None: there are no categories.
        popular: indices of the most popular items that may be shown, best first.
        starts: (items + 1,) the neighbours of item i are those from starts[i] to starts[i + 1].
        neighbours: their indices.
        similarity: of each neighbour, see `scoring.neighbours_of_items`.
        rated: indices of the items with factors.
        factors: (rated, rank).
        of_segments: segment → indices of the items bought by most of its customers, and the number of those.
    """

    buyers: Whole
    may_be_shown: npt.NDArray[np.bool_]
    category: npt.NDArray[np.object_] | None
    popular: Whole
    starts: Whole
    neighbours: npt.NDArray[np.int32]
    similarity: Floats
    rated: npt.NDArray[np.int32]
    factors: npt.NDArray[np.float32]
    of_segments: Mapping[str, tuple[Whole, Whole]]


@dataclass(frozen=True)
class Limits:
    """Maximum numbers of items.

    Attributes:
        candidates: candidates per customer and method.
        liked: a customer's most purchased items that are used for similarity.
        warm: minimum number of distinct items of a warm customer.
    """

    candidates: int
    liked: int
    warm: int


def blocks(customers: pd.DataFrame, tables: ItemTables, limits: Limits) -> Iterator[pd.DataFrame]:
    """Blocks of customers whose ratings of all items and neighbours of their items fit into memory."""
    neighbours = int(np.diff(tables.starts).max(initial=0)) * limits.liked
    size = max(1, _NUMBERS // max(1, len(tables.rated), len(tables.popular), neighbours))
    for start in range(0, len(customers), size):
        yield customers.iloc[start : start + size]


def candidates(block: pd.DataFrame, tables: ItemTables, limits: Limits) -> pd.DataFrame:
    """For each customer the items already bought, the most popular items, and the best ones of each method.

    Args:
        block: one row per customer: items and times (lists, the best liked first), factors (a list or None), segment.
        tables: see `ItemTables`.
        limits: see `Limits`.

    Returns:
        place (of the customer in the block), item, METHODS (0 to 1), buyers, is_own, is_warm, because (the customer's
        item that this one is most similar to; -1: none); by place and item.
    """
    everybody, total = len(block), len(tables.buyers)
    bought = [np.asarray(items, dtype=np.int64) for items in block["items"]]
    counts = np.array([len(items) for items in bought], dtype=np.int64)
    own = np.repeat(np.arange(everybody), counts) * total + _together(bought)
    popular = (np.arange(everybody)[:, np.newaxis] * total + tables.popular).ravel()
    similar, similarity, because = _similar(bought, tables, limits)
    rated, rating = _rated(block, tables, limits.candidates)
    of_segment, in_segment = _of_segments(block, tables)
    keys = np.unique(np.concatenate([own, popular, similar, rated, of_segment]))
    scores = {name: np.zeros(len(keys)) for name in METHODS if name != "popularity"}
    scores["own"][np.searchsorted(keys, own)] = _together([np.asarray(times) for times in block["times"]])
    scores["item_item"][np.searchsorted(keys, similar)] = similarity
    scores["als"][np.searchsorted(keys, rated)] = rating
    scores["segment"][np.searchsorted(keys, of_segment)] = in_segment
    place, item = keys // total, keys % total
    nearest = np.full(len(keys), -1)
    nearest[np.searchsorted(keys, similar)] = because
    is_own = scores["own"] > 0
    shares = {name: _of_greatest(score, place, everybody) for name, score in scores.items()}
    shares["popularity"] = tables.buyers[item] / max(1, tables.buyers.max(initial=0))
    found = pd.DataFrame(
        {
            "place": place,
            "item": item,
            **{name: shares[name] for name in METHODS},
            "buyers": tables.buyers[item],
            "is_own": is_own,
            "is_warm": counts[place] >= limits.warm,
            "because": nearest,
        }
    )
    return found.iloc[np.flatnonzero(tables.may_be_shown[item])]


def _together(parts: list[npt.NDArray[np.int64]]) -> Whole:
    return np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int64)


def _of_greatest(score: Floats, place: Whole, places: int) -> Floats:
    """Values relative to the customer's largest one; negative values become 0."""
    greatest = np.zeros(places)
    np.maximum.at(greatest, place, score)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(greatest[place] > 0, np.maximum(score, 0.0) / greatest[place], 0.0)


def _similar(bought: list[Whole], tables: ItemTables, limits: Limits) -> tuple[Whole, Floats, Whole]:
    """Keys of the items most similar to a customer's items; the sum of similarities; the nearest item.

    Sums are taken in a fixed order and rounded, as floating-point sums depend on the order.
    """
    liked = [items[: limits.liked] for items in bought]
    place, item = np.repeat(np.arange(len(liked)), [len(items) for items in liked]), _together(liked)
    each = tables.starts[item + 1] - tables.starts[item]
    if not each.sum():
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    at = np.repeat(tables.starts[item], each) + _places_within(each)
    keys = np.repeat(place, each) * len(tables.buyers) + tables.neighbours[at]
    of, similarity = np.repeat(item, each), tables.similarity[at]
    order = np.lexsort((of, similarity, keys))
    keys, of, similarity = keys[order], of[order], similarity[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    last = np.append(first[1:], len(keys)) - 1
    total: Floats = np.add.reduceat(similarity, first).round(9)
    keys, nearest = keys[first], of[last]
    place = keys // len(tables.buyers)
    order = np.lexsort((keys, -total, place))
    best = order[rank_within(place[order]) < limits.candidates]
    return keys[best], total[best], nearest[best]


def rank_within(group: Whole) -> Whole:
    """0, 1, 2 … for the rows of each group; rows of a group are adjacent."""
    is_first = np.ones(len(group), dtype=bool)
    is_first[1:] = group[1:] != group[:-1]
    return _places_within(np.diff(np.append(np.flatnonzero(is_first), len(group))))


def _places_within(sizes: Whole) -> Whole:
    """0, 1, 2 … for each of some groups, by their sizes."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _rated(block: pd.DataFrame, tables: ItemTables, count: int) -> tuple[Whole, Floats]:
    """Keys of the items with the highest ratings by factorisation for each customer with factors, and ratings above 0.

    Ratings are rounded, as the last bits of a product depend on the block of customers; ties go to the lower index.
    """
    places = np.flatnonzero(block["factors"].notna().to_numpy()) if len(tables.rated) else np.empty(0, np.intp)
    if not len(places):
        return np.empty(0, np.int64), np.empty(0)
    of_customers = np.stack([np.asarray(each, float) for each in block["factors"].iloc[places]])
    ratings: Floats = (of_customers @ tables.factors.T.astype(float)).round(9)
    worst = max(0, ratings.shape[1] - count)
    least = np.maximum(np.partition(ratings, worst, axis=1)[:, worst], np.finfo(float).tiny)
    row, column = np.nonzero(ratings >= least[:, np.newaxis])
    rating, item = ratings[row, column], tables.rated[column]
    order = np.lexsort((item, -rating, row))
    best = order[rank_within(row[order]) < count]
    return places[row[best]] * len(tables.buyers) + item[best], rating[best]


def _of_segments(block: pd.DataFrame, tables: ItemTables) -> tuple[Whole, Whole]:
    """Keys of the popular items of each customer's segment, and their numbers of buyers there."""
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = [tables.of_segments.get(segment, nothing) for segment in block["segment"]] if tables.of_segments else []
    place = np.repeat(np.arange(len(found)), [len(items) for items, _ in found])
    return place * len(tables.buyers) + _together([i for i, _ in found]), _together([n for _, n in found])
