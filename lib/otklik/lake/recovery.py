"""What a killed writer leaves in a table, and which version of it counts.

A batch is written into several tables, one commit each, and then into the ledger. Killed in between, commits remain
that the ledger does not know. The same batch, run again, finds its own commits and goes on behind them; anything else
that comes takes them back first. Readers look at the version that the ledger knows, or a later one with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable

from otklik.errors import DamagedError
from otklik.lake.store import NOTHING, Commit, Lake

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
_RESTORE = "RESTORE"


def unknown_commits(commits: list[Commit], known: int) -> tuple[int, list[Commit]]:
    """The version that stands for what the ledger knows, and the commits behind it that changed rows.

    Args:
        commits: of one table, those after `known`, oldest first.
        known: the version that the ledger knows.
    """
    base = max((commit.version for commit in commits if commit.operation == _RESTORE), default=known)
    return base, [commit for commit in commits if commit.version > base and commit.operation not in _SAME_ROWS]


def settle(lake: Lake, table: str, known: int | None, label: str, say: Callable[[str], None]) -> int:
    """Take back what dead writers left in a table, except the commits of the batch that runs now.

    Args:
        lake: the lake.
        table: its name.
        known: the newest version in the ledger; None where the ledger knows none.
        label: of the batch that runs now.
        say: is told what was taken back.

    Returns:
        The version behind which the batch writes; `NOTHING` where there is no such table yet.

    Raises:
        DamagedError: if the table is older than the ledger.
    """
    commits = lake.commits(table, NOTHING if known is None else known - 1)
    if known is not None and not commits:
        raise DamagedError(
            f"the ledger knows version {known} of it, and the table does not have that version",
            where=table,
            cure="restore the lake from a backup, or ingest into a fresh lake",
        )
    if commits is None:
        return NOTHING
    # A table that the ledger does not know begins with the commit that made it.
    base, unknown = unknown_commits(commits, 0 if known is None else known)
    if all((commit.label or "").startswith(label) for commit in unknown):
        return base
    lake.restore(table, base)
    restored = (lake.commits(table, base) or [])[-1].version
    say(f"    {table}: took back {len(unknown)} unfinished commits of an earlier run")
    return restored


def with_same_rows(lake: Lake, table: str, version: int) -> int:
    """The newest version that holds the same rows as this one: compacting a table makes new versions of it."""
    for commit in lake.commits(table, version) or []:
        if commit.operation not in _SAME_ROWS:
            break
        version = commit.version
    return version
