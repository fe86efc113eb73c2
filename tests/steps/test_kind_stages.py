"""Every kind's stages fit together: what a stage uses and reads is there."""

from __future__ import annotations

from typing import Any

import pytest

from otklik.kind import Kind
from otklik.kinds import KINDS, load_object
from otklik.settings import validate
from otklik.steps.resolve import task_for
from otklik.task import KindTask


@pytest.fixture(params=[name for name in KINDS if name != "classify"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = load_object(KINDS[request.param])
    return found


def test_a_stage_uses_keys_of_the_task_and_reads_tables_of_earlier_stages(kind: Kind) -> None:
    written: set[str] = set()
    for stage in kind.stages:
        assert {*stage.uses} <= kind.task.model_fields.keys()
        assert {*stage.reads} <= written
        written |= {table.name.removeprefix("gold.<task>_") for table in stage.tables}


def test_the_last_stage_uses_every_key(kind: Kind) -> None:
    """A key that no stage uses would change nothing."""
    assert kind.stages[-1].uses == ()


def test_a_stage_sees_only_the_keys_that_it_uses() -> None:
    kind: Kind = load_object(KINDS["survival"])
    given: dict[str, Any] = {
        "name": "churn", "kind": "survival", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
        "inputs": {"customers": "silver.customers"}, "value_periods": 6,
    }  # fmt: skip
    task = validate(kind.task, given, "test")
    assert isinstance(task, KindTask)

    fit, last = (task_for(stage, task).__dict__ for stage in kind.stages)

    assert {"name", "seed", "inputs", "horizon_periods"} <= fit.keys() and "value_periods" not in fit
    assert last["value_periods"] == 6 and "title" not in last
