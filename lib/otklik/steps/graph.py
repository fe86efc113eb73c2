"""Which task reads from which: the order in which tasks run. Imports no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from otklik.errors import ConfigurationError
from otklik.lake.tables import ALL_TABLES
from otklik.project_files import ProjectFiles
from otklik.settings import read_toml
from otklik.steps.task_files import TaskFile, read_task

_SHARED = {table.name for table in ALL_TABLES}


@dataclass(frozen=True)
class TaskGraph:
    """Tasks by name, and which of them writes each gold table.

    Attributes:
        files: name → task.
        faults: errors of invalid files in conf/tasks.
    """

    files: Mapping[str, TaskFile]
    faults: Sequence[ConfigurationError] = ()

    @property
    def producers(self) -> dict[str, str]:
        """Gold table → the task that writes it."""
        return {table: name for name, file in self.files.items() for table in file.outputs}

    def reads_from(self, name: str) -> list[str]:
        """The tasks whose tables a task reads.

        Raises:
            ConfigurationError: if no task writes a gold table that it reads.
        """
        file, producers = self.files[name], self.producers
        gold = [table for table in file.task.inputs.values() if table.startswith("gold.") and table not in _SHARED]
        missing = sorted(table for table in gold if table not in producers)
        if missing:
            raise ConfigurationError(
                f"reads {', '.join(missing)}, which no task writes",
                where=f"{file.path}: inputs",
                hint="a table of a task is called gold.<task>_<what>: `otklik tables`; the task lies in conf/tasks or "
                "beside this one",
            )
        return sorted({producers[table] for table in gold})

    def needed_by(self, names: Sequence[str]) -> set[str]:
        """Tasks, and all tasks that they read from, directly or indirectly."""
        producers, waiting = self.producers, list(names)
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [producers[table] for table in self.files[name].task.inputs.values() if table in producers]
        return found

    def order(self, names: Sequence[str] | None = None) -> list[str]:
        """Tasks, each after those that it reads from.

        Args:
            names: the tasks to return, with all that they read from; None = all.

        Raises:
            ConfigurationError: if tasks form a cycle, or as `reads_from`.
        """
        wanted: dict[str, list[str]] = {}
        waiting = sorted(self.files if names is None else names)
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted[name] = self.reads_from(name)
                waiting += wanted[name]
        try:
            return list(TopologicalSorter({name: wanted[name] for name in sorted(wanted)}).static_order())
        except CycleError as fault:
            circle = list(reversed(fault.args[1]))
            raise ConfigurationError(
                f"tasks form a cycle: {' → '.join(circle)}",
                where=str(self.files[circle[0]].path),
                hint="let one of them read silver instead",
            ) from None

    def as_text(self) -> str:
        """A line per task: what it reads and what it writes."""
        lines = []
        for name in self.order():
            file = self.files[name]
            inputs = ", ".join(sorted({*file.task.inputs.values()}))
            lines.append(f"{name} ({file.kind.name})\n  reads   {inputs}\n  writes  {', '.join(file.outputs)}")
        return "\n".join(lines) + "\n"

    def as_dot(self) -> str:
        """The graph for Graphviz."""
        lines = ["digraph tasks {", "  rankdir=LR;"]
        for name in self.order():
            file = self.files[name]
            lines.append(f'  "{name}" [shape=box, label="{name}\\n{file.kind.name}"];')
            producers = self.producers
            lines += [
                f'  "{producers.get(table, table)}" -> "{name}";' for table in sorted({*file.task.inputs.values()})
            ]
        return "\n".join([*lines, "}"]) + "\n"

    def as_json(self) -> str:
        """The graph as JSON."""
        tasks = [
            {
                "task": name,
                "kind": self.files[name].kind.name,
                "file": str(self.files[name].path),
                "inputs": sorted({*self.files[name].task.inputs.values()}),
                "outputs": self.files[name].outputs,
                "after": self.reads_from(name),
            }
            for name in self.order()
        ]
        return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def read_graph(
    project: ProjectFiles, named: Sequence[str] = (), overrides: Mapping[str, Any] | None = None
) -> TaskGraph:
    """The tasks of conf/tasks, those named, and those in the folders of the named ones.

    Args:
        project: the files of the project.
        named: names or paths; a fault in one of them is an error, faults of others are collected in `faults`.
        overrides: of --set, for the named ones.

    Raises:
        ConfigurationError: if a named task is wrong, or another writes a table of one that is named or read from.
    """
    files = [read_task(project, name, overrides or {}) for name in named]
    paths = {file.path.resolve() for file in files}
    folders = dict.fromkeys([*(path.parent for path in paths), (project.path / "conf" / "tasks").resolve()])
    faults = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        if path not in paths and _is_task(path):
            paths.add(path)
            try:
                files.append(read_task(project, str(path), {}))
            except ConfigurationError as fault:
                faults.append(fault)
    writers: dict[str, TaskFile] = {}
    by_name: dict[str, TaskFile] = {}
    doubled: dict[str, ConfigurationError] = {}
    for file in files:
        table, other = next(((t, writers[t]) for t in file.outputs if t in writers), ("", None))
        if other is None:
            writers |= dict.fromkeys(file.outputs, file)
            by_name[file.task.name] = file
        else:
            doubled[other.task.name] = ConfigurationError(
                f"{table} is also written by {other.path}", where=str(file.path), hint="give one of them another name"
            )
    graph = TaskGraph(by_name, [*faults, *doubled.values()])
    for name in graph.needed_by([file.task.name for file in files[: len(named)]]):
        if name in doubled:
            raise doubled[name]
    return graph


def _is_task(path: Path) -> bool:
    """Whether a TOML file is a task; contracts and environments may be in the same folder."""
    try:
        return "kind" in read_toml(path) and "inputs" in read_toml(path)
    except ConfigurationError:
        return False
