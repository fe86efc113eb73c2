"""A draft is a task beside the task, smaller in everything that takes time."""

from __future__ import annotations

from pathlib import Path

import pytest

from otklik.cli import main
from otklik.project_files import find_project
from otklik.settings import load
from otklik.steps.drafts import draft_of
from otklik.task import Task


def test_a_draft_has_a_name_of_its_own_says_what_it_is_and_asks_less() -> None:
    tried = {"models.random_forest.max_depth": [12, 4], "models.random_forest.trees": [100, 20]}
    task = load(Task, find_project(None).task("campaign_response"), {**tried, "splits.time_windows": 5})
    before = task.model_dump()

    draft = draft_of(task)

    assert task.model_dump() == before
    assert (draft.name, draft.title.en) == ("campaign_response_draft", f"Draft: {task.title.en}")
    assert "`otklik run campaign_response` gives the answer" in draft.rows.caveats[0].en
    forest = draft.models.random_forest
    assert forest is not None
    assert (forest.max_depth, forest.trees) == ([6], [20])
    assert (draft.models.naive_bayes, draft.models.linear_svc) == (None, None)
    assert (draft.splits.folds, draft.splits.time_windows) == (4, 2)
    assert (draft.evaluation.with_leaks, draft.evaluation.odds_ratio_replicates) == (False, 0)
    assert (draft.inputs, draft.features, draft.decision) == (task.inputs, task.features, task.decision)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "telco_survival", "--draft"], "--draft: tasks of kind survival have no draft"),
        (["run", "--all", "--draft"], "--draft: drafts one task at a time"),
    ],
)
def test_what_has_no_draft_is_told_before_spark_starts(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otklik.session.start", lambda *_, **__: pytest.fail("Spark was started"))

    assert main([*arguments, "--lake", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
