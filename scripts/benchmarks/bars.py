"""What was promised of the speed, and whether it holds. The sizes are those at which it was promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripts.benchmarks.contenders import BARE, OURS
from scripts.benchmarks.figures import Board, exponent

PEER, DUCKDB = "pandas_sklearn", "with_duckdb"
#: The jobs that the framework wraps and bare Spark does too. Not score: ours gives reasons, bare Spark does not.
_WRAPPED = ("ingest", "features", "train")


@dataclass(frozen=True)
class Bar:
    """A promise.

    Args:
        text: in words.
        limit: the most that the value may be.
        value: from the boards of a plan; None where it was not measured.
    """

    text: str
    limit: float
    value: Callable[[Sequence[Board]], float | None]


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it."""

    text: str
    limit: float
    value: float | None

    @property
    def holds(self) -> bool | None:
        """None where it was not measured."""
        return None if self.value is None else self.value <= self.limit


def verdicts(boards: Sequence[Board]) -> list[Verdict]:
    """Every promise against the boards of a plan."""
    growth_parts = list(
        dict.fromkeys(part for b in boards if b.case == "growth" for f in b.figures for part in f.parts)
    )
    bars = [*_BARS, *(_growth(part) for part in growth_parts or ["every job"])]
    return [Verdict(bar.text, bar.limit, bar.value(boards)) for bar in bars]


def _largest(boards: Sequence[Board], case: str) -> Board | None:
    return max((board for board in boards if board.case == case), key=lambda board: board.rows, default=None)


def _time(case: str, to: str) -> Callable[[Sequence[Board]], float | None]:
    def value(boards: Sequence[Board]) -> float | None:
        board = _largest(boards, case)
        return None if board is None else board.ratio(OURS, to)

    return value


def _memory(boards: Sequence[Board]) -> float | None:
    board = _largest(boards, "train")
    ours, peer = (None, None) if board is None else (board.of(OURS), board.of(PEER))
    if ours is None or peer is None or ours.together is None or peer.together is None:
        return None
    return ours.together.median / peer.together.median


def overhead(boards: Sequence[Board]) -> float | None:
    """Seconds of ours over those of bare Spark, ingest, features and training added up, at the smaller size of each."""
    ours = bare = 0.0
    for case in _WRAPPED:
        board = min((b for b in boards if b.case == case), key=lambda b: b.rows, default=None)
        one, other = (None, None) if board is None else (board.of(OURS), board.of(BARE))
        if one is None or other is None or one.decisive is None or other.decisive is None:
            return None
        ours += one.decisive.median
        bare += other.decisive.median
    return ours / bare


def _growth(part: str) -> Bar:
    def value(boards: Sequence[Board]) -> float | None:
        sizes = sorted((board for board in boards if board.case == "growth"), key=lambda board: board.rows)
        return exponent(sizes[-2], sizes[-1], part) if len(sizes) > 1 else None

    return Bar(f"growth of {part} between the two largest worlds, exponent", 1.1, value)


_BARS = (
    Bar("ingest over bare Spark", 1.15, _time("ingest", BARE)),
    Bar("features over DuckDB", 3.0, _time("features", DUCKDB)),
    Bar("features over pandas", 0.5, _time("features", PEER)),
    Bar("logistic regression and decision tree over scikit-learn", 0.8, _time("train", PEER)),
    Bar("peak memory of the same over scikit-learn's", 1.0, _memory),
    Bar("ingest, features and training together over bare Spark", 1.15, overhead),
)
