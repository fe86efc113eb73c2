"""What tests of whole steps start from: a job as the command line would make it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.kind import REFUSALS, Kind, StageContext, StageResult
from otklik.kinds import load_object
from otklik.lake.store import Lake
from otklik.models import registry
from otklik.models.calibrate import Calibrator
from otklik.models.drift import Bins
from otklik.models.portable import LinearModel, Slots
from otklik.models.prepare import Preparation, Slot
from otklik.progress import Progress, Step
from otklik.project_files import find_project
from otklik.steps.context import Job, Options
from otklik.steps.ingest import ingest_files
from otklik.steps.resolve import task_for
from otklik.steps.stages import without_rows
from otklik.task import KindTask

#: As small as the plan of fits allows, so that the pass is about the way and not about the models.
QUICK = {
    "splits.folds": 4,
    "splits.groups": 2,
    "splits.time_windows": 1,
    "models.logistic_regression.max_iter": 5,
    "models.linear_svc.max_iter": 2,
    "models.decision_tree.max_depth": [2],
    "models.random_forest.max_depth": [2],
    "models.random_forest.trees": [3],
    "score.where": "true",
    "checks.psi_warning": 100.0,
    "checks.minimum_positives": 20,
}

#: The same as options of a command.
QUICK_OPTIONS = [part for key, value in QUICK.items() for part in ("--set", f"{key}={json.dumps(value)}")]

#: A small source of calls whose files can be corrected under their name.
CALLS = """
name = "calls"
same_name_other_content = "replace"
format = { kind = "csv" }
columns = { id = { type = "integer" }, text = { type = "string" } }
key = { columns = ["id"] }
time = { order = "position" }
thresholds = { rejected_share = 1.0 }
"""


class TakeIn(Protocol):
    """Write a file of calls and ingest it."""

    def __call__(self, name: str, *lines: str, contract: str = CALLS, **options: Any) -> None: ...


def without_session(lake: Lake) -> Lake:
    """The same lake for who must not ask Spark for anything."""

    def start() -> SparkSession:
        raise AssertionError("asked for a Spark session")

    return replace(lake, session=start)


class KilledError(Exception):
    """Stands for the death of the process; tests/faults kills real ones."""


@contextlib.contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, owner: ModuleType | type, at: str) -> Iterator[None]:
    """The step inside dies where it would call this function; afterwards the function is itself again."""

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(owner, at, die)
        yield


def job_on(lake: Lake, temporary_folder: Path, overrides: dict[str, Any] | None = None, **names: Any) -> Job:
    return Job(
        options=Options(names, None, overrides or {}, "en"),
        lake=lake,
        project=find_project(None),
        progress=Progress(io.StringIO(), lambda: 0.0, is_live=False),
        clock=lambda: datetime.now(UTC),
        pseudonym_key=lambda: b"0123456789abcdef",
        print_result=print,
        temporary_folder=temporary_folder,
    )


def stage_context(
    spark: SparkSession, folder: Path, as_of: datetime = datetime(2026, 1, 1, tzinfo=UTC)
) -> StageContext:
    """What the runner gives a stage, for tests that call a method itself."""
    return StageContext(spark, as_of, 7, Step("test"), folder, lambda rows: rows.persist())


def run_kind(kind: Kind, frames: Mapping[str, DataFrame], task: KindTask, context: StageContext) -> StageResult:
    """The results of all stages of a kind, as the runner gives one the tables of another."""
    results: list[StageResult] = []
    tables: dict[str, DataFrame] = {}
    verdict = None
    for stage in kind.stages:
        if verdict is not None and verdict.verdict in REFUSALS:
            tables |= without_rows(stage, context).tables
            continue
        names = {*(frame.name for frame in stage.frames), *stage.reads}
        seen = {name: rows for name, rows in {**frames, **tables}.items() if name in names}
        results.append(load_object(stage.run)(seen, task_for(stage, task), context))
        tables |= results[-1].tables
        verdict = results[-1].verdict or verdict
    return replace(
        results[-1],
        tables=tables,
        verdict=verdict,
        measures=[one for each in results for one in each.measures],
        findings=[one for each in results for one in each.findings],
    )


def take_in_calls(
    lake: Lake, folder: Path, name: str, *lines: str, contract: str = CALLS, is_alone: bool = True, **options: Any
) -> None:
    """Write a file of calls and its contract into a folder and ingest the file; `is_alone`: with the lease."""
    file, source = write_calls(folder, name, *lines, contract=contract)
    job = job_on(lake, folder, source=str(source), paths=[str(file)], **options)
    ingest_files(replace(job, is_alone=is_alone))


def write_calls(folder: Path, name: str, *lines: str, contract: str = CALLS) -> tuple[Path, Path]:
    """Write a file of calls and its contract into a folder; returns both."""
    file, source = folder / name, folder / "calls.toml"
    file.write_text("\n".join(["id,text", *lines, ""]), encoding="utf-8")
    source.write_text(contract, encoding="utf-8")
    return file, source


def register_model(
    lake: Lake,
    task: str,
    sequence: int,
    bins: Sequence[Bins] = (),
    expected: Mapping[str, Sequence[int]] | None = None,
    rows_hash: str = "",
    name: str = "logistic_regression",
    **changes: Any,
) -> Path:
    """Register a logistic regression on `age` that was never fitted, as run `run_<sequence>`; returns its folder.

    Args:
        lake: the lake.
        task: name of the task.
        sequence: of the run.
        bins: how training counted.
        expected: what it counted.
        rows_hash: of the SELECT that gave the training's rows.
        name: what the model is called.
        changes: to the pointer row.
    """
    model = LinearModel(Slots(("age",), ("age",)), np.array([1.0]), float(sequence), np.array([0.0]))
    slot = Slot("age", "age", None, "coalesce(CAST(`age` AS DOUBLE), 0.0D)", False)
    as_it_is, folds = Calibrator("identity", "log_odds"), range(4)
    serving = registry.ServingModel(
        name,
        Preparation((slot,), ()),
        model,
        as_it_is,
        {fold: replace(model, intercept=sequence + 100.0 * fold) for fold in folds},
        dict.fromkeys(folds, as_it_is),
        len(folds),
        "fold",
        rows_hash,
        bins,
        expected or {},
    )
    run_id = f"run_{sequence}"
    folder = f"models/{task}/{run_id}"
    row = {
        "task": task, "run_id": run_id, "model": serving.model, "settings": "{}", "metric": "auc", "value": 0.7,
        "value_before": None, "folder": folder, "manifest_hash": registry.save(lake, folder, serving, {}),
        "serves": True, "reason": "", "trained_at": datetime(2026, 1, 1, tzinfo=UTC), "sequence": sequence,
    }  # fmt: skip
    registry.register(lake, {**row, **changes}, run_id)
    return Path(lake.folder(folder))
