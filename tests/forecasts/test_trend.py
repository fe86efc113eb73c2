"""The kind `trend`: events in, what is rising and what has burst out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import RefusedError
from otklik.forecasts.trend.kind import KIND, TrendTask
from otklik.forecasts.trend.method import run
from otklik.kind import StageResult
from otklik.settings import validate

TASK = {
    "name": "rising",
    "kind": "trend",
    "title": {"en": "Trends", "ru": "Тренды"},
    "question": {"en": "What is rising?", "ru": "Что растёт?"},
    "inputs": {"events": "silver.events"},
}
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 60
MOMENT = MONDAY + timedelta(weeks=WEEKS) - timedelta(microseconds=1)


def task_with(**settings: Any) -> TrendTask:
    return validate(TrendTask, {**TASK, **settings}, "test")


def answer(events: DataFrame, folder: Path, as_of: datetime = MOMENT, **settings: Any) -> StageResult:
    return run({"events": events}, task_with(**settings), stage_context(events.sparkSession, folder, as_of))


def planted(shuffled: bool = False) -> np.ndarray:
    """Counts of 100 items: the first 10 rise by 8 % a week in the last 20 weeks, item 20 bursts in week 50."""
    draw = np.random.default_rng(8)
    rates = np.full((100, WEEKS), 40.0)
    rates[:10, -20:] *= 1.08 ** np.arange(1, 21)
    counts = draw.poisson(rates)
    counts[20, 50] = 160
    return draw.permuted(counts, axis=1) if shuffled else counts


def as_events(spark: SparkSession, counts: np.ndarray) -> DataFrame:
    rows = pd.DataFrame(
        [(f"item_{item:02}", str(MONDAY.date() + timedelta(weeks=week)), float(count))
         for item, of_item in enumerate(counts) for week, count in enumerate(of_item)],
        columns=["item", "day", "weight"],
    )  # fmt: skip
    return spark.createDataFrame(rows).selectExpr("item", "CAST(day AS timestamp) AS moment", "weight")


@pytest.fixture(scope="module")
def result(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    return answer(as_events(spark, planted()), tmp_path_factory.mktemp("trend"))


def test_what_was_planted_is_rising_and_nothing_else(result: StageResult) -> None:
    rising = {row.item for row in result.tables["items"].where("direction = 'rising'").collect()}

    assert {f"item_{item:02}" for item in range(10)} <= rising
    assert len(rising) <= 11


def test_the_planted_burst_is_dated(result: StageResult) -> None:
    bursts = result.tables["bursts"].where("item = 'item_20'").collect()

    assert [(row.period, row.events, row.is_peak) for row in bursts] == [
        ((MONDAY + timedelta(weeks=50)).replace(tzinfo=None), 160.0, True)
    ]


def test_risers_rise_on(result: StageResult) -> None:
    precision = next(one for one in result.measures if one.measure == "precision")

    assert precision.value is not None and precision.value >= 0.8
    assert precision.baseline is not None and precision.baseline < 0.65
    assert result.verdict is not None and result.verdict.verdict == "gain"
    assert "kept rising" in page_of(KIND, task_with(), result)


@pytest.mark.long
def test_in_shuffled_weeks_alarms_are_rare(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(as_events(spark, planted(shuffled=True)), tmp_path)

    assert result.tables["items"].where("direction != 'steady'").count() <= 2
    assert result.verdict is not None and result.verdict.verdict == "descriptive"


@pytest.mark.long
def test_the_higgs_boson_burst_at_six_o_clock(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    lines = spark.read.csv(str(shared_data / "higgs_twitter" / "higgs-activity_time.txt.gz"), sep=" ")
    events = lines.selectExpr("_c3 AS item", "timestamp_seconds(CAST(_c2 AS bigint)) AS moment")

    result = answer(
        events, tmp_path, datetime(2012, 7, 7, 23, 59, 59, 999999, tzinfo=UTC), period="hour", window=24, ahead=6
    )

    peak = result.tables["bursts"].where("item = '(all)' AND is_peak").collect()
    assert [(row.period, row.events) for row in peak] == [(datetime(2012, 7, 4, 6), 45_861.0)]
    assert "4 July 2012, 06:00" in page_of(KIND, task_with(period="hour"), result).replace("\u00a0", " ")


def test_too_few_weeks_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    few = as_events(spark, planted()[:2, :5])

    with pytest.raises(RefusedError, match="window and ahead need 14"):
        answer(few, tmp_path, MONDAY + timedelta(weeks=5))
