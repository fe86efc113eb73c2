"""The response to spend, fitted to all weeks and evaluated on the last ones, and a budget split by it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from otklik.errors import ConfigurationError
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.kind import TABLES, MediaMixTask
from otklik.evidence.media_mix.response import Floats, Response
from otklik.evidence.media_mix.weeks import Data, known_channels, read_data
from otklik.evidence.tables import tables_of
from otklik.inference import NORMAL_95, Estimate
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: Last weeks that define the current spend, and weeks per average for a channel's usual range.
_NOW_WEEKS, _RANGE_WEEKS = 13, 4
_CURVE_POINTS = 30

_Row = tuple[Any, ...]


def run(frames: Mapping[str, DataFrame], task: MediaMixTask, context: StageContext) -> StageResult:
    """Tables of the fitted response, its evaluation on the last weeks, and the split of the budget.

    Args:
        frames: `weeks` and `spends`, and `responses` and `holdout`; see `kind`.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if bounds name an unknown channel, or there are regions.
        RefusedError: as `read_data`.
    """
    data = read_data(frames, task)
    context.step.rows(len(data.days), "weeks")
    _check_bounds(data, task)
    found, *drawn = _responses(frames["responses"])
    errors = frames["holdout"].orderBy("week").toPandas()
    held_out = _held_out(errors["error"].to_numpy(), errors["error_without_media"].to_numpy(), task)
    budget_rows, planned, findings = _budget(data, found, drawn, task)
    findings += _disagreements(data, found, drawn, task)
    if data.negative:
        findings.append(Finding("negative_spend", parameters={"sums": data.negative}, value=data.negative))
    tables = tables_of(
        context,
        TABLES,
        channels=list(_channel_rows(data, found, drawn, task)),
        curves=list(_curve_rows(data, found, drawn)),
        weeks=list(_week_rows(data, found)),
        budget=budget_rows,
        regions=list(_region_rows(data, found, drawn)),
    )
    measures = [held_out, *_measures(data, found, drawn), *planned]
    return StageResult(tables, measures, _verdict(held_out), findings)


def _check_bounds(data: Data, task: MediaMixTask) -> None:
    """Check that bounds fit the data.

    Raises:
        ConfigurationError: if they name an unknown channel, or there are regions.
    """
    if task.bounds and data.regions:
        raise ConfigurationError(
            "bounds applies to national data only, not to regions",
            where="bounds",
            hint="remove it: the plan stays within what was observed in each region",
        )
    known_channels(data, "bounds", task.bounds)


def _responses(rows: DataFrame) -> list[Response]:
    """The fitted response, followed by the bootstrap responses."""
    found = rows.orderBy("replicate").select(*(each.name for each in fields(Response))).collect()
    return [Response(*map(_array, row)) for row in found]


def _array(values: list[float] | None) -> Any:
    return None if values is None else np.array(values)


def _disagreements(data: Data, found: Response, drawn: Sequence[Response], task: MediaMixTask) -> Iterator[Finding]:
    """Channels whose experiment contradicts the model, although the model uses it."""
    spend = data.weeks.total(data.weeks.spend)
    low, high = interval_of([_brought(data, one) for one in (found, *drawn)])
    for name, one in task.experiments.items():
        c = data.channels.index(name)
        if spend[c] > 0 and (high[c] / spend[c] < one.low or low[c] / spend[c] > one.high):
            ends = {"low": float(low[c] / spend[c]), "high": float(high[c] / spend[c])}
            yield Finding("experiment_disagrees", name, {"measured": one.roi, **ends}, one.roi, is_warning=True)


def _held_out(with_media: Floats, without: Floats, task: MediaMixTask) -> Measure:
    """Relative reduction in squared error by media on held-out weeks, compared with a model without media."""
    draws = np.random.default_rng(task.seed)
    block = min(task.block_weeks, task.holdout_weeks // 4)
    starts = draws.integers(0, task.holdout_weeks - block + 1, (1000, -(-task.holdout_weeks // block)))
    places = (starts[:, :, np.newaxis] + np.arange(block)).reshape(1000, -1)
    gains = 1 - with_media[places].sum(axis=1) / without[places].sum(axis=1)
    value = 1 - float(with_media.sum() / without.sum())
    # So few blocks vary less than other weeks would: hence the wider of the percentile and Student's t interval.
    # Percentiles alone found a gain in one of ten worlds in which media have no effect.
    blocks = task.holdout_weeks / block
    around = Estimate.around(value, float(gains.std() * np.sqrt(blocks / (blocks - 1))), freedom=blocks - 1)
    low, high = np.percentile(gains, [2.5, 97.5])
    return Measure(
        "error_taken_away",
        value,
        split="holdout",
        low=min(float(low), around.low),
        high=max(float(high), around.high),
        baseline=0.0,
        rows=task.holdout_weeks,
    )


def _brought(data: Data, found: Response) -> Floats:
    """Revenue of each channel in all weeks."""
    return data.weeks.total(found.contributions(data.weeks.spend))


def _naive(data: Data) -> Floats:
    """Revenue per unit of spend by linear regression on base and spends."""
    columns, revenue = (data.weeks.without_base(one) for one in (data.weeks.spend, data.weeks.revenue[..., np.newaxis]))
    return np.asarray(np.linalg.lstsq(columns, revenue.ravel(), rcond=None)[0], dtype=np.float64)


def interval_of(values: Sequence[Floats]) -> tuple[Floats, Floats]:
    """95 % interval of a non-negative number from its fitted value, which comes first, and bootstrap values.

    The union of percentiles and of value ± 1.96 standard deviations: a channel without effect is fitted above 0 by
    chance, bootstrap values stay around it, and percentiles would show an effect (Andrews 2000, "Inconsistency of the
    bootstrap when a parameter is on the boundary of the parameter space").
    """
    value, drawn = values[0], np.array(values[1:])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    reach = NORMAL_95 * drawn.std(axis=0)
    return np.maximum(np.minimum(low, value - reach), 0.0), np.maximum(high, value + reach)


def _channel_rows(data: Data, found: Response, drawn: Sequence[Response], task: MediaMixTask) -> Iterator[_Row]:
    spend, brought = data.weeks.total(data.weeks.spend), _brought(data, found)
    low, high = interval_of([_brought(data, one) for one in (found, *drawn)])
    carry_low, carry_high = interval_of([one.carry_over for one in (found, *drawn)])
    naive = _naive(data)
    for c, channel in enumerate(data.channels):
        ratios = [float(value[c] / spend[c]) if spend[c] > 0 else None for value in (brought, low, high)]
        numbers = (spend, brought, low, high)
        rest = (naive, found.carry_over, carry_low, carry_high, found.half, found.shape, found.effect)
        decay = 1.0 if found.decay is None else float(found.decay[c])
        measured = task.experiments[channel].roi if channel in task.experiments else None
        yield channel, *(float(one[c]) for one in numbers), *ratios, *(float(one[c]) for one in rest), decay, measured


def _region_rows(data: Data, found: Response, drawn: Sequence[Response]) -> Iterator[_Row]:
    if not data.regions:
        return
    spend = data.cells.sum(axis=0)
    now = data.cells[-_NOW_WEEKS:].mean(axis=0)

    def brought(one: Response) -> Floats:
        by_region: Floats = one.contributions(data.weeks.spend).sum(axis=1) * data.weeks.size[:, np.newaxis]
        return by_region.ravel()

    marginal = found.of_cells(data.weeks.size).marginal(now)
    numbers = (brought(found), *interval_of([brought(one) for one in (found, *drawn)]))
    for place, (region, channel) in enumerate(itertools.product(data.regions, data.channels)):
        revenue = [float(one[place]) for one in numbers]
        ratios = [one / spend[place] if spend[place] > 0 else None for one in revenue]
        yield region, channel, float(spend[place]), *revenue, *ratios, float(marginal[place])


def _curve_rows(data: Data, found: Response, drawn: Sequence[Response]) -> Iterator[_Row]:
    """Curves of each channel in all regions together, at the observed split of spend, and in each region."""
    cells, size = data.cells, data.weeks.size
    steps = np.linspace(0, 1, _CURVE_POINTS + 1)[:, np.newaxis]
    split = cells.sum(axis=0) / np.maximum(np.tile(data.by_channel(cells.sum(axis=0)), size.size), 1e-12)
    highest = data.by_channel(cells).max(axis=0)
    together = steps * np.tile(highest, size.size) * split
    yield from _curves(data, None, steps * highest, [one.of_cells(size).steady(together) for one in (found, *drawn)])
    if not data.regions:
        return
    alone = steps * cells.max(axis=0)
    brought = [one.of_cells(size).steady(alone) for one in (found, *drawn)]
    width = len(data.channels)
    for place, region in enumerate(data.regions):
        own = slice(place * width, (place + 1) * width)
        yield from _curves(data, region, alone[:, own], [one[:, own] for one in brought])


def _curves(data: Data, region: str | None, spends: Floats, brought: Sequence[Floats]) -> Iterator[_Row]:
    """Rows of all channels: the fitted curve, which comes first, with an interval from the others."""
    curves = [data.by_channel(one) for one in brought]
    curve, (low, high) = curves[0], interval_of(curves)
    for c, channel in enumerate(data.channels):
        for point in range(len(spends)):
            yield channel, *(float(one[point, c]) for one in (spends, curve, low, high)), region


def _week_rows(data: Data, found: Response) -> Iterator[_Row]:
    weeks = data.weeks
    fitted = found.fitted(weeks)
    # A common effect of the week, if there is one, is neither media nor noise.
    common = weeks.revenue - fitted - weeks.left(fitted)
    base = weeks.expected(found.base) + common
    sums = [weeks.by_week(one) for one in (weeks.revenue, fitted + common, base)]
    for place, day in enumerate(data.days):
        yield day, *(float(one[place]) for one in sums)


def _measures(data: Data, found: Response, drawn: Sequence[Response]) -> Iterator[Measure]:
    """ROI, with a plain regression as its baseline, and carry-over of each channel."""
    spend = data.weeks.total(data.weeks.spend)
    low, high = interval_of([_brought(data, one) for one in (found, *drawn)])
    carry_low, carry_high = interval_of([one.carry_over for one in (found, *drawn)])
    brought, naive = _brought(data, found), _naive(data)
    for c, channel in enumerate(data.channels):
        if spend[c] > 0:
            value, *ends = (float(one[c] / spend[c]) for one in (brought, low, high))
            yield Measure(
                "roi", value, channel, low=ends[0], high=ends[1], baseline=float(naive[c]), rows=data.weeks.revenue.size
            )
        ends = [float(carry_low[c]), float(carry_high[c])]
        yield Measure("carry_over", float(found.carry_over[c]), channel, low=ends[0], high=ends[1], baseline=0.0)


def _budget(
    data: Data, found: Response, drawn: Sequence[Response], task: MediaMixTask
) -> tuple[list[_Row], list[Measure], list[Finding]]:
    """Rows of the plan, its gain, and whether the budget is outside the observed range."""
    spend, size = data.cells, data.weeks.size
    now = spend[-_NOW_WEEKS:].mean(axis=0)
    rolling = pd.DataFrame(spend).rolling(_RANGE_WEEKS).mean().dropna().to_numpy()
    low, high = np.quantile(rolling, [0.1, 0.9], axis=0)
    total = float(now.sum()) if task.weekly_budget is None else task.weekly_budget
    if not low.sum() <= total <= high.sum():
        parameters = {"budget": total, "lowest": float(low.sum()), "highest": float(high.sum())}
        return [], [], [Finding("budget_outside", "", parameters, total, is_warning=task.weekly_budget is not None)]
    # Compared with the current split of the same total, so that the gain is due to the split alone.
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
    whole = found.of_cells(size)
    plan = model.best_split(whole, total, low, high)
    responses = (whole, *(one.of_cells(size) for one in drawn))
    gain = [float((one.steady(plan) - one.steady(present)).sum()) for one in responses]
    ends = np.percentile(gain[1:], [2.5, 97.5])
    measure = Measure("planned_gain", gain[0], low=float(ends[0]), high=float(ends[1]), baseline=0.0)
    amounts, marginals = (present, plan, low, high), (whole.marginal(present), whole.marginal(plan))
    # For all regions together, marginal revenue is that of one unit split between them in proportion to spend.
    of_all = [
        data.by_channel(one * spent) / np.maximum(data.by_channel(spent), 1e-12)
        for one, spent in zip(marginals, (present, plan), strict=True)
    ]
    columns = (*(data.by_channel(one) for one in amounts), *(of_all if data.regions else marginals))
    rows: list[_Row] = [(channel, *(float(one[c]) for one in columns), None) for c, channel in enumerate(data.channels)]
    for place, (region, channel) in enumerate(itertools.product(data.regions, data.channels)):
        rows.append((channel, *(float(one[place]) for one in (*amounts, *marginals)), region))
    return rows, [measure], []


def _verdict(held_out: Measure) -> Verdict:
    """Whether media explain held-out weeks."""
    value, low, high = held_out.value or 0.0, held_out.low or 0.0, held_out.high or 0.0
    parameters = {"value": value, "low": low, "high": high, "weeks": held_out.rows or 0}
    if low > 0:
        return Verdict("gain", [Finding("media_explain", "", parameters, value)], held_out)
    return Verdict("no_gain", [Finding("media_explain_nothing", "", parameters, value)], held_out)
