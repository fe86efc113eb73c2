"""All of a world is taken in with the balance that its facts say, and the shop's segments are found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier
from tests.bench import job_on

from otklik.lake.store import Lake
from otklik.lake.tables import FILES
from otklik.steps.ingest import ingest_files
from otklik.steps.run import run_task
from otklik.steps.world import write_world_files
from otklik.world import trade
from otklik.world.options import PARTS
from otklik.world.writing import SourceFacts, write_world

pytestmark = pytest.mark.long

CUSTOMERS, SEED = 5_000, 7


@pytest.fixture(scope="module")
def written(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("whole") / "lake"), is_here=True)
    out = str(Path(lake.root).parent / "world")
    job = job_on(lake, Path(lake.root).parent, customers=CUSTOMERS, seed=SEED, out=out, only="all")
    assert write_world_files(job) == 0
    return lake


def facts_of(spark: SparkSession, out: str) -> dict[str, SourceFacts]:
    """Each part is there already, and says what it holds."""
    found = dict(write_world(spark, CUSTOMERS, SEED, out).sources)
    for part in PARTS:
        found |= trade.write_part(spark, part, CUSTOMERS, SEED, out)
    return found


def test_every_source_has_exactly_the_balance_of_its_facts(spark: SparkSession, written: Lake) -> None:
    temporary_folder = Path(written.root).parent
    facts = facts_of(spark, str(temporary_folder / "world"))

    for source in facts:
        ingest_files(job_on(written, temporary_folder, source=source, paths=[str(temporary_folder / "world" / source)]))

    sums = [F.sum(name).alias(name) for name in ("rows", "accepted", "rejected", "duplicates", "updated", "repeated")]
    entries = {row.source: row for row in written.read(FILES.name).groupBy("source").agg(*sums).collect()}
    assert set(entries) == set(facts)
    for source, expected in facts.items():
        entry = entries[source]
        assert (entry.rows, entry.rejected) == (expected.rows, expected.rejected), source
        assert written.read(f"silver.{source}").count() == expected.inserted, source
    defects = {source: sum(expected.defects.values()) for source, expected in facts.items() if expected.defects}
    rejected = {
        row["source"]: row["count"] for row in written.read("bronze.rejected").groupBy("source").count().collect()
    }
    assert rejected == defects
    kinds = {row["kind"]: row["count"] for row in written.read("silver.receipts").groupBy("kind").count().collect()}
    assert (kinds["return"], kinds["cancelled"]) == (CUSTOMERS / 20, CUSTOMERS / 40)


def test_the_number_of_a_thing_tells_nothing_of_what_is_planted_about_it(written: Lake) -> None:
    """A tree over an identifier and its remainders guesses no column of its truth table."""
    told: dict[str, float] = {}
    for file in sorted((Path(written.root).parent / "world" / "truth").glob("*.parquet")):
        truth = pd.read_parquet(file)
        if file.stem == "mailings":
            # Each mailing has its own numbers, its own arms and its own effect.
            truth = truth[truth["mailing"] == truth["mailing"].min()]
        keys = [name for name in truth.columns if name.endswith("_id") and truth[name].is_unique]
        if keys:
            told |= {f"{file.stem}.{name}": value for name, value in auc_by_number(truth, keys[0])}

    assert len(told) > 25
    assert {name: value for name, value in told.items() if value > 0.6} == {}


def auc_by_number(truth: pd.DataFrame, key: str) -> Iterator[tuple[str, float]]:
    """Each column of a truth table, and how well the number in the key ranks its commoner or its greater half."""
    number = truth[key].str.extract(r"(\d+)$")[0].astype(float)
    remainders = pd.concat([number, *(number % by for by in (2, 3, 4, 5, 7, 8, 10, 16, 25, 40, 100))], axis=1)
    for name in truth.columns[~truth.columns.str.endswith("_id")]:
        values = truth[name]
        if pd.api.types.is_float_dtype(values):
            answer = (values > values.median()).to_numpy()
        else:
            answer = (values.astype(str) == values.astype(str).mode()[0]).to_numpy()
        if 100 <= answer.sum() <= len(answer) - 100:
            tree = DecisionTreeClassifier(max_depth=6, min_samples_leaf=25, random_state=0)
            guessed = cross_val_predict(tree, remainders.to_numpy(), answer, cv=4, method="predict_proba")[:, 1]
            yield name, float(roc_auc_score(answer, guessed))


def test_the_segments_of_the_shop_are_found_again(spark: SparkSession, written: Lake) -> None:
    temporary_folder = Path(written.root).parent
    for source in ("receipts", "products"):
        ingest_files(job_on(written, temporary_folder, source=source, paths=[str(temporary_folder / "world" / source)]))

    run_task(job_on(written, temporary_folder, task="shop_segments"))

    found = written.read("gold.shop_segments_assignments").select(F.col("customer").alias("customer_id"), "segment")
    truth = spark.read.parquet(str(temporary_folder / "world" / "truth" / "buyers.parquet")).withColumnRenamed(
        "segment", "true"
    )
    both = found.join(truth, "customer_id").toPandas()
    assert len(both) > 0.2 * CUSTOMERS
    assert both["segment"].nunique() == 4
    assert adjusted_rand_score(both["true"], both["segment"]) >= 0.9
    verdict = written.read("gold.verdicts").where("task = 'shop_segments'").collect()[0]
    assert verdict.verdict in ("gain", "no_gain")
