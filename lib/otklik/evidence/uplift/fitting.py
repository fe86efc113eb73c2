"""Effects by unit: refuse unusable data, fit the learners, predict every unit out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.evidence.arms import check_arms, check_units, sample_ratio_p
from otklik.evidence.designs import features_of_units, laid_out, outcomes_by_arm, share_apart
from otklik.evidence.tables import tables_of
from otklik.evidence.uplift.kind import EFFECTS, UNITS, UpliftTask
from otklik.evidence.uplift.learners import Plan, score_names, with_effects, with_expectations
from otklik.kind import Finding, StageContext, StageResult, Verdict
from otklik.models.split import with_fold


def run(frames: Mapping[str, DataFrame], task: UpliftTask, context: StageContext) -> StageResult:
    """Estimate the effect of a contact on each unit.

    The driver collects counts per arm and coefficients of models.

    Args:
        frames: `units`; see `kind.UNITS`. Columns that the kind does not declare are features.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if there are no features.
        RefusedError: if a unit occurs twice, an arm is not declared, or an outcome is neither 1 nor 0.
    """
    units = context.keep(frames["units"])
    features = features_of_units(units, UNITS, task.log_scale)
    counts = outcomes_by_arm(units)
    check_arms(counts, task.arms)
    check_units(units)
    arms = (task.control, *task.others)
    refusal = _refusal(counts, arms, task)
    if refusal is not None:
        return StageResult(tables_of(context, (EFFECTS,)), [], refusal)
    context.step.rows(sum(units for units, _ in counts.values()), "units")

    plan = Plan(arms, task.shares, tuple(task.learners), task.folds)
    context.step.under_way("effects by unit")
    numbers, _ = laid_out(units, features, arms, task.log_scale)
    folded = with_fold(numbers, task.folds, f"uplift {task.seed}")
    rows = with_expectations(folded, plan, context.keep)
    if plan.shares is None and (apart := share_apart(rows, task.overlap)) > task.overlap_share:
        reason = Finding("no_overlap", "", {"share": apart, "least": task.overlap}, apart)
        return StageResult(tables_of(context, (EFFECTS,)), [], Verdict("invalid", [reason]))
    scored = with_effects(rows, plan, context.keep)
    effects = F.create_map(*(part for name in score_names(plan) for part in (F.lit(name), F.col(f"`{name}`"))))
    return StageResult(
        {"effects": scored.select("unit", "place", "y", "chances", "mu", effects.alias("effects"))},
        findings=[Finding("not_random")] if plan.shares is None else [],
    )


def _refusal(counts: Mapping[str, tuple[int, int]], arms: Sequence[str], task: UpliftTask) -> Verdict | None:
    """The verdict if no learning is possible: a sample ratio mismatch, or too few outcomes."""
    units = [counts.get(arm, (0, 0))[0] for arm in arms]
    if task.assignment == "random":
        p = sample_ratio_p(units, [task.arms[arm] for arm in arms])
        if p < task.sample_ratio_alpha:
            return Verdict("invalid", [Finding("broken_split", parameters={"p": f"{p:.1e}"}, value=p, is_warning=True)])
    for arm in arms:
        count, yes = counts.get(arm, (0, 0))
        if min(yes, count - yes) < task.minimum_outcomes:
            parameters = {"yes": yes, "units": count, "needed": task.minimum_outcomes}
            return Verdict("too_little_data", [Finding("few_outcomes", arm, parameters, float(yes))])
    return None
