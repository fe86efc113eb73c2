"""From the bytes of one file to its records: text as received, numbered from 1, the header apart.

A record is a line (CR, LF and CRLF, also mixed), several lines where quoted fields may hold line breaks, or a row
written as JSON: of Parquet, or a value of a line that is a list. Blank lines, delimiters apart, are no records. Spark's
own csv reader is not used: it takes columns by position, drops what it cannot read, and keeps no record as it was
received.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import accumulate, islice
from pathlib import Path

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DecimalType, StringType, StructField, StructType

from otklik.errors import ConfigurationError, InputError, OtklikError
from otklik.lake.store import MOMENTS_AS_TEXT, sql_text
from otklik.platform_errors import platform_error
from otklik.sources.characters import tidied
from otklik.sources.contract import (
    BLANKS,
    CHARSETS,
    FIELD_MARK,
    LIST_COLUMNS,
    MOST_HEADER_LINES,
    SCRIPT,
    TRANSLATED,
    Contract,
    Format,
)
from otklik.sources.header import Header, given_header, joined_header, match_header, split_header
from otklik.sources.layout import token_pattern
from otklik.sources.nested import leading_keys, nested_names, plain_object, rows_of
from otklik.sources.parquet_facts import NO_TEXT, ParquetFacts, facts_of, names_differ_in_case
from otklik.sources.paths import name_of
from otklik.sources.record_numbers import (
    BLOCK_FILE,
    BLOCK_LENGTH,
    BLOCK_START,
    Positioned,
    positioned,
    positioned_parts,
)
from otklik.sql_errors import fails_on_a_row

MOST_JSON_KEYS = 20_000
#: The column in which Spark keeps an element of XML that it cannot read.
_BROKEN = "_broken"
_LINES_TRIED = 100
#: So many lines behind the first one are tried as a header, where the first one is none.
_LINES_TRIED_AS_HEADER = 20
#: How a spreadsheet is told what stands between fields.
_TELLS_DELIMITER = re.compile(r'^\ufeff?"?sep=.?"?[;,\t ]*$', re.IGNORECASE)
#: Encodings in which each byte is a character.
_ONE_BYTE_EACH = frozenset(CHARSETS) - {
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "gb18030", "shift_jis", "euc_kr",
}  # fmt: skip
#: Down to this many digits after the point Java writes a decimal without an exponent, whatever it is.
_PLAIN_SCALE = 6


@dataclass(frozen=True)
class Records:
    """The records of one file, or of some that have the same header.

    Attributes:
        header: which field is which column.
        frame: record STRING (as received; bytes that are no text in the file's encoding have become U+FFFD),
            record_no BIGINT (from 1, header and blank lines not counted), has_invalid_bytes BOOLEAN and, of several
            files, file_no INT.
    """

    header: Header
    frame: DataFrame


def read_records(spark: SparkSession, path: str, contract: Contract) -> Records:
    """Read one file as records.

    Args:
        spark: the session.
        path: a path or URI as `files.expand` gives it; taken literally.
        contract: how the file is to be read.

    Raises:
        InputError: if the file cannot be read, contains no records, or its columns are not the contract's.
    """
    where = name_of(path)
    with clear_faults(where):
        if contract.format.kind == "parquet":
            return _read_parquet(spark, path, contract, where)
        if contract.format.kind == "json_lines":
            return _read_json_lines(spark, path, contract, where)
        if contract.format.kind == "json":
            return _read_document(spark, path, contract, where)
        if contract.format.kind == "xml":
            return _read_xml(spark, path, contract, where)
        if contract.format.kind == "list":
            return _read_lists(spark, path, contract, where)
        return _read_delimited(spark, path, contract, where)


@contextlib.contextmanager
def clear_faults(where: str) -> Iterator[None]:
    """Turn what Spark says of a damaged or missing file, or of a failing row rule, into one clear line.

    Spark's messages quote data, so none of them is passed on. Use it around every action on a file's rows.
    """
    try:
        yield
    except OtklikError:
        raise
    except Exception as fault:
        # Spark's own faults come as its exceptions or, from inside a read, as the gateway's.
        clear = platform_error(fault, where) or _clear_fault(fault, where)
        if clear is None:
            raise
        raise clear from None


def literal_path(path: str) -> str:
    """The path such that Spark takes it literally, not as a pattern of names."""
    return re.sub(r"([{}\[\]*?\\])", r"\\\1", path)


def _clear_fault(fault: Exception, where: str) -> OtklikError | None:
    """The clear line for what Spark says, or None. Its conditions stand in the text, often inside another's."""
    text = f"{fault}"
    if "FAILED_READ_FILE" in text or "CANNOT_READ_FILE_FOOTER" in text or "UNABLE_TO_INFER_SCHEMA" in text:
        return InputError(
            "cannot be read completely: truncated, corrupt, or not of the declared kind",
            where=where,
            hint="fetch the file again, and check format.kind in the contract",
        )
    if "PATH_NOT_FOUND" in text or "FILE_NOT_EXIST" in text:
        return InputError("no such file", where=where, hint="check the path")
    if fails_on_a_row(fault):
        return ConfigurationError(
            "a row rule of the contract raises an error on some row instead of returning true or false",
            where=where,
            hint="use try_cast, try_divide, try_to_timestamp … in rules.holds",
        )
    return _unreadable(text, where)


def _unreadable(text: str, where: str) -> OtklikError | None:
    """The clear line for what Spark says of a file whose types or columns it does not take."""
    if "TIMESTAMP(NANOS" in text:
        return InputError(
            "contains timestamps in nanoseconds, which this version of Spark cannot read",
            where=where,
            hint="write them in microseconds (pandas: to_parquet(…, coerce_timestamps='us'))",
        )
    if "COLUMN_ALREADY_EXISTS" in text or "AMBIGUOUS_REFERENCE" in text:
        return names_differ_in_case(where)
    condition = re.search(r"\[(_?[A-Z][A-Z0-9_]{3,}(?:\.[A-Z0-9_]+)*)\]", text)
    if condition and not condition[1].startswith("INTERNAL_ERROR"):
        return InputError(
            f"Spark cannot read it: {condition[1]}",
            where=where,
            hint="write the file again with plain types (texts, numbers, booleans, dates, times), or as csv",
        )
    return None


def _read_delimited(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    format_ = contract.format
    lines = _lines(spark, path, format_, where)
    wanted = lines_wanted(format_)
    if format_.multiline:
        records = _assembled(positioned(lines).lines, format_, wanted)
    else:
        records = positioned(not_blank(lines, format_), wanted)
    header, first = header_of(records.top, records.count, contract, where)
    return Records(header, _numbered_from(records, first, format_.footer))


def lines_wanted(format_: Format) -> int:
    """How many of the first lines of a file tell its header, or where it stands."""
    return format_.skip_lines + format_.header_lines + _LINES_TRIED_AS_HEADER


def header_of(top: Sequence[Row], count: int, contract: Contract, where: str) -> tuple[Header, int]:
    """The header of a file of delimited records, and the number of its first line: the first record has the number 1.

    Args:
        top: its first lines, as many as `lines_wanted`.
        count: how many lines it has.
        contract: what it should be.
        where: the file, for messages.

    Raises:
        InputError: if it has no header or no records, or its columns are not the contract's.
    """
    format_ = contract.format
    # The first line may tell a spreadsheet the delimiter.
    above = format_.skip_lines + bool(top and _TELLS_DELIMITER.match(top[0].record))
    if not format_.header:
        if count <= above + format_.footer:
            raise InputError("contains no records", where=where, hint="fetch the file again")
        return given_header(contract), 1 - above
    header_lines = top[above : above + format_.header_lines]
    if len(header_lines) < format_.header_lines:
        raise InputError("contains neither a header nor records", where=where, hint="fetch the file again")
    if any(line.has_invalid_bytes or "\0" in line.record for line in header_lines):
        raise InputError(
            f"the header is not valid {format_.encoding}", where=where, hint="correct format.encoding in the contract"
        )
    names = joined_header([split_header(line.record, format_) for line in header_lines])
    header = match_header(names, contract, where, hint=lambda: _header_hint(top, contract, above))
    last_above = above + format_.header_lines
    if count <= last_above + format_.footer:
        raise InputError("contains a header but no records", where=where, hint="fetch the file again")
    return header, 1 - last_above


def _header_hint(top: Sequence[Row], contract: Contract, above: int) -> str:
    """What to do about a header that does not fit, where the lines behind it tell; else nothing."""
    format_ = contract.format
    if format_.quote and not format_.multiline and top[above].record.count(format_.quote) % 2:
        return "a name in quotes goes on in the next line: set format.multiline = true"
    for place, line in enumerate(top):
        with contextlib.suppress(InputError):
            match_header(split_header(line.record, format_), contract, "")
            if place > above:
                return f"the header stands below {place} other lines: set format.skip_lines = {place}"
            if place < above:
                return f"the header stands below {place} other lines: set format.skip_lines = {place}, not {above}"
    names = [split_header(line.record, format_) for line in top[above : above + MOST_HEADER_LINES]]
    for count in range(1, len(names) + 1):
        with contextlib.suppress(InputError):
            match_header(joined_header(names[:count]), contract, "")
            return f"the names stand on {count} lines: set format.header_lines = {count}"
    return ""


def _read_json_lines(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    lines, rows = not_blank(_lines(spark, path, contract.format, where), contract.format), contract.format.rows
    if rows is not None:
        is_broken = F.try_parse_json("record").isNull()
        parts = F.when(is_broken, F.array("record")).otherwise(rows_of(F.col("record"), contract, is_strict=False))
        exploded, count = positioned_parts(lines, parts)
        frame = _records_of_parts(exploded)
        if not count:
            raise _without_rows(rows, where)
    else:
        records = positioned(lines)
        check_json_lines(records.top, where)
        frame = _numbered_from(records, 1)
        return Records(_header_of_objects(frame, contract, where, leading_keys(records.top[0].record)), frame)
    return Records(_header_of_objects(frame, contract, where), frame)


def _read_document(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    """The elements of an array in a JSON document; the file passes through one task."""
    encoding = encoding_of(spark, path, contract.format, where)
    files = spark.read.text(literal_path(path), wholetext=True).select(*_decoded(encoding))
    bare = F.btrim("record", F.lit(f";{BLANKS}"))
    text = F.regexp_replace(bare, SCRIPT, "")
    parts = files.select(
        F.posexplode(rows_of(text, contract, is_strict=True)).alias("_place", "record"), "has_invalid_bytes"
    )
    frame = parts.select(
        "record",
        (F.col("_place") + 1).cast("bigint").alias("record_no"),
        (F.col("has_invalid_bytes") & F.contains("record", F.lit("\ufffd"))).alias("has_invalid_bytes"),
    )
    try:
        is_empty = frame.isEmpty()
    except Exception as fault:
        if "MALFORMED_RECORD_IN_PARSING" not in f"{fault}":
            raise
        is_whole = files.select(F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))).alias("length")).head()
        if is_whole is None or is_whole.length is None:
            raise InputError(
                "is not valid JSON: truncated or corrupt, or several documents",
                where=where,
                hint="fetch the file again; write several objects one per line, for format.kind = 'json_lines'",
            ) from None
        raise _without_rows(contract.format.rows, where) from None
    if is_empty:
        raise _without_rows(contract.format.rows, where)
    return Records(_header_of_objects(frame, contract, where), frame)


def _without_rows(rows: str | None, where: str) -> InputError:
    return InputError(
        f"contains no JSON array with elements at the path {rows or '[]'}",
        where=where,
        hint="set format.rows to the path of the array whose elements are the rows",
    )


def _header_of_objects(frame: DataFrame, contract: Contract, where: str, first: Sequence[str] = ()) -> Header:
    """Which key of the records' objects is which column; `first` are the `leading_keys`."""
    others = sorted(row.key for row in json_keys(frame, first).limit(MOST_JSON_KEYS).collect())
    return header_of_keys([*dict.fromkeys([*first, *others])], contract, where)


def json_keys(frame: DataFrame, first: Sequence[str], *beside: str) -> DataFrame:
    """The different keys of records that are JSON objects, one a row, as `key`.

    Args:
        frame: the records.
        first: keys that need not be among them: records of these alone, in this order, are not parsed.
        beside: columns by which keys are told apart.
    """
    pattern = plain_object(first) if first else None
    if pattern is not None:
        frame = frame.where(~F.rlike("record", F.lit(pattern)))
    # Most objects have the same keys: told apart before they become rows. A plain explode would look for empty arrays
    # first, and so read every object twice.
    of_each = frame.select(*beside, F.json_object_keys(tidied(F.col("record"))).alias("keys")).distinct()
    return of_each.select(*beside, F.explode_outer("keys").alias("key")).where("key IS NOT NULL").distinct()


def check_json_lines(top: Sequence[Row], where: str) -> None:
    """See whether there is something in a file, and not all of it in one array.

    Args:
        top: its first line.
        where: the file, for messages.

    Raises:
        InputError: if it is so.
    """
    if not top:
        raise InputError("contains no records", where=where, hint="fetch the file again")
    if top[0].record.strip(BLANKS).startswith("["):
        raise InputError(
            "is one JSON array, not one JSON object per line", where=where, hint="set format.kind = 'json'"
        )


def header_of_keys(names: Sequence[str], contract: Contract, where: str) -> Header:
    """Which of the keys of a file of JSON lines is which column.

    Args:
        names: the keys of all its objects.
        contract: what it should be.
        where: the file, for messages.

    Raises:
        InputError: if there are none, or they are not the contract's.
    """
    if not names:
        raise InputError(
            "no line is a JSON object", where=where, hint="write one object per line, or correct format.kind"
        )
    nested = nested_names(names, contract)
    names = [*(name for name in names if name not in nested.values()), *nested]
    return match_header(names, contract, where, is_record_wise=True)


def _records_of_parts(parts: DataFrame) -> DataFrame:
    return parts.select(
        F.col("_part").alias("record"), (F.col("_position") + 1).alias("record_no"), "has_invalid_bytes"
    )


def _read_xml(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    """The elements of one tag, each written as a JSON object of texts; Spark finds out in which of them others lie."""
    format_ = contract.format
    options = {
        "rowTag": format_.rows or "",
        "charset": CHARSETS[encoding_of(spark, path, format_, where)],
        "inferSchema": "false",
        "columnNameOfCorruptRecord": _BROKEN,
    }
    reader = spark.read.format("xml").options(**options)
    found = [field for field in reader.load(literal_path(path)).schema if field.name != _BROKEN]
    if not found:
        raise InputError(
            f"contains no readable element {format_.rows}",
            where=where,
            hint="set format.rows to the tag of a row; replace entities that a DOCTYPE defines by their texts",
        )
    schema = StructType([*found, StructField(_BROKEN, StringType())])
    names = [field.name for field in found]
    element = F.to_json(F.struct(*(F.col(f"`{name}`") for name in names)))
    rows = reader.schema(schema).load(literal_path(path))
    elements = rows.select(F.coalesce(_BROKEN, element).alias("record"), *_blocks(1))
    # An element in which nothing stands is no record, as a blank line is none.
    full = elements.where(F.col("record") != F.lit("{}"))
    records = positioned(full.withColumn("has_invalid_bytes", F.contains("record", F.lit("\ufffd"))))
    frame = _numbered_from(records, 1)
    nested = nested_names(names, contract)
    names = [*(name for name in names if name not in nested.values()), *nested]
    return Records(match_header(names, contract, where, is_record_wise=True), frame)


def _read_lists(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    """Each value of each line is a record, written as JSON with the numbers of its line and of its place in it."""
    lines = not_blank(_lines(spark, path, contract.format, where), contract.format)
    parts, count = positioned_parts(lines, values_of_list(contract.format))
    if not count:
        raise InputError("contains no records", where=where, hint="fetch the file again")
    line, place, value = LIST_COLUMNS
    record = F.struct((F.col("_line") + 1).alias(line), (F.col("_place") + 1).alias(place), F.col("_part").alias(value))
    frame = _records_of_parts(parts.withColumn("_part", F.to_json(record)))
    wanted = [name for name in LIST_COLUMNS if name in map(contract.name_in_file, contract.columns)]
    return Records(match_header(wanted, contract, where), frame)


def _read_parquet(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    header, lines = parquet_rows(spark, [path], facts_of(path), contract, where)
    records = positioned(lines)
    if not records.count:
        raise InputError("contains no records", where=where, hint="fetch the file again")
    return Records(header, _numbered_from(records, 1))


def parquet_rows(
    spark: SparkSession, paths: Sequence[str], facts: ParquetFacts, contract: Contract, where: str
) -> tuple[Header, DataFrame]:
    """The header and the rows of Parquet files with the same columns: record, has_invalid_bytes, blocks as `lines_of`.

    Args:
        spark: the session.
        paths: of the files.
        facts: what the footer of each of them tells.
        contract: what they should be.
        where: the files, for messages.

    Raises:
        InputError: if their columns are not the contract's.
    """
    calendar = "LEGACY" if facts.has_old_calendar else "CORRECTED"
    reader = spark.read.option("parquet.page.verify-checksum.enabled", "true")
    reader = reader.option("datetimeRebaseMode", calendar).option("int96RebaseMode", calendar)
    rows = reader.parquet(*map(literal_path, paths))
    header = match_header(rows.columns, contract, where)
    options = {"ignoreNullFields": "false", **MOMENTS_AS_TEXT}
    lines = rows.select(
        F.to_json(F.struct(*(_written_plainly(field, facts) for field in rows.schema)), options).alias("record"),
        F.lit(False).alias("has_invalid_bytes"),
        *_blocks(len(paths)),
    )
    return header, lines


def _blocks(files: int) -> list[Column]:
    """The block that a row of a scan was read from; where several files are scanned also the path of its file."""
    return [
        F.col("_metadata.file_block_start").alias(BLOCK_START),
        F.col("_metadata.file_block_length").alias(BLOCK_LENGTH),
        *([F.col("_metadata.file_path").alias(BLOCK_FILE)] if files > 1 else []),
    ]


def _written_plainly(field: StructField, facts: ParquetFacts) -> Column:
    """A column of Parquet as JSON is to have it.

    Small fractions without an exponent, from which no decimal is read; nanoseconds, which Spark hands out as numbers,
    as a time of microseconds; bytes that are text as text, as some programs write texts, and others in base64.
    """
    name = "`{}`".format(field.name.replace("`", "``"))
    column = F.col(name)
    if isinstance(field.dataType, DecimalType) and field.dataType.scale > _PLAIN_SCALE:
        return column.cast("string").alias(field.name)
    if isinstance(field.dataType, BinaryType):
        text = column.cast("string")
        is_text = F.is_valid_utf8(text) & ~F.rlike(text, F.lit(NO_TEXT))
        return F.when(is_text, text).otherwise(F.base64(column)).alias(field.name)
    if field.name in facts.nanoseconds:
        moment = F.expr(f"timestamp_micros(({name} - pmod({name}, 1000L)) div 1000)")
        is_local = not facts.nanoseconds[field.name]
        return (moment.cast("timestamp_ntz") if is_local else moment).alias(field.name)
    return column


def _numbered_from(records: Positioned, first: int, footer: int = 0) -> DataFrame:
    """record, record_no, has_invalid_bytes; the record at position 0 has the number `first`, and records from 1 count.

    So many lines at the end as `footer` says are left out.
    """
    numbered = records.lines.select("record", (F.col("_position") + first).alias("record_no"), "has_invalid_bytes")
    rows = numbered.where("record_no > 0")
    return rows.where(F.col("record_no") < records.count + first - footer) if footer else rows


def _lines(spark: SparkSession, path: str, format_: Format, where: str) -> DataFrame:
    return lines_of(spark, [path], encoding_of(spark, path, format_, where), format_)


def lines_of(spark: SparkSession, paths: Sequence[str], encoding: str, format_: Format) -> DataFrame:
    """The lines of files: record, terminator (multiline only), has_invalid_bytes and the block they were read from.

    Lines of utf-16 and of multiline files are cut at LF by Spark and at CR here: in utf-16 Spark would look for single
    bytes, and a line break inside quotes must be kept as it was.

    Args:
        spark: the session.
        paths: of the files; where they are several, each line has the path of its file.
        encoding: from `encoding_of`, the same for all.
        format_: whether a record may have several lines.
    """
    is_wide = encoding.startswith("utf-16")
    reader = spark.read
    if is_wide or format_.multiline:
        reader = reader.option("lineSep", "\n").option("encoding", CHARSETS[encoding])
    text = reader.text([*map(literal_path, paths)]).select("value", *_blocks(len(paths)))
    decoded = text.select(*_decoded(encoding), *text.columns[1:])
    if not (is_wide or format_.multiline):
        return decoded
    return _cut_at_carriage_returns(decoded)


def _decoded(encoding: str) -> list[Column]:
    """record and has_invalid_bytes from the bytes of a line."""
    value = F.col("value")
    if CHARSETS[encoding] == "UTF-8":
        # Hadoop drops the byte-order mark of UTF-8 itself.
        is_valid = F.is_valid_utf8(value)
        record = F.when(is_valid, value).otherwise(F.make_valid_utf8(value))
        return [record.alias("record"), (~is_valid).alias("has_invalid_bytes")]
    record = F.decode(value.cast("binary"), CHARSETS[encoding])
    if encoding in TRANSLATED:
        upper = bytes(range(0x80, 0x100))
        record = F.translate(record, upper.decode("latin-1"), upper.decode(encoding, errors="replace"))
    if encoding in _ONE_BYTE_EACH:
        # In a code page letters hardly ever stand as utf-8 has them: the line is from a file of another encoding.
        is_utf8 = F.is_valid_utf8(value) & (F.octet_length(value) != F.char_length(value))
        has_invalid = is_utf8 | F.contains(record, F.lit("\ufffd"))
        return [F.when(is_utf8, value).otherwise(record).alias("record"), has_invalid.alias("has_invalid_bytes")]
    if encoding.startswith("utf-16"):
        # A byte-order mark stands at the start of the file; elsewhere at the start of a line U+FEFF means nothing.
        record = F.regexp_replace(record, "^\ufeff", "")
    return [record.alias("record"), F.contains(record, F.lit("\ufffd")).alias("has_invalid_bytes")]


def encoding_of(spark: SparkSession, path: str, format_: Format, where: str) -> str:
    """The encoding with its byte order, which only the file's first bytes can tell for utf-16.

    Raises:
        InputError: if those bytes contradict the contract, or a file in utf-8 is declared as something else, which
            would pass for text of strange letters.
    """
    mark = _first_two_bytes(spark, path)
    order = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark)
    if order and format_.encoding not in ("utf-16", order):
        raise InputError(
            f"is encoded as utf-16, but the contract says {format_.encoding}",
            where=where,
            hint="set format.encoding = 'utf-16'",
        )
    if format_.encoding == "utf-16" and not order and mark:
        raise InputError(
            "is declared as utf-16 but has no byte-order mark",
            where=where,
            hint="set format.encoding to 'utf-16-le' or 'utf-16-be', or to its actual encoding",
        )
    if not format_.encoding.startswith(("utf", "ascii")) and _is_utf8(spark, path):
        raise InputError(
            f"is encoded as utf-8, but the contract says {format_.encoding}",
            where=where,
            hint="set format.encoding = 'utf-8'",
        )
    return order or format_.encoding


def _is_utf8(spark: SparkSession, path: str) -> bool:
    """Whether the first lines that are not plain ASCII are utf-8: in a code page, letters hardly ever stand so."""
    if path.startswith("file://"):
        with _opened(path) as content:
            tried = [*islice(_lines_with_letters(content), _LINES_TRIED)]
        return bool(tried) and all(map(_is_valid_utf8, tried))
    is_plain = F.rlike("value", F.lit(r"^[\x00-\x7f]*+$"))
    lines = spark.read.text(literal_path(path)).where(~is_plain)
    sample = lines.select(F.is_valid_utf8("value").alias("is_valid")).take(_LINES_TRIED)
    return bool(sample) and all(row.is_valid for row in sample)


def _first_two_bytes(spark: SparkSession, path: str) -> bytes:
    """How a file begins, unpacked; a local file is opened here, for a query takes half a second."""
    if path.startswith("file://"):
        with _opened(path) as content:
            return content.read(2)
    # Cut at LF, so that the first line of a utf-16 file starts with its byte-order mark.
    first_lines = spark.read.option("lineSep", "\n").text(literal_path(path)).where("_metadata.file_block_start = 0")
    start = first_lines.select(F.substring(F.col("value").cast("binary"), 1, 2).alias("start")).take(1)
    return bytes(start[0].start) if start else b""


def _opened(path: str) -> BufferedIOBase:
    """A local file, unpacked."""
    local = Path(path.removeprefix("file://"))
    return gzip.open(local) if local.name.endswith(".gz") else local.open("rb")


def _lines_with_letters(content: BufferedIOBase) -> Iterator[bytes]:
    """The lines of a file that are not plain ASCII, some without their ASCII beginning."""
    rest = b""
    for chunk in iter(lambda: content.read(1 << 20), b""):
        is_plain = rest.isascii() and chunk.isascii()
        *lines, rest = [b""] if is_plain else re.split(rb"[\r\n]+", rest + chunk)
        yield from (line for line in lines if not line.isascii())
    if not rest.isascii():
        yield rest


def _is_valid_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _cut_at_carriage_returns(lines: DataFrame) -> DataFrame:
    """One row per line where LF has been cut at already; terminator says what ended it."""
    parts = F.split(F.col("record"), "\r")
    cut = lines.select("*", F.posexplode(parts).alias("_part", "_text"), F.size(parts).alias("_parts"))
    is_last = F.col("_part") == F.col("_parts") - 1
    ended_by_crlf = (F.col("_part") == F.col("_parts") - 2) & F.endswith(F.col("record"), F.lit("\r"))
    terminator = F.when(is_last, "\n").when(ended_by_crlf, "\r\n").otherwise("\r")
    return cut.where(~is_last | (F.col("_parts") == 1) | (F.col("_text") != "")).select(
        F.col("_text").alias("record"),
        terminator.alias("terminator"),
        "has_invalid_bytes",
        *(name for name in lines.columns if name in (BLOCK_START, BLOCK_LENGTH, BLOCK_FILE)),
    )


def not_blank(lines: DataFrame, format_: Format) -> DataFrame:
    """The lines in which something stands."""
    return lines.where(~_is_blank(F.col("record"), format_))


def _is_blank(record: Column, format_: Format) -> Column:
    """Whether nothing stands in a line: as a spreadsheet writes rows below the last one, delimiters are nothing."""
    blanks = F.lit(f" \x1a{format_.field_delimiter}" if format_.is_delimited else " \x1a")
    # From the left alone, which ends at the first letter: from the right Spark first looks at every one.
    return F.ltrim(record, blanks) == ""


def _assembled(lines: DataFrame, format_: Format, wanted: int) -> Positioned:
    """The records of one file, from `assembled`, and the first of them."""
    records = assembled(lines.withColumn("_file_no", F.lit(0)), format_).drop("_file_no")
    # Whole records are counted as far as anybody asks: is there a header, and a record behind it? All of them only
    # where lines at the end are to go.
    top = records.where(F.col("_position") <= wanted).orderBy("_position").collect()
    return Positioned(records, records.count() if format_.footer else len(top), top)


def assembled(lines: DataFrame, format_: Format) -> DataFrame:
    """Records from the lines of files whose quoted fields may hold line breaks, as RFC 4180 has it.

    A record ends with the first line at which the number of quotes so far is even. A quote that is still open at the
    end of the file is taken to be a slip in the line where it stands: the lines after it become records of their own,
    so that one quote does not eat them, and that line is rejected later (`unclosed_quote`). The same becomes of a
    record whose line breaks do not all stand inside well-formed quoted fields: two slips make an even number.
    All lines of a file pass through one task here, as with Spark's own multiLine reader.

    Args:
        lines: record, terminator, has_invalid_bytes, _file_no, _position, all lines of the files.
        format_: for quote and escape.

    Returns:
        The records: record, has_invalid_bytes, _file_no, _position (of the record among those of its file).
    """
    of_file = Window.partitionBy("_file_no")
    in_order = of_file.orderBy("_position")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    whole = of_file.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    counted = lines.withColumn("_quotes", quote_count(F.col("record"), format_)).withColumn(
        "_is_blank", _is_blank(F.col("record"), format_)
    )
    marked = (
        counted.withColumn("_is_inside", F.coalesce(F.sum("_quotes").over(before), F.lit(0)) % 2 == 1)
        .withColumn("_never_closes", F.sum("_quotes").over(whole) % 2 == 1)
        .withColumn("_last_start", F.max(F.when(~F.col("_is_inside"), F.col("_position"))).over(whole))
    )
    was_eaten = F.col("_is_inside") & F.col("_never_closes") & (F.col("_position") > F.col("_last_start"))
    starts = (~F.col("_is_inside") | was_eaten) & ~F.col("_is_blank")
    is_blank_between = F.col("_is_blank") & (~F.col("_is_inside") | was_eaten)
    numbered = (
        marked.withColumn("_starts", starts)
        .withColumn("_drops", is_blank_between)
        .withColumn("_record", F.sum(F.col("_starts").cast("bigint")).over(in_order))
        .where("NOT _drops")
    )
    parts = F.array_sort(F.collect_list(F.struct("_position", "record", "terminator", "has_invalid_bytes")))
    per_record = numbered.groupBy("_file_no", "_record").agg(parts.alias("parts"))
    last = F.element_at("parts", -1)
    inner = F.transform(F.slice("parts", 1, F.size("parts") - 1), lambda part: F.concat(part.record, part.terminator))
    text = F.concat(F.array_join(inner, ""), last["record"])
    is_sound = (F.size("parts") == 1) | F.rlike(text, F.lit(well_formed(format_)))
    as_one = F.struct(
        F.element_at("parts", 1)["_position"].alias("_line"),
        text.alias("record"),
        F.exists("parts", lambda part: part.has_invalid_bytes).alias("has_invalid_bytes"),
    )
    lines_of_it = F.transform(
        F.filter("parts", lambda part: ~_is_blank(part.record, format_)),
        lambda part: F.struct(
            part["_position"].alias("_line"),
            part["record"].alias("record"),
            part["has_invalid_bytes"].alias("has_invalid_bytes"),
        ),
    )
    position = F.row_number().over(of_file.orderBy("_line")).cast("bigint") - 1
    records = per_record.select("_file_no", F.inline(F.when(is_sound, F.array(as_one)).otherwise(lines_of_it)))
    return records.select("record", "has_invalid_bytes", "_file_no", position.alias("_position"))


def quoted_text(format_: Format) -> str:
    """A pattern for a quoted field, doubled and escaped quotes inside it; it never backtracks."""
    quote = re.escape(format_.quote or "")
    if not format_.escape or format_.escape == format_.quote:
        return f"{quote}(?:[^{quote}]++|{quote}{quote})*+{quote}"
    escape = re.escape(format_.escape)
    return f"{quote}(?:[^{quote}{escape}]++|{escape}(?s:.)|{quote}{quote})*+{quote}"


def values_of_list(format_: Format) -> Column:
    """The values in a line `record`: between delimiters, quotes taken off; an empty one at the end is none."""
    delimiter, quote = re.escape(format_.field_delimiter), format_.quote
    blanks = "" if format_.field_delimiter == " " else " *+"
    if not quote:
        return F.filter(F.split("record", delimiter), lambda value: F.trim(value) != "")
    value = rf"(?:^|{delimiter}){blanks}({quoted_text(format_)}|[^{delimiter}]*+)"
    found = F.regexp_extract_all("record", F.lit(value), F.lit(1))
    bare = F.transform(
        found,
        lambda value: F.when(
            F.startswith(value, F.lit(quote)) & F.endswith(value, F.lit(quote)) & (F.length(value) > 1),
            F.replace(F.substring(value, F.lit(2), F.length(value) - 2), F.lit(quote * 2), F.lit(quote)),
        ).otherwise(value),
    )
    return F.filter(bare, lambda value: F.trim(value) != "")


def with_escaped_quotes(line: Column, format_: Format) -> Column:
    """A delimited line whose doubled quotes are escaped ones; many programs that escape quotes also double some.

    from_csv knows one way of them.
    """
    quote, escape = format_.quote, format_.escape
    if not quote or not escape:
        return line
    edge, quotes, escapes = map(re.escape, (format_.field_delimiter, quote, escape))
    fields = F.regexp_extract_all(
        line, F.lit(rf"(?s) *+(?:{quoted_text(format_)} *+|[^{edge}]*+)(?:{edge}|\z)"), F.lit(0)
    )
    # The first match begins with the opening quote, each other one where the last has ended.
    begin = rf"(?:^ *+{quotes}|(?!^)\G)"
    doubled = f"(?s)({begin}(?:[^{quotes}{escapes}]++|{escapes}.)*+){quotes}{quotes}"
    rewritten = F.transform(fields, lambda field: F.regexp_replace(field, doubled, rf"$1\{escape}\{quote}"))
    has_some = F.contains(line, F.lit(quote * 2)) & F.rlike(line, F.lit(well_formed(format_)))
    return F.when(has_some, F.array_join(rewritten, "")).otherwise(line)


def as_delimited(format_: Format, line: str) -> str:
    """A line of fields as a delimited one, as SQL over the SQL `line`.

    Of a line that is longer than its widths, the rest is a field too many. Fields that a line is too short for are
    empty: blanks at its end are often left out.
    """
    if format_.kind == "blanks":
        return f"array_join(regexp_extract_all({line}, {sql_text(token_pattern(format_))}, 0), '\\t')"
    if format_.widths is None:
        return line
    starts = list(accumulate(format_.widths, initial=1))
    fields = [f"substring({line}, {start}, {width})" for start, width in zip(starts, format_.widths, strict=False)]
    rest = f"substring({line}, {starts[-1]})"
    mark = sql_text(FIELD_MARK)
    return f"concat(concat_ws({mark}, {', '.join(fields)}), if(trim({rest}) = '', '', concat({mark}, {rest})))"


def field_count(format_: Format, record: str = "_record") -> str:
    """The number of fields of a delimited record, as SQL; a quote inside an unquoted field is just a character."""
    delimiter = re.escape(format_.field_delimiter)
    blanks = "" if format_.field_delimiter == " " else " *+"
    quoted = sql_text(f"(^|{delimiter}){blanks}{quoted_text(format_)}")
    bare = f"regexp_replace({record}, {quoted}, '$1')" if format_.quote else record
    return f"size(split({bare}, {sql_text(delimiter)}))"


def well_formed(format_: Format) -> str:
    """A pattern for a record of which only quoted fields hold line breaks; after its last quote a field ends."""
    quote, delimiter = re.escape(format_.quote or ""), re.escape(format_.field_delimiter)
    blanks = "" if format_.field_delimiter == " " else " *+"
    field = f"{blanks}(?:{quoted_text(format_)}{blanks}|(?!{quote})[^{delimiter}\r\n]*+)"
    return f"^{field}(?:{delimiter}{field})*+\\z"


def plain_record(format_: Format, fields: int) -> str:
    """A pattern for a record of so many fields, of which each is the text between the delimiters and any quotes.

    Inside stand ASCII, but no quotes and backslashes, and Cyrillic letters; no field begins or ends with a blank, with
    an apostrophe or with what may be a sign behind or apart from its number. What fits needs no parser and no cleaning.
    """
    marks = {format_.field_delimiter, format_.quote, format_.escape, '"', "\\"}
    # Letter by letter: Java looks these up in a table, and goes through ranges one after the other.
    usual = "".join(re.escape(chr(code)) for code in range(0x21, 0x7F) if chr(code) not in marks)
    word = f"[{usual}\u0400-\u04ff]+"
    blanks = "" if format_.field_delimiter == " " else f"(?:(?<![-+]) +{word})*+"
    text = f"(?:(?!['(]){word}{blanks}(?<!-))?+"
    quote = re.escape(format_.quote or "")
    field = f"(?:{quote}{text}{quote}|{text})" if quote else text
    return rf"^{field}(?:{re.escape(format_.field_delimiter)}{field}){{{fields - 1}}}+\z"


def quote_count(text: Column, format_: Format) -> Column:
    """How many quotes stand in a text, escaped ones left out. A doubled quote counts twice: parity is what matters."""
    if format_.escape and format_.escape != format_.quote:
        text = F.regexp_replace(text, re.escape(format_.escape) + "(?s:.)", "")
    return F.size(F.split(text, re.escape(format_.quote or ""))) - 1
