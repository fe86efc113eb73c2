"""The engagement features: what counts up to a moment, to the microsecond."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import Row, SparkSession

from otklik.features.catalogue import read_select

MOMENT = datetime(2025, 3, 31, 5, tzinfo=UTC)
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
SETTINGS = {
    "events": "engagements",
    "windows": ["6h", "30d"],
    "kinds": ["like", "comment"],
    "kind_windows": ["30d"],
    "topics": ["deposits", "travel"],
    "topic_windows": ["30d"],
    "networks": ["vk"],
    "network_windows": ["30d"],
    "trend_window": "30d",
    "time_zone": "Asia/Aqtobe",
}


def at(moment: datetime, **fields: object) -> dict:
    return {"happened_at": moment, **fields}


#: Customer → events at MOMENT; an event that says nothing else is a like on vk about travel, known at once.
CASES: dict[str, list[dict]] = {
    "around the moment": [at(MOMENT - TICK), at(MOMENT), at(MOMENT + TICK)],
    "around the start of 30 days": [at(MOMENT - 30 * DAY), at(MOMENT - 30 * DAY + TICK)],
    "around the start of 6 hours": [at(MOMENT - 6 * HOUR), at(MOMENT - 6 * HOUR + TICK)],
    "at the start of the horizon": [at(MOMENT - 60 * DAY)],
    "just inside the horizon": [at(MOMENT - 60 * DAY + TICK)],
    "known in time, too late, at no stated time": [
        at(MOMENT - DAY, known_at=MOMENT),
        at(MOMENT - DAY, known_at=MOMENT + TICK),
        at(MOMENT - DAY, known_at=None),
    ],
    "a mixture": [
        # Sunday, 2025-03-30, 23:30 UTC is half past four on Monday in Aqtobe.
        at(datetime(2025, 3, 30, 23, 30, tzinfo=UTC), kind="comment", topic="deposits"),
        at(datetime(2025, 3, 29, 14, tzinfo=UTC), network="ok"),
        at(datetime(2025, 3, 28, 3, tzinfo=UTC), topic="something else"),
    ],
    "nothing": [],
}


def activity(spark: SparkSession, settings: dict) -> dict[str, Row]:
    base = {"kind": "like", "topic": "travel", "network": "vk"}
    rows = spark.createDataFrame(
        [(f"key of {name}", MOMENT, name) for name in CASES], "key STRING, moment TIMESTAMP, unit STRING"
    )
    engagements = spark.createDataFrame(
        [
            {**base, "customer_id": name, "known_at": event["happened_at"], **event}
            for name, events in CASES.items()
            for event in events
        ],
        "customer_id STRING, happened_at TIMESTAMP, kind STRING, topic STRING, network STRING, known_at TIMESTAMP",
    )
    select = read_select("engagement_activity", settings, [])
    found = spark.sql(select.text, rows=rows, engagements=engagements)
    assert set(found.columns) == {"key", "moment", *(column.name for column in select.columns)}
    per_case = {row.key.removeprefix("key of "): row for row in found.collect()}
    assert set(per_case) == set(CASES)
    return per_case


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, Row]:
    return activity(spark, SETTINGS)


def test_an_event_counts_up_to_the_moment_and_not_a_microsecond_later(found):
    row = found["around the moment"]
    assert (row.event_count_6h, row.event_count_30d, row.days_since_last_event) == (2, 2, 0.0)


def test_a_window_is_open_at_its_start(found):
    assert found["around the start of 30 days"].event_count_30d == 1
    assert found["around the start of 6 hours"].event_count_6h == 1


def test_the_trend_compares_two_windows_that_share_no_event(found):
    assert found["around the start of 30 days"].activity_trend_30d == 0.0
    assert found["around the moment"].activity_trend_30d == pytest.approx(math.log(3))
    assert found["just inside the horizon"].activity_trend_30d == pytest.approx(-math.log(2))


def test_nothing_before_the_horizon_counts(found):
    assert found["at the start of the horizon"].days_since_last_event == 60.0
    assert found["at the start of the horizon"].weekend_share_1440h is None
    assert found["just inside the horizon"].days_since_last_event < 60.0


def test_an_event_counts_only_once_it_was_known(found):
    assert found["known in time, too late, at no stated time"].event_count_30d == 2


def test_kinds_topics_networks_and_their_profile(found):
    row = found["a mixture"]
    assert (row.like_count_30d, row.comment_count_30d) == (2, 1)
    assert (row.about_deposits_count_30d, row.about_travel_count_30d, row.on_vk_count_30d) == (1, 1, 2)
    assert row.distinct_topics_1440h == 2
    assert (row.night_share_1440h, row.morning_share_1440h, row.evening_share_1440h) == (1 / 3, 1 / 3, 1 / 3)
    assert row.weekend_share_1440h == 1 / 3


def test_without_events_counts_are_zero_and_shares_are_empty(found):
    row = found["nothing"]
    assert (row.event_count_30d, row.days_since_last_event, row.activity_trend_30d) == (0, 60.0, 0.0)
    assert (row.distinct_topics_1440h, row.weekend_share_1440h) == (0, None)


def test_topics_networks_and_trend_may_be_left_out(spark: SparkSession):
    settings = {"events": "engagements", "windows": ["1h"], "kinds": ["like"], "kind_windows": ["24h"]}
    row = activity(spark, settings)["around the start of 6 hours"]
    assert (row.event_count_1h, row.like_count_24h) == (0, 2)
