from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from statsmodels.multivariate.factor_rotation import rotate_factors
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.factor import rotation
from otklik.insights.factor.analysis import Analysis, analysed
from otklik.insights.factor.kind import KIND, FactorTask
from otklik.insights.factor.method import GROUPS, run
from otklik.kind import StageResult


def factor_task(**settings: Any) -> FactorTask:
    words = {"en": "Factors", "ru": "Факторы"}
    fixed = {
        "name": "factors",
        "kind": "factor",
        "title": words,
        "question": words,
        "inputs": {"people": "silver.people"},
    }
    return FactorTask.model_validate({**fixed, **settings})


def of_two_factors(count: int, seed: int) -> pd.DataFrame:
    """Three properties that follow one hidden number, three that follow another one."""
    draw = np.random.default_rng(seed)
    hidden, noise = draw.normal(size=(count, 2)), draw.normal(size=(count, 6))
    values = hidden[:, [0, 0, 0, 1, 1, 1]] * [0.9, 0.8, 0.7, 0.9, 0.8, 0.7] + noise * [0.4, 0.6, 0.7, 0.4, 0.6, 0.7]
    return pd.DataFrame(values * [1, 10, 100, 1, 1, 1e-3] + 50, columns=[*"abcxyz"])


def noise(count: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, 6)), columns=[*"abcxyz"])


def as_frame(spark: SparkSession, values: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(values.assign(customer=[f"c{number}" for number in range(len(values))]))


def analysed_rows(values: pd.DataFrame, factors: int | None = None) -> Analysis:
    scaled = ((values - values.mean()) / values.std(ddof=0)).to_numpy()
    rows = np.column_stack([np.ones(len(scaled)), scaled])
    groups = np.array([rows[place::GROUPS].T @ rows[place::GROUPS] for place in range(GROUPS)])
    return analysed(groups, list(values.columns), factors, seed=7)


def spending(shared_data: Path) -> pd.DataFrame:
    file = shared_data / "customer_personality" / "marketing_campaign.csv"
    rows = pd.read_csv(file, sep="\t")
    return rows.filter(like="Mnt").astype(float).apply(np.log1p)


# --- on matrices


def test_varimax_turns_like_statsmodels() -> None:
    loadings = np.random.default_rng(1).normal(size=(9, 4))
    scaled = loadings / np.linalg.norm(loadings, axis=1, keepdims=True)
    theirs, _ = rotate_factors(scaled, "varimax", tol=1e-10)

    likeness = np.abs(rotation.congruence(scaled @ rotation.varimax(loadings), theirs))
    np.testing.assert_allclose(np.sort(likeness.max(axis=0)), 1.0, atol=1e-8)


def test_two_planted_factors_carry_and_are_found_in_both_halves() -> None:
    found = analysed_rows(of_two_factors(800, seed=2))

    assert found.carrying == 2
    assert [sorted(name.split(", ")) for name in found.names(0.5)] in ([["a", "b", "c"], ["x", "y", "z"]],
                                                                      [["x", "y", "z"], ["a", "b", "c"]])  # fmt: skip
    assert found.congruence[1].min() > 0.95 > found.congruence_chance


@pytest.mark.parametrize("seed", range(6))
def test_in_noise_nothing_carries(seed: int) -> None:
    found = analysed_rows(noise(500, seed), factors=2)

    assert found.carrying <= 1
    assert found.congruence[0].max() < 0.95


def test_noise_seldom_carries() -> None:
    """The first eigenvalue of noise is above its own 95th percentile once in 20 times."""
    chance = np.quantile(rotation.noise_eigenvalues(300, 5, seed=3), 0.95, axis=0)
    found = [rotation.components(np.corrcoef(noise(300, seed).to_numpy()[:, :5].T))[0] for seed in range(300)]

    assert np.mean([rotation.carrying(values, chance) > 0 for values in found]) == pytest.approx(0.05, abs=0.035)


def test_the_factors_of_spending_are_those_that_are_known(shared_data: Path) -> None:
    found = analysed_rows(spending(shared_data), factors=2)

    ratios = [0.683698, 0.112767, 0.081649, 0.052214, 0.050987, 0.018685]
    loadings = [[0.215, 0.934], [0.819, 0.340], [0.551, 0.762], [0.829, 0.324], [0.836, 0.300], [0.434, 0.647]]
    np.testing.assert_allclose(found.eigenvalues / 6, ratios, atol=1e-6)
    np.testing.assert_allclose(found.rotated.loadings, loadings, atol=1e-3)
    np.testing.assert_allclose(found.rotated.shares, [0.4327, 0.3638], atol=1e-4)
    assert found.carrying == 1, "the second eigenvalue, .68, is below that of noise"


# --- in Spark


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    values = of_two_factors(800, seed=2).assign(same=3.0)
    values.loc[5, "b"] = np.nan
    return run(
        {"customers": as_frame(spark, values)}, factor_task(), stage_context(spark, tmp_path_factory.mktemp("f"))
    )


def test_the_answer_is_that_of_numpy_on_the_same_rows(planted: StageResult) -> None:
    values = of_two_factors(800, seed=2).drop(index=5)
    correlation = np.corrcoef(values.to_numpy().T)
    expected = rotation.rotated_components(correlation, 2)
    loadings = planted.tables["loadings"].toPandas().pivot(index="property", columns="factor", values="loading")
    scores = planted.tables["factor_scores"].toPandas().pivot(index="customer", columns="factor", values="score")
    standard = ((values - values.mean()) / values.std(ddof=0)).to_numpy()

    np.testing.assert_allclose(loadings.loc[list(values.columns)].to_numpy(), expected.loadings, atol=1e-9)
    eigenvalues = planted.tables["eigenvalues"].orderBy("place").toPandas()["eigenvalue"]
    np.testing.assert_allclose(eigenvalues, np.linalg.eigvalsh(correlation)[::-1], atol=1e-9)
    ours = scores.loc[[f"c{place}" for place in values.index]].to_numpy()
    np.testing.assert_allclose(ours, standard @ expected.weights, atol=1e-9)
    np.testing.assert_allclose(np.cov(ours.T, ddof=0), np.eye(2), atol=1e-9)


def test_what_is_left_out_is_said(planted: StageResult) -> None:
    found = {(finding.code, finding.subject): finding.parameters for finding in planted.findings}

    assert found == {("constant", "same"): {}, ("incomplete", ""): {"n": 1, "rows": 800}}
    assert planted.verdict is not None and planted.verdict.verdict == "descriptive"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it_in_words(planted: StageResult, language: str) -> None:
    task = factor_task(titles={"a": {"en": "apples", "ru": "яблоки"}})
    html = page_of(KIND, task, planted, language)  # type: ignore[arg-type]

    assert ("apples" if language == "en" else "яблоки") in html and not re.search(r"\{[a-z_]+\}", html)


def test_noise_is_no_gain(spark: SparkSession, tmp_path: Path) -> None:
    result = run({"customers": as_frame(spark, noise(400, seed=4))}, factor_task(), stage_context(spark, tmp_path))

    assert result.verdict is not None and result.verdict.verdict == "no_gain"
    assert "No factor is retained" in page_of(KIND, factor_task(), result)


@pytest.mark.long
def test_the_same_answer_on_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    frame = as_frame(spark, of_two_factors(200, seed=9))
    loadings = []
    for count in (1, 2, 4):
        result = run({"customers": frame.repartition(count)}, factor_task(factors=2), stage_context(spark, tmp_path))
        loadings.append(result.tables["loadings"].orderBy("factor", "property").toPandas())

    for others in loadings[1:]:
        pd.testing.assert_frame_equal(loadings[0], others, rtol=1e-9)


def test_few_customers_are_too_little(spark: SparkSession, tmp_path: Path) -> None:
    frame = as_frame(spark, of_two_factors(99, seed=1))
    result = run({"customers": frame}, factor_task(), stage_context(spark, tmp_path))

    assert result.verdict is not None and result.verdict.verdict == "too_little_data"
    assert all(table.isEmpty() for table in result.tables.values())
    assert "99 customers" in page_of(KIND, factor_task(), result)


@pytest.mark.parametrize(
    ("change", "settings", "fault", "said"),
    [
        (lambda rows: rows.where("false"), {}, RefusedError, "0 of 6 properties vary among 0 customers"),
        (lambda rows: rows.limit(1), {}, RefusedError, "0 of 6 properties vary among 1 customers"),
        (lambda rows: rows.select("customer", "a"), {}, RefusedError, "1 properties; factors need 2 to 60"),
        (lambda rows: rows.union(rows.limit(1)), {}, RefusedError, "a customer has several rows"),
        (lambda rows: rows.withColumn("a", rows["a"] * 1e306), {}, RefusedError, "overflows"),
        (lambda rows: rows, {"log_scale": ["q"]}, ConfigurationError, "log_scale or titles name .*: q"),
        (lambda rows: rows, {"factors": 7}, ConfigurationError, "only 6 properties vary"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_line(
    spark: SparkSession, tmp_path: Path, change: Any, settings: dict[str, Any], fault: type[Exception], said: str
) -> None:
    frame = change(as_frame(spark, of_two_factors(30, seed=1)))
    with pytest.raises(fault, match=said):
        run({"customers": frame}, factor_task(**settings), stage_context(spark, tmp_path))
