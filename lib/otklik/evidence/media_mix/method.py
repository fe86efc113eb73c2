"""What spending brings: the response fitted to all weeks, judged on the last ones, and the budget split by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.kind import TABLES, WEEKS, MediaMixTask
from otklik.evidence.media_mix.response import Floats, Form, Response, Weeks
from otklik.evidence.tables import tables_of
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

_MOST_WEEKS, _MOST_CHANNELS = 1_040, 20
#: So many weeks say what is spent now, and over so many a channel's usual range is taken.
_NOW_WEEKS, _RANGE_WEEKS = 13, 4
_CURVE_POINTS = 30
_MONDAY = date(2000, 1, 3)

_Row = tuple[Any, ...]


@dataclass(frozen=True)
class _Data:
    """The weeks in their order."""

    days: Sequence[date]
    channels: Sequence[str]
    weeks: Weeks


def run(frames: Mapping[str, DataFrame], task: MediaMixTask, context: StageContext) -> StageResult:
    """Fit what revenue owes to spend.

    What reaches the driver: at most 1,040 weeks of at most 20 channels.

    Args:
        frames: `weeks` and `spends`; see `kind`. Numbers of `weeks` beside revenue are controls.
        task: the settings.
        context: session and seed.

    Raises:
        RefusedError: if a week stands twice or is missing, or there are more weeks or channels than can be fitted.
    """
    data = _read(frames, task)
    context.step.rows(len(data.days), "weeks")
    needed = max(task.minimum_weeks, task.holdout_weeks + data.weeks.base.shape[1] + 4 * len(data.channels) + 10)
    if len(data.days) < needed:
        parameters = {"weeks": len(data.days), "needed": needed}
        return StageResult(
            tables_of(context, TABLES), [], Verdict("too_little_data", [Finding("few_weeks", "", parameters)])
        )

    context.step.under_way("response to spend")
    form = _form(data, task)
    found = model.fit(data.weeks, form=form)
    drawn = list(model.redrawn(data.weeks, found, task.replicates, task.block_weeks, task.seed, form))
    held_out = _held_out(data.weeks, form, task)
    budget_rows, planned, findings = _budget(data, found, drawn, task)
    findings += _disagreements(data, drawn, task)
    tables = tables_of(
        context,
        TABLES,
        channels=list(_channel_rows(data, found, drawn, task)),
        curves=list(_curve_rows(data, found, drawn)),
        weeks=list(_week_rows(data, found)),
        budget=budget_rows,
    )
    measures = [held_out, *_measures(data, found, drawn), *planned]
    return StageResult(tables, measures, _verdict(held_out), findings)


def _read(frames: Mapping[str, DataFrame], task: MediaMixTask) -> _Data:
    declared = {column.name for column in WEEKS.columns}
    day = F.to_date("moment").alias("day")
    weeks = frames["weeks"].select(day, *(name for name in frames["weeks"].columns if name != "moment"))
    rows = weeks.limit(_MOST_WEEKS + 1).toPandas().sort_values("day", ignore_index=True)
    if len(rows) > _MOST_WEEKS:
        raise RefusedError(
            f"more than {_MOST_WEEKS:,} rows: they cannot be weeks",
            where="frame weeks",
            hint="aggregate revenue by week with a SELECT ([frames.weeks] sql)",
        )
    days = list(rows["day"])
    if any(later - earlier != timedelta(days=7) for earlier, later in pairwise(days)):
        raise RefusedError(
            "weeks are missing or duplicated: each day must be seven days after the one before",
            where="frame weeks",
            hint="give one row per week, all on the same day of the week",
        )
    per_week = frames["spends"].groupBy(day, "channel").agg(F.sum("spend").alias("spend"))
    spends = per_week.limit(_MOST_WEEKS * _MOST_CHANNELS + 1).toPandas()
    channels = sorted(spends["channel"].unique())
    if len(channels) > _MOST_CHANNELS or len(spends) > _MOST_WEEKS * _MOST_CHANNELS:
        raise RefusedError(
            f"more than {_MOST_CHANNELS} channels",
            where="frame spends",
            hint="use broader channels under columns of [frames.spends]",
        )
    table = spends.pivot_table(index="day", columns="channel", values="spend").reindex(index=days, columns=channels)
    controls = rows[[name for name in rows.columns if name not in {*declared, "day"}]]
    filled = controls.fillna(controls.mean()).fillna(0.0).to_numpy(dtype=np.float64)
    first = (days[0] - _MONDAY).days // 7 if days else 0
    base = model.base_columns(len(days), first, filled, task.season_harmonics)
    revenue = rows["revenue"].to_numpy(dtype=np.float64)
    return _Data(days, channels, Weeks(revenue, table.fillna(0.0).clip(lower=0.0).to_numpy(dtype=np.float64), base))


def _form(data: _Data, task: MediaMixTask) -> Form:
    """What the task says of the response.

    Raises:
        ConfigurationError: if it names a channel that there is not.
    """
    named = {"experiments": [*task.experiments], "bounds": [*task.bounds]}
    unknown = [f"{key} names {name!r}" for key, names in named.items() for name in names if name not in data.channels]
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such channel", where="frame spends", hint=f"channels: {', '.join(data.channels)}"
        )
    measured = [task.experiments.get(channel) for channel in data.channels]
    roi, error = (
        np.array([np.nan if one is None else getattr(one, name) for one in measured]) for name in ("roi", "error")
    )
    return Form(task.adstock == "weibull", roi, error)


def _disagreements(data: _Data, drawn: Sequence[Response], task: MediaMixTask) -> Iterator[Finding]:
    """Channels of which an experiment says something else than the model, which has taken it into account."""
    spend = data.weeks.spend.sum(axis=0)
    low, high = _interval([_brought(data, one) for one in drawn])
    for name, one in task.experiments.items():
        c = data.channels.index(name)
        if spend[c] > 0 and (high[c] / spend[c] < one.low or low[c] / spend[c] > one.high):
            ends = {"low": float(low[c] / spend[c]), "high": float(high[c] / spend[c])}
            yield Finding("experiment_disagrees", name, {"measured": one.roi, **ends}, one.roi, is_warning=True)


def _held_out(weeks: Weeks, form: Form, task: MediaMixTask) -> Measure:
    """Share of the squared error of a model without media that media take away, on weeks that neither has seen."""
    cut = len(weeks.revenue) - task.holdout_weeks
    train = weeks.only(slice(None, cut))
    with_media = (weeks.revenue - model.fit(train, form=form).fitted(weeks))[cut:] ** 2
    without = (weeks.revenue - weeks.base @ model.base_alone(train))[cut:] ** 2
    draws = np.random.default_rng(task.seed)
    block = min(task.block_weeks, task.holdout_weeks // 4)
    starts = draws.integers(0, task.holdout_weeks - block + 1, (1000, -(-task.holdout_weeks // block)))
    places = (starts[:, :, np.newaxis] + np.arange(block)).reshape(1000, -1)
    gains = 1 - with_media[places].sum(axis=1) / without[places].sum(axis=1)
    low, high = np.percentile(gains, [2.5, 97.5])
    value = 1 - float(with_media.sum() / without.sum())
    return Measure(
        "error_taken_away",
        value,
        split="holdout",
        low=float(low),
        high=float(high),
        baseline=0.0,
        rows=task.holdout_weeks,
    )


def _brought(data: _Data, found: Response) -> Floats:
    """Revenue of each channel in all weeks."""
    total: Floats = found.contributions(data.weeks.spend).sum(axis=0)
    return total


def _naive(data: _Data) -> Floats:
    """Revenue per unit of spend by linear regression on base and spends."""
    columns = np.column_stack([data.weeks.base, data.weeks.spend])
    found, *_ = np.linalg.lstsq(columns, data.weeks.revenue, rcond=None)
    return np.asarray(found[data.weeks.base.shape[1] :], dtype=np.float64)


def _interval(values: Sequence[Floats]) -> tuple[Floats, Floats]:
    low, high = np.percentile(np.array(values), [2.5, 97.5], axis=0)
    return low, high


def _channel_rows(data: _Data, found: Response, drawn: Sequence[Response], task: MediaMixTask) -> Iterator[_Row]:
    spend, brought = data.weeks.spend.sum(axis=0), _brought(data, found)
    low, high = _interval([_brought(data, one) for one in drawn])
    carry_low, carry_high = _interval([one.carry_over for one in drawn])
    naive = _naive(data)
    for c, channel in enumerate(data.channels):
        ratios = [float(value[c] / spend[c]) if spend[c] > 0 else None for value in (brought, low, high)]
        numbers = (spend, brought, low, high)
        rest = (naive, found.carry_over, carry_low, carry_high, found.half, found.shape, found.effect)
        decay = 1.0 if found.decay is None else float(found.decay[c])
        measured = task.experiments[channel].roi if channel in task.experiments else None
        yield channel, *(float(one[c]) for one in numbers), *ratios, *(float(one[c]) for one in rest), decay, measured


def _curve_rows(data: _Data, found: Response, drawn: Sequence[Response]) -> Iterator[_Row]:
    highest = data.weeks.spend.max(axis=0)
    spends = np.linspace(0, 1, _CURVE_POINTS + 1)[:, np.newaxis] * highest
    curve = found.steady(spends)
    low, high = _interval([one.steady(spends) for one in drawn])
    for c, channel in enumerate(data.channels):
        for point in range(len(spends)):
            yield channel, *(float(one[point, c]) for one in (spends, curve, low, high))


def _week_rows(data: _Data, found: Response) -> Iterator[_Row]:
    fitted, base = found.fitted(data.weeks), data.weeks.base @ found.base
    for place, day in enumerate(data.days):
        yield day, *(float(one[place]) for one in (data.weeks.revenue, fitted, base))


def _measures(data: _Data, found: Response, drawn: Sequence[Response]) -> Iterator[Measure]:
    """ROI, whose baseline is that of a plain regression, and carry-over of each channel."""
    spend = data.weeks.spend.sum(axis=0)
    low, high = _interval([_brought(data, one) for one in drawn])
    carry_low, carry_high = _interval([one.carry_over for one in drawn])
    brought, naive = _brought(data, found), _naive(data)
    for c, channel in enumerate(data.channels):
        if spend[c] > 0:
            value, *ends = (float(one[c] / spend[c]) for one in (brought, low, high))
            yield Measure(
                "roi", value, channel, low=ends[0], high=ends[1], baseline=float(naive[c]), rows=len(data.days)
            )
        ends = [float(carry_low[c]), float(carry_high[c])]
        yield Measure("carry_over", float(found.carry_over[c]), channel, low=ends[0], high=ends[1], baseline=0.0)


def _budget(
    data: _Data, found: Response, drawn: Sequence[Response], task: MediaMixTask
) -> tuple[list[_Row], list[Measure], list[Finding]]:
    """Rows of the plan, what it gains, and whether the budget lies outside of what was observed."""
    spend = data.weeks.spend
    now = spend[-_NOW_WEEKS:].mean(axis=0)
    rolling = pd.DataFrame(spend).rolling(_RANGE_WEEKS).mean().dropna().to_numpy()
    low, high = np.quantile(rolling, [0.1, 0.9], axis=0)
    total = float(now.sum()) if task.weekly_budget is None else task.weekly_budget
    if not low.sum() <= total <= high.sum():
        parameters = {"budget": total, "lowest": float(low.sum()), "highest": float(high.sum())}
        return [], [], [Finding("budget_outside", "", parameters, total, is_warning=task.weekly_budget is not None)]
    # Beside the present split of the same total, so that the gain is that of the split alone.
    present = now * total / now.sum()
    low, high = np.minimum(low, present), np.maximum(high, present)
    for channel, bounds in task.bounds.items():
        c = data.channels.index(channel)
        lowest, highest = (
            float(end if own is None else own) for end, own in ((low[c], bounds.lowest), (high[c], bounds.highest))
        )
        if lowest < low[c] or highest > high[c] or lowest > highest:
            parameters = {"lowest": float(low[c]), "highest": float(high[c])}
            return [], [], [Finding("bounds_outside", channel, parameters, highest, is_warning=True)]
        low[c], high[c] = lowest, highest
    if not low.sum() <= total <= high.sum():
        parameters = {"budget": total, "lowest": float(low.sum()), "highest": float(high.sum())}
        return [], [], [Finding("budget_outside", "", parameters, total, is_warning=True)]
    plan = model.best_split(found, total, low, high)
    gain = [float((one.steady(plan) - one.steady(present)).sum()) for one in (found, *drawn)]
    ends = np.percentile(gain[1:], [2.5, 97.5])
    measure = Measure("planned_gain", gain[0], low=float(ends[0]), high=float(ends[1]), baseline=0.0)
    columns = (present, plan, low, high, found.marginal(present), found.marginal(plan))
    rows = [(channel, *(float(one[c]) for one in columns)) for c, channel in enumerate(data.channels)]
    return rows, [measure], []


def _verdict(held_out: Measure) -> Verdict:
    """Whether media explain weeks that the model has not seen."""
    value, low, high = held_out.value or 0.0, held_out.low or 0.0, held_out.high or 0.0
    parameters = {"value": value, "low": low, "high": high, "weeks": held_out.rows or 0}
    if low > 0:
        return Verdict("gain", [Finding("media_explain", "", parameters, value)], held_out)
    return Verdict("no_gain", [Finding("media_explain_nothing", "", parameters, value)], held_out)
