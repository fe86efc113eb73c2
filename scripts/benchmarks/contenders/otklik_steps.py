"""Otklik itself: the very steps and functions that the commands run, in a session with the properties of conf/spark."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import columns
from scripts.benchmarks.inputs import CONF, WORLD, WORLD_TASK
from scripts.benchmarks.work import FOREST, LOGISTIC, SEED, TREE, Case, Outcome, Repetition, Work, said

from otklik.lake.store import Lake
from otklik.models.prepare import Feature, Rules
from otklik.models.split import Plan
from otklik.models.training import WITHOUT, Candidate, fit_on_all, laid_out, preparation_of, with_row_hash
from otklik.models.zoo import Setting, with_prediction
from otklik.progress import Progress
from otklik.project_files import find_project
from otklik.session import without_stage_code
from otklik.steps.context import Job, Options
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.report import write_report
from otklik.steps.score import score_rows
from otklik.steps.train import train_models

#: As the tasks of conf/tasks have it.
_PARTITIONS = 2
_RULES = Rules(0.005, 50, 0.98, ("constant", "duplicate"), frozenset(), frozenset(), {})
_FEATURES = tuple(
    [Feature(name, "text", False) for name in columns.TEXTS]
    + [Feature(name, "number", False) for name in columns.NUMBERS]
)
#: The held-out rows are fold 0.
_HELD_OUT = F.col("fold") == 0
_PLAN = Plan("benchmark", (), (), ~_HELD_OUT)
_STEPS: tuple[tuple[str, Callable[[Job], int]], ...] = (
    ("features", build_features),
    ("train", train_models),
    ("score", score_rows),
    ("report", write_report),
)


def job_on(lake: Lake, temporary_folder: Path, **names: Any) -> Job:
    """A job as the command line makes it; what it says of its progress goes to stderr."""
    return Job(
        options=Options(names, None, {}, "en"),
        lake=lake,
        project=find_project(None),
        progress=Progress(sys.stderr, time.monotonic, is_live=False),
        clock=lambda: datetime.now(UTC),
        # Of people who are made up.
        pseudonym_key=lambda: b"benchmark of made-up people",
        print_result=lambda _: None,
        temporary_folder=temporary_folder,
    )


def ingest(work: Work) -> Repetition:
    """`otklik ingest`: bronze, silver and the ledger, every row checked against its contract."""

    def once(out: Path) -> Outcome:
        _ingest(work.spark, out, "bank_rows", work.inputs["file"])
        return Outcome({"bronze": out / "lake/bronze/bank_rows", "silver": out / "lake/silver/bank_rows"})

    return once


def features(work: Work) -> Repetition:
    """`otklik features`: from silver to gold, both clocks obeyed, no row doubled, the run in the ledger."""

    def once(out: Path) -> Outcome:
        lake = out / "lake"
        lake.mkdir()
        # The events themselves are not copied: the step only reads them.
        (lake / "silver").symlink_to(work.inputs["lake"] / "silver", target_is_directory=True)
        shutil.copytree(work.inputs["lake"] / "ops", lake / "ops")
        build_features(job_on(Lake(work.spark, str(lake)), out, task=str(CONF / "activity.toml")))
        return Outcome({"features": lake / "gold/activity_features"})

    return once


def train(work: Work) -> Repetition:
    """What `otklik train` does for one split: prepare once, lay out, fit both models, predict the rows held out."""
    models: list[tuple[str, Setting]] = [("logistic_regression", LOGISTIC), ("decision_tree", TREE)]
    return lambda _: _trained(work.spark, work.inputs["rows"], models)


def forest(work: Work) -> Repetition:
    """The same with a random forest alone."""
    return lambda _: _trained(work.spark, work.inputs["rows"], [("random_forest", FOREST)])


def growth(work: Work) -> Repetition:
    """The demo's way on a larger world: ingest of three sources, then the five models of conf/tasks."""

    def once(out: Path) -> Outcome:
        outcome = Outcome()
        lake = Lake(work.spark, str(out / "lake"))
        with outcome.part("ingest"):
            for source in WORLD:
                ingest_files(job_on(lake, out, source=source, paths=[str(work.inputs["world"] / source)]))
        _run(outcome, lake, out, WORLD_TASK)
        return outcome

    return once


CASES: dict[str, Case] = {
    "ingest": ingest,
    "features": features,
    "train": train,
    "forest": forest,
    "growth": growth,
}


def _ingest(spark: SparkSession, out: Path, source: str, file: Path) -> Lake:
    lake = Lake(spark, str(out / "lake"))
    ingest_files(job_on(lake, out, source=str(CONF / f"{source}.toml"), paths=[str(file)]))
    return lake


def _run(outcome: Outcome, lake: Lake, out: Path, task: str) -> None:
    for name, step in _STEPS:
        with outcome.part(name):
            step(job_on(lake, out, task=task))


def _trained(spark: SparkSession, file: Path, models: list[tuple[str, Setting]]) -> Outcome:
    outcome = Outcome()
    with outcome.part("prepare"):
        prepared = _prepared(spark, file)
    # As the step does it.
    with without_stage_code(spark):
        for model, setting in models:
            with outcome.part(model):
                contender = Candidate(model, WITHOUT, (setting,))
                learnt_from = prepared.where(_PLAN.training_part)
                fitted = fit_on_all(
                    learnt_from, contender, {"features_per_split": "sqrt", "elastic_net": 0.0, **setting}, SEED
                )
                held_out = with_prediction(prepared.where(_HELD_OUT), fitted, model).select("label", "raw").toPandas()
                outcome.said[model] = said(held_out["label"], held_out["raw"])
    return outcome


def _prepared(spark: SparkSession, file: Path) -> DataFrame:
    """How the rows of a file become numbers, and these, laid out; the rows held out are a fold of their own."""
    fold = F.when(F.col("is_held_out"), 0).otherwise(1)
    rows = with_row_hash(spark.read.parquet(str(file)).withColumn("fold", fold).drop("is_held_out"))
    preparation = preparation_of(_PLAN, rows, _FEATURES, _RULES)
    return laid_out(rows, preparation, _PARTITIONS, with_leaks=False)
