"""The page before the pages: one link per report, where several tasks are reported at once."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from otklik.report.facts import Language

_TITLE = {"en": "Reports", "ru": "Отчёты"}
_STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
)


def contents(pages: Sequence[tuple[str, str]], language: Language) -> str:
    """One HTML page of links.

    Args:
        pages: file name and title of each report.
        language: ru or en.
    """
    title = _TITLE[language]
    links = Markup("").join(Markup('<li><a href="{}">{}</a></li>').format(escape(page), name) for page, name in pages)
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><ul>{links}</ul></html>"
    )
