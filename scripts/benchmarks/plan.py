"""Which case is measured at which size, by whom and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

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
        is_logged: whether ours writes down what each stage took while it is measured, because it takes too long to be
            run once more for that.
    """

    case: str
    rows: int
    contenders: tuple[str, ...]
    rounds: int
    warm: int
    is_logged: bool = False


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

    @property
    def is_logged(self) -> bool:
        """Whether it writes down what each stage took."""
        return self.entry.is_logged and self.contender == OURS


_IN_MEMORY = ("with_duckdb", "with_polars", "pandas_sklearn")


def full(rows: int, rounds: int, warm: int) -> list[Entry]:
    """All cases around a number of rows.

    At 1,000,000 they are the sizes at which something was promised, see `bars`. Cases that take minutes have one warm
    repetition per process; growth and the whole way at full size are run once, cold, as a user would have it. What is
    likeliest to fail comes first.
    """
    few = min(warm, 1)
    return [
        *(Entry("growth", customers, (OURS,), 1, 0, True) for customers in (rows, 3 * rows // 10, rows // 10)),
        Entry("ingest", 2 * rows, (OURS, BARE, FLOOR, *_IN_MEMORY), rounds, warm),
        Entry("features", EVENTS_PER_CUSTOMER * rows, (OURS, BARE, FLOOR, *_IN_MEMORY), rounds, warm),
        Entry("train", 4 * rows, (OURS, BARE, FLOOR, "pandas_sklearn"), rounds, few),
        Entry("ingest", rows, (OURS, BARE), rounds, warm),
        Entry("features", rows, (OURS, BARE), rounds, warm),
        Entry("train", rows, (OURS, BARE, "tutorial_spark"), rounds, few),
        Entry("score", rows, (OURS, BARE, FLOOR, "pandas_sklearn"), rounds, warm),
        Entry("forest", rows, (OURS, BARE, FLOOR, "pandas_sklearn", "with_xgboost"), min(rounds, 2), few),
        Entry("faster_forest", rows, (TRIALS,), 1, 0),
        Entry("clustering", EVENTS_PER_CUSTOMER * rows, (LAYOUTS,), 1, 1),
        Entry("pipeline", rows // 5, (OURS, "tutorial_spark", "pandas_sklearn"), rounds, few),
        Entry("pipeline", rows, (OURS, "tutorial_spark", "pandas_sklearn"), 1, 0, True),
    ]


def quick() -> list[Entry]:
    """Cases at sizes that are done in five minutes on two cores, once cold and once warm.

    They say whether everything works and roughly where it stands. Starting up and compiling weighs heavily in them. The
    whole way would take half of the time; there is no growth either, and no trials.
    """
    return [
        Entry("ingest", 100_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("features", 500_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("train", 50_000, (OURS, "pandas_sklearn"), 1, 1),
        Entry("score", 50_000, (OURS, "pandas_sklearn"), 1, 1),
        Entry("forest", 20_000, (OURS, "pandas_sklearn", "with_xgboost"), 1, 0),
    ]


def only(entries: list[Entry], cases: Collection[str], contenders: Collection[str]) -> list[Entry]:
    """Those of the named cases, with the named contenders; empty means all."""
    kept = [entry for entry in entries if not cases or entry.case in cases]
    chosen = [
        replace(entry, contenders=tuple(name for name in entry.contenders if not contenders or name in contenders))
        for entry in kept
    ]
    return [entry for entry in chosen if entry.contenders]


def looked_into(entries: list[Entry]) -> list[Entry]:
    """The largest of each case in which Otklik works, to be run once more for its stages."""
    by_size = sorted((entry for entry in entries if OURS in entry.contenders), key=lambda entry: entry.rows)
    return [entry for entry in {entry.case: entry for entry in by_size}.values() if not entry.is_logged]


def starts(entries: list[Entry]) -> Iterator[Start]:
    """All processes in their order: contenders take turns, and each round another one begins."""
    for entry in entries:
        for number in range(entry.rounds):
            shift = number % len(entry.contenders)
            for contender in (*entry.contenders[shift:], *entry.contenders[:shift]):
                yield Start(entry, contender, number)
