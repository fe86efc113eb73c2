"""Polars, lazily, results as Parquet, compressed as everybody's."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from scripts.benchmarks.columns import HORIZON_DAYS, KINDS, NETWORKS, TOPICS, WINDOWS_DAYS
from scripts.benchmarks.work import Case, Outcome, Repetition, Work, live_files

_DAY = 86_400_000_000


def ingest(work: Work) -> Repetition:
    """Bronze as text and silver as typed rows, the last of each customer; nothing is checked."""

    def once(out: Path) -> Outcome:
        file = work.inputs["file"]
        # A separator that no record has: the whole record is one field.
        lines = pl.scan_csv(
            file, separator="\x1f", has_header=False, skip_rows=1, new_columns=["record"], quote_char=None
        )
        lines.with_row_index("record_no", 1).sink_parquet(out / "bronze.parquet", compression="snappy")
        rows = pl.scan_csv(file, separator=";")
        rows.unique(subset="customer_id", keep="last").sink_parquet(out / "silver.parquet", compression="snappy")
        return Outcome({"bronze": out / "bronze.parquet", "silver": out / "silver.parquet"})

    return once


def features(work: Work) -> Repetition:
    """One join and one group-by."""

    def once(out: Path) -> Outcome:
        lake = work.inputs["lake"]
        rows = pl.scan_parquet(live_files(lake / "silver/customers")).select(
            pl.col("customer_id").alias("key"), pl.col("decided_at").alias("as_of")
        )
        events = pl.scan_parquet(live_files(lake / "silver/events"))
        age = (pl.col("as_of") - pl.col("happened_at")).dt.total_microseconds()
        known = (
            events.join(rows, left_on="customer_id", right_on="key")
            .with_columns(age.alias("age"))
            .filter(
                (pl.col("age") >= 0) & (pl.col("age") < HORIZON_DAYS * _DAY) & (pl.col("known_at") <= pl.col("as_of"))
            )
        )
        grouped = known.group_by("customer_id").agg(_aggregates())
        found = rows.join(grouped, left_on="key", right_on="customer_id", how="left").with_columns(
            _where_there_is_none()
        )
        found.sink_parquet(out / "features.parquet", compression="snappy")
        return Outcome({"features": out / "features.parquet"})

    return once


CASES: dict[str, Case] = {"ingest": ingest, "features": features}


def _counts() -> dict[str, pl.Expr]:
    month = pl.col("age") < 30 * _DAY
    found = {f"event_count_{days}d": (pl.col("age") < days * _DAY).sum() for days in WINDOWS_DAYS}
    found |= {f"{kind}_count_30d": ((pl.col("kind") == kind) & month).sum() for kind in KINDS}
    found |= {f"about_{topic}_count_30d": ((pl.col("topic") == topic) & month).sum() for topic in TOPICS}
    found |= {f"on_{network}_count_90d": (pl.col("network") == network).sum() for network in NETWORKS}
    return found


def _aggregates() -> list[pl.Expr]:
    age = pl.col("age")
    # Without the zone, which is UTC: with it each moment is looked up.
    happened_at = pl.col("happened_at").dt.replace_time_zone(None)
    hour, weekday = happened_at.dt.hour(), happened_at.dt.weekday()
    month_before = ((age >= 30 * _DAY) & (age < 60 * _DAY)).sum()
    return [
        *(count.cast(pl.Int64).alias(name) for name, count in _counts().items()),
        (age.min() / _DAY).alias("days_since_last_event"),
        ((1 + (age < 30 * _DAY).sum()) / (1 + month_before)).log().alias("activity_trend_30d"),
        pl.col("topic").n_unique().cast(pl.Int64).alias("distinct_topics_90d"),
        (hour < 6).mean().alias("night_share_90d"),
        hour.is_between(6, 11).mean().alias("morning_share_90d"),
        (hour >= 18).mean().alias("evening_share_90d"),
        (weekday >= 6).mean().alias("weekend_share_90d"),
    ]


def _where_there_is_none() -> list[pl.Expr]:
    """What a customer without events has."""
    zeros = [*_counts(), "activity_trend_30d", "distinct_topics_90d"]
    return [pl.col(zeros).fill_null(0), pl.col("days_since_last_event").fill_null(float(HORIZON_DAYS))]
