"""The kind `send_time`: contacts in, an hour for each customer out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.bench import stage_context
from tests.conftest import PROJECT
from tests.pages import page_of

from otklik.decisions.send_time.kind import KIND, SendTimeTask
from otklik.decisions.send_time.method import jackknife, run
from otklik.errors import ConfigurationError, RefusedError
from otklik.kind import StageResult
from otklik.settings import load, validate
from otklik.world import trials
from otklik.world.draws import Draws
from otklik.world.options import EFFECTS

TASK = {
    "name": "hours",
    "kind": "send_time",
    "title": {"en": "Hours", "ru": "Часы"},
    "question": {"en": "When?", "ru": "Когда?"},
    "inputs": {"contacts": "silver.contacts"},
    "band_starts": [0, 8, 12, 18],
}
HOURS = np.array([9, 14, 20])
START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=200)


def task_with(**settings: Any) -> SendTimeTask:
    return validate(SendTimeTask, {**TASK, **settings}, "test")


def contacts_of(
    spark: SparkSession, *, like: float = 1.0, best: float = 1.0, chosen: float = 0.0, customers: int = 1500
) -> DataFrame:
    """Thirty contacts each, at random hours unless `chosen` sends that share of them at the customer's own hour.

    Args:
        spark: the session.
        like: how many times as often a customer answers at the own hour.
        best: how many times as often everybody answers in the evening.
        chosen: share of contacts sent at the own hour.
        customers: how many.
    """
    draw = np.random.default_rng(7)
    each = 30
    own, ready = draw.integers(0, 3, customers), draw.gamma(4, 1 / 4, customers)
    of = np.repeat(np.arange(customers), each)
    hour = np.where(draw.random(len(of)) < chosen, own[of], draw.integers(0, 3, len(of)))
    rate = 0.08 * ready[of] * np.where(hour == own[of], like, 1.0) * np.where(hour == 2, best, 1.0)
    day = draw.integers(0, 199, len(of))
    rows = pd.DataFrame(
        {
            "customer": [f"c{number}" for number in of],
            "hours": day * 24 + HOURS[hour],
            "responded": draw.random(len(of)) < rate,
            "own": HOURS[own[of]],
        }
    )
    return spark.createDataFrame(rows).selectExpr(
        "customer", "TIMESTAMP '2025-01-01' + make_interval(0, 0, 0, 0, hours) AS moment", "responded", "own"
    )


def answer(contacts: DataFrame, folder: Path, **settings: Any) -> StageResult:
    return run({"contacts": contacts}, task_with(**settings), stage_context(contacts.sparkSession, folder, END))


def said(result: StageResult) -> tuple[str, str]:
    assert result.verdict is not None
    return result.verdict.verdict, result.verdict.reasons[0].code


def value(result: StageResult, name: str, subject: str = "") -> Any:
    return next(one for one in result.measures if (one.measure, one.subject) == (name, subject))


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[DataFrame, StageResult]:
    contacts = contacts_of(spark, like=4.0).persist()
    return contacts, answer(contacts, tmp_path_factory.mktemp("planted"))


def test_planted_hours_of_customers_are_found_and_pay(planted: tuple[DataFrame, StageResult]) -> None:
    contacts, result = planted
    truth = {row.customer: row.own for row in contacts.select("customer", "own").distinct().collect()}
    times = result.tables["times"].collect()
    begins = {8: 9, 12: 14, 18: 20}

    assert said(result) == ("gain", "own_hours")
    right = np.mean([begins[row.band] == truth[row.customer] for row in times])
    assert right > 0.7
    # At the own hour 4 × .08 is answered, at another one .08.
    expected = 0.08 * (4 * right + 1 - right)
    rate = value(result, "rate", "own")
    assert rate.low < expected < rate.high
    # The factor is 4 in one band of three: its mean square, over its mean product between bands, less 1.
    assert value(result, "preference").value == pytest.approx((16 + 1 + 1) / (4 + 4 + 1) - 1, abs=0.1)
    assert all(row.expected > row.expected_best if row.is_own else row.expected == row.expected_best for row in times)


def test_the_page_says_what_it_is_worth(planted: tuple[DataFrame, StageResult]) -> None:
    page = page_of(KIND, task_with(), planted[1], "ru")

    assert "индивидуальные часы клиента" in page and "08:00–12:00" in page


def test_where_one_hour_is_good_for_all_nobody_needs_another(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(contacts_of(spark, best=2.0), tmp_path)

    assert said(result) == ("gain", "one_hour_for_all")
    assert result.tables["bands"].where("is_best").collect()[0].band == 18
    assert value(result, "preference").low < 0 < value(result, "preference").high
    gain = value(result, "gain", "best")
    assert gain.low < 0.16 - 0.08 * (2 + 1 + 1) / 3 < gain.high


@pytest.mark.long
def test_without_any_preference_there_is_nothing_to_gain(spark: SparkSession, tmp_path: Path) -> None:
    assert said(answer(contacts_of(spark), tmp_path)) == ("no_gain", "hours_alike")


@pytest.mark.long
def test_hours_that_were_chosen_by_customer_judge_nothing(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(contacts_of(spark, like=4.0, chosen=0.6), tmp_path)

    assert said(result) == ("invalid", "hours_follow_customers")


@pytest.mark.long
def test_the_answer_does_not_depend_on_the_layout(planted: tuple[DataFrame, StageResult], tmp_path: Path) -> None:
    contacts, result = planted
    again = answer(contacts.repartition(5), tmp_path)

    assert [one.value for one in again.measures] == pytest.approx([one.value for one in result.measures])
    assert again.tables["times"].exceptAll(result.tables["times"]).isEmpty()


@pytest.mark.long
def test_hours_are_those_of_the_time_zone(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(contacts_of(spark, best=2.0), tmp_path, timezone="Asia/Almaty", band_starts=[0, 4, 12, 18])

    # 20:00 UTC is 01:00 in Almaty.
    assert result.tables["bands"].where("is_best").collect()[0].band == 0


@pytest.mark.long
def test_few_or_simultaneous_contacts_give_no_verdict_of_gain(spark: SparkSession, tmp_path: Path) -> None:
    few = contacts_of(spark, customers=20)

    assert said(answer(few, tmp_path)) == ("too_little_data", "few_earlier")
    with pytest.raises(RefusedError, match="cannot be split by time"):
        answer(few.selectExpr("customer", "TIMESTAMP '2025-01-01' AS moment", "responded"), tmp_path)
    with pytest.raises(RefusedError, match="no contact has a customer"):
        answer(few.where("false"), tmp_path)
    with pytest.raises(RefusedError, match="more than 2 groups of contacts"):
        answer(few.selectExpr("*", "customer AS `group`"), tmp_path, maximum_groups=2)


@pytest.mark.long
@pytest.mark.parametrize(("without", "verdict"), [((), "gain"), (EFFECTS, "no_gain")], ids=["planted", "not planted"])
def test_the_hours_of_the_world_are_found(
    spark: SparkSession, tmp_path: Path, without: tuple[str, ...], verdict: str
) -> None:
    """The shipped task's settings, on 4,000 customers who like to read at 9, 13 or 20 o'clock."""
    sends = trials.sends(spark.range(4000).withColumnRenamed("id", "number"), Draws(7), without)
    contacts = sends.selectExpr("customer_id AS customer", "timestamp_micros(us) AS moment", "is_opened AS responded")
    shipped = load(SendTimeTask, PROJECT / "conf" / "tasks" / "world_send_time.toml")

    result = run({"contacts": contacts}, shipped, stage_context(spark, tmp_path, END))

    assert said(result)[0] == verdict
    if verdict == "gain":
        band = {9: 8, 13: 12, 20: 19}
        liked = {row.customer_id: row.favourite_hour for row in sends.select("customer_id", "favourite_hour").collect()}
        times = result.tables["times"].collect()
        assert np.mean([row.band == band[liked[row.customer]] for row in times]) > 0.5


def test_what_is_no_time_zone_and_no_band_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'Almaty' is not a time zone"):
        task_with(timezone="Almaty")
    with pytest.raises(ConfigurationError, match="ascending hours"):
        task_with(band_starts=[6, 12])


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(5, 2, 60)
    sums = pd.DataFrame({"bucket": range(60), "total": values, "count": 1.0})

    mean = jackknife(sums, lambda totals: totals["total"] / totals["count"])

    assert mean.value == pytest.approx(values.mean())
    assert (mean.high - mean.low) / 2 == pytest.approx(2.001 * values.std(ddof=1) / np.sqrt(60), rel=1e-3)
