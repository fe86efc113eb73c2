"""What tests of whole steps start from: a job as the command line would make it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otklik.home import find_home
from otklik.lake.store import Lake
from otklik.progress import Progress
from otklik.steps.context import Job, Options


def job_on(lake: Lake, scratch: Path, overrides: dict[str, Any] | None = None, **names: Any) -> Job:
    return Job(
        options=Options(names, None, overrides or {}, "en"),
        lake=lake,
        home=find_home(None),
        progress=Progress(io.StringIO(), lambda: 0.0, is_live=False),
        clock=lambda: datetime.now(UTC),
        pseudonym_key=lambda: b"0123456789abcdef",
        print_result=print,
        scratch=scratch,
    )
