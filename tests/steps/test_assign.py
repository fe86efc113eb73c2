"""Arms are drawn once: later people, other experiments and other layouts move nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.bench import TakeIn, job_on

from otklik.errors import WARNING_EXIT_CODE, ConfigurationError, RefusedError
from otklik.evidence.assignment import drawn
from otklik.lake.store import Lake
from otklik.lake.tables import ASSIGNMENTS
from otklik.steps.assign import assign_arms
from otklik.steps.run import run_task

ARMS = {"control": 1.0, "letter": 3.0}
TASK = """
name = "spring"
kind = "experiment"
title = { en = "Spring", ru = "Весна" }
question = { en = "Does it work?", ru = "Работает ли?" }
control = "control"
arms = { control = 1, letter = 1 }
minimum_units = 10
metrics.even = { type = "share" }
inputs = { calls = "silver.calls", arms = "gold.assignments" }
[frames.people]
input = "calls"
columns = { unit = "id", region = "text" }
[frames.units]
input = "arms"
where = "experiment = 'spring'"
columns = { even = "unit % 2 = 0" }
[assignment]
strata = ["region"]
"""


def people_of(spark: SparkSession, last: int, first: int = 0, parts: int = 2) -> Any:
    rows = [(f"p{number}", "north" if number % 5 else "south") for number in range(first, last)]
    return spark.createDataFrame(rows, "unit string, region string").repartition(parts)


def arms_of(rows: Any) -> dict[str, tuple[str, str]]:
    return {row.unit: (row.stratum, row.arm) for row in rows.collect()}


@pytest.fixture
def nobody(spark: SparkSession) -> Any:
    return spark.createDataFrame([], "unit string, stratum string, arm string")


def test_without_strata_an_arm_depends_on_the_person_and_the_salt_alone(spark, nobody) -> None:
    few = arms_of(drawn(people_of(spark, 1000, parts=1), nobody, nobody, ARMS, "a", []))
    many = arms_of(drawn(people_of(spark, 3000, parts=4), nobody, nobody, ARMS, "a", []))
    other = arms_of(drawn(people_of(spark, 1000), nobody, nobody, ARMS, "b", []))

    assert {unit: many[unit] for unit in few} == few
    # Three quarters, ± 4 standard errors of 1,000 draws; of two salts 10 in 16 agree by chance.
    assert sum(arm == "letter" for _, arm in few.values()) == pytest.approx(750, abs=55)
    assert sum(few[unit] == other[unit] for unit in few) == pytest.approx(625, abs=62)


def test_within_strata_shares_are_as_planned_also_where_people_come_in_parts(spark, nobody) -> None:
    first = drawn(people_of(spark, 203, parts=4), nobody, nobody, ARMS, "a", ["region"]).persist()
    again = drawn(people_of(spark, 203, parts=1), nobody, nobody, ARMS, "a", ["region"])
    second = drawn(people_of(spark, 400), first, nobody, ARMS, "a", ["region"])

    assert arms_of(first) == arms_of(again)
    whole = {**arms_of(first), **arms_of(second)}
    assert len(whole) == 400 and not set(arms_of(first)) & set(arms_of(second))
    for of in (arms_of(first), whole):
        for stratum in ("north", "south"):
            inside = [arm for name, arm in of.values() if name == stratum]
            assert inside.count("letter") == pytest.approx(0.75 * len(inside), abs=2)


@pytest.fixture
def ask(lake: Lake, tmp_path: Path) -> Callable[..., Any]:
    """A job about the task, or about one that says something else."""

    def make(**changes: tuple[str, str]) -> Any:
        text = TASK
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "spring.toml").write_text(text, encoding="utf-8")
        return job_on(lake, tmp_path, task=str(tmp_path / "spring.toml"))

    return make


def calls(first: int, last: int) -> list[str]:
    return [f"{number},{'north' if number % 3 else 'south'}" for number in range(first, last)]


def test_who_was_drawn_keeps_the_arm_and_the_experiment_reads_it(ask, lake, take_in: TakeIn, capsys) -> None:
    take_in("a.csv", *calls(0, 60))
    job = ask()
    assert assign_arms(job) == 0
    before = arms_of(lake.read(ASSIGNMENTS.name))
    said = capsys.readouterr().out
    assert "planned" in said and "chi-squared test" in said
    take_in("b.csv", *calls(60, 90))

    assert assign_arms(job) == 0
    assert assign_arms(job) == 0

    after = arms_of(lake.read(ASSIGNMENTS.name))
    assert len(before) == 60 and len(after) == 90 and lake.read(ASSIGNMENTS.name).count() == 90
    assert {unit: after[unit] for unit in before} == before
    assert run_task(job) == 0
    arms = {row.arm: row.units for row in lake.read("gold.spring_arms").collect()}
    assert sum(arms.values()) == 90 and arms["letter"] == pytest.approx(45, abs=2)
    with pytest.raises(RefusedError, match="people were assigned with other arms, another salt or other strata"):
        assign_arms(ask(arms=("letter = 1 }", "letter = 2 }")))


def test_people_of_an_excluded_experiment_are_not_drawn(ask, lake, take_in: TakeIn, capsys) -> None:
    take_in("a.csv", *calls(0, 30))
    assert (
        assign_arms(ask(name=('name = "spring"', 'name = "winter"'), few=('"calls"\n', '"calls"\nwhere = "id < 20"\n')))
        == 0
    )
    other = ("[assignment]", '[assignment]\nexclude = ["winter", "sprnig"]')

    assert assign_arms(ask(exclude=other)) == WARNING_EXIT_CODE

    rows = lake.read(ASSIGNMENTS.name).where("experiment = 'spring'").collect()
    assert sorted(int(row.unit) for row in rows) == list(range(20, 30))


def test_a_task_that_says_nothing_of_arms_and_people_with_several_rows_are_refused(ask, lake, take_in: TakeIn) -> None:
    take_in("a.csv", *calls(0, 9))
    with pytest.raises(RefusedError, match="9 rows for 5 people"):
        assign_arms(ask(half=('unit = "id"', 'unit = "id DIV 2"')))
    with pytest.raises(ConfigurationError, match=r"assignment\.strata names 'area'"):
        assign_arms(ask(area=('["region"]', '["area"]')))
    with pytest.raises(ConfigurationError, match=r"assignment needs \[frames\.people\]"):
        assign_arms(ask(none=('[assignment]\nstrata = ["region"]\n', "")))
    without = TASK[: TASK.index("[frames.people]")] + TASK[TASK.index("[frames.units]") : TASK.index("[assignment]")]
    job = ask(all=(TASK, without))
    with pytest.raises(ConfigurationError, match="does not define how arms are assigned"):
        assign_arms(job)
