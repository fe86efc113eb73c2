"""The runner: what every stage of every kind needs, in one place.

It resolves the task, pins versions, identifies the run, reuses existing results, hides what must not be seen, writes
tables, records the run, and reports findings. A method receives frames and settings and returns frames and measures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import WARNING_EXIT_CODE
from otklik.features.frames import without_unusable
from otklik.kind import REFUSALS, Finding, Stage, StageContext, StageResult
from otklik.kinds import load_object
from otklik.lake.ledger import Run, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.tables import Table
from otklik.session import cached, frame_of
from otklik.steps.answers import read_findings, write_claims, write_list
from otklik.steps.before_spark import check_stage
from otklik.steps.context import Job
from otklik.steps.pages import write_page
from otklik.steps.resolve import ResolvedTask, earlier_runs, resolve, task_for, voice_of
from otklik.steps.resolve_classify import answered_before
from otklik.steps.runs import record_failure


def run_stages(job: Job, path: Path) -> int:
    """Run the stages of a task that have no answer yet, and write its page; returns the exit code."""
    resolved = resolve(job, str(path))
    last = job.options.names.get("stage")
    check_stage(resolved.file, last)
    code = 0
    runs: dict[str, Run] = {}
    for stage in resolved.kind.stages:
        runs[stage.name], findings = _run_stage(job, resolved, stage, runs)
        voice = voice_of(resolved.kind, "en")
        for finding in findings:
            if finding.is_warning:
                job.progress.warn(voice.told(finding))
                code = WARNING_EXIT_CODE
        if stage.name == last:
            return code
    write_page(job, resolved, list(runs.values()))
    return code


def write_page_again(job: Job, path: Path) -> int:
    """Write the page of an answer that exists; returns the exit code."""
    resolved = resolve(job, str(path))
    write_page(job, resolved, earlier_runs(job, resolved))
    return 0


def _run_stage(
    job: Job, resolved: ResolvedTask, stage: Stage, earlier: Mapping[str, Run]
) -> tuple[Run, Sequence[Finding]]:
    """The run with the stage's answer, and its findings; an earlier run if one has the answer."""
    name, users_sql = resolved.task.name, f"the SQL of [frames] of {resolved.task.name}"
    run = resolved.run_of(job, stage, earlier)
    with record_failure(job, run, users_sql):
        before = answered_before(job, run)
    with record_failure(job, run, users_sql), job.progress.step(f"{stage.name} {name}") as step:
        if before is not None:
            step.rows(before.rows_out)
            step.say("reused")
            return before, read_findings(job.lake, name, [run.run_id])
        with contextlib.ExitStack() as until_written:

            def keep(rows: DataFrame) -> DataFrame:
                return until_written.enter_context(cached(rows))

            context = StageContext(job.lake.spark, resolved.as_of, resolved.task.seed, step, job.temporary_folder, keep)
            is_refused = any(one.message in REFUSALS for one in earlier.values())
            result, findings = (
                (without_rows(stage, context), []) if is_refused else _result(job, resolved, stage, earlier, context)
            )
            outputs, rows_out = _write_tables(job, resolved, stage, run, result)
            if result.listed is not None:
                outputs |= write_list(job.lake, run, result.campaign, result.listed)
        outputs |= write_claims(job.lake, resolved.kind, resolved.task, run, result, findings, job.clock())
        verdict = "" if result.verdict is None else result.verdict.verdict
        done = run.done(job.clock(), outputs, 0, rows_out, verdict)
        record_run(job.lake, done)
        step.rows(rows_out)
        if verdict:
            step.say(verdict)
    return done, findings


def _result(
    job: Job, resolved: ResolvedTask, stage: Stage, earlier: Mapping[str, Run], context: StageContext
) -> tuple[StageResult, list[Finding]]:
    """The method's result for its frames, and the findings, including those about the frames."""
    frames: dict[str, DataFrame] = {}
    findings: list[Finding] = []
    read_before = {frame.name for each in resolved.kind.stages if each.name in earlier for frame in each.frames}
    for frame in stage.frames:
        rows = resolved.read(frame, resolved.as_of)
        if rows is not None:
            frames[frame.name], left_out = without_unusable(context.keep(rows), frame, resolved.as_of)
            findings += [] if frame.name in read_before else left_out
    tables = {table: v for one in earlier.values() for table, v in one.outputs.items()}
    for what in stage.reads:
        table = f"gold.{resolved.task.name}_{what}"
        frames[what] = rows_at(job.lake, table, tables[table])
    result: StageResult = load_object(stage.run)(frames, task_for(stage, resolved.task), context)
    return result, [*findings, *result.findings]


def without_rows(stage: Stage, context: StageContext) -> StageResult:
    """The empty tables of a stage after one that has refused the task."""
    return StageResult({_what(table): frame_of(context.spark, [], table.own_ddl) for table in stage.tables})


def _what(family: Table) -> str:
    return family.name.removeprefix("gold.<task>_")


def _write_tables(
    job: Job, resolved: ResolvedTask, stage: Stage, run: Run, result: StageResult
) -> tuple[dict[str, int], int]:
    """Write each table in one commit; returns table → version, and the total number of rows."""
    outputs, count = {}, 0
    for family in stage.tables:
        table = family.of(resolved.task.name)
        rows = result.tables[_what(family)].withColumn("run_id", F.lit(run.run_id))
        commit = job.lake.replace(table, rows, f"{stage.name} {run.run_id}")
        outputs[table.name] = commit.version
        count += commit.count("numOutputRows")
    return outputs, count
