"""Pages with wide numbers in a real browser: nothing is wider than its column or its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.browser import assert_nothing_sticks_out

from otklik.page.blocks import Figure, Grid, Section
from otklik.page.drawing import Picture
from otklik.page.figures import Bar, Dot, Series, bars, dots, heat_map, lines
from otklik.page.formats import LANGUAGES, Language
from otklik.page.rendering import Answer, Card, KeyFigure, Page, render, render_index
from otklik.page.words import Voice

pytestmark = pytest.mark.browser
LONG = {
    "en": ("earlier contacts the customer had said yes to by then", "customers of these properties"),
    "ru": ("обращения, на которые клиент раньше ответил согласием", "клиенты с такими свойствами"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [390, 1200])
def test_wide_numbers_fit(browser: Any, tmp_path: Path, language: Language, width: int) -> None:
    voice = Voice(language, {})
    figures = _key_figures(voice)
    page = Page("t", "q", Answer("gain", "v", ["s"], figures), [Section("a", "a", _blocks(voice))])
    (tmp_path / "page.html").write_text(render(page, voice), encoding="utf-8")
    cards = [Card("page.html", "t", "q", "k", "gain", "v", figure, "") for figure in figures]
    (tmp_path / "index.html").write_text(render_index(cards, voice), encoding="utf-8")

    for name in ("page.html", "index.html"):
        assert_nothing_sticks_out(browser, tmp_path / name, width)


def _key_figures(voice: Voice) -> list[KeyFigure]:
    amounts = (925_000, 40_000_000, 54_121_919, 123_456_789)
    currency = {"en": "thousand\u00a0₸", "ru": "тыс.\u00a0₸"}[voice.language]
    return [KeyFigure("profit", voice.formats.money(amount, currency), "95%: 758–1,090") for amount in amounts]


def _blocks(voice: Voice) -> list[Figure | Grid]:
    formats, (label, word) = voice.formats, LONG[voice.language]
    x = np.arange(1.0, 5.0)
    money = [Series(label, x * 1e7, x * 1e7), Series(word, x * 1e7, x * 2e7, role="main")]
    sizes = [
        Bar(label, 0.241, f"{formats.percent(0.241)} ({formats.integer(24_341)})", is_emphasised=True),
        Bar(word, 0.24, f"{formats.percent(0.24)} ({formats.integer(24_242_424)})"),
    ]
    effects = [
        Dot(label, 0.0, -4e7, 4e7, text=formats.money(40_000_000, "₸"), is_emphasised=True),
        Dot(word, 3e7, text=formats.money(1_234_567_890, "тыс.\u00a0₸")),
    ]
    pictures = [
        lines("money", money, label, (formats.integer, formats.short), (word, word), mark=(3e7, word)),
        bars("sizes", sizes, label),
        dots("effects", effects, label, formats.short, words=(word, word), reference=(0.0, word)),
        dots("ratios", [Dot(label, 1.1, text="1.10")], label, formats.short, is_ratio=True),
        heat_map("heat", np.full((2, 2), 4e7), ((label, word), (label, word)), label, formats.integer),
    ]
    small = [
        lines("small-money", money, label, (formats.integer, formats.short), (word, word), is_small=True),
        bars("small-sizes", sizes, label, is_small=True),
    ]
    return [*map(_figure, pictures), Grid([*map(_figure, small)])]


def _figure(picture: Picture) -> Figure:
    return Figure("title", "takeaway", picture)
