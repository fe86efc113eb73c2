"""What each row of many files does to the rows that were known, as if the files had come one after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from otklik.sources.contract import Contract

INSERTED, UPDATED, REPEATED = "inserted", "updated", "repeated"
#: The number of the file of rows that were known.
_KNOWN = -1


@dataclass(frozen=True)
class Effect:
    """What a file did to silver: rows it added and replaced, and of its keys those that were left as they stood."""

    inserted: int = 0
    updated: int = 0
    repeated: int = 0
    remaining: int = 0


def update_when(contract: Contract, stays: Collection[str] = (), comes: str = "s", there: str = "t") -> str | None:
    """When a row that comes replaces the one that is there under its key, of which some columns stay.

    SQL over two rows by these names; None where it never does.
    """
    others = [name for name in contract.columns if name not in (*contract.key_columns, *stays)]
    if contract.key.keep == "first" or not others:
        return None
    differs = "NOT (" + " AND ".join(f"{comes}.`{name}` <=> {there}.`{name}`" for name in others) + ")"
    newest_by = contract.key.newest_by
    if newest_by is None:
        return differs
    return f"({differs}) AND ({there}.`{newest_by}` IS NULL OR {comes}.`{newest_by}` >= {there}.`{newest_by}`)"


def with_outcomes(
    rows: DataFrame, known: DataFrame | None, contract: Contract, lacking: Mapping[int, Collection[str]]
) -> DataFrame:
    """Determine for each row whether it is inserted, updated or repeated, with files applied in order.

    The row that stands under a key when a file comes is never rebuilt: of equal rows it does not matter which one
    stands, so it is the row before (`last`), or the newest one before (`newest`). Where files lack columns whose values
    stay, these are filled from the rows before, so that they differ in nothing. Among files that lack different columns
    this holds for `first` and `last` only.

    Args:
        rows: _file_no, _record_no, the contract's columns and key; a key stands once in each file.
        known: what was there before under these keys; None for nothing.
        contract: what makes two rows the same, and which one wins.
        lacking: number of the file → its columns that stay as they were known; files that lack none may be left out.

    Returns:
        `rows` with _outcome (inserted, updated, repeated) and _remains BOOLEAN: the last row that changes something
        under its key, whose values stand there in the end.
    """
    names = list(dict.fromkeys([*contract.columns, *contract.whole_key]))
    columns = ["_file_no", "_record_no", *names]
    every = rows.select(*columns)
    if known is not None:
        mine = known.select(
            F.lit(_KNOWN).alias("_file_no"), F.lit(None).cast("bigint").alias("_record_no"), *(f"`{n}`" for n in names)
        )
        every = mine.unionByName(every)
    same_key = Window.partitionBy(*(F.col(name) for name in contract.whole_key))
    in_order = same_key.orderBy("_file_no")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    filled = {
        name: F.last(F.when(~F.col("_file_no").isin(files), F.struct(name)), ignorenulls=True).over(in_order)[name]
        for name, files in _files_by_column(lacking).items()
        if name not in (contract.key.newest_by, *contract.whole_key)
    }
    every = every.withColumns(filled)
    whole = F.struct(*names)
    newest_by = contract.key.newest_by
    if newest_by is None:
        there = F.lag(whole).over(in_order)
    else:
        there = F.max(F.struct(F.col(newest_by).alias("_newest"), "_file_no", whole.alias("_row"))).over(before)["_row"]
    condition = update_when(contract, comes="_comes", there="_there")
    with_both = every.withColumns({"_there": there, "_comes": whole, "_is_first": F.row_number().over(in_order) == 1})
    updates = F.lit(False) if condition is None else F.coalesce(F.expr(condition), F.lit(False))
    outcome = F.when(F.col("_is_first"), INSERTED).when(updates, UPDATED).otherwise(REPEATED)
    told = with_both.withColumn("_outcome", outcome).drop("_there", "_comes", "_is_first")
    changes = (F.col("_outcome") != REPEATED) & (F.col("_file_no") != _KNOWN)
    last = F.max(F.when(changes, F.col("_file_no"))).over(same_key)
    return told.withColumn("_remains", F.coalesce(F.col("_file_no") == last, F.lit(False)) & changes).where(
        F.col("_file_no") != _KNOWN
    )


def effects(told: DataFrame) -> dict[int, Effect]:
    """Count what `with_outcomes` says: number of the file → its effect."""
    counted = told.groupBy("_file_no").agg(
        *(F.count_if(F.col("_outcome") == outcome).alias(outcome) for outcome in (INSERTED, UPDATED, REPEATED)),
        F.count_if("_remains").alias("remaining"),
    )
    return {row["_file_no"]: Effect(*row[1:]) for row in counted.collect()}


def _files_by_column(lacking: Mapping[int, Collection[str]]) -> dict[str, list[int]]:
    """Column → the files that lack it."""
    names = dict.fromkeys(name for lacked in lacking.values() for name in lacked)
    return {name: [number for number, lacked in lacking.items() if name in lacked] for name in names}
