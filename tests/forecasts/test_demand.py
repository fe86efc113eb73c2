"""The kind `demand`: sales in, forecasts of each series out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.bench import run_kind, stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.forecasts.demand.kind import KIND, DemandTask
from otklik.kind import StageResult
from otklik.page.formats import LANGUAGES, Language
from otklik.settings import validate

TASK = {
    "name": "weekly_demand",
    "kind": "demand",
    "title": {"en": "Demand", "ru": "Спрос"},
    "question": {"en": "How much will be sold?", "ru": "Сколько продадут?"},
    "inputs": {"sales": "silver.sales"},
}


def task_with(**settings: Any) -> DemandTask:
    return validate(DemandTask, {**TASK, **settings}, "test")


def answer(sales: DataFrame, folder: Path, as_of: datetime, **settings: Any) -> StageResult:
    return run_kind(KIND, {"sales": sales}, task_with(**settings), stage_context(sales.sparkSession, folder, as_of))


def measures(result: StageResult) -> dict[str, Any]:
    return {one.measure: one for one in result.measures}


def best_before(result: StageResult) -> str:
    """The method of the smallest error at origins before the hold-out."""
    errors = {one.subject: one.value or 0.0 for one in result.measures if one.measure == "earlier_error"}
    return min(errors, key=lambda name: errors[name])


@pytest.fixture(scope="module")
def avocado(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    rows = spark.read.csv(str(shared_data / "avocado" / "avocado.csv.gz"), header=True)
    sales = rows.selectExpr(
        "concat(region, ', ', type) AS series", "CAST(Date AS timestamp) AS moment",
        "CAST(`Total Volume` AS double) AS quantity",
    )  # fmt: skip
    moment = datetime(2018, 3, 25, 23, 59, 59, 999999, tzinfo=UTC)
    return answer(sales, tmp_path_factory.mktemp("avocado"), moment, ahead=12, fill="interpolate")


@pytest.fixture(scope="module")
def retail(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Goods; rule B but customers not required; empty weeks 0."""
    rows = spark.read.csv(str(shared_data / "online_retail" / "online_retail.csv.gz"), header=True).distinct()
    goods = rows.where(
        "NOT startswith(InvoiceNo, 'C') AND CAST(Quantity AS int) > 0 AND CAST(UnitPrice AS double) > 0 "
        "AND StockCode RLIKE '^[0-9]{5}' AND CAST(InvoiceDate AS date) >= '2010-12-06'"
    )
    sales = goods.selectExpr(
        "StockCode AS series", "CAST(InvoiceDate AS timestamp) AS moment", "CAST(Quantity AS double) AS quantity"
    )
    moment = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)
    folder = tmp_path_factory.mktemp("retail")
    return answer(sales, folder, moment, ahead=8, top=200, begin="first_period")


@pytest.mark.long
def test_avocados_are_forecast_as_well_as_by_the_best_method_known(avocado: StageResult) -> None:
    found = measures(avocado)
    by_model = {row.model: row for row in avocado.tables["models"].collect()}

    assert found["series"].value == 108
    assert found["mase"].value <= 1.70
    assert best_before(avocado) == "pooled_theta"
    assert found["mase"].baseline == pytest.approx(2.0647, abs=5e-5)
    assert found["rmsse"].baseline == pytest.approx(1.7730, abs=5e-5)
    assert by_model["seasonal_naive"].mase == pytest.approx(2.5764, abs=5e-5)
    assert by_model["seasonal_naive"].rmsse == pytest.approx(2.0433, abs=5e-5)


@pytest.mark.long
def test_two_hundred_gifts_are_forecast_as_well_as_by_the_best_method_known(retail: StageResult) -> None:
    found = measures(retail)
    by_model = {row.model: (row.mase, row.rmsse) for row in retail.tables["models"].collect()}

    assert found["mase"].value <= 1.17
    assert best_before(retail) == "combined"
    assert found["mase"].baseline == pytest.approx(1.8800, abs=5e-5)
    known = {"mean": (1.1735, 0.9115), "ses": (1.1684, 0.8841), "croston": (1.2163, 0.9213), "sba": (1.2119, 0.9221)}
    for name, both in known.items():
        assert by_model[name] == pytest.approx(both, abs=1e-4)
    assert retail.verdict is not None and retail.verdict.verdict == "gain"


@pytest.mark.long
def test_eight_of_ten_periods_lie_in_the_intervals(avocado: StageResult, retail: StageResult) -> None:
    assert 0.72 <= measures(retail)["coverage_80"].value <= 0.88
    assert 0.72 <= measures(avocado)["coverage_80"].value <= 0.88


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it(retail: StageResult, language: Language) -> None:
    page = page_of(KIND, task_with(ahead=8, top=200, begin="first_period"), retail, language)

    assert ("1.17" if language == "en" else "1,17") in page


MONDAY = date(2024, 1, 1)
#: The end of the 60th week.
MOMENT = datetime.combine(MONDAY + timedelta(weeks=60), time(), UTC) - timedelta(microseconds=1)


def weekly(spark: SparkSession, **series: list[float]) -> DataFrame:
    """Series of 60 weeks, or of fewer: they end with the last one. Each week is sold on its Thursday."""
    rows = [
        (name, str(MONDAY + timedelta(weeks=60 - len(values) + week, days=3)), float(value))
        for name, values in series.items()
        for week, value in enumerate(values)
    ]
    frame = spark.createDataFrame(rows, "series string, day string, quantity double")
    return frame.selectExpr("series", "CAST(day AS timestamp) AS moment", "quantity")


def noise(level: float, count: int = 60, seed: int = 1) -> list[float]:
    return list(np.random.default_rng(seed).normal(level, 3, count))


@pytest.fixture(scope="module")
def small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Series around a level, and some that cannot be forecast."""
    levels = {f"level_{place}": noise(40 + place, seed=place) for place in range(6)}
    sales = weekly(spark, **levels, short=noise(10, 12), silent=[0.0] * 59 + [5.0], flat=[7.0] * 60)
    return answer(sales, tmp_path_factory.mktemp("small"), MOMENT, ahead=4)


def test_a_series_that_cannot_be_forecast_says_so(small: StageResult) -> None:
    status = {row.series: row.status for row in small.tables["series"].collect()}

    assert {name: status[name] for name in ("short", "silent", "flat", "level_0")} == {
        "short": "too_short", "silent": "nothing_sold", "flat": "constant", "level_0": "forecast"
    }  # fmt: skip
    assert {finding.code: finding.value for finding in small.findings if finding.code != "intervals_off"} == {
        "constant": 1, "nothing_sold": 1, "too_short": 1
    }  # fmt: skip
    assert {row.series for row in small.tables["forecasts"].select("series").collect()} == {
        f"level_{place}" for place in range(6)
    }


def test_the_next_weeks_follow_the_last_one(small: StageResult) -> None:
    rows = small.tables["forecasts"].where("series = 'level_0'").orderBy("step").collect()

    assert [(row.step, row.period) for row in rows] == [
        (step, MONDAY + timedelta(weeks=59 + step)) for step in range(1, 5)
    ]
    assert all(row.low <= row.quantity <= row.high for row in rows)


def test_around_a_level_smoothing_beats_the_last_value(small: StageResult) -> None:
    found = measures(small)

    assert found["mase_gain"].low > 0
    assert small.verdict is not None and small.verdict.verdict == "gain"
    assert "better than the last value" in page_of(KIND, task_with(ahead=4), small)


@pytest.fixture(scope="module")
def grouped(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Twelve series of two regions, noisy by themselves; a missing piece costs three times one that is left."""
    levels = {f"level_{place:02}": noise(40 + place, seed=place) for place in range(12)}
    sales = weekly(spark, **levels).withColumn("group", F.when(F.col("series") < "level_06", "east").otherwise("west"))
    stock = {"periods": 2, "missing_cost": 3.0, "left_cost": 1.0}
    return answer(sales, tmp_path_factory.mktemp("grouped"), MOMENT, ahead=4, origins=8, stock=stock)


@pytest.mark.long
def test_parts_add_up_to_groups_and_these_to_everything(grouped: StageResult) -> None:
    rows = grouped.tables["totals"].where("step = 1").collect()
    sums = {row["name"]: row["quantity"] for row in rows}
    series = grouped.tables["forecasts"].where("step = 1").toPandas()

    assert set(sums) == {"group east", "group west", "all"}
    assert sums["group east"] == pytest.approx(series[series["series"] < "level_06"]["quantity"].sum())
    assert sums["group east"] + sums["group west"] == pytest.approx(sums["all"])
    found = measures(grouped)
    assert found["mase_adding_up"].value == pytest.approx(found["mase"].value)
    assert found["mase_adding_up"].value < found["mase_adding_up"].baseline * 1.02


@pytest.mark.long
def test_a_stock_does_as_often_as_its_costs_ask_for(grouped: StageResult) -> None:
    found, stock = measures(grouped), grouped.tables["stock"].toPandas()

    assert len(stock) == 12
    assert (stock["stock"] > stock["expected"]).all()
    assert (stock["stock"] % 1 == 0).all()
    assert found["stock_enough"].baseline == 0.75
    assert found["stock_cost"].value < found["stock_cost"].baseline
    for language in LANGUAGES:
        task = task_with(ahead=4, origins=8, stock={"periods": 2, "missing_cost": 3.0, "left_cost": 1.0})
        page = page_of(KIND, task, grouped, language)
        assert ("Stock levels" if language == "en" else "Сколько держать на складе") in page
        assert ("Groups and totals" if language == "en" else "Группы и итоги") in page


def test_a_stock_for_more_periods_than_are_forecast_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"stock\.periods"):
        task_with(ahead=2, stock={"periods": 3, "missing_cost": 1.0, "left_cost": 1.0})
    with pytest.raises(ConfigurationError, match="naive cannot be left out"):
        task_with(models=["mean"])


@pytest.mark.long
def test_planned_prices_and_holidays_are_used(spark: SparkSession, tmp_path: Path) -> None:
    """At half the price twice as much is sold, in a holiday week half as much again; nothing is planned ahead."""
    draw = np.random.default_rng(3)
    weeks = [MONDAY + timedelta(weeks=week) for week in range(60)]
    holidays = [weeks[place] + timedelta(days=4) for place in (9, 22, 35, 48, 57)]
    price = {place: np.where(draw.random(60) < 0.25, 0.5, 1.0) for place in range(12)}
    sold = {
        f"level_{place:02}": (40 + 40 * (price[place] < 1) + draw.normal(0, 2, 60))
        * np.where(np.isin(np.arange(60), (9, 22, 35, 48, 57)), 1.5, 1.0)
        for place in range(12)
    }
    planned = [(f"level_{p:02}", str(weeks[w]), float(price[p][w])) for p in price for w in range(60)]
    plan = spark.createDataFrame(planned, "series string, day string, price double").selectExpr(
        "series", "CAST(day AS date) AS day", "price"
    )
    sales = weekly(spark, **{name: list(values) for name, values in sold.items()})
    task = task_with(ahead=4, holidays=holidays, frames={"plan": {}})

    with_plan = run_kind(KIND, {"sales": sales, "plan": plan}, task, stage_context(spark, tmp_path, MOMENT))
    without = answer(sales, tmp_path, MOMENT, ahead=4)

    assert measures(with_plan)["mase"].value < 0.6 * measures(without)["mase"].value
    assert best_before(with_plan) in ("pooled", "pooled_theta")
    assert "plan_ends" in {finding.code for finding in with_plan.findings}
    assert "plan_ends" not in {finding.code for finding in without.findings}


@pytest.mark.long
def test_where_the_last_value_is_all_there_is_to_know_there_is_no_gain(spark: SparkSession, tmp_path: Path) -> None:
    walks = {f"walk_{place}": list(500 + np.random.default_rng(place).normal(0, 3, 60).cumsum()) for place in range(12)}

    result = answer(weekly(spark, **walks), tmp_path, MOMENT, ahead=4)

    assert result.verdict is not None and result.verdict.verdict == "no_gain"


@pytest.mark.long
def test_the_same_rows_give_the_same_answer_in_any_layout(
    spark: SparkSession, small: StageResult, tmp_path: Path
) -> None:
    levels = {f"level_{place}": noise(40 + place, seed=place) for place in range(6)}
    sales = weekly(spark, **levels, short=noise(10, 12), silent=[0.0] * 59 + [5.0], flat=[7.0] * 60)

    again = answer(sales.repartition(4, "moment"), tmp_path, MOMENT, ahead=4)

    assert measures(again).keys() == measures(small).keys()
    for name, one in measures(small).items():
        assert measures(again)[name].value == pytest.approx(one.value, rel=1e-12)
    for what in ("series", "forecasts"):
        one, other = (sorted(map(tuple, result.tables[what].collect()), key=str) for result in (small, again))
        assert one == other


@pytest.mark.long
def test_a_week_that_is_not_over_does_not_count(spark: SparkSession, tmp_path: Path) -> None:
    levels = {f"level_{place}": noise(40 + place, seed=place) for place in range(6)}

    result = answer(weekly(spark, **levels), tmp_path, MOMENT - timedelta(days=1), ahead=4)

    assert {row.periods for row in result.tables["series"].collect()} == {59}


def test_without_a_sale_there_is_nothing_to_forecast(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no sales up to the as-of moment"):
        answer(weekly(spark).where("false"), tmp_path, MOMENT)


def test_more_weeks_than_there_are_cannot_be_held_out(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="60 complete periods, of which 60 are held out"):
        answer(weekly(spark, level=noise(10)), tmp_path, MOMENT, ahead=60)
