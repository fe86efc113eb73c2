"""Every campaign's list is kept, a follow-up reads it, and the page of its task learns of the effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.bench import job_on, register_model
from tests.steps.test_score import AS_TRAINED, BINS, ROWS_HASH, folder, lake

from otklik.kind import Finding, Measure, Verdict
from otklik.lake.store import Lake
from otklik.lake.tables import LISTS, VERDICTS
from otklik.steps.answers import effect_of_lists, write_measures, write_verdict
from otklik.steps.features import build_features
from otklik.steps.resolve import resolve
from otklik.steps.run import run_task
from otklik.steps.score import score_rows

__all__ = ["folder", "lake"]

FOLLOW_UP = """
name = "calls_follow_up"
kind = "follow_up"
title = { en = "Calls", ru = "Звонки" }
question = { en = "Did it pay?", ru = "Окупилось?" }
minimum_units = 20
inputs = { lists = "gold.lists", calls = "silver.calls" }
[frames.listed]
input = "lists"
where = "task = 'calls'"
columns = { moment = "CASE campaign WHEN 'may' THEN TIMESTAMP '2020-01-01' ELSE TIMESTAMP '2020-03-01' END" }
[frames.contacts]
input = "calls"
columns = { unit = "id", moment = "TIMESTAMP '2020-01-02'" }
[frames.outcomes]
input = "calls"
where = "text = 'a'"
columns = { unit = "id", moment = "TIMESTAMP '2020-01-03'" }
"""


def listed(lake: Lake, folder: Path, campaign: str, **decision: Any) -> None:
    values = {"cost": 1.0, "value": 2.0, "campaign": campaign, **decision}
    job = job_on(
        lake, folder, {f"decision.{key}": value for key, value in values.items()}, task=str(folder / "task.toml")
    )
    build_features(job)
    score_rows(job)


@pytest.fixture
def campaigns(lake: Lake, folder: Path) -> None:
    register_model(lake, "calls", 1, BINS, AS_TRAINED, ROWS_HASH)
    listed(lake, folder, "may")
    listed(lake, folder, "june", control_share=0.4)
    listed(lake, folder, "may", control_share=0.5)


@pytest.mark.long
def test_lists_are_kept_and_followed_up(campaigns: None, lake: Lake, folder: Path) -> None:
    """The second list of a campaign takes the place of its first."""
    rows = lake.read(LISTS.name).toPandas()
    assert rows.groupby("campaign")["unit"].agg(["count", "nunique"]).to_numpy().tolist() == [[40, 40], [40, 40]]
    assert (rows["arm"] == "control").groupby(rows["campaign"]).mean().to_dict() == pytest.approx(
        {"may": 0.5, "june": 0.4}, abs=0.2
    )
    assert (rows["expected_profit"] == 2 * rows["probability"] - 1).all() and rows["effect"].isna().all()
    (folder / "follow_up.toml").write_text(FOLLOW_UP, encoding="utf-8")
    job = job_on(lake, folder, task=str(folder / "follow_up.toml"))

    assert run_task(job) == 0

    ledger = {row.campaign: row for row in lake.read("gold.calls_follow_up_campaigns").collect()}
    assert ledger["may"].list_of == "calls" and ledger["may"].never == 0
    # The calls of January came after the list of May's name and before that of June's: nobody of it was contacted.
    assert (ledger["may"].state, ledger["june"].state) == ("control_contacted", "not_contacted")
    assert ledger["june"].never == ledger["june"].to_contact
    [verdict] = lake.read(VERDICTS.name).where("task = 'calls_follow_up'").collect()
    assert verdict.verdict == "invalid"
    missed = lake.read("gold.calls_follow_up_missed").groupBy("campaign", "what").count().collect()
    assert {(row.campaign, row.what): row["count"] for row in missed} == {
        ("may", "control_contacted"): ledger["may"].control,
        ("june", "never"): ledger["june"].to_contact,
    }


@pytest.mark.long
def test_the_effect_of_the_last_campaign_is_found_by_its_task(lake: Lake, folder: Path) -> None:
    (folder / "follow_up.toml").write_text(FOLLOW_UP, encoding="utf-8")
    job = job_on(lake, folder, task=str(folder / "follow_up.toml"))
    assert effect_of_lists(lake, "mails") is None
    asked = resolve(job, str(folder / "follow_up.toml"))
    task, run = asked.task, asked.run_of(job, asked.kind.stages[0], {})
    measures = [
        Measure("effect", value, campaign, "lists of mails", value - 0.01, value + 0.01, 0.1)
        for campaign, value in (("may", 0.02), ("june", 0.03))
    ]
    write_measures(lake, task, run, measures)
    reason = Finding("effect_came", "june", {"value": 0.03, "low": 0.02, "high": 0.04})
    write_verdict(lake, "follow_up", task, run, Verdict("gain", [reason], measures[1]), job.clock())

    assert effect_of_lists(lake, "mails") == pytest.approx(
        {"campaign": "june", "value": 0.03, "low": 0.02, "high": 0.04, "predicted": 0.1}
    )
    assert effect_of_lists(lake, "calls") is None
