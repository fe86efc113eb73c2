"""Fit models that Spark does not have in one task, from a bounded number of rows, the same in any partitioning.

Works on Spark Connect, too: one Python task receives the rows and returns the model as bytes (docs/decisions/015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def learn_in_one_task(
    dataset: DataFrame, columns: Sequence[Column], most_rows: int, learn: Callable[[pa.Table], bytes]
) -> bytes:
    """Fit a model to rows in one Python task.

    Args:
        dataset: the rows; row_hash identifies each.
        columns: the columns to fit to.
        most_rows: maximum number of rows; more are sampled by their hash.
        learn: rows ordered by their hash → a model as bytes.
    """
    share = min(1.0, most_rows / max(dataset.count(), 1))
    rows = dataset.where(F.pmod("row_hash", F.lit(1_000_000)) < int(share * 1_000_000)).select("row_hash", *columns)

    def learnt(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ordered = pa.Table.from_batches([*batches]).sort_by("row_hash").combine_chunks()
        yield pa.RecordBatch.from_pydict({"model": [learn(ordered)]})

    return bytes(rows.coalesce(1).mapInArrow(learnt, "model BINARY").collect()[0][0])
