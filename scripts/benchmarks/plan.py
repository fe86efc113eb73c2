"""Which case is measured at which size, by whom and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scripts.benchmarks.contenders import BARE, FLOOR, LAYOUTS, OURS, TRIALS
from scripts.benchmarks.inputs.columns import EVENTS_PER_CUSTOMER

#: Case → what it is, as the page says it.
TITLES = {
    "ingest": "ingest: one CSV file to bronze and silver",
    "features": "features: 27 numbers per customer from its events",
    "train": "train: logistic regression and decision tree, preparation included",
    "forest": "train: random forest of 100 trees, preparation included",
    "faster_forest": "cheap ways to a faster forest of MLlib's",
    "score": "score: a probability for every row",
    "clustering": "what laying events together by time costs and gains",
    "pipeline": "the whole way: ingest, features, five models, scores, report",
    "growth": "the whole way on the built-in world",
}
#: Cases that try ways of doing one thing, and not contenders.
TRIED = ("faster_forest", "clustering")
#: Case → what is counted.
UNITS = {"features": "events", "clustering": "events", "growth": "customers"}


@dataclass(frozen=True)
class Entry:
    """A case at a size.

    Args:
        case: its name.
        rows: its size.
        contenders: who takes part.
        rounds: processes per contender.
        warm: repetitions after the cold one in each process.
    """

    case: str
    rows: int
    contenders: tuple[str, ...]
    rounds: int
    warm: int


@dataclass(frozen=True)
class Start:
    """One process to be started."""

    entry: Entry
    contender: str
    round: int

    @property
    def name(self) -> str:
        """By which its result is found again."""
        return f"{self.entry.case} {self.entry.rows} {self.contender} {self.round} warm {self.entry.warm}"


_IN_MEMORY = ("with_duckdb", "with_polars", "pandas_sklearn")


def full(rows: int, rounds: int, warm: int) -> list[Entry]:
    """All cases around a number of rows.

    At 1,000,000 they are the sizes at which something was promised, see `bars`. Cases that take minutes have one warm
    repetition per process; growth has one repetition in all, cold, as a user would have it.
    """
    few = min(warm, 1)
    long_rounds = min(rounds, 3)
    return [
        Entry("ingest", 2 * rows, (OURS, BARE, FLOOR, *_IN_MEMORY), rounds, warm),
        Entry("features", EVENTS_PER_CUSTOMER * rows, (OURS, BARE, FLOOR, *_IN_MEMORY), rounds, warm),
        Entry("train", 4 * rows, (OURS, BARE, "tutorial_spark", FLOOR, "pandas_sklearn"), rounds, few),
        Entry("ingest", rows, (OURS, BARE), rounds, warm),
        Entry("features", rows, (OURS, BARE), rounds, warm),
        Entry("train", rows, (OURS, BARE), rounds, few),
        Entry("score", rows, (OURS, BARE, FLOOR, "pandas_sklearn"), rounds, warm),
        Entry("forest", rows, (OURS, BARE, "pandas_sklearn", "with_xgboost"), long_rounds, 0),
        Entry("faster_forest", rows, (TRIALS,), 1, 0),
        Entry("clustering", EVENTS_PER_CUSTOMER * rows, (LAYOUTS,), 1, 1),
        Entry("pipeline", rows, (OURS, "tutorial_spark", "pandas_sklearn"), long_rounds, 0),
        *(Entry("growth", customers, (OURS,), 1, 0) for customers in (rows // 10, 3 * rows // 10, rows)),
    ]


def quick() -> list[Entry]:
    """Cases at sizes that are done in five minutes on two cores, once cold and once warm; no growth, no trials.

    They say whether everything works and roughly where it stands. Starting up and compiling weighs heavily in them.
    """
    return [
        Entry("ingest", 100_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("features", 500_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("train", 50_000, (OURS, BARE, "pandas_sklearn"), 1, 1),
        Entry("score", 50_000, (OURS, "pandas_sklearn"), 1, 1),
        Entry("forest", 20_000, (OURS, "pandas_sklearn", "with_xgboost"), 1, 0),
        Entry("pipeline", 20_000, (OURS, "pandas_sklearn"), 1, 0),
    ]


def only(entries: list[Entry], cases: Collection[str], contenders: Collection[str]) -> list[Entry]:
    """Those of the named cases, with the named contenders; empty means all."""
    kept = [entry for entry in entries if not cases or entry.case in cases]
    chosen = [
        Entry(
            entry.case,
            entry.rows,
            tuple(name for name in entry.contenders if not contenders or name in contenders),
            entry.rounds,
            entry.warm,
        )
        for entry in kept
    ]
    return [entry for entry in chosen if entry.contenders]


def looked_into(entries: list[Entry]) -> list[Entry]:
    """Cases whose stages are looked at: the largest of each, but growth, whose largest takes longer than all others."""
    largest = {entry.case: entry for entry in sorted(entries, key=lambda entry: entry.rows) if entry.case != "growth"}
    return list(largest.values())


def starts(entries: list[Entry]) -> Iterator[Start]:
    """All processes in their order: contenders take turns, and each round another one begins."""
    for entry in entries:
        for number in range(entry.rounds):
            shift = number % len(entry.contenders)
            for contender in (*entry.contenders[shift:], *entry.contenders[:shift]):
                yield Start(entry, contender, number)
