"""The response of revenue to spend: carry-over and saturation, fitted to weeks. Imports no Spark.

revenue(t) = base(t) + Σ effect · a(t)^shape / (a(t)^shape + half^shape) + noise
a(t) = Σ carry_over^(k^decay) · spend(t − k), k = 0, 1, …

With decay = 1 it is geometric: a(t) = spend(t) + carry_over · a(t − 1). Any other decay is the survival function of a
Weibull distribution: below 1 a long tail, above 1 a short one; carry_over is the share left after one week in both.

Source of the form: Jin, Wang, Sun, Chan & Koehler 2017, "Bayesian methods for media mix modeling with carryover and
shape effects". Base and effects (never negative) are solved for exactly at each carry-over, half and shape (variable
projection, Golub & Pereyra 1973), which are fitted by least squares with weak priors. Intervals come from a bootstrap
of residuals in blocks of weeks (Künsch 1989, "The jackknife and the bootstrap for general stationary observations").
With weeks of several regions, revenue and spend are per unit of size (head, share of revenue): the response is the same
in all regions, the base has separate coefficients per region (Sun, Wang, Jin, Chan & Koehler 2017, "Geo-level Bayesian
hierarchical media mix modeling"; without a hierarchy), and a block of weeks is drawn for all regions together.
Experiments count as one more observation of a channel's revenue per unit spent (Zhang et al. 2024, "Media mix model
calibration with Bayesian priors").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import orth
from scipy.optimize import LinearConstraint, least_squares, minimize, nnls
from scipy.signal import lfilter
from scipy.special import expit

Floats = npt.NDArray[np.float64]

#: Weeks in a year, for the season.
_YEAR = 365.25 / 7
#: Bounds of carry-over, half (log, relative to the channel's usual effective spend), shape and decay.
_BOUNDS = np.array([[0.0, 0.95], [-2.5, 2.5], [0.5, 3.0], [0.3, 3.0]])
#: Means and standard deviations of their priors.
_PRIOR = np.array([[0.3, 0.3], [0.0, 1.0], [1.2, 0.7], [1.0, 0.5]])
#: Maximum number of weeks of carry-over with Weibull decay.
_TAIL = 52
_STARTS = (0.1, 0.5)
_DRAWN_TOLERANCE = 1e-5
#: Grid size per channel in the first search, and how many channels are then refined to exactly equal returns.
_STEPS, _MOST_EXACT = 201, 60


def _one() -> Floats:
    return np.ones(())


def _no_columns() -> Floats:
    return np.empty((0, 0))


@dataclass(frozen=True)
class Weeks:
    """The data of a fit: weeks of a country, or of each of its regions per unit of its size.

    Attributes:
        revenue: (weeks,), or (regions, weeks).
        spend: (weeks, channels), or (regions, weeks, channels).
        base: (…, weeks, columns) regressors of revenue without media, with the same coefficients in all regions; for a
            country constant, trend, season, controls.
        own: (weeks, columns) regressors with separate coefficients per region: at least a constant; none for a country.
        size: (regions,) the divisor of revenue and spend; 1 for a country.
        is_apart: whether each week has a common effect on all regions: then only differences between regions count.
    """

    revenue: Floats
    spend: Floats
    base: Floats
    own: Floats = field(default_factory=_no_columns)
    size: Floats = field(default_factory=_one)
    is_apart: bool = False

    def only(self, kept: slice) -> Weeks:
        """Some of the weeks."""
        return replace(
            self,
            revenue=self.revenue[..., kept],
            spend=self.spend[..., kept, :],
            base=self.base[..., kept, :],
            own=self.own[kept],
        )

    def total(self, values: Floats) -> Floats:
        """Sum over all regions and weeks of (…, weeks, channels), in money."""
        found: Floats = (values * self.size[..., np.newaxis, np.newaxis]).reshape(-1, values.shape[-1]).sum(axis=0)
        return found

    def by_week(self, values: Floats) -> Floats:
        """Sum over all regions of (…, weeks), in money."""
        found: Floats = (values * self.size[..., np.newaxis]).reshape(-1, values.shape[-1]).sum(axis=0)
        return found

    @property
    def coefficients(self) -> int:
        """Number of coefficients of the base."""
        weeks = self.revenue.shape[-1] if self.is_apart else 0
        return int(self.base.shape[-1] + self.own.shape[1] * self.size.size + weeks)

    def without_base(self, values: Floats) -> Floats:
        """Residuals of (…, weeks, columns) after regression on the base, as (rows, columns)."""
        left = self._without_own(values)
        found: Floats = left - self._shared @ (self._shared.T @ left)
        return found

    def solved(self, revenue: Floats) -> Floats:
        """Coefficients of the base, of all regions and then of each, that explain revenue (…, weeks) best."""
        target = self._without_own(revenue[..., np.newaxis]).ravel()
        shared = np.linalg.lstsq(self._without_own(self.base), target, rcond=None)[0]
        if not self.own.shape[1]:
            return np.asarray(shared, dtype=np.float64)
        own = (revenue - self.base @ shared).reshape(-1, len(self.own)) @ np.linalg.pinv(self.own).T
        return np.concatenate([shared, own.ravel()])

    def expected(self, base: Floats) -> Floats:
        """Revenue without media by coefficients of the base, (…, weeks)."""
        shared, own = np.split(base, [self.base.shape[-1]])
        found: Floats = self.base @ shared
        return found + own.reshape(*self.size.shape, -1) @ self.own.T if self.own.shape[1] else found

    def left(self, expected: Floats) -> Floats:
        """Residuals of revenue, (…, weeks)."""
        found: Floats = self.revenue - expected
        return found - found.mean(axis=0) if self.is_apart else found

    def _without_own(self, values: Floats) -> Floats:
        if self.own.shape[1]:
            values = values - self._own @ (self._own.T @ values)
        if self.is_apart:
            values = values - values.mean(axis=0)
        return values.reshape(self.revenue.size, values.shape[-1])

    @cached_property
    def _own(self) -> Floats:
        return np.asarray(orth(self.own), dtype=np.float64)

    @cached_property
    def _shared(self) -> Floats:
        return np.asarray(orth(self._without_own(self.base)), dtype=np.float64)


@dataclass(frozen=True)
class Form:
    """The form of a response, and experiments about it.

    Attributes:
        is_weibull: whether decay is fitted, too; otherwise it is geometric.
        roi: (channels,) revenue per unit spent by an experiment; NaN without one.
        roi_error: (channels,) its standard error.
    """

    is_weibull: bool = False
    roi: Floats | None = None
    roi_error: Floats | None = None

    def redrawn(self, draws: np.random.Generator) -> Form:
        """A parametric bootstrap draw of the experiments' results."""
        if self.roi is None or self.roi_error is None:
            return self
        return replace(self, roi=self.roi + self.roi_error * draws.normal(size=len(self.roi)))


_GEOMETRIC = Form()


@dataclass(frozen=True)
class Response:
    """A fitted response of revenue to spend; arrays of (channels,).

    Attributes:
        carry_over: share of the effective spend that carries over to the next week.
        half: effective spend at which half of the effect is reached.
        shape: exponent of the saturation.
        effect: maximum weekly revenue of the channel.
        base: coefficients of the base, see `Weeks.solved`.
        decay: exponent of the Weibull decay; None = geometric.
    """

    carry_over: Floats
    half: Floats
    shape: Floats
    effect: Floats
    base: Floats
    decay: Floats | None = None

    def contributions(self, spend: Floats) -> Floats:
        """Revenue of each channel in each week, in the shape of spend (…, weeks, channels)."""
        return self.effect * saturated(carried(spend, self.carry_over, self.decay), self.half, self.shape)

    def fitted(self, weeks: Weeks) -> Floats:
        """Expected revenue, (…, weeks)."""
        found: Floats = weeks.expected(self.base) + self.contributions(weeks.spend).sum(axis=-1)
        return found

    def of_cells(self, size: Floats) -> Response:
        """The same for each channel in each region, in money; (regions · channels,).

        Args:
            size: (regions,); of a country 1.
        """

        def each(values: Floats, by: Floats) -> Floats:
            found: Floats = (by.reshape(-1, 1) * values).ravel()
            return found

        same = np.ones_like(size)
        decay = None if self.decay is None else each(self.decay, same)
        shares = (each(self.carry_over, same), each(self.half, size), each(self.shape, same), each(self.effect, size))
        return Response(*shares, np.empty(0), decay)

    def steady(self, spend: Floats) -> Floats:
        """Weekly revenue of each channel at a constant weekly spend of (…, channels)."""
        return self.effect * saturated(spend * _staying(self.carry_over, self.decay), self.half, self.shape)

    def marginal(self, spend: Floats) -> Floats:
        """Long-run marginal revenue of weekly spend, (channels,)."""
        step = np.maximum(spend, 1.0) * 1e-4
        return (self.steady(spend + step) - self.steady(np.maximum(spend - step, 0.0))) / (
            step + np.minimum(step, spend)
        )


def carried(spend: Floats, carry_over: Floats, decay: Floats | None = None) -> Floats:
    """Effective spend: this week's spend plus carry-over from earlier weeks; (…, weeks, channels)."""
    if decay is not None:
        left = _left(carry_over, decay)
        columns = [lfilter(left[c], [1.0], spend[..., c]) for c in range(len(carry_over))]
    else:
        columns = [lfilter([1.0], [1.0, -share], spend[..., c]) for c, share in enumerate(carry_over)]
    return np.stack(columns, axis=-1)


def _left(carry_over: Floats, decay: Floats) -> Floats:
    """Share of spend that is left after each number of weeks, (channels, weeks)."""
    found: Floats = carry_over[:, np.newaxis] ** (np.arange(_TAIL) ** decay[:, np.newaxis])
    return found


def _staying(carry_over: Floats, decay: Floats | None) -> Floats:
    """Effective spend at a spend of 1 every week, (channels,)."""
    found: Floats = 1 / (1 - carry_over) if decay is None else _left(carry_over, decay).sum(axis=1)
    return found


def saturated(effective: Floats, half: Floats, shape: Floats) -> Floats:
    """Share of a channel's effect that is reached."""
    with np.errstate(divide="ignore"):
        found: Floats = expit(shape * (np.log(effective) - np.log(half)))
    return found


def calendar(weeks: int, first: int, harmonics: int) -> Floats:
    """Constant, trend and season, (weeks, columns).

    Args:
        weeks: how many.
        first: number of the first week, counted from any Monday.
        harmonics: of the season; 0 for none.
    """
    t = np.arange(first, first + weeks)
    angles = 2 * np.pi * t / _YEAR
    season = [wave(k * angles) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.column_stack([np.ones(weeks), (t - t.mean()) / max(weeks, 1), *season])


def scaled(controls: Floats) -> Floats:
    """Controls (…, weeks, controls), centred and scaled over all rows."""
    over = tuple(range(controls.ndim - 1))
    spread = controls.std(axis=over)
    found: Floats = (controls - controls.mean(axis=over)) / np.where(spread > 0, spread, 1.0)
    return found


def fit(weeks: Weeks, start: Response | None = None, form: Form = _GEOMETRIC, tolerance: float = 1e-8) -> Response:
    """Fit a response to weeks.

    Args:
        weeks: the data.
        start: the starting point; by default several.
        form: the form of the response.
        tolerance: relative change of the squared error at which to stop.
    """
    noise = None
    if form.roi is not None and np.isfinite(form.roi).any():
        # An experiment's result is weighted by its error, a week by the residual noise of a fit without it.
        alone = fit(weeks, start, replace(form, roi=None), tolerance)
        noise = float(weeks.left(alone.fitted(weeks)).std())
        start = alone
    problem = _Problem(weeks, form, noise)
    starts = [problem.place_of(start)] if start is not None else [problem.start(share) for share in _STARTS]
    low, high = (np.tile(_BOUNDS[: problem.width, side], problem.channels) for side in (0, 1))
    found = [
        least_squares(
            problem.residuals,
            np.clip(place, low + 1e-6, high - 1e-6),
            bounds=(low, high),
            x_scale="jac",
            ftol=tolerance,
        )
        for place in starts
    ]
    return problem.response(min(found, key=lambda one: float(one.cost)).x)


def base_alone(weeks: Weeks) -> Floats:
    """Coefficients of the base columns without any media."""
    return weeks.solved(weeks.revenue)


def redrawn(
    weeks: Weeks, response: Response, replicates: int, block: int, seed: int, form: Form = _GEOMETRIC
) -> Iterator[Response]:
    """Bootstrap responses: fitted to the expected revenue plus residuals resampled in blocks of weeks."""
    draws = np.random.default_rng(seed)
    expected = response.fitted(weeks)
    residuals = weeks.left(expected)
    count = residuals.shape[-1]
    # Residuals are smaller than the noise, by the degrees of freedom of the fit.
    used = weeks.coefficients + 4 * weeks.spend.shape[-1]
    wider = residuals.size / max(residuals.size - used, 1)
    # Sums of blocks vary less than sums of weeks, by the share of a block, because residuals are centred.
    wider *= count / (count - block)
    residuals = (residuals - residuals.mean()) * math.sqrt(wider)
    for _ in range(replicates):
        starts = draws.integers(0, count - block + 1, math.ceil(count / block))
        places = np.concatenate([np.arange(at, at + block) for at in starts])[:count]
        drawn = replace(weeks, revenue=expected + residuals[..., places])
        # Much closer to the optimum than the draws are to one another.
        yield fit(drawn, response, form.redrawn(draws), _DRAWN_TOLERANCE)


def best_split(response: Response, total: float, low: Floats, high: Floats) -> Floats:
    """The optimal weekly spend of each channel with a given total: equal marginal returns.

    A Lagrange multiplier, the price of money, says on which side of its threshold each channel is: at the right price
    the channels' separate optima add up to the total (Everett 1963, "Generalized Lagrange multiplier method"). With few
    channels the result is then refined to exactly equal returns.
    """
    grid = low + (high - low) * np.linspace(0, 1, _STEPS)[:, np.newaxis]
    brought = response.steady(grid)
    under, over = low, high
    cheap, dear = 0.0, float((np.diff(brought, axis=0) / np.maximum(np.diff(grid, axis=0), 1e-12)).max(initial=0.0))
    for _ in range(60):
        price = (cheap + dear) / 2
        wanted = np.take_along_axis(grid, (brought - price * grid).argmax(axis=0)[np.newaxis], axis=0)[0]
        if wanted.sum() <= total:
            under, dear = wanted, price
        else:
            over, cheap = wanted, price
    start: Floats = under + (over - under) * (total - under.sum()) / max((over - under).sum(), 1e-12)
    if len(low) > _MOST_EXACT:
        return start
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
    """Least squares over carry-over, half, shape and decay of each channel; base and effects are solved for."""

    def __init__(self, weeks: Weeks, form: Form, noise: float | None) -> None:
        self.weeks, self.channels = weeks, weeks.spend.shape[-1]
        self.width = 4 if form.is_weibull else 3
        # Rows of the experiments: channel, its result, and the weight of both, in units of a week's noise.
        self._measured: list[tuple[int, float, float]] = []
        if form.roi is not None and form.roi_error is not None and noise is not None:
            known = np.flatnonzero(np.isfinite(form.roi) & (weeks.total(weeks.spend) > 0))
            self._measured = [(int(c), float(form.roi[c]), noise / float(form.roi_error[c])) for c in known]
        self._spent = weeks.total(weeks.spend)
        self._revenue = weeks.without_base(weeks.revenue[..., np.newaxis]).ravel()
        columns = weeks.spend.reshape(-1, self.channels).T
        self._usual = np.array([column[column > 0].mean() if (column > 0).any() else 1.0 for column in columns])
        # Priors have the weight of one week's noise if nothing else is known.
        self._noise = float(self._revenue.std()) * 0.25

    def start(self, carry_over: float) -> Floats:
        """A starting point: this carry-over, everything else at its prior mean."""
        return np.tile([carry_over, *_PRIOR[1 : self.width, 0]], self.channels)

    def place_of(self, response: Response) -> Floats:
        """The point of a response in the parameter space."""
        log_half = np.log(response.half / self._scale(response.carry_over, response.decay))
        columns = [response.carry_over, log_half, response.shape]
        if self.width == 4:
            columns.append(np.ones(self.channels) if response.decay is None else response.decay)
        return np.column_stack(columns).ravel()

    def residuals(self, place: Floats) -> Floats:
        """Residuals, and deviations from the priors."""
        shares = self._shares(place)
        columns = self.weeks.without_base(shares)
        effect = self._effects(shares, columns)
        apart = (place.reshape(-1, self.width) - _PRIOR[: self.width, 0]) / _PRIOR[: self.width, 1]
        rows, targets = self._experiments(shares)
        left = self._revenue - columns @ effect
        return np.concatenate([left, targets - rows @ effect, self._noise * apart.ravel()])

    def response(self, place: Floats) -> Response:
        """The response at a point."""
        carry_over, half, shape, decay = self._parameters(place)
        shares = self._shares(place)
        effect = self._effects(shares, self.weeks.without_base(shares))
        base = self.weeks.solved(self.weeks.revenue - shares @ effect)
        return Response(carry_over, half, shape, effect, base, decay)

    def _parameters(self, place: Floats) -> tuple[Floats, Floats, Floats, Floats | None]:
        carry_over, log_half, shape, *rest = place.reshape(-1, self.width).T
        decay = rest[0] if rest else None
        return carry_over, np.exp(log_half) * self._scale(carry_over, decay), shape, decay

    def _shares(self, place: Floats) -> Floats:
        carry_over, half, shape, decay = self._parameters(place)
        return saturated(carried(self.weeks.spend, carry_over, decay), half, shape)

    def _experiments(self, shares: Floats) -> tuple[Floats, Floats]:
        """Rows (experiments, channels) of the regression on effects, and their targets."""
        rows, targets = np.zeros((len(self._measured), self.channels)), np.zeros(len(self._measured))
        brought = self.weeks.total(shares) if self._measured else np.empty(0)
        for place, (c, roi, weight) in enumerate(self._measured):
            rows[place, c], targets[place] = weight * brought[c] / self._spent[c], weight * roi
        return rows, targets

    def _effects(self, shares: Floats, columns: Floats) -> Floats:
        """Non-negative effects; a small ridge penalty separates collinear channels.

        Args:
            shares: (…, weeks, channels) of each channel's effect that are reached.
            columns: their residuals after regression on the base, (rows, channels).
        """
        ridge = 1e-3 * np.sqrt(len(columns)) * columns.std()
        rows, targets = self._experiments(shares)
        stacked = np.vstack([columns, rows, ridge * np.eye(self.channels)])
        found, _ = nnls(stacked, np.concatenate([self._revenue, targets, np.zeros(self.channels)]))
        return np.asarray(found, dtype=np.float64)

    def _scale(self, carry_over: Floats, decay: Floats | None) -> Floats:
        """Usual effective spend."""
        usual: Floats = self._usual * _staying(carry_over, decay)
        return usual
