"""The kind `lifetime`: fit before the hold-out, evaluate on it, refit on everything, forecast each customer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.forecasts.lifetime import history, judging, purchasing, spending
from otklik.forecasts.lifetime.kind import CUSTOMERS, DECILES, FORECASTS, PARAMETERS, LifetimeTask
from otklik.forecasts.lifetime.purchasing import Floats, PurchaseModel
from otklik.forecasts.lifetime.ranking import Ranking, ranked
from otklik.forecasts.lifetime.spending import SpendModel
from otklik.inference import Estimate
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.lake.tables import Table
from otklik.session import frame_of

#: Drop-out counts as detected if it raises the log-likelihood by more: half of the 95 % point of chi² with the two
#: parameters that it adds.
_DROP_OUT_GAIN = 3.0
#: The models assume that frequency and amount are independent; above this correlation that is doubtful.
_DEPENDENCE = 0.3
#: The total counts as missed if its error is larger than this and not explained by chance.
_TOTAL_MISSED = 0.1
_FAMILIES = {"bg_nbd": (purchasing.BG_NBD,), "pareto_nbd": (purchasing.PARETO_NBD,)}


@dataclass(frozen=True, eq=False)
class Fitted:
    """The models of one part of the purchases.

    Attributes:
        part: calibration | all.
        cells: the data of the fit.
        models: all fitted models; the first one is used.
        by_replicate: the used model in each bootstrap replicate.
        customers: (replicates, cells) customers drawn from each cell.
        spend: the model of amounts; None without amounts, or if it cannot be fitted.
        mean_amount: mean amount of a repeat purchase, if `spend` is None.
        findings: findings of the fit.
    """

    part: str
    cells: history.Cells
    models: tuple[PurchaseModel, ...]
    by_replicate: list[PurchaseModel]
    customers: Floats
    spend: SpendModel | None
    mean_amount: float | None
    findings: list[Finding] = field(default_factory=list)

    @property
    def used(self) -> PurchaseModel:
        """The model used for forecasts."""
        return self.models[0]

    @property
    def has_drop_out(self) -> bool:
        """Whether drop-out was detected."""
        return self.used.family is not purchasing.NBD

    def expected_amount(self) -> Column:
        """The expected amount of a purchase, from frequency and mean_amount of a history; null without amounts."""
        if self.spend is None:
            return F.lit(self.mean_amount).cast("double")
        p, q, v = self.spend.p, self.spend.q, self.spend.v
        x, mean = F.col("frequency"), F.col("mean_amount")
        known = p * (v + x * mean) / (p * x + (q - 1))
        return F.when((x > 0) & (mean > 0), known).otherwise(F.lit(self.spend.population_mean))


def run(frames: Mapping[str, DataFrame], task: LifetimeTask, context: StageContext) -> StageResult:
    """Forecast purchases and value of each customer, and evaluate the method on the last days.

    Collects at most `maximum_groups` distinct histories, never customers; see `history.cells`.

    Raises:
        RefusedError: if there are no purchases up to the as-of moment.
    """
    end = context.as_of.date() - timedelta(days=task.lag_days)
    boundary = end - timedelta(days=task.holdout_days)
    purchases, findings = _only_finite(frames["purchases"])
    customers = context.keep(history.customers_until(purchases, boundary, end))
    before = context.keep(history.histories_before(customers, boundary))
    counts = _counts(before)
    if too_little := _too_little(counts, task):
        if customers.isEmpty():
            raise RefusedError(
                "there are no purchases up to the as-of moment",
                where=f"task {task.name}",
                hint="check [frames.purchases] and --as-of",
            )
        return StageResult(
            tables={what: _empty(context, table) for what, table in _TABLES.items()},
            measures=[Measure("customers", counts["customers"], split="calibration")],
            verdict=Verdict("too_little_data", [too_little]),
            findings=[*findings, too_little],
        )
    has_amounts = "amount" in purchases.columns
    context.step.under_way("fitting before the hold-out")
    calibration = _fit("calibration", before, task, has_amounts)
    context.step.under_way("evaluating on the hold-out")
    expectation = _expectation(calibration, task)
    ranking = ranked(_scores(before, calibration, task, context, has_amounts), task.seed)
    context.step.under_way("fitting on all purchases")
    at_end = history.histories_at_end(customers, end)
    final = _fit("all", at_end, task, has_amounts)
    per_customer = context.keep(_per_customer(at_end, final, task, context))
    context.step.rows(counts["customers"], "customers before the hold-out")
    judged = [*_holdout_measures(expectation, counts), *_ranking_measures(ranking, counts)]
    verdict = _verdict(judged)
    return StageResult(
        tables={
            "customers": per_customer.select(*(column.name for column in CUSTOMERS.columns[:-1])),
            "forecasts": _forecasts(per_customer, task),
            "parameters": _frame(context, PARAMETERS, pd.DataFrame([*_parameters(calibration), *_parameters(final)])),
            "deciles": _frame(context, DECILES, expectation.deciles()),
        },
        measures=[*judged, *_forecast_measures(per_customer, final, task), *_model_measures(calibration, final)],
        verdict=verdict,
        findings=[*findings, *calibration.findings, *_judged_findings(judged), *_final_findings(calibration, final)],
    )


def _only_finite(purchases: DataFrame) -> tuple[DataFrame, list[Finding]]:
    """Exclude rows whose amount is not finite."""
    if "amount" not in purchases.columns:
        return purchases, []
    # Larger amounts cannot be summed with six decimal places.
    is_finite = ~F.isnan("amount") & (F.abs("amount") < 1e18)
    without = purchases.where(~is_finite).count()
    found = [Finding("amounts_not_finite", parameters={"rows": without}, value=without)] if without else []
    return purchases.where(is_finite), found


def _counts(before: DataFrame) -> dict[str, int]:
    row = before.agg(
        F.count("*").alias("customers"),
        F.count_if(F.col("frequency") > 0).alias("repeaters"),
        F.coalesce(F.sum("later_purchases"), F.lit(0)).alias("later"),
    ).first()
    assert row is not None
    return {name: int(value) for name, value in row.asDict().items()}


def _too_little(counts: Mapping[str, int], task: LifetimeTask) -> Finding | None:
    needed = {"customers": task.minimum_customers, "repeaters": task.minimum_repeaters, "later": task.minimum_repeaters}
    for name, least in needed.items():
        if counts[name] < least:
            return Finding(f"too_few_{name}", parameters={"count": counts[name], "minimum": least}, value=counts[name])
    return None


def _fit(part: str, histories: DataFrame, task: LifetimeTask, has_amounts: bool) -> Fitted:
    """All models of one part, with the replicates of the one that is used."""
    beside = ["later_purchases"] if part == "calibration" else []
    cells = history.cells(histories, task.maximum_groups, beside)
    grouped = cells.histories(task.unit_days)
    wanted = _FAMILIES.get(task.model, (purchasing.BG_NBD, purchasing.PARETO_NBD))
    without_drop_out, *others = (purchasing.fit(family, grouped) for family in (purchasing.NBD, *wanted))
    others.sort(key=lambda model: -model.log_likelihood)
    gain = others[0].log_likelihood - without_drop_out.log_likelihood
    findings = []
    if gain > _DROP_OUT_GAIN:
        models = (*others, without_drop_out)
    else:
        models = (without_drop_out, *others)
        findings.append(Finding("no_drop_out", parameters={"gain": max(gain, 0.0)}, value=gain, is_warning=True))
    drawn = judging.draws(cells.rows["customers"].to_numpy(float), task.bootstrap_replicates, task.seed)
    of_history = np.zeros((len(drawn), len(grouped.age)))
    np.add.at(of_history.T, cells.history_of_row(), drawn.T)
    if cells.step_days > 1:
        findings.append(Finding("days_taken_together", parameters={"days": cells.step_days}, value=cells.step_days))
    spend, mean_amount, about_spend = _fit_spend(histories, task) if has_amounts else (None, None, [])
    return Fitted(
        part, cells, models, purchasing.replicates(models[0], grouped, of_history), drawn, spend, mean_amount,
        [*findings, *about_spend],
    )  # fmt: skip


def _fit_spend(histories: DataFrame, task: LifetimeTask) -> tuple[SpendModel | None, float | None, list[Finding]]:
    means, without, together = history.means(histories, task.maximum_groups)
    findings = []
    if without:
        findings.append(Finding("amounts_not_positive", parameters={"customers": without}, value=without))
    if together is not None and abs(together) > _DEPENDENCE:
        findings.append(Finding("amount_depends_on_frequency", parameters={"correlation": together}, value=together))
    if means.customers.sum() >= task.minimum_repeaters:
        model = spending.fit(means)
        if math.isfinite(model.population_mean) and max(model.parameters.values()) < 1e4 * model.population_mean:
            return model, None, findings
    mean = histories.agg(F.sum("spent") / F.sum(F.col("frequency") + 1)).first()
    assert mean is not None
    return None, mean[0], [*findings, Finding("one_amount_for_all")]


def _expectation(fitted: Fitted, task: LifetimeTask) -> judging.Expectation:
    rows, place = fitted.cells.rows, fitted.cells.history_of_row()
    grouped = fitted.cells.histories(task.unit_days)
    time = task.holdout_days / task.unit_days
    age = rows["age_days"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(age > 0, rows["frequency"].to_numpy(float) / age, 0.0)
    return judging.Expectation(
        customers=rows["customers"].to_numpy(float),
        expected=fitted.used.expected(grouped, time)[place],
        naive=rate * task.holdout_days,
        actual=rows["later_purchases"].to_numpy(float),
        replicates=fitted.customers,
        expected_by_replicate=np.stack([model.expected(grouped, time)[place] for model in fitted.by_replicate]),
    )


def _by_history(fitted: Fitted, task: LifetimeTask, context: StageContext, horizons: Mapping[str, int]) -> DataFrame:
    """Each distinct history with probability_alive and, per horizon, expected purchases."""
    grouped = fitted.cells.histories(task.unit_days)
    rows = fitted.cells.by_history().drop(columns="customers")
    rows["probability_alive"] = fitted.used.alive(grouped) if fitted.has_drop_out else np.nan
    for name, days in horizons.items():
        rows[name] = np.maximum(fitted.used.expected(grouped, days / task.unit_days), 0.0)
    numbers = ", ".join(f"{name} DOUBLE" for name in rows.columns if name != "frequency")
    return context.spark.createDataFrame(rows, f"frequency BIGINT, {numbers}").withColumn(
        "probability_alive", F.nanvl("probability_alive", F.lit(None).cast("double"))
    )


def _scores(
    before: DataFrame, fitted: Fitted, task: LifetimeTask, context: StageContext, has_amounts: bool
) -> DataFrame:
    """customer, score, naive, actual: by value with amounts, by purchases without."""
    expected = _by_history(fitted, task, context, {"expected": task.holdout_days})
    joined = history.with_step(before, fitted.cells.step_days).join(F.broadcast(expected), [*history.HISTORY])
    if has_amounts:
        score, naive, actual = F.col("expected") * fitted.expected_amount(), F.col("spent"), F.col("later_spend")
    else:
        score, naive, actual = F.col("expected"), F.col("frequency") + 1, F.col("later_purchases")
    return joined.select(
        "customer", score.alias("score"), naive.cast("double").alias("naive"), actual.cast("double").alias("actual")
    )


def _per_customer(at_end: DataFrame, fitted: Fitted, task: LifetimeTask, context: StageContext) -> DataFrame:
    """The history of each customer with probability_alive, expected_amount and, per horizon, expected purchases."""
    by_history = _by_history(fitted, task, context, {_of_horizon(days): days for days in task.horizons_days})
    exact = at_end.withColumns({"_recency": F.col("recency_days"), "_age": F.col("age_days")})
    joined = history.with_step(exact, fitted.cells.step_days).join(F.broadcast(by_history), [*history.HISTORY])
    return joined.withColumns(
        {
            "recency_days": F.col("_recency"),
            "age_days": F.col("_age"),
            "expected_amount": fitted.expected_amount(),
        }
    ).drop("_recency", "_age")


def _of_horizon(days: int) -> str:
    return f"purchases_{days}d"


def _forecasts(per_customer: DataFrame, task: LifetimeTask) -> DataFrame:
    horizons = F.array(
        *(
            F.struct(F.lit(days).alias("horizon_days"), F.col(_of_horizon(days)).alias("expected_purchases"))
            for days in task.horizons_days
        )
    )
    value = F.col("expected_purchases") * F.col("expected_amount") * task.margin
    return (
        per_customer.select("customer", "expected_amount", F.inline(horizons))
        .withColumn("expected_value", value)
        .drop("expected_amount")
    )


def _parameters(fitted: Fitted) -> list[dict[str, Any]]:
    """Rows of the table of parameters; those of drop-out are null if it was not detected."""
    logs = np.log([model.values for model in fitted.by_replicate])
    lows, highs = np.exp(np.percentile(logs, [2.5, 97.5], axis=0))
    rows = []
    for model in fitted.models:
        is_used = model is fitted.used
        for place, (name, value) in enumerate(model.parameters.items()):
            is_told = fitted.has_drop_out or place < len(purchasing.NBD.names)
            row = {
                "part": fitted.part,
                "model": model.family.name,
                "parameter": name,
                "value": value if is_told else None,
                "low": float(lows[place]) if is_used else None,
                "high": float(highs[place]) if is_used else None,
                "log_likelihood": model.log_likelihood,
                "is_used": is_used,
            }
            rows.append(row)
    if fitted.spend is not None:
        rows += [
            {
                "part": fitted.part,
                "model": "gamma_gamma",
                "parameter": name,
                "value": value,
                "low": None,
                "high": None,
                "log_likelihood": fitted.spend.log_likelihood,
                "is_used": True,
            }
            for name, value in fitted.spend.parameters.items()
        ]
    return rows


def _holdout_measures(expectation: judging.Expectation, counts: Mapping[str, int]) -> list[Measure]:
    total, actual, naive_total = expectation.totals()
    ratio, (error, naive_error) = expectation.ratio(), expectation.mean_error()
    pearson, spearman = expectation.correlations()
    rows = counts["customers"]
    return [
        _measure("purchases", total, naive_total, rows),
        Measure("actual_purchases", actual, split="holdout", rows=rows),
        _measure("expected_to_actual", ratio, naive_total / actual, rows),
        _measure("mean_absolute_error", error, naive_error, rows),
        Measure("correlation", pearson, split="holdout", rows=rows),
        Measure("rank_correlation", spearman, split="holdout", rows=rows),
    ]


def _ranking_measures(ranking: Ranking, counts: Mapping[str, int]) -> list[Measure]:
    rows = counts["customers"]
    return [
        _measure("gini", ranking.gini, ranking.naive_gini.value, rows),
        _measure("gini_gain", ranking.gain, 0.0, rows),
        _measure("top_tenth", ranking.top_tenth, ranking.naive_top_tenth.value, rows),
    ]


def _measure(name: str, estimate: Estimate, baseline: float, rows: int) -> Measure:
    return Measure(
        name, estimate.value, split="holdout", low=estimate.low, high=estimate.high, baseline=baseline, rows=rows
    )


def _forecast_measures(per_customer: DataFrame, fitted: Fitted, task: LifetimeTask) -> list[Measure]:
    """Totals per horizon; their intervals reflect the parameters of the purchase model."""
    rate = F.when(F.col("age_days") > 0, F.col("frequency") / F.col("age_days")).otherwise(0.0)
    is_recent = F.col("age_days") - F.col("recency_days") < task.holdout_days
    row = per_customer.agg(
        F.count("*").alias("customers"),
        F.sum(rate).alias("rate"),
        F.sum(rate * F.col("spent") / (F.col("frequency") + 1)).alias("value_rate"),
        F.avg("probability_alive").alias("alive"),
        F.avg(is_recent.cast("double")).alias("recent"),
        *(
            F.sum(F.col(_of_horizon(days)) * F.col("expected_amount")).alias(f"value_{days}")
            for days in task.horizons_days
        ),
    ).first()
    assert row is not None
    rows = int(row["customers"])
    grouped = fitted.cells.histories(task.unit_days)
    found = [Measure("alive", row["alive"], split="forecast", baseline=row["recent"], rows=rows)]
    for days in sorted(task.horizons_days):
        time = days / task.unit_days
        total = float(grouped.customers @ fitted.used.expected(grouped, time))
        by_replicate = [float(grouped.customers @ model.expected(grouped, time)) for model in fitted.by_replicate]
        low, high = np.percentile(by_replicate, [2.5, 97.5])
        found.append(
            Measure("purchases", total, str(days), "forecast", float(low), float(high), row["rate"] * days, rows)
        )
        if row[f"value_{days}"] is not None:
            value, per_purchase = row[f"value_{days}"] * task.margin, row[f"value_{days}"] * task.margin / total
            naive = row["value_rate"] * days * task.margin
            low_value, high_value = float(low) * per_purchase, float(high) * per_purchase
            found.append(Measure("value", value, str(days), "forecast", low_value, high_value, naive, rows))
    return found


def _model_measures(*fits: Fitted) -> list[Measure]:
    """Log-likelihoods, with a model without drop-out as baseline."""
    found = []
    for fitted in fits:
        nbd = next(model for model in fitted.models if model.family is purchasing.NBD)
        rows = int(fitted.cells.rows["customers"].sum())
        found += [
            Measure(
                "log_likelihood", model.log_likelihood, model.family.name, fitted.part,
                baseline=nbd.log_likelihood, rows=rows,
            )
            for model in fitted.models
        ]  # fmt: skip
    return found


def _verdict(judged: list[Measure]) -> Verdict:
    """A gain if customers are ranked significantly better than by past spend."""
    by_name = {measure.measure: measure for measure in judged}
    gini, gain = by_name["gini"], by_name["gini_gain"]
    assert gini.value is not None and gain.value is not None and gain.low is not None
    numbers = {"gini": gini.value, "naive": gini.baseline or 0.0, "gain": gain.value}
    is_gain = gain.low > 0
    reason = Finding("ranks_better" if is_gain else "ranks_no_better", parameters=numbers, value=gain.value)
    return Verdict("gain" if is_gain else "no_gain", [reason], gini)


def _judged_findings(judged: list[Measure]) -> list[Finding]:
    ratio = next(measure for measure in judged if measure.measure == "expected_to_actual")
    assert ratio.value is not None and ratio.low is not None and ratio.high is not None
    if abs(ratio.value - 1) <= _TOTAL_MISSED or ratio.low <= 1 <= ratio.high:
        return []
    percent = round(100 * abs(ratio.value - 1))
    code = "total_too_low" if ratio.value < 1 else "total_too_high"
    return [Finding(code, parameters={"percent": percent}, value=ratio.value, is_warning=True)]


def _final_findings(calibration: Fitted, final: Fitted) -> list[Finding]:
    """Findings of the second fit that the first one does not have."""
    known = {finding.code for finding in calibration.findings}
    return [finding for finding in final.findings if finding.code not in known]


_TABLES = {"customers": CUSTOMERS, "forecasts": FORECASTS, "parameters": PARAMETERS, "deciles": DECILES}


def _frame(context: StageContext, table: Table, rows: pd.DataFrame) -> DataFrame:
    return frame_of(context.spark, rows[table.own_names], table.own_ddl)


def _empty(context: StageContext, table: Table) -> DataFrame:
    return context.spark.createDataFrame([], table.own_ddl)
