"""Step: write a table to one file for the CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.lake.store import TIME_PATTERN, Lake
from otklik.page.formats import Language
from otklik.report.reasons import told_reasons
from otklik.report.texts import ReportVoice
from otklik.steps.context import Job
from otklik.steps.masking import clear_conditions, masked_rows
from otklik.steps.printing import FORMULA_STARTS
from otklik.steps.table_options import (
    CHANGED_BY_EXCEL,
    LIST_KEY,
    REASONS,
    CsvForm,
    csv_form,
    feature_meanings,
    features_of,
    form_of,
    has_reasons,
    names_features,
    put_in_place,
    reading_order,
    scores_of,
    titles_of,
    wanted_columns,
)


def export_table(job: Job) -> int:
    """Write a .csv or .parquet file; returns the exit code."""
    target, reader = str(job.options["to"]), job.options.names.get("reader")
    table, has_titles = job.options["table"], bool(job.options.names.get("titles"))
    form = form_of(target, reader, has_titles=has_titles)
    rows = masked_rows(job.lake, table, job.options["where"])
    is_list = has_reasons(table, rows.columns) and job.lake.exists(scores_of(table))
    columns = wanted_columns(rows.columns, job.options.names.get("columns"), form, has_reasons=is_list)
    is_for_people = has_titles or reader == "excel"
    if REASONS in columns:
        if is_list:
            rows = rows.join(job.lake.read(scores_of(table)).select(*LIST_KEY, REASONS), [*LIST_KEY], "left")
        if is_list or (is_for_people and names_features(rows.schema[REASONS].dataType.simpleString())):
            rows = _told(rows, _meanings(job.lake, table, job.options.language), job.options.language)
    order = [F.desc(name) if is_down else F.asc(name) for name, is_down in reading_order(rows.columns)]
    if order:
        rows = rows.coalesce(1).sortWithinPartitions(*order)
    rows = rows.select(*(F.col(f"`{name}`") for name in columns))
    titles = columns
    if is_for_people:
        titles = titles_of(table, columns, _comments(job.lake, table), job.options.language)
    with job.progress.step(f"export {table}") as step, clear_conditions():
        written = csv_form(reader, job.options.language) if form == "csv" else None
        with _written(rows, titles, written, job.temporary_folder).open("rb") as part:
            put_in_place(part, Path(target), reader)
        step.rows(rows.count())
        step.say(target)
    return 0


def _told(rows: DataFrame, meanings: Mapping[str, str], language: Language) -> DataFrame:
    """Add the reasons of rows as text."""
    voice = ReportVoice(language)

    # Without type hints, from which Spark would try to infer a vectorised function.
    told = F.udf(
        lambda reasons: (
            None
            if reasons is None
            else told_reasons([each.asDict() for each in reasons], voice, lambda name: meanings.get(name, name))
        ),
        "STRING",
    )
    return rows.withColumn(REASONS, told(REASONS))


def _meanings(lake: Lake, table: str, language: Language) -> dict[str, str]:
    """The meanings of the features in reasons; empty for a task without a feature table."""
    features = features_of(table)
    return feature_meanings(_comments(lake, features), language) if lake.exists(features) else {}


def _comments(lake: Lake, table: str) -> dict[str, str]:
    return {field.name: field.metadata.get("comment", "") for field in lake.read(table).schema}


def neutralised(rows: DataFrame, form: CsvForm) -> DataFrame:
    """Prefix strings that a spreadsheet would run as formulas with an apostrophe; nested values become JSON.

    Strings that Excel would change, and decimal points, are written as `form` says.
    """
    return rows.select(*(_cell(name, kind, form) for name, kind in rows.dtypes))


def _cell(name: str, kind: str, form: CsvForm) -> Column:
    column = F.col(f"`{name}`")
    if kind.startswith(("double", "float", "decimal")) and form.decimal != ".":
        return F.replace(column.cast("string"), F.lit("."), F.lit(form.decimal)).alias(name)
    if kind.startswith(("array", "map", "struct")):
        column = F.to_json(column)
    elif kind != "string":
        return column
    is_formula = F.substring(column, 1, 1).isin(*FORMULA_STARTS)
    cell = F.when(is_formula, F.concat(F.lit("'"), column))
    if form.keeps_texts:
        cell = cell.when(F.rlike(column, F.lit(CHANGED_BY_EXCEL)), F.format_string('="%s"', column))
    return cell.otherwise(column).alias(name)


def _without_null_rows(rows: DataFrame) -> DataFrame:
    """Replace null in a single column with an empty string: the writer omits rows without any value."""
    if len(rows.columns) > 1:
        return rows
    [(name, kind)] = rows.dtypes
    column = F.col(f"`{name}`")
    text = column if kind == "string" else F.to_csv(F.struct(column), {"timestampFormat": TIME_PATTERN})
    return rows.select(F.coalesce(text, F.lit("")).alias(name))


def _written(rows: DataFrame, titles: Sequence[str], form: CsvForm | None, temporary_folder: Path) -> Path:
    """Write one part into a subfolder of the temporary folder: a csv with a header, or Parquet if `form` is None."""
    folder = temporary_folder / "export"
    # Not as_uri: Spark treats escapes in it (of a blank, a Cyrillic letter) as part of the name.
    written_to = f"file://{folder}"
    one = rows.coalesce(1)
    if form is not None:
        # By default the writer trims strings: " =1+1" would become a formula again.
        _without_null_rows(neutralised(one, form)).toDF(*titles).write.csv(
            written_to,
            header=True,
            sep=form.delimiter,
            escape='"',
            ignoreLeadingWhiteSpace=False,
            ignoreTrailingWhiteSpace=False,
            timestampFormat=TIME_PATTERN,
        )
    else:
        one.write.parquet(written_to)
    (part,) = folder.glob("part-*")
    return part
