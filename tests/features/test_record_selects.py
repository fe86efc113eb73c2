"""record_rows and record_columns: a table whose records are customers with an answer needs no SQL of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from otklik.errors import ConfigurationError
from otklik.features.builder import rows_of_task, run_select, with_features
from otklik.features.catalogue import read_select

AS_OF = datetime(2020, 1, 31, tzinfo=UTC)


def test_records_become_rows_and_columns_without_sql_of_ones_own(spark: SparkSession) -> None:
    customers = spark.createDataFrame(
        [(7, "Yes", "fiber", 120), (8, "No", None, 40), (9, None, "dsl", 30)],
        "customer_id INT, has_left STRING, internet STRING, call_seconds INT",
    )
    naming = {"input": "customers", "key": "customer_id"}
    rows_select = read_select("record_rows", {**naming, "label": "has_left", "yes": "Yes", "moment": "2020-01-01"}, [])
    columns = read_select("record_columns", {**naming, "columns": ["internet"], "known_after": ["call_seconds"]}, [])

    rows = rows_of_task(spark, rows_select, {"customers": customers}, as_of=AS_OF, label_window=timedelta())
    found = with_features(spark, rows, [(columns, [])], {"customers": customers}, AS_OF)

    assert [(c.name, c.is_known_after) for c in columns.columns] == [("internet", False), ("call_seconds", True)]
    assert [
        tuple(row) for row in found.select("key", "label", "internet", "call_seconds").orderBy("key").collect()
    ] == [
        ("7", 1, "fiber", 120),
        ("8", 0, None, 40),
        ("9", None, "dsl", 30),
    ]


def test_the_moment_may_stand_in_a_column(spark: SparkSession) -> None:
    calls = spark.createDataFrame([("a", "no", "2020-01-30")], "id STRING, answer STRING, called_on STRING")
    settings = {"input": "calls", "key": "id", "label": "answer", "yes": "yes", "moment_column": "called_on"}
    select = read_select("record_rows", settings, [])

    rows = rows_of_task(spark, select, {"calls": calls}, as_of=AS_OF, label_window=timedelta(days=7))

    assert [(row.label, row.label_state) for row in rows.collect()] == [(None, "immature")]


def test_a_number_in_the_column_of_the_moment_is_no_count_of_seconds(spark: SparkSession) -> None:
    calls = spark.createDataFrame([("a", "no", 2019)], "id STRING, answer STRING, year INT")
    settings = {"input": "calls", "key": "id", "label": "answer", "yes": "yes", "moment_column": "year"}

    rows = rows_of_task(
        spark, read_select("record_rows", settings, []), {"calls": calls}, as_of=AS_OF, label_window=timedelta()
    )

    assert [row.moment for row in rows.collect()] == [datetime(2019, 1, 1)]


def test_more_than_a_number_may_mean_yes(spark: SparkSession) -> None:
    posts = spark.createDataFrame([("a", 100), ("b", 101), ("c", None)], "id STRING, shares INT")
    settings = {"input": "posts", "key": "id", "label": "shares", "above": 100, "moment": "2020-01-30"}

    rows = rows_of_task(
        spark, read_select("record_rows", settings, []), {"posts": posts}, as_of=AS_OF, label_window=timedelta()
    )

    assert {row.key: row.label for row in rows.collect()} == {"a": 0, "b": 1, "c": None}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bank_contacts", {"first_year": "2008, 1"}),
        ("facebook_posts", {"time_zone": "UTC", "least_posts": "20 OR true"}),
        ("higgs_accounts", {"first_moment": "2012-07-02", "every_hours": 6, "one_account_in": "8) OR (1"}),
        ("higgs_accounts", {"first_moment": "2012-07-02", "every_hours": "6", "one_account_in": 8}),
        ("seller_history", {"windows": ["30, 1"]}),
        ("seller_history", {"windows": [True]}),
    ],
)
def test_a_setting_that_is_to_be_a_number_does_not_become_sql(name: str, settings: dict) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"{name}\.sql: its template cannot be rendered: .* is not a whole number"
    ):
        read_select(name, settings, [])


@pytest.mark.parametrize(
    ("settings", "answers"),
    [
        ({"yes": "Yes"}, {"Yes": 1, "yes": 1, " YES ": 1, "да": 1, "No": 0, "нет": 0, "unknown": None, "": None}),
        ({"yes": "да"}, {"true": 1, "false": 0, "maybe": None}),
        ({"yes": 1}, {"1": 1, "1.0": 1, "0": 0, "2": None}),
        ({"yes": "bought"}, {"Bought": 1, "returned": 0, "browsed": 0, "N/A": None, "неизвестно": None}),
        ({"yes": ["bought", "kept"], "no": "returned"}, {"kept": 1, "Returned ": 0, "browsed": None}),
    ],
)
def test_an_answer_that_is_neither_yes_nor_no_is_unlabelled(spark: SparkSession, settings, answers) -> None:
    calls = spark.createDataFrame(list(enumerate(answers)), "id INT, answer STRING")
    naming = {"input": "calls", "key": "id", "label": "answer", "moment": "2020-01-01"}
    select = read_select("record_rows", naming | settings, [])

    rows = rows_of_task(spark, select, {"calls": calls}, as_of=AS_OF, label_window=timedelta())

    assert {row.key: row.label for row in rows.collect()} == {str(n): label for n, label in enumerate(answers.values())}


def test_a_boolean_answer_is_compared_with_a_word_in_any_language(spark: SparkSession) -> None:
    calls = spark.createDataFrame([("a", True), ("b", False), ("c", None)], "id STRING, answer BOOLEAN")
    naming = {"input": "calls", "key": "id", "label": "answer", "moment": "2020-01-01"}
    for yes in ("да", True, "1"):
        select = read_select("record_rows", {**naming, "yes": yes}, [])

        rows = rows_of_task(spark, select, {"calls": calls}, as_of=AS_OF, label_window=timedelta())

        assert {row.key: row.label for row in rows.collect()} == {"a": 1, "b": 0, "c": None}


def test_events_come_in_their_order_up_to_the_moment(spark: SparkSession) -> None:
    tick, day = timedelta(microseconds=1), timedelta(days=1)
    happened = [
        ("a", "too old", AS_OF - 2 * day, AS_OF - 2 * day),
        ("a", "first", AS_OF - 2 * day + tick, AS_OF - day),
        ("a", "then", AS_OF - day, AS_OF),
        ("a", "now", AS_OF, AS_OF),
        ("a", "not known yet", AS_OF - day, AS_OF + tick),
        ("a", "later", AS_OF + tick, None),
        ("b", "of another", AS_OF, None),
    ]
    events = spark.createDataFrame(
        [(customer, kind, moment, known) for customer, kind, moment, known in happened],
        "customer_id STRING, kind STRING, happened_at TIMESTAMP, known_at TIMESTAMP",
    )
    rows = spark.createDataFrame(
        [("1", AS_OF, "a", None, "unlabelled", None), ("2", AS_OF, "nobody", None, "unlabelled", None)],
        "key STRING, moment TIMESTAMP, unit STRING, label INT, label_state STRING, position BIGINT",
    )

    def found(**settings: object) -> list:
        select = read_select("recent_events", {"events": "events", "window": "2d", **settings}, [])
        of_rows = with_features(spark, rows, [(select, [])], {"events": events}, AS_OF)
        return [row.recent_events for row in of_rows.orderBy("key").collect()]

    assert found() == [["first", "then", "now"], None]
    assert found(last=2) == [["then", "now"], None]
    assert found(in_order=False) == [["first", "now", "then"], None]


def test_a_log_of_events_gives_contacts_and_whether_they_were_answered(spark: SparkSession) -> None:
    log = spark.createDataFrame(
        [
            (1, "2020-01-01 09:00:00", "Sent"), (1, "2020-01-01 10:00:00", "open"), (1, "2020-01-01 10:01:00", "open"),
            (1, "2020-01-08 09:00:00", "sent"), (1, "2020-01-15 09:00:00", "sent"), (1, "2020-01-17 09:00:00", "open"),
            (2, "2020-01-01 08:00:00", "open"), (2, "2020-01-02 09:00:00", "sent"), (2, "2020-01-02 09:30:00", "sold"),
        ],
        "id INT, at STRING, kind STRING",
    )  # fmt: skip
    settings = {
        "input": "log", "customer": "id", "moment": "at", "event": "kind", "contacts": ["sent"], "answers": "open",
    }  # fmt: skip

    def answered(**more: int) -> list[tuple[str, str, bool]]:
        rows = run_select(spark, read_select("contacts_of_events", {**settings, **more}, []), {"log": log}, AS_OF)
        return [
            (row.customer, f"{row.moment:%d}", row.responded) for row in rows.orderBy("customer", "moment").collect()
        ]

    later = [("1", "01", True), ("1", "08", False), ("1", "15", True), ("2", "02", False)]
    rows = run_select(spark, read_select("contacts_of_events", settings, []), {"log": log}, AS_OF)
    assert {row.group for row in rows.collect()} == {"sent"}
    assert answered() == later
    assert answered(hours=24) == [*later[:2], ("1", "15", False), later[3]]


def test_spend_of_a_column_per_channel_may_be_by_region(spark: SparkSession) -> None:
    weeks = spark.createDataFrame([("2020-01-06", "north", 1, 2)], "week STRING, geo STRING, tv INT, web INT")
    settings = {"input": "weeks", "moment": "week", "channels": {"tv": "tv", "online": "web"}}

    def rows(**more: str) -> list[tuple]:
        select = read_select("spends_by_channel", {**settings, **more}, [])
        return [tuple(row)[1:] for row in run_select(spark, select, {"weeks": weeks}, AS_OF).collect()]

    assert rows() == [("tv", 1.0), ("online", 2.0)]
    assert rows(region="geo") == [("north", "tv", 1.0), ("north", "online", 2.0)]
