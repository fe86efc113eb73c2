"""Write the built-in world's files. The same as `otklik world`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.world import write_world_files


def main(job: Job) -> int:
    """Returns the exit code."""
    return write_world_files(job)


if __name__ == "__main__":
    run_job("world")
