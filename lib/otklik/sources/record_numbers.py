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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pyspark.sql import Column, DataFrame, Row
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
        top: the first lines, as many as were asked for.
    """

    lines: DataFrame
    count: int
    top: Sequence[Row]


def positioned(lines: DataFrame, wanted: int = 1) -> Positioned:
    """Number the lines of a file, and drop the block columns.

    Counts the lines per block at once (one pass over the file, no shuffle of it), and fetches the first ones.

    Args:
        lines: rows of one file straight from a scan, with the columns `_block_start` and `_block_length`.
        wanted: how many of the first lines.

    Raises:
        pyspark error USER_RAISED_EXCEPTION, when the plan runs, if the file was cut into other blocks in between.
    """
    numbered, count, start = _numbered(lines.withColumn("_id", F.monotonically_increasing_id()), {"_id": "_position"})
    # Not part of the count: an aggregate that carries text is sorted, and would sort the whole file.
    top = lines.where(F.col(BLOCK_START) == F.lit(start)).take(wanted) if count else []
    if len(top) < min(wanted, count):
        top = numbered.where(F.col("_position") < wanted).orderBy("_position").collect()
    return Positioned(numbered, count, top)


def positioned_parts(lines: DataFrame, parts: Column) -> tuple[DataFrame, int]:
    """Make each line as many rows as it has parts, and number both; lines without parts are left out.

    Args:
        lines: as for `positioned`.
        parts: an array over a line.

    Returns:
        The rows, and how many they are: the columns given, _part (one element), _place BIGINT (of the part in its
        line), _line BIGINT (of the line in the file) and _position BIGINT (of the part in the file), all from 0.
    """
    with_ids = lines.where(F.size(parts) > F.lit(0)).withColumn("_line_id", F.monotonically_increasing_id())
    exploded = with_ids.select("*", F.posexplode(parts).alias("_place", "_part"))
    with_ids = exploded.withColumn("_id", F.monotonically_increasing_id())
    numbered, count, _ = _numbered(with_ids, {"_id": "_position", "_line_id": "_line"})
    return numbered, count


def _numbered(with_ids: DataFrame, names: Mapping[str, str]) -> tuple[DataFrame, int, int]:
    """Turn ids that were evaluated straight on the scan into numbers from 0.

    Returns:
        The rows with the new columns instead of the ids, their count, and where the first block with rows starts.
    """
    block = [BLOCK_START, BLOCK_LENGTH]
    bounds = [bound for id_ in names for bound in (F.min(id_).alias(f"first{id_}"), F.max(id_).alias(f"last{id_}"))]
    counted = with_ids.groupBy(*block).agg(*bounds).collect()
    counted.sort(key=lambda row: row[BLOCK_START])
    offsets, count = {}, 0
    for id_ in names:
        lengths = [row[f"last{id_}"] - row[f"first{id_}"] + 1 for row in counted]
        before = accumulate(lengths, initial=0)
        offsets[id_] = [start - row[f"first{id_}"] for row, start in zip(counted, before, strict=False)]
        count = max(count, sum(lengths))
    reading = uuid.uuid4().hex
    rows = [
        (row[BLOCK_START], row[BLOCK_LENGTH], reading, *(offsets[id_][place] for id_ in names))
        for place, row in enumerate(counted)
    ]
    columns = ", ".join(f"_offset{id_} BIGINT" for id_ in names)
    blocks = frame_of(
        with_ids.sparkSession, rows, f"{BLOCK_START} BIGINT, {BLOCK_LENGTH} BIGINT, _reading STRING, {columns}"
    )
    changed = F.raise_error(F.lit("the file was cut into other blocks than when its lines were counted")).cast("bigint")
    numbered = with_ids.join(F.broadcast(blocks), on=block, how="left").withColumns(
        {name: F.coalesce(F.col(id_) + F.col(f"_offset{id_}"), changed) for id_, name in names.items()}
    )
    dropped = numbered.drop("_reading", *block, *names, *(f"_offset{id_}" for id_ in names))
    return dropped, count, counted[0][BLOCK_START] if counted else 0
