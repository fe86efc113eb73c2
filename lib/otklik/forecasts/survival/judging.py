"""Evaluate predicted survival of unseen customers, compared with the curve of their group.

Brier score and AUC at several durations, with inverse probability of censoring weights: Graf, Schmoor, Sauerbrei,
Schumacher 1999, Statistics in Medicine 18; Uno, Cai, Tian, Wei 2007, JASA 102.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.survival.curves import Counts, Floats, kaplan_meier
from otklik.inference import Estimate

#: Number of jackknife groups of customers.
_GROUPS = 20
#: Bins of predicted survival for the AUC; customers in the same bin count as tied.
_PLACES = 250


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of the model and of the curve.

    Attributes:
        durations: evaluated durations.
        brier: (durations, 2) Brier scores of the model and of the curve.
        auc: (durations, 2) AUC of the model and of the curve.
        integrated: integrated Brier score of the model; lower is better.
        integrated_curve: integrated Brier score of the curve.
        gain: difference of the two.
        mean_auc: AUC of the model, averaged over durations.
        mean_auc_curve: AUC of the curve, averaged over durations.
    """

    durations: Floats
    brier: Floats
    auc: Floats
    integrated: Estimate
    integrated_curve: Estimate
    gain: Estimate
    mean_auc: Estimate
    mean_auc_curve: Estimate


def judged_durations(counts: Counts, most: int = 10) -> Floats:
    """Equally spaced durations, up to the one that one customer in twenty reaches uncensored."""
    beyond = counts.at_risk - counts.left - counts.censored
    some = counts.duration[beyond >= 0.05 * counts.at_risk[0]]
    last = some[-1] if len(some) else counts.duration[0]
    return np.unique(np.round(np.linspace(0, last, most + 1)[1:]))


def evaluate(customers: DataFrame, counts: Counts, durations: Floats, seed: int) -> Evaluation:
    """Evaluate predictions.

    Args:
        customers: customer, duration, has_left, predicted and curve (arrays of survival at the durations).
        counts: counts of all customers, for the censoring distribution.
        durations: evaluated durations.
        seed: seed of the jackknife's groups.

    Collects a row per group, duration and bin: at most 20 × 10 × 251 for each of the two.
    """
    with_weights = _with_weights(customers, counts, durations, seed)
    tables = [_scores(with_weights, name, len(durations)) for name in ("predicted", "curve")]
    brier = np.stack([table[0] for table in tables], axis=-1)
    auc = np.stack([table[1] for table in tables], axis=-1)
    # Integrated over the evaluated time; durations are equally spaced.
    integrated, mean_auc = brier.mean(axis=1), np.nanmean(auc, axis=1)
    return Evaluation(
        durations, brier[0], auc[0],
        Estimate.by_jackknife(integrated[:, 0]), Estimate.by_jackknife(integrated[:, 1]),
        Estimate.by_jackknife(integrated[:, 1] - integrated[:, 0]),
        Estimate.by_jackknife(mean_auc[:, 0]), Estimate.by_jackknife(mean_auc[:, 1]),
    )  # fmt: skip


def _with_weights(customers: DataFrame, counts: Counts, durations: Floats, seed: int) -> DataFrame:
    """A row per customer and duration: group, place_of_time, has_left_by, is_there, weight, predicted, curve."""
    censoring = kaplan_meier(counts.reversed())
    # A customer who leaves at t was observed just before t; those censored at t are censored after it.
    before = np.concatenate([[1.0], censoring.survival[:-1]])
    in_sight = dict(zip(counts.duration.tolist(), before.tolist(), strict=True))
    lookup = customers.sparkSession.createDataFrame(list(in_sight.items()), "duration double, in_sight double")
    at = censoring.at(durations)[0]
    rows = F.array(
        *(
            F.struct(
                F.lit(place).alias("time"),
                (F.col("has_left") & (F.col("duration") <= F.lit(float(duration)))).alias("has_left_by"),
                (F.col("duration") > F.lit(float(duration))).alias("is_there"),
                F.lit(float(max(at[place], 1e-9))).alias("in_sight_at"),
                F.element_at("predicted", place + 1).alias("predicted"),
                F.element_at("curve", place + 1).alias("curve"),
            )
            for place, duration in enumerate(durations)
        )
    )
    group = F.pmod(F.xxhash64("customer", F.lit(seed)), F.lit(_GROUPS))
    weight = (
        F.when(F.col("has_left_by"), 1 / F.col("in_sight"))
        .when(F.col("is_there"), 1 / F.col("in_sight_at"))
        .otherwise(0.0)
    )
    return (
        customers.join(F.broadcast(lookup), "duration")
        .select(group.alias("group"), "in_sight", F.inline(rows))
        .withColumn("weight", weight)
    )


def _scores(rows: DataFrame, name: str, times: int) -> tuple[Floats, Floats]:
    """Brier score and AUC at each duration, (1 + groups, durations): of all, then without each group."""
    predicted: Column = F.col(name)
    error = F.when(F.col("has_left_by"), predicted**2).otherwise((1 - predicted) ** 2)
    table = (
        rows.groupBy("group", "time", F.floor(predicted * _PLACES).alias("place"))
        .agg(
            F.count("*").alias("customers"),
            F.sum(F.col("weight") * error).alias("error"),
            F.sum(F.when(F.col("has_left_by"), F.col("weight")).otherwise(0.0)).alias("left"),
            F.sum(F.when(F.col("is_there"), F.col("weight")).otherwise(0.0)).alias("there"),
        )
        .toPandas()
    )
    briers, aucs = [], []
    for without in (None, *range(_GROUPS)):
        part = table if without is None else table[table["group"] != without]
        by_time = part.groupby("time")[["error", "customers"]].sum().reindex(range(times))
        briers.append((by_time["error"] / by_time["customers"]).to_numpy(float))
        aucs.append([_auc(part[part["time"] == time]) for time in range(times)])
    return np.array(briers), np.array(aucs, float)


def _auc(part: pd.DataFrame) -> float:
    """Probability that a customer who left ranks below one who stayed; ties count half."""
    places = part.groupby("place")[["left", "there"]].sum().sort_index()
    left, there = places["left"].to_numpy(float), places["there"].to_numpy(float)
    pairs = left.sum() * there.sum()
    above = there.sum() - there.cumsum() + there / 2
    return float((left * above).sum() / pairs) if pairs > 0 else float("nan")
