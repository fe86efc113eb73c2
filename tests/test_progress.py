from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from time import sleep

import pytest

from otklik.progress import JsonProgress, Progress

ALMATY = timezone(timedelta(hours=5))


def seconds_since_start() -> Callable[[], float]:
    """A clock of which every look takes a second."""
    ticks = count()
    return lambda: float(next(ticks))


def work(progress: Progress) -> None:
    """What a step of each kind says."""
    with progress.step("ingest клиенты.csv") as step:
        step.rows(5_000)
        step.rows(50, "duplicates")
        step.say("instead of the 10 rows of the earlier file")
    progress.line("  reused")
    progress.warn("the rate has moved")
    progress.fail("broken.csv: is empty", 3)


def test_a_person_sees_one_line_per_step_with_counts_and_seconds() -> None:
    said = io.StringIO()
    work(Progress(said, seconds_since_start(), is_live=False))

    lines = said.getvalue().splitlines()
    assert lines[0].split("  ")[1] == "ingest клиенты.csv"
    assert "5,000 rows, 50 duplicates, instead of the 10 rows of the earlier file" in lines[0]
    assert lines[0].endswith(" 1.0 s")
    assert lines[1:] == ["  reused", "  warning: the rate has moved", "otklik: broken.csv: is empty"]


def test_a_terminal_sees_the_step_that_runs_and_then_its_line() -> None:
    said = io.StringIO()
    progress = Progress(said, seconds_since_start(), is_live=True)

    with progress.step("train") as step:
        step.under_way("fold 3 of 10")
        while "fold 3 of 10" not in said.getvalue():
            sleep(0.01)
        step.rows(7)

    running, _, done = said.getvalue().rpartition("\r\x1b[2K")
    assert running.startswith("\r\x1b[2K… train")
    assert done.split() == ["train", "7", "rows", done.split()[-2], "s"]


def test_the_running_step_fits_into_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said = io.StringIO()

    with Progress(said, seconds_since_start(), is_live=True).step("train"):
        while "train" not in said.getvalue():
            sleep(0.01)

    assert all(len(line) < 60 for line in said.getvalue().split("\r\x1b[2K")[:-1])


def test_where_nobody_reads_any_more_the_work_goes_on() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        work(Progress(stream, seconds_since_start(), is_live=False))


def test_a_machine_reads_one_object_per_line() -> None:
    said = io.StringIO()
    work(JsonProgress(said, seconds_since_start(), lambda: datetime(2026, 3, 31, 5, tzinfo=ALMATY), "ingest"))

    always = {"time": "2026-03-31T00:00:00.000Z", "command": "ingest"}
    assert [json.loads(line) for line in said.getvalue().splitlines()] == [
        {
            **always,
            "level": "info",
            "step": "ingest клиенты.csv",
            "seconds": 1.0,
            "counts": {"rows": 5_000, "duplicates": 50},
            "notes": ["instead of the 10 rows of the earlier file"],
        },
        {**always, "level": "info", "message": "reused"},
        {**always, "level": "warning", "message": "the rate has moved"},
        {**always, "level": "error", "message": "broken.csv: is empty", "exit_code": 3},
    ]


def test_a_step_that_fails_says_nothing_of_its_own() -> None:
    said = io.StringIO()

    with pytest.raises(ValueError), JsonProgress(said, lambda: 0.0, lambda: datetime.now(UTC), "x").step("x"):
        raise ValueError

    assert said.getvalue() == ""
