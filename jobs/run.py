"""Features → train → score → report in one Spark application. The same as `otklik run`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.run import run_task
from otklik.steps.tracking import publish


def main(job: Job) -> int:
    """Returns the exit code."""
    code = run_task(job)
    publish(job)
    return code


if __name__ == "__main__":
    run_job("run")
