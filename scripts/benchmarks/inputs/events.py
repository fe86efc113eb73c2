"""Events of customers, made up, in the silver of a lake: what the features are computed from.

Silver is filled past the ingest, which is timed by a case of its own. All contenders read the Parquet files of the same
two Delta tables. Event n is the same whoever makes it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from scripts.benchmarks.inputs.columns import EVENTS_PER_CUSTOMER, KINDS, NETWORKS, TOPICS
from scripts.benchmarks.inputs.places import CONF

from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileEntry, FileLedger
from otklik.lake.store import Lake
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.steps.ingest import hash_of_contract, silver_table

_ARRIVED_AT = datetime(2025, 7, 1, tzinfo=UTC)
#: Events lie in 120 days. Decisions are taken on four days towards their end: after the last event known there is
#: no moment to look from.
_FIRST_MICROSECOND = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
_DAY = 86_400_000_000


def write_lake(spark: SparkSession, events: int, target: Path) -> None:
    """A lake with silver.events, silver.customers and their rows in the ledger."""
    customers = max(1, events // EVENTS_PER_CUSTOMER)
    lake = Lake(spark, str(target))
    _fill(lake, "events", _events(spark, events, customers), events)
    _fill(lake, "customers", _customers(spark, customers), customers)


def _events(spark: SparkSession, events: int, customers: int) -> DataFrame:
    return spark.range(0, events, 1, 8).selectExpr(
        "concat('e', lpad(CAST(id AS STRING), 10, '0')) AS event_id",
        f"{_customer(f'pmod(xxhash64(id, 1), {customers}L)')} AS customer_id",
        f"timestamp_micros({_FIRST_MICROSECOND}L + pmod(xxhash64(id, 2), {120 * _DAY}L)) AS happened_at",
        f"{_one_of(KINDS, 3)} AS kind",
        f"{_one_of(NETWORKS, 4)} AS network",
        f"{_one_of(TOPICS, 5)} AS topic",
        "timestampadd(MINUTE, 10, happened_at) AS known_at",
        "id + 1 AS _record_no",
    )


def _customers(spark: SparkSession, customers: int) -> DataFrame:
    first_decision = _FIRST_MICROSECOND + 92 * _DAY
    return spark.range(0, customers, 1, 2).selectExpr(
        f"{_customer('id')} AS customer_id",
        f"timestamp_micros({first_decision}L + {7 * _DAY}L * pmod(id, 4L)) AS decided_at",
        "if(pmod(xxhash64(id, 6), 8L) = 0, 'yes', 'no') AS answer",
        "id + 1 AS _record_no",
    )


def _fill(lake: Lake, source: str, rows: DataFrame, count: int) -> None:
    contract = load(Contract, CONF / f"{source}.toml", {})
    batch = hash_of([source, count])[:16]
    named = rows.selectExpr(
        "*",
        f"'{source}' AS _file",
        f"'{batch}' AS _batch",
        f"CAST('{_ARRIVED_AT.isoformat()}' AS TIMESTAMP) AS _arrived_at",
    )
    table = silver_table(contract)
    version = lake.append(table, named, f"ingest {batch}").version
    FileLedger(lake).record(
        FileEntry(
            source=contract.name,
            file=source,
            bytes=0,
            content_hash=hash_of(batch),
            contract_hash=hash_of_contract(contract),
            rows=count,
            accepted=count,
            inserted=count,
            updated=0,
            rejected=0,
            duplicates=0,
            repeated=0,
            table_versions={table.name: version},
            started_at=_ARRIVED_AT,
            ended_at=_ARRIVED_AT,
            status="loaded",
            warnings={},
            batch=batch,
        )
    )


def _customer(number: str) -> str:
    return f"concat('c', lpad(CAST({number} AS STRING), 9, '0'))"


def _one_of(levels: tuple[str, ...], salt: int) -> str:
    listed = ", ".join(f"'{level}'" for level in levels)
    return f"element_at(array({listed}), CAST(1 + pmod(xxhash64(id, {salt}), {len(levels)}L) AS INT))"
