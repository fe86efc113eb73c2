"""Rebuild silver from bronze under the current contract. The same as `otklik reingest`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.reingest import reingest_source


def main(job: Job) -> int:
    """Returns the exit code."""
    return reingest_source(job)


if __name__ == "__main__":
    run_job("reingest")
