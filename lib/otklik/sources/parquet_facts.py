"""What only the footer of a Parquet file tells: which times are in nanoseconds, and which calendar its dates are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from otklik.errors import InputError

#: Who wrote dates in the Julian calendar up to the year 1582, and says no more of it: Hive, Impala, Spark before 3.0.
_OLD_WRITERS = ("parquet-mr", "impala")
#: Spark says its version in the footer from 3.0 on, and whether the calendar is the old one.
#: What Spark has no type for, and how many digits its decimals have at most.
_UNREADABLE_TYPES, _MOST_DIGITS = ("FLOAT16", "TIME", "UUID", "INTERVAL"), 38
#: Compressions and encodings that it does not unpack.
_UNREADABLE_WAYS = {"BROTLI", "LZO", "BYTE_STREAM_SPLIT"}
_SPARK_VERSION, _OLD_CALENDARS = b"org.apache.spark.version", (b"org.apache.spark.legacyDateTime",)

#: A character that bytes hold which are no text.
NO_TEXT = r"[\x00-\x08\x0e-\x1f\x7f]"


@dataclass(frozen=True)
class ParquetFacts:
    """What the footer tells.

    Attributes:
        nanoseconds: columns of times in nanoseconds → whether they are of UTC (else local).
        has_old_calendar: whether dates before 1582 are of the Julian calendar.
        columns: names and types, and the two things above, as a text: files that have the same are read alike; empty
            where nothing is known.
    """

    nanoseconds: Mapping[str, bool] = field(default_factory=dict)
    has_old_calendar: bool = False
    columns: str = ""


def facts_of(path: str) -> ParquetFacts:
    """Read the footer of a local file; of others, and of damaged ones, which Spark will refuse, nothing is known."""
    if not path.startswith("file://"):
        return ParquetFacts()
    try:
        metadata = pq.read_metadata(Path(path.removeprefix("file://")))
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException):
        return ParquetFacts()
    nanoseconds = {
        each.name: each.type.tz is not None
        for each in schema
        if pa.types.is_timestamp(each.type) and each.type.unit == "ns" and _is_a_number(metadata, each.name)
    }
    notes = metadata.metadata or {}
    is_old = f"{metadata.created_by}".lower().startswith(_OLD_WRITERS) and _SPARK_VERSION not in notes
    has_old_calendar = is_old or any(note in notes for note in _OLD_CALENDARS)
    # Its first line says where the schema lies in memory.
    _, _, columns = repr(metadata.schema).partition("\n")
    return ParquetFacts(nanoseconds, has_old_calendar, f"{columns}\n{nanoseconds} {has_old_calendar}")


def refuse_unreadable(path: Path, where: str) -> None:
    """See whether a file is written in a way that Spark does not read, which it would call damage.

    Args:
        path: of the file.
        where: the file, for messages.

    Raises:
        InputError: naming the columns, or how they are stored.
    """
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return
    columns = [metadata.schema.column(place) for place in range(len(metadata.schema))]
    strange = {
        column.path: f"decimal({column.precision},{column.scale})"
        if column.precision > _MOST_DIGITS
        else column.logical_type.type.lower()
        for column in columns
        if column.logical_type.type in _UNREADABLE_TYPES or column.precision > _MOST_DIGITS
    }
    if strange:
        named = ", ".join(f"{name} ({type_})" for name, type_ in [*strange.items()][:8])
        raise InputError(
            f"Spark cannot read the types of these columns: {named}",
            where=where,
            hint="write them as text, as numbers or as timestamps, or leave them out of the file",
        )
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(len(columns))]
    ways = {chunk.compression for chunk in chunks} | {way for chunk in chunks for way in chunk.encodings}
    if unreadable := sorted(ways & _UNREADABLE_WAYS):
        raise InputError(
            f"is stored as {', '.join(unreadable)}, which Spark cannot read",
            where=where,
            hint="write it with another compression (snappy, gzip, lz4, zstd) and the usual encodings",
        )


def names_differ_in_case(where: str) -> InputError:
    """What is said of a file whose columns Spark does not tell apart."""
    return InputError("has columns whose names differ only in case", where=where, hint="rename one of them in the file")


def _is_a_number(metadata: pq.FileMetaData, name: str) -> bool:
    """Whether a column is stored as whole numbers: old ones in nanoseconds have 96 bits, which Spark reads as times."""
    columns = (metadata.schema.column(place) for place in range(len(metadata.schema)))
    return any(column.path == name and column.physical_type == "INT64" for column in columns)
