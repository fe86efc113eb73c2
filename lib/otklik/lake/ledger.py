"""The ledger: files, runs, table versions and counts.

As no transaction spans two tables, the ledger defines which versions belong together: a step reads the versions that
the previous step recorded, never simply the newest ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from otklik.errors import DamagedError
from otklik.lake.commits import NOTHING
from otklik.lake.identity import hash_of
from otklik.lake.missing import not_ingested
from otklik.lake.store import Lake, small_table
from otklik.lake.tables import FILES, GROWING, RUNS
from otklik.session import frame_of


@dataclass(frozen=True)
class Run:
    """One start of a step: a row of ops.runs."""

    run_id: str
    job: str
    task: str
    as_of: datetime | None
    status: str
    inputs: Mapping[str, str]
    settings_hash: str
    code_version: str
    started_at: datetime
    ended_at: datetime | None = None
    outputs: Mapping[str, int] = field(default_factory=dict)
    rows_in: int = 0
    rows_out: int = 0
    message: str = ""

    def done(self, ended_at: datetime, outputs: Mapping[str, int], rows_in: int, rows_out: int, message: str) -> Run:
        """The same start, ended well."""
        return replace(
            self, status="done", ended_at=ended_at, outputs=outputs, rows_in=rows_in, rows_out=rows_out, message=message
        )

    def failed(self, ended_at: datetime, message: str) -> Run:
        """The same start, ended without a result."""
        return replace(self, status="failed", ended_at=ended_at, message=message)

    def reused(self, ended_at: datetime, earlier: Run) -> Run:
        """The same start, answered by an earlier result."""
        return replace(
            self,
            status="reused",
            ended_at=ended_at,
            outputs=earlier.outputs,
            rows_in=earlier.rows_in,
            rows_out=earlier.rows_out,
            message=earlier.message,
        )


@dataclass(frozen=True)
class FileEntry:
    """One file content of one source: a row of ops.files."""

    source: str
    file: str
    bytes: int
    content_hash: str
    contract_hash: str
    rows: int
    accepted: int
    inserted: int
    updated: int
    rejected: int
    duplicates: int
    repeated: int
    table_versions: Mapping[str, int]
    started_at: datetime
    ended_at: datetime
    status: str
    warnings: Mapping[str, int]
    batch: str
    read_as: str = ""

    @property
    def is_balanced(self) -> bool:
        """Whether its counts add up."""
        return self.rows == self.accepted + self.rejected + self.duplicates and (
            self.accepted == self.inserted + self.updated
        )

    @property
    def content(self) -> tuple[str, str]:
        """What the ledger has one row of."""
        return self.source, self.content_hash


def find_run(lake: Lake, run_id: str, job: str, inputs: Mapping[str, str] | None) -> Run | None:
    """The latest successful run of a step with this identity and, if given, these inputs."""
    return next(iter(_good_runs(lake, job, {"run_id": [run_id]}, inputs)), None)


def find_answer(
    lake: Lake, task: str, as_of: datetime | None, job: str, inputs: Mapping[str, str] | None = None
) -> Run | None:
    """The latest successful run of a step as of this moment (None = any) that read these inputs, with any settings."""
    found = _good_runs(lake, job, {"task": [task]}, inputs)
    return next((run for run in found if as_of is None or run.as_of == as_of), None)


def find_output(lake: Lake, table: str, as_of: datetime | None) -> Run | None:
    """The latest successful run that wrote a table or reused what an earlier run wrote.

    Args:
        lake: the lake.
        table: the gold table.
        as_of: if given, only runs as of this moment or an earlier one count, the latest moment first. For a table that
            only grows, the latest version counts.
    """
    good = [run for run in _runs(lake, {"status": ["done", "reused"]}) if table in run.outputs]
    if as_of is not None:
        good = [run for run in good if run.as_of is not None and run.as_of <= as_of]

    def order(run: Run) -> tuple[int, float, float]:
        version = run.outputs[table] if table in GROWING else 0
        looked_from = run.as_of.timestamp() if as_of is not None and run.as_of is not None else 0.0
        return version, looked_from, _end_of(run).timestamp()

    return max(good, key=order, default=None)


def _good_runs(
    lake: Lake, job: str, which: Mapping[str, Collection[str]], inputs: Mapping[str, str] | None = None
) -> list[Run]:
    """Successful runs, newest first; if inputs are given, only those that read them."""
    found = _runs(lake, {**which, "job": [job], "status": ["done"]})
    wanted = found if inputs is None else [run for run in found if run.inputs == dict(inputs)]
    return sorted(wanted, key=_end_of, reverse=True)


def _end_of(run: Run) -> datetime:
    return run.ended_at or run.started_at


def _runs(lake: Lake, where: Mapping[str, Collection[str]]) -> list[Run]:
    found = lake.small(RUNS.name, where)
    rows = [] if found is None else found.rows
    return [Run(**{**row, "inputs": row["inputs"] or {}, "outputs": row["outputs"] or {}}) for row in rows]


def record_run(lake: Lake, run: Run) -> None:
    """Write one start of a step into ops.runs."""
    row = {**asdict(run), "inputs": dict(run.inputs), "outputs": dict(run.outputs)}
    rows = [[row[column.name] for column in RUNS.columns]]
    lake.add_rows(RUNS, rows, f"run {run.run_id} {run.job} {hash_of(row)[:16]}")


#: A ledger of earlier versions lacks this column.
_NEWEST_COLUMN = "read_as"
#: Prefix of labels of commits to rebuilt tables; the source and the table's version follow.
_REBUILT = "reingest"
#: Status of a file whose records were taken back.
WITHDRAWN = "withdrawn"


class FileLedger:
    """The ledger of files within one command: read once, then updated with what the command records.

    Args:
        lake: the lake.
        version: version of the table; None = the newest.

    Raises:
        DamagedError: if the table lacks a column; loaded files would be unknown.
    """

    def __init__(self, lake: Lake, version: int | None = None) -> None:
        self._lake = lake
        there = lake.small(FILES.name) if version is None else small_table(lake.read(FILES.name, version))
        columns = [column.name for column in FILES.columns]
        self._is_old = there is not None and _NEWEST_COLUMN not in there.columns
        missing = [] if there is None else sorted({*columns} - {*there.columns, _NEWEST_COLUMN})
        if missing:
            raise DamagedError(
                f"the ledger of files lacks its column {', '.join(missing)}",
                where=FILES.name,
                hint="restore its last good version with RESTORE TABLE, or ingest into a fresh lake",
            )
        rows = [] if there is None else there.rows
        self._entries = _by_arrival(_file_entry({_NEWEST_COLUMN: "", **row}) for row in rows)

    @property
    def entries(self) -> Sequence[FileEntry]:
        """All its rows, in the order of arrival."""
        return self._entries

    def loaded(self, source: str) -> list[FileEntry]:
        """The files of a source that make up its silver table, in the order of arrival."""
        return [entry for entry in self._entries if entry.source == source and entry.status == "loaded"]

    def files_at(self, source: str, version: int) -> list[FileEntry]:
        """The files of a source as they were in the ledger when its silver table had this version.

        Later files are left out, and a file that was replaced later counts as loaded.
        """
        if (before := self._before_rebuilding(source, version)) is not None:
            return FileLedger(self._lake, before).files_at(source, version)
        of_source = [entry for entry in self._entries if entry.source == source]
        later = [e.started_at for e in of_source if e.table_versions.get(f"silver.{source}", NOTHING) > version]
        kept = [entry for entry in of_source if not later or entry.started_at < min(later)]
        loaded_last = {entry.file: entry for entry in kept if entry.status != "rejected"}
        return [
            replace(entry, status="loaded")
            if entry.status == "replaced" and loaded_last[entry.file] is entry
            else entry
            for entry in kept
        ]

    def _before_rebuilding(self, source: str, version: int) -> int | None:
        """The version of the ledger that knew this version of a silver table, if the table was rebuilt after it."""
        silver, current = f"silver.{source}", ("loaded", WITHDRAWN)
        of_source = [entry for entry in self._entries if entry.source == source and entry.status in current]
        known = [entry.table_versions.get(silver, NOTHING) for entry in of_source]
        if not known or min(known) <= version:
            return None
        for commit in self._lake.commits(FILES.name) or []:
            kind, _, rest = (commit.label or "").partition(f" {source} ")
            if kind == _REBUILT and int(rest.partition(" ")[0]) > version:
                return commit.version - 1
        return None

    def versions(self, tables: Collection[str], by: datetime | None = None) -> dict[str, int]:
        """The newest version of each table in the ledger; tables that are not in it are left out.

        Args:
            tables: bronze and silver tables.
            by: only files whose ingest had started by this moment; None = all.
        """
        newest: dict[str, int] = {}
        for entry in self._entries:
            if by is None or entry.started_at <= by:
                for table, version in entry.table_versions.items():
                    if table in tables:
                        newest[table] = max(version, newest.get(table, NOTHING))
        return newest

    def refuse(self, *entries: FileEntry) -> None:
        """Write the rows of files that were refused, as far as `worth_recording`."""
        if new := self.worth_recording(entries):
            self.record(*new)

    def worth_recording(self, refused: Iterable[FileEntry]) -> list[FileEntry]:
        """The rows of refused files, except where the ledger already has a row about the same content.

        The row of loaded content holds table versions; without it, these would look like those of a killed run.
        """
        known = {entry.content: entry for entry in self._entries}

        def is_news(entry: FileEntry) -> bool:
            before = known.get(entry.content)
            return before is None or (
                before.status == "rejected" and (before.file, before.contract_hash) != (entry.file, entry.contract_hash)
            )

        return [entry for entry in refused if is_news(entry)]

    def record(self, *new: FileEntry, instead_of: FileEntry | None = None) -> None:
        """Write the rows of files in one commit with that of the file that the first one replaces.

        A content has one row, the latest.
        """
        replaced = [] if instead_of is None else [replace(instead_of, status="replaced")]
        entries = [*{entry.content: entry for entry in (*new, *replaced)}.values()]
        contents = hash_of([each.content for each in entries])[:16]
        self._write(entries, f"files {entries[0].source} {contents} {entries[0].started_at.isoformat()}")

    def rebuild(self, source: str, version: int, entries: Sequence[FileEntry]) -> None:
        """Write the rows of all files of a source in one commit, now that its silver table was rebuilt.

        Args:
            source: the contract.
            version: of the silver table.
            entries: its files.
        """
        # The ledgers of earlier versions know of no files that were withdrawn.
        self._lake.hold_to(FILES, "status_is_known")
        self._write(entries, f"{_REBUILT} {source} {version} {entries[0].ended_at.isoformat()}")

    def _write(self, entries: Sequence[FileEntry], label: str) -> None:
        rows = [_file_row(each) for each in entries]
        contents_now = {each.content for each in entries}
        if self._is_old:
            self._lake.add_column(FILES, _NEWEST_COLUMN)
            self._is_old = False
        if not contents_now & {each.content for each in self._entries}:
            self._lake.add_rows(FILES, rows, label)
        else:
            self._lake.merge(FILES, frame_of(self._lake.spark, rows, FILES.ddl), label, update_when="true")
        others = [each for each in self._entries if each.content not in contents_now]
        self._entries = _by_arrival([*others, *entries])


def input_versions(lake: Lake, tables: Sequence[str], by: datetime | None = None) -> dict[str, int]:
    """The version of each input in the ledger; it never contains a part of an unfinished batch.

    Args:
        lake: the lake.
        tables: silver tables.
        by: if given, a table whose rows have an arrival time is read as it was at this moment, as later versions may
            have replaced rows that were known then.

    Raises:
        MissingResultError: if nothing was ingested into one of them.
    """
    ledger = FileLedger(lake)
    known = ledger.versions(tables)
    missing = [table for table in tables if table not in known]
    if missing:
        raise not_ingested(missing)
    if by is None:
        return known
    timed = [table for table in tables if "_known_at" in lake.read(table).columns]
    return known | ledger.versions(timed, by)


def _by_arrival(entries: Iterable[FileEntry]) -> list[FileEntry]:
    return sorted(entries, key=lambda entry: entry.started_at)


def _file_row(entry: FileEntry) -> tuple[Any, ...]:
    values = asdict(entry)
    values["_batch"] = values.pop("batch")
    return tuple(values[column.name] for column in FILES.columns)


def _file_entry(row: Mapping[str, Any]) -> FileEntry:
    values = {column.name: row[column.name] for column in FILES.columns}
    values["batch"] = values.pop("_batch")
    return FileEntry(**values)
