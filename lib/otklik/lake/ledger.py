"""The ledger beside the tables: which file, which run, which table versions, which counts.

No transaction spans two tables, so what belongs together is what the ledger says: a step reads the versions that the
step before it wrote down, never "the newest".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F
from pyspark.sql.types import (
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from otklik.lake.identity import hash_of
from otklik.lake.store import Lake
from otklik.lake.tables import FILES, RUNS, Table


@dataclass(frozen=True)
class Run:
    """One start of a step: a row of ops.runs."""

    run_id: str
    job: str
    task: str
    as_of: datetime | None
    status: str
    inputs: Mapping[str, str]
    settings_hash: str
    code_version: str
    started_at: datetime
    ended_at: datetime | None = None
    outputs: Mapping[str, int] = field(default_factory=dict)
    rows_in: int = 0
    rows_out: int = 0
    message: str = ""

    def done(self, ended_at: datetime, outputs: Mapping[str, int], rows_in: int, rows_out: int, message: str) -> Run:
        """The same start, ended well."""
        return replace(
            self, status="done", ended_at=ended_at, outputs=outputs, rows_in=rows_in, rows_out=rows_out, message=message
        )

    def failed(self, ended_at: datetime, message: str) -> Run:
        """The same start, ended without a result."""
        return replace(self, status="failed", ended_at=ended_at, message=message)

    def reused(self, ended_at: datetime, earlier: Run) -> Run:
        """The same start, answered by an earlier result."""
        return replace(
            self,
            status="reused",
            ended_at=ended_at,
            outputs=earlier.outputs,
            rows_in=earlier.rows_in,
            rows_out=earlier.rows_out,
            message=earlier.message,
        )


@dataclass(frozen=True)
class FileEntry:
    """One file content of one source: a row of ops.files."""

    source: str
    file: str
    bytes: int
    content_hash: str
    contract_hash: str
    rows: int
    accepted: int
    inserted: int
    updated: int
    rejected: int
    duplicates: int
    table_versions: Mapping[str, int]
    started_at: datetime
    ended_at: datetime
    status: str
    warnings: Mapping[str, int]
    batch: str


def find_run(lake: Lake, run_id: str, job: str, inputs: Mapping[str, str] | None) -> Run | None:
    """The latest good start of a step with this identity and, where they are given, these inputs."""
    if not lake.exists(RUNS.name):
        return None
    rows = (
        lake.read(RUNS.name)
        .where((F.col("run_id") == run_id) & (F.col("job") == job) & (F.col("status") == "done"))
        .orderBy(F.desc("ended_at"))
        .collect()
    )
    for row in rows:
        if inputs is None or dict(row.inputs or {}) == dict(inputs):
            return Run(**{**_values(row), "inputs": dict(row.inputs or {}), "outputs": dict(row.outputs or {})})
    return None


def record_run(lake: Lake, run: Run) -> None:
    """Write one start of a step into ops.runs."""
    row = {**asdict(run), "inputs": dict(run.inputs), "outputs": dict(run.outputs)}
    rows = lake.spark.createDataFrame([tuple(row[f.name] for f in _RUN_ROW.fields)], _RUN_ROW)
    lake.append(RUNS, rows, f"run {run.run_id} {run.job} {hash_of(row)[:16]}")


def find_file(lake: Lake, source: str, content_hash: str) -> FileEntry | None:
    """The ledger's row of a file content that is already loaded."""
    if not lake.exists(FILES.name):
        return None
    rows = (
        lake.read(FILES.name)
        .where((F.col("source") == source) & (F.col("content_hash") == content_hash) & (F.col("status") == "loaded"))
        .collect()
    )
    if not rows:
        return None
    values = _values(rows[0])
    values["batch"] = values.pop("_batch")
    return FileEntry(**values)


def record_file(lake: Lake, entry: FileEntry) -> None:
    """Write a file's row; a rejected content that now loads replaces its row."""
    row = asdict(entry)
    row["_batch"] = row.pop("batch")
    rows = lake.spark.createDataFrame([tuple(row[f.name] for f in _FILE_ROW.fields)], _FILE_ROW)
    label = f"file {entry.source} {entry.content_hash} {entry.started_at.isoformat()}"
    lake.replace(FILES, rows, label, where={"source": entry.source, "content_hash": entry.content_hash})


def _values(row: Row) -> dict[str, Any]:
    """A row by column, its moments in UTC: Spark hands them out in the machine's zone without saying so."""
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.asDict().items()
    }


def _row_type(table: Table) -> StructType:
    kinds = {
        "STRING": StringType(),
        "BIGINT": LongType(),
        "TIMESTAMP": TimestampType(),
        "MAP<STRING,BIGINT>": MapType(StringType(), LongType()),
        "MAP<STRING,STRING>": MapType(StringType(), StringType()),
    }
    return StructType([StructField(column.name, kinds[column.type]) for column in table.columns])


_RUN_ROW = _row_type(RUNS)
_FILE_ROW = _row_type(FILES)
