"""From the results of processes to figures: medians, quartiles, ratios, exponents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scripts.benchmarks import gate
from scripts.benchmarks.contenders import CONTENDERS, FLOOR, OURS
from scripts.benchmarks.evidence import Evidence
from scripts.benchmarks.plan import Entry, Start, starts
from scripts.benchmarks.process import Done

#: What results.jsonl holds per process.
Result = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """Median, lower and upper quartile of some numbers, and how many they are."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Figure:
    """A contender in a case at a size.

    Attributes:
        contender: its name.
        session: seconds to start Spark; None for those without.
        cold: seconds of first repetitions.
        warm: seconds of later ones; None where there were none.
        parts: part → seconds, of warm repetitions where there are any.
        java: MiB at most.
        python: the same.
        together: of both at once.
        rounds: round → median seconds of its process, warm ones where there are any.
        memory_of_rounds: round → MiB at most of both at once.
        others: the largest share of the machine's processors that others took meanwhile.
        is_tried: whether a process was started.
        fault: why there are no figures, or what the gate found.
        auc: model → AUC.
    """

    contender: str
    session: Spread | None = None
    cold: Spread | None = None
    warm: Spread | None = None
    parts: dict[str, Spread] = field(default_factory=dict)
    java: Spread | None = None
    python: Spread | None = None
    together: Spread | None = None
    rounds: dict[int, float] = field(default_factory=dict)
    memory_of_rounds: dict[int, float] = field(default_factory=dict)
    others: float = 0.0
    is_tried: bool = False
    fault: str = ""
    auc: dict[str, float] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """Whether there are seconds to speak of."""
        return self.cold is not None

    @property
    def is_sound(self) -> bool:
        """Whether they count: measured, and through the gate."""
        return self.is_measured and not self.fault

    @property
    def decisive(self) -> Spread | None:
        """Warm seconds, or cold ones where a case has no warm ones."""
        return self.warm or self.cold


@dataclass(frozen=True)
class Board:
    """A case at a size: the figures of all its contenders."""

    case: str
    rows: int
    figures: tuple[Figure, ...]

    def of(self, contender: str) -> Figure | None:
        """The figures of one, if they count."""
        return next((f for f in self.figures if f.contender == contender and f.is_sound), None)

    def ratios(self, contender: str, to: str) -> Spread | None:
        """Median seconds of one over those of another, round by round; None where either does not count."""
        one, other = self.of(contender), self.of(to)
        if one is None or other is None:
            return None
        return ratios_of(one.rounds, other.rounds)

    def ratio(self, contender: str, to: str) -> float | None:
        """Median seconds of one over those of another; None where either does not count."""
        return ratio_of(self.of(contender), self.of(to))


def ratios_of(one: Mapping[int, float], other: Mapping[int, float]) -> Spread | None:
    """The values of one over those of another, round by round, where both have the round."""
    return spread([one[number] / other[number] for number in one if number in other])


def ratio_of(one: Figure | None, other: Figure | None) -> float | None:
    """Median seconds of one over those of another; None where either does not count."""
    if one is None or other is None or one.decisive is None or other.decisive is None:
        return None
    return one.decisive.median / other.decisive.median


def boards(entries: Sequence[Entry], results: Sequence[Result], left_out: dict[str, str]) -> list[Board]:
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
        reference = _reference(of_entry)
        figures = tuple(_figure(name, of_entry, reference, left_out.get(name, "")) for name in entry.contenders)
        made.append(Board(entry.case, entry.rows, figures))
    return made


def exponent(small: Board, large: Board, part: str | None = None) -> float | None:
    """How seconds of ours grow with the size: 1 is in proportion, 2 with its square. Of a part, or of all."""
    one, other = small.of(OURS), large.of(OURS)
    if one is None or other is None or one.decisive is None or other.decisive is None:
        return None
    if part is None:
        before, after = one.decisive.median, other.decisive.median
    elif part in one.parts and part in other.parts:
        before, after = one.parts[part].median, other.parts[part].median
    else:
        return None
    return math.log(after / before) / math.log(large.rows / small.rows)


def spread(numbers: Sequence[float]) -> Spread | None:
    """None of no numbers."""
    if not numbers:
        return None
    low, median, high = (float(value) for value in np.quantile(numbers, [0.25, 0.5, 0.75]))
    return Spread(median, low, high, len(numbers))


def result_of(start: Start, done: Done, evidence: Evidence | None, code: str, day: str) -> Result:
    """What is kept of a process.

    Args:
        start: which one it was.
        done: from `process.run`.
        evidence: from `gate.evidence_of`, where it ended well.
        code: the version of the code that ran.
        day: on which it ran, as ISO-8601.
    """
    return {
        "name": start.name,
        "case": start.entry.case,
        "rows": start.entry.rows,
        "contender": start.contender,
        "round": start.round,
        "code": code,
        "day": day,
        "memory": vars(done.memory),
        "others": done.others,
        "fault": done.fault,
        **({} if done.result is None else {key: done.result[key] for key in ("session", "seconds", "parts")}),
        "evidence": None if evidence is None else vars(evidence),
    }


def _reference(results: Sequence[Result]) -> Evidence | None:
    """What everybody's evidence is held against: that of our first process that ended well, or else of anybody's.

    Who only reads has nothing to show.
    """
    good = [result for result in results if not result["fault"] and result["contender"] != FLOOR]
    good.sort(key=lambda result: result["contender"] != OURS)
    return Evidence(**good[0]["evidence"]) if good else None


def _figure(name: str, results: Sequence[Result], reference: Evidence | None, left_out: str) -> Figure:
    of_one = [result for result in results if result["contender"] == name]
    good = [result for result in of_one if not result["fault"]]
    if not good:
        fault = left_out or next((result["fault"] for result in of_one), "not measured yet")
        return Figure(name, is_tried=bool(of_one), fault=fault)
    evidence = [Evidence(**result["evidence"]) for result in good]
    faults = [] if reference is None or name == FLOOR else [gate.fault(each, reference) for each in evidence]
    warm = [seconds for result in good for seconds in result["seconds"][1:]]
    parts: dict[str, list[float]] = {}
    for result in good:
        for repetition in result["parts"][1:] or result["parts"]:
            for part, seconds in repetition.items():
                parts.setdefault(part, []).append(seconds)
    starts_of_spark = [result["session"] for result in good if CONTENDERS[name].uses_spark]
    memory = {kind: spread([result["memory"][kind] for result in good]) for kind in ("java", "python", "together")}
    return Figure(
        name,
        session=spread(starts_of_spark),
        cold=spread([result["seconds"][0] for result in good]),
        warm=spread(warm),
        parts={part: found for part, seconds in parts.items() if (found := spread(seconds)) is not None},
        java=memory["java"],
        python=memory["python"],
        together=memory["together"],
        rounds={result["round"]: float(np.median(result["seconds"][1:] or result["seconds"])) for result in good},
        memory_of_rounds={result["round"]: result["memory"]["together"] for result in good},
        others=max(result["others"] for result in good),
        is_tried=True,
        fault=next((found for found in faults if found), ""),
        auc=evidence[0].auc,
    )
