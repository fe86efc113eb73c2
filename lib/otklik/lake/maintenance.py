"""Maintenance of tables: listing, checks against definitions and the ledger, compaction, vacuum."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.commits import NOTHING, unknown_commits
from otklik.lake.folder import Folder
from otklik.lake.ledger import FileLedger
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake, says_vacuumed
from otklik.lake.tables import BRONZE, FEATURE_KEYS, FEATURES, FILES, REJECTED, RUNS, SILVER, Table, rebuild_hint
from otklik.session import threads, with_property

LAYERS = ("bronze", "silver", "gold", "ops")
#: How tables of records are named: what files brought.
_OF_RECORDS = ("bronze.", "silver.")
#: What to do about tables that no file brought.
_HINT_OF_RESULTS = "restore the lake from a backup, or run again into a fresh lake"
#: Tables that are looked after at the same time.
_TABLES_AT_ONCE = 4
_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


@dataclass(frozen=True)
class Size:
    """How big a table is: the files of its newest version."""

    table: str
    version: int
    files: int
    bytes: int


@dataclass(frozen=True)
class Expected:
    """What a table should be.

    Attributes:
        definition: the table by its own name.
        is_whole: whether the definition names all its columns; those of a task or contract may be unknown.
        personal: the columns that hold personal data; None = not known.
    """

    definition: Table
    is_whole: bool = True
    personal: Sequence[str] | None = ()


def table_names(lake: Lake) -> list[str]:
    """Tables in the schemas that Otklik uses, sorted; they may include tables of others."""
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


def of_the_house(lake: Lake, ledger: FileLedger, tables: Sequence[str], defined: Sequence[Table]) -> list[str]:
    """The tables that Otklik created: those in a ledger, and those that look like tables of a killed run.

    A catalog's schema may contain other tables, which must not be repaired, compacted or vacuumed.
    """
    known = {table.name for table in defined}
    known |= {table for entry in ledger.entries for table in entry.table_versions}
    runs = lake.find(RUNS.name)
    if runs is not None and "outputs" in runs.columns:
        known |= {row.table for row in runs.select(F.explode("outputs").alias("table", "_")).distinct().collect()}
    return [
        table
        for table in tables
        if table in known or lake.has_log_without_versions(table) or _fits(lake, table, defined)
    ]


def _fits(lake: Lake, table: str, defined: Sequence[Table]) -> bool:
    """Whether a table has all that a definition requires; False if it cannot be read."""
    found = definitions_of(table, defined)
    if not found:
        return False
    try:
        there = lake.read(table).dtypes
    except Exception:
        # Spark's own faults come as its exceptions or, from inside a read, as the gateway's.
        return False
    return any({*definition.dtypes} <= {*there} for definition in found)


def definitions_of(table: str, defined: Sequence[Table]) -> list[Table]:
    """Possible definitions of a table: one for each family (`<source>`, `<task>`) whose name pattern matches.

    Two kinds may use the same pattern; the columns tell which one wrote the table.
    """
    found = []
    for family in (known for known in defined if "<" in known.name):
        start, end = re.split("<.*>", family.name)
        if table.startswith(start) and table.endswith(end) and len(table) > len(start) + len(end):
            keys = FEATURE_KEYS if family is FEATURES else ()
            found.append(family.of(table[len(start) : len(table) - len(end)], keys))
    return found


@contextlib.contextmanager
def noting(flaws: list[DamagedError], table: str) -> Iterator[None]:
    """What stops a look at one table is a flaw of that table, and the others are looked at."""
    try:
        yield
    except DamagedError as fault:
        flaws.append(fault)
    except MissingResultError as fault:
        flaws.append(
            DamagedError(
                fault.what, where=fault.where, hint=f"restore the lake from a backup, or {rebuild_hint(table)}"
            )
        )
    except Exception as fault:
        if not says_vacuumed(fault):
            raise
        flaws.append(
            DamagedError(
                "some of its files are missing",
                where=table,
                hint=f"restore the lake from a backup, or {rebuild_hint(table)}",
            )
        )


def whole_ledger(lake: Lake) -> FileLedger:
    """The ledger of files.

    Raises:
        DamagedError: if it lacks a column, or is gone: every batch would look like a killed run's.
    """
    ledger, runs = FileLedger(lake), lake.find(RUNS.name)
    if not ledger.entries and runs is not None and not runs.where("job = 'ingest' AND status = 'done'").isEmpty():
        raise DamagedError(
            "files were ingested, but the ledger of files is missing",
            where=FILES.name,
            hint=f"restore the lake from a backup, or {rebuild_hint(FILES.name)}",
        )
    return ledger


def definition_flaws(lake: Lake, expected: Expected) -> list[DamagedError]:
    """Differences between a table and its definition: columns, constraints, personal columns.

    Raises:
        MissingResultError: if the table does not exist.
    """
    definition = expected.definition
    there, defined = lake.read(definition.name).dtypes, definition.dtypes
    types = dict(there)
    wrong = [
        f"{column.name} {column.type} ({types.get(column.name, 'missing')})"
        for column in definition.columns
        if column.dtype not in there
    ]
    if expected.is_whole:
        wrong += [f"{name} {kind} (not defined)" for name, kind in there if name not in dict(defined)]
        if not wrong and there != defined:
            wrong.append("its columns stand in another order")
    return [
        *([_not_as_defined(definition.name, ", ".join(wrong))] if wrong else []),
        *_constraint_flaws(lake, definition),
        *_mark_flaws(lake, expected),
    ]


def _not_as_defined(table: str, how: str) -> DamagedError:
    return DamagedError(
        f"not as defined: {how}", where=table, hint=f"bring it to its definition, or {rebuild_hint(table)}"
    )


def _constraint_flaws(lake: Lake, definition: Table) -> list[DamagedError]:
    held = lake.constraints(definition.name) if definition.constraints else {}
    return [
        DamagedError(
            f"its constraint {name} is missing",
            where=definition.name,
            hint=f"ALTER TABLE {lake.reference(definition.name)} ADD CONSTRAINT {name} CHECK ({predicate})",
        )
        for name, predicate in definition.constraints.items()
        if name not in held
    ]


def _mark_flaws(lake: Lake, expected: Expected) -> list[DamagedError]:
    """Columns that are personal and not marked so are shown to everybody."""
    table = expected.definition.name
    if expected.personal is None:
        return []
    others = sorted({*expected.personal} ^ {*lake.personal_columns(table)})
    return [_not_as_defined(table, f"other columns are marked as personal: {', '.join(others)}")] if others else []


def unfinished(lake: Lake, ledger: FileLedger, tables: Sequence[str]) -> list[str]:
    """Those of the tables that hold records and have commits that the ledger does not know."""
    of_records = [table for table in tables if table.startswith(_OF_RECORDS)]
    known = ledger.versions(of_records)
    found = []
    for table in of_records:
        commits = lake.commits(table, known.get(table, NOTHING)) or []
        _, unknown = unknown_commits(commits, known.get(table, 0))
        if unknown:
            found.append(table)
    return found


def ledger_flaws(lake: Lake, ledger: FileLedger) -> list[DamagedError]:
    """Inconsistencies in the ledger of files, and between its counts and the tables."""
    flaws = [
        DamagedError(
            f"{entry.file} of {entry.source}: its counts do not add up",
            where=FILES.name,
            hint=f"restore the lake from a backup, or {rebuild_hint(SILVER.of(entry.source).name)}",
        )
        for entry in ledger.entries
        if not entry.is_balanced
    ]
    loaded = [entry for entry in ledger.entries if entry.status == "loaded"]
    sources = sorted({entry.source for entry in loaded})
    known = ledger.versions([*(f"{layer}.{source}" for source in sources for layer in LAYERS[:2]), REJECTED.name])
    for source in sources:
        mine = [entry for entry in loaded if entry.source == source]
        expected = {entry.batch: entry.rows for entry in mine}
        bronze = BRONZE.of(source).name
        with noting(flaws, bronze):
            flaws += _batch_flaws(lake, bronze, known, expected)
        flaws += silver_flaws(lake, ledger, source)
    rejected = {entry.batch: entry.rejected for entry in loaded if entry.rejected}
    if rejected or REJECTED.name in known:
        with noting(flaws, REJECTED.name):
            flaws += _batch_flaws(lake, REJECTED.name, known, rejected)
    return flaws


def silver_flaws(lake: Lake, ledger: FileLedger, source: str) -> list[DamagedError]:
    """A silver table of a source that is missing, or whose rows differ from the ledger."""
    flaws: list[DamagedError] = []
    silver = SILVER.of(source).name
    with noting(flaws, silver):
        rows = _known_rows(lake, silver, ledger.versions([silver])).count()
        inserted = sum(entry.inserted for entry in ledger.loaded(source))
        if rows != inserted:
            flaws.append(
                DamagedError(
                    f"{rows:,} rows, the ledger says {inserted:,}",
                    where=silver,
                    hint=f"restore the lake from a backup, or {rebuild_hint(silver)}",
                )
            )
    return flaws


def _known_rows(lake: Lake, table: str, known: dict[str, int]) -> DataFrame:
    """The rows that the ledger knows.

    Raises:
        MissingResultError: if the table does not exist.
        DamagedError: if the table is older than the ledger.
    """
    newest = lake.version(table)
    if newest is not None and newest < known.get(table, NOTHING):
        raise DamagedError(
            f"the ledger lists version {known[table]}, but the newest one is {newest}",
            where=table,
            hint=f"restore the lake from a backup, or {rebuild_hint(table)}",
        )
    return rows_at(lake, table, known.get(table) if newest is not None else None)


def _batch_flaws(lake: Lake, table: str, known: dict[str, int], expected: dict[str, int]) -> list[DamagedError]:
    counted = _known_rows(lake, table, known).groupBy("_batch").agg(F.count("*").alias("rows")).collect()
    found = {row["_batch"]: int(row["rows"]) for row in counted}
    return [
        DamagedError(
            f"batch {b}: {found.get(b, 0):,} rows, the ledger says {expected.get(b, 0):,}",
            where=table,
            hint=f"restore the lake from a backup, or {rebuild_hint(table)}",
        )
        for b in sorted({*expected, *found})
        if expected.get(b) != found.get(b)
    ]


def run_flaws(lake: Lake, version_of: Callable[[str], int | None], only: str | None = None) -> list[DamagedError]:
    """Results in the ledger of runs that are missing.

    Args:
        lake: the lake.
        version_of: returns a table's newest version; called after the ledger is read, as a run may end meanwhile.
        only: the table to check; None = all.
    """
    runs = lake.find(RUNS.name)
    if runs is None:
        return []
    outputs = runs.where("status = 'done'").select("run_id", F.explode("outputs").alias("table", "version"))
    outputs = outputs if only is None else outputs.where(F.col("table") == only)
    newest = outputs.groupBy("table").agg(F.max("version").alias("version"), F.max_by("run_id", "version").alias("id"))
    found = [(row, version_of(row.table)) for row in newest.collect()]
    return [
        DamagedError(
            f"run {row.id} wrote version {row.version}, the table has {'none' if there is None else there}",
            where=row.table,
            hint=f"restore the lake from a backup, or {rebuild_hint(row.table)}"
            if row.table.startswith(_OF_RECORDS)
            else _HINT_OF_RESULTS,
        )
        for row, there in found
        if there is None or row.version > there
    ]


def compact(lake: Lake, table: str) -> None:
    """Many small files become few large ones; the rows stay as they are."""
    here = lake.here(table)
    if here is not None and len(here.files) <= 1:
        return
    lake.spark.sql(f"OPTIMIZE {lake.reference(table)}")


def compact_and_vacuum(lake: Lake, tables: Sequence[str], hours: int) -> None:
    """Both for each table, several at once: with small tables most of the time goes into planning, on one core."""
    # Set around all, for none of them may take it back while another one vacuums.
    with with_property(lake.spark, _RETENTION_CHECK, "false"), threads(lake.spark, _TABLES_AT_ONCE) as executor:

        def look_after(table: str) -> None:
            compact(lake, table)
            vacuum(lake, table, hours)

        for _ in executor.map(look_after, tables):
            pass


def vacuum(lake: Lake, table: str, hours: int) -> None:
    """Delete files that no version of the last `hours` needs; older versions become unreadable."""
    here = lake.here(table)
    if here is not None and not here.has_old_files(time.time() - hours * 3600):
        return
    # Delta wants no less than the table's own retention, which is long so that old versions can be read at all.
    with with_property(lake.spark, _RETENTION_CHECK, "false"):
        lake.spark.sql(f"VACUUM {lake.reference(table)} RETAIN {hours} HOURS")


def size_of(lake: Lake, table: str) -> Size:
    """A table's newest version in numbers."""
    here = lake.here(table)
    if here is not None:
        return Size(table, here.number, len(here.files), here.bytes)
    detail = lake.spark.sql(f"DESCRIBE DETAIL {lake.reference(table)}").select("numFiles", "sizeInBytes").collect()[0]
    return Size(table, lake.version(table) or 0, int(detail.numFiles), int(detail.sizeInBytes))
