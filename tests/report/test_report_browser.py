"""The page in a real headless browser: no console messages, every picture drawn, nothing fetched, nothing cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser import assert_nothing_sticks_out, assert_opens_clean, brightness

from otklik.page.formats import LANGUAGES, Language

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light")])
def test_the_page_opens_clean(
    browser: Any, pages: dict[Language, str], tmp_path: Path, language: Language, width: int, scheme: str
) -> None:
    file = tmp_path / "index.html"
    assert "<h1>" in pages[language]
    # A drafted task is called by the name of its source, which has no blanks.
    file.write_text(pages[language].replace("<h1>", "<h1>telco_customer_churn_classify_draft "), encoding="utf-8")
    assert_opens_clean(browser, file, language, width, scheme)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_its_column(
    browser: Any, pages: dict[Language, str], tmp_path: Path, language: Language, width: int
) -> None:
    file = tmp_path / "index.html"
    file.write_text(pages[language], encoding="utf-8")
    assert_nothing_sticks_out(browser, file, width)


def test_the_page_prints(browser: Any, pages: dict[Language, str], tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(pages["ru"], encoding="utf-8")
    context = browser.new_context(color_scheme="dark")
    try:
        page = context.new_page()
        page.goto(file.as_uri())
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert brightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) == 255
        folded = "[...document.querySelectorAll('details:not([open]) table')].map(table => table.checkVisibility())"
        assert page.evaluate(folded) and all(page.evaluate(folded))
        page.emulate_media(media="screen")
        assert not any(page.evaluate(folded))
        page.emulate_media(media="print")
        assert page.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"
    finally:
        context.close()
