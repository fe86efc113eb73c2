"""From named features to slots: fitted on the training part, applied to rows it has never seen."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.models import prepare
from otklik.models.prepare import (
    MISSING,
    OTHER,
    FeatureFinding,
    Preparation,
    Rules,
    band_name,
    features_of,
    findings_of,
    fit_preparation,
    means_of,
    sample,
    slot_array,
)

RULES = Rules(
    rare_level_share=0.15,
    maximum_levels=50,
    maximum_correlation=0.98,
    drop=("constant", "duplicate"),
    log_scale=frozenset({"balance"}),
    categorical=frozenset({"code"}),
    bands={"age": [30.0, 40.0]},
)
SCHEMA = (
    "key STRING, as_of TIMESTAMP, job STRING, city STRING, note STRING, code BIGINT, age BIGINT, balance DOUBLE, "
    "same BIGINT, twin BIGINT, near DOUBLE, talk BIGINT"
)
KNOWN_AFTER = {name: name == "talk" for name in SCHEMA.replace(",", "").split()[4::2]}
JOBS = ["cook"] * 5 + ["o'hara\\"] * 3 + ["rare", "odd"]


def rows_of(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    names = [part.split()[0] for part in SCHEMA.split(", ")]
    return spark.createDataFrame(
        [tuple({"key": str(i), **row}.get(n) for n in names) for i, row in enumerate(rows)], SCHEMA
    )


def training_row(i: int) -> dict[str, Any]:
    return {
        "job": JOBS[i],
        "city": None if i == 0 else "Алматы",
        # Every level is rare.
        "note": None if i < 2 else f"n{i}",
        "code": i % 2,
        "age": None if i == 9 else 25 + i * 3,
        "balance": float((i * 7) % 10 - 4),
        "same": 1,
        "twin": (i * i) % 7,
        "near": None,
        "talk": (i * i) % 7,
    }


@pytest.fixture(scope="module")
def fitted(spark: SparkSession) -> Preparation:
    rows = rows_of(spark, [training_row(i) for i in range(10)]).cache()
    return fit_preparation(rows, features_of(rows, KNOWN_AFTER), RULES)


@pytest.fixture(scope="module")
def seen(spark: SparkSession, fitted: Preparation) -> list[dict[str, float]]:
    """Slots by name of: a training row, a row of levels nobody has seen, and a row of nothing."""
    unseen = {"job": "pilot", "city": "Астана", "note": "n99", "code": 7, "age": 40, "balance": -9.0}
    rows = rows_of(spark, [training_row(5), unseen, {}])
    told = rows.select("key", slot_array(fitted.slots).alias("slots")).collect()
    names = [slot.name for slot in fitted.slots]
    return [dict(zip(names, row.slots, strict=True)) for row in sorted(told, key=lambda row: row.key)]


def of_kind(fitted: Preparation, kind: str) -> list[FeatureFinding]:
    return [finding for finding in fitted.findings if finding.kind == kind]


def test_levels_have_a_slot_each_and_rare_ones_share_one(fitted: Preparation) -> None:
    assert [slot.level for slot in fitted.slots if slot.source == "job"] == ["cook", "o'hara\\", OTHER]
    assert [slot.level for slot in fitted.slots if slot.source == "city"] == ["Алматы", MISSING, OTHER]
    assert [slot.level for slot in fitted.slots if slot.source == "code"] == ["0", "1", OTHER]
    [job, _] = of_kind(fitted, "rare_levels")
    assert (job.feature, job.value, job.action) == ("job", 2, "merged")
    assert job.parameters == {"count": 2, "levels": "odd, rare"}


@pytest.mark.parametrize("source", ["job", "city", "note", "code"])
def test_every_row_is_in_exactly_one_level(seen: list[dict[str, float]], source: str) -> None:
    for row in seen:
        assert sum(value for name, value in row.items() if name.startswith(f"{source}=")) == 1


def test_unseen_and_missing_levels_have_their_place(seen: list[dict[str, float]]) -> None:
    known, unseen, nothing = seen

    assert known["job=o'hara\\"] == 1
    assert (unseen["job=(other)"], unseen["city=(other)"], unseen["code=(other)"], unseen["note=(other)"]) == (
        1,
        1,
        1,
        1,
    )
    # Training had rows without city and note, and none without job.
    assert (nothing["city=(missing)"], nothing["note=(missing)"], nothing["job=(other)"]) == (1, 1, 1)


def test_a_filled_feature_does_not_say_that_it_was_missing(spark: SparkSession) -> None:
    rows = rows_of(spark, [training_row(i) for i in range(10)]).cache()
    rules = replace(RULES, filled=frozenset({"city", "age"}))

    fitted = fit_preparation(rows, features_of(rows, KNOWN_AFTER), rules)

    assert not [slot.name for slot in fitted.slots if slot.source in ("city", "age") and slot.level == MISSING]
    told = rows_of(spark, [{}, {"city": "Алматы", "age": 37}]).select(slot_array(fitted.slots).alias("slots")).collect()
    of_nothing, of_the_commonest = (
        {
            slot.name: value
            for slot, value in zip(fitted.slots, row.slots, strict=True)
            if slot.source in ("city", "age")
        }
        for row in told
    )
    assert of_nothing == of_the_commonest


def test_of_a_level_per_row_only_some_are_named(spark: SparkSession) -> None:
    rows = rows_of(spark, [{"job": f"j{i:03}"} for i in range(200)]).cache()

    fitted = fit_preparation(rows, features_of(rows, {"job": False}), replace(RULES, rare_level_share=0.0, drop=()))

    assert len([slot for slot in fitted.slots if slot.level not in (OTHER, None)]) == RULES.maximum_levels
    [rare] = of_kind(fitted, "rare_levels")
    assert (rare.value, rare.parameters) == (150, {"count": 150, "levels": "j050, j051, j052, j053, j054 …"})


def test_a_missing_number_is_the_median_with_a_slot_that_says_so(seen: list[dict[str, float]]) -> None:
    known, unseen, nothing = seen

    assert (known["age"], known["age=(missing)"]) == (40, 0)
    assert (nothing["age"], nothing["age=(missing)"]) == (37, 1)
    assert "balance=(missing)" not in nothing
    assert unseen["balance"] == pytest.approx(-math.log(10))


def test_bands_are_half_open_and_a_missing_number_is_in_none(seen: list[dict[str, float]]) -> None:
    bands = [f"age={band_name(*ends)}" for ends in ((-math.inf, 30.0), (30.0, 40.0), (40.0, math.inf))]

    assert bands == ["age=<30", "age=30–40", "age=≥40"]
    assert [[row[band] for band in bands] for row in seen] == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_no_slot_is_ever_null(seen: list[dict[str, float]]) -> None:
    assert all(value is not None and math.isfinite(value) for row in seen for value in row.values())


def test_constant_and_doubled_numbers_are_found_and_dropped(fitted: Preparation) -> None:
    assert {(f.feature, f.action) for f in of_kind(fitted, "constant")} == {
        ("same", "dropped"),
        ("near", "dropped"),
    }
    [talk] = of_kind(fitted, "duplicate")
    assert (talk.feature, talk.parameters, talk.action) == ("talk", {"other": "twin"}, "dropped")
    assert not {"same", "near", "talk"} & {slot.source for slot in fitted.slots}


def test_what_is_not_to_be_dropped_is_found_and_kept(spark: SparkSession) -> None:
    rows = rows_of(
        spark, [{"age": i, "twin": i, "near": i + 0.01 * (i % 2), "balance": float(i % 3)} for i in range(20)]
    ).select("key", "as_of", "age", "twin", "near", "balance")
    rules = Rules(0.1, 50, 0.98, ("correlated",), frozenset(), frozenset(), {})

    fitted = fit_preparation(rows, features_of(rows, KNOWN_AFTER), rules)

    assert {(f.kind, f.feature, f.action) for f in fitted.findings} == {
        ("duplicate", "twin", "kept"),
        ("correlated", "near", "dropped"),
    }
    assert [slot.name for slot in fitted.slots] == ["age", "twin", "balance"]


def test_copies_of_texts_and_booleans_are_found_under_any_names(spark: SparkSession) -> None:
    """Every feature is beside what it is to double, and `tone` is `job` but for one row."""
    rows = spark.createDataFrame(
        [
            ("0", None, 1, "cook", "повар", "a", True, True, 1, 1, "a"),
            ("1", None, None, "cook", "повар", "a", False, False, None, None, "a"),
            ("2", None, 3, "pilot", None, "b", None, None, 3, 3, "b"),
            ("3", None, 2, "nurse", "сестра", "c", False, False, 2, 2, "b"),
        ],
        "key STRING, as_of TIMESTAMP, paid INT, told STRING, job STRING, post STRING, is_new BOOLEAN, "
        "is_fresh BOOLEAN, age INT, years INT, tone STRING",
    )
    features = features_of(rows, {name: name in ("paid", "told") for name in rows.columns[2:]})
    rules = Rules(0.0, 50, 0.98, ("duplicate",), frozenset(), frozenset(), {})

    fitted = fit_preparation(rows, features, rules)

    assert {(f.kind, f.feature, f.parameters["other"], f.action) for f in fitted.findings} == {
        ("duplicate", "post", "job", "dropped"),
        # Of a feature known only after the decision and its copy the copy stays.
        ("duplicate", "paid", "age", "dropped"),
        ("duplicate", "told", "job", "dropped"),
        ("duplicate", "is_fresh", "is_new", "dropped"),
        ("duplicate", "years", "age", "dropped"),
    }
    assert {slot.source for slot in fitted.slots} == {"job", "is_new", "age", "tone"}


def test_what_a_sample_cannot_know_is_asked_of_all_rows(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the sample a flag is set, an age is another and a level goes with two of another feature."""
    monkeypatch.setattr(prepare, "SAMPLE_ROWS", 60)
    keys = spark.range(300).select(
        F.col("id").cast("string").alias("key"), F.lit(None).cast("timestamp").alias("as_of")
    )
    drawn = set(sample(keys, [F.col("key")], 60, 300, "redundant")["key"])
    assert 0 < len(drawn) < 300
    rows = spark.createDataFrame(
        [
            (key, None, 1, key not in drawn, age := int(key) % 7, age, age + (key not in drawn), job, f"{job}!", tone)
            for key in map(str, range(300))
            for job in ["cook" if int(key) % 2 else "pilot"]
            for tone in [job if key in drawn else "cook"]
        ],
        "key STRING, as_of TIMESTAMP, same INT, flag BOOLEAN, age INT, years INT, nearly INT, job STRING, post STRING, "
        "tone STRING",
    )
    features = features_of(rows, dict.fromkeys(rows.columns[2:], False))
    rules = Rules(0.0, 50, 2.0, ("constant", "duplicate"), frozenset(), frozenset(), {})

    fitted = fit_preparation(rows, features, rules)

    assert [(f.kind, f.feature, f.action) for f in fitted.findings] == [
        ("constant", "same", "dropped"),
        ("duplicate", "post", "dropped"),
        ("duplicate", "years", "dropped"),
    ]


def test_a_preparation_is_plain_data_and_hides_leaks(fitted: Preparation) -> None:
    again = Preparation.from_dict(json.loads(json.dumps(fitted.to_dict())))

    assert again.slots == fitted.slots
    assert all(not slot.is_known_after for slot in again.only(with_leaks=False))


def test_findings_of_all_splits_stand_once_and_name_their_split_where_they_differ() -> None:
    rare = FeatureFinding("rare_levels", "job", {"count": 1, "levels": "odd"}, 3.0, "merged")
    near = FeatureFinding("correlated", "near", {"other": "age"}, 0.99, "kept")
    same = FeatureFinding("constant", "month", {}, 1.0, "dropped")
    two = FeatureFinding("rare_levels", "job", {"count": 2, "levels": "odd, rare"}, 2.0, "merged")
    random, time = Preparation((), (rare, near)), Preparation((), (replace(near, value=0.985), same, two))

    assert findings_of({"random": random, "time": time}) == (
        replace(rare, parameters={**rare.parameters, "in_split": "random"}),
        near,
        replace(same, parameters={"in_split": "time"}),
        replace(two, parameters={**two.parameters, "in_split": "time"}),
    )
    assert findings_of({"random": random}) == (rare, near)


@pytest.mark.parametrize("partitions", [1, 3, 20])
def test_means_are_those_of_all_rows_however_they_lie(spark: SparkSession, partitions: int) -> None:
    rows = spark.range(10, numPartitions=partitions).selectExpr("array(CAST(id AS DOUBLE), id * 0.5D, 1D) AS numbers")

    assert means_of(rows, "numbers").tolist() == [4.5, 2.25, 1.0]


def test_a_level_that_is_spelt_like_a_name_of_the_house_stands_in_quotes(spark: SparkSession) -> None:
    levels = ["(other)"] * 5 + ["(missing)"] * 3 + ["rare", "odd"]
    rows = rows_of(spark, [{**training_row(i), "job": levels[i]} for i in range(10)])

    slots = [s for s in fit_preparation(rows, features_of(rows, KNOWN_AFTER), RULES).slots if s.source == "job"]

    assert [slot.name for slot in slots] == ['job="(missing)"', 'job="(other)"', "job=(other)"]
    of_each = rows.select("job", slot_array(slots).alias("slots")).collect()
    assert {tuple(row.slots) for row in of_each if row.job == "(other)"} == {(0.0, 1.0, 0.0)}
    assert {tuple(row.slots) for row in of_each if row.job == "rare"} == {(0.0, 0.0, 1.0)}
