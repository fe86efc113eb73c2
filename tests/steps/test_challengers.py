"""Gradient boosting as the champion: trained, saved, loaded, scored, explained."""

from __future__ import annotations

import html
import sys
from pathlib import Path

import pytest
from pyspark.sql import functions as F
from tests.bench import CALLS, QUICK, job_on
from tests.steps.test_resolve_classify import TASK

from otklik.errors import ConfigurationError
from otklik.lake.store import Lake
from otklik.models.registry import history
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.report import write_report
from otklik.steps.score import score_rows
from otklik.steps.train import train_models

pytestmark = pytest.mark.long

DECISION = "\n[decision]\ncost = 1.0\nvalue = 4.0\n\n[models.xgboost]\ntrees = [40]\nlearning_rate = [0.3]\n"
OTHERS = ("decision_tree", "random_forest", "naive_bayes", "linear_svc")
SETTINGS = {key: value for key, value in QUICK.items() if key.split(".")[1] not in OTHERS}


def test_boosting_may_serve(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says yes is a matter of both numbers together, which a line cannot tell; one answer in ten is turned."""
    (tmp_path / "calls.toml").write_text(
        CALLS.replace("id = {", 'age = { type = "integer" }, calls = { type = "integer" }, id = {'), encoding="utf-8"
    )
    numbers = [(i, i * 37 % 50, i * 91 % 47) for i in range(400)]
    lines = [f"{i},{'ba'[((a < 25) != (c < 23)) != (i % 10 == 0)]},{a},{c}" for i, a, c in numbers]
    (tmp_path / "june.csv").write_text("\n".join(["id,text,age,calls", *lines, ""]), encoding="utf-8")
    ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=[str(tmp_path / "june.csv")]))
    task = tmp_path / "task.toml"
    task.write_text(TASK.replace('["text"]', '["age", "calls"]') + DECISION, encoding="utf-8")
    job = job_on(lake, tmp_path, {**SETTINGS, **{f"models.{name}": None for name in OTHERS}}, task=str(task))
    build_features(job)

    assert train_models(job) == 0
    assert score_rows(job) == 0
    write_report(job)

    [row] = history(lake, "calls").to_dict("records")
    assert row["model"] == "xgboost" and row["value"] > 0.8
    scores = lake.read("gold.calls_scores").withColumn(
        "said", F.col("base_value") + F.aggregate("reasons", F.lit(0.0), lambda x, y: x + y["contribution"])
    )
    gap = scores.agg(F.max(F.abs(F.col("said") + F.col("other") - F.col("raw_score")))).collect()[0][0]
    assert gap < 1e-9
    # All reasons are given where there are fewer than three: what is left is the rounding of single precision.
    assert scores.agg(F.max(F.abs("other"))).collect()[0][0] < 1e-4
    page = html.unescape((Path(lake.root) / "report" / "calls.html").read_text(encoding="utf-8"))
    assert "exact Shapley values of the trees (TreeSHAP), in log-odds" in page
    assert "Gradient boosting (xgboost): AUC" in page and "significantly above" in page

    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ConfigurationError, match="xgboost, which is not installed"):
        score_rows(job)
    with pytest.raises(ConfigurationError, match="xgboost, which is not installed"):
        train_models(job)
