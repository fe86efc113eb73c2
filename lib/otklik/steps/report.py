"""Step: write the report of the latest run of a task, or of every task that has a champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import pandas as pd
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, MissingResultError
from otklik.lake.folder import Folder
from otklik.lake.identity import code_version
from otklik.lake.ledger import FileEntry, FileLedger, Run, find_run, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import ACTION_VALUE, EXPLANATIONS, FINDINGS, SCOREBOARD
from otklik.models import registry
from otklik.report import reductions
from otklik.report.contents import contents
from otklik.report.facts import Language, ReportFacts
from otklik.report.page import render
from otklik.steps.context import Job
from otklik.steps.question import Question, ask, asked, features_run
from otklik.steps.starts import noted
from otklik.task import Task

PAGE = "index.html"

_NO_LIST = pd.DataFrame(columns=["rank", "key", "arm", "probability", "expected_profit", "reasons"])
_NO_ARMS = pd.DataFrame(columns=["arm", "rows"])
_NO_VALUE = pd.DataFrame(columns=[column.name for column in ACTION_VALUE.columns])


def write_report(job: Job, question: Question | None = None) -> int:
    """Write report/index.html; of several tasks report/<task>.html and an index of them. Returns the exit code."""
    if question is not None:
        _write(job, question, PAGE)
        return 0
    names = [job.options["task"]] if job.options.names.get("task") else _tasks(job)
    if len(names) == 1:
        _write(job, asked(job.about(task=names[0]), "report"), PAGE)
        return 0
    pages = []
    for name in names:
        try:
            pages.append((f"{name}.html", _write(job, ask(job.about(task=name)), f"{name}.html")))
        except (ConfigurationError, MissingResultError) as fault:
            # A task from elsewhere, or one that was run with options of its own, has a report when it is named.
            job.progress.line(f"  left out: {fault.line()}")
    if not pages:
        raise MissingResultError("no task has a report to write", where="report", cure="name one: `otklik report TASK`")
    Folder(job.lake.folder("report")).write(PAGE, contents(pages, _language(job)).encode())
    return 0


def _language(job: Job) -> Language:
    return "ru" if job.options.language == "ru" else "en"


def _tasks(job: Job) -> list[str]:
    names = registry.tasks(job.lake)
    if not names:
        raise MissingResultError("no task has a champion yet", where="report", cure="run `otklik run TASK` first")
    return names


def _write(job: Job, question: Question, page: str) -> str:
    """Write one task's page; returns its title."""
    with noted(job, question.start(job, "report", {})):
        before = features_run(job, question)
        if registry.history(job.lake, question.task.name).empty:
            # Nothing can have been scored, either: the first step that is missing is named.
            _needed(job, question, "train")
        scored = _needed(job, question, "score")
        trained = _training_behind(job, question, scored)
    inputs = {**trained.inputs, "training": trained.run_id, "language": job.options.language, "page": page}
    run = question.start(job, "report", inputs)
    with noted(job, run), job.progress.step(f"report {question.task.name}") as step:
        html = render(_facts(job, question, before, trained, scored), _language(job))
        Folder(job.lake.folder("report")).write(page, html.encode())
        step.say(job.lake.folder("report", page))
    record_run(job.lake, run.done(job.clock(), {}, before.rows_out, 1, page))
    return question.task.title[job.options.language]


def _training_behind(job: Job, question: Question, scored: Run) -> Run:
    """The training of the model that gave the scores: often an older one, whose model no later one has beaten.

    Raises:
        MissingResultError: if the ledger does not know it.
    """
    model_run = _model_run(scored)
    return find_run(job.lake, model_run, "train", None) or _needed(job, question, "train")


def _model_run(scored: Run) -> str:
    """The run whose model gave the scores: `otklik score` names it with its place in gold.model_runs."""
    return scored.inputs["model"].partition(" ")[0]


def _needed(job: Job, question: Question, step: str) -> Run:
    """The latest good start of a step of this question.

    Raises:
        MissingResultError: if the step was not run.
    """
    found = find_run(job.lake, question.run_id, step, None)
    if found is None:
        raise MissingResultError(
            f"`otklik {step}` was not run for these inputs, settings and this moment",
            where=question.task.name,
            cure=f"run `otklik {step} {question.task.name}` with the same options first",
        )
    return found


def _facts(job: Job, question: Question, before: Run, trained: Run, scored: Run) -> ReportFacts:
    lake, task, name = job.lake, question.task, question.task.name
    features = rows_at(lake, f"gold.{name}_features", before.outputs[f"gold.{name}_features"])
    scores = rows_at(lake, f"gold.{name}_scores", scored.outputs[f"gold.{name}_scores"])
    decision = task.decision
    actions = (
        None if decision is None else rows_at(lake, f"gold.{name}_actions", scored.outputs[f"gold.{name}_actions"])
    )
    runs = registry.records(registry.history(lake, name))
    model_run, own = _model_run(scored), [row for row in runs if row["run_id"] == question.run_id]
    bands = {**task.preparation.bands, **task.report.attribute_bands}
    shown = list(dict.fromkeys([*task.report.attributes, *(column.name for column in question.columns)]))

    def of_runs(table: str, *runs: str) -> pd.DataFrame:
        return lake.read(table).where((F.col("task") == name) & F.col("run_id").isin(*runs)).toPandas()

    return ReportFacts(
        task=task,
        as_of=question.as_of,
        run_id=question.run_id,
        training_run_id=trained.run_id,
        code_version=code_version(),
        table_versions={**question.versions, **before.outputs, **trained.outputs, **scored.outputs},
        features=question.columns,
        label_states=reductions.rows_per_label_state(features),
        attribute_rates=reductions.attribute_rates(features, shown, bands),
        rates_over_time=reductions.rates_over_time(features),
        remark_counts=reductions.remark_counts(features, [*task.report.remarks, *task.rows.caveats]),
        scoreboard=of_runs(SCOREBOARD.name, trained.run_id),
        score_counts=_score_counts(lake, task, trained),
        explanations=of_runs(EXPLANATIONS.name, trained.run_id),
        findings=of_runs(FINDINGS.name, trained.run_id, question.run_id),
        scored_counts=reductions.scored_counts(scores, features),
        top_actions=_NO_LIST if actions is None else reductions.top_of_list(actions, scores),
        action_arms=_NO_ARMS if actions is None else reductions.rows_per_arm(actions),
        action_value=_NO_VALUE if decision is None else of_runs(ACTION_VALUE.name, question.run_id),
        champion=next((row for row in runs if row["run_id"] == model_run), None),
        challenger=own[0] if own and model_run != question.run_id else None,
        balances=_balances(lake, question.versions),
    )


def _balances(lake: Lake, versions: Mapping[str, int]) -> pd.DataFrame:
    ledger = FileLedger(lake)
    files = [file for table in versions for file in ledger.files_at(table.partition(".")[2], versions[table])]
    return pd.DataFrame([vars(file) for file in files], columns=[field.name for field in fields(FileEntry)])


def _score_counts(lake: Lake, task: Task, trained: Run) -> pd.DataFrame | None:
    """None where later trainings have replaced the predictions, and these were vacuumed since."""
    table = f"gold.{task.name}_predictions"
    try:
        predictions = rows_at(lake, table, trained.outputs[table])
    except MissingResultError:
        return None
    return reductions.score_counts(predictions, None if task.decision is None else task.decision.threshold)
