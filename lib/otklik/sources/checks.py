"""What is wrong with each row, which rows are the same thing, and whether the file as a whole may pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from otklik.errors import InputError
from otklik.lake.store import sql_text
from otklik.session import frame_of
from otklik.sources import contract as contracts
from otklik.sources.characters import has_lost_letters, is_misread, is_misread_json
from otklik.sources.conditions import all_of, any_of
from otklik.sources.contract import Contract, Format
from otklik.sources.numbers import WHOLE_AS_FLOAT
from otklik.sources.reader import as_delimited, field_count, quote_count, quoted_text, well_formed
from otklik.sources.values import has_two_digit_years, is_code, names_zone, value_of

REASONS_TYPE = "ARRAY<STRUCT<reason:STRING,column:STRING,rule:STRING>>"
_REASONS_SHOWN = 3
_EXACT_IN_DOUBLE = 2**53
#: So many hashes of repeated keys are sent to all; where there are more, all rows are sorted.
_MOST_HASHES = 200_000

#: What is counted of accepted rows beside the rules of severity warn → what it means and what helps.
ODDITIES = {
    "far_times": "a date before 1902 or after 2089; name in format.placeholders the days that stand for no date",
    "fractions_in_identifiers": (
        "identifiers like 17850.0, as programs write numbers in columns with missing values; they are not equal to "
        "17850: export them as text, or read them with type = 'integer'"
    ),
    "future_times": "an event later than its file's arrival; a clock is wrong, or the time zone or unit of format is",
    "lost_letters": (
        "texts with ? or \ufffd in the place of letters; the export has lost them: export it again, in utf-8"
    ),
    "misread_texts": (
        "texts that look like utf-8 read in another encoding; look at how the file was exported, and at "
        "format.encoding or, in exports of Facebook and Instagram, format.utf8_as_latin1"
    ),
    "repeated_times": "a local time that the clock of format.time_zone shows twice; the first is taken",
    "rounded_numbers": "texts like 7.7E+10: a spreadsheet has rounded a long number",
    "totals": "a name such as Total or Итого: a sum among the rows? format.footer leaves out lines at the end",
    "two_digit_years": (
        "two digits of a year that give a date in the future; format.two_digit_years_from says which century is meant"
    ),
    "unnamed_values": "values in columns without a name, which are not read",
}
#: What says where a field ends, by the kind of file.
_BETWEEN_FIELDS = {"csv": "format.delimiter", "fixed": "format.widths"}
#: Years between which dates are taken as meant.
_FIRST_YEAR, _LAST_YEAR = 1902, 2089
#: How a spreadsheet shows a long number in a narrow column, and saves it.
_ROUNDED = r"^[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}$"

#: A text that is not there, as SQL.
_NO_TEXT = "CAST(NULL AS STRING)"

#: A condition, where null means no, and the reason it stands for: reason, column, rule.
Fault = tuple[Column, tuple[str, str | None, str | None]]


@dataclass(frozen=True)
class Balance:
    """The count of a file's records: rows = accepted + rejected + duplicates.

    Attributes:
        rows: records in the file.
        accepted: rows that go on to silver.
        rejected: records that broke the contract.
        duplicates: rows that another row of the file replaces, being the same under the key.
        warnings: rows per rule of severity warn that they break; `lookalikes`: rows equal to an earlier one in all
            but the columns the contract names; `records_in_quotes`: rows of several lines of which each looks like a
            record, as if a quote too many had eaten them; `without_key`: rows in which the whole key is empty; and the
            ODDITIES.
        failures: rows per rule of severity fail that they break.
        first_in_quotes: the first record of those that `records_in_quotes` counts.
        shared: those of the accepted rows whose key may stand in another of the files that were read together.
    """

    rows: int
    accepted: int
    rejected: int
    duplicates: int
    warnings: dict[str, int]
    failures: dict[str, int]
    first_in_quotes: int | None = None
    shared: int = 0


#: The balance of a file in which there is nothing, or that was refused as a whole.
NO_ROWS = Balance(0, 0, 0, 0, {}, {})


def with_reasons(rows: DataFrame, contract: Contract, arrived_at: datetime | Column | None = None) -> DataFrame:
    """Say of each row what breaks the contract.

    Args:
        rows: from `fields.with_fields`.
        contract: what the rows must obey.
        arrived_at: after which no event can lie, one moment or a column of `rows`; None asks nothing of that.

    Returns:
        _record (null for a good row: bronze has it), _record_no, _file_no, the contract's columns, _reasons (array of
        reason, column, rule; empty for a good row), _broken ARRAY<STRING>, the names of broken rules of severity warn
        and fail and of ODDITIES, and _holds_records BOOLEAN (see `Balance.warnings`). `_reasons` never holds a value:
        - too_few_fields, too_many_fields, unclosed_quote, unescaped_quote, broken_json, broken_xml, repeated_header:
          the record falls apart, or is none, and nothing else is said;
        - invalid_bytes, nul_byte, field_too_long, two_names (JSON: a column's value stands under two of its names);
        - required, type, allowed, range: with the column and what was asked of it;
        - rounded: an identifier that a spreadsheet has rounded;
        - rule: with the rule's name.
    """
    is_apart = F.col("_is_malformed") | F.col("_is_header")
    faults = [*_record_faults(contract.format), *_column_faults(contract), *_rule_faults(contract)]
    record_failure = [rule for rule in contract.rules if rule.severity != "reject"]
    said = {rule.name: _is_broken(rule) for rule in record_failure} | _oddities(contract, arrived_at)
    # One flag per possible fault; only bad rows look up what the flags mean. Writing the reasons out beside each
    # condition makes a method of generated code that the JVM does not compile, and the step twice as long.
    flags = {
        "_flags": F.array(*(condition for condition, _ in faults)),
        "_is_said": F.array(*said.values()),
        "_has_long_field": _has_long_field(contract),
    }
    if _has_quotes(contract.format):
        flags["_is_unclosed"] = ~F.col("_is_plain") & _is_unclosed(F.col("_record"), contract.format)
        flags["_is_unescaped"] = ~F.col("_is_plain") & _is_unescaped(contract.format)
        is_apart = is_apart | F.col("_is_unclosed") | F.col("_is_unescaped")
    # All at once: each time that columns are added Spark copies the row.
    flagged = rows.withColumns(flags)
    is_bad = is_apart | F.col("_has_long_field") | F.coalesce(F.array_contains("_flags", True), F.lit(False))
    names = F.array(*(F.lit(name) for name in said))
    broken = F.when(
        F.array_contains("_is_said", True), F.filter(names, lambda _, place: F.col("_is_said")[place])
    ).otherwise(F.array())
    meanings = [_reason(what, _literal(column), _literal(rule)) for _, (what, column, rule) in faults]
    found = F.concat(
        F.when(F.col("_has_long_field"), _array_of(_long_field_reason(contract))).otherwise(F.array()),
        F.filter(_array_of(*meanings), lambda _, place: F.col("_flags")[place]),
    )
    reasons = F.when(is_apart, _array_of(_structural_reason(contract.format))).otherwise(found)
    return flagged.select(
        F.when(is_bad, F.col("_record")).alias("_record"),
        "_record_no",
        "_file_no",
        *(F.col(name) for name in contract.columns),
        F.when(is_bad, reasons).otherwise(F.array()).cast(REASONS_TYPE).alias("_reasons"),
        broken.cast("array<string>").alias("_broken"),
        _holds_records(contract.format).alias("_holds_records"),
    )


def with_duplicates(checked: DataFrame, contract: Contract) -> DataFrame:
    """Mark the rows of each file that are the same thing under the contract's key; one of each stays unmarked.

    Nulls in keys are equal to one another. Rejected rows take no part. `first` and `last` go by the position in the
    file; `newest` by the column the contract names, by position among equals, and rows without it are the oldest.

    Counts the rows per key at once: keep `checked` before.

    Returns:
        `checked` with _is_duplicate, _is_lookalike (false where the contract names no lookalikes) and _is_shared,
        whether a row of another of the files may have the same key.
    """
    is_rejected = F.size("_reasons") > 0
    position = F.col("_record_no")
    if contract.key.keep == "first":
        order = [position.asc()]
    elif contract.key.newest_by is None:
        order = [position.desc()]
    else:
        order = [F.col(contract.key.newest_by).desc_nulls_last(), position.desc()]
    if contract.key.position_within is not None:
        checked = _with_position(checked, [*contract.key_columns, *contract.key.position_within], is_rejected)
    marked = _with_repeated(checked, "_is_duplicate", contract.whole_key, is_rejected, order, shared="_is_shared")
    if contract.lookalikes is None:
        return marked.withColumn("_is_lookalike", F.lit(False))
    others = [name for name in contract.columns if name not in contract.lookalikes]
    is_out = is_rejected | F.col("_is_duplicate")
    return _with_repeated(marked, "_is_lookalike", others, is_out, [position.asc()])


def only_accepted(judged: DataFrame, contract: Contract, *more: str) -> DataFrame:
    """The rows for silver: _record_no, the contract's columns, the count of key.position_within, and more columns."""
    good = judged.where((F.size("_reasons") == 0) & ~F.col("_is_duplicate"))
    columns = dict.fromkeys([*contract.columns, *contract.whole_key])
    return good.select("_record_no", *(F.col(name) for name in columns), *more)


def only_rejected(judged: DataFrame, *more: str) -> DataFrame:
    """The records for bronze.rejected: record_no, reasons, record, and more columns."""
    return judged.where(F.size("_reasons") > 0).select(
        F.col("_record_no").alias("record_no"),
        F.col("_reasons").alias("reasons"),
        F.col("_record").alias("record"),
        *more,
    )


def balance(judged: DataFrame, contract: Contract) -> Balance:
    """Count a file's rows; as `balances`."""
    return balances(judged, contract).get(0, NO_ROWS)


def balances(judged: DataFrame, contract: Contract) -> dict[int, Balance]:
    """Count the rows of files in one pass: number of the file → its balance; files without records are left out.

    Args:
        judged: from `with_duplicates`.
        contract: for the names of its rules.
    """
    is_rejected = F.size("_reasons") > 0
    is_in_quotes = ~is_rejected & F.col("_holds_records")
    record_failure = [rule for rule in contract.rules if rule.severity != "reject"]
    is_nameless = ~is_rejected & all_of(F.col(name).isNull() for name in contract.key_columns)
    counted = judged.groupBy("_file_no").agg(
        *(F.count_if(~is_rejected & F.array_contains("_broken", name)).alias(name) for name in ODDITIES),
        F.count("*").alias("rows"),
        F.count_if(is_rejected).alias("rejected"),
        F.count_if("_is_duplicate").alias("duplicates"),
        F.count_if("_is_lookalike").alias("lookalikes"),
        F.count_if(F.col("_is_shared") & ~F.col("_is_duplicate")).alias("shared"),
        F.count_if(is_in_quotes).alias("records_in_quotes"),
        F.count_if(is_nameless).alias("without_key"),
        F.min(F.when(is_in_quotes, F.col("_record_no"))).alias("first_in_quotes"),
        *(
            F.count_if(~is_rejected & F.array_contains("_broken", rule.name)).alias(f"rule_{n}")
            for n, rule in enumerate(record_failure)
        ),
    )
    return {row["_file_no"]: _balance_of(row, contract) for row in counted.collect()}


def _balance_of(counts: Row, contract: Contract) -> Balance:
    record_failure = [rule for rule in contract.rules if rule.severity != "reject"]
    broken = {rule.name: counts[f"rule_{n}"] for n, rule in enumerate(record_failure) if counts[f"rule_{n}"]}
    severities = {rule.name: rule.severity for rule in record_failure}
    warnings = {name: rows for name, rows in broken.items() if severities[name] == "warn"}
    of_all = ("lookalikes", "records_in_quotes", "without_key", *ODDITIES)
    warnings |= {name: counts[name] for name in of_all if counts[name]}
    return Balance(
        rows=counts.rows,
        accepted=counts.rows - counts.rejected - counts.duplicates,
        rejected=counts.rejected,
        duplicates=counts.duplicates,
        warnings=warnings,
        failures={name: rows for name, rows in broken.items() if severities[name] == "fail"},
        first_in_quotes=counts.first_in_quotes,
        shared=counts.shared,
    )


def refuse_past_thresholds(
    counts: Balance, judged: DataFrame, contract: Contract, where: str, file_no: int = 0
) -> None:
    """Stop before any table is changed, if a file breaks the contract too often.

    Args:
        counts: its balance.
        judged: from `with_duplicates`; other files may be in it.
        contract: for its thresholds.
        where: the file, for messages.
        file_no: its number.

    Raises:
        InputError: naming the threshold, the counts and the most common reasons with columns; never a value.
    """
    limits = contract.thresholds
    faults = [
        f"rules.{name} (severity fail) is violated by {rows:,} of {counts.rows:,} rows"
        for name, rows in counts.failures.items()
    ]
    if counts.rows and counts.rejected / counts.rows > limits.rejected_share:
        faults.append(
            f"{counts.rejected:,} of {counts.rows:,} records are rejected, more than thresholds.rejected_share = "
            f"{limits.rejected_share:g}"
        )
    if limits.rejected_rows is not None and counts.rejected > limits.rejected_rows:
        faults.append(
            f"{counts.rejected:,} records are rejected, more than thresholds.rejected_rows = {limits.rejected_rows:,}"
        )
    if counts.rows and counts.duplicates / counts.rows > limits.duplicate_share:
        faults.append(
            f"{counts.duplicates:,} of {counts.rows:,} rows are duplicates, more than thresholds.duplicate_share = "
            f"{limits.duplicate_share:g}"
        )
    if not faults:
        return
    reasons = _commonest(judged.where(F.col("_file_no") == file_no)) if counts.rejected else []
    commonest = f"; most common reasons: {_in_words(reasons)}" if reasons else ""
    settings = list(dict.fromkeys(hint for row in reasons if (hint := _setting(row, contract)))) or ["format", "rules"]
    raise InputError(
        "; ".join(faults) + commonest,
        where=where,
        hint=f"fix the file, or the contract {contract.name} ({', '.join([*settings, 'thresholds'])})",
    )


def _setting(reason: Row, contract: Contract) -> str:
    """The setting of the contract that may be at fault where rows are rejected for a reason; nothing if none is."""
    by_reason = {
        "invalid_bytes": "format.encoding",
        "type": _type_settings(reason.place, contract) if reason.place in contract.columns else "",
        "too_few_fields": f"{_BETWEEN_FIELDS.get(contract.format.kind, 'format.kind')}, format.quote",
        "too_many_fields": f"{_BETWEEN_FIELDS.get(contract.format.kind, 'format.kind')}, format.quote",
        "unclosed_quote": "format.quote, format.escape" if contract.format.multiline else "format.multiline",
        "unescaped_quote": "format.quote, format.escape",
        "field_too_long": "format.maximum_field_length",
        "required": f"columns.{reason.place}.required",
        "allowed": f"columns.{reason.place}.allowed",
        "range": f"columns.{reason.place}.minimum and maximum",
        "rule": f"rules.{reason.rule}",
    }
    return by_reason.get(reason.what, "")


def _type_settings(name: str, contract: Contract) -> str:
    """The settings by which a column may read more texts, without those that are made already."""
    column, format_ = contract.columns[name], contract.format_of(name)
    if column.type in ("date", "timestamp"):
        return f"columns.{name}.formats" if column.formats else f"format.{column.type}_formats"
    # What a column says of itself holds whatever the format says.
    own = {
        setting: f"columns.{name}" if getattr(column, setting) is not None else "format"
        for setting in ("null_tokens", "decimal_comma", "thousands_separator")
    }
    settings = {
        f"{own['null_tokens']}.null_tokens": True,
        f"{own['decimal_comma']}.decimal_comma": (
            column.type not in ("boolean", "integer") and not format_.decimal_comma
        ),
        f"{own['thousands_separator']}.thousands_separator": (
            column.type != "boolean" and not format_.thousands_separator
        ),
        f"columns.{name}.units": column.type != "boolean" and column.units is None,
        f"columns.{name}.type": column.type == "boolean",
    }
    return ", ".join(setting for setting, helps in settings.items() if helps)


def commonest_reasons(judged: DataFrame) -> str:
    """The most frequent reasons for rejection, e.g. `type in age (12,040, integer; first in record 3)`."""
    return _in_words(_commonest(judged))


def _commonest(judged: DataFrame) -> list[Row]:
    """The most frequent reasons: what, place, rule, rows, first."""
    reason = F.col("reason")
    return (
        only_rejected(judged)
        .select("record_no", F.explode("reasons").alias("reason"))
        .groupBy(reason["reason"].alias("what"), reason["column"].alias("place"), reason["rule"].alias("rule"))
        .agg(F.count("*").alias("rows"), F.min("record_no").alias("first"))
        .orderBy(F.desc("rows"), "first", "what", "place")
        .limit(_REASONS_SHOWN)
        .collect()
    )


def _in_words(reasons: Sequence[Row]) -> str:
    return ", ".join(
        row.what
        + (f" in {row.place}" if row.place else "")
        + f" ({row.rows:,}"
        + (f", {row.rule}" if row.rule else "")
        + f"; first in record {row.first:,})"
        for row in reasons
    )


def _is_broken(rule: contracts.Rule) -> Column:
    return ~F.coalesce(F.expr(rule.holds), F.lit(True))


def _reason(reason: str, column: str = _NO_TEXT, rule: str = _NO_TEXT) -> str:
    """A reason as SQL; column and rule are SQL, too.

    Put together in Python each would be a dozen calls to Java; there is one for each possible fault of each column.
    """
    return f"named_struct('reason', '{reason}', 'column', {column}, 'rule', {rule})"


def _literal(text: str | None) -> str:
    return _NO_TEXT if text is None else sql_text(text)


def _array_of(*values: str) -> Column:
    """An array of SQL expressions."""
    return F.expr(f"array({', '.join(values)})")


def _has_quotes(format_: Format) -> bool:
    return format_.is_delimited and bool(format_.quote)


def _structural_reason(format_: Format) -> str:
    if format_.kind == "xml":
        return _reason("broken_xml", rule=_literal(f"an element {format_.rows}"))
    if not format_.is_delimited:
        is_line = format_.kind == "json_lines" and format_.rows is None
        return _reason("broken_json", rule=_literal("one JSON object per line" if is_line else "a JSON object"))
    header = _reason("repeated_header", rule=_literal("the header stands here once more"))
    return f"CASE WHEN _is_header THEN {header} ELSE {_falls_apart(format_)} END"


def _falls_apart(format_: Format) -> str:
    fields = field_count(format_, as_delimited(format_, "_record"))
    found = f"format_string('%d fields, %d expected', {fields}, _expected_fields)"
    few, many = _reason("too_few_fields", rule=found), _reason("too_many_fields", rule=found)
    by_count = f"CASE WHEN {fields} < _expected_fields THEN {few} ELSE {many} END"
    if not _has_quotes(format_):
        return by_count
    unclosed = _reason("unclosed_quote", rule="format_string('opened in record %d', _record_no)")
    unescaped = _reason("unescaped_quote", rule=_literal("a quote inside quotes is doubled or escaped"))
    is_unescaped = f"_is_unescaped OR {fields} = _expected_fields"
    return f"CASE WHEN _is_unclosed THEN {unclosed} WHEN {is_unescaped} THEN {unescaped} ELSE {by_count} END"


def _record_faults(format_: Format) -> list[Fault]:
    """What may be wrong with a record whatever its columns are."""
    record = F.col("_record")
    holds_nul = F.contains(record, F.lit("\0"))
    if not format_.is_delimited:
        holds_nul = holds_nul | F.contains(record, F.lit("\\u0000"))
    return [
        (F.col("_has_invalid_bytes"), ("invalid_bytes", None, format_.encoding)),
        (~F.col("_is_plain") & holds_nul, ("nul_byte", None, None)),
        (F.col("_has_two_names"), ("two_names", None, "one name of a column in a record")),
    ]


def _has_long_field(contract: Contract) -> Column:
    limit = contract.format.maximum_field_length
    is_long_record = F.octet_length("_record") > limit
    return is_long_record & F.exists("_text", lambda text: F.coalesce(F.char_length(text) > limit, F.lit(False)))


def _long_field_reason(contract: Contract) -> str:
    limit = contract.format.maximum_field_length
    names = [
        f"CASE WHEN char_length({_text_of(name, contract)}) > {limit} THEN {_literal(name)} END"
        for name in contract.columns
    ]
    return _reason("field_too_long", f"coalesce({', '.join(names)})", _literal(f"at most {limit:,} characters"))


def _text_of(name: str, contract: Contract) -> str:
    """A field as it was cut from the record, as SQL."""
    return f"_text[{list(contract.columns).index(name)}]"


def _column_faults(contract: Contract) -> list[Fault]:
    """What may be wrong with the columns."""
    return [fault for name in contract.columns for fault in _faults_of_column(name, contract)]


def _faults_of_column(name: str, contract: Contract) -> list[Fault]:
    column = contract.columns[name]
    text, value = _text_of(name, contract), f"`{name}`"
    faults: list[Fault] = []
    if column.required:
        faults.append((F.expr(f"{text} IS NULL"), ("required", name, None)))
    if column.type != "string":
        words = _type_in_words(column.type, contract.format_of(name))
        has_no_value = F.expr(f"{text} IS NOT NULL AND {value} IS NULL")
        if column.missing_codes:
            given = value_of(F.expr(text), column, contract.format_of(name))
            has_no_value = has_no_value & ~is_code(given, column.missing_codes)
        faults.append((has_no_value, ("type", name, words)))
    if column.allowed is not None:
        allowed = ", ".join(sql_text(each) for each in column.allowed)
        faults.append((F.expr(f"{value} NOT IN ({allowed})"), ("allowed", name, "one of " + ", ".join(column.allowed))))
    if name in contract.identifiers:
        may_be = F.contains(F.col(name), F.lit("+"))
        is_rounded = may_be & F.rlike(F.col(name), F.lit(_ROUNDED))
        faults.append((is_rounded, ("rounded", name, "a spreadsheet has rounded it")))
    low, high = _bound(column.minimum), _bound(column.maximum)
    if low is not None or high is not None:
        outside = [F.col(name) < low] if low is not None else []
        outside += [F.col(name) > high] if high is not None else []
        bounds = f"{'' if low is None else low}..{'' if high is None else high}"
        faults.append((any_of(outside), ("range", name, bounds)))
    return faults


def _oddities(contract: Contract, arrived_at: datetime | Column | None) -> dict[str, Column]:
    """What may be odd in a row of this contract without being wrong; see ODDITIES."""
    record, is_plain, format_ = F.col("_record"), F.col("_is_ascii"), contract.format
    by_type = {
        type_: [name for name, column in contract.columns.items() if column.type == type_]
        for type_ in ("string", "date", "timestamp")
    }
    times = by_type["date"] + by_type["timestamp"]
    found: dict[str, list[Column]] = {name: [] for name in ODDITIES}
    found["far_times"] = [~F.year(name).between(_FIRST_YEAR, _LAST_YEAR) for name in times]
    zone = format_.time_zone
    patterns_of = {name: _patterns_of(name, contract) for name in times}
    if zone != "UTC":
        later = F.expr("INTERVAL '1' HOUR")
        found["repeated_times"] = [
            F.from_utc_timestamp(F.col(name), zone) == F.from_utc_timestamp(F.col(name) + later, zone)
            for name in by_type["timestamp"]
            if not any(map(names_zone, patterns_of[name]))
        ]
    if arrived_at is not None:
        latest = F.lit(arrived_at) + F.lit(timedelta(days=1))
        found["future_times"] = [F.col(contract.time.event) > latest] if contract.time.event else []
        found["two_digit_years"] = [
            F.col(name) > latest
            for name in times
            if format_.two_digit_years_from is None and any(map(has_two_digit_years, patterns_of[name]))
        ]
    found["lost_letters"] = [has_lost_letters(record, is_plain)]
    if not format_.utf8_as_latin1:
        looks_misread = is_misread_json if format_.is_nested else is_misread
        found["misread_texts"] = [looks_misread(record, is_plain)]
    texts = [F.col(name) for name in by_type["string"]]
    others = [F.col(name) for name in by_type["string"] if name not in contract.identifiers]
    # The rarest of the characters first, of which most records have none.
    has_power = F.contains(record, F.lit("+")) & F.rlike(record, F.lit(r"[eE]\+"))
    found["rounded_numbers"] = [has_power & F.rlike(text, F.lit(_ROUNDED)) for text in others]
    has_zero = F.contains(record, F.lit(".0"))
    found["fractions_in_identifiers"] = [
        has_zero & F.rlike(name, F.lit(WHOLE_AS_FLOAT)) for name in contract.identifiers
    ]
    found["totals"] = [F.rlike(text, F.lit(contracts.TOTAL)) for text in texts[:1]]
    found["unnamed_values"] = [F.col("_has_unnamed")]
    return {name: F.coalesce(any_of(those), F.lit(False)) for name, those in found.items() if those}


def _bound(bound: float | None) -> float | int | None:
    """A bound without needless fraction, so that whole numbers are compared as such."""
    return int(bound) if bound is not None and bound.is_integer() and abs(bound) < _EXACT_IN_DOUBLE else bound


def _patterns_of(name: str, contract: Contract) -> list[str]:
    """The patterns by which a column of dates or times is read."""
    format_ = contract.format_of(name)
    return format_.date_formats if contract.columns[name].type == "date" else format_.timestamp_formats


def _type_in_words(type_: str, format_: Format) -> str:
    patterns = {"date": format_.date_formats, "timestamp": format_.timestamp_formats}.get(type_, [])
    return " ".join([type_, " | ".join(patterns)]).strip()


def _rule_faults(contract: Contract) -> list[Fault]:
    rejecting = [rule for rule in contract.rules if rule.severity == "reject"]
    return [(~F.expr(rule.holds), ("rule", None, rule.name)) for rule in rejecting]


def _is_unclosed(record: Column, format_: Format) -> Column:
    """Whether some quoted field has no end. A quote inside an unquoted field (5" pipe) is just a character."""
    quote, delimiter = re.escape(format_.quote or ""), re.escape(format_.field_delimiter)
    quoted = f"{quoted_text(format_)}[^{delimiter}]*+"
    well_formed = f"^(?: *+(?:{quoted}|(?!{quote})[^{delimiter}]*+)(?:{delimiter}|$))++$"
    if format_.field_delimiter == " ":
        well_formed = well_formed.replace(" *+", "")
    return (quote_count(record, format_) % 2 == 1) & ~F.rlike(record, F.lit(well_formed))


def _is_unescaped(format_: Format) -> Column:
    """Whether some field has quotes round it and others inside that are neither doubled nor escaped: `"JOHN "WAYNE""`.

    Such a field is cut with the outer quotes, as are fields that really begin and end with quotes.
    """
    quote, record = F.lit(format_.quote), F.expr(as_delimited(format_, "_record"))
    is_in_quotes = F.exists(
        "_text", lambda text: F.startswith(text, quote) & F.endswith(text, quote) & (F.char_length(text) > 1)
    )
    return F.coalesce(is_in_quotes, F.lit(False)) & ~F.rlike(record, F.lit(well_formed(format_)))


def _holds_records(format_: Format) -> Column:
    """Whether each line of a record of several lines, quotes apart, has as many fields as the header."""
    if not format_.multiline:
        return F.lit(False)
    record, expected = F.col("_record"), F.col("_expected_fields")
    lines = F.split(record, "\r\n|\r|\n")
    delimiter = re.escape(format_.field_delimiter)
    return (
        (expected > 1)
        & (F.contains(record, F.lit("\n")) | F.contains(record, F.lit("\r")))
        & F.forall(lines, lambda line: F.size(F.split(line, delimiter)) == expected)
    )


def _with_position(rows: DataFrame, equal_in: list[str], is_out: Column) -> DataFrame:
    """Add position_within BIGINT: which of the rows of its file that are equal in these columns a row is, from 1."""
    columns = (F.col(column) for column in dict.fromkeys(equal_in))
    same = Window.partitionBy(is_out, "_file_no", *columns).orderBy("_record_no")
    return rows.withColumn(contracts.POSITION, F.row_number().over(same).cast("bigint"))


def _with_repeated(
    rows: DataFrame, name: str, key: list[str], is_out: Column, order: list[Column], shared: str | None = None
) -> DataFrame:
    """Add whether a row comes after another of its file with the same key; rows that are out take no part.

    Most files repeat few keys or none: only the rows of hashes that come more than once are sorted and compared. Where
    `shared` is a name, that column says which rows have a hash that comes in several files.
    """
    hashed = rows.withColumn("_hash", F.xxhash64(*(F.col(column) for column in key)))
    is_in_several = (F.min("_file_no") < F.max("_file_no")).alias("_is_shared_hash")
    per_hash = hashed.where(~is_out).groupBy("_hash").agg(F.count("*").alias("count"), is_in_several)
    repeated = per_hash.where("count > 1").select("_hash", "_is_shared_hash")
    # Not toPandas: where a row rule fails it repeats Spark's message, which quotes the row, as a warning on stderr.
    found = repeated.limit(_MOST_HASHES + 1).collect()

    def marked(some: DataFrame, is_repeated: Column, is_shared: Column) -> DataFrame:
        also = {} if shared is None else {shared: is_shared}
        return some.withColumns({name: is_repeated, **also}).drop("_hash", "_is_shared_hash")

    if not found:
        return marked(rows, F.lit(False), F.lit(False))
    # The hash stands first so that sorting compares one number instead of all key columns.
    columns = (F.col(column) for column in key)
    same = Window.partitionBy("_hash", F.when(is_out, F.col("_record_no")), "_file_no", *columns)
    is_repeated = ~is_out & (F.row_number().over(same.orderBy(*order)) > 1)
    if len(found) > _MOST_HASHES:
        return marked(hashed, is_repeated, ~is_out)
    hashes = F.broadcast(frame_of(rows.sparkSession, found, "_hash BIGINT, _is_shared_hash BOOLEAN"))
    alone = marked(hashed.join(hashes, "_hash", "left_anti"), F.lit(False), F.lit(False))
    together = marked(hashed.join(hashes, "_hash"), is_repeated, F.col("_is_shared_hash") & ~is_out)
    return alone.unionByName(together)
