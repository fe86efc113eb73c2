"""Write the report. The same as `otklik report`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.report import write_report
from otklik.steps.tracking import publish


def main(job: Job) -> int:
    """Returns the exit code."""
    code = write_report(job)
    publish(job)
    return code


if __name__ == "__main__":
    run_job("report")
