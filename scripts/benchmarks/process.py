"""Starts a process of the benchmark and watches how much memory it and all it starts take."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from scripts.benchmarks.child import Order
from scripts.benchmarks.work import RESULT

#: Seconds between two looks at the memory.
_PERIOD = 0.1
#: Of the processors' times: idle ones, and those that are counted in others already.
_NOT_BUSY = ("idle", "iowait", "guest", "guest_nice")
#: Lines of its log that a failed process is told by.
_LAST_LINES = 3


@dataclass(frozen=True)
class Memory:
    """The most that was resident at once, in MiB: of Java, of all Python processes, and of both together.

    Pages that processes share count in each of them. A process counts from the second look on that finds it: one that
    was just forked is a copy of its parent, whole memory and all, until it becomes the program that it is to be.
    """

    java: float
    python: float
    together: float


@dataclass(frozen=True)
class Done:
    """How a process ended.

    Attributes:
        result: what it wrote, or None where it failed.
        memory: see `Memory`.
        fault: the last lines it said, where it failed.
        others: share of the machine's processors that others took meanwhile.
    """

    result: dict[str, Any] | None
    memory: Memory
    fault: str
    others: float = 0.0


def run(order: Order, patience: float) -> Done:
    """Run a process to its end, or for so many seconds.

    Args:
        order: its folder is emptied first; log.txt in it holds what it says.
        patience: seconds after which it is ended.
    """
    folder = Path(order.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    with log.open("wb") as said:
        started = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmarks.child", order.to_json()],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env=_environment(order.cores),
            start_new_session=True,
        )
        try:
            seen = watch(started, patience)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    file = folder / RESULT
    if started.returncode == 0 and file.exists():
        return Done(json.loads(file.read_text(encoding="utf-8")), seen.memory, "", seen.others)
    with log.open(encoding="utf-8", errors="replace") as lines:
        last = " / ".join(line.strip() for line in deque(lines, _LAST_LINES))
    fault = last if seen.was_patient else f"given up after {patience:.0f} s"
    return Done(None, seen.memory, fault, seen.others)


class Watch:
    """Looks at a process and all it starts, until it ends."""

    def __init__(self, pid: int) -> None:
        self._tree = psutil.Process(pid)
        self._begun, self._busy_before = time.monotonic(), _busy()
        #: Number of a process → seconds that it has had on a processor.
        self._own: dict[int, float] = {}
        #: The processes that the last look found.
        self._known: set[int] = set()
        self.memory = Memory(0.0, 0.0, 0.0)
        self.was_patient = True
        self.others = 0.0

    @property
    def processor(self) -> float:
        """Seconds that all its processes have had on processors, those of the last looks of each."""
        return sum(self._own.values())

    def look(self) -> None:
        """Note peaks and processor time as they are now."""
        java = python = 0.0
        found: set[int] = set()
        with contextlib.suppress(psutil.Error):
            for process in (self._tree, *self._tree.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times, resident = process.cpu_times(), process.memory_info().rss / 2**20
                    self._own[process.pid] = times.user + times.system
                    found.add(process.pid)
                    if process.pid not in self._known:
                        continue
                    if "java" in process.name():
                        java += resident
                    else:
                        python += resident
        self._known = found
        before = self.memory
        self.memory = Memory(max(before.java, java), max(before.python, python), max(before.together, java + python))

    def end(self) -> None:
        """Work out what others took."""
        of_all = (time.monotonic() - self._begun) * (psutil.cpu_count() or 1)
        self.others = max(0.0, _busy() - self._busy_before - self.processor) / of_all


def watch(started: subprocess.Popen[bytes], patience: float) -> Watch:
    """What was seen until the process ended, or patience did."""
    seen = Watch(started.pid)
    deadline = time.monotonic() + patience
    while started.poll() is None:
        if time.monotonic() > deadline:
            seen.was_patient = False
            break
        seen.look()
        time.sleep(_PERIOD)
    seen.end()
    return seen


def _busy() -> float:
    """Seconds that all processors have worked for anybody, or been taken by the machine's host, since it started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for kind, seconds in times.items() if kind not in _NOT_BUSY))


def _environment(cores: int) -> dict[str, str]:
    """The same number of threads for every library."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    return {**os.environ, **dict.fromkeys(threads, f"{cores}")}
