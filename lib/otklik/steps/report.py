"""Step: write the page of a task, or of every task that has an answer, and the index of all pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from otklik.errors import ConfigurationError, MissingResultError
from otklik.kinds import load_object
from otklik.lake.folder import Folder
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import Run, find_answer, find_run, record_run
from otklik.lake.missing import no_such_table
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import ACTION_VALUE, EXPLANATIONS, FINDINGS, MEASURES, SCOREBOARD
from otklik.models import registry
from otklik.report import reductions, story
from otklik.report.facts import ReportFacts
from otklik.report.page import render
from otklik.session import threads
from otklik.steps.answers import effect_of_lists, latest_verdicts, write_verdict
from otklik.steps.context import Job
from otklik.steps.drafts import DRAFT
from otklik.steps.pages import balances_of, is_written, mark_of, named_file, page_name, said_of, write_index
from otklik.steps.profit import bring_profits_up_to_date
from otklik.steps.resolve_classify import ResolvedClassify, features_run, resolve_recorded
from otklik.steps.runs import record_failure
from otklik.steps.task_files import TaskFile, read_task
from otklik.task import Task

#: Number of counts for a page that run concurrently.
_AT_ONCE = 3
_NO_LIST = pd.DataFrame(columns=["rank", "key", "arm", "probability", "expected_profit", "reasons"])
_NO_ARMS = pd.DataFrame(columns=["arm", "rows"])
_NO_VALUE = pd.DataFrame(columns=[column.name for column in ACTION_VALUE.columns])


def write_report(job: Job, resolved: ResolvedClassify | None = None) -> int:
    """Write the page of a task, or of every task that has an answer, and the index; returns the exit code."""
    if resolved is not None:
        _write(job, resolved)
        return 0
    name = job.options.names.get("task")
    if name:
        file = read_task(
            job.project, name if job.project.has_task(name) else _file_of(job, name), job.options.overrides
        )
        return _write_page(job.about(task=str(file.path)), file)
    written = 0
    for task in _tasks(job):
        try:
            file = read_task(job.project, _file_of(job, task), job.options.overrides)
            _write_page(job.about(task=str(file.path)), file)
            written += 1
        except (ConfigurationError, MissingResultError) as fault:
            # A task whose file has moved, or that was run with other options, gets a report only if it is named.
            job.progress.line(f"  left out: {fault.line()}")
    if not written:
        raise MissingResultError("no task has a report to write", where="report", hint="name one: `otklik report TASK`")
    return 0


def _write_page(job: Job, file: TaskFile) -> int:
    """Write the page of a task of any kind."""
    code: int = load_object(file.kind.reporter)(job, file.path)
    return code


def write_report_of(job: Job, path: Path) -> int:
    """Write the page of a yes-or-no task; returns the exit code."""
    _write(job, resolve_recorded(job.about(task=str(path)), "report"))
    return 0


def _tasks(job: Job) -> list[str]:
    names = {*registry.tasks(job.lake), *(row["task"] for row in latest_verdicts(job.lake))}
    if not names:
        raise MissingResultError("no task has an answer yet", where="report", hint="run `otklik run TASK` first")
    # A draft has no file; its page was written when it was run.
    return sorted(name for name in names if name.removesuffix(DRAFT) == name or name.removesuffix(DRAFT) not in names)


def _file_of(job: Job, task: str) -> str:
    """The path or name of a task's file, from its last page; otherwise the name of the task."""
    last = find_answer(job.lake, task, None, "report")
    return task if last is None else last.inputs.get("file", task)


def _write(job: Job, resolved: ResolvedClassify) -> None:
    """Write one task's page, its verdict and the index."""
    with record_failure(job, resolved.start(job, "report", {})):
        before = features_run(job, resolved)
        if registry.history(job.lake, resolved.task.name).empty:
            # There cannot be scores, either: the first missing step is named.
            _needed(job, resolved, "train")
        scored = _needed(job, resolved, "score")
        trained = _training_behind(job, resolved, scored)
        bring_profits_up_to_date(job, resolved.task, trained)
    page = page_name(resolved.task.name, job.options.language)
    inputs = {
        **trained.inputs,
        "training": f"{trained.run_id} {trained.ended_at}",
        "scores": f"{scored.run_id} {scored.ended_at}",
        "language": job.options.language,
        "page": page,
        "file": named_file(job, job.project.task(job.options["task"])),
        "said": said_of(resolved.task),
        "code": code_version(),
        "effect": hash_of(effect_of_lists(job.lake, resolved.task.name))[:16],
        # The page says how long ago its decisions were.
        "year": str(job.clock().year),
    }
    run = resolved.start(job, "report", inputs)
    with record_failure(job, run), job.progress.step(f"report {resolved.task.name}") as step:
        if is_written(job, run, page):
            step.say("reused")
            return
        facts = _facts(job, resolved, before, trained, scored)
        html = render(facts, job.options.language).encode()
        Folder(job.lake.folder("report")).write(page, html)
        write_verdict(job.lake, resolved.task.kind, resolved.task, run, story.verdict_of(facts), job.clock())
        write_index(job)
        step.say(job.lake.folder("report", page))
    record_run(job.lake, run.done(job.clock(), {}, before.rows_out, 1, mark_of(page, html)))


def _training_behind(job: Job, resolved: ResolvedClassify, scored: Run) -> Run:
    """The training of the model that computed the scores, which may be an older one.

    Raises:
        MissingResultError: if it is not in the ledger.
    """
    model_run = _model_run(scored)
    return find_run(job.lake, model_run, "train", None) or _needed(job, resolved, "train")


def _model_run(scored: Run) -> str:
    """The run whose model computed the scores; `otklik score` records it with its version of gold.model_runs."""
    return scored.inputs["model"].partition(" ")[0]


def _needed(job: Job, resolved: ResolvedClassify, step: str) -> Run:
    """The latest successful run of a step for this task.

    Raises:
        MissingResultError: if the step has not been run.
    """
    found = find_run(job.lake, resolved.run_ids[step], step, None)
    if found is None:
        raise MissingResultError(
            f"`otklik {step}` was not run for these inputs, settings and moment",
            where=resolved.task.name,
            hint=f"run `otklik {step} {resolved.task.name}` with the same options first",
        )
    return found


def _facts(job: Job, resolved: ResolvedClassify, before: Run, trained: Run, scored: Run) -> ReportFacts:
    lake, task, name = job.lake, resolved.task, resolved.task.name
    features = rows_at(lake, f"gold.{name}_features", before.outputs[f"gold.{name}_features"])
    scores = rows_at(lake, f"gold.{name}_scores", scored.outputs[f"gold.{name}_scores"])
    decision = task.decision
    actions = (
        None if decision is None else rows_at(lake, f"gold.{name}_actions", scored.outputs[f"gold.{name}_actions"])
    )
    runs = registry.records(registry.history(lake, name))
    model_run, own = _model_run(scored), [row for row in runs if row["run_id"] == resolved.run_ids["train"]]
    bands = {**task.preparation.bands, **task.report.attribute_bands}
    shown = list(dict.fromkeys([*task.report.attributes, *(column.name for column in resolved.columns)]))

    def of_runs(table: str, *runs: str) -> pd.DataFrame:
        rows = lake.small_frame(table, {"task": [name], "run_id": runs})
        if rows is None:
            raise no_such_table(table)
        return rows

    counts: dict[str, Callable[[], Any]] = {
        "label_states": lambda: reductions.rows_per_label_state(features),
        "attribute_rates": lambda: reductions.attribute_rates(features, shown, bands),
        "rates_over_time": lambda: reductions.rates_over_time(features),
        "remark_counts": lambda: reductions.remark_counts(features, [*task.report.remarks, *task.rows.caveats]),
        "score_counts": lambda: _score_counts(lake, task, trained),
        "scored_counts": lambda: reductions.scored_counts(scores, features),
        "top_actions": lambda: _NO_LIST if actions is None else reductions.top_of_list(actions, scores),
        "action_arms": lambda: _NO_ARMS if actions is None else reductions.rows_per_arm(actions),
        "reason_weights": lambda: reductions.reason_weights(scores),
        "list_moments": lambda: None if actions is None else reductions.moments_of_list(actions),
    }
    # Each is planned on one core, and most end before a second core has any work.
    with threads(lake.spark, _AT_ONCE) as executor:
        counted = dict(zip(counts, executor.map(lambda count: count(), counts.values()), strict=True))
    return ReportFacts(
        **counted,
        task=task,
        as_of=resolved.as_of,
        run_id=resolved.run_ids["score"],
        training_run_id=trained.run_id,
        code_version=code_version(),
        table_versions={**resolved.versions, **before.outputs, **trained.outputs, **scored.outputs},
        features=resolved.columns,
        scoreboard=of_runs(SCOREBOARD.name, trained.run_id),
        measures=of_runs(MEASURES.name, trained.run_id),
        explanations=of_runs(EXPLANATIONS.name, trained.run_id),
        findings=of_runs(FINDINGS.name, trained.run_id, resolved.run_ids["score"]),
        action_value=_NO_VALUE if decision is None else of_runs(ACTION_VALUE.name, resolved.run_ids["score"]),
        champion=next((row for row in runs if row["run_id"] == model_run), None),
        challenger=own[0] if own and model_run != resolved.run_ids["train"] else None,
        effect=effect_of_lists(lake, name),
        balances=balances_of(lake, resolved.versions),
        written_at=job.clock(),
    )


def _score_counts(lake: Lake, task: Task, trained: Run) -> pd.DataFrame | None:
    """None if later trainings have replaced the predictions, and the old ones were vacuumed."""
    table = f"gold.{task.name}_predictions"
    try:
        predictions = rows_at(lake, table, trained.outputs[table])
    except MissingResultError:
        return None
    return reductions.score_counts(predictions, None if task.decision is None else task.decision.threshold)
