"""Step: rebuild a source's silver table from bronze under the current contract."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, DamagedError
from otklik.lake import maintenance
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import FileEntry, FileLedger, record_run
from otklik.lake.missing import not_ingested
from otklik.lake.recovery import label_of, rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, REJECTED, SILVER, Table
from otklik.privacy.pseudonyms import fingerprint, with_pseudonyms
from otklik.session import cached, frame_of
from otklik.settings import load
from otklik.sources import checks
from otklik.sources.contract import LIST_COLUMNS, Contract
from otklik.sources.header import Header, given_header, match_header
from otklik.sources.many_files import Readings, objects_of
from otklik.sources.outcomes import Effect, with_outcomes
from otklik.sources.reader import Records, clear_faults
from otklik.sources.rules import check_rules
from otklik.steps import batch
from otklik.steps.batch import Arrival, Judged
from otklik.steps.context import Job
from otklik.steps.ingest import check_tables, hash_of_contract, silver_table_by, versions_before_batch
from otklik.steps.runs import record_failure, start_of

#: Property of a bronze table: its column of personal data.
_PERSONAL = "otklik.personal"


def reingest_source(job: Job) -> int:
    """Check all loaded records of a source again, and rebuild its silver table and rejected records; returns 0.

    The result is the same as ingesting all files under this contract in the order of their arrival. The ledger is
    updated last: until then the old tables count.

    Raises:
        MissingResultError: if no file of the source is loaded.
        ConfigurationError: if the contract would split files into other records than those in bronze.
        InputError: if a file is refused under this contract; then nothing is changed.
    """
    contract = load(Contract, job.project.source(job.options["source"]), dict(job.options.overrides))
    key = job.pseudonym_key() if contract.personal_columns else b""
    check_rules(job.lake.spark, contract)
    run = start_of(job, "reingest", contract.name, hash_of_contract(contract))
    with record_failure(job, run):
        ledger = maintenance.whole_ledger(job.lake)
        loaded = ledger.loaded(contract.name)
        if not loaded:
            raise not_ingested([SILVER.of(contract.name).name])
        if _stands(job.lake, ledger, contract, key):
            job.progress.line(f"  silver.{contract.name} is already built under this contract")
        else:
            loaded = _rebuild(job, ledger, contract, key, loaded)
    outputs = {table: version for entry in loaded for table, version in entry.table_versions.items()}
    rows, accepted = sum(entry.rows for entry in loaded), sum(entry.accepted for entry in loaded)
    record_run(job.lake, run.done(job.clock(), outputs, rows, accepted, f"files: {len(loaded)}"))
    return 0


def _stands(lake: Lake, ledger: FileLedger, contract: Contract, key: bytes) -> bool:
    """Whether all rows were written under this contract, and the tables agree with it and the ledger."""
    contract_hash, silver = hash_of_contract(contract), SILVER.of(contract.name).name
    if any(not each.is_balanced or each.contract_hash != contract_hash for each in ledger.loaded(contract.name)):
        return False
    with contextlib.suppress(ConfigurationError):
        check_tables(lake, contract, key)
        return not maintenance.silver_flaws(lake, ledger, contract.name) and not maintenance.unfinished(
            lake, ledger, [silver]
        )
    return False


def _rebuild(
    job: Job, ledger: FileLedger, contract: Contract, key: bytes, loaded: Sequence[FileEntry]
) -> list[FileEntry]:
    """Returns the new rows of the ledger."""
    contract_hash, table = hash_of_contract(contract), silver_table_by(contract, key)
    who = [contract.name, contract_hash, code_version(), fingerprint(key), [entry.batch for entry in loaded]]
    label = label_of(hash_of(["reingest", *who])[:16])
    versions_before_batch(job, ledger, [BRONZE.of(contract.name).name, REJECTED.name], label)
    # Silver itself may be damaged: it is put in place as a whole.
    with contextlib.suppress(DamagedError):
        versions_before_batch(job, ledger, [table.name], label)
    with job.progress.step(f"reingest {contract.name}") as step, contextlib.ExitStack() as resources:
        arrivals = {
            number: Arrival(entry.file, entry.bytes, entry.content_hash, entry.started_at, entry.batch)
            for number, entry in enumerate(loaded)
        }
        with clear_faults(contract.name):
            judged, refused = batch.check_records(
                _from_bronze(job.lake, ledger, contract, loaded), arrivals, contract, resources
            )
        if refused or judged is None:
            raise refused[min(refused)]
        if contract.key.keep == "newest" and len({*map(tuple, judged.staying.values())}) > 1:
            raise ConfigurationError(
                "its files lack different columns, and the newest version of a row wins: the files must be "
                "loaded one by one",
                where=table.name,
                hint="ingest all files into a fresh lake",
            )
        _mark_bronze(job.lake, contract, only_more=True)
        did, versions = _put_in_place(job.lake, judged, table, key, label)
        made = batch.entries_of(judged, contract_hash, did, versions, job.clock())
        entries = [
            replace(new, table_versions={**old.table_versions, **versions}, read_as=old.read_as or new.read_as)
            for new, old in zip(made, loaded, strict=True)
        ]
        # What stood for files that are replaced is no version of this table.
        others = [
            replace(entry, table_versions={name: v for name, v in entry.table_versions.items() if name != table.name})
            for entry in ledger.entries
            if entry.source == contract.name and entry.status != "loaded"
        ]
        ledger.rebuild(contract.name, versions[table.name], [*entries, *others])
        _mark_bronze(job.lake, contract)
        batch.say_balance(step, entries)
        before = sum(entry.accepted for entry in loaded)
        step.say(f"{before:,} accepted before")
    batch.warn_of(judged, did, job.progress)
    return entries


def _put_in_place(
    lake: Lake, judged: Judged, table: Table, key: bytes, label: str
) -> tuple[dict[int, Effect], dict[str, int]]:
    """Write silver and the rejected records of its source; returns what each file did, and the tables' versions."""
    contract = judged.contract
    accepted = with_pseudonyms(checks.only_accepted(judged.rows, contract, "_file_no"), contract.personal_columns, key)
    if batch.shares_keys(judged):
        with cached(with_outcomes(accepted, None, contract, judged.staying)) as told:
            did = batch.effects_of(told, judged, table)
            commit = lake.rebuild(table, batch.silver_rows(told.where("_remains"), judged), label)
    else:
        did = {number: Effect(counts.accepted, remaining=counts.accepted) for number, counts in judged.counts.items()}
        commit = lake.rebuild(table, batch.silver_rows(accepted, judged), label)
    batch.require_all(commit.count("numOutputRows"), sum(effect.remaining for effect in did.values()), table)
    rejected = lake.replace(REJECTED, batch.rejected_rows(judged), label, where={"source": contract.name})
    return did, {table.name: commit.version, REJECTED.name: rejected.version}


def _mark_bronze(lake: Lake, contract: Contract, *, only_more: bool = False) -> None:
    """Set or unset the mark of personal data in bronze."""
    bronze = batch.bronze_table(contract)
    marked, wanted = lake.personal_columns(bronze.name), bronze.properties.get(_PERSONAL)
    if (wanted or not only_more) and (wanted is None) != (not marked):
        lake.set_property(bronze.name, _PERSONAL, wanted)


def _from_bronze(lake: Lake, ledger: FileLedger, contract: Contract, loaded: Sequence[FileEntry]) -> Readings:
    """The records of files as they were received, with the header of each, as if they had been read just now."""
    bronze = BRONZE.of(contract.name).name
    known = ledger.versions([bronze, REJECTED.name])
    numbers = frame_of(lake.spark, [(e.batch, n) for n, e in enumerate(loaded)], "_batch STRING, file_no INT")
    records = rows_at(lake, bronze, known[bronze]).join(F.broadcast(numbers), "_batch")
    if any(entry.rejected for entry in loaded):
        # Bronze holds no bytes. A record that had invalid ones was rejected, if not by that reason alone.
        is_invalid = F.exists("reasons", lambda each: each["reason"] == "invalid_bytes") | F.contains(
            F.col("record"), F.lit("\ufffd")
        )
        rejected = rows_at(lake, REJECTED.name, known[REJECTED.name]).where(F.col("source") == contract.name)
        invalid = rejected.where(is_invalid).select("_batch", "record_no", F.lit(True).alias("_is_invalid"))
        records = records.join(invalid, ["_batch", "record_no"], "left")
    else:
        records = records.withColumn("_is_invalid", F.lit(False))
    flag = F.coalesce("_is_invalid", F.lit(False)).alias("has_invalid_bytes")
    frame = records.select("record", "record_no", flag, "file_no")
    kept = {number: _kept(entry, contract) for number, entry in enumerate(loaded)}
    if contract.format.is_nested:
        return objects_of(frame, {number: entry.file for number, entry in enumerate(loaded)}, contract)
    headers = {number: _header(kept[number], contract, entry.file) for number, entry in enumerate(loaded)}
    of_header: dict[Header, list[int]] = {}
    for number, header in headers.items():
        of_header.setdefault(header, []).append(number)
    parts = [
        Records(header, frame if len(of_header) == 1 else frame.where(F.col("file_no").isin(those)))
        for header, those in of_header.items()
    ]
    return Readings(parts, headers, {})


def _kept(entry: FileEntry, contract: Contract) -> list[str]:
    """The column names in the header of a loaded file.

    Raises:
        ConfigurationError: if its records would differ under the current contract, or its header is unknown.
    """
    format_ = contract.format
    if not entry.read_as:
        if format_.is_nested or format_.kind == "list" or not format_.header:
            return []
        raise ConfigurationError(
            "was ingested before headers were stored, and cannot be checked without one",
            where=entry.file,
            hint="ingest all files into a fresh lake",
        )
    was = json.loads(entry.read_as)
    changed = [f"format.{name}" for name, value in format_.cut_by.items() if was["cut"].get(name) != value]
    if changed:
        raise ConfigurationError(
            f"was split into records with other settings: {', '.join(changed)}",
            where=entry.file,
            hint="revert the change, or ingest all files into a fresh lake",
        )
    return list(was["names"])


def _header(names: Sequence[str], contract: Contract, where: str) -> Header:
    if contract.format.kind == "list":
        names = [name for name in LIST_COLUMNS if name in map(contract.name_in_file, contract.columns)]
    if contract.format.is_delimited and not contract.format.header:
        return given_header(contract)
    return match_header(names, contract, where)
