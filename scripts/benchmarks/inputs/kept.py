"""Which files a case needs, and making those that are not there yet."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession
from scripts.benchmarks.inputs import bank, events

from otklik import world
from otklik.world.writing import write_world

#: Rows from which a model is fitted that is then only used.
ROWS_TO_LEARN = 20_000
_WORLD_SEED = 7
#: What decides the content of the inputs: this room, and for the world Otklik's own.
_MADE_BY = {"world": sorted(Path(world.__file__).parent.glob("*.*"))}

Writer = Callable[[SparkSession, int, Path], None]


def _write_world(spark: SparkSession, customers: int, target: Path) -> None:
    write_world(spark, customers, _WORLD_SEED, str(target))


_WRITERS: dict[str, tuple[str, Writer]] = {
    "csv": ("bank.csv", bank.write_csv),
    "rows": ("rows", bank.write_table),
    "lake": ("lake", events.write_lake),
    "world": ("world", _write_world),
}


def wanted(case: str, rows: int) -> dict[str, tuple[str, int]]:
    """Name of an input → its kind and size."""
    return {
        "ingest": {"file": ("csv", rows)},
        "features": {"lake": ("lake", rows)},
        "clustering": {"lake": ("lake", rows)},
        "train": {"rows": ("rows", rows)},
        "forest": {"rows": ("rows", rows)},
        "faster_forest": {"rows": ("rows", rows)},
        "score": {"rows": ("rows", rows), "learn": ("rows", min(rows, ROWS_TO_LEARN))},
        "pipeline": {"file": ("csv", rows)},
        "growth": {"world": ("world", rows)},
    }[case]


def place(folder: Path, kind: str, size: int) -> Path:
    """Where an input lies."""
    return folder / f"{kind}-{size}-{_version(kind)}" / _WRITERS[kind][0]


def inputs_of(folder: Path, case: str, rows: int) -> dict[str, Path]:
    """The inputs of a case by name, made already."""
    return {name: place(folder, kind, size) for name, (kind, size) in wanted(case, rows).items()}


def missing(folder: Path, case: str, rows: int) -> list[tuple[str, int]]:
    """Kinds and sizes that a case needs and that are not there yet."""
    return [(kind, size) for kind, size in wanted(case, rows).values() if not _is_whole(place(folder, kind, size))]


def make(spark: SparkSession, folder: Path, kind: str, size: int) -> None:
    """Make an input afresh; one that was begun and not finished is thrown away."""
    target = place(folder, kind, size)
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    _WRITERS[kind][1](spark, size, target)
    _stamp(target).touch()


@functools.cache
def _version(kind: str) -> str:
    """A hash of what decides the content: files of other code are other files."""
    files = _MADE_BY.get(kind, [Path(__file__).parent / name for name in ("bank.py", "columns.py", "events.py")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:8]


def _is_whole(target: Path) -> bool:
    return _stamp(target).exists()


def _stamp(target: Path) -> Path:
    return target.parent / "whole"
