"""Step: take files in, one by one: raw → bronze → silver, with an exact balance for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import InputError
from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileEntry, find_file, record_file
from otklik.lake.tables import BRONZE, REJECTED, SILVER, Column, Table
from otklik.privacy.pseudonyms import with_pseudonyms
from otklik.settings import load
from otklik.sources import checks, files
from otklik.sources.contract import Contract, parse_duration
from otklik.sources.fields import with_fields
from otklik.sources.reader import Records, clear_faults, read_records
from otklik.sources.values import spark_type
from otklik.steps.context import Job

#: Columns of a table on which Delta keeps statistics, at most.
_STATISTICS = 32


@dataclass(frozen=True)
class Arrival:
    """One file on its way in."""

    contract: Contract
    contract_hash: str
    path: str
    facts: files.FileFacts
    batch: str
    started_at: datetime


def ingest_files(job: Job) -> int:
    """Take in every file of the given paths; returns the exit code."""
    contract = load(Contract, job.home.source(job.options["source"]), dict(job.options.overrides))
    key = job.pseudonym_key() if contract.personal_columns else b""
    checks.check_rules(job.lake.spark, contract)
    contract_hash = hash_of(contract.model_dump(mode="json"))
    for path in [found for given in job.options["paths"] for found in files.expand(job.lake.spark, given)]:
        facts = files.describe(job.lake.spark, path)
        batch = hash_of([contract.name, facts.content_hash, contract_hash])[:16]
        _ingest(job, Arrival(contract, contract_hash, path, facts, batch, job.clock()), key)
    return 0


def _ingest(job: Job, arrival: Arrival, key: bytes) -> None:
    contract, facts = arrival.contract, arrival.facts
    with job.progress.step(f"ingest {facts.name}") as step:
        known = find_file(job.lake, contract.name, facts.content_hash)
        if known is not None:
            step.rows(known.rows)
            step.say("this content is loaded already")
            return
        try:
            files.check_whole(facts, contract)
            with clear_faults(facts.name):
                records = read_records(job.lake.spark, arrival.path, contract)
                judged = checks.with_duplicates(
                    checks.with_reasons(with_fields(records, contract), contract), contract
                ).persist()
                counts = checks.balance(judged, contract)
                checks.refuse_past_thresholds(counts, judged, contract, facts.name)
        except InputError:
            record_file(job.lake, _entry(job, arrival, "rejected", None, {}, 0, 0))
            raise
        versions = _write_bronze(job, arrival, records, judged, counts)
        inserted, updated, version = _write_silver(job, arrival, judged, key)
        versions[f"silver.{contract.name}"] = version
        judged.unpersist()
        entry = _entry(job, arrival, "loaded", counts, versions, inserted, updated)
        record_file(job.lake, entry)
        step.rows(entry.rows)
        step.say(f"{entry.accepted:,} accepted, {entry.rejected:,} rejected, {entry.duplicates:,} duplicates")
    for rule, rows in sorted(counts.warnings.items()):
        job.progress.line(f"    warning {rule}: {rows:,} rows")


def _write_bronze(
    job: Job, arrival: Arrival, records: Records, judged: DataFrame, counts: checks.Balance
) -> dict[str, int]:
    contract, label = arrival.contract, f"ingest {arrival.batch}"
    personal = {"otklik.personal": "record"} if contract.personal_columns else {}
    bronze = BRONZE.of(contract.name, properties={**BRONZE.properties, **personal})
    rows = _with_arrival(records.frame.select("record", "record_no"), arrival).withColumn(
        "file", F.lit(arrival.facts.name)
    )
    versions = {bronze.name: job.lake.append(bronze, rows, label).version}
    if counts.rejected:
        rejected = _with_arrival(checks.only_rejected(judged), arrival)
        named = rejected.withColumns({"source": F.lit(contract.name), "file": F.lit(arrival.facts.name)})
        versions[REJECTED.name] = job.lake.append(REJECTED, named, label).version
    return versions


def _write_silver(job: Job, arrival: Arrival, judged: DataFrame, key: bytes) -> tuple[int, int, int]:
    """Returns rows inserted, rows updated, and the table's version."""
    contract, label = arrival.contract, f"ingest {arrival.batch}"
    table = silver_table(contract)
    accepted = with_pseudonyms(checks.only_accepted(judged, contract), contract.personal_columns, key)
    rows = _with_arrival(_with_known_at(accepted, contract, arrival.started_at), arrival)
    rows = rows.withColumn("_file", F.lit(arrival.facts.name))
    if not job.lake.version(table.name):
        commit = job.lake.append(table, rows, label)
        return commit.count("numOutputRows"), 0, commit.version
    commit = job.lake.merge(table, rows, label, update_when=_update_when(contract))
    if "numTargetRowsInserted" not in commit.metrics:
        # The first batch of the table was appended, and this is its second run.
        return commit.count("numOutputRows"), 0, commit.version
    return commit.count("numTargetRowsInserted"), commit.count("numTargetRowsUpdated"), commit.version


def silver_table(contract: Contract) -> Table:
    """The definition of a source's silver table."""
    columns = [Column(name, spark_type(column.type), column.meaning) for name, column in contract.columns.items()]
    if contract.time.known == "event":
        columns.append(Column("known_at", "TIMESTAMP", "when the fact became known: its time and the declared delay"))
    elif contract.time.known == "arrival":
        columns.append(Column("_known_at", "TIMESTAMP", "when the fact became known: when its file arrived"))
    counted = [c.name for c in columns if c.name not in contract.personal_columns][:_STATISTICS]
    properties = {"delta.dataSkippingStatsColumns": ",".join(f"`{name}`" for name in counted)}
    if contract.personal_columns:
        properties["otklik.personal"] = ",".join(contract.personal_columns)
    return SILVER.of(contract.name, tuple(columns), key=tuple(contract.key_columns), properties=properties)


def _with_known_at(rows: DataFrame, contract: Contract, arrived_at: datetime) -> DataFrame:
    if contract.time.known == "event" and contract.time.event is not None:
        happened = F.col(contract.time.event).cast("timestamp")
        return rows.withColumn("known_at", happened + F.lit(parse_duration(contract.time.delay)))
    if contract.time.known == "arrival":
        return rows.withColumn("_known_at", F.lit(arrived_at))
    return rows


def _with_arrival(rows: DataFrame, arrival: Arrival) -> DataFrame:
    return rows.withColumns({"_batch": F.lit(arrival.batch), "_arrived_at": F.lit(arrival.started_at)})


def _update_when(contract: Contract) -> str | None:
    """When a row that comes in replaces the one that is there under its key."""
    others = [name for name in contract.columns if name not in contract.key_columns]
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
    counts: checks.Balance | None,
    versions: Mapping[str, int],
    inserted: int,
    updated: int,
) -> FileEntry:
    """The file's row of the ledger; what silver already knew counts as duplicate beside what the file repeats."""
    rows, rejected = (counts.rows, counts.rejected) if counts is not None else (0, 0)
    accepted = inserted + updated
    return FileEntry(
        source=arrival.contract.name,
        file=arrival.facts.name,
        bytes=arrival.facts.size,
        content_hash=arrival.facts.content_hash,
        contract_hash=arrival.contract_hash,
        rows=rows,
        accepted=accepted,
        inserted=inserted,
        updated=updated,
        rejected=rejected,
        duplicates=rows - rejected - accepted,
        table_versions=versions,
        started_at=arrival.started_at,
        ended_at=job.clock(),
        status=status,
        warnings=counts.warnings if counts is not None else {},
        batch=arrival.batch,
    )
