"""Recovery after a killed writer: which version of a table counts, and which commits are rolled back.

A batch writes one commit to each of several tables, and then to the ledger. If it is killed in between, commits remain
that are not in the ledger. The same batch, run again, resumes after its own commits; any other writer rolls them back
first. Readers use the version in the ledger, or a later one with the same rows.
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
    """The batch of a commit; None if it is not a batch's."""
    kind, _, rest = (commit.label or "").partition(" ")
    return rest.partition(" ")[0] if kind == _OF_BATCHES else None


@dataclass(frozen=True)
class Base:
    """The version after which a batch writes, and whether commits of the same batch already follow it."""

    version: int
    is_begun: bool = False


def classify_commits(
    lake: Lake, table: str, known: int | None, label: str, *, is_alone: bool = True, takes_all: bool = False
) -> tuple[Base, list[Commit]]:
    """Find the commits that killed writers left in a table; commits of the current batch stay.

    Args:
        lake: the lake.
        table: its name.
        known: the newest version in the ledger; None if there is none.
        label: label of the current batch.
        is_alone: whether no other process can be writing.
        takes_all: whether to roll back commits that no killed run can have left, too.

    Returns:
        The version after which the batch writes (`NOTHING` if there is no table yet), and the commits to roll back.

    Raises:
        DamagedError: if the table is older than the ledger, or has commits that no killed run can have left: of other
            writers, or of several batches, as each rolls back what the previous one left.
        BusyError: if there is something to roll back and its writer may still be alive.
    """
    commits = lake.commits(table, NOTHING if known is None else known - 1)
    if known is not None and not commits:
        raise DamagedError(
            f"the ledger lists version {known}, which the table does not have",
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
    """Roll back what killed writers left in several tables; nothing if that is refused for one of them.

    Args:
        lake: the lake.
        known: table → its newest version in the ledger; None if there is none.
        label: label of the current batch, whose commits stay.
        say: called with a message about what was rolled back.
        is_alone: whether no other process can be writing; otherwise nothing is rolled back.
        takes_all: whether to roll back commits that no killed run can have left, too.

    Returns:
        Table → the version after which the batch writes.

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
    """Undo commits that `classify_commits` found; returns the version after which to write."""
    # Not the base itself: it may have been compacted since, and its own files vacuumed.
    restored = lake.restore(table, left[0].version - 1)
    say(f"    {table}: rolled back {len(left)} unfinished commits of an earlier run")
    return Base(restored)


def with_same_rows(lake: Lake, table: str, version: int) -> int:
    """The newest version with the same rows as this one."""
    return newest_with_same_rows(lake.commits(table, version) or [], version)


def rows_at(lake: Lake, table: str, version: int | None) -> DataFrame:
    """The rows of a version, read from the newest version with the same rows; the newest rows if no version is given.

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
