"""Factors: principal components of the correlation matrix, rotated by varimax.

Spark sums products of properties; everything else is computed from the resulting small matrix. The number of factors is
chosen by Horn's parallel analysis (1965); their stability is Tucker's congruence between random halves of the customers
(Lorenzo-Seva, ten Berge 2006: .85 and above is fair, .95 and above practically equal).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.factor.analysis import Analysis, analysed
from otklik.insights.factor.kind import EIGENVALUES, FACTORS, LOADINGS, SCORES, FactorTask
from otklik.insights.factor.rotation import Floats
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.session import frame_of

#: Hash groups of customers: halves and bootstrap samples consist of groups.
GROUPS = 20
#: Maximum number of properties, so that the matrix stays readable.
MOST_PROPERTIES = 60
#: Congruence from which a factor counts as replicated in the other half.
FAIR = 0.85


@dataclass(frozen=True)
class Scale:
    """Properties that vary, with the numbers that standardise them."""

    names: Sequence[str]
    means: Floats
    deviations: Floats

    def standardised(self) -> list[Column]:
        """Each property with mean 0 and variance 1."""
        return [
            (F.col(f"`{name}`") - F.lit(float(mean))) / F.lit(float(deviation))
            for name, mean, deviation in zip(self.names, self.means, self.deviations, strict=True)
        ]


def run(frames: Mapping[str, DataFrame], task: FactorTask, context: StageContext) -> StageResult:
    """Find factors and score customers.

    Args:
        frames: `customers`: customer and numbers.
        task: see `FactorTask`.
        context: seed of the halves, of the bootstrap and of the noise.

    Returns:
        Tables `eigenvalues`, `factors`, `loadings`, `factor_scores`; measures `carrying_factors`, `share` (of variance
        explained by the reported factors) and `congruence` (per factor), with unrelated properties as baseline.

    Raises:
        RefusedError: if fewer than two properties vary, there are too many, or a customer has several rows.
        ConfigurationError: if a setting names an unknown property, or there are fewer varying properties than factors.
    """
    customers = frames["customers"]
    names = [name for name in customers.columns if name != "customer"]
    _check_names(names, task)
    complete = context.keep(customers.select("customer", *(_value(name, task) for name in names)).dropna(subset=names))
    scale, rows, findings = _scale(complete, customers.count(), names, task)
    least = max(task.minimum_rows, 5 * len(scale.names))
    if rows < least:
        verdict = Verdict("too_little_data", [Finding("few_rows", parameters={"rows": rows, "minimum": least})])
        empty = {"eigenvalues": EIGENVALUES, "factors": FACTORS, "loadings": LOADINGS, "factor_scores": SCORES}
        return StageResult(
            {what: frame_of(context.spark, [], table.own_ddl) for what, table in empty.items()}, (), verdict, findings
        )
    found = analysed(products_per_group(complete, scale), scale.names, task.factors, context.seed)
    labels = found.names(task.named_from)
    tables = {
        "eigenvalues": frame_of(context.spark, _eigenvalue_rows(found), EIGENVALUES.own_ddl),
        "factors": frame_of(context.spark, _factor_rows(found, labels), FACTORS.own_ddl),
        "loadings": frame_of(context.spark, _loading_rows(found, labels), LOADINGS.own_ddl),
        "factor_scores": scores(complete, scale, found.rotated.weights, labels),
    }
    congruence = [
        Measure("congruence", middle, label, low=low, high=high, baseline=found.congruence_chance, rows=rows)
        for label, (middle, low, high) in zip(labels, found.congruence.T.tolist(), strict=True)
    ]
    carrying = Measure("carrying_factors", float(found.carrying), baseline=0.0, rows=rows)
    return StageResult(tables, [carrying, found.share, *congruence], _verdict(found), findings)


def _check_names(names: Sequence[str], task: FactorTask) -> None:
    where = f"task {task.name}"
    unknown = sorted({*task.log_scale, *task.titles} - {*names})
    if unknown:
        raise ConfigurationError(
            f"log_scale or titles name what is not a property of the frame customers: {', '.join(unknown)}",
            where=where,
            hint=f"properties are {', '.join(names) or 'the columns of [frames.customers.columns]'}",
        )
    if not 2 <= len(names) <= MOST_PROPERTIES:
        raise RefusedError(
            f"{len(names)} properties; factors need 2 to {MOST_PROPERTIES}",
            where=f"{where}, frame customers",
            hint="name those that belong together in [frames.customers.columns]",
        )


def _value(name: str, task: FactorTask) -> Column:
    value = F.col(f"`{name}`")
    return (F.signum(value) * F.log1p(F.abs(value)) if name in task.log_scale else value).alias(name)


def _scale(
    complete: DataFrame, all_rows: int, names: Sequence[str], task: FactorTask
) -> tuple[Scale, int, list[Finding]]:
    """The numbers that standardise the varying properties; the number of complete customers; the findings."""
    aggregates = {"mean": F.avg, "deviation": F.stddev_pop, "least": F.min, "most": F.max}
    wanted = [of(F.col(f"`{name}`")).alias(f"{what} {name}") for name in names for what, of in aggregates.items()]
    counted = complete.agg(F.count("*").alias("rows"), *wanted).collect()[0].asDict()
    rows = int(counted["rows"])
    varying = [name for name in names if rows and counted[f"least {name}"] < counted[f"most {name}"]]
    where = f"task {task.name}, frame customers"
    if complete.groupBy("customer").count().where("count > 1").limit(1).count():
        raise RefusedError(
            "a customer has several rows",
            where=where,
            hint="give one row per customer, or use the key of a row as `customer`",
        )
    if len(varying) < 2:
        raise RefusedError(
            f"{len(varying)} of {len(names)} properties vary among {rows:,} customers who have all of them",
            where=where,
            hint="factors need at least two",
        )
    if task.factors and task.factors > len(varying):
        raise ConfigurationError(
            f"factors = {task.factors}, but only {len(varying)} properties vary", where=where, hint="ask for fewer"
        )
    findings = [Finding("constant", name) for name in names if name not in varying]
    if rows < all_rows:
        missing = Finding("incomplete", parameters={"n": all_rows - rows, "rows": all_rows}, value=1 - rows / all_rows)
        findings.append(missing)
    means, deviations = (np.array([counted[f"{what} {name}"] for name in varying]) for what in ("mean", "deviation"))
    if not np.isfinite(means + deviations).all():
        raise RefusedError("the sum of a property's values overflows", where=where, hint="scale it down")
    return Scale(varying, means, deviations), rows, findings


def products_per_group(complete: DataFrame, scale: Scale) -> Floats:
    """Sums of products of a constant 1 and the standardised properties, by random group of customers.

    Summed on the executors; the driver collects one number per group and pair of properties.

    Returns:
        (GROUPS, 1 + properties, 1 + properties).
    """
    size = len(scale.names) + 1
    upper = np.triu_indices(size)

    def summed(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        sums = np.zeros((GROUPS, size, size))
        for batch in batches:
            values = np.column_stack([np.ones(len(batch)), np.array(batch["values"].tolist()).reshape(-1, size - 1)])
            groups = batch["group"].to_numpy()
            for group in np.unique(groups):
                some = values[groups == group]
                sums[group] += some.T @ some
        for group in np.flatnonzero(sums[:, 0, 0]):
            yield pd.DataFrame({"group": group, "place": np.arange(len(upper[0])), "total": sums[group][upper]})

    group = F.pmod(F.xxhash64(F.lit("factor"), "customer"), F.lit(GROUPS)).cast("int").alias("group")
    parts = complete.select(group, F.array(*scale.standardised()).alias("values")).mapInPandas(
        summed, "group INT, place INT, total DOUBLE"
    )
    found = parts.groupBy("group", "place").agg(F.sum("total").alias("total")).toPandas()
    products = np.zeros((GROUPS, size, size))
    rows, columns = (ends[found["place"].to_numpy()] for ends in upper)
    groups = found["group"].to_numpy()
    products[groups, rows, columns] = products[groups, columns, rows] = found["total"].to_numpy()
    return products


def scores(complete: DataFrame, scale: Scale, weights: Floats, labels: Sequence[str]) -> DataFrame:
    """Scores of each customer on each factor: customer, factor, name, score."""
    values = scale.standardised()
    of_factors = []
    for factor, label in enumerate(labels):
        parts = [value * F.lit(float(weight)) for value, weight in zip(values, weights[:, factor], strict=True)]
        score = F.aggregate(F.array(*parts), F.lit(0.0), lambda total, part: total + part)
        of_factors.append(F.struct(F.lit(factor + 1).alias("factor"), F.lit(label).alias("name"), score.alias("score")))
    return complete.select("customer", F.inline(F.array(*of_factors)))


def _eigenvalue_rows(found: Analysis) -> list[tuple[Any, ...]]:
    count = len(found.properties)
    columns = (found.eigenvalues, found.eigenvalues / count, *found.eigenvalue_ends, found.chance, found.carries)
    return [(place + 1, *row) for place, row in enumerate(zip(*(column.tolist() for column in columns), strict=True))]


def _factor_rows(found: Analysis, labels: Sequence[str]) -> list[tuple[Any, ...]]:
    shares, congruence = found.rotated.shares.tolist(), found.congruence.T.tolist()
    return [
        (factor + 1, label, shares[factor], *congruence[factor], found.congruence_chance)
        for factor, label in enumerate(labels)
    ]


def _loading_rows(found: Analysis, labels: Sequence[str]) -> list[tuple[Any, ...]]:
    loadings, weights = found.rotated.loadings, found.rotated.weights
    low, high = found.loading_ends
    communality = (loadings**2).sum(axis=1)
    return [
        (
            factor + 1, label, name, float(loadings[place, factor]), float(low[place, factor]),
            float(high[place, factor]), float(weights[place, factor]), float(communality[place]),
        )
        for factor, label in enumerate(labels)
        for place, name in enumerate(found.properties)
    ]  # fmt: skip


def _verdict(found: Analysis) -> Verdict:
    """At best `descriptive`; `no_gain` if no factor is retained, or none is replicated in the other half."""
    shown, stable = found.congruence.shape[1], int((found.congruence[0] >= FAIR).sum())
    parameters = {
        "carrying": found.carrying,
        "shown": shown,
        "stable": stable,
        "properties": len(found.properties),
        "percent": round(100 * (found.share.value or 0.0)),
    }
    if not found.carrying:
        return Verdict("no_gain", [Finding("nothing_carries", parameters=parameters)], found.share)
    if not stable:
        return Verdict("no_gain", [Finding("nothing_stable", parameters=parameters)], found.share)
    reasons = [Finding("factors_found", parameters=parameters)]
    if stable < shown:
        reasons.append(Finding("partly_stable", parameters=parameters))
    if shown > found.carrying:
        reasons.append(Finding("more_than_carry", parameters=parameters))
    return Verdict("descriptive", reasons, found.share)
