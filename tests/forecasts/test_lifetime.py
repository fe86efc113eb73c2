"""The kind `lifetime`: purchases in, forecasts of each customer out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.forecasts.lifetime.history import cells
from otklik.forecasts.lifetime.kind import KIND, LifetimeTask
from otklik.forecasts.lifetime.method import run
from otklik.kind import StageResult
from otklik.page.formats import Language
from otklik.settings import validate

TASK = {
    "name": "who_comes_back",
    "kind": "lifetime",
    "title": {"en": "Who comes back", "ru": "Кто вернётся"},
    "question": {"en": "Who will buy again?", "ru": "Кто купит снова?"},
    "inputs": {"purchases": "silver.purchases"},
}


def task_with(**settings: Any) -> LifetimeTask:
    return validate(LifetimeTask, {**TASK, **settings}, "test")


def answer(purchases: DataFrame, folder: Path, as_of: datetime, **settings: Any) -> StageResult:
    context = stage_context(purchases.sparkSession, folder, as_of)
    return run({"purchases": purchases}, task_with(**settings), context)


def measures(result: StageResult) -> dict[tuple[str, str, str], Any]:
    return {(one.measure, one.subject, one.split): one for one in result.measures}


def parameters(result: StageResult, part: str = "calibration") -> dict[tuple[str, str], Any]:
    rows = result.tables["parameters"].where(F.col("part") == part).collect()
    return {(row.model, row.parameter): row for row in rows}


@pytest.fixture(scope="module")
def grocery(spark: SparkSession, shared_data: Path) -> DataFrame:
    rows = spark.read.csv(str(shared_data / "grocery_elog" / "groceryElog.csv"), header=True)
    return rows.selectExpr("cust AS customer", "CAST(date AS timestamp) AS moment").persist()


@pytest.fixture(scope="module")
def retail(spark: SparkSession, shared_data: Path) -> DataFrame:
    """Retail rule B: equal rows once, no cancellations, customer known, quantity and price above 0."""
    rows = spark.read.csv(str(shared_data / "online_retail" / "online_retail.csv.gz"), header=True).distinct()
    goods = rows.where(
        "NOT startswith(InvoiceNo, 'C') AND CustomerID IS NOT NULL AND CAST(Quantity AS int) > 0 "
        "AND CAST(UnitPrice AS double) > 0"
    )
    return goods.selectExpr(
        "CustomerID AS customer", "CAST(InvoiceDate AS timestamp) AS moment",
        "CAST(Quantity AS int) * CAST(UnitPrice AS double) AS amount",
    ).persist()  # fmt: skip


@pytest.mark.long
def test_grocery_is_forecast_as_published(grocery: DataFrame, tmp_path: Path) -> None:
    result = answer(grocery, tmp_path, datetime(2007, 12, 30, 23, tzinfo=UTC), holdout_days=364, model="bg_nbd")

    found, fitted = measures(result), parameters(result)
    values = {name: fitted["bg_nbd", name].value for name in ("r", "alpha", "a", "b")}
    assert values == pytest.approx({"r": 0.3487, "alpha": 2.5817, "a": 0.5039, "b": 3.6444}, abs=1e-4)
    assert found["log_likelihood", "bg_nbd", "calibration"].value == pytest.approx(-15_836.57, abs=0.01)
    assert found["purchases", "", "holdout"].value == pytest.approx(3996.4, abs=0.05)
    assert found["actual_purchases", "", "holdout"].value == 3389
    assert not any(finding.code == "no_drop_out" for finding in result.findings)


@pytest.fixture(scope="module")
def retail_answer(retail: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    folder = tmp_path_factory.mktemp("retail")
    return answer(retail, folder, datetime(2011, 12, 9, 23, tzinfo=UTC), holdout_days=162)


@pytest.mark.long
def test_online_retail_is_forecast_as_published(retail_answer: StageResult) -> None:
    result = retail_answer

    found, fitted = measures(result), parameters(result)
    assert fitted["nbd", "r"].value == pytest.approx(0.7442, abs=5e-5)
    assert fitted["nbd", "alpha"].value == pytest.approx(9.0474, abs=5e-5)
    assert found["log_likelihood", "bg_nbd", "calibration"].value == pytest.approx(-15_325.455, abs=0.01)
    spend = {name: fitted["gamma_gamma", name].value for name in ("p", "q", "v")}
    assert spend == pytest.approx({"p": 2.8574, "q": 3.1873, "v": 318.29}, rel=2e-5)
    assert found["purchases", "", "holdout"].value == pytest.approx(5634.8, abs=0.05)
    assert found["actual_purchases", "", "holdout"].value == 6426
    assert found["mean_absolute_error", "", "holdout"].value == pytest.approx(1.3665, abs=5e-5)
    assert found["correlation", "", "holdout"].value == pytest.approx(0.8244, abs=5e-5)
    assert found["rank_correlation", "", "holdout"].value == pytest.approx(0.5300, abs=5e-5)
    assert found["gini", "", "holdout"].value == pytest.approx(0.7583, abs=1e-4)
    assert found["gini", "", "holdout"].baseline == pytest.approx(0.7410, abs=1e-4)
    assert found["top_tenth", "", "holdout"].value == pytest.approx(0.5534, abs=1e-4)
    assert found["top_tenth", "", "holdout"].baseline == pytest.approx(0.5609, abs=1e-4)
    deciles = result.tables["deciles"].orderBy("decile").collect()
    expected = [6.46, 3.07, 2.20, 1.74, 1.48, 1.21, 1.01, 0.77, 0.61, 0.47]
    assert [row.expected for row in deciles] == pytest.approx(expected, abs=0.006)
    actual = [7.87, 3.36, 2.24, 1.76, 1.64, 1.24, 1.05, 0.84, 0.76, 0.95]
    # Ties between two tenths were cut by the number of the customer there, and are divided in proportion here.
    assert [row.actual for row in deciles] == pytest.approx(actual, abs=0.045)


@pytest.mark.long
def test_where_nobody_is_seen_to_leave_that_is_said_and_nothing_is_invented(retail_answer: StageResult) -> None:
    fitted = parameters(retail_answer)

    assert [finding.code for finding in retail_answer.findings] == ["no_drop_out", "total_too_low"]
    assert {fitted[model, name].value for model, name in (("bg_nbd", "a"), ("bg_nbd", "b"), ("pareto_nbd", "s"))} == {
        None
    }
    assert retail_answer.tables["customers"].where("probability_alive IS NOT NULL").isEmpty()


@pytest.mark.long
def test_a_ranking_that_chance_explains_is_no_gain(retail_answer: StageResult) -> None:
    gain = measures(retail_answer)["gini_gain", "", "holdout"]

    assert gain.low < 0 < gain.high
    assert retail_answer.verdict is not None and retail_answer.verdict.verdict == "no_gain"


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it(retail_answer: StageResult, language: Language) -> None:
    page = page_of(KIND, task_with(holdout_days=162, currency="GBP"), retail_answer, language)

    assert ("12.3%" if language == "en" else "12,3") in page
    assert "not identified" in page or "не определяется" in page


def draw_customers(spark: SparkSession, count: int, drop_out: bool = True) -> DataFrame:
    """Customers of known parameters (BG/NBD, weeks): r = .6, alpha = 4, a = .9, b = 2.4, amounts Gamma-Gamma."""
    draw = np.random.default_rng(5)
    first = draw.integers(0, 200, count)
    rate = draw.gamma(0.6, 1 / 4, count)
    leaves = draw.beta(0.9, 2.4, count) if drop_out else np.zeros(count)
    scale = draw.gamma(3.5, 1 / 30, count)
    rows = []
    for customer in range(count):
        time = float(first[customer])
        while time < 730:
            rows.append((f"c{customer}", time, float(draw.gamma(4, 1 / scale[customer]))))
            if time > first[customer] and draw.random() < leaves[customer]:
                break
            time += float(draw.exponential(7 / rate[customer]))
    frame = spark.createDataFrame(pd.DataFrame(rows, columns=["customer", "day", "amount"]))
    return frame.selectExpr("customer", "timestamp_micros(CAST(day * 86400e6 AS bigint)) AS moment", "amount")


DAY_730 = datetime(1971, 12, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def planted(spark: SparkSession) -> DataFrame:
    return draw_customers(spark, 4000).persist()


@pytest.fixture(scope="module")
def planted_answer(planted: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    return answer(planted, tmp_path_factory.mktemp("planted"), DAY_730, model="bg_nbd", bootstrap_replicates=100)


def test_planted_parameters_lie_in_their_intervals(planted_answer: StageResult) -> None:
    """Purchases of one day count once, which moves the rates by less than the intervals are wide."""
    truth = {"r": 0.6, "alpha": 4.0, "a": 0.9, "b": 2.4}
    fitted = parameters(planted_answer, "all")

    outside = [
        name for name, value in truth.items() if not fitted["bg_nbd", name].low < value < fitted["bg_nbd", name].high
    ]
    assert outside == []
    assert fitted["gamma_gamma", "p"].value == pytest.approx(4, rel=0.1)


def test_with_planted_drop_out_the_forecast_is_right_and_ranks_better_than_the_past(
    planted_answer: StageResult,
) -> None:
    found = measures(planted_answer)

    ratio, gain = found["expected_to_actual", "", "holdout"], found["gini_gain", "", "holdout"]
    assert ratio.low < 1 < ratio.high
    assert gain.low > 0
    assert planted_answer.verdict is not None and planted_answer.verdict.verdict == "gain"


def test_every_customer_is_forecast_once_per_horizon(planted: DataFrame, planted_answer: StageResult) -> None:
    customers = planted.select("customer").distinct().count()
    tables = planted_answer.tables

    assert tables["customers"].count() == customers
    by_horizon = tables["forecasts"].groupBy("horizon_days").agg(F.countDistinct("customer")).collect()
    assert {tuple(row) for row in by_horizon} == {(91, customers), (365, customers)}
    assert tables["forecasts"].where("expected_value IS NULL OR expected_purchases < 0").isEmpty()


@pytest.mark.long
def test_the_same_rows_give_the_same_answer_in_any_layout(planted: DataFrame, tmp_path: Path) -> None:
    some = planted.where("pmod(xxhash64(customer), 4) = 0")
    answers = [
        answer(some.repartition(count, "moment"), tmp_path, DAY_730, model="bg_nbd", bootstrap_replicates=50)
        for count in (1, 4)
    ]

    one, other = ([(m.measure, m.subject, m.split, m.value, m.low, m.high) for m in a.measures] for a in answers)
    assert [row[:3] for row in one] == [row[:3] for row in other]
    numbers = [np.array([[n if n is not None else np.nan for n in row[3:]] for row in rows]) for rows in (one, other)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9)


@pytest.mark.long
def test_without_drop_out_none_is_found(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(draw_customers(spark, 1500, drop_out=False), tmp_path, DAY_730, bootstrap_replicates=50)

    assert {row.value for key, row in parameters(result, "all").items() if key[1] in ("a", "b", "s", "beta")} == {None}


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("a", "1971-01-01", 1.0)], "too_few_customers"),
        ([(f"c{n}", "1971-01-01", 1.0) for n in range(300)], "too_few_repeaters"),
        ([(f"c{n}", f"1971-01-0{day}", 1.0) for n in range(300) for day in (1, 2)], "too_few_later"),
    ],
)
def test_too_little_data_is_said_with_its_number(
    spark: SparkSession, tmp_path: Path, rows: list[tuple[str, str, float]], code: str
) -> None:
    frame = spark.createDataFrame(rows, "customer string, day string, amount double")
    purchases = frame.selectExpr("customer", "CAST(day AS timestamp) AS moment", "amount")

    result = answer(purchases, tmp_path, DAY_730)

    assert result.verdict is not None and result.verdict.verdict == "too_little_data"
    assert [reason.code for reason in result.verdict.reasons] == [code]
    assert "needed" in page_of(KIND, task_with(), result)


def test_no_purchase_at_all_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    nothing = spark.createDataFrame([], "customer string, moment timestamp")

    with pytest.raises(RefusedError, match="no purchases up to the as-of moment"):
        answer(nothing, tmp_path, DAY_730)


@pytest.mark.long
def test_amounts_that_are_no_numbers_are_left_out_and_counted(planted: DataFrame, tmp_path: Path) -> None:
    odd = planted.where("customer = 'c1'").limit(1).selectExpr("'c1'", "moment", "CAST('NaN' AS double)")

    result = answer(planted.unionAll(odd), tmp_path, DAY_730, bootstrap_replicates=50, model="bg_nbd")

    assert [finding.value for finding in result.findings if finding.code == "amounts_not_finite"] == [1]


def test_as_few_days_are_taken_together_as_make_histories_fit(spark: SparkSession) -> None:
    """400 histories; 200, 115 and 58 of steps of 4, 7 and 14 days: half of them are of customers who came once."""
    histories = spark.range(400).selectExpr(
        "CONCAT('c', id) AS customer", "id % 2 AS frequency", "(id % 2) * (id DIV 2) AS recency_days", "id AS age_days"
    )

    found = {maximum: cells(histories, maximum) for maximum in (400, 250, 60)}

    assert {maximum: one.step_days for maximum, one in found.items()} == {400: 1, 250: 4, 60: 14}
    assert [int(one.rows["customers"].sum()) for one in found.values()] == [400, 400, 400]
    with pytest.raises(ConfigurationError, match="more than 1 distinct histories"):
        cells(histories, 1)


@pytest.mark.long
def test_with_many_histories_days_are_taken_together(planted: DataFrame, tmp_path: Path) -> None:
    result = answer(planted, tmp_path, DAY_730, maximum_groups=1000, model="bg_nbd", bootstrap_replicates=50)

    days = [finding.value for finding in result.findings if finding.code == "days_taken_together"]
    assert len(days) == 1 and days[0] is not None and days[0] > 1
    assert result.tables["customers"].count() == planted.select("customer").distinct().count()
