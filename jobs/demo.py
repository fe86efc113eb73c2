"""The main job on the built-in world, in a fresh lake. The same as `otklik demo`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.demo import CUSTOMERS, SEED, SOURCES, TASK, about, fresh_folder, print_outcome
from otklik.steps.ingest import ingest_files
from otklik.steps.run import run_task
from otklik.steps.world import write_world_files


def main(job: Job) -> int:
    """Returns the exit code."""
    world = fresh_folder(job)
    write_world_files(about(job, customers=CUSTOMERS, seed=SEED, out=world))
    for source in SOURCES:
        ingest_files(about(job, source=source, paths=[f"{world}/{source}"]))
    run = about(job, task=TASK)
    run_task(run)
    print_outcome(run)
    return 0


if __name__ == "__main__":
    run_job("demo")
