"""A number with its interval, as every kind of evidence gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and, where there is a test, the two-sided p that it is 0; NaN where there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan

    @classmethod
    def around(cls, value: float, error: float, alpha: float = 0.05, freedom: float = math.inf) -> Estimate:
        """From its standard error, normal or, with degrees of freedom, by Student's t."""
        if not error > 0:
            return cls(value, value, value)
        is_normal = math.isinf(freedom)
        reach = error * float(special.ndtri(1 - alpha / 2) if is_normal else special.stdtrit(freedom, 1 - alpha / 2))
        beyond = -abs(value) / error
        p = 2 * float(special.ndtr(beyond) if is_normal else special.stdtr(freedom, beyond))
        return cls(value, value - reach, value + reach, p)

    @property
    def is_beyond_nought(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def by(self, factor: float, plus: float = 0.0) -> Estimate:
        """The number times a factor, which is not negative, plus another."""
        return Estimate(*(factor * end + plus for end in (self.value, self.low, self.high)))


def known(value: float) -> float | None:
    """A number as a table has it: null where there is none."""
    return value if math.isfinite(value) else None
