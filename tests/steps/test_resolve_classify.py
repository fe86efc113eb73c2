"""A question about a moment gets the answer that it got then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.bench import CALLS, TakeIn, job_on

from otklik.errors import MissingResultError
from otklik.lake import identity, maintenance
from otklik.lake.content import content_hash
from otklik.lake.store import Lake
from otklik.settings import load
from otklik.steps.features import build_features
from otklik.steps.resolve_classify import resolve_classify
from otklik.task import Task

TASK = """
name = "calls"
kind = "classify"
title = { en = "Calls", ru = "Звонки" }
question = { en = "Who?", ru = "Кто?" }
inputs = { calls = "silver.calls" }

[rows]
sql = "record_rows"
time_ordered = false
settings = { input = "calls", key = "id", label = "text", yes = "a", moment = "2020-01-01" }

[features.call]
sql = "record_columns"
settings = { input = "calls", key = "id", columns = ["text"] }
"""


def features(lake: Lake, temporary_folder: Path, as_of: datetime, *, newest: bool = False, hours: int = 3) -> str:
    """Ask for features as of a moment; returns the hash of the answer. Another window of the label is another run."""
    task = temporary_folder / "calls_task.toml"
    task.write_text(
        TASK.replace("time_ordered = false", f"time_ordered = false\nlabel_window_hours = {hours}"), encoding="utf-8"
    )
    job = job_on(lake, temporary_folder, task=str(task))
    build_features(replace(job, options=replace(job.options, as_of=as_of, newest=newest)))
    return content_hash(lake.read("gold.calls_features"))


def test_later_files_change_no_earlier_answer(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    then = datetime.now(UTC)
    first = features(lake, tmp_path, then)
    take_in("july.csv", "1,b", "3,a")

    assert features(lake, tmp_path, then) == first
    assert features(lake, tmp_path, then, hours=4) == first
    # A moment between the two files that nobody asked about yet: row 1 as it was known then.
    assert features(lake, tmp_path, then + timedelta(microseconds=1)) == first
    assert features(lake, tmp_path, datetime.now(UTC)) != first


def test_an_answer_that_is_given_again_stands_in_the_table(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    then = datetime.now(UTC)
    first = features(lake, tmp_path, then)
    take_in("july.csv", "1,b", "3,a")
    second = features(lake, tmp_path, datetime.now(UTC))

    assert features(lake, tmp_path, then) == first != second
    version = lake.version("gold.calls_features")
    assert features(lake, tmp_path, then) == first
    assert lake.version("gold.calls_features") == version


@pytest.mark.long
def test_newest_reads_what_came_later_and_vacuumed_versions_are_named(
    lake: Lake, take_in: TakeIn, tmp_path: Path
) -> None:
    contract = CALLS.replace('order = "position"', 'order = "position", known = "untimed"')
    take_in("june.csv", "1,a", "2,b", contract=contract)
    then = datetime.now(UTC)
    first = features(lake, tmp_path, then)
    take_in("july.csv", "1,b", "3,a", contract=contract)
    for table in maintenance.table_names(lake):
        maintenance.vacuum(lake, table, 0)

    with pytest.raises(MissingResultError, match=r"calls: it reads silver.calls at version 1, .*vacuumed"):
        features(lake, tmp_path, then, hours=4)
    failed = lake.read("ops.runs").where("status = 'failed'").collect()
    assert [row.message.partition(",")[0] for row in failed] == ["calls: it reads silver.calls at version 1"]
    assert features(lake, tmp_path, then, newest=True) != first


STEPS_THAT_USE: list[tuple[dict[str, Any], set[str]]] = [
    ({"decision.cost": 2.0}, {"score"}),
    ({"score.where": "label = 1"}, {"score"}),
    ({"evaluation.reasons": 5}, {"score"}),
    ({"checks.psi_warning": 0.5}, {"score"}),
    ({"report.attributes": ["text"]}, set()),
    ({"title.en": "Calls of June"}, set()),
    ({"models.seed": 8}, {"train", "score"}),
    ({"splits.folds": 7}, {"train", "score"}),
    ({"rows.label_window_hours": 1}, {"features", "train", "score"}),
]


def test_a_setting_makes_only_the_steps_anew_that_use_it(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    path = tmp_path / "calls_task.toml"
    path.write_text(f"{TASK}\n[decision]\ncost = 1.0\nvalue = 10.0\n", encoding="utf-8")
    before = resolve_classify(job_on(lake, tmp_path, task=str(path)))

    for changes, anew in STEPS_THAT_USE:
        after = replace(before, task=load(Task, path, changes))
        changed = {step for step in ("features", "train", "score") if before.run_ids[step] != after.run_ids[step]}
        assert changed == anew, changes


@pytest.mark.parametrize(
    ("module", "anew"),
    [
        ("otklik.evidence.uplift.method", set()),
        ("otklik.report.page", set()),
        ("otklik.steps.score", {"score"}),
        ("otklik.models.training", {"train", "score"}),
        ("otklik.features.builder", {"features", "train", "score"}),
    ],
)
def test_a_change_of_code_makes_only_the_steps_anew_that_use_it(
    lake: Lake, take_in: TakeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, anew: set[str]
) -> None:
    take_in("june.csv", "1,a", "2,b")
    path = tmp_path / "calls_task.toml"
    path.write_text(TASK, encoding="utf-8")
    before = resolve_classify(job_on(lake, tmp_path, task=str(path)))
    names = dict(before.run_ids)
    source_of = identity._source_of

    def edited(name: str) -> str | None:
        return f"{source_of(name)}\n# edited\n" if name == module else source_of(name)

    monkeypatch.setattr(identity, "_source_of", edited)
    identity.code_version_of.cache_clear()
    after = replace(before).run_ids
    identity.code_version_of.cache_clear()

    assert {step for step in ("features", "train", "score") if names[step] != after[step]} == anew
