"""The kind `survival`: curves, and a hazard model evaluated on unseen customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.forecasts.survival import hazard
from otklik.forecasts.survival.curves import Counts, Curve, Floats, kaplan_meier, log_rank
from otklik.forecasts.survival.features import EMPTY, OTHER, Slot, slots_of, without_copies
from otklik.forecasts.survival.hazard import Hazard
from otklik.forecasts.survival.judging import Evaluation, evaluate, judged_durations
from otklik.forecasts.survival.kind import CURVES, EFFECTS, JUDGED, PRESENT, SurvivalTask
from otklik.inference import NORMAL_95, Estimate, known
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.session import frame_of

ALL = "(all)"
_DECLARED = ("customer", "moment", "duration", "has_left", "started", "ended", "group", "value")


def run(frames: Mapping[str, DataFrame], task: SurvivalTask, context: StageContext) -> StageResult:
    """Curves by group, and a hazard model.

    Collects counts by group and duration (at most `maximum_levels` × `maximum_durations`), sums by duration and
    predicted survival, and matrices of features; never customers.

    Raises:
        ConfigurationError: if the frame has neither duration and has_left nor started.
        RefusedError: if a customer is there twice, or there are too many distinct durations.
    """
    customers, findings = _prepared(frames["customers"], task, context)
    counts = _counts(customers, task)
    everybody = counts[ALL]
    n, departures = int(everybody.at_risk[0]), int(everybody.left.sum())
    curves = {name: kaplan_meier(one) for name, one in counts.items()}
    described = [*_curve_measures(counts, curves, task), *_log_rank_measures(counts)]
    curve_rows = frame_of(context.spark, _curve_rows(counts, curves), CURVES.own_ddl)
    needed = {"customers": (n, task.minimum_customers), "departures": (departures, task.minimum_departures)}
    for what, (count, least) in needed.items():
        if count < least:
            reason = Finding(f"too_few_{what}", parameters={"count": count, "minimum": least}, value=count)
            rest = {
                what: frame_of(context.spark, [], table.own_ddl) for what, table in _TABLES.items() if what != "curves"
            }
            verdict = Verdict("too_little_data", [reason])
            return StageResult({"curves": curve_rows, **rest}, described, verdict, [*findings, reason])
    names = [*(["group"] if "group" in customers.columns else []), *_features(frames["customers"])]
    changing = [name for name in frames["changes"].columns if name not in _DECLARED] if "changes" in frames else []
    episodes = context.keep(_episodes(customers, frames.get("changes"), changing, task))
    present_values = episodes.where("_is_now")
    slots, copies = without_copies(present_values, slots_of(present_values, [*names, *changing], task.maximum_levels))
    findings += [
        Finding("same_as", slot.feature, {"level": slot.level, "other": other.feature, "other_level": other.level})
        for slot, other in copies
    ]
    steps = hazard.steps_of(everybody, task.intervals)
    numbers = F.array(*(slot.value for slot in slots)).cast("array<double>")
    told = context.keep(episodes.withColumn("numbers", numbers))
    ready = told.where("_is_now")
    # Survival from the start is predicted from what was known then.
    at_first = told.where("_since = 0").withColumns({"duration": F.col("_until"), "has_left": F.col("_leaves")})
    rows = context.keep(hazard.person_periods(told, steps))
    context.step.under_way("predicting customers that the model has not seen")
    durations = judged_durations(everybody)
    evaluation = evaluate(_out_of_fold(at_first, rows, steps, durations, task), everybody, durations, task.seed)
    context.step.under_way("fitting on all customers")
    model = hazard.fit(rows, steps, task.regularisation)
    errors = hazard.standard_errors(rows, model)
    present = _present(ready, model, slots, task)
    context.step.rows(n, "customers")
    measures = [*described, *_judged_measures(evaluation, n)]
    if changing:
        of_changes = [slot for slot in slots if slot.feature in changing]
        gain = _gain_of_changes(told, rows, steps, len(slots) - len(of_changes), task)
        measures.append(gain)
        is_gain = gain.low is not None and gain.low > 0
        findings.append(Finding("changes_help" if is_gain else "changes_say_nothing", value=gain.value))
    return StageResult(
        tables={
            "curves": curve_rows,
            "judged": frame_of(context.spark, _judged_rows(evaluation), JUDGED.own_ddl),
            "effects": frame_of(context.spark, _effect_rows(slots, model.coefficients, errors), EFFECTS.own_ddl),
            "present": present.select(*PRESENT.own_names),
        },
        measures=measures,
        verdict=_verdict(evaluation, n),
        findings=findings,
    )


def _features(rows: DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in _DECLARED]


def _prepared(rows: DataFrame, task: SurvivalTask, context: StageContext) -> tuple[DataFrame, list[Finding]]:
    """Customers with whole durations, has_left as of the moment, fold, and group if the task names one."""
    if {"duration", "has_left"} <= set(rows.columns):
        timed = rows.withColumn("duration", F.floor("duration").cast("double"))
    elif "started" in rows.columns:
        timed = _timed(rows, task, context)
    else:
        raise ConfigurationError(
            "the frame customers has neither duration and has_left nor started",
            where="frames.customers.columns",
            hint="add duration and has_left, or started and, for those who left, ended",
        )
    if "group" in rows.columns:
        timed = timed.withColumn("group", F.coalesce("group", F.lit(EMPTY)))
        timed = _with_common_groups(timed, task.maximum_levels)
    fold = F.pmod(F.xxhash64("customer", F.lit(f"fold {task.seed}")), F.lit(task.folds)).cast("int")
    customers = context.keep(timed.where(F.col("duration") >= 0).withColumn("fold", fold))
    count, distinct = customers.agg(F.count("*"), F.countDistinct("customer")).collect()[0]
    if count == 0:
        raise RefusedError(
            "no customer has a duration of 0 or more",
            where="frames.customers",
            hint="check where and duration in the task",
        )
    if distinct < count:
        raise RefusedError(
            f"{count - distinct:,} rows have a customer that another row has",
            where="frames.customers",
            hint="give one row per customer, or use as `customer` what a row stands for, e.g. the contract",
        )
    without = timed.count() - count
    found = [Finding("negative_durations", parameters={"rows": without}, value=without)] if without else []
    return customers, found


def _timed(rows: DataFrame, task: SurvivalTask, context: StageContext) -> DataFrame:
    """Durations from moments; customers who leave after the as-of moment have not left yet."""
    as_of = F.lit(context.as_of)
    ended = F.col("ended") if "ended" in rows.columns else F.lit(None).cast("timestamp")
    has_left = F.coalesce(ended <= as_of, F.lit(False))
    until = F.when(has_left, ended).otherwise(as_of)
    duration = F.floor(_elapsed(until, task)).cast("double")
    return rows.where(F.col("started") <= as_of).withColumns({"has_left": has_left, "duration": duration})


def _elapsed(until: Column, task: SurvivalTask) -> Column:
    """Periods since a customer started."""
    months = F.months_between(until, F.col("started"), roundOff=False)
    days = (F.unix_micros(until) - F.unix_micros("started")) / 86_400e6
    lengths = {"day": days, "week": days / 7, "month": months, "quarter": months / 3, "year": months / 12}
    return lengths[task.period]


def _episodes(
    customers: DataFrame, changes: DataFrame | None, changing: Sequence[str], task: SurvivalTask
) -> DataFrame:
    """Episodes of each customer: a row per customer and period in which something changed.

    A change counts from the first period that begins after it is known. Values are null before the first change.

    Returns:
        Columns of `customers`, of which duration and has_left are those of the episode; the changing ones; _since;
        _until and _leaves (duration and has_left of the customer); _is_now (whether it is the last episode).

    Raises:
        ConfigurationError: if the frame does not say when customers started.
    """
    whole = customers.withColumns({"_until": F.col("duration"), "_leaves": F.col("has_left")})
    if changes is None:
        return whole.withColumns({"_since": F.lit(0.0), "_is_now": F.lit(True)})
    if "started" not in customers.columns:
        raise ConfigurationError(
            "the frame changes needs the column `started`, which the frame customers lacks",
            where="frames.customers.columns",
            hint="add started, and ended for those who left",
        )
    since = F.greatest(F.ceil(_elapsed(F.col("moment"), task)).cast("double"), F.lit(0.0))
    told = (
        changes.join(customers.select("customer", "started", "duration"), "customer")
        .withColumn("_since", since)
        .where(F.col("_since") <= F.col("duration"))
        .select("customer", "_since", "moment", *changing)
    )
    nothing = {name: F.lit(None).cast("double") for name in changing}
    first = customers.select("customer", F.lit(0.0).alias("_since"), F.lit(None).cast("timestamp").alias("moment"))
    newest = [
        F.max_by(F.col(f"`{name}`"), F.when(F.col(f"`{name}`").isNotNull(), F.col("moment"))).alias(name)
        for name in changing
    ]
    each = told.unionByName(first.withColumns(nothing)).groupBy("customer", "_since").agg(*newest)
    in_order = Window.partitionBy("customer").orderBy("_since")
    until_now = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    filled = {name: F.last(F.col(f"`{name}`"), ignorenulls=True).over(until_now) for name in changing}
    next_since = F.lead("_since").over(in_order)
    episodes = each.withColumns({**filled, "_next": next_since})
    is_now = F.col("_next").isNull()
    return (
        whole.join(episodes, "customer")
        .withColumns({"duration": F.coalesce(F.col("_next") - 1, "_until"), "has_left": F.col("_leaves") & is_now})
        .withColumn("_is_now", is_now)
        .drop("_next")
    )


def _gain_of_changes(told: DataFrame, rows: DataFrame, steps: hazard.Steps, others: int, task: SurvivalTask) -> Measure:
    """Reduction of the out-of-fold log loss per period if the model uses changing attributes.

    Args:
        told: episodes with features, of which the first `others` are constant.
        rows: their person-periods.
        steps: steps of the baseline.
        others: number of features of the model without changes.
        task: its number of folds; the interval is that of their differences (Student's t).
    """
    plain = hazard.person_periods(told.withColumn("numbers", F.slice("numbers", 1, others)), steps)
    folds = range(task.folds)
    both = []
    for seen in (rows, plain):
        models = {fold: hazard.fit(seen.where(F.col("fold") != fold), steps, task.regularisation) for fold in folds}
        losses = hazard.log_losses(seen, models)
        both.append((losses["loss"] / losses["periods"]).to_numpy(float))
    gains = both[1] - both[0]
    error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
    found = Estimate.around(float(gains.mean()), error, freedom=len(gains) - 1)
    return Measure("changes_gain", found.value, "", "out_of_fold", found.low, found.high, 0.0, len(gains))


def _with_common_groups(customers: DataFrame, maximum: int) -> DataFrame:
    sizes = customers.groupBy("group").agg(F.count("*").alias("customers"))
    common = sizes.orderBy(F.desc("customers"), "group").limit(maximum + 1).collect()
    if len(common) <= maximum:
        return customers
    kept = [row.group for row in common[: maximum - 1]]
    return customers.withColumn("group", F.when(F.col("group").isin(kept), F.col("group")).otherwise(F.lit(OTHER)))


def _counts(customers: DataFrame, task: SurvivalTask) -> dict[str, Counts]:
    """Counts of all customers and, in order, of each group."""
    group = F.col("group") if "group" in customers.columns else F.lit(ALL)
    rows = _counted(customers, [group.alias("group"), F.col("duration")], task)
    found = {ALL: _as_counts(rows)}
    if "group" in customers.columns:
        found |= {str(name): _as_counts(some) for name, some in rows.groupby("group", sort=True)}
    return found


def _counted(customers: DataFrame, keys: Sequence[Column], task: SurvivalTask) -> pd.DataFrame:
    most = task.maximum_durations * (task.maximum_levels + 1) * task.folds
    rows = (
        customers.groupBy(*keys)
        .agg(
            F.count_if("has_left").cast("double").alias("left"),
            F.count_if(~F.col("has_left")).cast("double").alias("rest"),
        )
        .limit(most + 1)
        .toPandas()
    )
    distinct = rows["duration"].nunique()
    if distinct > task.maximum_durations:
        raise RefusedError(
            f"{distinct:,} distinct durations; at most {task.maximum_durations:,} are held in memory",
            where="frames.customers",
            hint="measure durations in a longer period",
        )
    return rows


def _as_counts(rows: pd.DataFrame) -> Counts:
    by_duration = rows.groupby("duration", sort=True)[["left", "rest"]].sum()
    return Counts(
        by_duration.index.to_numpy(float), by_duration["left"].to_numpy(float), by_duration["rest"].to_numpy(float)
    )


def _curve_rows(counts: Mapping[str, Counts], curves: Mapping[str, Curve]) -> list[tuple[object, ...]]:
    return [
        (name, int(duration), int(at_risk), int(left), int(censored), float(survival), known(low), known(high))
        for name, one in counts.items()
        for duration, at_risk, left, censored, survival, low, high in zip(
            one.duration, one.at_risk, one.left, one.censored, curves[name].survival, curves[name].low,
            curves[name].high, strict=True,
        )
    ]  # fmt: skip


def _curve_measures(counts: Mapping[str, Counts], curves: Mapping[str, Curve], task: SurvivalTask) -> list[Measure]:
    """Survival at the task's durations, and median lifetimes, with all customers as baseline."""
    found = []
    for name, curve in curves.items():
        subject = "" if name == ALL else name
        rows = int(counts[name].at_risk[0])
        found.append(Measure("departures", float(counts[name].left.sum()), subject, rows=rows))
        median, of_all = curve.median(), curves[ALL].median()
        if median is not None:
            found.append(Measure("median", median, subject, baseline=of_all if subject else None, rows=rows))
        overall = curves[ALL].at(task.curve_at)[0]
        for place, (value, low, high) in enumerate(zip(*curve.at(task.curve_at), strict=True)):
            if task.curve_at[place] <= counts[name].duration[-1]:
                baseline = float(overall[place]) if subject else None
                name_of = f"survival_{task.curve_at[place]}"
                found.append(Measure(name_of, float(value), subject, "all", known(low), known(high), baseline, rows))
    return found


def _log_rank_measures(counts: Mapping[str, Counts]) -> list[Measure]:
    groups = [one for name, one in counts.items() if name != ALL and one.left.sum() + one.censored.sum() > 0]
    if len(groups) < 2 or not any(one.left.any() for one in groups):
        return []
    test = log_rank(groups)
    return [
        Measure("log_rank_chi2", test.chi2, rows=int(counts[ALL].at_risk[0]), baseline=float(test.degrees)),
        Measure("log_rank_log10_p", test.log10_p, rows=int(counts[ALL].at_risk[0])),
    ]


def _out_of_fold(
    ready: DataFrame, rows: DataFrame, steps: hazard.Steps, durations: Floats, task: SurvivalTask
) -> DataFrame:
    """Out-of-fold survival at the durations: by the model, and by the curve of the group."""
    models = {
        fold: hazard.fit(rows.where(F.col("fold") != fold), steps, task.regularisation) for fold in range(task.folds)
    }
    keyed = ready if "group" in ready.columns else ready.withColumn("group", F.lit(ALL))
    curves = _curves_of_others(keyed, durations, task)
    predicted = hazard.with_models(keyed, models).withColumn("predicted", hazard.survival(steps, durations))
    return predicted.join(F.broadcast(curves), ["group", "fold"])


def _curves_of_others(keyed: DataFrame, durations: Floats, task: SurvivalTask) -> DataFrame:
    """group, fold, curve: the group's Kaplan-Meier curve without the fold; that of all customers if none is left."""
    rows = _counted(keyed, [F.col("group"), F.col("fold"), F.col("duration")], task)
    found = []
    for group in sorted(rows["group"].unique()):
        for fold in range(task.folds):
            others = rows[rows["fold"] != fold]
            own = others[others["group"] == group]
            curve = kaplan_meier(_as_counts(own if len(own) else others)).at(durations)[0]
            found.append((str(group), fold, [float(value) for value in curve]))
    return keyed.sparkSession.createDataFrame(found, "group string, fold int, curve array<double>")


def _present(ready: DataFrame, model: Hazard, slots: Sequence[Slot], task: SurvivalTask) -> DataFrame:
    """Those who have not left: customer, duration, probability, value, reasons."""
    probability = hazard.leaves_within(model.steps, task.horizon_periods)
    value = F.greatest(F.col("value"), F.lit(0.0)) if "value" in ready.columns else F.lit(None).cast("double")
    folds = dict.fromkeys(range(task.folds), model)
    return hazard.with_models(ready.where(~F.col("has_left")), folds).select(
        "customer",
        F.col("duration").cast("bigint").alias("duration"),
        probability.alias("probability"),
        value.alias("value"),
        _reasons(slots, model.coefficients, task.reasons).alias("reasons"),
    )


def _reasons(slots: Sequence[Slot], coefficients: Floats, most: int) -> Column:
    """The attributes that raise the log-odds most above the average customer's."""
    by_feature: dict[str, list[tuple[Slot, int, float]]] = {}
    for place, (slot, weight) in enumerate(zip(slots, coefficients, strict=True)):
        by_feature.setdefault(slot.feature, []).append((slot, place + 1, float(weight)))
    structs = []
    for feature, of_feature in by_feature.items():
        average = sum(weight * slot.mean for slot, _, weight in of_feature)
        total = sum((F.element_at("numbers", place) * weight for _, place, weight in of_feature), F.lit(0.0))
        level: Column = F.lit(of_feature[0][0].reference)
        for slot, place, _ in of_feature:
            if slot.reference is not None:
                level = F.when(F.element_at("numbers", place) > 0, F.lit(slot.level)).otherwise(level)
        if of_feature[0][0].reference is None:
            level = F.format_number(F.element_at("numbers", of_feature[0][1]), 1)
        structs.append(
            F.struct(
                F.lit(feature).alias("feature"), level.alias("level"), (total - F.lit(average)).alias("contribution")
            )
        )
    if not structs:
        return F.array().cast("array<struct<feature:string,level:string,contribution:double>>")
    raising = F.filter(F.array(*structs), lambda one: one["contribution"] > 0)
    best_first = F.array_sort(
        raising,
        lambda one, other: (
            F.when(one["contribution"] > other["contribution"], -1)
            .when(one["contribution"] < other["contribution"], 1)
            .otherwise(0)
        ),
    )
    return F.slice(best_first, 1, most)


def _judged_measures(evaluation: Evaluation, rows: int) -> list[Measure]:
    def measure(name: str, estimate: Estimate, baseline: float) -> Measure:
        return Measure(
            name,
            estimate.value,
            split="out_of_fold",
            low=estimate.low,
            high=estimate.high,
            baseline=baseline,
            rows=rows,
        )

    return [
        measure("integrated_brier", evaluation.integrated, evaluation.integrated_curve.value),
        measure("brier_gain", evaluation.gain, 0.0),
        measure("auc", evaluation.mean_auc, evaluation.mean_auc_curve.value),
    ]


def _judged_rows(evaluation: Evaluation) -> list[tuple[object, ...]]:
    return [
        (int(duration), *map(float, brier), *map(known, auc))
        for duration, brier, auc in zip(evaluation.durations, evaluation.brier, evaluation.auc, strict=True)
    ]


def _effect_rows(slots: Sequence[Slot], coefficients: Floats, errors: Floats) -> list[tuple[object, ...]]:
    return [
        (
            slot.feature, slot.level, float(np.exp(weight)), float(np.exp(weight - NORMAL_95 * error)),
            float(np.exp(weight + NORMAL_95 * error)), slot.reference,
        )
        for slot, weight, error in zip(slots, coefficients, errors, strict=True)
    ]  # fmt: skip


def _verdict(evaluation: Evaluation, rows: int) -> Verdict:
    """A gain if predictions are significantly better than the curve of the group."""
    gain, integrated, auc = evaluation.gain, evaluation.integrated, evaluation.mean_auc
    numbers = {"brier": integrated.value, "curve": evaluation.integrated_curve.value}
    is_gain = gain.low > 0
    reason = Finding("predicts_better" if is_gain else "predicts_no_better", parameters=numbers, value=gain.value)
    key = Measure(
        "auc", auc.value, split="out_of_fold", low=auc.low, high=auc.high,
        baseline=evaluation.mean_auc_curve.value, rows=rows,
    )  # fmt: skip
    return Verdict("gain" if is_gain else "no_gain", [reason], key)


_TABLES = {"curves": CURVES, "judged": JUDGED, "effects": EFFECTS, "present": PRESENT}
