"""The details of gold.findings in the page's language: the table keeps them in English, as the code wrote them."""

from __future__ import annotations

import re

from otklik.report.texts import Voice

_NUMBER = r"\d+\.\d+"
_OF_ONE_SPLIT = re.compile(r"(?P<split>random|time) split: (?P<rest>.*)", re.DOTALL)
#: What leaks, prepare and scoreboard of models/, and steps/score.py, write. Levels may be any text.
_FORMS = {
    "known_leak": re.compile(r"known only after the decision; alone it has this AUC"),
    "suspected_leak": re.compile(rf"alone it has AUC (?P<auc>{_NUMBER})"),
    "rare_levels": re.compile(r"(?P<count>\d+) levels: (?P<levels>.*)", re.DOTALL),
    "constant": re.compile(r"(?P<feature>\w+) has one value in training"),
    "pair": re.compile(r"with (?P<feature>\w+)"),
    "rate_moved": re.compile(
        r"not calibrated: the rate has moved: (?P<model>\w+), (?P<split>random|time) split: "
        rf"mean probability (?P<mean>{_NUMBER}), observed (?P<observed>{_NUMBER})"
    ),
    "drift": re.compile(r"population stability index of the scored rows against training"),
}
_DECIMALS = ("auc", "mean", "observed")


def in_words(detail: str, voice: Voice) -> str:
    """A finding's detail in the page's language; one whose form is not known stays as it is.

    Args:
        detail: as it stands in gold.findings.
        voice: the language.
    """
    of_split = _OF_ONE_SPLIT.fullmatch(detail)
    if of_split is not None:
        split = voice.words(f"detail.{of_split['split']}")
        return voice.words("detail.of_split", split=split, detail=in_words(of_split["rest"], voice))
    for form, pattern in _FORMS.items():
        match = pattern.fullmatch(detail)
        if match is not None:
            values = {name: _value(name, text, voice) for name, text in match.groupdict().items()}
            return voice.words(f"detail.{form}", **values)
    return detail


def _value(name: str, text: str, voice: Voice) -> str:
    if name in _DECIMALS:
        return voice.formats.decimal(float(text))
    if name == "split":
        return voice.words(f"detail.{text}")
    return voice.words.known("model", text) if name == "model" else text
