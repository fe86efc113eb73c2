"""The kind `trend`: counts per item and period, their slopes and bursts, and which are significant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.forecasts.trend.kind import BURSTS, ITEMS, TrendTask
from otklik.forecasts.trend.slopes import burst_p, shrunken, slope_of
from otklik.inference import NORMAL_95, q_values, wilson
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.lake.tables import Table

ALL = "(all)"
_SECONDS = {"hour": 3600, "day": 86_400, "week": 7 * 86_400}
#: A Monday; periods are counted from here.
_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
#: Bursts with larger p-values cannot be discoveries among so many tests, and are not returned by the worker.
_LARGEST_P = 0.001
_ROWS = (
    "item string, place int, events double, usual double, p double, tests int, is_peak boolean, total double, "
    "level double, slope double, error double, slope_p double, before_slope double, before_p double, before double, "
    "after double"
)
_COLUMNS = [part.split()[0] for part in _ROWS.split(", ")]
_EMPTY = dict.fromkeys(_COLUMNS)


def run(frames: Mapping[str, DataFrame], task: TrendTask, context: StageContext) -> StageResult:
    """Find rising items and bursts.

    Collects a row per item (at most `maximum_items`) and those of its periods that are very unlikely.

    Raises:
        RefusedError: if too few periods are over, or no item has enough events.
    """
    first, last = _whole_periods(frames["events"], task, context)
    counts = _counts(frames["events"], task, first, last)
    found = context.keep(counts.groupBy("item").applyInPandas(_of_item(task, last - first), _ROWS))
    rows = found.where(F.col("place").isNull()).toPandas().sort_values("item", ignore_index=True)
    items = rows[rows["item"] != ALL].reset_index(drop=True)
    if items.empty:
        raise RefusedError(
            f"no item has {task.minimum_total:,} events",
            where="frames.events",
            hint="lower minimum_total, or use something more frequent as `item`",
        )
    growing = _with_growth(items, task)
    peaks = found.where("place IS NOT NULL").toPandas().sort_values(["item", "place"], ignore_index=True)
    bursts = _bursts(peaks, int(rows["tests"].sum()), task, first)
    measures, verdict = _judged(items, task)
    rising, falling = (int((growing["direction"] == which).sum()) for which in ("rising", "falling"))
    context.step.rows(len(items), "items")
    measures = [
        Measure("rising", float(rising), rows=len(items)),
        Measure("falling", float(falling), rows=len(items)),
        Measure("bursts", float(len(bursts)), rows=int(rows["tests"].sum())),
        *measures,
    ]
    tables = {"items": _frame(context, ITEMS, growing), "bursts": _frame(context, BURSTS, bursts)}
    return StageResult(tables, measures, verdict)


def _number(moment: Column, period: str) -> Column:
    seconds = F.unix_seconds(moment) - F.lit(int(_EPOCH.timestamp()))
    return F.floor(seconds / _SECONDS[period]).cast("int")


def _whole_periods(events: DataFrame, task: TrendTask, context: StageContext) -> tuple[int, int]:
    """Numbers of the first period with an event and of the last complete period at the moment."""
    # A date means the end of that day, just before the next one.
    passed = (context.as_of + timedelta(seconds=1) - _EPOCH).total_seconds()
    last = int(passed // _SECONDS[task.period]) - 1
    first = events.agg(F.min(_number(F.col("moment"), task.period))).collect()[0][0]
    needed = task.window + task.ahead
    if first is None or last - first + 1 < needed:
        have = 0 if first is None else max(last - first + 1, 0)
        raise RefusedError(
            f"{have} complete periods; window and ahead need {needed}",
            where="frames.events",
            hint="use a shorter period, window or ahead",
        )
    return first, last


def _counts(events: DataFrame, task: TrendTask, first: int, last: int) -> DataFrame:
    """item, place (periods since the first), events; the most frequent items, and `(all)` for the total."""
    number = _number(F.col("moment"), task.period)
    weight = F.col("weight").cast("decimal(28,6)") if "weight" in events.columns else F.lit(1).cast("decimal(28,6)")
    counted = (
        events.where((number <= last) & (F.col("item") != ALL))
        .groupBy("item", (number - first).alias("place"))
        .agg(F.sum(weight).alias("events"))
    )
    totals = counted.groupBy("item").agg(F.sum("events").alias("total")).where(F.col("total") >= task.minimum_total)
    frequent = totals.orderBy(F.desc("total"), "item").limit(task.maximum_items).select("item")
    together = (
        counted.groupBy("place")
        .agg(F.sum("events").alias("events"))
        .select(F.lit(ALL).alias("item"), "place", "events")
    )
    some = counted.join(F.broadcast(frequent), "item", "left_semi").select("item", "place", "events")
    return some.unionByName(together).withColumn("events", F.col("events").cast("double"))


def _of_item(task: TrendTask, last: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The counts of one item → its slope now and before the hold-out, and its unlikely periods."""
    window, ahead, history = task.window, task.ahead, task.history

    def of_item(rows: pd.DataFrame) -> pd.DataFrame:
        item = str(rows["item"].iloc[0])
        counts = np.zeros(last + 1)
        counts[rows["place"].to_numpy(int)] = rows["events"].to_numpy(float)
        now, earlier = slope_of(counts[-window:]), slope_of(counts[-window - ahead : -ahead])
        usual, p = burst_p(counts, history)
        with np.errstate(invalid="ignore"):
            unlikely = np.flatnonzero(p <= _LARGEST_P)
        found: list[dict[str, object]] = [
            {
                "item": item, "tests": int(np.isfinite(p).sum()), "total": float(counts.sum()),
                "level": float(counts[-window:].mean()), "slope": now.value, "error": now.error, "slope_p": now.p,
                "before_slope": earlier.value, "before_p": earlier.p,
                "before": float(counts[-window - ahead : -ahead][-max(window // 2, 1) :].mean()),
                "after": float(counts[-ahead:].mean()),
            },
            *(
                {
                    "item": item, "place": int(place), "events": float(counts[place]), "usual": float(usual[place]),
                    "p": float(p[place]), "is_peak": bool(counts[place] == counts.max()),
                }
                for place in unlikely
            ),
        ]  # fmt: skip
        # As objects: a column without values would have type float, which Arrow does not convert to boolean.
        return pd.DataFrame([{**_EMPTY, **one} for one in found], columns=_COLUMNS, dtype=object)

    return of_item


def _with_growth(items: pd.DataFrame, task: TrendTask) -> pd.DataFrame:
    """Rows of the table of items."""
    slopes, errors = shrunken(items["slope"].to_numpy(float), items["error"].to_numpy(float))
    q = q_values(items["slope_p"].to_numpy(float))
    is_told = q <= task.false_discovery_rate
    direction = np.where(is_told & (slopes > 0), "rising", np.where(is_told & (slopes < 0), "falling", "steady"))
    return pd.DataFrame(
        {
            "item": items["item"], "total": items["total"], "level": items["level"], "growth": np.expm1(slopes),
            "low": np.expm1(slopes - NORMAL_95 * errors), "high": np.expm1(slopes + NORMAL_95 * errors), "q": q,
            "direction": direction,
        }
    )  # fmt: skip


def _bursts(peaks: pd.DataFrame, tests: int, task: TrendTask, first: int) -> pd.DataFrame:
    """Rows of the table of bursts: those within the false discovery rate."""
    q = q_values(peaks["p"].to_numpy(float), tests)
    seconds = (peaks["place"].to_numpy(float) + first) * _SECONDS[task.period]
    period = [_EPOCH + timedelta(seconds=float(one)) for one in seconds]
    found = peaks.assign(q=q, period=pd.Series(period, dtype=object))
    return found[found["q"] <= task.false_discovery_rate]


def _judged(items: pd.DataFrame, task: TrendTask) -> tuple[list[Measure], Verdict]:
    """Share of items rising before the hold-out that kept rising, with the share of all items as baseline."""
    q = q_values(items["before_p"].to_numpy(float))
    was_rising = (q <= task.false_discovery_rate) & (items["before_slope"].to_numpy(float) > 0)
    rose = items["after"].to_numpy(float) > items["before"].to_numpy(float)
    count = int(was_rising.sum())
    if count < task.minimum_risers:
        reason = Finding("too_few_risers", parameters={"count": count, "minimum": task.minimum_risers}, value=count)
        return [], Verdict("descriptive", [reason])
    right, share_of_all = int(rose[was_rising].sum()), float(rose.mean())
    low, high = (float(end) for end in wilson(right, count))
    precision = Measure(
        "precision", right / count, split="holdout", low=low, high=high, baseline=share_of_all, rows=count
    )
    is_gain = low > share_of_all
    numbers = {"right": right, "count": count, "share": share_of_all}
    reason = Finding("risers_rose" if is_gain else "risers_like_all", parameters=numbers, value=precision.value)
    return [precision], Verdict("gain" if is_gain else "no_gain", [reason], precision)


def _frame(context: StageContext, table: Table, rows: pd.DataFrame) -> DataFrame:
    plain = [tuple(row) for row in rows[table.own_names].astype(object).to_numpy()]
    return context.spark.createDataFrame(plain, table.own_ddl)
