"""What the report needs, and the report of several tasks: what cannot be written is left out and named."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench import TakeIn, job_on, register_model
from tests.steps.test_resolve_classify import TASK

from otklik.errors import MissingResultError
from otklik.lake.store import Lake
from otklik.progress import Progress
from otklik.steps.features import build_features
from otklik.steps.report import write_report


def test_without_a_task_that_can_be_reported_nothing_is_written(lake: Lake, tmp_path: Path) -> None:
    """Champions of tasks whose files lie elsewhere."""
    for task in ("of_sales", "of_risk"):
        register_model(lake, task, 1)
    said = io.StringIO()

    with pytest.raises(MissingResultError, match="no task has a report to write"):
        write_report(replace(job_on(lake, tmp_path), progress=Progress(said, lambda: 0.0, is_live=False)))

    assert [line.split(":")[0].strip() for line in said.getvalue().splitlines()] == ["left out", "left out"]
    assert not (Path(lake.root) / "report").exists()


@pytest.mark.long
def test_a_step_that_is_missing_before_the_report_is_named(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    task = tmp_path / "calls_task.toml"
    task.write_text(TASK, encoding="utf-8")
    job = job_on(lake, tmp_path, task=str(task))

    with pytest.raises(MissingResultError, match="its features were not built for these inputs"):
        write_report(job)
    build_features(job)
    with pytest.raises(MissingResultError, match="`otklik train` was not run for these inputs"):
        write_report(job)

    assert not (Path(lake.root) / "report").exists()
