"""Resolve a task: its file, its kind, its inputs pinned to versions, the as-of moment, and its run ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import MissingResultError
from otklik.features.builder import END_OF_TIME, Latest, latest_of
from otklik.features.catalogue import Select
from otklik.features.frames import MOMENT, FrameInput, read_frame
from otklik.kind import Frame, Kind, Stage
from otklik.kinds import load_object
from otklik.lake.identity import code_version_of, hash_of
from otklik.lake.ledger import Run, find_run
from otklik.page.formats import Language
from otklik.page.words import Voice
from otklik.settings import WITHOUT_TEXTS
from otklik.steps.context import Job
from otklik.steps.inputs import Inputs, pinned_inputs, recorded_moment
from otklik.steps.task_files import TaskFile, check_frames, read_task
from otklik.task import FrameSettings, KindTask

#: Keys of a task that never affect an answer.
_FOR_PEOPLE = {"name", "title", "question", "remarks", "report"}
#: Keys that always affect it.
_FOR_FRAMES = {"kind", "inputs", "frames", "seed"}
#: Code that builds frames from inputs affects every answer.
_FRAMES_MODULE = "otklik.features.frames"


@dataclass(frozen=True)
class ResolvedTask:
    """A task with everything that determines its results.

    Attributes:
        file: the task.
        task: its settings.
        inputs: the pinned inputs.
        selects: frame → its SELECT, if the task names one.
        asked_for: the as-of moment that was given or is already known; None = the latest one known.
    """

    file: TaskFile
    task: KindTask
    inputs: Inputs
    selects: Mapping[str, Select]
    asked_for: datetime | None

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return self.file.kind

    @property
    def frames(self) -> list[Frame]:
        """All frames of its stages, without repetition."""
        return list({frame.name: frame for stage in self.kind.stages for frame in stage.frames}.values())

    @cached_property
    def as_of(self) -> datetime:
        """The as-of moment: the given one, the latest known one, or the latest one in the frames."""
        return self.latest().moment if self.asked_for is None else self.asked_for

    def latest(self) -> Latest:
        """The latest known moment in the inputs, or else the latest one in the frames."""
        latest = self.inputs.latest_moment()
        if latest is not None:
            return latest
        moments = []
        for frame in self.frames:
            rows = self.read(frame, END_OF_TIME)
            if rows is not None and dict(rows.dtypes).get(MOMENT) == "timestamp":
                own = rows.select(F.col(MOMENT).alias("moment"), F.lit(None).cast("timestamp").alias("arrived_at"))
                if found := latest_of(own):
                    moments.append(replace(found, origin=f"frame {frame.name}"))
        return max(moments, key=lambda one: one.moment, default=Latest(END_OF_TIME))

    def read(self, frame: Frame, as_of: datetime) -> DataFrame | None:
        """The rows of a frame known at a moment; None if the task does not have it."""
        settings = self.task.frames.get(frame.name)
        if settings is None:
            if frame.is_optional:
                return None
            settings = FrameSettings()
        personal = self.inputs.marked("personal")
        rows = {name: FrameInput(known, personal[name]) for name, known in self.inputs.known_at(as_of).items()}
        return read_frame(self.inputs.lake.spark, frame, settings, rows, self.selects.get(frame.name), as_of)

    def run_of(self, job: Job, stage: Stage, earlier: Mapping[str, Run]) -> Run:
        """A row for ops.runs about a stage that starts now.

        Args:
            job: the job.
            stage: the stage.
            earlier: name → run of the previous stages.
        """
        settings = {
            **self.task.model_dump(mode="json", include=_keys_of(self.task, stage), context=WITHOUT_TEXTS),
            "sql": {name: select.decisive for name, select in self.selects.items()},
            "marks": self.inputs.marks,
        }
        # A stage depends on all previous stages, whether or not it reads their tables.
        inputs = {**self.inputs.identities, **{f"stage {name}": run.run_id for name, run in earlier.items()}}
        modules = tuple(place.partition(":")[0] for place in (stage.run, kind_module(self.kind)))
        code = code_version_of((*modules, _FRAMES_MODULE))
        settings_hash = hash_of(settings)
        identity = [self.task.name, stage.name, self.as_of.isoformat(), settings_hash, inputs, code]
        return Run(
            run_id=hash_of(identity)[:16],
            job=stage.name,
            task=self.task.name,
            as_of=self.as_of,
            status="failed",
            inputs=inputs,
            settings_hash=settings_hash,
            code_version=code,
            started_at=job.clock(),
        )


def _keys_of(task: KindTask, stage: Stage) -> set[str]:
    """Keys of a task that affect a stage's results."""
    return {*stage.uses} | _FOR_FRAMES if stage.uses else {*type(task).model_fields} - _FOR_PEOPLE


def task_for(stage: Stage, task: KindTask) -> KindTask:
    """A task without the keys that are not part of a stage's identity, so that its method cannot use them."""
    seen = task.model_copy()
    for key in type(task).model_fields.keys() - _keys_of(task, stage) - {"name"}:
        del seen.__dict__[key]
    return seen


def kind_module(kind: Kind) -> str:
    """The module that defines a kind: that of its settings."""
    return kind.task.__module__


def resolve(job: Job, name: str) -> ResolvedTask:
    """Read a task of a kind that has frames, and pin its inputs.

    Raises:
        ConfigurationError: if the task or its SQL is wrong.
        MissingResultError: if an input is not there.
    """
    file = read_task(job.project, name, job.options.overrides)
    task = file.task
    assert isinstance(task, KindTask), f"{file.kind.name} has a runner of its own"
    selects = check_frames(file, job.project.sql_folders(file.path))
    inputs = pinned_inputs(job, task, file.kind.stages[-1].name)
    resolved = ResolvedTask(file, task, inputs, selects, job.options.as_of)
    if job.options.as_of is not None:
        return resolved
    decisive = [task.model_dump(mode="json", include=_FOR_FRAMES), [select.decisive for select in selects.values()]]
    return replace(resolved, asked_for=recorded_moment(job, task, inputs, decisive, resolved.latest))


def voice_of(kind: Kind, language: Language) -> Voice:
    """The texts of a kind in one language."""
    texts = load_object(f"{kind.section.partition(':')[0]}:TEXTS")
    return Voice(language, texts)


def earlier_runs(job: Job, resolved: ResolvedTask) -> list[Run]:
    """The run of each stage with the current results of the task.

    Raises:
        MissingResultError: if a stage has not been run.
    """
    runs: dict[str, Run] = {}
    for stage in resolved.kind.stages:
        asked = resolved.run_of(job, stage, runs)
        found = find_run(job.lake, asked.run_id, stage.name, asked.inputs)
        if found is None:
            raise MissingResultError(
                "was not run for these inputs, settings and moment",
                where=resolved.task.name,
                hint=f"run `otklik run {resolved.task.name}` with the same options first",
            )
        runs[stage.name] = found
    return list(runs.values())
