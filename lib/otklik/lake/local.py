"""Tables of a local lake, read and appended to by delta-rs without a JVM. Imports no Spark.

Supports the tables that Otklik writes; tables with other Delta features (deletion vectors, column mapping,
partitions …) are left to Spark.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from otklik.arrow import Rows, arrow_rows
from otklik.lake.commits import commits_in, newest_with_same_rows
from otklik.lake.tables import FILES

try:
    from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, write_deltalake
    from deltalake.exceptions import DeltaError
except ImportError:
    HAS_READER = False
    _FAULTS: tuple[type[Exception], ...] = ()
else:
    HAS_READER = True
    #: What fails in delta-rs or on the disk.
    _FAULTS = (DeltaError, OSError, pa.ArrowException)

#: What Delta calls otherwise than SQL.
_SQL_NAMES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
#: Features of Delta's protocol that change nothing for a reader of the newest rows.
_HARMLESS = {"timestampNtz", "vacuumProtocolCheck"}
_BATCH = 65_536
#: Versions between checkpoints of the log.
_VERSIONS_PER_CHECKPOINT = 100
#: Tables of more bytes are left to Spark, which uses all cores and does not hold them in memory.
SMALL = 32 << 20


class LeftToSparkError(Exception):
    """A table or a query that only Spark can handle."""


@dataclass(frozen=True)
class LocalTable:
    """One version of a table.

    Attributes:
        folder: its location.
        number: the version.
        schema: its Arrow schema.
        files: its Parquet files, in the order in which Spark reads them.
        properties: of the newest version.
    """

    folder: Path
    number: int
    schema: pa.Schema
    files: Sequence[Path]
    properties: Mapping[str, str]

    @cached_property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file.stat().st_size for file in self.files)

    def has_old_files(self, before: float) -> bool:
        """Whether there are files that this version does not need and that were written before a moment.

        Args:
            before: seconds since 1970.
        """
        needed = {file.name for file in self.files}
        return any(
            file.name not in needed and file.stat().st_mtime < before
            # Names with this prefix are not part of the table: its log, and checksums of its files.
            for file in self.folder.iterdir()
            if not file.name.startswith(("_", "."))
        )

    @property
    def count(self) -> int:
        """Number of rows, from the metadata of its files.

        Raises:
            LeftToSparkError: if a file is not there any more.
        """
        try:
            return sum(pq.read_metadata(file).num_rows for file in self.files)
        except (OSError, pa.ArrowException) as fault:
            raise LeftToSparkError from fault

    def rows(self, columns: Sequence[str] | None = None, batch: int = _BATCH) -> Iterator[pa.Table]:
        """Its rows, piece by piece.

        Args:
            columns: only these.
            batch: maximum number of rows per piece.

        Raises:
            LeftToSparkError: if a file is missing or has another schema.
        """
        wanted = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        try:
            for path in self.files:
                # Spark writes moments with nanoseconds, in which early and late years have no room.
                with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
                    there = [name for name in wanted.names if name in file.schema_arrow.names]
                    for piece in file.iter_batches(batch, columns=there):
                        yield _as_declared(piece, wanted)
        except (OSError, pa.ArrowException) as fault:
            raise LeftToSparkError from fault

    def all_rows(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All its rows at once; errors as `rows`."""
        wanted = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        return pa.concat_tables([no_rows(wanted), *self.rows(columns)])

    def chosen(self, where: Mapping[str, Collection[str]]) -> pa.Table:
        """The rows of which each named column has one of its values; errors as `rows`."""
        found = [no_rows(self.schema)]
        for piece in self.rows():
            chosen = piece
            for column, values in where.items():
                chosen = chosen.filter(pc.is_in(chosen[column], pa.array([*values], pa.string())))
            found.append(chosen)
        return pa.concat_tables(found)

    def records(self, where: Mapping[str, Collection[str]]) -> list[dict[str, Any]]:
        """The same rows, by column; errors as `rows`."""
        rows: list[dict[str, Any]] = self.chosen(where).to_pylist(maps_as_pydicts="strict")
        return rows


def no_rows(schema: pa.Schema) -> pa.Table:
    """A table without rows; Arrow's own way to one imports pandas, which takes half a second."""
    return pa.Table.from_batches([], schema=schema)


def _as_declared(piece: pa.RecordBatch, wanted: pa.Schema) -> pa.Table:
    """Columns in the table's order and types; those that the file is older than are null."""
    columns = [
        piece.column(field.name).cast(field.type)
        if field.name in piece.schema.names
        else pa.nulls(piece.num_rows, field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)


def _types_of(table: DeltaTable) -> dict[str, str]:
    """Column → its type as SQL spells it."""
    fields = json.loads(table.schema().to_json())["fields"]
    return {field["name"]: _spelt(_in_sql(field["type"])) for field in fields}


def _in_sql(data_type: str | Mapping[str, Any]) -> str:
    """A type of Delta's schema in SQL."""
    if isinstance(data_type, str):
        return _SQL_NAMES.get(data_type, data_type)
    if data_type["type"] == "array":
        return f"array<{_in_sql(data_type['elementType'])}>"
    if data_type["type"] == "map":
        return f"map<{_in_sql(data_type['keyType'])},{_in_sql(data_type['valueType'])}>"
    fields = ",".join(f"{field['name']}:{_in_sql(field['type'])}" for field in data_type["fields"])
    return f"struct<{fields}>"


def _spelt(data_type: str) -> str:
    """A SQL type in normalised form, for comparisons."""
    return re.sub(r"\s*([<>,])\s*", r"\1", data_type.strip().lower())


@dataclass(frozen=True)
class LocalLake:
    """The tables of a lake whose folder is on this machine.

    Args:
        root: the folder.
    """

    root: Path

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        return (self._place(table) / "_delta_log").is_dir()

    def table_names(self) -> list[str]:
        """All tables that are there."""
        return [f"{log.parent.parent.name}.{log.parent.name}" for log in self.root.glob("*/*/_delta_log")]

    def table(self, name: str, version: int | None = None) -> LocalTable:
        """An existing table at a version; by default the newest.

        Args:
            name: of the table.
            version: read from the newest version with the same rows.

        Raises:
            LeftToSparkError: if delta-rs cannot read it.
        """
        try:
            found = self._opened(name)
            if version is not None:
                newest = newest_with_same_rows(commits_in(self._place(name) / "_delta_log", version - 1), version)
                if newest != found.version():
                    found.load_as_version(newest)
            # Spark reads the largest first, of equal ones the oldest.
            files = [Path(uri) for uri in reversed(found.file_uris())]
            files.sort(key=lambda file: -file.stat().st_size)
            schema = pa.schema(found.schema().to_arrow())
            return LocalTable(self._place(name), found.version(), schema, files, found.metadata().configuration)
        except _FAULTS as fault:
            raise LeftToSparkError from fault

    def append(self, name: str, rows: Rows, types: Mapping[str, str], label: str) -> int:
        """Append a few rows in one commit, a hundred times faster than Spark.

        Args:
            name: of an existing table.
            rows: as `arrow_rows` takes them.
            types: column → SQL type, in the order of the values.
            label: the commit's userMetadata.

        Returns:
            The new version.

        Raises:
            LeftToSparkError: if the table has other columns or types, or does not take the rows.
        """
        try:
            table = self._opened(name)
            there = _types_of(table)
            if [*there.items()] != [(column, _spelt(data_type)) for column, data_type in types.items()]:
                raise LeftToSparkError
            write_deltalake(
                table,
                arrow_rows(rows, pa.schema(table.schema().to_arrow())),
                mode="append",
                commit_properties=CommitProperties(custom_metadata={"userMetadata": label}),
                # What fails after the commit would look like a write that failed.
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=False, cleanup_expired_logs=False
                ),
            )
        except _FAULTS as fault:
            raise LeftToSparkError from fault
        version = table.version()
        if version % _VERSIONS_PER_CHECKPOINT == 0:
            with contextlib.suppress(DeltaError, OSError):
                table.create_checkpoint()
        return version

    def _opened(self, name: str) -> DeltaTable:
        """A table of which delta-rs knows all features; errors as `table`, and those of `_FAULTS`."""
        if not HAS_READER:
            raise LeftToSparkError
        found = DeltaTable(str(self._place(name)))
        metadata = found.metadata()
        has_others = {*(found.protocol().reader_features or [])} - _HARMLESS
        is_mapped = metadata.configuration.get("delta.columnMapping.mode", "none") != "none"
        if has_others or is_mapped or metadata.partition_columns:
            raise LeftToSparkError
        return found

    def known_versions(self) -> dict[str, int]:
        """The newest version of each table of bronze and silver, as the ledger of files knows it.

        Raises:
            LeftToSparkError: if the ledger cannot be read.
        """
        if not self.exists(FILES.name):
            return {}
        ledger = self.table(FILES.name)
        if not {column.name for column in FILES.columns} <= {*ledger.schema.names}:
            raise LeftToSparkError
        newest: dict[str, int] = {}
        for versions in ledger.all_rows(["table_versions"])["table_versions"].to_pylist():
            for table, version in versions or []:
                newest[table] = max(version, newest.get(table, version))
        return newest

    def personal_columns(self, table: str) -> list[str]:
        """Columns with personal data; empty if there is no such table."""
        marked = self.table(table).properties.get("otklik.personal", "") if self.exists(table) else ""
        return [name for name in marked.split(",") if name]

    def _place(self, table: str) -> Path:
        return self.root.joinpath(*table.split("."))
