"""The page in a real headless browser: no console messages, every picture drawn, nothing fetched, nothing cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otklik.report.facts import LANGUAGES, Language

pytestmark = pytest.mark.browser
#: The names that scripts/setup looks for, too.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light")])
def test_the_page_opens_clean(
    browser: Any, pages: dict[Language, str], tmp_path: Path, language: Language, width: int, scheme: str
) -> None:
    file = tmp_path / "index.html"
    file.write_text(pages[language], encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        messages: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        assert messages == []
        assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.evaluate(
            "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('svg')]"
            ".map(s => s.getBoundingClientRect()).filter(b => b.width > 200 && b.height > 30).length)"
        )
        assert sizes and set(sizes) == {1}
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
        assert (_brightness(ground) > _brightness(ink)) == (scheme == "light")
    finally:
        context.close()


def test_the_page_prints(browser: Any, pages: dict[Language, str], tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(pages["ru"], encoding="utf-8")
    context = browser.new_context(color_scheme="dark")
    try:
        page = context.new_page()
        page.goto(file.as_uri())
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert _brightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) == 255
        assert page.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"
    finally:
        context.close()


def _brightness(color: str) -> float:
    numbers = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3
