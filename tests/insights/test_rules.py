from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from scipy import stats
from tests.bench import stage_context
from tests.insights.baskets import as_frame, noisy_baskets, planted_baskets, rules_task
from tests.pages import page_of

from otklik.errors import PlatformError, RefusedError
from otklik.insights import fourfold
from otklik.insights.rules import baskets as counting
from otklik.insights.rules.kind import KIND
from otklik.insights.rules.method import run
from otklik.insights.rules.mining import found_pairs, found_rules
from otklik.insights.rules.sizes import UnrelatedItems
from otklik.kind import StageResult

TASK = rules_task(minimum_support=0.02, minimum_confidence=0.3)


def counted(baskets: list[list[str]], support: float) -> tuple[list[str], dict[tuple[int, ...], int]]:
    """Names and frequent itemsets by mlxtend, as Spark would give them."""
    encoder = TransactionEncoder()
    table = pd.DataFrame(encoder.fit_transform(baskets), columns=range(len(encoder.fit(baskets).columns_)))
    found = fpgrowth(table, min_support=support)
    counts = (found["support"] * len(baskets)).round().astype(int)
    return encoder.columns_, {tuple(sorted(items)): int(n) for items, n in zip(found["itemsets"], counts, strict=True)}


def unrelated(baskets: list[list[str]]) -> UnrelatedItems:
    return unrelated_items(TransactionEncoder().fit(baskets).transform(baskets))


def unrelated_items(held: Any) -> UnrelatedItems:
    """From a table of baskets × items."""
    sizes, counts = np.unique(held.sum(axis=1), return_counts=True)
    return UnrelatedItems.of(sizes[sizes > 0], counts[sizes > 0], held.sum(axis=0))


def measures(result: StageResult) -> dict[str, float | None]:
    return {one.measure: one.value for one in result.measures if not one.subject}


def codes(result: StageResult) -> list[str]:
    return [finding.code for finding in result.findings]


# --- tests on two-by-two tables


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    rows = draw(st.integers(1, 400))
    first, second = draw(st.integers(0, rows)), draw(st.integers(0, rows))
    return draw(st.integers(max(0, first + second - rows), min(first, second))), first, second, rows


@given(tables())
def test_p_values_are_those_of_scipy(table: tuple[int, int, int, int]) -> None:
    both, first, second, rows = table
    cells = np.array([[both, first - both], [second - both, rows - first - second + both]])
    one, other, together = (np.array([count]) for count in (first, second, both))

    assert fourfold.fisher_test(together, one, other, rows)[0] == pytest.approx(
        stats.fisher_exact(cells).pvalue, rel=1e-6
    )
    if 0 < first < rows and 0 < second < rows:
        chi_square = stats.chi2_contingency(cells, correction=False).pvalue
        assert fourfold.chi_square_test(together, one, other, rows)[0] == pytest.approx(chi_square, rel=1e-9)


def test_the_interval_of_the_lift_covers_the_true_lift_19_times_in_20() -> None:
    cells = np.random.default_rng(5).multinomial(3000, [0.06, 0.14, 0.19, 0.61], size=4000)
    both, first, second = cells[:, 0], cells[:, 0] + cells[:, 1], cells[:, 0] + cells[:, 2]
    low, high = fourfold.lift_interval(both, first, second, 3000)

    assert ((low < 0.06 / (0.2 * 0.25)) & (high > 0.06 / (0.2 * 0.25))).mean() == pytest.approx(0.95, abs=0.012)


# --- rules and pairs from counts


def test_rules_are_those_of_mlxtend_with_its_measures() -> None:
    baskets = planted_baskets(600, seed=1)
    names, itemsets = counted(baskets, 0.02)
    rules = found_rules(itemsets, len(baskets), unrelated(baskets), TASK)

    table = pd.DataFrame(TransactionEncoder().fit_transform(baskets), columns=range(len(names)))
    theirs = association_rules(fpgrowth(table, min_support=0.02), metric="confidence", min_threshold=0.3)
    theirs = theirs[theirs["consequents"].map(len) == 1]
    measured = ["confidence", "lift", "leverage", "conviction"]
    sides = [(tuple(sorted(row["antecedents"])), min(row["consequents"])) for _, row in theirs.iterrows()]
    expected = dict(zip(sides, theirs[measured].values.tolist(), strict=True))
    found = dict(
        zip(zip(rules["antecedent"], rules["consequent"], strict=True), rules[measured].values.tolist(), strict=True)
    )
    assert len(expected) > 100 and found.keys() == expected.keys()
    np.testing.assert_allclose([found[rule] for rule in expected], list(expected.values()), rtol=1e-9, atol=1e-12)


def test_a_rule_is_redundant_where_a_more_general_one_has_no_less_confidence() -> None:
    baskets = planted_baskets(600, seed=2)
    _, itemsets = counted(baskets, 0.02)
    known = {(): len(baskets), **itemsets}
    rules = found_rules(itemsets, len(baskets), unrelated(baskets), TASK)

    def confidence(antecedent: tuple[int, ...], consequent: int) -> float:
        return known[tuple(sorted((*antecedent, consequent)))] / known[antecedent]

    for antecedent, consequent, general in zip(rules.antecedent, rules.consequent, rules.general, strict=True):
        shorter = [some for size in range(len(antecedent)) for some in combinations(antecedent, size)]
        rivals = [some for some in shorter if confidence(some, consequent) >= confidence(antecedent, consequent)]
        assert (general in rivals) if rivals else (general is None)
    assert 0 < rules["general"].isna().sum() < len(rules)


def test_pairs_are_tested_against_all_pairs() -> None:
    baskets = planted_baskets(600, seed=3)
    names, _ = counted(baskets, 0.02)
    held = TransactionEncoder().fit(baskets).transform(baskets).astype(int)
    pairs = found_pairs(held.T @ held, len(baskets), unrelated_items(held), TASK)

    place = {name: number for number, name in enumerate(names)}
    pair = pairs[(pairs["one"] == place["coffee"]) & (pairs["other"] == place["tea"])].iloc[0]
    assert len(pairs) == len(names) * (len(names) - 1) // 2
    assert pair["both"] == sum({"tea", "coffee"} <= set(basket) for basket in baskets)
    assert pair["lift_high"] < 0.5 and pair["is_significant"]
    np.testing.assert_allclose(pairs["q_value"], stats.false_discovery_control(pairs["p_value"]))


def test_a_share_of_baskets_is_counted_in_decimals() -> None:
    assert [counting.least_count(share, baskets) for share, baskets in ((0.07, 100), (0.001, 9835), (0.3, 1))] == [
        7, 10, 1,
    ]  # fmt: skip


def shuffled(held: Any, draw: np.random.Generator, swaps: int) -> Any:
    """The same number of items in each basket and of baskets for each item (Strona et al. 2014, "curveball")."""
    held = held.copy()
    for one, other in draw.integers(len(held), size=(swaps, 2)):
        moved = np.flatnonzero(held[one] != held[other])
        values = held[one, moved]
        draw.shuffle(values)
        held[one, moved], held[other, moved] = values, 1 - values
    return held


def test_unrelated_items_meet_as_often_as_in_shuffled_baskets() -> None:
    """Nothing like independence: full baskets hold more of everything."""
    draw = np.random.default_rng(3)
    held = np.array([[item in basket for item in "abcdefghij"] for basket in letters(600, draw)]).astype(int)
    sets = [some for size in (2, 3) for some in combinations(range(10), size)]
    expected = unrelated_items(held).expected(sets)
    counts = []
    for _ in range(20):
        held = shuffled(held, draw, 2000)
        counts.append([held[:, items].all(axis=1).sum() for items in sets])
    independent = [600 * np.prod(held.mean(axis=0)[list(items)]) for items in sets]

    in_shuffled = np.mean(counts, axis=0)
    assert np.median(expected / in_shuffled) == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(expected, in_shuffled, rtol=0.12)
    assert np.median(independent / in_shuffled) < 0.8


def letters(count: int, draw: np.random.Generator) -> list[str]:
    """Baskets of up to ten letters, half of them nearly empty, half nearly full."""
    chances = np.where(draw.random(count) < 0.5, 0.15, 0.6)[:, None] * np.linspace(1.4, 0.6, 10)
    return ["".join(np.array([*"abcdefghij"])[row]) for row in draw.random((count, 10)) < chances]


# --- in Spark


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    context = stage_context(spark, tmp_path_factory.mktemp("rules"))
    return run({"baskets": as_frame(spark, planted_baskets(1200, seed=7), is_timed=True)}, TASK, context)


def test_a_planted_rule_is_found_first_and_holds_later(planted: StageResult) -> None:
    rules = planted.tables["rules"].orderBy("place").toPandas()
    held = next(one for one in planted.measures if one.measure == "rules_held")

    assert planted.verdict is not None and planted.verdict.verdict == "gain"
    assert held.baseline is not None and held.low is not None and held.low > held.baseline
    first = rules.iloc[0]
    assert {"bread", "butter"} <= {*first["antecedent"], first["consequent"]}
    assert rules.loc[rules["is_kept"], "holds_later"].notna().all()
    assert rules.loc[~rules["is_kept"], "holds_later"].isna().all()


def test_counts_of_both_periods_are_those_of_the_rows(planted: StageResult) -> None:
    baskets = [set(basket) for basket in planted_baskets(1200, seed=7)]
    earlier = [basket for number, basket in enumerate(baskets) if number % 20 < 15]
    later = [basket for number, basket in enumerate(baskets) if number % 20 >= 15]
    rules = planted.tables["rules"].where("is_kept").toPandas()
    pairs = planted.tables["pairs"].where("is_significant").toPandas()

    ours = zip(rules["antecedent"], rules["consequent"], strict=True)
    of_rules = [{*antecedent, consequent} for antecedent, consequent in ours]
    of_pairs = [{first, second} for first, second in zip(pairs["first"], pairs["second"], strict=True)]
    for table, wanted in ((rules, of_rules), (pairs, of_pairs)):
        assert table["baskets_both"].tolist() == [sum(items <= basket for basket in earlier) for items in wanted]
        assert table["later_both"].tolist() == [sum(items <= basket for basket in later) for items in wanted]
        assert {*table["baskets"]} == {len(earlier)} and {*table["later_baskets"]} == {len(later)}


def test_items_that_hardly_ever_meet_stand_apart(planted: StageResult) -> None:
    apart = planted.tables["pairs"].where("is_significant AND lift < 1").orderBy("p_value").toPandas()

    assert apart[["first", "second"]].iloc[0].tolist() in (["tea", "coffee"], ["coffee", "tea"])
    assert apart["holds_later"].iloc[0]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it_in_words(planted: StageResult, language: str) -> None:
    html = page_of(KIND, TASK, planted, language)  # type: ignore[arg-type]

    assert "bread" in html and not re.search(r"\{[a-z_]+\}", html)


def test_in_noise_with_full_and_empty_baskets_there_is_nothing_to_gain(spark: SparkSession, tmp_path: Path) -> None:
    frame = as_frame(spark, noisy_baskets(1500, seed=11), is_timed=True)
    result = run({"baskets": frame}, TASK, stage_context(spark, tmp_path))

    assert measures(result)["pairs_together"], "full baskets hold more of everything: by itself this is significant"
    assert result.verdict is not None and result.verdict.verdict == "no_gain"


@pytest.mark.long
def test_the_same_answer_on_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    frame = as_frame(spark, planted_baskets(150, seed=5), is_timed=True)
    task = rules_task(minimum_support=0.05, minimum_confidence=0.3)
    answers = [run({"baskets": frame.repartition(count)}, task, stage_context(spark, tmp_path)) for count in (1, 2, 4)]

    tables = [answer.tables["rules"].orderBy("place").toPandas() for answer in answers]
    assert len(tables[0]) > 5
    assert answers[0].measures == answers[1].measures == answers[2].measures
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)


def test_repeated_items_count_once_and_a_basket_beyond_the_limit_is_left_out(
    spark: SparkSession, tmp_path: Path
) -> None:
    baskets = [*[["a", "a", "b"]] * 30, *[["c"]] * 30, [f"item {number}" for number in range(10_000)]]
    result = run({"baskets": as_frame(spark, baskets)}, TASK, stage_context(spark, tmp_path))
    pairs = result.tables["pairs"].toPandas()

    assert sorted(codes(result)) == ["huge_baskets", "repeated_items", "single_items"]
    assert [finding.value for finding in result.findings] == [30, 30, 1]
    assert pairs.loc[pairs["lift"] > 1, ["first", "second", "baskets", "baskets_both"]].values.tolist() == [
        ["a", "b", 60, 30]
    ]
    assert result.verdict is not None and result.verdict.verdict == "too_little_data"
    assert "60 baskets are too few" in page_of(KIND, TASK, result)


def test_one_basket_of_one_item_is_too_little(spark: SparkSession, tmp_path: Path) -> None:
    result = run({"baskets": as_frame(spark, [["a"]], is_timed=True)}, TASK, stage_context(spark, tmp_path))

    assert result.verdict is not None and result.verdict.verdict == "too_little_data"
    assert result.tables["rules"].count() == result.tables["pairs"].count() == 0
    assert "one_day" in codes(result)


def test_no_baskets_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no baskets"):
        run({"baskets": as_frame(spark, [])}, TASK, stage_context(spark, tmp_path))


def test_more_itemsets_than_a_person_can_mean_are_refused(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_ITEMSETS", 50)
    with pytest.raises(RefusedError, match="more than 50 sets"):
        run({"baskets": as_frame(spark, [list("abcdefgh")] * 30)}, TASK, stage_context(spark, tmp_path))


def test_a_server_without_fp_growth_is_said_in_one_line(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def __init__(self, **settings: object) -> None:
            raise PySparkException("[CONNECT_ML.UNSUPPORTED_EXCEPTION] FPGrowth")

    monkeypatch.setattr(counting, "FPGrowth", Missing)
    baskets = baskets_of(as_frame(spark, [["a", "b"]] * 5), 0.1)
    with pytest.raises(PySparkException):
        counting.frequent_itemsets(baskets, 2)
    monkeypatch.setattr(counting, "is_remote", lambda: True)
    with pytest.raises(PlatformError, match="does not run FPGrowth"):
        counting.frequent_itemsets(baskets, 2)


def baskets_of(purchases: DataFrame, support: float, later_share: float = 0.25) -> counting.Baskets:
    lines = counting.lines_of_baskets(purchases)
    sizes = counting.size_per_basket(lines, 1000)
    per_day = counting.counts_per_day(sizes)
    start = counting.start_of_later_period(per_day, later_share)
    return counting.with_codes(lines, sizes, per_day, start, support, DataFrame.persist)


# --- public data


@pytest.fixture(scope="module")
def groceries(shared_data: Path) -> list[list[str]]:
    lines = (shared_data / "groceries" / "groceries.csv").read_text(encoding="utf-8").splitlines()
    return [line.split(",") for line in lines]


@pytest.mark.long
def test_groceries_has_the_rules_that_are_known(
    groceries: list[list[str]], spark: SparkSession, tmp_path: Path
) -> None:
    task = rules_task(minimum_support=0.001, minimum_confidence=0.25)
    result = run({"baskets": as_frame(spark, groceries)}, task, stage_context(spark, tmp_path))
    rules = result.tables["rules"].toPandas()

    known = {
        (0.001, 0.5): 5668, (0.001, 0.8): 410, (0.001, 0.9): 129, (0.005, 0.5): 120,
        (0.006, 0.25): 463, (0.01, 0.5): 15,
    }  # fmt: skip
    counts = {
        (support, confidence): int(((rules["support"] >= support) & (rules["confidence"] >= confidence)).sum())
        for support, confidence in known
    }
    strongest = rules[rules["confidence"] >= 0.5].nlargest(1, "lift").iloc[0]
    assert counts == known
    assert ([*strongest["antecedent"]], strongest["consequent"]) == (
        ["Instant food products", "soda"], "hamburger meat",
    )  # fmt: skip
    assert (round(strongest["lift"], 4), round(strongest["confidence"], 4)) == (18.9957, 0.6316)
    assert result.verdict is not None and result.verdict.verdict == "descriptive"


def test_groceries_has_the_pairs_apart_that_are_known(groceries: list[list[str]], spark: SparkSession) -> None:
    baskets = baskets_of(as_frame(spark, groceries), 0.03)
    together = counting.count_pairs(baskets, len(baskets.names))[0].sum(axis=0)
    fisher = found_pairs(together, baskets.earlier, baskets.unrelated[0], rules_task(test="fisher"))
    chi_square = found_pairs(together, baskets.earlier, baskets.unrelated[0], rules_task(test="chi_square"))

    assert (baskets.earlier, len(baskets.names), len(fisher), (fisher["lift"] < 1).sum()) == (9835, 44, 946, 112)
    for pairs, together_often in ((fisher, 600), (chi_square, 618)):
        significant = pairs[pairs["is_significant"]]
        assert ((significant["lift"] > 1).sum(), (significant["lift"] < 1).sum()) == (together_often, 33)
    apart = fisher[fisher["lift"] < 1].head(10)
    partners = ["whole milk", "tropical fruit", "yogurt", "UHT-milk + whole milk", "whipped/sour cream"]
    partners += ["other vegetables", "root vegetables", "bottled beer", "white bread", "butter"]
    named = [{baskets.names[code] for code in pair} for pair in zip(apart["one"], apart["other"], strict=True)]
    assert named == [{*name.split(" + ")} if "+" in name else {name, "canned beer"} for name in partners]
    lifts = [0.4457, 0.3742, 0.4973, 0.4639, 0.3287, 0.6021, 0.4803, 0.4226, 0.3109, 0.4488]
    np.testing.assert_allclose(apart["lift"], lifts, atol=6e-5)
    p_values = [8.8e-24, 8.0e-12, 4.2e-10, 6.5e-10, 2.0e-9, 3.8e-9, 1.5e-8, 7.6e-8, 3.3e-6, 3.4e-5]
    # The figures have two digits.
    assert [float(f"{p:.1e}") for p in apart["p_value"]] == p_values
