"""Calibrate scores to probabilities: Platt scaling and isotonic regression.

A calibrator is fitted on predictions for unseen rows. It is plain data: a model folder stores it as JSON, and scoring
needs no library for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from otklik.errors import DamagedError
from otklik.models.bootstrap import Floats

Method = Literal["platt", "isotonic", "identity"]
#: What may be asked for.
Wanted = Literal["platt", "isotonic"]
#: What a score is: `log_odds` (any margin will do) or `probability`.
Scale = Literal["log_odds", "probability"]

#: Probabilities are moved this far from 0 and 1 on the way to log-odds, because a leaf without a yes is rare, not
#: impossible; less far where yes (or no) itself is rare: to a hundredth of its rate.
LOG_ODDS_CLIP = 1e-3
#: With fewer rows of either answer nothing can be learnt about probabilities.
MINIMUM_OF_EACH = 10
#: Newton's method ends when no gradient is larger, or after this many steps (Lin et al. use 1e-5 and 100).
_GRADIENT, _STEPS = 1e-9, 100


@dataclass(frozen=True)
class Calibrator:
    """A fitted monotonic map from scores to probabilities.

    Attributes:
        method: platt, isotonic, or identity if nothing could be fitted.
        scale: the scale of the scores.
        slope: Platt: slope over log-odds, never negative.
        intercept: Platt: intercept.
        clip: minimum distance of probabilities from 0 and 1 before they become log-odds.
        scores: isotonic: ascending scores; probabilities are interpolated between them and constant outside.
        probabilities: isotonic: probability at each of the scores.
        reason: why it is the identity, or empty.
    """

    method: Method
    scale: Scale
    slope: float = 1.0
    intercept: float = 0.0
    clip: float = LOG_ODDS_CLIP
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    reason: str = ""

    def apply(self, score: Floats) -> Floats:
        """Probabilities of scores, (rows,) → (rows,). The identity turns log-odds into probabilities as they are."""
        score = np.asarray(score, dtype=np.float64)
        if self.method == "isotonic":
            return np.interp(score, self.scores, self.probabilities)
        if self.method == "platt":
            log_odds = log_odds_of(score, self.clip) if self.scale == "probability" else score
            return probability_of(self.slope * log_odds + self.intercept)
        return score if self.scale == "probability" else probability_of(score)

    def sql(self, score: str) -> str:
        """`apply` as a Spark SQL expression.

        Args:
            score: name of the column of scores.
        """
        if self.method == "isotonic":
            points = list(zip(self.scores, self.probabilities, strict=True))
            between = "".join(
                f" WHEN {score} <= {_literal(x1)} THEN {_literal(y0)} + ({score} - {_literal(x0)})"
                f" * {_literal((y1 - y0) / (x1 - x0))}"
                for (x0, y0), (x1, y1) in pairwise(points)
            )
            (lowest, least), (_, most) = points[0], points[-1]
            return f"CASE WHEN {score} <= {_literal(lowest)} THEN {_literal(least)}{between} ELSE {_literal(most)} END"
        if self.method == "platt":
            log_odds = score
            if self.scale == "probability":
                clipped = f"least(greatest({score}, {_literal(self.clip)}), {_literal(1 - self.clip)})"
                log_odds = f"(ln({clipped}) - log1p(-{clipped}))"
            return f"1 / (1 + exp(-({_literal(self.slope)} * {log_odds} + {_literal(self.intercept)})))"
        return score if self.scale == "probability" else f"1 / (1 + exp(-{score}))"

    def to_dict(self) -> dict[str, Any]:
        """The calibrator as JSON values."""
        return {
            "method": self.method,
            "scale": self.scale,
            "slope": self.slope,
            "intercept": self.intercept,
            "clip": self.clip,
            "scores": list(self.scores),
            "probabilities": list(self.probabilities),
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibrator:
        """The calibrator that `to_dict` wrote.

        Raises:
            DamagedError: if it is not one.
        """
        try:
            found = cls(
                **{**values, "scores": tuple(values["scores"]), "probabilities": tuple(values["probabilities"])}
            )
        except (KeyError, TypeError):
            raise DamagedError("the calibrator is not readable", hint="train again, or roll back") from None
        numbers = [found.slope, found.intercept, found.clip, *found.scores, *found.probabilities]
        sound = (
            found.method in ("platt", "isotonic", "identity")
            and found.scale in ("log_odds", "probability")
            and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
            and len(found.scores) == len(found.probabilities)
            and (found.method != "isotonic" or len(found.scores) > 0)
        )
        if not sound:
            raise DamagedError("the calibrator contains invalid values", hint="train again, or roll back")
        return found


def fit(method: Wanted, score: Floats, label: npt.NDArray[Any], scale: Scale) -> Calibrator:
    """`fit_platt` or `fit_isotonic`, by name."""
    return fit_platt(score, label, scale) if method == "platt" else fit_isotonic(score, label, scale)


def fit_platt(score: Floats, label: npt.NDArray[Any], scale: Scale = "log_odds") -> Calibrator:
    """Platt scaling: a logistic line over log-odds, with Platt's smoothed targets.

    Platt 1999, "Probabilistic outputs for support vector machines"; fitted by Newton's method with a line search as in
    Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs for support vector machines".

    Args:
        score: (rows,) scores of unseen rows.
        label: (rows,) 1 or 0.
        scale: scale of the scores; probabilities become log-odds, clipped by LOG_ODDS_CLIP.

    Returns:
        The calibrator; the identity, with a reason, if the data do not support an increasing line.
    """
    reason = _why_not(score, label)
    if reason:
        return Calibrator("identity", scale, reason=reason)
    # Sums are rounded, so rows stand in an order of their own.
    order = np.lexsort((label, score))
    yes = np.asarray(label)[order] == 1
    places = np.asarray(score, dtype=np.float64)[order]
    rate = float(yes.mean())
    clip = min(LOG_ODDS_CLIP, rate / 100, (1 - rate) / 100)
    slope, intercept = _platt_line(log_odds_of(places, clip) if scale == "probability" else places, yes)
    if slope <= 0:
        return Calibrator("identity", scale, reason="a higher score does not mean more yes")
    return Calibrator("platt", scale, slope, intercept, clip)


def fit_isotonic(score: Floats, label: npt.NDArray[Any], scale: Scale = "log_odds") -> Calibrator:
    """Isotonic regression: the best non-decreasing step function, constant outside the observed scores.

    Zadrozny & Elkan 2002. Probabilities are kept 1 / (rows + 2) away from 0 and 1 (Laplace), so that none is certain.

    Args:
        score: (rows,) scores of unseen rows.
        label: (rows,) 1 or 0.
        scale: scale of the scores; used by the identity only.

    Returns:
        The calibrator; the identity, with a reason, if there are too few rows.
    """
    reason = _why_not(score, label)
    if reason:
        return Calibrator("identity", scale, reason=reason)
    # It takes a second to import, and a run that has nothing to fit needs none.
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415

    doubt = 1 / (len(score) + 2)
    order = np.lexsort((label, score))
    fitted = IsotonicRegression(y_min=doubt, y_max=1 - doubt, out_of_bounds="clip")
    fitted.fit(np.asarray(score, dtype=np.float64)[order], np.asarray(label, dtype=np.float64)[order])
    return Calibrator(
        "isotonic",
        scale,
        scores=tuple(map(float, fitted.X_thresholds_)),
        probabilities=tuple(map(float, fitted.y_thresholds_)),
    )


def log_odds_of(probability: Floats, clip: float = LOG_ODDS_CLIP) -> Floats:
    """ln(p / (1 − p)), with p kept `clip` away from 0 and 1."""
    clipped = np.clip(probability, clip, 1 - clip)
    return np.log(clipped) - np.log1p(-clipped)


def probability_of(log_odds: Floats) -> Floats:
    """1 / (1 + exp(−x)) without overflow."""
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1.0, small) / (1.0 + small)


def _literal(number: float) -> str:
    """A double in Spark SQL, to the last bit."""
    return f"{number!r}D"


def _why_not(score: Floats, label: npt.NDArray[Any]) -> str:
    positives = int(np.sum(label))
    fewest = min(positives, len(label) - positives)
    if fewest < MINIMUM_OF_EACH:
        return f"only {fewest} rows of one answer, {MINIMUM_OF_EACH} are needed"
    if np.min(score) == np.max(score):
        return "all scores are equal"
    return ""


def _platt_line(x: Floats, yes: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of greatest likelihood for smoothed targets."""
    positives = int(yes.sum())
    target = np.where(yes, (positives + 1) / (positives + 2), 1 / (len(yes) - positives + 2))
    centre, spread = float(x.mean()), float(x.std())
    # On standardised scores the two steps of the line are of one size, whatever the margin's unit.
    design = np.stack([(x - centre) / spread, np.ones(len(x))])
    line = np.array([0.0, math.log((positives + 1) / (len(yes) - positives + 1))])
    loss = _loss(line @ design, target)
    for _ in range(_STEPS):
        probability = probability_of(line @ design)
        gradient = design @ (probability - target) / len(x)
        if np.abs(gradient).max() < _GRADIENT:
            break
        # 1e-12 keeps the matrix invertible where every probability is sure.
        curvature = (design * (probability * (1 - probability))) @ design.T / len(x) + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-10 and _loss((line - size * step) @ design, target) > loss:
            size /= 2
        line = line - size * step
        loss = _loss(line @ design, target)
    slope = float(line[0]) / spread
    return slope, float(line[1]) - slope * centre


def _loss(log_odds: Floats, target: Floats) -> float:
    """Mean cross-entropy of soft targets."""
    return float((np.logaddexp(0.0, log_odds) - target * log_odds).mean())
