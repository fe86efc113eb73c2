"""What the columns of a sample may be: type, date patterns, personal or not. Guesses to be read by a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from otklik.sources.contract import BLANKS

#: Texts that often stand for "nothing"; taken as such only where the rest of the column is numbers or dates.
_NULL_LOOKALIKES = (
    "NA", "N/A", "n/a", "NULL", "null", "None", "nan", "NaN", "-", "--", "—", "?", "\\N", ".", "Н/Д", "н/д",
)  # fmt: skip
#: What a spreadsheet writes instead of a value that it could not work out: never a value, in any column.
_SPREADSHEET_FAULTS = (
    "#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!",
    "#Н/Д", "#ПУСТО!", "#ДЕЛ/0!", "#ЗНАЧ!", "#ССЫЛКА!", "#ИМЯ?", "#ЧИСЛО!",
)  # fmt: skip
#: Truth as spreadsheets write it, in English, Russian, Kazakh, German and French.
_TRUTHS = {"true", "false", "истина", "ложь", "ақиқат", "жалған", "wahr", "falsch", "vrai", "faux"}
#: Days that programs write where there is no date.
_PLACEHOLDERS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "2099-12-31", "9999-12-31")
_ROUNDED = re.compile(r"^[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}$")
#: From so many digits on a number is an identifier.
_DIGITS_OF_IDENTIFIER = 8
_INTEGER = re.compile(r"^[+-]?(?:0|[1-9]\d{0,17})$")
_POINT = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$")
_COMMA = re.compile(r"^[+-]?\d+(?:,\d+)?$")
_GROUPED_BY_BLANK = re.compile(r"^[+-]?\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?$")
#: Numbers that people write where there is none, and how many values a column has in which they can be told.
_CODE = re.compile(r"^(?:-[19]|-?99+|-?88+|-?77+)$")
_LEAST_VALUES = 4
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_PHONE = re.compile(r"^(?:\+|8|00)[\d\s()-]{9,20}$")
_MOMENT_NAME = re.compile(r"time|date|stamp|(?:^|_)(?:ts|at)(?:$|_)|врем|дат", re.IGNORECASE)
_PERSON_NAME = re.compile(
    r"^(?:(?:first|last|full|given|middle|user|customer|client|person)[ _]?)?(?:name|surname)$"
    r"|^фио$|^имя$|фамили|отчеств|^(?:street|postal|home)?[ _]?address(?:[ _]?\d)?$|^адрес"
    r"|passport|паспорт|^иин$|^iin$|soc[ _]?sec|^ssn$",
    re.IGNORECASE,
)

_DAYS = (
    "yyyy-MM-dd",
    "dd.MM.yyyy",
    "dd-MM-yyyy",
    "dd/MM/yyyy",
    "MM/dd/yyyy",
    "yyyy/MM/dd",
    "yyyy.MM.dd",
    "d.M.yyyy",
    "d/M/yyyy",
    "M/d/yyyy",
    "d.M.yy",
    "d/M/yy",
    "M/d/yy",
    "dd.MM.yy",
    "d MMMM yyyy",
    "d MMMM yyyy 'г.'",
    "d MMM yyyy",
    "d-MMM-yyyy",
    "d-MMM-yy",
    "MMM d, yyyy",
    "EEE, d MMM yyyy",
)
_TIMES = (
    " HH:mm:ss",
    " HH:mm",
    " H:mm",
    " H:mm:ss",
    " HH:mm:ss.SSS",
    " HH:mm:ss.SSSSSS",
    "'T'HH:mm:ss",
    "'T'HH:mm:ss.SSSSSS",
    "'T'HH:mm:ssXXX",
    "'T'HH:mm:ss.SSSXXX",
    "'T'HH:mm:ss.SSSSSSXXX",
    " HH:mm:ss XX",
    ", HH:mm",
)
_MONTHS = [
    re.compile(f"^(?:{names})$", re.IGNORECASE)
    for names in (
        "jan|янв|қаң", "feb|фев|ақп", "mar|мар|нау", "apr|апр|сәу", "may|ма[йя]|мам", "jun|июн|мау",
        "jul|июл|шіл", "aug|авг|там", "sep|сен|қыр", "oct|окт|қаз", "nov|ноя|қар", "dec|дек|жел",
    )
]  # fmt: skip
_PIECES = {
    "MMMM": r"(?P<word>[^\W\d_]{3,})",
    "MMM": r"(?P<word>[^\W\d_]{3,}\.?)",
    "EEE": r"[^\W\d_]{2,3}\.?",
    "'г.'": r"г\.",
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short_year>\d{2})",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{2})",
    "d": r"(?P<day>\d{1,2})",
    "HH": r"(?:[01]\d|2[0-3])",
    "H": r"(?:1?\d|2[0-3])",
    "mm": r"[0-5]\d",
    "ss": r"[0-5]\d",
    "SSSSSS": r"\d{6}",
    "SSS": r"\d{3}",
    "XXX": r"(?:Z|[+-]\d\d:\d\d)",
    "XX": r"(?:Z|[+-]\d{4})",
    "'T'": "T",
}
_PIECE = re.compile("|".join(sorted(map(re.escape, _PIECES), key=len, reverse=True)))
_MOST_DISTINCT = 5000
_MOST_PATTERNS = 3


@dataclass(frozen=True)
class Guess:
    """What a column may be.

    Attributes:
        type: a type of the contract.
        patterns: the date patterns that read it, for dates and timestamps.
        nulls: texts in it that stand for nothing, beside the empty one.
        has_decimal_comma, has_blank_groups: how its numbers are written.
        is_personal: whether it seems to name a person.
        has_empty: whether some row lacks it.
        distinct: the different values, none empty.
        rows_with_value: rows that have one.
        placeholders: days among its dates that seem to stand for no date.
        remarks: what a person should know of it, none of it personal.
    """

    type: str
    patterns: tuple[str, ...]
    nulls: tuple[str, ...]
    has_decimal_comma: bool
    has_blank_groups: bool
    is_personal: bool
    has_empty: bool
    distinct: frozenset[str]
    rows_with_value: int
    placeholders: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def guess_column(name: str, values: Sequence[str | None], *, comma_is_free: bool) -> Guess:
    """Guess a column from its name and the texts of a sample.

    Args:
        name: in the file.
        values: the texts.
        comma_is_free: whether a comma may be a decimal mark (it is not the delimiter of unquoted fields).
    """
    texts = [text.strip(BLANKS) for text in values if text is not None]
    filled = [text for text in texts if text]
    found = frozenset(filled)
    faults = tuple(token for token in _SPREADSHEET_FAULTS if token in found)
    nulls = tuple(token for token in (*_NULL_LOOKALIKES, *_SPREADSHEET_FAULTS) if token in found)
    solid = found - set(nulls)
    is_sorted = all(one <= two for one, two in pairwise(filled))
    type_, patterns = _type_of(name, solid, comma_is_free, is_sorted)
    if type_ == "string":
        nulls = faults
    is_personal = type_ in ("string", "integer") and _is_personal(name, solid)
    placeholders = _placeholders(solid, patterns)
    rows_with_value = sum(text not in nulls for text in filled)
    is_number = type_ in ("integer", "double")
    return Guess(
        type="string" if is_personal else type_,
        patterns=patterns,
        nulls=nulls,
        has_decimal_comma=type_ == "double" and any("," in text for text in solid),
        has_blank_groups=is_number and any(_GROUPED_BY_BLANK.match(text) for text in solid),
        is_personal=is_personal,
        has_empty=rows_with_value < len(values) or bool(placeholders),
        distinct=found - set(nulls),
        rows_with_value=rows_with_value,
        placeholders=placeholders,
        remarks=(*_remarks(filled), *(_codes(filled, nulls) if is_number else ())),
    )


def _placeholders(values: Iterable[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The days among dates that seem to stand for no date."""
    found = {day.isoformat() for text in values for pattern in patterns if (day := _day(pattern, text))}
    return tuple(day for day in _PLACEHOLDERS if day in found)


def _remarks(texts: Sequence[str]) -> tuple[str, ...]:
    """What a spreadsheet may have done to long numbers."""
    rounded = sum(bool(_ROUNDED.match(text)) for text in texts)
    lengths = Counter(len(text) for text in texts if text.isascii() and text.isdigit())
    usual = max(lengths, key=lambda length: lengths[length], default=0)
    short = sum(count for length, count in lengths.items() if usual - 3 <= length < usual)
    is_identifier = usual >= _DIGITS_OF_IDENTIFIER and usual == max(lengths) and lengths[usual] > 0.8 * len(texts)
    remarks = {
        f"{rounded:,} values like 7.7E+10: a spreadsheet has rounded them": rounded > 0,
        f"{short:,} values have fewer than the usual {usual} digits: are leading zeros lost?": is_identifier and short,
    }
    return tuple(remark for remark, holds in remarks.items() if holds)


def _codes(texts: Sequence[str], nulls: Collection[str]) -> tuple[str, ...]:
    """Numbers that may stand for no number: the only one below zero, or nines that lie far above all others."""
    written = Counter(text for text in texts if _POINT.match(text) and text not in nulls)
    rows: Counter[float] = Counter()
    for text, count in written.items():
        rows[float(text)] += count
    values = sorted(rows)
    if len(values) < _LEAST_VALUES:
        return ()
    is_far_above = values[-1] - values[-2] > values[-2] - values[0]
    may_be = {values[0]: values[0] < 0 <= values[1], values[-1]: is_far_above}
    suspected = [value for value, holds in may_be.items() if holds and _CODE.match(f"{value:.15g}") and rows[value] > 1]
    return tuple(
        f"{value:.15g} in {rows[value]:,} of {len(texts):,} rows: a number, or none? missing_codes = [{value:.15g}]"
        for value in suspected
    )


def guess_patterns(values: Iterable[str]) -> tuple[str, ...]:
    """The fewest date patterns, of those in use, that read all values; none if they cannot."""
    left = set(sorted(values)[:_MOST_DISTINCT])
    if not left or not all(re.search(r"\d", text) and 6 <= len(text) <= 35 for text in left):
        return ()
    chosen: list[str] = []
    while left and len(chosen) < _MOST_PATTERNS:
        # Of two patterns that read as much, the one with day and month in the order of the first pattern.
        order = _field_order(chosen[0]) if chosen else ""
        best = max(_READERS, key=lambda p: (sum(_reads(p, text) for text in left), _field_order(p) == order))
        read = {text for text in left if _reads(best, text)}
        if not read:
            return ()
        chosen.append(best)
        left -= read
    return () if left else tuple(chosen)


def ambiguous_with(pattern: str, values: Iterable[str]) -> str | None:
    """The pattern with day and month exchanged, if it reads all values too."""
    swapped = pattern.replace("d", "\0").replace("M", "d").replace("\0", "M")
    if swapped == pattern or swapped not in _READERS:
        return None
    return swapped if all(_reads(swapped, text) for text in values) else None


def _type_of(name: str, values: frozenset[str], comma_is_free: bool, is_sorted: bool) -> tuple[str, tuple[str, ...]]:
    """The narrowest type that reads all values, and the date patterns where it is a date or timestamp."""
    if not values:
        return "string", ()
    plain = {re.sub(r"[ \u00a0\u202f]", "", text) if _GROUPED_BY_BLANK.match(text) else text for text in values}
    if all(_INTEGER.match(text) for text in plain):
        units = _epoch(name, plain, is_sorted)
        return ("timestamp", units) if units else ("integer", ())
    decimal_marks = (_POINT, _COMMA) if comma_is_free else (_POINT,)
    if not _are_codes(plain) and any(all(shape.match(text) for text in plain) for shape in decimal_marks):
        return "double", ()
    patterns = guess_patterns(values)
    if patterns:
        return ("timestamp" if any("H" in pattern for pattern in patterns) else "date"), patterns
    return ("boolean" if {text.lower() for text in values} <= _TRUTHS else "string"), ()


def _are_codes(values: Iterable[str]) -> bool:
    """Whether some whole number must stay text: it starts with a zero (codes and postal codes do), or a number would
    lose its last digits (account numbers)."""
    return any(re.match(r"^0\d+$|^[+-]?\d{19,}$", text) for text in values)


def _epoch(name: str, values: Iterable[str], is_sorted: bool) -> tuple[str, ...]:
    """Seconds, milliseconds or microseconds since 1970, if the name says time or the rows stand in their order, and all
    values lie between 2000 and 2050."""
    if not (_MOMENT_NAME.search(name) or is_sorted):
        return ()
    numbers = [int(text) for text in values]
    first, last = 946_684_800, 2_524_608_000
    units = {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_micros": 1_000_000}
    read = {unit: sum(first * per <= number < last * per for number in numbers) for unit, per in units.items()}
    return tuple(unit for unit, count in read.items() if count) if sum(read.values()) == len(numbers) else ()


def _is_personal(name: str, values: frozenset[str]) -> bool:
    if not values:
        return False
    some = sorted(values)[:500]
    for shape in (_EMAIL, _PHONE):
        if sum(bool(shape.match(text)) for text in some) > 0.8 * len(some):
            return True
    return bool(_PERSON_NAME.search(name.strip()))


def _regex_of(pattern: str) -> re.Pattern[str]:
    escaped = "".join(
        _PIECES[part] if part in _PIECES else re.escape(part) for part in re.split(f"({_PIECE.pattern})", pattern)
    )
    return re.compile(f"^{escaped}$")


_READERS = {
    pattern: _regex_of(pattern)
    for pattern in (*_DAYS, *(day + time for day in _DAYS for time in _TIMES), "EEE MMM d HH:mm:ss XX yyyy")
}


#: Of numbers that are times there is no pattern.
_NO_READER = re.compile(r"(?!)")


def _field_order(pattern: str) -> str:
    """`yMd`, `dMy` or `Mdy`."""
    return "".join(dict.fromkeys(re.findall("[yMd]", pattern)))


def _reads(pattern: str, text: str) -> bool:
    return _day(pattern, text) is not None


def _day(pattern: str, text: str) -> date | None:
    """The day that a pattern reads in a text, or None where it does not."""
    match = _READERS.get(pattern, _NO_READER).match(text)
    if match is None:
        return None
    groups = match.groupdict()
    year = int(groups["year"]) if groups.get("year") else 2000 + int(groups["short_year"])
    try:
        return date(year, int(groups["month"]) if groups.get("month") else _month(groups["word"]), int(groups["day"]))
    except ValueError:
        return None


def _month(word: str) -> int:
    """The number of a month by its name; 0 where it is none."""
    return next((n for n, names in enumerate(_MONTHS, start=1) if names.match(word[:3])), 0)
