"""Step: write the files of the simulated world."""

from __future__ import annotations

from otklik.steps.context import Job
from otklik.world import trade
from otklik.world.options import BANK, named_effects, named_parts
from otklik.world.writing import write_world


def write_world_files(job: Job) -> int:
    """Write the chosen parts of a world and their truth; returns the exit code."""
    customers, seed, out = job.options["customers"], job.options["seed"], job.options["out"]
    parts = named_parts(job.options.names.get("only", BANK))
    without = named_effects(job.options.names.get("without", ""))
    spark = job.lake.spark
    if listed := job.options.names.get("list", ""):
        with job.progress.step("responses to a list") as step:
            campaign, counts = trade.play_campaign(spark, customers, seed, out, listed, without)
            for source, count in counts.items():
                step.rows(count, source)
            step.say(f"{out}/{campaign}")
        return 0
    with job.progress.step(f"world of {customers:,} customers") as step:
        for part in parts:
            if part == BANK:
                sources = write_world(spark, customers, seed, out, without).sources
            else:
                sources = trade.write_part(spark, part, customers, seed, out, without)
            step.rows(sum(source.rows for source in sources.values()), f"records of {part}")
        step.say(out)
    return 0
