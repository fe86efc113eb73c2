"""The figures as Markdown, one table, and as a picture: one panel per case, one bar per contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Picture
from scripts.benchmarks.contenders import CONTENDERS, OURS
from scripts.benchmarks.figures import Board, Figure, Spread, Verdict, over, spread, verdicts
from scripts.benchmarks.judge import AUC_TOLERANCE
from scripts.benchmarks.plan import TITLES

_OURS, _OTHERS = "#b5502f", "#8c9aa8"
_HOLDS = {True: "holds", False: "**missed**", None: "not measured"}
_HEAD = ("case", "size", "contender", "cold, s", "warm, s", "Otklik over it", "Java, MiB", "Python, MiB", "result")
_TEXT = """# Performance compared with other tools

Made by `{command}` on {date}; do not edit. {machine}.

{picture}## Targets

Ratios of seconds, unless said otherwise; in brackets the quartiles of rounds.

{targets}

## Seconds and memory

Median [lower quartile – upper quartile]. Cold is the first repetition in a new process, warm a later one in the same
process; where “warm” is empty, each process did the work once. Neither includes starting Spark. A contender with a
different result has no ratio.

{table}

## How it was measured

- Each contender runs in its own process on the same {cores} cores, one after another; every round starts with a
  different one. Every JVM has a heap of {heap}; the others may use all available memory. Memory is the peak resident
  memory of all processes of a contender together, sampled ten times per second.
- All read the same files, generated from numbers and salts (`scripts/benchmarks/inputs.py`). The work is the same
  except as documented in `scripts/benchmarks/contenders`: only Otklik checks rows against a contract, keeps a
  ledger, calibrates, gives reasons or writes a report. Bare Spark has Otklik's Spark properties.
- In “train” Otklik does for one split what its step does for each: prepare, lay out, fit, predict.
- Garbage is collected before a warm repetition and not timed, because in use each command has its own process.
- “The same” result: in ingest and features the same rows by a hash of their content, with numbers to six decimals
  (in one or two of a million rows a library may round the last bit of a quotient differently, which counts as a
  different result); where models are fitted, AUC ± {tolerance}, or two standard errors where few rows are held out.
- During the measurement other processes, including the monitoring itself, used at most {others:.0%} of the processors.
- The measurements and output of each process are in [{raw}]({raw}), one line each.

Versions: {versions}.
"""


def page(
    boards: Sequence[Board], results: Sequence[Mapping[str, Any]], setting: Mapping[str, Any], picture: str, raw: str
) -> str:
    """The whole page.

    Args:
        boards: from `figures.boards`.
        results: of the processes.
        setting: command, cores, heap, code, and the machine by name and value.
        picture: the file of the plot beside the page; empty where there is none.
        raw: the file beside the page that says what each process took.
    """
    days = sorted({result["day"] for result in results})
    machine = setting["machine"]
    first = ("processor", "memory", "system")
    return _TEXT.format(
        command=setting["command"],
        date=" to ".join(dict.fromkeys((days[0], days[-1]))) if days else "no day yet",
        machine=", ".join(machine[name] for name in first if name in machine),
        picture=f"![Seconds per case and contender]({picture})\n\n" if picture else "",
        targets="\n".join(_target(verdict) for verdict in verdicts(boards)),
        table=table(boards),
        cores=setting["cores"],
        heap=setting["heap"],
        tolerance=AUC_TOLERANCE,
        others=max((result["others"] for result in results), default=0.0),
        raw=raw,
        versions=", ".join(f"{name} {value}" for name, value in machine.items() if name not in first),
    )


def table(boards: Sequence[Board]) -> str:
    """All cases at all sizes as one Markdown table, a row per contender."""
    rows = [_row(board, figure) for board in boards for figure in board.figures]
    return "\n".join(f"| {' | '.join(line)} |" for line in [_HEAD, ["---"] * len(_HEAD), *rows])


def draw(boards: Sequence[Board], target: Path) -> bool:
    """Write the picture; returns whether there was anything to show."""
    shown = [board for board in boards if board.case != "growth" and any(f.is_sound for f in board.figures)]
    if not shown:
        return False
    heights = [sum(figure.is_sound for figure in board.figures) + 1.2 for board in shown]
    picture = Picture(figsize=(8, 0.34 * sum(heights) + 0.4), layout="constrained")
    panels = picture.subplots(len(shown), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)
    for axes, board in zip(panels[:, 0], shown, strict=True):
        found = [(figure, seconds) for figure in board.figures if figure.is_sound and (seconds := figure.seconds)]
        names = [CONTENDERS[figure.contender].title for figure, _ in found]
        colours = [_OURS if figure.contender == OURS else _OTHERS for figure, _ in found]
        medians = [seconds.median for _, seconds in found]
        spans = [[s.median - s.low for _, s in found], [s.high - s.median for _, s in found]]
        bars = axes.barh(names, medians, xerr=spans, color=colours, height=0.7, error_kw={"linewidth": 1})
        axes.bar_label(bars, [f" {median:.3g} s" for median in medians], fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_title(f"{TITLES[board.case]} · {board.size}", fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    picture.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
    return True


def _target(verdict: Verdict) -> str:
    measured = _spread(verdict.value) if verdict.value else verdict.fault
    return f"- {verdict.text}: {measured or '–'}, target ≤ {verdict.limit:g}: {_HOLDS[verdict.holds]}"


def _row(board: Board, figure: Figure) -> list[str]:
    ratio = None if figure.contender == OURS else over(board.of(OURS), figure if figure.is_sound else None)
    auc = ", ".join(f"{model.replace('_', ' ')} {found:.4f}" for model, found in figure.auc.items())
    said = "the same" if board.case in ("ingest", "features") else f"AUC {auc}"
    if board.case == "growth":
        said = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in figure.parts.items())
    memory = [spread([peak[kind] for peak in figure.memory.values()]) for kind in ("java", "python")]
    return [
        TITLES[board.case].partition(":")[0] + (" a forest" if board.case == "forest" else ""),
        board.size,
        CONTENDERS[figure.contender].title,
        _spread(spread(figure.cold)),
        _spread(spread(figure.warm)),
        _spread(ratio),
        *(f"{peak.median:,.0f}" if peak and peak.median else "" for peak in memory),
        figure.fault.replace("|", "/") or said,
    ]


def _spread(found: Spread | None) -> str:
    if found is None:
        return ""
    return f"{found.median:.2f}" + (f" [{found.low:.2f} – {found.high:.2f}]" if found.low < found.high else "")
