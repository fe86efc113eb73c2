"""Draw a picture: a small matplotlib figure as inline SVG, in the colours and font of the page.

Figures are drawn in placeholder colours which become CSS variables, and texts stay texts: so one picture serves light,
dark and print, can be searched, and shows Cyrillic and Kazakh in the reader's own fonts. One unit of a picture is one
CSS pixel at its natural width; wide pictures exist in a second, narrow version for telephones.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import NullLocator

#: Placeholder colour → the CSS variable that replaces it.
_VARIABLES = {
    "#010203": "var(--ink)",
    "#020304": "var(--muted)",
    "#030405": "var(--line)",
    "#040506": "var(--accent)",
    "#050607": "var(--warm)",
    "#060708": "var(--soft)",
    "#070809": "var(--paper)",
    "#08090a": "var(--faint)",
}
INK, MUTED, LINE, ACCENT, WARM, SOFT, PAPER, FAINT = _VARIABLES

WIDE, NARROW = 720, 352
SIZE = 11.0
SMALL = 10.0

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "otklik",
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1.0,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.labelsize": SMALL,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.major.pad": 5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "path.simplify": True,
    # A level may hold a dollar sign.
    "text.parse_math": False,
}

Write = Callable[[float], str]
#: Draws a figure of a width and height in pixels.
Draw = Callable[[Figure, float, float], None]


@dataclass(frozen=True)
class Picture:
    """One picture: SVG for wide pages, for narrow ones where that differs, and what it shows, in words."""

    wide: str
    alt: str
    narrow: str | None = None


@lru_cache(maxsize=4096)
def width_of(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Maximum width of a text in pixels: system fonts are narrower than the DejaVu that matplotlib measures."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def clipped(text: str, pixels: float, size: float = SIZE, weight: str = "normal") -> str:
    """A label cut to a width in pixels, but never to fewer than four letters."""
    if width_of(text, size, weight) <= pixels:
        return text
    cuts = (text[:letters].rstrip(" :,(") + "…" for letters in range(len(text) - 1, 3, -1))
    return next((cut for cut in cuts if width_of(cut, size, weight) <= pixels), text[:3] + "…")


def drawn(name: str, width: float, height: float, alt: str, draw: Draw) -> str:
    """Draw a figure of a size in pixels and return it as inline SVG."""
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)
        draw(figure, width, height)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), name, width, height, alt)


def _inline(svg: str, name: str, width: float, height: float, alt: str) -> str:
    """matplotlib's file → an element for the page: our colours, ids of its own, an accessible name, no fixed size."""
    body = svg[svg.index("<svg") :]
    body = body[body.index(">") + 1 :]
    # A style sheet inside a picture would apply to the whole page: page.css has its rule.
    for part in ("metadata", "style"):
        body = re.sub(rf"<{part}\b.*?</{part}>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*</defs>\s*", "", body)
    # Groups are named by matplotlib for editors only; ids that are referred to must be unique on the page.
    referred = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in referred else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: ([\d.]+px) 'DejaVu Sans'", r"font-size: \1", body)
    body = re.sub(r"font: (\d+) ([\d.]+px) 'DejaVu Sans'", r"font-weight: \1; font-size: \2", body)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    # Hundredths of a pixel are enough; digits in texts are kept.
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag[0]), body)
    for placeholder, variable in _VARIABLES.items():
        body = body.replace(placeholder, variable)
    label = html.escape(alt, quote=True)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{label}" viewBox="0 0 {width:g} {height:g}">'
    )
    return head + re.sub(r"\n\s*", "\n", body).strip()


def rectangle(
    left: float, top: float, width: float, height: float, page: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Convert a position in pixels from the upper left corner to matplotlib's coordinates."""
    across, down = page
    return left / across, 1 - (top + height) / down, width / across, height / down


def axes_at(figure: Figure, left: float, top: float, width: float, height: float, page: tuple[float, float]) -> Axes:
    """Axes at a position in pixels from the upper left corner."""
    return figure.add_axes(rectangle(left, top, width, height, page))


def without_frame(axes: Axes) -> None:
    """Axes without spines and tick marks."""
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
