"""The kind `demand`: series from sales, a method for each, quantiles from earlier errors, judged on later periods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.forecasts.demand.kind import FORECASTS, HOLDOUT, MODELS, SERIES, DemandTask
from otklik.forecasts.demand.models import forecasts
from otklik.forecasts.demand.series import ROWS, for_each_series
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: A Monday; periods are counted from here.
_EPOCH = date(1900, 1, 1)
_DAYS = {"day": 1, "week": 7}
#: Half the width of a 95 % interval, in standard errors.
_REACH = 1.96
#: Of the interval: 80 % of the periods lie between them.
_LOW, _HIGH = 0.1, 0.9
#: With fewer earlier errors at a number of periods ahead, those of all numbers are taken together.
_ENOUGH_ERRORS = 100
#: Where an 80 % interval may cover before that is said.
_COVERAGE = (0.72, 0.88)


def run(frames: Mapping[str, DataFrame], task: DemandTask, context: StageContext) -> StageResult:
    """Forecast each series in a worker, and judge all together.

    Collects sums over series only.

    Raises:
        ConfigurationError: if a method is of a package that is not installed.
        RefusedError: if no whole period has passed, or there are fewer than the hold-out needs.
    """
    # Here and not in a worker: what is not installed is one clear line.
    forecasts(task.models)
    first, last = _whole_periods(frames["sales"], task, context)
    quantities = _quantities(frames["sales"], task, first, last)
    if task.top is not None:
        quantities = _largest(quantities, task.top, last - first + 1 - task.ahead)
    of_series = for_each_series(
        task.models, task.ahead, task.season, task.origins, task.minimum_periods, last - first, task.fill,
        task.begin == "first_period",
    )  # fmt: skip
    context.step.under_way("forecasting series")
    rows = context.keep(quantities.groupBy("series").applyInPandas(of_series, ROWS))
    spread = _spreads(rows, task)
    holdout = context.keep(_with_interval(rows, "holdout", spread, task, first))
    coming = _with_interval(rows, "next", spread, task, first)
    scores = context.keep(_scores(holdout))
    by_status = {row.status: row["count"] for row in rows.where("row = 'status'").groupBy("status").count().collect()}
    context.step.rows(sum(by_status.values()), "series")
    count = by_status.get("forecast", 0)
    findings = [
        Finding(status, parameters={"series": number}, value=number)
        for status, number in sorted(by_status.items())
        if status != "forecast"
    ]
    tables = {
        "series": _series(rows, scores),
        "forecasts": coming.select(FORECASTS.own_names),
        "holdout": holdout.select(HOLDOUT.own_names),
        "models": _models(rows),
    }
    if count < task.minimum_series:
        reason = Finding("too_few_series", parameters={"count": count, "minimum": task.minimum_series}, value=count)
        return StageResult(tables, [], Verdict("too_little_data", [reason]), [*findings, reason])
    measures = _measures(scores, rows, by_status)
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
    """Numbers of the first period with a sale and of the last one that was over at the moment."""
    # A bare date means the end of that day, a moment before the next one.
    tomorrow = (context.as_of + timedelta(seconds=1)).date()
    months = (tomorrow.year - 1900) * 12 + tomorrow.month - 1
    last = (months if task.period == "month" else (tomorrow - _EPOCH).days // _DAYS[task.period]) - 1
    first = sales.agg(F.min(_place(F.to_date("moment"), task.period))).collect()[0][0]
    if first is None:
        raise RefusedError(
            "there is no sale up to the moment", where="frames.sales", hint="look at `where` and --as-of"
        )
    if last - first + 1 <= task.ahead:
        raise RefusedError(
            f"{max(last - first + 1, 0)} whole periods have passed; {task.ahead} are held out, and some must be left",
            where="frames.sales",
            hint="take a shorter period or a smaller `ahead`",
        )
    return first, last


def _quantities(sales: DataFrame, task: DemandTask, first: int, last: int) -> DataFrame:
    """series, place (periods since the first), quantity; of whole periods."""
    place = _place(F.to_date("moment"), task.period)
    # Sums of decimals do not depend on the order of rows.
    return (
        sales.where(place <= last)
        .groupBy("series", (place - first).alias("place"))
        .agg(F.sum(F.col("quantity").cast("decimal(28,6)")).cast("double").alias("quantity"))
    )


def _largest(quantities: DataFrame, most: int, before: int) -> DataFrame:
    """The series with the largest quantity before the hold-out: what comes in it does not choose what is judged."""
    totals = quantities.where(F.col("place") < before).groupBy("series").agg(F.sum("quantity").alias("total"))
    largest = totals.orderBy(F.desc("total"), "series").limit(most).select("series")
    return quantities.join(F.broadcast(largest), "series", "left_semi")


def _spreads(rows: DataFrame, task: DemandTask) -> DataFrame:
    """part, step, low_error, high_error: quantiles of earlier errors in units of each series' scale.

    Errors of the chosen methods at earlier origins, of all series together: conformal prediction on a rolling origin.
    """
    earlier = rows.where("row = 'earlier'")
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


def _with_interval(rows: DataFrame, part: str, spread: DataFrame, task: DemandTask, first: int) -> DataFrame:
    """The rows of one part with period, low and high; a quantity is not below 0 where its forecast is not."""
    of_part = spread.where(F.col("part") == part).drop("part")
    floor = F.when(F.col("quantity") >= 0, F.lit(0.0)).otherwise(F.lit(float("-inf")))
    below = F.greatest(F.col("quantity") + F.col("low_error") * F.col("scale"), floor)
    above = F.col("quantity") + F.col("high_error") * F.col("scale")
    # Without any earlier origin there is no interval: least and greatest would pass over what is null.
    low = F.when(F.col("low_error").isNotNull(), F.least(F.col("quantity"), below))
    high = F.when(F.col("high_error").isNotNull(), F.greatest(F.col("quantity"), above))
    return (
        rows.where(F.col("row") == part)
        .join(F.broadcast(of_part), "step", "left")
        .withColumns({"period": _first_day(F.col("place") + first, task.period), "low": low, "high": high})
    )


def _scores(holdout: DataFrame) -> DataFrame:
    """One row per series: mase, naive_mase, rmsse, pinball at both ends and in the middle, covered."""
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
        F.first("model").alias("model"),
    )


def _series(rows: DataFrame, scores: DataFrame) -> DataFrame:
    status = rows.where("row = 'status'").withColumnRenamed("total", "quantity_sold")
    joined = status.join(scores.drop("model"), "series", "left")
    return joined.drop("quantity").withColumnRenamed("quantity_sold", "quantity").select(SERIES.own_names)


def _models(rows: DataFrame) -> DataFrame:
    reached = rows.where("row = 'model'").groupBy("model")
    means = reached.agg(F.avg("error").alias("mase"), F.avg("squared_error").alias("rmsse"))
    chosen = rows.where("row = 'holdout' AND step = 1").groupBy("model").agg(F.count("*").alias("chosen"))
    return means.join(chosen, "model", "left").fillna(0, ["chosen"]).select(MODELS.own_names)


def _measures(scores: DataFrame, rows: DataFrame, by_status: Mapping[str, int]) -> list[Measure]:
    """Means over series, with their standard errors; the naive rule is that the last value goes on."""
    named = {
        "mase": (F.col("mase"), F.col("naive_mase")),
        "mase_gain": (F.col("naive_mase") - F.col("mase"), F.lit(0.0)),
        "rmsse": (F.col("rmsse"), F.col("naive_rmsse")),
        "pinball_10": (F.col("pinball_10"), F.lit(None).cast("double")),
        "pinball_50": (F.col("pinball_50"), F.col("naive_mase") / 2),
        "pinball_90": (F.col("pinball_90"), F.lit(None).cast("double")),
        "coverage_80": (F.col("covered"), F.lit(0.8)),
    }
    row = scores.agg(
        F.count("*").alias("count"),
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
        for reach in [_REACH * (row[f"{name}_spread"] or 0.0) / math.sqrt(count)]
    ]  # fmt: skip
    changed = rows.where("row = 'holdout' AND step = 1 AND NOT is_default").count()
    return [
        *found,
        Measure("median_mase", row["median"], split="holdout", baseline=row["naive_median"], rows=count),
        Measure("changed_from_default", changed / count, rows=count),
        Measure("series", float(count), rows=sum(by_status.values())),
    ]


def _verdict(measures: Sequence[Measure]) -> Verdict:
    """A gain where the mean error is below that of the naive rule, beyond chance."""
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
