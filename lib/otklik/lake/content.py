"""A hash of a table's content that depends on its rows only, not on their order or layout."""

from __future__ import annotations

import hashlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.lake.store import MOMENTS_AS_TEXT

#: Decimals that floating-point columns are rounded to before hashing.
DECIMALS = 6
#: The one nested type of the house that holds doubles.
REASONS = "array<struct<feature:string,value:string,contribution:double>>"


def content_hash(rows: DataFrame) -> str:
    """Hash of all rows as a multiset; columns that start with `_` are left out, doubles rounded to 6 decimals.

    Two 64-bit hashes of each row are added up: a sum does not know the order of its terms.
    """
    columns = sorted((name, data_type) for name, data_type in rows.dtypes if not name.startswith("_"))
    as_text = F.to_json(
        F.struct(*(_rounded(name, data_type).alias(name) for name, data_type in columns)),
        {"ignoreNullFields": "false", **MOMENTS_AS_TEXT},
    )
    hashed = rows.select(F.xxhash64(as_text).alias("one"), F.xxhash64(F.lit("two"), as_text).alias("two"))
    wide = "decimal(38,0)"
    total = hashed.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum(F.col("one").cast(wide)), F.lit(0)).alias("one"),
        F.coalesce(F.sum(F.col("two").cast(wide)), F.lit(0)).alias("two"),
    ).collect()[0]
    names = ",".join(f"{name} {data_type}" for name, data_type in columns)
    return hashlib.sha256(f"{names}|{total.rows}|{total.one}|{total.two}".encode()).hexdigest()


def _rounded(name: str, data_type: str) -> Column:
    column = F.col(f"`{name}`")
    if data_type in ("double", "float"):
        # Adding zero turns -0.0 into 0.0.
        return F.round(column, DECIMALS) + F.lit(0.0)
    if data_type == REASONS:
        return F.transform(
            column,
            lambda reason: F.struct(
                reason["feature"], reason["value"], (F.round(reason["contribution"], DECIMALS) + F.lit(0.0))
            ),
        )
    return column
