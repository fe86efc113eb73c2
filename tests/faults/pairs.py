"""Two writers on one lake at once: both must end well, and no commit of either may be lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.faults.harness import Bench, Result, fingerprint, stage_named, start
from tests.faults.small_lake import write_more


@dataclass(frozen=True)
class Pair:
    """Two commands, and the stage of the small lake before which they start."""

    name: str
    before: str
    first: tuple[str, ...]
    second: tuple[str, ...]


_INGEST_ONE = ("ingest", "{files}/calls.toml", "{files}/one.csv")
_INGEST_TWO = ("ingest", "{files}/calls.toml", "{files}/two.csv")
_FEATURES = ("features", "{files}/calls_task.toml")
_TRAIN = ("train", "{files}/calls_task.toml")

PAIRS = (
    Pair("ingest and ingest", "ingest august", _INGEST_ONE, _INGEST_TWO),
    Pair("ingest and the same ingest", "ingest august", _INGEST_ONE, _INGEST_ONE),
    Pair("ingest and features", "features", _INGEST_ONE, _FEATURES),
    Pair("train and train", "train", _TRAIN, _TRAIN),
    Pair("ingest and maintain", "ingest august", _INGEST_ONE, ("maintain",)),
)


def run_pair(bench: Bench, pair: Pair, lag: float) -> Result:
    """Start both, the second so many seconds after the first; compare with one after the other in either order.

    The second runs in this process, whose session is warm, so that the two meet at many moments.
    """
    write_more(bench.files, "one.csv", 1_000, 40)
    write_more(bench.files, "two.csv", 2_000, 40)
    begun = time.monotonic()
    lake = bench.before(pair.before)
    first = start(bench.command(lake, *pair.first))
    time.sleep(lag)
    second_code = bench.run(lake, *pair.second)
    codes = first.wait(), second_code
    found = fingerprint(bench.spark, lake)
    expected = [_one_after_the_other(bench, pair, order) for order in (False, True)]
    differences: tuple[str, ...] = ()
    if codes != (0, 0):
        differences = (f"they ended with {codes}",)
    elif found not in expected:
        differences = tuple(
            f"{name}: {found.get(name)} instead of {expected[0].get(name)}"
            for name in sorted({*found, *expected[0]})
            if found.get(name) != expected[0].get(name)
        )
    if not differences:
        shutil.rmtree(lake)
    return Result(pair.name, "both", True, differences, round(time.monotonic() - begun, 1))


_KNOWN: dict[tuple[str, bool], dict[str, str]] = {}


def _one_after_the_other(bench: Bench, pair: Pair, second_first: bool) -> dict[str, str]:
    key = (pair.name, second_first)
    if key not in _KNOWN:
        lake = bench.before(pair.before)
        commands = (pair.second, pair.first) if second_first else (pair.first, pair.second)
        for arguments in commands:
            bench.run(lake, *arguments)
        _KNOWN[key] = fingerprint(bench.spark, lake)
        shutil.rmtree(lake)
    return _KNOWN[key]


def lose_a_commit(bench: Bench) -> tuple[str, ...]:
    """Two ingests without a lease, the first held up while it puts a commit in place; what the lake then lacks.

    This is how Delta loses commits on a local disk: it looks whether the version is free, writes a draft and moves it
    there, whatever has come there in between.

    Raises:
        TimeoutError: if the first could not be held up in time.
    """
    write_more(bench.files, "one.csv", 1_000, 40)
    write_more(bench.files, "two.csv", 2_000, 40)
    stage = stage_named("ingest august").name
    expected = _one_after_the_other(bench, PAIRS[0], second_first=False)
    lake = bench.before(stage)
    mark = lake.with_suffix(".mark")
    first = start(_without_lease(bench, lake, _INGEST_ONE, mark))
    until = time.monotonic() + 120
    while not mark.exists():
        if first.poll() is not None or time.monotonic() > until:
            raise TimeoutError("the first ingest was over before it could be held up")
        time.sleep(0.05)
    java = [child for child in psutil.Process(first.pid).children(recursive=True) if "java" in child.name()]
    second = start(_without_lease(bench, lake, _INGEST_TWO, Path(os.devnull)))
    second.wait()
    for each in java:
        each.send_signal(signal.SIGCONT)
    first.wait()
    found = fingerprint(bench.spark, lake)
    shutil.rmtree(lake)
    mark.unlink()
    return tuple(name for name in expected if found.get(name) != expected[name])


def _without_lease(bench: Bench, lake: Path, arguments: tuple[str, ...], mark: Path) -> list[str]:
    ordinary = bench.command(lake, *arguments)
    return [ordinary[0], "-m", "tests.faults.without_lease", str(mark), str(lake), "--", *ordinary[3:]]
