"""Figures that only the page of a yes-or-no question needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from otklik.page.drawing import (
    ACCENT,
    LINE,
    MUTED,
    NARROW,
    SIZE,
    SMALL,
    SOFT,
    WIDE,
    Picture,
    Write,
    axes_at,
    clipped,
    drawn,
    without_frame,
)

# ---------------------------------------------------------------------------------------------------------------------
# Attributes


@dataclass(frozen=True)
class LevelRow:
    """One level of an attribute: its label, its share of the rows, its response rate with interval.

    `stands_out`: whether it is notable, so that it is drawn in colour and bold.
    """

    label: str
    share: float
    rate: float
    low: float
    high: float
    share_text: str
    rate_text: str
    stands_out: bool


def attribute(
    name: str, levels: Sequence[LevelRow], overall: float, heads: tuple[str, str], alt: str, reach: float
) -> Picture:
    """How common each level is (bars) and how often it responds (dots with 95 % intervals, average as a dashed line).

    Args:
        name: unique on the page.
        levels: in the order to draw, first on top.
        overall: the response rate of all.
        heads: the two column headings.
        alt: what the picture shows.
        reach: rate at the right end of the scale.
    """
    step, head = 22.0, 20.0
    height = head + step * len(levels) + 4

    def draw(figure: Figure, width: float, height: float) -> None:
        label_width, share_width, gap = 108.0, 84.0, 8.0
        rate_left = label_width + share_width + gap
        rate_width = width - rate_left - 48
        rows = np.arange(len(levels), dtype=float)
        body = step * len(levels)
        page = (width, height)
        shares = axes_at(figure, label_width, head, share_width, body, page)
        without_frame(shares)
        most = max(level.share for level in levels)
        shares.set_xlim(0, max(most, 1e-9) / 0.5)
        shares.set_ylim(len(levels) - 0.5, -0.5)
        shares.barh(rows, [level.share for level in levels], height=0.62, color=SOFT)
        for row, level in enumerate(levels):
            shares.annotate(
                level.share_text, (level.share, row), (4, 0), textcoords="offset points", va="center_baseline",
                fontsize=SMALL, color=MUTED,
            )  # fmt: skip
            shares.annotate(
                clipped(level.label, label_width - 6), (0, row), (-6, 0), textcoords="offset points", ha="right",
                va="center_baseline", fontsize=SIZE,
            )  # fmt: skip
        plot = axes_at(figure, rate_left, head, rate_width, body, page)
        without_frame(plot)
        plot.set_xlim(0, reach)
        plot.set_ylim(len(levels) - 0.5, -0.5)
        plot.axvline(0, color=LINE, linewidth=1)
        plot.axvline(overall, color=MUTED, linewidth=1, dashes=(3, 3))
        for row, level in enumerate(levels):
            color = ACCENT if level.stands_out else MUTED
            plot.plot([level.low, min(level.high, reach)], [row, row], color=color, linewidth=2)
            plot.plot([min(level.rate, reach)], [row], "o", color=color, markersize=6.5, clip_on=False)
            figure.text(
                1, 1 - (head + step * (row + 0.5)) / height, level.rate_text, ha="right", va="center_baseline",
                fontsize=SIZE, fontweight="bold" if level.stands_out else "normal",
            )  # fmt: skip
        figure.text(label_width / width, 1 - 8 / height, heads[0], fontsize=SMALL, color=MUTED, va="center_baseline")
        figure.text(1, 1 - 8 / height, heads[1], ha="right", fontsize=SMALL, color=MUTED, va="center_baseline")

    return Picture(drawn(name, NARROW, height, alt, draw), alt)


# ---------------------------------------------------------------------------------------------------------------------
# Time


def rate_over_time(
    name: str, periods: pd.DataFrame, overall: float, ticks: Sequence[str], words: tuple[str, str, str], alt: str,
    percent: Write,
) -> Picture:  # fmt: skip
    """The response rate per period with its 95 % interval, above how many rows each period has.

    Args:
        name: unique on the page.
        periods: rows, rate, rate_low, rate_high in order of time.
        overall: the response rate of all.
        ticks: one label per period; some are shown.
        words: for the average line, the rate axis, the rows axis.
        alt: what the picture shows.
        percent: writes a share.
    """

    def draw(figure: Figure, width: float, height: float) -> None:
        left, right = 46.0, 8.0
        page = (width, height)
        x = np.arange(len(periods), dtype=float)
        rates = axes_at(figure, left, 22, width - left - right, height - 144, page)
        rate, low, high = (periods[c].to_numpy(dtype=float) for c in ("rate", "rate_low", "rate_high"))
        rates.set_xlim(-0.6, len(periods) - 0.4)
        rates.set_ylim(0, min(1.0, max(float(np.nanmax(np.where(periods["rows"] >= 20, high, rate))), overall) * 1.08))
        rates.grid(axis="y")
        rates.spines["left"].set_visible(False)
        rates.axhline(overall, color=MUTED, linewidth=1, dashes=(3, 3))
        rates.vlines(x, low, high, color=ACCENT, linewidth=2, alpha=0.45)
        rates.plot(x, rate, "-", color=ACCENT, linewidth=1, alpha=0.6)
        rates.plot(x, rate, "o", color=ACCENT, markersize=4.5)
        rates.yaxis.set_major_locator(MaxNLocator(5))
        rates.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        rates.tick_params(length=0)
        rates.xaxis.set_major_locator(NullLocator())
        rates.annotate(
            words[0], (-0.5, overall), (2, 4), textcoords="offset points", fontsize=SMALL, color=MUTED, va="bottom"
        )
        figure.text(0, 1 - 9 / height, words[1], fontsize=SMALL, color=MUTED, va="center_baseline")
        volumes = axes_at(figure, left, height - 88, width - left - right, 56, page)
        volumes.set_xlim(-0.6, len(periods) - 0.4)
        volumes.bar(x, periods["rows"].to_numpy(dtype=float), width=0.72, color=SOFT)
        volumes.spines["left"].set_visible(False)
        volumes.yaxis.set_major_locator(NullLocator())
        every = max(1, int(np.ceil(len(periods) * 62 / (width - left - right))))
        shown = range(0, len(periods), every)
        volumes.xaxis.set_major_locator(FixedLocator([float(place) for place in shown]))
        volumes.set_xticklabels([ticks[place] for place in shown])
        figure.text(0, (84 + 14) / height, words[2], fontsize=SMALL, color=MUTED, va="center_baseline")

    return Picture(drawn(name, WIDE, 330, alt, draw), alt, drawn(f"{name}-narrow", NARROW, 290, alt, draw))
