"""What the README tells a new user to write must do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.bench import job_on

from otklik.lake.store import Lake
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.steps.ingest import ingest_files
from otklik.steps.run import run_task
from otklik.task import Task

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    """The contract and the task of the README, as a reader would save them."""
    contract, task = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "telco_customers.toml").write_text(contract, encoding="utf-8")
    (tmp_path / "telco_churn.toml").write_text(task, encoding="utf-8")
    return tmp_path / "telco_customers.toml", tmp_path / "telco_churn.toml"


def test_contract_and_task_are_valid(written: tuple[Path, Path]) -> None:
    contract, task = load(Contract, written[0]), load(Task, written[1])
    assert task.inputs == {"customers": f"silver.{contract.name}"}


@pytest.mark.long
def test_they_lead_from_a_file_to_a_list(
    spark: SparkSession, shared_data: Path, tmp_path: Path, written: tuple[Path, Path]
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), is_here=True)
    file = shared_data / "telco_churn" / "Telco-Customer-Churn.csv"
    ingest_files(job_on(lake, tmp_path, source=str(written[0]), paths=[str(file)]))
    assert run_task(job_on(lake, tmp_path, task=str(written[1]))) == 0
    board = lake.read("gold.scoreboard").where("model = 'logistic_regression' AND calibration = 'raw'").toPandas()
    assert board["auc"].min() > 0.82
    assert lake.read("gold.telco_churn_actions").count() > 500
