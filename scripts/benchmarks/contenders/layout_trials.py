"""Whether it pays to lay events together by their time: what it costs, and what a question for two weeks then gains.

The events of the case `features`, in which every file holds all 120 days: the worst case, history that came at once.
Where each day brings a file of its own, files are apart by time as they come.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import functions as F
from scripts.benchmarks.work import Case, Outcome, Repetition, Work

from otklik.lake.maintenance import compact
from otklik.lake.store import Lake

#: The last two of the weeks in which events lie.
_QUESTION = "happened_at > TIMESTAMP '2025-06-15T00:00:00Z'"
_ONE_DAY = "happened_at > TIMESTAMP '2025-06-28T00:00:00Z'"


def clustering(work: Work) -> Repetition:
    """The same question of three layouts, and the writing of each."""

    def once(out: Path) -> Outcome:
        outcome = Outcome()
        spark = work.spark
        source = spark.read.format("delta").load(str(work.inputs["lake"] / "silver/events"))
        lake = Lake(spark, str(out / "lake"))
        place = lake.folder("silver", "events")
        source.write.format("delta").save(place)
        with outcome.part("asked_as_it_came"):
            _ask(lake)
        with outcome.part("compacting"):
            compact(lake, "silver.events")
        with outcome.part("asked_when_compacted"):
            _ask(lake)
        with outcome.part("clustering"):
            spark.sql(f"ALTER TABLE {lake.reference('silver.events')} CLUSTER BY (happened_at)")
            compact(lake, "silver.events")
        with outcome.part("asked_when_clustered"):
            _ask(lake)
        another_day = source.where(_ONE_DAY).withColumn("event_id", F.concat("event_id", F.lit(" again")))
        another_day.write.format("delta").mode("append").save(place)
        with outcome.part("clustering_again_after_a_day"):
            compact(lake, "silver.events")
        return outcome

    return once


CASES: dict[str, Case] = {"clustering": clustering}


def _ask(lake: Lake) -> None:
    asked = lake.read("silver.events").where(_QUESTION).groupBy("customer_id").agg(F.count("*"), F.max("happened_at"))
    asked.write.format("noop").mode("overwrite").save()
