"""Rules and pairs from counts, tested and pruned. Imports no Spark.

Rules have one item as their consequent. Their p-values come from the two-by-two table of antecedent and consequent and
are adjusted over all rules with the minimum support, before filtering by confidence. A rule is redundant if a more
general one, including the empty one ("always offer the consequent"), has at least its confidence (Bayardo, Agrawal,
Gunopulos 2000, "Constraint-based rule mining in large, dense databases"). Kept rules must also exceed the lift that
basket sizes alone explain (`sizes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from otklik.inference import q_values
from otklik.insights import fourfold
from otklik.insights.rules.baskets import Counts, Itemset
from otklik.insights.rules.kind import RulesTask
from otklik.insights.rules.sizes import UnrelatedItems

_TESTS = {"fisher": fourfold.fisher_test, "chi_square": fourfold.chi_square_test}


def found_rules(
    itemsets: Mapping[Itemset, int], baskets: int, unrelated: UnrelatedItems, task: RulesTask
) -> pd.DataFrame:
    """Test every rule with one item as its consequent; returns those with the minimum confidence.

    Args:
        itemsets: frequent itemset → number of baskets; includes all subsets.
        baskets: number of baskets.
        unrelated: the same baskets if items were independent.
        task: its confidence, test and false discovery rate.

    Returns:
        antecedent, consequent (codes), first, second, both (baskets with antecedent, consequent, both), confidence,
        conviction (infinite if the rule never fails), lift_by_size and q_by_size (see `beyond_sizes`), general
        (antecedent of the more general rule that makes it redundant, else None), is_kept, and the columns of `_tested`;
        the strongest kept rule first.
    """
    known = {(): baskets, **itemsets}
    #: Antecedent and consequent → the highest confidence of more general rules, and the shortest antecedent with it.
    best: dict[tuple[Itemset, int], tuple[float, Itemset]] = {}
    rows = []
    for items in sorted((items for items in itemsets if len(items) > 1), key=len):
        for consequent in items:
            antecedent = _without(items, consequent)
            options = []
            for left_out in antecedent:
                shorter = _without(antecedent, left_out)
                options.append((known[_without(items, left_out)] / known[shorter], shorter))
                options += [best[shorter, consequent]] if shorter else []
            general = max(options, key=lambda option: (option[0], -len(option[1])))
            best[antecedent, consequent] = general
            rows.append((antecedent, consequent, known[antecedent], known[consequent,], known[items], *general))
    columns = ["antecedent", "consequent", "first", "second", "both", "general_confidence", "general"]
    tables = pd.DataFrame(rows, columns=columns).astype(
        {"first": "int64", "second": "int64", "both": "int64", "general_confidence": "float64"}
    )
    rules = beyond_sizes(_tested(tables, baskets, task), baskets, unrelated)
    rules["confidence"] = rules["both"] / rules["first"]
    rules = rules[rules["confidence"] >= task.minimum_confidence].copy()
    with np.errstate(divide="ignore"):
        rules["conviction"] = (1 - rules["second"] / baskets).to_numpy() / (1 - rules["confidence"]).to_numpy()
    is_redundant = rules.pop("general_confidence") >= rules["confidence"]
    rules["general"] = [
        general if redundant else None for general, redundant in zip(rules["general"], is_redundant, strict=True)
    ]
    is_more = (rules["lift"] > 1) & (rules["q_by_size"] <= task.false_discovery_rate)
    rules["is_kept"] = rules["is_significant"] & is_more & ~is_redundant
    return rules.sort_values(
        ["is_kept", "lift", "both", "antecedent", "consequent"],
        ascending=[False, False, False, True, True],
        ignore_index=True,
    )


def _without(items: Itemset, item: int) -> Itemset:
    return tuple(other for other in items if other != item)


def beyond_sizes(rules: pd.DataFrame, baskets: int, unrelated: UnrelatedItems) -> pd.DataFrame:
    """Add the lift that basket sizes alone explain.

    Returns:
        The rules with lift_by_size (their lift if items were unrelated) and q_by_size (of a one-sided binomial test
        that baskets with the antecedent contain the consequent no more often than that).
    """
    antecedents, consequents = rules["antecedent"].tolist(), rules["consequent"].tolist()
    confidence = expected_confidence(unrelated, antecedents, consequents)
    p_values = stats.binom.sf(rules["both"] - 1, rules["first"], confidence)
    return rules.assign(
        lift_by_size=confidence * baskets / rules["second"],
        q_by_size=q_values(p_values),
    )


def expected_confidence(
    unrelated: UnrelatedItems, antecedents: Sequence[Itemset], consequents: Sequence[int]
) -> fourfold.Floats:
    """Share of the baskets with the antecedent that would contain the consequent if items were unrelated."""
    both = [tuple(sorted((*items, item))) for items, item in zip(antecedents, consequents, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = unrelated.expected(both) / unrelated.expected(antecedents)
    return np.clip(np.nan_to_num(share), 0.0, 1.0)


def found_pairs(together: Counts, baskets: int, unrelated: UnrelatedItems, task: RulesTask) -> pd.DataFrame:
    """Every pair of items, tested.

    Args:
        together: (items, items) number of baskets with both; with the item on the diagonal.
        baskets: number of baskets.
        unrelated: the same baskets if items were independent.
        task: its test and false discovery rate.

    Returns:
        one, other (codes), first, second, both, lift_by_size, and the columns of `_tested`; the least likely first.
    """
    one, other = np.triu_indices(len(together), 1)
    alone = together.diagonal()
    counts = {"first": alone[one], "second": alone[other], "both": together[one, other]}
    pairs = _tested(pd.DataFrame({"one": one, "other": other, **counts}), baskets, task)
    confidence = expected_confidence(unrelated, [(int(code),) for code in one], other.tolist())
    pairs["lift_by_size"] = confidence * baskets / pairs["second"]
    return pairs.sort_values(["p_value", "one", "other"], ignore_index=True)


def _tested(tables: pd.DataFrame, baskets: int, task: RulesTask) -> pd.DataFrame:
    """Two-by-two tables with lift, lift_low, lift_high, leverage, p_value, q_value, is_significant."""
    both, first, second = (tables[name].to_numpy(dtype=np.int64) for name in ("both", "first", "second"))
    low, high = fourfold.lift_interval(both, first, second, baskets)
    p_values = _TESTS[task.test](both, first, second, baskets)
    q = q_values(p_values)
    return tables.assign(
        lift=fourfold.lift(both, first, second, baskets),
        lift_low=low,
        lift_high=high,
        leverage=both / baskets - (first / baskets) * (second / baskets),
        p_value=p_values,
        q_value=q,
        is_significant=q <= task.false_discovery_rate,
    )
