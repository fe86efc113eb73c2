"""Which case is measured at which size, by whom and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from scripts.benchmarks.columns import EVENTS_PER_CUSTOMER
from scripts.benchmarks.contenders import BARE, DUCKDB, OURS, PANDAS, POLARS, XGBOOST

#: Case → what it is, as the page says it.
TITLES = {
    "ingest": "ingest: one CSV file to bronze and silver",
    "features": "features: 27 numbers per customer from its events",
    "train": "train: logistic regression and decision tree, preparation included",
    "forest": "train: random forest of 100 trees, preparation included",
    "growth": "full pipeline on the simulated world: ingest, features, five models, scores, report",
}
#: Case → what is counted.
UNITS = {"features": "events", "growth": "customers"}
_IN_MEMORY = (DUCKDB, POLARS, PANDAS)


@dataclass(frozen=True)
class Entry:
    """A case at a size: who takes part, in how many processes each, with how many warm repetitions in each."""

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


def full(rows: int, rounds: int, warm: int) -> list[Entry]:
    """All cases around a number of rows; at 1,000,000 the sizes of the targets, see `figures`.

    Cases that take minutes have one warm repetition per process; growth is run once, cold, as a user would have it.
    What is likeliest to fail comes first.
    """
    few = min(warm, 1)
    return [
        *(Entry("growth", customers, (OURS,), 1, 0) for customers in (rows, 3 * rows // 10, rows // 10)),
        Entry("ingest", 2 * rows, (OURS, BARE, *_IN_MEMORY), rounds, warm),
        Entry("features", EVENTS_PER_CUSTOMER * rows, (OURS, BARE, *_IN_MEMORY), rounds, warm),
        Entry("train", 4 * rows, (OURS, BARE, PANDAS), rounds, few),
        Entry("ingest", rows, (OURS, BARE), rounds, warm),
        Entry("train", rows, (OURS, BARE), rounds, few),
        Entry("forest", rows, (OURS, BARE, PANDAS, XGBOOST), min(rounds, 2), few),
    ]


def quick() -> list[Entry]:
    """Cases at sizes that are done in five minutes on two cores, once cold and once warm.

    They say whether everything works and roughly where it stands. Starting up and compiling weighs heavily in them.
    """
    return [
        Entry("ingest", 100_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("features", 500_000, (OURS, BARE, *_IN_MEMORY), 1, 1),
        Entry("train", 50_000, (OURS, PANDAS), 1, 1),
        Entry("forest", 20_000, (OURS, PANDAS, XGBOOST), 1, 0),
    ]


def only(entries: list[Entry], cases: Collection[str], contenders: Collection[str]) -> list[Entry]:
    """Those of the named cases, with the named contenders; empty means all."""
    chosen = [
        replace(entry, contenders=tuple(name for name in entry.contenders if not contenders or name in contenders))
        for entry in entries
        if not cases or entry.case in cases
    ]
    return [entry for entry in chosen if entry.contenders]


def starts(entries: list[Entry]) -> Iterator[Start]:
    """All processes in their order: contenders take turns, and each round another one begins."""
    for entry in entries:
        for number in range(entry.rounds):
            shift = number % len(entry.contenders)
            for contender in (*entry.contenders[shift:], *entry.contenders[:shift]):
                yield Start(entry, contender, number)
