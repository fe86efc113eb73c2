"""What the columns of a sample may be: type, date patterns, personal or not. Guesses to be read by a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from otklik.sources.contract import BLANKS

#: Texts that often stand for "nothing"; taken as such only where the rest of the column is numbers or dates.
_NULL_LOOKALIKES = ("NA", "N/A", "n/a", "NULL", "null", "None", "nan", "NaN", "#N/A", "-", "--", "?", "\\N", ".")
_INTEGER = re.compile(r"^[+-]?(?:0|[1-9]\d{0,17})$")
_POINT = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$")
_COMMA = re.compile(r"^[+-]?\d+(?:,\d+)?$")
_GROUPED_BY_BLANK = re.compile(r"^[+-]?\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?$")
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
)
_PIECES = {
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
    nulls = tuple(token for token in _NULL_LOOKALIKES if token in found)
    solid = found - set(nulls)
    is_sorted = all(one <= two for one, two in pairwise(filled))
    type_, patterns = _type_of(name, solid, comma_is_free, is_sorted)
    if type_ == "string":
        nulls = ()
    is_personal = type_ in ("string", "integer") and _is_personal(name, solid)
    rows_with_value = sum(text not in nulls for text in filled)
    is_number = type_ in ("integer", "double")
    return Guess(
        type="string" if is_personal else type_,
        patterns=patterns,
        nulls=nulls,
        has_decimal_comma=type_ == "double" and any("," in text for text in solid),
        has_blank_groups=is_number and any(_GROUPED_BY_BLANK.match(text) for text in solid),
        is_personal=is_personal,
        has_empty=rows_with_value < len(values),
        distinct=found - set(nulls),
        rows_with_value=rows_with_value,
    )


def guess_patterns(values: Iterable[str]) -> tuple[str, ...]:
    """The fewest date patterns, of those in use, that read all values; none if they cannot."""
    left = set(sorted(values)[:_MOST_DISTINCT])
    if not left or not all(text[0].isdigit() and 6 <= len(text) <= 35 for text in left):
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
        epoch = _epoch(name, plain, is_sorted)
        return ("timestamp", (epoch,)) if epoch else ("integer", ())
    decimal_marks = (_POINT, _COMMA) if comma_is_free else (_POINT,)
    if not _are_codes(plain) and any(all(shape.match(text) for text in plain) for shape in decimal_marks):
        return "double", ()
    patterns = guess_patterns(values)
    if patterns:
        return ("timestamp" if any("H" in pattern for pattern in patterns) else "date"), patterns
    return ("boolean" if {text.lower() for text in values} <= {"true", "false"} else "string"), ()


def _are_codes(values: Iterable[str]) -> bool:
    """Whether some whole number must stay text: it starts with a zero (codes and postal codes do), or a number would
    lose its last digits (account numbers)."""
    return any(re.match(r"^0\d+$|^[+-]?\d{19,}$", text) for text in values)


def _epoch(name: str, values: Iterable[str], is_sorted: bool) -> str | None:
    """Seconds or milliseconds since 1970, if the name says time or the rows stand in their order, and all values lie
    between 2000 and 2050."""
    if not (_MOMENT_NAME.search(name) or is_sorted):
        return None
    numbers = [int(text) for text in values]
    first, last = 946_684_800, 2_524_608_000
    if all(first <= number < last for number in numbers):
        return "epoch_seconds"
    return "epoch_millis" if all(first * 1000 <= number < last * 1000 for number in numbers) else None


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


_READERS = {pattern: _regex_of(pattern) for pattern in (*_DAYS, *(day + time for day in _DAYS for time in _TIMES))}


def _field_order(pattern: str) -> str:
    """`yMd`, `dMy` or `Mdy`."""
    return "".join(dict.fromkeys(re.findall("[yMd]", pattern)))


def _reads(pattern: str, text: str) -> bool:
    match = _READERS[pattern].match(text)
    if match is None:
        return False
    groups = match.groupdict()
    year = int(groups["year"]) if groups.get("year") else 2000 + int(groups["short_year"])
    try:
        date(year, int(groups["month"]), int(groups["day"]))
    except ValueError:
        return False
    return True
