"""Print rows of a table. The same as `otklik show`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.show import show_table


def main(job: Job) -> int:
    """Returns the exit code."""
    return show_table(job)


if __name__ == "__main__":
    run_job("show")
