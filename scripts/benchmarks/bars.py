"""What was promised of the speed, and whether it holds. The sizes are those at which it was promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripts.benchmarks.contenders import BARE, OURS
from scripts.benchmarks.figures import Board, Figure, Spread, exponent, ratios_of, spread

PEER, DUCKDB = "pandas_sklearn", "with_duckdb"
#: A case, and which of its sizes: 0 is the smallest, -1 the largest.
Size = tuple[str, int]
#: The jobs that the framework wraps and bare Spark does too, at 1,000,000 rows; a row of features is a customer. Not
#: score: ours gives reasons, bare Spark does not.
_WRAPPED: tuple[Size, ...] = (("ingest", 0), ("features", -1), ("train", 0))


@dataclass(frozen=True)
class Bar:
    """A promise.

    Args:
        text: in words.
        limit: the most that the value may be.
        sizes: the boards that it is about.
        value: from these; None where it was not measured.
        spread: of the value over the rounds; None where there was one.
    """

    text: str
    limit: float
    sizes: tuple[Size, ...]
    value: Callable[[Sequence[Board]], float | None]
    spread: Callable[[Sequence[Board]], Spread | None]


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it; a fault says why there is no value."""

    text: str
    limit: float
    value: float | None
    spread: Spread | None = None
    fault: str = ""

    @property
    def holds(self) -> bool | None:
        """None where it was not measured; what failed does not hold."""
        if self.value is None:
            return False if self.fault else None
        return self.value <= self.limit


def verdicts(boards: Sequence[Board]) -> list[Verdict]:
    """Every promise against the boards of a plan."""
    parts = dict.fromkeys(part for b in boards if b.case == "growth" for f in b.figures for part in f.parts)
    return [_verdict(bar, boards) for bar in (*_BARS, *(_growth(part) for part in [*parts, None]))]


def _verdict(bar: Bar, boards: Sequence[Board]) -> Verdict:
    found = [board for size in bar.sizes if (board := _board(boards, *size)) is not None]
    if len(found) < len(bar.sizes):
        return Verdict(bar.text, bar.limit, None)
    ours = [figure for board in found for figure in board.figures if figure.contender == OURS]
    faults = [figure.fault for figure in ours if figure.is_tried and not figure.is_sound]
    return Verdict(bar.text, bar.limit, bar.value(found), bar.spread(found), next(iter(faults), ""))


def _board(boards: Sequence[Board], case: str, place: int) -> Board | None:
    sizes = sorted((board for board in boards if board.case == case), key=lambda board: board.rows)
    return sizes[place] if -len(sizes) <= place < len(sizes) else None


def _of_time(text: str, limit: float, size: Size, to: str) -> Bar:
    """Seconds of ours over another's."""
    return Bar(text, limit, (size,), lambda found: found[0].ratio(OURS, to), lambda found: found[0].ratios(OURS, to))


def _pair(board: Board, to: str) -> tuple[Figure, Figure] | None:
    """The figures of ours and another, where both count."""
    ours, other = board.of(OURS), board.of(to)
    return None if ours is None or other is None else (ours, other)


def _memory(found: Sequence[Board]) -> float | None:
    pair = _pair(found[0], PEER)
    if pair is None or pair[0].together is None or pair[1].together is None:
        return None
    return pair[0].together.median / pair[1].together.median


def _memory_of_rounds(found: Sequence[Board]) -> Spread | None:
    pair = _pair(found[0], PEER)
    return None if pair is None else ratios_of(pair[0].memory_of_rounds, pair[1].memory_of_rounds)


def _overhead(found: Sequence[Board]) -> float | None:
    """Seconds of ours over those of bare Spark, all added up."""
    pairs = [_pair(board, BARE) for board in found]
    seconds = [[f.decisive.median for f in pair if f.decisive is not None] for pair in pairs if pair is not None]
    if len(seconds) < len(pairs):
        return None
    return sum(ours for ours, _ in seconds) / sum(bare for _, bare in seconds)


def _overhead_of_rounds(found: Sequence[Board]) -> Spread | None:
    pairs = [pair for board in found if (pair := _pair(board, BARE)) is not None]
    numbers = set.intersection(*({*figure.rounds} for pair in pairs for figure in pair)) if pairs else set()
    return spread([
        sum(ours.rounds[number] for ours, _ in pairs) / sum(bare.rounds[number] for _, bare in pairs)
        for number in sorted(numbers)
    ])  # fmt: skip


def _growth(part: str | None) -> Bar:
    """Each size is run once: there is no spread."""
    return Bar(
        f"growth of {part or 'all together'} between the two largest worlds, exponent",
        1.1,
        (("growth", -2), ("growth", -1)),
        lambda found: exponent(found[0], found[1], part),
        lambda _: None,
    )


_BARS = (
    _of_time("ingest over bare Spark", 1.15, ("ingest", -1), BARE),
    _of_time("features over DuckDB", 3.0, ("features", -1), DUCKDB),
    _of_time("features over pandas", 0.5, ("features", -1), PEER),
    _of_time("logistic regression and decision tree over scikit-learn", 0.8, ("train", -1), PEER),
    Bar("peak memory of the same over scikit-learn's", 1.0, (("train", -1),), _memory, _memory_of_rounds),
    _of_time("ingest of half as many rows over bare Spark", 1.15, ("ingest", 0), BARE),
    _of_time("features over bare Spark", 1.15, ("features", -1), BARE),
    _of_time("training on a quarter of these rows over bare Spark", 1.15, ("train", 0), BARE),
    Bar("these three together over bare Spark", 1.15, _WRAPPED, _overhead, _overhead_of_rounds),
)
