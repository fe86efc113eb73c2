"""What was promised of the speed, and whether it holds. The sizes are those at which it was promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripts.benchmarks.contenders import BARE, OURS
from scripts.benchmarks.figures import Board, Spread, exponent

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
        spread: of the value over the rounds, where it is one of seconds.
    """

    text: str
    limit: float
    value: Callable[[Sequence[Board]], float | None]
    spread: Callable[[Sequence[Board]], Spread | None] = lambda _: None


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it."""

    text: str
    limit: float
    value: float | None
    spread: Spread | None = None

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
    return [Verdict(bar.text, bar.limit, bar.value(boards), bar.spread(boards)) for bar in bars]


def _of_time(text: str, limit: float, case: str, to: str, *, largest: bool = True) -> Bar:
    """Seconds of ours over another's, at the largest size of a case or at its smallest."""

    def value(boards: Sequence[Board]) -> float | None:
        board = _of_case(boards, case, largest=largest)
        return None if board is None else board.ratio(OURS, to)

    def over_rounds(boards: Sequence[Board]) -> Spread | None:
        board = _of_case(boards, case, largest=largest)
        return None if board is None else board.ratios(OURS, to)

    return Bar(text, limit, value, over_rounds)


def _of_case(boards: Sequence[Board], case: str, *, largest: bool) -> Board | None:
    """A case at its largest size or at its smallest."""
    sizes = sorted((board for board in boards if board.case == case), key=lambda board: board.rows)
    return sizes[-1 if largest else 0] if sizes else None


def _memory(boards: Sequence[Board]) -> float | None:
    board = _of_case(boards, "train", largest=True)
    ours, peer = (None, None) if board is None else (board.of(OURS), board.of(PEER))
    if ours is None or peer is None or ours.together is None or peer.together is None:
        return None
    return ours.together.median / peer.together.median


def overhead(boards: Sequence[Board]) -> float | None:
    """Seconds of ours over those of bare Spark, ingest, features and training added up, at the smaller size of each."""
    ours = bare = 0.0
    for case in _WRAPPED:
        board = _of_case(boards, case, largest=False)
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
    _of_time("ingest over bare Spark", 1.15, "ingest", BARE),
    _of_time("features over DuckDB", 3.0, "features", DUCKDB),
    _of_time("features over pandas", 0.5, "features", PEER),
    _of_time("logistic regression and decision tree over scikit-learn", 0.8, "train", PEER),
    Bar("peak memory of the same over scikit-learn's", 1.0, _memory),
    *(_of_time(f"{case} of fewer rows over bare Spark", 1.15, case, BARE, largest=False) for case in _WRAPPED),
    Bar("the three together over bare Spark", 1.15, overhead),
)
