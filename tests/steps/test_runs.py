"""What a start that fails is told as."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from tests.bench import job_on

from otklik.errors import MissingResultError
from otklik.lake.ledger import Run, record_run
from otklik.lake.store import Lake
from otklik.progress import Progress
from otklik.steps.context import Job
from otklik.steps.runs import record_failure, say_how_long

REPORT = Run(
    run_id="1", job="report", task="calls", as_of=None, status="failed",
    inputs={"silver.calls": "3", "language": "en", "model": "run_1 2", "page": "calls.html"},
    settings_hash="", code_version="", started_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def test_of_what_was_vacuumed_only_tables_are_named() -> None:
    no_lake = cast("Job", None)
    says = pytest.raises(MissingResultError, match=r"calls: it reads silver\.calls at version 3, whose files")
    with says, record_failure(no_lake, REPORT):
        raise RuntimeError("[FAILED_READ_FILE.FILE_NOT_EXIST] DELTA_FILE_NOT_FOUND_DETAILED")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, ""),
        (42.4, "  report calls: about 42 s (as on 2026-01-01)\n"),
        (130, "  report calls: about 2 min (as on 2026-01-01)\n"),
    ],
)
def test_a_step_says_how_long_it_took_the_last_time(lake: Lake, tmp_path: Path, seconds: float, said: str) -> None:
    stream = io.StringIO()
    job = replace(job_on(lake, tmp_path), progress=Progress(stream, lambda: 0.0, is_live=False))
    say_how_long(job, REPORT)
    assert stream.getvalue() == ""
    record_run(lake, REPORT.done(REPORT.started_at + timedelta(seconds=seconds), {}, 0, 0, ""))
    record_run(lake, REPORT.failed(REPORT.started_at + timedelta(hours=1), "no"))

    say_how_long(job, replace(REPORT, run_id="2", started_at=datetime(2026, 2, 1, tzinfo=UTC)))

    assert stream.getvalue() == said
