"""The kind `recommend`: choose the weights of a blend, evaluate it on later purchases, make the lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.forecasts.recommend import history, serving
from otklik.forecasts.recommend.candidates import METHODS
from otklik.forecasts.recommend.judging import METRICS, TARGETS, Evaluation, Lists, MetricEstimate, evaluate
from otklik.forecasts.recommend.kind import RecommendTask
from otklik.forecasts.recommend.scoring import ALONE, Learned, Weights, iterations, learned_from
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.session import checkpointed

#: Weights of the blend add up to 1: multiples of this fraction are tried, then those half of it around the best.
_PARTS = 4
#: The naive rules.
NAIVE = {"new": ("popularity",), "again": ("own", "popularity")}
_CHOICE, _TEST = "choice", "test"


@dataclass(frozen=True, eq=False)
class Judged:
    """Results of lists in the test period, and what was chosen in the period before it.

    Attributes:
        test: of each method and the blend.
        blend: target → the weights chosen.
        cold: target → method for cold customers: the naive rule, or `segment` if that was better before.
        naive: target → the naive rule with the higher nDCG in the period before.
    """

    test: Evaluation
    blend: Mapping[str, Weights]
    cold: Mapping[str, str]
    naive: Mapping[str, str]


def run(frames: Mapping[str, DataFrame], task: RecommendTask, context: StageContext) -> StageResult:
    """Evaluate recommendations with a global temporal split, and make the lists from all purchases.

    The driver collects sums by group of customers (see `judging`) and tables of items, never of customers.

    Returns:
        Table `recommendations`. Measures by method and target (new: items the customer has not bought yet; again: any):
        METRICS with intervals and coverage, of warm and of cold customers; `ndcg_gain` of the blend over each naive
        rule; `weight` of each method in the blend; `reason_share` of the lists made.

    Raises:
        ConfigurationError: if a setting needs a column of `items` that is not given.
    """
    items = _items(frames, task)
    end = context.as_of + timedelta(microseconds=1)
    test, choice = (context.as_of - timedelta(days=days * task.test_days) for days in (1, 2))
    counted = history.counted(
        frames["purchases"].where(F.col("moment") < F.lit(end)), {_CHOICE: (choice, test), _TEST: (test, end)}
    )
    counted = context.keep(counted)
    buyers = counted.select("customer")
    if "customers" in frames:
        # Customers without purchases get a list, too.
        buyers = buyers.unionByName(frames["customers"].select("customer"))
    names = {
        "customer": context.keep(history.numbered(buyers, "customer")),
        "item": context.keep(history.numbered(counted, "item")),
    }
    # These rows are used several times, and planning them takes longer than computing them.
    pairs = checkpointed(_as_numbers(counted, names))
    target = "again" if task.buy_again else "new"
    beside = _Beside(
        _segments(frames, names["customer"], context), None if items is None else _categories(items, names["item"])
    )
    judged, too_few = _judged(pairs, task, context, beside)
    if judged is None:
        measures: list[Measure] = []
        verdict, findings = Verdict("too_little_data", [too_few] if too_few else []), []
        weights = cold = ALONE[NAIVE[target][0]]
    else:
        measures = _measures(judged, pairs, has_categories=beside.categories is not None)
        verdict, findings = _verdict(measures, target), _findings(measures, target)
        cold = ALONE[judged.cold[target]]
        weights = judged.blend[target] if verdict.verdict == "gain" else ALONE[judged.naive[target]]
    context.step.under_way("making the lists")
    served = serving.lists_of_all(pairs, names, items, task, context, weights, cold, beside.segments)
    made = iterations(context.spark, task)
    if made < task.als_iterations:
        findings = [*findings, Finding("few_iterations", parameters={"made": made, "asked": task.als_iterations})]
    return StageResult(
        {"recommendations": served.rows},
        [*measures, *served.measures],
        verdict,
        [*findings, *served.findings],
    )


def _items(frames: Mapping[str, DataFrame], task: RecommendTask) -> DataFrame | None:
    """The frame `items`, each item once; None without one."""
    if "items" not in frames:
        return None
    rows = frames["items"]
    for setting, column in (("category_cap", "category"), ("minimum_margin", "margin")):
        if getattr(task, setting) is not None and column not in rows.columns:
            raise ConfigurationError(
                f"{setting} needs the column `{column}`", where="frames.items.columns",
                hint=f"give an expression for `{column}`, or leave {setting} out",
            )  # fmt: skip
    least = [F.min(name).alias(name) for name in ("in_stock", "category", "margin") if name in rows.columns]
    return rows.groupBy("item").agg(*(least or [F.count("*").alias("rows")]))


@dataclass(frozen=True, eq=False)
class _Beside:
    """Additional data: customer, segment; item, category (both as integers); None if there are none."""

    segments: DataFrame | None
    categories: DataFrame | None


def _segments(frames: Mapping[str, DataFrame], numbers: DataFrame, context: StageContext) -> DataFrame | None:
    if "customers" not in frames:
        return None
    each = frames["customers"].groupBy("customer").agg(F.min("segment").alias("segment"))
    return context.keep(each.join(numbers, "customer").select(F.col("customer_number").alias("customer"), "segment"))


def _categories(items: DataFrame, numbers: DataFrame) -> DataFrame | None:
    if "category" not in items.columns:
        return None
    return items.join(numbers, "item").select(F.col("item_number").alias("item"), "category")


def _as_numbers(counted: DataFrame, names: Mapping[str, DataFrame]) -> DataFrame:
    for key, numbers in names.items():
        counted = counted.join(numbers, key).drop(key).withColumnRenamed(f"{key}_number", key)
    return counted


def _judged(
    pairs: DataFrame, task: RecommendTask, context: StageContext, beside: _Beside
) -> tuple[Judged | None, Finding | None]:
    """Results of both periods; or None and a finding, if one has too few customers."""
    target = "again" if task.buy_again else "new"
    context.step.under_way("choosing the weights")
    alone = {name: weights for name, weights in ALONE.items() if name != "segment" or beside.segments is not None}
    of_cold = {"segment": ALONE["segment"]} if "segment" in alone else {}
    tried = {name: dict(_grid(name)) | of_cold for name in TARGETS}
    period = _of_period(pairs, _CHOICE, task, context, beside)
    choice = period.evaluate(tried, task)
    if too_few := _too_few(choice, _CHOICE, target, task):
        return None, too_few
    naive = {name: choice.best(name, NAIVE[name]) for name in TARGETS if choice.customers(name)}
    mixtures = {name: dict(_grid(name)) for name in naive}
    near = {name: _around(grid[choice.best(name, grid)], name) for name, grid in mixtures.items()}
    choice = choice.and_of(period.evaluate(near, task))
    blend = {name: _chosen(choice, name, mixtures[name] | near[name], rule) for name, rule in naive.items()}
    lists = {
        name: {key: one for key, one in alone.items() if name == "again" or key != "own"} | {"blend": weights}
        for name, weights in blend.items()
    }
    context.step.under_way("evaluating on the last days")
    test = _of_period(pairs, _TEST, task, context, beside).evaluate(lists, task)
    too_few = _too_few(test, _TEST, target, task)
    return (None, too_few) if too_few else (Judged(test, blend, _cold(choice, naive, beside), naive), None)


def _cold(choice: Evaluation, naive: Mapping[str, str], beside: _Beside) -> dict[str, str]:
    """Popularity in the segment, if it was significantly better than the naive rule for cold customers."""
    found = dict(naive)
    for target, rule in naive.items():
        if beside.segments is not None and choice.customers(target, is_warm=False):
            gain = choice.estimate(target, "segment", "ndcg", is_warm=False, less=rule)
            if gain.low is not None and gain.low > 0:
                found[target] = "segment"
    return found


def _too_few(evaluation: Evaluation, period: str, target: str, task: RecommendTask) -> Finding | None:
    count = evaluation.customers(target)
    if count >= task.minimum_customers:
        return None
    return Finding(
        f"few_customers_{period}", parameters={"count": count, "minimum": task.minimum_customers}, value=count
    )


def _grid(target: str) -> Sequence[tuple[str, Weights]]:
    """All weights that are tried: the naive rules first, by their names, then the rest."""
    naive = [(name, ALONE[name]) for name in NAIVE[target]]
    parts = [
        (a / _PARTS, b / _PARTS, c / _PARTS, d / _PARTS, 0.0)
        for a, b, c, d in itertools.product(range(_PARTS + 1), repeat=4)
        if a + b + c + d == _PARTS and (target == "again" or not a)
    ]
    return [*naive, *((str(weights), weights) for weights in parts if weights not in dict(naive).values())]


def _around(best: Weights, target: str) -> dict[str, Weights]:
    """The weights that move half a fraction from one method of the best weights to another."""
    half, may_count = 0.5 / _PARTS, range(0 if target == "again" else 1, 4)
    found = {}
    for more, less in itertools.permutations(may_count, 2):
        if best[less] >= half:
            own, popularity, item_item, als = (
                weight + half * ((place == more) - (place == less)) for place, weight in enumerate(best[:4])
            )
            moved: Weights = (own, popularity, item_item, als, 0.0)
            found[str(moved)] = moved
    return found


def _chosen(choice: Evaluation, target: str, tried: Mapping[str, Weights], naive: str) -> Weights:
    """The weights nearest to the naive rule of those that are not significantly worse than the best (95 %).

    Like the one-standard-error rule (Breiman, Friedman, Olshen, Stone 1984, "Classification and Regression Trees"): of
    many weights the best is partly so by luck, so the list departs from the naive rule only as far as the data support.
    """
    best = choice.best(target, tried)
    lost = {key: choice.estimate(target, best, "ndcg", less=key) for key in tried}
    near = [key for key, difference in lost.items() if difference.low is None or difference.low <= 0]
    place = METHODS.index(naive)
    return tried[max(near, key=lambda key: (tried[key][place], -lost[key].value))]


@dataclass(frozen=True, eq=False)
class _Period:
    """The methods fitted before a period, and purchases of known items in it: customer, item, is_new.

    `learned` is None without such purchases.
    """

    learned: Learned | None
    later: DataFrame

    def evaluate(self, lists: Lists, task: RecommendTask) -> Evaluation:
        return Evaluation.of_nobody() if self.learned is None else evaluate(self.learned, self.later, lists, task)


def _of_period(pairs: DataFrame, period: str, task: RecommendTask, context: StageContext, beside: _Beside) -> _Period:
    """The data of a period on which lists are evaluated."""
    times = F.col(f"times_{period}").alias("times")
    before = pairs.where(times > 0).select("customer", "item", times)
    known = before.select("item").distinct()
    later = pairs.where(f"is_in_{period}").join(known, "item", "left_semi")
    customers = later.select("customer").distinct()
    count = customers.count()
    if not count:
        return _Period(None, later)
    share = min(1.0, task.judged_customers / count)
    million = F.pmod(F.xxhash64(F.lit("sample"), "customer"), F.lit(1_000_000))
    wanted = context.keep(customers.where(million < F.lit(round(share * 1_000_000))))
    relevant = later.join(wanted, "customer").select(
        "customer", "item", (F.col(f"times_{period}") == 0).alias("is_new")
    )
    learned = learned_from(
        before, wanted, task, context.seed, context.keep, categories=beside.categories, segments=beside.segments
    )
    return _Period(replace(learned, customers=context.keep(learned.customers)), context.keep(relevant))


def _measures(judged: Judged, pairs: DataFrame, *, has_categories: bool) -> list[Measure]:
    """Metrics of every list with the naive rule as baseline; the gain of the blend; its weights; coverage."""
    test = judged.test
    before = pairs.where(F.col(f"times_{_TEST}") > 0)
    known_items, known_customers = before.agg(F.countDistinct("item"), F.countDistinct("customer")).collect()[0]
    found: list[Measure] = []
    for target, weights in judged.blend.items():
        if not test.customers(target):
            continue
        naive = judged.naive[target]
        methods = [method for name, method in test.shown if name == target]
        for split, is_warm in ((target, True), (f"{target}_cold", False)):
            customers = test.customers(target, is_warm)
            if not customers:
                continue
            for metric, method in itertools.product(METRICS if has_categories else METRICS[:-1], methods):
                # Novelty is summed as the logarithm of a count, and returned as that of a share.
                shift = math.log2(known_customers) if metric == "novelty" else 0.0
                value = test.estimate(target, method, metric, is_warm)
                beside = test.estimate(target, naive, metric, is_warm)
                found.append(_measure(metric, method, split, value, customers, beside.value + shift, shift))
        if "segment" in methods and (cold := test.customers(target, is_warm=False)):
            gain = test.estimate(target, "segment", "ndcg", is_warm=False, less=naive)
            found.append(_measure("ndcg_gain", "segment", f"{target}_cold", gain, cold, 0.0))
        for rule in NAIVE[target]:
            gain = test.estimate(target, "blend", "ndcg", less=rule)
            found.append(_measure("ndcg_gain", rule, target, gain, test.customers(target), 0.0))
        for method in methods:
            share, baseline = (test.shown[target, name] / known_items for name in (method, naive))
            found.append(Measure("coverage", share, method, target, baseline=baseline, rows=known_items))
        found += [Measure("weight", weight, name, target) for name, weight in zip(ALONE, weights, strict=True)]
    return found


def _measure(
    name: str, subject: str, split: str, estimate: MetricEstimate, rows: int, baseline: float, shift: float = 0.0
) -> Measure:
    low, high = (None if end is None else end + shift for end in (estimate.low, estimate.high))
    return Measure(name, estimate.value + shift, subject, split, low, high, baseline, rows)


def _gains(measures: Sequence[Measure], target: str) -> list[Measure]:
    """The gain of the blend over each naive rule, the least significant first."""
    gains = [one for one in measures if one.measure == "ndcg_gain" and one.split == target]
    return sorted(gains, key=lambda gain: -1.0 if gain.low is None else gain.low)


def _verdict(measures: Sequence[Measure], target: str) -> Verdict:
    """The blend must be significantly better than every naive rule."""
    least, key = _gains(measures, target)[0], _of(measures, "ndcg", "blend", target)
    is_gain = least.low is not None and least.low > 0
    reason = f"{target}_{'beaten' if is_gain else 'not_beaten'}_{least.subject}"
    return Verdict("gain" if is_gain else "no_gain", [Finding(reason, parameters=_numbers(measures, least))], key)


def _findings(measures: Sequence[Measure], target: str) -> list[Finding]:
    """Findings about the other target: naive rules that are not beaten there."""
    other = next(name for name in TARGETS if name != target)
    gains = _gains(measures, other)
    if not gains or (gains[0].low is not None and gains[0].low > 0):
        return []
    least = gains[0]
    return [Finding(f"{other}_not_beaten_{least.subject}", parameters=_numbers(measures, least), value=least.value)]


def _numbers(measures: Sequence[Measure], gain: Measure) -> dict[str, float | int]:
    blend, naive = (_of(measures, "ndcg", name, gain.split).value or 0.0 for name in ("blend", gain.subject))
    ends = {"low": gain.low or 0.0, "high": gain.high or 0.0}
    return {"blend": blend, "naive": naive, "gain": gain.value or 0.0, **ends, "customers": gain.rows or 0}


def _of(measures: Sequence[Measure], name: str, subject: str, split: str) -> Measure:
    return next(one for one in measures if (one.measure, one.subject, one.split) == (name, subject, split))
