"""The demo: a fresh lake, its own key, and a summary of the outcome."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.lake.folder import Folder
from otklik.lake.maintenance import LAYERS, table_names
from otklik.lake.tables import ALL_TABLES, REJECTED, SCOREBOARD
from otklik.settings import load
from otklik.steps.context import Job
from otklik.steps.pages import INDEX, page_name
from otklik.steps.scoreboard import scoreboard_text
from otklik.task import Task

CUSTOMERS, SEED = 20_000, 7
SOURCES = ("customers", "contacts", "engagements")
TASK = "campaign_response"
_WORLD = "world"


def fresh_folder(job: Job) -> str:
    """Empty the demo's lake; returns the folder for its world.

    Raises:
        ConfigurationError: if the folder contains anything that a demo does not create, or --set is invalid.
    """
    _task(job)
    lake = Folder(job.lake.root)
    folders = {*lake.folders()}
    # A demo writes its world there first, and deletes it last. A lake with a user's own world has the same tables, but
    # not that folder.
    foreign = sorted(folders - {*LAYERS, "models", "report", _WORLD} if _WORLD in folders else folders)
    foreign += [table for table in table_names(job.lake) if not _is_of_demo(table)]
    foreign += [f"models/{task}" for task in Folder(job.lake.folder("models")).folders() if task != TASK]
    if foreign:
        raise ConfigurationError(
            f"the demo would empty it, but it contains files that the demo did not write: {', '.join(foreign[:3])}",
            where=job.lake.root,
            hint="give the demo a folder of its own: `otklik demo --lake demo_lake`",
        )
    lake.delete_folders()
    return job.lake.folder(_WORLD)


def _is_of_demo(table: str) -> bool:
    layer, _, name = table.partition(".")
    if layer in ("bronze", "silver"):
        return name in SOURCES or table == REJECTED.name
    return name.startswith(f"{TASK}_") or table in {known.name for known in ALL_TABLES}


def about(job: Job, **names: Any) -> Job:
    """A copy of the job with other arguments, the demo's lake and key; --set applies to its task only."""
    overrides = job.options.overrides if "task" in names else {}
    options = replace(job.options, names=names, overrides=overrides)
    return replace(job, options=options, pseudonym_key=lambda: sha256(b"made-up people").digest())


def print_outcome(job: Job) -> None:
    """Print the scoreboard and where the report is."""
    rows = job.lake.read(SCOREBOARD.name).where(F.col("task") == TASK).toPandas()
    job.print_result(scoreboard_text(rows, _task(job).checks.rate_moved))
    job.print_result(f"\nreport: {job.lake.folder('report', page_name(INDEX, job.options.language))}\n")


def _task(job: Job) -> Task:
    return load(Task, job.project.task(TASK), dict(job.options.overrides))
