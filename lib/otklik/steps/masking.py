"""Mask personal columns in everything that is shown or exported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pyspark.errors import (
    AnalysisException,
    ArithmeticException,
    ArrayIndexOutOfBoundsException,
    DateTimeException,
    NumberFormatException,
    ParseException,
)
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.lake.ledger import FileLedger
from otklik.lake.maintenance import table_names
from otklik.lake.missing import no_such_table
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, REJECTED
from otklik.session import analysed
from otklik.steps.table_options import MASK, check_table_name


def masked_rows(lake: Lake, table: str, where: str | None) -> DataFrame:
    """The rows of a table with personal columns masked; the condition applies to the masked rows.

    Raises:
        MissingResultError: if there is no such table.
        ConfigurationError: if the table name is invalid, or the condition is not SQL over its columns.
    """
    check_table_name(table)
    if not lake.exists(table):
        raise no_such_table(table, table_names(lake))
    # Versions that the ledger of files does not list are incomplete batches; before the first one, the table is empty.
    version = FileLedger(lake).versions([table]).get(table, 0) if table.startswith(("bronze.", "silver.")) else None
    rows = rows_at(lake, table, version)
    if table == REJECTED.name:
        rows = _without_personal_records(lake, rows)
    for column in lake.personal_columns(table):
        rows = rows.withColumn(column, F.when(F.col(column).isNotNull(), F.lit(MASK)))
    if where is None:
        return rows
    hint = f"columns: {', '.join(rows.columns)}"
    try:
        # A subquery could read unmasked tables; Spark allows none inside a lambda.
        analysed(rows.select(F.exists(F.array(F.lit(1)), lambda _: F.expr(where))))
        return analysed(rows.where(where))
    except ParseException:
        # The parser's message has several lines.
        raise ConfigurationError("is not valid SQL", where="--where", hint=hint) from None
    except AnalysisException as fault:
        raise ConfigurationError(
            f"is not a valid condition on these rows: {str(fault).splitlines()[0]}", where="--where", hint=hint
        ) from None


@contextlib.contextmanager
def clear_conditions() -> Iterator[None]:
    """Context manager for fetching masked rows: hides Spark's errors, which quote values of the failing row.

    Raises:
        ConfigurationError: if the condition fails on some row.
    """
    try:
        yield
    except (ArithmeticException, ArrayIndexOutOfBoundsException, DateTimeException, NumberFormatException):
        raise ConfigurationError(
            "raises an error on some row instead of returning true or false",
            where="--where",
            hint="use try_cast, try_divide, try_add …",
        ) from None


def _without_personal_records(lake: Lake, rejected: DataFrame) -> DataFrame:
    """Mask rejected records of sources with personal columns, and of sources whose tables no longer exist."""
    sources = [row.source for row in rejected.select("source").distinct().collect()]
    bronze = {source: BRONZE.of(source).name for source in sources}
    personal = [source for source, table in bronze.items() if lake.personal_columns(table) or not lake.exists(table)]
    return rejected.withColumn("record", F.when(F.col("source").isin(personal), F.lit(MASK)).otherwise(F.col("record")))
