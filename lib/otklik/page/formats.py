"""Numbers, dates and plurals in each language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    # Loading it takes half a second, and only types are needed here.
    import pandas as pd

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")

#: Shown if there is no number.
NOTHING = "—"
_THIN = "\u202f"
_HARD = "\u00a0"
_MINUS = "\u2212"
_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "ru": ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
}
_OF_MONTHS = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"),
    "ru": ("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
           "декабря"),
}  # fmt: skip


def is_number(value: object) -> bool:
    """Whether a cell has a finite number (not None, NaN or infinity)."""
    return isinstance(value, int | float | np.integer | np.floating) and bool(np.isfinite(value))


class Formats:
    """Writes numbers in one language: `45,211` and `11.7%` in English, `45 211` and `11,7 %` in Russian."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._percent_sign = "%" if language == "en" else f"{_HARD}%"

    def integer(self, value: float | None) -> str:
        """A whole number with thousands separators."""
        return self.decimal(value, 0)

    def decimal(self, value: float | None, digits: int = 3) -> str:
        """A number with a fixed number of decimals."""
        if value is None or not is_number(value):
            return NOTHING
        text = f"{abs(value):,.{digits}f}"
        if self.language == "ru":
            text = text.replace(",", _THIN).replace(".", ",")
        is_zero = not any(digit in text for digit in "123456789")
        return text if value >= 0 or is_zero else _MINUS + text

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share of one as percent."""
        if share is None or not is_number(share):
            return NOTHING
        if 0 < abs(share) < 0.01:
            digits = max(digits, 2)
        return self.decimal(100 * share, digits) + self._percent_sign

    def money(self, value: float | None, currency: str = "") -> str:
        """An amount to the nearest whole unit, or with two decimals if it is small."""
        if value is None or not is_number(value):
            return NOTHING
        digits = 0 if abs(value) >= 100 or float(value).is_integer() else 2
        return self.decimal(value, digits) + (f"{_HARD}{currency}" if currency else "")

    def short(self, value: float) -> str:
        """A number on an axis or in a band: without trailing zeros."""
        if float(value).is_integer():
            return self.integer(value)
        for digits in (1, 2, 3):
            if abs(value - round(value, digits)) < 1e-9:
                return self.decimal(value, digits)
        return self.decimal(value, max(0, 2 - int(np.floor(np.log10(abs(value))))))

    def short_decimal(self, value: float | None) -> str:
        """A number rounded for reading: 2,096,180, 47.3, 0.752."""
        if value is None or not is_number(value):
            return NOTHING
        size = abs(value)
        return self.decimal(value, 0 if size >= 100 or float(value).is_integer() else 1 if size >= 10 else 3)

    def p_value(self, p: float | None) -> str:
        """A p-value in a cell: three decimals, four if it is small, and below that `< 0.0001`."""
        if p is None or not is_number(p):
            return NOTHING
        return f"<{_HARD}{self.decimal(0.0001, 4)}" if p < 0.0001 else self.decimal(p, 3 if p >= 0.001 else 4)

    def p_equation(self, p: float | None) -> str:
        """A p-value in a sentence: `p = 0.012`, `p < 0.0001`."""
        text = self.p_value(p)
        return f"p{_HARD}{text}" if text.startswith("<") else f"p{_HARD}={_HARD}{text}"

    def interval(self, low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
        """`low–high`, with an ellipsis if a minus sign would follow the dash; empty if there is no interval."""
        if not (is_number(low) and is_number(high)) or low == high:
            return ""
        mark = "–" if low is not None and high is not None and low >= 0 and high >= 0 else f"{_THIN}…{_THIN}"
        return f"{write(low)}{mark}{write(high)}"

    def percent_interval(self, low: float | None, high: float | None) -> str:
        """Two shares of one as `11.4–12.0%`; empty if there is no interval."""
        if low is None or high is None or not (is_number(low) and is_number(high)):
            return ""
        digits = 2 if 0 < high < 0.01 else 1
        bare = self.interval(100 * low, 100 * high, lambda value: self.decimal(value, digits))
        return bare + self._percent_sign if bare else ""

    def day(self, moment: datetime | pd.Timestamp) -> str:
        """`11 May 2009`, `11 мая 2009`."""
        return f"{moment.day}{_HARD}{_OF_MONTHS[self.language][moment.month - 1]}{_HARD}{moment.year}"

    def moment(self, moment: datetime | pd.Timestamp) -> str:
        """A day with its time, UTC."""
        return f"{self.day(moment)}, {moment:%H:%M:%S} UTC"

    def period(self, start: pd.Timestamp, grain: str) -> str:
        """The start of a period as a tick label."""
        month = _MONTHS[self.language][start.month - 1]
        if grain in ("month", "quarter"):
            return f"{month} {start.year}"
        # Abbreviated in both grammatical cases, except Russian May, which has no abbreviation.
        day = f"{start.day} {'мая' if month == 'май' else month}"
        return f"{day} {start.hour:02d}:00" if grain in ("hour", "6h") else day

    def plural(self, count: int, one: str, few: str, many: str) -> str:
        """The plural form for a count: English one/many; Russian 1, 21 … / 2–4, 22–24 … / the rest."""
        if self.language == "en":
            return one if count == 1 else many
        if count % 10 == 1 and count % 100 != 11:
            return one
        return few if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else many
