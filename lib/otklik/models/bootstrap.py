"""Bootstrap weights computed from keys, so that a replicate is the same on every machine and in any order of rows.

A replicate gives every unit (a customer, a decision moment) an independent Poisson(1) weight instead of drawing units
with replacement (Oza & Russell 2001; Chamandy et al. 2012, "Estimating uncertainty for massive data streams"), so a
weight depends only on the unit, the replicate and the salt. All rows of a unit share its weight.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

#: P(Poisson(1) <= k) for k = 0 … 17, in steps of 2^-53, the grain of the uniform numbers; what lies beyond is below it.
_POISSON_1 = np.ceil(np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(18)]) * 2.0**53).astype(np.uint64)
#: Weights made at once: memory stays bounded, and 2 MB of doubles stay in a processor's cache.
_WEIGHTS_AT_ONCE = 250_000
#: Block size of intermediate integers, so that several arrays fit into the CPU cache.
_GRAINS_AT_ONCE = 2**16


@dataclass(frozen=True, eq=False)
class Resampling:
    """The replicates of one set of rows.

    Attributes:
        unit_of_row: (rows,) index of each row's unit.
        seeds: (units,) 64-bit hash of each unit and the salt.
        replicates: how many replicates there are.
    """

    unit_of_row: npt.NDArray[np.intp]
    seeds: npt.NDArray[np.uint64]
    replicates: int

    @classmethod
    def of(cls, units: npt.NDArray[Any], replicates: int, salt: str) -> Resampling:
        """The replicates of rows.

        Args:
            units: (rows,) the unit of each row: text, whole numbers or moments; what counts is its text.
            replicates: how many.
            salt: what sets this bootstrap apart from every other draw.

        Raises:
            ValueError: if a row has no unit.
        """
        unit_of_row, distinct = pd.factorize(units)
        if (unit_of_row < 0).any():
            raise ValueError("a row has no unit")
        return cls(unit_of_row, draw_hash(distinct, salt), replicates)

    def weights(self, first: int, last: int) -> Floats:
        """Weights of the units in replicates first … last − 1, shape (last − first, units)."""
        steps = np.arange(first, last, dtype=np.uint64)
        found = np.empty((len(steps), len(self.seeds)))
        units = max(1, _GRAINS_AT_ONCE // max(1, len(steps)))
        for start in range(0, len(self.seeds), units):
            some = slice(start, start + units)
            grains = _grains(self.seeds[some], steps)
            counts = np.zeros(grains.shape, dtype=np.uint8)
            # Faster than to search the sorted limits for each.
            for limit in _POISSON_1:
                counts += grains >= limit
            found[:, some] = counts
        return found

    def chunks(self) -> Iterator[Floats]:
        """The weights of all units, a few replicates at a time, shape (some replicates, units)."""
        at_once = max(1, _WEIGHTS_AT_ONCE // max(1, len(self.unit_of_row)))
        for first in range(0, self.replicates, at_once):
            yield self.weights(first, min(first + at_once, self.replicates))

    def per_unit(self, *values: npt.NDArray[Any]) -> Floats:
        """Sums of (rows,) arrays over each unit, shape (units, arrays)."""
        units = len(self.seeds)
        return np.stack([np.bincount(self.unit_of_row, weights=of_rows, minlength=units) for of_rows in values], axis=1)

    def sums(self, *values: npt.NDArray[Any]) -> Floats:
        """Weighted sums of (rows,) arrays in each replicate, shape (arrays, replicates)."""
        per_unit = self.per_unit(*values)
        return np.concatenate([weights @ per_unit for weights in self.chunks()]).T


def poisson_weights(units: npt.NDArray[Any], replicates: int, salt: str) -> Floats:
    """Poisson(1) weights of rows, shape (replicates, rows); for many rows use `Resampling.chunks`."""
    resampling = Resampling.of(units, replicates, salt)
    return resampling.weights(0, replicates)[:, resampling.unit_of_row]


def interval(values: Floats) -> tuple[float | None, float | None]:
    """The 95 % percentile interval of a statistic over its replicates.

    Replicates without a value (NaN, e.g. without positives) are left out; if these are half of them or more, there is
    no interval.
    """
    known = values[np.isfinite(values)]
    if 2 * len(known) <= len(values):
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def draw_hash(keys: npt.ArrayLike, salt: str) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each key's text under a salt: BLAKE2b (RFC 7693), the same on every platform."""
    root = hashlib.blake2b(salt.encode(), digest_size=8)
    digests = bytearray()
    for key in pd.Index(np.asarray(keys)):
        one = root.copy()
        one.update(b"\0" + str(key).encode())
        digests += one.digest()
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)


def mixed(seeds: npt.NDArray[np.uint64], steps: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Output number `step` of the generator SplitMix64 started at each seed, shape (steps, seeds).

    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"; constants of Vigna's splitmix64.c.
    """
    mix = seeds[np.newaxis, :] + (steps[:, np.newaxis] + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mix ^= mix >> np.uint64(30)
    mix *= np.uint64(0xBF58476D1CE4E5B9)
    mix ^= mix >> np.uint64(27)
    mix *= np.uint64(0x94D049BB133111EB)
    mix ^= mix >> np.uint64(31)
    return mix


def _grains(seeds: npt.NDArray[np.uint64], steps: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Uniform numbers in [0, 1) in steps of 2^-53, shape (steps, seeds)."""
    return mixed(seeds, steps) >> np.uint64(11)
