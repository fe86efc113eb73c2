"""Check the names and options of a command before Spark starts, which takes seconds. Imports no Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from otklik.errors import ConfigurationError, MissingResultError, did_you_mean
from otklik.evidence.experiment.kind import ExperimentTask
from otklik.lake.local import LeftToSparkError, LocalLake
from otklik.lake.missing import not_ingested
from otklik.lake.tables import MODEL_RUNS, RUNS
from otklik.models import extras
from otklik.project_files import ProjectFiles
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.sources.paths import local_files
from otklik.steps.drafts import check_draft
from otklik.steps.graph import read_graph
from otklik.steps.lake_names import check_names, check_sources, known_inputs
from otklik.steps.table_options import check_limit, check_table_name, form_of
from otklik.steps.task_files import TaskFile, check_task, read_task
from otklik.task import Task
from otklik.world.options import check_size, named_effects, named_parts

#: Steps of yes-or-no tasks only.
_OF_CLASSIFY = ("features", "train", "score")
#: Days after which Delta assumes that files of an old version are no longer read or written.
_SAFE_DAYS = 7


def check_command(
    command: str,
    names: str,
    options: Mapping[str, Any],
    project: ProjectFiles,
    overrides: Mapping[str, Any],
    lake: LocalLake | None,
    pseudonym_key: Callable[[], bytes],
) -> None:
    """Check that everything a command names exists and is valid.

    Args:
        command: its name.
        names: its source or task, if any.
        options: as they were given, by name.
        project: the files of the project.
        overrides: of --set.
        lake: the lake, if it is on this machine.
        pseudonym_key: reads the key.

    Raises:
        OtklikError: as the command itself would raise later.
    """
    if names == "source":
        contract = load(Contract, project.source(options["source"]), dict(overrides))
        # Elsewhere Spark is already running, and may be the only one with access to the files.
        if lake is not None:
            _check_files(contract, options.get("paths", ()), pseudonym_key)
    elif command == "run":
        check_run(options)
    elif command == "world":
        check_size(options["customers"], options["seed"])
        named_parts(options["only"])
        named_effects(options["without"])
    elif command == "maintain":
        check_days(options["keep_days"], is_forced=options["force"])
    elif command in ("show", "export"):
        check_table_name(options["table"])
        check_limit(options.get("limit", 0))
        if command == "export":
            form_of(options["to"], options["reader"], has_titles=options["titles"])
    if names == "task" and options["task"] is not None:
        _check_task(command, options, project, overrides, lake)


def _check_task(
    command: str,
    options: Mapping[str, Any],
    project: ProjectFiles,
    overrides: Mapping[str, Any],
    lake: LocalLake | None,
) -> None:
    if command == "champion" and lake is not None:
        _check_champion(options, project, overrides, lake)
        return
    name = options["task"]
    if command == "report" and not project.has_task(name):
        # A task that was run from another path is known to the lake.
        if lake is None:
            return
        try:
            name = file_of_report(lake, name) or name
        except LeftToSparkError:
            return
    file = read_task(project, name, overrides)
    check_kind(command, file, name)
    check_task(file, project.sql_folders(file.path))
    if command == "run":
        check_stage(file, options["stage"])
        if options["draft"]:
            check_draft(file)
    if isinstance(file.task, Task) and (
        command == "train" or (command == "run" and options["stage"] in (None, "train"))
    ):
        extras.require_all(file.task.models)
    if lake is not None and options["as_of"] is None and command in ("features", "run"):
        _check_inputs(command, file, project, overrides, lake)


def check_kind(command: str, file: TaskFile, name: str) -> None:
    """Check that a command is available for tasks of this kind.

    Args:
        command: its name.
        file: the task.
        name: the name as given.

    Raises:
        ConfigurationError: if not.
    """
    if command in _OF_CLASSIFY and not isinstance(file.task, Task):
        raise ConfigurationError(
            f"is of kind {file.kind.name}; `otklik {command}` is for tasks of kind classify",
            where=str(file.path),
            hint=f"use `otklik run {name}`",
        )
    if command == "assign":
        task_to_assign(file)


def task_to_assign(file: TaskFile) -> ExperimentTask:
    """The task, if it defines how arms are assigned.

    Raises:
        ConfigurationError: if not.
    """
    task = file.task
    if not isinstance(task, ExperimentTask) or task.assignment is None:
        raise ConfigurationError(
            "does not define how arms are assigned",
            where=str(file.path),
            hint="add [assignment] and [frames.people] to a task of kind experiment",
        )
    return task


def file_of_report(lake: LocalLake, task: str) -> str | None:
    """The task's file when its last page was written; None without a page.

    Args:
        lake: the lake.
        task: its name.

    Raises:
        LeftToSparkError: if this needs Spark.
    """
    if not lake.exists(RUNS.name):
        return None
    rows = lake.table(RUNS.name).all_rows(["task", "job", "status", "inputs", "ended_at"])
    rows = rows.set_column(4, "ended_at", rows["ended_at"].cast("int64"))
    done = [
        row
        for row in rows.to_pylist(maps_as_pydicts="strict")
        if (row["task"], row["job"]) == (task, "report") and row["status"] in ("done", "reused")
    ]
    last = max(done, key=lambda row: row["ended_at"] or 0, default=None)
    return None if last is None else (last["inputs"] or {}).get("file")


def _check_files(contract: Contract, paths: Sequence[str], pseudonym_key: Callable[[], bytes]) -> None:
    if contract.personal_columns:
        pseudonym_key()
    for path in paths:
        local_files(path)


def check_run(options: Mapping[str, Any]) -> None:
    """Check that `run` has a task or --all.

    Raises:
        ConfigurationError: if it has neither or both.
    """
    if options.get("all") and options.get("draft"):
        raise ConfigurationError("drafts one task at a time", where="--draft", hint="name the task instead of --all")
    if bool(options.get("all")) == (options.get("task") is not None):
        raise ConfigurationError("name a task, or give --all", where="run", hint="`otklik graph` lists the tasks")


def check_stage(file: TaskFile, stage: str | None) -> None:
    """Check that a task has a stage.

    Raises:
        ConfigurationError: if not.
    """
    names = [each.name for each in file.kind.stages]
    if stage is not None and stage not in names:
        meant = did_you_mean(stage, names)
        raise ConfigurationError(
            f"{stage!r} is not a stage of {file.kind.name}{meant and '; '}{meant}",
            where="--stage",
            hint=f"its stages: {', '.join(names)}",
        )


def check_days(days: int, *, is_forced: bool) -> None:
    """Check that old versions stay readable long enough.

    Raises:
        ConfigurationError: if not, unless --force is given.
    """
    if days < _SAFE_DAYS and not is_forced:
        raise ConfigurationError(
            f"under {_SAFE_DAYS} days a reader or a killed run may still need the files",
            where=f"--keep-days {days}",
            hint=f"give {_SAFE_DAYS} or more, or --force when nothing else runs on the lake",
        )


def no_model_of(run: str, task: str) -> MissingResultError:
    """The error if a run trained no model of the task."""
    return MissingResultError(f"no model of run {run}", where=task, hint=f"`otklik champion {task}` lists the runs")


def _check_inputs(
    command: str, file: TaskFile, project: ProjectFiles, overrides: Mapping[str, Any], lake: LocalLake
) -> None:
    """Check that the task's inputs have been ingested, and that the columns it names exist."""
    files = [file]
    if command == "run":
        graph = read_graph(project, [str(file.path)], overrides)
        files = [graph.files[name] for name in graph.order([file.task.name])]
    for each in files:
        known = known_inputs(each.task, lake)
        if known.missing:
            check_sources(each, project, lake, known.missing)
            raise not_ingested(known.missing)
        check_names(each, project.sql_folders(each.path), known)


def _check_champion(
    options: Mapping[str, Any], project: ProjectFiles, overrides: Mapping[str, Any], lake: LocalLake
) -> None:
    try:
        there = (
            lake.table(MODEL_RUNS.name).all_rows(["task", "run_id"]).to_pylist() if lake.exists(MODEL_RUNS.name) else []
        )
    except LeftToSparkError:
        return
    task = name_of_models(project, options["task"], overrides, {row["task"] for row in there})
    if options["run"] is not None and {"task": task, "run_id": options["run"]} not in there:
        raise no_model_of(options["run"], task)


def name_of_models(project: ProjectFiles, given: str, overrides: Mapping[str, Any], there: Collection[str]) -> str:
    """The name under which a task's models are registered, from a task's name or file.

    Args:
        project: the files of the project; a task that was run from a file elsewhere is known by name to the lake only.
        given: the name or path.
        overrides: of --set.
        there: names of tasks with models.

    Raises:
        ConfigurationError: if there is no such task.
    """
    return given if given in there else read_task(project, given, overrides).task.name
