"""What a start that fails is told as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from otklik.errors import MissingResultError
from otklik.lake.ledger import Run
from otklik.steps.context import Job
from otklik.steps.runs import record_failure

REPORT = Run(
    run_id="1", job="report", task="calls", as_of=None, status="failed",
    inputs={"silver.calls": "3", "language": "en", "model": "run_1 2", "page": "calls.html"},
    settings_hash="", code_version="", started_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def test_of_what_was_vacuumed_only_tables_are_named() -> None:
    no_lake = cast("Job", None)
    says = pytest.raises(MissingResultError, match=r"calls: it reads silver\.calls at version 3, and files")
    with says, record_failure(no_lake, REPORT):
        raise RuntimeError("[FAILED_READ_FILE.FILE_NOT_EXIST] DELTA_FILE_NOT_FOUND_DETAILED")
