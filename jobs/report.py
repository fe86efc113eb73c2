"""Write the report. The same as `otklik report`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.report import write_report


def main(job: Job) -> int:
    """Returns the exit code."""
    return write_report(job)


if __name__ == "__main__":
    run_job("report")
