"""From the text of a field to a typed value; null where the text is no such value. Nothing here raises on data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from otklik.lake.store import LOCAL_TIME_PATTERN, TIME_PATTERN
from otklik.sources.contract import (
    BLANKS,
    EPOCH_FORMATS,
    SPREADSHEET_DAYS,
    TEXT_OF_SPREADSHEET,
    ZONE_LETTERS,
    ContractColumn,
    Format,
    without_quoted,
)
from otklik.sources.numbers import BLANK, SIGNS, Marks, units_pattern

#: Read as boolean, in any case: words, and what spreadsheets write in English, Russian, Kazakh, Ukrainian, German,
#: French, Spanish, Italian, Portuguese and Turkish.
TRUE_TOKENS = (
    "true", "t", "yes", "y", "1", "1.0", "on", "да", "истина", "вкл", "иә", "ақиқат", "так", "wahr", "ja", "vrai",
    "oui", "verdadero", "vero", "verdadeiro", "doğru",
)  # fmt: skip
FALSE_TOKENS = (
    "false", "f", "no", "n", "0", "0.0", "off", "нет", "ложь", "выкл", "жоқ", "жалған", "ні", "falsch", "nein",
    "faux", "non", "falso", "yanlış",
)  # fmt: skip

#: Patterns whose every text is as long as they are.
_FIXED_WIDTH = re.compile(r"(?:yyyy|MM|dd|HH|mm|ss|[-./: ,])+")
#: Patterns that the cast reads exactly as the parser does, 10 times faster, where the text has this shape.
_ISO_SHAPES = {
    "yyyy-MM-dd": "____-__-__",
    "yyyy-MM-dd HH:mm:ss": "____-__-__ __:__:__",
    "yyyy-MM-dd'T'HH:mm:ss": "____-__-__T__:__:__",
    "yyyy-MM-dd HH:mm:ss.SSSSSS": "____-__-__ __:__:__.______",
    "yyyy-MM-dd'T'HH:mm:ss.SSSSSS": "____-__-__T__:__:__.______",
    "yyyy-MM-dd'T'HH:mm:ssXXX": "____-__-__T__:__:__Z",
    "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX": "____-__-__T__:__:__.______Z",
}
#: Midnight at the end of a day.
_END_OF_DAY = r"(?<!\d)24:00(?::00(?:[.,]0+)?)?(?![\d:.,])"
#: Days from 1899-12-30 to 1970-01-01, to 1900-03-01 (before it spreadsheets count a day that was none) and 9999-12-31.
_DAYS_TO_1970, _FIRST_DAY, _LAST_DAY = 25_569, 61, 2_958_465
#: 0001-01-01 and 9999-12-31 in seconds since 1970: outside, numbers are no times.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_FIRST_TIME, _LAST_TIME = "TIMESTAMP'0001-01-01 00:00:00'", "TIMESTAMP'9999-12-31 23:59:59.999999'"
#: Seconds up to the year 2103. What is less is no time in a finer unit (it would lie within some weeks of 1970), and
#: where a finer unit is declared too, what is more is no time in this one.
_MOST_SECONDS = 4_200_000_000
_UNITS = {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_micros": 1_000_000}
_FROM_UNIT = {
    "epoch_seconds": F.timestamp_seconds,
    "epoch_millis": F.timestamp_millis,
    "epoch_micros": F.timestamp_micros,
}

#: Names of the months as texts have them, in English, Russian and Kazakh; Spark reads English ones only.
_MONTHS = (
    "jan(?:uary)?|янв(?:ар[ья])?|қаң(?:тар)?",
    "feb(?:ruary)?|фев(?:р(?:ал[ья])?)?|ақп(?:ан)?",
    "mar(?:ch)?|мар(?:та?)?|нау(?:рыз)?",
    "apr(?:il)?|апр(?:ел[ья])?|сәу(?:ір)?",
    "may|ма[йя]|мам(?:ыр)?",
    "june?|июн[ья]?|мау(?:сым)?",
    "july?|июл[ья]?|шіл(?:де)?",
    "aug(?:ust)?|авг(?:уста?)?|там(?:ыз)?",
    "sept?(?:ember)?|сен(?:т(?:ябр[ья])?)?|қыр(?:күйек)?",
    "oct(?:ober)?|окт(?:ябр[ья])?|қаз(?:ан)?",
    "nov(?:ember)?|ноя(?:б(?:р[ья])?)?|қар(?:аша)?",
    "dec(?:ember)?|дек(?:абр[ья])?|жел(?:тоқсан)?",
)
_WEEKDAYS = (
    "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
    "|пн|пон(?:едельник)?|вт(?:орник)?|ср(?:еда)?|чт|четв(?:ерг)?|пт|пятн(?:ица)?|сб|суб(?:бота)?|вс|воск(?:ресенье)?"
    "|дс|дүйсенбі|сс|сейсенбі|сәрсенбі|бс|бейсенбі|жм|жұма|сн|сенбі|жс|жексенбі"
)


def spark_type(type_: str) -> str:
    """The Spark SQL type of a contract's type."""
    if type_ == "integer":
        return "BIGINT"
    return type_.replace(" ", "").upper()


def cleaned(text: Column, format_: Format, null_tokens: Column | None = None) -> Column:
    """The text of a field without outer blanks of any kind; null where it is a null token.

    A formula that is a text (`="0012"`) is that text, and an apostrophe before digits is left out: exports write this
    way what a spreadsheet is not to take for a number.

    Args:
        text: as it was cut from the record.
        format_: for the tokens of all columns.
        null_tokens: ARRAY<STRING>, the tokens of this column in place of those of all.
    """
    trimmed = F.regexp_replace(F.btrim(text, F.lit(BLANKS)), TEXT_OF_SPREADSHEET, "$1$2")
    if null_tokens is not None:
        return F.when(~F.array_contains(null_tokens, trimmed), trimmed)
    if not format_.null_tokens:
        return trimmed
    return F.when(~trimmed.isin(format_.null_tokens), trimmed)


def value_of(text: Column, column: ContractColumn, format_: Format) -> Column:
    """The value of a cleaned text, or null where it is not of the column's type; missing codes are numbers.

    Args:
        text: of the field.
        column: for the type, and for units beside its numbers.
        format_: from `Contract.format_of`.
    """
    bare = F.regexp_replace(text, units_pattern(column.units), "$1") if column.units else text
    return typed(bare, column.type, format_)


def with_sign_in_front(text: Column) -> Column:
    """A number with its sign as a hyphen or plus in front; any other text as it is."""
    for pattern, place in SIGNS.items():
        text = F.regexp_replace(text, pattern, re.sub(r"\{(\d)\}", r"$\1", place))
    return text


def typed(text: Column, type_: str, format_: Format) -> Column:
    """The value of a cleaned text, or null where it is not of the type.

    - integer: digits with a sign, also `5.0`; `5.5` and `1e3` are none.
    - double: decimal notation, also with exponent; NaN, infinity and numbers beyond the range of doubles are none.
    - decimal(p,s): a number that would lose digits is none; zeros at the end of the fraction are no digits.
    - boolean: TRUE_TOKENS and FALSE_TOKENS.
    - date, timestamp: the first pattern that fits; days that do not exist are none, nor are times outside the years
      0001 to 9999. Months and days of the week are read in English, Russian and Kazakh. Times without a zone are in
      format.time_zone; what its clock skips is none, of what it repeats the first is taken. 24:00 is the midnight at
      the end of the day. The result is UTC.
    """
    if type_ == "string":
        return text
    if type_ == "boolean":
        lower = in_small_letters(text, *TRUE_TOKENS, *FALSE_TOKENS)
        return F.when(lower.isin(*TRUE_TOKENS), True).when(lower.isin(*FALSE_TOKENS), False)
    if type_ == "date":
        return F.coalesce(*(_date(text, pattern, format_) for pattern in _patterns(format_.date_formats, format_)))
    if type_ == "timestamp":
        patterns = _patterns(format_.timestamp_formats, format_)
        moments = [_timestamp(text, pattern, format_, format_.time_zone) for pattern in patterns]
        with_hours = [pattern for pattern in patterns if re.search("[Hk]", without_quoted(pattern))]
        if with_hours:
            begins = F.replace(text, F.lit("24:00"), F.lit("00:00"))
            of_days = (_timestamp(begins, pattern, format_, format_.time_zone) for pattern in with_hours)
            ends = F.coalesce(*of_days) + F.expr("INTERVAL '1' DAY")
            moments.append(F.when(F.contains(text, F.lit("24:00")) & F.rlike(text, F.lit(_END_OF_DAY)), ends))
        return F.coalesce(*moments)
    return _number(_plain_number(text, format_), type_)


def is_code(value: Column, codes: Sequence[float]) -> Column:
    """Whether a number stands for no number."""
    return F.coalesce(value.isin(*codes), F.lit(False))


def in_small_letters(text: Column, *words: str) -> Column:
    """A text with small letters in place of the capital ones of some words, to be compared with these.

    F.lower knows all letters; to load what it knows takes longer than to read a small file.
    """
    small: dict[str, str] = {}
    # Two letters may have one capital letter, i and ı: the first one stands.
    for letter in sorted({*"".join(words)}):
        if letter.islower() and len(letter.upper()) == 1:
            small.setdefault(letter.upper(), letter)
    return F.translate(text, "".join(small), "".join(small.values()))


def has_two_digit_years(pattern: str) -> bool:
    """Whether a date pattern reads two digits of the year."""
    return bool(re.search(r"(?<!y)yy(?!y)", without_quoted(pattern)))


def is_placeholder(value: Column, type_: str, format_: Format) -> Column:
    """Whether a date or time is a day that stands for none, as it is written: before a zone moves it."""
    moment = value.cast("timestamp")
    local = moment if type_ == "date" else F.from_utc_timestamp(moment, format_.time_zone)
    days = [F.expr(f"DATE'{day}'") for day in format_.placeholders]
    return F.coalesce(local.cast("date").isin(*days), F.lit(False))


def _patterns(patterns: list[str], format_: Format) -> list[str]:
    """The contract's patterns; before them, for Parquet, those that the reader writes real dates and times with.

    An offset is written as +0500, +05:00 or Z: a pattern with the letter Z, which reads the first, stands for all.
    """
    own = ["yyyy-MM-dd", TIME_PATTERN, LOCAL_TIME_PATTERN] if format_.kind == "parquet" else []
    patterns = [re.sub(BLANK, " ", pattern) for pattern in patterns]
    with_letter = [pattern for pattern in patterns if pattern not in EPOCH_FORMATS and "Z" in without_quoted(pattern)]
    offsets = [_replaced(pattern, {"Z+": offset}) for pattern in with_letter for offset in ("XX", "XXX")]
    return [*own, *patterns, *offsets]


def _replaced(pattern: str, letters: Mapping[str, str]) -> str:
    """A date pattern in which letters are replaced, but not those of quoted texts."""
    parts = re.split(r"('(?:[^']|'')*')", pattern)
    for old, new in letters.items():
        parts = [part if part.startswith("'") else re.sub(old, new, part) for part in parts]
    return "".join(parts)


def _plain_number(text: Column, format_: Format) -> Column:
    """The number with a point and without thousands separators; null where these stand in wrong places."""
    number = text
    if format_.thousands_separator:
        marks = Marks(format_.decimal_comma, format_.thousands_separator)
        is_grouped = F.rlike(number, F.lit(marks.grouped))
        number = F.when(is_grouped, F.regexp_replace(number, marks.separator, "")).otherwise(number)
    if format_.decimal_comma:
        number = F.when(~F.contains(number, F.lit(".")), F.replace(number, F.lit(","), F.lit(".")))
    return number


def _number(number: Column, type_: str) -> Column:
    if type_ == "integer":
        # As pandas writes whole numbers where others in the column are missing.
        with_zero = F.rlike(number, F.lit(r"^[+-]?\d++\.0++$"))
        return F.coalesce(
            number.try_cast("bigint"), F.when(with_zero, F.regexp_replace(number, r"\..*", "").try_cast("bigint"))
        )
    if type_ == "double":
        is_decimal = F.rlike(number, F.lit(r"^[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d{1,3})?$"))
        value = number.try_cast("double")
        return F.when(is_decimal & (F.abs(value) < float("inf")), value)
    scale = int(type_.rstrip(")").partition(",")[2])
    begins_with_point = rf"|\.\d{{1,{scale}}}0*" if scale else ""
    keeps_digits = F.rlike(number, F.lit(rf"^[+-]?(?:\d++(?:\.\d{{0,{scale}}}0*)?{begins_with_point})$"))
    return F.when(keeps_digits, number.try_cast(spark_type(type_)))


def _date(text: Column, pattern: str, format_: Format) -> Column:
    if pattern in _ISO_SHAPES and "H" not in pattern:
        is_day = F.like(text, F.lit(_ISO_SHAPES[pattern])) & ~F.startswith(text, F.lit("0000"))
        return F.when(is_day, text.try_cast("date"))
    return _timestamp(text, pattern, format_, "UTC").cast("date")


def _timestamp(text: Column, pattern: str, format_: Format, time_zone: str) -> Column:
    if pattern in EPOCH_FORMATS:
        return _since_1970(text, pattern, format_)
    local = _of_spreadsheet(text) if pattern == SPREADSHEET_DAYS else _parsed(text, pattern, format_)
    if time_zone == "UTC" or names_zone(pattern):
        return _in_years(local)
    moment = F.to_utc_timestamp(local, time_zone)
    return _in_years(F.when(F.from_utc_timestamp(moment, time_zone) == local, moment))


def _parsed(text: Column, pattern: str, format_: Format) -> Column:
    """What a pattern reads in a text, in the zone that the text names, else UTC."""
    if pattern in _ISO_SHAPES:
        has_shape = F.like(text, F.lit(_ISO_SHAPES[pattern]))
        return F.when(has_shape, text.try_cast("timestamp")).otherwise(F.try_to_timestamp(text, F.lit(pattern)))
    if re.search(r"E|MMM|LLL", without_quoted(pattern)):
        text, pattern = _without_words(text, pattern)
    if "a" in without_quoted(pattern):
        has_points = F.contains(text, F.lit("m.")) | F.contains(text, F.lit("M."))
        text = F.when(has_points, F.regexp_replace(text, r"(?i)(?<![a-z])([ap])\. ?m\.", "$1m")).otherwise(text)
    moment = F.try_to_timestamp(text, F.lit(pattern))
    if _FIXED_WIDTH.fullmatch(pattern):
        # Where a pattern does not fit Java makes an exception, which takes longer than to read a text that fits.
        moment = F.when(F.octet_length(text) == len(pattern), moment)
    if has_two_digit_years(pattern) and format_.two_digit_years_from is not None:
        is_later = F.year(moment) >= format_.two_digit_years_from + 100
        earlier = moment - F.expr("INTERVAL '100' YEAR")
        # Of the last of February of the year 00 only 2000 had a 29th.
        moment = F.when(~is_later, moment).when(F.dayofmonth(earlier) == F.dayofmonth(moment), earlier)
    return moment


def _without_words(text: Column, pattern: str) -> tuple[Column, str]:
    """A text with numbers in place of the names of months, and without days of the week; the pattern that reads it."""
    numbered = text
    if re.search(r"MMM|LLL", pattern):
        for number, names in enumerate(_MONTHS, start=1):
            # A point behind an abbreviation is part of it, unless the pattern writes one.
            point = "" if re.search(r"MMM+\.|LLL+\.", pattern) else r"\.?"
            numbered = F.regexp_replace(numbered, rf"(?iu)(?<!\p{{L}})(?:{names})(?!\p{{L}}){point}", f"{number:02d}")
        # Numbers are not what the pattern asks for.
        numbered = F.when(numbered != text, numbered)
    numbered = F.regexp_replace(numbered, rf"(?iu)(?<!\p{{L}})(?:{_WEEKDAYS})(?!\p{{L}})\.?", "")
    return F.btrim(numbered), _replaced(pattern, {"M{3,}|L{3,}": "MM", "E+": ""}).strip(" ")


def _since_1970(text: Column, unit: str, format_: Format) -> Column:
    """A number of seconds, milliseconds or microseconds; which of them it can be is told by how large it is.

    It may have a fraction.
    """
    per_second = _UNITS[unit]
    has_finer = any(_UNITS.get(other, 0) > per_second for other in (*format_.date_formats, *format_.timestamp_formats))
    least = 0 if per_second == 1 else _MOST_SECONDS * per_second // 1_000
    most = _MOST_SECONDS * per_second if has_finer else (_LAST_SECOND + 1) * per_second - 1

    def in_range(number: Column) -> Column:
        return number.between(_FIRST_SECOND * per_second, most) & ((F.abs(number) >= least) | (number == 0))

    number = text.try_cast("bigint")
    exact = F.when(F.rlike(text, F.lit(r"^-?\d{9,}\.\d+$")), text.try_cast("decimal(28,9)"))
    micros = F.floor(exact * (1_000_000 // per_second)).cast("bigint")
    return F.coalesce(
        F.when(in_range(number), _FROM_UNIT[unit](number)), F.when(in_range(exact), F.timestamp_micros(micros))
    )


def _of_spreadsheet(text: Column) -> Column:
    """The moment of a number of days since 1899-12-30, to the millisecond, as a spreadsheet keeps it."""
    days = F.replace(text, F.lit(","), F.lit(".")).try_cast("double")
    is_day = F.rlike(text, F.lit(r"^\d{2,7}(?:[.,]\d+)?$")) & (days >= _FIRST_DAY) & (days < _LAST_DAY + 1)
    return F.when(is_day, F.timestamp_millis(F.round((days - _DAYS_TO_1970) * 86_400_000).cast("bigint")))


def _in_years(moment: Column) -> Column:
    return F.when(moment.between(F.expr(_FIRST_TIME), F.expr(_LAST_TIME)), moment)


def names_zone(pattern: str) -> bool:
    """Whether a date pattern, or a number since 1970, says itself in which zone a time is."""
    if pattern in EPOCH_FORMATS:
        return True
    if pattern == SPREADSHEET_DAYS:
        return False
    return any(letter in without_quoted(pattern) for letter in ZONE_LETTERS)
