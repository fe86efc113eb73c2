"""The same Spark work by hand: no contract, no ledger, no labels of writes, but every habit of Spark that pays.

It runs in a session with the same properties as Otklik's, which are faster than Spark's defaults on few cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import DecisionTreeRegressor, RandomForestRegressor
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from scripts.benchmarks import columns
from scripts.benchmarks.columns import HORIZON_DAYS
from scripts.benchmarks.contenders.window_counts import aggregates, weight_of_topic
from scripts.benchmarks.work import FOREST, LOGISTIC, SEED, TREE, Case, Outcome, Repetition, Work, said

from otklik.session import without_stage_code

#: Of the bank-like file.
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in columns.BANK.items())
_PARTITIONS = 2


def ingest(work: Work) -> Repetition:
    """Bronze as text and silver as typed rows, the last of each customer; nothing is checked.

    The record's number is only its order: to number records densely takes one more pass, which Otklik makes.
    """

    def once(out: Path) -> Outcome:
        file = work.inputs["file"]
        lines = work.spark.read.text(str(file)).withColumn("record_no", F.monotonically_increasing_id())
        arrival = {"_batch": F.lit("batch"), "_arrived_at": F.lit("2025-06-01").cast("timestamp")}
        header = SCHEMA.split(maxsplit=1)[0]
        records = lines.where(~F.col("value").startswith(header)).withColumnRenamed("value", "record")
        bronze = records.withColumns({"file": F.lit(file.name), **arrival})
        # Nobody looks for a record by its text.
        _write(bronze, out / "bronze", **{"delta.dataSkippingStatsColumns": "record_no,_batch,_arrived_at"})
        rows = work.spark.read.csv(str(file), schema=SCHEMA, sep=";", header=True)
        numbered = rows.withColumn("record_no", F.monotonically_increasing_id())
        _write(_last_of_each(numbered).withColumns(arrival), out / "silver")
        return Outcome({"bronze": out / "bronze", "silver": out / "silver"})

    return once


def features(work: Work) -> Repetition:
    """One join and one group-by, written once; a row without events comes in afterwards, as in Otklik's SQL."""

    def once(out: Path) -> Outcome:
        spark, lake = work.spark, work.inputs["lake"]
        customers = spark.read.format("delta").load(str(lake / "silver/customers"))
        events = spark.read.format("delta").load(str(lake / "silver/events"))
        rows = customers.selectExpr("customer_id AS key", "decided_at AS moment")
        is_known = (
            (F.col("happened_at") <= F.col("moment"))
            & (F.col("happened_at") > F.col("moment") - F.expr(f"INTERVAL {24 * HORIZON_DAYS} HOURS"))
            & (F.col("known_at") <= F.col("moment"))
        )
        known = events.join(rows.hint("shuffle_hash"), (F.col("customer_id") == F.col("key")) & is_known).withColumn(
            "us_before", F.expr("unix_micros(moment) - unix_micros(happened_at)")
        )
        numbers = aggregates(
            hour="hour(happened_at)", is_weekend="weekday(happened_at) >= 5", weight_of_topic=weight_of_topic()
        )
        grouped = known.groupBy("key", "moment").agg(*(F.expr(number) for number in numbers))
        without_events: dict[str, bool | float | int | str] = {
            "days_since_last_event": float(HORIZON_DAYS),
            "activity_trend_30d": 0.0,
        }
        without_events |= {name: 0 for name in grouped.columns if "_count_" in name or name.startswith("distinct")}
        every = rows.join(grouped, ["key", "moment"], "left").fillna(without_events)
        _write(every.withColumnRenamed("moment", "as_of"), out / "features")
        return Outcome({"features": out / "features"})

    return once


def train(work: Work) -> Repetition:
    """Levels, medians and vectors once, kept in memory, then both models.

    A regression tree on 0 and 1, as ours: MLlib's classifier throws leaves together that answer alike, and with them
    the probabilities that AUC is about.
    """
    logistic = LogisticRegression(regParam=LOGISTIC["reg_param"], maxIter=int(LOGISTIC["max_iter"]))
    return lambda _: _trained(
        work.spark,
        work.inputs["rows"],
        {"logistic_regression": logistic, "decision_tree": DecisionTreeRegressor(**_tree_settings(TREE))},
    )


def forest(work: Work) -> Repetition:
    """The same with a random forest alone; it keeps node ids, as Otklik's does."""
    model = RandomForestRegressor(
        numTrees=FOREST["trees"], featureSubsetStrategy="sqrt", cacheNodeIds=True, **_tree_settings(FOREST)
    )
    return lambda _: _trained(work.spark, work.inputs["rows"], {"random_forest": model})


CASES: dict[str, Case] = {"ingest": ingest, "features": features, "train": train, "forest": forest}


def _preparation() -> list[Any]:
    """The stages before a model: levels as 0 and 1, medians for what is missing, one vector."""
    texts, numbers = list(columns.TEXTS), list(columns.NUMBERS)
    return [
        StringIndexer(inputCols=texts, outputCols=[f"{name} index" for name in texts], handleInvalid="keep"),
        OneHotEncoder(
            inputCols=[f"{name} index" for name in texts],
            outputCols=[f"{name} levels" for name in texts],
            dropLast=False,
        ),
        Imputer(inputCols=numbers, outputCols=[f"{name} known" for name in numbers], strategy="median"),
        VectorAssembler(
            inputCols=[f"{name} levels" for name in texts] + [f"{name} known" for name in numbers], outputCol="features"
        ),
    ]


def _tree_settings(setting: dict[str, int]) -> dict[str, Any]:
    """The settings of everybody's trees in MLlib's words."""
    return {
        "maxDepth": setting["max_depth"],
        "minInstancesPerNode": setting["min_leaf"],
        "maxBins": setting["max_bins"],
        "maxMemoryInMB": 1024,
        "seed": SEED,
    }


def _prepared(spark: SparkSession, file: Path) -> DataFrame:
    """Rows as vectors, laid out by key and in memory: key, label, is_held_out, features."""
    rows = spark.read.parquet(str(file)).withColumn("label", F.col("label").cast("double"))
    prepared = Pipeline(stages=_preparation()).fit(rows.where("NOT is_held_out")).transform(rows)
    prepared = prepared.select("key", "label", "is_held_out", "features").repartition(_PARTITIONS, "key").persist()
    prepared.count()
    return prepared


def _trained(spark: SparkSession, file: Path, models: dict[str, Any]) -> Outcome:
    outcome = Outcome()
    with outcome.part("prepare"):
        prepared = _prepared(spark, file)
    with without_stage_code(spark):
        for name, estimator in models.items():
            with outcome.part(name):
                model = estimator.fit(prepared.where("NOT is_held_out"))
                score = (
                    vector_to_array(F.col("probability"))[1] if name == "logistic_regression" else F.col("prediction")
                )
                judged = model.transform(prepared.where("is_held_out")).select("label", score.alias("score")).toPandas()
                outcome.said[name] = said(judged["label"], judged["score"])
    prepared.unpersist()
    return outcome


def _last_of_each(rows: DataFrame) -> DataFrame:
    newest_first = Window.partitionBy("customer_id").orderBy(F.desc("record_no"))
    return rows.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1").drop("_place")


def _write(rows: DataFrame, target: Path, **properties: str) -> None:
    rows.write.format("delta").options(**properties).save(str(target))
