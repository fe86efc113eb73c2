"""What a split is learnt from: its training part only, and never a part without both answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from otklik.errors import RefusedError
from otklik.models.prepare import Rules, features_of
from otklik.models.split import Plan, random_plan, time_plan
from otklik.models.training import collect_labelled, cross_validate, preparation_of, with_row_hash

START, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)


def plan_of(split: str) -> Plan:
    """Four folds; or days 0 to 2 before the one window, 3 to 5 the window, 6 and 7 the test part."""
    if split == "random":
        return random_plan(4, 2)
    return time_plan([(START + day * DAY, 2) for day in range(8)], 0.25, 1, timedelta())


@pytest.mark.parametrize(
    ("split", "answers", "said"),
    [
        ("random", "10 10 10 00 10 10 10 00", "fold 3 would be tested on rows without any positives"),
        ("random", "11 11 11 10 11 11 11 10", "group 1 would be trained on 8 positives and 0 negatives"),
        ("time", "10 10 10 10 10 10 00 00", "past would be tested on rows without any positives"),
        ("time", "00 00 00 10 10 10 10 10", "window 0 would be trained on 0 positives and 6 negatives"),
        ("time", "11 11 11 10 10 10 10 10", "window 0 would be trained on 6 positives and 0 negatives"),
    ],
)
def test_a_part_without_both_answers_is_refused(spark: SparkSession, split: str, answers: str, said: str) -> None:
    """Two customers a day; day d is in fold d mod 4."""
    rows = [
        (f"{day}{who}", START + day * DAY, f"{day}{who}", int(label), day % 4)
        for day, labels in enumerate(answers.split())
        for who, label in enumerate(labels)
    ]
    frame = with_row_hash(spark.createDataFrame(rows, "key STRING, as_of TIMESTAMP, unit STRING, label INT, fold INT"))

    with ThreadPoolExecutor(1) as executor, pytest.raises(RefusedError, match=f"split {split}: {said}") as refused:
        cross_validate(
            frame,
            collect_labelled(frame),
            plan_of(split),
            candidates=[],
            metric="auc",
            calibration="platt",
            seed=1,
            executor=executor,
            say=lambda done, total: None,
        )

    assert refused.value.exit_code == 4


def test_what_only_the_test_part_holds_changes_nothing_of_the_preparation(spark: SparkSession) -> None:
    """Days 6 and 7, the test part in time, hold a level, an extreme and a difference that the days before lack."""
    past = [("a", 1.0, False), ("b", 2.0, False)]
    rows = [
        (f"{day}{who}", START + day * DAY, *(past[who] if day < 6 else ("new", 1e9, True)))
        for day in range(8)
        for who in range(2)
    ]
    frame = spark.createDataFrame(rows, "key STRING, as_of TIMESTAMP, job STRING, age DOUBLE, is_late BOOLEAN")
    rules = Rules(0.0, 50, 0.98, ("constant",), frozenset(), frozenset(), {})

    fitted = preparation_of(plan_of("time"), frame, features_of(frame, dict.fromkeys(frame.columns[2:], False)), rules)

    assert [slot.name for slot in fitted.slots] == ["job=a", "job=b", "job=(other)", "age"]
    assert fitted.slots[-1].expression == "coalesce(CAST(`age` AS DOUBLE), 1.5D)"
    assert [(finding.kind, finding.feature) for finding in fitted.findings] == [("constant", "is_late")]


def test_two_rows_of_one_hash_are_refused(spark: SparkSession) -> None:
    """Their draws would be the same: a chance in 10^7 at a million rows, and not to be passed over in silence."""
    columns = "row_hash LONG, key STRING, as_of TIMESTAMP, unit STRING, label DOUBLE, fold INT"
    rows = spark.createDataFrame([(7, key, START, key, 0.0, 0) for key in ("a", "b")], columns)

    with pytest.raises(RefusedError, match="key and as_of: two rows share a 64-bit hash"):
        collect_labelled(rows)


def test_a_task_whose_features_all_have_one_value_is_refused(spark: SparkSession) -> None:
    rows = [(f"c{n}", START, n % 2, 3, "all", None, n % 2) for n in range(40)]
    columns = "key STRING, as_of TIMESTAMP, label INT, cost INT, segment STRING, empty DOUBLE, told INT"
    frame = spark.createDataFrame(rows, columns)
    features = features_of(frame, {"cost": False, "segment": False, "empty": False, "told": True})
    rules = Rules(0.01, 50, 0.98, ("constant", "duplicate"), frozenset(), frozenset(), {})

    said = "no feature is left to train on: of 4, 3 are constant, and 1 are known only after"
    with pytest.raises(RefusedError, match=said) as refused:
        preparation_of(plan_of("random"), frame, features, rules)

    assert refused.value.exit_code == 4
