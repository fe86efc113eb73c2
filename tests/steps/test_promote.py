"""When a new model takes the champion's place."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pyspark
import pytest
from tests.bench import job_on

from otklik.lake.folder import Folder
from otklik.lake.store import Lake
from otklik.steps import promote
from otklik.steps.promote import _free_folder, library_version, serves_from_now_on
from otklik.task import ChampionSettings


@pytest.mark.parametrize(
    ("value", "margin", "serves"),
    [(0.73, 0.02, True), (0.71, 0.02, False), (0.7, 0.0, False), (0.69, 0.0, False), (0.701, 0.0, True)],
)
def test_a_new_model_serves_only_where_it_is_better_by_the_margin(value: float, margin: float, serves: bool) -> None:
    found, reason = serves_from_now_on(ChampionSettings(margin=margin), value, {"metric": "auc", "value": 0.7})

    assert found == serves
    assert reason.startswith(
        "better than the champion by 0.0" if serves else f"not better than the champion by {margin}"
    )


@pytest.mark.parametrize(("value", "serves"), [(0.37, True), (0.41, False), (0.43, False)])
def test_of_log_loss_less_is_better(value: float, serves: bool) -> None:
    settings = ChampionSettings(metric="log_loss", margin=0.02)

    assert serves_from_now_on(settings, value, {"metric": "log_loss", "value": 0.42})[0] == serves


def test_a_library_that_the_cluster_brings_has_no_package_that_says_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_package(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(promote, "installed_version", no_package)

    assert library_version("pyspark") == pyspark.__version__
    assert library_version("delta-spark") == "the cluster's own"


def test_without_a_champion_to_compare_with_the_new_model_serves() -> None:
    assert serves_from_now_on(ChampionSettings(), 0.4, None) == (True, "there was no champion to beat")
    assert serves_from_now_on(ChampionSettings(metric="log_loss"), 0.4, {"metric": "auc", "value": 0.7}) == (
        True,
        "the champion was judged by auc",
    )


def test_what_a_killed_training_left_is_not_taken_for_the_new_model(lake: Lake, tmp_path: Path) -> None:
    question = SimpleNamespace(task=SimpleNamespace(name="calls"), run_ids={"train": "0123"})
    left = Folder(lake.folder("models", "calls", "0123"))
    left.write("manifest.json.partial", b"{")

    job = job_on(lake, tmp_path)

    # Where others may write at once, it may be the one that another training is writing.
    assert _free_folder(replace(job, is_alone=False), question) == ("models/calls/0123-2", [])  # type: ignore[arg-type]
    assert left.exists()

    assert _free_folder(replace(job, is_alone=True), question) == ("models/calls/0123", [])  # type: ignore[arg-type]
    assert not left.exists()
