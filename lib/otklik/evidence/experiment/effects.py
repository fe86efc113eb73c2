"""Effects from sums per arm: estimates, standard errors, tests, intervals. Imports no Spark.

Sources: Welch 1947 for means; the pooled two-proportion z-test for shares; Deng, Knoblich & Lu 2018, "Applying the
delta method in metric analytics", for ratios and lifts; Deng, Xu, Kohavi & Walker 2013 for CUPED; Waudby-Smith, Arbour,
Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence sequences", for always-valid
intervals; Benjamini & Hochberg 1995 for several metrics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from otklik.evidence.experiment.moments import Floats, Moments

#: Sums of the control and of an arm.
Sides = tuple[Moments, Moments]

#: Minimum number of units with yes and with no in an arm, for a normal interval of a share.
LEAST_YES_AND_NO = 10


@dataclass(frozen=True)
class Effect:
    """The difference of an arm from the control.

    Attributes:
        control: the metric's value in the control arm.
        arm: in the arm.
        effect: arm − control (of CUPED: without what the covariates explain).
        error: standard error of the effect.
        degrees: degrees of freedom of the interval.
        p_value: two-sided.
        errors: standard errors of the two values, control first.
        units: of both arms.
        variance_reduction: share of the plain effect's variance that is removed; 0 for a plain effect.
    """

    control: float
    arm: float
    effect: float
    error: float
    degrees: float
    p_value: float
    errors: tuple[float, float]
    units: int
    variance_reduction: float = 0.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """Confidence interval of level 1 − alpha for one look at a time fixed in advance."""
        return self._around(float(stats.t.ppf(1 - alpha / 2, self.degrees)))

    def always(self, alpha: float, planned_units: int) -> tuple[float, float]:
        """Confidence interval of level 1 − alpha that is valid at all looks simultaneously.

        Two-sided asymptotic confidence sequence of Waudby-Smith et al., theorem 2.2, with their rho for the narrowest
        interval at `planned_units`.
        """
        rho = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned_units
        grown = self.units * rho + 1
        return self._around(math.sqrt(2 * grown / (grown - 1) * math.log(math.sqrt(grown) / alpha)))

    def lift(self, alpha: float) -> tuple[float, float, float]:
        """Effect ÷ control with its interval, by the delta method; NaN where the control's value is 0 or below."""
        if self.control <= 0:
            return math.nan, math.nan, math.nan
        ratio = self.effect / self.control
        error = math.hypot(self.errors[1], (1 + ratio) * self.errors[0]) / self.control
        reach = float(stats.norm.ppf(1 - alpha / 2)) * error
        return ratio, ratio - reach, ratio + reach

    def _around(self, reach: float) -> tuple[float, float]:
        if not self.error > 0:
            return math.nan, math.nan
        return self.effect - reach * self.error, self.effect + reach * self.error


def mean_effect(sides: Sides, column: str) -> Effect:
    """Difference of means, by Welch's test."""
    return _effect(sides, (column,), ())


def share_effect(sides: Sides, column: str) -> Effect:
    """Difference of shares: interval from unpooled variances, p from the pooled z-test."""
    control, arm = sides
    plain = mean_effect(sides, column)
    pooled = (control.units * plain.control + arm.units * plain.arm) / plain.units
    error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / control.units + 1 / arm.units))
    return replace(plain, p_value=_two_sided(plain.effect, error, math.inf))


def ratio_effect(sides: Sides, numerator: str, denominator: str) -> Effect:
    """Difference of two ratios of sums, by the delta method; NaN where a denominator's sum is not positive."""
    return _effect(sides, (numerator, denominator), ())


def cuped_effect(sides: Sides, columns: Sequence[str], covariates: Sequence[str]) -> Effect:
    """Difference minus the part explained by covariates from before the experiment (CUPED).

    Args:
        sides: sums of the control and of the arm.
        columns: the metric's column, or numerator and denominator of a ratio.
        covariates: number columns, never missing; theta comes from both arms, within each.
    """
    return _effect(sides, columns, covariates)


def is_thin_share(sides: Sides, column: str) -> bool:
    """Whether one of the arms has too few units with yes, or with no."""
    shares = [(side.units, float(side.of(column)[0][0])) for side in sides]
    return any(units * min(share, 1 - share) < LEAST_YES_AND_NO for units, share in shares)


def differs_p(effects: Sequence[Effect]) -> float:
    """p of Cochran's Q test that several independent effects are equal."""
    weights = np.array([1 / effect.error**2 for effect in effects if effect.error > 0])
    values = np.array([effect.effect for effect in effects if effect.error > 0])
    if len(values) < 2:
        return math.nan
    mean = (weights * values).sum() / weights.sum()
    return float(stats.chi2.sf((weights * (values - mean) ** 2).sum(), len(values) - 1))


def units_needed(variance: float, effect: float, alpha: float, power: float, control_share: float) -> int:
    """Units of both arms together that a two-sided z-test needs for a given power.

    Args:
        variance: variance of one unit's value.
        effect: the difference to detect.
        alpha: significance level.
        power: probability of detecting it.
        control_share: share of the control among the units of both arms.
    """
    return math.ceil((_reach(alpha, power) / effect) ** 2 * variance * _imbalance(control_share))


def detectable(variance: float, units: int, alpha: float, power: float, control_share: float) -> float:
    """Smallest difference that a number of units can detect; see `units_needed`."""
    return _reach(alpha, power) * math.sqrt(variance * _imbalance(control_share) / units)


def unit_variance(effect: Effect, control_share: float) -> float:
    """Variance of one unit's value implied by an effect's error, if equal in both arms."""
    return effect.error**2 * effect.units / _imbalance(control_share)


def _imbalance(control_share: float) -> float:
    return 1 / control_share + 1 / (1 - control_share)


def _reach(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))


def _effect(sides: Sides, columns: Sequence[str], covariates: Sequence[str]) -> Effect:
    """An effect on a mean or a ratio of means, minus theta × the difference in covariates."""
    count = len(columns)
    linear = [_linear(side, columns, covariates) for side in sides]
    within, onto = np.zeros((len(covariates), len(covariates))), np.zeros(len(covariates))
    for side, one in zip(sides, linear, strict=True):
        within += (side.units - 1) * one.cov[count:, count:]
        onto += (side.units - 1) * one.cov[count:, :count] @ one.weights
    # With collinear covariates theta is not unique; the one with the smallest norm explains as much.
    theta = np.linalg.lstsq(within, onto, rcond=None)[0] if covariates and np.isfinite(onto).all() else 0 * onto
    plain, reduced = [], []
    for side, one in zip(sides, linear, strict=True):
        whole = np.concatenate([one.weights, -theta])
        plain.append(float(one.weights @ one.cov[:count, :count] @ one.weights) / side.units)
        reduced.append(float(whole @ one.cov @ whole) / side.units)
    control, arm = linear
    effect = arm.value - control.value - float(theta @ (arm.covariates - control.covariates))
    variance = sum(reduced)
    spread = sum(part**2 / max(side.units - 1, 1) for part, side in zip(reduced, sides, strict=True))
    error, degrees = math.sqrt(max(variance, 0.0)), variance**2 / spread if spread > 0 else math.nan
    return Effect(
        control=control.value,
        arm=arm.value,
        effect=effect,
        error=error,
        degrees=degrees,
        p_value=_two_sided(effect, error, degrees),
        errors=(math.sqrt(max(plain[0], 0.0)), math.sqrt(max(plain[1], 0.0))),
        units=sides[0].units + sides[1].units,
        variance_reduction=1 - variance / sum(plain) if sum(plain) > 0 else 0.0,
    )


class _Linear(NamedTuple):
    """A metric of one arm: its value, its weights on its columns, the covariates' means, covariances of all."""

    value: float
    weights: Floats
    covariates: Floats
    cov: Floats


def _linear(side: Moments, columns: Sequence[str], covariates: Sequence[str]) -> _Linear:
    means, cov = side.of(*columns, *covariates)
    if len(columns) == 1:
        return _Linear(float(means[0]), np.ones(1), means[1:], cov)
    above, below = float(means[0]), float(means[1])
    if below <= 0:
        return _Linear(math.nan, np.full(2, math.nan), means[2:], cov)
    return _Linear(above / below, np.array([1 / below, -above / below**2]), means[2:], cov)


def _two_sided(effect: float, error: float, degrees: float) -> float:
    if not error > 0:
        return math.nan
    where = abs(effect) / error
    return float(2 * (stats.norm.sf(where) if math.isinf(degrees) else stats.t.sf(where, degrees)))
