"""A page in a real headless browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: The names that scripts/setup looks for, too.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def running_browser() -> Iterator[Any]:
    """Chromium by Playwright; the test is skipped where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


def assert_opens_clean(browser: Any, file: Path, language: str, width: int, scheme: str) -> None:
    """No console messages, every picture drawn, nothing fetched, nothing cut off."""
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
        assert (brightness(ground) > brightness(ink)) == (scheme == "light")
    finally:
        context.close()


#: What is wider than its place: texts of pictures, and numbers and headings of the page; one pixel is rounding.
_STICKING_OUT = """() => {
  const texts = [...document.querySelectorAll('figure svg text')].filter(text => {
    const [inner, outer] = [text, text.closest('svg')].map(one => one.getBoundingClientRect());
    return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1);
  });
  const blocks = [...document.querySelectorAll('dd, dt, h1, h2, h3, h4, .verdict')].filter(
    block => block.scrollWidth > block.clientWidth + 1);
  return [...texts, ...blocks].map(one => one.textContent);
}"""
#: Key figures whose number takes more than one line.
_BROKEN = """() => [...document.querySelectorAll('.figures dd')].filter(dd => {
  const range = document.createRange();
  range.selectNodeContents(dd.firstChild);
  return range.getClientRects().length > 1;
}).map(dd => dd.firstChild.textContent)"""


def assert_nothing_sticks_out(browser: Any, file: Path, width: int) -> None:
    """No text is wider than its column or its picture, and no key figure is broken."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    try:
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_STICKING_OUT) == []
        assert page.evaluate(_BROKEN) == []
    finally:
        page.close()


def brightness(color: str) -> float:
    """Of a colour as the browser writes it, 0 to 255."""
    numbers = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3
