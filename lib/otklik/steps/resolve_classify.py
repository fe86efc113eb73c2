"""Resolve a classify task: its settings and SQL, its inputs pinned to versions, the as-of moment, and its run ids."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, MissingResultError, OtklikError
from otklik.features.builder import END_OF_TIME, Latest, latest_of, rows_of_task
from otklik.features.catalogue import FeatureColumn, Select, read_select
from otklik.lake.folder import Folder
from otklik.lake.identity import code_version, code_version_of, hash_of, run_id
from otklik.lake.ledger import Run, find_run, record_run
from otklik.lake.recovery import bring_back
from otklik.lake.tables import RUNS
from otklik.session import analysed, without_generated_code
from otklik.settings import WITHOUT_TEXTS, load
from otklik.steps.context import Job
from otklik.steps.drafts import draft_of
from otklik.steps.inputs import Inputs, pinned_inputs, recorded_moment
from otklik.steps.runs import clear_sql, record_failure, say_how_long, start_of
from otklik.task import Task

#: Keys of a task that do not affect the answer.
_FOR_PEOPLE: dict[str, Any] = {"name": True, "report": True, "rows": {"caveats": True}}
#: Keys that affect the features.
_OF_FEATURES = ("kind", "inputs", "rows", "features")
#: Keys that affect scores and list but no model: whole tables, and (table, key).
_OF_SCORES = ("decision", "score")
_OF_SCORES_WITHIN = (("evaluation", "reasons"), ("checks", "psi_warning"), ("splits", "control_salt"))


@dataclass(frozen=True)
class ResolvedClassify:
    """A task with everything that determines its results."""

    task: Task
    rows_select: Select
    feature_selects: tuple[tuple[Select, tuple[str, ...]], ...]
    inputs: Inputs
    as_of: datetime
    is_draft: bool = False

    @cached_property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """Step → the settings that it uses; changing others does not rerun it.

        They include the marks of columns in SQL headers and tables.
        """
        decisive = self.task.model_dump(mode="json", exclude=_FOR_PEOPLE, context=WITHOUT_TEXTS)
        sql = [select.decisive for select in (self.rows_select, *(select for select, _ in self.feature_selects))]
        rows = {name: decisive[name] for name in _OF_FEATURES} | {"sql": sql, "marks": self.inputs.marks}
        trained = {name: values for name, values in decisive.items() if name not in _OF_SCORES}
        for table, key in _OF_SCORES_WITHIN:
            trained[table] = {name: value for name, value in trained[table].items() if name != key}
        return {"features": rows, "train": trained | rows, "score": decisive | rows}

    @cached_property
    def run_ids(self) -> Mapping[str, str]:
        """Step → its run id; the page has that of the scores.

        A run id includes the code of the step and of previous ones. SQL is part of the settings.
        """
        modules = {step: f"otklik.steps.{step}" for step in self.settings}
        of_steps = {
            step: run_id(
                self.task.name,
                self.as_of,
                settings,
                self.inputs.identities,
                code_version_of(tuple(modules.values())[: place + 1]),
            )
            for place, (step, settings) in enumerate(self.settings.items())
        }
        return {**of_steps, "report": of_steps["score"]}

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each input table."""
        return self.inputs.versions

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The documented feature columns that the task uses."""
        return tuple(c for select, left_out in self.feature_selects for c in select.columns if c.name not in left_out)

    @property
    def known_after(self) -> frozenset[str]:
        """The feature columns that become known only after the decision."""
        return frozenset(column.name for column in self.columns if column.is_known_after)

    @property
    def rows_hash(self) -> str:
        """Hash of the SELECT that returns the rows."""
        return hash_of(self.rows_select.text)

    def start(self, job: Job, step: str, inputs: dict[str, str]) -> Run:
        """A row for ops.runs about a step that starts now."""
        return Run(
            run_id=self.run_ids[step],
            job=step,
            task=self.task.name,
            as_of=self.as_of,
            status="failed",
            inputs=inputs,
            settings_hash=hash_of(self.settings["score" if step == "report" else step]),
            code_version=code_version(),
            started_at=job.clock(),
        )


def resolve_classify(job: Job) -> ResolvedClassify:
    """Read the task that the job names, pin its inputs, and find its as-of moment.

    Raises:
        ConfigurationError: if the task or its SQL is wrong.
        MissingResultError: if an input has not been ingested.
        PlatformError: if the lake has no place for models and reports.
    """
    # They are not tables: better to find out now than after hours of fitting.
    Folder(job.lake.folder("models"))
    path = job.project.task(job.options["task"])
    task, is_draft = load(Task, path, dict(job.options.overrides)), bool(job.options.names.get("draft"))
    if is_draft:
        task = draft_of(task)
    folders = job.project.sql_folders(path)
    rows_select = read_select(task.rows.sql, task.rows.template_values, folders)
    selects = tuple((read_select(g.sql, g.settings, folders), tuple(g.leave_out)) for g in task.features.values())
    task.check_feature_names({column.name for select, _ in selects for column in select.columns})
    inputs = pinned_inputs(job, task, "features")
    resolved = ResolvedClassify(task, rows_select, selects, inputs, job.options.as_of or END_OF_TIME, is_draft)
    if job.options.as_of is not None:
        return resolved
    find = partial(_latest_moment, inputs, task, rows_select)
    return replace(resolved, as_of=recorded_moment(job, task, inputs, resolved.settings["features"], find))


def resolve_recorded(job: Job, step: str) -> ResolvedClassify:
    """`resolve_classify`; a failure is recorded in ops.runs like any other.

    Raises:
        ConfigurationError: as `resolve_classify`.
        MissingResultError: as `resolve_classify`.
    """
    try:
        return resolve_classify(job)
    except OtklikError:
        # A typo in --lake does not create a lake.
        if not job.lake.exists(RUNS.name):
            raise
        about = Path(str(job.options["task"])).stem
        with record_failure(job, start_of(job, step, about, hash_of(dict(job.options.overrides)))):
            raise


def answered_before(job: Job, run: Run) -> Run | None:
    """If an earlier run has this result, record that it is reused; otherwise say how long the work may take.

    Tables that hold one run at a time are restored to it if another run came in between, so that `show` and `export`
    return the results of the latest command.
    """
    earlier = find_run(job.lake, run.run_id, run.job, run.inputs)
    if earlier is None:
        say_how_long(job, run)
        # Started before the step whose time is reported.
        _ = job.lake.spark
        return None
    of_one_run = {table: v for table, v in earlier.outputs.items() if table.startswith(f"gold.{run.task}_")}
    try:
        back = {table: bring_back(job.lake, table, version) for table, version in of_one_run.items()}
    except MissingResultError:
        # Its files were vacuumed, so it is computed again.
        return None
    earlier = replace(earlier, outputs={**earlier.outputs, **back})
    record_run(job.lake, run.reused(job.clock(), earlier))
    return earlier


def features_run(job: Job, resolved: ResolvedClassify) -> Run:
    """The run of `otklik features` on which this task depends.

    Raises:
        MissingResultError: if the features have not been built yet.
    """
    found = find_run(job.lake, resolved.run_ids["features"], "features", resolved.inputs.identities)
    if found is None:
        raise MissingResultError(
            "its features were not built for these inputs, settings and moment",
            where=resolved.task.name,
            hint=f"run `otklik features {resolved.task.name}` with the same options first",
        )
    return found


def only_to_score(features: DataFrame, task: Task) -> DataFrame:
    """The rows that the task scores.

    Raises:
        ConfigurationError: if score.where is not a condition on them.
    """
    try:
        return analysed(features.where(task.score.where))
    except AnalysisException as fault:
        raise ConfigurationError(
            f"is not a valid condition on the task's features: {str(fault).splitlines()[0]}",
            where="score.where",
            hint="use columns of the task's feature table",
        ) from None


def _latest_moment(inputs: Inputs, task: Task, rows_select: Select) -> Latest:
    """The latest known moment in the inputs; for untimed history, the latest decision moment."""
    latest = inputs.latest_moment()
    if latest is None:
        with clear_sql(f"{rows_select.name}.sql"):
            rows = rows_of_task(
                inputs.lake.spark,
                rows_select,
                inputs.known_at(END_OF_TIME),
                as_of=END_OF_TIME,
                label_window=task.rows.label_window,
            )
            found = latest_of(rows.select("moment", F.lit(None).cast("timestamp").alias("arrived_at")))
            latest = found and replace(found, origin=f"the rows of {rows_select.name}.sql")
    return latest or Latest(END_OF_TIME)


def plans_for(resolved: ResolvedClassify, spark: SparkSession) -> contextlib.AbstractContextManager[None]:
    """Spark's settings for queries of a task's rows: a draft has few."""
    return without_generated_code(spark) if resolved.is_draft else contextlib.nullcontext()
