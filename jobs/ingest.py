"""Take files in: raw → bronze → silver. The same as `otklik ingest`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.ingest import ingest_files


def main(job: Job) -> int:
    """Returns the exit code."""
    return ingest_files(job)


if __name__ == "__main__":
    run_job("ingest")
