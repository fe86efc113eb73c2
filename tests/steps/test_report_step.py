"""What the report needs, and the report of several tasks: what cannot be written is left out and named."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bench import TakeIn, job_on, register_model
from tests.steps.test_resolve_classify import TASK

from otklik.errors import ConfigurationError, MissingResultError
from otklik.kind import Finding, Measure, Verdict
from otklik.lake.folder import Folder
from otklik.lake.ledger import Run, record_run
from otklik.lake.store import Lake
from otklik.lake.tables import FINDINGS
from otklik.progress import Progress
from otklik.project_files import find_project
from otklik.steps.answers import write_verdict
from otklik.steps.features import build_features
from otklik.steps.pages import write_index
from otklik.steps.report import write_report
from otklik.steps.task_files import read_task


def test_without_a_task_that_can_be_reported_nothing_is_written(lake: Lake, tmp_path: Path) -> None:
    """Champions of tasks whose files lie elsewhere."""
    for task in ("of_sales", "of_risk"):
        register_model(lake, task, 1)
    said = io.StringIO()

    with pytest.raises(MissingResultError, match="no task has a report to write"):
        write_report(replace(job_on(lake, tmp_path), progress=Progress(said, lambda: 0.0, is_live=False)))

    assert [line.split(":")[0].strip() for line in said.getvalue().splitlines()] == ["left out", "left out"]
    assert not (Path(lake.root) / "report").exists()


def test_a_task_that_was_run_from_elsewhere_is_reported_by_its_name(lake: Lake, tmp_path: Path) -> None:
    file, now = tmp_path / "calls_task.toml", datetime(2026, 1, 1, tzinfo=UTC)
    file.write_text(TASK, encoding="utf-8")
    name = read_task(find_project(None), str(file), {}).task.name
    with pytest.raises(ConfigurationError, match="unknown; known here"):
        write_report(job_on(lake, tmp_path, task=name))
    record_run(lake, Run("1", "report", name, now, "done", {"file": str(file)}, "", "", now, now))

    with pytest.raises(MissingResultError, match="nothing has been ingested"):
        write_report(job_on(lake, tmp_path, task=name))


def test_a_card_says_a_verdict_once_and_names_its_figure(lake: Lake, tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    task = read_task(find_project(None), "bank_full", {}).task
    verdict = Verdict("gain", [Finding("gain")], Measure("auc", 0.8, "", "time", 0.7, 0.9, 0.5, 100))
    run = Run("1", "report", task.name, now, "done", {}, "", "", now)
    lake.replace(FINDINGS, lake.spark.createDataFrame([], FINDINGS.ddl), "none")
    write_verdict(lake, "classify", task, run, verdict, now)
    Folder(lake.folder("report")).write("bank_full.html", b"")

    write_index(job_on(lake, tmp_path))

    card = Folder(lake.folder("report")).read("index.html").decode()
    assert card.count("Worth using") == 1
    assert "<dt>AUC</dt>" in card


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
