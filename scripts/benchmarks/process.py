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
from scripts.benchmarks.child import RESULT, Order

#: Seconds between two looks at the memory.
_PERIOD = 0.1
#: Lines of its log that a failed process is told by.
_LAST_LINES = 3


@dataclass(frozen=True)
class Memory:
    """The most that was resident at once, in MiB: of Java, of all Python processes, and of both together.

    Pages that processes share count in each of them.
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
    """

    result: dict[str, Any] | None
    memory: Memory
    fault: str


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
            memory, was_patient = _watch(started, patience)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    file = folder / RESULT
    if started.returncode == 0 and file.exists():
        return Done(json.loads(file.read_text(encoding="utf-8")), memory, "")
    with log.open(encoding="utf-8", errors="replace") as lines:
        last = " / ".join(line.strip() for line in deque(lines, _LAST_LINES))
    return Done(None, memory, last if was_patient else f"given up after {patience:.0f} s")


def _watch(started: subprocess.Popen[bytes], patience: float) -> tuple[Memory, bool]:
    """The peaks until the process ends, and whether it ended by itself."""
    java = python = together = 0.0
    tree = psutil.Process(started.pid)
    deadline = time.monotonic() + patience
    while started.poll() is None:
        if time.monotonic() > deadline:
            return Memory(java, python, together), False
        now_java, now_python = _resident(tree)
        java, python = max(java, now_java), max(python, now_python)
        together = max(together, now_java + now_python)
        time.sleep(_PERIOD)
    return Memory(java, python, together), True


def _resident(tree: psutil.Process) -> tuple[float, float]:
    java = python = 0
    with contextlib.suppress(psutil.Error):
        for process in (tree, *tree.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                resident = process.memory_info().rss
                if "java" in process.name():
                    java += resident
                else:
                    python += resident
    return java / 2**20, python / 2**20


def _environment(cores: int) -> dict[str, str]:
    """The same number of threads for every library."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    return {**os.environ, **dict.fromkeys(threads, f"{cores}")}
