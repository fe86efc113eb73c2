"""Show a task's champion, or roll back to an earlier one. The same as `otklik champion`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.champion import show_champion
from otklik.steps.context import Job
from otklik.steps.tracking import publish


def main(job: Job) -> int:
    """Returns the exit code."""
    code = show_champion(job)
    # A command that only reads holds no lease: during a training both would log the same run to MLflow.
    if job.options["run"] is not None:
        publish(job)
    return code


if __name__ == "__main__":
    run_job("champion")
