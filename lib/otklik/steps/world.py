"""Step: write the built-in world's files."""

from __future__ import annotations

from otklik.errors import ConfigurationError
from otklik.steps.context import Job
from otklik.world import trade
from otklik.world.writing import write_world

#: The bank's customers, contacts and engagements; the other parts stand in `trade.PARTS`.
BANK = "bank"


def write_world_files(job: Job) -> int:
    """Write the chosen parts of a world and their truth; returns the exit code."""
    customers, seed, out = job.options["customers"], job.options["seed"], job.options["out"]
    parts = _parts(job.options.names.get("only", BANK))
    without = [effect.strip() for effect in job.options.names.get("without", "").split(",") if effect.strip()]
    trade.check_effects(without)
    spark = job.lake.spark
    with job.progress.step(f"world of {customers:,} customers") as step:
        for part in parts:
            if part == BANK:
                sources = write_world(spark, customers, seed, out).sources
            else:
                sources = trade.write_part(spark, part, customers, seed, out, without)
            step.rows(sum(source.rows for source in sources.values()), f"records of {part}")
        step.say(out)
    return 0


def _parts(chosen: str) -> list[str]:
    """The parts named by `--only`.

    Raises:
        ConfigurationError: if there is no such part.
    """
    known = [BANK, *trade.PARTS]
    if chosen == "all":
        return known
    named = [part.strip() for part in chosen.split(",")]
    unknown = sorted({part for part in named if part not in known})
    if unknown:
        raise ConfigurationError(
            f"a world has no part {', '.join(unknown)}", where="--only", hint=f"known: {', '.join(known)}"
        )
    return [part for part in known if part in named]
