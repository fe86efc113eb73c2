"""Repair, check, compact and vacuum the lake. The same as `otklik maintain`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.maintain import maintain_lake


def main(job: Job) -> int:
    """Returns the exit code."""
    return maintain_lake(job)


if __name__ == "__main__":
    run_job("maintain")
