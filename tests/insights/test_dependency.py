from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy import stats
from sklearn.metrics import mutual_info_score
from statsmodels.stats.contingency_tables import StratifiedTable
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.inference import q_values
from otklik.insights.dependency import association as tests
from otklik.insights.dependency.coding import Coding, level_coding, number_coding
from otklik.insights.dependency.kind import KIND, DependencyTask
from otklik.insights.dependency.method import run
from otklik.insights.dependency.profiles import profile_rows
from otklik.kind import StageResult


def dependency_task(**settings: Any) -> DependencyTask:
    words = {"en": "Dependencies", "ru": "Зависимости"}
    fixed = {
        "name": "d",
        "kind": "dependency",
        "title": words,
        "question": words,
        "inputs": {"people": "silver.people"},
    }
    return DependencyTask.model_validate({**fixed, "outcomes": ["bought"], **settings})


def coded(values: pd.Series, bins: int = 10) -> Coding:
    name = str(values.name)
    if pd.api.types.is_numeric_dtype(values):
        return number_coding(name, values.dropna().to_numpy(dtype=float), bins)
    counts = values.value_counts()
    return level_coding(name, dict(zip(map(str, counts.index), counts, strict=True)), int(counts.sum()), 0.005)


def table_of(first: pd.Series, second: pd.Series) -> Any:
    """Counts by grade, as the pass over customers would give them."""
    codings = [coded(first), coded(second)]
    fine = np.zeros([coding.grades for coding in codings], dtype=np.int64)
    codes = [coding.codes(values) for coding, values in zip(codings, (first, second), strict=True)]
    np.add.at(fine, tuple(one[(codes[0] >= 0) & (codes[1] >= 0)] for one in codes), 1)
    return fine


def associated(first: pd.Series, second: pd.Series) -> tests.Association:
    codings = [coded(first), coded(second)]
    return tests.association(
        table_of(first, second), (codings[0].parts, codings[1].parts),
        is_ordered=all(coding.is_ordered for coding in codings), draw=np.random.default_rng(1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def bank(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "bank_marketing" / "bank-full.csv.gz", sep=";")


@pytest.fixture(scope="module")
def campaign(shared_data: Path) -> pd.DataFrame:
    rows = pd.read_csv(shared_data / "customer_personality" / "marketing_campaign.csv", sep="\t")
    return rows.drop(columns=["ID", "Dt_Customer", "Z_CostContact", "Z_Revenue"])


# --- tables


def test_strength_and_tests_are_those_of_scipy_and_scikit_learn(bank: pd.DataFrame) -> None:
    for name in ("age", "balance", "duration", "campaign"):
        found = associated(bank[name], bank["y"])
        assert found.spearman is not None
        assert found.spearman.value == pytest.approx(stats.spearmanr(bank[name], bank["y"] == "yes")[0], abs=1e-4)
    for name in ("job", "poutcome", "housing"):
        found = associated(bank[name], bank["y"])
        crossed = pd.crosstab(bank[name], bank["y"])
        assert found.cramers_v.value == pytest.approx(stats.contingency.association(crossed, "cramer"), rel=1e-9)
        assert found.p_value == pytest.approx(stats.chi2_contingency(crossed, correction=False).pvalue, rel=1e-9)
        assert found.mutual_information.value == pytest.approx(mutual_info_score(bank[name], bank["y"]), rel=1e-9)


def test_a_dependency_that_rises_and_falls_is_found_though_ranks_do_not_see_it(bank: pd.DataFrame) -> None:
    found = associated(bank["age"], bank["y"])

    assert found.spearman is not None and found.spearman.low < 0 < found.spearman.high
    assert found.cramers_v.low > 5 * found.cramers_v.chance and found.p_value < 1e-100


def test_intervals_cover_what_is_true_19_times_in_20() -> None:
    """Of the columns of 400 customers: true correlation of ranks 6/π·asin(ρ/2); true V from a million."""
    draw = np.random.default_rng(2)

    def pair(count: int) -> tuple[pd.Series, pd.Series]:
        first = draw.normal(size=count)
        second = 0.5 * first + np.sqrt(0.75) * draw.normal(size=count)
        return pd.Series(np.digitize(first, [-1, 0, 1]), name="x"), pd.Series(np.digitize(second, [0]), name="y")

    truth = associated(*pair(1_000_000))
    assert truth.spearman is not None
    found = [associated(*pair(400)) for _ in range(200)]
    ranks = [one.spearman.low < truth.spearman.value < one.spearman.high for one in found if one.spearman is not None]
    strengths = [one.cramers_v.low < truth.cramers_v.value < one.cramers_v.high for one in found]
    assert np.mean(ranks) == pytest.approx(0.95, abs=0.04)
    assert np.mean(strengths) == pytest.approx(0.95, abs=0.04)


def test_given_confounders_the_test_is_that_of_statsmodels() -> None:
    strata = np.random.default_rng(4).integers(1, 30, size=(7, 2, 2))
    theirs = StratifiedTable([one.astype(float) for one in strata]).test_null_odds(correction=False)

    assert tests.cmh_test(strata) == pytest.approx(theirs.pvalue, rel=1e-9)


def test_in_one_stratum_the_conditional_test_is_nearly_chi_square() -> None:
    table = np.random.default_rng(5).integers(5, 40, size=(1, 4, 3))
    total = table.sum()
    statistic = stats.chi2_contingency(table[0], correction=False).statistic * (total - 1) / total

    assert tests.cmh_test(table) == pytest.approx(stats.chi2.sf(statistic, 6), rel=1e-9)


def test_what_a_confounder_explains_vanishes_within_its_strata() -> None:
    draw = np.random.default_rng(6)
    season = draw.integers(0, 4, 4000)
    property_, outcome = (draw.random(4000) < 0.2 + 0.2 * season for _ in range(2))
    strata = np.zeros((4, 2, 2), dtype=np.int64)
    np.add.at(strata, (season, property_.astype(int), outcome.astype(int)), 1)

    found = tests.conditional(strata, is_ordered=True)
    assert tests.chi_square_test(strata.sum(axis=0)) < 1e-10
    assert found.p_value > 0.01
    assert found.spearman is not None and found.spearman.low < 0 < found.spearman.high


@pytest.mark.parametrize("source", [pytest.param("bank", marks=pytest.mark.long), "campaign"])
def test_a_permuted_copy_stays_under_its_false_discovery_rate(source: str, request: pytest.FixtureRequest) -> None:
    """All that is found in it is false, in 1 of 20 copies at most; more than 7 of 50 have a chance of 1 in 300."""
    rows: pd.DataFrame = request.getfixturevalue(source)
    codings = [coded(rows[name]) for name in rows.columns]
    *properties, outcome = (
        np.where((codes := coding.codes(rows[coding.name])) < 0, len(coding.labels), coding.parts[codes])
        for coding in codings
    )
    with_findings, width = 0, max(outcome) + 1
    for seed in range(50):
        permuted = np.random.default_rng(seed).permutation(outcome)
        tables = [
            np.bincount(codes * width + permuted, minlength=(max(codes) + 1) * width).reshape(-1, width)
            for codes in properties
        ]
        with_findings += min(q_values([tests.chi_square_test(table) for table in tables])) <= 0.05
    assert with_findings <= 7


def test_numbers_become_parts_of_equal_count_and_few_values_stay_as_they_are() -> None:
    many = number_coding("x", np.arange(1000.0), bins=10)
    few = number_coding("x", np.repeat([1.0, 2.0, 5.0], [700, 200, 100]), bins=10)

    assert (many.grades, len(many.labels), many.labels[0], many.labels[-1]) == (100, 10, "0 … 99", "900 … 999")
    assert few.codes(pd.Series([0.5, 1.0, 2.0, 3.0, 5.0, 9.0, np.nan])).tolist() == [0, 0, 1, 2, 2, 2, -1]
    assert list(few.labels) == ["1", "2", "5"]


def test_rare_levels_go_together_and_a_single_one_keeps_its_name() -> None:
    several = level_coding("x", {"a": 900, "b": 90, "c": 6, "d": 4}, 1000, 0.01)
    single = level_coding("x", {"a": 996, "b": 4}, 1000, 0.01)

    assert several.codes(pd.Series(["b", "a", "d", "new", None])).tolist() == [1, 0, 2, 2, -1]
    assert (list(several.labels), list(single.labels)) == (["a", "b", "(other)"], ["a", "b"])
    assert single.is_ordered and not several.is_ordered


def test_profiles_give_the_share_or_the_mean_rank_at_each_level() -> None:
    level = pd.Series(["a"] * 60 + ["b"] * 40, name="p")
    bought = pd.Series([1] * 30 + [0] * 30 + [1] * 10 + [0] * 30, name="y")
    spent = pd.Series(np.arange(100.0), name="y")

    share = profile_rows(table_of(level, bought), coded(level), coded(bought))
    rank = profile_rows(table_of(level, spent), coded(level), coded(spent))
    assert [row[:7] for row in share] == [("p", 0, "a", "y", "1", 60, 0.5), ("p", 1, "b", "y", "1", 40, 0.25)]
    assert share[0][9] == 0.4 and share[1][7] < 0.25 < share[1][8]
    assert [row[4:7] for row in rank] == [("", 60, pytest.approx(0.3)), ("", 40, pytest.approx(0.8))]


# --- in Spark


def customers(count: int, seed: int) -> pd.DataFrame:
    """`bought` goes with the city, through it with `clicks`, and with nothing else."""
    draw = np.random.default_rng(seed)
    city = draw.integers(0, 3, count)
    rows = pd.DataFrame(
        {
            "customer": [f"c{number}" for number in range(count)],
            "bought": (draw.random(count) < 0.15 + 0.25 * city).astype(float),
            "city": np.array(["Ufa", "Omsk", "Perm"])[city],
            "clicks": draw.poisson(1 + 3 * city).astype(float),
            "noise": draw.normal(size=count),
            "same": 1.0,
        }
    )
    rows.loc[: count // 10, "noise"] = np.nan
    return rows


def as_frame(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(rows)


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    context = stage_context(spark, tmp_path_factory.mktemp("dependency"))
    return run({"customers": as_frame(spark, customers(1500, seed=3))}, WITH_CITY, context)


WITH_CITY = dependency_task(confounders=["city"])


def test_a_dependency_is_found_and_its_confounder_explains_it(planted: StageResult) -> None:
    found = planted.tables["dependencies"].toPandas().set_index("property")

    assert found["is_significant"].to_dict() == {"clicks": True, "noise": False}
    assert found["is_significant_given"].to_dict() == {"clicks": False, "noise": False}
    assert found["rows"].to_dict() == {"clicks": 1500, "noise": 1349}
    assert planted.verdict is not None and [one.code for one in planted.verdict.reasons] == ["confounded"]
    assert {(one.code, one.subject) for one in planted.findings} == {("constant", "same"), ("missing", "noise")}


def test_counts_are_those_of_the_rows(planted: StageResult) -> None:
    rows = customers(1500, seed=3)
    found = planted.tables["dependencies"].toPandas().set_index("property")
    profile = planted.tables["profiles"].where("property = 'clicks'").orderBy("place").toPandas()

    assert found.loc["clicks", "spearman"] == pytest.approx(stats.spearmanr(rows["clicks"], rows["bought"])[0])
    noise = rows.dropna(subset="noise")
    assert found.loc["noise", "spearman"] == pytest.approx(
        stats.spearmanr(noise["noise"], noise["bought"])[0], abs=2e-3
    )
    assert profile["rows"].sum() == 1500
    assert (profile["rows"] * profile["value"]).sum() == pytest.approx(rows["bought"].sum())


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it_in_words(planted: StageResult, language: str) -> None:
    html = page_of(KIND, WITH_CITY, planted, language)  # type: ignore[arg-type]

    assert "clicks" in html and not re.search(r"\{[a-z_]+\}", html)


def test_without_confounders_it_is_described(spark: SparkSession, tmp_path: Path) -> None:
    task = dependency_task(titles={"city": {"en": "Town", "ru": "Город"}})
    result = run({"customers": as_frame(spark, customers(600, seed=3))}, task, stage_context(spark, tmp_path))

    assert result.verdict is not None and result.verdict.verdict == "descriptive"
    assert "Town" in page_of(KIND, task, result)


def test_nothing_is_found_in_noise(spark: SparkSession, tmp_path: Path) -> None:
    rows = customers(600, seed=8)
    rows["bought"] = rows["bought"].sample(frac=1, random_state=1).to_numpy()
    result = run({"customers": as_frame(spark, rows)}, dependency_task(), stage_context(spark, tmp_path))

    assert result.verdict is not None and result.verdict.verdict == "no_gain"


@pytest.mark.long
def test_the_same_answer_on_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    frame = as_frame(spark, customers(400, seed=5))
    answers = [
        run({"customers": frame.repartition(count)}, WITH_CITY, stage_context(spark, tmp_path)) for count in (1, 2, 4)
    ]

    tables = [answer.tables["dependencies"].orderBy("property").toPandas() for answer in answers]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)


@pytest.mark.parametrize(
    ("change", "settings", "fault", "said"),
    [
        (lambda rows: rows.where("false"), {}, RefusedError, "no customers"),
        (lambda rows: rows.union(rows.limit(1)), {}, RefusedError, "a customer has several rows"),
        (lambda rows: rows.select("customer", "bought"), {}, RefusedError, "0 properties besides outcomes"),
        (lambda rows: rows.where("bought = 1"), {}, RefusedError, "no outcome has more than one level"),
        (lambda rows: rows.select("customer", "bought", "same"), {}, RefusedError, "no property has more than one"),
        (lambda rows: rows, {"outcomes": ["sold"]}, ConfigurationError, "is not a column of the frame customers: sold"),
        (
            lambda rows: rows, {"confounders": ["noise", "clicks", "city"], "confounder_bins": 10},
            ConfigurationError, "combinations of levels",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_one_clear_line(
    spark: SparkSession, tmp_path: Path, change: Any, settings: dict[str, Any], fault: type[Exception], said: str
) -> None:
    frame = change(as_frame(spark, customers(300, seed=1)))
    with pytest.raises(fault, match=said):
        run({"customers": frame}, dependency_task(minimum_rows=50, **settings), stage_context(spark, tmp_path))


def test_few_customers_are_too_little(spark: SparkSession, tmp_path: Path) -> None:
    result = run(
        {"customers": as_frame(spark, customers(60, seed=1))}, dependency_task(), stage_context(spark, tmp_path)
    )

    assert result.verdict is not None and result.verdict.verdict == "too_little_data"
    assert "60 customers are too few" in page_of(KIND, dependency_task(), result)


def test_a_column_is_either_an_outcome_or_a_confounder() -> None:
    with pytest.raises(ValueError, match="bought is an outcome, too"):
        dependency_task(confounders=["bought"])
