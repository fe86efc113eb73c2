"""Evaluate lists: nDCG, recall and MAP of the first ten items, compared with later purchases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.recommend.candidates import METHODS, ItemTables, Limits, blocks, candidates
from otklik.forecasts.recommend.kind import RecommendTask
from otklik.forecasts.recommend.scoring import Learned, Weights, limits_of
from otklik.models.bootstrap import Floats, Resampling, interval
from otklik.session import checkpointed

#: Number of items of a list that are evaluated.
LENGTH = 10
#: The items to recommend: items that are new to the customer, or any.
TARGETS = ("new", "again")
METRICS = ("ndcg", "recall", "map", "novelty", "variety")
#: Hash groups of customers; intervals come from resampling the groups.
_GROUPS = 200
_SUMS = (
    "target STRING, method STRING, is_warm BOOLEAN, ndcg DOUBLE, recall DOUBLE, map DOUBLE, novelty DOUBLE, "
    "variety DOUBLE, shown ARRAY<BIGINT>, customers BIGINT, chunk INT"
)
_DISCOUNT = 1 / np.log2(np.arange(2, LENGTH + 2))

Lists = Mapping[str, Mapping[str, Weights]]


def of_list(relevant: npt.NDArray[np.bool_], count: int) -> tuple[float, float, float]:
    """nDCG, recall and average precision of one list.

    Args:
        relevant: (≤ LENGTH,) whether each shown item, best first, was bought.
        count: how many relevant items there are. Ideal gain and average precision are over min(LENGTH, count), so that
            a perfect list has 1; recall is over all.
    """
    best = min(LENGTH, count)
    precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
    return (
        float((relevant * _DISCOUNT[: len(relevant)]).sum() / _DISCOUNT[:best].sum()),
        float(relevant.sum() / count),
        float((relevant * precision).sum() / best),
    )


def best_places(scores: Floats, length: int = LENGTH) -> npt.NDArray[np.intp]:
    """The top rows by each column of scores; ties go to the earlier row: (≤ length, columns)."""
    return np.argsort(-np.round(scores, 9), axis=0, kind="stable")[:length]


def judged_group(rows: pd.DataFrame, lists: Lists) -> pd.DataFrame:
    """Sums of the metrics over some customers, and the items shown to them.

    Args:
        rows: candidates of some customers: customer, item, METHODS, buyers, is_own, is_warm, is_relevant, category,
            new, again (how many relevant items the customer has).
        lists: target → method → weights.

    Returns:
        target, method, is_warm; customers; sums of METRICS, of which novelty is the mean of −log2 buyers over the
        list, and variety the share of different categories in it; shown (items).
    """
    found: list[tuple[object, ...]] = []
    rows = rows.sort_values(["customer", "buyers", "item"], ascending=[True, False, True])
    for _, own in rows.groupby("customer", sort=True):
        first = own.iloc[0]
        for target, methods in lists.items():
            count = int(first[target])
            some = own[~own["is_own"]] if target == "new" else own
            if not count:
                continue
            scores = some[list(METHODS)].to_numpy(float) @ np.array(list(methods.values()), dtype=float).T
            top = best_places(scores)
            is_relevant, items = some["is_relevant"].to_numpy(bool)[top], some["item"].to_numpy()[top]
            novelty = -np.log2(some["buyers"].to_numpy(float))[top].sum(axis=0) / max(1, len(top))
            categories = some["category"].to_numpy(object)[top]
            for place, method in enumerate(methods):
                different = {category for category in categories[:, place] if category is not None}
                judged = of_list(is_relevant[:, place], count)
                found.append(
                    (
                        target,
                        method,
                        bool(first["is_warm"]),
                        *judged,
                        novelty[place],
                        len(different) / max(1, len(top)),
                        items[:, place].tolist(),
                        1,
                    )
                )
    by = ["target", "method", "is_warm"]
    table = pd.DataFrame(found, columns=[*by, *METRICS, "shown", "customers"])
    return table.groupby(by, sort=True, as_index=False).sum()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of lists, summed by group of customers.

    Attributes:
        sums: target, method, is_warm, chunk, customers, METRICS: at most 2 × _GROUPS rows per list.
        shown: target, method, items: number of different items shown to warm customers.
        replicates: bootstrap replicates of each interval.
    """

    sums: pd.DataFrame
    shown: Mapping[tuple[str, str], int]
    replicates: int

    @classmethod
    def of_nobody(cls) -> Evaluation:
        """The result if there were no purchases that could have been recommended."""
        return cls(pd.DataFrame(columns=["target", "method", "is_warm", "chunk", "customers", *METRICS]), {}, 0)

    def and_of(self, others: Evaluation) -> Evaluation:
        """Combine with results of other lists for the same customers."""
        return Evaluation(
            pd.concat([self.sums, others.sums], ignore_index=True), {**self.shown, **others.shown}, self.replicates
        )

    def customers(self, target: str, is_warm: bool = True) -> int:
        """Number of evaluated customers."""
        by_method = self._of(target, is_warm).groupby("method")["customers"].sum()
        return int(by_method.max()) if len(by_method) else 0

    def best(self, target: str, methods: Iterable[str]) -> str:
        """The list with the highest nDCG for warm customers; ties go to the one named first."""
        total = self._of(target, True).groupby("method")["ndcg"].sum()
        return max(methods, key=lambda method: round(float(total[method]), 9))

    def estimate(self, target: str, method: str, metric: str, is_warm: bool = True, less: str = "") -> MetricEstimate:
        """A metric's mean over customers, or its difference from that of another list for the same customers."""
        chosen = self._of(target, is_warm)
        by_chunk = chosen.pivot_table([metric, "customers"], "chunk", "method", "sum", sort=True)
        values, customers = by_chunk[metric, method], by_chunk["customers", method].to_numpy(float)
        sums = (values - by_chunk[metric, less] if less else values).to_numpy(float)
        drawn = Resampling.of(by_chunk.index.to_numpy(), self.replicates, f"recommend {target}").sums(sums, customers)
        with np.errstate(invalid="ignore", divide="ignore"):
            return MetricEstimate(float(sums.sum() / customers.sum()), *interval(drawn[0] / drawn[1]))

    def _of(self, target: str, is_warm: bool) -> pd.DataFrame:
        return self.sums[(self.sums["target"] == target) & (self.sums["is_warm"] == is_warm)]


@dataclass(frozen=True)
class MetricEstimate:
    """A number with its 95 % interval; None with too few customers."""

    value: float
    low: float | None
    high: float | None


def _with_relevant(block: pd.DataFrame, tables: ItemTables, limits: Limits) -> pd.DataFrame:
    """Candidates of some customers as input of `judged_group`."""
    rows = candidates(block, tables, limits)
    place, item = rows["place"].to_numpy(), rows["item"].to_numpy()
    counts = block["relevant"].map(len).to_numpy()
    relevant = np.repeat(np.arange(len(block)), counts) * len(tables.buyers) + np.concatenate(list(block["relevant"]))
    return rows.assign(
        customer=block["customer"].to_numpy()[place],
        is_relevant=np.isin(place * len(tables.buyers) + item, relevant),
        category=None if tables.category is None else tables.category[item],
        new=block["new"].to_numpy()[place],
        again=counts[place],
    )


def evaluate(learned: Learned, later: DataFrame, lists: Lists, task: RecommendTask) -> Evaluation:
    """Evaluate lists of some customers.

    Collects sums by group of customers and a count per list; see `Evaluation`.

    Args:
        learned: fitted to earlier purchases.
        later: customer, item, is_new: later purchases of known items by known customers.
        lists: target → method → weights.
        task: see `RecommendTask`.
    """
    chunk = F.pmod(F.xxhash64(F.lit("judged"), "customer"), F.lit(_GROUPS)).cast("int")
    bought = later.groupBy("customer").agg(
        F.collect_list(F.col("item").cast("bigint")).alias("relevant"), F.count_if("is_new").alias("new")
    )
    rows = learned.customers.join(bought, "customer").withColumn("chunk", chunk)
    tables, limits = learned.items, limits_of(task)

    def of_group(group: pd.DataFrame) -> pd.DataFrame:
        rows = [_with_relevant(block, tables, limits) for block in blocks(group, tables, limits)]
        return judged_group(pd.concat(rows), lists).assign(chunk=group["chunk"].iloc[0])

    found = checkpointed(rows.groupBy("chunk").applyInPandas(of_group, _SUMS))
    items = (
        found.where("is_warm").select("target", "method", F.explode("shown").alias("item"))
        .groupBy("target", "method").agg(F.countDistinct("item").alias("items")).collect()
    )  # fmt: skip
    return Evaluation(
        found.drop("shown").toPandas(), {(row[0], row[1]): row[2] for row in items}, task.bootstrap_replicates
    )
