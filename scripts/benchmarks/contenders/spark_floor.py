"""The least that Spark needs: to read the same files, typed; where rows are only passed on, to write them, too."""

from __future__ import annotations

from pathlib import Path

from scripts.benchmarks.contenders.bare_spark import SCHEMA
from scripts.benchmarks.work import Case, Outcome, Repetition, Work


def ingest(work: Work) -> Repetition:
    """Parse the file and write the rows as they are."""

    def once(out: Path) -> Outcome:
        rows = work.spark.read.csv(str(work.inputs["file"]), schema=SCHEMA, sep=";", header=True)
        rows.write.parquet(str(out / "rows"))
        return Outcome()

    return once


def features(work: Work) -> Repetition:
    """Read the events."""

    def once(_: object) -> Outcome:
        events = work.spark.read.format("delta").load(str(work.inputs["lake"] / "silver/events"))
        used = events.select("customer_id", "happened_at", "kind", "network", "topic", "known_at")
        used.write.format("noop").mode("overwrite").save()
        return Outcome()

    return once


def train(work: Work) -> Repetition:
    """Read the rows."""

    def once(_: object) -> Outcome:
        work.spark.read.parquet(str(work.inputs["rows"])).write.format("noop").mode("overwrite").save()
        return Outcome()

    return once


#: Forests and scores are of the same rows.
CASES: dict[str, Case] = {"ingest": ingest, "features": features, "train": train, "forest": train, "score": train}
