"""bank-full, compared with published and recomputed figures."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.jobs.figures import board_of, lake_after

from otklik.lake.store import Lake

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bank(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    file = shared_data / "bank_marketing" / "bank-full.csv.gz"
    leaks = {"evaluation.with_leaks": True}
    return lake_after(spark, tmp_path_factory.mktemp("bank"), "bank_full", file, "bank_full", leaks)


#: leaks, model, reference AUC and accuracy (scikit-learn, 10-fold), how far below AUC may be.
BANK_FIGURES = [
    ("without", "logistic_regression", 0.7656, 0.8923, 0.010),
    ("without", "decision_tree", 0.7000, 0.8925, 0.015),
    ("without", "random_forest", 0.7924, 0.8939, 0.015),
    ("with", "logistic_regression", 0.9068, 0.9017, 0.010),
    ("with", "decision_tree", 0.8481, 0.9010, 0.015),
    ("with", "random_forest", 0.9238, 0.8975, 0.015),
]


@pytest.mark.parametrize(("leaks", "model", "auc", "accuracy", "below"), BANK_FIGURES)
def test_bank_full_ten_fold(bank: Lake, leaks: str, model: str, auc: float, accuracy: float, below: float) -> None:
    row = board_of(bank, "random", leaks).loc[model]
    assert row["rows"] == 45_211
    assert row["positives"] == 5_289
    assert row["auc"] >= auc - below
    assert row["accuracy"] >= accuracy - 0.01


def test_bank_full_by_time_without_leaks(bank: Lake) -> None:
    board = board_of(bank, "time", "without")
    assert board["auc"].max() >= 0.70
    assert board["auc_within"].max() >= 0.60
    assert board["majority_accuracy"].iloc[0] == pytest.approx(0.684, abs=0.005)


def test_bank_full_says_that_the_rate_has_moved(bank: Lake) -> None:
    findings = bank.read("gold.findings").where("kind = 'rate_moved'").toPandas()
    assert len(findings)


def test_bank_full_says_what_the_papers_table_hides(bank: Lake) -> None:
    page = (Path(bank.root) / "report" / "bank_full.html").read_text(encoding="utf-8")
    for said in (
        "decision tree 87.29%. Always answering “no” is right in 88.3%",
        "aged 51 and over 14.2% say yes against 11.7% of all, but of those aged 50–59 only 9.3%",
        "of those aged 60 and over 33.6%",
        "a model that uses it cannot choose whom to call",
        "does not say which of the bank's files it used",
    ):
        assert said in html.unescape(page), said
