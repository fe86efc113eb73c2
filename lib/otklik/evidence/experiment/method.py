"""Analyse an experiment: first the split, then every metric in every arm, then the conclusions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.evidence.arms import check_arms, check_columns, check_units, sample_ratio_p
from otklik.evidence.experiment import effects
from otklik.evidence.experiment.conclusions import (
    Arms,
    Line,
    both,
    columns_of,
    evaluate,
    find_verdict,
    measures,
    plain_effect,
    plan,
)
from otklik.evidence.experiment.effects import Effect
from otklik.evidence.experiment.kind import TABLES, ExperimentTask
from otklik.evidence.experiment.moments import CAPPED, Columns, Floats, Moments, present
from otklik.evidence.experiment.sums import Overview, by_cell, centre_of, level_of, overview, sums, with_values
from otklik.evidence.tables import tables_of
from otklik.inference import known
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: A subgroup column with more levels would be unreadable.
MOST_LEVELS = 20
#: If the p-value of a covariate's difference between arms is lower, the experiment is taken to have changed it.
_COVARIATE_ALPHA = 0.001
#: The day on which a unit was assigned; the blank prevents clashes with a task's columns.
_DAY = "assigned day"

_Row = tuple[Any, ...]


def run(frames: Mapping[str, DataFrame], task: ExperimentTask, context: StageContext) -> StageResult:
    """Analyse an experiment.

    The driver collects one row per arm, pattern of missing values, subgroup level and day.

    Args:
        frames: `units`; see `kind.UNITS`.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if a column that the task names is missing or not numeric.
        RefusedError: if a unit occurs twice, or an arm, a share or a subgroup column does not match the task.
    """
    units, columns = _checked(frames["units"], task)
    context.keep(units)
    check_units(units)
    seen = overview(units, _numbers(task), _revenues(task), task.winsor_quantile)
    check_arms(seen.units, task.arms)
    counts = {arm: seen.units.get(arm, 0) for arm in task.arms}
    context.step.rows(sum(counts.values()), "units")
    ratio = _sample_ratio(counts, task)
    refusal = _refusal(counts, ratio, task)
    if refusal is not None:
        return StageResult(tables_of(context, TABLES, arms=_arm_rows(counts, task)), [ratio], refusal)

    values = context.keep(with_values(units, columns, seen))
    centre = np.array([centre_of(name, seen) for name in columns.all])
    arms = {arm: parts for (arm,), parts in sums(values, columns, centre, ["arm"]).items()}
    lines = evaluate(arms, columns, task)
    subgroup_rows, look_rows, days = _cells(values, columns, centre, task)
    plan_rows = plan(lines, counts, days, task)
    tables = tables_of(
        context,
        TABLES,
        arms=_arm_rows(counts, task),
        effects=[_effect_row(line, task) for line in lines],
        subgroups=subgroup_rows,
        looks=look_rows,
        plan=plan_rows,
    )
    findings = [*_missing(seen, counts, task), *_changed_covariates(arms, columns, task), *_unfit(lines)]
    return StageResult(tables, [*measures(lines, task), ratio], find_verdict(lines, plan_rows, task), findings)


def _numbers(task: ExperimentTask) -> list[str]:
    denominators = [metric.denominator for metric in task.metrics.values() if metric.denominator]
    return list(dict.fromkeys([*task.metrics, *denominators, *task.covariates]))


def _revenues(task: ExperimentTask) -> list[str]:
    return [name for name, metric in task.metrics.items() if metric.type == "revenue"]


def _checked(units: DataFrame, task: ExperimentTask) -> tuple[DataFrame, Columns]:
    """The columns used, and those that are summed."""
    numbers = _numbers(task)
    values = [name for name in numbers if name not in task.covariates]
    check_columns(units, {"metrics": values, "covariates": task.covariates})
    check_columns(units, {"subgroups": task.subgroups}, only_numbers=False)
    shares = [name for name, metric in task.metrics.items() if metric.type == "share"]
    odd = units.agg(F.count("*"), *(F.count_if(~F.col(f"`{name}`").isin(0.0, 1.0)).alias(name) for name in shares))
    counts = odd.collect()[0]
    wrong = [name for name in shares if counts[name]]
    if wrong:
        raise RefusedError(
            f"{', '.join(wrong)}: neither 1 nor 0 in some rows, and its type is share",
            where="frame units",
            hint="give it as 1 or 0 under columns of [frames.units], or make its type mean",
        )
    kinds = dict(units.dtypes)
    chosen = units.select(
        "unit",
        "arm",
        *([F.to_date("moment").alias(_DAY)] if "moment" in kinds else []),
        *(F.col(f"`{name}`") for name in numbers),
        *(level_of(name, kinds[name]).alias(f"level {name}") for name in task.subgroups),
    )
    pairs = {(name, metric.denominator) for name, metric in task.metrics.items() if metric.denominator}
    capped = [f"{CAPPED}{name}" for name in _revenues(task)]
    return chosen, Columns(tuple(values + capped), tuple(task.covariates), frozenset(pairs))


def _arm_rows(counts: Mapping[str, int], task: ExperimentTask) -> list[_Row]:
    total, planned = max(sum(counts.values()), 1), sum(task.arms.values())
    return [(arm, arm == task.control, count, count / total, task.arms[arm] / planned) for arm, count in counts.items()]


def _sample_ratio(counts: Mapping[str, int], task: ExperimentTask) -> Measure:
    p = sample_ratio_p([*counts.values()], [*task.arms.values()])
    return Measure("sample_ratio_p", known(p), baseline=task.sample_ratio_alpha, rows=sum(counts.values()))


def _refusal(counts: Mapping[str, int], ratio: Measure, task: ExperimentTask) -> Verdict | None:
    """The verdict if no conclusion is possible: a sample ratio mismatch, or too few units."""
    if ratio.value is not None and ratio.value < task.sample_ratio_alpha:
        broken = Finding("broken_split", parameters={"p": f"{ratio.value:.1e}"}, value=ratio.value, is_warning=True)
        return Verdict("invalid", [broken], ratio)
    least = min(counts.values())
    if least < task.minimum_units:
        few = Finding("few_units", parameters={"units": least, "needed": task.minimum_units}, value=float(least))
        return Verdict("too_little_data", [few])
    return None


def _cells(
    values: DataFrame, columns: Columns, centre: Floats, task: ExperimentTask
) -> tuple[list[_Row], list[_Row], int]:
    """Rows of subgroups, rows of looks, and the number of days with new units (0 = unknown)."""
    levels = {name: F.col(f"`level {name}`") for name in task.subgroups}
    days = {_DAY: F.col(f"`{_DAY}`")} if _DAY in values.columns else {}
    if not levels and not days:
        return [], [], 0
    _check_levels(values, levels)
    alone = Columns(columns.values, (), columns.pairs)
    rows = by_cell(values, {**levels, **days})
    found = sums(rows, alone, centre[: len(columns.values)], ["_dimension", "_level", "arm"])
    cells: dict[str, dict[str, dict[str, Mapping[int, Moments]]]] = {}
    for (dimension, level, arm), parts in found.items():
        cells.setdefault(dimension, {}).setdefault(level, {})[arm] = parts
    by_day = cells.pop(_DAY, {})
    subgroups = [
        row
        for dimension, of_level in sorted(cells.items())
        for arm in task.others
        for row in _subgroup_rows(dimension, of_level, arm, alone, task)
    ]
    return subgroups, list(_look_rows(by_day, alone, task)), len(by_day)


def _check_levels(values: DataFrame, levels: Mapping[str, Column]) -> None:
    counted = values.agg(F.count("*"), *(F.count_distinct(level).alias(name) for name, level in levels.items()))
    counts = counted.collect()[0]
    many = [f"{name} ({counts[name]:,})" for name in levels if counts[name] > MOST_LEVELS]
    if many:
        raise RefusedError(
            f"subgroups: more than {MOST_LEVELS} levels in {', '.join(many)}",
            where="frame units",
            hint="use bands or fewer levels under columns of [frames.units]",
        )


def _subgroup_rows(
    dimension: str, levels: Mapping[str, Arms], arm: str, columns: Columns, task: ExperimentTask
) -> Iterator[_Row]:
    goal = task.goals[0]
    metric = task.metrics[goal]
    found = {}
    for level, arms in sorted(levels.items()):
        sides = both(arms, columns, columns_of(goal, metric), task.control, arm)
        if sides is not None and min(side.units for side in sides) >= task.minimum_units:
            found[level] = plain_effect(goal, metric, sides)
    differs = effects.differs_p([*found.values()])
    for level, effect in found.items():
        yield dimension, level, goal, arm, *_interval_row(effect, task), known(differs)


def _look_rows(by_day: Mapping[str, Arms], columns: Columns, task: ExperimentTask) -> Iterator[_Row]:
    """Cumulative results by day, from the first day on which both arms have enough units."""
    goal = task.goals[0]
    metric = task.metrics[goal]
    so_far: dict[str, Moments] = {}
    for day, arms in sorted(by_day.items()):
        for arm, parts in arms.items():
            came = present(parts, columns, columns_of(goal, metric))
            if came is not None:
                so_far[arm] = so_far[arm] + came if arm in so_far else came
        for arm in task.others:
            sides = [so_far[side] for side in (task.control, arm) if side in so_far]
            if len(sides) == 2 and min(side.units for side in sides) >= task.minimum_units:
                effect = plain_effect(goal, metric, (sides[0], sides[1]))
                yield date.fromisoformat(day), goal, arm, *_interval_row(effect, task)


def _missing(seen: Overview, counts: Mapping[str, int], task: ExperimentTask) -> Iterator[Finding]:
    """Columns with missing values; a warning if a metric's missing values differ between arms."""
    for name, arms in seen.missing.items():
        has = [count - arms.get(arm, 0) for arm, count in counts.items()]
        if not sum(arms.values()):
            continue
        p = sample_ratio_p(has, [*counts.values()]) if sum(has) else 1.0
        differs = name not in task.covariates and p < task.sample_ratio_alpha
        missing = sum(arms.values())
        yield Finding(
            "missing_differs" if differs else "missing", name, {"units": missing}, float(missing), is_warning=differs
        )


def _changed_covariates(arms: Arms, columns: Columns, task: ExperimentTask) -> Iterator[Finding]:
    """Covariates that the experiment seems to have changed: CUPED would then remove a part of the effect."""
    for name in task.covariates:
        for arm in task.others:
            sides = both(arms, columns, [], task.control, arm)
            p = effects.mean_effect(sides, name).p_value if sides is not None else math.nan
            if p < _COVARIATE_ALPHA:
                yield Finding("covariate_differs", name, {"arm": arm}, p, is_warning=True)


def _unfit(lines: Sequence[Line]) -> Iterator[Finding]:
    """Metrics that are constant, or have too few units with yes or with no."""
    for line in lines:
        if line.estimate == "plain" and line.is_thin:
            yield Finding("thin_share", line.metric, {"arm": line.arm, "least": effects.LEAST_YES_AND_NO})
        elif line.estimate == "plain" and not line.effect.error > 0:
            yield Finding("no_spread", line.metric, {"arm": line.arm})


def _interval_row(effect: Effect, task: ExperimentTask) -> _Row:
    ends = (*effect.interval(task.alpha), *effect.always(task.alpha, task.planned_units))
    return known(effect.effect), *map(known, ends), effect.units


def _effect_row(line: Line, task: ExperimentTask) -> _Row:
    effect = line.effect
    numbers = (effect.error, effect.p_value, line.q_value, *effect.lift(task.alpha))
    reduction = effect.variance_reduction if line.estimate == "cuped" else None
    return (
        line.metric, line.arm, line.estimate, task.metrics[line.metric].role, known(effect.control),
        known(effect.arm), *_interval_row(effect, task), *map(known, numbers), reduction, line.status,
    )  # fmt: skip
