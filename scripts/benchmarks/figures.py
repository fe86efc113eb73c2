"""From the results of processes to figures: medians, quartiles, ratios, exponents, and targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scripts.benchmarks.contenders import BARE, CONTENDERS, DUCKDB, OURS, PANDAS
from scripts.benchmarks.judge import Evidence, difference
from scripts.benchmarks.plan import UNITS, Entry, Start, starts
from scripts.benchmarks.process import Done

#: What results.jsonl holds per process.
Result = dict[str, Any]
#: A case, and which of its sizes: 0 is the smallest, -1 the largest.
Size = tuple[str, int]
#: Seconds of ours over another's, at most, by case and size.
TARGETS: tuple[tuple[Size, str, float], ...] = (
    (("ingest", -1), BARE, 1.15),
    (("ingest", 0), BARE, 1.15),
    (("features", -1), BARE, 1.15),
    (("features", -1), DUCKDB, 3.0),
    (("features", -1), PANDAS, 0.5),
    (("train", 0), BARE, 1.15),
    (("train", -1), PANDAS, 0.8),
)
#: Peak memory of ours over another's, at most.
MEMORY_TARGETS: tuple[tuple[Size, str, float], ...] = ((("train", -1), PANDAS, 1.0),)
#: The exponent with which seconds grow from world to world, at most: 1 is in proportion, 2 with its square.
GROWTH_TARGET = 1.1


class Spread(NamedTuple):
    """Median, lower and upper quartile."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """A contender in a case at a size.

    Attributes:
        contender: its name.
        cold: seconds of first repetitions.
        warm: seconds of later ones.
        rounds: round → median seconds of its process, warm ones where there are any.
        memory: round → MiB at most of Java, of Python, and of both at once.
        parts: part → seconds, where the work has parts.
        auc: model → AUC.
        fault: why there are no figures, or what the judge found.
    """

    contender: str
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    rounds: dict[int, float] = field(default_factory=dict)
    memory: dict[int, dict[str, float]] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    auc: dict[str, float] = field(default_factory=dict)
    fault: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it counts: measured, and the same as everybody's."""
        return bool(self.cold) and not self.fault

    @property
    def seconds(self) -> Spread | None:
        """Warm seconds, or cold ones where a case has no warm ones."""
        return spread(self.warm or self.cold)


@dataclass(frozen=True)
class Board:
    """A case at a size: the figures of all its contenders."""

    case: str
    rows: int
    figures: tuple[Figure, ...]

    @property
    def size(self) -> str:
        """Rows and what they are."""
        return f"{self.rows:,} {UNITS.get(self.case, 'rows')}"

    def of(self, contender: str) -> Figure | None:
        """The figures of one, if they count."""
        return next((f for f in self.figures if f.contender == contender and f.is_sound), None)


@dataclass(frozen=True)
class Verdict:
    """A target and the result: value and quartiles of rounds, or why there are none."""

    text: str
    limit: float
    value: Spread | None
    fault: str = ""

    @property
    def holds(self) -> bool | None:
        """None where it was not measured; what failed does not hold."""
        return (self.value.median <= self.limit) if self.value else (False if self.fault else None)


def spread(numbers: Sequence[float]) -> Spread | None:
    """None of no numbers."""
    if not numbers:
        return None
    low, median, high = (float(value) for value in np.quantile(numbers, [0.25, 0.5, 0.75]))
    return Spread(median, low, high)


def over(one: Figure | None, other: Figure | None) -> Spread | None:
    """Median seconds of one over those of another, quartiles round by round; None where either does not count."""
    if one is None or other is None or one.seconds is None or other.seconds is None:
        return None
    rounds = spread([one.rounds[number] / other.rounds[number] for number in one.rounds if number in other.rounds])
    ratio = one.seconds.median / other.seconds.median
    return rounds._replace(median=ratio) if rounds else Spread(ratio, ratio, ratio)


def memory_over(one: Figure | None, other: Figure | None) -> Spread | None:
    """The same of the most memory at once."""
    if one is None or other is None:
        return None
    return spread([one.memory[n]["together"] / other.memory[n]["together"] for n in one.memory if n in other.memory])


def exponent(small: Board, large: Board, part: str | None = None) -> float | None:
    """How seconds of ours grow with the size, of a part or of all."""
    found = [board.of(OURS) for board in (small, large)]
    seconds = [
        (figure.seconds.median if part is None and figure.seconds else figure.parts.get(part or "", 0.0))
        for figure in found
        if figure is not None
    ]
    if len(seconds) < len(found) or not all(seconds):
        return None
    return math.log(seconds[1] / seconds[0]) / math.log(large.rows / small.rows)


def verdicts(boards: Sequence[Board]) -> list[Verdict]:
    """Every target against the boards of a plan."""
    found = [_verdict(boards, *target, in_memory=False) for target in TARGETS]
    found += [_verdict(boards, *target, in_memory=True) for target in MEMORY_TARGETS]
    small, large = _board(boards, ("growth", -2)), _board(boards, ("growth", -1))
    figure = large.of(OURS) if large else None
    for part in [*(figure.parts if figure else ()), None]:
        value = exponent(small, large, part) if small and large else None
        text = f"growth of {part or 'all together'} between the two largest worlds, exponent"
        found.append(Verdict(text, GROWTH_TARGET, None if value is None else Spread(value, value, value)))
    return found


def _verdict(boards: Sequence[Board], size: Size, other: str, limit: float, *, in_memory: bool) -> Verdict:
    board = _board(boards, size)
    what = f"{'peak memory of ' if in_memory else ''}{size[0]}{f' of {board.size}' if board else ''}"
    text = f"{what} over {CONTENDERS[other].title}"
    if board is None or not any(figure.contender == other for figure in board.figures):
        return Verdict(text, limit, None)
    ours = next((figure for figure in board.figures if figure.contender == OURS), None)
    value = (memory_over if in_memory else over)(board.of(OURS), board.of(other))
    return Verdict(text, limit, value, "" if value is not None or ours is None else ours.fault)


def _board(boards: Sequence[Board], size: Size) -> Board | None:
    case, place = size
    sizes = sorted((board for board in boards if board.case == case), key=lambda board: board.rows)
    return sizes[place] if -len(sizes) <= place < len(sizes) else None


def result_of(start: Start, done: Done, evidence: Evidence | None, code: str, day: str) -> Result:
    """What is kept of a process.

    Args:
        start: which one it was.
        done: from `process.run`.
        evidence: from `judge.evidence_of`, where it ended well.
        code: the version of the code that ran, and under which conditions.
        day: on which it ran, as ISO-8601.
    """
    return {
        "name": start.name, "case": start.entry.case, "rows": start.entry.rows,
        "contender": start.contender, "round": start.round, "code": code, "day": day,
        "memory": vars(done.memory), "others": done.others, "fault": done.fault,
        **({} if done.result is None else {key: done.result[key] for key in ("session", "seconds", "parts")}),
        "evidence": None if evidence is None else vars(evidence),
    }  # fmt: skip


def boards(entries: Sequence[Entry], results: Sequence[Result], left_out: Mapping[str, str]) -> list[Board]:
    """The figures of a plan.

    Args:
        entries: the plan.
        results: of the processes that have run, of this plan or others.
        left_out: contender → why it does not take part.
    """
    by_name = {result["name"]: result for result in results}
    made = []
    for entry in entries:
        of_entry = [by_name[start.name] for start in starts([entry]) if start.name in by_name]
        # What everybody is held against: our first process that ended well, or else anybody's.
        good = sorted((r for r in of_entry if not r["fault"]), key=lambda result: result["contender"] != OURS)
        reference = Evidence(**good[0]["evidence"]) if good else None
        figures = tuple(_figure(name, of_entry, reference, left_out.get(name, "")) for name in entry.contenders)
        made.append(Board(entry.case, entry.rows, figures))
    return made


def _figure(name: str, results: Sequence[Result], reference: Evidence | None, left_out: str) -> Figure:
    of_one = [result for result in results if result["contender"] == name]
    good = [result for result in of_one if not result["fault"]]
    if not good or reference is None:
        return Figure(name, fault=left_out or next((r["fault"] for r in of_one), "not measured yet"))
    evidence = [Evidence(**result["evidence"]) for result in good]
    repetitions = [repetition for result in good for repetition in (result["parts"][1:] or result["parts"])]
    return Figure(
        name,
        cold=[result["seconds"][0] for result in good],
        warm=[seconds for result in good for seconds in result["seconds"][1:]],
        rounds={result["round"]: float(np.median(result["seconds"][1:] or result["seconds"])) for result in good},
        memory={result["round"]: result["memory"] for result in good},
        parts={part: float(np.median([each[part] for each in repetitions])) for part in repetitions[0]},
        auc=evidence[0].auc,
        fault=next((said for each in evidence if (said := difference(each, reference))), ""),
    )
