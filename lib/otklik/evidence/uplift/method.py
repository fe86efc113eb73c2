"""Whom a contact changes: ranking of units by effect, the value of a list by that ranking, and the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.evidence.tables import tables_of
from otklik.evidence.uplift.kind import TABLES, UpliftTask
from otklik.evidence.uplift.learners import RESPONSE, score_name
from otklik.evidence.uplift.scores import (
    Sorted,
    coefficients,
    curve_points,
    deciles,
    overall,
    qini_beyond,
    sort_units,
)
from otklik.inference import NORMAL_95, Estimate
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: Parts into which a hash is divided when the control group is drawn.
_PARTS = 1_000_000
_LIST = "list"

_Row = tuple[Any, ...]


@dataclass(frozen=True)
class Policy:
    """A contact policy; see the table."""

    name: str
    contacted: float
    value: Estimate
    value_ipw: float
    list_better_by: Estimate


def run(frames: Mapping[str, DataFrame], task: UpliftTask, context: StageContext) -> StageResult:
    """Rank units by their effects, compare policies, and make the list.

    The driver collects counts of bins, and sums per policy; see `scores`.

    Args:
        frames: `effects`; see `kind.EFFECTS`.
        task: the settings.
        context: session and seed.
    """
    arms, shares = (task.control, *task.others), task.shares
    names = [name for place in range(1, len(arms)) for name in _scores(task, place)]
    scores = (F.element_at("effects", name).alias(name) for name in names)
    scored = context.keep(frames["effects"].select("unit", "place", "y", "chances", "mu", *scores))
    count = scored.count()
    context.step.rows(count, "units")
    context.step.under_way("ranking of units")
    found = {
        arm: sort_units(_pair(scored, place, shares), _scores(task, place), count, task.seed)
        for place, arm in enumerate(arms)
        if place
    }
    policies = _policies(scored, arms, task)
    measures = [*_measures(found, arms, task), *_negative(scored, arms, shares, task)]
    verdict, action = _verdict(policies, measures, arms, task)
    tables = tables_of(
        context,
        TABLES,
        deciles=[row for place, arm in enumerate(arms) if place for row in _decile_rows(found[arm], arm, place, task)],
        curves=[row for place, arm in enumerate(arms) if place for row in _curve_rows(found[arm], arm, place, task)],
        policies=[_policy_row(policy) for policy in policies],
    )
    every = context.keep(_listed(scored, arms, action, task))
    listed = every.where("action <> 'leave'").select(
        "unit", F.col("action").alias("arm"), "effect", F.col("expected_gain").alias("expected_profit")
    )
    return StageResult({**tables, "list": every}, measures, verdict, [], task.campaign, listed)


def _scores(task: UpliftTask, place: int) -> list[str]:
    return [score_name(learner, place) for learner in (*task.learners, RESPONSE)]


def _pair(scored: DataFrame, place: int, shares: Sequence[float] | None) -> DataFrame:
    """Units of an arm and the control; weighted to represent all units if the assignment was observed."""
    weight = F.lit(1.0) if shares is not None else 1 / F.element_at("chances", F.col("place") + 1)
    pair = scored.where(F.col("place").isin(0, place))
    return pair.withColumns({"is_arm": F.col("place") == place, "weight": weight})


def _measures(found: Mapping[str, Mapping[str, Sorted]], arms: Sequence[str], task: UpliftTask) -> Iterator[Measure]:
    """Effect of each arm; Qini and AUUC of each learner, with the response model as baseline."""
    for place, arm in enumerate(arms):
        if not place:
            continue
        of_arm = found[arm]
        decisive = of_arm[score_name(task.decide_by, place)]
        response = of_arm[score_name(RESPONSE, place)]
        rows = round(float(decisive.counts.units.sum() + decisive.counts.control.sum()))
        yield _measure("effect", overall(decisive), arm, rows)
        naive = coefficients(response, task.seed)
        for learner in task.learners:
            for name, estimate in coefficients(of_arm[score_name(learner, place)], task.seed).items():
                yield _measure(name, estimate, f"{arm}: {learner}", rows, naive[name].value)
        yield _measure("qini_beyond_response", qini_beyond(decisive, response, task.seed), arm, rows, 0.0)


def _measure(name: str, estimate: Estimate, subject: str, rows: int, baseline: float | None = None) -> Measure:
    return Measure(name, estimate.value, subject, low=estimate.low, high=estimate.high, baseline=baseline, rows=rows)


def _negative(
    scored: DataFrame, arms: Sequence[str], shares: Sequence[float] | None, task: UpliftTask
) -> Iterator[Measure]:
    """The effect among the units with a negative predicted effect: whom not to contact."""
    for place, arm in enumerate(arms):
        if not place:
            continue
        pair = _pair(scored, place, shares).where(F.col(f"`{score_name(task.decide_by, place)}`") < 0)
        sums = pair.groupBy("is_arm").agg(F.sum("weight").alias("n"), F.sum(F.col("weight") * F.col("y")).alias("yes"))
        by_arm = {row["is_arm"]: (row["n"], row["yes"]) for row in sums.collect()}
        if len(by_arm) < 2:
            continue
        (n1, y1), (n0, y0) = by_arm[True], by_arm[False]
        p1, p0 = y1 / n1, y0 / n0
        reach = _reach(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
        effect = Estimate(p1 - p0, p1 - p0 - reach, p1 - p0 + reach)
        yield _measure("effect_where_negative", effect, arm, round(n1 + n0))


def _policies(scored: DataFrame, arms: Sequence[str], task: UpliftTask) -> list[Policy]:
    """Value of the policies list, response model and everybody, compared with contacting nobody."""
    value, costs = _payoff(arms, task)
    chosen = {
        _LIST: _best_arm([F.col(f"`{score_name(task.decide_by, a)}`") * value - costs[a] for a in range(1, len(arms))]),
        **{f"all {arm}": F.lit(a) for a, arm in enumerate(arms) if a},
    }
    if task.payoff is not None:
        chosen[RESPONSE] = _best_arm([F.col("mu")[a] * value - costs[a] for a in range(1, len(arms))])
    brought = {
        name: [_brought(arm, arms, value, costs, robust) for robust in (True, False)] for name, arm in chosen.items()
    }
    columns = [F.count("*").alias("units")]
    for name, arm in chosen.items():
        robust, plain = brought[name]
        better = brought[_LIST][0] - robust
        columns += [
            F.avg((arm > 0).cast("double")).alias(f"contacted {name}"), F.avg(robust).alias(f"value {name}"),
            F.var_samp(robust).alias(f"spread {name}"), F.avg(plain).alias(f"ipw {name}"),
            F.avg(better).alias(f"better {name}"), F.var_samp(better).alias(f"better spread {name}"),
        ]  # fmt: skip
    row = scored.agg(*columns).collect()[0]

    def estimate(what: str, spread: str) -> Estimate:
        reach = _reach(row[spread] / row["units"])
        return Estimate(row[what], row[what] - reach, row[what] + reach)

    return [
        Policy(
            name, row[f"contacted {name}"], estimate(f"value {name}", f"spread {name}"), row[f"ipw {name}"],
            estimate(f"better {name}", f"better spread {name}"),
        )
        for name in chosen
    ]  # fmt: skip


def _payoff(arms: Sequence[str], task: UpliftTask) -> tuple[float, list[float]]:
    """Value of an outcome, and cost of a contact in each arm."""
    if task.payoff is None:
        return 1.0, [0.0] * len(arms)
    return task.payoff.value, [0.0, *(task.payoff.cost_of(arm) for arm in arms[1:])]


def _best_arm(gains: Sequence[Column]) -> Column:
    """The arm with the largest expected gain, the first of equals; 0 if none is positive."""
    best = F.greatest(*gains, F.lit(0.0)) if gains[1:] else F.greatest(gains[0], F.lit(0.0))
    arm = F.lit(0)
    for place in range(len(gains), 0, -1):
        arm = F.when((gains[place - 1] == best) & (best > 0), F.lit(place)).otherwise(arm)
    return arm


def _brought(arm: Column, arms: Sequence[str], value: float, costs: Sequence[float], robust: bool) -> Column:
    """An unbiased score of a policy's value for a unit, compared with no contact.

    Doubly robust: Dudík, Langford & Li 2011, "Doubly robust policy evaluation and learning"; otherwise by inverse
    propensity.
    """

    def outcome(a: int) -> Column:
        seen = F.when(F.col("place") == a, 1 / F.col("chances")[a]).otherwise(F.lit(0.0))
        expected = F.col("mu")[a] if robust else F.lit(0.0)
        return expected + seen * (F.col("y") - expected)

    brought = [
        F.when(arm == a, value * (outcome(a) - outcome(0)) - costs[a]).otherwise(F.lit(0.0))
        for a in range(1, len(arms))
    ]
    return reduce(add, brought)


def _verdict(
    policies: Sequence[Policy],
    measures: Sequence[Measure],
    arms: Sequence[str],
    task: UpliftTask,
) -> tuple[Verdict, int | None]:
    """The verdict, and the arm for all units; None: the arm that the model predicts for each."""
    ginis = [m for m in measures if m.measure == "qini" and m.subject.endswith(f": {task.decide_by}")]
    best = max(ginis, key=lambda measure: measure.value or 0.0)
    qini_parameters = {"qini": best.value or 0.0, "low": best.low or 0.0, "high": best.high or 0.0}
    by_name = {policy.name: policy for policy in policies}
    to_all = max((by_name[f"all {arm}"] for arm in arms[1:]), key=lambda policy: policy.value.value)
    rival = to_all if to_all.value.value > 0 else None
    gained = by_name[_LIST].value if rival is None else rival.list_better_by
    sorts = any((measure.low or 0.0) > 0 for measure in ginis)
    if sorts and (task.payoff is None or gained.low > 0):
        reason = Finding("sorts", best.subject, qini_parameters, best.value)
        money = {"gain": gained.value, "low": gained.low, "high": gained.high}
        pays = Finding("pays_beyond_all" if rival is not None else "pays_beyond_none", "", money, gained.value)
        return Verdict("gain", [reason, *([pays] if task.payoff is not None else [])], best), None
    code = "sorts_but_does_not_pay" if sorts else "sorts_no_better_than_chance"
    reason = Finding(code, best.subject, qini_parameters, best.value)
    arm = to_all.name.removeprefix("all ")
    effect = {"gain": to_all.value.value, "low": to_all.value.low, "high": to_all.value.high}
    if to_all.value.low > 0:
        return Verdict("no_gain", [Finding("send_to_all", arm, effect, to_all.value.value), reason], best), arms.index(
            arm
        )
    if to_all.value.high < 0:
        return Verdict("no_gain", [Finding("send_to_none", arm, effect, to_all.value.value), reason], best), 0
    return Verdict("too_little_data", [Finding("no_effect_shown", arm, effect, to_all.value.value), reason], best), 0


def _listed(scored: DataFrame, arms: Sequence[str], action: int | None, task: UpliftTask) -> DataFrame:
    """The arm of each unit by the verdict, with a control group."""
    value, costs = _payoff(arms, task)
    effects = [F.col(f"`{score_name(task.decide_by, a)}`") for a in range(1, len(arms))]
    gains = [effect * value - cost for effect, cost in zip(effects, costs[1:], strict=True)]
    chosen = _best_arm(gains) if action is None else F.lit(action)
    # For a unit that is not contacted, the numbers are those of its best arm.
    shown = F.when(chosen > 0, chosen).otherwise(_greatest(gains))
    part = F.pmod(F.xxhash64("unit", F.lit(task.campaign), F.lit(task.seed)), F.lit(_PARTS))
    is_held_back = part < round(task.control_share * _PARTS)
    what = F.when(chosen == 0, "leave").when(is_held_back, "control").otherwise("contact")
    return scored.select(
        "unit",
        what.alias("action"),
        F.when(chosen > 0, F.array(*map(F.lit, arms))[chosen]).alias("arm"),
        F.array(*effects)[shown - 1].alias("effect"),
        F.array(*gains)[shown - 1].alias("expected_gain"),
    )


def _greatest(gains: Sequence[Column]) -> Column:
    """The arm with the largest expected gain, whatever its sign."""
    return F.array_position(F.array(*gains), F.array_max(F.array(*gains))).cast("int")


def _decile_rows(of_arm: Mapping[str, Sorted], arm: str, place: int, task: UpliftTask) -> Iterator[_Row]:
    for one in deciles(of_arm[score_name(task.decide_by, place)]):
        numbers = (one.effect.value, one.effect.low, one.effect.high)
        yield arm, one.decile, one.units, one.expected, *(n if np.isfinite(n) else None for n in numbers)


def _curve_rows(of_arm: Mapping[str, Sorted], arm: str, place: int, task: UpliftTask) -> Iterator[_Row]:
    for score in (*task.learners, RESPONSE):
        for share, gain in zip(*curve_points(of_arm[score_name(score, place)]), strict=True):
            yield arm, score, float(share), float(gain)


def _policy_row(policy: Policy) -> _Row:
    value, better = policy.value, policy.list_better_by
    return (
        policy.name, policy.contacted, value.value, value.low, value.high, policy.value_ipw, better.value, better.low,
        better.high,
    )  # fmt: skip


def _reach(variance: float) -> float:
    return float(NORMAL_95 * np.sqrt(variance))
