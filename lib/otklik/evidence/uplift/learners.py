"""Effects per unit, from out-of-fold MLlib models.

Units are divided into folds by a hash of their key. Predictions for a unit in fold k come from the other folds only.
The second-stage models of the X- and the DR-learner are fitted to pseudo-outcomes; the pseudo-outcome of a unit in fold
j, for a model that predicts fold k, comes from models that saw neither j nor k.

Sources: Künzel, Sekhon, Bickel & Yu 2019, "Metalearners for estimating heterogeneous treatment effects using machine
learning" (T, S, X); Kennedy 2023, "Towards optimal doubly robust estimation of heterogeneous causal effects" (DR);
Jaskowski & Jaroszewicz 2012, "Uplift modeling for clinical trial data" (class transformation, here weighted by the
chance of the unit's own arm, so that arms need not be of equal size).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector
from pyspark.ml.regression import LinearRegression
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.models.prepare import matrix

Floats = npt.NDArray[np.float64]

RESPONSE = "response"
#: Small, against collinear columns; MLlib scales it by the standard deviation of each column.
_PENALTY = 1e-4
_FITS_AT_ONCE = 3


@dataclass(frozen=True)
class Plan:
    """What is fitted.

    Attributes:
        arms: the control first.
        shares: planned size of each arm, adding up to 1; None: estimated from the features.
        learners: their names.
        folds: how many folds there are.
    """

    arms: tuple[str, ...]
    shares: tuple[float, ...] | None
    learners: tuple[str, ...]
    folds: int

    @property
    def has_pseudo_outcomes(self) -> bool:
        """Whether a learner has second models."""
        return bool({"x", "dr"} & set(self.learners))


@dataclass(frozen=True)
class _Fit:
    """One model: its name, its training rows with `label`, `x` and optionally `weight`, and its type."""

    name: str
    rows: DataFrame
    is_linear: bool = False
    classes: int = 2


def score_name(learner: str, arm: int) -> str:
    """The column with the predictions of a learner, or of the response model, for an arm."""
    return f"{learner} {arm}"


def score_names(plan: Plan) -> list[str]:
    """All such columns of a plan."""
    arms = range(1, len(plan.arms))
    return [score_name(learner, arm) for arm in arms for learner in (*plan.learners, RESPONSE)]


def with_expectations(units: DataFrame, plan: Plan, keep: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """Add out-of-fold expected outcomes and the propensity of each arm.

    Args:
        units: unit, place INT (of its arm in `plan.arms`), y DOUBLE (1 or 0), fold INT, x ARRAY<DOUBLE> (its features).
        plan: what to fit.
        keep: persists a frame.

    Returns:
        The same with chances ARRAY<DOUBLE> (of each arm) and mu ARRAY<DOUBLE>: for each arm and fold k the expected
        outcome, by the model that left out the unit's own fold and k (NaN where none was fitted); see `expected`.
    """
    units = keep(units)
    arms, folds = range(len(plan.arms)), range(plan.folds)
    fits: list[_Fit] = []
    if plan.shares is None:
        labelled = units.withColumn("label", F.col("place").cast("double"))
        fits += [_Fit(f"chance {k}", labelled.where(F.col("fold") != k), classes=len(plan.arms)) for k in folds]
    left_out = [*((k, k) for k in folds), *(combinations(folds, 2) if plan.has_pseudo_outcomes else ())]
    outcomes = units.withColumn("label", F.col("y"))
    fits += [
        _Fit(f"mu {a} {j} {k}", outcomes.where((F.col("place") == a) & ~F.col("fold").isin(j, k)))
        for a in arms
        for j, k in left_out
    ]
    return keep(_predicted(units, "chances ARRAY<DOUBLE>, mu ARRAY<DOUBLE>", _Nuisance(_fitted(fits), plan)))


def expected(arm: int, plan: Plan) -> Column:
    """The out-of-fold expected outcome in an arm; over the rows of `with_expectations`."""
    return F.col("mu")[F.col("fold") + arm * plan.folds]


def with_effects(rows: DataFrame, plan: Plan, keep: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """Add the effects that each learner predicts.

    Args:
        rows: from `with_expectations`.
        plan: what to fit.
        keep: persists a frame.

    Returns:
        unit, place, y, fold, chances, mu ARRAY<DOUBLE> (expected outcome in each arm), and for each arm but the control
        `score_name` of each learner (expected effect) and of `RESPONSE` (the expected outcome in that arm, by which a
        response model would choose).
    """
    arms, folds = range(1, len(plan.arms)), range(plan.folds)
    fits = [fit for a in arms for k in folds for fit in _second_fits(rows, plan, a, k)]
    columns = ", ".join(["mu ARRAY<DOUBLE>", *(f"`{name}` DOUBLE" for name in score_names(plan))])
    return keep(_predicted(rows, columns, _Effects(_fitted(fits), plan)).drop("x"))


def _second_fits(rows: DataFrame, plan: Plan, a: int, k: int) -> Iterator[_Fit]:
    """The second-stage models that predict fold k for an arm against the control."""
    pair = rows.where((F.col("fold") != k) & F.col("place").isin(0, a))
    is_arm, y = F.col("place") == a, F.col("y")
    arm_chance, control_chance = F.col("chances")[a], F.col("chances")[0]
    e = arm_chance / (arm_chance + control_chance)
    mu_arm, mu_control = F.col("mu")[a * plan.folds + k], F.col("mu")[k]

    def labelled(label: Column) -> DataFrame:
        return pair.withColumn("label", label)

    if "s" in plan.learners:
        arm = F.when(is_arm, 1.0).otherwise(0.0)
        crossed = F.concat("x", F.array(arm), F.transform("x", lambda value: value * arm))
        yield _Fit(f"s {a} {k}", labelled(y).withColumn("x", crossed))
    if "class" in plan.learners:
        own = F.when(is_arm, e).otherwise(1 - e)
        same = F.when(is_arm, y).otherwise(1 - y)
        yield _Fit(f"class {a} {k}", labelled(same).withColumn("weight", 1 / own))
    if "x" in plan.learners:
        yield _Fit(f"x1 {a} {k}", labelled(y - mu_control).where(is_arm), is_linear=True)
        yield _Fit(f"x0 {a} {k}", labelled(mu_arm - y).where(~is_arm), is_linear=True)
    if "dr" in plan.learners:
        rest = F.when(is_arm, (y - mu_arm) / e).otherwise((mu_control - y) / (1 - e))
        yield _Fit(f"dr {a} {k}", labelled(mu_arm - mu_control + rest), is_linear=True)


def _fitted(fits: Sequence[_Fit]) -> dict[str, Floats]:
    """Name → coefficients with the intercept last, one row per class (one row for two classes)."""
    with ThreadPoolExecutor(_FITS_AT_ONCE) as executor:
        return dict(zip([fit.name for fit in fits], executor.map(_coefficients, fits), strict=True))


def _coefficients(fit: _Fit) -> Floats:
    rows = fit.rows.withColumn("features", array_to_vector(F.col("x")))
    settings: dict[str, Any] = {"regParam": _PENALTY, "tol": 1e-6}
    if "weight" in rows.columns:
        settings["weightCol"] = "weight"
    if fit.is_linear:
        line = LinearRegression(**settings, solver="normal").fit(rows)
        return np.append(line.coefficients.toArray(), line.intercept)[np.newaxis]
    model = LogisticRegression(**settings, maxIter=50, family="binomial" if fit.classes == 2 else "multinomial").fit(
        rows
    )
    return np.column_stack([model.coefficientMatrix.toArray(), model.interceptVector.toArray()])


def _predicted(rows: DataFrame, columns: str, predict: Callable[[pd.DataFrame], pd.DataFrame]) -> DataFrame:
    """Add columns computed batch by batch in Python workers; a column of the same name is replaced."""
    added = {part.strip().split(" ")[0].strip("`") for part in columns.split(",")}
    kept = [(name, kind) for name, kind in rows.dtypes if name not in added]
    names = [name for name, _ in kept]

    def of_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch):
                yield pd.concat([batch[names], predict(batch)], axis=1)

    schema = ", ".join([*(f"`{name}` {kind}" for name, kind in kept), columns])
    return rows.mapInPandas(of_batches, schema)


@dataclass(frozen=True)
class _Nuisance:
    """The expected outcome of a unit in each arm, and the propensity of each arm."""

    models: Mapping[str, Floats]
    plan: Plan

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        x, fold = matrix(batch, "x"), batch["fold"].to_numpy()
        arms, folds = len(self.plan.arms), self.plan.folds
        if self.plan.shares is None:
            chances = np.empty((len(batch), arms))
            for k in range(folds):
                chances[fold == k] = _chances(self.models[f"chance {k}"], x[fold == k])
        else:
            chances = np.tile(self.plan.shares, (len(batch), 1))
        mu = np.full((len(batch), arms * folds), np.nan)
        for a in range(arms):
            for j in range(folds):
                for k in range(folds):
                    name = f"mu {a} {min(j, k)} {max(j, k)}"
                    if name in self.models:
                        mu[fold == j, a * folds + k] = _expit(_linear(self.models[name], x[fold == j]))
        return pd.DataFrame({"chances": list(chances), "mu": list(mu)}, index=batch.index)


@dataclass(frozen=True)
class _Effects:
    """Predictions of each learner for a unit."""

    models: Mapping[str, Floats]
    plan: Plan

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        x, fold = matrix(batch, "x"), batch["fold"].to_numpy()
        chances, all_mu = matrix(batch, "chances"), matrix(batch, "mu")
        arms, folds = len(self.plan.arms), self.plan.folds
        mu = np.column_stack([all_mu[np.arange(len(batch)), a * folds + fold] for a in range(arms)])
        said: dict[str, Any] = {"mu": list(mu)}
        for a in range(1, arms):
            e = chances[:, a] / (chances[:, a] + chances[:, 0])
            for learner in self.plan.learners:
                effect = mu[:, a] - mu[:, 0]
                if learner != "t":
                    for k in range(folds):
                        here = fold == k
                        effect[here] = self._effect(learner, f"{a} {k}", x[here], e[here])
                said[score_name(learner, a)] = effect
            said[score_name(RESPONSE, a)] = mu[:, a]
        return pd.DataFrame(said, index=batch.index)

    def _effect(self, learner: str, which: str, x: Floats, e: Floats) -> Floats:
        if learner == "x":
            return e * _linear(self.models[f"x0 {which}"], x) + (1 - e) * _linear(self.models[f"x1 {which}"], x)
        model = self.models[f"{learner} {which}"]
        if learner == "dr":
            return _linear(model, x)
        if learner == "class":
            return 2 * _expit(_linear(model, x)) - 1
        ones = np.ones((len(x), 1))
        contacted, left = np.hstack([x, ones, x]), np.hstack([x, 0 * ones, 0 * x])
        return _expit(_linear(model, contacted)) - _expit(_linear(model, left))


def _linear(model: Floats, x: Floats) -> Floats:
    margin: Floats = x @ model[0, :-1] + model[0, -1]
    return margin


def _expit(margin: Floats) -> Floats:
    return 1 / (1 + np.exp(-margin))


def _chances(model: Floats, x: Floats) -> Floats:
    """Margins of each class; a model of two classes has one row, the margin of the second."""
    margins = x @ model[:, :-1].T + model[:, -1]
    if len(model) == 1:
        margins = np.hstack([np.zeros_like(margins), margins])
    odds = np.exp(margins - margins.max(axis=1, keepdims=True))
    chances: Floats = odds / odds.sum(axis=1, keepdims=True)
    return chances
