"""How the kinds of this subpackage format a measure with its interval."""

from __future__ import annotations

from otklik.kind import Measure
from otklik.page.words import Voice


def estimate(measure: Measure | None, voice: Voice, digits: int = 0) -> str:
    """A measure with its interval in brackets; a dash if there is none."""
    return voice.estimate(None, None, None) if measure is None else voice.estimate(
        measure.value, measure.low, measure.high, digits
    )  # fmt: skip


def interval(measure: Measure | None, voice: Voice, digits: int = 0) -> str:
    """The interval alone, for the line below a key figure."""
    if measure is None:
        return ""
    return voice.formats.interval(measure.low, measure.high, lambda value: voice.formats.decimal(value, digits))
