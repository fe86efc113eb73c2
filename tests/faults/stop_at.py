"""Run an otklik command that stops at a named fault point and waits there to be killed.

    python -m tests.faults.stop_at POINT MARK LAKE -- ingest …

When the point is reached the file MARK appears. Points in Python are reached before a function is called; points in the
JVM are reached when Delta has written its data and is about to put a commit in place: the JVM is stopped there.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from otklik import cli


@dataclass(frozen=True)
class Point:
    """A fault point.

    Attributes:
        stage: the command of the small lake that passes it.
        before: `module:function` (or `module:Class.method`) that is never called; or
        commit_of: the table whose next commit never gets in place.
        which: of several calls or commits, the how manieth.
        holding: text that stands in the representation of the call's arguments.
        then: a command that comes between the kill and the same command again.
    """

    stage: str
    before: str = ""
    commit_of: str = ""
    which: int = 1
    holding: str = ""
    then: tuple[str, ...] = ()


POINTS = {
    "after read": Point("ingest july", before="otklik.steps.batch:write_bronze"),
    "after files, before commit of bronze": Point("ingest july", commit_of="bronze.calls"),
    "between bronze and silver": Point("ingest july", before="otklik.steps.batch:write_silver"),
    "after files, before commit of silver": Point("ingest july", commit_of="silver.calls"),
    "after commit, before ledger": Point("ingest july", before="otklik.lake.ledger:FileLedger.record"),
    "first commit of all": Point("ingest june", commit_of="bronze.calls"),
    "before bronze is made": Point(
        "ingest june", before="pathlib:Path.hardlink_to", holding="bronze/calls", then=("maintain",)
    ),
    "before the ledger is made": Point(
        "ingest june", before="pathlib:Path.hardlink_to", holding="ops/files", then=("maintain",)
    ),
    "before the ledger has its first row": Point("ingest june", before="otklik.lake.local:LocalLake.append"),
    "replaced in bronze, not in silver": Point("replace august", before="otklik.steps.batch:write_silver"),
    "replaced in silver, not in the ledger": Point("replace august", before="otklik.lake.ledger:FileLedger.record"),
    "before commit of the ledger": Point("replace august", commit_of="ops.files"),
    "several files, before commit of silver": Point("ingest months", commit_of="silver.calls"),
    "several files, between bronze and silver": Point("ingest months", before="otklik.steps.batch:write_silver"),
    "several files, before ledger": Point("ingest months", before="otklik.lake.ledger:FileLedger.record"),
    "reingest, before commit of silver": Point("reingest", commit_of="silver.calls"),
    "reingest, between silver and rejected": Point("reingest", before="otklik.lake.store:Lake.replace"),
    "reingest, before commit of rejected": Point("reingest", commit_of="bronze.rejected"),
    "reingest, before ledger": Point("reingest", before="otklik.lake.ledger:FileLedger.rebuild"),
    "reingest, before commit of the ledger": Point("reingest", commit_of="ops.files"),
    "features, before ledger": Point("features", before="otklik.steps.features:record_run"),
    "evaluated, not promoted": Point("train", before="otklik.steps.train:promote"),
    "during model save": Point("train", before="otklik.lake.folder:Folder.write", holding="manifest.json"),
    "model saved, before the pointer": Point("train", before="otklik.models.registry:register"),
    "pointer, before ledger": Point("train", before="otklik.steps.train:record_run"),
    "scores, no list": Point("score", before="otklik.steps.score:_write_list"),
    "before the report is put in place": Point(
        "report", before="otklik.lake.folder:Folder._put_in_place", holding="report/calls"
    ),
    "during OPTIMIZE": Point("maintain", commit_of="silver.calls"),
    "between compacting and vacuuming": Point("maintain", before="otklik.lake.maintenance:vacuum", which=2),
}


def main() -> None:
    """Stop at the point of the command line."""
    point, mark, lake = POINTS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    if point.before:
        _stop_before(point, mark)
    else:
        table = lake.joinpath(*point.commit_of.split("."))
        threading.Thread(target=_stop_before_commit, args=(table, point.which, mark), daemon=True).start()
    sys.exit(cli.main(sys.argv[5:]))


def wait_at(mark: Path) -> None:
    """Say that the point is reached; nothing else happens in this process until it is killed, or the mark is gone."""
    mark.touch()
    while mark.exists():
        time.sleep(0.1)


def _stop_before(point: Point, mark: Path) -> None:
    module_name, _, path = point.before.partition(":")
    owner: Any = importlib.import_module(module_name)
    *owners, name = path.split(".")
    for each in owners:
        owner = getattr(owner, each)
    original, calls = getattr(owner, name), 0

    @functools.wraps(original)
    def stop(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        if point.holding in repr(arguments):
            calls += 1
            if calls == point.which:
                wait_at(mark)
        return original(*arguments, **named)

    setattr(owner, name, stop)


def _stop_before_commit(table: Path, which: int, mark: Path) -> None:
    """Stop the JVM while the table's next commit is a temporary file: it is written, and not yet moved into place."""
    log, seen = table / "_delta_log", set[str]()
    java = None
    while True:
        drafts = {name for name in _names(log) if name.endswith(".tmp") and ".json." in name}
        if drafts - seen:
            java = java or next(iter(java_of(os.getpid())), None)
            if len(seen | drafts) >= which and java is not None:
                java.send_signal(signal.SIGSTOP)
                if drafts & _names(log):
                    mark.touch()
                    return
                java.send_signal(signal.SIGCONT)
            seen |= drafts
        # A draft lives for a millisecond or two.
        time.sleep(0.0001)


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except FileNotFoundError:
        return set()


def java_of(pid: int) -> list[psutil.Process]:
    """The JVMs that a process started."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        # While Spark starts, shells come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "java" in child.name():
                found.append(child)
    return found


if __name__ == "__main__":
    main()
