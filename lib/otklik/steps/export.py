"""Step: write a table to one file for the CRM."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.lake.store import TIME_PATTERN
from otklik.steps.context import Job
from otklik.steps.masking import clear_conditions, masked_rows
from otklik.steps.printing import FORMULA_STARTS
from otklik.steps.table_options import form_of, put_in_place, reading_order, wanted_columns


def export_table(job: Job) -> int:
    """Write a .csv or .parquet file; returns the exit code."""
    target, reader = str(job.options["to"]), job.options.names.get("reader")
    form = form_of(target, reader)
    rows = masked_rows(job.lake, job.options["table"], job.options["where"])
    order = [F.desc(name) if is_down else F.asc(name) for name, is_down in reading_order(rows.columns)]
    if order:
        rows = rows.coalesce(1).sortWithinPartitions(*order)
    rows = rows.select(*(F.col(f"`{name}`") for name in wanted_columns(rows.columns, job.options.names.get("columns"))))
    with job.progress.step(f"export {job.options['table']}") as step, clear_conditions():
        with _written(rows, form, job.temporary_folder).open("rb") as part:
            put_in_place(part, Path(target), reader)
        step.rows(rows.count())
        step.say(target)
    return 0


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


def _written(rows: DataFrame, form: str, temporary_folder: Path) -> Path:
    """One part in a temporary folder."""
    folder = temporary_folder / "export"
    one = rows.coalesce(1)
    if form == "csv":
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
    return part
