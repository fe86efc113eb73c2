"""What a killed writer leaves in a table, and which version of it counts.

A batch is written into several tables, one commit each, and then into the ledger. Killed in between, commits remain
that the ledger does not know. The same batch, run again, finds its own commits and goes on behind them; anything else
that comes takes them back first. Readers look at the version that the ledger knows, or a later one with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from otklik.errors import BusyError, DamagedError
from otklik.lake.commits import NOTHING, Commit, newest_with_same_rows, unknown_commits
from otklik.lake.store import Lake
from otklik.lake.tables import rebuild_hint

#: How the labels of batches begin.
_OF_BATCHES = "ingest"


def label_of(batch: str) -> str:
    """How the commits of a batch are labelled."""
    return f"{_OF_BATCHES} {batch}"


def _batch_of(commit: Commit) -> str | None:
    """The batch whose commit it is; None for one of somebody else."""
    kind, _, rest = (commit.label or "").partition(" ")
    return rest.partition(" ")[0] if kind == _OF_BATCHES else None


@dataclass(frozen=True)
class Base:
    """The version behind which a batch writes, and whether commits of the same batch stand behind it already."""

    version: int
    is_begun: bool = False


def classify_commits(
    lake: Lake, table: str, known: int | None, label: str, *, is_alone: bool = True, takes_all: bool = False
) -> tuple[Base, list[Commit]]:
    """What dead writers left in a table, the commits of the batch that runs now apart.

    Args:
        lake: the lake.
        table: its name.
        known: the newest version in the ledger; None where the ledger knows none.
        label: of the batch that runs now.
        is_alone: whether nobody else can be writing.
        takes_all: whether commits that no killed run can have left are to be rolled back, too.

    Returns:
        Behind what the batch writes (version `NOTHING` where there is no such table yet), and what must go first.

    Raises:
        DamagedError: if the table is older than the ledger, or has commits that no killed run can have left: of
            somebody else, or of several batches, because each rolls back what is left of the one before.
        BusyError: if there is something to roll back, and its writer may still be alive.
    """
    commits = lake.commits(table, NOTHING if known is None else known - 1)
    if known is not None and not commits:
        raise DamagedError(
            f"the ledger knows version {known} of it, and the table does not have that version",
            where=table,
            hint=f"restore the lake from a backup, or {rebuild_hint(table)}",
        )
    if commits is None:
        return Base(NOTHING), []
    # A table that the ledger does not know begins with the commit that made it.
    base, unknown = unknown_commits(commits, 0 if known is None else known)
    if all((commit.label or "").startswith(label) for commit in unknown):
        return Base(base, is_begun=bool(unknown)), []
    batches = {_batch_of(commit) for commit in unknown}
    # Where several may write at once, commits of several batches may be theirs.
    if not takes_all and (None in batches or (is_alone and len(batches) > 1)):
        raise DamagedError(
            f"{len(unknown)} commits that the ledger does not list and that no killed run can have left: the ledger is "
            "outdated, or something else changed the table",
            where=table,
            hint="restore ops.files or the table from a backup, or discard the commits: "
            "`otklik maintain --roll-back-all`",
        )
    if not is_alone:
        raise BusyError(
            f"{len(unknown)} commits that the ledger does not list: left by a killed run, or by one still writing",
            where=table,
            hint="make sure that nothing else writes to the lake, then run `otklik maintain --force`",
        )
    return Base(base), unknown


def roll_back_incomplete(
    lake: Lake,
    known: Mapping[str, int | None],
    label: str,
    say: Callable[[str], None],
    *,
    is_alone: bool = True,
    takes_all: bool = False,
) -> dict[str, Base]:
    """Take back what dead writers left in some tables: all of it, or nothing where one of them is not to be touched.

    Args:
        lake: the lake.
        known: table → its newest version in the ledger; None where the ledger knows none.
        label: of the batch that runs now; its own commits stay.
        say: is told what was rolled back.
        is_alone: whether nobody else can be writing; if somebody can, nothing is rolled back.
        takes_all: whether commits that no killed run can have left go, too.

    Returns:
        Table → behind what the batch writes.

    Raises:
        DamagedError: as `classify_commits`.
        BusyError: as `classify_commits`.
    """
    judged = {
        table: classify_commits(lake, table, version, label, is_alone=is_alone, takes_all=takes_all)
        for table, version in known.items()
    }
    return {table: roll_back(lake, table, left, say) if left else base for table, (base, left) in judged.items()}


def roll_back(lake: Lake, table: str, left: Sequence[Commit], say: Callable[[str], None]) -> Base:
    """Undo commits that `classify_commits` found; returns behind what to write then."""
    # Not the base itself: it may have been compacted since, and its own files vacuumed.
    restored = lake.restore(table, left[0].version - 1)
    say(f"    {table}: rolled back {len(left)} unfinished commits of an earlier run")
    return Base(restored)


def with_same_rows(lake: Lake, table: str, version: int) -> int:
    """The newest version that holds the same rows as this one."""
    return newest_with_same_rows(lake.commits(table, version) or [], version)


def rows_at(lake: Lake, table: str, version: int | None) -> DataFrame:
    """The rows of a version, read from the newest one that holds the same; the newest rows where no version is known.

    Raises:
        MissingResultError: if the table or that version of it is gone.
    """
    return lake.read(table, None if version is None else with_same_rows(lake, table, version))


def bring_back(lake: Lake, table: str, version: int) -> int:
    """Make the rows of a version the newest again; returns that version, or the new one where there must be one.

    Raises:
        MissingResultError: if its files were vacuumed.
    """
    same = with_same_rows(lake, table, version)
    return version if same == lake.version(table) else lake.restore(table, same)
