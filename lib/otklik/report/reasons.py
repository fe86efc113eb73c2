"""The reasons of a score as people read them. Knows no Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otklik.page.formats import NOTHING
from otklik.report.texts import ReportVoice

#: What people read more easily in few digits and with thousands apart; a whole number below may be a year or a code.
_NUMBER = re.compile(r"-?(\d+\.\d+|\d{5,})")


def told_reasons(reasons: Sequence[Mapping[str, Any]], voice: ReportVoice, meaning: Callable[[str], str] = str) -> str:
    """`meaning = value ↑` for each reason; the arrow says whether it raised or lowered the score.

    Args:
        reasons: feature, value or level, and contribution each, strongest first.
        voice: the language.
        meaning: what a feature is called; by default as its column.
    """
    return "; ".join(
        f"{meaning(str(reason['feature']))} = {_value(reason['value' if 'value' in reason else 'level'], voice)}\u00a0"
        f"{'↑' if reason['contribution'] >= 0 else '↓'}"
        for reason in reasons
    )


def _value(value: Any, voice: ReportVoice) -> str:
    """A value as it stands in the scores; a number as people write it, yes or no in words, all else as it is."""
    if value is None:
        return NOTHING
    text = str(value)
    if text in ("True", "False"):
        return voice.words.level(text.lower())
    return voice.formats.short(float(text)) if _NUMBER.fullmatch(text) else text
