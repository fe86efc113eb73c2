"""Real commands, really killed. The quick suite tries two fault points, the rest is long."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.harness import VICTIMS, Ahead, Bench, Result, drafts, kill_at_point, kill_at_random, stage_named
from tests.faults.pairs import PAIRS, Pair, run_pair, run_without_lease
from tests.faults.small_lake import INGESTS
from tests.faults.stop_at import POINTS

#: Before the ledger; the others are long.
QUICK = ["after commit, before ledger"]
SLOW = [point for point in POINTS if point not in QUICK]


@pytest.fixture(scope="module")
def ahead(bench: Bench) -> Iterator[Ahead]:
    with contextlib.closing(Ahead(bench, QUICK)) as ahead:
        yield ahead


@pytest.fixture(scope="module")
def further_ahead(bench: Bench) -> Iterator[Ahead]:
    with contextlib.closing(Ahead(bench, SLOW)) as ahead:
        yield ahead


def check(result: Result) -> None:
    assert result.reached, f"{result.name}: the command was over before it was killed"
    assert result.differences == ()


@pytest.mark.parametrize("point", QUICK)
def test_killed_at_a_point(bench: Bench, ahead: Ahead, point: str) -> None:
    check(kill_at_point(bench, point, VICTIMS[QUICK.index(point) % len(VICTIMS)], ahead.take(point)))


@pytest.mark.long
@pytest.mark.parametrize("point", SLOW)
def test_killed_at_a_further_point(bench: Bench, further_ahead: Ahead, point: str) -> None:
    check(kill_at_point(bench, point, VICTIMS[SLOW.index(point) % len(VICTIMS)], further_ahead.take(point)))


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 4, 2, 3])
def test_killed_at_a_random_moment(bench: Bench, seed: int) -> None:
    """The first two seeds kill the same command, which has to be timed only once."""
    chance = random.Random(seed)
    stage = chance.choice(INGESTS)
    result = kill_at_random(bench, stage, chance.choice(VICTIMS), chance.uniform(0, 1.1))
    assert result.differences == ()


@pytest.mark.long
@pytest.mark.parametrize("share", [0.35, 0.5, 0.65, 0.8, 0.95])
def test_reingest_killed_at_a_random_moment(bench: Bench, share: float) -> None:
    """Beside five named points."""
    victim = VICTIMS[int(share * 100) % len(VICTIMS)]
    assert kill_at_random(bench, stage_named("reingest"), victim, share).differences == ()


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_two_writers(bench: Bench, pair: Pair) -> None:
    assert run_pair(bench, pair, share=0.5).differences == ()


class LostCommitError(AssertionError):
    """What must happen without the lease; every other failure of the test below is one."""


@pytest.mark.long
@pytest.mark.xfail(
    strict=True, raises=LostCommitError, reason="the second writer takes the first one's commits for a dead run's"
)
def test_two_writers_without_the_lease(bench: Bench) -> None:
    result = run_without_lease(bench)

    assert result.reached, "the first one never stood between bronze and silver"
    assert result.codes == (0, 0)
    if any(difference.startswith("bronze.calls: ") for difference in result.differences):
        raise LostCommitError(result.differences)
    assert result.differences == ()


def test_drafts_are_seen_though_they_are_hidden(tmp_path: Path) -> None:
    log = tmp_path / "silver" / "calls" / "_delta_log"
    log.mkdir(parents=True)
    for name in (
        "00000000000000000000.json",
        ".00000000000000000000.json.crc",
        "..00000000000000000001.json.0a.tmp.crc",
    ):
        (log / name).touch()
    assert drafts(tmp_path) == ()

    (log / ".00000000000000000001.json.0a.tmp").touch()

    assert drafts(tmp_path) == ("silver/calls/_delta_log/.00000000000000000001.json.0a.tmp",)


def test_every_point_belongs_to_a_stage() -> None:
    assert all(stage_named(point.stage) for point in POINTS.values())
