"""From records to typed columns under our names; the texts are kept beside them for the checks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from otklik.sources.characters import has_rare_characters, is_ascii, read_as_utf8, tidied, without_invisible
from otklik.sources.conditions import all_of, any_of
from otklik.sources.contract import BLANKS, Contract, ContractColumn, Format, fold_name
from otklik.sources.header import Header
from otklik.sources.nested import joined_pieces, plain_object
from otklik.sources.numbers import BLANK, RARE_SIGNS
from otklik.sources.reader import Records, as_delimited, field_count, plain_record, with_escaped_quotes
from otklik.sources.values import cleaned, in_small_letters, is_code, is_placeholder, value_of, with_sign_in_front

_BAD = "_bad"
#: Stands behind a record of JSON in an array, as its second element if the record is one value. A record that holds
#: this text itself is rejected (`nul_byte`).
_BEHIND = ',"\\u0000"]'
#: Stands between texts that are looked through at once; one that holds it is only cleaned without need.
_BETWEEN = "\x02"
#: How many fields more than twice as many as there are names a record is still cut into.
_SPARE_FIELDS = 20_480


def with_fields(records: Records, contract: Contract) -> DataFrame:
    """Cut each record into fields and type them.

    Returns:
        _record STRING, _record_no BIGINT, _file_no INT, _has_invalid_bytes BOOLEAN, _is_ascii BOOLEAN, _is_malformed
        BOOLEAN (the number of fields is wrong, or the JSON is broken), _is_plain BOOLEAN (a pattern has told that it is
        whole, and has no quotes but those around texts, no escapes and no control characters), _is_header BOOLEAN (it
        is the header once more), _has_two_names BOOLEAN (a value stands under several names of one column),
        _has_unnamed BOOLEAN (a value stands in a column without a name), _expected_fields INT, _text ARRAY<STRING> (the
        cleaned text of each column of the contract in its order; null for null tokens and for columns the file lacks),
        and one typed column per column of the contract, null where the text does not parse, is a placeholder or a code
        for a missing number.
    """
    raw = records.frame.select(
        F.col("record").alias("_record"),
        F.col("record_no").alias("_record_no"),
        F.col("has_invalid_bytes").alias("_has_invalid_bytes"),
        (F.col("file_no") if "file_no" in records.frame.columns else F.lit(0)).alias("_file_no"),
        is_ascii(F.col("record")).alias("_is_ascii"),
    )
    format_, header = contract.format, records.header
    if format_.is_delimited:
        cut = _with_delimited_fields(raw, header, format_)
    else:
        cut = _with_json_fields(raw, header, contract)
    fields = _field_of_column(header, contract)
    texts = F.array(*fields)
    if not format_.is_delimited:
        # Columns of their own: many looks are taken at them, and Spark would put them together anew for each.
        cut = cut.withColumn("_texts", texts).withColumn("_joined", _joined(F.col("_texts")))
        texts = F.col("_texts")
    # One array instead of an expression per column: generated code for many columns grows past what the JVM compiles,
    # and then reading takes five times as long. Most rows need no cleaning, which is evaluated field by field.
    bare = F.array(*_without_null_tokens(fields, contract)) if format_.is_delimited else texts
    clean = F.when(~_needs_cleaning(contract), bare).otherwise(_cleaned_texts(texts, contract))
    texts_of_row = cut.select(
        "_record",
        "_record_no",
        "_file_no",
        "_has_invalid_bytes",
        "_is_ascii",
        "_is_malformed",
        "_is_plain",
        _is_header(header, contract).alias("_is_header"),
        _has_two_names(header).alias("_has_two_names"),
        _has_unnamed(header, format_).alias("_has_unnamed"),
        F.lit(len(header.names)).alias("_expected_fields"),
        clean.alias("_text"),
    )
    values = [
        _value(F.col("_text")[place], column, contract.format_of(name)).alias(name)
        for place, (name, column) in enumerate(contract.columns.items())
    ]
    return _without_placeholders(texts_of_row.select("*", *values), contract)


def _line(format_: Format) -> Column:
    """The record as it is cut into fields."""
    record = F.expr(as_delimited(format_, "_record"))
    # Where characters are bytes of letters, none of them is without meaning.
    return record if format_.utf8_as_latin1 else tidied(record)


def _cleaned_texts(texts: Column, contract: Contract) -> Column:
    """Each text cleaned, by the null tokens of its column; numbers with the sign in front, times with plain blanks."""
    format_ = contract.format
    is_number = [_is_number(column.type) for column in contract.columns.values()]

    def in_order(text: Column) -> Column:
        if format_.utf8_as_latin1:
            return without_invisible(read_as_utf8(text))
        # In JSON characters may have been escaped until now.
        return tidied(text) if format_.is_nested else text

    if not _has_own_tokens(contract):
        clean = F.transform(texts, lambda text: cleaned(in_order(text), format_))
    else:
        of_column = F.array(*(F.lit(mine) for mine in _null_tokens(contract))).cast("array<array<string>>")
        clean = F.transform(texts, lambda text, place: cleaned(in_order(text), format_, F.get(of_column, place)))
    is_time = [_is_time(column.type) for column in contract.columns.values()]
    if any(is_time):
        of_time = F.lit(is_time)
        clean = F.transform(
            clean, lambda text, place: F.when(F.get(of_time, place), F.regexp_replace(text, BLANK, " ")).otherwise(text)
        )
    if not any(is_number):
        return clean
    of_number = F.lit(is_number)
    signed = F.transform(
        clean, lambda text, place: F.when(F.get(of_number, place), with_sign_in_front(text)).otherwise(text)
    )
    return F.when(_may_have_odd_signs(F.col("_line"), format_), signed).otherwise(clean)


def _may_have_odd_signs(line: Column, format_: Format) -> Column:
    """Whether a number of a record may have its sign elsewhere than in front of it, or another sign than the usual one.

    Every record is asked, so most are to be let go by few looks through their bytes.
    """
    behind = ["- ", f"-{format_.field_delimiter}", *([f"-{format_.quote}"] if format_.quote else [])]
    is_behind = F.endswith(line, F.lit("-")) | (F.contains(line, F.lit("-")) & _holds_any(line, behind))
    return _holds_any(line, ["(", "+ "]) | is_behind | (~F.col("_is_ascii") & _holds_any(line, [*RARE_SIGNS]))


def _is_number(type_: str) -> bool:
    return type_ in ("integer", "double") or type_.startswith("decimal")


def _value(text: Column, column: ContractColumn, format_: Format) -> Column:
    value = value_of(text, column, format_)
    return F.when(~is_code(value, column.missing_codes), value) if column.missing_codes else value


def _without_placeholders(rows: DataFrame, contract: Contract) -> DataFrame:
    """Days that stand for no date are no dates, and nothing was written there."""
    dated = [(place, name) for place, (name, column) in enumerate(contract.columns.items()) if _is_time(column.type)]
    if not contract.format.placeholders or not dated:
        return rows
    types = {name: contract.columns[name].type for _, name in dated}
    flagged = rows.withColumn(
        "_placeholders",
        F.array(*(is_placeholder(F.col(name), types[name], contract.format) for _, name in dated)),
    )
    is_none = {name: F.col("_placeholders")[n] for n, (_, name) in enumerate(dated)}
    texts = [
        F.when(~is_none[name], F.col("_text")[place]) if name in is_none else F.col("_text")[place]
        for place, name in enumerate(contract.columns)
    ]
    values = {name: F.when(~is_none[name], F.col(name)) for name in is_none}
    return flagged.withColumns({**values, "_text": F.array(*texts)}).drop("_placeholders")


def _is_time(type_: str) -> bool:
    return type_ in ("date", "timestamp")


def _is_header(header: Header, contract: Contract) -> Column:
    """Whether a record is the header once more, as in files that were put together."""
    named = [
        (name, our) for name, our in zip(header.names, header.columns, strict=True) if our is not None and name.strip()
    ]
    if not contract.format.is_delimited or not named:
        return F.lit(False)
    fields = [(_field(header.columns.index(our), contract.format), fold_name(name)) for name, our in named]
    # The first field decides for nearly every record.
    same = (in_small_letters(F.btrim(field, F.lit(BLANKS)), name) == F.lit(name) for field, name in fields)
    return F.coalesce(all_of(same), F.lit(False))


def _has_two_names(header: Header) -> Column:
    """Whether a record of JSON has values under several names of one column."""
    doubled = {our for our in header.columns if our is not None and header.columns.count(our) > 1}
    several = [
        sum((F.col("_fields")[f"f{place}"].isNotNull().cast("int") for place in _places(header, our)), F.lit(0)) > 1
        for our in sorted(doubled)
    ]
    return any_of([F.lit(False), *several])


def _has_unnamed(header: Header, format_: Format) -> Column:
    """Whether something stands in a column whose name is empty, and which the contract does not name."""
    unnamed = [
        place
        for place, (name, our) in enumerate(zip(header.names, header.columns, strict=True))
        if our is None and not fold_name(name)
    ]
    if not format_.is_delimited:
        return F.lit(False)
    return any_of([F.lit(False), *(F.nullif(_field(place, format_), F.lit("")).isNotNull() for place in unnamed)])


def _places(header: Header, our: str) -> list[int]:
    return [place for place, name in enumerate(header.columns) if name == our]


def _needs_cleaning(contract: Contract) -> Column:
    """Whether fields of the record may have blanks, null tokens, or numbers with odd signs."""
    format_ = contract.format
    if format_.null_tokens != [""] or _has_own_tokens(contract) or format_.utf8_as_latin1:
        needs_it = F.lit(True)
    else:
        needs_it = _may_have_blanks(format_) if format_.is_delimited else _are_not_bare()
        if any(_is_number(column.type) for column in contract.columns.values()):
            needs_it = needs_it | _may_have_odd_signs(F.col("_line"), format_)
    return ~F.col("_is_plain") & needs_it if format_.is_delimited else needs_it


def _may_have_blanks(format_: Format) -> Column:
    """Whether a delimited record may have what from_csv, which trims fields, has left."""
    line = F.col("_line")
    # In quotes the quotes of a formula are doubled.
    beside_quotes = ["\t", "\r", "\n", f"{format_.quote} ", f" {format_.quote}"] if format_.quote else []
    of_spreadsheets = ['="', f"{format_.field_delimiter}'"]
    odd = [text for text in [*beside_quotes, *of_spreadsheets] if text != format_.field_delimiter]
    return has_rare_characters(line, ~F.col("_is_ascii")) | _holds_any(line, odd) | F.startswith(line, F.lit("'"))


def _joined(texts: Column) -> Column:
    """The texts of a record, and what stands between them also before the first one and behind the last."""
    return F.concat(F.lit(_BETWEEN), F.array_join(texts, _BETWEEN), F.lit(_BETWEEN))


def _are_not_bare() -> Column:
    """Whether a text is empty, begins or ends with a blank, or with what spreadsheets write before a text."""
    joined = F.col("_joined")
    ends = [f"{_BETWEEN} ", f" {_BETWEEN}", f'{_BETWEEN}="', f"{_BETWEEN}'", f"{_BETWEEN}{_BETWEEN}"]
    other_blanks = [blank for blank in BLANKS if blank.isascii() and blank != " "]
    # A record of ASCII alone may have escaped other letters.
    may_be = ~F.col("_is_ascii") | F.contains("_line", F.lit("\\"))
    return has_rare_characters(joined, may_be) | _holds_any(joined, [*ends, *other_blanks])


def _holds_any(record: Column, texts: list[str]) -> Column:
    return any_of([F.lit(False), *(F.contains(record, F.lit(text)) for text in texts)])


def _with_delimited_fields(raw: DataFrame, header: Header, format_: Format) -> DataFrame:
    """Add `_fields`, an array of texts in the file's order, `_is_malformed` and `_is_plain`."""
    names = [f"f{n}" for n in range(len(header.names))]
    schema = StructType([StructField(name, StringType()) for name in [*names, _BAD]])
    most = 2 * len(names) + _SPARE_FIELDS
    # To split takes a part of the time of from_csv, which makes a parser ready for each record.
    record = as_delimited(format_, "_record")
    is_plain = F.rlike(F.expr(record), F.lit(plain_record(format_, len(names))))
    raw = raw.withColumn("_is_plain", F.lit(False) if format_.utf8_as_latin1 else is_plain)
    raw = raw.withColumn("_line", F.when(~F.col("_is_plain"), _line(format_)))
    bare = F.replace(F.expr(record), F.lit(format_.quote), F.lit("")) if format_.quote else F.expr(record)
    split = F.when(F.col("_is_plain"), F.split(bare, re.escape(format_.field_delimiter)))
    # Of a record with more fields from_csv makes an error that stops the file and quotes the record.
    is_endless = F.when(F.octet_length("_line") > most, F.expr(field_count(format_, "_line")) > most).otherwise(
        F.lit(False)
    )
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

    def fields_of(line: Column) -> Column:
        return F.from_csv(with_escaped_quotes(line, format_), F.lit(schema.simpleString()), options)

    first = raw.withColumn("_first", fields_of(F.when(~is_endless, F.col("_line")))).withColumn(
        "_is_endless", is_endless
    )
    # Lines that end with more delimiters than the header: what stands behind its last column is nothing.
    has_empty_end = F.col("_first")[_BAD].isNotNull() & F.endswith("_line", F.lit(format_.field_delimiter))
    bare = F.regexp_replace("_line", f"(?:{re.escape(format_.field_delimiter)} *)+$", "")
    shortened = first.withColumn("_bare", F.when(has_empty_end, bare))
    has_more = F.expr(f"_bare IS NOT NULL AND {field_count(format_, '_line')} > {len(names)}")
    # Or with fewer, where the header's last columns have no names.
    unnamed = _unnamed_at_end(header)
    lacks_them = F.col("_first")[_BAD].isNotNull() & F.expr(
        f"{field_count(format_, '_line')} BETWEEN {len(names) - unnamed} AND {len(names) - 1}"
    )
    short = F.when(has_more, F.col("_bare"))
    short = short.when(lacks_them, F.col("_line")) if unnamed else short
    shortened = shortened.withColumn("_short", short)
    lacking = F.expr(f"greatest(0, {len(names)} - {field_count(format_, '_short')})")
    filled = F.concat("_short", F.repeat(F.lit(format_.field_delimiter), lacking))
    again = F.when(F.col("_short").isNotNull(), fields_of(filled)).otherwise(F.col("_first"))
    is_malformed = F.col("_is_endless") | F.col("_again")[_BAD].isNotNull()
    parsed = F.array(*(F.col("_again")[name] for name in names))
    return (
        shortened.withColumn("_again", again)
        .withColumn("_fields", F.coalesce(split, parsed))
        .withColumn("_is_malformed", is_malformed)
    )


def _unnamed_at_end(header: Header) -> int:
    """How many of the last columns have no name, and are none of the contract's."""
    named = [place for place, name in enumerate(header.names, 1) if fold_name(name) or header.columns[place - 1]]
    return len(header.names) - max(named, default=0)


def _with_json_fields(raw: DataFrame, header: Header, contract: Contract) -> DataFrame:
    """Add `_fields`, a struct of texts f0, f1 … in the order of the header, and `_is_malformed`.

    The variant parser is the strict one: it sees what follows the object, and doubled keys; plain objects need it not.
    It also keeps all digits of a number, which from_json turns into a double on its way to text: so decimals are taken
    from it, and keys that differ from another one by case alone, which from_json does not tell apart. NaN and infinity,
    which are no JSON and which Python writes all the same, are read as texts.
    """
    wanted = [(place, name, our) for place, (name, our) in enumerate(zip(header.names, header.columns, strict=True))]
    wanted = [each for each in wanted if each[2] is not None]
    lower = [name.lower() for _, name, _ in wanted]
    paths = {
        name: path
        for _, name, our in wanted
        if ((our and contract.columns[our].type.startswith("decimal")) or lower.count(name.lower()) > 1)
        and (path := _variant_path(name))
    }
    nested = {name: path for _, name, _ in wanted if (path := _nested_path(name))}
    pieces = {
        name: joined_pieces(path, key)
        for _, name, our in wanted
        if our and (key := contract.columns[our].pieces) and (path := nested.get(name) or _variant_path(name))
    }
    schema = StructType(
        [StructField(name, StringType()) for _, name, _ in wanted if name not in {**paths, **nested, **pieces}]
    )
    if not schema.fields:
        schema = StructType([StructField(_BAD, StringType())])

    pattern = None if {**paths, **nested, **pieces} else plain_object(header.names)
    is_plain = F.lit(False) if pattern is None else F.rlike("_record", F.lit(pattern))
    known = raw.withColumn("_is_plain", is_plain)
    plain = known.withColumn("_line", F.when(F.col("_is_plain"), F.col("_record")).otherwise(_line(contract.format)))

    def in_brackets(line: str) -> Column:
        return F.try_parse_json(F.concat(F.lit("["), F.col(line), F.lit(_BEHIND)))

    strict = plain.withColumn("_strict", F.when(~F.col("_is_plain"), in_brackets("_line")))
    quoted = F.regexp_replace("_line", r"([:\[,]\s*+)(-?(?:NaN|Infinity))(?=\s*+[,}\]])", '$1"$2"')
    has_words = ~F.col("_is_plain") & F.col("_strict").isNull() & _holds_any(F.col("_line"), ["NaN", "Infinity"])
    tolerant = strict.withColumn("_line", F.when(has_words, quoted).otherwise(F.col("_line")))
    again = F.when(~F.col("_is_plain"), in_brackets("_line"))
    parsed = tolerant.withColumn("_variant", F.coalesce("_strict", again)).withColumn(
        "_json", F.from_json("_line", schema)
    )

    def field(name: str) -> Column:
        if name in pieces:
            return pieces[name]
        if name in nested:
            # A key may hold the point itself.
            literal = _variant_path(name)
            whole = [F.try_variant_get("_variant", literal, "string")] if literal else []
            return F.coalesce(*whole, F.try_variant_get("_variant", nested[name], "string"))
        if name in paths:
            return F.try_variant_get("_variant", paths[name], "string")
        return F.col("_json").getField(name)

    def exact(name: str, our: str | None) -> Column:
        is_decimal = our is not None and contract.columns[our].type.startswith("decimal")
        return _without_exponent(field(name)) if is_decimal and contract.format.kind == "json" else field(name)

    fields = [exact(name, our).alias(f"f{place}") for place, name, our in wanted]
    # To find something takes less than to find nothing, for which Spark makes an exception in each record.
    is_one_object = F.col("_is_plain") | (
        F.coalesce(F.try_variant_get("_variant", "$[1]", "string") == "\0", F.lit(False))
        & F.startswith(F.ltrim("_line", F.lit(BLANKS)), F.lit("{"))
    )
    return parsed.withColumn("_fields", F.struct(*fields)).withColumn("_is_malformed", ~is_one_object)


def _without_exponent(number: Column) -> Column:
    """A number as documents have it, in which large and small ones went through a double: with all its digits."""
    plain = F.when(F.contains(number, F.lit("E")), number.try_cast("decimal(38,18)")).cast("string")
    return F.coalesce(plain, number)


def _nested_path(name: str) -> str | None:
    """The path into the objects of a record, where a name is one."""
    if "." not in name:
        return None
    steps = [_variant_path(step) for step in name.split(".")]
    return None if None in steps else "$[0]" + "".join(step.removeprefix("$[0]") for step in steps if step)


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
        given = [_field(place, contract.format) for place in _places(header, name)]
        if contract.format.is_delimited:
            # from_csv knows no empty text, only null.
            given = [F.nullif(text, F.lit("")) for text in given]
            if "" not in contract.format.null_tokens:
                given.append(F.lit(""))
        texts.append(F.coalesce(*given))
    return texts


def _field(place: int, format_: Format) -> Column:
    """A field of the record: delimited ones are an array; of objects only the wanted ones stand in a struct."""
    return F.col("_fields")[place if format_.is_delimited else f"f{place}"]


def _without_null_tokens(fields: Sequence[Column], contract: Contract) -> list[Column]:
    """The field of each column where it needs no cleaning; null where it is a null token of its column."""
    return [
        F.when(~field.isin(tokens), field) if {*tokens} - {""} else field
        for field, tokens in zip(fields, _null_tokens(contract), strict=True)
    ]


def _null_tokens(contract: Contract) -> list[list[str]]:
    """The null tokens of each column."""
    common = contract.format.null_tokens
    return [common if column.null_tokens is None else column.null_tokens for column in contract.columns.values()]


def _has_own_tokens(contract: Contract) -> bool:
    return any(column.null_tokens is not None for column in contract.columns.values())
