"""A page as values, rendered as one self-contained HTML file; the same values give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

import jinja2
import markupsafe

from otklik.page.blocks import Section
from otklik.page.words import Voice


@dataclass(frozen=True)
class KeyFigure:
    """A key figure at the top: its title, the number, its interval."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer at the top of a page.

    Attributes:
        verdict: its code, which also colours it.
        title: the verdict in words.
        sentences: about three of them.
        figures: the key figures.
        warnings: warnings that qualify the answer.
    """

    verdict: str
    title: str
    sentences: Sequence[str]
    figures: Sequence[KeyFigure] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """A whole page: its title and question, a line of stamps, the answer and the sections below it."""

    title: str
    question: str
    answer: Answer
    sections: Sequence[Section]
    stamp: Sequence[str] = field(default_factory=tuple)


def render(page: Page, voice: Voice) -> str:
    """One HTML document without external resources."""
    filled = _template("page.html").render(language=voice.language, words=voice.words, page=page, style=_style())
    return filled.lstrip()


@dataclass(frozen=True)
class Card:
    """One task on the index page: a link to its page, its title and question, the answer in one line."""

    href: str
    title: str
    question: str
    kind: str
    verdict: str
    verdict_title: str
    figure: KeyFigure | None
    as_of: str
    reasons: Sequence[str] = ()
    warnings: Sequence[str] = ()


def render_index(cards: Sequence[Card], voice: Voice) -> str:
    """The index page: a card per task."""
    filled = _template("index.html").render(language=voice.language, words=voice.words, cards=cards, style=_style())
    return filled.lstrip()


def _style() -> str:
    return resources.files("otklik.page").joinpath("page.css").read_text(encoding="utf-8")


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("otklik.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_code"] = _with_code
    return environment.get_template(name)


def _with_code(text: str) -> markupsafe.Markup:
    """A sentence with `names` in backticks set as code; everything else is escaped."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))
