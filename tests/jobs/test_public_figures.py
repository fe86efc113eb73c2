"""Public data sets, compared with published and recomputed figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.jobs.figures import board_of, lake_after

from otklik.lake.store import Lake
from otklik.lake.tables import ACTION_VALUE

pytestmark = pytest.mark.long

UNSEEN = Path(__file__).parent / "unseen"


@pytest.fixture(scope="module")
def marketing(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    file = shared_data / "customer_personality" / "marketing_campaign.csv"
    folder = tmp_path_factory.mktemp("marketing")
    return lake_after(spark, folder, "marketing_campaign", file, "marketing_campaign")


@pytest.mark.parametrize(
    ("model", "auc", "accuracy", "below"),
    [
        ("logistic_regression", 0.890, 0.887, 0.010),
        ("decision_tree", 0.759, 0.858, 0.015),
        ("random_forest", 0.895, 0.882, 0.015),
    ],
)
def test_marketing_campaign_ten_fold(marketing: Lake, model: str, auc: float, accuracy: float, below: float) -> None:
    row = board_of(marketing, "random", "without").loc[model]
    assert row["rows"] == 2_240
    assert row["auc"] >= auc - below
    assert row["accuracy"] >= accuracy - 0.01


def test_marketing_campaign_profit(marketing: Lake) -> None:
    profit = marketing.read(ACTION_VALUE.name).toPandas().set_index("policy")["out_of_fold_profit"]
    assert profit["list"] >= 1_100
    assert profit["all"] == pytest.approx(-3_046)
    assert profit["oracle"] == pytest.approx(2_672)
    assert profit["none"] == 0


def test_a_data_set_never_seen_before_needs_two_toml_files(
    spark: SparkSession, shared_data: Path, tmp_path: Path
) -> None:
    file = shared_data / "telco_churn" / "Telco-Customer-Churn.csv"
    lake = lake_after(spark, tmp_path, f"{UNSEEN / 'telco_customers.toml'}", file, f"{UNSEEN / 'telco_churn.toml'}")
    assert lake.read("silver.telco_customers").where("total_charge IS NULL").count() == 11
    board = board_of(lake, "random", "without")
    assert board.loc["majority", "accuracy"] == pytest.approx(0.7346, abs=0.0001)
    assert board.loc["logistic_regression", "auc"] >= 0.845 - 0.010
    assert board.loc["logistic_regression", "accuracy"] >= 0.804 - 0.010
    assert board.loc["random_forest", "auc"] >= 0.845 - 0.015


@pytest.mark.parametrize(
    ("source", "file", "task"),
    [
        ("facebook_live", "facebook_live_sellers/Live.csv", "facebook_live_reach"),
        ("higgs_activity", "higgs_twitter/higgs-activity_time.txt.gz", "higgs_return"),
    ],
)
def test_real_engagement(
    spark: SparkSession, shared_data: Path, tmp_path: Path, source: str, file: str, task: str
) -> None:
    lake = lake_after(spark, tmp_path, source, shared_data / file, task)
    board = board_of(lake, "time", "without", "calibrated")
    found = board.drop(index="majority")
    assert set(found.index) == {
        "logistic_regression", "decision_tree", "random_forest", "naive_bayes", "linear_svc"
    }  # fmt: skip
    assert (found["auc_low"] <= found["auc"]).all()
    assert (found["auc"] <= found["auc_high"]).all()
    # Engagement before the moment does say something of what comes after it.
    assert found["auc_low"].max() > 0.5
