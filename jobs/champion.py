"""Show a task's champion, or roll back to an earlier one. The same as `otklik champion`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.champion import show_champion
from otklik.steps.context import Job
from otklik.steps.tracking import publish


def main(job: Job) -> int:
    """Returns the exit code."""
    code = show_champion(job)
    # Who only looks holds no lease: beside a training it would tell MLflow of the same run at the same time.
    if job.options["run"] is not None:
        publish(job)
    return code


if __name__ == "__main__":
    run_job("champion")
