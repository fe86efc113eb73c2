"""The truth of a world: it is linear in the features of the shipped task, and worth finding."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from otklik.features.builder import rows_of_task, with_features
from otklik.features.catalogue import read_select
from otklik.settings import load
from otklik.sources.contract import Contract, parse_duration
from otklik.task import Task
from otklik.world.campaigns import BASE_LOG_ODDS, CHANNELS, EFFECTS
from otklik.world.engagement import KINDS
from otklik.world.people import EDUCATION, MARITAL_STATUS, NETWORKS, TOPICS
from otklik.world.timeline import CAMPAIGN_MOMENTS, DELIVERED_AT, ENGAGEMENT_DELAY, RESPONSE_WINDOW

#: The truth measures ln(1 + income) from here, and takes it to be here where income is missing.
INCOME_MIDDLE = 12.5

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(scope="module")
def task() -> Task:
    return load(Task, CONF / "tasks" / "campaign_response.toml")


@pytest.fixture(scope="module")
def contacts(spark: SparkSession, world, silver, task: Task) -> pd.DataFrame:
    """One row per contact: the shipped task's features and label, and the true probability."""
    as_of = DELIVERED_AT
    rows = rows_of_task(
        spark, read_select(task.rows.sql, task.rows.template_values, []), silver, as_of=as_of,
        label_window=task.rows.label_window,
    )  # fmt: skip
    selects = [(read_select(group.sql, group.settings, []), group.leave_out) for group in task.features.values()]
    features = with_features(spark, rows, selects, silver, as_of).toPandas()
    truth = spark.read.parquet(str(world.folder / "truth.parquet")).toPandas()
    assert len(features) == len(truth) == len(world.contacts.kept)
    return features.merge(truth, left_on="key", right_on="contact_id", suffixes=("", "_of_truth"), validate="1:1")


def transformed(values: pd.Series, transform: str) -> pd.Series:
    """A planted effect's feature after its transform."""
    if transform == "ln(1 + x)":
        return np.log1p(values).fillna(INCOME_MIDDLE)
    if transform == "x >= 60":
        return (values >= 60).astype(float)
    if transform.startswith("x = "):
        return (values == transform.removeprefix("x = ").strip("'")).astype(float)
    assert transform == "x"
    return values.astype(float)


def planted_columns(contacts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({e.feature: transformed(contacts[e.feature], e.transform) for e in EFFECTS})


def test_truth_is_exactly_linear_in_the_features_of_the_task(contacts):
    # Truth goes by a customer's newest version, which was not known at contacts before it was made.
    is_newest = contacts["children"].notna()
    assert 0.98 < is_newest.mean() < 1
    contacts = contacts[is_newest]
    planted = planted_columns(contacts)
    campaign = contacts["moment"].rank(method="dense") - 1
    time = campaign / (len(CAMPAIGN_MOMENTS) - 1)
    design = pd.concat([planted, (planted["channel"] * time).rename("fading"), time.rename("time")], axis=1)
    design["base"] = 1.0
    log_odds = np.log(contacts["probability"] / (1 - contacts["probability"]))
    found, *_ = np.linalg.lstsq(design.to_numpy(), log_odds.to_numpy(), rcond=None)
    assert campaign.nunique() == len(CAMPAIGN_MOMENTS)
    assert np.abs(design.to_numpy() @ found - log_odds).max() < 1e-8
    assert dict(zip(design.columns, found, strict=True)) == pytest.approx(
        {
            **{effect.feature: effect.coefficient for effect in EFFECTS},
            "fading": -0.6,
            "time": 0.5,
            "base": BASE_LOG_ODDS[0] - INCOME_MIDDLE * 0.85,
        },
        abs=1e-6,
    )


def test_effects_stand_in_order_of_strength(contacts):
    spread = planted_columns(contacts).std()
    strengths = [abs(effect.mean_coefficient) * spread[effect.feature] for effect in EFFECTS]
    assert all(stronger > 0.93 * weaker for stronger, weaker in pairwise(strengths))


def test_those_who_engage_with_deposits_say_yes_more_often(contacts):
    mature = contacts[contacts["label"].notna()]
    engaged = mature["about_deposits_count_30d"] >= 2
    assert mature[engaged]["label"].mean() > 1.5 * mature[~engaged]["label"].mean()


def test_the_oracle_is_good_but_not_perfect_and_the_leak_is_a_leak(contacts):
    mature = contacts[contacts["label"].notna()]
    auc = roc_auc_score(mature["label"], mature["probability"])
    assert 0.70 < auc < 0.82
    assert 0.75 < roc_auc_score(mature["label"], mature["talk_seconds"]) < 0.9
    assert 0.10 < mature["label"].mean() < 0.15
    assert mature["probability"].mean() == pytest.approx(mature["label"].mean(), abs=0.025)


def test_open_answers_are_immature(contacts):
    immature = contacts["label_state"] == "immature"
    assert set(contacts[immature]["moment"]) == {pd.Timestamp(m).tz_localize(None) for m in CAMPAIGN_MOMENTS[-2:]}
    assert set(contacts[~immature]["label_state"]) == {"yes", "no"}


def test_contracts_and_task_say_what_the_world_does(task):
    customers, contacts, engagements = (
        load(Contract, CONF / "sources" / f"{name}.toml") for name in ("customers", "contacts", "engagements")
    )
    assert set(customers.personal_columns) == {"name", "email", "phone"}
    assert customers.columns["education"].allowed == list(EDUCATION)
    assert customers.columns["marital_status"].allowed == list(MARITAL_STATUS)
    assert contacts.columns["channel"].allowed == list(CHANNELS)
    assert engagements.columns["kind"].allowed == list(KINDS)
    assert parse_duration(engagements.time.delay) == ENGAGEMENT_DELAY
    assert task.rows.label_window == RESPONSE_WINDOW
    settings = task.features["engagement"].settings
    assert (settings["topics"], settings["networks"]) == (list(TOPICS), list(NETWORKS))


def test_campaign_days_end_before_the_delivery():
    assert max(CAMPAIGN_MOMENTS) < DELIVERED_AT
    assert datetime(2025, 2, 4, 5, tzinfo=UTC) == CAMPAIGN_MOMENTS[0]
