"""How revenue answers to spend: carry-over and saturation, fitted to weeks. Pure numbers; knows no Spark.

revenue(t) = base(t) + Σ effect · a(t)^shape / (a(t)^shape + half^shape) + noise
a(t) = spend(t) + carry_over · a(t − 1)

Source of the form: Jin, Wang, Sun, Chan & Koehler 2017, "Bayesian methods for media mix modeling with carryover and
shape effects". Base and effects (never negative) are solved for exactly at each carry-over, half and shape (variable
projection, Golub & Pereyra 1973), which least squares then moves, held by weak priors. Intervals come from residuals
drawn anew in blocks of weeks (Künsch 1989, "The jackknife and the bootstrap for general stationary observations").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import LinearConstraint, least_squares, minimize, nnls
from scipy.signal import lfilter
from scipy.special import expit

Floats = npt.NDArray[np.float64]

#: Weeks in a year, for the season.
_YEAR = 365.25 / 7
#: Lowest and highest carry-over, half (log, relative to the channel's usual effective spend) and shape.
_BOUNDS = np.array([[0.0, 0.95], [-2.5, 2.5], [0.5, 3.0]])
#: Means and standard deviations of their priors.
_PRIOR = np.array([[0.3, 0.3], [0.0, 1.0], [1.2, 0.7]])
_STARTS = (0.1, 0.5)


@dataclass(frozen=True)
class Weeks:
    """What is fitted to.

    Attributes:
        revenue: (weeks,).
        spend: (weeks, channels).
        base: (weeks, columns) what explains revenue without media: constant, trend, season, controls.
    """

    revenue: Floats
    spend: Floats
    base: Floats

    def only(self, kept: slice) -> Weeks:
        """Some of the weeks."""
        return Weeks(self.revenue[kept], self.spend[kept], self.base[kept])


@dataclass(frozen=True)
class Response:
    """A fitted answer of revenue to spend; arrays of (channels,).

    Attributes:
        carry_over: share of the effective spend that stays for the next week.
        half: effective spend at which half of the effect is reached.
        shape: exponent of the saturation.
        effect: revenue that the channel can bring in a week at most.
        base: coefficients of the base columns.
    """

    carry_over: Floats
    half: Floats
    shape: Floats
    effect: Floats
    base: Floats

    def contributions(self, spend: Floats) -> Floats:
        """Revenue of each channel in each week, (weeks, channels)."""
        return self.effect * saturated(carried(spend, self.carry_over), self.half, self.shape)

    def fitted(self, weeks: Weeks) -> Floats:
        """Expected revenue, (weeks,)."""
        found: Floats = weeks.base @ self.base + self.contributions(weeks.spend).sum(axis=1)
        return found

    def steady(self, spend: Floats) -> Floats:
        """Revenue a week of each channel at the same spend every week; spend of (…, channels)."""
        return self.effect * saturated(spend / (1 - self.carry_over), self.half, self.shape)

    def marginal(self, spend: Floats) -> Floats:
        """Revenue that one more unit of weekly spend would bring in the long run, (channels,)."""
        step = np.maximum(spend, 1.0) * 1e-4
        return (self.steady(spend + step) - self.steady(np.maximum(spend - step, 0.0))) / (
            step + np.minimum(step, spend)
        )


def carried(spend: Floats, carry_over: Floats) -> Floats:
    """Effective spend: this week's, and what is left of the weeks before; (weeks, channels)."""
    return np.column_stack([lfilter([1.0], [1.0, -share], spend[:, c]) for c, share in enumerate(carry_over)])


def saturated(effective: Floats, half: Floats, shape: Floats) -> Floats:
    """Share of a channel's effect that is reached."""
    with np.errstate(divide="ignore"):
        found: Floats = expit(shape * (np.log(effective) - np.log(half)))
    return found


def base_columns(weeks: int, first: int, controls: Floats, harmonics: int) -> Floats:
    """Constant, trend, season and controls, (weeks, columns); controls are centred and scaled.

    Args:
        weeks: how many.
        first: number of the first week, counted from any Monday.
        controls: (weeks, controls).
        harmonics: of the season; 0 for none.
    """
    t = np.arange(first, first + weeks)
    angles = 2 * np.pi * t / _YEAR
    season = [wave(k * angles) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    spread = controls.std(axis=0)
    scaled = (controls - controls.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.column_stack([np.ones(weeks), (t - t.mean()) / max(weeks, 1), *season, scaled])


def fit(weeks: Weeks, start: Response | None = None) -> Response:
    """The response that explains the weeks best.

    Args:
        weeks: what to fit to.
        start: from where to move; else from several places.
    """
    problem = _Problem(weeks)
    starts = [problem.place_of(start)] if start is not None else [problem.start(share) for share in _STARTS]
    low, high = (np.tile(_BOUNDS[:, side], problem.channels) for side in (0, 1))
    found = [
        least_squares(problem.residuals, np.clip(place, low + 1e-6, high - 1e-6), bounds=(low, high), x_scale="jac")
        for place in starts
    ]
    return problem.response(min(found, key=lambda one: float(one.cost)).x)


def base_alone(weeks: Weeks) -> Floats:
    """Coefficients of the base columns without any media."""
    return np.asarray(np.linalg.lstsq(weeks.base, weeks.revenue, rcond=None)[0], dtype=np.float64)


def redrawn(weeks: Weeks, response: Response, replicates: int, block: int, seed: int) -> Iterator[Response]:
    """Responses fitted to the expected revenue with residuals drawn anew, whole blocks of weeks at a time."""
    draws = np.random.default_rng(seed)
    expected = response.fitted(weeks)
    residuals = weeks.revenue - expected
    count = len(residuals)
    # The fit has followed a part of the noise: residuals are smaller than it by what it has used up.
    used = weeks.base.shape[1] + 4 * weeks.spend.shape[1]
    residuals = (residuals - residuals.mean()) * math.sqrt(count / max(count - used, 1))
    for _ in range(replicates):
        starts = draws.integers(0, count - block + 1, math.ceil(count / block))
        drawn = np.concatenate([residuals[at : at + block] for at in starts])[:count]
        yield fit(Weeks(expected + drawn, weeks.spend, weeks.base), response)


def best_split(response: Response, total: float, low: Floats, high: Floats) -> Floats:
    """Weekly spend of each channel, adding up to `total`, that brings most: equal marginal returns."""
    start = low + (high - low) * (total - low.sum()) / max((high - low).sum(), 1e-12)
    scale = max(total, 1.0)
    found = minimize(
        lambda x: -float(response.steady(x * scale).sum()) / scale,
        start / scale,
        jac=lambda x: -response.marginal(x * scale),
        bounds=list(zip(low / scale, high / scale, strict=True)),
        constraints=[LinearConstraint(np.ones((1, len(low))), total / scale, total / scale)],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-10},
    )
    return np.clip(np.asarray(found.x, dtype=np.float64) * scale, low, high)


class _Problem:
    """Least squares over carry-over, half and shape of each channel; base and effects are solved for."""

    def __init__(self, weeks: Weeks) -> None:
        self.weeks, self.channels = weeks, weeks.spend.shape[1]
        self._q, _ = np.linalg.qr(weeks.base)
        self._revenue = self._without_base(weeks.revenue)
        self._usual = np.array([column[column > 0].mean() if (column > 0).any() else 1.0 for column in weeks.spend.T])
        # Priors weigh as much as one week's noise where nothing else is known.
        self._noise = float(self._revenue.std()) * 0.25

    def start(self, carry_over: float) -> Floats:
        """A place to begin: this carry-over, the rest in the middle of its prior."""
        return np.tile([carry_over, *_PRIOR[1:, 0]], self.channels)

    def place_of(self, response: Response) -> Floats:
        """The place of a response."""
        log_half = np.log(response.half / self._scale(response.carry_over))
        return np.column_stack([response.carry_over, log_half, response.shape]).ravel()

    def residuals(self, place: Floats) -> Floats:
        """What is not explained, and how far the priors are left."""
        shares = self._shares(place)
        effect = self._effects(shares)
        apart = (place.reshape(-1, 3) - _PRIOR[:, 0]) / _PRIOR[:, 1]
        return np.concatenate([self._revenue - self._without_base(shares) @ effect, self._noise * apart.ravel()])

    def response(self, place: Floats) -> Response:
        """The response at a place."""
        carry_over, log_half, shape = place.reshape(-1, 3).T
        shares = self._shares(place)
        effect = self._effects(shares)
        base, *_ = np.linalg.lstsq(self.weeks.base, self.weeks.revenue - shares @ effect, rcond=None)
        half = np.exp(log_half) * self._scale(carry_over)
        return Response(carry_over, half, shape, effect, np.asarray(base, dtype=np.float64))

    def _shares(self, place: Floats) -> Floats:
        carry_over, log_half, shape = place.reshape(-1, 3).T
        half = np.exp(log_half) * self._scale(carry_over)
        return saturated(carried(self.weeks.spend, carry_over), half, shape)

    def _effects(self, shares: Floats) -> Floats:
        """Never negative; a trace of ridge keeps channels apart that move together."""
        columns = self._without_base(shares)
        ridge = 1e-3 * np.sqrt(len(columns)) * columns.std()
        stacked = np.vstack([columns, ridge * np.eye(self.channels)])
        found, _ = nnls(stacked, np.concatenate([self._revenue, np.zeros(self.channels)]))
        return np.asarray(found, dtype=np.float64)

    def _scale(self, carry_over: Floats) -> Floats:
        """Usual effective spend."""
        usual: Floats = self._usual / (1 - carry_over)
        return usual

    def _without_base(self, values: Floats) -> Floats:
        found: Floats = values - self._q @ (self._q.T @ values)
        return found
