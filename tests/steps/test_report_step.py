"""The report of several tasks: what cannot be written is left out and named."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench import job_on, register_model

from otklik.errors import MissingResultError
from otklik.lake.store import Lake
from otklik.progress import Progress
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
