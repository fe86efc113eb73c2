"""Looking after the tables: which there are, whether they are what definition and ledger say, compacting, vacuuming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import functions as F

from otklik.errors import DamagedError
from otklik.lake.folder import Folder
from otklik.lake.ledger import FileLedger
from otklik.lake.recovery import rows_at, unknown_commits
from otklik.lake.store import NOTHING, Lake, plain_type
from otklik.lake.tables import BRONZE, FILES, REJECTED, RUNS, SILVER, Table
from otklik.session import with_property

LAYERS = ("bronze", "silver", "gold", "ops")
_CURE = "restore the lake from a backup, or ingest into a fresh lake"
_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


@dataclass(frozen=True)
class Size:
    """How big a table is: the files of its newest version."""

    table: str
    version: int
    files: int
    bytes: int


def table_names(lake: Lake) -> list[str]:
    """The tables of the lake, sorted."""
    if lake.catalog is None:
        return sorted(
            f"{layer}.{name}"
            for layer in LAYERS
            for name in Folder(lake.folder(layer)).folders()
            if Folder(lake.folder(layer, name, "_delta_log")).exists()
        )
    names = []
    schemas = {row[0] for row in lake.spark.sql(f"SHOW SCHEMAS IN `{lake.catalog}`").collect()}
    for layer in LAYERS:
        if layer in schemas:
            shown = lake.spark.sql(f"SHOW TABLES IN `{lake.catalog}`.`{layer}`").collect()
            names += [f"{layer}.{row.tableName}" for row in shown if not row.isTemporary]
    return sorted(names)


def definition_flaws(lake: Lake, table: str, definition: Table) -> list[DamagedError]:
    """Columns that the definition has and the table has not, or has with another type."""
    there = dict(lake.read(table).dtypes)
    wrong = [
        f"{column.name} {column.type} ({there.get(column.name, 'missing')})"
        for column in definition.columns
        if there.get(column.name) != plain_type(column.type)
    ]
    if not wrong:
        return []
    return [
        DamagedError(f"not as defined: {', '.join(wrong)}", where=table, cure="ingest or run again into a fresh lake")
    ]


def unfinished(lake: Lake, ledger: FileLedger, tables: Sequence[str]) -> dict[str, int]:
    """Tables of records with commits that the ledger does not know → how many."""
    known = ledger.versions(tables)
    counted = {}
    for table in tables:
        commits = lake.commits(table, known.get(table, NOTHING)) or []
        _, unknown = unknown_commits(commits, known.get(table, 0))
        counted[table] = len(unknown)
    return {table: count for table, count in counted.items() if count}


def ledger_flaws(lake: Lake, ledger: FileLedger) -> list[DamagedError]:
    """Where the ledger of files does not add up, or the tables hold other counts than it says."""
    flaws = [
        DamagedError(
            f"{entry.file} of {entry.source}: its counts do not add up",
            where=FILES.name,
            cure="ingest into a fresh lake",
        )
        for entry in ledger.entries
        if entry.rows != entry.accepted + entry.rejected + entry.duplicates
        or entry.accepted != entry.inserted + entry.updated
    ]
    loaded = [entry for entry in ledger.entries if entry.status == "loaded"]
    sources = sorted({entry.source for entry in loaded})
    known = ledger.versions([*(f"{layer}.{source}" for source in sources for layer in LAYERS[:2]), REJECTED.name])
    for source in sources:
        mine = [entry for entry in loaded if entry.source == source]
        expected = {entry.batch: entry.rows for entry in mine}
        flaws += _batch_flaws(lake, BRONZE.of(source).name, known, expected)
        silver = SILVER.of(source).name
        rows, inserted = rows_at(lake, silver, known.get(silver)).count(), sum(entry.inserted for entry in mine)
        if rows != inserted:
            flaws.append(DamagedError(f"{rows:,} rows, the ledger says {inserted:,}", where=silver, cure=_CURE))
    rejected = {entry.batch: entry.rejected for entry in loaded if entry.rejected}
    if rejected or REJECTED.name in known:
        flaws += _batch_flaws(lake, REJECTED.name, known, rejected)
    return flaws


def _batch_flaws(lake: Lake, table: str, known: dict[str, int], expected: dict[str, int]) -> list[DamagedError]:
    counted = rows_at(lake, table, known.get(table)).groupBy("_batch").agg(F.count("*").alias("rows")).collect()
    found = {row["_batch"]: int(row["rows"]) for row in counted}
    return [
        DamagedError(
            f"batch {b}: {found.get(b, 0):,} rows, the ledger says {expected.get(b, 0):,}", where=table, cure=_CURE
        )
        for b in sorted({*expected, *found})
        if expected.get(b) != found.get(b)
    ]


def run_flaws(lake: Lake, versions: dict[str, int]) -> list[DamagedError]:
    """Results that the ledger of runs names and that are not there.

    Args:
        lake: the lake.
        versions: table → its newest version.
    """
    runs = lake.find(RUNS.name)
    if runs is None:
        return []
    outputs = runs.where("status = 'done'").select("run_id", F.explode("outputs").alias("table", "version"))
    newest = outputs.groupBy("table").agg(F.max("version").alias("version"), F.max_by("run_id", "version").alias("id"))
    return [
        DamagedError(
            f"run {row.id} wrote version {row.version}, the table has {versions.get(row.table)}",
            where=row.table,
            cure=_CURE,
        )
        for row in newest.collect()
        if row.version > versions.get(row.table, NOTHING)
    ]


def compact(lake: Lake, table: str) -> None:
    """Many small files become few large ones; the rows stay as they are."""
    lake.spark.sql(f"OPTIMIZE {lake.reference(table)}")


def vacuum(lake: Lake, table: str, hours: int) -> None:
    """Delete files that no version of the last so many hours needs; older versions cannot be read any more."""
    # Delta wants no less than the table's own retention, which is long so that old versions can be read at all.
    with with_property(lake.spark, _RETENTION_CHECK, "false"):
        lake.spark.sql(f"VACUUM {lake.reference(table)} RETAIN {hours} HOURS")


def size_of(lake: Lake, table: str) -> Size:
    """A table's newest version in numbers."""
    detail = lake.spark.sql(f"DESCRIBE DETAIL {lake.reference(table)}").select("numFiles", "sizeInBytes").collect()[0]
    return Size(table, lake.version(table) or 0, int(detail.numFiles), int(detail.sizeInBytes))
