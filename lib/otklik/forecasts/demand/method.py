"""The kind `demand`: series from sales, a method for each, quantiles from earlier errors, evaluated later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.forecasts.demand.adding_up import ALL, adding_up, name_of_group, totals_of, variances_of
from otklik.forecasts.demand.choice import PARTS, Defaults, chosen, defaults_of, known_to
from otklik.forecasts.demand.kind import ERRORS, FORECASTS, HOLDOUT, MODELS, SERIES, TOTALS, DemandTask
from otklik.forecasts.demand.models import Floats, forecasts
from otklik.forecasts.demand.names import POOLED
from otklik.forecasts.demand.pooled import SIZE, coefficients_of
from otklik.forecasts.demand.series import ROWS, History, for_each_series, products_of_each
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: A Monday; periods are counted from here.
_EPOCH = date(1900, 1, 1)
_DAYS = {"day": 1, "week": 7}
#: Half the width of a 95 % interval, in standard errors.
REACH = 1.96
#: Quantiles of the interval: 80 % of the periods lie between them.
_LOW, _HIGH = 0.1, 0.9
#: With fewer earlier errors at a horizon, the errors of all horizons are pooled.
_ENOUGH_ERRORS = 100
#: Hash groups of series whose cross products for the pooled model are summed in one task.
_GROUPS = 64
#: Range of coverage of an 80 % interval outside which there is a finding.
_COVERAGE = (0.72, 0.88)


def run(frames: Mapping[str, DataFrame], task: DemandTask, context: StageContext) -> StageResult:
    """Forecast each series in a Python worker, and evaluate all together.

    The driver collects only sums over series.

    Raises:
        ConfigurationError: if a method is of a package that is not installed.
        RefusedError: if there are fewer complete periods than the hold-out needs.
    """
    # Here and not in a worker, so that a missing package gives one clear message.
    forecasts(task.models)
    first, last = _whole_periods(frames["sales"], task, context)
    quantities = _quantities(frames["sales"], task, first, last)
    if task.top is not None:
        quantities = _largest(quantities, task.top, last - first + 1 - task.ahead)
    history = History(
        task.models, task.ahead, task.season, task.origins, task.minimum_periods, last - first, task.fill,
        task.begin == "first_period", _holidays(task, first, last),
    )  # fmt: skip
    quantities, ends_early = _with_plan(quantities, frames.get("plan"), task, first, last)
    coefficients = _learnt(quantities, history, context) if set(POOLED) & set(task.models) else None
    context.step.under_way("forecasting series")
    rows = context.keep(quantities.groupBy("series").applyInPandas(for_each_series(history, coefficients), ROWS))
    tried = rows.where("row = 'tried'")
    defaults, picked = _picked(tried, task, context)
    spread = _spreads(picked, task)
    sums = None
    if "group" in frames["sales"].columns:
        context.step.under_way("forecasting groups and the total")
        sums = _sums(frames["sales"], rows, history, coefficients, task, context)
    last_values = tried.where("back = 1 AND model = 'naive'").select(
        "series", F.get("forecast", F.lit(0)).alias("naive")
    )
    judged = _adding_up(picked, "holdout", sums, task).join(last_values, "series")
    holdout = context.keep(_with_interval(judged, "holdout", spread, task, last + 1 - task.ahead))
    coming = context.keep(_with_interval(_adding_up(picked, "next", sums, task), "next", spread, task, last + 1))
    totals = rows.where("row = 'status'").select("series", "total")
    scores = context.keep(_scores(holdout).join(totals, "series"))
    by_status = {row.status: row["count"] for row in rows.where("row = 'status'").groupBy("status").count().collect()}
    context.step.rows(sum(by_status.values()), "series")
    count = by_status.get("forecast", 0)
    findings = [Finding("plan_ends", is_warning=True)] if ends_early else []
    findings += [
        Finding(status, parameters={"series": number}, value=number)
        for status, number in sorted(by_status.items())
        if status != "forecast"
    ]
    tables = {
        "series": _series(rows, picked, scores),
        "forecasts": coming.select(FORECASTS.own_names),
        "holdout": holdout.select(HOLDOUT.own_names),
        "models": _models(tried, picked),
        "totals": _totals(coming, sums),
        "errors": _earlier(picked, task).select(ERRORS.own_names),
    }
    if count < task.minimum_series:
        reason = Finding("too_few_series", parameters={"count": count, "minimum": task.minimum_series}, value=count)
        return StageResult(tables, [], Verdict("too_little_data", [reason]), [*findings, reason])
    measures = [*_measures(scores, picked, by_status), *_earlier_errors(defaults)]
    if sums is not None:
        measures += _measures_of_sums(holdout, sums)
    return StageResult(tables, measures, _verdict(measures), [*findings, *_about_coverage(measures)])


def _place(day: Column, period: str) -> Column:
    """Number of the period that a day is in: days, weeks from Monday or months since 1900."""
    if period == "month":
        return ((F.year(day) - 1900) * 12 + F.month(day) - 1).cast("int")
    return F.floor(F.datediff(day, F.lit(_EPOCH)) / _DAYS[period]).cast("int")


def _first_day(place: Column, period: str) -> Column:
    """The first day of a period by its number."""
    if period == "month":
        return F.add_months(F.lit(_EPOCH), place)
    return F.date_add(F.lit(_EPOCH), place * _DAYS[period])


def _whole_periods(sales: DataFrame, task: DemandTask, context: StageContext) -> tuple[int, int]:
    """Numbers of the first period with a sale and of the last complete period at the moment."""
    # A date means the end of that day, just before the next one.
    tomorrow = (context.as_of + timedelta(seconds=1)).date()
    months = (tomorrow.year - 1900) * 12 + tomorrow.month - 1
    last = (months if task.period == "month" else (tomorrow - _EPOCH).days // _DAYS[task.period]) - 1
    first = sales.agg(F.min(_place(F.to_date("moment"), task.period))).collect()[0][0]
    if first is None:
        raise RefusedError(
            "there are no sales up to the as-of moment", where="frames.sales", hint="check `where` and --as-of"
        )
    if last - first + 1 <= task.ahead:
        raise RefusedError(
            f"{max(last - first + 1, 0)} complete periods, of which {task.ahead} are held out: too few",
            where="frames.sales",
            hint="use a shorter period or a smaller `ahead`",
        )
    return first, last


def _quantities(sales: DataFrame, task: DemandTask, first: int, last: int) -> DataFrame:
    """series, place (periods since the first), quantity; complete periods only."""
    place = _place(F.to_date("moment"), task.period)
    # Sums of decimals do not depend on the order of rows.
    return (
        sales.where(place <= last)
        .groupBy("series", (place - first).alias("place"))
        .agg(F.sum(F.col("quantity").cast("decimal(28,6)")).cast("double").alias("quantity"))
    )


def _holidays(task: DemandTask, first: int, last: int) -> list[int]:
    """Number of holidays in each period, from the first to the last one of the horizon."""
    counts = [0] * (last - first + 1 + task.ahead)
    for day in task.holidays:
        months = (day.year - 1900) * 12 + day.month - 1
        place = (months if task.period == "month" else (day - _EPOCH).days // _DAYS[task.period]) - first
        if 0 <= place < len(counts):
            counts[place] += 1
    return counts


def _with_plan(
    quantities: DataFrame, plan: DataFrame | None, task: DemandTask, first: int, last: int
) -> tuple[DataFrame, bool]:
    """Add price and promotion, also of future periods; also whether none is planned although there were some."""
    missing = F.lit(None).cast("double")
    if plan is None:
        return quantities.select("*", missing.alias("price"), missing.alias("promotion")), False
    place = (_place(F.col("day"), task.period) - first).alias("place")
    given = {"price": F.avg, "promotion": F.max}
    planned = plan.groupBy("series", place).agg(
        *(
            how(name).alias(name) if name in plan.columns else F.any_value(missing).alias(name)
            for name, how in given.items()
        )
    )
    of_those = planned.where(F.col("place").between(0, last - first + task.ahead)).join(
        quantities.select("series").distinct(), "series", "left_semi"
    )
    is_ahead = F.col("place") > last - first
    ahead, past = of_those.agg(F.count_if(is_ahead), F.count_if(~is_ahead)).collect()[0]
    return quantities.join(of_those, ["series", "place"], "full"), bool(past and not ahead)


def _largest(quantities: DataFrame, most: int, before: int) -> DataFrame:
    """The series with the largest quantities before the hold-out, so that the hold-out does not select them."""
    totals = quantities.where(F.col("place") < before).groupBy("series").agg(F.sum("quantity").alias("total"))
    largest = totals.orderBy(F.desc("total"), "series").limit(most).select("series")
    return quantities.join(F.broadcast(largest), "series", "left_semi")


@dataclass(frozen=True, eq=False)
class _Sums:
    """Groups of series (series, group), and the methods chosen for their sums: see `_picked`."""

    groups: DataFrame
    picked: DataFrame


def _picked(tried: DataFrame, task: DemandTask, context: StageContext) -> tuple[Defaults, DataFrame]:
    """The default method, and the forecasts of each series' method at every origin, by part."""
    defaults = defaults_of(tried, task.models, task.origins)
    found = chosen(tried, defaults, task.models, task.origins).join(tried, ["series", "model"])
    return defaults, context.keep(found)


def _sums(
    sales: DataFrame,
    rows: DataFrame,
    history: History,
    coefficients: Floats | None,
    task: DemandTask,
    context: StageContext,
) -> _Sums:
    """Forecasts of groups and of the total as separate series; series without a group form one."""
    groups = context.keep(sales.groupBy("series").agg(F.coalesce(F.min("group"), F.lit("")).alias("group")))
    missing = F.lit(None).cast("double")
    totals = totals_of(rows, groups, history.last).withColumns({"price": missing, "promotion": missing})
    found = totals.groupBy("series").applyInPandas(for_each_series(history, coefficients), ROWS)
    return _Sums(groups, _picked(context.keep(found).where("row = 'tried'"), task, context)[1])


def _adding_up(picked: DataFrame, part: str, sums: _Sums | None, task: DemandTask) -> DataFrame:
    """`_steps` of a part, reconciled if there are groups; `alone` is the unreconciled quantity."""
    steps = _steps(picked, part)
    if sums is None:
        return steps
    of_series, of_sums = (
        variances_of(_steps(rows, part), _earlier(rows, task), part) for rows in (picked, sums.picked)
    )
    return adding_up(of_series, of_sums, sums.groups)


def _totals(coming: DataFrame, sums: _Sums | None) -> DataFrame:
    """Totals of the future periods, by group and overall."""
    if sums is None:
        of_nothing = F.lit(None).cast("double").alias("own")
        return coming.select(F.col("series").alias("name"), "period", "step", "quantity", of_nothing).where("false")
    total = F.sum("quantity").alias("quantity")
    of_groups = coming.join(sums.groups, "series").groupBy(name_of_group().alias("name"), "period", "step").agg(total)
    everything = coming.groupBy(F.lit(ALL).alias("name"), "period", "step").agg(total)
    own = _steps(sums.picked, "next").select(F.col("series").alias("name"), "step", F.col("quantity").alias("own"))
    return of_groups.unionByName(everything).join(own, ["name", "step"]).select(TOTALS.own_names)


def _measures_of_sums(holdout: DataFrame, sums: _Sums) -> list[Measure]:
    """Effect of reconciliation: MASE of the series; errors of groups and of the total relative to sales.

    The baseline is the sum of the unreconciled series.
    """
    per_period = F.abs(F.col("actual") - F.col("quantity")) / F.col("scale")
    alone = F.abs(F.col("actual") - F.col("alone")) / F.col("scale")
    of_series = holdout.groupBy("series").agg(F.avg(per_period).alias("mase"), F.avg(alone).alias("alone"))
    row = of_series.agg(F.avg("mase"), F.avg("alone"), F.count("*")).collect()[0]
    found = [Measure("mase_adding_up", row[0], split="holdout", baseline=row[1], rows=row[2])]
    each = [F.sum(name).alias(name) for name in ("actual", "quantity", "alone")]
    grouped = holdout.join(sums.groups, "series")
    for what, rows in (("groups", grouped.groupBy("group", "step")), ("all", grouped.groupBy("step"))):
        off = [F.sum(F.abs(F.col("actual") - F.col(name))) / F.sum("actual") for name in ("quantity", "alone")]
        one = rows.agg(*each).agg(*off, F.count("*")).collect()[0]
        if one[0] is not None:
            found.append(Measure("error_share", one[0], what, "holdout", baseline=one[1], rows=one[2]))
    return found


def _learnt(quantities: DataFrame, history: History, context: StageContext) -> Floats:
    """Coefficients of the pooled model by origin; collects one small array per hash group."""
    context.step.under_way("fitting the pooled model")
    bucket = F.pmod(F.xxhash64("series"), F.lit(_GROUPS)).cast("int")
    sums = (
        quantities.withColumn("bucket", bucket)
        .groupBy("bucket")
        .applyInPandas(products_of_each(history), "bucket int, products array<double>")
        .toPandas()
        .sort_values("bucket")
    )
    total = np.sum(np.vstack(list(sums["products"])), axis=0)
    return coefficients_of(total.reshape(history.origins + 2, history.ahead, SIZE, SIZE + 1))


def _earlier(picked: DataFrame, task: DemandTask) -> DataFrame:
    """series, part, back, step, error, scale: of the chosen methods at the origins available to each part."""
    both = [picked.where((F.col("part") == part) & known_to(part, task.origins)) for part in PARTS]
    error = F.transform(F.arrays_zip("actual", "forecast"), lambda pair: pair["actual"] - pair["forecast"])
    return both[0].unionByName(both[1]).select(
        "series", "part", "back", "scale", F.posexplode(error).alias("place", "error")
    ).withColumn("step", F.col("place") + 1)  # fmt: skip


def _spreads(picked: DataFrame, task: DemandTask) -> DataFrame:
    """part, step, low_error, high_error: quantiles of earlier errors in units of each series' scale.

    Errors of the chosen methods at earlier origins, pooled over series: conformal prediction on a rolling origin.
    """
    earlier = _earlier(picked, task).withColumn("error", F.col("error") / F.col("scale"))
    quantiles = [
        F.percentile("error", F.lit(q)).alias(name) for name, q in (("low_error", _LOW), ("high_error", _HIGH))
    ]
    of_all = earlier.groupBy("part").agg(F.count("*").alias("errors"), *quantiles)
    of_step = earlier.groupBy("part", "step").agg(F.count("*").alias("errors"), *quantiles)
    enough = of_step.where(F.col("errors") >= _ENOUGH_ERRORS).drop("errors")
    steps = of_all.drop("errors").select("*", F.explode(F.sequence(F.lit(1), F.lit(task.ahead))).alias("step"))
    either = steps.withColumnsRenamed({"low_error": "low_of_all", "high_error": "high_of_all"})
    return either.join(enough, ["part", "step"], "left").select(
        "part",
        "step",
        F.coalesce("low_error", "low_of_all").alias("low_error"),
        F.coalesce("high_error", "high_of_all").alias("high_error"),
    )


def _steps(picked: DataFrame, part: str) -> DataFrame:
    """series, model, is_default, scale, squared_scale, step, quantity, actual: a row per period of a part."""
    of_part = picked.where((F.col("part") == part) & (F.col("back") == (1 if part == "holdout" else 0)))
    both = F.transform(
        "forecast",
        lambda value, place: F.struct(value.alias("quantity"), F.get("actual", place).alias("actual"), place),
    )
    return of_part.select(
        "series", "model", "is_default", "scale", "squared_scale", F.inline(both).alias("quantity", "actual", "place")
    ).withColumn("step", F.col("place") + 1)  # fmt: skip


def _with_interval(steps: DataFrame, part: str, spread: DataFrame, task: DemandTask, begin: int) -> DataFrame:
    """The rows of one part with period, low and high; bounds are not negative unless the forecast is."""
    of_part = spread.where(F.col("part") == part).drop("part")
    floor = F.when(F.col("quantity") >= 0, F.lit(0.0)).otherwise(F.lit(float("-inf")))
    below = F.greatest(F.col("quantity") + F.col("low_error") * F.col("scale"), floor)
    above = F.col("quantity") + F.col("high_error") * F.col("scale")
    # Without an earlier origin there is no interval: least and greatest would ignore the nulls.
    low = F.when(F.col("low_error").isNotNull(), F.least(F.col("quantity"), below))
    high = F.when(F.col("high_error").isNotNull(), F.greatest(F.col("quantity"), above))
    return steps.join(F.broadcast(of_part), "step", "left").withColumns(
        {"period": _first_day(F.col("place") + begin, task.period), "low": low, "high": high}
    )


def _scores(holdout: DataFrame) -> DataFrame:
    """One row per series: mase, naive_mase, rmsse, pinball losses of both bounds and the forecast, covered, sold."""
    error, scale = F.col("actual") - F.col("quantity"), F.col("scale")

    def pinball(name: str, level: float) -> Column:
        miss = F.col("actual") - F.col(name)
        return F.avg(F.greatest(miss * level, miss * (level - 1)) / scale)

    is_inside = (F.col("actual") >= F.col("low")) & (F.col("actual") <= F.col("high"))
    return holdout.groupBy("series").agg(
        F.avg(F.abs(error) / scale).alias("mase"),
        F.avg(F.abs(F.col("actual") - F.col("naive")) / scale).alias("naive_mase"),
        F.sqrt(F.avg(error**2 / F.col("squared_scale"))).alias("rmsse"),
        F.sqrt(F.avg((F.col("actual") - F.col("naive")) ** 2 / F.col("squared_scale"))).alias("naive_rmsse"),
        pinball("low", _LOW).alias("pinball_10"),
        pinball("quantity", 0.5).alias("pinball_50"),
        pinball("high", _HIGH).alias("pinball_90"),
        F.avg(is_inside.cast("double")).alias("covered"),
        F.sum("actual").alias("sold"),
        F.first("model").alias("model"),
    )


def _series(rows: DataFrame, picked: DataFrame, scores: DataFrame) -> DataFrame:
    status = rows.where("row = 'status'").select(
        "series", "status", "kind", "periods", F.col("total").alias("quantity")
    )
    used = picked.where("part = 'next' AND back = 0").select("series", "model", "is_default")
    return status.join(used, "series", "left").join(scores.drop("model"), "series", "left").select(SERIES.own_names)


def _models(tried: DataFrame, picked: DataFrame) -> DataFrame:
    means = tried.where("back = 1").groupBy("model")
    reached = means.agg(F.avg("error").alias("mase"), F.avg("squared_error").alias("rmsse"))
    used = picked.where("part = 'holdout' AND back = 1").groupBy("model").agg(F.count("*").alias("chosen"))
    return reached.join(used, "model", "left").fillna(0, ["chosen"]).select(MODELS.own_names)


def _earlier_errors(defaults: Defaults) -> list[Measure]:
    """Errors of the methods before the hold-out, by which the default was chosen, with the naive rule as baseline."""
    errors = defaults.errors["holdout"]
    return [
        Measure("earlier_error", error, name, "earlier", baseline=errors["naive"]) for name, error in errors.items()
    ]


def _measures(scores: DataFrame, picked: DataFrame, by_status: Mapping[str, int]) -> list[Measure]:
    """Means over series, with their standard errors; the naive rule repeats the last value."""
    named = {
        "mase": (F.col("mase"), F.col("naive_mase")),
        "mase_gain": (F.col("naive_mase") - F.col("mase"), F.lit(0.0)),
        "rmsse": (F.col("rmsse"), F.col("naive_rmsse")),
        "pinball_10": (F.col("pinball_10"), F.lit(None).cast("double")),
        "pinball_50": (F.col("pinball_50"), F.col("naive_mase") / 2),
        "pinball_90": (F.col("pinball_90"), F.lit(None).cast("double")),
        "coverage_80": (F.col("covered"), F.lit(0.8)),
    }
    # Weighted by sales before the hold-out, as in the M5 competition.
    weight = F.greatest(F.col("total") - F.col("sold"), F.lit(0.0))
    row = scores.agg(
        F.count("*").alias("count"),
        *(
            (F.sum(weight * F.col(name)) / F.nullif(F.sum(weight), F.lit(0.0))).alias(f"weighted {name}")
            for name in ("rmsse", "naive_rmsse")
        ),
        F.percentile("mase", F.lit(0.5)).alias("median"),
        F.percentile("naive_mase", F.lit(0.5)).alias("naive_median"),
        *(
            part
            for name, (value, baseline) in named.items()
            for part in (
                F.avg(value).alias(name),
                F.stddev_samp(value).alias(f"{name}_spread"),
                F.avg(baseline).alias(f"{name}_baseline"),
            )
        ),
    ).collect()[0]
    count = int(row["count"])
    found = [
        Measure(
            name, row[name], split="holdout", low=row[name] - reach, high=row[name] + reach,
            baseline=row[f"{name}_baseline"], rows=count,
        )
        for name in named
        if row[name] is not None
        for reach in [REACH * (row[f"{name}_spread"] or 0.0) / math.sqrt(count)]
    ]  # fmt: skip
    changed = picked.where("part = 'holdout' AND back = 1 AND NOT is_default").count()
    return [
        *found,
        *(
            []
            if row["weighted rmsse"] is None
            else [
                Measure(
                    "wrmsse", row["weighted rmsse"], split="holdout", baseline=row["weighted naive_rmsse"], rows=count
                )
            ]
        ),
        Measure("median_mase", row["median"], split="holdout", baseline=row["naive_median"], rows=count),
        Measure("changed_from_default", changed / count, rows=count),
        Measure("series", float(count), rows=sum(by_status.values())),
    ]


def _verdict(measures: Sequence[Measure]) -> Verdict:
    """A gain if the mean error is significantly lower than that of the naive rule."""
    by_name = {measure.measure: measure for measure in measures}
    mase, gain = by_name["mase"], by_name["mase_gain"]
    assert mase.value is not None and mase.baseline is not None and gain.low is not None
    numbers = {"mase": mase.value, "naive": mase.baseline}
    is_gain = gain.low > 0
    return Verdict(
        "gain" if is_gain else "no_gain",
        [Finding("better_than_naive" if is_gain else "no_better_than_naive", parameters=numbers, value=gain.value)],
        mase,
    )


def _about_coverage(measures: Sequence[Measure]) -> list[Finding]:
    covered = next((measure for measure in measures if measure.measure == "coverage_80"), None)
    if covered is None or covered.value is None:
        return [Finding("no_intervals", is_warning=True)]
    if _COVERAGE[0] <= covered.value <= _COVERAGE[1]:
        return []
    percent = round(100 * covered.value)
    return [Finding("intervals_off", parameters={"percent": percent}, value=covered.value, is_warning=True)]
