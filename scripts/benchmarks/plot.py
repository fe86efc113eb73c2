"""The figures as a picture: one panel per case, one bar per contender, quartiles as whiskers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Picture
from scripts.benchmarks.contenders import CONTENDERS, OURS
from scripts.benchmarks.figures import Board, Figure
from scripts.benchmarks.plan import TITLES, TRIED, UNITS

_OURS, _OTHERS = "#b5502f", "#8c9aa8"


def draw(boards: Sequence[Board], target: Path) -> bool:
    """Write the picture; returns whether there was anything to show."""
    compared = [board for board in boards if board.case not in ("growth", *TRIED)]
    shown = [board for board in compared if any(figure.is_sound for figure in board.figures)]
    if not shown:
        return False
    heights = [sum(figure.is_sound for figure in board.figures) + 1.2 for board in shown]
    picture = Picture(figsize=(8, 0.34 * sum(heights) + 0.4), layout="constrained")
    panels = picture.subplots(len(shown), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)
    for axes, board in zip(panels[:, 0], shown, strict=True):
        _panel(axes, board, [figure for figure in board.figures if figure.is_sound])
    picture.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
    return True


def _panel(axes: object, board: Board, figures: list[Figure]) -> None:
    spreads = [figure.decisive for figure in figures]
    medians = [spread.median for spread in spreads if spread is not None]
    low = [spread.median - spread.low for spread in spreads if spread is not None]
    high = [spread.high - spread.median for spread in spreads if spread is not None]
    names = [CONTENDERS[figure.contender].title for figure in figures]
    colours = [_OURS if figure.contender == OURS else _OTHERS for figure in figures]
    bars = axes.barh(names, medians, xerr=[low, high], color=colours, height=0.7, error_kw={"linewidth": 1})  # type: ignore[attr-defined]
    axes.bar_label(bars, [f" {median:.3g} s" for median in medians], fontsize=8)  # type: ignore[attr-defined]
    axes.invert_yaxis()  # type: ignore[attr-defined]
    axes.margins(x=0.12)  # type: ignore[attr-defined]
    axes.set_title(f"{TITLES[board.case]} · {board.rows:,} {UNITS.get(board.case, 'rows')}", fontsize=9, loc="left")  # type: ignore[attr-defined]
    axes.tick_params(labelsize=8)  # type: ignore[attr-defined]
    axes.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]
