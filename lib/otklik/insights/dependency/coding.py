"""Encode columns as small integers: fine grades for ranks, coarse parts for tables. Imports no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Maximum number of quantile bins of a number, with which ranks are practically exact.
GRADES = 100
#: Maximum number of levels of a string, and the minimum number of rows of each.
MOST_LEVELS, FEWEST_ROWS = 30, 20
OTHER = "(other)"


@dataclass(frozen=True)
class Coding:
    """Codes of a column.

    Attributes:
        name: name of the column.
        cuts: of a number: the largest value of each grade except the last.
        levels: of a text: level → grade; others have the last grade.
        parts: (grades,) the coarse part of each grade.
        labels: of the parts.
        is_ordered: whether larger codes mean more: true of numbers, and of strings with two levels.
    """

    name: str
    cuts: Floats | None
    levels: Mapping[str, int]
    parts: Codes
    labels: Sequence[str]
    is_ordered: bool

    @property
    def grades(self) -> int:
        """Number of grades."""
        return len(self.parts)

    def codes(self, values: pd.Series) -> Codes:
        """The grade of each value; -1 if it is missing."""
        if self.cuts is None:
            known = values.map(self.levels).fillna(self.grades - 1).to_numpy(dtype=np.int64)
        else:
            known = np.searchsorted(self.cuts, values.to_numpy(dtype=float), side="left").astype(np.int64)
        return np.where(values.isna().to_numpy(), -1, known)


def number_coding(name: str, values: Floats, bins: int) -> Coding:
    """Grades and parts of about equal count of a number.

    Args:
        name: name of the column.
        values: some of its values, none missing.
        bins: maximum number of parts.
    """
    values = np.sort(values)
    distinct = np.unique(values)
    if len(distinct) > GRADES:
        places = np.ceil(np.arange(1, GRADES) / GRADES * len(values)).astype(int) - 1
        cuts = np.unique(values[places])
        cuts = cuts[cuts < distinct[-1]]
    else:
        cuts = distinct[:-1]
    grades = np.searchsorted(cuts, values, side="left")
    counts = np.bincount(grades, minlength=len(cuts) + 1)
    parts = np.arange(len(counts))
    if len(counts) > bins:
        middle = (np.cumsum(counts) - counts / 2) / max(len(values), 1)
        parts = np.unique(np.floor(middle * bins), return_inverse=True)[1]
    of_values = parts[grades]
    labels = [_range(values[of_values == part]) for part in range(int(parts.max()) + 1)]
    return Coding(name, cuts, {}, parts.astype(np.int64), labels, is_ordered=True)


def _range(values: Floats) -> str:
    low, high = (f"{end:.6g}" for end in (values[0], values[-1])) if len(values) else ("", "")
    return low if low == high else f"{low} … {high}"


def level_coding(name: str, counts: Mapping[str, int], rows: int, rare_share: float) -> Coding:
    """Levels of a string; rare ones are merged, unless there is only one of them.

    Args:
        name: name of the column.
        counts: its most common levels → rows.
        rows: number of non-null rows.
        rare_share: levels with a smaller share are rare.
    """
    common = [level for level, count in counts.items() if count >= max(FEWEST_ROWS, rare_share * rows)]
    common = sorted(sorted(common, key=lambda level: -counts[level])[:MOST_LEVELS])
    rare = rows - sum(counts[level] for level in common)
    names = [*common]
    if rare:
        left = [level for level in counts if level not in common]
        names.append(left[0] if len(left) == 1 and counts[left[0]] == rare else OTHER)
    places = {level: place for place, level in enumerate(names) if level != OTHER}
    return Coding(name, None, places, np.arange(len(names)), names, is_ordered=len(names) == 2)


def stratum_codes(codes: Sequence[Codes], codings: Sequence[Coding]) -> Codes:
    """One number per combination of the parts of several columns; -1 if one is missing."""
    strata = np.zeros(len(codes[0]), dtype=np.int64)
    is_known = np.ones(len(strata), dtype=bool)
    for some, coding in zip(codes, codings, strict=True):
        is_known &= some >= 0
        strata = strata * len(coding.labels) + coding.parts[np.maximum(some, 0)]
    return np.where(is_known, strata, -1)
