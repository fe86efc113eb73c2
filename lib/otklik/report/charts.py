"""The pictures that only the page of a yes-or-no question needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from otklik.page.drawing import (
    ACCENT,
    FAINT,
    INK,
    LETTER,
    LINE,
    MUTED,
    NARROW,
    PAPER,
    SIZE,
    SMALL,
    SOFT,
    WARM,
    WIDE,
    Picture,
    Write,
    axes_at,
    clipped,
    drawn,
    without_frame,
)
from otklik.report.rates import Floats, thinned

# ---------------------------------------------------------------------------------------------------------------------
# Attributes


@dataclass(frozen=True)
class LevelRow:
    """One level of an attribute: its label, its share of the rows, its response rate with interval.

    `stands_out`: something may be said of it, so it is drawn in colour and bold.
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
        reach: the rate at the right end of the scale.
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


# ---------------------------------------------------------------------------------------------------------------------
# Scoreboard


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; low and high are NaN where there is none."""

    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class DayAndCustomer:
    """One model's AUC over all pairs and over pairs that share a decision moment."""

    label: str
    overall: Estimate
    within: Estimate
    is_champion: bool


def day_and_customer(
    name: str, models: Sequence[DayAndCustomer], words: tuple[str, str, str], alt: str, write: Write
) -> Picture:
    """Two dots per model: what it knows of everything (hollow) and what it knows of which customer (filled).

    Args:
        name: unique on the page.
        models: first on top.
        words: for the filled dot, the hollow dot, the line at one half.
        alt: what the picture shows.
        write: writes an AUC.
    """
    ends = [e for m in models for e in (*_ends(m.overall), *_ends(m.within))]
    low, high = min([0.48, *ends]), max([0.6, *ends])

    def draw(figure: Figure, width: float, height: float) -> None:
        stacked = width < WIDE
        left = 8.0 if stacked else 168.0
        top = 30.0
        step = (height - top - 28) / len(models)
        plot = axes_at(figure, left, top, width - left - 14, step * len(models), (width, height))
        plot.set_xlim(low - 0.005, high + 0.012)
        plot.set_ylim(len(models) - 0.5, -0.5)
        plot.spines["left"].set_visible(False)
        plot.yaxis.set_major_locator(NullLocator())
        plot.xaxis.set_major_locator(MaxNLocator(6))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
        plot.grid(axis="x")
        plot.axvline(0.5, color=INK, linewidth=1, dashes=(3, 3))
        for row, model in enumerate(models):
            color = ACCENT if model.is_champion else MUTED
            weight = "bold" if model.is_champion else "normal"
            at = row + 0.18 if stacked else float(row)
            for estimate, offset, face in ((model.overall, -0.13, PAPER), (model.within, 0.13, color)):
                if np.isfinite(estimate.value):
                    plot.plot([estimate.low, estimate.high], [at + offset] * 2, color=color, linewidth=1.6, alpha=0.7)
                    plot.plot(
                        [estimate.value], [at + offset], "o", color=color, markerfacecolor=face, markersize=7,
                        markeredgewidth=1.6,
                    )  # fmt: skip
            if stacked:
                plot.annotate(
                    model.label, (low, row - 0.42), (0, 0), textcoords="offset points", fontsize=SMALL,
                    fontweight=weight, va="center_baseline", bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
                )  # fmt: skip
            else:
                figure.text(
                    (left - 12) / width, 1 - (top + step * (row + 0.5)) / height, clipped(model.label, left - 12),
                    ha="right", va="center_baseline", fontweight=weight,
                )  # fmt: skip
        key = axes_at(figure, left, 0, width - left, 24, (width, height))
        without_frame(key)
        key.set_xlim(0, width - left)
        key.set_ylim(0, 24)
        place = 6.0
        for text, face in ((words[0], INK), (words[1], PAPER)):
            key.plot([place], [12], "o", color=INK, markerfacecolor=face, markersize=7, markeredgewidth=1.6)
            key.text(place + 10, 12, text, fontsize=SMALL, color=MUTED, va="center_baseline")
            place += 26 + len(text) * 6.4
        key.plot([place, place], [5, 19], color=INK, linewidth=1, dashes=(3, 3))
        key.text(place + 7, 12, words[2], fontsize=SMALL, color=MUTED, va="center_baseline")

    return Picture(
        drawn(name, WIDE, 70 + 38 * len(models), alt, draw),
        alt,
        drawn(f"{name}-narrow", NARROW, 70 + 50 * len(models), alt, draw),
    )


def _ends(estimate: Estimate) -> list[float]:
    return [value for value in (estimate.value, estimate.low, estimate.high) if np.isfinite(value)]


# ---------------------------------------------------------------------------------------------------------------------
# Curves


@dataclass(frozen=True)
class Line:
    """One curve of a picture; the champion's is highlighted."""

    x: Floats
    y: Floats
    is_champion: bool = False
    is_baseline: bool = False


def curves(
    name: str, lines: Sequence[Line], words: tuple[str, str], write: tuple[Write, Write], alt: str, *,
    limits: tuple[tuple[float, float], tuple[float, float]] = ((0, 1), (0, 1)), mark: tuple[float, float] | None = None,
) -> Picture:  # fmt: skip
    """Curves of all models in one square: the champion's in colour, the others muted, the base line dashed.

    Args:
        name: unique on the page.
        lines: the curves.
        words: what stands on the two axes.
        write: how numbers on the two axes are written.
        alt: what the picture shows.
        limits: of the two axes.
        mark: a point to mark on the champion's curve.
    """

    def draw(figure: Figure, width: float, height: float) -> None:
        left, top, bottom = 44.0, 24.0, 40.0
        plot = axes_at(figure, left, top, width - left - 12, height - top - bottom, (width, height))
        plot.set_xlim(*limits[0])
        plot.set_ylim(*limits[1])
        plot.grid()
        plot.spines["left"].set_visible(False)
        plot.tick_params(length=0)
        plot.xaxis.set_major_locator(MaxNLocator(5))
        plot.yaxis.set_major_locator(MaxNLocator(5))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write[0](value)))
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write[1](value)))
        for line in sorted(lines, key=lambda one: (one.is_champion, one.is_baseline)):
            x, y = thinned(line.x, line.y)
            if line.is_baseline:
                plot.plot(x, y, color=INK, linewidth=1, dashes=(3, 3))
            elif line.is_champion:
                plot.plot(x, y, color=ACCENT, linewidth=2.4)
            else:
                plot.plot(x, y, color=FAINT, linewidth=1.2)
        if mark is not None:
            plot.plot([mark[0]], [mark[1]], "o", color=ACCENT, markersize=8, markeredgecolor=PAPER, clip_on=False)
        plot.set_xlabel(words[0])
        figure.text(0, 1 - 9 / height, words[1], fontsize=SMALL, color=MUTED, va="center_baseline")

    return Picture(drawn(name, NARROW, 268, alt, draw), alt)


def calibration(
    name: str, bins: pd.DataFrame, raw: pd.DataFrame | None, words: tuple[str, str], percent: Write, alt: str
) -> Picture:
    """What was promised against what came: ten bins of equal count with 95 % intervals, raw values as a faint line.

    Args:
        name: unique on the page.
        bins: promised, rate, rate_low, rate_high of the calibrated probability.
        raw: promised and rate before the calibrator.
        words: what stands on the two axes.
        percent: writes a share.
        alt: what the picture shows.
    """

    def draw(figure: Figure, width: float, height: float) -> None:
        left, top, bottom = 44.0, 24.0, 40.0
        plot = axes_at(figure, left, top, width - left - 12, height - top - bottom, (width, height))
        ends = [bins["promised"].max(), bins["rate_high"].max()] + ([] if raw is None else [raw["rate"].max()])
        reach = min(1.0, 1.05 * max(float(end) for end in ends))
        plot.set_xlim(0, reach)
        plot.set_ylim(0, reach)
        plot.grid()
        plot.spines["left"].set_visible(False)
        plot.tick_params(length=0)
        for axis in (plot.xaxis, plot.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        plot.plot([0, 1], [0, 1], color=INK, linewidth=1, dashes=(3, 3))
        if raw is not None:
            plot.plot(raw["promised"], raw["rate"], color=FAINT, linewidth=1.4)
        plot.vlines(bins["promised"], bins["rate_low"], bins["rate_high"], color=ACCENT, linewidth=2, alpha=0.5)
        plot.plot(bins["promised"], bins["rate"], "o-", color=ACCENT, linewidth=1.2, markersize=5)
        plot.set_xlabel(words[0])
        figure.text(0, 1 - 9 / height, words[1], fontsize=SMALL, color=MUTED, va="center_baseline")

    return Picture(drawn(name, NARROW, 268, alt, draw), alt)


# ---------------------------------------------------------------------------------------------------------------------
# Money


def profit(
    name: str, customers: Floats, realised: Floats | None, expected: Floats, mark: tuple[float, float, str],
    words: tuple[str, str, str, str], write: tuple[Write, Write], alt: str,
) -> Picture:  # fmt: skip
    """What contacting the best n customers brings, for every n.

    Args:
        name: unique on the page.
        customers: n.
        realised: profit by the labels; None where there are none.
        expected: profit by the probabilities.
        mark: the list: its n, its profit and its label.
        words: for the x axis, the y axis, the realised and the expected curve.
        write: how counts and amounts are written.
        alt: what the picture shows.
    """

    def draw(figure: Figure, width: float, height: float) -> None:
        left, top, bottom = 62.0, 44.0, 40.0
        plot = axes_at(figure, left, top, width - left - 16, height - top - bottom, (width, height))
        plot.grid(axis="y")
        plot.spines["left"].set_visible(False)
        plot.tick_params(length=0)
        plot.axhline(0, color=INK, linewidth=1)
        if realised is not None:
            plot.plot(*thinned(customers, realised, 240), color=ACCENT, linewidth=2.4)
        plot.plot(*thinned(customers, expected, 240), color=MUTED, linewidth=1.4, dashes=(4, 2))
        n, amount, text = mark
        plot.axvline(n, color=WARM, linewidth=1.2)
        plot.plot([n], [amount], "o", color=WARM, markersize=8, markeredgecolor=PAPER)
        is_left = n < float(customers[-1]) * 0.6
        plot.annotate(
            text, (n, 0.03), (6 if is_left else -6, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=WARM, fontweight="bold", ha="left" if is_left else "right", va="bottom",
        )  # fmt: skip
        plot.set_xlim(0, float(customers[-1]))
        plot.margins(y=0.08)
        plot.xaxis.set_major_locator(MaxNLocator(4 if width < WIDE else 7, integer=True))
        plot.yaxis.set_major_locator(MaxNLocator(6))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write[0](value)))
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write[1](value)))
        plot.set_xlabel(words[0])
        figure.text(0, 1 - 32 / height, words[1], fontsize=SMALL, color=MUTED, va="center_baseline")
        key = axes_at(figure, 0, 0, width, 22, (width, height))
        without_frame(key)
        key.set_xlim(0, width)
        key.set_ylim(0, 22)
        place = 2.0
        drawn = [(words[3], MUTED, 1.4, (4, 2))] if realised is None else [
            (words[2], ACCENT, 2.4, (1, 0)), (words[3], MUTED, 1.4, (4, 2))
        ]  # fmt: skip
        for label, color, thickness, dashes in drawn:
            key.plot([place, place + 22], [11, 11], color=color, linewidth=thickness, dashes=dashes)
            key.text(place + 28, 11, label, fontsize=SMALL, color=MUTED, va="center_baseline")
            place += 44 + len(label) * LETTER

    return Picture(drawn(name, WIDE, 330, alt, draw), alt, drawn(f"{name}-narrow", NARROW, 300, alt, draw))


# ---------------------------------------------------------------------------------------------------------------------
# Explanations


@dataclass(frozen=True)
class Weight:
    """A named number with its interval: an odds ratio or an importance."""

    label: str
    estimate: Estimate


def odds_ratios(name: str, weights: Sequence[Weight], words: tuple[str, str], alt: str, write: Write) -> Picture:
    """Odds ratios with intervals on a log scale; right of the line raises the odds, left of it lowers them."""
    ends = [e for w in weights for e in _ends(w.estimate) if e > 0]
    low, high = min(ends), max(ends)
    reach = max(abs(np.log(low)), abs(np.log(high)), np.log(1.25)) * 1.05

    def draw(figure: Figure, width: float, height: float) -> None:
        stacked = width < WIDE
        left = 8.0 if stacked else 320.0
        top, step = 26.0, (height - 26 - 26) / len(weights)
        plot = axes_at(figure, left, top, width - left - 54, step * len(weights), (width, height))
        plot.set_xlim(-reach, reach)
        plot.set_ylim(len(weights) - 0.5, -0.5)
        plot.spines["left"].set_visible(False)
        plot.yaxis.set_major_locator(NullLocator())
        steps = [t for t in (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10) if abs(np.log(t)) <= reach]
        while len(steps) > 7:
            steps = [t for place, t in enumerate(steps) if t == 1 or (place - steps.index(1)) % 2 == 0]
        plot.xaxis.set_major_locator(FixedLocator([float(np.log(t)) for t in steps]))
        plot.xaxis.set_minor_formatter(NullFormatter())
        plot.set_xticklabels([write(t) for t in steps])
        plot.grid(axis="x")
        plot.axvline(0, color=INK, linewidth=1)
        for row, weight in enumerate(weights):
            estimate = weight.estimate
            is_sure = estimate.low > 1 or estimate.high < 1
            color = ACCENT if is_sure else MUTED
            at = row + 0.22 if stacked else float(row)
            plot.plot(np.log([estimate.low, estimate.high]), [at, at], color=color, linewidth=2)
            plot.plot([np.log(estimate.value)], [at], "o", color=color, markersize=6.5)
            figure.text(
                1, 1 - (top + step * (row + 0.5 + (0.22 if stacked else 0))) / height, estimate.text, ha="right",
                va="center_baseline", fontweight="bold" if is_sure else "normal",
            )  # fmt: skip
            plot.text(
                0 if stacked else (left - 12) / width,
                1 - (top + step * (row + (0.3 if stacked else 0.5))) / height,
                clipped(weight.label, width if stacked else left - 14),
                ha="left" if stacked else "right", va="center_baseline", fontsize=SMALL if stacked else SIZE,
                transform=figure.transFigure,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1} if stacked else None,
            )  # fmt: skip
        plot.annotate(
            words[0], (0, -0.5), (-8, 6), textcoords="offset points", fontsize=SMALL, color=MUTED, ha="right",
            va="bottom",
        )  # fmt: skip
        plot.annotate(words[1], (0, -0.5), (8, 6), textcoords="offset points", fontsize=SMALL, color=MUTED, va="bottom")

    return Picture(
        drawn(name, WIDE, 52 + 24 * len(weights), alt, draw),
        alt,
        drawn(f"{name}-narrow", NARROW, 52 + 38 * len(weights), alt, draw),
    )


def importances(name: str, weights: Sequence[Weight], alt: str) -> Picture:
    """Importances as bars, longest on top, with intervals where there are any."""
    step = 24.0

    def draw(figure: Figure, width: float, height: float) -> None:
        left = 176.0
        plot = axes_at(figure, left, 2, width - left - 54, step * len(weights), (width, height))
        without_frame(plot)
        top = max(max(_ends(weight.estimate)) for weight in weights)
        low = min(0.0, *(min(_ends(weight.estimate)) for weight in weights))
        plot.set_xlim(low, max(top, 1e-9))
        plot.set_ylim(len(weights) - 0.5, -0.5)
        for row, weight in enumerate(weights):
            estimate = weight.estimate
            plot.barh([row], [estimate.value], height=0.56, color=ACCENT if row == 0 else SOFT)
            if np.isfinite(estimate.low):
                plot.plot([estimate.low, estimate.high], [row, row], color=INK, linewidth=1.4)
            place = 1 - (2 + step * (row + 0.5)) / height
            figure.text((left - 8) / width, place, clipped(weight.label, left - 8), ha="right", va="center_baseline")
            figure.text(1, place, estimate.text, ha="right", va="center_baseline", fontsize=SMALL, color=MUTED)
        plot.axvline(0, color=LINE, linewidth=1)

    return Picture(drawn(name, NARROW, step * len(weights) + 4, alt, draw), alt)


def partial_dependence(
    name: str, points: Sequence[tuple[str, float]], positions: Floats | None, reach: tuple[float, float],
    write: tuple[Write, Write], alt: str,
) -> Picture:  # fmt: skip
    """The mean probability when everybody had this value: a line for numbers, dots for levels.

    Args:
        name: unique on the page.
        points: grid point or level, and mean probability.
        positions: the grid points as numbers, or None for levels.
        reach: of the probability axis, the same for all features.
        write: how grid points and probabilities are written.
        alt: what the picture shows.
    """
    values = np.array([value for _, value in points], dtype=float)
    if positions is None:
        return Picture(drawn(name, NARROW, 22.0 * len(points) + 28, alt, _levels(points, reach, write[1])), alt)

    def draw(figure: Figure, width: float, height: float) -> None:
        left, top, bottom = 44.0, 8.0, 24.0
        plot = axes_at(figure, left, top, width - left - 16, height - top - bottom, (width, height))
        plot.set_ylim(*reach)
        plot.grid(axis="y")
        plot.spines["left"].set_visible(False)
        plot.tick_params(length=0)
        plot.plot(positions, values, "o-", color=ACCENT, linewidth=2, markersize=4)
        plot.xaxis.set_major_locator(MaxNLocator(5))
        plot.yaxis.set_major_locator(MaxNLocator(4))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write[0](value)))
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write[1](value)))

    return Picture(drawn(name, NARROW, 170, alt, draw), alt)


def _levels(
    points: Sequence[tuple[str, float]], reach: tuple[float, float], percent: Write
) -> Callable[[Figure, float, float], None]:
    def draw(figure: Figure, width: float, height: float) -> None:
        left, step = 130.0, 22.0
        plot = axes_at(figure, left, 2, width - left - 16, step * len(points), (width, height))
        plot.set_xlim(*reach)
        plot.set_ylim(len(points) - 0.5, -0.5)
        plot.spines["left"].set_visible(False)
        plot.grid(axis="x")
        plot.tick_params(length=0)
        plot.yaxis.set_major_locator(NullLocator())
        plot.xaxis.set_major_locator(MaxNLocator(4))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        for row, (label, value) in enumerate(points):
            plot.plot([reach[0], value], [row, row], color=SOFT, linewidth=5, solid_capstyle="butt")
            plot.plot([value], [row], "o", color=ACCENT, markersize=6.5)
            figure.text(
                (left - 8) / width, 1 - (2 + step * (row + 0.5)) / height, clipped(label, left - 8), ha="right",
                va="center_baseline",
            )  # fmt: skip

    return draw
