"""Draw the arms of an experiment. The same as `otklik assign`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.assign import assign_arms
from otklik.steps.context import Job


def main(job: Job) -> int:
    """Returns the exit code."""
    return assign_arms(job)


if __name__ == "__main__":
    run_job("assign")
