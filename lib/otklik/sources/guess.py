"""What the columns of a sample may be: type, date patterns, personal or not. Guesses to be read by a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from otklik.sources.contract import BLANKS, SPREADSHEET_DAYS, TEXT_OF_SPREADSHEET, without_quoted
from otklik.sources.numbers import (
    BLANK,
    MARKS,
    WHOLE_AS_FLOAT,
    Marks,
    marks_that_read,
    unit_of,
    with_sign_in_front,
    without_units,
)

#: Texts, in lower case, that often stand for "nothing"; taken as such only where the rest of the column is numbers or
#: dates.
_NULL_LOOKALIKES = {
    "na", "n/a", "#na", "<na>", "null", "(null)", "none", "nil", "nan", "-nan", "-", "--", "—", "–", "…", ":", "?",
    "\\n", ".", "н/д", "нд", "н.д.", "нет", "нет данных", "не указано", "(пусто)", "(blank)", "(empty)", "no data",
    "жоқ", "-1.#ind", "1.#qnan", "-1.#qnan",
}  # fmt: skip
#: No number and no date either, but perhaps meant as a value.
_INFINITE = re.compile(r"^[+-]?(?:inf|infinity|1\.#inf)$", re.IGNORECASE)
#: A date of nothing: of MySQL, and as forms have it that are not filled in.
_EMPTY_DATE = re.compile(r"^(?:(?:0{4}-00-00|00[./-]00[./-]0{2,4})[\sT]*[0:.\s]*|[./-][\s./:-]*)$")
#: What a spreadsheet writes instead of a value that it could not work out: never a value, in any column.
_SPREADSHEET_FAULTS = (
    "#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!",
    "#ERROR!", "#SPILL!", "#CALC!", "#FIELD!", "#GETTING_DATA", "Loading...", "#ПЕРЕНОС!", "#ВЫЧИСЛ!",
    "#Н/Д", "#ПУСТО!", "#ДЕЛ/0!", "#ЗНАЧ!", "#ССЫЛКА!", "#ИМЯ?", "#ЧИСЛО!",
)  # fmt: skip
#: How Hive, MySQL and PostgreSQL write null: never a value either.
_NULL_OF_DATABASES = "\\N"
#: What a spreadsheet shows, and saves, where a column is too narrow.
_TOO_NARROW = re.compile(r"^#{2,}$")
#: Truth as spreadsheets write it, in English, Russian, Kazakh, German and French.
_TRUTHS = {"true", "false", "истина", "ложь", "ақиқат", "жалған", "wahr", "falsch", "vrai", "faux"}
#: Either alone may be anything, as F is of a person.
_TRUTHS_OF_POSTGRES = {"t", "f"}
#: Days that programs write where there is no date.
_PLACEHOLDERS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "2099-12-31", "9999-12-31")
_ROUNDED = re.compile(r"^[+-]?\d(?:[.,]\d+)?[eE]\+(?:0?[5-9]|[1-9]\d{1,2})$")
#: From so many digits on a number is an identifier.
_DIGITS_OF_IDENTIFIER = 8
_INTEGER = re.compile(r"^[+-]?(?:0|[1-9]\d{0,17})$", re.ASCII)
_POINT = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$", re.ASCII)
#: Seconds since 1970 with their fraction, or as many milliseconds.
_EPOCH_WITH_FRACTION = re.compile(r"^\d{9,13}\.\d{1,9}$", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
#: A whole number as pandas writes it where others in the column are missing.
_WHOLE_AS_FLOAT = re.compile(WHOLE_AS_FLOAT, re.ASCII)
_IDENTIFIER_NAME = re.compile(r"(?i:(?:^|[ _])(?:id|code|no|number|код|номер|ид|инн|бин|inn))$|[a-z]I[Dd]$")
#: What holds a point without being a number: versions, numbers of goods, identifiers put together of two.
_POINTED_NAME = re.compile(
    r"(?i:(?:^|[ _.])(?:id|code|sku|version|ver|код|ид|артикул|версия)$)|[a-z](?:I[Dd]|Version|Code)$"
)
_AMOUNT_NAME = re.compile(r"price|cost|sum|amount|total|rate|value|цен|стоим|сумм|итог|курс|баға|құн", re.IGNORECASE)
_FRACTION = re.compile(r"^\d+\.\d+$", re.ASCII)
#: So many digits a double keeps.
_DIGITS_OF_DOUBLE, _DIGITS_OF_DECIMAL = 15, 38
#: Between which numbers days of a spreadsheet lie: the years 1954 and 2119.
_FIRST_DAY, _LAST_DAY = 20_000, 80_000
#: A month that is no number, though it looks like one.
_MONTH_AND_YEAR = re.compile(r"^(?:0[1-9]|1[0-2])\.(?:19|20)\d\d$", re.ASCII)
#: A day written in one, perhaps with its time, as Google Analytics does; by the number of its digits.
_COMPACT_TIME = re.compile(
    r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])(?:[0-5]\d){0,2})?$", re.ASCII
)
_COMPACT_PATTERNS = {8: "yyyyMMdd", 10: "yyyyMMddHH", 12: "yyyyMMddHHmm", 14: "yyyyMMddHHmmss"}
_MIDNIGHT = re.compile(r"[ T]0?0:00(?::00(?:[.,]0+)?)?$")
#: So large a part of a column tells what the rest may be meant as.
_MOST = 0.8
#: Numbers that people write where there is none, and how many values a column has in which they can be told.
_CODE = re.compile(r"^(?:-[19]|-?99+|-?88+|-?77+)$")
_LEAST_VALUES = 4
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_PHONE = re.compile(r"^(?:\+|8|00|7[\s(-]|\()[\d\s()-]{9,20}$")
MOMENT_NAME = re.compile(
    r"time|date|stamp|unix|epoch|(?:^|[ _.])(?:ts|at|day|month|period|created|sent|published)(?:$|[ _.])"
    r"|(?-i:[a-z]At\b)|врем|дат|(?:^|[ _])день|месяц|период|күн|мерзім",
    re.IGNORECASE,
)
_DAY_NAME = re.compile(r"(?i:(?:^|[ _])(?:date|datetime|day|дата|день|күн[іи]?)(?:[ _]|$))|[a-z]Date(?:$|[A-Z])")
_PERSON_NAME = re.compile(
    r"(?:^|[ _.])(?:phone|mobile|msisdn|e-?mail|телефон|тел|почта)(?:[ _.]*(?:no|number|номер|address|\d))?$|"
    r"^(?:(?:first|last|full|given|middle|user|customer|client|person)[ _]?)?(?:name|surname)$"
    r"|^фио$|^имя$|фамили|отчеств|^(?:street|postal|home)?[ _]?address(?:[ _]?\d)?$|^адрес"
    r"|passport|паспорт|^иин$|^iin$|soc[ _]?sec|^ssn$",
    re.IGNORECASE,
)

_DAYS = (
    "yyyy-MM-dd",
    "dd.MM.yyyy",
    "dd.MM.yyyy 'г.'",
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
    "yyyy-M-d",
    "d MMMM yyyy",
    "d MMMM yyyy 'г.'",
    "d MMMM yyyy 'года'",
    "d MMMM yyyy 'ж.'",
    "yyyy 'жылғы' d MMMM",
    "yyyy 'ж.' d MMMM",
    "MMMM d, yyyy",
    "yyyy-MM",
    "MM/yyyy",
    "MMMM yyyy",
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
    "'T'HH:mm:ss.SSSSSSSSS",
    "'T'HH:mm",
    "'T'HH:mm:ssXXX",
    "'T'HH:mm:ss.SSSXXX",
    "'T'HH:mm:ss.SSSSSSXXX",
    "'T'HH:mm:ss.SSSSSSSSSXXX",
    "'T'HH:mmXXX",
    "'T'HH:mm:ssXX",
    "'T'HH:mm:ss.SSSXX",
    " HH:mm:ss XX",
    " HH:mm:ssXXX",
    " HH:mm:ss.SSSSSSXXX",
    " HH:mm:ssX",
    " HH:mm:ss.SSSSSSX",
    " HH:mm:ss XXX",
    " HH:mm:ss 'UTC'",
    " HH:mm:ss.SSSSSS 'UTC'",
    " HH:mm:ss.SSSSSSSSS",
    " HH:mm:ss,SSS",
    " h:mm:ss a O",
    " h:mm a",
    " h:mm:ss a",
    ", HH:mm",
    ", H:mm",
    ", HH:mm:ss",
    ", h:mm a",
    ", h:mm:ss a",
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
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short_year>\d{2})",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{2})",
    "d": r"(?P<day>\d{1,2})",
    "HH": r"(?:[01]\d|2[0-3]|24(?=:00(?::00)?(?!\d)))",
    "H": r"(?:1?\d|2[0-3])",
    "h": r"(?:1[0-2]|0?[1-9])",
    "a": r"(?:[AP]M|[ap]m|[ap]\.\s?m\.)",
    "mm": r"[0-5]\d",
    "ss": r"[0-5]\d",
    "SSSSSSSSS": r"\d{7,9}",
    "SSSSSS": r"\d{1,6}",
    "SSS": r"\d{3}",
    "XXX": r"(?:Z|[+-]\d\d:\d\d)",
    "XX": r"(?:Z|[+-]\d{4})",
    "X": r"(?:Z|[+-]\d\d)",
    "O": r"GMT(?:[+-]\d{1,2}(?::\d\d)?)?",
}
#: A part of a pattern: letters, or what stands in quotes.
_PIECE = re.compile("|".join(["'[^']*'", *sorted(map(re.escape, _PIECES), key=len, reverse=True)]))
_MOST_DISTINCT = 5000
_MOST_PATTERNS = 3
#: Patterns that read none of so many texts are not tried on all of them.
_TEXTS_TRIED = 40
_MAY_BE_DATE = re.compile(r"^(?=.*\d.*\d.*\d).{5,40}$")


@dataclass(frozen=True)
class Guess:
    """What a column may be.

    Attributes:
        type: a type of the contract.
        patterns: the date patterns that read it, for dates and timestamps.
        nulls: texts in it that stand for nothing, beside the empty one.
        marks: those under which its texts are numbers; none for other columns.
        units: what stands beside its numbers.
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
    marks: tuple[Marks, ...]
    units: tuple[str, ...]
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
    is_of_spreadsheet = any(re.match(TEXT_OF_SPREADSHEET, text) for text in texts)
    if is_of_spreadsheet:
        texts = [re.sub(TEXT_OF_SPREADSHEET, r"\1\2", text) for text in texts]
    filled = [text for text in texts if text]
    found = frozenset(filled)
    never_values = (*_SPREADSHEET_FAULTS, _NULL_OF_DATABASES)
    faults = tuple(sorted(text for text in found if text in never_values or _TOO_NARROW.match(text)))
    nulls = (*sorted(text for text in found if is_no_value(text) and text not in faults), *faults)
    solid = found - set(nulls)
    numbers = _numbers_in(solid, comma_is_free=comma_is_free)
    dates = _Dates((), solid) if numbers.marks else _dates_in(solid)
    type_, patterns = _type_of(name, solid, numbers, dates)
    is_named_person = _PERSON_NAME.search(name.strip()) is not None
    may_be_time = "" if is_named_person or MOMENT_NAME.search(name) else _epoch_of_sorted(name, filled, type_)
    # Whoever writes a formula that is a text wants a text. Rounded identifiers are no numbers; nor is a person's one,
    # also where a program has written it as a fraction.
    if (
        is_of_spreadsheet
        or (type_ not in ("boolean", "date") and is_named_person)
        or (any(map(_ROUNDED.match, filled)) and (_POINTED_NAME.search(name) or _length_of_identifiers(filled)))
    ):
        type_, patterns = "string", ()
    if type_ == "string":
        nulls = faults
    is_personal = type_ in ("string", "integer") and _is_personal(solid, is_named_person=is_named_person)
    placeholders = _placeholders(solid, patterns)
    rows_with_value = sum(text not in nulls for text in filled)
    is_number = type_ in ("integer", "double") or type_.startswith("decimal")
    return Guess(
        type="string" if is_personal else type_,
        patterns=patterns,
        nulls=nulls,
        marks=numbers.marks if is_number and not is_personal else (),
        units=numbers.units if is_number and not is_personal else (),
        is_personal=is_personal,
        has_empty=rows_with_value < len(values) or bool(placeholders),
        distinct=found - set(nulls),
        rows_with_value=rows_with_value,
        placeholders=placeholders,
        remarks=(
            *_remarks(filled),
            *(("days as a spreadsheet keeps them",) if SPREADSHEET_DAYS in patterns else ()),
            *((f"in ascending order, and may be times: {may_be_time}",) if may_be_time else ()),
            *(("as numbers, some of these texts would be equal",) if _are_equal_numbers(name, solid) else ()),
            *_infinite(filled, nulls),
            *(_codes(filled, nulls) if is_number else ()),
            *(_what_most_are(filled, numbers, dates) if type_ == "string" and not is_personal else ()),
        ),
    )


def is_no_value(text: str) -> bool:
    """Whether a text beside numbers or dates stands for none."""
    return text.lower() in _NULL_LOOKALIKES or _INFINITE.match(text) is not None or _EMPTY_DATE.match(text) is not None


def _infinite(texts: Sequence[str], nulls: Collection[str]) -> tuple[str, ...]:
    count = sum(text in nulls and _INFINITE.match(text) is not None for text in texts)
    return (f"{count:,} values are infinite, and are read as missing",) if count else ()


@dataclass(frozen=True)
class _Numbers:
    """Texts as numbers: without units, and the marks that read all of them; no marks where some are no numbers."""

    bare: frozenset[str]
    units: tuple[str, ...]
    marks: tuple[Marks, ...]

    @property
    def plain(self) -> list[str]:
        """The numbers with a point and without separators."""
        return [self.marks[0].plain(text) for text in self.bare]


def _numbers_in(values: Collection[str], *, comma_is_free: bool) -> _Numbers:
    if not all(map(_DIGIT.search, values)):
        return _Numbers(frozenset(), (), ())
    signed = [text if _POINT.match(text) else with_sign_in_front(text) for text in values]
    units = tuple(sorted({unit for text in signed if (unit := unit_of(text))}))
    bare = frozenset(without_units(text, units) for text in signed)
    return _Numbers(bare, units, marks_that_read(bare, comma_is_free=comma_is_free) if bare else ())


def _placeholders(values: Iterable[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The days among dates that seem to stand for no date."""
    found = {day.isoformat() for text in values for pattern in patterns if (day := _day(pattern, text))}
    return tuple(day for day in _PLACEHOLDERS if day in found)


def _remarks(texts: Sequence[str]) -> tuple[str, ...]:
    """What a spreadsheet may have done to long numbers."""
    rounded = sum(bool(_ROUNDED.match(text)) for text in texts)
    usual = _length_of_identifiers(texts)
    short = [text for text in texts if text.isascii() and text.isdigit() and usual - 3 <= len(text) < usual]
    like = f", like {short[0][:3]}{'#' * (len(short[0]) - 3)}" if short else ""
    whole = sum(bool(_WHOLE_AS_FLOAT.match(text)) for text in texts)
    remarks = {
        f"{rounded:,} values like 7.7E+10: a spreadsheet has rounded them": rounded > 0,
        "whole numbers with .0, as pandas writes them in columns with missing values": whole > _MOST * len(texts) > 0,
        f"{len(short):,} values have fewer than the usual {usual} digits{like}: are leading zeros lost?": bool(short),
    }
    return tuple(remark for remark, holds in remarks.items() if holds)


def _length_of_identifiers(texts: Sequence[str]) -> int:
    """How many digits nearly all texts have, where these are too many for a count; else 0."""
    lengths = Counter(len(text) for text in texts if text.isascii() and text.isdigit())
    usual = max(lengths, key=lambda length: lengths[length], default=0)
    is_identifier = usual >= _DIGITS_OF_IDENTIFIER and usual == max(lengths) and lengths[usual] > _MOST * len(texts)
    return usual if is_identifier else 0


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


def _what_most_are(texts: Sequence[str], numbers: _Numbers, dates: _Dates) -> tuple[str, ...]:
    """What most texts of a column are that is taken as text because of the others, and how many these are."""
    if numbers.marks and len(numbers.units) > 1:
        return (f"numbers with several units: {', '.join(numbers.units)}",)
    if len(orders_of(dates.patterns)) > 1:
        return ("dates with the day first in some rows and the month first in others",)
    others, shapes = {"dates": 0, "numbers": 0}, dict[str, str]()
    for text, rows in Counter(texts).items():
        is_other = {
            "dates": text in dates.others or not dates.patterns,
            "numbers": not any(marks.reads(text) for marks in MARKS),
        }
        for what in filter(is_other.get, is_other):
            others[what] += rows
            shapes.setdefault(what, _shape(text))
    if texts and not others["numbers"] and not numbers.marks:
        return ("numbers with a decimal point in some rows and a decimal comma in others",)
    what = min(others, key=lambda what: others[what])
    if not 0 < others[what] <= (1 - _MOST) * len(texts):
        return ()
    like = f" like {dates.patterns[0]}" if what == "dates" else ""
    return (f"{what}{like}, but for {others[what]:,} of {len(texts):,} values such as {shapes[what]}",)


def _shape(text: str) -> str:
    """What a text looks like, without saying what it is: # for each digit, x for each letter."""
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "#", text))[:20]


def orders_of(patterns: Iterable[str]) -> set[str]:
    """In which orders day and month stand, where they are numbers before the year."""
    return {_field_order(pattern) for pattern in patterns if "MMM" not in pattern} & {"dMy", "Mdy"}


@dataclass(frozen=True)
class _Dates:
    """Texts as dates: the fewest patterns that read most of them, and those that none of these reads."""

    patterns: tuple[str, ...]
    others: frozenset[str]

    @property
    def sure_patterns(self) -> tuple[str, ...]:
        """The patterns, where they read all texts and in one way."""
        return () if self.others or len(orders_of(self.patterns)) > 1 else self.patterns


def _dates_in(values: Iterable[str]) -> _Dates:
    left = set(sorted(values)[:_MOST_DISTINCT])
    chosen: list[str] = []
    while left and len(chosen) < _MOST_PATTERNS:
        # Of two patterns that read as much, the one with day and month in the order of the first pattern.
        order = _field_order(chosen[0]) if chosen else ""
        some = list(filter(_MAY_BE_DATE.match, sorted(left)[:: max(1, len(left) // _TEXTS_TRIED)]))
        likely = [pattern for pattern in _READERS if any(_reads(pattern, text) for text in some)]
        if not likely:
            break
        # Who writes AM and PM hardly ever writes the day first.
        best = max(
            likely,
            key=lambda p: (
                sum(_reads(p, text) for text in left),
                _field_order(p) == order,
                "a" in without_quoted(p) and _field_order(p) == "Mdy",
            ),
        )
        chosen.append(best)
        left -= {text for text in left if _reads(best, text)}
    return _Dates(tuple(chosen), frozenset(left))


def ambiguous_with(pattern: str, values: Iterable[str]) -> str | None:
    """The pattern with day and month exchanged, if it reads all values too."""
    swapped = pattern.replace("d", "\0").replace("M", "d").replace("\0", "M")
    if swapped == pattern or swapped not in _READERS:
        return None
    return swapped if all(_reads(swapped, text) for text in values) else None


def _type_of(name: str, values: frozenset[str], numbers: _Numbers, dates: _Dates) -> tuple[str, tuple[str, ...]]:
    """The narrowest type that reads all values, and the date patterns where it is a date or timestamp."""
    if not values:
        return "string", ()
    if numbers.marks and len(numbers.units) < 2:
        plain = numbers.plain
        times = () if numbers.units else _days(name, plain) or _epoch(name, plain)
        if times:
            has_hours = times[0].startswith("epoch") or "H" in times[0]
            is_moment = has_hours or any("." in text for text in plain if times[0] != "MM.yyyy")
            return "timestamp" if is_moment else "date", times
        is_whole = map(_WHOLE_AS_FLOAT.match if _IDENTIFIER_NAME.search(name) else _INTEGER.match, plain)
        if all(map(_INTEGER.match, plain)) or all(is_whole):
            return "integer", ()
        is_pointed = _POINTED_NAME.search(name) and any(map(_FRACTION.match, values))
        if not is_pointed and not _are_equal_numbers(name, values) and not _are_codes(plain):
            return _fraction_type(plain), ()
    patterns = dates.sure_patterns or (_dates_in(values).sure_patterns if numbers.marks else ())
    if patterns:
        has_hours = any(re.search("[Hh]", without_quoted(p)) for p in patterns if p != SPREADSHEET_DAYS)
        # Some programs, like 1C, write each day with its midnight.
        is_moment = has_hours and not all(map(_MIDNIGHT.search, values))
        return ("timestamp" if is_moment else "date"), patterns
    words = {text.lower() for text in values}
    return ("boolean" if words <= _TRUTHS or words == _TRUTHS_OF_POSTGRES else "string"), ()


def _fraction_type(plain: Sequence[str]) -> str:
    """double, or a decimal with room for all digits where doubles have not."""
    parts = [text.lstrip("+-").partition(".") for text in plain]
    whole, scale = (max(len(part[place]) for part in parts) for place in (0, 2))
    has_power = any("e" in text.lower() for text in plain)
    # Programs write doubles with up to 17 digits.
    loses_digits = any(len(text) > _DIGITS_OF_DOUBLE and Decimal(text) != Decimal(repr(float(text))) for text in plain)
    if loses_digits and whole + scale <= _DIGITS_OF_DECIMAL and not has_power:
        return f"decimal({whole + scale},{scale})"
    return "double"


def _days(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """How numbers are days or times, if the name says so.

    They are written in one (20240105, 2024010523), or as a spreadsheet keeps them (45292).
    """
    if not MOMENT_NAME.search(name):
        return ()
    if all(map(_COMPACT_TIME.match, values)):
        lengths = {len(text) for text in values}
        return (_COMPACT_PATTERNS[lengths.pop()],) if len(lengths) == 1 else ()
    if all(map(_MONTH_AND_YEAR.match, values)):
        return ("MM.yyyy",)
    if not _DAY_NAME.search(name):
        return ()
    is_day = all(_POINT.match(text) and _FIRST_DAY <= float(text) <= _LAST_DAY for text in values)
    return (SPREADSHEET_DAYS,) if is_day else ()


def _are_codes(values: Iterable[str]) -> bool:
    """Whether some whole number must stay text: it starts with a zero (codes and postal codes do), or a number would
    lose its last digits (account numbers)."""
    texts = list(values)
    is_month = all(map(_MONTH_AND_YEAR.match, texts)) and any(text.startswith("0") for text in texts)
    return is_month or any(re.match(r"^0\d+$|^[+-]?\d{19,}$", text) for text in texts)


def _are_equal_numbers(name: str, values: Collection[str]) -> bool:
    """Whether texts with a point differ by zeros at their end, as versions 1.1 and 1.10 do; amounts may do so too."""
    if _AMOUNT_NAME.search(name) or not all(map(_FRACTION.match, values)):
        return False
    some = [text for text in values if not text.rstrip("0").endswith(".")]
    return len({text.rstrip("0") for text in some}) < len(some)


def _epoch(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Seconds, milliseconds or microseconds since 1970, if the name says time."""
    if not MOMENT_NAME.search(name) or _IDENTIFIER_NAME.search(name):
        return ()
    return _epoch_units(values)


def _epoch_of_sorted(name: str, texts: Sequence[str], type_: str) -> str:
    """The unit that whole numbers in ascending order would have as times; of identifiers none."""
    is_sorted = len(set(texts)) > 1 and all(one <= two for one, two in pairwise(texts))
    if type_ != "integer" or _IDENTIFIER_NAME.search(name) or not is_sorted:
        return ""
    return ", ".join(_epoch_units(texts))


def _epoch_units(values: Sequence[str]) -> tuple[str, ...]:
    """The units in which all numbers are times between 2000 and 2050; none if they are not."""
    if not all(_INTEGER.match(text) or _EPOCH_WITH_FRACTION.match(text) for text in values):
        return ()
    numbers = [int(text.partition(".")[0]) for text in values]
    first, last = 946_684_800, 2_524_608_000
    units = {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_micros": 1_000_000}
    read = {unit: sum(first * per <= number < last * per for number in numbers) for unit, per in units.items()}
    return tuple(unit for unit, count in read.items() if count) if sum(read.values()) == len(numbers) else ()


def _is_personal(values: frozenset[str], *, is_named_person: bool) -> bool:
    some = sorted(values)[:500]
    is_shaped = any(sum(bool(shape.match(text)) for text in some) > 0.8 * len(some) for shape in (_EMAIL, _PHONE))
    return bool(values) and (is_shaped or is_named_person)


def _regex_of(pattern: str) -> re.Pattern[str]:
    escaped = "".join(
        _PIECES[part] if part in _PIECES else re.escape(part.strip("'")).replace("\\ ", BLANK)
        for part in re.split(f"({_PIECE.pattern})", pattern)
    )
    return re.compile(f"^{escaped}$")


_READERS = {
    pattern: _regex_of(pattern)
    for pattern in (
        *_DAYS,
        *(day + time for day in _DAYS for time in _TIMES if "d" in day),
        "EEE MMM d HH:mm:ss XX yyyy",
        "yyyyMMdd HH:mm:ss",
        "yyyyMMdd'T'HHmmssXX",
    )
}
_READERS[SPREADSHEET_DAYS] = re.compile(r"^(?P<days>[2-7]\d{4})(?:[.,]\d+)?$", re.ASCII)


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
    if groups.get("days"):
        return date(1899, 12, 30) + timedelta(days=int(groups["days"]))
    year = int(groups["year"]) if groups.get("year") else 2000 + int(groups["short_year"])
    try:
        month = int(groups["month"]) if groups.get("month") else _month(groups["word"])
        return date(year, month, int(groups.get("day") or 1))
    except ValueError:
        return None


def _month(word: str) -> int:
    """The number of a month by its name; 0 where it is none."""
    return next((n for n, names in enumerate(_MONTHS, start=1) if names.match(word[:3])), 0)
