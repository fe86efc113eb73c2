"""Step: ingest files, those of one command together: raw → bronze → silver, with an exact balance for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from shlex import quote

from otklik.errors import BusyError, ConfigurationError, InputError
from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileEntry, FileLedger, record_run
from otklik.lake.maintenance import whole_ledger
from otklik.lake.recovery import Base, roll_back_incomplete
from otklik.lake.store import Lake
from otklik.lake.tables import REJECTED, SILVER, Column, Table
from otklik.privacy.pseudonyms import fingerprint
from otklik.settings import load
from otklik.sources import files
from otklik.sources.contract import POSITION, Contract
from otklik.sources.many_files import read_files
from otklik.sources.outcomes import Effect
from otklik.sources.paths import in_natural_order, name_of, names_apart, readable, time_in_name
from otklik.sources.reader import clear_faults
from otklik.sources.rules import check_rules
from otklik.sources.values import spark_type
from otklik.steps import batch
from otklik.steps.batch import Arrival, Batch, Judged, arrival_of, entry_of
from otklik.steps.context import Job
from otklik.steps.runs import record_failure, start_of

#: Maximum number of columns with Delta statistics.
_STATISTICS = 32
#: Property of a silver table with personal columns: the fingerprint of the key that made its pseudonyms.
_KEY_OF_THEN = "pseudonyms.key_fingerprint"
#: Property of a silver table: its columns that are known only after the decision.
_LATE = "otklik.after_decision"
#: Property of a silver table: the columns that identified its rows when it was created.
_ROWS_NAMED_BY = "rows.named_by"
#: Maximum number of files in a batch, and of bytes unless a single file is larger.
MOST_FILES, MOST_BYTES = 500, 256 << 20
#: Earlier than all times in file names.
_NO_TIME = datetime.min.replace(tzinfo=UTC)
#: Maximum number of refused files that are named individually.
_NAMED = 20


def ingest_files(job: Job) -> int:
    """Ingest the files of the given paths in as few batches as possible; returns the exit code.

    Raises:
        InputError: if files were refused. The others are ingested, unless --all-or-nothing is given.
    """
    contract = load(Contract, job.project.source(job.options["source"]), dict(job.options.overrides))
    key = job.pseudonym_key() if contract.personal_columns else b""
    check_rules(job.lake.spark, contract)
    check_tables(job.lake, contract, key)
    contract_hash = hash_of_contract(contract)
    run = start_of(job, "ingest", contract.name, contract_hash)
    with record_failure(job, run):
        ledger = whole_ledger(job.lake)
        listed = [path for given in job.options["paths"] for path in files.expand(job.lake.spark, given)]
        paths, order = _in_order(listed, contract)
        # If the name identifies a file regardless of its folder, the later file replaces the earlier one.
        is_by_name = contract.same_name_other_content == "replace"
        names = [name_of(path) for path in paths] if is_by_name else names_apart(paths)
        if len(paths) > 1:
            job.progress.line(f"  {len(paths)} files, in {order}: {names[0]} … {names[-1]}")
        given_hash = job.options.names.get("sha256")
        if given_hash is not None and len(paths) > 1:
            raise ConfigurationError(
                f"is the hash of one file, but there are {len(paths)}",
                where="--sha256",
                hint="list the hashes in sha256 of the contract",
            )
        intake = _Intake(job, ledger, contract, contract_hash, key, len(paths))
        described_all = files.describe_all(job.lake.spark, readable(paths, job.temporary_folder / "links"))
        for name, described in zip(names, described_all, strict=True):
            named = described if isinstance(described, InputError) else replace(described, name=name)
            intake.plan(named, given_hash)
        entries = intake.finish()
    versions = {table: version for entry in entries for table, version in entry.table_versions.items()}
    rows, accepted = sum(entry.rows for entry in entries), sum(entry.accepted for entry in entries)
    message = f"files taken in: {len(entries)}, there before: {len(paths) - len(entries)}"
    record_run(job.lake, run.done(job.clock(), versions, rows, accepted, message))
    return 0


def hash_of_contract(contract: Contract) -> str:
    """The hash that identifies a contract in the ledger; settings that do not affect how rows are read are left out.

    So are settings with default values, including those that later versions add.
    """
    facts = contract.model_dump(mode="json", exclude={"meaning", "sha256"}, exclude_defaults=True)
    for column in facts["columns"].values():
        column.pop("meaning", None)
    return hash_of(facts)


def _in_order(listed: Sequence[str], contract: Contract) -> tuple[list[str], str]:
    """The paths in the order in which their files count, and a description of that order.

    Paths listed in alphabetical order, as a shell expands `part_*`, are put in natural order; any other order is
    intentional. With file_time, files without a time come first, and are refused.
    """
    in_order = sorted(listed, key=in_natural_order)
    if (pattern := contract.file_time) is not None:
        in_order.sort(key=lambda path: time_in_name(path, pattern) or _NO_TIME)
        return in_order, "order of the times in their names"
    if [*listed] in (in_order, sorted(listed), sorted(listed, key=str.casefold)):
        return in_order, "natural order of names"
    return [*listed], "the order given"


def time_of_file(contract: Contract, name: str) -> datetime:
    """The time in the name of a file, by which the contract orders files.

    Raises:
        InputError: if there is none.
    """
    found = time_in_name(name, contract.file_time or "")
    if found is None:
        raise InputError(
            f"its name contains no time of the form {contract.file_time}",
            where=name,
            hint="rename the file, or correct file_time in the contract",
        )
    return found


class _ApartError(Exception):
    """Raised if files cannot be ingested together; the parts may work."""

    def __init__(self, *parts: Sequence[Arrival]) -> None:
        self.parts = parts
        super().__init__()


@dataclass
class _Intake:
    """The files of one command that are being ingested.

    Attributes:
        given: number of files of the command.
        pending: files waiting to be ingested together.
        entries: ledger rows of the ingested files.
        refused: why others were refused.
        unrecorded: rows of refused files that are not yet in the ledger.
        loaded_before: ledger rows of files whose content was already loaded.
        bases: the versions after which the next batch of this command writes, if one was written.
    """

    job: Job
    ledger: FileLedger
    contract: Contract
    contract_hash: str
    key: bytes
    given: int
    pending: list[Arrival] = field(default_factory=list)
    entries: list[FileEntry] = field(default_factory=list)
    refused: list[InputError] = field(default_factory=list)
    unrecorded: list[FileEntry] = field(default_factory=list)
    loaded_before: list[FileEntry] = field(default_factory=list)
    bases: dict[str, Base] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all files are to be ingested, or none."""
        return bool(self.job.options.names.get("all_or_nothing"))

    def plan(self, described: files.FileFacts | InputError, given_hash: str | None) -> None:
        """Decide about the next file: it is ingested with others, or refused."""
        if isinstance(described, InputError):
            self._refuse(described)
            return
        facts, contract = described, self.contract
        # How a file is treated depends on those loaded before it.
        if any(facts.content_hash == each.content_hash or self._is_same_name(facts, each) for each in self.pending):
            self._take_in_pending(facts.name)
        loaded = self.ledger.loaded(contract.name)
        known = next((entry for entry in loaded if entry.content_hash == facts.content_hash), None)
        started_at = self.job.clock()
        if self.pending:
            started_at = max(started_at, self.pending[-1].started_at + timedelta(microseconds=1))
        old = None
        try:
            if known is not None and files.has_named_hash(facts, contract, given_hash):
                _check_name(contract, facts, known, loaded)
                self.loaded_before.append(known)
                return
            files.check_whole(facts, contract, given_hash)
            old = _old_content(contract, facts, loaded)
            is_alone = old is not None or self._later_file(facts.name) is not None
        except InputError as fault:
            self._refuse(fault, arrival_of(contract, self.contract_hash, facts, started_at, None))
            return
        if is_alone and self.given > 1:
            self._require_parts(facts.name)
        size = sum(each.size for each in self.pending) + facts.size
        is_full = not self.is_whole and (len(self.pending) == MOST_FILES or size > MOST_BYTES)
        if self.pending and (is_full or is_alone):
            self._take_in_pending(facts.name)
        self.pending.append(arrival_of(contract, self.contract_hash, facts, started_at, old))
        if is_alone:
            self._take_in_pending("")

    def finish(self) -> list[FileEntry]:
        """Ingest the pending files; returns the new ledger rows of the command's files.

        Raises:
            InputError: if files were refused.
        """
        self._take_in_pending("")
        self.ledger.refuse(*self.unrecorded)
        self._say_loaded_before()
        if len(self.refused) > 1:
            for fault in self.refused[:_NAMED]:
                self.job.progress.warn(f"refused: {fault.line()}")
            raise InputError(
                f"{len(self.refused):,} of {self.given:,} files were refused",
                where=self.contract.name,
                hint="loaded files stay loaded; fix those that ops.files lists as rejected, and rerun the same command",
            )
        if self.refused:
            raise self.refused[0]
        return self.entries

    def _say_loaded_before(self) -> None:
        known, name = self.loaded_before, self.contract.name
        if not known:
            return
        title = f"ingest {known[0].file}" if len(known) == 1 else f"{len(known):,} files"
        with self.job.progress.step(title) as step:
            step.rows(sum(entry.rows for entry in known))
            step.say("this content was already loaded" if len(known) == 1 else "their content was already loaded")
            if any(entry.contract_hash != self.contract_hash for entry in known):
                step.say(f"under an earlier version of the contract: `otklik reingest {name}` applies the current one")

    def _is_same_name(self, facts: files.FileFacts, other: Arrival) -> bool:
        return facts.name == other.name and self.contract.same_name_other_content != "add"

    def _refuse(self, fault: InputError, arrival: Arrival | None = None) -> None:
        """Refuse a file, or all of them with --all-or-nothing."""
        if arrival is not None:
            self.unrecorded.append(entry_of(self.contract, self.contract_hash, arrival, self.job.clock()))
        if self.is_whole:
            self.ledger.refuse(*self.unrecorded)
            raise fault
        self.refused.append(fault)

    def _take_in_pending(self, coming: str) -> None:
        """Ingest the pending files before a file that depends on them."""
        pending, self.pending = self.pending, []
        if pending and coming:
            self._require_parts(coming)
        if pending:
            self._take_in(pending)

    def _require_parts(self, name: str) -> None:
        """Check that the files may be ingested one after another."""
        if self.is_whole:
            raise ConfigurationError(
                f"{name} cannot be ingested together with the others: it repeats or replaces a file, is of an earlier "
                "time than a loaded one, or lacks columns",
                where="--all-or-nothing",
                hint="ingest it with a separate command",
            )

    def _take_in(self, arrivals: Sequence[Arrival]) -> None:
        """Ingest one batch, or several if the files cannot be ingested together."""
        names = [arrival.name for arrival in arrivals]
        title = f"ingest {names[0]}" if len(names) == 1 else f"ingest {len(names):,} files"
        try:
            with self.job.progress.step(title) as step, contextlib.ExitStack() as resources:
                if len(names) > 1:
                    step.under_way(f"{len(self.entries):,} of {self.given:,} files before")
                judged = self._judged(arrivals, resources)
                did, entries = self._written(judged)
                batch.say_balance(step, entries)
                if judged.old is not None:
                    step.say(f"instead of the {judged.old.rows:,} rows of the earlier file")
        except _ApartError as apart:
            for part in apart.parts:
                self._take_in(part)
            return
        batch.warn_of(judged, did, self.job.progress)

    def _judged(self, arrivals: Sequence[Arrival], resources: contextlib.ExitStack) -> Judged:
        """Read and check files, without refused ones.

        Raises:
            _ApartError: if they must be tried in parts: one of them cannot be read or, if the newest version wins, they
                lack different columns. Without parts if no files are left.
        """
        numbered = dict(enumerate(arrivals))
        paths = {number: arrival.path for number, arrival in numbered.items()}
        try:
            readings = read_files(self.job.lake.spark, paths, self.contract)
            with clear_faults(_range(arrivals)):
                judged, refused = batch.check_records(readings, numbered, self.contract, resources)
        except InputError as fault:
            if len(arrivals) > 1:
                half = len(arrivals) // 2
                raise fault if self.is_whole else _ApartError(arrivals[:half], arrivals[half:]) from None
            judged, refused = None, {0: fault}
        for number, why in sorted(refused.items()):
            self._refuse(why, arrivals[number])
        if judged is None:
            raise _ApartError
        staying = judged.staying
        if self.contract.key.keep == "newest" and len({*map(tuple, staying.values())}) > 1:
            self._require_parts(arrivals[0].name)
            runs = groupby(judged.arrivals.items(), key=lambda each: staying[each[0]])
            raise _ApartError(*([arrival for _, arrival in run] for _, run in runs))
        return judged

    def _written(self, judged: Judged) -> tuple[dict[int, Effect], list[FileEntry]]:
        """Write the files to the tables and the ledger; returns the effect and the ledger row of each."""
        job, silver = self.job, silver_table_by(self.contract, self.key)
        # If nobody else can write, the tables are as the previous batch left them.
        base_versions = dict(self.bases) if self.bases and job.is_alone else self._versions_before_batch(judged)
        writing = Batch(job, judged, base_versions)
        self._refuse_late(writing, silver)
        with _files_as_described(job, judged):
            versions = batch.write_bronze(writing)
            did, version = batch.write_silver(writing, silver, self.key)
        versions[silver.name] = version
        self._refuse_disturbed(judged)
        entries = batch.entries_of(judged, self.contract_hash, did, versions, job.clock())
        self.ledger.record(*entries, *self.ledger.worth_recording(self.unrecorded), instead_of=judged.old)
        self.unrecorded.clear()
        self.entries += entries
        self.bases.update(
            {table: Base(versions.get(table, max(base.version, 0))) for table, base in base_versions.items()}
        )
        return did, entries

    def _later_file(self, name: str) -> str | None:
        """A loaded file of a later time than this one, by the times in their names.

        Raises:
            InputError: if the name contains none.
        """
        if self.contract.file_time is None:
            return None
        time, loaded = time_of_file(self.contract, name), self.ledger.loaded(self.contract.name)
        times = {each.file: time_in_name(each.file, self.contract.file_time) for each in loaded}
        return next((file for file, other in times.items() if other is not None and other > time), None)

    def _refuse_late(self, writing: Batch, silver: Table) -> None:
        """Refuse a file that came too late: one of its keys has a row of a later time.

        Raises:
            _ApartError: if so; no files are left.
        """
        contract, [arrival, *others] = self.contract, [*writing.judged.arrivals.values()]
        later = None if others or arrival.instead_of is not None else self._later_file(arrival.name)
        is_decisive = contract.key.newest_by is None and len(contract.key_columns) < len(contract.columns)
        if later is None or not is_decisive or not batch.meets_known_rows(writing, silver, self.key):
            return
        fault = InputError(
            f"shares keys with {later}, a file of a later time that is already loaded",
            where=arrival.name,
            hint=f"withdraw the later files, e.g. with `otklik reingest {contract.name} --without {quote(later)}`, and "
            "ingest all by one command",
        )
        self._refuse(fault, arrival)
        raise _ApartError

    def _versions_before_batch(self, judged: Judged) -> dict[str, Base]:
        """The version of each table behind which the batch writes; what killed runs left there is rolled back."""
        tables = [f"bronze.{self.contract.name}", REJECTED.name, f"silver.{self.contract.name}"]
        return versions_before_batch(self.job, self.ledger, tables, judged.label)

    def _refuse_disturbed(self, judged: Judged) -> None:
        """Check that the files are unchanged, and that nobody else has written to their tables meanwhile.

        Their records were read more than once: a file that changed in between is a mix of two contents. What was
        written of the batch does not enter the ledger, and is rolled back like that of a killed run.

        Raises:
            InputError: if a file is another one now.
            BusyError: if there is no lease and somebody else wrote.
        """
        arrivals = [*judged.arrivals.values()]
        _refuse_changed(self.job, arrivals)
        if self.job.is_alone:
            return
        self._versions_before_batch(judged)
        batches = {arrival.batch for arrival in arrivals}
        if any(entry.batch in batches for entry in FileLedger(self.job.lake).loaded(self.contract.name)):
            raise BusyError(
                "another process ingested it at the same time",
                where=_range(arrivals),
                hint="make sure that only one ingest runs at a time, and rerun the same command",
            )


def _range(arrivals: Sequence[Arrival]) -> str:
    """Files, for a message."""
    names = [arrival.name for arrival in arrivals]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def versions_before_batch(job: Job, ledger: FileLedger, tables: Sequence[str], label: str) -> dict[str, Base]:
    """The version of each table behind which a batch writes; what killed runs left there is rolled back."""
    known = ledger.versions(tables)
    return roll_back_incomplete(
        job.lake, {table: known.get(table) for table in tables}, label, job.progress.line, is_alone=job.is_alone
    )


@contextlib.contextmanager
def _files_as_described(job: Job, judged: Judged) -> Iterator[None]:
    """Check whether Spark failed because a file, which is read more than once, is gone or has changed.

    Raises:
        InputError: if so.
    """
    try:
        yield
    except Exception:
        _refuse_changed(job, [*judged.arrivals.values()])
        raise


def _refuse_changed(job: Job, arrivals: Sequence[Arrival]) -> None:
    """Check that files are unchanged.

    Raises:
        InputError: if one of them is gone or has other content.
    """
    now = files.describe_all(job.lake.spark, [arrival.path for arrival in arrivals])
    for arrival, facts in zip(arrivals, now, strict=True):
        if isinstance(facts, InputError):
            raise facts
        if (facts.size, facts.content_hash) != (arrival.size, arrival.content_hash):
            raise InputError(
                "was changed while it was being ingested",
                where=arrival.name,
                hint="wait until nothing writes to it, then ingest it again; none of its rows count",
            )


def check_tables(lake: Lake, contract: Contract, key: bytes) -> None:
    """Check that the tables of a source match its contract before anything is written.

    Raises:
        ConfigurationError: if they were created with other columns, other marks of personal columns or columns known
            only after the decision, another key of rows, or another pseudonym key. Existing rows would stay as they
            are: readable values of a column that is personal only from now on, a leak that models may use, a key
            several times, the same person under two pseudonyms.
    """
    silver, bronze = silver_table(contract), f"bronze.{contract.name}"
    there = lake.find(silver.name)
    if there is not None:
        _check_silver(lake, contract, silver, there.dtypes)
    in_bronze = ["record"] if contract.personal_columns else []
    if {*lake.personal_columns(bronze)} != {*in_bronze} and lake.exists(bronze):
        raise _other_personal_columns(contract, bronze, ["record"])
    if there is not None and contract.personal_columns:
        _check_key(lake, contract, key)


def _check_silver(lake: Lake, contract: Contract, silver: Table, there: list[tuple[str, str]]) -> None:
    hint = f"`otklik reingest {contract.name}` rebuilds it under the current contract, or revert the change"
    if there != silver.dtypes:
        changed = sorted({name for name, _ in {*there} ^ {*silver.dtypes}})
        raise ConfigurationError(
            f"its columns do not match the contract: {', '.join(changed) or 'their order differs'}",
            where=silver.name,
            hint=hint,
        )
    properties = lake.properties(silver.name)
    named_by = properties.get(_ROWS_NAMED_BY, silver.properties[_ROWS_NAMED_BY])
    if named_by != silver.properties[_ROWS_NAMED_BY]:
        raise ConfigurationError(f"was built when rows were identified by {named_by}", where=silver.name, hint=hint)
    late, late_then = silver.properties.get(_LATE, ""), properties.get(_LATE, "")
    if late != late_then:
        raise ConfigurationError(
            "was built when the contract marked other columns as known only after the decision: "
            f"{late_then or 'of none'}",
            where=silver.name,
            hint=hint,
        )
    marked = {*properties.get("otklik.personal", "").split(",")} - {""}
    if others := sorted(marked ^ {*contract.personal_columns}):
        raise _other_personal_columns(contract, silver.name, others)


def _other_personal_columns(contract: Contract, table: str, others: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        f"was built when the contract marked other columns as personal: {', '.join(others)}",
        where=table,
        hint=f"`otklik reingest {contract.name}` rebuilds it under the current contract, or revert the change",
    )


def _check_key(lake: Lake, contract: Contract, key: bytes) -> None:
    """Tables from before fingerprints were stored are accepted."""
    silver = SILVER.of(contract.name).name
    if lake.properties(silver).get(_KEY_OF_THEN) not in (None, fingerprint(key)):
        raise ConfigurationError(
            "its pseudonyms were made with another key, so no customer in it would be recognised",
            where=silver,
            hint="use the original key (OTKLIK_PSEUDONYM_KEY or its file), or rebuild it with this one: "
            f"`otklik reingest {contract.name}`",
        )


def _check_name(contract: Contract, facts: files.FileFacts, known: FileEntry, loaded: Sequence[FileEntry]) -> None:
    """Check whether a file whose content is loaded may have its name.

    Raises:
        InputError: if another content is loaded under this name, and the contract does not allow both.
    """
    if known.file == facts.name or all(entry.file != facts.name for entry in loaded):
        return
    if contract.same_name_other_content == "fail":
        raise _other_content(facts)
    if contract.same_name_other_content == "replace":
        raise InputError(
            f"cannot replace the loaded file of this name: the same content was loaded as {known.file}",
            where=facts.name,
            hint="check which name is right; if it is this one, withdraw the other file with "
            f"`otklik reingest {contract.name} --without {quote(known.file)}` and ingest this one",
        )


def _other_content(facts: files.FileFacts) -> InputError:
    return InputError(
        "a file of this name was loaded with other content",
        where=facts.name,
        hint="rename the file, or set same_name_other_content to 'replace' or 'add' in the contract",
    )


def _old_content(contract: Contract, facts: files.FileFacts, loaded: Sequence[FileEntry]) -> FileEntry | None:
    """The loaded file that this one replaces according to `same_name_other_content`.

    Raises:
        InputError: if the contract forbids it, or the old rows cannot be removed exactly.
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
            "cannot replace the loaded file of this name exactly: some keys are in other files too",
            where=facts.name,
            hint="rename the file so that it counts as a correction, or withdraw the loaded one with "
            f"`otklik reingest {contract.name} --without {quote(facts.name)}` and ingest this one",
        )
    return old


def silver_table(contract: Contract) -> Table:
    """The definition of a source's silver table."""
    columns = [Column(name, spark_type(column.type), column.meaning) for name, column in contract.columns.items()]
    if contract.key.position_within is not None:
        within = ", ".join(contract.key.position_within)
        columns.append(Column(POSITION, "BIGINT", f"of the rows of its file with the same key and {within}"))
    if contract.time.known == "event":
        columns.append(Column("known_at", "TIMESTAMP", "when the fact became known: its time and the declared delay"))
    elif contract.time.known == "arrival":
        columns.append(Column("_known_at", "TIMESTAMP", "when the fact became known: when its file arrived"))
    # Delta has no statistics for booleans, and refuses a table that requests them.
    fit = [c.name for c in columns if c.name not in contract.personal_columns and c.type != "BOOLEAN"]
    # Without a list Delta would choose all columns, including strings of any length.
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


def silver_table_by(contract: Contract, key: bytes) -> Table:
    """The definition of a source's silver table, with the fingerprint of its pseudonym key."""
    table = silver_table(contract)
    if not contract.personal_columns:
        return table
    return replace(table, properties={**table.properties, _KEY_OF_THEN: fingerprint(key)})
