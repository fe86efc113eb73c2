"""The context of a job: its options, the lake, the project's files, the clock, and its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from otklik.lake.store import Lake
from otklik.page.formats import Language
from otklik.progress import Progress
from otklik.project_files import ProjectFiles


@dataclass(frozen=True)
class Options:
    """The arguments of a command, already checked.

    Args:
        names: positional arguments by name (task, source, paths, table …).
        as_of: the as-of moment, UTC; None = the latest known moment in the inputs.
        overrides: dotted key → value of --set.
        language: language of texts for people.
        newest: read the newest files even if the moment already has results.
    """

    names: Mapping[str, Any]
    as_of: datetime | None
    overrides: Mapping[str, Any]
    language: Language
    newest: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


@dataclass(frozen=True)
class Tracking:
    """The MLflow server on which runs are logged.

    Attributes:
        uri: its tracking URI.
        experiment: name of the experiment for all tasks; None = one for each.
    """

    uri: str
    experiment: str | None = None


@dataclass(frozen=True)
class Job:
    """Context of a job.

    Attributes:
        is_alone: whether this process holds the lease of the lake, so that no other process writes to it.
        lease_folder: folder of the lake's lease; None if it has none.
        tracking: where to log runs; None = nowhere.
    """

    options: Options
    lake: Lake
    project: ProjectFiles
    progress: Progress
    clock: Callable[[], datetime]
    pseudonym_key: Callable[[], bytes]
    print_result: Callable[[str], None]
    temporary_folder: Path
    is_alone: bool = True
    lease_folder: Path | None = None
    tracking: Tracking | None = None

    def about(self, **names: Any) -> Job:
        """A copy with other arguments."""
        return replace(self, options=replace(self.options, names=names))
