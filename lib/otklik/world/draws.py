"""Random draws as Spark SQL expressions, which depend only on the row's number, the seed and a salt.

So the same seed gives the same world on any number of cores and partitions. Every expression expects a column
`number` (the customer's, from 0) in scope; `also` lists other columns or lambda variables that the draw depends on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def texts(values: Sequence[str]) -> str:
    """A SQL array of string literals."""
    return "array(" + ", ".join(map(text, values)) + ")"


def by_value(column: str, given: Mapping[str, str]) -> str:
    """SQL that depends on a column of texts: its value → SQL."""
    return f"CASE {column} " + " ".join(f"WHEN {text(value)} THEN {sql}" for value, sql in given.items()) + " END"


@dataclass(frozen=True)
class Draws:
    """Draws with one seed. Each salt is an independent stream."""

    seed: int

    def bits(self, salt: str, *also: str) -> str:
        """64 random bits as a BIGINT."""
        return f"xxhash64({', '.join(['number', *also])}, {self.seed}L, {text(salt)})"

    def uniform(self, salt: str, *also: str) -> str:
        """A DOUBLE in [0, 1), from the upper 53 bits."""
        return f"(shiftrightunsigned({self.bits(salt, *also)}, 11) / 9007199254740992D)"

    def normal(self, salt: str, *also: str) -> str:
        """A standard normal DOUBLE (Box and Muller 1958)."""
        radius = f"sqrt(-2D * ln(1D - {self.uniform(salt + ' radius', *also)}))"
        return f"({radius} * cos(2D * pi() * {self.uniform(salt + ' angle', *also)}))"

    def below(self, limit: int, salt: str, *also: str) -> str:
        """A BIGINT in [0, limit)."""
        return f"pmod({self.bits(salt, *also)}, {limit}L)"

    def one_of(self, values: Sequence[str], salt: str, *also: str) -> str:
        """One of the strings, with equal probabilities."""
        return f"element_at({texts(values)}, 1 + CAST({self.below(len(values), salt, *also)} AS INT))"

    def weighted(self, weights: Mapping[str, int], salt: str, *also: str) -> str:
        """One of the strings; weights are percentages.

        Raises:
            ValueError: if the weights do not add up to 100.
        """
        if sum(weights.values()) != 100:
            raise ValueError(f"{salt}: weights add up to {sum(weights.values())}, not 100")
        return self.one_of([value for value, weight in weights.items() for _ in range(weight)], salt, *also)
