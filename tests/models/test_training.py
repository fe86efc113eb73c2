"""Parts of a split that nothing can be learnt from, or tested on, are refused before the first fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from otklik.errors import RefusedError
from otklik.models.split import Plan, random_plan, time_plan
from otklik.models.training import collect_labelled, judge, with_row_hash

START, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)


def plan_of(split: str) -> Plan:
    """Four folds; or days 0 to 2 before the one window, 3 to 5 the window, 6 and 7 the test part."""
    if split == "random":
        return random_plan(4, 2)
    return time_plan([(START + day * DAY, 2) for day in range(8)], 0.25, 1, timedelta())


@pytest.mark.parametrize(
    ("split", "answers", "said"),
    [
        ("random", "10 10 10 00 10 10 10 00", "fold 3 would be tested on rows without any yes"),
        ("random", "11 11 11 10 11 11 11 10", "group 1 would learn from 8 yes and 0 no"),
        ("time", "10 10 10 10 10 10 00 00", "past would be tested on rows without any yes"),
        ("time", "00 00 00 10 10 10 10 10", "window 0 would learn from 0 yes and 6 no"),
        ("time", "11 11 11 10 10 10 10 10", "window 0 would learn from 6 yes and 0 no"),
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
        judge(
            frame,
            collect_labelled(frame),
            plan_of(split),
            contenders=[],
            metric="auc",
            calibration="platt",
            seed=1,
            executor=executor,
            say=lambda done, total: None,
        )

    assert refused.value.exit_code == 4
