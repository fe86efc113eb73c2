"""Write a table to a file for the CRM. The same as `otklik export`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.export import export_table


def main(job: Job) -> int:
    """Returns the exit code."""
    return export_table(job)


if __name__ == "__main__":
    run_job("export")
