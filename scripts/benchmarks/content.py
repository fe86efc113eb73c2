"""The rows of a table as one number: the same rows give the same number in any order and from any library.

Tables are Parquet files or Delta tables of few commits. Only the columns asked for count: contenders keep other columns
beside them (batch, file, record number) that are theirs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

#: Decimals to which numbers with a fraction are compared.
DECIMALS = 6


def live_files(table: Path) -> list[Path]:
    """The Parquet files whose rows are the table's now.

    Args:
        table: a Parquet file, a folder of such files, or a Delta table whose log has no checkpoint yet.
    """
    if table.is_file():
        return [table]
    log = table / "_delta_log"
    if not log.is_dir():
        return sorted(table.rglob("*.parquet"))
    live: dict[str, None] = {}
    for commit in sorted(log.glob("*.json")):
        for line in commit.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = None
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [table / unquote(name) for name in live]


def content_of(table: Path, columns: Sequence[str]) -> str:
    """How many rows, and the sum of their hashes, as text."""
    rows = total = 0
    dataset = ds.dataset([str(file) for file in live_files(table)], format="parquet")
    for batch in dataset.to_batches(columns=list(columns)):
        if batch.num_rows:
            frame = pd.DataFrame({name: _plain(batch.column(name)) for name in columns})
            total += int(np.asarray(pd.util.hash_pandas_object(frame, index=False)).sum(dtype=np.uint64))
            rows += batch.num_rows
    return f"{rows} {total % 2**64:016x}"


def _plain(column: pa.Array) -> pd.Series[str] | pd.Series[float]:
    """Text as text, moments and whole numbers as numbers, numbers with a fraction rounded; nothing is one value."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pd.Series(column.cast(pa.string()).to_pandas())
    numbers = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    # Adding zero turns −0.0 into 0.0.
    return pd.Series(np.round(numbers, DECIMALS) + 0.0)
