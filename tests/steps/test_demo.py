"""The demo empties its own lake and nobody else's."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.bench import QUICK, TakeIn, job_on

from otklik.errors import ConfigurationError
from otklik.lake.store import Lake
from otklik.lake.tables import RUNS
from otklik.steps.demo import TASK, about, fresh_folder


def test_what_a_demo_made_is_removed(lake: Lake, tmp_path: Path) -> None:
    lake.make(RUNS)
    for folder in ("world/customers", "models/campaign_response/0123", "report"):
        Path(lake.folder(folder)).mkdir(parents=True)

    world = fresh_folder(job_on(lake, tmp_path))

    assert world == lake.folder("world")
    assert not [path for path in Path(lake.root).iterdir() if path.is_dir()]


def test_a_world_of_ones_own_is_left_alone_though_a_demo_has_the_same_tables(lake: Lake, tmp_path: Path) -> None:
    lake.make(RUNS)
    Path(lake.folder("report")).mkdir()

    with pytest.raises(ConfigurationError, match="that the demo did not write: ops, report"):
        fresh_folder(job_on(lake, tmp_path))

    assert lake.exists(RUNS.name)


def test_a_lake_with_other_tables_is_left_alone(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a")
    Path(lake.folder("world")).mkdir()

    with pytest.raises(ConfigurationError, match=r"that the demo did not write: bronze\.calls, silver\.calls"):
        fresh_folder(job_on(lake, tmp_path))

    assert lake.read("silver.calls").count() == 1


@pytest.mark.parametrize("folder", ["photos", ".venv", "models/churn"])
def test_any_other_folder_is_left_alone(lake: Lake, tmp_path: Path, folder: str) -> None:
    Path(lake.folder(folder)).mkdir(parents=True)
    Path(lake.folder("world")).mkdir()

    with pytest.raises(ConfigurationError, match=f"that the demo did not write: {folder}"):
        fresh_folder(job_on(lake, tmp_path))

    assert Path(lake.folder(folder)).is_dir()


def test_settings_are_laid_over_the_task_and_not_over_the_sources(lake: Lake, tmp_path: Path) -> None:
    job = job_on(lake, tmp_path, {"splits.folds": 4})

    assert about(job, source="customers", paths=["x"]).options.overrides == {}
    assert about(job, task=TASK).options.overrides == {"splits.folds": 4}


def test_a_wrong_setting_is_refused_before_the_lake_is_emptied(lake: Lake, tmp_path: Path) -> None:
    lake.make(RUNS)
    Path(lake.folder("world")).mkdir()

    with pytest.raises(ConfigurationError, match=r"splits\.fold: unknown key, did you mean 'folds'"):
        fresh_folder(job_on(lake, tmp_path, {"splits.fold": 4}))

    assert lake.exists(RUNS.name)


@pytest.mark.long
def test_the_whole_demo_ends_with_a_scoreboard_and_a_report_and_may_be_run_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a world as small as worlds are."""
    job = importlib.import_module("jobs.demo")
    monkeypatch.setattr(job, "CUSTOMERS", 1_000)

    for _ in range(2):
        assert job.main(job_on(lake, tmp_path, QUICK)) == 0

        said = capsys.readouterr().out
        assert "logistic_regression" in said
        report = Path(said.rpartition("report: ")[2].strip())
        assert report.stat().st_size > 100_000
    assert lake.read("silver.customers").count() == 1_000
