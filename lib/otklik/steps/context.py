"""What a job is given: its options as values, the lake, the places of files, the clock and the way to a person."""

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
        as_of: the moment to look from, UTC; None = the latest known moment in the inputs.
        overrides: dotted key → value of --set.
        language: of texts for people.
        newest: read the newest files also where a moment was asked about before.
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
    """Where MLflow is told of runs.

    Attributes:
        uri: its tracking URI.
        experiment: name of the experiment for all tasks; None = one for each.
    """

    uri: str
    experiment: str | None = None


@dataclass(frozen=True)
class Job:
    """Everything a job works with.

    Attributes:
        is_alone: whether this process holds the lease of the lake, so that nobody else writes to it.
        lease_folder: where the lease of the lake lies; None where it has none.
        tracking: where MLflow is told; None = nowhere.
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
        """The same job with other arguments."""
        return replace(self, options=replace(self.options, names=names))
