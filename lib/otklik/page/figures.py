"""The figures that any kind of question can use: dots with intervals, bars, lines with bands, heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from otklik.page.drawing import (
    ACCENT,
    FAINT,
    INK,
    MUTED,
    NARROW,
    PAPER,
    SIZE,
    SMALL,
    SOFT,
    WARM,
    WIDE,
    Draw,
    Picture,
    Write,
    axes_at,
    clipped,
    drawn,
    rectangle,
    width_of,
    without_frame,
)

Floats = npt.NDArray[np.float64]
_STEP = 30.0
#: Ratios at which a logarithmic axis may have a tick.
_RATIOS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10)


@dataclass(frozen=True)
class Dot:
    """A number with its 95 % interval and, as a hollow dot, the value of the baseline; NaN if there is none.

    `beside` is the interval of the baseline: with it the two are drawn side by side and not on one line.
    """

    label: str
    value: float
    low: float = math.nan
    high: float = math.nan
    baseline: float = math.nan
    text: str = ""
    is_emphasised: bool = False
    beside: tuple[float, float] | None = None

    @property
    def ends(self) -> list[float]:
        """All numbers shown."""
        every = (self.value, self.low, self.high, self.baseline, *(self.beside or ()))
        return [end for end in every if math.isfinite(end)]


def dots(
    name: str, rows: Sequence[Dot], alt: str, write: Write, *,
    words: tuple[str, str] = ("", ""), reference: tuple[float, str] | None = None, is_ratio: bool = False,
    label_width: float = 210.0,
) -> Picture:  # fmt: skip
    """One dot with its interval per row, first on top.

    Args:
        name: unique on the page.
        rows: what to draw; `text` is at the right end.
        alt: what the picture shows.
        write: writes a number of the axis.
        words: legend of the filled and of the hollow dot; without both there is no legend.
        reference: position of a dashed line, and its name in the legend.
        is_ratio: the numbers are ratios, and the axis is logarithmic with 1 in the middle.
        label_width: pixels for the labels on a wide page.
    """
    ends = [end for row in rows for end in row.ends]
    ends += [reference[0]] if reference is not None else []
    if is_ratio:
        reach = max([abs(math.log(end)) for end in ends if end > 0], default=0.0)
        ends = [math.exp(sign * max(reach, math.log(1.25))) for sign in (-1, 1)]
    place_of = np.log if is_ratio else np.asarray
    low, high = place_of((min(ends), max(ends)) if ends else (0.0, 1.0)).tolist()
    margin = 0.04 * (high - low) or 0.5
    marks: list[_Mark] = [("dot", words[0]), ("hollow", words[1])]
    marks += [("dashes", reference[1])] if reference is not None else []
    has_key = any(text for _, text in marks)
    has_text = any(row.text for row in rows)

    def top_of(width: float) -> float:
        across = width - (8.0 if width < WIDE else label_width)
        return 6 + 24.0 * (len(_key_lines(marks, across)) if has_key else 0)

    def draw(figure: Figure, width: float, height: float) -> None:
        is_stacked, top = width < WIDE, top_of(width)
        size = SMALL if is_stacked else SIZE
        left = 8.0 if is_stacked else label_width
        texts = max((width_of(row.text, size, _weight(row)) for row in rows), default=0.0)
        right = max(96.0 if is_stacked else 150.0, texts + 12) if has_text else 16.0
        reach = (low - margin, high + margin)
        ticks = _ratio_ticks(write, reach[1]) if is_ratio else _ticks(reach, write, 4 if is_stacked else 6)
        ticks, left, right = _fitted(ticks, reach, None if is_ratio else write, (left, right), width)
        step = (height - top - 28) / max(len(rows), 1)
        plot = axes_at(figure, left, top, width - left - right, step * len(rows), (width, height))
        plot.set_xlim(*reach)
        plot.set_ylim(len(rows) - 0.5, -0.5)
        plot.spines["left"].set_visible(False)
        plot.yaxis.set_major_locator(NullLocator())
        _set_ticks(plot.xaxis, ticks)
        plot.grid(axis="x")
        if reference is not None:
            plot.axvline(float(place_of(reference[0])), color=INK, linewidth=1, dashes=(3, 3))
        for place, row in enumerate(rows):
            color, weight = ACCENT if row.is_emphasised else MUTED, _weight(row)
            at = place + 0.2 if is_stacked else float(place)
            apart = 0.0 if row.beside is None else 0.13
            for span, offset in (((row.low, row.high), apart), (row.beside or (), -apart)):
                plot.plot(place_of(span), [at + offset] * len(span), color=color, linewidth=2, alpha=0.7)
            plot.plot(
                place_of([row.baseline]), [at - apart], "o", color=color if apart else MUTED, markerfacecolor=PAPER,
                markersize=6.5, markeredgewidth=1.4,
            )  # fmt: skip
            plot.plot(place_of([row.value]), [at + apart], "o", color=color, markersize=6.5)
            from_top = top + step * (place + 0.5)
            if is_stacked:
                plot.annotate(
                    clipped(row.label, width - right, SMALL, weight), (reach[0], place - 0.3), (0, 0),
                    textcoords="offset points", fontsize=SMALL, fontweight=weight, va="center_baseline",
                    bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
                )  # fmt: skip
            else:
                figure.text(
                    (left - 12) / width, 1 - from_top / height, clipped(row.label, left - 12, SIZE, weight),
                    ha="right", va="center_baseline", fontweight=weight,
                )  # fmt: skip
            figure.text(
                1, 1 - from_top / height, row.text, ha="right", va="center_baseline", fontsize=size, fontweight=weight
            )
        if has_key:
            _key(figure, 8 if is_stacked else label_width, width, height, marks)

    heights = (top_of(width) + 28 + step * len(rows) for width, step in ((WIDE, _STEP), (NARROW, _STEP + 10)))
    return _picture(name, alt, draw, *heights)


@dataclass(frozen=True)
class Bar:
    """A number as a bar, with its 95 % interval where there is one; `text` is its label."""

    label: str
    value: float
    text: str
    is_emphasised: bool = False
    low: float = math.nan
    high: float = math.nan


def bars(name: str, rows: Sequence[Bar], alt: str, *, most: float = 0.0, is_small: bool = False) -> Picture:
    """One bar per row, first on top; negative bars go to the left.

    Args:
        name: unique on the page.
        rows: what to draw.
        alt: what the picture shows.
        most: minimum upper end of the scale, if several pictures share one.
        is_small: half as wide as the page, one of several side by side.
    """
    values = [value for row in rows for value in (row.value, row.low, row.high) if math.isfinite(value)]
    low, high = min([0.0, *values]), max([0.0, most, *values])
    reach = (high - low) or 1.0

    def draw(figure: Figure, width: float, height: float) -> None:
        left = (168.0 if is_small else 128.0) if width < WIDE else 230.0
        room = 1.35 if width < WIDE else 1.2
        plot = axes_at(figure, left, 4, width - left, height - 8, (width, height))
        without_frame(plot)
        start, across = low * room, width - left
        # A text follows its bar: the scale leaves room for the widest one.
        needed = (
            start + (_end(row) - start) * across / max(across - width_of(row.text, SMALL, _weight(row)) - 8, 1)
            for row in rows
        )
        plot.set_xlim(start, max(low + reach * room, *needed))
        plot.set_ylim(len(rows) - 0.5, -0.5)
        for place, row in enumerate(rows):
            weight = _weight(row)
            plot.barh([place], [row.value], height=0.62, color=ACCENT if row.is_emphasised else SOFT)
            plot.plot([row.low, row.high], [place, place], color=INK, linewidth=1.4)
            plot.annotate(
                row.text, (_end(row), place), (5, 0), textcoords="offset points", va="center_baseline",
                fontsize=SMALL, color=INK, fontweight=weight,
            )  # fmt: skip
            figure.text(
                (left - 10) / width, 1 - (4 + (height - 8) * (place + 0.5) / len(rows)) / height,
                clipped(row.label, left - 12, SIZE, weight), ha="right", va="center_baseline", fontweight=weight,
            )  # fmt: skip

    return _picture(name, alt, draw, 8 + 25.0 * len(rows), is_small=is_small)


@dataclass(frozen=True)
class Series:
    """One line, with a band if `low` and `high` are given; the main one is highlighted, a baseline is dashed."""

    label: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    role: Literal["main", "other", "baseline"] = "other"
    has_dots: bool = False


def lines(
    name: str, series: Sequence[Series], alt: str, write: tuple[Write, Write], words: tuple[str, str], *,
    ticks: Sequence[tuple[float, str]] | None = None, mark: tuple[float, str] | None = None,
    point: tuple[float, float] | None = None,
    limits: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
    is_small: bool = False,
) -> Picture:  # fmt: skip
    """Lines over a common axis, with a legend if there are several.

    Args:
        name: unique on the page.
        series: what to draw, the main one last to lie on top.
        alt: what the picture shows.
        write: format of the numbers of the two axes.
        words: labels of the two axes.
        ticks: positions and labels of the horizontal axis, if it is not numeric (weeks, hours).
        mark: a vertical line with its name: the end of the training period, an event. The name is in the legend, or
            at the line if the legend is too narrow for it.
        point: a separate dot.
        limits: limits of the two axes, if they are not those of the numbers.
        is_small: half as wide as the page, one of several side by side, without a legend.
    """
    has_key = not is_small and (sum(bool(one.label) for one in series) > 1 or mark is not None)

    def draw(figure: Figure, width: float, height: float) -> None:
        marks: list[_Mark] = [(one.role, one.label) for one in series if one.label]
        of_line: list[_Mark] = [("dots", mark[1])] if mark is not None else []
        is_mark_in_key = len(_key_lines(marks + of_line, width)) == 1
        shown = marks + of_line if is_mark_in_key else marks
        top, bottom = 22 + 24.0 * (len(_key_lines(shown, width)) if has_key else 0), 40.0
        page = (width, height)
        plot = axes_at(figure, 0, top, width, height - top - bottom, page)
        plot.grid(axis="y")
        plot.spines["left"].set_visible(False)
        plot.tick_params(length=0)
        for one in series:
            color = {"main": ACCENT, "other": FAINT if is_small else MUTED, "baseline": INK}[one.role]
            if one.low is not None and one.high is not None:
                plot.fill_between(
                    one.x, one.low, one.high, color=SOFT if one.role == "main" else FAINT, alpha=0.5, lw=0
                )
            dashes = (3, 3) if one.role == "baseline" else (None, None)
            width_of_line = 2.2 if one.role == "main" else 1.2
            dotted = "o" if one.has_dots else None
            x, y = thinned(one.x, one.y)
            plot.plot(x, y, color=color, linewidth=width_of_line, dashes=dashes, marker=dotted, markersize=4)
        if mark is not None:
            plot.axvline(mark[0], color=MUTED, linewidth=1, dashes=(1, 2))
        if point is not None:
            plot.plot([point[0]], [point[1]], "o", color=WARM, markersize=8, markeredgecolor=PAPER)
        if limits[0] is not None:
            plot.set_xlim(*limits[0])
        if limits[1] is not None:
            plot.set_ylim(*limits[1])
        upright = _ticks(plot.get_ylim(), write[1], 5)
        _set_ticks(plot.yaxis, upright)
        left = max([44.0, *(width_of(label, SMALL) for _, label in upright)]) + 8
        reach, right = plot.get_xlim(), 14.0
        if ticks is None:
            level = _ticks(reach, write[0], 4 if width < WIDE else 8)
        else:
            widest = max((width_of(label, SMALL) for _, label in ticks), default=0.0)
            level = list(ticks[:: max(1, math.ceil(len(ticks) * (widest + 12) / (width - left)))])
        level, left, right = _fitted(level, reach, write[0] if ticks is None else None, (left, right), width)
        _set_ticks(plot.xaxis, level)
        plot.set_position(rectangle(left, top, width - left - right, height - top - bottom, page))
        figure.text(0, 1 - (top - 13) / height, words[1], fontsize=SMALL, color=MUTED, va="center_baseline")
        figure.text(1, 8 / height, words[0], fontsize=SMALL, color=MUTED, ha="right", va="center_baseline")
        if mark is not None and has_key and not is_mark_in_key:
            is_left = mark[0] < sum(plot.get_xlim()) / 2
            plot.annotate(
                mark[1], (mark[0], 0.03), (6 if is_left else -6, 0), xycoords=("data", "axes fraction"),
                textcoords="offset points", fontsize=SMALL, color=MUTED, ha="left" if is_left else "right",
            )  # fmt: skip
        if has_key:
            _key(figure, 0, width, height, shown)

    return _picture(name, alt, draw, (268 if any(words) else 180) if is_small else 320, 300, is_small=is_small)


def thinned(x: Floats, y: Floats, points: int = 160) -> tuple[Floats, Floats]:
    """A curve reduced to a maximum number of points, evenly along its length, so that a picture stays small."""
    if len(x) <= points or not np.isfinite(y).all():
        return x, y
    span_x, span_y = max(float(np.ptp(x)), 1e-12), max(float(np.ptp(y)), 1e-12)
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) / span_x + np.abs(np.diff(y)) / span_y)])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def heat_map(
    name: str, values: Floats, labels: tuple[Sequence[str], Sequence[str]], alt: str, write: Write, *,
    words: tuple[str, str] = ("", ""),
) -> Picture:  # fmt: skip
    """A number per row and column: the farther from 0, the darker; negative ones on a grey background.

    Args:
        name: unique on the page.
        values: rows × columns; NaN stays empty.
        labels: labels of the rows and of the columns.
        alt: what the picture shows.
        write: writes a number of a cell.
        words: titles of the rows and of the columns.
    """
    count, across = values.shape
    with np.errstate(invalid="ignore"):
        most = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0

    def draw(figure: Figure, width: float, height: float) -> None:
        left, top = (92.0 if width < WIDE else 190.0), 56.0
        plot = axes_at(figure, left, top, width - left, height - top, (width, height))
        without_frame(plot)
        plot.set_xlim(-0.5, across - 0.5)
        plot.set_ylim(count - 0.5, -0.5)
        cell = (width - left) / across
        for i, j in np.ndindex(count, across):
            value = float(values[i, j])
            if not math.isfinite(value):
                continue
            strength = abs(value) / (most or 1.0)
            color = ACCENT if value >= 0 else MUTED
            plot.fill_between([j - 0.47, j + 0.47], i - 0.46, i + 0.46, color=color, alpha=0.06 + 0.55 * strength, lw=0)
            text = write(value)
            if width_of(text, SMALL) < cell:
                plot.text(j, i, text, ha="center", va="center_baseline", fontsize=SMALL)
        for i, label in enumerate(labels[0]):
            figure.text(
                (left - 8) / width, 1 - (top + (height - top) * (i + 0.5) / count) / height,
                clipped(label, left - 10, SMALL), ha="right", va="center_baseline", fontsize=SMALL,
            )  # fmt: skip
        for j, label in enumerate(labels[1]):
            figure.text(
                (left + cell * (j + 0.5)) / width, 1 - 42 / height, clipped(label, max(cell - 4, 30), SMALL),
                ha="center", va="center_baseline", fontsize=SMALL,
            )  # fmt: skip
        figure.text(0, 1 - 42 / height, words[0], fontsize=SMALL, color=MUTED, va="center_baseline")
        figure.text(1, 1 - 12 / height, words[1], fontsize=SMALL, color=MUTED, ha="right", va="center_baseline")

    return _picture(name, alt, draw, 60 + 30.0 * count)


def _picture(
    name: str, alt: str, draw: Draw, height: float, narrow_height: float | None = None, *, is_small: bool = False
) -> Picture:
    """Drawn for a wide and for a narrow page, or once if it is narrow anyway."""
    if is_small:
        return Picture(drawn(name, NARROW, height, alt, draw), alt)
    narrow = drawn(f"{name}-narrow", NARROW, narrow_height or height, alt, draw)
    return Picture(drawn(name, WIDE, height, alt, draw), alt, narrow)


#: How a mark is drawn, and its name.
_Mark = tuple[str, str]


def _weight(row: Dot | Bar) -> str:
    return "bold" if row.is_emphasised else "normal"


def _end(row: Bar) -> float:
    """Right end of a bar with its interval."""
    return max(end for end in (row.value, row.high, 0.0) if math.isfinite(end))


#: Position of a tick, and its label.
_Tick = tuple[float, str]


def _ticks(reach: tuple[float, float], write: Write, most: int) -> list[_Tick]:
    """A maximum number of steps between round numbers."""
    places = MaxNLocator(most).tick_values(*reach)
    return [(float(place), write(float(place))) for place in places if reach[0] <= place <= reach[1]]


def _fitted(
    ticks: list[_Tick], reach: tuple[float, float], write: Write | None, sides: tuple[float, float], width: float
) -> tuple[list[_Tick], float, float]:
    """Fewer ticks if their labels would overlap, and wider margins if they would stick out.

    Args:
        ticks: of a horizontal axis.
        reach: its ends.
        write: its numbers; None: the ticks are given and stay.
        sides: pixels on the left and on the right of the axis, at least.
        width: of the picture.
    """
    room, steps = width - sum(sides), len(ticks)
    unit = room / ((reach[1] - reach[0]) or 1.0)
    while write is not None and steps > 1 and _is_crowded(ticks, unit):
        steps -= 1
        ticks = _ticks(reach, write, steps)
    halves = [(place, width_of(label, SMALL) / 2) for place, label in ticks]
    left = max([sides[0], *(half - (place - reach[0]) * unit for place, half in halves)])
    return ticks, left, max([sides[1], *(half - (reach[1] - place) * unit for place, half in halves)])


def _is_crowded(ticks: Sequence[_Tick], unit: float) -> bool:
    """Whether labels overlap if one step of the axis has this many pixels."""
    return any(
        (width_of(one, SMALL) + width_of(other, SMALL)) / 2 + 8 > (end - start) * unit
        for (start, one), (end, other) in pairwise(ticks)
    )


def _set_ticks(axis: Axis, ticks: Sequence[_Tick]) -> None:
    axis.set_major_locator(FixedLocator([place for place, _ in ticks]))
    axis.set_ticklabels([label for _, label in ticks])


def _ratio_ticks(write: Write, reach: float) -> list[_Tick]:
    """Ticks at round ratios, at most seven, 1 among them; the axis itself holds logarithms up to `reach`."""
    steps = [ratio for ratio in _RATIOS if abs(math.log(ratio)) <= reach]
    while len(steps) > 7:
        steps = [ratio for n, ratio in enumerate(steps) if (n - steps.index(1)) % 2 == 0]
    return [(math.log(ratio), write(ratio)) for ratio in steps]


def _key_lines(marks: Sequence[_Mark], width: float) -> list[list[_Mark]]:
    """The legend in as many lines as it needs."""
    lines_of_key: list[list[_Mark]] = [[]]
    place = 0.0
    for shape, text in marks:
        if not text:
            continue
        across = _before(shape) + width_of(text, SMALL)
        if lines_of_key[-1] and place + across > width - 6:
            lines_of_key.append([])
            place = 0.0
        lines_of_key[-1].append((shape, text))
        place += across + 16
    return lines_of_key


def _before(shape: str) -> float:
    """Pixels of a mark before its text."""
    return 10.0 if shape in ("dot", "hollow") else 24.0


def _key(figure: Figure, left: float, width: float, height: float, marks: Sequence[_Mark]) -> None:
    """The legend: what each mark means, in lines above the figure."""
    for number, line in enumerate(_key_lines(marks, width - left)):
        key: Axes = axes_at(figure, left, 24.0 * number, width - left, 24, (width, height))
        without_frame(key)
        key.set_xlim(0, width - left)
        key.set_ylim(0, 24)
        place = 6.0
        for shape, text in line:
            if shape in ("dot", "hollow"):
                face = INK if shape == "dot" else PAPER
                key.plot([place], [12], "o", color=INK, markerfacecolor=face, markersize=6.5, markeredgewidth=1.4)
            else:
                color = {"main": ACCENT, "other": MUTED}.get(shape, INK)
                dashes = {"baseline": (3, 3), "dashes": (3, 3), "dots": (1, 2)}.get(shape, (None, None))
                thick = 2 if shape == "main" else 1.3
                key.plot([place, place + 18], [12, 12], color=color, linewidth=thick, dashes=dashes)
            place += _before(shape)
            key.text(
                place, 12, clipped(text, width - left - place, SMALL), fontsize=SMALL, color=MUTED,
                va="center_baseline",
            )  # fmt: skip
            place += 16 + width_of(text, SMALL)
