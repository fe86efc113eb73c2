"""The effect of a change in some regions: outcomes by region and period, a design, and checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.region_effect import designs
from otklik.evidence.region_effect.designs import Bools, Floats, Found
from otklik.evidence.region_effect.kind import TABLES, RegionEffectTask
from otklik.evidence.tables import tables_of
from otklik.inference import Estimate, known
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

_MOST_REGIONS, _MOST_PERIODS, _NAMED = 500, 1_040, 5
#: A mix whose pre-change error is this multiple of the usual one is not used.
_WORST_FIT = 3.0

_Row = tuple[Any, ...]


@dataclass(frozen=True)
class _Panel:
    """Outcomes by region and period.

    Attributes:
        raw: (regions, periods) as they were.
        values: the same, each region divided by its mean before the change.
        start: place of the first period of the change.
    """

    regions: Sequence[str]
    periods: Sequence[date]
    raw: Floats
    values: Floats
    treated: Bools
    start: int


def run(frames: Mapping[str, DataFrame], task: RegionEffectTask, context: StageContext) -> StageResult:
    """Estimate the effect of a change in some regions.

    The driver collects a number per region and period, at most 500 × 1,040.

    Args:
        frames: `results`; see `kind.RESULTS`.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if neither the task nor a column names the regions with the change.
        RefusedError: if a region of the task is missing, one has periods without rows, or there are too many.
    """
    panel = _read(frames["results"], task)
    context.step.rows(len(panel.regions) * len(panel.periods), "regions × periods")
    few = next(_few(panel, task), None)
    if few is not None:
        return StageResult(tables_of(context, TABLES), [], Verdict("too_little_data", [few]))
    pairs = _pairs(panel, task)
    found = _found(panel.values, panel.start, panel, pairs, task)
    pretended = _pretended(panel.start, len(panel.periods))
    before = panel.values[:, : panel.start]
    before = before / before[:, :pretended].mean(axis=1, keepdims=True)
    placebo = _found(before, pretended, panel, pairs, task).effect
    trend = designs.slopes_apart(panel.values, panel.treated, panel.start, task.alpha) if task.design == "did" else None
    estimates = {"effect": found.effect, "placebo": placebo, **({"trend": trend} if trend is not None else {})}
    tables = tables_of(
        context,
        TABLES,
        effects=[(name, *map(known, (one.value, one.low, one.high, one.p))) for name, one in estimates.items()],
        periods=list(_period_rows(panel, found)),
        regions=list(_region_rows(panel, found, pairs)),
    )
    measures = [_measure("effect", found.effect, panel), _measure("placebo", placebo, panel)]
    return StageResult(tables, [*measures, *_total(panel, found)], _verdict(found, placebo, trend, measures[0], task))


def _read(results: DataFrame, task: RegionEffectTask) -> _Panel:
    day = F.to_date(F.date_trunc(task.grain, "moment")).alias("period")
    sums = results.groupBy("region", day).agg(F.sum("outcome").alias("outcome"))
    if task.end is not None:
        # A period that is cut off by the end is left out, too.
        sums = sums.where(F.col("period") < F.lit(_first_of(task.end, task.grain)))
    rows = sums.limit(_MOST_REGIONS * _MOST_PERIODS + 1).toPandas()
    if rows["region"].nunique() > _MOST_REGIONS or rows["period"].nunique() > _MOST_PERIODS:
        raise RefusedError(
            f"more than {_MOST_REGIONS} regions or {_MOST_PERIODS:,} periods",
            where="frame results",
            hint="use larger regions, or filter out old rows with where",
        )
    own = task.treated or _treated_by_rows(results)
    unknown = sorted({*task.treated, *task.pairs.values()} - {*rows["region"]})
    if unknown:
        raise RefusedError(
            f"no rows for {', '.join(map(repr, unknown[:_NAMED]))}",
            where="frame results",
            hint="use the frame's region names in treated and pairs",
        )
    table = rows.pivot_table(index="region", columns="period", values="outcome").sort_index()
    if (cut := _first_of(task.start, task.grain)) < task.start:
        table = table.drop(columns=cut, errors="ignore")
    has_gaps = sorted(table[table.isna().any(axis=1)].index)
    if has_gaps:
        raise RefusedError(
            f"{len(has_gaps):,} regions have no rows in some periods: {', '.join(map(repr, has_gaps[:_NAMED]))}",
            where="frame results",
            hint="add rows with 0 for empty periods, or filter these regions out with where",
        )
    periods: list[date] = [*table.columns]
    start = sum(period < task.start for period in periods)
    raw = table.to_numpy(dtype=np.float64)
    # Also in the first part, which is the time before the change in the placebo.
    first = raw[:, : _pretended(start, len(periods))]
    empty = sorted(table[(first <= 0).all(axis=1)].index) if start else []
    if empty:
        raise RefusedError(
            f"{len(empty):,} regions had a total of 0 before the change: {', '.join(map(repr, empty[:_NAMED]))}",
            where="frame results",
            hint="filter them out with where: the effect is relative to the results before the change",
        )
    treated = np.isin(table.index.to_numpy(dtype=str), own)
    means = raw[:, :start].mean(axis=1, keepdims=True) if start else np.ones((len(raw), 1))
    return _Panel([*table.index], periods, raw, raw / means, treated, start)


def _treated_by_rows(results: DataFrame) -> list[str]:
    """The regions with the change according to their rows."""
    if "is_treated" not in results.columns:
        raise ConfigurationError(
            "no region is declared as treated",
            where="treated",
            hint="list regions in treated, or add a column is_treated to the frame results",
        )
    return [row["region"] for row in results.where("is_treated").select("region").distinct().collect()]


def _first_of(day: date, grain: str) -> date:
    """The first day of the period of a day."""
    if grain == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if grain == "week" else day


def _pretended(start: int, periods: int) -> int:
    """The start of the placebo: the last third of the time before, or as many periods as the real change has."""
    return max(start * 2 // 3, start - (periods - start), 1)


def _few(panel: _Panel, task: RegionEffectTask) -> Iterator[Finding]:
    """What the design has too little of."""
    after, others = len(panel.periods) - panel.start, int((~panel.treated).sum())
    if panel.start < task.minimum_periods or after < 1:
        yield Finding("few_periods", "", {"before": panel.start, "after": after, "needed": task.minimum_periods})
    own = int(panel.treated.sum())
    needed = {
        "did": (2, 2),
        "synthetic_control": (1, math.ceil(1 / task.alpha) - 1),
        # With k pairs p cannot be below 2 ÷ 2^k.
        "geo": (math.ceil(math.log2(2 / task.alpha)),) * 2,
    }[task.design]
    if own < needed[0] or others < needed[1]:
        counts = {"treated": own, "others": others, "needed": needed[0], "needed_others": needed[1]}
        yield Finding("few_regions", "", counts)


def _pairs(panel: _Panel, task: RegionEffectTask) -> list[tuple[int, int]]:
    if task.design != "geo":
        return []
    places = {name: place for place, name in enumerate(panel.regions)}
    if task.pairs:
        return [(places[one], places[other]) for one, other in task.pairs.items()]
    return designs.pairs_most_alike(panel.values, panel.treated, panel.start)


def _found(
    values: Floats, start: int, panel: _Panel, pairs: Sequence[tuple[int, int]], task: RegionEffectTask
) -> Found:
    if task.design == "did":
        return designs.difference_in_differences(values, panel.treated, start, task.alpha)
    if task.design == "synthetic_control":
        return designs.synthetic_control(values, panel.treated, start, task.alpha)
    return designs.paired(values, pairs, start, task.alpha, task.seed)


def _measure(name: str, one: Estimate, panel: _Panel) -> Measure:
    """A measure with no change as its baseline."""
    rows = len(panel.regions) * len(panel.periods)
    return Measure(name, one.value, low=known(one.low), high=known(one.high), baseline=0.0, rows=rows)


def _total(panel: _Panel, found: Found) -> Iterator[Measure]:
    """The effect in the outcome's own unit, over all regions and periods of the change.

    The baseline is the naive comparison of these regions with their own past: since the change − before.
    """
    own = panel.raw[panel.treated]
    before = float(own[:, : panel.start].mean(axis=1).sum()) * (len(panel.periods) - panel.start)
    ends = (found.effect.value, found.effect.low, found.effect.high)
    value, low, high = (known(before * end) for end in ends)
    yield Measure("total", value, low=low, high=high, baseline=float(own[:, panel.start :].sum()) - before)


def _period_rows(panel: _Panel, found: Found) -> Iterator[_Row]:
    actual = panel.values[panel.treated].mean(axis=0)
    for place, period in enumerate(panel.periods):
        gap = float(found.gaps[place])
        ends = (float(one[place]) for one in (found.low, found.high))
        yield period, place >= panel.start, float(actual[place]), float(actual[place]) - gap, gap, *map(known, ends)


def _region_rows(panel: _Panel, found: Found, pairs: Sequence[tuple[int, int]]) -> Iterator[_Row]:
    partners = {one: panel.regions[other] for pair in pairs for one, other in (pair, pair[::-1])}
    for place, region in enumerate(panel.regions):
        weight = float(found.weights[place])
        role = "treated" if panel.treated[place] else "compared" if weight > 1e-6 else "unused"
        means = (panel.raw[place, : panel.start].mean(), panel.raw[place, panel.start :].mean())
        yield region, role, weight, partners.get(place), *map(float, means)


def _verdict(found: Found, placebo: Estimate, trend: Estimate | None, key: Measure, task: RegionEffectTask) -> Verdict:
    """Invalid if trends differed before, or no mix fits the region; otherwise by the effect."""
    one = found.effect
    reasons = []
    if trend is not None and trend.p < task.trend_alpha:
        reasons.append(Finding("trends_differ", "", _numbers(trend), trend.value))
    if placebo.p < task.trend_alpha and placebo.is_beyond_nought:
        reasons.append(Finding("placebo_moved", "", _numbers(placebo), placebo.value))
    if found.fit > _WORST_FIT:
        reasons.append(Finding("poor_fit", "", {"times": found.fit}, found.fit))
    if reasons:
        return Verdict("invalid", reasons, key)
    if not one.is_beyond_nought or one.p > task.alpha:
        return Verdict("no_gain", [Finding("nothing_shown", "", _numbers(one), one.value)], key)
    is_better = (one.value > 0) == (task.better == "up")
    reason = Finding("better" if is_better else "worse", "", _numbers(one), one.value)
    return Verdict("gain" if is_better else "no_gain", [reason], key)


def _numbers(one: Estimate) -> dict[str, float | int | str]:
    return {"value": one.value, "low": one.low, "high": one.high, "p": one.p}
