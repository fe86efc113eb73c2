"""Whether signals lead sales: each signal's lags, its later values as a placebo, and forecasts with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.evidence.lead_lag import regression
from otklik.evidence.lead_lag.kind import TABLES, LeadLagTask
from otklik.evidence.lead_lag.regression import Floats
from otklik.evidence.tables import tables_of
from otklik.inference import Estimate, q_values
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict, VerdictCode

_MOST_PERIODS, _MOST_SIGNALS = 5_000, 50
_BLOCK = {"day": 7, "week": 4}

_Row = tuple[Any, ...]


@dataclass(frozen=True)
class _Signal:
    """Results of a signal; see the table."""

    name: str
    effects: Sequence[Estimate]
    p: float
    placebo: Sequence[Estimate]
    lead_p: float
    gain: Estimate

    @property
    def lag(self) -> int:
        """The lag with the most significant effect."""
        return 1 + int(np.argmin([one.p for one in self.effects]))

    def status(self, q: float, alpha: float) -> str:
        """leads only if its lags are significant, forecasts with it are better, and the placebo is not significant."""
        if q >= alpha or self.gain.p >= alpha or not self.gain.value > 0:
            return "nothing"
        return "both_ways" if self.lead_p < alpha else "leads"


def run(frames: Mapping[str, DataFrame], task: LeadLagTask, context: StageContext) -> StageResult:
    """Find the signals that lead the outcome.

    The driver collects one number per period and signal, at most 5,000 × 50.

    Args:
        frames: `outcomes` and `signals`; see `kind`.
        task: the settings.
        context: session and seed.

    Raises:
        RefusedError: if there are more periods or signals than that.
    """
    table, findings = _read(frames, task)
    context.step.rows(len(table), "periods")
    needed = max(task.minimum_periods, 4 * (task.lags + task.own_lags + 20))
    if len(table) < needed:
        few = Finding("few_periods", "", {"periods": len(table), "needed": needed})
        return StageResult(tables_of(context, TABLES), [], Verdict("too_little_data", [few]), findings)
    found = []
    for name in table.columns[1:]:
        context.step.under_way(str(name))
        signal = table[name].to_numpy(dtype=np.float64)
        if signal.std() > 0:
            found.append(_judged(str(name), table["outcome"].to_numpy(dtype=np.float64), signal, task))
        else:
            findings.append(Finding("constant_signal", str(name)))
    if not found:
        return StageResult(tables_of(context, TABLES), [], Verdict("too_little_data", [Finding("no_signal")]), findings)
    adjusted = q_values([one.p for one in found])
    tables = tables_of(
        context,
        TABLES,
        signals=[_signal_row(one, float(q), task) for one, q in zip(found, adjusted, strict=True)],
        lags=[row for one in found for row in _lag_rows(one)],
    )
    states = {one.name: one.status(float(q), task.alpha) for one, q in zip(found, adjusted, strict=True)}
    return StageResult(
        tables, [_measure(one, len(table)) for one in found], _verdict(found, states, len(table)), findings
    )


def _read(frames: Mapping[str, DataFrame], task: LeadLagTask) -> tuple[pd.DataFrame, list[Finding]]:
    """outcome and one column per signal, a row per period without gaps; periods without rows are 0."""
    period = F.to_date(F.date_trunc(task.grain, "moment")).alias("period")
    outcomes = frames["outcomes"].groupBy(period).agg(F.sum("outcome").alias("outcome"))
    signals = frames["signals"].groupBy(period, "signal").agg(F.sum("value").alias("value"))
    rows = outcomes.limit(_MOST_PERIODS + 1).toPandas()
    parts = signals.limit(_MOST_PERIODS * _MOST_SIGNALS + 1).toPandas()
    if len(rows) > _MOST_PERIODS or parts["signal"].nunique() > _MOST_SIGNALS:
        raise RefusedError(
            f"more than {_MOST_PERIODS:,} periods or {_MOST_SIGNALS} signals",
            where="frames outcomes and signals",
            hint="use weeks, or filter out signals with where",
        )
    first, last = rows["period"].min(), rows["period"].max()
    days = pd.date_range(first, last, freq="D" if task.grain == "day" else "7D").date
    wide = parts.pivot_table(index="period", columns="signal", values="value", sort=True)
    table = rows.set_index("period").reindex(days)
    findings = [Finding("filled", "", {"n": n})] if (n := int(table["outcome"].isna().sum())) else []
    return table.join(wide.reindex(days)).fillna(0.0), findings


def _judged(name: str, outcome: Floats, signal: Floats, task: LeadLagTask) -> _Signal:
    if task.log_scale:
        outcome, signal = (np.copysign(np.log1p(np.abs(one)), one) for one in (outcome, signal))
    per_week, per_year = (7, 365.25) if task.grain == "day" else (1, 365.25 / 7)
    season = regression.season_columns(len(outcome), per_week, per_year, task.season_harmonics)
    series = regression.Series(
        outcome - outcome.mean(), (signal - signal.mean()) / signal.std(), season, task.own_lags, task.lags
    )
    holdout = int(task.holdout_share * len(outcome))
    return _Signal(
        name,
        *regression.effects(series, task.alpha),
        *regression.placebo(series, task.alpha),
        regression.gain(series, holdout, _BLOCK[task.grain], task.seed),
    )


def _signal_row(one: _Signal, q: float, task: LeadLagTask) -> _Row:
    ends = (one.gain.value, one.gain.low, one.gain.high)
    return one.name, *ends, one.p, q, one.lead_p, one.lag, one.status(q, task.alpha)


def _lag_rows(one: _Signal) -> Iterator[_Row]:
    for sign, estimates in ((-1, one.placebo), (1, one.effects)):
        for place, estimate in enumerate(estimates, 1):
            yield one.name, sign * place, estimate.value, estimate.low, estimate.high


def _measure(one: _Signal, periods: int) -> Measure:
    """The baseline is a forecast from the outcome's own past and seasons."""
    return Measure("gain", one.gain.value, one.name, "holdout", one.gain.low, one.gain.high, 0.0, periods)


def _verdict(found: Sequence[_Signal], states: Mapping[str, str], periods: int) -> Verdict:
    """gain if a signal leads; invalid if all that seem to lead also follow the outcome."""
    best = sorted(found, key=lambda one: -one.gain.value)
    codes: tuple[tuple[str, VerdictCode], ...] = (("leads", "gain"), ("both_ways", "invalid"))
    for state, code in codes:
        some = [one for one in best if states[one.name] == state][:3]
        if some:
            reasons = [
                Finding(state, one.name, {"value": one.gain.value, "lag": one.lag, "p": one.lead_p}, one.gain.value)
                for one in some
            ]
            return Verdict(code, reasons, _measure(some[0], periods))
    first = best[0]
    parameters = {"value": first.gain.value, "low": first.gain.low, "high": first.gain.high}
    return Verdict("no_gain", [Finding("nothing", first.name, parameters, first.gain.value)], _measure(first, periods))
