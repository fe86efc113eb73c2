"""From records to typed columns under our names; the texts are kept beside them for the checks."""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from otklik.sources.contract import BLANKS, Contract, Format
from otklik.sources.header import Header
from otklik.sources.reader import Records, field_count
from otklik.sources.values import cleaned, typed

_BAD = "_bad"
#: How many fields more than twice as many as there are names a record is still cut into.
_SPARE_FIELDS = 20_480


def with_fields(records: Records, contract: Contract) -> DataFrame:
    """Cut each record into fields and type them.

    Returns:
        _record STRING, _record_no BIGINT, _has_invalid_bytes BOOLEAN, _is_malformed BOOLEAN (the number of fields is
        wrong, or the JSON is broken), _expected_fields INT, _text ARRAY<STRING> (the cleaned text of each column of the
        contract in its order; null for null tokens and for columns the file lacks), and one typed column per column of
        the contract, null where the text does not parse.
    """
    raw = records.frame.select(
        F.col("record").alias("_record"),
        F.col("record_no").alias("_record_no"),
        F.col("has_invalid_bytes").alias("_has_invalid_bytes"),
    )
    format_ = contract.format
    if format_.is_delimited:
        cut = _with_delimited_fields(raw, records.header, format_)
    else:
        cut = _with_json_fields(raw, records.header, contract)
    texts = F.array(*_field_of_column(records.header, contract))
    # One array instead of an expression per column: generated code for many columns grows past what the JVM compiles,
    # and then reading takes five times as long. Most rows need no cleaning: from_csv has trimmed them.
    cleaned_texts = F.transform(texts, lambda text: cleaned(text, format_))
    is_clean = ~_needs_cleaning(format_)
    texts_of_row = cut.select(
        "_record",
        "_record_no",
        "_has_invalid_bytes",
        "_is_malformed",
        F.lit(len(records.header.names)).alias("_expected_fields"),
        F.when(is_clean, texts).otherwise(cleaned_texts).alias("_text"),
    )
    values = [
        typed(F.col("_text")[place], column.type, format_).alias(name)
        for place, (name, column) in enumerate(contract.columns.items())
    ]
    return texts_of_row.select("*", *values)


def _needs_cleaning(format_: Format) -> Column:
    """Whether fields of the record may have blanks or null tokens that from_csv has left."""
    if not format_.is_delimited or format_.null_tokens != [""]:
        return F.lit(True)
    record = F.col("_record")
    rare = [blank for blank in BLANKS if not blank.isascii()]
    is_rare = (F.octet_length(record) != F.char_length(record)) & _holds_any(record, rare)
    beside_quotes = ["\t", "\r", "\n", f"{format_.quote} ", f" {format_.quote}"] if format_.quote else []
    return is_rare | _holds_any(record, [text for text in beside_quotes if text != format_.field_delimiter])


def _holds_any(record: Column, texts: list[str]) -> Column:
    return reduce(or_, (F.contains(record, F.lit(text)) for text in texts), F.lit(False))


def _with_delimited_fields(raw: DataFrame, header: Header, format_: Format) -> DataFrame:
    """Add `_fields`, a struct of texts f0, f1 … in the file's order, and `_is_malformed`."""
    names = [f"f{n}" for n in range(len(header.names))]
    schema = StructType([StructField(name, StringType()) for name in [*names, _BAD]])
    most = 2 * len(names) + _SPARE_FIELDS
    # Of a record with more fields from_csv makes an error that stops the file and quotes the record.
    is_endless = F.when(F.octet_length("_record") > most, F.expr(field_count(format_)) > most).otherwise(F.lit(False))
    options = {
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": _BAD,
        "sep": format_.field_delimiter,
        "quote": format_.quote or "",
        "escape": format_.escape or format_.quote or "\\",
        "ignoreLeadingWhiteSpace": "true",
        "ignoreTrailingWhiteSpace": "true",
        "maxColumns": str(most),
        "maxCharsPerColumn": "-1",
    }
    fields = F.from_csv(F.when(~is_endless, F.col("_record")), F.lit(schema.simpleString()), options)
    is_malformed = is_endless | F.col("_fields").getField(_BAD).isNotNull()
    return raw.withColumn("_fields", fields).withColumn("_is_malformed", is_malformed)


def _with_json_fields(raw: DataFrame, header: Header, contract: Contract) -> DataFrame:
    """Add `_fields`, a struct of texts under the file's names, and `_is_malformed`.

    The variant parser is the strict one: it sees what follows the object, and doubled keys. It also keeps all digits of
    a number, which from_json turns into a double on its way to text: so decimals are taken from it.
    """
    wanted = [(name, our) for name, our in zip(header.names, header.columns, strict=True) if our is not None]
    schema = StructType([StructField(name, StringType()) for name, _ in wanted])
    decimals = {
        our: path
        for name, our in wanted
        if contract.columns[our].type.startswith("decimal") and (path := _variant_path(name))
    }
    variant = F.try_parse_json(F.concat(F.lit("["), F.col("_record"), F.lit("]")))
    parsed = raw.withColumn("_variant", variant).withColumn("_json", F.from_json("_record", schema))
    fields = [
        (
            F.try_variant_get("_variant", decimals[our], "string") if our in decimals else F.col("_json").getField(name)
        ).alias(f"f{header.names.index(name)}")
        for name, our in wanted
    ]
    is_one_object = (
        F.col("_variant").isNotNull()
        & F.try_variant_get("_variant", "$[1]", "variant").isNull()
        & F.startswith(F.trim("_record"), F.lit("{"))
    )
    return parsed.withColumn("_fields", F.struct(*fields)).withColumn("_is_malformed", ~is_one_object)


def _variant_path(name: str) -> str | None:
    """The path of a key in the variant of `[record]`, or None where its grammar has no way to write the key."""
    if "?" in name:
        return None
    if "'" not in name:
        return f"$[0]['{name}']"
    return None if '"' in name else f'$[0]["{name}"]'


def _field_of_column(header: Header, contract: Contract) -> list[Column]:
    """The raw text of each column of the contract; null for those that the file lacks."""
    texts = []
    for name in contract.columns:
        if name not in header.columns:
            texts.append(F.lit(None).cast("string"))
            continue
        text = F.col("_fields").getField(f"f{header.columns.index(name)}")
        if contract.format.is_delimited and "" not in contract.format.null_tokens:
            # from_csv knows no empty text, only null.
            text = F.coalesce(text, F.lit(""))
        texts.append(text)
    return texts
