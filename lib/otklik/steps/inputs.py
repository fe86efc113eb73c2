"""The pinned inputs of a task: silver at the version in the ledger of files, gold at that recorded by its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from pyspark.sql import DataFrame

from otklik.errors import MissingResultError
from otklik.features.builder import END_OF_TIME, Latest, latest_known, only_known, with_row_id
from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileLedger, Run, find_answer, find_output, find_run, input_versions, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.steps.context import Job
from otklik.steps.runs import start_of
from otklik.task import BaseTask


@dataclass(frozen=True)
class Inputs:
    """The inputs of a task: frame name → table, and the version of each table.

    Attributes:
        lake: where they are.
        tables: frame name → table.
        versions: table → version.
        producers: gold table → the run that wrote it.
    """

    lake: Lake
    tables: Mapping[str, str]
    versions: Mapping[str, int]
    producers: Mapping[str, Run] = field(default_factory=dict)

    @property
    def identities(self) -> dict[str, str]:
        """Table → identity of its content: its version or, for gold, the run that wrote it."""
        runs = {table: run.run_id for table, run in self.producers.items()}
        return {table: str(version) for table, version in self.versions.items()} | runs

    @cached_property
    def marks(self) -> dict[str, dict[str, list[str]]]:
        """Table → its columns by mark of its contracts: personal, after_decision."""
        return {table: self.lake.marked_columns(table) for table in sorted(self.versions)}

    def marked(self, mark: str) -> dict[str, list[str]]:
        """Frame name → its columns with this mark."""
        return {name: self.marks[table].get(mark, []) for name, table in self.tables.items()}

    @cached_property
    def _rows(self) -> dict[str, DataFrame]:
        """Cached, because finding the versions reads the history of each table."""
        contents = {entry.batch: entry.content_hash for entry in FileLedger(self.lake).entries}
        found = {name: rows_at(self.lake, table, self.versions[table]) for name, table in self.tables.items()}
        return {name: with_row_id(rows, contents) for name, rows in found.items()}

    def known_at(self, moment: datetime) -> dict[str, DataFrame]:
        """The frames with only what was known at the moment."""
        return {name: only_known(rows, moment) for name, rows in self._rows.items()}

    def latest_moment(self) -> Latest | None:
        """The latest known moment in them; for gold, the as-of moment of its run. None if all are untimed."""
        rows = {self.tables[name]: known for name, known in self.known_at(END_OF_TIME).items()}
        silver = {table: known for table, known in rows.items() if table not in self.producers}
        moments = [
            Latest(run.as_of, origin=f"run {run.run_id} of {table}")
            for table, run in self.producers.items()
            if run.as_of and run.as_of < END_OF_TIME
        ]
        latest = latest_known(silver) if silver else None
        return max([*moments, *([latest] if latest else [])], key=lambda one: one.moment, default=None)


def pinned_inputs(job: Job, task: BaseTask, step: str) -> Inputs:
    """The inputs at the versions to read; if the moment already has results, at the versions of these.

    Files that arrived later may contain facts about that moment, or have replaced rows that were known then.

    Args:
        job: the job.
        task: the task.
        step: the step in ops.runs whose results count.

    Raises:
        MissingResultError: if an input has not been ingested, or no run has written it.
    """
    tables, as_of = sorted(set(task.inputs.values())), job.options.as_of
    gold = {table: _producer(job.lake, table, as_of) for table in tables if table.startswith("gold.")}
    silver = [table for table in tables if table not in gold]
    versions = _silver_versions(job, task, step, silver) if silver else {}
    written = {table: run.outputs[table] for table, run in gold.items()}
    return Inputs(job.lake, task.inputs, {**versions, **written}, gold)


def recorded_moment(job: Job, task: BaseTask, inputs: Inputs, decisive: object, find: Callable[[], Latest]) -> datetime:
    """The default as-of moment of a task; computed once for the same rows, later read from ops.runs.

    Args:
        job: the job.
        task: the task.
        inputs: its inputs.
        decisive: what the rows depend on, besides inputs and code.
        find: computes it from the rows.
    """
    run = replace(start_of(job, "moment", task.name, hash_of([decisive, inputs.marks])), inputs=inputs.identities)
    found = find_run(job.lake, run.run_id, run.job, run.inputs)
    if found is None or found.as_of is None:
        _ = job.lake.spark
        with job.progress.step(f"as-of moment of {task.name}") as step:
            latest = find()
            if latest.moment < END_OF_TIME:
                step.say(f"{latest}")
        found = replace(run, as_of=latest.moment).done(job.clock(), {}, 0, latest.beyond, latest.remark or f"{latest}")
        record_run(job.lake, found)
    # Exclude rows that do not count.
    if found.rows_out:
        job.progress.warn(found.message)
    return found.as_of or END_OF_TIME


def _producer(lake: Lake, table: str, as_of: datetime | None) -> Run:
    found = find_output(lake, table, as_of)
    if found is None:
        raise MissingResultError(
            "no run has written it yet" if as_of is None else "no run as of this moment has written it",
            where=table,
            hint="first run the task that writes it: `otklik graph` shows which; `otklik run TASK` does so by itself",
        )
    return found


def _silver_versions(job: Job, task: BaseTask, step: str, tables: list[str]) -> dict[str, int]:
    as_of = job.options.as_of
    if as_of is None:
        return input_versions(job.lake, tables)
    answer = None if job.options.newest else find_answer(job.lake, task.name, as_of, step)
    if answer is None or not set(tables) <= set(answer.inputs):
        return input_versions(job.lake, tables, by=as_of)
    versions = {table: int(answer.inputs[table]) for table in tables}
    later = sorted(table for table, version in input_versions(job.lake, tables).items() if version > versions[table])
    if later:
        job.progress.line(
            f"  as of {as_of:%Y-%m-%d %H:%M} as first answered on {answer.started_at:%Y-%m-%d %H:%M} (UTC); "
            f"files of {', '.join(later)} ingested since are not read (use --newest to read them)"
        )
    return versions
