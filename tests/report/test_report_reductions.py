"""Large frames become small counts: rows in, counts out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import ConfigurationError
from otklik.report import attributes, reductions
from otklik.report.texts import ReportVoice
from otklik.settings import Text

START = datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    rows = [
        ("a", START, 1, "yes", "Алматы", 0, 25.5, True),
        ("b", START, 0, "no", "Алматы", 0, 35.0, False),
        ("c", START + timedelta(days=20), 0, "no", None, 1, None, False),
        ("d", START + timedelta(days=20), 1, "yes", "Астана", 7, float("nan"), True),
        ("e", START + timedelta(days=21), None, "immature", "Астана", 9, 50.0, True),
    ]
    schema = (
        "key STRING, as_of TIMESTAMP, label INT, label_state STRING, city STRING, calls INT, age DOUBLE, is_new BOOLEAN"
    )
    return spark.createDataFrame(rows, schema)


def levels(found: pd.DataFrame, attribute: str) -> list[tuple[str, object, int, int]]:
    mine = found[found["attribute"] == attribute]
    places = mine["level"].where(mine["kind"] == "level", mine["low"])
    return [
        (kind, None if pd.isna(place) else place, rows, positives)
        for kind, place, rows, positives in zip(mine["kind"], places, mine["rows"], mine["positives"], strict=True)
    ]


def test_attributes_are_counted_over_labelled_rows_with_missing_apart(features: DataFrame) -> None:
    found = reductions.attribute_rates(features, ["city", "calls", "age", "is_new", "as_of"], {"age": [30, 40]})
    assert levels(found, "city") == [("level", "Алматы", 2, 1), ("level", "Астана", 1, 1), ("missing", None, 1, 0)]
    assert levels(found, "age") == [("band", None, 1, 1), ("band", 30.0, 1, 0), ("missing", None, 2, 1)]
    assert levels(found, "is_new") == [("level", "false", 2, 0), ("level", "true", 2, 2)]
    assert "as_of" not in set(found["attribute"])


def test_a_count_with_few_values_is_shown_value_by_value(features: DataFrame) -> None:
    found = reductions.attribute_rates(features, ["calls"], {})
    assert levels(found, "calls") == [("band", 0.0, 2, 1), ("band", 1.0, 1, 0), ("band", 7.0, 1, 1)]
    assert list(found["high"]) == [1.0, 7.0, 8.0]


def test_a_constant_is_one_band_of_one_value(features: DataFrame) -> None:
    constants = features.selectExpr("key", "as_of", "label", "3 cost", "0.5D share", "CAST(null AS INT) nothing")
    found = reductions.attribute_rates(constants, ["cost", "share", "nothing"], {})

    assert levels(found, "cost") == [("band", 3.0, 4, 2)]
    assert levels(found, "share") == [("band", 0.5, 4, 2)]
    assert levels(found, "nothing") == [("missing", None, 4, 2)]
    assert [attributes.level_label(row, ReportVoice("en")) for row in found.itertuples()] == ["3", "0.5", "(missing)"]


def test_rare_levels_are_added_up(spark: SparkSession) -> None:
    many = spark.range(300).selectExpr(
        "CAST(id AS STRING) key",
        "timestamp'2024-01-01' as_of",
        "CAST(id % 2 AS INT) label",
        "CAST(id % 30 AS STRING) shop",
    )
    found = reductions.attribute_rates(many, ["shop"], {})
    assert list(found["kind"]) == ["level"] * reductions.LEVELS_SHOWN + ["other"]
    assert (found["rows"].sum(), found["positives"].sum()) == (300, 150)


@pytest.mark.parametrize(
    ("values", "cuts"),
    [
        ([0] * 80 + list(range(1, 21)), [1, 4, 8, 12, 16]),
        (range(1000), [200, 400, 600, 800]),
        ([5.0] * 10, []),
        ([], []),
    ],
)
def test_bands_without_declared_cuts(values: list[float], cuts: list[float]) -> None:
    assert reductions.cuts_of(pd.Series(values, dtype=float)) == cuts


def test_rates_over_time_are_daily_for_weeks_and_hourly_for_days(features: DataFrame) -> None:
    daily = reductions.rates_over_time(features)
    assert list(daily["rows"]) == [2, 2]
    assert list(daily["period"]) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-21")]
    hourly = reductions.rates_over_time(
        features.where("as_of < '2024-01-02'").selectExpr("as_of + interval 90 minutes as_of", "label")
    )
    assert list(hourly["period"]) == [pd.Timestamp("2024-01-01 01:00")]


def test_remarks_quote_their_numbers_from_the_data(features: DataFrame) -> None:
    remark = Text(en="{rate: city = 'Алматы'} of all {rows: true}", ru="{rate: city = 'Алматы'} из {share: age >= 30}")
    found = reductions.remark_counts(features, [remark]).set_index("predicate")
    assert tuple(found.loc["city = 'Алматы'"]) == (2, 1)
    assert tuple(found.loc["true"]) == (4, 2)
    assert len(found) == 3


def test_a_remark_with_an_unknown_column_is_a_fault_of_the_task(features: DataFrame) -> None:
    with pytest.raises(ConfigurationError, match=r"report\.remarks.*no_such"):
        reductions.remark_counts(features, [Text(en="{rate: no_such > 1}", ru="")])


def test_scores_are_counted_on_a_grid_of_log_odds(spark: SparkSession) -> None:
    rows = [
        ("lr", "without", "time", 1, 0.0, 0.5, 0.3),
        ("lr", "without", "time", 0, 0.0, 0.5, 0.3),
        ("svc", "without", "time", 1, 1.5, None, 1.0),
    ]
    schema = "model STRING, leaks STRING, split STRING, label INT, margin DOUBLE, raw DOUBLE, calibrated DOUBLE"
    found = reductions.score_counts(spark.createDataFrame(rows, schema), threshold=0.3)
    assert [tuple(row) for row in found.drop(columns=["leaks", "split"]).itertuples(index=False)] == [
        ("lr", "calibrated", -169, False, 2, 1),
        ("lr", "raw", 0, True, 2, 1),
        ("svc", "calibrated", 2800, True, 1, 1),
        ("svc", "raw", 300, True, 1, 1),
    ]
    assert reductions.probability_of_bin(pd.Series([-169, 0]))[0] == pytest.approx(0.3, abs=0.001)


def test_the_list_s_first_rows_come_with_their_reasons(spark: SparkSession, features: DataFrame) -> None:
    scores = spark.sql(
        "SELECT key, as_of, 0.5D probability, array(struct('city' feature, city value, 0.1D contribution)) reasons "
        "FROM {features}",
        features=features,
    )
    actions = spark.sql(
        "SELECT key, as_of, CAST(ascii(key) - 96 AS BIGINT) rank, if(key = 'b', 'control', 'contact') arm, "
        "0.5D probability, 1.5D expected_profit FROM {features}",
        features=features,
    )
    found = reductions.top_of_list(actions, scores, rows=2)
    assert list(found["key"]) == ["a", "b"]
    assert found["reasons"].iloc[0][0]["value"] == "Алматы"
    assert dict(zip(*reductions.rows_per_arm(actions).T.to_numpy(), strict=True)) == {"contact": 4, "control": 1}
    counted = reductions.scored_counts(scores, features)
    assert [tuple(row) for row in counted.itertuples(index=False)] == [(0, 5, 4, 2)]


def test_rows_per_label_state(features: DataFrame) -> None:
    found = reductions.rows_per_label_state(features)
    assert dict(zip(found["label_state"], found["rows"], strict=True)) == {"immature": 1, "no": 2, "yes": 2}
