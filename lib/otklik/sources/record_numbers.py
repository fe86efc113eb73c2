"""The number of a line in its file. The one place where monotonically_increasing_id() may reach a stored table.

Delimited text has no row index in Spark. Ordering all lines of a file to number them would send the file through one
task. But monotonically_increasing_id(), evaluated straight on the scan, counts the rows of a task in the order of the
file, and of one file after the other; so the number of a line is (lines in all blocks of its file before its own) +
(its id − the first id of its block). This holds only as long as nothing but row-by-row work (filter, project, explode)
stands between the scan and the numbering, and as long as the files are cut into the same blocks, and these are given to
the same tasks, when the plan runs; the second is checked by each row, see below.

Spark takes rows that it keeps for those of any plan that looks the same, and a file that was put right in place looks
the same as before, if it is as long. So every reading has a mark of its own in its plan.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from otklik.session import frame_of

#: The block of the file that a line was read from; `reader` adds them to every line. Where lines of many files are read
#: at once, the path of the file beside them.
BLOCK_START, BLOCK_LENGTH, BLOCK_FILE = "_block_start", "_block_length", "_block_file"


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


@dataclass(frozen=True)
class PositionedFiles:
    """The lines of many files in their order; files without lines are left out of `counts` and `top`.

    Attributes:
        lines: the lines given, with _file_no INT and _position BIGINT, from 0 in each file.
        counts: number of the file → how many lines it has.
        top: number of the file → its first lines, as many as were asked for.
    """

    lines: DataFrame
    counts: Mapping[int, int]
    top: Mapping[int, Sequence[Row]]


def positioned(lines: DataFrame, wanted: int = 1) -> Positioned:
    """Number the lines of a file, and drop the block columns.

    Counts the lines per block at once (one pass over the file, no shuffle of it), and fetches the first ones.

    Args:
        lines: rows of one file straight from a scan, with the columns `_block_start` and `_block_length`.
        wanted: how many of the first lines.

    Raises:
        pyspark error USER_RAISED_EXCEPTION, when the plan runs, if the file was cut into other blocks in between.
    """
    numbered, counts, start = _numbered(lines.withColumn("_id", F.monotonically_increasing_id()), {"_id": "_position"})
    count = counts.get(0, 0)
    # Not part of the count: an aggregate that carries text is sorted, and would sort the whole file.
    top = lines.where(F.col(BLOCK_START) == F.lit(start)).take(wanted) if count else []
    if len(top) < min(wanted, count):
        top = numbered.where(F.col("_position") < wanted).orderBy("_position").collect()
    return Positioned(numbered.drop("_file_no"), count, top)


def positioned_files(lines: DataFrame, files: Mapping[int, str], wanted: int) -> PositionedFiles:
    """Number the lines of many files; as `positioned`.

    Args:
        lines: rows of the files straight from one scan, with the columns `_block_start`, `_block_length` and
            `_block_file`, Spark's own path of the file, with its escapes.
        files: number of the file → its path.
        wanted: how many of the first lines of each file.
    """
    with_ids = lines.withColumn("_id", F.monotonically_increasing_id())
    numbered, counts, _ = _numbered(with_ids, {"_id": "_position"}, files)
    return PositionedFiles(numbered, counts, first_lines(numbered, wanted) if counts and wanted else {})


def first_lines(lines: DataFrame, wanted: int) -> dict[int, list[Row]]:
    """Number of the file → its first lines; lines as `PositionedFiles` has them."""
    top = defaultdict(list)
    # Put in order here: Spark would first read all lines once more, to see how to part them.
    for row in sorted(lines.where(F.col("_position") < wanted).collect(), key=itemgetter("_file_no", "_position")):
        top[row["_file_no"]].append(row)
    return top


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
    numbered, counts, _ = _numbered(with_ids, {"_id": "_position", "_line_id": "_line"})
    return numbered.drop("_file_no"), counts.get(0, 0)


def _numbered(
    with_ids: DataFrame, names: Mapping[str, str], files: Mapping[int, str] | None = None
) -> tuple[DataFrame, dict[int, int], int]:
    """Turn ids that were evaluated straight on the scan into numbers from 0 in each file.

    Args:
        with_ids: the rows.
        names: column of ids → column of numbers.
        files: number of the file → its path; None where there is but one, with the number 0.

    Returns:
        The rows with the new columns and _file_no INT instead of the ids and blocks; number of the file → count of its
        rows; and where the first block with rows starts.
    """
    block = [BLOCK_START, BLOCK_LENGTH, *([] if files is None else [BLOCK_FILE])]
    bounds = [bound for id_ in names for bound in (F.min(id_).alias(f"first{id_}"), F.max(id_).alias(f"last{id_}"))]
    counted = with_ids.groupBy(*block).agg(*bounds).collect()
    counted.sort(key=itemgetter(BLOCK_START))
    numbers = {_plain(path): number for number, path in (files or {}).items()}
    before = {id_: Counter[int]() for id_ in names}
    reading = uuid.uuid4().hex
    rows = []
    for row in counted:
        number = 0 if files is None else numbers[_plain(unquote(row[BLOCK_FILE]))]
        values = [*(row[name] for name in block), reading, number]
        for id_ in names:
            first, last = row[f"first{id_}"], row[f"last{id_}"]
            values += [first, last, before[id_][number] - first]
            before[id_][number] += last - first + 1
        rows.append(values)
    of_ids = [f"{what}{id_}" for id_ in names for what in ("_first", "_last", "_offset")]
    types = dict.fromkeys(block, "BIGINT") | {BLOCK_FILE: "STRING"}
    columns = [*(f"{name} {types[name]}" for name in block), "_reading STRING", "_file_no INT"]
    columns += [f"{name} BIGINT" for name in of_ids]
    blocks = frame_of(with_ids.sparkSession, rows, ", ".join(columns))
    changed = F.raise_error(F.lit("the file was cut into other blocks than when its lines were counted")).cast("bigint")
    numbered = with_ids.join(F.broadcast(blocks), on=block, how="left").withColumns(
        {
            name: F.when(
                F.expr(f"{id_} BETWEEN _first{id_} AND _last{id_}"), F.col(id_) + F.col(f"_offset{id_}")
            ).otherwise(changed)
            for id_, name in names.items()
        }
    )
    dropped = numbered.drop("_reading", *block, *names, *of_ids)
    return dropped, dict(before["_id"]), counted[0][BLOCK_START] if counted else 0


def _plain(path: str) -> str:
    """A path whose scheme has one form: Spark writes file:/ and file:///."""
    return re.sub("^file:/+", "/", path)
