"""Which method forecasts a series: a default by the kind of series, another where it was better, beyond chance, before.

The kinds are those of Syntetos, Boylan & Croston 2005, "On the categorization of demand patterns", JORS 56: how long
one waits for a demand (ADI), and how much its size varies (CV²).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from otklik.forecasts.demand.models import Floats, Forecast

#: Limits of the categorization.
_LONG_WAIT, _MUCH_VARIATION = 1.32, 0.49
#: The chance that some method replaces the default though none is better.
_LEVEL = 0.05
LEVEL_MODEL, TREND_MODEL = "ses", "theta"


@dataclass(frozen=True, eq=False)
class Choice:
    """A method and how it did before.

    Attributes:
        model: the name of the method.
        is_default: whether it is the default of the kind of series.
        errors: (origins, periods ahead) actual − forecast at earlier origins, latest origin first.
        scales: (origins,) mean absolute change from period to period before each origin.
    """

    model: str
    is_default: bool
    errors: Floats
    scales: Floats


def kind_of(values: Floats) -> str:
    """smooth, erratic, intermittent or lumpy."""
    sold = values[values > 0]
    waits = len(values) / max(len(sold), 1)
    variation = float((sold.std() / sold.mean()) ** 2) if len(sold) else 0.0
    if waits < _LONG_WAIT:
        return "smooth" if variation < _MUCH_VARIATION else "erratic"
    return "intermittent" if variation < _MUCH_VARIATION else "lumpy"


def default_for(values: Floats, season: int) -> str:
    """Theta for smooth demand over two seasons or more; before, trend and season cannot be separated: the level."""
    is_long = len(values) >= 2 * season
    return TREND_MODEL if is_long and kind_of(values) == "smooth" else LEVEL_MODEL


def scale_of(values: Floats) -> float:
    """Mean absolute change from one period to the next: what MASE measures errors in."""
    return float(np.abs(np.diff(values)).mean()) if len(values) > 1 else 0.0


def choose(
    values: Floats, ahead: int, season: int, origins: int, methods: Mapping[str, Forecast], default: str
) -> Choice:
    """Forecast from earlier origins, each with at least half of the history before it, and compare.

    The default goes where another method has a lower mean absolute error in a paired t-test over the origins, at 5 %
    for all methods together (Bonferroni). With two origins or fewer nothing can be told, and it stays.
    """
    ends = [end for step in range(1, origins + 1) if (end := len(values) - step * ahead) >= max(len(values) / 2, 3)]
    errors = {
        name: np.array([values[end : end + ahead] - method(values[:end], ahead, season) for end in ends])
        for name, method in methods.items()
    }
    chosen = default
    if len(ends) > 2:
        means = {name: np.abs(error).mean(axis=1) for name, error in errors.items()}
        others = [name for name in methods if name != default]
        limit = float(stats.t.ppf(1 - _LEVEL / max(len(others), 1), len(ends) - 1))
        better: dict[str, float] = {}
        for name in others:
            gains = means[default] - means[name]
            if gains.mean() > limit * gains.std(ddof=1) / np.sqrt(len(ends)) and gains.mean() > 0:
                better[name] = float(gains.mean())
        if better:
            chosen = max(better, key=lambda name: better[name])
    own = errors[chosen].reshape(len(ends), ahead)
    return Choice(chosen, chosen == default, own, np.array([scale_of(values[:end]) for end in ends]))
