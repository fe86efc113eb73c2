"""Whom to contact given cost, value and budget, who is held out as control, and the value of the list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.models.bootstrap import Floats, Resampling, interval
from otklik.models.evaluate import Bools, profit_draws

#: Number of buckets of probabilities, so that one task can rank the rows of a bucket.
_BUCKETS = 1_000
#: Resolution of a hash when a share of keys is drawn.
_PARTS = 1_000_000


def audience(
    scores: DataFrame,
    *,
    cost: float,
    value: float,
    budget: float | None,
    control_share: float,
    campaign: str,
    salt: str,
) -> DataFrame:
    """The list of actions: rows whose probability is above cost / value, best first, cut by the budget.

    Args:
        scores: key, as_of, probability, expected_profit, run_id; one row per key and as_of.
        cost: of a contact, the currency of value and budget.
        value: of a response.
        budget: maximum cost of all contacts on the list; None for no limit.
        control_share: share of the list held out as a control group, drawn by key: a key is control in all its
            rows or in none.
        campaign: name of the campaign; another campaign has another control group.
        salt: salt of the control group.

    Returns:
        The columns of gold.<task>_actions: rank numbers the whole list from 1, control included, so that the list does
        not depend on the draw; ties of probability are ranked by a hash of the key, then by key and as_of.
    """
    # The same comparison as models.evaluate.is_worthwhile, so that the scoreboard's profit refers to this list.
    listed = with_rank(scores.where(F.col("probability") > F.lit(cost / value)), salt)
    if budget is not None:
        listed = listed.where(F.col("rank") <= affordable(budget, cost))
    arm = F.when(is_control(control_share, campaign, salt), F.lit("control")).otherwise(F.lit("contact"))
    return listed.select("key", "as_of", "rank", arm.alias("arm"), "probability", "expected_profit", "run_id")


def is_control(control_share: float, campaign: str, salt: str) -> Column:
    """Whether the row's key is in the campaign's control group."""
    part = F.pmod(F.xxhash64(F.col("key"), F.lit(campaign), F.lit(salt)), F.lit(_PARTS))
    return part < F.lit(round(control_share * _PARTS))


def affordable(budget: float, cost: float) -> int:
    """Number of contacts that a budget pays for, in decimal arithmetic: 0.3 pays for three at 0.1."""
    return int(Decimal(str(budget)) // Decimal(str(cost)))


def with_rank(scores: DataFrame, salt: str) -> DataFrame:
    """Add `rank`, 1 for the highest probability; ties by a hash of the key and the salt, then by key and as_of.

    A global row_number would bring all rows into one task. Instead rows are numbered within buckets of probability, and
    each bucket starts after the rows of the buckets above.
    """
    bucket = F.floor(F.col("probability") * _BUCKETS).alias("_bucket")
    bucketed = scores.select("*", bucket)
    better = Window.partitionBy(F.lit(0)).orderBy(F.desc("_bucket"))
    sizes = bucketed.groupBy("_bucket").agg(F.count("*").alias("_size"))
    starts = sizes.select("_bucket", (F.sum("_size").over(better) - F.col("_size")).alias("_start"))
    best_first = Window.partitionBy("_bucket").orderBy(
        F.desc("probability"), F.xxhash64(F.col("key"), F.lit(salt)), F.col("key"), F.col("as_of")
    )
    numbered = bucketed.withColumn("_place", F.row_number().over(best_first))
    ranked = numbered.join(F.broadcast(starts), "_bucket", "inner")
    return ranked.withColumn("rank", F.col("_start") + F.col("_place")).drop("_bucket", "_start", "_place")


def action_values(
    probability: Floats,
    label: Floats,
    unit: npt.NDArray[Any],
    listed: Bools,
    control: Bools,
    *,
    cost: float,
    value: float,
    replicates: int,
    salt: str,
) -> list[dict[str, str | int | float | None]]:
    """Profit of the list compared with contacting all, none, or only those who say yes.

    Args:
        probability: (rows,) calibrated probability of yes of every scored row, out of fold where it has a label.
        label: (rows,) 1, 0, or NaN if it is unknown.
        unit: (rows,) resampling unit of the bootstrap.
        listed: (rows,) whether the row is on the list, control included.
        control: (rows,) whether the row is held out.
        cost: of a contact.
        value: of a response.
        replicates: number of bootstrap replicates.
        salt: salt of the bootstrap.

    Returns:
        Rows of gold.action_value without task and run_id, for list, all, none and oracle. Values include the control
        group; `all` and `oracle` ignore the budget. If a row has no label, out_of_fold_profit, low and high are None,
        and so are all values of oracle.
    """
    nobody, everybody = np.zeros(len(label), dtype=np.bool_), np.ones(len(label), dtype=np.bool_)
    is_labelled = len(label) > 0 and not np.isnan(label).any()
    yes = label == 1
    policies = {"list": listed, "all": everybody, "none": nobody, "oracle": yes}
    resampling = Resampling.of(unit, replicates, salt)
    found = []
    for policy, contacted in policies.items():
        known = is_labelled or policy != "oracle"
        profit, low, high = None, None, None
        if is_labelled:
            profit = float(value * (contacted & yes).sum() - cost * contacted.sum())
            hits, contacts, size = resampling.sums(contacted & yes, contacted, everybody)
            low, high = interval(profit_draws(hits, contacts, size, cost=cost, value=value, rows=len(label)))
        row: dict[str, str | int | float | None] = {
            "policy": policy,
            "customers": int(contacted.sum()) if known else None,
            "expected_profit": expected_profit(probability, contacted, cost, value) if known else None,
            "out_of_fold_profit": profit,
            "low": low,
            "high": high,
            "control_cost": expected_profit(probability, listed & control, cost, value) if policy == "list" else 0.0,
        }
        found.append(row)
    return found


def expected_profit(probability: Floats, contacted: Bools, cost: float, value: float) -> float:
    """Σ (probability × value − cost) over the contacted rows, summed in a fixed order."""
    chosen = np.sort(probability[contacted])
    return float((chosen * value - cost).sum())
