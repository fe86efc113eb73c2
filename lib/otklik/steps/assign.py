"""Step: assign people who have no arm yet to the arms of an experiment."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import WARNING_EXIT_CODE, RefusedError
from otklik.evidence.arms import sample_ratio_p
from otklik.evidence.assignment import design_of, drawn
from otklik.evidence.experiment.kind import ExperimentTask
from otklik.features.builder import END_OF_TIME
from otklik.features.frames import without_unusable
from otklik.lake.ledger import record_run
from otklik.lake.store import Lake
from otklik.lake.tables import ASSIGNMENTS
from otklik.session import cached
from otklik.steps.before_spark import task_to_assign
from otklik.steps.context import Job
from otklik.steps.inputs import pinned_inputs
from otklik.steps.printing import as_table
from otklik.steps.resolve import ResolvedTask, voice_of
from otklik.steps.runs import record_failure
from otklik.steps.task_files import check_frames, read_task


def assign_arms(job: Job) -> int:
    """Add new people to gold.assignments, and print the size of each arm; returns the exit code."""
    resolved = _resolved(job)
    task, frame = resolved.task, resolved.frames[0]
    assert isinstance(task, ExperimentTask) and task.assignment is not None
    run = resolved.run_of(job, resolved.kind.stages[0], {})
    rows = resolved.read(frame, resolved.as_of)
    assert rows is not None, "the task has [frames.people]"
    salt, strata = task.assignment.salt or task.name, task.assignment.strata
    with (
        record_failure(job, run, f"the SQL of [frames] of {task.name}"),
        job.progress.step(f"assign {task.name}") as step,
        cached(rows) as people,
    ):
        earlier = _of_experiments(job.lake, [task.name])
        design = design_of(task.arms, salt, strata)
        _check_design(earlier, design, task.name)
        usable, findings = without_unusable(people, frame, resolved.as_of)
        others = _of_experiments(job.lake, task.assignment.exclude)
        new = drawn(usable, earlier, others, task.arms, salt, strata)
        assigned_at = None if resolved.as_of == END_OF_TIME else resolved.as_of
        made = new.select(
            F.lit(task.name).alias("experiment"), "unit", "arm", "stratum",
            F.lit(assigned_at).cast("timestamp").alias("assigned_at"), F.lit(design).alias("design"),
            F.lit(run.run_id).alias("run_id"),
        )  # fmt: skip
        with cached(made) as kept:
            count = kept.count()
            if count:
                version: int | None = job.lake.append(ASSIGNMENTS, kept, f"assign {run.run_id}").version
            else:
                version = job.lake.version(ASSIGNMENTS.name)
        step.rows(count, "people drawn")
    outputs = {} if version is None else {ASSIGNMENTS.name: version}
    record_run(job.lake, run.done(job.clock(), outputs, 0, count, ""))
    voice = voice_of(resolved.kind, "en")
    warnings = [voice.told(finding) for finding in findings]
    warnings += _unknown_experiments(others, task.assignment.exclude)
    warnings += _arms_as_planned(job, task)
    for warning in warnings:
        job.progress.warn(warning)
    return WARNING_EXIT_CODE if warnings else 0


def _resolved(job: Job) -> ResolvedTask:
    """The task with only the frame of people, and only the inputs that this frame reads.

    Raises:
        ConfigurationError: if the task does not define how arms are assigned.
    """
    file = read_task(job.project, job.options["task"], job.options.overrides)
    task = task_to_assign(file)
    selects = check_frames(file, job.project.sql_folders(file.path))
    people = task.frames["people"]
    # A SELECT may read all inputs except the assignments; outcomes need not exist yet.
    wanted = [people.input or next(iter(task.inputs))] if people.sql is None else [*task.inputs]
    tables = {name: task.inputs[name] for name in wanted if task.inputs[name] != ASSIGNMENTS.name}
    inputs = pinned_inputs(job, task.model_copy(update={"inputs": tables}), "assign")
    kind = replace(file.kind, stages=file.kind.commands)
    return ResolvedTask(replace(file, kind=kind), task, inputs, selects, job.options.as_of)


def _nobody(lake: Lake) -> DataFrame:
    return lake.spark.createDataFrame([], ASSIGNMENTS.ddl)


def _of_experiments(lake: Lake, names: list[str]) -> DataFrame:
    """The people assigned in some experiments."""
    there = lake.find(ASSIGNMENTS.name)
    return (_nobody(lake) if there is None else there).where(
        F.col("experiment").isin(*names) if names else F.lit(False)
    )


def _check_design(earlier: DataFrame, design: str, name: str) -> None:
    """Check that people were assigned by the current settings of the task.

    Raises:
        RefusedError: if arms, salt or strata have changed.
    """
    if earlier.where(F.col("design") != design).limit(1).count():
        raise RefusedError(
            "people were assigned with other arms, another salt or other strata, and keep their arms",
            where=name,
            hint="restore the settings, or give the new experiment another name",
        )


def _unknown_experiments(others: DataFrame, names: list[str]) -> list[str]:
    found = {row["experiment"] for row in others.select("experiment").distinct().collect()}
    return [f"assignment.exclude names {name}, for which nobody has been drawn" for name in names if name not in found]


def _arms_as_planned(job: Job, task: ExperimentTask) -> list[str]:
    """Print the arms; warn if their sizes differ from the plan by more than chance."""
    rows = _of_experiments(job.lake, [task.name]).groupBy("arm").count().collect()
    counts = {arm: {row["arm"]: row["count"] for row in rows}.get(arm, 0) for arm in task.arms}
    total, planned = sum(counts.values()), sum(task.arms.values())
    p = sample_ratio_p([*counts.values()], [*task.arms.values()])
    shown = [
        (arm, count, round(count / max(total, 1), 4), round(task.arms[arm] / planned, 4))
        for arm, count in counts.items()
    ]
    job.print_result(as_table(("arm", "people", "share", "planned"), shown))
    job.print_result(f"chi-squared test of the shares: p = {p:.3f}\n")
    if p < task.sample_ratio_alpha:
        return [f"the arms differ from the plan by more than chance (p = {p:.1e})"]
    return []
