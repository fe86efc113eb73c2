"""Step: write a table to one file for the CRM."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, PlatformError
from otklik.lake.store import TIME_PATTERN
from otklik.steps.context import Job
from otklik.steps.masking import clear_conditions, masked_rows

#: A spreadsheet takes a cell that starts with one of these for a formula.
FORMULA_STARTS = "=+-@\t\r\n"
#: Without it Excel takes UTF-8 for the code page of the machine.
_MARK = b"\xef\xbb\xbf"


def export_table(job: Job) -> int:
    """Write a .csv or .parquet file; returns the exit code."""
    target = str(job.options["to"])
    ending = target.rpartition(".")[2].lower()
    if ending not in ("csv", "parquet"):
        raise ConfigurationError(
            "the file's ending must be .csv or .parquet", where=target, hint="name it so in --to, like list.csv"
        )
    reader = job.options.names.get("reader")
    if reader == "excel" and ending != "csv":
        raise ConfigurationError("is for .csv files", where="--for excel", hint="name a .csv file in --to")
    rows = masked_rows(job.lake, job.options["table"], job.options["where"])
    # A list is read from its top.
    if "rank" in rows.columns:
        rows = rows.coalesce(1).sortWithinPartitions("rank")
    rows = chosen_columns(rows, job.options.names.get("columns"))
    with job.progress.step(f"export {job.options['table']}") as step, clear_conditions():
        step.rows(_write(rows, Path(target), ending, job.scratch, _MARK if reader == "excel" else b""))
        step.say(target)
    return 0


def chosen_columns(rows: DataFrame, names: str | None) -> DataFrame:
    """The columns that were named, in their order; all where none were.

    Args:
        rows: any rows.
        names: parted by commas.

    Raises:
        ConfigurationError: if there is no such column.
    """
    if names is None:
        return rows
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in rows.columns]
    if unknown or not wanted:
        raise ConfigurationError(
            f"no column {', '.join(unknown)}" if unknown else "names no column",
            where="--columns",
            hint=f"columns: {', '.join(rows.columns)}",
        )
    return rows.select(*(F.col(f"`{name}`") for name in wanted))


def neutralised(rows: DataFrame) -> DataFrame:
    """Texts that a spreadsheet would run as formulas get an apostrophe before them; nested values become JSON."""
    return rows.select(*(_cell(name, kind) for name, kind in rows.dtypes))


def _cell(name: str, kind: str) -> Column:
    column = F.col(f"`{name}`")
    if kind.startswith(("array", "map", "struct")):
        column = F.to_json(column)
    elif kind != "string":
        return column
    is_formula = F.substring(column, 1, 1).isin(*FORMULA_STARTS)
    return F.when(is_formula, F.concat(F.lit("'"), column)).otherwise(column).alias(name)


def _write(rows: DataFrame, target: Path, ending: str, scratch: Path, mark: bytes) -> int:
    """Write whole or not at all: one part in a scratch folder, then moved to its place. Returns the rows."""
    if not target.absolute().parent.is_dir():
        raise PlatformError("there is no such folder", where=str(target.parent), hint="make it first")
    folder = scratch / "export"
    one = rows.coalesce(1)
    if ending == "csv":
        # Left alone, the writer trims texts: " =1+1" would become a formula after all.
        neutralised(one).write.csv(
            folder.as_uri(),
            header=True,
            escape='"',
            ignoreLeadingWhiteSpace=False,
            ignoreTrailingWhiteSpace=False,
            timestampFormat=TIME_PATTERN,
        )
    else:
        one.write.parquet(folder.as_uri())
    (part,) = folder.glob("part-*")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with part.open("rb") as written, partial.open("wb") as file:
            file.write(mark)
            shutil.copyfileobj(written, file)
        partial.replace(target)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        raise PlatformError(
            f"cannot be written: {fault.strerror}", where=str(target), hint="check path, rights and space on the disk"
        ) from fault
    return rows.count()
