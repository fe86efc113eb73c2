"""Where tables live: a folder (path store) or a catalog (catalog.schema.table), behind one object.

Every write carries a label. A label that is already in a table's history is not written again: a step that was
interrupted and runs again continues where it stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.tables import Column, Table

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
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Commit:
    """One version of a table: its number and Delta's own counts of the write."""

    version: int
    metrics: Mapping[str, str]

    def count(self, metric: str) -> int:
        """A count such as numOutputRows; 0 where Delta did not state it."""
        return int(self.metrics.get(metric, "0"))


@dataclass(frozen=True)
class Lake:
    """The tables of one lake.

    Args:
        spark: the session.
        root: absolute folder or URI; tables of a path store, and always models and reports.
        catalog: name of the catalog that holds the tables; None for a path store.
    """

    spark: SparkSession
    root: str
    catalog: str | None = None

    def reference(self, table: str) -> str:
        """The table's name in SQL."""
        layer, _, name = table.partition(".")
        if self.catalog is not None:
            return f"`{self.catalog}`.`{layer}`.`{name}`"
        return f"delta.`{self.root}/{layer}/{name}`"

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        return self.version(table) is not None

    def version(self, table: str) -> int | None:
        """The newest version of the table, or None where there is no such table."""
        try:
            latest = self.spark.sql(f"DESCRIBE HISTORY {self.reference(table)} LIMIT 1").select("version").collect()
        except AnalysisException as fault:
            if _says_missing(fault):
                return None
            raise
        return int(latest[0].version) if latest else None

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """The rows of a table, as of a version where one is given.

        Raises:
            MissingResultError: if the table or that version of it is gone.
        """
        pinned = "" if version is None else f" VERSION AS OF {version}"
        try:
            return self.spark.sql(f"SELECT * FROM {self.reference(table)}{pinned}")
        except AnalysisException as fault:
            raise MissingResultError(
                f"there is no such table{f' at version {version}' if pinned else ''}",
                where=table,
                cure="`otklik tables` lists what fills each table",
            ) from fault

    def _make(self, table: Table) -> None:
        if self.catalog is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{self.catalog}`.`{table.layer}`")
        columns = ", ".join(_column_clause(column) for column in table.columns)
        cluster = f" CLUSTER BY ({', '.join(table.cluster_by)})" if table.cluster_by else ""
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in sorted(table.properties.items()))
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self.reference(table.name)} ({columns}) USING DELTA{cluster} "
            f"COMMENT {sql_text(table.meaning)}" + (f" TBLPROPERTIES ({properties})" if properties else "")
        )

    def _create_or_find(self, table: Table, label: str) -> Commit | None:
        """The write that carries this label, if the table has it; a missing table is made."""
        try:
            done = self.commit(table.name, label)
        except AnalysisException as fault:
            if not _says_missing(fault):
                raise
            self._make(table)
            return None
        self._check_columns(table)
        return done

    def commit(self, table: str, label: str) -> Commit | None:
        """The write that carries this label, or None."""
        history = self.spark.sql(f"DESCRIBE HISTORY {self.reference(table)}")
        found = history.where(F.col("userMetadata") == label).select("version", "operationMetrics").collect()
        return Commit(int(found[0].version), dict(found[0].operationMetrics or {})) if found else None

    def append(self, table: Table, rows: DataFrame, label: str) -> Commit:
        """Add rows once; a second call with the same label adds nothing."""
        done = self._create_or_find(table, label)
        if done is not None:
            return done
        _in_order(rows, table).writeTo(self.reference(table.name)).option("userMetadata", label).append()
        return self._written(table.name, label)

    def replace(self, table: Table, rows: DataFrame, label: str, where: Mapping[str, str] | None = None) -> Commit:
        """Put rows in place of all rows, or of those whose columns have the values of `where`."""
        if not self.exists(table.name):
            self._make(table)
        elif self._has_other_columns(table):
            if where is None:
                return self._replace_with_other_columns(table, rows, label)
            self._check_columns(table)
        condition = F.lit(True)
        for column, value in (where or {}).items():
            condition = condition & (F.col(column) == F.lit(value))
        _in_order(rows, table).writeTo(self.reference(table.name)).option("userMetadata", label).overwrite(condition)
        return self._written(table.name, label)

    def merge(self, table: Table, rows: DataFrame, label: str, *, update_when: str | None) -> Commit:
        """Insert rows with new keys and, where `update_when` holds, replace rows whose key is known.

        Args:
            table: the definition; its key joins, null-safe.
            rows: one row per key.
            label: of this write.
            update_when: SQL over `t` (there) and `s` (coming); None never updates.
        """
        done = self._create_or_find(table, label)
        if done is not None:
            return done
        match = " AND ".join(f"t.`{column}` <=> s.`{column}`" for column in table.key)
        update = f"WHEN MATCHED AND ({update_when}) THEN UPDATE SET * " if update_when is not None else ""
        with self._labelled(label):
            self.spark.sql(
                f"MERGE INTO {self.reference(table.name)} AS t USING {{rows}} AS s ON {match} "
                f"{update}WHEN NOT MATCHED THEN INSERT *",
                rows=_in_order(rows, table),
            )
        return self._written(table.name, label)

    def personal_columns(self, table: str) -> list[str]:
        """The columns of a table that hold personal data; none where there is no such table."""
        if not self.exists(table):
            return []
        properties = self.spark.sql(f"DESCRIBE DETAIL {self.reference(table)}").collect()[0].properties
        return [name for name in properties.get("otklik.personal", "").split(",") if name]

    def folder(self, *parts: str) -> str:
        """A place for files of the lake that are no tables: models, reports."""
        return "/".join([self.root, *parts])

    def _written(self, table: str, label: str) -> Commit:
        """The write with this label; where there was nothing to change Delta commits nothing, and the table stands."""
        return self.commit(table, label) or Commit(self.version(table) or 0, {})

    def _columns(self, table: str) -> list[tuple[str, str]]:
        return [(name, kind) for name, kind in self.read(table).dtypes]

    def _has_other_columns(self, table: Table) -> bool:
        wanted = [(column.name, _plain_type(column.type)) for column in table.columns]
        return self._columns(table.name) != wanted

    def _check_columns(self, table: Table) -> None:
        if self._has_other_columns(table):
            there = ", ".join(f"{name} {kind}" for name, kind in self._columns(table.name))
            raise DamagedError(
                f"its columns are not those of its definition; it has: {there}",
                where=table.name,
                cure="use a fresh lake, or bring the table to its definition",
            )

    def _replace_with_other_columns(self, table: Table, rows: DataFrame, label: str) -> Commit:
        """A table that is replaced as a whole may change its columns with its task; old versions stay readable."""
        writer = _in_order(rows, table).write.format("delta").mode("overwrite")
        writer = writer.option("overwriteSchema", "true").option("userMetadata", label)
        if self.catalog is not None:
            writer.saveAsTable(self.reference(table.name))
        else:
            writer.save(f"{self.root}/{table.name.replace('.', '/')}")
        return self._written(table.name, label)

    @contextlib.contextmanager
    def _labelled(self, label: str) -> Iterator[None]:
        self.spark.conf.set(_USER_METADATA, label)
        try:
            yield
        finally:
            self.spark.conf.unset(_USER_METADATA)


def versions_of(lake: Lake, tables: Sequence[str]) -> dict[str, int]:
    """The newest version of each table.

    Raises:
        MissingResultError: if one of them is not there.
    """
    found = {table: lake.version(table) for table in tables}
    missing = [table for table, version in found.items() if version is None]
    if missing:
        raise MissingResultError(
            "nothing has been ingested into it yet",
            where=", ".join(missing),
            cure=f"run `otklik ingest {missing[0].partition('.')[2]} PATH` first",
        )
    return {table: version for table, version in found.items() if version is not None}


def _in_order(rows: DataFrame, table: Table) -> DataFrame:
    return rows.select(
        *(
            F.col(f"`{column.name}`").cast(column.type).alias(column.name, metadata={"comment": column.meaning})
            for column in table.columns
        )
    )


def _column_clause(column: Column) -> str:
    comment = f" COMMENT {sql_text(column.meaning)}" if column.meaning else ""
    return f"`{column.name}` {column.type}{comment}"


def _plain_type(type_: str) -> str:
    return type_.lower().replace(", ", ",")


def sql_text(text: str) -> str:
    """A text as a SQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _says_missing(fault: AnalysisException) -> bool:
    return (fault.getCondition() or "") in _MISSING
