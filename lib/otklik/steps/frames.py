"""Small results from the driver into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from otklik.lake.store import Lake
from otklik.lake.tables import Table


def replace_rows(
    lake: Lake, table: Table, rows: pd.DataFrame, label: str, where: Mapping[str, str] | None
) -> dict[str, int]:
    """Put rows of the driver in place of all rows, or of those that `where` names; returns table → version."""
    names = [column.name for column in table.columns]
    # Through Arrow a missing number (NaN) becomes null, and times are UTC as the session is.
    frame = lake.spark.createDataFrame(rows.reindex(columns=names), table.ddl)
    return {table.name: lake.replace(table, frame, label, where=where).version}


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of plain values; whole numbers stay whole where some are missing."""
    return pd.DataFrame(list(rows), dtype=object)
