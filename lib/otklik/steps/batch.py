"""Files that are ingested together: one check of all files, and one commit per table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import DamagedError, InputError
from otklik.lake.commits import NOTHING, Commit
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import FileEntry
from otklik.lake.recovery import Base, label_of, rows_at
from otklik.lake.tables import BRONZE, REJECTED, Table
from otklik.privacy.pseudonyms import with_pseudonyms
from otklik.progress import Progress, Step
from otklik.session import cached, frame_of
from otklik.sources import checks
from otklik.sources.contract import Contract, Format, parse_duration
from otklik.sources.fields import with_fields
from otklik.sources.files import FileFacts
from otklik.sources.header import Header
from otklik.sources.many_files import Readings
from otklik.sources.outcomes import Effect, effects, update_when, with_outcomes
from otklik.sources.reader import Records
from otklik.steps.context import Job

#: The latest moment in Python; an event in the year 9999 plus a delay would exceed it.
_END_OF_TIME = "TIMESTAMP'9999-12-31 23:59:59.999999'"


@dataclass(frozen=True)
class Arrival:
    """A file with one content that is being ingested.

    Attributes:
        name: of the file.
        size: in bytes.
        content_hash: of its bytes.
        started_at: when its ingest started, which defines the order of files.
        batch: identifies its rows among those of all files.
        path: where it is read; empty if its records come from bronze.
        instead_of: the loaded file that it replaces.
    """

    name: str
    size: int
    content_hash: str
    started_at: datetime
    batch: str
    path: str = ""
    instead_of: FileEntry | None = None


def arrival_of(
    contract: Contract, contract_hash: str, facts: FileFacts, started_at: datetime, old: FileEntry | None
) -> Arrival:
    """A file to ingest.

    Its batch identifies the content, the name, and the file that it replaces: a killed run is resumed only by one that
    would have done the same with the same code.
    """
    replaced = None if old is None else old.batch
    given = [contract.name, facts.name, facts.content_hash, contract_hash, replaced, code_version()]
    batch = hash_of(given)[:16]
    return Arrival(facts.name, facts.size, facts.content_hash, started_at, batch, facts.path, old)


@dataclass(frozen=True)
class Judged:
    """Files whose records were read and checked, by number, in order.

    Attributes:
        arrivals: the files.
        contract: the contract that they were checked against.
        records: their records as received.
        rows: their checked records (`checks.with_duplicates`).
        counts: the balance of each file.
        headers: the header of each file.
    """

    arrivals: Mapping[int, Arrival]
    contract: Contract
    records: Sequence[Records]
    rows: DataFrame
    counts: Mapping[int, checks.Balance]
    headers: Mapping[int, Header]

    @property
    def label(self) -> str:
        """Label of the commits of these files."""
        batches = [arrival.batch for arrival in self.arrivals.values()]
        return label_of(batches[0] if len(batches) == 1 else hash_of(batches)[:16])

    @property
    def old(self) -> FileEntry | None:
        """The loaded file that is replaced; a file that replaces another one is alone in its batch."""
        return next((arrival.instead_of for arrival in self.arrivals.values() if arrival.instead_of), None)

    @property
    def lacking(self) -> dict[int, list[str]]:
        """Number of the file → the columns of the contract that it lacks."""
        return {
            number: [name for name in self.contract.columns if name not in header.columns]
            for number, header in self.headers.items()
        }

    @property
    def staying(self) -> dict[int, list[str]]:
        """Number of the file → the columns that it lacks and that stay unchanged in known rows."""
        columns = self.contract.columns
        return {
            number: [name for name in lacking if columns[name].missing == "null"]
            for number, lacking in self.lacking.items()
        }

    @property
    def accepted(self) -> int:
        """Rows of all files that go to silver."""
        return sum(counts.accepted for counts in self.counts.values())

    @property
    def rejected(self) -> int:
        """Records of all files that violate the contract."""
        return sum(counts.rejected for counts in self.counts.values())

    def for_silver(self, key: bytes) -> DataFrame:
        """The accepted rows, with pseudonyms instead of personal values."""
        rows = checks.only_accepted(self.rows, self.contract, "_file_no")
        return with_pseudonyms(rows, self.contract.personal_columns, key)

    def without(self, refused: Mapping[int, object]) -> Judged:
        """The batch without some files."""
        return self.only([number for number in self.arrivals if number not in refused])

    def only(self, numbers: Sequence[int]) -> Judged:
        """The batch with only some files."""
        if len(numbers) == len(self.arrivals):
            return self
        return replace(
            self,
            arrivals={number: self.arrivals[number] for number in numbers},
            rows=self.rows.where(F.col("_file_no").isin([*numbers])),
            counts={number: self.counts[number] for number in numbers},
            headers={number: self.headers[number] for number in numbers},
        )


def check_records(
    readings: Readings, arrivals: Mapping[int, Arrival], contract: Contract, resources: contextlib.ExitStack
) -> tuple[Judged | None, dict[int, InputError]]:
    """Check all records that were read; results are cached while `resources` is open.

    Returns:
        The files that pass, None if there are none; and why others are refused: what was found when they were read,
        and which threshold of the contract they exceed.
    """
    if not readings.headers:
        return None, dict(readings.refused)
    read = {number: arrival for number, arrival in arrivals.items() if number in readings.headers}
    parts = []
    for records in readings.records:
        fields = with_fields(records, contract)
        if len(read) > 1:
            moments = [(number, arrival.started_at) for number, arrival in read.items()]
            known = frame_of(fields.sparkSession, moments, "_file_no INT, _arrived_at TIMESTAMP")
            fields = fields.join(F.broadcast(known), "_file_no")
        else:
            fields = fields.withColumn("_arrived_at", F.lit(next(iter(read.values())).started_at))
        parts.append(checks.with_reasons(fields, contract, F.col("_arrived_at")))
    checked = resources.enter_context(cached(reduce(DataFrame.unionByName, parts)))
    rows = checks.with_duplicates(checked, contract)
    counts = checks.balances(rows, contract)
    counts = {number: counts.get(number, checks.NO_ROWS) for number in read}
    judged = Judged(read, contract, readings.records, rows, counts, readings.headers)
    refused = dict(readings.refused)
    for number, arrival in read.items():
        try:
            checks.refuse_past_thresholds(counts[number], rows, contract, arrival.name, number)
        except InputError as fault:
            refused[number] = fault
    return judged.without(refused) if len(refused) < len(arrivals) else None, refused


@dataclass(frozen=True)
class Batch:
    """Checked files to write to the tables, and the version of each table that they are written after.

    Attributes:
        job: its context.
        judged: the files.
        after: table → version.
    """

    job: Job
    judged: Judged
    after: Mapping[str, Base]

    def append(self, table: Table, rows: DataFrame) -> Commit:
        """Add rows to a table."""
        base, is_alone = self.after[table.name], self.job.is_alone
        label = self.judged.label
        return self.job.lake.append(table, rows, label, base.version, is_new=not base.is_begun, is_alone=is_alone)

    def without_old(self, table: str) -> Commit | None:
        """Delete the records of the replaced file from a table of records."""
        if self.judged.old is None or self.after[table].version == NOTHING:
            return None
        label = f"{self.judged.label} instead of {self.judged.old.batch}"
        after, is_alone = self.after[table].version, self.job.is_alone
        return self.job.lake.delete(table, f"_batch = '{self.judged.old.batch}'", label, after, is_alone=is_alone)


def write_bronze(batch: Batch) -> dict[str, int]:
    """Write the records as received, and the rejected ones with their reasons; returns the tables' versions."""
    judged = batch.judged
    bronze = bronze_table(judged.contract)
    commits = {bronze.name: [batch.append(bronze, _received(judged))]}
    if batch.after[REJECTED.name].version == NOTHING:
        # Users who look for rejected rows find an empty table rather than none.
        batch.job.lake.make(REJECTED)
    if judged.rejected:
        commits[REJECTED.name] = [batch.append(REJECTED, rejected_rows(judged))]
    for table in (bronze.name, REJECTED.name):
        taken_out = batch.without_old(table)
        if taken_out is not None:
            commits.setdefault(table, []).append(taken_out)
    return {table: max(commit.version for commit in made) for table, made in commits.items()}


def bronze_table(contract: Contract) -> Table:
    """The definition of a source's bronze table."""
    personal = {"otklik.personal": "record"} if contract.personal_columns else {}
    return BRONZE.of(contract.name, properties={**BRONZE.properties, **personal})


def _received(judged: Judged) -> DataFrame:
    frames = [records.frame.select("record", "record_no", "file_no") for records in judged.records]
    together = reduce(DataFrame.unionByName, frames).withColumnRenamed("file_no", "_file_no")
    return _with_arrival(together, judged).withColumnRenamed("_file", "file")


def rejected_rows(judged: Judged) -> DataFrame:
    """The rows of bronze.rejected."""
    rejected = _with_arrival(checks.only_rejected(judged.rows, "_file_no"), judged).withColumnRenamed("_file", "file")
    return rejected.withColumn("source", F.lit(judged.contract.name))


def write_silver(batch: Batch, table: Table, key: bytes) -> tuple[dict[int, Effect], int]:
    """Write the accepted rows; returns the effect of each file, and the table's version.

    In the columns that a file lacks, known rows keep their values unless the contract says `clear`.

    Raises:
        DamagedError: if Delta's row counts differ from the balance: rows were lost.
    """
    judged, base = batch.judged, batch.after[table.name]
    accepted = judged.for_silver(key)
    is_first = base.version <= 0
    if not shares_keys(judged) and (is_first or _meets_none(batch, table, accepted)):
        # No known rows, as usual for events: a MERGE would need another join, and sort its output.
        commit = batch.append(table, silver_rows(accepted, judged))
        require_all(commit.count("numOutputRows"), judged.accepted, table)
        return {number: Effect(counts.accepted) for number, counts in judged.counts.items()}, commit.version
    if len(judged.arrivals) == 1:
        return _merge_one(batch, table, accepted)
    there = None if is_first else _under_same_keys(batch, table, accepted)
    with cached(with_outcomes(accepted, there, judged.contract, judged.staying)) as told:
        did = effects_of(told, judged, table)
        remaining = silver_rows(told.where("_remains"), judged)
        expected = sum(effect.remaining for effect in did.values())
        if is_first:
            commit = batch.append(table, remaining)
            require_all(commit.count("numOutputRows"), expected, table)
        elif expected:
            commit = batch.job.lake.merge(
                table,
                remaining,
                judged.label,
                update_when=None if update_when(judged.contract) is None else "true",
                after=base.version,
                is_new=not base.is_begun,
                is_alone=batch.job.is_alone,
            )
            require_all(commit.count("numSourceRows"), expected, table)
        else:
            return did, base.version
    return did, commit.version


def meets_known_rows(batch: Batch, table: Table, key: bytes) -> bool:
    """Whether any incoming key is already there."""
    is_first = batch.after[table.name].version <= 0
    return not is_first and not _under_same_keys(batch, table, batch.judged.for_silver(key)).isEmpty()


def _under_same_keys(batch: Batch, table: Table, accepted: DataFrame) -> DataFrame:
    """The rows before this batch with the keys of incoming rows."""
    base, lake = batch.after[table.name], batch.job.lake
    # After the base there may be a commit of a killed run.
    there = rows_at(lake, table.name, base.version) if base.is_begun else lake.read(table.name)
    return lake.under_keys_of(table, there, accepted)


def _meets_none(batch: Batch, table: Table, accepted: DataFrame) -> bool:
    """Whether it is certain that no incoming key is already there.

    If others may write, one could appear meanwhile: a MERGE sees it, an append does not.
    """
    if not batch.job.is_alone or batch.judged.old is not None:
        return False
    return _under_same_keys(batch, table, accepted).isEmpty()


def shares_keys(judged: Judged) -> bool:
    """Whether a key may occur in several of the files."""
    return len(judged.arrivals) > 1 and any(counts.shared for counts in judged.counts.values())


def effects_of(told: DataFrame, judged: Judged, table: Table) -> dict[int, Effect]:
    """The effect of each file.

    Raises:
        DamagedError: if accepted rows are not among the counted ones.
    """
    did = effects(told)
    for number, counts in judged.counts.items():
        effect = did.setdefault(number, Effect())
        require_all(effect.inserted + effect.updated + effect.repeated, counts.accepted, table)
    return did


def _merge_one(batch: Batch, table: Table, accepted: DataFrame) -> tuple[dict[int, Effect], int]:
    """The effect of a single file, from Delta's own metrics."""
    judged, base, old = batch.judged, batch.after[table.name], batch.judged.old
    [(number, stays)] = judged.staying.items()
    is_old = None if old is None else f"t._batch = '{old.batch}'"
    conditions = [condition for condition in (update_when(judged.contract, stays), is_old) if condition is not None]
    commit = batch.job.lake.merge(
        table,
        silver_rows(accepted, judged),
        judged.label,
        update_when=" OR ".join(f"({condition})" for condition in conditions) or None,
        delete_when=is_old,
        keeps=dict.fromkeys(stays, is_old),
        after=base.version,
        is_new=not base.is_begun,
        is_alone=batch.job.is_alone,
    )
    # If nothing changed, Delta makes no commit and counts nothing; the store has verified this.
    if commit.metrics:
        require_all(commit.count("numSourceRows"), judged.accepted, table)
    inserted, updated = commit.count("numTargetRowsInserted"), commit.count("numTargetRowsUpdated")
    # A row of the replaced file that occurs again belongs to the new file, and is not a change to another file's row.
    again = 0 if old is None else old.inserted - commit.count("numTargetRowsDeleted")
    inserted, updated = inserted + again, updated - again
    return {number: Effect(inserted, updated, judged.accepted - inserted - updated)}, commit.version


def require_all(written: int, accepted: int, table: Table) -> None:
    """Check that as many rows were written as accepted.

    Raises:
        DamagedError: if rows were lost.
    """
    if written != accepted:
        raise DamagedError(
            f"contains {written:,} of {accepted:,} accepted rows",
            where=table.name,
            hint="ingest the file again, as none of its rows count; if the error persists, report it",
        )


def silver_rows(rows: DataFrame, judged: Judged) -> DataFrame:
    """Accepted rows in the form of silver: where each came from, and when it became known."""
    arrived, contract = _with_arrival(rows, judged), judged.contract
    if contract.time.known == "event" and contract.time.event is not None:
        happened = F.col(contract.time.event).cast("timestamp")
        known = happened + F.lit(parse_duration(contract.time.delay))
        return arrived.withColumn("known_at", F.least(known, F.expr(_END_OF_TIME)))
    if contract.time.known == "arrival":
        return arrived.withColumn("_known_at", F.col("_arrived_at"))
    return arrived


def _with_arrival(rows: DataFrame, judged: Judged) -> DataFrame:
    """The rows of these files with _file, _batch and _arrived_at in place of _file_no."""
    arrivals = judged.arrivals
    if len(arrivals) == 1:
        [(number, only)] = arrivals.items()
        told = {"_file": F.lit(only.name), "_batch": F.lit(only.batch), "_arrived_at": F.lit(only.started_at)}
        return rows.where(F.col("_file_no") == number).withColumns(told).drop("_file_no")
    known = [(number, each.name, each.batch, each.started_at) for number, each in arrivals.items()]
    columns = "_file_no INT, _file STRING, _batch STRING, _arrived_at TIMESTAMP"
    return rows.join(F.broadcast(frame_of(rows.sparkSession, known, columns)), "_file_no").drop("_file_no")


def entries_of(
    judged: Judged, contract_hash: str, did: Mapping[int, Effect], versions: Mapping[str, int], ended_at: datetime
) -> list[FileEntry]:
    """The ledger rows of ingested files."""
    return [
        entry_of(
            judged.contract,
            contract_hash,
            arrival,
            ended_at,
            judged.counts[number],
            did[number],
            versions,
            read_as(judged.headers[number], judged.contract.format),
        )
        for number, arrival in judged.arrivals.items()
    ]


def read_as(header: Header, format_: Format) -> str:
    """What the ledger stores about a file because bronze does not: its header, and how it was split into records."""
    # Records that are objects contain their column names.
    names = [] if format_.is_nested else header.names
    return json.dumps({"names": names, "cut": format_.cut_by}, ensure_ascii=False, sort_keys=True)


def entry_of(
    contract: Contract,
    contract_hash: str,
    arrival: Arrival,
    ended_at: datetime,
    counts: checks.Balance = checks.NO_ROWS,
    effect: Effect | None = None,
    versions: Mapping[str, int] | None = None,
    read_as: str = "",
) -> FileEntry:
    """A file's ledger row; refused if no effect is given.

    Rows that silver already has count as duplicates, in addition to repetitions within the file.
    """
    did = effect or Effect()
    accepted = did.inserted + did.updated
    return FileEntry(
        source=contract.name,
        file=arrival.name,
        bytes=arrival.size,
        content_hash=arrival.content_hash,
        contract_hash=contract_hash,
        rows=counts.rows,
        accepted=accepted,
        inserted=did.inserted,
        updated=did.updated,
        rejected=counts.rejected,
        duplicates=counts.rows - counts.rejected - accepted,
        repeated=counts.accepted - accepted,
        table_versions=versions or {},
        started_at=arrival.started_at,
        ended_at=ended_at,
        status="rejected" if effect is None else "loaded",
        warnings=counts.warnings,
        batch=arrival.batch,
        read_as=read_as,
    )


def say_balance(step: Step, entries: Sequence[FileEntry]) -> None:
    """Record the balance of loaded files in one commit."""
    if len(entries) > 1:
        step.rows(len(entries), "files")
    step.rows(sum(entry.rows for entry in entries))
    step.rows(sum(entry.accepted for entry in entries), "accepted")
    if updated := sum(entry.updated for entry in entries):
        step.rows(updated, "of them updated")
    step.rows(sum(entry.rejected for entry in entries), "rejected")
    step.rows(sum(entry.duplicates for entry in entries), "duplicates")


def warn_of(judged: Judged, did: Mapping[int, Effect], progress: Progress) -> None:
    """Print warnings about ingested files, and what happened to columns that they lack in known rows."""
    contract, counts = judged.contract, judged.counts

    def names(numbers: Collection[int]) -> str:
        first, *others = (judged.arrivals[number].name for number in numbers)
        return f"{first} and {len(others):,} more files" if others else first

    for rule in sorted({rule for each in counts.values() for rule in each.warnings}):
        rows = {number: each.warnings[rule] for number, each in counts.items() if rule in each.warnings}
        meaning = f" with {checks.ODDITIES[rule]}" if rule in checks.ODDITIES else ""
        progress.warn(f"{names(rows)}: {rule}: {sum(rows.values()):,} rows{meaning}")
    quotes = {number: each.first_in_quotes for number, each in counts.items() if each.first_in_quotes is not None}
    for number, record in [*quotes.items()][:1]:
        name = judged.arrivals[number].name
        progress.warn(f"{name}: a possibly unclosed quote opens in record {record}")
    doubled = {number: each.duplicates for number, each in counts.items() if each.duplicates}
    if doubled and contract.key.columns == "all" and contract.key.position_within is None:
        progress.warn(
            f"{names(doubled)}: {sum(doubled.values()):,} rows identical to another one were loaded once; "
            "if each of them counts, list in key.position_within the columns within which to number them"
        )
    lacking, newest_by = judged.lacking, contract.key.newest_by
    undated = {n: effect.repeated for n, effect in did.items() if effect.repeated and newest_by in lacking[n]}
    if undated:
        progress.warn(
            f"{names(undated)}: {sum(undated.values()):,} rows with existing keys changed nothing: the file lacks "
            f"{newest_by}, by which the newest row wins"
        )
    for missing, fate in (("null", "keep"), ("clear", "lose")):
        columns = {name for name, column in contract.columns.items() if column.missing == missing}
        those = {n: effect.updated for n, effect in did.items() if effect.updated and columns & {*lacking[n]}}
        if those:
            lacked = dict.fromkeys(name for n in those for name in lacking[n] if name in columns)
            progress.warn(
                f"{names(those)}: {sum(those.values()):,} existing rows {fate} their values in columns that the file "
                f"lacks: {', '.join(lacked)}"
            )
