"""What a Parquet file says of itself, and its first rows as texts. Without Spark."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from otklik.errors import InputError
from otklik.sources.parquet_facts import NO_TEXT, names_differ_in_case, refuse_unreadable
from otklik.sources.sample import Sample

_ROWS = 10_000


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does; a file that cannot be read is none."""
    try:
        with path.open("rb") as content:
            return content.read(4) == b"PAR1"
    except OSError:
        return False


def read_parquet_sample(path: Path) -> Sample:
    """Read the schema and the first rows.

    Raises:
        InputError: if the file is cut short or damaged, contains no rows, has two columns of one name, or is written in
            a way that Spark does not read.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
            rows = next(file.iter_batches(batch_size=_ROWS), None)
    except (OSError, pa.ArrowException):
        raise InputError("truncated or corrupt Parquet file", where=path.name, hint="fetch it again") from None
    if rows is None or not rows.num_rows:
        raise InputError("contains no rows", where=path.name, hint="fetch the file again")
    refuse_unreadable(path, path.name)
    if len({name.lower() for name in schema.names}) < len(schema.names):
        raise names_differ_in_case(path.name)
    named = dict(zip(schema.names, map(_as_text, rows.columns), strict=True))
    columns = [_texts(column) for column in named.values()]
    of_bytes = [name for name, column in named.items() if _is_bytes(column.type)]
    return Sample(
        kind="parquet",
        encoding="utf-8",
        delimiter="",
        has_quotes=False,
        is_multiline=False,
        has_header=True,
        names=list(schema.names),
        rows=[list(row) for row in zip(*columns, strict=True)],
        is_whole=rows.num_rows == count,
        types=tuple(_declared(column.type) for column in named.values()),
        remarks=tuple(f"bytes that are no text are read in base64: {name}" for name in of_bytes),
    )


def _declared(kind: Any) -> str | None:
    """The contract's type for a type of Arrow; None for texts, which may hold anything."""
    if pa.types.is_dictionary(kind):
        return _declared(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return None
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= 38:
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_uint64(kind):
        # Half of its numbers are none of BIGINT.
        return "decimal(20,0)"
    shapes = {
        "boolean": pa.types.is_boolean,
        "integer": pa.types.is_integer,
        "double": pa.types.is_floating,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
    }
    # Bytes and nested values are read as JSON writes them.
    return next((type_ for type_, fits in shapes.items() if fits(kind)), "string")


def _is_bytes(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _as_text(column: Any) -> Any:
    """A column of bytes as texts, where all of them are text, as the reader takes them; any other one as it is."""
    if not _is_bytes(column.type):
        return column
    try:
        texts = column.cast(pa.string())
    except pa.ArrowInvalid:
        return column
    return column if any(re.search(NO_TEXT, text) for text in texts.to_pylist() if text) else texts


def _texts(column: Any) -> list[str | None]:
    if _is_bytes(column.type):
        return [None if value is None else base64.b64encode(value).decode() for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # Of UTC, without saying so.
        column = column.cast(pa.timestamp(column.type.unit))
    try:
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        nested = column.to_pylist()
        return [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in nested]
    # The reader writes them so, and as numbers they are none.
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"} if pa.types.is_floating(column.type) else {}
    return [text if text is None else words.get(text, text) for text in texts]
