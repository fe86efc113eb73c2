"""The shipped tasks: every file passes `otklik check`, and their SELECTs say what their headers say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.features.builder import rows_of_task, with_features
from otklik.features.catalogue import read_select
from otklik.lake.content import content_hash
from otklik.project_files import ProjectFiles
from otklik.settings import load, read_toml
from otklik.sources.contract import Contract
from otklik.steps.offline import check
from otklik.task import Task

PROJECT = Path(__file__).resolve().parents[2]
TASKS = sorted((PROJECT / "conf" / "tasks").glob("*.toml"))
TICK, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
END = datetime(2030, 1, 1, tzinfo=UTC)


def shipped(name: str) -> Task:
    return load(Task, PROJECT / "conf" / "tasks" / f"{name}.toml", {})


def table_of(
    spark: SparkSession, task: Task, inputs: dict[str, DataFrame], *, as_of: datetime = END, **settings: Any
) -> dict[str, Row]:
    """The task's feature table by `key` or, where a key has several moments, `key at moment`."""
    rows_select = read_select(task.rows.sql, {**task.rows.template_values, **settings}, [])
    groups = [(read_select(g.sql, g.settings, []), g.leave_out) for g in task.features.values()]
    rows = rows_of_task(spark, rows_select, inputs, as_of=as_of, label_window=task.rows.label_window)
    features = with_features(spark, rows, groups, inputs, as_of, known_after(task))
    found = features.withColumnRenamed("moment", "at").collect()
    times = {row.key: [r.at for r in found if r.key == row.key] for row in found}
    return {row.key if len(times[row.key]) == 1 else f"{row.key} at {moment_of(row):%d %H}": row for row in found}


def known_after(task: Task) -> dict[str, list[str]]:
    """Of each input frame the columns that the shipped contract of its table marks."""
    contracts = {
        frame: load(Contract, PROJECT / "conf" / "sources" / f"{table.removeprefix('silver.')}.toml", {})
        for frame, table in task.inputs.items()
    }
    return {
        frame: [name for name, column in contract.columns.items() if column.known == "after_decision"]
        for frame, contract in contracts.items()
    }


def moment_of(row: Row) -> datetime:
    """Spark hands out moments in the machine's zone without saying so."""
    moment: datetime = row["at"]
    return moment.astimezone(UTC)


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_shipped_task_passes_the_check(path: Path) -> None:
    assert "a task" in check([str(path)], ProjectFiles(PROJECT), {})


@pytest.mark.parametrize(
    "path", [path for path in TASKS if read_toml(path)["kind"] == "classify"], ids=lambda path: path.stem
)
def test_settings_name_features_that_there_are(path: Path) -> None:
    task = shipped(path.stem)
    given = {c.name for g in task.features.values() for c in read_select(g.sql, g.settings, []).columns}
    task.check_feature_names(given)


def test_a_feature_that_nobody_gives_is_named_with_its_place() -> None:
    task = shipped("bank_full")
    given = {c.name for g in task.features.values() for c in read_select(g.sql, g.settings, []).columns}
    with pytest.raises(ConfigurationError, match=r"preparation\.log_scale names 'balance'.*report\.attributes"):
        task.check_feature_names(given - {"balance", "job"})


# bank_full


def test_calls_of_two_files_are_told_apart(spark: SparkSession) -> None:
    rows = [("a.csv", 1, 30, "may"), ("a.csv", 2, 40, "jun"), ("b.csv", 1, 50, "jul"), ("b.csv", 2, 60, "jan")]
    calls = spark.createDataFrame(
        [
            (
                file,
                number,
                age,
                "job",
                "m",
                "e",
                "no",
                1,
                "no",
                "no",
                "cellular",
                5,
                month,
                1,
                -1,
                0,
                "unknown",
                60,
                "no",
            )
            for file, number, age, month in rows
        ],
        "_file STRING, _record_no BIGINT, age INT, job STRING, marital STRING, education STRING, default STRING, "
        "balance INT, housing STRING, loan STRING, contact STRING, day INT, month STRING, campaign INT, pdays INT, "
        "previous INT, poutcome STRING, duration INT, y STRING",
    )

    found = table_of(spark, shipped("bank_full"), {"contacts": calls})

    assert {row.age: moment_of(row).date().isoformat() for row in found.values()} == {
        30: "2008-05-05",
        40: "2008-06-05",
        50: "2008-07-05",
        60: "2009-01-05",
    }
    assert [row.age for key, row in found.items() if key in ("1", "2")] == [30, 40]


# campaign_response


def test_a_yes_counts_within_the_window_of_the_label(spark: SparkSession) -> None:
    at = datetime(2025, 6, 1, tzinfo=UTC)
    contacts = spark.createDataFrame(
        [
            ("in time", at, "yes", at + 7 * DAY),
            ("too late", at, "yes", at + 7 * DAY + TICK),
            ("no", at, "no", None),
            ("open", at, None, None),
        ],
        "contact_id STRING, contacted_at TIMESTAMP, responded STRING, responded_at TIMESTAMP",
    ).withColumn("customer_id", F.col("contact_id"))
    task = shipped("campaign_response")
    select = read_select(task.rows.sql, task.rows.template_values, [])

    rows = rows_of_task(spark, select, {"contacts": contacts}, as_of=END, label_window=task.rows.label_window)

    assert {row.key: row.label for row in rows.collect()} == {"in time": 1, "too late": 0, "no": 0, "open": None}


def test_what_a_customer_became_later_was_not_known_before(spark: SparkSession) -> None:
    registered, moved = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    customers = spark.createDataFrame(
        [("c", registered.date(), "ж", "Алматы", 300.0, registered, moved, registered)],
        "customer_id STRING, birth_date DATE, sex STRING, city STRING, income DOUBLE, registered_at TIMESTAMP, "
        "updated_at TIMESTAMP, known_at TIMESTAMP",
    ).selectExpr(
        "*",
        *(f"'x' AS {name}" for name in ("education", "marital_status", "has_loan", "has_housing_loan")),
        "1 AS children",
    )
    rows = spark.createDataFrame(
        [(f"{at}", at, "c", None, "unlabelled", None) for at in (moved - TICK, moved)],
        "key STRING, moment TIMESTAMP, unit STRING, label INT, label_state STRING, position BIGINT",
    )

    select = (read_select("customer_profile", {}, []), ())
    found = with_features(spark, rows, [select], {"customers": customers}, END).orderBy("moment").collect()

    assert [(row.age, row.sex, row.city, row.income, row.children, row.has_loan) for row in found] == [
        (5, "ж", None, None, None, None),
        (5, "ж", "Алматы", 300.0, 1, "x"),
    ]


# marketing_campaign


def customers(spark: SparkSession) -> DataFrame:
    base: dict[str, Any] = {
        "id": 1,
        "year_birth": 1970,
        "education": "PhD",
        "marital_status": "Single",
        "income": 50_000,
        "kidhome": 0,
        "teenhome": 1,
        "enrolled_on": datetime(2014, 9, 4).date(),
        "recency": 30,
        "mnt_wines": 60,
        "mnt_fruits": 0,
        "mnt_meat_products": 20,
        "mnt_fish_products": 0,
        "mnt_sweet_products": 0,
        "mnt_gold_prods": 20,
        "num_deals_purchases": 1,
        "num_web_purchases": 2,
        "num_catalog_purchases": 0,
        "num_store_purchases": 1,
        "num_web_visits_month": 4,
        **{f"accepted_cmp{n}": 0 for n in range(1, 6)},
        "complain": 0,
        "z_cost_contact": 3,
        "z_revenue": 11,
        "response": 1,
    }
    others: list[dict[str, Any]] = [
        {},
        {"id": 2, "response": 0},
        {"id": 3, "recency": 31},
        {"id": 4, "income": None},
        {"id": 5, "income": None},
        {"id": 6, "num_deals_purchases": 0, "num_web_purchases": 0, "num_store_purchases": 0},
    ]
    # A frame may say "date" only in a schema; all else are whole numbers and texts.
    kinds = {"education": "STRING", "marital_status": "STRING", "enrolled_on": "DATE"}
    schema = ", ".join(f"{name} {kinds.get(name, 'INT')}" for name in base)
    return spark.createDataFrame([tuple({**base, **other}.values()) for other in others], schema)


def test_customers_with_their_answer(spark: SparkSession) -> None:
    task = shipped("marketing_campaign")

    found = table_of(spark, task, {"customers": customers(spark)})

    assert {key: row.label for key, row in found.items()} == {"1": 1, "2": 0, "3": 1, "4": 1, "5": 1, "6": 1}
    row = found["1"]
    assert (row.age, row.days_as_customer, row.income, row.spent_per_purchase) == (44, 30, 50_000, 25.0)
    assert (row.mnt_wines_share, row.mnt_fruits_share, row.mnt_gold_prods_share) == (0.6, 0.0, 0.2)
    assert (row.z_cost_contact, row.z_revenue) == (3, 11)
    assert found["6"].spent_per_purchase is None
    assert found["4"].income is None


def test_look_alike_customers_share_a_unit_whatever_they_answered(spark: SparkSession) -> None:
    found = table_of(spark, shipped("marketing_campaign"), {"customers": customers(spark)})

    assert {key: row.unit for key, row in found.items()} == {"1": "1", "2": "1", "3": "3", "4": "4", "5": "4", "6": "6"}


# higgs_return

MIDNIGHT = datetime(2012, 7, 3, tzinfo=UTC)
ROW_COLUMNS = "key STRING, moment TIMESTAMP, unit STRING, position BIGINT"
ACTIVITY = "actor INT, target INT, happened_at TIMESTAMP, kind STRING, known_at TIMESTAMP"


def activity(spark: SparkSession, *acts: tuple[int, int, datetime, str]) -> DataFrame:
    return spark.createDataFrame([(*act[:3], act[3], act[2]) for act in acts], ACTIVITY)


def moments_of(found: dict[str, Row], key: str) -> list[datetime]:
    return sorted(moment_of(row) for row in found.values() if row.key == key)


def test_an_account_is_asked_about_while_it_acted_in_the_last_24_hours(spark: SparkSession) -> None:
    acts = activity(
        spark,
        (1, 9, MIDNIGHT, "RT"),
        (2, 9, MIDNIGHT + TICK, "RT"),
        (3, 9, MIDNIGHT - 2 * DAY, "RT"),  # before the first moment's 24 hours
    )

    found = table_of(spark, shipped("higgs_return"), {"activity": acts}, one_account_in=1)

    assert moments_of(found, "1") == [MIDNIGHT + hours * HOUR for hours in (0, 6, 12, 18)]
    assert moments_of(found, "2") == [MIDNIGHT + hours * HOUR for hours in (6, 12, 18, 24)]
    assert moments_of(found, "3") == []
    assert moments_of(found, "9") == []


def test_an_account_returns_within_24_hours_after_the_moment(spark: SparkSession) -> None:
    acts = activity(
        spark,
        (1, 9, MIDNIGHT, "RT"),
        (1, 9, MIDNIGHT + DAY, "MT"),
        (2, 9, MIDNIGHT, "RT"),
        (2, 9, MIDNIGHT + DAY + TICK, "MT"),
        (3, 9, MIDNIGHT + 2 * DAY, "RT"),
    )

    found = table_of(spark, shipped("higgs_return"), {"activity": acts}, as_of=MIDNIGHT + 2 * DAY, one_account_in=1)

    assert [found[f"{account} at 03 00"].label for account in (1, 2)] == [1, 0]
    assert found["2 at 03 06"].label == 1
    # Its own act at the moment counts for the moment, not as a return; and its 24 hours are not over.
    assert [(row.label, row.label_state) for row in found.values() if row.key == "3"] == [(None, "immature")]


def test_what_an_account_did_and_received_up_to_the_moment(spark: SparkSession) -> None:
    acts = activity(
        spark,
        (1, 9, MIDNIGHT - 23 * HOUR, "RT"),
        (1, 8, MIDNIGHT, "MT"),
        (1, 8, MIDNIGHT + TICK, "MT"),
        (5, 1, MIDNIGHT - 72 * HOUR, "RT"),  # the window is open at its start
        (5, 1, MIDNIGHT - 30 * HOUR, "RT"),
        (5, 1, MIDNIGHT - 7 * HOUR, "RT"),
        (5, 1, MIDNIGHT, "RE"),
        (6, 1, MIDNIGHT, "MT"),
        (6, 1, MIDNIGHT + TICK, "MT"),
        (1, 1, MIDNIGHT - 10 * HOUR, "RT"),  # towards itself: an act of its own, and nobody's attention
    )

    found = table_of(spark, shipped("higgs_return"), {"activity": acts}, one_account_in=1)

    row = found["1 at 03 00"]
    assert (row.event_count_6h, row.event_count_24h, row.rt_count_24h, row.mt_count_24h) == (1, 3, 2, 1)
    assert (row.received_count_6h, row.received_count_24h, row.received_count_72h) == (2, 3, 4)
    assert (row.received_rt_count_24h, row.received_mt_count_24h, row.received_re_count_24h) == (1, 1, 1)
    assert row.received_from_24h == 2
    lonely = found["6 at 03 00"]
    assert (lonely.received_count_72h, lonely.received_from_24h) == (0, 0)


def attention(spark: SparkSession, acts: DataFrame) -> DataFrame:
    """What accounts 1 and 2 received up to midnight."""
    rows = spark.createDataFrame([(key, MIDNIGHT, key, None) for key in "12"], ROW_COLUMNS)
    return with_features(spark, rows, [(read_select("account_attention", {}, []), [])], {"activity": acts}, END)


def accounts(spark: SparkSession, acts: DataFrame) -> DataFrame:
    select = read_select("higgs_accounts", {**shipped("higgs_return").rows.settings, "one_account_in": 1}, [])
    return rows_of_task(spark, select, {"activity": acts}, as_of=END, label_window=DAY)


@pytest.mark.parametrize("made", [attention, accounts])
def test_acts_give_the_same_rows_on_any_layout(
    spark: SparkSession, made: Callable[[SparkSession, DataFrame], DataFrame]
) -> None:
    """Eighteen acts of three accounts towards two in thirty hours; each account acts again and again."""
    acts = [(i % 3, i % 2 + 1, MIDNIGHT - (i * 7 % 30) * HOUR, ("RT", "MT", "RE")[i // 6]) for i in range(18)]

    assert len({content_hash(made(spark, activity(spark, *acts).repartition(n))) for n in (1, 2, 4)}) == 1


def test_one_account_in_n_is_kept_whole(spark: SparkSession) -> None:
    acts = activity(spark, *((account, 1, MIDNIGHT, "RT") for account in range(1, 401)))

    found = table_of(spark, shipped("higgs_return"), {"activity": acts})

    accounts = {row.key for row in found.values()}
    assert 25 <= len(accounts) <= 75
    assert len(found) == 4 * len(accounts)


# facebook_live_reach

#: Midnight in Thailand.
MORNING = datetime(2018, 3, 4, 17, tzinfo=UTC)
POSTS = (
    "status_id STRING, status_type STRING, published_at TIMESTAMP, num_shares INT, num_comments INT, "
    "num_reactions INT, num_likes INT, num_loves INT, num_wows INT, num_hahas INT, num_sads INT, num_angrys INT, "
    "known_at TIMESTAMP"
)


def posts(spark: SparkSession, *given: tuple[str, str, datetime, int]) -> DataFrame:
    return spark.createDataFrame(
        [
            (key, kind, at, shares, 2 * shares, 3 * shares, 3 * shares, 0, 0, 0, 0, 0, at)
            for key, kind, at, shares in given
        ],
        POSTS,
    )


def history(seller: str, shares: list[int]) -> list[tuple[str, str, datetime, int]]:
    """A photo a day up to the day before MORNING, the last share count on the last day."""
    return [
        (f"{seller}_{i}", "photo", MORNING - (len(shares) - i) * DAY + HOUR, count) for i, count in enumerate(shares)
    ]


def test_the_top_quarter_is_that_of_the_sellers_posts_before_the_day(spark: SparkSession) -> None:
    twenty = list(range(1, 21))  # their 75th percentile is 15.25
    frame = posts(
        spark,
        *history("a", twenty),
        ("a_old", "photo", MORNING - 365 * DAY, 1_000),  # a year before, not within it
        ("a_above", "photo", MORNING, 16),
        ("a_below", "photo", MORNING + 2 * HOUR, 15),
        ("a_same_day", "photo", MORNING + 23 * HOUR, 1_000),
        *history("b", twenty[1:]),
        ("b_too_few", "photo", MORNING, 16),
    )

    found = table_of(spark, shipped("facebook_live_reach"), {"posts": frame})

    labels = {key: (row.label, row.label_state) for key, row in found.items()}
    assert labels["a_above"] == (1, "yes")
    assert labels["a_below"] == (0, "no")
    assert labels["b_too_few"] == (None, "unlabelled")
    assert {moment_of(found[key]) for key in ("a_above", "a_below", "a_same_day")} == {MORNING}
    assert {found[key].unit for key in ("a_above", "a_below", "a_same_day")} == {"a 2018-03-05"}
    assert found["a_above"].top_quarter_begins == 15.25


def test_a_post_has_no_answer_before_its_day_is_over(spark: SparkSession) -> None:
    frame = posts(spark, *history("a", [1] * 20), ("a_new", "photo", MORNING + HOUR, 5))

    assert [
        table_of(spark, shipped("facebook_live_reach"), {"posts": frame}, as_of=as_of)["a_new"].label_state
        for as_of in (MORNING + DAY - TICK, MORNING + DAY)
    ] == ["immature", "yes"]


def test_what_is_planned_and_what_the_seller_did_before(spark: SparkSession) -> None:
    frame = posts(
        spark,
        ("a_1", "video", MORNING - 2 * DAY, 10),
        ("a_2", "photo", MORNING - 12 * HOUR, 2),
        ("a_3", "photo", MORNING - 40 * DAY, 6),
        ("a_4", "photo", MORNING - 90 * DAY, 7),  # the window of 90 days is open at its start
        ("b_1", "photo", MORNING - DAY, 99),
        ("a_5", "photo", MORNING, 50),
        ("a_6", "photo", MORNING + 10 * HOUR, 60),
    )

    found = table_of(spark, shipped("facebook_live_reach"), {"posts": frame})

    row = found["a_6"]
    assert (row.status_type, row.hour, row.weekday) == ("photo", 10, 1)
    assert (row.posts_30d, row.posts_90d, row.posts_365d) == (2, 3, 4)
    assert (row.mean_shares_30d, row.median_shares_90d, row.mean_comments_30d) == (6.0, 6.0, 12.0)
    assert (row.video_share_30d, row.days_since_last_post) == (0.5, 0.5)
    assert (row.same_type_posts_365d, row.same_type_mean_shares_365d) == (3, 5.0)
    # The 75th percentile of 2, 6, 7 and 10 is 7.75: no photo has more.
    assert (row.top_quarter_begins, row.same_type_top_share_365d) == (7.75, 0.0)
    first = found["b_1"]
    assert (first.posts_365d, first.same_type_posts_365d) == (0, 0)
    assert (first.days_since_last_post, first.mean_shares_30d, first.same_type_top_share_365d) == (None, None, None)


def test_a_sellers_history_is_the_same_on_any_layout(spark: SparkSession) -> None:
    """Two posts a day, at the same time, by one seller."""
    twins = [(f"a_{i}", ("photo", "video")[i % 2], MORNING - (i // 2) * DAY, i * i % 7) for i in range(12)]
    rows = spark.createDataFrame([(f"a_{i}", MORNING, "a", None) for i in range(2)], ROW_COLUMNS)
    group = shipped("facebook_live_reach").features["history"]
    select = read_select(group.sql, group.settings, [])

    found = [
        with_features(spark, rows, [(select, [])], {"posts": posts(spark, *twins).repartition(n)}, END)
        for n in (1, 2, 4)
    ]

    assert len({content_hash(each) for each in found}) == 1


def test_reactions_to_the_post_itself_are_leaks() -> None:
    group = shipped("facebook_live_reach").features["post"]
    columns = read_select(group.sql, group.settings, []).columns

    assert {c.name for c in columns if not c.is_known_after} == {"status_type", "hour", "weekday"}
    assert "num_shares" not in {c.name for c in columns}
