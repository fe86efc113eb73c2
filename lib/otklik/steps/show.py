"""Step: print rows of a table; stdout contains only the result."""

from __future__ import annotations

from pyspark.sql import functions as F

from otklik.steps.context import Job
from otklik.steps.masking import clear_conditions, masked_rows
from otklik.steps.printing import moment_of, plain, printed
from otklik.steps.table_options import check_limit


def show_table(job: Job) -> int:
    """Print rows as a table, JSON or CSV; returns the exit code."""
    check_limit(job.options["limit"])
    rows = masked_rows(job.lake, job.options["table"], job.options["where"])
    # Moments are collected as numbers: Python's datetimes would be converted to the machine's time zone, in which the
    # first and last years overflow.
    moments = {name for name, kind in rows.dtypes if kind == "timestamp"}
    columns = [F.unix_micros(f"`{name}`") if name in moments else F.col(f"`{name}`") for name in rows.columns]
    with clear_conditions():
        collected = rows.select(*columns).limit(job.options["limit"]).collect()
    found = [
        [plain(moment_of(value) if name in moments else value) for name, value in zip(rows.columns, row, strict=True)]
        for row in collected
    ]
    job.print_result(printed(rows.columns, found, job.options["format"]))
    return 0
