"""The figures as Markdown: what was promised, a table per case, where the time goes, and how all that was measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.benchmarks.bars import Verdict, verdicts
from scripts.benchmarks.contenders import CONTENDERS, FLOOR, LAYOUTS, OURS, TRIALS
from scripts.benchmarks.figures import Board, Figure, Spread, exponent, ratio_of
from scripts.benchmarks.gate import AUC_TOLERANCE
from scripts.benchmarks.plan import TITLES, UNITS

_HOLDS = {True: "holds", False: "**missed**", None: "not measured"}


@dataclass(frozen=True)
class Setting:
    """Under what the figures came about.

    Args:
        machine: from `machine.description`.
        date: the day, or the first and the last one.
        code: version of Otklik's code.
        cores: that everybody might use.
        heap: of every JVM.
        command: that makes the page.
    """

    machine: Mapping[str, str]
    date: str
    code: str
    cores: int
    heap: str
    command: str


def page(
    boards: Sequence[Board], spent: Sequence[Mapping[str, Any]], setting: Setting, picture: str | None, raw: str
) -> str:
    """The whole page.

    Args:
        boards: from `figures.boards`.
        spent: where the time goes: case, rows, and the values of `stages.Spent`.
        setting: see `Setting`.
        picture: the file of the plot beside the page, where there is one.
        raw: the file beside the page that says what each process took.
    """
    parts = [
        "# How fast it is, beside what a user would pick instead",
        f"Made by `{setting.command}` on {setting.date}; do not edit. {_of_machine(setting)}",
        *([f"![Seconds per case and contender]({picture})"] if picture else []),
        "## What was promised",
        _promises(verdicts(boards)),
        "## Seconds and memory",
        _HOW_TO_READ,
        *(text for board in boards if board.case not in ("growth", "faster_forest") for text in _case(board)),
        *(text for board in boards if board.case == "faster_forest" for text in _trials(board)),
        *_growth([board for board in boards if board.case == "growth"]),
        *_spent(spent, boards),
        "## How it was measured",
        _METHOD.format(
            cores=setting.cores, heap=setting.heap, tolerance=AUC_TOLERANCE, others=_others(boards), raw=raw
        ),
        "## Versions",
        _table(["", ""], [[name, value] for name, value in setting.machine.items()] + [["Otklik", setting.code]]),
    ]
    return "\n\n".join(parts) + "\n"


def table_of(board: Board) -> str:
    """One case at a size as a Markdown table."""
    ours = board.of(OURS)
    return _table(
        ["contender", "cold, s", "warm, s", "to Otklik", "Spark's start, s", "Java, MiB", "Python, MiB", "gate"],
        [_row(figure, ours) for figure in board.figures],
    )


_HOW_TO_READ = """Median [lower quartile – upper quartile]. Cold is the first repetition in a new process, warm a later
one in the same process. Starting Spark is not part of either. “To Otklik”: seconds over Otklik's, warm ones where a
case has them; below 1 is faster. Where “warm” is empty, each process did the work once. The gate: in ingest, features
and score the same rows by a hash of their content; where models are fitted every model's AUC as good, but for the
linear SVC's, which is chance where few say yes. What does not pass it has no ratio. Spark's floor reads the same files
and does nothing with the rows; in ingest it writes them as they are."""

_METHOD = """- Each contender runs in a process of its own, all on the same {cores} cores, in turns; each round
  another one begins. Every JVM has a heap of {heap}; the others may take what memory there is.
- All read the same files. The work is the same but for what `scripts/benchmarks/contenders` says: nobody but Otklik
  checks rows against a contract, keeps a ledger, calibrates, gives reasons or writes a report.
- In the case “train” Otklik does for one split what its step does for each: prepare, lay out, fit, predict. Folds,
  calibration, explanations and the ledger are in the whole way only, and nobody else does them there.
- Bare Spark is the same Spark work by hand, with Otklik's Spark properties, and without generated code where models are
  fitted, as in Otklik. Tutorial Spark guesses the schema, gives each model a pipeline of its own, and drops all but any
  one row of a customer.
- “Over bare Spark” is what the framework adds in ingest, in features and in the training's part that both do. A row of
  features is a customer.
- Before a warm repetition memory is tidied up, outside the clock: a command has a process of its own.
- While it was measured others took at most {others:.0%} of the machine's processors, the watching itself among them.
- What each process took, left and said stands in [{raw}]({raw}), a line each.
- The data is made up, from numbers and salts: `scripts/benchmarks/inputs`.
- The gate: numbers to six decimals (of a million rows one or two can differ there for a quotient that a library rounds
  otherwise in its last bit, and that counts as not the same); AUC ± {tolerance}, or two standard errors where few rows
  are held out (of the difference, where the rows are the same).
- Memory is the most that was resident at once, looked at ten times a second, all processes of a contender together."""


def _of_machine(setting: Setting) -> str:
    machine = setting.machine
    return (
        f"{machine.get('processor', 'processor unknown')}, {setting.cores} of {machine.get('cores', '?')} cores, "
        f"{machine.get('memory', '?')}, {machine.get('system', '?')}, Java {machine.get('Java', '?')}."
    )


def _promises(found: Sequence[Verdict]) -> str:
    rows = [
        [
            verdict.text,
            f"≤ {verdict.limit:g}",
            _measured(verdict),
            _HOLDS[verdict.holds],
        ]
        for verdict in found
    ]
    return _table(["ratio of seconds, unless said otherwise", "promised", "measured [quartiles of rounds]", ""], rows)


def _others(boards: Sequence[Board]) -> float:
    return max((figure.others for board in boards for figure in board.figures), default=0.0)


def _measured(verdict: Verdict) -> str:
    """The ratio of medians, and the quartiles of the ratios of single rounds."""
    if verdict.value is None:
        return verdict.fault.replace("|", "/")
    spread = verdict.spread
    return f"{verdict.value:.2f}" + (f" [{spread.low:.2f} – {spread.high:.2f}]" if spread and spread.count > 1 else "")


def _case(board: Board) -> Iterator[str]:
    yield f"### {TITLES[board.case][0].upper()}{TITLES[board.case][1:]}, {_size(board)}"
    yield table_of(board)
    parts = [figure for figure in board.figures if figure.parts]
    names = list(dict.fromkeys(name for figure in parts for name in figure.parts))
    if names:
        rows = [
            [CONTENDERS[figure.contender].title, *(_seconds(figure.parts.get(name)) for name in names)]
            for figure in parts
        ]
        yield _table(["of these, s", *(name.replace("_", " ") for name in names)], rows)
    judged = [figure for figure in board.figures if figure.auc]
    models = list(dict.fromkeys(model for figure in judged for model in figure.auc))
    if models:
        rows = [
            [CONTENDERS[f.contender].title, *(f"{f.auc[m]:.4f}" if m in f.auc else "" for m in models)] for f in judged
        ]
        yield _table(["AUC", *(model.replace("_", " ") for model in models)], rows)


def _trials(board: Board) -> Iterator[str]:
    figure = board.of(TRIALS)
    yield f"### {TITLES[board.case][0].upper()}{TITLES[board.case][1:]}, {_size(board)}"
    if figure is None:
        yield "; ".join(each.fault for each in board.figures)
        return
    last = list(figure.parts)[-1]
    usual, usual_auc = figure.parts[last].median, figure.auc[last]
    rows = []
    for way, seconds in figure.parts.items():
        gain = figure.auc[way] - usual_auc
        gate = "passed" if abs(gain) <= AUC_TOLERANCE else f"AUC {gain:+.4f}"
        rows.append(
            [way.replace("_", " "), _seconds(seconds), f"{seconds.median / usual:.2f}", f"{figure.auc[way]:.4f}", gate]
        )
    yield "One after the other in one process, on the rows as bare Spark prepares them; the first one warms Java up."
    yield _table(["way", "fit, s", "to the last", "AUC", "gate"], rows)


def _growth(boards: Sequence[Board]) -> Iterator[str]:
    if not boards:
        return
    boards = sorted(boards, key=lambda board: board.rows)
    measured = [(board, figure) for board in boards if (figure := board.of(OURS)) is not None]
    yield f"### {TITLES['growth'][0].upper()}{TITLES['growth'][1:]}"
    yield "Each size once, cold, with Spark's event log on."
    names = list(dict.fromkeys(name for _, figure in measured for name in figure.parts))
    rows = [
        [f"{b.rows:,}", *(_seconds(f.parts.get(name)) for name in names), _seconds(f.decisive), *_memory(f)]
        for b, f in measured
    ]
    if len(measured) > 1:
        small, large = measured[-2][0], measured[-1][0]
        exponents = [exponent(small, large, name) for name in [*names, None]]
        rows.append(["exponent of the last two", *("" if e is None else f"{e:.2f}" for e in exponents), "", ""])
    if rows:
        yield _table(["customers", *(f"{name}, s" for name in names), "all, s", "Java, MiB", "Python, MiB"], rows)
    faults = [
        f"{board.rows:,} customers: {figure.fault}" for board in boards for figure in board.figures if figure.fault
    ]
    if faults:
        yield "\n".join(f"- {fault}" for fault in faults)


def _spent(spent: Sequence[Mapping[str, Any]], boards: Sequence[Board]) -> Iterator[str]:
    if not spent:
        return
    floors = {(board.case, board.rows): figure for board in boards if (figure := board.of(FLOOR)) is not None}
    yield "## Where Otklik's time goes"
    yield (
        "From Spark's event log: of one more run, which is slower for writing it, or for growth and the whole way at "
        "full size of the one that was measured. Outside tasks the driver plans, commits to Delta, or computes in "
        "Python. The floor is Spark's, see above."
    )
    rows = [
        [
            _job(each["case"], each["part"]),
            f"{each['rows']:,}",
            _distance(each, floors.get((each["case"], each["rows"]))),
            f"{each['wall']:.1f}",
            f"{each['running']:.1f}",
            f"{each['tasks']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['collecting']:.1f}",
            f"{each['read_mib']:.0f}",
            f"{each['shuffled_mib']:.0f}",
            f"{each['spilled_mib']:.0f}",
            "; ".join(each["longest"]),
        ]
        for each in spent
    ]
    head = ["job", "rows", "to the floor", "all, s", "with tasks, s", "tasks, s", "of that processor, s"]
    yield _table(
        [*head, "of that collector, s", "read, MiB", "shuffled, MiB", "spilled, MiB", "longest stages, s"], rows
    )


def _job(case: str, part: str) -> str:
    whole = TITLES[case].partition(":")[0]
    return whole if part == "all" else f"{whole}: {part.replace('_', ' ')}"


def without_places(spent: Mapping[str, Any]) -> dict[str, Any]:
    """What a part took, its stages named from the project's folder on, and without the Java that Python comes in by."""
    return {**spent, "longest": [_of_stage(stage) for stage in spent["longest"]]}


def _of_stage(said: str) -> str:
    return re.sub(r" at NativeMethodAccessorImpl.*", "", re.sub(r" at /\S*/((?:lib|scripts)/\S+)", r" at \1", said))


def _distance(spent: Mapping[str, Any], floor: Figure | None) -> str:
    """Seconds of the whole case over the floor's."""
    if floor is None or floor.decisive is None or spent["part"] != "all":
        return ""
    return f"{spent['wall'] / floor.decisive.median:.1f} ×"


def _row(figure: Figure, ours: Figure | None) -> list[str]:
    ratio = ratio_of(figure, ours) if figure.is_sound else None
    gate = figure.fault or ("passed" if figure.is_measured and figure.contender not in (FLOOR, LAYOUTS) else "")
    return [
        CONTENDERS[figure.contender].title,
        _seconds(figure.cold),
        _seconds(figure.warm),
        "" if ratio is None else f"{ratio:.2f}",
        _seconds(figure.session),
        *_memory(figure),
        gate.replace("|", "/"),
    ]


def _memory(figure: Figure) -> tuple[str, str]:
    """Of Java and of Python."""
    return (
        "" if figure.java is None or not figure.java.median else f"{figure.java.median:,.0f}",
        "" if figure.python is None else f"{figure.python.median:,.0f}",
    )


def _seconds(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.count < 3:
        return f"{spread.median:.2f}"
    return f"{spread.median:.2f} [{spread.low:.2f} – {spread.high:.2f}]"


def _size(board: Board) -> str:
    return f"{board.rows:,} {UNITS.get(board.case, 'rows')}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
