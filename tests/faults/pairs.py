"""Two writers on one lake at once: both must end well, and no commit of either may be lost."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.harness import Bench, Result, drafts, fingerprint, start, wait_for
from tests.faults.small_lake import write_more

from otklik.errors import BusyError


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


def run_without_lease(bench: Bench) -> Result:
    """One ingest that took no lease is held between bronze and silver until another one has ended; then it goes on."""
    pair, begun = PAIRS[0], time.monotonic()
    _write_files(bench)
    lake = bench.before(pair.before)
    mark = lake.with_suffix(".mark")
    module = [sys.executable, "-m", "tests.faults.without_lease", "between bronze and silver", str(mark), str(lake)]
    first = start([*module, "--", *bench.command(lake, *pair.first)[3:]])
    reached = wait_for(mark, first)
    second_code = bench.run(lake, *pair.second)
    mark.unlink(missing_ok=True)
    codes = first.wait(), second_code
    differences, seconds = _differences(bench, pair, lake, codes), round(time.monotonic() - begun, 1)
    return Result(pair.name, "both", differences, seconds, reached=reached, codes=codes)


def run_pair(bench: Bench, pair: Pair, share: float) -> Result:
    """Start both, the second after this share of the first one's usual time; compare with one after the other.

    The second runs in this process, whose session is warm, so that the two meet at many moments: either may come to
    the lease first. They met where one said that it waits for the other, or was refused.
    """
    _write_files(bench)
    lag, begun = share * bench.seconds(pair.before, pair.first), time.monotonic()
    lake = bench.before(pair.before)
    said_by_first, said_by_second = lake.with_suffix(".said"), io.StringIO()
    first = start(bench.command(lake, *pair.first), said_by_first)
    time.sleep(lag)
    with contextlib.redirect_stderr(said_by_second):
        second_code = bench.run(lake, *pair.second)
    codes = first.wait(), second_code
    said = said_by_first.read_text(encoding="utf-8") + said_by_second.getvalue()
    met = "waiting up to" in said or BusyError.exit_code in codes
    said_by_first.unlink()
    differences, seconds = _differences(bench, pair, lake, codes), round(time.monotonic() - begun, 1)
    return Result(pair.name, "both", differences, seconds, met=met, codes=codes)


def _write_files(bench: Bench) -> None:
    write_more(bench.files, "one.csv", 1_000, 40)
    write_more(bench.files, "two.csv", 2_000, 40)


def _differences(bench: Bench, pair: Pair, lake: Path, codes: tuple[int, int]) -> tuple[str, ...]:
    """In what the lake is not as after one command and then the other, in either order."""
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
    differences += tuple(f"{draft}: left behind by commands that nobody killed" for draft in drafts(lake))
    if not differences:
        shutil.rmtree(lake)
    return differences


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
