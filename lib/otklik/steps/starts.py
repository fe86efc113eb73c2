"""Every start of a step leaves a row in ops.runs, also one that fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from otklik.errors import MissingResultError, OtklikError
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import Run, record_run
from otklik.lake.store import says_vacuumed
from otklik.steps.context import Job


def start_of(job: Job, step: str, about: str, settings_hash: str) -> Run:
    """A row for ops.runs: a step that answers no task's question starts now.

    Args:
        job: what it works with.
        step: its name.
        about: the source or task.
        settings_hash: of what decides its result.
    """
    return Run(
        run_id=hash_of([step, about, settings_hash, code_version()])[:16],
        job=step,
        task=about,
        as_of=None,
        status="failed",
        inputs={},
        settings_hash=settings_hash,
        code_version=code_version(),
        started_at=job.clock(),
    )


@contextlib.contextmanager
def noted(job: Job, run: Run) -> Iterator[None]:
    """Leave a row in ops.runs also for a start that fails; the fault goes on."""
    try:
        yield
    except Exception as fault:
        told = _vacuumed(run) if says_vacuumed(fault) else fault
        message = told.line() if isinstance(told, OtklikError) else type(told).__name__
        # Where not even the ledger can be written, the fault itself is what must be told.
        with contextlib.suppress(Exception):
            record_run(job.lake, run.failed(job.clock(), message))
        if told is fault:
            raise
        raise told from fault


def _vacuumed(run: Run) -> MissingResultError:
    """Whoever asks for a moment long ago may come after the files of its versions went."""
    gone = ", ".join(f"{table} at version {version}" for table, version in sorted(run.inputs.items()))
    return MissingResultError(
        f"it reads {gone}, and files of that were vacuumed",
        where=run.task,
        cure="ask without --as-of or with --newest, or restore the lake from a backup",
    )
