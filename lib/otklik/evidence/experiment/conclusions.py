"""Conclusions from sums per arm: effects, their interpretation, the next plan, the verdict. Imports no Spark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from otklik.evidence.experiment import effects
from otklik.evidence.experiment.effects import Effect, Sides
from otklik.evidence.experiment.kind import ExperimentTask, Metric
from otklik.evidence.experiment.moments import CAPPED, Columns, Moments, present
from otklik.inference import known, q_values
from otklik.kind import Finding, Measure, Verdict

#: Arm → bits of the columns that are missing → sums.
Arms = Mapping[str, Mapping[int, Moments]]


@dataclass(frozen=True)
class Line:
    """One row of the table of effects; see its definition."""

    metric: str
    arm: str
    estimate: str
    effect: Effect
    is_thin: bool
    q_value: float = math.nan
    status: str = "open"


class PlanRow(NamedTuple):
    """One row of the table of the plan; see its definition."""

    metric: str
    arm: str
    worth: float | None
    units_needed: int | None
    units: int
    detectable: float
    days_needed: float | None


def columns_of(name: str, metric: Metric) -> list[str]:
    """The columns in which a unit must have a value to count for a metric."""
    return [name, metric.denominator] if metric.denominator else [name]


def both(arms: Arms, columns: Columns, wanted: Sequence[str], control: str, arm: str) -> Sides | None:
    """Sums of the control and of an arm over the units with a value; None if either has fewer than two."""
    first, second = (present(arms[side], columns, wanted) if side in arms else None for side in (control, arm))
    return None if first is None or second is None or min(first.units, second.units) < 2 else (first, second)


def plain_effect(name: str, metric: Metric, sides: Sides) -> Effect:
    """The effect, by the test for the metric's type."""
    if metric.type == "share":
        return effects.share_effect(sides, name)
    if metric.denominator is not None:
        return effects.ratio_effect(sides, name, metric.denominator)
    return effects.mean_effect(sides, name)


def evaluate(arms: Arms, columns: Columns, task: ExperimentTask) -> list[Line]:
    """Effects on every metric in every arm by every estimator, with q-values over goals and arms, and conclusions."""
    lines = list(_lines(arms, columns, task))
    deciding = [line for line in lines if line.estimate == task.decide_by and task.metrics[line.metric].is_goal]
    adjusted = q_values([math.nan if line.is_thin else line.effect.p_value for line in deciding]).tolist()
    q_of = {(line.metric, line.arm): q for line, q in zip(deciding, adjusted, strict=True)}
    judged = []
    for line in lines:
        is_deciding = line.estimate == task.decide_by
        q = q_of.get((line.metric, line.arm), math.nan) if is_deciding else math.nan
        judged.append(replace(line, q_value=q, status=_status(line, q if is_deciding else line.effect.p_value, task)))
    return judged


def plan(lines: Sequence[Line], counts: Mapping[str, int], days: int, task: ExperimentTask) -> list[PlanRow]:
    """Number of units that each goal needs in each arm, from the observed variance.

    Args:
        lines: from `evaluate`.
        counts: units of each arm.
        days: number of days on which units were assigned; 0 = unknown.
        task: the settings.
    """
    rows = []
    for line in lines:
        metric, effect = task.metrics[line.metric], line.effect
        if line.estimate != task.decide_by or not metric.is_goal or not effect.error > 0:
            continue
        planned = task.arms[task.control] / (task.arms[task.control] + task.arms[line.arm])
        variance = effects.unit_variance(effect, counts[task.control] / (counts[task.control] + counts[line.arm]))
        least = effects.detectable(variance, effect.units, task.alpha, task.power, planned)
        needed, needed_days = None, None
        if metric.worth is not None:
            needed = effects.units_needed(variance, metric.worth, task.alpha, task.power, planned)
            needed_days = needed / effect.units * days if days else None
        rows.append(PlanRow(line.metric, line.arm, metric.worth, needed, effect.units, least, needed_days))
    return rows


def measures(lines: Sequence[Line], task: ExperimentTask) -> Iterator[Measure]:
    """Each effect with its interval; its baseline is the value of the control arm."""
    for line in lines:
        low, high = line.effect.interval(task.alpha)
        name = "effect" if line.estimate == "plain" else f"effect_{line.estimate}"
        yield Measure(
            name, known(line.effect.effect), subject(line.metric, line.arm), low=known(low), high=known(high),
            baseline=known(line.effect.control), rows=line.effect.units,
        )  # fmt: skip


def subject(metric: str, arm: str) -> str:
    """The subject of a measure: a metric in an arm."""
    return f"{metric}: {arm}"


def find_verdict(lines: Sequence[Line], rows: Sequence[PlanRow], task: ExperimentTask) -> Verdict:
    """The verdict by the first goal, unless a guardrail is violated.

    Args:
        lines: from `evaluate`.
        rows: from `plan`.
        task: the settings.
    """
    goal = task.goals[0]
    sign = task.metrics[goal].sign
    deciding = [line for line in lines if line.metric == goal and line.estimate == task.decide_by]
    deciding.sort(key=lambda line: -sign * line.effect.effect if line.effect.error > 0 else math.inf)
    harmed = [line for line in lines if line.status == "harmed" and line.estimate == "plain"]
    better = [line for line in deciding if line.status == "better"]
    safe = [line for line in better if line.arm not in {one.arm for one in harmed}]
    worse = [line for line in deciding if line.status == "worse"]
    key = next(measures((safe or better or deciding)[:1], task), None)
    if safe:
        return Verdict("gain", [_reason("better", line, task.alpha) for line in safe], key)
    if better or worse:
        return Verdict(
            "no_gain", [_reason(line.status, line, task.alpha) for line in (harmed if better else worse)], key
        )
    if all(line.status == "thin" or not line.effect.error > 0 for line in deciding):
        return Verdict("too_little_data", [Finding("thin", goal)], key)
    return _undecided(goal, deciding, rows, task, key)


def _undecided(
    goal: str, deciding: Sequence[Line], rows: Sequence[PlanRow], task: ExperimentTask, key: Measure | None
) -> Verdict:
    """Without a significant effect: too little data if a worthwhile one is still possible, otherwise no gain."""
    metric = task.metrics[goal]
    of_goal = [row for row in rows if row.metric == goal]
    if metric.worth is None:
        least = max(row.detectable for row in of_goal)
        return Verdict("no_gain", [Finding("nothing_shown", goal, {"least": least}, least)], key)
    best = max(metric.sign * end for line in deciding for end in line.effect.interval(task.alpha))
    if best < metric.worth:
        return Verdict("no_gain", [Finding("below_worth", goal, {"worth": metric.worth, "best": best}, best)], key)
    needed = max(row.units_needed or 0 for row in of_goal)
    wanted = {"worth": metric.worth, "needed": needed, "units": max(row.units for row in of_goal)}
    return Verdict("too_little_data", [Finding("undecided", goal, wanted, metric.worth)], key)


def _lines(arms: Arms, columns: Columns, task: ExperimentTask) -> Iterator[Line]:
    for name, metric in task.metrics.items():
        wanted = columns_of(name, metric)
        for arm in task.others:
            sides = both(arms, columns, wanted, task.control, arm)
            if sides is None:
                continue
            is_thin = metric.type == "share" and effects.is_thin_share(sides, name)
            yield Line(name, arm, "plain", plain_effect(name, metric, sides), is_thin)
            if task.covariates:
                yield Line(name, arm, "cuped", effects.cuped_effect(sides, wanted, task.covariates), is_thin)
            if metric.type == "revenue":
                yield Line(name, arm, "winsorised", effects.mean_effect(sides, f"{CAPPED}{name}"), is_thin)


def _status(line: Line, p_value: float, task: ExperimentTask) -> str:
    metric = task.metrics[line.metric]
    if line.is_thin:
        return "thin"
    if metric.is_goal:
        if not p_value <= task.alpha:
            return "open"
        return "better" if metric.sign * line.effect.effect > 0 else "worse"
    low, high = sorted(metric.sign * end for end in line.effect.interval(task.alpha))
    if high < -metric.tolerated:
        return "harmed"
    return "safe" if low >= -metric.tolerated else "open"


def _reason(code: str, line: Line, alpha: float) -> Finding:
    effect = line.effect
    low, high = effect.interval(alpha)
    parameters: dict[str, float | int | str] = {"arm": line.arm, "effect": effect.effect, "low": low, "high": high}
    return Finding(code, line.metric, {**parameters, "control": effect.control}, effect.effect)
