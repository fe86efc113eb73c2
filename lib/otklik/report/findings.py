"""Texts of the findings of classify in gold.findings: a kind with parameters, in each language."""

from __future__ import annotations

import json
from collections.abc import Mapping

from otklik.report.texts import ReportVoice

_OF_A_PAIR = ("duplicate", "correlated")


def in_words(kind: str, parameters: Mapping[str, object], voice: ReportVoice) -> str:
    """A finding's details in the page's language.

    Args:
        kind: as in gold.findings.
        parameters: names and numbers for the words; `in_split` if only one split shows it.
        voice: the language.
    """
    values = {name: _value(name, value, voice) for name, value in parameters.items()}
    split = values.pop("in_split", None)
    detail = voice.words(f"detail.{'pair' if kind in _OF_A_PAIR else kind}", **values)
    return detail if split is None else voice.words("detail.of_split", split=split, detail=detail)


def detail_in_words(kind: str, detail: str, voice: ReportVoice) -> str:
    """The text from the column `detail`; sentences written by earlier versions are returned unchanged."""
    return in_words(kind, json.loads(detail), voice) if detail.startswith("{") else detail


def _value(name: str, value: object, voice: ReportVoice) -> str:
    if isinstance(value, float):
        return voice.formats.decimal(value)
    if name in ("split", "in_split"):
        return voice.words(f"detail.{value}")
    return voice.words.known("model", str(value)) if name == "model" else str(value)
