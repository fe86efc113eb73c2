"""The files that contenders read: made by Spark from numbers and salts, kept in a folder for the next run.

Bank-like rows have the columns of UCI's bank-full.csv and a customer number; the answer depends on the others by a
known rule with some chance, so that a sound model reaches AUC .77 or so. Events of customers lie in the silver of a
lake, which is filled past the ingest: all contenders read the Parquet files of the same two Delta tables. Row n is
always the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from scripts.benchmarks.child import spark_session, use_cores
from scripts.benchmarks.columns import (
    BANK,
    EVENTS_PER_CUSTOMER,
    HELD_OUT_EVERY,
    KINDS,
    LEVELS,
    NETWORKS,
    NUMBERS,
    TEXTS,
    TOPICS,
)

from otklik import world
from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileEntry, FileLedger
from otklik.lake.store import Lake
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.steps.ingest import hash_of_contract, silver_table
from otklik.world.writing import write_world

CONF = Path(__file__).parent / "conf"
#: Sources of the built-in world, and the task that is asked of it.
WORLD = ("customers", "contacts", "engagements")
WORLD_TASK = "campaign_response"
_WORLD_SEED = 7
#: One row in so many comes once more under its customer's number, with other values: the later one counts.
REPEATED_EVERY = 100
#: All decisions are taken at one moment.
MOMENT = "2025-06-01"
_ARRIVED_AT = datetime(2025, 7, 1, tzinfo=UTC)
#: Events lie in 120 days. Decisions are taken on four days towards their end: after the last event known there is
#: no moment to look from.
_FIRST_MICROSECOND = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
_DAY = 86_400_000_000


def write_csv(spark: SparkSession, rows: int, target: Path) -> None:
    """One CSV file with `;`, a header and the columns in bank-full's order, the customer's number first."""
    folder = target.with_suffix(".parts")
    frame = bank_rows(spark, rows, 1).select(*BANK)
    frame.write.mode("overwrite").option("header", "true").option("sep", ";").csv(str(folder))
    (part,) = folder.glob("part-*.csv")
    part.replace(target)
    shutil.rmtree(folder)


def write_table(spark: SparkSession, rows: int, target: Path) -> None:
    """Parquet files with one row per customer: key, as_of, unit, label, is_held_out and the features."""
    frame = bank_rows(spark, rows, 8, repeated=False).selectExpr(
        "customer_id AS key",
        f"CAST('{MOMENT}' AS TIMESTAMP) AS as_of",
        "customer_id AS unit",
        "CAST(y = 'yes' AS INT) AS label",
        f"number % {HELD_OUT_EVERY} = 0 AS is_held_out",
        *TEXTS,
        *(f"CAST({'nullif(pdays, -1)' if name == 'pdays' else name} AS DOUBLE) AS {name}" for name in NUMBERS),
    )
    frame.write.mode("overwrite").parquet(str(target))


def bank_rows(spark: SparkSession, rows: int, partitions: int, *, repeated: bool = True) -> DataFrame:
    """The rows in order: `number` and the columns of the file.

    Args:
        spark: the session.
        rows: how many.
        partitions: they are cut into; one gives one file.
        repeated: whether some customers come twice.
    """
    again = f"id % {REPEATED_EVERY} = {REPEATED_EVERY - 1}"
    number = f"if({again}, id - {REPEATED_EVERY // 2}, id)" if repeated else "id"
    drawn = spark.range(0, rows, 1, partitions).selectExpr(
        "id",
        f"{number} AS number",
        f"CAST(18 + 62 * power({_draw('age')}, 1.5D) AS INT) AS age",
        f"{_level(LEVELS['job'], 'job')} AS job",
        f"{_level(('married', 'married', 'single', 'divorced'), 'marital')} AS marital",
        f"{_level(('primary', 'secondary', 'secondary', 'tertiary', 'unknown'), 'education')} AS education",
        f"if({_draw('default')} < 0.02D, 'yes', 'no') AS default",
        f"CAST(8000 * power({_draw('balance')}, 3D) - 400 AS INT) AS balance",
        f"if({_draw('housing')} < 0.55D, 'yes', 'no') AS housing",
        f"if({_draw('loan')} < 0.16D, 'yes', 'no') AS loan",
        f"{_level(('cellular', 'cellular', 'telephone', 'unknown'), 'contact')} AS contact",
        f"CAST(1 + 28 * {_draw('day')} AS INT) AS day",
        f"{_level(LEVELS['month'], 'month')} AS month",
        f"CAST(-250 * ln(1 - {_draw('duration')}) AS INT) AS duration",
        f"CAST(1 - 1.5D * ln(1 - {_draw('campaign')}) AS INT) AS campaign",
        f"if({_draw('earlier')} < 0.2D, CAST(1 + 400 * {_draw('pdays')} AS INT), -1) AS pdays",
        f"if({_draw('earlier')} < 0.2D, CAST(1 - 2 * ln(1 - {_draw('previous')}) AS INT), 0) AS previous",
        f"if({_draw('earlier')} < 0.2D, {_level(('success', 'failure', 'failure', 'other'), 'poutcome')}, 'unknown')"
        " AS poutcome",
    )
    log_odds = """
        -2.9D + if(poutcome = 'success', 2.1D, 0D) + if(poutcome = 'other', 0.5D, 0D) - if(housing = 'yes', 0.7D, 0D)
        - if(loan = 'yes', 0.5D, 0D) + if(contact = 'cellular', 0.6D, 0D) + if(age >= 60, 1.0D, 0D)
        + if(age < 26, 0.8D, 0D) + if(month IN ('mar', 'sep', 'oct', 'dec'), 1.1D, 0D) + balance / 5000D
        - 0.15D * campaign + if(job IN ('student', 'retired'), 0.5D, 0D) + if(education = 'tertiary', 0.3D, 0D)
    """
    answered = drawn.selectExpr(
        "*",
        "concat('c', lpad(CAST(number AS STRING), 9, '0')) AS customer_id",
        f"if({_draw('answer')} < 1 / (1 + exp(-({log_odds}))), 'yes', 'no') AS y",
    )
    return answered.drop("id")


def _draw(salt: str) -> str:
    """A number in [0, 1) from the row's place and a salt."""
    return f"(pmod(xxhash64(id, '{salt}'), 1000000L) / 1000000D)"


def _level(levels: tuple[str, ...], salt: str) -> str:
    listed = ", ".join(f"'{level}'" for level in levels)
    return f"element_at(array({listed}), CAST(1 + {len(levels)} * {_draw(salt)} AS INT))"


def write_lake(spark: SparkSession, events: int, target: Path) -> None:
    """A lake with silver.events, silver.customers and their rows in the ledger."""
    customers = max(1, events // EVENTS_PER_CUSTOMER)
    lake = Lake(spark, str(target))
    for source, rows, count in (
        ("events", _events(spark, events, customers), events),
        ("customers", _customers(spark, customers), customers),
    ):
        fill(lake, load(Contract, CONF / f"{source}.toml", {}), rows, count)


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


def fill(lake: Lake, contract: Contract, rows: DataFrame, count: int) -> None:
    """Put rows into silver and the ledger as if one file of them had been ingested.

    Args:
        lake: where.
        contract: of the source.
        rows: its columns, and known_at and _record_no.
        count: how many there are, for the ledger.
    """
    source = contract.name
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


def wanted(case: str, rows: int) -> dict[str, tuple[str, int]]:
    """Name of an input → its kind and size."""
    return {
        "ingest": {"file": ("csv", rows)},
        "features": {"lake": ("lake", rows)},
        "train": {"rows": ("rows", rows)},
        "forest": {"rows": ("rows", rows)},
        "growth": {"world": ("world", rows)},
    }[case]


def places(folder: Path, case: str, rows: int) -> dict[str, Path]:
    """The inputs of a case by name, made or to be made."""
    return {name: _place(folder, kind, size) for name, (kind, size) in wanted(case, rows).items()}


def made(folder: Path, case: str, rows: int, cores: int, heap: str) -> dict[str, Path]:
    """The same, after making what is missing in a process of its own: no Java stays beside what is measured."""
    missing = [(kind, size) for kind, size in wanted(case, rows).values() if not _is_whole(_place(folder, kind, size))]
    if missing:
        order = json.dumps({"folder": str(folder), "cores": cores, "heap": heap, "wanted": missing})
        subprocess.run([sys.executable, "-m", __name__, order], check=True, stdin=subprocess.DEVNULL)
    return places(folder, case, rows)


def make(spark: SparkSession, folder: Path, kind: str, size: int) -> None:
    """Make an input afresh; one that was begun and not finished is thrown away."""
    target = _place(folder, kind, size)
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    _WRITERS[kind][1](spark, size, target)
    (target.parent / "whole").touch()


def main() -> None:
    """Make what the only argument lists: the folder, cores, heap, and pairs of kind and size."""
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    temporary_folder = folder / "temporary"
    shutil.rmtree(temporary_folder, ignore_errors=True)
    temporary_folder.mkdir(parents=True)
    use_cores(order["cores"])
    with spark_session(temporary_folder, order["cores"], order["heap"]) as spark:
        for kind, size in order["wanted"]:
            begun = time.monotonic()
            make(spark, folder, kind, size)
            sys.stderr.write(f"input {kind} {size:,}: made in {time.monotonic() - begun:.0f} s\n")
    shutil.rmtree(temporary_folder)


def _place(folder: Path, kind: str, size: int) -> Path:
    """Files of other code are other files."""
    here = Path(__file__)
    sources = (
        sorted(Path(world.__file__).parent.glob("*.*")) if kind == "world" else [here, here.with_name("columns.py")]
    )
    version = hashlib.sha256(b"\0".join(file.read_bytes() for file in sources)).hexdigest()[:8]
    return folder / f"{kind}-{size}-{version}" / _WRITERS[kind][0]


def _is_whole(target: Path) -> bool:
    return (target.parent / "whole").exists()


def _write_world(spark: SparkSession, customers: int, target: Path) -> None:
    write_world(spark, customers, _WORLD_SEED, str(target))


_WRITERS: dict[str, tuple[str, Callable[[SparkSession, int, Path], None]]] = {
    "csv": ("bank.csv", write_csv),
    "rows": ("rows", write_table),
    "lake": ("lake", write_lake),
    "world": ("world", _write_world),
}

if __name__ == "__main__":
    main()
