"""The kind `season`: sales in, indices out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import RefusedError
from otklik.forecasts.season.kind import KIND, SeasonTask
from otklik.forecasts.season.method import run
from otklik.kind import StageResult
from otklik.settings import validate

TASK = {
    "name": "when",
    "kind": "season",
    "title": {"en": "When", "ru": "Когда"},
    "question": {"en": "When is more bought?", "ru": "Когда покупают больше?"},
    "inputs": {"sales": "silver.sales"},
}
MONDAY = date(2024, 1, 1)
DAYS = 140
MOMENT = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=DAYS) - timedelta(microseconds=1)
WEEKDAYS = np.array([0.5, 0.8, 1.0, 1.1, 1.6, 1.4, 0.6])


def task_with(**settings: Any) -> SeasonTask:
    return validate(SeasonTask, {**TASK, **settings}, "test")


def answer(sales: DataFrame, folder: Path, as_of: datetime = MOMENT, **settings: Any) -> StageResult:
    return run({"sales": sales}, task_with(**settings), stage_context(sales.sparkSession, folder, as_of))


def sales_of(spark: SparkSession, weekdays: np.ndarray) -> DataFrame:
    draw = np.random.default_rng(3)
    rows = [
        (str(MONDAY + timedelta(days=day)), hour, group, float(draw.poisson(8 * share * weekdays[day % 7])))
        for day in range(DAYS)
        for hour, share in ((9, 1.0), (18, 3.0))
        for group in ("new", "old")
    ]
    frame = spark.createDataFrame(pd.DataFrame(rows, columns=["day", "hour", "group", "quantity"]))
    return frame.selectExpr("CAST(day AS timestamp) + make_interval(0, 0, 0, 0, hour) AS moment", "group", "quantity")


@pytest.fixture(scope="module")
def result(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    return answer(sales_of(spark, WEEKDAYS), tmp_path_factory.mktemp("season"), parts=["hour", "weekday", "month"])


def test_planted_weekdays_and_hours_are_found(result: StageResult) -> None:
    rows = result.tables["indices"].where("group = '(all)'").collect()
    weekdays = [row for row in rows if row.part == "weekday"]
    hours = {row.level: row["index"] for row in rows if row.part == "hour"}

    inside = [row.low < WEEKDAYS[row.level - 1] / WEEKDAYS.mean() < row.high for row in weekdays]
    assert sum(inside) >= 6
    assert (hours[9], hours[18], hours[12]) == (pytest.approx(6, abs=0.5), pytest.approx(18, abs=0.5), 0)
    assert {row.group for row in result.tables["indices"].collect()} == {"(all)", "new", "old"}


def test_months_that_came_once_have_no_index(result: StageResult) -> None:
    assert [finding.code for finding in result.findings] == ["months_need_two_years"]
    assert result.tables["indices"].where("part = 'month'").isEmpty()


def test_the_page_names_the_strongest_day(result: StageResult) -> None:
    assert "on Fridays" in page_of(KIND, task_with(), result)


@pytest.mark.long
def test_where_all_days_are_alike_there_is_no_season(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(sales_of(spark, np.ones(7)), tmp_path)

    assert result.verdict is not None
    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("no_gain", "no_season")


@pytest.mark.long
def test_too_few_days_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="12 days before the hold-out; 56 are needed"):
        answer(sales_of(spark, WEEKDAYS), tmp_path, MOMENT - timedelta(days=100))
