"""The kind `season`: quantities by day and hour, indices of each group, evaluated on the last days."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import stats

from otklik.errors import RefusedError
from otklik.forecasts.season.kind import HOLDOUT, INDICES, SeasonTask
from otklik.forecasts.season.regression import Design, Fit, design_of, fit, indices_of, p_of
from otklik.inference import NORMAL_95
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

ALL = "(all)"
#: Months cannot be separated from a trend before each has occurred twice.
_TWO_YEARS = 730
_LEVEL_OF_TESTS = 0.05


def run(frames: Mapping[str, DataFrame], task: SeasonTask, context: StageContext) -> StageResult:
    """Indices of each group, and their accuracy on the last days.

    Collects sums by group, day and hour: at most (`maximum_groups` + 1) × days × 24 rows.

    Raises:
        RefusedError: if there are too few days before the hold-out.
    """
    sales = frames["sales"]
    # A date means the end of that day; an incomplete day does not count.
    last = (context.as_of + timedelta(seconds=1)).date() - timedelta(days=1)
    hours = _sums(sales, task, last)
    first = min(hours["day"]) if len(hours) else last
    boundary = last - timedelta(days=task.holdout_days)
    before = (boundary - first).days + 1
    if before < task.minimum_days:
        raise RefusedError(
            f"{max(before, 0)} days before the hold-out; {task.minimum_days} are needed",
            where="frames.sales",
            hint="lower holdout_days or minimum_days, or ingest more history",
        )
    indices: list[tuple[object, ...]] = []
    holdouts: list[pd.DataFrame] = []
    measures: list[Measure] = []
    findings: list[Finding] = []
    has_months = "month" in task.parts and before >= _TWO_YEARS
    if "month" in task.parts and not has_months:
        findings.append(Finding("months_need_two_years", parameters={"days": before}, value=before))
    for group in sorted(set(hours["group"])):
        of_group = hours[hours["group"] == group]
        days = _days(of_group, first, last, task, has_months)
        is_before = days["date"] <= boundary
        known = days[is_before]
        if known["quantity"].sum() <= 0:
            findings.append(Finding("nothing_before", group))
            continue
        names = [part for part in days.columns if part in ("weekday", "month", "holiday")]
        design = design_of(known, names)
        fitted = fit(design, known["quantity"].to_numpy(float), known["week"].to_numpy(np.int64))
        for part in design.parts:
            rows = _elasticity(design, fitted) if part == "price" else indices_of(design, fitted, part)
            indices += [(group, part, *row) for row in rows]
            subject = part if group == ALL else f"{group}: {part}"
            measures.append(Measure("p", p_of(design, fitted, part), subject, rows=len(known)))
        if "hour" in task.parts:
            indices += [(group, "hour", *row) for row in _hours(of_group[of_group["day"] <= boundary])]
        holdouts.append(_holdout(days, is_before, group, design, fitted, names, task))
    holdout = pd.concat(holdouts) if holdouts else pd.DataFrame(columns=[c.name for c in HOLDOUT.columns[:-1]])
    judged = _judged(holdout[holdout["group"] == ALL])
    context.step.rows(len(indices), "indices")
    return StageResult(
        tables={
            "indices": context.spark.createDataFrame(indices, INDICES.own_ddl),
            "holdout": context.spark.createDataFrame([*holdout.itertuples(index=False, name=None)], HOLDOUT.own_ddl),
        },
        measures=[*measures, *judged],
        verdict=_verdict(judged, measures),
        findings=findings,
    )


def _sums(sales: DataFrame, task: SeasonTask, last: date) -> pd.DataFrame:
    """group, day, hour, quantity and, if the task has them, price and is_promotion (means of the day)."""
    quantity = F.col("quantity") if "quantity" in sales.columns else F.lit(1)
    extras = [
        F.avg(F.col(name).cast("double")).alias(name) for name in ("price", "is_promotion") if name in sales.columns
    ]
    rows = sales.withColumns({"day": F.to_date("moment"), "hour": F.hour("moment")}).where(F.col("day") <= F.lit(last))
    total = F.sum(quantity.cast("decimal(28,6)")).cast("double").alias("quantity")
    frames = [rows.groupBy(F.lit(ALL).alias("group"), "day", "hour").agg(total, *extras)]
    if "group" in sales.columns:
        named = rows.where(F.col("group").isNotNull())
        largest = named.groupBy("group").agg(total).orderBy(F.desc("quantity"), "group").limit(task.maximum_groups)
        some = named.join(F.broadcast(largest.select("group")), "group", "left_semi")
        frames.append(some.groupBy("group", "day", "hour").agg(total, *extras))
    together = frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])
    return together.toPandas().sort_values(["group", "day", "hour"], ignore_index=True)


def _days(hours: pd.DataFrame, first: date, last: date, task: SeasonTask, has_months: bool) -> pd.DataFrame:
    """Every day of a group with its quantity, levels and week; the quantity of a day without rows is 0."""
    dates = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    sums = hours.groupby("day")["quantity"].sum().reindex(dates, fill_value=0.0)
    days = pd.DataFrame({"date": dates, "quantity": np.maximum(sums.to_numpy(float), 0.0)})
    days["day"] = np.arange(len(days))
    days["week"] = [(one - date(1900, 1, 1)).days // 7 for one in dates]
    days["weekday"] = [one.isoweekday() for one in dates]
    days["month"] = [one.month for one in dates]
    holidays = set(task.holidays)
    days["holiday"] = [int(one in holidays) for one in dates]
    for name in ("price", "is_promotion"):
        if name in hours.columns:
            means = hours.groupby("day")[name].mean().reindex(dates)
            days[name] = means.ffill().bfill().clip(lower=1e-9 if name == "price" else 0.0).to_numpy(float)
    unwanted = [part for part in ("weekday", "month") if part not in task.parts or (part == "month" and not has_months)]
    return days.drop(columns=unwanted)


def _elasticity(design: Design, fitted: Fit) -> list[tuple[int, float, float, float]]:
    """Price elasticity: per cent of quantity per per cent of price."""
    column = design.parts["price"][0][1]
    assert column is not None
    value, error = float(fitted.coefficients[column]), math.sqrt(max(float(fitted.covariance[column, column]), 0.0))
    return [(1, value, value - fitted.reach * error, value + fitted.reach * error)]


def _hours(hours: pd.DataFrame) -> list[tuple[int, float, float, float]]:
    """Index of each hour: its share of the day × 24; intervals by weeks."""
    week = np.array([(one - date(1900, 1, 1)).days // 7 for one in hours["day"]])
    by_week = hours.assign(week=week).pivot_table("quantity", "week", "hour", aggfunc="sum", fill_value=0.0)
    sums = by_week.reindex(columns=range(24), fill_value=0.0).to_numpy(float)
    totals = sums.sum(axis=1)
    index = 24 * sums.sum(axis=0) / totals.sum()
    misses = 24 * sums - index * totals[:, np.newaxis]
    count = len(totals)
    error = np.sqrt((misses**2).sum(axis=0) * count / max(count - 1, 1)) / totals.sum()
    return [
        (
            hour,
            float(index[hour]),
            float(max(index[hour] - NORMAL_95 * error[hour], 0.0)),
            float(index[hour] + NORMAL_95 * error[hour]),
        )
        for hour in range(24)
    ]


def _holdout(
    days: pd.DataFrame, is_before: pd.Series[bool], group: str, design: Design, fitted: Fit, names: list[str],
    task: SeasonTask,
) -> pd.DataFrame:  # fmt: skip
    """Forecasts of the last days: level × indices, the same weekday of the last week, the level alone."""
    known, later = days[is_before], days[~is_before]
    recent = known.tail(task.level_days)
    logs = np.zeros(len(days))
    for part in design.parts:
        for level, column in design.parts[part]:
            if column is not None and part in names:
                logs += (days[part].to_numpy() == level) * fitted.coefficients[column]
    factors = np.exp(logs)
    level = recent["quantity"].sum() / factors[is_before.to_numpy()][-len(recent) :].sum()
    last_week = known["quantity"].to_numpy(float)[-7:]
    return pd.DataFrame(
        {
            "group": group,
            "day": later["date"].to_numpy(),
            "actual": later["quantity"].to_numpy(float),
            "seasonal": level * factors[~is_before.to_numpy()],
            "last_week": np.resize(last_week, len(later)),
            "level": float(recent["quantity"].mean()),
        }
    )


def _judged(holdout: pd.DataFrame) -> list[Measure]:
    """Mean absolute errors over all customers' days; the gain over the last week, with an interval by weeks."""
    if holdout.empty:
        return []
    errors = {
        name: np.abs(holdout["actual"].to_numpy(float) - holdout[name].to_numpy(float))
        for name in ("seasonal", "last_week", "level")
    }
    gains = errors["last_week"] - errors["seasonal"]
    week = np.arange(len(gains)) // 7
    by_week = np.array([gains[week == one].mean() for one in range(week.max() + 1)])
    reach = float(stats.t.ppf(0.975, max(len(by_week) - 1, 1))) * float(by_week.std(ddof=1)) / math.sqrt(len(by_week))
    rows = len(gains)
    value, naive = float(errors["seasonal"].mean()), float(errors["last_week"].mean())
    return [
        Measure("mean_absolute_error", value, split="holdout", baseline=naive, rows=rows),
        Measure("level_error", float(errors["level"].mean()), split="holdout", rows=rows),
        Measure(
            "gain", float(gains.mean()), split="holdout", low=float(gains.mean()) - reach,
            high=float(gains.mean()) + reach, baseline=0.0, rows=rows,
        ),
    ]  # fmt: skip


def _verdict(judged: list[Measure], tests: list[Measure]) -> Verdict:
    """No gain if no part is significant, or if the last week or the level alone forecasts equally well."""
    of_all = [one for one in tests if ":" not in one.subject and one.subject in ("weekday", "month", "holiday")]
    if not any((one.value or 0.0) < _LEVEL_OF_TESTS / max(len(of_all), 1) for one in of_all):
        return Verdict("no_gain", [Finding("no_season")])
    gain = next((one for one in judged if one.measure == "gain"), None)
    if gain is None or gain.low is None:
        return Verdict("descriptive", [Finding("not_judged")])
    error = next(one for one in judged if one.measure == "mean_absolute_error")
    numbers = {"error": error.value or 0.0, "naive": error.baseline or 0.0}
    level = next(one for one in judged if one.measure == "level_error")
    is_gain = gain.low > 0 and (error.value or 0.0) < (level.value or 0.0)
    return Verdict(
        "gain" if is_gain else "no_gain",
        [
            Finding(
                "better_than_last_week" if is_gain else "no_better_than_last_week", parameters=numbers, value=gain.value
            )
        ],
        error,
    )
