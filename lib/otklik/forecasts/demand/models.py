"""Forecasts of one series by simple methods, in numpy; those of statsforecast where it is installed.

Sources: Hyndman & Athanasopoulos, "Forecasting: principles and practice"; Croston 1972 and Syntetos & Boylan 2005 for
intermittent demand; Assimakopoulos & Nikolopoulos 2000 and Hyndman & Billah 2003 for Theta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import signal

from otklik.errors import ConfigurationError
from otklik.forecasts.demand.names import POOLED

Floats = npt.NDArray[np.float64]
#: Values in time order, periods ahead, periods of a season → a value for each period ahead.
Forecast = Callable[[Floats, int, int], Floats]

#: Smoothing constant, if it is not fitted.
_ALPHA = 0.1
_ALPHAS = np.arange(0.02, 1.0, 0.04)
#: One-sided 90 % point of the normal distribution that the test for a season uses, as the Theta method does.
_SEASON_Z = 1.645


def naive(values: Floats, ahead: int, season: int) -> Floats:  # noqa: ARG001 - all forecasts take the same
    """Repeat the last value."""
    return np.full(ahead, values[-1])


def seasonal_naive(values: Floats, ahead: int, season: int) -> Floats:
    """Repeat the last season; repeat the last value if there is no complete season yet."""
    if len(values) < season:
        return naive(values, ahead, season)
    return np.resize(values[-season:], ahead).astype(np.float64)


def mean(values: Floats, ahead: int, season: int) -> Floats:  # noqa: ARG001
    """The mean of all values."""
    return np.full(ahead, values.mean())


def ses(values: Floats, ahead: int, season: int) -> Floats:  # noqa: ARG001
    """Simple exponential smoothing with alpha = .1, from the first value."""
    return np.full(ahead, levels(values, _ALPHA)[-1])


def ses_fitted(values: Floats, ahead: int, season: int) -> Floats:  # noqa: ARG001
    """`ses` with the alpha of the lowest one-step squared error."""
    return np.full(ahead, levels(values, _best_alpha(values))[-1])


def croston(values: Floats, ahead: int, season: int) -> Floats:  # noqa: ARG001
    """Croston's method: demand size ÷ interval between demands, each smoothed with alpha = .1."""
    places = np.flatnonzero(values > 0)
    if not len(places):
        return np.zeros(ahead)
    waits = np.diff(np.concatenate([[-1], places])).astype(np.float64)
    return np.full(ahead, levels(values[places], _ALPHA)[-1] / levels(waits, _ALPHA)[-1])


def sba(values: Floats, ahead: int, season: int) -> Floats:
    """Croston's forecast without its bias: × (1 − alpha / 2)."""
    return croston(values, ahead, season) * (1 - _ALPHA / 2)


def theta(values: Floats, ahead: int, season: int) -> Floats:
    """Exponential smoothing with half the slope of the trend as drift, on values without their season, if any.

    Without two complete seasons, values are treated as not seasonal.
    """
    indices = season_of(values, season)
    count = len(values)
    plain = values if indices is None else values / indices[np.arange(count) % season]
    slope = float(np.polyfit(np.arange(count), plain, 1)[0]) if count > 1 else 0.0
    alpha = _best_alpha(plain)
    steps = np.arange(ahead) + (1 - (1 - alpha) ** count) / alpha
    found: Floats = levels(plain, alpha)[-1] + slope / 2 * steps
    return found if indices is None else found * indices[(count + np.arange(ahead)) % season]


def combined(values: Floats, ahead: int, season: int) -> Floats:
    """Median of the mean, exponential smoothing (both), Syntetos-Boylan and Theta: Bates & Granger 1969."""
    found: Floats = np.median([one(values, ahead, season) for one in (mean, ses, ses_fitted, sba, theta)], axis=0)
    return found


def season_of(values: Floats, season: int) -> Floats | None:
    """Seasonal indices with mean 1, by position in the season, from a classical multiplicative decomposition.

    None with fewer than two seasons, with values at or below 0, or if the autocorrelation at the season's lag is not
    significant at 90 %.
    """
    count = len(values)
    if season < 2 or count < 2 * season + 1 or values.min() <= 0:
        return None
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= 0:
        return None
    lags = np.array([centred[lag:] @ centred[: count - lag] for lag in range(season + 1)]) / total
    limit = _SEASON_Z * np.sqrt((1 + 2 * float((lags[1:season] ** 2).sum())) / count)
    if abs(lags[season]) <= limit:
        return None
    window = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    trend = np.convolve(values, window / season, "valid")
    begin = len(window) // 2
    ratios, places = values[begin : begin + len(trend)] / trend, (np.arange(len(trend)) + begin) % season
    indices: Floats = np.bincount(places, ratios, season) / np.bincount(places, minlength=season)
    found: Floats = indices / indices.mean()
    return found


def levels(values: Floats, alpha: float) -> Floats:
    """The smoothed level after each value."""
    begin = np.array([(1 - alpha) * values[0]])
    later: Floats = signal.lfilter([alpha], [1, alpha - 1], values[1:], zi=begin)[0] if len(values) > 1 else values[1:]
    return np.concatenate([values[:1], later])


def _best_alpha(values: Floats) -> float:
    """The one of 25 alphas with the lowest one-step squared error."""
    return _best_alpha_of(np.asarray(values, np.float64).tobytes())


@lru_cache(maxsize=4)
def _best_alpha_of(series: bytes) -> float:
    """Cached, because up to five methods need it for the same values: half of all the work."""
    values = np.frombuffer(series)
    if len(values) < 3:
        return _ALPHA
    errors = [float(((values[1:] - levels(values, alpha)[:-1]) ** 2).sum()) for alpha in _ALPHAS]
    return float(_ALPHAS[int(np.argmin(errors))])


_OWN: dict[str, Forecast] = {
    "naive": naive, "seasonal_naive": seasonal_naive, "mean": mean, "ses": ses, "ses_fitted": ses_fitted,
    "croston": croston, "sba": sba, "theta": theta, "combined": combined,
}  # fmt: skip
_OF_LIBRARY = {"auto_ets": "AutoETS", "auto_theta": "AutoTheta"}


def forecasts(names: Sequence[str]) -> dict[str, Forecast]:
    """The methods with these names that use one series only.

    Raises:
        ConfigurationError: if one is of statsforecast and that is not installed.
    """
    return {name: _OWN[name] if name in _OWN else _of_library(name) for name in names if name not in POOLED}


def _of_library(name: str) -> Forecast:
    try:
        from statsforecast import models  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ConfigurationError(
            f"the model {name} needs the package statsforecast, which is not installed",
            where="models",
            hint="pip install 'otklik[forecast]', or leave it out",
        ) from None
    build = getattr(models, _OF_LIBRARY[name])

    def forecast(values: Floats, ahead: int, season: int) -> Floats:
        # Its seasonal models need two seasons; exponential smoothing supports no season of more than 24 periods.
        fits = len(values) > 2 * season and (name != "auto_ets" or season <= 24)
        found = build(season_length=season if fits else 1).forecast(y=values, h=ahead)["mean"]
        return np.asarray(found, np.float64)

    return forecast
