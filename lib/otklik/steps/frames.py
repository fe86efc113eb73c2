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
    """Replace all rows, or those that match `where`, by rows of the driver; returns table → version."""
    ordered = rows.reindex(columns=[column.name for column in table.columns])
    return {table.name: lake.replace_rows(table, ordered, label, where=where)}


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of plain values; integers stay integers even if some are missing."""
    return pd.DataFrame(list(rows), dtype=object)
