"""One pass of all jobs on a small world, and what must hold of every table it leaves."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import mlflow.spark
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.bench import QUICK, QUICK_OPTIONS, job_on, without_session
from tests.browser import assert_opens_clean

from otklik.cli import main
from otklik.errors import DamagedError, MissingResultError, PlatformError, RefusedError
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import FEATURE_KEYS, SCOREBOARD
from otklik.models import registry
from otklik.models.explain import SHRUNKEN
from otklik.models.registry import history, load_champion
from otklik.page.formats import Language
from otklik.progress import Progress
from otklik.project_files import find_project
from otklik.settings import load
from otklik.steps import report, tracking
from otklik.steps.champion import show_champion
from otklik.steps.context import Job, Tracking
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.pages import page_name
from otklik.steps.report import write_report
from otklik.steps.run import run_task
from otklik.steps.score import score_rows
from otklik.steps.train import train_models
from otklik.task import Task
from otklik.world.writing import WorldFacts, write_world

TASK = "campaign_response"
#: What ingest calls the planted defects, where it calls them something else.
REASONS = {
    "not_a_number": "type",
    "not_a_time": "type",
    "no_such_date": "type",
    "unknown_level": "allowed",
    "missing_required": "required",
    "answer_before_contact": "rule",
    "broken_record": "broken_json",
}
ALL_STEPS = (build_features, train_models, score_rows, write_report)


def versions(lake: Lake) -> dict[str, int | None]:
    tables = [
        path.parent.name + "." + path.name for path in Path(lake.root).glob("*/*") if (path / "_delta_log").is_dir()
    ]
    return {table: lake.version(table) for table in tables if table != "ops.runs"}


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("one-pass")


@pytest.fixture(scope="module")
def planted(spark: SparkSession, temporary_folder: Path) -> WorldFacts:
    return write_world(spark, 1_000, 7, str(temporary_folder / "world"))


@pytest.fixture(scope="module")
def ingested(spark: SparkSession, temporary_folder: Path, planted: WorldFacts) -> Lake:
    lake = Lake(spark, str(temporary_folder / "lake"), is_here=True)
    for source in planted.sources:
        ingest_files(job_on(lake, temporary_folder, source=source, paths=[str(temporary_folder / "world" / source)]))
    return lake


@pytest.fixture(scope="module")
def lake(ingested: Lake, temporary_folder: Path) -> Lake:
    for step in ALL_STEPS:
        assert step(job_on(ingested, temporary_folder, QUICK, task=TASK)) == 0
    return ingested


def test_ingest_finds_exactly_the_planted_defects(ingested: Lake, planted: WorldFacts) -> None:
    files = ingested.read("ops.files").toPandas()
    for source, facts in planted.sources.items():
        mine = files[files["source"] == source]
        found = {
            name: int(mine[name].sum())
            for name in ("rows", "accepted", "inserted", "updated", "rejected", "duplicates")
        }
        assert found == {name: getattr(facts, name) for name in found}, source
        assert (mine["rows"] == mine["accepted"] + mine["rejected"] + mine["duplicates"]).all()
        assert ingested.read(f"silver.{source}").count() == facts.inserted
        assert ingested.read(f"bronze.{source}").count() == facts.rows
        by_reason = Counter(
            row.reasons[0].reason for row in ingested.read("bronze.rejected").where(f"source = '{source}'").collect()
        )
        expected: Counter[str] = Counter()
        for defect, count in facts.defects.items():
            expected[REASONS.get(defect, defect)] += count
        assert by_reason == expected, source


def test_silver_holds_pseudonyms_and_no_personal_value(ingested: Lake) -> None:
    customers = ingested.read("silver.customers")
    pseudonyms = customers.where(F.col("name").isNotNull() & ~F.col("name").rlike("^[0-9a-f]{64}$")).count()
    assert pseudonyms == 0
    assert ingested.personal_columns("silver.customers") == ["name", "email", "phone"]


def test_a_second_ingest_changes_no_table(ingested: Lake, temporary_folder: Path) -> None:
    before = versions(ingested)
    ingest_files(
        job_on(ingested, temporary_folder, source="contacts", paths=[str(temporary_folder / "world" / "contacts")])
    )
    assert versions(ingested) == before


def test_an_unchanged_run_starts_no_spark(lake: Lake, temporary_folder: Path) -> None:
    before = versions(lake)
    assert run_task(job_on(without_session(lake), temporary_folder, QUICK, task=TASK)) == 0
    assert versions(lake) == before


def test_features_are_one_row_per_contact_and_an_answer_still_open_is_no_label(lake: Lake) -> None:
    features = lake.read(f"gold.{TASK}_features")
    assert features.count() == features.select("key", "as_of").distinct().count()
    states = {row.label_state for row in features.select("label_state").distinct().collect()}
    assert {"yes", "no", "immature"} <= states
    assert features.where("label_state = 'immature' AND label IS NOT NULL").count() == 0


def test_the_ledger_says_what_each_step_read_and_wrote(lake: Lake, planted: WorldFacts) -> None:
    runs = lake.read("ops.runs").where("status = 'done'").toPandas()
    of_task = runs[runs["task"] == TASK].drop_duplicates("job").set_index("job")
    features, labelled, scored = (
        lake.read(f"gold.{TASK}_features").count(),
        lake.read(f"gold.{TASK}_features").where("label IS NOT NULL").count(),
        lake.read(f"gold.{TASK}_scores").count(),
    )
    assert of_task.loc[["features", "train", "score", "report"], "rows_in"].tolist() == [features] * 4
    assert of_task.loc[["features", "train", "score", "report"], "rows_out"].tolist() == [features, labelled, scored, 1]
    assert {*of_task["outputs"]["train"]} >= {"gold.scoreboard", "gold.model_runs", f"gold.{TASK}_predictions"}
    for outputs in of_task["outputs"]:
        assert all((lake.version(table) or 0) >= version for table, version in outputs.items())
    assert {*of_task["inputs"]["features"]} == {f"silver.{source}" for source in planted.sources}
    steps = of_task.loc[["features", "train", "score", "report"]]
    # Each step's run is named by what it uses; the page is of the scores.
    for name in ("run_id", "settings_hash"):
        assert steps[name].nunique() == 3
        assert steps.loc["report", name] == steps.loc["score", name]
    assert of_task["code_version"].nunique() == 1
    of_sources = runs[runs["job"] == "ingest"].drop_duplicates("task").set_index("task")
    for source, facts in planted.sources.items():
        assert (of_sources.loc[source, "rows_in"], of_sources.loc[source, "rows_out"]) == (facts.rows, facts.accepted)
    assert (runs["started_at"] <= runs["ended_at"]).all()


def test_scoreboard_has_every_row_and_column(lake: Lake) -> None:
    board = lake.read("gold.scoreboard").toPandas()
    assert list(board.columns) == [column.name for column in SCOREBOARD.columns]
    # With what is known only after the decision: the chosen model and guessing, on later rows, raw and calibrated.
    assert len(board) == len(board[["model", "leaks", "split", "calibration"]].drop_duplicates()) == 6 * 2 * 2 + 2 * 2
    assert {*board.loc[board["leaks"] == "with", "split"]} == {"time"}
    majority = board[board["model"] == "majority"]
    assert (majority["auc"] == 0.5).all()
    svc = board[(board["model"] == "linear_svc") & (board["calibration"] == "raw")]
    assert svc[["log_loss", "brier", "ece"]].isna().all().all()
    assert svc["auc"].notna().all()
    assert np.allclose(board["threshold"], 1 / 6)


def test_a_figure_that_does_not_exist_is_null_in_sql_and_not_nan(lake: Lake) -> None:
    board = lake.read("gold.scoreboard")
    numbers = [column.name for column in SCOREBOARD.columns if column.type == "DOUBLE"]
    assert board.where(" OR ".join(f"isnan({name})" for name in numbers)).count() == 0
    svc_raw = board.where("model = 'linear_svc' AND calibration = 'raw'")
    assert svc_raw.count() == 2
    assert svc_raw.where("log_loss IS NULL AND brier IS NULL AND ece IS NULL AND auc IS NOT NULL").count() == 2


def test_every_kind_of_explanation_is_there_by_name(lake: Lake) -> None:
    """Odds ratios and impurity of every model that has them, the others of the champion."""
    champion = load_champion(lake, TASK).serving.model
    found = lake.read("gold.explanations").toPandas()
    assert set(zip(found["kind"], found["model"], strict=True)) == {
        ("odds_ratio", "logistic_regression"),
        ("impurity", "decision_tree"),
        ("impurity", "random_forest"),
        ("permutation", champion),
        ("partial_dependence", champion),
    }
    assert set(found["feature"]) <= set(lake.read(f"gold.{TASK}_features").columns)
    assert found["value"].notna().all()
    permuted = found[found["kind"] == "permutation"].set_index("feature")["value"]
    shown = set(found.loc[found["kind"] == "partial_dependence", "feature"])
    assert len(shown) == 6
    assert permuted[permuted.index.isin(shown)].min() >= permuted[~permuted.index.isin(shown)].max()


def test_odds_ratios_have_an_interval_a_unit_or_a_reference_and_say_that_they_are_shrunken(lake: Lake) -> None:
    ratios = lake.read("gold.explanations").where("kind = 'odds_ratio'").toPandas()
    assert ((ratios["low"] > 0) & (ratios["low"] < ratios["value"]) & (ratios["value"] < ratios["high"])).all()
    assert set(ratios["note"]) == {SHRUNKEN}
    of_days = ratios[ratios["feature"] == "days_since_last_event"]
    assert "+10" in set(of_days["level"])
    of_channel = ratios[ratios["feature"] == "channel"]
    assert set(of_channel["reference"]) == {"phone"}
    assert "phone" not in set(of_channel["level"])


def test_the_leak_stays_out_of_the_model_that_serves(lake: Lake) -> None:
    serving = load_champion(lake, TASK).serving
    assert not [slot for slot in serving.champion.slots.sources if slot == "talk_seconds"]
    findings = lake.read("gold.findings").where("kind = 'known_leak'").toPandas()
    assert list(findings["feature"]) == ["talk_seconds"]


def test_reasons_add_up_to_the_raw_score(lake: Lake) -> None:
    scores = lake.read(f"gold.{TASK}_scores").toPandas()
    given = np.array([sum(reason["contribution"] for reason in row) for row in scores["reasons"]])
    gap = np.abs(scores["base_value"] + given + scores["other"] - scores["raw_score"])
    assert gap.max() < 1e-9
    assert set(scores["decile"]) == set(range(1, 11))
    assert scores["probability"].between(0, 1).all()


def test_labelled_rows_get_the_probabilities_they_had_out_of_fold(lake: Lake) -> None:
    champion = load_champion(lake, TASK)
    scores = lake.read(f"gold.{TASK}_scores").where("is_out_of_fold").toPandas()
    said = (
        lake.read(f"gold.{TASK}_predictions")
        .where(
            (F.col("model") == champion.serving.model) & (F.col("leaks") == "without") & (F.col("split") == "random")
        )
        .toPandas()
    )
    both = scores.merge(said, on=["key", "as_of"])
    assert len(both) == len(scores) > 0
    assert np.abs(both["probability"] - both["calibrated"]).max() < 1e-9


def test_the_list_is_what_pays_and_control_comes_from_it(lake: Lake) -> None:
    actions = lake.read(f"gold.{TASK}_actions").toPandas().sort_values("rank")
    assert (actions["probability"] > 1 / 6).all()
    assert set(actions["arm"]) == {"contact", "control"}
    assert list(actions["rank"]) == list(range(1, len(actions) + 1))
    value = {row.policy: row for row in lake.read("gold.action_value").collect()}
    assert value["none"].expected_profit == 0
    assert value["list"].customers == len(actions)


def test_the_report_is_one_page(lake: Lake) -> None:
    page = (Path(lake.root) / "report" / f"{TASK}.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") or page.startswith("<!DOCTYPE html>")
    assert "Deposit campaign: whom to contact" in page


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ru", pytest.param("en", marks=pytest.mark.long)])
def test_the_page_of_a_run_opens_clean(lake: Lake, temporary_folder: Path, browser: Any, language: Language) -> None:
    job = job_on(lake, temporary_folder, QUICK, task=TASK)

    assert write_report(replace(job, options=replace(job.options, language=language))) == 0

    assert_opens_clean(browser, Path(lake.root) / "report" / page_name(TASK, language), language, 1280, "light")


def test_running_everything_again_reuses_every_result(lake: Lake, temporary_folder: Path) -> None:
    before, runs = versions(lake), lake.read("ops.runs").count()
    for step in ALL_STEPS:
        step(job_on(lake, temporary_folder, QUICK, task=TASK))
    assert versions(lake) == before
    assert lake.read("ops.runs").count() == runs + len(ALL_STEPS)
    statuses = [row.status for row in lake.read("ops.runs").orderBy(F.desc("started_at")).limit(4).collect()]
    assert statuses == ["reused"] * 4
    page = Path(lake.root) / "report" / f"{TASK}.html"
    written = page.read_bytes()
    page.unlink()
    write_report(job_on(lake, temporary_folder, QUICK, task=TASK))
    assert page.read_bytes() == written


@pytest.mark.long
@pytest.mark.long
def test_another_cost_scores_and_lists_anew_and_retrains_nothing(lake: Lake, temporary_folder: Path) -> None:
    before = versions(lake)
    of_task = F.col("task") == TASK
    board, models = lake.read(SCOREBOARD.name).where(of_task).toPandas(), history(lake, TASK)
    decision = load(Task, find_project(None).task(TASK), QUICK).decision
    assert decision is not None
    cheaper = {**QUICK, "decision.cost": decision.cost / 4}

    assert score_rows(job_on(lake, temporary_folder, cheaper, task=TASK)) == 0
    listed = lake.read(f"gold.{TASK}_actions").count()
    assert write_report(job_on(lake, temporary_folder, cheaper, task=TASK)) == 0

    anew = lake.read(SCOREBOARD.name).where(of_task).toPandas()
    assert history(lake, TASK).equals(models)
    assert lake.version(f"gold.{TASK}_predictions") == before[f"gold.{TASK}_predictions"]
    which = ["model", "leaks", "split", "calibration"]
    beside = board.merge(anew, on=which, suffixes=("", "_anew"), validate="one_to_one")
    assert len(beside) == len(board)
    assert np.allclose(beside["threshold_anew"], beside["threshold"] / 4)
    known = beside[beside["profit"].notna()]
    assert (known["profit_anew"] >= known["profit"]).mean() > 0.9
    # Back at the first cost everything is as training itself wrote it.
    for step in (train_models, score_rows, write_report):
        assert step(job_on(lake, temporary_folder, QUICK, task=TASK)) == 0
    back = lake.read(SCOREBOARD.name).where(of_task).toPandas()
    beside = board.merge(back, on=which, suffixes=("", "_back"), validate="one_to_one")
    for name in ("profit", "profit_low", "profit_high", "auc"):
        assert np.allclose(beside[f"{name}_back"].astype(float), beside[name].astype(float), equal_nan=True), name
    assert lake.read(f"gold.{TASK}_actions").count() < listed
    assert history(lake, TASK).equals(models)


@pytest.mark.long
def test_a_draft_stands_beside_the_answer_and_never_serves(lake: Lake, temporary_folder: Path) -> None:
    before, models = versions(lake), history(lake, TASK)

    assert run_task(job_on(lake, temporary_folder, QUICK, task=TASK, draft=True)) == 0

    draft = f"{TASK}_draft"
    shared = {"gold.scoreboard", "gold.model_runs", "gold.findings", "gold.explanations", "gold.measures"}
    shared |= {"gold.verdicts", "gold.action_value"}
    changed = {table for table, version in versions(lake).items() if before.get(table) != version}
    assert all(table in shared or table.startswith(f"gold.{draft}_") for table in changed)
    assert history(lake, TASK).equals(models)
    board = lake.read(SCOREBOARD.name).where(F.col("task") == draft).toPandas()
    assert {*board["leaks"]} == {"without"}
    has_interval = board["auc_low"].notna()
    assert {*map(tuple, board.loc[has_interval, ["split", "calibration"]].to_numpy())} == {("time", "calibrated")}
    page = (Path(lake.root) / "report" / f"{draft}.html").read_text(encoding="utf-8")
    assert "Draft: " in page
    assert f"`otklik run {TASK}`" in page or f"otklik run {TASK}" in page


def test_a_start_that_fails_is_noted_and_changes_nothing_else(lake: Lake, temporary_folder: Path) -> None:
    job = job_on(lake, temporary_folder, {**QUICK, "checks.minimum_rows": 1_000_000}, task=TASK)
    assert build_features(job) == 0
    before = versions(lake)
    with pytest.raises(RefusedError, match="fewer than required"):
        train_models(job)
    assert versions(lake) == before
    last = lake.read("ops.runs").orderBy(F.desc("ended_at")).collect()[0]
    assert (last.job, last.status) == ("train", "failed")
    assert "fewer than required" in last.message


def test_show_prints_json_on_stdout_only(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["show", "gold.scoreboard", "--lake", lake.root, "--limit", "3", "--format", "json"])
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert code == 0
    assert len(rows) == 3
    assert all(set(row) == {column.name for column in SCOREBOARD.columns} for row in rows)


def test_personal_columns_are_masked_when_shown(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "silver.customers", "--lake", lake.root, "--limit", "2", "--format", "json"])
    assert {row["email"] for row in json.loads(capsys.readouterr().out)} <= {"***", None}
    main(["show", "bronze.customers", "--lake", lake.root, "--limit", "2", "--format", "json"])
    assert {row["record"] for row in json.loads(capsys.readouterr().out)} == {"***"}


@pytest.fixture(scope="module")
def champion_folder(lake: Lake) -> Path:
    return Path(lake.root) / load_champion(lake, TASK).row["folder"]


@pytest.fixture(scope="module")
def manifest(champion_folder: Path) -> dict[str, Any]:
    return json.loads((champion_folder / "manifest.json").read_text(encoding="utf-8"))


def test_the_manifest_says_from_what_the_champion_was_learnt(lake: Lake, manifest: dict[str, Any]) -> None:
    row = load_champion(lake, TASK).row
    assert manifest["inputs"] == {
        f"silver.{name}": lake.version(f"silver.{name}") for name in ("contacts", "customers", "engagements")
    }
    kinds = {"string": "text", "boolean": "boolean", "int": "number", "bigint": "number", "double": "number"}
    left_out = {"talk_seconds", "_run_id", *(column.name for column in FEATURE_KEYS)}
    features = lake.read(f"gold.{TASK}_features").dtypes
    assert manifest["features"] == {name: kinds[kind] for name, kind in features if name not in left_out} != {}
    assert manifest["setting"] == json.loads(row["settings"]) != {}
    assert manifest["seed"] == load(Task, find_project(None).task(TASK), dict(QUICK)).models.seed
    assert manifest["metrics"] == {row["metric"]: row["value"]}
    libraries = ("pyspark", "delta-spark", "numpy", "pandas", "scikit-learn")
    assert manifest["libraries"] == {name: installed_version(name) for name in libraries}


def test_the_manifest_names_every_file_with_its_hash(champion_folder: Path, manifest: dict[str, Any]) -> None:
    files = {
        file.relative_to(champion_folder).as_posix(): file for file in champion_folder.rglob("*") if file.is_file()
    }
    hashes = {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items() if name != "manifest.json"
    }
    assert manifest["files"] == hashes
    assert "serving.json" in hashes
    assert any(name.startswith("spark/") for name in hashes)


def test_a_changed_byte_anywhere_in_a_model_folder_is_refused(lake: Lake, temporary_folder: Path) -> None:
    champion = load_champion(lake, TASK)
    folder = Path(lake.root) / champion.row["folder"]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 3
    for file in files:
        kept = file.read_bytes()
        file.write_bytes(kept[:-1] + bytes([(kept or b"0")[-1] ^ 1]))
        with pytest.raises(DamagedError, match="manifest" if file.name == "manifest.json" else "changed"):
            load_champion(lake, TASK)
        file.write_bytes(kept)
    assert load_champion(lake, TASK).run_id == champion.run_id


def test_a_file_added_to_a_model_folder_is_refused(lake: Lake) -> None:
    added = Path(lake.root) / load_champion(lake, TASK).row["folder"] / "spark" / "metadata" / "part-00001"
    added.write_text('{"class": "java.lang.Runtime"}', encoding="utf-8")
    try:
        with pytest.raises(DamagedError, match="part-00001"):
            load_champion(lake, TASK)
    finally:
        added.unlink()


def test_export_writes_one_file(lake: Lake, temporary_folder: Path) -> None:
    target = temporary_folder / "list.csv"
    assert main(["export", f"gold.{TASK}_actions", "--lake", lake.root, "--to", str(target)]) == 0
    assert len(pd.read_csv(target)) == lake.read(f"gold.{TASK}_actions").count()


@pytest.fixture
def tracked_job(lake: Lake, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job that tells a local MLflow, whose artifacts go where the command is given."""
    monkeypatch.chdir(temporary_folder)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    told = Tracking(f"sqlite:///{temporary_folder}/mlflow.db")
    # MLflow sets it itself for processes it starts; commands of later tests are not to tell it anything.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", told.uri)
    return replace(job_on(lake, temporary_folder, QUICK, task=TASK), tracking=told)


@pytest.mark.long
@pytest.mark.usefixtures("tracked_job")
def test_mlflow_is_told_once_of_parameters_metrics_and_report(lake: Lake) -> None:
    for _ in range(2):
        assert main(["report", TASK, "--lake", lake.root, *QUICK_OPTIONS]) == 0

    client, champion = MlflowClient(), load_champion(lake, TASK)
    experiment = client.get_experiment_by_name(f"otklik_{TASK}")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.tags["otklik.run_id"] == champion.run_id
    assert (run.data.params["task"], run.data.params["model"]) == (TASK, champion.serving.model)
    assert run.data.params["version.silver.contacts"] == str(lake.version("silver.contacts"))
    board = lake.read("gold.scoreboard").where("split = 'time' AND calibration = 'calibrated'").toPandas()
    for row in board.to_dict("records"):
        name = f"time/leaks_{row['leaks']}/calibrated/{row['model']}"
        assert run.data.metrics[f"{name}/auc"] == pytest.approx(row["auc"])
        assert run.data.metrics[f"{name}/majority_accuracy"] == pytest.approx(row["majority_accuracy"])
    page = (Path(lake.root) / "report" / f"{TASK}.html").read_text(encoding="utf-8")
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/report/index.html") == page


@pytest.mark.long
def test_the_model_in_mlflow_says_what_score_says(lake: Lake, tracked_job: Job, temporary_folder: Path) -> None:
    tracking.publish(tracked_job)

    uri = f"models:/otklik_{TASK}@champion"
    pipeline = mlflow.spark.load_model(uri, dfs_tmpdir=str(temporary_folder / "mlflow-tmp"))
    open_rows = lake.read(f"gold.{TASK}_features").where("label IS NULL")
    said = pipeline.transform(open_rows).select("key", "as_of", "prediction").toPandas()
    scores = lake.read(f"gold.{TASK}_scores").where("NOT is_out_of_fold").toPandas()
    both = said.merge(scores, on=["key", "as_of"])
    assert len(both) == len(said) == len(scores) > 0
    assert np.abs(both["prediction"] - both["probability"]).max() < 1e-9
    left = [folder.name for folder in (Path(lake.root) / "models" / TASK).iterdir()]
    assert left == [load_champion(lake, TASK).run_id]


@pytest.mark.long
def test_the_model_in_mlflow_has_a_signature_and_an_example_that_is_nobody(lake: Lake, tracked_job: Job) -> None:
    tracking.publish(tracked_job)

    features = list(load_champion(lake, TASK).serving.champion.slots.columns)
    info = mlflow.models.get_model_info(f"models:/otklik_{TASK}@champion")
    assert info.signature is not None
    assert info.signature.inputs.input_names() == features
    assert info.signature.outputs.input_names() == ["prediction"]
    [example] = mlflow.pyfunc.load_model(info.model_uri).input_example.to_dict("records")
    assert list(example) == features
    customers = lake.read(f"gold.{TASK}_features").select(*features).toPandas()
    assert example not in customers.to_dict("records")


@pytest.mark.long
def test_a_run_that_mlflow_knows_without_its_model_gets_it_later(
    tracked_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(tracked_job, tracking=Tracking(f"sqlite:///{tracked_job.temporary_folder}/later.db"))
    with monkeypatch.context() as on_connect:
        on_connect.setattr(tracking, "is_remote", lambda: True)
        tracking.publish(elsewhere)
    client = MlflowClient()
    assert client.search_registered_models() == []

    tracking.publish(elsewhere)

    [experiment] = client.search_experiments(filter_string=f"name = 'otklik_{TASK}'")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert client.get_model_version_by_alias(f"otklik_{TASK}", "champion").run_id == run.info.run_id
    client.delete_registered_model_alias(f"otklik_{TASK}", "champion")
    with monkeypatch.context() as on_connect:
        on_connect.setattr(tracking, "is_remote", lambda: True)
        tracking.publish(elsewhere)
    assert client.get_model_version_by_alias(f"otklik_{TASK}", "champion").run_id == run.info.run_id


@pytest.mark.long
def test_whoever_serves_has_the_alias_in_mlflow(lake: Lake, tracked_job: Job) -> None:
    champion = load_champion(lake, TASK)
    rival = {**champion.row, "run_id": "rival", "sequence": champion.row["sequence"] + 1}
    tracking.publish(tracked_job)
    registry.register_again(lake, {**rival, "trained_at": rival["trained_at"].to_pydatetime()}, "rival")
    tracking.publish(tracked_job)
    assert serving_run_in_mlflow() == "rival"

    back = replace(tracked_job, options=replace(tracked_job.options, names={"task": TASK, "run": champion.run_id}))
    show_champion(back)
    tracking.publish(back)
    assert serving_run_in_mlflow() == champion.run_id


def serving_run_in_mlflow() -> str:
    client = MlflowClient()
    version = client.get_model_version_by_alias(f"otklik_{TASK}", "champion")
    assert version.run_id is not None
    return client.get_run(version.run_id).data.tags["otklik.run_id"]


def test_an_mlflow_that_cannot_be_reached_is_named_without_its_password(
    tracked_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    unreachable = replace(tracked_job, tracking=Tracking("http://somebody:secret@127.0.0.1:9"))
    with pytest.raises(PlatformError, match="MLflow could not be updated") as fault:
        tracking.publish(unreachable)
    assert "http://127.0.0.1:9" in fault.value.line()
    assert "secret" not in fault.value.line()

    said = io.StringIO()
    warned = replace(unreachable, progress=Progress(said, lambda: 0.0, is_live=False))
    tracking.publish(warned, others_follow=True)
    assert "MLflow could not be updated" in said.getvalue()


def test_in_unity_catalog_a_model_of_a_folder_has_no_name(tracked_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlflow.get_registry_uri", lambda: "databricks-uc")
    in_catalog = replace(tracked_job, lake=Lake(tracked_job.lake.spark, tracked_job.lake.root, "marketing"))
    assert tracking._registered_name(tracked_job, TASK) is None
    assert tracking._registered_name(in_catalog, TASK) == f"marketing.gold.otklik_{TASK}"


def test_without_mlflow_nothing_is_missed(tracked_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    tracking.publish(replace(tracked_job, progress=Progress(said, lambda: 0.0, is_live=False)))
    assert "mlflow is not installed" in said.getvalue()


@pytest.mark.long
def test_what_was_only_scored_is_reported_with_the_champions_training(lake: Lake, temporary_folder: Path) -> None:
    job = job_on(lake, temporary_folder, {**QUICK, "evaluation.reasons": 1}, task=TASK)
    for step in (build_features, score_rows, write_report):
        step(job)

    page = (Path(lake.root) / "report" / f"{TASK}.html").read_text(encoding="utf-8")
    assert load_champion(lake, TASK).run_id in page
    scored = lake.read(f"gold.{TASK}_scores").select("run_id").distinct().collect()
    assert [row.run_id in page for row in scored] == [True]
    assert scored[0].run_id != load_champion(lake, TASK).run_id


@pytest.mark.long
def test_where_a_later_training_has_not_won_the_report_shows_the_model_that_serves(
    lake: Lake, temporary_folder: Path
) -> None:
    champion = load_champion(lake, TASK).run_id
    later = {**QUICK, "models.seed": 8, "champion.margin": 1.0}
    for step in (build_features, train_models, score_rows, write_report):
        step(job_on(lake, temporary_folder, later, task=TASK))

    page = (Path(lake.root) / "report" / f"{TASK}.html").read_text(encoding="utf-8")
    newest = history(lake, TASK).iloc[0]
    assert load_champion(lake, TASK).run_id == champion != newest["run_id"]
    assert f"models/{TASK}/{champion}" in page
    assert "so the older model stays in use" in page


@pytest.mark.long
def test_a_training_whose_predictions_are_gone_is_reported_without_curves(
    lake: Lake, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_predictions(lake: Lake, table: str, version: int) -> DataFrame:
        if table.endswith("_predictions"):
            raise MissingResultError("version 1 no longer exists")
        return rows_at(lake, table, version)

    for step in ALL_STEPS[:3]:
        step(job_on(lake, temporary_folder, QUICK, task=TASK))
    monkeypatch.setattr(report, "rows_at", without_predictions)

    write_report(job_on(lake, temporary_folder, QUICK, task=TASK))

    page = (Path(lake.root) / "report" / f"{TASK}.html").read_text(encoding="utf-8")
    assert "The curves of this model can no longer be drawn" in page
    assert "Champion: " in page
