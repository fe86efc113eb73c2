"""Association rules (Agrawal, Imieliński, Swami 1993), tested, pruned, and evaluated on later baskets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from otklik.errors import RefusedError
from otklik.insights.rules import baskets as counting
from otklik.insights.rules.baskets import Baskets, Counts, Itemset
from otklik.insights.rules.judging import Holding, beside, held_later
from otklik.insights.rules.kind import PAIRS, RULES, RulesTask
from otklik.insights.rules.mining import expected_confidence, found_pairs, found_rules
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict, VerdictCode
from otklik.lake.tables import Table

#: Maximum number of rules, and of pairs, in gold.measures.
_MEASURED = 50


def run(frames: Mapping[str, DataFrame], task: RulesTask, context: StageContext) -> StageResult:
    """Find rules and pairs, and evaluate them on the later period.

    Args:
        frames: `baskets`: basket, item and optionally moment.
        task: see `RulesTask`.
        context: of the stage; nothing is drawn at random.

    Returns:
        Tables `rules` and `pairs`; measures `rules`, `pairs_apart`, `pairs_together` (number of significant ones),
        `rules_held`, `apart_held` (share that holds later), each with its expectation by chance as baseline, and the
        lift of the first kept rules and of the first pairs below 1.

    Raises:
        RefusedError: if there are no baskets, or too many itemsets for the driver.
        PlatformError: if Spark has no FP-growth.
    """
    purchases = frames["baskets"]
    lines = context.keep(counting.lines_of_baskets(purchases))
    sizes = context.keep(counting.size_per_basket(lines, task.largest_basket))
    counts = counting.counts_per_day(sizes)
    per_day = counts[~counts["is_huge"]]
    if per_day.empty:
        raise RefusedError(
            "no baskets to count", where=f"task {task.name}, frame baskets", hint="check its input, `where` and columns"
        )
    start = counting.start_of_later_period(per_day, task.later_share)
    support = min(task.minimum_support, task.pair_support)
    baskets = counting.with_codes(lines, sizes, per_day, start, support, context.keep)

    context.step.under_way("rules")
    least = counting.least_count(task.minimum_support, baskets.earlier)
    rules = found_rules(counting.frequent_itemsets(baskets, least), baskets.earlier, baskets.unrelated[0], task)
    kept = rules[rules["is_kept"]]
    context.step.under_way("pairs")
    common = int((baskets.frequency[0] >= counting.least_count(task.pair_support, baskets.earlier)).sum())
    together = counting.count_pairs(baskets, min(common, counting.MOST_PAIRED_ITEMS))
    pairs = found_pairs(together[0].sum(axis=0), baskets.earlier, baskets.unrelated[0], task)
    chosen = pairs[pairs["is_significant"]]
    apart = chosen[chosen["lift"] < 1]
    rules_held = pairs_held = None
    measures = [
        _count("rules", kept, baskets, task),
        _count("pairs_apart", apart, baskets, task),
        _count("pairs_together", chosen[chosen["lift"] > 1], baskets, task),
        *_lifts(kept, apart, baskets),
    ]
    if baskets.later:
        rules_held, pairs_held = _rules_held(kept, baskets), _pairs_held(chosen, together[1], baskets)
        measures += [rules_held.measure("rules_held"), pairs_held.only(apart.index).measure("apart_held")]
    return StageResult(
        {
            "rules": _rules_table(beside(rules, rules_held), baskets, context),
            "pairs": _pairs_table(beside(pairs, pairs_held), baskets, context),
        },
        measures,
        _verdict({measure.measure: measure for measure in measures if not measure.subject}, baskets, task),
        _findings(counts, task, common, is_one_day="moment" in purchases.columns and start is None),
    )


def _rules_held(kept: pd.DataFrame, baskets: Baskets) -> Holding:
    """Results of the kept rules in the later period: three itemsets are counted for each."""
    first, consequents = kept["antecedent"].tolist(), kept["consequent"].tolist()
    second: list[Itemset] = [(item,) for item in consequents]
    both: list[Itemset] = [tuple(sorted(one + other)) for one, other in zip(first, second, strict=True)]
    distinct = sorted({*both, *first, *second})
    place = {items: number for number, items in enumerate(distinct)}
    counts = counting.count_sets(baskets, distinct)
    of_rules = [counts[[place[items] for items in some]] for some in (both, first, second)]
    confidence = expected_confidence(baskets.unrelated[1], first, consequents)
    return held_later(kept.index, np.ones(len(kept), dtype=bool), of_rules, confidence, baskets.sizes[1])


def _pairs_held(chosen: pd.DataFrame, together: Counts, baskets: Baskets) -> Holding:
    """Results of the significant pairs there, from counts by group: (groups, items, items)."""
    one, other = chosen["one"].to_numpy(), chosen["other"].to_numpy()
    counts = [together[:, one, other].T, together[:, one, one].T, together[:, other, other].T]
    confidence = expected_confidence(baskets.unrelated[1], [(item,) for item in one.tolist()], other.tolist())
    return held_later(chosen.index, (chosen["lift"] > 1).to_numpy(), counts, confidence, baskets.sizes[1])


def _count(name: str, found: pd.DataFrame, baskets: Baskets, task: RulesTask) -> Measure:
    """Number of discoveries, with the number of false ones expected at this false discovery rate as baseline."""
    by_chance = task.false_discovery_rate * len(found)
    return Measure(name, float(len(found)), split="earlier", baseline=by_chance, rows=baskets.earlier)


def _lifts(kept: pd.DataFrame, apart: pd.DataFrame, baskets: Baskets) -> list[Measure]:
    """Lift of the first rules and pairs with its interval, and the lift due to basket sizes as baseline."""
    first_rules, first_pairs = kept.head(_MEASURED), apart.head(_MEASURED)
    names = [
        f"{_joined(antecedent, baskets)} → {baskets.names[consequent]}"
        for antecedent, consequent in zip(first_rules["antecedent"], first_rules["consequent"], strict=True)
    ]
    pair_names = [_joined(pair, baskets) for pair in zip(first_pairs["one"], first_pairs["other"], strict=True)]
    columns = ["lift", "lift_low", "lift_high", "lift_by_size"]
    return [
        Measure(name, lift, subject, "earlier", low=low, high=high, baseline=by_size, rows=baskets.earlier)
        for name, subjects, some in (("lift", names, first_rules), ("pair_lift", pair_names, first_pairs))
        for subject, (lift, low, high, by_size) in zip(subjects, some[columns].values.tolist(), strict=True)
    ]


def _joined(items: Sequence[int], baskets: Baskets) -> str:
    return ", ".join(sorted(baskets.names[item] for item in items))


def _rules_table(rules: pd.DataFrame, baskets: Baskets, context: StageContext) -> DataFrame:
    def named(items: Itemset | None) -> list[str] | None:
        return None if items is None else sorted(baskets.names[item] for item in items)

    rows = rules.assign(
        place=np.arange(1, len(rules) + 1),
        antecedent=rules["antecedent"].map(named),
        consequent=rules["consequent"].map(lambda item: baskets.names[item]),
        general=rules["general"].map(named),
        support=rules["both"] / baskets.earlier,
        conviction=rules["conviction"].astype(float).replace(np.inf, np.nan),
    )
    names = {"first": "baskets_antecedent", "second": "baskets_consequent"}
    return _table(RULES, rows.rename(columns=names), baskets, context)


def _pairs_table(pairs: pd.DataFrame, baskets: Baskets, context: StageContext) -> DataFrame:
    names = {"one": "first", "other": "second", "first": "baskets_first", "second": "baskets_second"}
    rows = pairs.rename(columns=names)
    for side in ("first", "second"):
        rows[side] = rows[side].map(lambda item: baskets.names[item])
    return _table(PAIRS, rows, baskets, context)


def _table(table: Table, rows: pd.DataFrame, baskets: Baskets, context: StageContext) -> DataFrame:
    """Convert rows of the driver for Spark; via Arrow a missing number becomes null."""
    rows = rows.rename(columns={"both": "baskets_both"}).assign(baskets=baskets.earlier)
    frame: DataFrame = context.spark.createDataFrame(rows[table.own_names], table.own_ddl)
    return frame


def _verdict(measures: Mapping[str, Measure], baskets: Baskets, task: RulesTask) -> Verdict:
    """A gain if there are rules and more of them hold than if items were unrelated."""
    # The count on a card has no baseline: the number expected by chance is not the result of a naive rule.
    rules, held = replace(measures["rules"], baseline=None), measures.get("rules_held")
    of_rules = {"rules": int(rules.value or 0), "baskets": baskets.earlier, "minimum": task.minimum_baskets}
    if baskets.earlier < task.minimum_baskets:
        return _said("too_little_data", "few_baskets", rules, of_rules)
    if not rules.value:
        return _said("no_gain", "no_rules", rules, of_rules)
    if held is None or held.value is None or held.low is None or held.baseline is None:
        return _said("descriptive", "not_judged", rules, of_rules)
    of_later = {
        "held": round(100 * held.value),
        "chance": round(100 * held.baseline),
        "baskets": baskets.later,
        "minimum": task.minimum_baskets,
    }
    if baskets.later < task.minimum_baskets:
        return _said("too_little_data", "few_later_baskets", held, of_later)
    if held.low <= held.baseline:
        return _said("no_gain", "does_not_hold", held, of_later)
    return _said("gain", "holds", held, of_later)


def _said(verdict: VerdictCode, reason: str, key: Measure, parameters: Mapping[str, int]) -> Verdict:
    return Verdict(verdict, [Finding(reason, parameters=parameters)], key)


def _findings(counts: pd.DataFrame, task: RulesTask, common: int, *, is_one_day: bool) -> list[Finding]:
    """Findings about baskets."""
    huge = counts[counts["is_huge"]]
    single, repeated, left_out = (int(each.sum()) for each in (counts["single"], counts["repeated"], huge["baskets"]))
    most = int(counts["most"].max())
    paired = counting.MOST_PAIRED_ITEMS
    noticed = [
        Finding("single_items", parameters={"n": single}, value=single),
        Finding("repeated_items", parameters={"n": repeated}, value=repeated),
        Finding(
            "huge_baskets",
            parameters={"n": left_out, "most": most, "limit": task.largest_basket},
            value=left_out,
            is_warning=True,
        ),
        Finding("many_items", parameters={"n": common, "limit": paired}, value=max(0, common - paired)),
        Finding("one_day", value=int(is_one_day), is_warning=True),
    ]
    return [finding for finding in noticed if finding.value]
