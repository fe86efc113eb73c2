"""The source contract: what a kind of file looks like, and what its rows must obey.

A contract is one TOML file in conf/sources/. It is read without Spark; every fault in it is listed at once: first
values that are wrong by themselves, and in tables without such what does not go together.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Collection
from datetime import timedelta
from itertools import accumulate
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator

from otklik.settings import NAME_PATTERN, Strict

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]

#: bronze.rejected holds the bad rows of all sources; known_at in silver says when a row became known.
TAKEN_SOURCE, TAKEN_COLUMN = "rejected", "known_at"
#: The column of silver that tells equal rows apart, where key.position_within is declared.
POSITION = "position_within"

#: The columns that a file of lists has: numbers of the line and of the value in it, both from 1, and the value.
LIST_COLUMNS = ("line", "place", "value")

#: A text as a formula of a spreadsheet, or digits that an apostrophe makes a text: what is meant is in the groups.
TEXT_OF_SPREADSHEET = r"""^(?:="([^"]*)"|'([+]?\d+))$"""

#: At most so many lines make a header, and a footer.
MOST_HEADER_LINES, MOST_FOOTER = 5, 1000

#: What is put between the fields of a line in which each has its width.
FIELD_MARK = "\x1f"

#: What programs put before and behind a JSON document to make a script of it: `window.YTD.tweets.part0 = [ … ];`.
SCRIPT = r"^\s*[A-Za-z_$][\w.$]*\s*=\s*(?=[\[{])"

#: Date formats that are not patterns: numbers of seconds, milliseconds or microseconds since 1970-01-01 UTC, and what
#: spreadsheets keep, days since 1899-12-30 with the time of day as a fraction.
EPOCH_FORMATS = ("epoch_seconds", "epoch_millis", "epoch_micros")
SPREADSHEET_DAYS = "spreadsheet_days"

#: Encodings that are read: Python's name → Java's. All but utf-16 keep ASCII as it is, so that lines can be told apart
#: in the bytes; utf-16 has a way of its own in the reader.
CHARSETS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "ascii": "US-ASCII",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1252": "windows-1252",
    "cp1254": "windows-1254",
    "cp866": "IBM866",
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "iso8859-1": "ISO-8859-1",
    "iso8859-2": "ISO-8859-2",
    "iso8859-5": "ISO-8859-5",
    "iso8859-9": "ISO-8859-9",
    "iso8859-15": "ISO-8859-15",
    "mac-cyrillic": "x-MacCyrillic",
    "gb18030": "GB18030",
    "shift_jis": "Shift_JIS",
    "euc_kr": "EUC-KR",
    "kz1048": "ISO-8859-1",
    "ptcp154": "ISO-8859-1",
}
#: Code pages that Java does not know: it reads their bytes as Latin-1, and the letters are put in their places.
TRANSLATED = ("kz1048", "ptcp154")

#: Characters that nobody sees and that mean nothing inside a text: soft hyphen, zero-width blank, marks of direction,
#: word joiner, byte-order mark. The joiners U+200C and U+200D hold letters and emoji together and stay inside.
INVISIBLE = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"

#: Blanks that are trimmed off a value: the blank, tab, line ends, the end of file of old programs (Ctrl-Z), blanks of
#: Unicode, and what is invisible.
BLANKS = (
    " \t\r\n\x0b\x0c\x1a\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200c\u200d"
    "\u2028\u2029\u202f\u205f\u3000" + INVISIBLE
)

#: How a row of sums begins, or ends where it is of a group, in texts of spreadsheets and accounting.
TOTAL = (
    "(?iu)^(?:итого|всего|общий итог|(?:grand |sub)?total|барлығы|жиыны|жалпы(?: сома| жиыны)?$)(?![a-zа-яёәғқңөұүһі])"
    r"|\S (?:итого?|total)$"
)

#: A letter of UTF-8, read as Latin-1 or Windows-1252, and as Windows-1251: two or more such pairs in a row.
MISREAD = (
    "(?:[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]+){2}"
    "|(?:[\u0420\u0421][\u0080-\u00bf\u0402-\u040f\u0451-\u045f\u0490\u0491\u2013-\u2122]){3}"
)
#: A question mark inside a Cyrillic word, where an export could not write a letter; and what stands for bytes that were
#: no letter when the text was last read.
LOST_LETTER = "[\u0400-\u04ff][?][\u0430-\u04ff]|\ufffd"

#: Letters that mean something when a date is read, and how often each may stand in a row:
#: https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html
_PATTERN_LETTERS: dict[str, Collection[int]] = (
    {letter: range(1, 3) for letter in "dHhKkms"}
    | {letter: range(1, 5) for letter in "MLzE"}
    | {letter: range(1, 6) for letter in "XxZ"}
    | {"y": range(1, 7), "D": range(1, 4), "S": range(1, 10), "a": (1,), "V": (2,), "O": (1, 4)}
)

#: Parts of a time that are read in names of files.
TIME_PART = re.compile("yyyy|yy|MM|dd|HH|mm|ss")

#: Letters of a pattern that stand for a zone.
ZONE_LETTERS = "VzOXxZ"
#: A zone that a pattern quotes as if it were any letter: times that name their zone would be read as local ones.
_QUOTED_ZONE = re.compile(r"'( ?)(Z|UTC|GMT|[+-]\d\d:?\d\d)'")
_DECIMAL = re.compile(r"^decimal\(([1-9]|[12]\d|3[0-8]),\s?(\d|[12]\d|3[0-8])\)$")
_DAY = re.compile(r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$")
_DURATION = re.compile(r"^(\d{1,10})(s|min|h|d)$")
_LONGEST = timedelta(days=100_000)
_DURATION_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """`"36h"` → 36 hours. Units: s, min, h, d.

    Raises:
        ValueError: if the text has no unit or an unknown one, or is longer than some hundred years.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and s, min, h or d, e.g. '36h'")
    unit = timedelta(**{_DURATION_UNITS[match[2]]: 1})
    if int(match[1]) > _LONGEST / unit:
        raise ValueError(f"{text!r} is longer than {_LONGEST.days:,} days")
    return int(match[1]) * unit


def fold_name(name: str) -> str:
    """A column's name as names are compared: without case, outer blanks, kinds of blank and invisible characters."""
    seen = unicodedata.normalize("NFC", name.translate(dict.fromkeys(map(ord, INVISIBLE))))
    return " ".join(seen.strip(BLANKS).split()).casefold()


def without_quoted(pattern: str) -> str:
    """A date pattern with a blank in place of each quoted text."""
    return re.sub(r"'(?:[^']|'')*'", " ", pattern)


def _with_zone(pattern: str) -> str:
    """The pattern with its zone read as a zone, where it stands in quotes: `'Z'` is `XXX`, `'UTC'` is `VV`."""
    letters = {"Z": "XXX", "UTC": "VV", "GMT": "VV"}
    return _QUOTED_ZONE.sub(lambda zone: zone[1] + letters.get(zone[2], "XXX" if ":" in zone[2] else "XX"), pattern)


def _usable_patterns(patterns: list[str]) -> list[str]:
    """Date patterns with their zones read as zones.

    Raises:
        ValueError: if one of them cannot be used for reading.
    """
    faults = [fault for pattern in patterns if (fault := _pattern_fault(_with_zone(pattern)))]
    if faults:
        raise ValueError("; ".join(faults))
    return [_with_zone(pattern) for pattern in patterns]


def _pattern_fault(pattern: str) -> str | None:
    """Why a date pattern cannot be used for reading, or None."""
    if pattern in (*EPOCH_FORMATS, SPREADSHEET_DAYS):
        return None
    bare = without_quoted(pattern)
    runs = [match[0] for match in re.finditer(r"([A-Za-z])\1*", bare)]
    unknown = sorted({run[0] for run in runs} - set(_PATTERN_LETTERS))
    odd = sorted({run for run in runs if len(run) not in _PATTERN_LETTERS.get(run[0], ())})
    depths = list(accumulate((mark == "[") - (mark == "]") for mark in bare))
    faults = {
        "has a quote that is not closed": "'" in bare,
        f"has letters that no date is read by: {', '.join(unknown)} (as in dd.MM.yyyy HH:mm:ss)": bool(unknown),
        f"repeats letters more or less often than a date pattern allows: {', '.join(odd)}": bool(odd),
        "has brackets [ ] that do not match": min(depths, default=0) < 0 or bool(depths and depths[-1]),
        "has {, } or #, which must stand in quotes": bool(re.search(r"[{}#]", bare)),
        "has a zone in brackets [ ]: where it is left out, time_zone would not hold; write one pattern with the zone "
        "and one without": any(mark in ZONE_LETTERS and depth for mark, depth in zip(bare, depths, strict=True)),
        "is not a valid date pattern": not runs,
    }
    faults |= _misunderstandings(runs, outside=re.sub(r"\[.*\]", " ", bare))
    return next((f"{pattern!r} {fault}" for fault, holds in faults.items() if holds), None)


def _misunderstandings(runs: Collection[str], outside: str) -> dict[str, bool]:
    """What a date pattern would read without complaint and otherwise than it is meant, as letters are case-sensitive.

    Args:
        runs: its letters.
        outside: the pattern without what stands in brackets, where alternatives may repeat a letter.
    """
    letters = {run[0] for run in runs}
    return {
        "has m, the minutes, without hours: months are M": "m" in letters and not letters & set("HhkK"),
        "has S, a fraction of a second, without seconds: these are s": "S" in letters and "s" not in letters,
        "has hours of half a day, h, without AM or PM, a: those of a day are H": bool(letters & set("hK"))
        and "a" not in letters,
        "has AM or PM, a, beside hours of a day, H: those of half a day are h": "a" in letters and "H" in letters,
        "has D, the day of the year, beside the month: days of the month are d": "D" in letters
        and bool(letters & set("ML")),
        "has M twice: minutes are m": len(re.findall("M+", outside)) > 1,
        "has no year, y": "y" not in letters,
    }


class Format(Strict):
    """How the bytes of a file become records and fields. gzip is recognised by the ending .gz."""

    kind: Literal["csv", "tsv", "blanks", "fixed", "list", "json_lines", "json", "xml", "parquet"] = Field(
        description="blanks: fields separated by any number of spaces and tabs; fixed: fields of fixed width; list: "
        "each line is a list of any length, and each value becomes a row: line, place, value; json_lines: "
        "one object per line; json: one array or object in the file; columns inside objects have dotted "
        "paths, like user.name"
    )
    rows: str | None = Field(
        None,
        min_length=1,
        description="json, json_lines: path to the array whose elements are the rows, like messages or "
        "response.items; [] marks arrays on the path, like chats.list[].messages. ../name is a field of "
        "the object around the row, ../../name of the one around that. xml: tag of the elements that are "
        "the rows; attributes are columns like _id",
    )
    widths: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        description="fixed: width of each field in characters; trailing blanks of a line may be missing",
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="csv, list: character between two fields; default: a comma"
    )
    quote: str | None = Field(
        '"', max_length=1, validate_default=True, description="empty: no quoting; fields of fixed width have none"
    )
    escape: str | None = Field(None, max_length=1, description="default: the quote doubled")
    header: bool = Field(True, description="whether the file starts with column names")
    header_lines: int = Field(
        1,
        ge=1,
        le=MOST_HEADER_LINES,
        description="number of header lines; the names of several lines are joined by a space",
    )
    skip_lines: int = Field(0, ge=0, le=1000, description="number of lines above the header, not counting blank ones")
    footer: int = Field(
        0, ge=0, le=MOST_FOOTER, description="number of lines at the end that are not records, not counting blank ones"
    )
    multiline: bool = Field(False, description="quoted fields may contain line breaks")
    encoding: str = Field("utf-8", description="encoding of its text, e.g. utf-8, cp1251, utf-16")
    null_tokens: list[str] = Field(default_factory=lambda: [""], description="strings that mean missing")
    decimal_comma: bool = Field(False, description="whether the decimal separator is a comma")
    thousands_separator: str | None = Field(None, max_length=1, description="thousands separator; default: none")
    date_formats: list[str] = Field(
        default_factory=lambda: ["yyyy-MM-dd"],
        description="Spark's date patterns, the first that fits is used; also epoch_seconds, epoch_millis, "
        "epoch_micros for numbers since 1970, and spreadsheet_days for day numbers of a spreadsheet, like "
        "45292",
    )
    timestamp_formats: list[str] = Field(
        default_factory=lambda: ["yyyy-MM-dd HH:mm:ss"], description="likewise for dates with a time"
    )
    time_zone: str = Field("UTC", description="time zone of times without one")
    two_digit_years_from: int | None = Field(
        None,
        ge=1800,
        le=2000,
        description="first year of the century for two-digit years: 1930 for 1930 to 2029; default: 2000",
    )
    placeholders: list[str] = Field(
        default_factory=list, description="dates that mean no date, like 0001-01-01 or 1900-01-01: read as null"
    )
    utf8_as_latin1: bool = Field(
        False, description="repair texts in UTF-8 that were decoded as Latin-1 (exports of Facebook and Instagram)"
    )
    maximum_field_length: int = Field(
        1_000_000, ge=1, description="maximum length of a field in characters; a record with a longer one is rejected"
    )

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
        except LookupError:
            name = encoding
        if name not in CHARSETS:
            raise ValueError(f"unknown encoding {encoding!r}; known: {', '.join(CHARSETS)}")
        return name

    @field_validator("quote")
    @classmethod
    def _no_quote_in_fixed_width(cls, quote: str | None, info: ValidationInfo) -> str | None:
        return None if info.data.get("kind") == "fixed" else quote

    @field_validator("rows")
    @classmethod
    def _is_path(cls, rows: str | None) -> str | None:
        if rows is not None and not all(step for step in rows.removeprefix("[].").replace("[].", ".").split(".")):
            raise ValueError(f"{rows!r} is not a path like messages, response.items or chats.list[].messages")
        return rows

    @field_validator("date_formats", "timestamp_formats")
    @classmethod
    def _known_patterns(cls, patterns: list[str]) -> list[str]:
        if not patterns:
            raise ValueError("needs at least one pattern")
        return _usable_patterns(patterns)

    @field_validator("placeholders")
    @classmethod
    def _days(cls, days: list[str]) -> list[str]:
        wrong = [day for day in days if not _DAY.match(day)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not a day; write it like '1900-01-01'")
        return days

    @field_validator("escape")
    @classmethod
    def _own_escape(cls, escape: str | None, info: ValidationInfo) -> str | None:
        """RFC 4180 doubles the quote, which is the default; that the quote escapes itself says the same."""
        return None if escape == info.data.get("quote") else escape

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        # A part of a name, such as Asia, is a folder of its files.
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"unknown time zone {zone!r}; write a name like 'Asia/Almaty'") from None
        return zone

    def impossible(self) -> list[str]:
        """Marks that are the same, and settings of another kind of file."""
        has_delimiter, of_records = self.delimiter is not None, self.kind not in ("csv", "tsv", "list")
        faults = {
            "thousands_separator is also the decimal mark": self.has_one_mark_for_two,
            "delimiter: a tsv file is delimited by tabs; use kind = 'csv' with this delimiter": (
                self.kind == "tsv" and self.delimiter not in (None, "\t")
            ),
            f"delimiter: a {self.kind} file has no delimiter": of_records and has_delimiter,
            f"multiline applies to csv and tsv, not {self.kind}": self.multiline and self.kind not in ("csv", "tsv"),
            f"header = false applies to delimited and fixed-width files, not {self.kind}": not self.is_delimited
            and not self.header,
            f"skip_lines, footer and header_lines apply to delimited and fixed-width files, not {self.kind}": (
                not self.is_delimited and (self.skip_lines > 0 or self.footer > 0 or self.header_lines > 1)
            ),
            "header_lines needs header = true": self.header_lines > 1 and not self.header,
            f"rows applies to json, json_lines and xml, not {self.kind}": self.rows is not None and not self.is_nested,
            "rows: set it to the tag of the row elements": self.kind == "xml" and self.rows is None,
            f"encoding: an xml file in {self.encoding} is not read": self.kind == "xml" and self.encoding in TRANSLATED,
            "widths and kind = 'fixed' require each other": (self.widths is not None) != (self.kind == "fixed"),
        }
        has_marks = self.is_delimited or self.kind == "list"
        return [fault for fault, holds in faults.items() if holds] + (self._unfit_marks() if has_marks else [])

    def _unfit_marks(self) -> list[str]:
        marks = {"delimiter": self.field_delimiter, "quote": self.quote, "escape": self.escape}
        faults = {
            f"{name} cannot be a line break, NUL or a character outside the basic plane": bool(mark)
            and (str(mark) in "\r\n\0" or len(str(mark).encode("utf-16-le")) > 2)
            for name, mark in marks.items()
        }
        faults |= {
            "quote is also the delimiter": self.quote == self.field_delimiter,
            "escape is also the delimiter": self.escape == self.field_delimiter,
            "multiline needs a quote": self.multiline and not self.quote,
        }
        return [fault for fault, holds in faults.items() if holds]

    @property
    def has_one_mark_for_two(self) -> bool:
        """Whether the mark between thousands is the one before the fraction."""
        return self.thousands_separator == ("," if self.decimal_comma else ".")

    @property
    def field_delimiter(self) -> str:
        """The character between two fields of a line as `layout` gives it, or two values of a list."""
        return self.delimiter or {"tsv": "\t", "blanks": "\t", "fixed": FIELD_MARK}.get(self.kind, ",")

    @property
    def is_delimited(self) -> bool:
        """Whether records are lines of fields."""
        return self.kind in ("csv", "tsv", "blanks", "fixed")

    @property
    def is_nested(self) -> bool:
        """Whether records are objects that may hold others."""
        return self.kind in ("json_lines", "json", "xml")

    @property
    def cut_by(self) -> dict[str, object]:
        """What decides how bytes become records: where it changes, records that are kept are not those of the file."""
        names = ["kind", "encoding", "header", "header_lines", "skip_lines", "footer", "multiline", "field_delimiter"]
        names += ["rows", "widths"]
        if self.multiline or self.kind == "list":
            names += ["quote", "escape"]
        return {name: getattr(self, name) for name in names}


class ContractColumn(Strict):
    """One column: its name in the file, our name (the table's key), its type and what its values must obey."""

    source: str | None = Field(None, description="name in the file; default: the key of this table")
    aliases: list[str] = Field(
        default_factory=list, description="other names of the column in files, e.g. after a rename"
    )
    type: str = Field(description="string, integer, double, decimal(p,s), boolean, date or timestamp")
    required: bool = Field(False, description="reject records without a value")
    allowed: list[str] | None = Field(None, description="reject records with another value (type string)")
    null_tokens: list[str] | None = Field(
        None, description="strings that mean missing in this column; default: format.null_tokens"
    )
    missing_codes: list[float] | None = Field(
        None,
        min_length=1,
        description="numbers that mean missing, such as 999 for 'never called': null in silver, a category of its own "
        "in models and the report; required, minimum, maximum and rules accept them",
    )
    units: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description="units before or after a number of this column, which are removed, like ₸, руб. or %: 12.5 % is "
        "read as 12.5",
    )
    decimal_comma: bool | None = Field(None, description="default: format.decimal_comma")
    thousands_separator: str | None = Field(
        None, max_length=1, description="empty: none; default: format.thousands_separator"
    )
    formats: list[str] | None = Field(
        None, min_length=1, description="date patterns of this column; default: those of format"
    )
    pieces: str | None = Field(
        None,
        min_length=1,
        description="for a string that may be a list of strings and objects (as in Telegram exports): the key of the "
        "text in these objects; all parts are joined",
    )
    minimum: float | None = Field(None, allow_inf_nan=False, description="reject records with a smaller value")
    maximum: float | None = Field(None, allow_inf_nan=False, description="reject records with a larger value")
    personal: bool = Field(False, description="identifies a person: stored as a pseudonym, and masked")
    missing: Literal["fail", "null", "clear"] = Field(
        "fail",
        description="if a file lacks the column: refuse the file (fail), or load its new rows with null; existing rows "
        "keep their value (null) or lose it (clear)",
    )
    known: Literal["with_row", "after_decision"] = Field(
        "with_row", description="after_decision: unknown when a task decides, so no model that scores may use it"
    )
    meaning: str = Field("", description="meaning of the column, used as the column's comment in silver")

    @field_validator("type")
    @classmethod
    def _known_type(cls, type_: str) -> str:
        if type_ in ("string", "integer", "double", "boolean", "date", "timestamp"):
            return type_
        if (match := _DECIMAL.match(type_)) and int(match[2]) <= int(match[1]):
            return type_
        raise ValueError(
            f"unknown type {type_!r}; known: string, integer, double, decimal(p,s) with s ≤ p ≤ 38, boolean, date, "
            "timestamp"
        )

    @field_validator("formats")
    @classmethod
    def _known_patterns(cls, patterns: list[str] | None) -> list[str] | None:
        return None if patterns is None else _usable_patterns(patterns)

    def impossible(self) -> list[str]:
        """What its type does not allow, an empty range, and a required column that may be missing."""
        numeric = self.type in ("integer", "double") or self.type.startswith("decimal")
        has_range = self.minimum is not None or self.maximum is not None
        is_empty = self.minimum is not None and self.maximum is not None and self.minimum > self.maximum
        faults = {
            f"minimum and maximum need a numeric type, not {self.type}": has_range and not numeric,
            "minimum is above maximum": is_empty,
            f"missing_codes need a numeric type, not {self.type}": self.missing_codes is not None and not numeric,
            f"units, decimal_comma and thousands_separator need a numeric type, not {self.type}": not numeric
            and not (self.units is None and self.decimal_comma is None and self.thousands_separator is None),
            f"formats need type = 'date' or 'timestamp', not {self.type}": self.formats is not None
            and self.type not in ("date", "timestamp"),
            f"allowed needs type = 'string', not {self.type}": (self.allowed is not None and self.type != "string"),
            f"pieces needs type = 'string', not {self.type}": self.pieces is not None and self.type != "string",
            "a personal column is stored as a pseudonym and must have type = 'string'": (
                self.personal and self.type != "string"
            ),
            "a required column must not be missing from the file: set missing = 'fail'": self.required
            and self.missing != "fail",
        }
        return [fault for fault, holds in faults.items() if holds]


class Key(Strict):
    """What makes two rows the same thing, and which of two versions wins."""

    columns: Annotated[list[Name], Field(min_length=1)] | Literal["all"] = Field(
        description="columns that identify a row; all: all columns together identify it"
    )
    position_within: list[Name] | None = Field(
        None,
        min_length=1,
        description="columns within which equal keys are numbered from 1 in file order, e.g. because identical lines "
        "of a receipt are separate purchases; the number becomes part of the key, as position_within in "
        "silver",
    )
    keep: Literal["first", "last", "newest"] = Field(
        "last", description="which of several rows with the same key is kept, by order of arrival or by newest_by"
    )
    newest_by: Name | None = Field(None, description="with keep = 'newest': the column whose largest value wins")

    def impossible(self) -> list[str]:
        """A newest row without what says so, or the other way round."""
        if (self.keep == "newest") != (self.newest_by is not None):
            return ["keep = 'newest' and newest_by require each other"]
        return []


class Time(Strict):
    """What orders rows in time, and when a row became known.

    order: by what a task's SQL may tell earlier rows from later ones. It decides nothing at ingest: which of two
    versions of a key stays is said by key.keep, by newest_by or else by position.
    known: `event` = the event column + delay (a file that carries its own history), `arrival` = when the file was
    taken in, `untimed` = history whose dates only the task's SQL can tell.
    """

    order: Literal["event", "position"] = Field(
        description="what orders rows in time: the event column, or their position in the file"
    )
    event: Name | None = Field(None, description="date or timestamp column that says when the event happened")
    known: Literal["event", "arrival", "untimed"] = Field(
        "arrival",
        description="when a row became known: at its event plus delay, when its file was loaded, or untimed: no column "
        "tells, the task's SQL must",
    )
    delay: str = Field("0s", description="with known = 'event': time until the event was known, e.g. 36h or 2d")

    @field_validator("delay")
    @classmethod
    def _is_duration(cls, delay: str) -> str:
        parse_duration(delay)
        return delay

    def impossible(self) -> list[str]:
        """An event without a column, a delay of nothing."""
        faults = {
            "order or known is 'event', but event lists no column": (
                self.event is None and "event" in (self.order, self.known)
            ),
            "delay needs known = 'event'": self.delay != "0s" and self.known != "event",
        }
        return [fault for fault, holds in faults.items() if holds]


class Rule(Strict):
    """A row rule: a SQL predicate over our column names that a good row fulfils."""

    name: Name = Field(description="name of the rule, in the reasons of rejected records")
    holds: str = Field(min_length=1, description="SQL predicate that a valid row satisfies; null counts as true")
    severity: Literal["warn", "reject", "fail"] = Field(
        "reject",
        description="what happens to a row that violates it: count it (warn), reject it, or refuse the file (fail)",
    )


class Thresholds(Strict):
    """Past these a file is refused as a whole and no table changes."""

    rejected_share: float = Field(0.1, ge=0, le=1, description="maximum share of rejected records")
    rejected_rows: int | None = Field(None, ge=0, description="maximum number of rejected records; default: no limit")
    duplicate_share: float = Field(1.0, ge=0, le=1, description="maximum share of records that repeat a key")


class Contract(Strict):
    """All of one source contract; see the classes of its tables."""

    name: Name = Field(description="name of the source and of its tables bronze.NAME and silver.NAME")
    meaning: str = Field("", description="what one row is")
    format: Format
    columns: dict[Name, ContractColumn] = Field(min_length=1)
    key: Key
    time: Time
    rules: list[Rule] = Field(default_factory=list)
    lookalikes: list[Name] | None = Field(
        None, description="rows that are equal in all columns except these are counted and reported as a warning"
    )
    thresholds: Thresholds = Thresholds()
    new_columns: Literal["ignore", "fail"] = Field(
        "fail",
        description="if a file has a column that the contract does not name: refuse the file, or ignore the column",
    )
    same_name_other_content: Literal["fail", "replace", "add"] = Field(
        "fail",
        description="if a file with the same name was loaded before with different content: refuse the file, replace "
        "the old one, or add to it (if names mean nothing)",
    )
    file_time: str | None = Field(
        None,
        min_length=1,
        description="pattern of the time in the names of files, e.g. dd.MM.yyyy or yyyyMMdd_HHmm: files count in this "
        "order, and a file without it is refused; default: natural order of names (part_9 before part_10), or "
        "the order in which files are listed, if it is not the alphabetical one",
    )
    sha256: dict[str, Sha256] = Field(default_factory=dict, description="file name → the hash its bytes must have")

    @field_validator("file_time")
    @classmethod
    def _usable_in_names(cls, pattern: str | None) -> str | None:
        fault = None if pattern is None else _pattern_fault(pattern)
        if fault is not None:
            raise ValueError(fault)
        if pattern is not None and re.search("[A-Za-z/]", TIME_PART.sub("", pattern)):
            raise ValueError(f"{pattern!r}: in names of files only yyyy, yy, MM, dd, HH, mm and ss are read")
        return pattern

    def impossible(self) -> list[str]:
        """Names that are taken, of columns that there are not, or that stand twice; times that are none."""
        faults = [*self._taken_names(), *self._unknown_columns(), *self._doubled_names(), *self._impossible_times()]
        return faults + [
            f"columns.{name}: thousands_separator is also the decimal mark"
            for name, column in self.columns.items()
            if not (column.decimal_comma is None and column.thousands_separator is None)
            and self.format_of(name).has_one_mark_for_two
        ]

    def _taken_names(self) -> list[str]:
        faults = {
            "name: rejected is reserved: bronze.rejected stores the rejected rows of all sources": self.name
            == TAKEN_SOURCE,
            "columns.known_at: reserved name: silver stores there when a row became known": (
                TAKEN_COLUMN in self.columns
            ),
            f"columns.{POSITION}: reserved name: key.position_within adds a column of this name": (
                self.key.position_within is not None and POSITION in self.columns
            ),
            f"columns: a list file has the columns {', '.join(LIST_COLUMNS)}; set source to one of them": (
                self.format.kind == "list" and not set(map(self.name_in_file, self.columns)) <= set(LIST_COLUMNS)
            ),
            "pieces applies to json and json_lines only": (
                self.format.kind not in ("json", "json_lines")
                and any(column.pieces is not None for column in self.columns.values())
            ),
            "lookalikes names every column, so none is left to compare": (
                self.lookalikes is not None and set(self.columns) <= set(self.lookalikes)
            ),
        }
        faults |= {
            f"columns.{name}: missing_codes are not allowed in a key column": (
                self.key.columns != "all" and self.columns[name].missing_codes is not None
            )
            for name in self.key_columns
            if name in self.columns
        }
        return [fault for fault, holds in faults.items() if holds]

    def _unknown_columns(self) -> list[str]:
        named = {
            "key.columns": self.key.columns if isinstance(self.key.columns, list) else [],
            "key.position_within": self.key.position_within or [],
            "key.newest_by": [self.key.newest_by] if self.key.newest_by else [],
            "time.event": [self.time.event] if self.time.event else [],
            "lookalikes": self.lookalikes or [],
        }
        return [
            f"{place} names {column!r}, which is not a column of the contract"
            for place, columns in named.items()
            for column in columns
            if column not in self.columns
        ]

    def _doubled_names(self) -> list[str]:
        seen: dict[str, str] = {}
        faults = []
        for name, column in self.columns.items():
            for in_file in sorted({self.name_in_file(name), *column.aliases}):
                folded = fold_name(in_file)
                if folded in seen:
                    faults.append(f"columns.{name} and columns.{seen[folded]} both read {in_file!r}")
                seen[folded] = name
        names = [rule.name for rule in self.rules]
        return faults + [f"rules: duplicate name {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]

    def _impossible_times(self) -> list[str]:
        event = self.columns.get(self.time.event or "")
        if event is None:
            return []
        if event.type not in ("date", "timestamp"):
            return [f"time.event: {self.time.event} is a {event.type}, not a date or timestamp"]
        is_known_by_it = self.time.known == "event"
        is_short = parse_duration(self.time.delay) < timedelta(days=1)
        faults = {
            f"time.known: known = 'event' needs required = true on {self.time.event}: a row without it would be "
            "known at every moment": is_known_by_it and not event.required,
            f"time.delay: {self.time.event} is a date, and its events are not known when the day begins: use '1d' "
            "or more (2d west of Greenwich)": is_known_by_it and event.type == "date" and is_short,
        }
        return [fault for fault, holds in faults.items() if holds]

    def name_in_file(self, name: str) -> str:
        """The name that one of our columns has in the file, aliases apart."""
        source = self.columns[name].source
        return name if source is None else source

    def format_of(self, name: str) -> Format:
        """The format with what one of our columns says differently of its numbers and dates."""
        column = self.columns[name]
        own = {
            "decimal_comma": column.decimal_comma,
            "thousands_separator": column.thousands_separator,
            "date_formats": column.formats,
            "timestamp_formats": column.formats,
        }
        changes = {key: None if value == "" else value for key, value in own.items() if value is not None}
        return self.format.model_copy(update=changes) if changes else self.format

    @property
    def key_columns(self) -> list[str]:
        """Our names of the columns that make the key, without the count of key.position_within."""
        return list(self.columns) if self.key.columns == "all" else list(self.key.columns)

    @property
    def whole_key(self) -> list[str]:
        """The columns of silver that make the key."""
        return [*self.key_columns, *([POSITION] if self.key.position_within is not None else [])]

    @property
    def identifiers(self) -> list[str]:
        """Our names of the columns of text that name something: of the key, and personal ones."""
        of_key = [] if self.key.columns == "all" else self.key_columns
        named = {*of_key, *self.personal_columns}
        return [name for name, column in self.columns.items() if name in named and column.type == "string"]

    @property
    def personal_columns(self) -> list[str]:
        """Our names of the columns that silver holds only as pseudonyms."""
        return [name for name, column in self.columns.items() if column.personal]
