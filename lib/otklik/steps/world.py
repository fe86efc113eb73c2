"""Step: write the built-in world's files."""

from __future__ import annotations

from otklik.steps.context import Job
from otklik.world.writing import write_world


def write_world_files(job: Job) -> int:
    """Write customers, contacts, engagements and the truth; returns the exit code."""
    customers, seed, out = job.options["customers"], job.options["seed"], job.options["out"]
    with job.progress.step(f"world of {customers:,} customers") as step:
        facts = write_world(job.lake.spark, customers, seed, out)
        step.rows(sum(source.rows for source in facts.sources.values()), "records")
        step.say(out)
    return 0
