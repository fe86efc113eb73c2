"""Record every run of a step in ops.runs, including failed ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from otklik.errors import ConfigurationError, MissingResultError, OtklikError
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import Run, find_answer, record_run
from otklik.lake.store import says_vacuumed
from otklik.sql_errors import fails_on_a_row
from otklik.steps.context import Job

#: Seconds above which the expected time of a step is announced, and up to which it is given in seconds.
_LONG, _IN_SECONDS = 5, 100


def start_of(job: Job, step: str, about: str, settings_hash: str) -> Run:
    """A row for ops.runs about a step without a task that starts now.

    Args:
        job: the job.
        step: its name.
        about: its source or task.
        settings_hash: hash of what determines its result.
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


def say_how_long(job: Job, run: Run) -> None:
    """Print how long the step took last time, if it was long."""
    last = find_answer(job.lake, run.task, None, run.job)
    if last is None or last.ended_at is None:
        return
    seconds = (last.ended_at - last.started_at).total_seconds()
    if seconds >= _LONG:
        about = f"{seconds:.0f} s" if seconds < _IN_SECONDS else f"{seconds / 60:.0f} min"
        job.progress.line(f"  {run.job} {run.task}: about {about} (as on {last.ended_at:%Y-%m-%d})")


@contextlib.contextmanager
def record_failure(job: Job, run: Run, users_sql: str | None = None) -> Iterator[None]:
    """Context manager that records a failure in ops.runs and raises it again.

    Args:
        job: the job.
        run: the run.
        users_sql: location of the user's SQL that the step evaluates for every row.
    """
    try:
        yield
    except Exception as fault:
        told = _clear(fault, run, users_sql or _SQL_OF_USERS.get(run.job, "").format(task=run.task)) or fault
        message = told.line() if isinstance(told, OtklikError) else type(told).__name__
        # If the ledger cannot be written either, the original error must be reported.
        with contextlib.suppress(Exception):
            record_run(job.lake, run.failed(job.clock(), message))
        if told is fault:
            raise
        raise told from fault


#: User's SQL that a step evaluates for every row → its location.
_SQL_OF_USERS = {"features": "the SQL of {task}", "score": "score.where of {task}"}


def _clear(fault: Exception, run: Run, users_sql: str) -> OtklikError | None:
    """A one-line error if a table version is gone or the user's SQL fails on a row; otherwise None."""
    if isinstance(fault, OtklikError):
        return None
    if says_vacuumed(fault):
        return _vacuumed(run)
    if users_sql and fails_on_a_row(fault):
        return _failing_sql(users_sql)
    return None


@contextlib.contextmanager
def clear_sql(where: str) -> Iterator[None]:
    """Use it where rows of a user's SQL are fetched outside `record_failure`.

    Raises:
        ConfigurationError: if the SQL fails on some row.
    """
    try:
        yield
    except Exception as fault:
        if isinstance(fault, OtklikError) or not fails_on_a_row(fault):
            raise
        raise _failing_sql(where) from fault


def _failing_sql(where: str) -> ConfigurationError:
    """An error without Spark's message, which quotes values of the row."""
    return ConfigurationError(
        "raises an error on some row instead of returning a value",
        where=where,
        hint="use try_cast, try_divide, try_to_timestamp …",
    )


def _vacuumed(run: Run) -> MissingResultError:
    """An error about table versions that have been vacuumed, as may happen for old as-of moments."""
    # Inputs of other kinds, such as a language or a model, are stored there as text.
    versions = [f"{name} at version {text}" for name, text in sorted(run.inputs.items()) if text.isdecimal()]
    return MissingResultError(
        f"it reads {', '.join(versions) or 'tables of earlier steps'}, whose files were vacuumed",
        where=run.task,
        hint="run without --as-of or with --newest, or restore the lake from a backup",
    )
