"""Step: run a task up to its page, after the tasks that it reads from; or all tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from otklik.errors import OtklikError, unexpected
from otklik.kinds import load_object
from otklik.lake.ledger import FileLedger
from otklik.steps.before_spark import check_run
from otklik.steps.context import Job
from otklik.steps.features import build_features
from otklik.steps.graph import TaskGraph, read_graph
from otklik.steps.report import write_report
from otklik.steps.resolve_classify import resolve_recorded
from otklik.steps.score import score_rows
from otklik.steps.train import train_models


def run_task(job: Job) -> int:
    """Run a task after those that it reads from, or all tasks; returns the exit code."""
    name, is_all = job.options.names.get("task"), bool(job.options.names.get("all"))
    check_run(job.options.names)
    if is_all:
        return _run_all(job)
    graph = read_graph(job.project, [str(name)], job.options.overrides)
    wanted = next(iter(graph.files))
    code = 0
    for task in graph.order([wanted]):
        of_this = job if task == wanted else _of_another(job)
        code = max(code, _run(of_this, graph, task))
    return code


def _of_another(job: Job) -> Job:
    """The job for a task that the named one reads from: --set and --draft apply to the named one only."""
    names = {**job.options.names, "draft": False}
    return replace(job, options=replace(job.options, names=names, overrides={}))


def _run(job: Job, graph: TaskGraph, task: str) -> int:
    """Run one task; the tasks it reads from are up to date."""
    file = graph.files[task]
    names = {**job.options.names, "task": str(file.path)}
    code: int = load_object(file.kind.runner)(job.about(**names), file.path)
    return code


def _run_all(job: Job) -> int:
    """Run every task of conf/tasks whose sources have been ingested; continue after failures.

    Returns:
        The exit code of the first task that failed; otherwise that of a warning or 0.
    """
    graph = read_graph(job.project)
    for fault in graph.faults:
        job.progress.line(f"  not run: {fault.line()}")
    codes = [fault.exit_code for fault in graph.faults]
    there = FileLedger(job.lake).versions({t for file in graph.files.values() for t in file.task.inputs.values()})
    missing: dict[str, str] = {}
    warned = 0
    for task in graph.order():
        inputs = graph.files[task].task.inputs.values()
        absent = sorted(table for table in inputs if table.startswith("silver.") and table not in there)
        behind = [before for before in graph.reads_from(task) if before in missing]
        if absent or behind:
            missing[task] = f"{absent[0]} has not been ingested" if absent else f"{behind[0]} has no answer"
            job.progress.line(f"  not run: {task}: {missing[task]}")
            continue
        try:
            warned = max(warned, _run(job, graph, task))
        except Exception as fault:
            # A failure of one task, even an unexpected one, does not stop the others.
            clear = fault if isinstance(fault, OtklikError) else unexpected(fault, task)
            missing[task] = "failed"
            codes.append(clear.exit_code)
            job.progress.line(f"  failed: {clear.line()}")
    return codes[0] if codes else warned


def run_yes_or_no(job: Job, path: Path) -> int:
    """Build features, train, score and report; returns 0, or the exit code of a step with a warning.

    The task is resolved once: data ingested meanwhile belong to the next run.
    """
    resolved = resolve_recorded(job.about(**{**job.options.names, "task": str(path)}), "features")
    last = job.options.names.get("stage")
    code = 0
    for name, step in (("features", build_features), ("train", train_models), ("score", score_rows)):
        code = max(code, step(job, resolved))
        if name == last:
            return code
    code = max(code, write_report(job, resolved))
    if resolved.is_draft:
        answer = f"otklik run {job.project.name_of_task(path)}"
        job.progress.line(f"  this was a draft, with its own tables and page; for the full answer run `{answer}`")
    return code
