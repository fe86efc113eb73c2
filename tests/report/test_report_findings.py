"""What the code notes in gold.findings is said on the page in the page's language."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from otklik.models.leaks import suspected_leaks
from otklik.models.prepare import FeatureFinding, Preparation, Rules, features_of, findings_of, fit_preparation
from otklik.models.scoreboard import miscalibrated
from otklik.report.findings import detail_in_words, in_words
from otklik.report.texts import ReportVoice

COLUMNS = ["job", "age", "near", "twin", "same", "talk"]
RULES = Rules(
    rare_level_share=0.15,
    maximum_levels=50,
    maximum_correlation=0.98,
    drop=("constant", "duplicate"),
    log_scale=frozenset(),
    categorical=frozenset(),
    bands={},
)


@pytest.fixture(scope="module")
def findings(spark: SparkSession) -> dict[str, FeatureFinding]:
    """One finding of each kind that training and scoring make, from the functions that make them; kind → finding."""
    rows = [(str(i), "rare" if i == 0 else "cook", i, 2.0 * i + (i == 3) / 10, i, 1, float(i % 2)) for i in range(10)]
    frame = spark.createDataFrame(
        rows, "key STRING, job STRING, age INT, near DOUBLE, twin INT, same INT, talk DOUBLE"
    ).selectExpr("*", "TIMESTAMP '2026-01-01 00:00:00' AS as_of")
    prepared = fit_preparation(frame, features_of(frame, dict.fromkeys(COLUMNS, False)), RULES)
    leaks = suspected_leaks({"talk": 0.95, "age": 0.93}, frozenset({"talk"}), 0.9, "warned")
    board = pd.DataFrame(
        [("random_forest", "without", "time", "calibrated", 0.25, 100, 10)],
        columns=["model", "leaks", "split", "calibration", "mean_probability", "rows", "positives"],
    )
    drift = FeatureFinding("drift", "age", {}, 0.3, "warned")
    made = (*prepared.findings, *leaks, *miscalibrated(board, 0.2), drift)
    return {finding.kind: finding for finding in made}


def test_every_kind_of_finding_has_words_in_russian(findings: dict[str, FeatureFinding]) -> None:
    said = {kind: in_words(kind, finding.parameters, ReportVoice("ru")) for kind, finding in findings.items()}

    assert set(said) == {
        "constant", "duplicate", "correlated", "rare_levels", "known_leak", "suspected_leak", "rate_moved", "drift",
    }  # fmt: skip
    ours = {*COLUMNS, "rare", "AUC"}
    assert {kind: latin for kind, text in said.items() if (latin := set(re.findall("[A-Za-z_]+", text)) - ours)} == {}
    assert said["rate_moved"] == "случайный лес, при разбиении по времени: средняя вероятность 0,250, на деле 0,100"
    assert said["rare_levels"] == "число значений 1: rare"


def test_what_one_split_shows_names_it(findings: dict[str, FeatureFinding]) -> None:
    """Training on time alone finds the constant; both find the pair."""
    pair, constant = findings["correlated"], findings["constant"]
    splits = findings_of({"random": Preparation((), (pair,)), "time": Preparation((), (pair, constant))})

    assert [in_words(finding.kind, finding.parameters, ReportVoice("ru")) for finding in splits] == [
        "в паре с age",
        "при разбиении по времени: в обучающих данных одно значение",
    ]


def test_the_table_keeps_parameters_and_a_sentence_of_an_earlier_version_is_shown_as_it_is(
    findings: dict[str, FeatureFinding],
) -> None:
    kept = str(findings["suspected_leak"].row["detail"])

    assert kept == '{"auc": 0.93}'
    assert detail_in_words("suspected_leak", kept, ReportVoice("en")) == "AUC of this feature alone: 0.930"
    assert detail_in_words("suspected_leak", "alone it has AUC 0.9", ReportVoice("en")) == "alone it has AUC 0.9"
