"""Where tables live: a folder (path store) or a catalog (catalog.schema.table), behind one object.

Every write carries a label. A label that is already in a table's history is not written again, so that an interrupted
step resumes where it stopped. If the writer names the version after which it writes, and others may write at the same
time, Delta also refuses a second write with that label (as a transaction id with version 1). Afterwards the label is
looked up in the history, so that a silently skipped write is noticed.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.arrow import Rows
from otklik.errors import DamagedError, MissingResultError
from otklik.lake.commits import NOTHING, Commit, commit_of, commits_in, versions_in
from otklik.lake.creation import create
from otklik.lake.local import SMALL, LeftToSparkError, LocalLake, LocalTable
from otklik.lake.missing import no_such_table
from otklik.lake.tables import HOUSE_PROPERTIES, Column, Table, rebuild_hint
from otklik.session import frame_of

#: How Spark and Delta say, depending on the statement and the kind of store, that there is no such table.
_MISSING = {
    "DELTA_TABLE_ONLY_OPERATION",
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_PATH_DOES_NOT_EXIST",
    "PATH_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
}
#: How a moment is written as text: no digit is lost, and its zone is named; a local time has none.
TIME_PATTERN = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
LOCAL_TIME_PATTERN = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"
#: The same as options of to_json.
MOMENTS_AS_TEXT = {"timestampFormat": TIME_PATTERN, "timestampNTZFormat": LOCAL_TIME_PATTERN}
#: How they say that files of an old version are gone.
_VACUUMED = (
    "DELTA_FILE_NOT_FOUND",
    "DELTA_RESTORE_TABLE",
    "DELTA_CANNOT_RESTORE",
    "DELTA_VERSION_NOT_FOUND",
    "DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION",
    "FAILED_READ_FILE.FILE_NOT_EXIST",
    "Not all files from version",
)
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_TRANSACTION = "spark.databricks.delta.write.txn"
#: So many of the newest commits are looked at first: reading a long history takes long.
_RECENT = 10
_HISTORY = ("version", "operation", "operationParameters", "operationMetrics", "userMetadata")
#: Properties of a table that name columns.
_MARK = "otklik."
#: Properties of a table that hold its rows to a predicate.
_CONSTRAINT = "delta.constraints."
#: Type → the functions of SQL that make a number of it, and it of the number.
_AS_NUMBERS = {"TIMESTAMP": ("unix_micros", "timestamp_micros"), "DATE": ("unix_date", "date_from_unix_date")}
_DEFAULTS_OF_TABLES = "spark.databricks.delta.properties.defaults."
#: What Spark shows instead of a property that may hold a secret.
_HIDDEN = "*********(redacted)"


@dataclass(frozen=True)
class SmallTable:
    """Rows of a table on the driver, by column; moments are in UTC."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


def small_table(rows: DataFrame) -> SmallTable:
    """All rows of a frame on the driver."""
    return SmallTable(rows.columns, [_in_utc(row.asDict(recursive=True)) for row in rows.collect()])


def _in_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with timestamps in UTC; Spark returns them in the local time zone, without a zone."""
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def _without_zones(rows: pa.Table) -> pa.Table:
    """Timestamps without their zone, UTC."""
    kinds = [pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema([field.with_type(kind) for field, kind in zip(rows.schema, kinds, strict=True)]))


@dataclass(frozen=True)
class Lake:
    """The tables of one lake.

    Args:
        session: the Spark session, or a function that starts it on first use; reading table logs needs no JVM.
        root: absolute folder or URI; tables of a path store, and always models and reports.
        catalog: name of the catalog that holds the tables; None for a path store.
        is_here: whether the folder of a path store is on this machine, also for Spark. Table logs are then read
            directly; a query would take longer than a small write.
    """

    session: SparkSession | Callable[[], SparkSession]
    root: str
    catalog: str | None = None
    is_here: bool = False

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.session() if callable(self.session) else self.session

    def reference(self, table: str) -> str:
        """The table's name in SQL."""
        layer, _, name = table.partition(".")
        if self.catalog is not None:
            return f"`{self.catalog}`.`{layer}`.`{name}`"
        root = self.root.replace("`", "``")
        return f"delta.`{root}/{layer}/{name}`"

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        return self.find(table) is not None

    def version(self, table: str) -> int | None:
        """The newest version of the table; None if it does not exist."""
        if self.is_here:
            return max(versions_in(self._log(table)), default=None)
        try:
            latest = self.spark.sql(f"DESCRIBE HISTORY {self.reference(table)} LIMIT 1").select("version").collect()
        except AnalysisException as fault:
            if _says_missing(fault):
                return None
            raise
        return int(latest[0].version) if latest else None

    def find(self, table: str) -> DataFrame | None:
        """The newest rows of a table; None if it does not exist."""
        if self._is_missing_here(table):
            return None
        try:
            return self.spark.sql(f"SELECT * FROM {self.reference(table)}")
        except AnalysisException as fault:
            if _says_missing(fault):
                return None
            raise

    def small(self, table: str, where: Mapping[str, Collection[str]] = MappingProxyType({})) -> SmallTable | None:
        """A small table, collected on the driver; None if it does not exist.

        A local lake is read by delta-rs, as a Spark query would take longer than a small write.

        Args:
            table: a small table, such as a ledger or gold.measures.
            where: string column → the values to keep.
        """
        if self._is_missing_here(table):
            return None
        with contextlib.suppress(LeftToSparkError):
            there = self._small_here(table)
            return SmallTable(there.schema.names, there.records(where))
        rows = self._only(table, where)
        return None if rows is None else small_table(rows)

    def small_frame(
        self, table: str, where: Mapping[str, Collection[str]] = MappingProxyType({})
    ) -> pd.DataFrame | None:
        """As `small`, in columns as Spark hands them to pandas: moments are in UTC, without a zone."""
        if self._is_missing_here(table):
            return None
        with contextlib.suppress(LeftToSparkError):
            here: pd.DataFrame = _without_zones(self._small_here(table).chosen(where)).to_pandas(
                maps_as_pydicts="strict"
            )
            return here
        rows = self._only(table, where)
        return None if rows is None else rows.toPandas()

    def _only(self, table: str, where: Mapping[str, Collection[str]]) -> DataFrame | None:
        rows = self.find(table)
        for column, values in where.items():
            rows = None if rows is None else rows.where(F.col(column).isin(*values))
        return rows

    def cached_by_driver(self, table: str, version: int | None = None) -> DataFrame | None:
        """A version of a small table as a local DataFrame, which needs no Spark job; None if the table is not small or
        not on this machine."""
        if self._is_missing_here(table):
            return None
        with contextlib.suppress(LeftToSparkError):
            there = self._small_here(table, version)
            return self.spark.createDataFrame(there.all_rows())
        return None

    def here(self, table: str) -> LocalTable | None:
        """The newest version of a local table; None if only Spark can tell."""
        with contextlib.suppress(LeftToSparkError):
            return self._local.table(table)
        return None

    @property
    def _local(self) -> LocalLake:
        """Raises LeftToSparkError where the lake is not on this machine."""
        if not self.is_here:
            raise LeftToSparkError
        return LocalLake(Path(self.root))

    def _small_here(self, table: str, version: int | None = None) -> LocalTable:
        """Raises LeftToSparkError where Spark has to read it."""
        there = self._local.table(table, version)
        if there.bytes > SMALL:
            raise LeftToSparkError
        return there

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """The rows of a table, of a version if one is given.

        Raises:
            MissingResultError: if the table or that version of it is gone.
        """
        pinned = "" if version is None else f" VERSION AS OF {version}"
        try:
            return self.spark.sql(f"SELECT * FROM {self.reference(table)}{pinned}")
        except AnalysisException as fault:
            if pinned and not _says_missing(fault):
                raise MissingResultError(
                    f"version {version} no longer exists",
                    where=table,
                    hint="run without --as-of or with --newest, or restore the lake from a backup",
                ) from fault
            raise no_such_table(table) from fault

    def make(self, table: Table) -> None:
        """Create an empty table from its definition, if it does not exist."""
        if self.catalog is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{self.catalog}`.`{table.layer}`")
        if self.has_log_without_versions(table.name):
            self.remove_log_without_versions(table.name)
        if self.is_here and not self._has_defaults and create(self._log(table.name), table, _properties(table)):
            return
        columns = ", ".join(_column_clause(column) for column in table.columns)
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self.reference(table.name)} ({columns}) USING DELTA "
            f"COMMENT {sql_text(table.meaning)} TBLPROPERTIES ({_properties_clause(table)})"
        )

    @property
    def _has_defaults(self) -> bool:
        """Whether the session has properties for new tables: they are for Spark to set."""
        return any(key.startswith(_DEFAULTS_OF_TABLES) for key in self.spark.conf.getAll)

    def add_column(self, table: Table, name: str) -> None:
        """Add the last column of the definition to a table; it is null in existing rows."""
        column = next(each for each in table.columns if each.name == name)
        self.spark.sql(f"ALTER TABLE {self.reference(table.name)} ADD COLUMNS ({_column_clause(column)})")

    def set_property(self, table: str, name: str, value: str | None) -> None:
        """Set a table property; None unsets it."""
        change = f"SET TBLPROPERTIES ('{name}' = {sql_text(value)})" if value else f"UNSET TBLPROPERTIES ('{name}')"
        self.spark.sql(f"ALTER TABLE {self.reference(table)} {change}")

    def hold_to(self, table: Table, constraint: str) -> None:
        """Put a constraint of the definition in the place of an earlier version's; nothing where it stands."""
        held, wanted = self.constraints(table.name).get(constraint), table.constraints[constraint]
        # Delta writes blanks of its own between the words of a predicate.
        if held is not None and "".join(held.split()) == "".join(wanted.split()):
            return
        target = self.reference(table.name)
        if held is not None:
            self.spark.sql(f"ALTER TABLE {target} DROP CONSTRAINT {constraint}")
        self.spark.sql(f"ALTER TABLE {target} ADD CONSTRAINT {constraint} CHECK ({wanted})")

    def has_log_without_versions(self, table: str) -> bool:
        """Whether a run was killed, or found the disk full, before the table's first commit.

        Delta takes such a log for a table: it would neither make one nor write to it. Object stores know no half-made
        commit.
        """
        if self.catalog is not None or "://" in self.root:
            return False
        place = self._log(table)
        return place.is_dir() and not [*place.glob("*.json"), *place.glob("*.parquet")]

    def remove_log_without_versions(self, table: str) -> None:
        """Remove the log, so that the table can be created again; only if `has_log_without_versions`."""
        shutil.rmtree(self._log(table))

    def _is_missing_here(self, table: str) -> bool:
        return self.is_here and not versions_in(self._log(table))

    def _log(self, table: str) -> Path:
        return Path(self.folder(*table.split("."), "_delta_log"))

    def _create_or_find(self, table: Table, label: str, after: int, *, is_new: bool) -> Commit | None:
        """The write that carries this label, if the table has it; a missing table is made."""
        commits = [] if is_new and after > NOTHING else self.commits(table.name, after, label)
        if commits is None:
            self.make(table)
            return None
        _check_columns(table, self.read(table.name))
        return _labelled(commits, label)

    def commits(self, table: str, after: int = NOTHING, label: str | None = None) -> list[Commit] | None:
        """The commits after a version, oldest first; None if there is no such table.

        If a label is given, reading may stop at a commit with that label.
        """
        if self.is_here:
            return None if self._is_missing_here(table) else commits_in(self._log(table), after)
        for limit in (f" LIMIT {_RECENT}", ""):
            try:
                history = self.spark.sql(f"DESCRIBE HISTORY {self.reference(table)}{limit}")
                rows = history.select(*_HISTORY).collect()
            except AnalysisException as fault:
                if _says_missing(fault):
                    return None
                raise
            if len(rows) < _RECENT or rows[-1].version <= after + 1:
                break
            if label is not None and any(row.version > after and row.userMetadata == label for row in rows):
                break
        return [commit_of(int(row.version), row.asDict()) for row in reversed(rows) if row.version > after]

    def append(
        self,
        table: Table,
        rows: DataFrame,
        label: str,
        after: int = NOTHING,
        *,
        is_new: bool = False,
        is_alone: bool = False,
    ) -> Commit:
        """Add rows once; a second call with the same label adds nothing.

        Args:
            table: the definition.
            rows: what to add.
            label: of this write.
            after: the version after which the label is looked for.
            is_new: whether the caller knows that no commit after that version has the label.
            is_alone: whether no other process can write; then Delta need not search the table state for transaction
                ids, which takes longer than a small write.

        Raises:
            DamagedError: if Delta did not make the commit.
        """
        done = self._create_or_find(table, label, after, is_new=is_new)
        if done is not None:
            return done
        writer = _in_order(rows, table).writeTo(self.reference(table.name)).option("userMetadata", label)
        if after > NOTHING and not is_alone:
            writer = writer.option("txnAppId", _transaction(label, after)).option("txnVersion", "1")
        writer.append()
        return self._written(table.name, label, after, rows)

    def add(self, table: Table, rows: DataFrame, label: str) -> None:
        """Add rows under a label that no other write can have.

        Without a transaction id Delta skips no write: what did not fail is there.
        """
        there = self.find(table.name)
        if there is None:
            self.make(table)
        else:
            _check_columns(table, there)
        _in_order(rows, table).writeTo(self.reference(table.name)).option("userMetadata", label).append()

    def add_rows(self, table: Table, rows: Rows, label: str) -> int:
        """As `add`, for a few local rows (see `arrow_rows`); on a local lake without Spark.

        Returns:
            A version that contains them.
        """
        if self._is_missing_here(table.name):
            self.make(table)
        with contextlib.suppress(LeftToSparkError):
            return self._local.append(table.name, rows, {column.name: column.type for column in table.columns}, label)
        self.add(table, frame_of(self.spark, rows, table.ddl), label)
        return self.version(table.name) or 0

    def replace_rows(self, table: Table, rows: Rows, label: str, where: Mapping[str, str] | None = None) -> int:
        """As `replace`, for a few local rows as in `add_rows`; returns a version that contains them."""
        if where is not None and self._has_none(table.name, where):
            return self.add_rows(table, rows, label)
        return self.replace(table, frame_of(self.spark, rows, table.ddl), label, where).version

    def replace(self, table: Table, rows: DataFrame, label: str, where: Mapping[str, str] | None = None) -> Commit:
        """Replace all rows, or those whose columns have the values of `where`."""
        before = self.version(table.name)
        # To replace nothing takes three times as long as to add.
        if before is None:
            return self.append(table, rows, label, is_new=True)
        if _has_other_columns(table, there := self.read(table.name)):
            if where is None:
                return self._replace_with_other_columns(table, rows, label, before)
            _check_columns(table, there)
        if where is not None and self._has_none(table.name, where):
            return self.append(table, rows, label, before, is_new=True, is_alone=True)
        condition = F.lit(True)
        for column, value in (where or {}).items():
            condition = condition & (F.col(column) == F.lit(value))
        _in_order(rows, table).writeTo(self.reference(table.name)).option("userMetadata", label).overwrite(condition)
        return self._written(table.name, label, before, rows)

    def _has_none(self, table: str, where: Mapping[str, str]) -> bool:
        """Whether no row has these values, as far as this is known without a query."""
        there = self.small(table, {name: [value] for name, value in where.items()}) if self.is_here else None
        return there is not None and not there.rows

    def merge(
        self,
        table: Table,
        rows: DataFrame,
        label: str,
        *,
        update_when: str | None,
        delete_when: str | None = None,
        keeps: Mapping[str, str | None] = MappingProxyType({}),
        after: int = NOTHING,
        is_new: bool = False,
        is_alone: bool = False,
    ) -> Commit:
        """Insert rows with new keys and replace rows with known keys if `update_when` is true.

        Args:
            table: the definition; its key joins, null-safe.
            rows: one row per key.
            label: of this write.
            update_when: SQL over target `t` and source `s`; None never updates.
            delete_when: SQL over `t`; target rows without a source row are deleted if it is true. None keeps them all.
            keeps: columns to keep in replaced rows → SQL over `t` for the rows where they are replaced, too.
            after: the version after which the label is looked for.
            is_new: whether the caller knows that no commit after that version has the label.
            is_alone: as in `append`.

        Raises:
            DamagedError: if Delta made no commit although rows had to change.
        """
        done = self._create_or_find(table, label, after, is_new=is_new)
        if done is not None:
            return done
        match = " AND ".join(f"t.`{column}` <=> s.`{column}`" for column in table.key)
        values = ", ".join(f"t.`{c.name}` = {_coming(c.name, keeps)}" for c in table.columns) if keeps else "*"
        update = f"WHEN MATCHED AND ({update_when}) THEN UPDATE SET {values} " if update_when is not None else ""
        delete = f" WHEN NOT MATCHED BY SOURCE AND ({delete_when}) THEN DELETE" if delete_when is not None else ""
        # Where frames go by name, braces in the lake's path would be taken for one.
        target = self.reference(table.name).replace("{", "{{").replace("}", "}}")
        reach, ends = _reach(table, rows)
        with self._marked(label, NOTHING if is_alone else after):
            self.spark.sql(
                f"MERGE INTO {target} AS t USING {{rows}} AS s ON {' AND '.join([match, *reach])} "
                f"{update}WHEN NOT MATCHED THEN INSERT *{delete}",
                ends,
                rows=_in_order(rows, table),
            )
        there = self.read(table.name).withColumn("_is_there", F.lit(True)).alias("t")
        missed = f"t._is_there IS NULL OR ({update_when or 'false'})"
        left = [_in_order(rows, table).alias("s").join(there, F.expr(match), "left").where(missed)]
        if delete_when is not None:
            left.append(there.join(_in_order(rows, table).alias("s"), F.expr(match), "anti").where(delete_when))
        return self._written_or_unchanged(table.name, label, after, left)

    def under_keys_of(self, table: Table, there: DataFrame, rows: DataFrame) -> DataFrame:
        """The rows that are there under the keys of rows that come; as `merge`, null-safe."""
        reach, ends = _reach(table, rows)
        if reach:
            within = " AND ".join(reach)
            there = self.spark.sql(f"SELECT t.* FROM {{there}} AS t WHERE {within}", ends, there=there)
        match = " AND ".join(f"t.`{column}` <=> s.`{column}`" for column in table.key)
        return there.alias("t").join(rows.alias("s"), F.expr(match), "left_semi")

    def delete(self, table: str, where: str, label: str, after: int, *, is_alone: bool = False) -> Commit:
        """Remove the rows that fulfil a SQL predicate, once; `is_alone` as in `append`.

        Raises:
            DamagedError: if Delta made no commit, and such rows are there.
        """
        done = _labelled(self.commits(table, after, label) or [], label)
        if done is not None:
            return done
        with self._marked(label, NOTHING if is_alone else after):
            self.spark.sql(f"DELETE FROM {self.reference(table)} WHERE {where}")
        return self._written_or_unchanged(table, label, after, [self.read(table).where(where)])

    def rebuild(self, table: Table, rows: DataFrame, label: str) -> Commit:
        """Put a table of this definition with these rows in the place of one that may have another; old versions stay.

        Raises:
            DamagedError: if Delta did not make the commit.
        """
        before = self.version(table.name)
        if before is None:
            self.make(table)
            before = NOTHING
        target = self.reference(table.name).replace("{", "{{").replace("}", "}}")
        with self._marked(label, NOTHING):
            self.spark.sql(
                f"CREATE OR REPLACE TABLE {target} USING DELTA COMMENT {sql_text(table.meaning)} "
                f"TBLPROPERTIES ({_properties_clause(table)}) AS SELECT * FROM {{rows}}",
                rows=_commented(rows, table),
            )
        return self._written(table.name, label, before, rows)

    def restore(self, table: str, version: int) -> int:
        """Restore an older version of a table; returns the new version.

        Raises:
            MissingResultError: if the files of that version have been vacuumed.
        """
        try:
            self.spark.sql(f"RESTORE TABLE {self.reference(table)} TO VERSION AS OF {version}")
        except Exception as fault:
            if not says_vacuumed(fault):
                raise
            raise MissingResultError(
                f"version {version} cannot be restored: its files were vacuumed",
                where=table,
                hint=f"restore the lake from a backup, or {rebuild_hint(table)}",
            ) from None
        return self.version(table) or version

    def personal_columns(self, table: str) -> list[str]:
        """Columns with personal data; empty if there is no such table."""
        return self.marked_columns(table).get("personal", [])

    def marked_columns(self, table: str) -> dict[str, list[str]]:
        """Columns by mark: personal, after_decision; empty if there is no such table."""
        marks = self._properties(table, _MARK)
        return {mark: [name for name in names.split(",") if name] for mark, names in marks.items()}

    def constraints(self, table: str) -> dict[str, str]:
        """Delta's CHECK constraints of a table, by name; empty if there is no such table."""
        return self._properties(table, _CONSTRAINT)

    def _properties(self, table: str, start: str) -> dict[str, str]:
        """Table properties whose names start with a prefix, by the rest of their names."""
        found = self.properties(table).items()
        return {key.removeprefix(start): value for key, value in found if key.startswith(start)}

    def properties(self, table: str) -> dict[str, str]:
        """The properties of a table; empty if there is no such table."""
        if self._is_missing_here(table):
            return {}
        here = self.here(table)
        if here is not None:
            return dict(here.properties)
        try:
            # Not from DESCRIBE DETAIL, which counts the table's files first.
            found = self.spark.sql(f"SHOW TBLPROPERTIES {self.reference(table)}").collect()
        except AnalysisException as fault:
            if _says_missing(fault):
                return {}
            raise
        properties = {row.key: row.value for row in found}
        if _HIDDEN in properties.values():
            # Names of columns may hold words such as url or token, at which Spark hides the value.
            [detail] = self.spark.sql(f"DESCRIBE DETAIL {self.reference(table)}").select("properties").collect()
            properties |= detail.properties
        return properties

    def folder(self, *parts: str) -> str:
        """The location of files other than tables: models, reports."""
        return "/".join([self.root, *parts])

    def _written(self, table: str, label: str, after: int, rows: DataFrame) -> Commit:
        """The newest write with this label, which was made just now; of no rows Delta may have made no commit."""
        found = _labelled(self.commits(table, after, label) or [], label)
        if found is not None:
            return found
        if rows.isEmpty():
            return Commit(self.version(table) or 0, {})
        raise _not_written(table, label)

    def _written_or_unchanged(self, table: str, label: str, after: int, left: Sequence[DataFrame]) -> Commit:
        """The commit with this label; without changes Delta makes no commit, and the version stays.

        `left` are the rows that the write should have changed, read only if there is no commit.
        """
        commits = self.commits(table, after, label) or []
        found = _labelled(commits, label)
        if found is None and any(not rows.isEmpty() for rows in left):
            raise _not_written(table, label)
        return found or Commit(commits[-1].version if commits else max(after, 0), {})

    def _replace_with_other_columns(self, table: Table, rows: DataFrame, label: str, before: int) -> Commit:
        """A table that is replaced as a whole may change its columns with its task; old versions stay readable."""
        writer = _commented(rows, table).write.format("delta").mode("overwrite")
        writer = writer.option("overwriteSchema", "true").option("userMetadata", label)
        if self.catalog is not None:
            writer.saveAsTable(self.reference(table.name))
        else:
            writer.save(f"{self.root}/{table.name.replace('.', '/')}")
        return self._written(table.name, label, before, rows)

    @contextlib.contextmanager
    def _marked(self, label: str, after: int) -> Iterator[None]:
        """Statements of SQL take their label and transaction id from the session."""
        marks = {_USER_METADATA: label}
        if after > NOTHING:
            marks |= {f"{_TRANSACTION}AppId": _transaction(label, after), f"{_TRANSACTION}Version": "1"}
        for key, value in marks.items():
            self.spark.conf.set(key, value)
        try:
            yield
        finally:
            for key in marks:
                self.spark.conf.unset(key)


def _coming(column: str, keeps: Mapping[str, str | None]) -> str:
    """What a column of a replaced row becomes, as SQL over `t` (there) and `s` (coming)."""
    if column not in keeps:
        return f"s.`{column}`"
    return f"CASE WHEN {keeps[column] or 'false'} THEN s.`{column}` ELSE t.`{column}` END"


def _labelled(commits: Sequence[Commit], label: str) -> Commit | None:
    """The newest of the commits with this label."""
    return next((commit for commit in reversed(commits) if commit.label == label), None)


def _not_written(table: str, label: str) -> DamagedError:
    return DamagedError(
        f"the write {label!r} is not in its history",
        where=table,
        hint="run the command again; if the error persists, `otklik maintain --check-only` shows what is wrong",
    )


def _transaction(label: str, after: int) -> str:
    """Transaction id of a write: the same when it is repeated, another one if the table was restored in between."""
    return f"{label} after {after}"


def _reach(table: Table, rows: DataFrame) -> tuple[list[str], dict[str, Any]]:
    """A SQL condition (with parameters) on target rows `t`: the range of the incoming keys.

    It lets Delta skip files without such keys. If keys grow with time, few files remain; otherwise each batch would be
    compared with the whole table.
    """
    names = [name for name in table.key if name in table.counted]
    if not names:
        return [], {}
    # Moments and days as numbers: Python would take moments through the machine's own zone, in which an hour of autumn
    # comes twice and the last years have no room, and writes the years before 1000 as Java does not read them.
    types = {column.name: column.type for column in table.columns}
    numbered = {name: _AS_NUMBERS[types[name]] for name in names if types[name] in _AS_NUMBERS}
    ends_of = {
        name: F.expr(f"{numbered[name][0]}(`{name}`)") if name in numbered else F.col(f"`{name}`") for name in names
    }
    least = [F.min(end).alias(f"least_{name}") for name, end in ends_of.items()]
    greatest = [F.max(end).alias(f"greatest_{name}") for name, end in ends_of.items()]
    ends = rows.agg(*least, *greatest).collect()[0].asDict()
    # Where all are null, a comparison would be unknown, and true of no row.
    bounded = [name for name in names if ends[f"least_{name}"] is not None]
    conditions = []
    for name in bounded:
        low, high = (
            f"{numbered[name][1]}(:{end}_{name})" if name in numbered else f":{end}_{name}"
            for end in ("least", "greatest")
        )
        conditions.append(f"(t.`{name}` BETWEEN {low} AND {high} OR t.`{name}` IS NULL)")
    return conditions, ends


def _has_other_columns(table: Table, there: DataFrame) -> bool:
    return there.dtypes != table.dtypes


def _check_columns(table: Table, there: DataFrame) -> None:
    if _has_other_columns(table, there):
        raise DamagedError(
            f"its columns do not match its definition; it has: {', '.join(map(' '.join, there.dtypes))}",
            where=table.name,
            hint=f"bring the table to its definition, or {rebuild_hint(table.name)}",
        )


def _in_order(rows: DataFrame, table: Table) -> DataFrame:
    return rows.selectExpr(*(f"CAST(`{column.name}` AS {column.type}) AS `{column.name}`" for column in table.columns))


def _commented(rows: DataFrame, table: Table) -> DataFrame:
    """Rows with the table's column order and comments."""
    return _in_order(rows, table).select(
        *(F.col(f"`{c.name}`").alias(c.name, metadata={"comment": c.meaning}) for c in table.columns)
    )


def _properties(table: Table) -> dict[str, str]:
    """All properties that a table is made with, sorted."""
    constraints = {f"{_CONSTRAINT}{name}": holds for name, holds in table.constraints.items()}
    return dict(sorted({**HOUSE_PROPERTIES, **table.properties, **constraints}.items()))


def _properties_clause(table: Table) -> str:
    return ", ".join(f"'{key}' = {sql_text(value)}" for key, value in _properties(table).items())


def _column_clause(column: Column) -> str:
    comment = f" COMMENT {sql_text(column.meaning)}" if column.meaning else ""
    return f"`{column.name}` {column.type}{comment}"


def sql_text(text: str) -> str:
    """A text as a SQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def sql_double(number: float) -> str:
    """A number as a SQL literal of double precision, all digits and infinities kept."""
    return f"DOUBLE('{float(number)!r}')"


def _says_missing(fault: AnalysisException) -> bool:
    return (fault.getCondition() or "") in _MISSING


def says_vacuumed(fault: Exception) -> bool:
    """Whether Spark failed because the files of an old version of a table are gone."""
    return any(name in f"{fault}" for name in _VACUUMED)
