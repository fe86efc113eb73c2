"""The kind `follow_up`: what was promised meets what came, and the second campaign learns from the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.follow_up import reckoning
from otklik.evidence.follow_up.kind import FollowUpTask
from otklik.evidence.follow_up.method import run
from otklik.evidence.follow_up.section import TEXTS, section
from otklik.settings import validate

TASK = {
    "name": "mails", "kind": "follow_up", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"lists": "gold.lists"}, "value": 10.0, "cost": 1.0, "minimum_units": 50,
}  # fmt: skip
DAY = timedelta(days=1)
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
#: Of what the first model promises so much comes, and of that so much would have come without a contact.
KEPT, ANYHOW = 0.6, 0.5


def a_task(**changes) -> FollowUpTask:
    return validate(FollowUpTask, {**TASK, **changes}, "test")


def a_campaign(
    name: str, promise: np.ndarray, truth: np.ndarray, control_share: float, *, months: int = 0, anyhow: float = ANYHOW,
    contacted: float = 1.0, control_contacted: float = 0.0, late: float = 0.0,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """A list by what a model promises, and what comes: `truth` is the chance of the outcome after a contact."""
    draws = np.random.default_rng(len(promise) + months)
    count, made_at = len(promise), MADE_AT + months * 31 * DAY
    unit = [f"{name} {number}" for number in range(count)]
    is_control = draws.random(count) < control_share
    is_contacted = draws.random(count) < np.where(is_control, control_contacted, contacted)
    came = draws.random(count) < np.where(is_contacted, truth, anyhow * truth)
    listed = pd.DataFrame(
        {
            "campaign": name, "unit": unit, "arm": np.where(is_control, "control", "contact"), "moment": made_at,
            "probability": promise, "expected_profit": 10 * promise - 1,
        }
    )  # fmt: skip
    after = np.where(draws.random(count) < late, 10, 1)
    rows = listed.assign(moment=[made_at + int(days) * DAY for days in after])[["unit", "moment"]]
    outcomes = listed.assign(moment=made_at + 12 * DAY)[["unit", "moment"]]
    return {"listed": listed, "contacts": rows[is_contacted], "outcomes": outcomes[came]}


def answered(spark, tmp_path, task: FollowUpTask, *campaigns: dict[str, pd.DataFrame], as_of: int = 365) -> Any:
    frames = {
        name: spark.createDataFrame(pd.concat([one[name] for one in campaigns], ignore_index=True))
        for name in ("listed", "contacts", "outcomes")
    }
    return run(frames, task, stage_context(spark, tmp_path, MADE_AT + as_of * DAY))


def test_the_second_campaign_learns_from_the_first_and_the_third_has_nothing_to_learn(spark, tmp_path) -> None:
    task = a_task()
    promise = np.linspace(0.1, 0.6, 6000)
    first = a_campaign("spring", promise, KEPT * promise, 0.05)

    result = answered(spark, tmp_path, task, first)

    advice = result.tables["advice"].toPandas().set_index("setting")
    threshold, retrain = advice.loc["threshold"], advice.loc["retrain"]
    assert threshold["low"] < 0.1 / (KEPT * (1 - ANYHOW)) < threshold["high"]
    assert (threshold["reason"], retrain["reason"]) == ("pays_later", "promised_too_much")
    # Whether it paid cannot be told: no reason to hold back fewer.
    assert advice.loc["control_share", "reason"] == "as_it_is"
    assert retrain["now"] == pytest.approx(KEPT, abs=0.03)
    ledger = result.tables["campaigns"].toPandas().set_index("campaign")
    assert ledger.loc["spring", "low"] < KEPT * (1 - ANYHOW) * promise.mean() < ledger.loc["spring", "high"]
    assert ledger.loc["spring", "promised_profit"] > 3 * ledger.loc["spring", "profit_high"]
    pages = pages_of(section, TEXTS, result, task)
    assert "Retrain the model" in pages["en"] and "Обучите модель заново" in pages["ru"]

    # What was advised: a model that keeps its promise, a later threshold. The third does the same again.
    kept = np.linspace(threshold["proposed"], 0.6, 4000) * retrain["now"]
    truth = kept * KEPT / retrain["now"]
    second, third = (
        a_campaign(name, kept, truth, 0.05, months=months, late=0.1) for name, months in (("summer", 1), ("autumn", 2))
    )
    result = answered(spark, tmp_path, task, first, second, third)

    ledger = result.tables["campaigns"].toPandas().set_index("campaign")
    assert list(ledger.index) == ["spring", "summer", "autumn"]
    assert ledger.loc["summer", "drift_p"] < 0.001 and ledger.loc["autumn", "drift_p"] > 0.01
    per_contact = ledger["profit"] / ledger["to_contact"]
    assert per_contact["summer"] > per_contact["spring"] and ledger.loc["autumn", "profit_low"] > 0
    assert result.verdict.verdict == "gain" and result.verdict.reasons[0].subject == "autumn"
    advice = result.tables["advice"].toPandas().set_index("setting")
    assert advice.loc["retrain", "reason"] == advice.loc["threshold", "reason"] == "as_it_is"
    missed = result.tables["missed"].toPandas()
    assert set(missed["what"]) == {"late"} and len(missed) == ledger["late"].sum() > 500
    assert result.tables["bands"].where("campaign = 'autumn'").count() == 10
    assert pages_of(section, TEXTS, result, task)


def test_a_campaign_that_cannot_be_judged_says_so(spark, tmp_path) -> None:
    promise = np.full(400, 0.3)
    task = a_task()
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("no_control", "invalid", {"control_share": 0.0}),
        ("not_contacted", "invalid", {"control_share": 0.3, "contacted": 0.2}),
        ("control_contacted", "invalid", {"control_share": 0.3, "control_contacted": 0.4}),
        ("few_units", "too_little_data", {"control_share": 0.02}),
        ("profit_not_shown", "too_little_data", {"control_share": 0.5, "anyhow": 0.6}),
    ]
    for code, verdict, changes in cases:
        found = answered(spark, tmp_path, task, a_campaign("a", promise, promise, **changes))
        assert (found.verdict.verdict, found.verdict.reasons[0].code) == (verdict, code)
        assert pages_of(section, TEXTS, found, task)
    early = answered(spark, tmp_path, task, a_campaign("a", promise, promise, 0.3), as_of=20)
    assert (early.verdict.verdict, early.verdict.reasons[0].code) == ("too_little_data", "open")
    assert pages_of(section, TEXTS, early, task)


def test_a_promised_effect_is_held_against_the_effect(spark, tmp_path) -> None:
    promise = np.linspace(0.3, 0.6, 3000)
    campaign = a_campaign("a", promise, promise, 0.4)
    listed = campaign["listed"].assign(effect=(1 - ANYHOW) * promise).drop(columns=["probability", "expected_profit"])
    task = a_task(value=None, cost=None)

    result = answered(spark, tmp_path, task, {**campaign, "listed": listed})

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("gain", "effect_came")
    key = result.verdict.key
    assert key.baseline == pytest.approx(0.225, abs=0.005) and key.low < key.baseline < key.high
    bands = result.tables["bands"].toPandas()
    assert (bands["low"] <= bands["promised"]).mean() >= 0.8 and (bands["promised"] <= bands["high"]).mean() >= 0.8
    assert pages_of(section, TEXTS, result, task)


def test_what_is_no_list_is_refused(spark, tmp_path) -> None:
    promise = np.full(10, 0.3)
    campaign = a_campaign("a", promise, promise, 0.5)
    twice = {**campaign, "listed": pd.concat([campaign["listed"], campaign["listed"]])}
    odd = {**campaign, "listed": campaign["listed"].assign(arm="leave")}
    many = [{**campaign, "listed": campaign["listed"].head(1).assign(campaign=f"c{place}")} for place in range(501)]
    with pytest.raises(RefusedError, match="20 rows for 10 units of campaigns"):
        answered(spark, tmp_path, a_task(), twice)
    with pytest.raises(RefusedError, match="neither contact nor control in 10 rows"):
        answered(spark, tmp_path, a_task(), odd)
    with pytest.raises(RefusedError, match="more than 500 campaigns"):
        answered(spark, tmp_path, a_task(), *many)
    with pytest.raises(ConfigurationError, match="value and cost: give both or none"):
        a_task(value=None)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    found = reckoning.difference(56, 70, 48, 80, 0.05)

    assert (found.low, found.high) == pytest.approx(
        confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff"), abs=1e-12
    )
    # Newcombe 1998, table II, case (a), method 10.
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_a_control_group_is_as_large_as_an_effect_that_pays_needs() -> None:
    def last(control: int, to_contact: int = 10_000) -> reckoning.Campaign:
        nan = float("nan")
        return reckoning.Campaign(
            "a", MADE_AT, True, to_contact, to_contact, 0, 0, to_contact // 10, to_contact // 10, control, 0,
            control // 20, nan, nan, nan, nan, (),
        )  # fmt: skip

    assert reckoning.advised_control(last(100), 0.02, 0.05).reason == "more_control"
    assert reckoning.advised_control(last(8000), 0.02, 0.05).reason == "less_control"
    assert reckoning.advised_control(last(8000), 0.02, 0.05, is_open=True).reason == "as_it_is"
    assert reckoning.advised_control(last(100, 200), 0.02, 0.05).reason == "longer_list"
    wanted = reckoning.advised_control(last(100), 0.02, 0.05).proposed
    listed = 10_100
    error = np.sqrt(0.09 / (listed * (1 - wanted)) + 0.05 * 0.95 / (listed * wanted))
    assert (1.96 + 0.8416) * error <= 0.02 < (1.96 + 0.8416) * error * np.sqrt(wanted / (wanted - 0.01))
