"""What the features step refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench import CALLS, TakeIn, job_on
from tests.steps.test_question import TASK

from otklik.errors import ConfigurationError
from otklik.lake.store import Lake
from otklik.steps.features import build_features


@pytest.mark.parametrize(
    ("mark", "fault"),
    [("personal = true", "text of silver.calls is personal"), ('known = "after_decision"', r"lacks \[after\]")],
)
def test_marked_columns_are_no_features(lake: Lake, take_in: TakeIn, tmp_path: Path, mark: str, fault: str) -> None:
    take_in(
        "june.csv",
        "1,a",
        "2,b",
        contract=CALLS.replace('text = { type = "string"', f'text = {{ type = "string", {mark}'),
    )
    task = tmp_path / "task.toml"
    task.write_text(TASK, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=fault):
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert not lake.exists("gold.calls_features")
    assert [row.status for row in lake.read("ops.runs").where("job = 'features'").collect()] == ["failed"]


@pytest.mark.parametrize("known", ["arrival", pytest.param("untimed", marks=pytest.mark.long)])
def test_sql_that_fails_on_a_row_is_named_without_the_row(
    lake: Lake, take_in: TakeIn, tmp_path: Path, known: str
) -> None:
    take_in("june.csv", "1,a", "2,b", contract=CALLS.replace('"position"', f'"position", known = "{known}"'))
    task = tmp_path / "task.toml"
    task.write_text(TASK.replace('moment = "2020-01-01"', 'moment_column = "text"'), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"(record_rows\.sql|the SQL of calls): fails on some row") as caught:
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert "try_cast" in caught.value.line()
