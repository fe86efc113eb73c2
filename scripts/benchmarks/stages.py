"""Where the time of a run goes, from the event log that Spark itself writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Stages that are named.
_NAMED = 3


@dataclass(frozen=True)
class Spent:
    """What one repetition spent.

    Attributes:
        wall: seconds from start to end.
        running: seconds of these in which some task ran; in the others the driver plans, commits or computes.
        tasks: seconds of all tasks together.
        cpu: of these, on a processor.
        collecting: of these, in Java's garbage collector.
        read_mib: read from files.
        shuffled_mib: written for other tasks.
        spilled_mib: that memory could not hold.
        longest: the longest stages, as `seconds: what Spark calls it`.
    """

    wall: float
    running: float
    tasks: float
    cpu: float
    collecting: float
    read_mib: float
    shuffled_mib: float
    spilled_mib: float
    longest: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def spent_between(folder: Path, begun: float, ended: float) -> Spent:
    """Add up the stages that started in a span of time.

    Args:
        folder: of the event log.
        begun: seconds since 1970.
        ended: the same.
    """
    stages: list[dict[str, Any]] = []
    metrics: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in _events(folder):
        if event["Event"] == "SparkListenerStageCompleted":
            stages.append(event["Stage Info"])
        elif event["Event"] == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            key = (event["Stage ID"], event["Stage Attempt ID"])
            metrics.setdefault(key, []).append(event["Task Metrics"])
    mine = [stage for stage in stages if begun <= stage.get("Submission Time", 0) / 1000 <= ended]
    spans = [(stage["Submission Time"] / 1000, stage["Completion Time"] / 1000) for stage in mine]
    tasks = [task for stage in mine for task in metrics.get((stage["Stage ID"], stage["Stage Attempt ID"]), [])]
    longest = sorted(mine, key=lambda stage: stage["Submission Time"] - stage["Completion Time"])
    return Spent(
        wall=ended - begun,
        running=_covered(spans),
        tasks=sum(task["Executor Run Time"] for task in tasks) / 1e3,
        cpu=sum(task["Executor CPU Time"] for task in tasks) / 1e9,
        collecting=sum(task["JVM GC Time"] for task in tasks) / 1e3,
        read_mib=sum(task["Input Metrics"]["Bytes Read"] for task in tasks) / 2**20,
        shuffled_mib=sum(task["Shuffle Write Metrics"]["Shuffle Bytes Written"] for task in tasks) / 2**20,
        spilled_mib=sum(task["Disk Bytes Spilled"] for task in tasks) / 2**20,
        longest=tuple(
            f"{(stage['Completion Time'] - stage['Submission Time']) / 1000:.1f}: {stage['Stage Name']}"
            for stage in longest[:_NAMED]
        ),
    )


def _events(folder: Path) -> Iterable[dict[str, Any]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie in any of the spans."""
    covered, until = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered
