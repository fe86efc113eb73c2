"""A model folder is trusted only as it was registered; where one is not, the champion before it serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.bench import register_model

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.store import Lake
from otklik.models.registry import ServingModel, champion_row, has_sound_model, history, load_champion


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Runs 1 and 2 served, run 3 was not good enough."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("models")), is_here=True)
    for sequence in (1, 2, 3):
        register_model(lake, "calls", sequence, serves=sequence < 3)
    return lake


@pytest.fixture
def folders(lake: Lake, tmp_path: Path) -> Iterator[dict[str, Path]]:
    """The model folders by run, brought back afterwards."""
    there, kept = Path(lake.folder("models", "calls")), tmp_path / "kept"
    shutil.copytree(there, kept)
    yield {run.name: run for run in there.iterdir()}
    shutil.rmtree(there)
    shutil.copytree(kept, there)


def change_a_byte(newest: Path, other: Path) -> None:
    content = (newest / "serving.json").read_bytes()
    (newest / "serving.json").write_bytes(content.replace(b"2.0", b"2.1", 1))


def lose_the_manifest(newest: Path, other: Path) -> None:
    (newest / "manifest.json").unlink()


def take_another_ones_place(newest: Path, other: Path) -> None:
    shutil.rmtree(newest)
    shutil.copytree(other, newest)


def add_a_file(newest: Path, other: Path) -> None:
    (newest / "more.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (change_a_byte, "changed, added or removed: serving.json"),
        (lose_the_manifest, "it has no manifest"),
        (take_another_ones_place, "its manifest does not match the registered one"),
        (add_a_file, "changed, added or removed: more.json"),
    ],
)
def test_where_a_folder_is_not_the_registered_one_the_champion_before_serves(
    lake: Lake, folders: dict[str, Path], harm: Callable[[Path, Path], None], said: str
) -> None:
    assert load_champion(lake, "calls").run_id == "run_2"
    harm(folders["run_2"], folders["run_1"])

    champion = load_champion(lake, "calls")

    assert champion.run_id == "run_1"
    assert [said in line and line.startswith("models/calls/run_2: ") for line in champion.refused] == [True]
    assert not has_sound_model(lake, "calls", "run_2")


def test_where_no_champion_can_be_trusted_none_serves(lake: Lake, folders: dict[str, Path]) -> None:
    for run in ("run_1", "run_2"):
        lose_the_manifest(folders[run], folders[run])

    with pytest.raises(DamagedError, match=r"no champion is intact: models/calls/run_2: .*models/calls/run_1: ") as no:
        load_champion(lake, "calls")

    assert no.value.exit_code == 6
    assert champion_row(lake, "calls") is None
    with pytest.raises(MissingResultError, match="there is no champion yet"):
        load_champion(lake, "other")


def test_a_run_that_is_trained_anew_has_one_pointer_to_its_new_folder(lake: Lake, folders: dict[str, Path]) -> None:
    lose_the_manifest(folders["run_2"], folders["run_1"])

    register_model(lake, "calls", 2, value=0.8)

    assert [(row.run_id, row.value) for row in history(lake, "calls").itertuples()] == [
        ("run_3", 0.7),
        ("run_2", 0.8),
        ("run_1", 0.7),
    ]
    assert has_sound_model(lake, "calls", "run_2")
    assert load_champion(lake, "calls", besides="run_2").run_id == "run_1"


def test_a_champion_that_asks_for_what_it_should_not_have_says_so(lake: Lake) -> None:
    serving = load_champion(lake, "calls").serving

    assert serving.misfit({"key", "age"}, {"talk"}, serving.rows_hash) is None
    gone = serving.misfit({"key", "city"}, {"talk"}, serving.rows_hash)
    assert gone == "it asks for features that are not built any more: age"
    leak = serving.misfit({"key", "age"}, {"age"}, serving.rows_hash)
    assert leak == "it asks for features that are marked as known only after the decision: age"
    assert "another SELECT" in str(serving.misfit({"age"}, set(), "of others"))


@pytest.mark.parametrize("values", [{}, {"model": "logistic_regression", "preparation": 7}])
def test_a_model_of_which_a_part_is_missing_or_impossible_is_damaged(values: dict[str, object]) -> None:
    with pytest.raises(DamagedError, match="the serving model is not readable"):
        ServingModel.from_dict(values)
