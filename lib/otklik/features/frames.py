"""The frames of a kind: typed rows with the kind's column names, from the inputs as a task's [frames] describes them.

Rows of inputs that were not known at the moment are left out. Expressions cannot read personal columns, except a key
that is a column by itself: rows are identified by its pseudonym.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.features.builder import run_select, unresolved_column
from otklik.features.catalogue import Select
from otklik.kind import Finding, Frame, FrameColumn
from otklik.session import analysed
from otklik.task import FrameSettings

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TIMES = ("date", "timestamp")
#: What Spark casts without a word, and wrongly: a year to seconds of 1970, a moment to seconds since then.
_OTHER_THINGS = {"timestamp": (*_NUMBERS, "boolean"), "date": (*_NUMBERS, "boolean"), "double": _TIMES}
_TO_NUMBER = "convert it to a number, such as days since, an hour or a share"
_TO_TIME = (
    "write timestamp_seconds(x) for seconds since 1970, make_date(x, 1, 1) for a year, "
    "to_date(CAST(x AS STRING), 'yyyyMMdd') for days such as 20240305"
)
#: The column that says when a row happened.
MOMENT = "moment"


@dataclass(frozen=True)
class FrameInput:
    """An input table as frames see it: its rows known at the moment, and its personal columns."""

    rows: DataFrame
    personal: Sequence[str] = ()


def read_frame(
    spark: SparkSession,
    frame: Frame,
    settings: FrameSettings,
    inputs: Mapping[str, FrameInput],
    select: Select | None,
    as_of: datetime,
) -> DataFrame:
    """The typed rows of a frame, before any are left out.

    Args:
        spark: the session.
        frame: the frame that the kind declares.
        settings: the task's settings of the frame.
        inputs: input name → its rows.
        select: the SELECT that `settings.sql` names.
        as_of: the as-of moment, UTC; `:as_of` in SELECTs.

    Returns:
        The declared columns that the task has, then the others in their order.

    Raises:
        ConfigurationError: if a column is missing, unknown or not SQL over the input.
    """
    where = f"frames.{frame.name}"
    source = _source(spark, frame, settings, inputs, select, as_of, where)
    given = {name: name for name in source.columns} | settings.columns
    declared = {column.name: column for column in frame.columns}
    missing = [c.name for c in frame.columns if not c.is_optional and c.name not in given]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)}: no such column in the input, and no expression for it",
            where=f"{where}.columns",
            hint=f"say which of these it is: {', '.join(source.columns)}",
        )
    own = settings.columns if select is None else source.columns
    others = [name for name in own if name not in declared] if frame.others != "none" else []
    there = [column for column in frame.columns if column.name in given]
    with _clear_faults(where):
        types = source.select(*(F.expr(given[column.name]).alias(column.name) for column in there)).dtypes
    for column, (_, data_type) in zip(there, types, strict=True):
        _refuse_other_things(column, data_type, where)
    columns = [_typed(given[column.name], column) for column in there]
    columns += [_other(source, name, given[name], frame, where) for name in others]
    with _clear_faults(where):
        return analysed(source.select(*columns))


def without_unusable(rows: DataFrame, frame: Frame, as_of: datetime) -> tuple[DataFrame, list[Finding]]:
    """The rows up to the as-of moment with values in all required columns, and how many were left out.

    Args:
        rows: from `read_frame`, persisted, as they are counted and then read.
        frame: the frame that the kind declares.
        as_of: the moment, UTC.

    Raises:
        RefusedError: if no row is left.
    """
    required = [c.name for c in frame.columns if c.is_required and c.name in rows.columns]
    is_later = F.col(MOMENT) > F.lit(as_of) if MOMENT in rows.columns else F.lit(False)
    is_later = F.coalesce(is_later, F.lit(False))
    lacks = {name: ~is_later & F.col(f"`{name}`").isNull() for name in required}
    counts = rows.agg(
        F.count("*").alias("all"),
        F.count_if(is_later).alias("later"),
        *(F.count_if(condition).alias(f"lacks_{place}") for place, condition in enumerate(lacks.values())),
    ).collect()[0]
    findings = [
        Finding("rows_left_out", f"{frame.name}.{name}", {"n": n, "rows": counts["all"]}, n / counts["all"])
        for place, name in enumerate(lacks)
        if (n := counts[f"lacks_{place}"])
    ]
    if counts["later"]:
        findings.append(Finding("rows_later", frame.name, {"n": counts["later"]}, float(counts["later"])))
    kept = rows.where(~is_later).dropna(subset=required) if required else rows.where(~is_later)
    if kept.isEmpty():
        raise RefusedError(
            f"none of its {counts['all']:,} rows can be used" if counts["all"] else "has no rows at this moment",
            where=f"frames.{frame.name}",
            hint=f"check its condition, --as-of, and missing values in {', '.join(required) or 'its columns'}",
        )
    return kept, findings


def _source(
    spark: SparkSession,
    frame: Frame,
    settings: FrameSettings,
    inputs: Mapping[str, FrameInput],
    select: Select | None,
    as_of: datetime,
    where: str,
) -> DataFrame:
    """The rows that the frame's columns are expressions over."""
    if select is not None:
        return run_select(spark, select, {name: one.rows.drop(*one.personal) for name, one in inputs.items()}, as_of)
    name = settings.input or next(iter(inputs))
    source = inputs[name]
    # A key may be a personal column by itself: its pseudonym is used.
    keys = {settings.columns.get(column.name, column.name) for column in frame.columns if column.is_key}
    rows = source.rows.drop(*(column for column in source.personal if column not in keys))
    if settings.where is None:
        return rows
    with _clear_faults(f"{where}.where"):
        return analysed(rows.where(settings.where))


def _refuse_other_things(column: FrameColumn, data_type: str, where: str) -> None:
    """See that a number is not taken for a moment, nor a moment for a number."""
    if data_type.startswith(_OTHER_THINGS.get(column.type, ())):
        raise ConfigurationError(
            f"has type {data_type}; it must be a {'number' if column.type == 'double' else column.type}",
            where=f"{where}.columns.{column.name}",
            hint=_TO_NUMBER if column.type == "double" else _TO_TIME,
        )


def _typed(expression: str, column: FrameColumn) -> Column:
    value = F.expr(f"try_cast(({expression}) AS {column.type})")
    return (_finite(value) if column.type == "double" else value).alias(column.name)


def _other(source: DataFrame, name: str, expression: str, frame: Frame, where: str) -> Column:
    """An undeclared column: numbers as double; strings if the kind takes any type."""
    value = F.expr(expression)
    with _clear_faults(f"{where}.columns.{name}"):
        data_type = source.select(value.alias(name)).dtypes[0][1]
    if data_type.startswith(_NUMBERS) or data_type == "boolean":
        return _finite(value.cast("double")).alias(name)
    if data_type == "string" and frame.others == "any":
        return value.alias(name)
    if data_type == "string" and frame.others == "numbers":
        return _finite(F.expr(f"try_cast(({expression}) AS double)")).alias(name)
    raise ConfigurationError(
        f"has type {data_type}; the frame takes {'numbers and texts' if frame.others == 'any' else 'numbers'}",
        where=f"{where}.columns.{name}",
        hint=_TO_NUMBER,
    )


def _finite(value: Column) -> Column:
    """What is not a number, or without end, is a missing one."""
    return F.when(F.abs(value) < F.lit(float("inf")), value)


@contextlib.contextmanager
def _clear_faults(where: str) -> Iterator[None]:
    """Turn Spark's analysis errors in an expression into a one-line error."""
    try:
        yield
    except AnalysisException as fault:
        asked = unresolved_column(fault)
        raise ConfigurationError(
            f"invalid SQL: {f'no column {asked}' if asked else str(fault).splitlines()[0]}",
            where=where,
            hint="write an expression over the input's columns; personal columns are not available",
        ) from fault
