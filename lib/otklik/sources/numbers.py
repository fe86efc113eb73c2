"""How people write numbers: decimal marks, thousands, signs, units. Patterns that Python and Spark read alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: A whole number as programs write it in a column where others are missing.
WHOLE_AS_FLOAT = r"^[1-9]\d*\.0$"
#: A blank in a number is typed as any of these.
BLANK = "[ \u00a0\u2009\u202f]"
#: An apostrophe between thousands, as the Swiss write it.
_APOSTROPHE = "['\u2019]"
#: The hyphen, and the minus and dash of typesetters.
_MINUS = "[-\u2212\u2013]"
#: Negative numbers as accountants and SAP write them, `(5)` and `5-`, and signs apart from their number: a pattern →
#: what takes its place, where {1} is a group.
SIGNS: Mapping[str, str] = {
    rf"^(\D*?)(?:\(([^()]*\d[^()]*)\)|(\d(?:.*\d)?){BLANK}*{_MINUS})([^\d()]*)$": "-{1}{2}{3}{4}",
    rf"^{_MINUS}{BLANK}*(?=\D{{0,9}}\d)": "-",
    rf"^[+]{BLANK}+(?=\D{{0,9}}\d)": "+",
}
#: What SIGNS begin with that is not ASCII.
RARE_SIGNS = ("\u2212", "\u2013", "-\u00a0", "+\u00a0")

#: Units that stand beside amounts of money, and the sign of shares.
_UNIT = (
    "[$€£¥₽₸₴₺₹₾₼%‰]|руб(?:лей|ля|ль)?\\.?|р\\.|тенге|теңге|тг\\.?|сом|сум"
    "|(?:KZT|RUB|RUR|USD|EUR|GBP|CNY|UAH|KGS|UZS|TRY)\\b"
)
_FIRST_OR_LAST = re.compile(rf"^[+-]?{BLANK}*({_UNIT})|({_UNIT})$", re.IGNORECASE)


def units_pattern(units: Sequence[str]) -> str:
    """A pattern for a unit before or behind a number; its first group is the sign, which stays."""
    any_of = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    return rf"(?iu)^([+-]?){BLANK}*(?:{any_of}){BLANK}*|{BLANK}*(?:{any_of})$"


def unit_of(text: str) -> str | None:
    """The unit that stands before or behind a number; None where there is none that is known."""
    match = _FIRST_OR_LAST.search(text)
    return (match[1] or match[2]) if match else None


def with_sign_in_front(text: str) -> str:
    """A number with its sign as a hyphen or plus in front; any other text as it is."""
    for pattern, place in SIGNS.items():
        text = re.sub(pattern, re.sub(r"\{(\d)\}", r"\\\1", place), text, flags=re.ASCII)
    return text


def without_units(text: str, units: Sequence[str]) -> str:
    """A text without a unit at its ends."""
    return re.sub(units_pattern(units), r"\1", text) if units else text


@dataclass(frozen=True)
class Marks:
    """What stands between the digits of numbers: the settings of a format with the same names."""

    decimal_comma: bool = False
    thousands_separator: str | None = None

    @property
    def separator(self) -> str:
        """A pattern for what stands between thousands."""
        kinds = {" ": BLANK, "'": _APOSTROPHE}
        return kinds.get(self.thousands_separator or "", re.escape(self.thousands_separator or ""))

    @property
    def decimal_mark(self) -> str:
        """What stands before the fraction."""
        return "," if self.decimal_comma else "."

    @property
    def grouped(self) -> str:
        """A pattern for a number whose thousands are kept apart."""
        mark = re.escape(self.decimal_mark)
        return rf"^[+-]?\d{{1,3}}(?:{self.separator}\d{{3}})+(?:{mark}\d*)?$"

    def plain(self, text: str) -> str:
        """The number with a point and without separators; a text that these marks do not read stays as it is."""
        if self.thousands_separator and re.match(self.grouped, text):
            text = re.sub(self.separator, "", text)
        return text.replace(",", ".") if self.decimal_comma and "." not in text else text

    def reads(self, text: str) -> bool:
        """Whether a text is a number under these marks."""
        if (
            self.decimal_comma
            and "." in text
            and not (self.thousands_separator == "." and re.match(self.grouped, text))
        ):
            return False
        plain = self.plain(text)
        return _NUMBER.match(plain) is not None and abs(float(plain)) < float("inf")


_NUMBER = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$", re.ASCII | re.IGNORECASE)
#: The likelier ones first.
MARKS = (
    Marks(),
    Marks(decimal_comma=True),
    Marks(thousands_separator=" "),
    Marks(decimal_comma=True, thousands_separator=" "),
    Marks(thousands_separator="'"),
    Marks(decimal_comma=True, thousands_separator="."),
    Marks(thousands_separator=","),
    Marks(decimal_comma=True, thousands_separator="'"),
)


def marks_that_read(texts: Iterable[str], *, comma_is_free: bool) -> tuple[Marks, ...]:
    """Under which marks all texts are numbers; the likelier ones first.

    Args:
        texts: without units, signs in front.
        comma_is_free: whether a comma may stand in a number.
    """
    some = [text for text in texts if not (text.isascii() and text.isdigit())]
    tried = (marks for marks in MARKS if comma_is_free or not (marks.decimal_comma or marks.thousands_separator == ","))
    return tuple(marks for marks in tried if all(map(marks.reads, some)))


def likeliest_marks(columns: Sequence[Sequence[Marks]], *, has_commas_between: bool = False) -> Marks:
    """The marks under which most columns are numbers.

    Args:
        columns: for each, the marks that read it.
        has_commas_between: whether commas stand between fields: then one in a number hardly ever is the decimal mark.
    """
    counts = {marks: sum(marks in those for those in columns) for marks in MARKS}
    likely = sorted(MARKS, key=lambda marks: marks.decimal_comma) if has_commas_between else MARKS
    return max(likely, key=lambda marks: counts[marks])
