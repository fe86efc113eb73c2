"""The files of the project: jobs/ and conf/, and how names become paths. Imports no Spark."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import otklik
from otklik.errors import ConfigurationError, did_you_mean
from otklik.settings import NAME_PATTERN


@dataclass(frozen=True)
class ProjectFiles:
    """The folder with jobs/ and conf/."""

    path: Path

    def source(self, name: str) -> Path:
        """The contract of a source: a name in conf/sources, or a path to a .toml file."""
        return self._toml(name, "sources")

    def sources(self) -> list[str]:
        """The names in conf/sources."""
        return sorted(path.stem for path in (self.path / "conf" / "sources").glob("*.toml"))

    def task(self, name: str) -> Path:
        """The file of a task: a name in conf/tasks, or a path to a .toml file."""
        return self._toml(name, "tasks")

    def has_task(self, name: str) -> bool:
        """Whether a task is named by its path, or lies in conf/tasks."""
        return name.endswith(".toml") or name in {path.stem for path in (self.path / "conf" / "tasks").glob("*.toml")}

    def name_of_task(self, file: Path) -> str:
        """How a command names a task's file: by its name in conf/tasks, or its path."""
        return file.stem if file.resolve().parent == (self.path / "conf" / "tasks").resolve() else str(file)

    def environment(self, name: str) -> Path:
        """The settings of an environment: a name in conf/env, or a path to a .toml file."""
        return self._toml(name, "env")

    def settings_files(self) -> list[str]:
        """All contracts, tasks and environments of the project."""
        return [
            str(path)
            for kind in ("sources", "tasks", "env")
            for path in sorted((self.path / "conf" / kind).glob("*.toml"))
        ]

    def spark_properties(self, name: str) -> Path:
        """The Spark properties of an environment."""
        return self.path / "conf" / "spark" / f"{name}.conf"

    def job(self, name: str) -> Path:
        """The file of a job."""
        return self.path / "jobs" / f"{name}.py"

    def sql_folders(self, task: Path) -> list[Path]:
        """Folders of a task's own SELECTs, before the package's: its folder, and sql/ in it."""
        return [task.parent / "sql", task.parent]

    def _toml(self, name: str, kind: str) -> Path:
        if name.endswith(".toml"):
            return Path(name)
        folder = self.path / "conf" / kind
        known = sorted(path.stem for path in folder.glob("*.toml"))
        if not re.match(NAME_PATTERN, name) or name not in known:
            raise ConfigurationError(
                f"unknown; {did_you_mean(name, known) or 'known here: ' + ', '.join(known)}",
                where=name,
                hint="use one of these or the path of a .toml file",
            )
        return folder / f"{name}.toml"


def find_project(chosen: str | None) -> ProjectFiles:
    """The chosen project, else the checkout this package runs from, else the files installed with it.

    Installed files are in share/otklik of a folder above the package: of the environment or, if pip installed the
    package elsewhere (--target, the libraries of a Databricks cluster), of that place.
    """
    if chosen:
        return ProjectFiles(Path(chosen).expanduser().absolute())
    above = Path(otklik.__file__).parents[1:]
    for place in (above[1], *(folder / "share" / "otklik" for folder in above)):
        if (place / "conf").is_dir() and (place / "jobs").is_dir():
            return ProjectFiles(place)
    return ProjectFiles(Path(sys.prefix) / "share" / "otklik")
