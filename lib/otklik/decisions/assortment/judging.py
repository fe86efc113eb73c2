"""Value retained by sets of every size, from one pass over all purchases.

Each rule ranks products, so its sets are nested: a need is met from the best rank of its products, and sums by rank
give the whole curve. Ranks are in tenths of the places, so that pools of any size share one axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.decisions.assortment.choice import Floats, Whole
from otklik.decisions.assortment.kind import AssortmentTask
from otklik.inference import Estimate

METHODS = ("chosen", "best_sellers", "random")
SPLITS = ("earlier", "later")
#: Number of points of the curve up to the places of the task, and again beyond.
STEPS = 10
_BEYOND = 2 * STEPS + 1
#: Number of jackknife groups of customers.
_BUCKETS = 100


@dataclass(frozen=True, eq=False)
class Pools:
    """Places that products compete for: those of a group, or of a category with its own in that group.

    Attributes:
        of_product: (products,) index of the pool.
        places: (pools,) places.
        products: (pools,) products that compete for them.
    """

    of_product: Whole
    places: Whole
    products: Whole

    @classmethod
    def of(cls, products: pd.DataFrame, task: AssortmentTask) -> Pools:
        """The pools of products with group and category."""
        own = products["category"].where(products["category"].isin(list(task.category_places)))
        pool, names = pd.factorize(pd.MultiIndex.from_arrays([products["group"], own.fillna("")]))
        places = [task.category_places.get(category, task.places) for _, category in names]
        return cls(pool.astype(np.int64), np.array(places, dtype=np.int64), np.bincount(pool, minlength=len(places)))

    @property
    def has_choice(self) -> bool:
        """Whether any product has to be dropped."""
        return bool((self.products > self.places).any())

    def steps(self, turn: Whole) -> Whole:
        """(products,) tenths of the places from which each product is kept; rank 0 and late ranks: never."""
        tenths = -(-STEPS * turn // self.places[self.of_product])
        return np.where((turn > 0) & (tenths < _BEYOND), tenths, _BEYOND)

    def places_at(self, step: int) -> int:
        """Products kept at a step, in all pools."""
        return int(np.minimum(self.places * step // STEPS, self.products).sum())


@dataclass(frozen=True, eq=False)
class Judged:
    """Sums over all customers, and leaving out each group of customers: (1 + groups) rows, a column per step.

    Attributes:
        own: (split, method) → value of the products kept up to each step.
        needs: likewise, value of the needs that are met.
        customers: likewise, number of customers who find a product.
    """

    own: Mapping[tuple[str, str], Floats]
    needs: Mapping[tuple[str, str], Floats]
    customers: Mapping[tuple[str, str], Floats]

    def kept_itself(self, split: str, method: str, step: int = STEPS) -> Floats:
        """Share of value of the kept products themselves, in total and without each group of customers."""
        return _share(self.own[split, method], step)

    def met(self, split: str, method: str, step: int = STEPS) -> Floats:
        """Likewise, of value for which the customer finds a product of the category."""
        return _share(self.needs[split, method], step)

    def reach(self, split: str, method: str, step: int = STEPS) -> Floats:
        """Likewise, of customers who find a product."""
        return _share(self.customers[split, method], step)

    def kept(self, split: str, method: str, transfer: float, step: int = STEPS) -> Floats:
        """Likewise, of retained value, including transfer."""
        return (1 - transfer) * self.kept_itself(split, method, step) + transfer * self.met(split, method, step)

    def gain(self, transfer: float) -> Estimate:
        """Difference in retained later value between the chosen set and the best sellers."""
        kept = [self.kept("later", method, transfer) for method in ("chosen", "best_sellers")]
        return Estimate.by_jackknife(kept[0] - kept[1])

    def break_even(self) -> Estimate:
        """The transfer above which the chosen set retains more: 0 = for any transfer; NaN if there is none below 1."""
        own, met = (of("later", "chosen") - of("later", "best_sellers") for of in (self.kept_itself, self.met))
        if own[0] > 0 and met[0] > 0:
            return Estimate(0.0, 0.0, 0.0)
        turn = np.divide(-own, met - own, out=np.full_like(own, np.nan), where=met > own)
        found = Estimate.by_jackknife(turn)
        return found if 0 <= round(found.value, 9) < 1 else Estimate()


def evaluate(bought: DataFrame, products: DataFrame) -> Judged:
    """Sums over all customers.

    Collects rows by group of customers, split, method and step.

    Args:
        bought: customer, group, product, window (below 0: the later period), value.
        products: group, product, category, alone, and the step of each product by METHODS.
    """
    bucket = F.pmod(F.xxhash64("customer", F.lit("jackknife")), F.lit(_BUCKETS)).cast("int")
    rows = bought.join(F.broadcast(products), ["group", "product"]).withColumn("bucket", bucket)
    earliest = [F.min(name).alias(name) for name in METHODS]
    period = ["bucket", "window"]
    needs = rows.groupBy(*period, "customer", "group", "category", "alone").agg(
        F.sum("value").alias("value"), *earliest
    )
    customers = rows.groupBy(*period, "customer").agg(F.lit(1.0).alias("value"), *earliest)
    sums = None
    for what, frame in (("own", rows), ("needs", needs), ("customers", customers)):
        each = F.explode(
            F.array(*(F.struct(F.lit(name).alias("method"), F.col(name).alias("step")) for name in METHODS))
        )
        split = F.when(F.col("window") < 0, "later").otherwise("earlier").alias("split")
        by_step = (
            frame.select("bucket", split, "value", each.alias("each"))
            .groupBy("bucket", "split", "each.method", "each.step").agg(F.sum("value").alias("value"))
            .withColumn("what", F.lit(what))
        )  # fmt: skip
        sums = by_step if sums is None else sums.unionByName(by_step)
    assert sums is not None
    found = sums.toPandas()
    buckets = np.unique(found["bucket"])
    totals: dict[str, dict[tuple[str, str], Floats]] = {}
    for key, part in found.groupby(["what", "split", "method"]):
        what, *of = map(str, key)
        of_groups = np.zeros((len(buckets), _BEYOND + 1))
        of_groups[np.searchsorted(buckets, part["bucket"]), part["step"]] = part["value"]
        up_to = of_groups.cumsum(axis=1)
        totals.setdefault(what, {})[of[0], of[1]] = np.vstack([up_to.sum(axis=0), up_to.sum(axis=0) - up_to])
    return Judged(totals["own"], totals["needs"], totals["customers"])


def _share(up_to: Floats, step: int) -> Floats:
    share: Floats = up_to[:, step] / np.maximum(up_to[:, -1], np.finfo(float).tiny)
    return share
