"""The number of a line in its file. The one place where monotonically_increasing_id() may reach a stored table.

Delimited text has no row index in Spark. Ordering all lines of a file to number them would send the file through one
task. But monotonically_increasing_id(), evaluated straight on the scan, counts the rows of a task in the order of the
file; so the number of a line is (lines in all blocks before its own) + (its id − the first id of its block). This holds
only as long as nothing but row-by-row work (filter, project, explode) stands between the scan and the numbering, and
as long as the file is cut into the same blocks when the plan runs; the second is checked by each row, see below.

Spark takes rows that it keeps for those of any plan that looks the same, and a file that was put right in place looks
the same as before, if it is as long. So every reading has a mark of its own in its plan.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import accumulate

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from otklik.session import frame_of

#: The block of the file that a line was read from; `reader` adds them to every line.
BLOCK_START, BLOCK_LENGTH = "_block_start", "_block_length"


@dataclass(frozen=True)
class Positioned:
    """The lines of a file in their order.

    Attributes:
        lines: the lines given, with _position BIGINT: 0 for the first line of the file, 1 for the second, …
        count: how many they are.
        first: the first line, None where there is none.
    """

    lines: DataFrame
    count: int
    first: Row | None


def positioned(lines: DataFrame) -> Positioned:
    """Number the lines of a file, and drop the block columns.

    Counts the lines per block at once (one pass over the file, no shuffle of it), and fetches the first one.

    Args:
        lines: rows of one file straight from a scan, with the columns `_block_start` and `_block_length`.

    Raises:
        pyspark error USER_RAISED_EXCEPTION, when the plan runs, if the file was cut into other blocks in between.
    """
    with_ids = lines.withColumn("_id", F.monotonically_increasing_id())
    block = [BLOCK_START, BLOCK_LENGTH]
    counted = with_ids.groupBy(*block).agg(F.min("_id").alias("first_id"), F.count("*").alias("lines")).collect()
    counted.sort(key=lambda row: row[BLOCK_START])
    lines_before = accumulate((row["lines"] for row in counted), initial=0)
    reading = uuid.uuid4().hex
    offsets = [
        (row[BLOCK_START], row[BLOCK_LENGTH], before - row["first_id"], reading)
        for row, before in zip(counted, lines_before, strict=False)
    ]
    columns = f"{BLOCK_START} BIGINT, {BLOCK_LENGTH} BIGINT, _offset BIGINT, _reading STRING"
    blocks = frame_of(lines.sparkSession, offsets, columns)
    changed = F.raise_error(F.lit("the file was cut into other blocks than when its lines were counted")).cast("bigint")
    numbered = (
        with_ids.join(F.broadcast(blocks), on=block, how="left")
        .withColumn("_position", F.coalesce(F.col("_id") + F.col("_offset"), changed))
        .drop("_id", "_offset", "_reading", *block)
    )
    # Not part of the count: an aggregate that carries text is sorted, and would sort the whole file.
    first = lines.where(F.col(BLOCK_START) == counted[0][BLOCK_START]).take(1)[0] if counted else None
    return Positioned(numbered, sum(row["lines"] for row in counted), first)
