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

#: As small as the plan of fits allows, so that the pass is about the way and not about the models.
QUICK = {
    "splits.folds": 4,
    "splits.groups": 2,
    "splits.time_windows": 1,
    "models.logistic_regression.max_iter": 5,
    "models.linear_svc.max_iter": 2,
    "models.decision_tree.max_depth": [2],
    "models.random_forest.max_depth": [2],
    "models.random_forest.trees": [3],
    "score.where": "true",
    "checks.psi_warning": 100.0,
    "checks.minimum_positives": 20,
}


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
