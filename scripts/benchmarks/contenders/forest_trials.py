"""Cheap ways to a faster forest of MLlib's, each on the same rows in memory, one after the other in one process.

Whether a way is honest, its AUC on the rows held out says. Ways are held against the last one, which is the first one
again: what that gained by then is Java's warming up, and nobody's merit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml.regression import RandomForestRegressor
from pyspark.sql import functions as F
from scripts.benchmarks.contenders.bare_spark import prepared_rows, tree_settings
from scripts.benchmarks.work import FOREST, Case, Outcome, Repetition, Work, said

from otklik.session import without_stage_code

#: On the rows as bare Spark prepares them, with MLlib's own way of passing them through the trees.
AS_IT_COMES = "with_MLlib's_defaults"
#: Way → parameters that differ. Otklik's forests cache node ids.
PARAMETERS: dict[str, dict[str, Any]] = {
    AS_IT_COMES: {},
    "node_ids_cached": {"cacheNodeIds": True},
    "256_MB_for_statistics_at_once": {"maxMemoryInMB": 256},
    "2048_MB_for_statistics_at_once": {"maxMemoryInMB": 2048},
    "32_bins": {"maxBins": 32},
    "subsamplingRate_of_a_quarter": {"subsamplingRate": 0.25},
}
#: Way → one row in so many is learnt from, with leaves of as many fewer rows: the same share of what is learnt from.
ONE_ROW_IN = {"a_quarter_of_the_rows": 4, "a_tenth_of_the_rows": 10}
AGAIN = f"{AS_IT_COMES},_again"


def faster_forest(work: Work) -> Repetition:
    """The forest of the case `forest`, in every way; rows are sampled by a hash of their key."""

    def once(_: Path) -> Outcome:
        outcome = Outcome()
        prepared = prepared_rows(work.spark, work.inputs["rows"])
        learnt, held_out = prepared.where("NOT is_held_out"), prepared.where("is_held_out")
        ways = {name: (learnt, changed) for name, changed in PARAMETERS.items()}
        for name, one_in in ONE_ROW_IN.items():
            sample = learnt.where(F.pmod(F.xxhash64("key", F.lit("sample")), F.lit(one_in)) == 0)
            ways[name] = (sample, {"minInstancesPerNode": max(1, FOREST["min_leaf"] // one_in)})
        ways[AGAIN] = ways[AS_IT_COMES]
        settings = tree_settings(FOREST) | {"numTrees": FOREST["trees"], "featureSubsetStrategy": "sqrt"}
        # As Otklik and bare Spark do it.
        with without_stage_code(work.spark):
            for name, (some, changed) in ways.items():
                with outcome.part(name):
                    model = RandomForestRegressor(**{**settings, **changed}).fit(some)
                judged = model.transform(held_out).select("label", "prediction").toPandas()
                outcome.said[name] = said(judged["label"], judged["prediction"])
        prepared.unpersist()
        return outcome

    return once


CASES: dict[str, Case] = {"faster_forest": faster_forest}
