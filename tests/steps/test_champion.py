"""Which model serves is shown and can be rolled back, but never to a damaged one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench import job_on, register_model

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.store import Lake
from otklik.steps.champion import show_champion

TASK = "marketing_campaign"


def serving(
    lake: Lake, temporary_folder: Path, capsys: pytest.CaptureFixture[str], run: str | None = None
) -> list[str]:
    """Show the champion, or roll back to a run first; returns the runs, the serving one with an arrow."""
    show_champion(job_on(lake, temporary_folder, task=TASK, run=run))
    lines = capsys.readouterr().out.splitlines()
    return [("→ " if "→" in line else "") + word for line in lines for word in line.split() if word.startswith("run_")][
        1:
    ]


@pytest.mark.long
def test_a_person_may_let_an_earlier_model_serve_again(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register_model(lake, TASK, 1)
    second = register_model(lake, TASK, 2)

    assert serving(lake, tmp_path, capsys) == ["→ run_2", "run_1"]
    assert serving(lake, tmp_path, capsys, run="run_1") == ["→ run_1", "run_2", "run_1"]
    [started] = lake.read("ops.runs").where("job = 'champion'").collect()
    assert (started.outputs, started.rows_out) == ({"gold.model_runs": lake.version("gold.model_runs")}, 1)
    (second / "manifest.json").unlink()
    with pytest.raises(DamagedError, match="run_2: it has no manifest"):
        serving(lake, tmp_path, capsys, run="run_2")
    with pytest.raises(MissingResultError, match="no model of run run_9"):
        serving(lake, tmp_path, capsys, run="run_9")
    assert serving(lake, tmp_path, capsys) == ["→ run_1", "run_2", "run_1"]
