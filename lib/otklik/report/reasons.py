"""The reasons of a score as text for people. Imports no Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otklik.page.formats import NOTHING
from otklik.report.texts import ReportVoice

#: Numbers from here on are rounded and get thousands separators; a smaller whole number may be a year or a code.
_NUMBER = re.compile(r"-?(\d+\.\d+|\d{5,})")


def told_reasons(reasons: Sequence[Mapping[str, Any]], voice: ReportVoice, meaning: Callable[[str], str] = str) -> str:
    """`meaning = value ↑` for each reason; the arrow says whether it raised or lowered the score.

    Args:
        reasons: feature, value or level, and contribution each, strongest first.
        voice: the language.
        meaning: title of a feature; by default its column name.
    """
    return "; ".join(
        f"{meaning(str(reason['feature']))} = {_value(reason['value' if 'value' in reason else 'level'], voice)}\u00a0"
        f"{'↑' if reason['contribution'] >= 0 else '↓'}"
        for reason in reasons
    )


def _value(value: Any, voice: ReportVoice) -> str:
    """A value of a reason: numbers are formatted, booleans become yes or no, everything else is unchanged."""
    if value is None:
        return NOTHING
    text = str(value)
    if text in ("True", "False"):
        return voice.words.level(text.lower())
    return voice.formats.short(float(text)) if _NUMBER.fullmatch(text) else text
