"""The history of a table: its commits, and which versions hold the same rows. Imports no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Before the first version of a table.
NOTHING = -1
#: What Delta calls a commit that brings an old version back.
RESTORE = "RESTORE"
#: What Delta calls commits that leave the rows as they were.
_SAME_ROWS = frozenset(
    {
        "ADD CONSTRAINT",
        "CHANGE COLUMN",
        "CLUSTER BY",
        "CREATE TABLE",
        "DROP CONSTRAINT",
        "OPTIMIZE",
        "REORG",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "UPGRADE PROTOCOL",
        "VACUUM END",
        "VACUUM START",
    }
)


@dataclass(frozen=True)
class Commit:
    """One version of a table: its number, operation, metrics of the write, and the writer's label.

    `restored` is the version that a RESTORE went back to.
    """

    version: int
    metrics: Mapping[str, str]
    operation: str = ""
    label: str | None = None
    restored: int | None = None

    def count(self, metric: str) -> int:
        """A count such as numOutputRows; 0 where Delta did not state it."""
        return int(self.metrics.get(metric, "0"))


def versions_in(log: Path) -> list[int]:
    """Versions in the log of a local table, in ascending order; empty without a log."""
    # A commit that is not in place yet is called NUMBER.json#….
    names = (file.name.partition(".")[0] for file in log.glob("[0-9]*.*") if "#" not in file.name)
    return sorted({int(name) for name in names if name.isdecimal()})


def commits_in(log: Path, after: int) -> list[Commit]:
    """The commits after a version that a table's log on this machine still has, oldest first."""
    files = {version: log / f"{version:020}.json" for version in versions_in(log) if version > after}
    return [_commit_in(version, file) for version, file in files.items() if file.is_file()]


def _commit_in(version: int, file: Path) -> Commit:
    with file.open(encoding="utf-8") as actions:
        told = (json.loads(action)["commitInfo"] for action in actions if action.startswith('{"commitInfo"'))
        info: Mapping[str, Any] = next(told, {})
    return commit_of(version, info)


def commit_of(version: int, info: Mapping[str, Any]) -> Commit:
    """A commit from the fields of Delta's history: operation, operationParameters, operationMetrics, userMetadata."""
    operation = info.get("operation", "")
    restored = (info.get("operationParameters") or {}).get("version") if operation == RESTORE else None
    return Commit(
        version,
        dict(info.get("operationMetrics") or {}),
        operation,
        info.get("userMetadata"),
        None if restored is None else int(restored),
    )


def unknown_commits(commits: Sequence[Commit], known: int) -> tuple[int, list[Commit]]:
    """The newest version with the rows that the ledger knows, and the later commits that changed rows.

    Rolling back yields such a version, too. Restoring an older version counts as a change, whoever did it.

    Args:
        commits: commits of one table after `known`, oldest first.
        known: the version that the ledger knows.
    """
    rows_of = origins_of(commits, known)
    restored = (commit.version for commit in commits if commit.operation == RESTORE)
    base = max((version for version in restored if rows_of.get(version) == known), default=known)
    return base, [commit for commit in commits if commit.version > base and commit.operation not in _SAME_ROWS]


def origins_of(commits: Sequence[Commit], version: int) -> dict[int, int]:
    """Version → the version that brought its rows, from this version on.

    Args:
        commits: of one table, oldest first, all those after the version among them.
        version: where to begin.
    """
    origins = {version: version}
    rows = version
    for commit in (commit for commit in commits if commit.version > version):
        if commit.restored is not None:
            rows = origins.get(commit.restored, commit.restored)
        elif commit.operation not in _SAME_ROWS:
            rows = commit.version
        origins[commit.version] = rows
    return origins


def newest_with_same_rows(commits: Sequence[Commit], version: int) -> int:
    """The newest version with the same rows as this one; compaction and rollback create such versions.

    Args:
        commits: commits of one table, oldest first, including all after the version.
        version: the version.
    """
    return max(each for each, rows in origins_of(commits, version).items() if rows == version)
