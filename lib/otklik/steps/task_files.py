"""Read task files: kind, settings, and checks of their frames. Imports no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otklik.errors import ConfigurationError
from otklik.features.catalogue import Select, read_select
from otklik.kind import Kind
from otklik.kinds import find_kind
from otklik.lake.tables import ACTIONS
from otklik.project_files import ProjectFiles
from otklik.settings import read_toml, validate
from otklik.task import BaseTask, KindTask, Task


@dataclass(frozen=True)
class TaskFile:
    """A task read from its file, and its kind."""

    path: Path
    kind: Kind
    task: BaseTask

    @property
    def outputs(self) -> list[str]:
        """The gold tables that it writes; a list only with cost and value."""
        has_no_list = isinstance(self.task, Task) and self.task.decision is None
        tables = [table for stage in self.kind.stages for table in stage.tables]
        return [table.of(self.task.name).name for table in tables if not (has_no_list and table is ACTIONS)]


def read_task(project: ProjectFiles, name: str, overrides: Mapping[str, Any]) -> TaskFile:
    """Read a task, whatever its kind.

    Args:
        project: the files of the project.
        name: a name in conf/tasks or a path.
        overrides: dotted key → value of --set.

    Raises:
        ConfigurationError: if there is no such task, its kind is unknown, or a setting is wrong.
    """
    path = project.task(name)
    values = read_toml(path)
    kind = find_kind(values.get("kind"), str(path))
    return TaskFile(path, kind, validate(kind.task, values, str(path), dict(overrides)))


def check_frames(file: TaskFile, folders: Sequence[Path]) -> dict[str, Select]:
    """Check the frames of a task; returns frame → SELECT for those that have one.

    Args:
        file: the task, of a kind with frames.
        folders: folders of its .sql files.

    Raises:
        ConfigurationError: if a frame is unknown or missing, names no input of the task, or its SQL file is invalid.
    """
    task, declared = file.task, file.kind.frames
    assert isinstance(task, KindTask), f"{file.kind.name} has no frames"
    known = f"its frames are {', '.join(sorted(declared))}; `otklik kinds {file.kind.name}` shows what they contain"
    unknown = sorted({*task.frames} - {*declared})
    missing = sorted(name for name, frame in declared.items() if not frame.is_optional and name not in task.frames)
    if unknown:
        raise ConfigurationError(f"{', '.join(unknown)}: unknown frame", where=f"{file.path}: frames", hint=known)
    if missing and (len(missing) > 1 or len(task.inputs) > 1):
        raise ConfigurationError(f"{', '.join(missing)}: missing frame", where=f"{file.path}: frames", hint=known)
    for name, settings in task.frames.items():
        others = [column for column in settings.columns if column not in {c.name for c in declared[name].columns}]
        if others and declared[name].others == "none":
            columns = ", ".join(column.name for column in declared[name].columns)
            raise ConfigurationError(
                f"{', '.join(others)}: unknown column",
                where=f"{file.path}: frames.{name}.columns",
                hint=f"known: {columns}",
            )
        if settings.sql is None and (settings.input not in task.inputs if settings.input else len(task.inputs) > 1):
            raise ConfigurationError(
                f"{settings.input!r} is not one of [inputs]" if settings.input else "does not specify its input",
                where=f"{file.path}: frames.{name}.input",
                hint=f"give one of: {', '.join(task.inputs)}",
            )
    return {
        name: read_select(settings.sql, settings.settings, folders)
        for name, settings in task.frames.items()
        if settings.sql is not None
    }


def check_task(file: TaskFile, folders: Sequence[Path]) -> str:
    """Check a task's SQL files; returns a description of the task.

    Args:
        file: the task.
        folders: folders of its .sql files.

    Raises:
        ConfigurationError: if a SQL file is missing or invalid.
    """
    said = f"a task of kind {file.kind.name}"
    if isinstance(file.task, Task):
        return f"{said}, {_check_features(file.task, folders)} features"
    if isinstance(file.task, KindTask):
        check_frames(file, folders)
    return said


def _check_features(task: Task, folders: Sequence[Path]) -> int:
    """Number of features of a task, after checking its SQL files and the names that it uses."""
    read_select(task.rows.sql, task.rows.template_values, folders)
    selects = [read_select(group.sql, group.settings, folders) for group in task.features.values()]
    task.check_feature_names({column.name for select in selects for column in select.columns})
    return sum(len(select.columns) for select in selects)
