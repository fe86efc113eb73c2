"""The effect of a contact from observational data, by doubly robust scores from out-of-fold models.

Sources: Robins, Rotnitzky & Zhao 1994 and Chernozhukov et al. 2018, "Double/debiased machine learning for treatment and
structural parameters", for the scores of the effect on all units and on the contacted; Austin 2009, "Balance
diagnostics for comparing the distribution of baseline covariates", for standardised differences; VanderWeele & Ding
2017, "Sensitivity analysis in observational research: introducing the E-value".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.evidence.arms import check_arms, check_columns, check_units
from otklik.evidence.designs import features_of_units, laid_out, outcomes_by_arm, share_apart
from otklik.evidence.effect.kind import TABLES, UNITS, EffectTask
from otklik.evidence.tables import tables_of
from otklik.evidence.uplift.learners import Plan, expected, with_expectations
from otklik.inference import Estimate
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.models.prepare import Slot
from otklik.models.split import with_fold

_OUTCOME = "outcome"
_Row = tuple[Any, ...]


@dataclass(frozen=True)
class Effects:
    """The effect on one outcome.

    Attributes:
        naive: unadjusted difference between the arms.
        on_all: average effect on all units.
        on_contacted: average effect on contacted units.
        share_without: expected share of the outcome if nobody had been contacted.
    """

    naive: Estimate
    on_all: Estimate
    on_contacted: Estimate
    share_without: float


def run(frames: Mapping[str, DataFrame], task: EffectTask, context: StageContext) -> StageResult:
    """Estimate the effect of a contact.

    The driver collects coefficients of models, and sums per feature of the model.

    Args:
        frames: `units`; see `kind.UNITS`. Columns that neither the kind nor the task names are features.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if there are no features, or a placebo is missing.
        RefusedError: if a unit occurs twice, an arm is not declared, or an outcome is neither 1 nor 0.
    """
    units = context.keep(frames["units"])
    check_columns(units, {"placebos": task.placebos})
    features = features_of_units(units.drop(*task.placebos), UNITS, task.log_scale)
    arms = (task.control, task.contacted)
    counts = {outcome: _counts(units, outcome, arms) for outcome in (_OUTCOME, *task.placebos)}
    check_units(units)
    few = next(_few(counts, task), None)
    if few is not None:
        return StageResult(tables_of(context, TABLES), [], Verdict("too_little_data", [few]))

    plan = Plan(arms, None, (), task.folds)
    found: dict[str, Effects] = {}
    balance: list[_Row] = []
    for outcome in counts:
        context.step.under_way(outcome)
        numbers, slots = laid_out(units.withColumn(_OUTCOME, F.col(f"`{outcome}`")), features, arms, task.log_scale)
        rows = with_expectations(with_fold(numbers, task.folds, f"effect {task.seed}"), plan, context.keep)
        if outcome == _OUTCOME:
            apart = share_apart(rows, task.overlap)
            balance = list(_balance(rows, slots))
            if apart > task.overlap_share:
                parameters = {"share": apart, "least": task.overlap}
                refused = Verdict("invalid", [Finding("no_overlap", "", parameters, apart)])
                return StageResult(tables_of(context, TABLES, balance=balance), [], refused)
        found[outcome] = _effects(rows, plan)
    effects = found[_OUTCOME]
    context.step.rows(sum(count for count, _ in counts[_OUTCOME].values()), "units")
    tables = tables_of(
        context, TABLES, effects=[row for name, one in found.items() for row in _rows(name, one)], balance=balance
    )
    measures = [*_measures(effects), *_sensitivity(effects)]
    return StageResult(tables, measures, _verdict(found, balance, task), [Finding("not_random")])


def _counts(units: DataFrame, outcome: str, arms: Sequence[str]) -> dict[str, tuple[int, int]]:
    counts = outcomes_by_arm(units.withColumn(_OUTCOME, F.col(f"`{outcome}`")))
    check_arms(counts, arms)
    return {arm: counts.get(arm, (0, 0)) for arm in arms}


def _few(counts: Mapping[str, Mapping[str, tuple[int, int]]], task: EffectTask) -> Iterator[Finding]:
    for outcome, of_arms in counts.items():
        for arm, (count, yes) in of_arms.items():
            if min(yes, count - yes) < task.minimum_outcomes:
                parameters: dict[str, float | int | str] = {"yes": yes, "units": count, "needed": task.minimum_outcomes}
                yield Finding("few_outcomes", arm, {**parameters, "outcome": outcome}, float(yes))


def _effects(rows: DataFrame, plan: Plan) -> Effects:
    """From the means and variances of doubly robust scores."""
    y, is_contacted = F.col("y"), (F.col("place") == 1).cast("double")
    e, mu0, mu1 = F.col("chances")[1], expected(0, plan), expected(1, plan)
    with_contact = mu1 + is_contacted / e * (y - mu1)
    without = mu0 + (1 - is_contacted) / (1 - e) * (y - mu0)
    # For the contacted only; the mean is divided by their share below.
    on_contacted = is_contacted * (y - mu0) - (1 - is_contacted) * e / (1 - e) * (y - mu0)
    scores: dict[str, Column] = {"all": with_contact - without, "without": without, "contacted": on_contacted}
    row = rows.agg(
        F.count("*").alias("n"),
        F.avg(is_contacted).alias("share"),
        *(F.avg(score).alias(name) for name, score in scores.items()),
        *(F.var_samp(score).alias(f"{name} spread") for name, score in scores.items()),
        F.covar_samp(on_contacted, is_contacted).alias("together"),
        *(F.sum(y * (F.col("place") == place).cast("double")).alias(f"yes {place}") for place in (0, 1)),
    ).collect()[0]
    n, share = row["n"], row["share"]
    on_those = row["contacted"] / share
    # The share of the contacted is also estimated: hence the variance of score − effect × contacted.
    spread = row["contacted spread"] - 2 * on_those * row["together"] + on_those**2 * share * (1 - share)
    p1, p0 = row["yes 1"] / (share * n), row["yes 0"] / ((1 - share) * n)
    naive = p1 * (1 - p1) / (share * n) + p0 * (1 - p0) / ((1 - share) * n)
    return Effects(
        Estimate.around(p1 - p0, math.sqrt(naive)),
        Estimate.around(row["all"], math.sqrt(row["all spread"] / n)),
        Estimate.around(on_those, math.sqrt(max(spread, 0.0) / n) / share),
        row["without"],
    )


def _balance(rows: DataFrame, slots: Sequence[Slot]) -> Iterator[_Row]:
    """Standardised difference of each number of the model, before and after weighting."""
    weight = 1 / F.element_at("chances", F.col("place") + 1)
    numbers = rows.select("place", weight.alias("w"), F.posexplode("x").alias("slot", "x"))
    weighted = F.col("w") * F.col("x")
    sums = numbers.groupBy("slot", "place").agg(
        F.avg("x").alias("mean"), F.var_samp("x").alias("spread"), (F.sum(weighted) / F.sum("w")).alias("weighted")
    )
    found = {(row["slot"], row["place"]): row for row in sums.collect()}
    for number, slot in enumerate(slots):
        control, contacted = found[number, 0], found[number, 1]
        scale = math.sqrt((control["spread"] + contacted["spread"]) / 2) or math.nan
        before, after = ((contacted[what] - control[what]) / scale for what in ("mean", "weighted"))
        yield slot.name, *(one if math.isfinite(one) else None for one in (before, after))


def e_value(share_without: float, effect: float) -> float:
    """The risk ratio with both contact and outcome that a hidden cause needs to explain an effect away."""
    share_with = share_without + effect
    if not 0 < share_without < 1 or not 0 < share_with < 1:
        return math.nan
    ratio = max(share_with / share_without, share_without / share_with)
    return ratio + math.sqrt(ratio * (ratio - 1))


def _sensitivity(effects: Effects) -> Iterator[Measure]:
    """The E-value of the effect on all, and of the bound of its interval that is closer to 0."""
    one = effects.on_all
    nearest = min((one.low, one.high), key=abs) if one.is_beyond_nought else 0.0
    value, least = e_value(effects.share_without, one.value), e_value(effects.share_without, nearest)
    if math.isfinite(value) and math.isfinite(least):
        yield Measure("e_value", value, low=least, baseline=1.0)


def _measures(effects: Effects) -> Iterator[Measure]:
    """The effects; their baseline is the plain difference of the arms."""
    for name, one in (("effect_on_all", effects.on_all), ("effect_on_contacted", effects.on_contacted)):
        yield Measure(name, one.value, low=one.low, high=one.high, baseline=effects.naive.value)


def _rows(outcome: str, effects: Effects) -> Iterator[_Row]:
    named = (("naive", effects.naive), ("all", effects.on_all), ("contacted", effects.on_contacted))
    for name, one in named:
        yield outcome, name, one.value, one.low, one.high


def _verdict(found: Mapping[str, Effects], balance: Sequence[_Row], task: EffectTask) -> Verdict:
    """Invalid if a placebo has an effect or the arms are unbalanced; otherwise by the effect on all units."""
    effects = found[_OUTCOME]
    one = effects.on_all
    key = next(_measures(effects))
    numbers = {"value": one.value, "low": one.low, "high": one.high, "naive": effects.naive.value}
    moved = [(name, found[name].on_all) for name in task.placebos if found[name].on_all.is_beyond_nought]
    if moved:
        reasons = [
            Finding("placebo_moved", name, {"value": p.value, "low": p.low, "high": p.high}, p.value)
            for name, p in moved
        ]
        return Verdict("invalid", reasons, key)
    worst = max(balance, key=lambda row: abs(row[2] or 0.0))
    if abs(worst[2] or 0.0) > task.imbalance:
        return Verdict("invalid", [Finding("unbalanced", worst[0], {"after": worst[2]}, worst[2])], key)
    sign = 1 if task.better == "up" else -1
    if not one.is_beyond_nought:
        return Verdict("no_gain", [Finding("nothing_shown", "", numbers, one.value)], key)
    code = "better" if np.sign(one.value) == sign else "worse"
    return Verdict("gain" if code == "better" else "no_gain", [Finding(code, "", numbers, one.value)], key)
