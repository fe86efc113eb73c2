"""Local rows as Arrow tables. Imports no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd

#: Local rows: see `arrow_rows`.
Rows: TypeAlias = "Sequence[Sequence[Any]] | pd.DataFrame"


def arrow_rows(rows: Rows, schema: pa.Schema) -> pa.Table:
    """Local rows as an Arrow table.

    Args:
        rows: values in the order of the columns, timestamps without a zone in UTC; or a pandas frame with these
            columns, in which NaN is null.
        schema: names and types.
    """
    if not isinstance(rows, Sequence):
        return pa.Table.from_pandas(rows, schema, preserve_index=False)
    by_column = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [pa.array(values, kind.type) for values, kind in zip(by_column, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
