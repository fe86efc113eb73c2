"""Step: rebuild a source's silver table from bronze under the current contract."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import groupby

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, DamagedError, MissingResultError, did_you_mean
from otklik.lake import maintenance
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import WITHDRAWN, FileEntry, FileLedger, record_run
from otklik.lake.missing import not_ingested
from otklik.lake.recovery import label_of, rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, REJECTED, SILVER, Table
from otklik.privacy.pseudonyms import fingerprint
from otklik.session import cached, frame_of
from otklik.settings import load
from otklik.sources.contract import LIST_COLUMNS, Contract
from otklik.sources.header import Header, given_header, match_header
from otklik.sources.many_files import Readings, objects_of
from otklik.sources.outcomes import Effect, with_outcomes
from otklik.sources.reader import Records, clear_faults
from otklik.sources.rules import check_rules
from otklik.steps import batch
from otklik.steps.batch import Arrival, Judged, bronze_table
from otklik.steps.context import Job
from otklik.steps.ingest import check_tables, hash_of_contract, silver_table_by, time_of_file, versions_before_batch
from otklik.steps.runs import record_failure, start_of

#: Property of a bronze table: its column of personal data.
_PERSONAL = "otklik.personal"


def reingest_source(job: Job) -> int:
    """Check all loaded records of a source again, and rebuild its silver table and rejected records; returns 0.

    The result is the same as ingesting all files under this contract in the order of their arrival, or of the times in
    their names, without withdrawn ones, whose records are also deleted from bronze. The ledger is updated last:
    until then the old tables count.

    Raises:
        MissingResultError: if no file of the source is loaded, or none has a name to be withdrawn.
        ConfigurationError: if the contract would split files into different records than those in bronze.
        InputError: if a file is refused under this contract; then nothing is changed.
    """
    contract = load(Contract, job.project.source(job.options["source"]), dict(job.options.overrides))
    key = job.pseudonym_key() if contract.personal_columns else b""
    check_rules(job.lake.spark, contract)
    run = start_of(job, "reingest", contract.name, hash_of_contract(contract))
    with record_failure(job, run):
        ledger = maintenance.whole_ledger(job.lake)
        loaded, names = ledger.loaded(contract.name), job.options.names.get("without") or []
        if not loaded and not names:
            raise not_ingested([SILVER.of(contract.name).name])
        withdrawn = _named(ledger, contract.name, names)
        if not withdrawn and _stands(job.lake, ledger, contract, key):
            done = ", and these files are already withdrawn" if names else ""
            job.progress.line(f"  silver.{contract.name} is already built under this contract{done}")
        else:
            staying = [entry for entry in loaded if entry not in withdrawn]
            if contract.file_time is not None:
                staying.sort(key=lambda entry: time_of_file(contract, entry.file))
            loaded = _rebuild(job, ledger, contract, key, staying, withdrawn)
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


def _named(ledger: FileLedger, source: str, names: Sequence[str]) -> list[FileEntry]:
    """The loaded files with these names or hashes; in a name, `*` matches any text.

    Raises:
        MissingResultError: if the ledger has no such file; files already withdrawn are ignored.
    """
    entries = [entry for entry in ledger.entries if entry.source == source and entry.status in ("loaded", WITHDRAWN)]
    found = []
    for name in names:
        of_name = [e for e in entries if name in (e.file, e.content_hash) or fnmatchcase(e.file, name)]
        if not of_name:
            meant = did_you_mean(name, [entry.file for entry in entries])
            raise MissingResultError(
                f"no file of this name is loaded{meant and '; '}{meant}",
                where=f"--without {name}",
                hint=f"`otklik show ops.files --where \"source = '{source}'\"` lists the files",
            )
        found += of_name
    return [entry for entry in ledger.loaded(source) if entry in found]


def _rebuild(
    job: Job,
    ledger: FileLedger,
    contract: Contract,
    key: bytes,
    loaded: Sequence[FileEntry],
    withdrawn: Sequence[FileEntry],
) -> list[FileEntry]:
    """Returns the new ledger rows of the files that stay."""
    contract_hash, table, bronze = hash_of_contract(contract), silver_table_by(contract, key), bronze_table(contract)
    who = [contract.name, contract_hash, code_version(), fingerprint(key), [entry.batch for entry in loaded]]
    label = label_of(hash_of(["reingest", *who])[:16])
    # Tables that are replaced completely may be damaged: silver, and bronze if none of its records stay.
    whole = {table.name} if loaded else {table.name, bronze.name}
    after = versions_before_batch(job, ledger, sorted({bronze.name, REJECTED.name} - whole), label)
    for name in sorted(whole):
        with contextlib.suppress(DamagedError):
            versions_before_batch(job, ledger, [name], label)
    with job.progress.step(f"reingest {contract.name}") as step, contextlib.ExitStack() as resources:
        judged = _judged(job.lake, ledger, contract, loaded, resources) if loaded else None
        did, versions = _put_in_place(job.lake, judged, contract, table, key, label)
        if not loaded:
            versions[bronze.name] = job.lake.rebuild(bronze, frame_of(job.lake.spark, [], bronze.ddl), label).version
        elif withdrawn:
            theirs = ", ".join(f"'{entry.batch}'" for entry in withdrawn)
            base = after[bronze.name].version
            commit = job.lake.delete(bronze.name, f"_batch IN ({theirs})", label, base, is_alone=job.is_alone)
            versions[bronze.name] = commit.version
        made = batch.entries_of(judged, contract_hash, did, versions, job.clock()) if judged else []
        entries = [
            replace(new, table_versions={**old.table_versions, **versions}, read_as=old.read_as or new.read_as)
            for new, old in zip(made, loaded, strict=True)
        ]
        gone = [replace(entry, status=WITHDRAWN) for entry in withdrawn]
        others = [entry for entry in ledger.entries if entry.source == contract.name and entry.status != "loaded"]
        ledger.rebuild(contract.name, versions[table.name], [*entries, *_beside(versions, [*gone, *others])])
        _mark_bronze(job.lake, contract)
        if entries:
            batch.say_balance(step, entries)
        if withdrawn:
            step.rows(len(withdrawn), "files withdrawn")
            step.rows(sum(entry.rows for entry in withdrawn), "rows withdrawn")
        step.say(f"{sum(entry.accepted for entry in (*loaded, *withdrawn)):,} accepted before")
    if judged:
        batch.warn_of(judged, did, job.progress)
    return entries


def _beside(versions: Mapping[str, int], entries: Sequence[FileEntry]) -> list[FileEntry]:
    """The ledger rows of files that are no longer loaded after the tables of their source were rebuilt.

    The versions recorded for replaced files no longer apply. If all files were withdrawn, their rows record the current
    versions.
    """
    kept = [{name: v for name, v in entry.table_versions.items() if name not in versions} for entry in entries]
    return [
        replace(entry, table_versions={**others, **(versions if entry.status == WITHDRAWN else {})})
        for entry, others in zip(entries, kept, strict=True)
    ]


def _judged(
    lake: Lake, ledger: FileLedger, contract: Contract, loaded: Sequence[FileEntry], resources: contextlib.ExitStack
) -> Judged:
    """The records of the files, judged as one batch.

    Raises:
        InputError: if a file is refused under this contract.
    """
    arrivals = {
        number: Arrival(entry.file, entry.bytes, entry.content_hash, entry.started_at, entry.batch)
        for number, entry in enumerate(loaded)
    }
    with clear_faults(contract.name):
        readings = _from_bronze(lake, ledger, contract, loaded)
        judged, refused = batch.check_records(readings, arrivals, contract, resources)
    if refused or judged is None:
        raise refused[min(refused)]
    _mark_bronze(lake, contract, only_more=True)
    return judged


def _put_in_place(
    lake: Lake, judged: Judged | None, contract: Contract, table: Table, key: bytes, label: str
) -> tuple[dict[int, Effect], dict[str, int]]:
    """Write silver and the rejected records of its source; returns the effects of files, and the tables' versions."""
    did: dict[int, Effect] = {}
    silver, rejected = frame_of(lake.spark, [], table.ddl), frame_of(lake.spark, [], REJECTED.ddl)
    with contextlib.ExitStack() as resources:
        if judged is not None:
            accepted = judged.for_silver(key)
            if batch.shares_keys(judged):
                accepted, did = _one_row_per_key(accepted, judged, table, resources)
            else:
                did = {n: Effect(counts.accepted) for n, counts in judged.counts.items()}
            silver, rejected = batch.silver_rows(accepted, judged), batch.rejected_rows(judged)
        commit = lake.rebuild(table, silver, label)
    # Each key was inserted once, by the first of its files.
    batch.require_all(commit.count("numOutputRows"), sum(effect.inserted for effect in did.values()), table)
    replaced = lake.replace(REJECTED, rejected, label, where={"source": contract.name})
    return did, {table.name: commit.version, REJECTED.name: replaced.version}


def _one_row_per_key(
    accepted: DataFrame, judged: Judged, table: Table, resources: contextlib.ExitStack
) -> tuple[DataFrame, dict[int, Effect]]:
    """The remaining accepted rows, as if the files had been loaded in order, and the effect of each file.

    Consecutive files are processed together as in ingest: all of them or, if the newest version wins, those that lack
    the same columns.
    """
    staying, is_newest = judged.staying, judged.contract.key.keep == "newest"
    there: DataFrame | None = None
    did: dict[int, Effect] = {}
    for _, run in groupby(judged.arrivals, key=lambda number: staying[number] if is_newest else []):
        numbers = [*run]
        part = judged.only(numbers)
        come = accepted.where(F.col("_file_no").isin(numbers))
        told = resources.enter_context(cached(with_outcomes(come, there, judged.contract, part.staying)))
        did |= batch.effects_of(told, part, table)
        remain = told.where("_remains").drop("_outcome", "_remains")
        if there is not None:
            same = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in table.key)
            others = there.alias("t").join(remain.alias("s"), F.expr(same), "left_anti")
            remain = resources.enter_context(cached(others.unionByName(remain)))
        there = remain
    return (accepted if there is None else there), did


def _mark_bronze(lake: Lake, contract: Contract, *, only_more: bool = False) -> None:
    """Set or unset the mark of personal data in bronze."""
    bronze = bronze_table(contract)
    marked, wanted = lake.personal_columns(bronze.name), bronze.properties.get(_PERSONAL)
    if (wanted or not only_more) and (wanted is None) != (not marked):
        lake.set_property(bronze.name, _PERSONAL, wanted)


def _from_bronze(lake: Lake, ledger: FileLedger, contract: Contract, loaded: Sequence[FileEntry]) -> Readings:
    """The records of files as received, with the header of each, as if they had just been read."""
    bronze = BRONZE.of(contract.name).name
    known = ledger.versions([bronze, REJECTED.name])
    numbers = frame_of(lake.spark, [(e.batch, n) for n, e in enumerate(loaded)], "_batch STRING, file_no INT")
    records = rows_at(lake, bronze, known[bronze]).join(F.broadcast(numbers), "_batch")
    if any(entry.rejected for entry in loaded):
        # Bronze contains no bytes. A record with invalid bytes was rejected, perhaps among other reasons.
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
            hint=f"withdraw all such files, e.g. with `otklik reingest {contract.name} --without '*'`, and ingest them "
            "again",
        )
    was = json.loads(entry.read_as)
    changed = [f"format.{name}" for name, value in format_.cut_by.items() if was["cut"].get(name) != value]
    if changed:
        raise ConfigurationError(
            f"was split into records with other settings: {', '.join(changed)}",
            where=entry.file,
            hint=f"revert the change, or withdraw all such files, e.g. with "
            f"`otklik reingest {contract.name} --without '*'`, and ingest them again",
        )
    return list(was["names"])


def _header(names: Sequence[str], contract: Contract, where: str) -> Header:
    if contract.format.kind == "list":
        names = [name for name in LIST_COLUMNS if name in map(contract.name_in_file, contract.columns)]
    if contract.format.is_delimited and not contract.format.header:
        return given_header(contract)
    return match_header(names, contract, where)
