"""Step: take files in, one by one: raw → bronze → silver, with an exact balance for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import BusyError, ConfigurationError, DamagedError, InputError
from otklik.lake.commits import NOTHING, Commit
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import FileEntry, FileLedger, record_run
from otklik.lake.maintenance import whole_ledger
from otklik.lake.recovery import Base, label_of, settle
from otklik.lake.store import Lake, says_vacuumed
from otklik.lake.tables import BRONZE, REJECTED, SILVER, Column, Table
from otklik.privacy.pseudonyms import fingerprint, with_pseudonyms
from otklik.session import cached
from otklik.settings import load
from otklik.sources import checks, files
from otklik.sources.contract import POSITION, Contract, parse_duration
from otklik.sources.fields import with_fields
from otklik.sources.reader import Records, clear_faults, read_records
from otklik.sources.rules import check_rules
from otklik.sources.values import spark_type
from otklik.steps.context import Job
from otklik.steps.runs import record_failure, start_of

#: Columns of a table on which Delta keeps statistics, at most.
_STATISTICS = 32
#: Property of a silver table with personal columns: the fingerprint of the key that made its pseudonyms.
_KEY_OF_THEN = "pseudonyms.key_fingerprint"
#: Under which property a silver table keeps its columns that are known only after the decision.
_LATE = "otklik.after_decision"
#: Under which property a silver table keeps the columns that named its rows when it was made.
_ROWS_NAMED_BY = "rows.named_by"
#: The last moment that Python has; an event in the year 9999 and a delay would lie behind it.
_END_OF_TIME = "TIMESTAMP'9999-12-31 23:59:59.999999'"
#: The balance of a file that was refused as a whole.
_NO_ROWS = checks.Balance(0, 0, 0, 0, {}, {})


@dataclass(frozen=True)
class Arrival:
    """One file on its way in."""

    contract: Contract
    contract_hash: str
    path: str
    facts: files.FileFacts
    started_at: datetime
    given_hash: str | None
    instead_of: FileEntry | None = None

    @property
    def batch(self) -> str:
        """What tells its commits from all others: what is taken in, under which name, and in place of what.

        A run that was killed is continued only by one that would have done the same, also by the same code.
        """
        replaced = None if self.instead_of is None else self.instead_of.batch
        content = self.facts.content_hash
        given = [self.contract.name, self.facts.name, content, self.contract_hash, replaced]
        return hash_of([*given, code_version()])[:16]


def ingest_files(job: Job) -> int:
    """Take in every file of the given paths; returns the exit code."""
    contract = load(Contract, job.home.source(job.options["source"]), dict(job.options.overrides))
    key = job.pseudonym_key() if contract.personal_columns else b""
    check_rules(job.lake.spark, contract)
    _check_tables(job.lake, contract)
    if contract.personal_columns:
        _check_key(job.lake, f"silver.{contract.name}", key)
    contract_hash = hash_of_contract(contract)
    run = start_of(job, "ingest", contract.name, contract_hash)
    entries: list[FileEntry] = []
    bases: dict[str, Base] = {}
    with record_failure(job, run):
        ledger = whole_ledger(job.lake)
        paths = [found for given in job.options["paths"] for found in files.expand(job.lake.spark, given)]
        if len(paths) > 1:
            names = [path.rsplit("/", 1)[-1] for path in (paths[0], paths[-1])]
            job.progress.line(f"  {len(paths)} files, in order of name, numbers by value: {names[0]} … {names[1]}")
        given_hash = job.options.names.get("sha256")
        if given_hash is not None and len(paths) > 1:
            raise ConfigurationError(
                f"names one file, and there are {len(paths)}",
                where="--sha256",
                hint="name them in the contract's sha256",
            )
        for path in paths:
            facts = files.describe(job.lake.spark, path)
            arrival = Arrival(contract, contract_hash, path, facts, job.clock(), given_hash)
            entry = _ingest(job, ledger, arrival, key, bases)
            entries += [] if entry is None else [entry]
    versions = {table: version for entry in entries for table, version in entry.table_versions.items()}
    rows, accepted = sum(entry.rows for entry in entries), sum(entry.accepted for entry in entries)
    message = f"files taken in: {len(entries)}, there before: {len(paths) - len(entries)}"
    record_run(job.lake, run.done(job.clock(), versions, rows, accepted, message))
    return 0


def hash_of_contract(contract: Contract) -> str:
    """By which the ledger knows a contract: what says nothing of how rows are read is left out of it."""
    facts = contract.model_dump(mode="json", exclude={"meaning", "sha256"})
    for column in facts["columns"].values():
        del column["meaning"]
    return hash_of(facts)


def _ingest(job: Job, ledger: FileLedger, arrival: Arrival, key: bytes, bases: dict[str, Base]) -> FileEntry | None:
    """Returns the file's new row of the ledger; None where its content was there before.

    `bases` says behind what the next file of this command writes, if this one was written.
    """
    contract, facts = arrival.contract, arrival.facts
    with job.progress.step(f"ingest {facts.name}") as step, contextlib.ExitStack() as while_needed:
        loaded = ledger.loaded(contract.name)
        known = next((entry for entry in loaded if entry.content_hash == facts.content_hash), None)
        if known is not None and files.has_named_hash(facts, contract, arrival.given_hash):
            _check_name(contract, facts, known, loaded)
            step.rows(known.rows)
            step.say("this content is loaded already")
            if known.contract_hash != arrival.contract_hash:
                step.say("under an earlier version of the contract: a fresh lake reads it anew")
            return None
        try:
            files.check_whole(facts, contract, arrival.given_hash)
            arrival = replace(arrival, instead_of=_old_content(contract, facts, loaded))
            with clear_faults(facts.name):
                records = read_records(job.lake.spark, arrival.path, contract)
                checked = while_needed.enter_context(
                    cached(checks.with_reasons(with_fields(records, contract), contract, arrival.started_at))
                )
                judged = checks.with_duplicates(checked, contract)
                counts = checks.balance(judged, contract)
                checks.refuse_past_thresholds(counts, judged, contract, facts.name)
        except InputError:
            ledger.refuse(_entry(job, arrival, "rejected"))
            raise
        old = arrival.instead_of
        # Where nobody else can write, the tables are as the file before left them.
        settled = dict(bases) if bases and job.is_alone else _settled_versions(job, ledger, arrival)
        batch = _Batch(job, arrival, settled)
        with _file_still_there(job, arrival):
            versions = _write_bronze(batch, records, judged, counts)
            lacking = [name for name in contract.columns if name not in records.header.columns]
            inserted, updated, version = _write_silver(batch, judged, counts.accepted, key, lacking)
        versions[f"silver.{contract.name}"] = version
        _refuse_disturbed(job, ledger, arrival)
        entry = _entry(job, arrival, "loaded", counts, versions, inserted, updated)
        ledger.record(entry, instead_of=old)
        bases.update({table: Base(versions.get(table, max(base.version, 0))) for table, base in batch.after.items()})
        step.rows(entry.rows)
        step.rows(entry.accepted, "accepted")
        if entry.updated:
            step.rows(entry.updated, "of them updated")
        step.rows(entry.rejected, "rejected")
        step.rows(entry.duplicates, "duplicates")
        if old is not None:
            step.say(f"instead of the {old.rows:,} rows that had this name")
    _warn(job, arrival, counts, lacking if updated else [], updated)
    return entry


@dataclass(frozen=True)
class _Batch:
    """One file's way into the tables, and the version of each table behind which it writes."""

    job: Job
    arrival: Arrival
    after: Mapping[str, Base]

    @property
    def label(self) -> str:
        return label_of(self.arrival.batch)

    def append(self, table: Table, rows: DataFrame) -> Commit:
        base, is_alone = self.after[table.name], self.job.is_alone
        return self.job.lake.append(table, rows, self.label, base.version, is_new=not base.is_begun, is_alone=is_alone)

    def without_old(self, table: str) -> Commit | None:
        """Take the records of the replaced file out of a table of records."""
        old = self.arrival.instead_of
        if old is None or self.after[table].version == NOTHING:
            return None
        label = f"{self.label} instead of {old.batch}"
        after, is_alone = self.after[table].version, self.job.is_alone
        return self.job.lake.delete(table, f"_batch = '{old.batch}'", label, after, is_alone=is_alone)


def _settled_versions(job: Job, ledger: FileLedger, arrival: Arrival) -> dict[str, Base]:
    """The version of each table behind which the file's batch writes; what killed runs left there is taken back."""
    name = arrival.contract.name
    tables = [f"bronze.{name}", REJECTED.name, f"silver.{name}"]
    known = ledger.versions(tables)
    versions = {table: known.get(table) for table in tables}
    return settle(job.lake, versions, label_of(arrival.batch), job.progress.line, is_alone=job.is_alone)


@contextlib.contextmanager
def _file_still_there(job: Job, arrival: Arrival) -> Iterator[None]:
    """Where Spark says that a file is gone, it may be the one that is taken in, which is read more than once.

    Raises:
        InputError: if it is.
    """
    try:
        yield
    except Exception as fault:
        if says_vacuumed(fault):
            files.describe(job.lake.spark, arrival.path)
        raise


def _refuse_disturbed(job: Job, ledger: FileLedger, arrival: Arrival) -> None:
    """See that the file is still the one that was described, and that nobody else wrote to its tables meanwhile.

    Its records were read more than once: a file that was changed in between is half of one content, half of another.
    What was written of it stays out of the ledger, and is taken back like a killed run's.

    Raises:
        InputError: if the file is another one now.
        BusyError: where no lease keeps others away and somebody else wrote.
    """
    if files.describe(job.lake.spark, arrival.path) != arrival.facts:
        raise InputError(
            "was changed while it was taken in",
            where=arrival.facts.name,
            hint="wait until nobody writes to it, then ingest it again: nothing of it counts",
        )
    if job.is_alone:
        return
    _settled_versions(job, ledger, arrival)
    if any(entry.batch == arrival.batch for entry in FileLedger(job.lake).loaded(arrival.contract.name)):
        raise BusyError(
            "somebody else took it in at the same time",
            where=arrival.facts.name,
            hint="see to it that one ingest runs at a time, and run the same command again",
        )


def _check_tables(lake: Lake, contract: Contract) -> None:
    """See that the tables of a source fit its contract before anything is written.

    Raises:
        ConfigurationError: if other columns were declared, or marked as personal or as known only after the decision,
            or named a row, when they were made. What they hold would stay as it is: raw values of a column that is
            personal only from now on, for everybody to read; a leak that no model is kept from; a key several times.
    """
    silver = silver_table(contract)
    hint = "ingest into a fresh lake, or undo the change of the contract"
    if lake.exists(silver.name) and (there := lake.read(silver.name).dtypes) != silver.dtypes:
        changed = sorted({name for name, _ in {*there} ^ {*silver.dtypes}})
        raise ConfigurationError(
            f"its columns are not those of the contract: {', '.join(changed) or 'they stand in another order'}",
            where=silver.name,
            hint=hint,
        )
    properties = lake.properties(silver.name)
    named_by = properties.get(_ROWS_NAMED_BY, silver.properties[_ROWS_NAMED_BY])
    if named_by != silver.properties[_ROWS_NAMED_BY]:
        raise ConfigurationError(f"was made when a row was named by {named_by}", where=silver.name, hint=hint)
    late, late_then = silver.properties.get(_LATE, ""), properties.get(_LATE, "")
    if properties and late != late_then:
        raise ConfigurationError(
            "was made when the contract said of other columns that they are known only after the decision: "
            f"{late_then or 'of none'}",
            where=silver.name,
            hint=f"if the contract is correct as it stands: ALTER TABLE {lake.reference(silver.name)} SET "
            f"TBLPROPERTIES ('{_LATE}' = '{late}'); else undo its change",
        )
    in_bronze = ["record"] if contract.personal_columns else []
    for table, personal in ((silver.name, contract.personal_columns), (f"bronze.{contract.name}", in_bronze)):
        others = sorted({*lake.personal_columns(table)} ^ {*personal})
        if others and lake.exists(table):
            raise ConfigurationError(
                f"was made when the contract marked other columns as personal: {', '.join(others)}",
                where=table,
                hint=hint,
            )


def _check_key(lake: Lake, silver: str, key: bytes) -> None:
    """See that a source's pseudonyms are made with the key that made those which are there.

    Raises:
        ConfigurationError: if it is another one: the same person would get another pseudonym. Tables from
            before the fingerprint was kept are taken as they are.
    """
    if lake.properties(silver).get(_KEY_OF_THEN) not in (None, fingerprint(key)):
        raise ConfigurationError(
            "its pseudonyms were made with another key: nobody in it would be known again",
            where=silver,
            hint="use the original key (OTKLIK_PSEUDONYM_KEY or its file), or ingest all files into a fresh lake",
        )


def _check_name(contract: Contract, facts: files.FileFacts, known: FileEntry, loaded: Sequence[FileEntry]) -> None:
    """See whether a file whose content is loaded may have the name that it has.

    Raises:
        InputError: if another content is loaded under this name, and the contract does not allow both.
    """
    if known.file == facts.name or all(entry.file != facts.name for entry in loaded):
        return
    if contract.same_name_other_content == "fail":
        raise _other_content(facts)
    if contract.same_name_other_content == "replace":
        raise InputError(
            f"it cannot replace the loaded file of this name: its content is loaded already, as {known.file}",
            where=facts.name,
            hint="see which name is right, and ingest all files into a fresh lake if it is this one",
        )


def _other_content(facts: files.FileFacts) -> InputError:
    return InputError(
        "a file of this name is loaded with other content",
        where=facts.name,
        hint="rename the file, or set same_name_other_content to 'replace' or 'add' in the contract",
    )


def _old_content(contract: Contract, facts: files.FileFacts, loaded: Sequence[FileEntry]) -> FileEntry | None:
    """The loaded file that this one replaces, as the contract says of names that come again.

    Raises:
        InputError: if the contract forbids it, or the old rows cannot be taken out exactly.
    """
    same = [place for place, entry in enumerate(loaded) if entry.file == facts.name]
    if not same or contract.same_name_other_content == "add":
        return None
    if contract.same_name_other_content == "fail":
        raise _other_content(facts)
    old, later = loaded[same[-1]], loaded[same[-1] + 1 :]
    is_mixed = old.updated or old.repeated or any(entry.updated or entry.repeated for entry in later)
    if len(same) > 1 or is_mixed:
        raise InputError(
            "it cannot replace the loaded file of this name exactly: their keys stand in other files too",
            where=facts.name,
            hint="rename the file so that it counts as a correction, or ingest all files into a fresh lake",
        )
    return old


def _write_bronze(batch: _Batch, records: Records, judged: DataFrame, counts: checks.Balance) -> dict[str, int]:
    arrival, contract = batch.arrival, batch.arrival.contract
    personal = {"otklik.personal": "record"} if contract.personal_columns else {}
    bronze = BRONZE.of(contract.name, properties={**BRONZE.properties, **personal})
    rows = _with_arrival(records.frame.select("record", "record_no"), arrival).withColumn(
        "file", F.lit(arrival.facts.name)
    )
    commits = {bronze.name: [batch.append(bronze, rows)]}
    if batch.after[REJECTED.name].version == NOTHING:
        # Whoever looks for faults finds an empty table, not none.
        batch.job.lake.make(REJECTED)
    if counts.rejected:
        rejected = _with_arrival(checks.only_rejected(judged), arrival)
        named = rejected.withColumns({"source": F.lit(contract.name), "file": F.lit(arrival.facts.name)})
        commits[REJECTED.name] = [batch.append(REJECTED, named)]
    for table in (bronze.name, REJECTED.name):
        taken_out = batch.without_old(table)
        if taken_out is not None:
            commits.setdefault(table, []).append(taken_out)
    return {table: max(commit.version for commit in made) for table, made in commits.items()}


def _warn(job: Job, arrival: Arrival, counts: checks.Balance, lacking: Sequence[str], updated: int) -> None:
    """Say what is odd in a file that was taken in, and what became of columns that it lacks in rows that were known."""
    contract, name = arrival.contract, arrival.facts.name
    for rule, rows in sorted(counts.warnings.items()):
        meaning = f" with {checks.ODDITIES[rule]}" if rule in checks.ODDITIES else ""
        job.progress.warn(f"{name}: {rule}: {rows:,} rows{meaning}")
    if counts.first_in_quotes is not None:
        job.progress.warn(f"{name}: the first quote that may have eaten rows opens in record {counts.first_in_quotes}")
    if counts.duplicates and contract.key.columns == "all" and contract.key.position_within is None:
        job.progress.warn(
            f"{name}: {counts.duplicates:,} rows equal to another one were taken once; if each counts, name in "
            "key.position_within the columns within which they are counted"
        )
    for missing, fate in (("null", "keep what they had in"), ("clear", "lose what they had in")):
        if names := [column for column in lacking if contract.columns[column].missing == missing]:
            job.progress.warn(f"{name}: {updated:,} known rows {fate} columns that it lacks: {', '.join(names)}")


def _write_silver(
    batch: _Batch, judged: DataFrame, accepted_count: int, key: bytes, lacking: Sequence[str]
) -> tuple[int, int, int]:
    """Returns rows inserted, rows updated, and the table's version.

    Of the columns that the file lacks, a row that was known keeps what it had, where the contract does not say `clear`.

    Raises:
        DamagedError: if Delta counted other rows than the balance says: one of them has lost some.
    """
    arrival, contract, old = batch.arrival, batch.arrival.contract, batch.arrival.instead_of
    table = silver_table(contract)
    if contract.personal_columns:
        table = replace(table, properties={**table.properties, _KEY_OF_THEN: fingerprint(key)})
    accepted = with_pseudonyms(checks.only_accepted(judged, contract), contract.personal_columns, key)
    rows = _with_arrival(_with_known_at(accepted, contract, arrival.started_at), arrival)
    rows = rows.withColumn("_file", F.lit(arrival.facts.name))
    base = batch.after[table.name]
    if base.version <= 0:
        # The first batch of a table finds nothing to compare with.
        commit = batch.append(table, rows)
        _require_all(commit.count("numOutputRows"), accepted_count, table)
        return accepted_count, 0, commit.version
    is_old = None if old is None else f"t._batch = '{old.batch}'"
    stays = [name for name in lacking if contract.columns[name].missing == "null"]
    conditions = [condition for condition in (_update_when(contract, stays), is_old) if condition is not None]
    commit = batch.job.lake.merge(
        table,
        rows,
        batch.label,
        update_when=" OR ".join(f"({condition})" for condition in conditions) or None,
        delete_when=is_old,
        keeps=dict.fromkeys(stays, is_old),
        after=base.version,
        is_new=not base.is_begun,
        is_alone=batch.job.is_alone,
    )
    # Where nothing had to be changed Delta makes no commit and counts nothing: the store has seen to it that it is so.
    if commit.metrics:
        _require_all(commit.count("numSourceRows"), accepted_count, table)
    inserted, updated = commit.count("numTargetRowsInserted"), commit.count("numTargetRowsUpdated")
    # A row of the replaced file that comes again is the new file's row, not a change to another one's.
    cached = 0 if old is None else old.inserted - commit.count("numTargetRowsDeleted")
    return inserted + cached, updated - cached, commit.version


def _require_all(written: int, accepted: int, table: Table) -> None:
    if written != accepted:
        raise DamagedError(
            f"{written:,} rows reached it of {accepted:,} that were accepted",
            where=table.name,
            hint="ingest the file again: nothing of it counts; if it stays so, report it",
        )


def silver_table(contract: Contract) -> Table:
    """The definition of a source's silver table."""
    columns = [Column(name, spark_type(column.type), column.meaning) for name, column in contract.columns.items()]
    if contract.key.position_within is not None:
        within = ", ".join(contract.key.position_within)
        columns.append(Column(POSITION, "BIGINT", f"which of the rows of its file with the same {within} it is"))
    if contract.time.known == "event":
        columns.append(Column("known_at", "TIMESTAMP", "when the fact became known: its time and the declared delay"))
    elif contract.time.known == "arrival":
        columns.append(Column("_known_at", "TIMESTAMP", "when the fact became known: when its file arrived"))
    # Of booleans Delta keeps none, and refuses a table that asks for them.
    fit = [c.name for c in columns if c.name not in contract.personal_columns and c.type != "BOOLEAN"]
    # Which of its own it would choose where none is named is no good either: all of them, texts of any length too.
    counted = fit[:_STATISTICS] or ["_record_no"]
    properties = {
        **SILVER.properties,
        "delta.dataSkippingStatsColumns": ",".join(f"`{name}`" for name in counted),
        _ROWS_NAMED_BY: ",".join(sorted(contract.whole_key)),
    }
    if contract.personal_columns:
        properties["otklik.personal"] = ",".join(contract.personal_columns)
    late = [name for name, column in contract.columns.items() if column.known == "after_decision"]
    if late:
        properties[_LATE] = ",".join(late)
    return SILVER.of(contract.name, tuple(columns), key=tuple(contract.whole_key), properties=properties)


def _with_known_at(rows: DataFrame, contract: Contract, arrived_at: datetime) -> DataFrame:
    if contract.time.known == "event" and contract.time.event is not None:
        happened = F.col(contract.time.event).cast("timestamp")
        known = happened + F.lit(parse_duration(contract.time.delay))
        return rows.withColumn("known_at", F.least(known, F.expr(_END_OF_TIME)))
    if contract.time.known == "arrival":
        return rows.withColumn("_known_at", F.lit(arrived_at))
    return rows


def _with_arrival(rows: DataFrame, arrival: Arrival) -> DataFrame:
    return rows.withColumns({"_batch": F.lit(arrival.batch), "_arrived_at": F.lit(arrival.started_at)})


def _update_when(contract: Contract, stays: Sequence[str]) -> str | None:
    """When a row that comes in replaces the one that is there under its key, of which some columns stay."""
    others = [name for name in contract.columns if name not in (*contract.key_columns, *stays)]
    if contract.key.keep == "first" or not others:
        return None
    differs = "NOT (" + " AND ".join(f"s.`{name}` <=> t.`{name}`" for name in others) + ")"
    newest_by = contract.key.newest_by
    if newest_by is None:
        return differs
    return f"({differs}) AND (t.`{newest_by}` IS NULL OR s.`{newest_by}` >= t.`{newest_by}`)"


def _entry(
    job: Job,
    arrival: Arrival,
    status: str,
    counts: checks.Balance = _NO_ROWS,
    versions: Mapping[str, int] | None = None,
    inserted: int = 0,
    updated: int = 0,
) -> FileEntry:
    """The file's row of the ledger; what silver already knew counts as duplicate beside what the file repeats."""
    accepted = inserted + updated
    return FileEntry(
        source=arrival.contract.name,
        file=arrival.facts.name,
        bytes=arrival.facts.size,
        content_hash=arrival.facts.content_hash,
        contract_hash=arrival.contract_hash,
        rows=counts.rows,
        accepted=accepted,
        inserted=inserted,
        updated=updated,
        rejected=counts.rejected,
        duplicates=counts.rows - counts.rejected - accepted,
        repeated=counts.accepted - accepted,
        table_versions=versions or {},
        started_at=arrival.started_at,
        ended_at=job.clock(),
        status=status,
        warnings=counts.warnings,
        batch=arrival.batch,
    )
