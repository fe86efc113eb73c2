"""Characters of a text that nobody sees, or that can be written in two ways: taken out, or put into one form."""

from __future__ import annotations

import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

from otklik.sources.contract import BLANKS, INVISIBLE, LOST_LETTER, MISREAD

#: Marks that stand behind the letter they belong to (decomposed texts, as files of a Mac have them).
_MARKS = "\u0300-\u036f"
#: Behind the last character that is a letter with a mark.
_LAST_PAIR = 0x2300
#: What most texts lack; where it is, a text is looked at closely.
_RARE = f"[{''.join(blank for blank in BLANKS if not blank.isascii())}{_MARKS}]"
#: Neither ASCII nor Cyrillic. Most texts have none of these, which Java sees in a few steps per character; for the rare
#: ones it compares each character with each of them.
_FOREIGN = "[^\u0000-\u007f\u0400-\u04ff]"
#: MISREAD in JSON where each of its bytes is escaped.
_ESCAPED = r"(?i:\\u00[c-f][0-9a-f](?:\\u00[89ab][0-9a-f])+){2}"


def is_ascii(text: Column) -> Column:
    """Whether each character is one byte; what asks more of a text asks this first, once for all that is asked."""
    return F.octet_length(text) == F.char_length(text)


def has_rare_characters(text: Column, may_be: Column | None = None) -> Column:
    """Whether a text holds a rare blank, an invisible character, or a mark behind its letter.

    Args:
        text: the text.
        may_be: false where it is known to hold none.
    """
    may_hold = ~is_ascii(text) if may_be is None else may_be
    return may_hold & F.rlike(text, F.lit(_FOREIGN)) & F.rlike(text, F.lit(_RARE))


def without_invisible(text: Column) -> Column:
    """A text without the characters that nobody sees."""
    return F.regexp_replace(text, f"[{INVISIBLE}]", "")


def tidied(text: Column) -> Column:
    """A text without invisible characters, and with each letter and the mark behind it as one character (NFC)."""
    seen = without_invisible(text)
    whole = F.when(F.rlike(text, F.lit(f"[{_MARKS}]")), _composed(seen)).otherwise(seen)
    return F.when(has_rare_characters(text), whole).otherwise(text)


def is_misread(text: Column, is_plain: Column) -> Column:
    """Whether a text, if it is not plain ASCII, seems to be UTF-8 read as a code page: each letter became two."""
    return ~is_plain & F.rlike(text, F.lit(MISREAD))


def has_lost_letters(text: Column, is_plain: Column) -> Column:
    """Whether letters of a text, if it is not plain ASCII, were lost before it came here."""
    # Most texts have neither of these, and looking for them takes less than a pattern.
    may_be = F.contains(text, F.lit("?")) | F.contains(text, F.lit("\ufffd"))
    return ~is_plain & may_be & F.rlike(text, F.lit(LOST_LETTER))


def is_misread_json(record: Column, is_plain: Column) -> Column:
    """`is_misread` of a record of JSON, in which the letters may be escaped."""
    return (F.contains(record, F.lit("\\u00")) & F.rlike(record, F.lit(_ESCAPED))) | is_misread(record, is_plain)


def read_as_utf8(text: Column) -> Column:
    """A text whose characters are bytes of UTF-8 as what these bytes say; any other text as it is."""
    is_of_bytes = ~is_ascii(text) & ~F.rlike(text, F.lit("[^\u0000-\u00ff]"))
    read = F.encode(F.when(is_of_bytes, text), "ISO-8859-1").cast("string")
    return F.when(F.is_valid_utf8(read), read).otherwise(text)


def _composed(text: Column) -> Column:
    """A text in which a letter and the first mark behind it are one character, where there is one."""
    pieces = F.regexp_extract_all(text, F.lit(f"(?s).[{_MARKS}]?"), F.lit(0))
    table = F.lit("".join(f"{pair}{letter}" for pair, letter in _PAIRS.items()))

    def as_one(piece: Column) -> Column:
        place = F.call_function("instr", table, piece)
        return F.when((F.char_length(piece) == 2) & (place > 0), F.substring(table, place + 2, 1)).otherwise(piece)

    return F.array_join(F.transform(pieces, as_one), "")


def _pairs() -> dict[str, str]:
    """A letter with a mark behind it → the one character for both, for all that Unicode has."""
    found = {}
    for code in range(_LAST_PAIR):
        letter = chr(code)
        parts = unicodedata.decomposition(letter).split()
        if len(parts) == 2 and "0300" <= parts[1] <= "036F" and len(parts[1]) == 4:
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", pair) == letter:
                found[pair] = letter
    return found


_PAIRS = _pairs()
