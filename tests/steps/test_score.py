"""Scoring says by its exit code whether the rows are still those of training, and never uses a damaged model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.bench import CALLS, job_on, register_model
from tests.steps.test_question import TASK

from otklik.errors import WARNING_EXIT_CODE, DamagedError
from otklik.lake.maintenance import vacuum
from otklik.lake.store import Lake
from otklik.models.drift import Bins
from otklik.progress import Progress
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.score import score_rows

pytestmark = pytest.mark.long
BINS = (Bins("age", edges=(4.0,)), Bins("probability", edges=(0.5,)))
#: What is counted in the forty rows: half are up to four years old, and the model gives each a high probability.
AS_TRAINED = {"age": [20, 20, 0], "probability": [0, 40, 0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("score")


@pytest.fixture(scope="module")
def lake(spark: SparkSession, folder: Path) -> Lake:
    """Forty calls by customers of every age from 0 to 9, and their features."""
    lake = Lake(spark, str(folder / "lake"))
    (folder / "calls.toml").write_text(CALLS.replace("id = {", 'age = { type = "integer" }, id = {'), encoding="utf-8")
    (folder / "task.toml").write_text(TASK.replace('columns = ["text"]', 'columns = ["age"]'), encoding="utf-8")
    lines = ["id,text,age", *(f"{i},{'ab'[i % 2]},{i % 10}" for i in range(40)), ""]
    (folder / "june.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest_files(job_on(lake, folder, source=str(folder / "calls.toml"), paths=[str(folder / "june.csv")]))
    build_features(job_on(lake, folder, task=str(folder / "task.toml")))
    return lake


def score(lake: Lake, folder: Path) -> tuple[int, str]:
    """Returns the exit code and what was said."""
    said = io.StringIO()
    job = job_on(lake, folder, task=str(folder / "task.toml"))
    code = score_rows(replace(job, progress=Progress(said, lambda: 0.0, is_live=False)))
    return code, said.getvalue()


@pytest.mark.parametrize(
    ("sequence", "feature", "counts"), [(1, "nothing", []), (2, "age", [38, 2, 0]), (3, "probability", [20, 20, 0])]
)
def test_drift_of_inputs_or_scores_past_the_limit_is_an_exit_code_of_its_own(
    lake: Lake, folder: Path, sequence: int, feature: str, counts: Sequence[int]
) -> None:
    expected = AS_TRAINED | ({feature: counts} if counts else {})
    register_model(lake, "calls", sequence, BINS, expected)

    code, said = score(lake, folder)
    code_again, _ = score(lake, folder)

    assert code == code_again == (WARNING_EXIT_CODE if counts else 0)
    assert (f"warning: inputs have drifted: {feature} PSI" in said) == bool(counts)
    findings = lake.read("gold.findings").where(F.col("kind") == "drift").collect()
    assert {(row.feature, row.action) for row in findings} == {
        (name, "warned" if name == feature else "kept") for name in ("age", "probability")
    }


@pytest.mark.long
def test_features_that_were_compacted_and_vacuumed_are_scored(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 9, BINS, AS_TRAINED)
    # Laid out anew, because compacting leaves a table of one file as it is.
    lake.spark.sql(f"OPTIMIZE {lake.reference('gold.calls_features')} ZORDER BY (key)")
    vacuum(lake, "gold.calls_features", 0)

    code, _ = score(lake, folder)

    assert code == 0
    [of_age_nine] = lake.read("gold.calls_scores").where("key = '9'").collect()
    assert of_age_nine.raw_score == 9 + 9


def test_with_a_damaged_champion_the_one_before_it_scores(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 11, BINS, AS_TRAINED)
    newest = register_model(lake, "calls", 12, BINS, AS_TRAINED)
    (newest / "serving.json").write_bytes((newest / "serving.json").read_bytes().replace(b"12.0", b"12.1", 1))

    code, said = score(lake, folder)

    assert code == 0
    assert "warning: models/calls/run_12: files were changed, added or removed: serving.json" in said
    assert "the champion before it serves" in said
    [of_age_nine] = lake.read("gold.calls_scores").where("key = '9'").collect()
    assert of_age_nine.raw_score == 9 + 11

    for manifest in Path(lake.folder("models", "calls")).glob("*/manifest.json"):
        manifest.unlink()
    with pytest.raises(DamagedError, match="calls: no champion can be trusted") as no_champion:
        score(lake, folder)
    assert no_champion.value.exit_code == 6
