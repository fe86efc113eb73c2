"""Transfer: the share of a product's value that transfers to others of its category, estimated from stock-outs.

Each day without a product is compared with the same weekday one and two weeks before and after, if the product was in
stock. Only lost value of customers who also buy another product of the category counts; gained value is the increase
of those other products. Sales of all other categories on the same days correct both for busy and quiet days
(difference in differences). Gruen, Corsten and Bharadwaj (2002) asked shoppers for this share; here it is estimated
from sales. Intervals by a jackknife over weeks, because products share the shocks of a day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.inference import Estimate

#: Days between a day without stock and the days compared with it.
_OFFSETS = (-14, -7, 7, 14)
#: With fewer weeks, or a wider interval, the estimate is not used.
_FEWEST_WEEKS, _WIDEST = 8, 0.5


@dataclass(frozen=True)
class Transfer:
    """A share with its interval, and the data behind it."""

    share: Estimate
    days: int = 0
    weeks: int = 0
    missed: float = 0.0
    gained: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether the estimate is precise enough to be used."""
        return self.weeks >= _FEWEST_WEEKS and self.share.high - self.share.low <= _WIDEST


def measured(purchases: DataFrame, out_of_stock: DataFrame, products: DataFrame, cut: dt.datetime) -> Transfer:
    """The share, from sales before the cut.

    Collects one row per week.

    Args:
        purchases: group, product, day, value: of earlier purchases.
        out_of_stock: product, day and perhaps group.
        products: group, product, category, alone (what names a category of one product), portable (share of its value
            from customers who also buy another product of the category).
        cut: end of the earlier period.
    """
    shelf, category, group = ["group", "product"], ["group", "category", "alone"], ["group"]
    sold = (
        purchases.join(F.broadcast(products), shelf)
        .groupBy(*category, "product", "portable", "day").agg(F.sum("value").alias("value"))
    )  # fmt: skip
    days = sold.groupBy(*category, "product", "portable").agg(F.min("day").alias("first"), F.max("day").alias("last"))
    on = [name for name in shelf if name in out_of_stock.columns]
    out = (
        out_of_stock.where(F.col("day") < F.lit(cut.date())).select(*on, "day").distinct()
        .join(F.broadcast(days), on).where(F.col("day").between(F.col("first"), F.col("last")))
    )  # fmt: skip
    beside = out.select(*out.columns, F.explode(F.array(*map(F.lit, _OFFSETS))).alias("offset"))
    beside = (
        beside.withColumn("on", F.date_add("day", F.col("offset")))
        .where(F.col("on").between(F.col("first"), F.col("last")))
        .join(out.select(*shelf, F.col("day").alias("on")), [*shelf, "on"], "left_anti")
    )
    compared = [*category, "product", "portable", "day"]
    rows = beside.groupBy(*compared).agg(F.collect_list("on").alias("others")).select(
        *compared, F.posexplode(F.concat(F.array("day"), "others")).alias("place", "on"),
        F.size("others").alias("count"),
    )  # fmt: skip
    for name, by in (("product", [*category, "product"]), ("category", category), ("group", group)):
        total = sold.groupBy(*by, F.col("day").alias("on")).agg(F.sum("value").alias(f"of_{name}"))
        rows = _joined(rows, total, [*by, "on"]).fillna(0.0, [f"of_{name}"])
    is_out, weight = F.col("place") == 0, F.when(F.col("place") == 0, 1.0).otherwise(1 / F.col("count"))
    parts = {
        "own": F.col("portable") * F.col("of_product"),
        "others": F.col("of_category") - F.col("of_product"),
        "control": F.col("of_group") - F.col("of_category"),
    }

    def total_of(part: Column, wanted: Column) -> Column:
        return F.sum(F.when(wanted, part * weight).otherwise(0.0))

    week = F.floor(F.datediff("day", F.lit(dt.date(1970, 1, 1))) / 7)
    sums = rows.groupBy(week.alias("week")).agg(
        F.count_if(is_out).alias("days"),
        *(total_of(part, is_out).alias(f"{name}_out") for name, part in parts.items()),
        *(total_of(part, ~is_out).alias(f"{name}_beside") for name, part in parts.items()),
    )
    weeks = sums.toPandas().sort_values("week")
    if weeks.empty:
        return Transfer(Estimate())
    values = weeks.drop(columns=["week", "days"]).to_numpy(float)
    totals = np.vstack([values.sum(axis=0), values.sum(axis=0) - values]).T
    own_out, others_out, control_out, own, others, control = totals
    usual = np.divide(control_out, control, out=np.ones_like(control), where=control > 0)
    missed, gained = own * usual - own_out, others_out - others * usual
    shares = np.divide(gained, missed, out=np.full_like(missed, np.nan), where=missed > 0)
    found = Estimate.by_jackknife(shares)
    return Transfer(found, int(weeks["days"].sum()), len(weeks), float(missed[0]), float(gained[0]))


def _joined(rows: DataFrame, totals: DataFrame, by: list[str]) -> DataFrame:
    """Rows with their totals; a null category counts as a category."""
    same = [F.col(f"rows.{name}").eqNullSafe(F.col(f"totals.{name}")) for name in by]
    condition = same[0]
    for one in same[1:]:
        condition &= one
    joined = rows.alias("rows").join(totals.alias("totals"), condition, "left")
    return joined.select("rows.*", *(f"totals.{name}" for name in totals.columns if name not in by))
