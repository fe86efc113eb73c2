"""Count baskets in Spark: split into two periods, with short codes for items.

The driver collects counts: per day, per item with the minimum support, per itemset, per pair of common items; each is
bounded by the settings and does not grow with the number of baskets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.errors import PySparkException
from pyspark.ml.fpm import FPGrowth
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.utils import is_remote

from otklik.errors import PlatformError, RefusedError
from otklik.insights.rules.sizes import UnrelatedItems
from otklik.session import frame_of

#: Hash groups of baskets, which are resampled for the intervals of the later period.
GROUPS = 20
#: Maximum number of itemsets, which are held on the driver.
MOST_ITEMSETS = 100_000
#: Number of most common items that are paired: 44,850 pairs.
MOST_PAIRED_ITEMS = 300

Itemset = tuple[int, ...]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Baskets:
    """Baskets with codes for items.

    Attributes:
        rows: basket, is_later, group, items: codes in ascending order. Baskets without a coded item have no row.
        names: item of each code; the most common item of the earlier period has code 0.
        frequency: (2, codes) number of earlier and later baskets with each.
        sizes: (2, GROUPS) number of baskets: earlier and later, by group.
        filled: number of earlier baskets with a coded item.
        unrelated: the earlier and the later baskets if items were independent.
    """

    rows: DataFrame
    names: Sequence[str]
    frequency: Counts
    sizes: Counts
    filled: int
    unrelated: tuple[UnrelatedItems, UnrelatedItems]

    @property
    def earlier(self) -> int:
        """Number of baskets in which rules are searched."""
        return int(self.sizes[0].sum())

    @property
    def later(self) -> int:
        """Number of baskets for evaluation."""
        return int(self.sizes[1].sum())


def lines_of_baskets(purchases: DataFrame) -> DataFrame:
    """Each item of a basket once: basket, item, times, moment (the first; null if the frame has none).

    Lines are partitioned by basket, so that later aggregations per basket need no shuffle.
    """
    moment = F.col("moment") if "moment" in purchases.columns else F.lit(None).cast("timestamp")
    return (
        purchases.select("basket", "item", moment.alias("moment")).repartition("basket")
        .groupBy("basket", "item").agg(F.count("*").alias("times"), F.min("moment").alias("moment"))
    )  # fmt: skip


def size_per_basket(lines: DataFrame, largest: int) -> DataFrame:
    """One row per basket: basket, items (different ones), repeated (lines more than items), day, group, is_huge."""
    items, group = F.count("*"), F.pmod(_hash("group", F.col("basket")), F.lit(GROUPS))
    return lines.groupBy("basket").agg(
        items.alias("items"),
        (F.sum("times") - items).alias("repeated"),
        F.to_date(F.min("moment")).alias("day"),
        group.cast("int").alias("group"),
        (items > largest).alias("is_huge"),
    )


def counts_per_day(sizes: DataFrame) -> pd.DataFrame:
    """Baskets of each day and group: day (null without moments), group, is_huge, baskets, single, repeated, most."""
    return (
        sizes.groupBy("day", "group", "is_huge")
        .agg(
            F.count("*").alias("baskets"),
            F.count_if(F.col("items") == 1).alias("single"),
            F.sum("repeated").alias("repeated"),
            F.max("items").alias("most"),
        )
        .toPandas()
    )


def start_of_later_period(per_day: pd.DataFrame, share: float) -> date | None:
    """The first day of the later period: the latest day from which at least this share of the baskets come.

    None if baskets have no moments, or all have the same day.
    """
    days = per_day.dropna(subset="day").groupby("day")["baskets"].sum().sort_index()
    if len(days) < 2:
        return None
    from_here_on = days[::-1].cumsum()[::-1]
    start: date = from_here_on[from_here_on >= share * days.sum()].index[-1]
    # The earlier period must not be empty.
    second: date = days.index[1]
    return max(start, second)


def with_codes(
    lines: DataFrame,
    sizes: DataFrame,
    per_day: pd.DataFrame,
    start: date | None,
    support: float,
    keep: Callable[[DataFrame], DataFrame],
) -> Baskets:
    """Baskets that are not huge, with codes for items that have a support in the earlier period.

    Args:
        lines: see `lines_of_baskets`.
        sizes: see `size_per_basket`.
        per_day: see `counts_per_day`, of baskets that are not huge.
        start: start of the later period; None: there is none.
        support: minimum share of baskets of an item with a code. The number of codes is at most the average number of
            items per basket, divided by it.
        keep: persists a frame.
    """
    is_later = F.lit(False) if start is None else F.col("day") >= F.lit(start)
    kept = sizes.where(~F.col("is_huge")).select("basket", is_later.alias("is_later"), "group")
    period = np.zeros(len(per_day), dtype=int) if start is None else (per_day["day"] >= start).to_numpy(dtype=int)
    counted = np.zeros((2, GROUPS), dtype=np.int64)
    np.add.at(counted, (period, per_day["group"].to_numpy()), per_day["baskets"].to_numpy())
    in_baskets = lines.select("basket", "item").join(kept, "basket")
    least = least_count(support, int(counted[0].sum()))
    frequent = (
        in_baskets.where(~F.col("is_later")).groupBy("item").agg(F.count("*").alias("baskets"))
        .where(F.col("baskets") >= least).toPandas().sort_values(["baskets", "item"], ascending=[False, True])
    )  # fmt: skip
    names = frequent["item"].tolist()
    codes = frame_of(lines.sparkSession, [(name, code) for code, name in enumerate(names)], "item STRING, code INT")
    rows = keep(
        in_baskets.join(F.broadcast(codes), "item").groupBy("basket", "is_later", "group")
        .agg(F.array_sort(F.collect_list("code")).alias("items"))
    )  # fmt: skip
    filled = rows.groupBy("is_later", F.size("items").alias("size")).agg(F.count("*").alias("baskets")).toPandas()
    items = rows.select("is_later", F.explode("items").alias("code"))
    held = items.groupBy("is_later", "code").agg(F.count("*").alias("baskets")).toPandas()
    frequency = np.zeros((2, len(names)), dtype=np.int64)
    frequency[held["is_later"].to_numpy(dtype=int), held["code"].to_numpy()] = held["baskets"].to_numpy()
    by_period = [filled[filled["is_later"] == is_later].sort_values("size") for is_later in (False, True)]
    earlier, later = (
        UnrelatedItems.of(counts["size"].to_numpy(), counts["baskets"].to_numpy(), of_items)
        for counts, of_items in zip(by_period, frequency, strict=True)
    )
    return Baskets(rows, names, frequency, counted, int(by_period[0]["baskets"].sum()), (earlier, later))


def least_count(support: float, baskets: int) -> int:
    """Smallest number of baskets that is at least this share of all, in decimal arithmetic: .07 of 100 are 7, not 8."""
    return max(1, math.ceil(round(support * baskets, 9)))


def frequent_itemsets(baskets: Baskets, least: int) -> dict[Itemset, int]:
    """Itemsets with a minimum number of earlier baskets, and their counts (MLlib's FP-growth, Li et al. 2008).

    Raises:
        RefusedError: if there are more than MOST_ITEMSETS.
        PlatformError: on Spark Connect servers without FP-growth, such as Databricks serverless compute.
    """
    if baskets.filled < least:
        return {}
    rows = baskets.rows.where(~F.col("is_later")).select("items")
    # FP-growth converts the share back to a count: half a basket less makes that safe from rounding.
    share = (least - 0.5) / baskets.filled
    try:
        miner = FPGrowth(itemsCol="items", minSupport=share, minConfidence=1.0)
        found = miner.fit(rows).freqItemsets.limit(MOST_ITEMSETS + 1).toPandas()
    except PySparkException:
        if not is_remote():
            raise
        raise PlatformError(
            "this Spark Connect server does not run FPGrowth (Databricks serverless compute has no FPGrowth)",
            where="kind rules",
            hint="run the task on a classic cluster",
        ) from None
    if len(found) > MOST_ITEMSETS:
        raise RefusedError(
            f"more than {MOST_ITEMSETS:,} sets of items occur in at least {least:,} baskets",
            where="minimum_support",
            hint="raise minimum_support",
        )
    return {
        tuple(sorted(items.tolist())): int(count) for items, count in zip(found["items"], found["freq"], strict=True)
    }


def count_sets(baskets: Baskets, sets: Sequence[Itemset]) -> Counts:
    """Number of later baskets with each set, by group: (sets, GROUPS).

    A set is searched only in baskets with its rarest item. The result has at most one row per set and group.
    """
    counted = np.zeros((len(sets), GROUPS), dtype=np.int64)
    wanted = [(number, max(items), list(items)) for number, items in enumerate(sets)]
    looked_for = frame_of(baskets.rows.sparkSession, wanted, "number INT, rarest INT, wanted ARRAY<INT>")
    found = (
        baskets.rows.where("is_later").select("group", "items", F.explode("items").alias("rarest"))
        .join(F.broadcast(looked_for), "rarest")
        .where(F.size(F.array_except("wanted", "items")) == 0)
        .groupBy("number", "group").agg(F.count("*").alias("baskets")).toPandas()
    )  # fmt: skip
    counted[found["number"].to_numpy(), found["group"].to_numpy()] = found["baskets"].to_numpy()
    return counted


def count_pairs(baskets: Baskets, items: int) -> Counts:
    """Number of baskets with two of the most common items, by period and group: (2, GROUPS, items, items), symmetric.

    The diagonal has the number of baskets with each item.
    """
    found = (
        baskets.rows.select("is_later", "group", F.filter("items", lambda code: code < items).alias("items"))
        .select("*", F.explode("items").alias("first"))
        .select("is_later", "group", "first", F.explode("items").alias("second"))
        .where(F.col("first") <= F.col("second"))
        .groupBy("is_later", "group", "first", "second").agg(F.count("*").alias("baskets")).toPandas()
    )  # fmt: skip
    counted = np.zeros((2, GROUPS, items, items), dtype=np.int64)
    period, group = found["is_later"].to_numpy(dtype=int), found["group"].to_numpy()
    first, second = found["first"].to_numpy(), found["second"].to_numpy()
    counted[period, group, first, second] = counted[period, group, second, first] = found["baskets"].to_numpy()
    return counted


def _hash(salt: str, *columns: Column) -> Column:
    return F.xxhash64(F.lit(salt), *columns)
