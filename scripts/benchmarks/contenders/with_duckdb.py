"""DuckDB, results as Parquet."""

from __future__ import annotations

from pathlib import Path

import duckdb
from scripts.benchmarks.columns import BANK, HORIZON_DAYS
from scripts.benchmarks.contenders.window_counts import DAY, aggregates, weight_of_topic
from scripts.benchmarks.work import Case, Outcome, Repetition, Work, live_files


def ingest(work: Work) -> Repetition:
    """Bronze as text and silver as typed rows, the last of each customer; nothing is checked."""

    def once(out: Path) -> Outcome:
        file = work.inputs["file"]
        with _connection(work) as database:
            # A separator that no record has: the whole record is one field.
            database.sql(
                f"COPY (SELECT row_number() OVER () AS record_no, record FROM read_csv('{file}', delim = '\x1f', "
                f"header = false, skip = 1, quote = '', escape = '', columns = {{'record': 'VARCHAR'}})) "
                f"TO '{out}/bronze.parquet'"
            )
            database.sql(
                f"COPY (SELECT * EXCLUDE (record_no) FROM (SELECT *, row_number() OVER () AS record_no "
                f"FROM read_csv('{file}', delim = ';', header = true, columns = {BANK})) "
                f"QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY record_no DESC) = 1) "
                f"TO '{out}/silver.parquet'"
            )
        return Outcome({"bronze": out / "bronze.parquet", "silver": out / "silver.parquet"})

    return once


def features(work: Work) -> Repetition:
    """One join and one group-by, the same SQL as bare Spark's but for the names of functions.

    Moments are taken as microseconds, so that the wheel alone will do: zones need an extension from the network.
    """

    def once(out: Path) -> Outcome:
        lake = work.inputs["lake"]
        customers, events = _listed(lake / "silver/customers"), _listed(lake / "silver/events")
        numbers = aggregates(
            hour="hour(happened_at)", is_weekend="isodow(happened_at) >= 6", weight_of_topic=weight_of_topic()
        )
        with _connection(work) as database:
            database.sql(f"""
                COPY (
                    WITH known AS (
                        SELECT c.customer_id AS key, c.decided_at AS as_of, e.kind, e.topic, e.network,
                            make_timestamp(epoch_us(e.happened_at)) AS happened_at,
                            epoch_us(c.decided_at) - epoch_us(e.happened_at) AS us_before
                        FROM read_parquet({customers}) AS c
                        LEFT JOIN read_parquet({events}) AS e
                            ON e.customer_id = c.customer_id
                            AND e.happened_at <= c.decided_at
                            AND epoch_us(e.happened_at) > epoch_us(c.decided_at) - {HORIZON_DAYS * DAY}
                            AND e.known_at <= c.decided_at
                    )
                    SELECT key, as_of, {", ".join(numbers)} FROM known GROUP BY key, as_of
                ) TO '{out}/features.parquet'
            """)
        return Outcome({"features": out / "features.parquet"})

    return once


CASES: dict[str, Case] = {"ingest": ingest, "features": features}


def _connection(work: Work) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": work.cores})


def _listed(table: Path) -> str:
    return "[" + ", ".join(f"'{file}'" for file in live_files(table)) + "]"
