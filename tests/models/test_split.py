"""Who learns from whom: nobody is judged by a model that has seen them, and the past never sees the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.models.split import TIME_TEST, Plan, random_plan, time_plan, with_fold

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30


def chosen(spark: SparkSession, name: str, values: list, conditions: dict[str, Column]) -> dict[str, set]:
    """Which of the values fulfil each condition over the column of that name."""
    rows = spark.createDataFrame([(number, value) for number, value in enumerate(values)], ["number", name])
    told = rows.select("number", *(condition.alias(key) for key, condition in conditions.items())).collect()
    return {key: {values[row.number] for row in told if row[key]} for key in conditions}


def conditions_of(plan: Plan) -> dict[str, Column]:
    """Every condition of a plan by a name of its own."""
    found = {"training part": plan.training_part}
    for fit in (*plan.inner_fits, *(fold.outer for fold in plan.folds)):
        found[f"{fit.name} learns"], found[f"{fit.name} predicts"] = fit.learns_from, fit.predicts
    for fold in plan.folds:
        found |= {f"{fold.number} judged {i}": condition for i, condition in enumerate(fold.judged)}
    return found


@pytest.mark.parametrize(("folds", "groups"), [(10, 3), (4, 2), (5, 2)])
def test_random_settings_come_from_models_that_saw_neither_the_fold_nor_what_they_predict(
    spark: SparkSession, folds: int, groups: int
) -> None:
    plan = random_plan(folds, groups)

    told = chosen(spark, "fold", list(range(folds)), conditions_of(plan))

    everybody = set(range(folds))
    assert told["training part"] == everybody
    assert [fold.number for fold in plan.folds] == list(range(folds))
    assert len(plan.inner_fits) == groups
    for fold in plan.folds:
        assert told[f"{fold.outer.name} predicts"] == {fold.number}
        assert told[f"{fold.outer.name} learns"] == everybody - {fold.number}
        for i, name in enumerate(fold.inner):
            judged = told[f"{fold.number} judged {i}"]
            assert judged
            assert judged <= told[f"{name} predicts"]
            assert not told[f"{name} learns"] & (judged | {fold.number})


def test_a_customer_is_in_one_fold_and_the_salt_moves_the_folds(spark: SparkSession) -> None:
    rows = spark.range(400).select((F.col("id") % 100).cast("string").alias("unit"))
    both = with_fold(with_fold(rows, 5, "one").withColumnRenamed("fold", "before"), 5, "two").distinct().collect()

    assert len(both) == 100
    assert {row.fold for row in both} == set(range(5))
    assert any(row.fold != row.before for row in both)


def trainable(rows: dict[datetime, int], share: float, gap: timedelta) -> list[datetime]:
    """The moments that may train: those with final labels before the latest cut that leaves the share for the test."""
    total = sum(rows.values())
    late = [m for m in rows if sum(n for at, n in rows.items() if at < m) <= (1 - share) * total]
    cut = max(*late, sorted(rows)[1])
    return [moment for moment in rows if moment < cut and moment + gap <= cut]


@settings(max_examples=8)
@example(counts=[1] * 6, share=0.5, windows=3, gap=timedelta(0))
@given(
    counts=st.lists(st.integers(1, 50), min_size=3, max_size=DAYS),
    share=st.sampled_from([0.1, 0.2, 0.3, 0.5]),
    windows=st.integers(1, 4),
    gap=st.sampled_from([timedelta(0), timedelta(hours=12), timedelta(days=2)]),
)
def test_the_past_never_sees_the_future(
    spark: SparkSession, counts: list[int], share: float, windows: int, gap: timedelta
) -> None:
    moments = [START + timedelta(days=day) for day in range(len(counts))]
    rows = dict(zip(moments, counts, strict=True))
    try:
        plan = time_plan(list(rows.items())[::-1], share, windows, gap)
    except RefusedError:
        assert len(trainable(rows, share, gap)) <= windows
        return

    told = chosen(spark, "as_of", moments, conditions_of(plan))

    [fold] = plan.folds
    past, test = told["past learns"], told["past predicts"]
    assert fold.number == TIME_TEST
    assert test == {moment for moment in moments if moment >= min(test)}
    assert sum(rows[moment] for moment in test) >= share * sum(counts) or min(test) == moments[1]
    assert told["training part"] == past
    assert past
    assert max(past) < min(test)
    assert max(past) + gap <= min(test)
    before: set[datetime] = set()
    predicted: set[datetime] = set()
    for i, fit in enumerate(plan.inner_fits):
        learns, predicts = told[f"{fit.name} learns"], told[f"{fit.name} predicts"]
        assert predicts
        assert predicts <= past, "settings and calibrators must not see the test part"
        assert all(moment < min(predicts) and moment + gap <= min(predicts) for moment in learns)
        assert before <= learns, "windows expand"
        assert not predicted & predicts
        assert told[f"{TIME_TEST} judged {i}"] == predicts
        before, predicted = learns, predicted | predicts


def test_the_cut_falls_between_moments_and_leaves_at_least_the_share(spark: SparkSession) -> None:
    moments = [(START + timedelta(days=day), 10) for day in range(10)]

    told = chosen(
        spark, "as_of", [moment for moment, _ in moments], conditions_of(time_plan(moments, 0.25, 2, timedelta()))
    )

    assert min(told["past predicts"]) == START + timedelta(days=7)
    assert max(told["past learns"]) == START + timedelta(days=6)


def test_rows_whose_labels_are_not_final_are_on_neither_side(spark: SparkSession) -> None:
    moments = [(START + timedelta(days=day), 10) for day in range(10)]

    told = chosen(
        spark, "as_of", [moment for moment, _ in moments], conditions_of(time_plan(moments, 0.2, 2, timedelta(days=2)))
    )

    assert min(told["past predicts"]) == START + timedelta(days=8)
    assert max(told["past learns"]) == START + timedelta(days=6)


@pytest.mark.parametrize("days", [1, 2, 3])
def test_too_few_moments_are_refused(days: int) -> None:
    with pytest.raises(RefusedError, match="cannot be split into 3 expanding windows"):
        time_plan([(START + timedelta(days=day), 10) for day in range(days)], 0.2, 3, timedelta())
