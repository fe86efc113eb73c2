"""Challengers as the champion: trained, saved, loaded, scored, explained."""

from __future__ import annotations

import html
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F
from tests.bench import CALLS, QUICK, job_on
from tests.steps.test_resolve_classify import TASK

from otklik.errors import ConfigurationError
from otklik.lake.store import Lake
from otklik.models.registry import history
from otklik.steps.context import Job
from otklik.steps.export import export_table
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.report import write_report
from otklik.steps.score import score_rows
from otklik.steps.train import train_models

pytestmark = pytest.mark.long

DECISION = "\n[decision]\ncost = 1.0\nvalue = 4.0\n\n[models.xgboost]\ntrees = [40]\nlearning_rate = [0.3]\n"
OTHERS = ("decision_tree", "random_forest", "naive_bayes", "linear_svc")
EXPORT = {"table": "gold.calls_features", "where": None, "columns": None, "reader": None}
SETTINGS = {key: value for key, value in QUICK.items() if key.split(".")[1] not in OTHERS}


#: What was done in which order, as one text in the file; the SELECT makes an array of it.
VISITS = """
-- column path: what was done, the newest last | что было сделано, новое в конце
SELECT r.key, r.moment, split(c.path, ' ') AS path FROM {rows} AS r JOIN {calls} AS c ON CAST(c.id AS STRING) = r.key
"""


def job_with_visits(lake: Lake, folder: Path, models: str, overrides: dict[str, Any]) -> Job:
    """Who says yes has looked before he asked; one answer in ten is turned. The features are built."""
    (folder / "calls.toml").write_text(
        CALLS.replace("id = {", 'age = { type = "integer" }, path = { type = "string" }, id = {'), encoding="utf-8"
    )
    orders = [" ".join(order) for order in itertools.permutations(["look", "ask", "leave"])]
    paths = [orders[i * 7 % 6] for i in range(400)]
    lines = [
        f"{i},{'ba'[(path.index('look') < path.index('ask')) != (i % 10 == 0)]},{i * 37 % 50},{path}"
        for i, path in enumerate(paths)
    ]
    (folder / "june.csv").write_text("\n".join(["id,text,age,path", *lines, ""]), encoding="utf-8")
    ingest_files(job_on(lake, folder, source=str(folder / "calls.toml"), paths=[str(folder / "june.csv")]))
    (folder / "visits.sql").write_text(VISITS, encoding="utf-8")
    text = TASK.replace('["text"]', '["age"]') + '\n[features.visits]\nsql = "visits"\n' + models
    (folder / "task.toml").write_text(text, encoding="utf-8")
    job = job_on(lake, folder, overrides, task=str(folder / "task.toml"))
    build_features(job)
    return job


def test_other_models_pass_by_the_order_of_events(lake: Lake, tmp_path: Path) -> None:
    """Without the package torch: features, training, scores, the page and exports are as they are without events."""
    job = job_with_visits(lake, tmp_path, "[decision]\ncost = 1.0\nvalue = 4.0\n", QUICK)

    assert train_models(job) == 0
    assert score_rows(job) == 0
    write_report(job)

    [finding] = lake.read("gold.findings").where("kind = 'events_in_order'").collect()
    assert (finding.feature, finding.action) == ("path", "left out")
    page = html.unescape((Path(lake.root) / "report" / "calls.html").read_text(encoding="utf-8"))
    assert "only the network over the order of events reads it" in page
    for name in ("features.csv", "features.parquet"):
        options = replace(job.options, names={**EXPORT, "to": str(tmp_path / name)})
        # Each command has a temporary folder of its own.
        export_table(replace(job, options=options, temporary_folder=tmp_path / f"for {name}"))
        assert (tmp_path / name).stat().st_size > 0
    assert '["look","ask","leave"]' in (tmp_path / "features.csv").read_text(encoding="utf-8").replace('""', '"')


def test_a_network_over_the_order_of_events_may_serve(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'otklik[deep]'")
    network = "[models.sequence]\nevents = 'path'\nlast = 4\nhidden = [8]\nlearning_rate = [0.03]\n"
    models = "[decision]\ncost = 1.0\nvalue = 4.0\n" + network
    for place in ("models.sequence", "steps.train"):
        monkeypatch.setattr(f"otklik.{place}.MOST_ROWS", 390)
    job = job_with_visits(lake, tmp_path, models, {**SETTINGS, **{f"models.{name}": None for name in OTHERS}})

    assert train_models(job) == 0
    # To score takes no torch.
    monkeypatch.setitem(sys.modules, "torch", None)
    assert score_rows(job) == 0
    write_report(job)

    [row] = history(lake, "calls").to_dict("records")
    assert row["model"] == "sequence" and row["value"] > 0.8
    [sampled] = lake.read("gold.findings").where("kind = 'sampled'").collect()
    assert sampled.value == 390 / 400 and '"model": "sequence"' in sampled.detail
    [gain] = lake.read("gold.measures").where("measure = 'auc_gain'").collect()
    assert gain.low > 0.2 and gain.baseline == 0.0
    scores = lake.read("gold.calls_scores").withColumn(
        "said", F.col("base_value") + F.aggregate("reasons", F.lit(0.0), lambda x, y: x + y["contribution"])
    )
    assert scores.agg(F.max(F.abs(F.col("said") + F.col("other") - F.col("raw_score")))).collect()[0][0] < 1e-9
    reasons = scores.selectExpr("explode(reasons) AS reason").where("reason.feature = 'path'").collect()
    assert {row.reason.value for row in reasons} >= {"look → ask → leave", "ask → look → leave"}
    page = html.unescape((Path(lake.root) / "report" / "calls.html").read_text(encoding="utf-8"))
    assert "what its events add above their mean" in page
    assert "Network over the order of events: AUC" in page and "significantly above" in page


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
