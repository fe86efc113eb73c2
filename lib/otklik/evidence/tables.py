"""Rows on the driver as the tables that a kind declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame

from otklik.kind import StageContext
from otklik.lake.tables import Table
from otklik.session import frame_of


def tables_of(
    context: StageContext, tables: Sequence[Table], **rows: Sequence[tuple[Any, ...]]
) -> dict[str, DataFrame]:
    """All tables of a stage by the last word of their names, without run_id; tables without rows are empty.

    Args:
        context: of the stage.
        tables: as the kind declares them.
        rows: last word of a name → its rows, in the order of the columns.
    """
    made = {}
    for table in tables:
        what = table.name.rpartition("_")[2]
        made[what] = frame_of(context.spark, rows.get(what, ()), table.own_ddl)
    return made
