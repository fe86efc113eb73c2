"""From the bytes of one file to its records: text as received, numbered from 1, the header apart.

A record is a line (CR, LF and CRLF, also mixed), several lines where quoted fields may hold line breaks, or, for
Parquet, a row written as JSON. Blank lines are no records. Spark's own csv reader is not used: it takes columns by
position, drops what it cannot read, and keeps no record as it was received.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType, StructField

from otklik.errors import ConfigurationError, InputError, OtklikError
from otklik.lake.store import MOMENTS_AS_TEXT, sql_text
from otklik.row_faults import fails_on_a_row
from otklik.sources.contract import CHARSETS, Contract, Format
from otklik.sources.header import Header, given_header, match_header, split_header
from otklik.sources.record_numbers import BLOCK_LENGTH, BLOCK_START, Positioned, positioned
from otklik.surroundings import surroundings_fault

_MOST_JSON_KEYS = 20_000
_LINES_TRIED = 100
#: Down to this many digits after the point Java writes a decimal without an exponent, whatever it is.
_PLAIN_SCALE = 6


@dataclass(frozen=True)
class Records:
    """The records of one file.

    Attributes:
        header: which field is which column.
        frame: record STRING (as received; bytes that are no text in the file's encoding have become U+FFFD),
            record_no BIGINT (from 1, header and blank lines not counted), has_invalid_bytes BOOLEAN.
        where: the file, for messages.
    """

    header: Header
    frame: DataFrame
    where: str


def read_records(spark: SparkSession, path: str, contract: Contract) -> Records:
    """Read one file as records.

    Args:
        spark: the session.
        path: a path or URI as `files.expand` gives it; taken literally.
        contract: how the file is to be read.

    Raises:
        InputError: if the file cannot be read, holds no records, or its columns are not the contract's.
    """
    where = path.rsplit("/", 1)[-1]
    with clear_faults(where):
        if contract.format.kind == "parquet":
            return _read_parquet(spark, path, contract, where)
        if contract.format.kind == "json_lines":
            return _read_json_lines(spark, path, contract, where)
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
        clear = surroundings_fault(fault, where) or _clear_fault(fault, where)
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
            "cannot be read to its end: damaged, cut short, or not of the declared kind",
            where=where,
            cure="fetch the file again, and compare format.kind of the contract",
        )
    if "PATH_NOT_FOUND" in text or "FILE_NOT_EXIST" in text:
        return InputError("no such file", where=where, cure="check the path")
    if fails_on_a_row(fault):
        return ConfigurationError(
            "a row rule of the contract fails on some row instead of answering true or false",
            where=where,
            cure="use try_cast, try_divide, try_to_timestamp … in rules.holds",
        )
    return None


def _read_delimited(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    format_ = contract.format
    lines = _lines(spark, path, format_, where)
    records = _assembled(positioned(lines).lines, format_) if format_.multiline else positioned(_not_blank(lines))
    if not format_.header:
        if not records.count:
            raise InputError("holds no records", where=where, cure="fetch the file again")
        return Records(given_header(contract), _numbered_from(records, 1), where)
    if not records.count:
        raise InputError("holds no header and no records", where=where, cure="fetch the file again")
    first = records.first
    if first is None or first.has_invalid_bytes or "\0" in first.record:
        raise InputError(
            f"the header is not text in {format_.encoding}", where=where, cure="correct format.encoding of the contract"
        )
    header = match_header(split_header(first.record, format_), contract, where)
    if records.count < 2:
        raise InputError("holds a header and no records", where=where, cure="fetch the file again")
    return Records(header, _numbered_from(records, 0), where)


def _read_json_lines(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    records = positioned(_not_blank(_lines(spark, path, contract.format, where)))
    if not records.count:
        raise InputError("holds no records", where=where, cure="fetch the file again")
    frame = _numbered_from(records, 1)
    keys = (
        frame.select(F.explode(F.json_object_keys("record")).alias("key")).distinct().limit(_MOST_JSON_KEYS).collect()
    )
    if not keys:
        raise InputError("holds no JSON object in any line", where=where, cure="correct format.kind of the contract")
    return Records(match_header(sorted(row.key for row in keys), contract, where), frame, where)


def _read_parquet(spark: SparkSession, path: str, contract: Contract, where: str) -> Records:
    rows = spark.read.option("parquet.page.verify-checksum.enabled", "true").parquet(literal_path(path))
    header = match_header(rows.columns, contract, where)
    options = {"ignoreNullFields": "false", **MOMENTS_AS_TEXT}
    lines = rows.select(
        F.to_json(F.struct(*map(_written_plainly, rows.schema)), options).alias("record"),
        F.lit(False).alias("has_invalid_bytes"),
        F.col("_metadata.file_block_start").alias(BLOCK_START),
        F.col("_metadata.file_block_length").alias(BLOCK_LENGTH),
    )
    records = positioned(lines)
    if not records.count:
        raise InputError("holds no records", where=where, cure="fetch the file again")
    return Records(header, _numbered_from(records, 1), where)


def _written_plainly(field: StructField) -> Column:
    """A column of Parquet such that small fractions have no exponent, from which no decimal is read."""
    column = F.col("`{}`".format(field.name.replace("`", "``")))
    if isinstance(field.dataType, DecimalType) and field.dataType.scale > _PLAIN_SCALE:
        return column.cast("string").alias(field.name)
    return column


def _numbered_from(records: Positioned, first: int) -> DataFrame:
    """record, record_no, has_invalid_bytes; the record at position 0 has the number `first`, and 0 is a header."""
    return records.lines.select("record", (F.col("_position") + first).alias("record_no"), "has_invalid_bytes").where(
        "record_no > 0"
    )


def _lines(spark: SparkSession, path: str, format_: Format, where: str) -> DataFrame:
    """The lines of a file: record, terminator (multiline only), has_invalid_bytes and the block they were read from.

    Lines of utf-16 and of multiline files are cut at LF by Spark and at CR here: in utf-16 Spark would look for single
    bytes, and a line break inside quotes must be kept as it was.
    """
    encoding = _encoding(spark, path, format_, where)
    is_wide = encoding.startswith("utf-16")
    reader = spark.read
    if is_wide or format_.multiline:
        reader = reader.option("lineSep", "\n").option("encoding", CHARSETS[encoding])
    text = reader.text(literal_path(path)).select(
        "value",
        F.col("_metadata.file_block_start").alias(BLOCK_START),
        F.col("_metadata.file_block_length").alias(BLOCK_LENGTH),
    )
    decoded = text.select(*_decoded(encoding), BLOCK_START, BLOCK_LENGTH)
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
    if encoding.startswith("utf-16"):
        # A byte-order mark stands at the start of the file; elsewhere at the start of a line U+FEFF means nothing.
        record = F.regexp_replace(record, "^\ufeff", "")
    return [record.alias("record"), F.contains(record, F.lit("\ufffd")).alias("has_invalid_bytes")]


def _encoding(spark: SparkSession, path: str, format_: Format, where: str) -> str:
    """The encoding with its byte order, which only the file's first bytes can tell for utf-16.

    Raises:
        InputError: if those bytes contradict the contract, or a file in utf-8 is declared as something else, which
            would pass for text of strange letters.
    """
    mark = _first_two_bytes(spark, path)
    order = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark)
    if order and format_.encoding not in ("utf-16", order):
        raise InputError(
            f"is encoded in utf-16, the contract says {format_.encoding}",
            where=where,
            cure="set format.encoding = 'utf-16'",
        )
    if format_.encoding == "utf-16" and not order and mark:
        raise InputError(
            "is declared as utf-16 but has no byte-order mark",
            where=where,
            cure="set format.encoding to 'utf-16-le' or 'utf-16-be', or to what the file really is",
        )
    if not format_.encoding.startswith(("utf", "ascii")) and _is_utf8(spark, path):
        raise InputError(
            f"is encoded in utf-8, the contract says {format_.encoding}",
            where=where,
            cure="set format.encoding = 'utf-8'",
        )
    return order or format_.encoding


def _is_utf8(spark: SparkSession, path: str) -> bool:
    """Whether the first lines that are not plain ASCII are utf-8: in a code page, letters hardly ever stand so."""
    is_plain = F.rlike("value", F.lit(r"^[\x00-\x7f]*+$"))
    lines = spark.read.text(literal_path(path)).where(~is_plain)
    sample = lines.select(F.is_valid_utf8("value").alias("is_valid")).take(_LINES_TRIED)
    return bool(sample) and all(row.is_valid for row in sample)


def _first_two_bytes(spark: SparkSession, path: str) -> bytes:
    """How a file begins, unpacked; a local file is opened here, for a query takes half a second."""
    if path.startswith("file://"):
        local = Path(path.removeprefix("file://"))
        with gzip.open(local) if local.name.endswith(".gz") else local.open("rb") as content:
            return content.read(2)
    # Cut at LF, so that the first line of a utf-16 file starts with its byte-order mark.
    first_lines = spark.read.option("lineSep", "\n").text(literal_path(path)).where("_metadata.file_block_start = 0")
    start = first_lines.select(F.substring(F.col("value").cast("binary"), 1, 2).alias("start")).take(1)
    return bytes(start[0].start) if start else b""


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
        BLOCK_START,
        BLOCK_LENGTH,
    )


def _not_blank(lines: DataFrame) -> DataFrame:
    return lines.where(F.trim(F.col("record")) != "")


def _assembled(lines: DataFrame, format_: Format) -> Positioned:
    """Records from the lines of a file whose quoted fields may hold line breaks, as RFC 4180 has it.

    A record ends with the first line at which the number of quotes so far is even. A quote that is still open at the
    end of the file is taken to be a slip in the line where it stands: the lines after it become records of their own,
    so that one quote does not eat them, and that line is rejected later (`unclosed_quote`). The same becomes of a
    record whose line breaks do not all stand inside well-formed quoted fields: two slips make an even number.
    All lines of the file pass through one task here, as with Spark's own multiLine reader.

    Args:
        lines: record, terminator, has_invalid_bytes, _position, all lines of the file.
        format_: for quote and escape.

    Returns:
        The records: record, has_invalid_bytes, _position (of the record among records).
    """
    in_order = Window.orderBy("_position")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    whole = Window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    counted = lines.withColumn("_quotes", quote_count(F.col("record"), format_)).withColumn(
        "_is_blank", F.trim(F.col("record")) == ""
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
    per_record = numbered.groupBy("_record").agg(parts.alias("parts"))
    last = F.element_at("parts", -1)
    inner = F.transform(F.slice("parts", 1, F.size("parts") - 1), lambda part: F.concat(part.record, part.terminator))
    text = F.concat(F.array_join(inner, ""), last["record"])
    is_sound = (F.size("parts") == 1) | F.rlike(text, F.lit(_well_formed(format_)))
    as_one = F.struct(
        F.element_at("parts", 1)["_position"].alias("_line"),
        text.alias("record"),
        F.exists("parts", lambda part: part.has_invalid_bytes).alias("has_invalid_bytes"),
    )
    lines_of_it = F.transform(
        F.filter("parts", lambda part: F.trim(part.record) != ""),
        lambda part: F.struct(
            part["_position"].alias("_line"),
            part["record"].alias("record"),
            part["has_invalid_bytes"].alias("has_invalid_bytes"),
        ),
    )
    position = F.row_number().over(Window.orderBy("_line")).cast("bigint") - 1
    records = per_record.select(F.inline(F.when(is_sound, F.array(as_one)).otherwise(lines_of_it))).select(
        "record", "has_invalid_bytes", position.alias("_position")
    )
    # Whole records are counted as far as anybody asks: is there a header, and a record behind it?
    begin = records.where("_position < 2").orderBy("_position").collect()
    return Positioned(records, len(begin), begin[0] if begin else None)


def quoted_text(format_: Format) -> str:
    """A pattern for a quoted field, doubled and escaped quotes inside it; it never backtracks."""
    quote = re.escape(format_.quote or "")
    if not format_.escape or format_.escape == format_.quote:
        return f"{quote}(?:[^{quote}]++|{quote}{quote})*+{quote}"
    escape = re.escape(format_.escape)
    return f"{quote}(?:[^{quote}{escape}]++|{escape}(?s:.)|{quote}{quote})*+{quote}"


def field_count(format_: Format) -> str:
    """The number of fields of the delimited `_record`, as SQL; a quote inside an unquoted field is just a character."""
    delimiter = re.escape(format_.field_delimiter)
    blanks = "" if format_.field_delimiter == " " else " *+"
    quoted = sql_text(f"(^|{delimiter}){blanks}{quoted_text(format_)}")
    bare = f"regexp_replace(_record, {quoted}, '$1')" if format_.quote else "_record"
    return f"size(split({bare}, {sql_text(delimiter)}))"


def _well_formed(format_: Format) -> str:
    """A pattern for a record of which only quoted fields hold line breaks; after its last quote a field ends."""
    quote, delimiter = re.escape(format_.quote or ""), re.escape(format_.field_delimiter)
    blanks = "" if format_.field_delimiter == " " else " *+"
    field = f"{blanks}(?:{quoted_text(format_)}{blanks}|(?!{quote})[^{delimiter}\r\n]*+)"
    return f"^{field}(?:{delimiter}{field})*+\\z"


def quote_count(text: Column, format_: Format) -> Column:
    """How many quotes stand in a text, escaped ones left out. A doubled quote counts twice: parity is what matters."""
    if format_.escape and format_.escape != format_.quote:
        text = F.regexp_replace(text, re.escape(format_.escape) + "(?s:.)", "")
    return F.size(F.split(text, re.escape(format_.quote or ""))) - 1
