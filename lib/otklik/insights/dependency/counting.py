"""Count every property with every outcome in one pass over customers.

The driver collects a sample of numbers, the most common levels of strings, and a table of counts per pair, each of
bounded size whatever the number of customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from otklik.insights.dependency.association import Counts
from otklik.insights.dependency.coding import MOST_LEVELS, Coding, stratum_codes

#: Approximate sample size for the cut points of numbers, drawn by a hash of the keys.
_SAMPLE = 100_000


@dataclass(frozen=True)
class Tables:
    """Counts of every pair.

    Attributes:
        fine: (property, outcome) → counts by grade of both.
        strata: (property, outcome) → (strata, parts, parts) counts; empty without confounders.
    """

    fine: Mapping[tuple[str, str], Counts]
    strata: Mapping[tuple[str, str], Counts]


def sample_of_numbers(customers: DataFrame, names: Sequence[str], rows: int) -> pd.DataFrame:
    """The numbers of at most about _SAMPLE customers, independent of the partitioning."""
    if not names:
        return pd.DataFrame()
    share = min(1.0, _SAMPLE / max(rows, 1))
    is_drawn = F.pmod(F.xxhash64(F.lit("sample"), "customer"), F.lit(1_000_000)) < int(share * 1_000_000)
    return customers.where(is_drawn).select(*(f"`{name}`" for name in names)).toPandas()


def commonest_levels(customers: DataFrame, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """The most common levels of strings with their numbers of customers: two more per string than are kept."""
    if not names:
        return {}
    pairs = F.array(*(F.struct(F.lit(name).alias("name"), F.col(f"`{name}`").alias("level")) for name in names))
    filled = customers.select(F.inline(pairs)).where("level IS NOT NULL")
    counts = filled.groupBy("name", "level").agg(F.count("*").alias("rows"))
    place = F.row_number().over(Window.partitionBy("name").orderBy(F.desc("rows"), "level"))
    found = counts.withColumn("place", place).where(F.col("place") <= MOST_LEVELS + 2).toPandas()
    return {
        str(name): dict(zip(some["level"], some["rows"].tolist(), strict=True)) for name, some in found.groupby("name")
    }


def count_tables(
    customers: DataFrame,
    properties: Sequence[Coding],
    outcomes: Sequence[Coding],
    confounders: Sequence[Coding],
) -> Tables:
    """Count every property with every outcome, and with every combination of the confounders' parts.

    Each worker counts its own rows. The result has at most one row per cell of a table.
    """
    pairs = [(one, other) for one in properties for other in outcomes]
    strata = int(np.prod([len(one.labels) for one in confounders])) if confounders else 0
    fine_shapes = [(one.grades, other.grades) for one, other in pairs]
    shapes = [*fine_shapes, *((strata, len(one.labels), len(other.labels)) for one, other in pairs if strata)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    codings = [*properties, *outcomes, *confounders]

    def counted(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        totals = np.zeros(starts[-1], dtype=np.int64)
        for batch in batches:
            codes = {coding.name: coding.codes(batch[coding.name]) for coding in codings}
            stratum = stratum_codes([codes[one.name] for one in confounders], confounders) if strata else None
            for place, (one, other) in enumerate(pairs):
                is_known = (codes[one.name] >= 0) & (codes[other.name] >= 0)
                first, second = codes[one.name][is_known], codes[other.name][is_known]
                _add(totals, starts[place], sizes[place], first * other.grades + second)
                if stratum is not None:
                    where = stratum[is_known]
                    cells = (where * len(one.labels) + one.parts[first]) * len(other.labels) + other.parts[second]
                    _add(totals, starts[len(pairs) + place], sizes[len(pairs) + place], cells[where >= 0])
        filled = np.flatnonzero(totals)
        yield pd.DataFrame({"cell": filled, "rows": totals[filled]})

    columns = [f"`{coding.name}`" for coding in codings]
    parts = customers.select(*columns).mapInPandas(counted, "cell BIGINT, rows BIGINT")
    found = parts.groupBy("cell").agg(F.sum("rows").alias("rows")).toPandas()
    totals = np.zeros(starts[-1], dtype=np.int64)
    totals[found["cell"].to_numpy()] = found["rows"].to_numpy()
    tables = [
        totals[start : start + size].reshape(shape) for start, size, shape in zip(starts, sizes, shapes, strict=False)
    ]
    names = [(one.name, other.name) for one, other in pairs]
    return Tables(dict(zip(names, tables, strict=False)), dict(zip(names, tables[len(pairs) :], strict=False)))


def _add(totals: Counts, start: int, size: int, cells: Counts) -> None:
    totals[start : start + size] += np.bincount(cells, minlength=size)
