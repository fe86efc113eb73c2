"""Checks of frames with one row per customer."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError


def refuse_copies(customers: DataFrame, frame: str) -> None:
    """Check that each customer has one row.

    Raises:
        RefusedError: with the number of surplus rows.
    """
    row = customers.agg(F.count("*").alias("rows"), F.countDistinct("customer").alias("customers")).collect()[0]
    if row["rows"] > row["customers"]:
        raise RefusedError(
            f"{row['rows']:,} rows for {row['customers']:,} customers",
            where=f"frames.{frame}",
            hint="give one row per customer, with an aggregate in a .sql file where there are several",
        )
