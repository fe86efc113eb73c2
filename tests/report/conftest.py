"""A small report to build tests on: made-up counts of a campaign, of which each test changes only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otklik.features.catalogue import FeatureColumn
from otklik.page.formats import LANGUAGES, Language
from otklik.report.facts import ReportFacts
from otklik.report.page import render
from otklik.settings import Text
from otklik.task import Task

MakeFacts = Callable[..., ReportFacts]
TASK: dict[str, Any] = {
    "name": "calls",
    "kind": "classify",
    "title": {"en": "Whom to call", "ru": "Кому звонить"},
    "question": {"en": "Who says yes?", "ru": "Кто согласится?"},
    "inputs": {"contacts": "silver.contacts"},
    "rows": {"sql": "contacts", "time_ordered": True, "moment_is": {"en": "contact day", "ru": "день звонка"}},
    "features": {"customer": {"sql": "customer"}},
    "decision": {"cost": 3.0, "value": 11.0, "currency": "₸"},
}


@pytest.fixture
def make_facts() -> MakeFacts:
    """Builds the report's facts; keyword arguments replace fields, `task` is laid over the small task's values."""

    def build(task: dict[str, Any] | None = None, **changes: Any) -> ReportFacts:
        return replace(_small_facts({**TASK, **(task or {})}), **changes)

    return build


@pytest.fixture(scope="session")
def pages() -> dict[Language, str]:
    """The page of the small report in both languages, written once."""
    return {language: render(_small_facts(TASK), language) for language in LANGUAGES}


@pytest.fixture
def empty_facts(make_facts: MakeFacts) -> ReportFacts:
    """A task of which nothing was computed yet: every frame has its columns and no rows."""
    full = make_facts()
    frames: dict[str, Any] = {
        name: frame.head(0) for name, frame in vars(full).items() if isinstance(frame, pd.DataFrame)
    }
    return replace(full, champion=None, table_versions={}, features=(), **frames)


@pytest.fixture
def board_row() -> Callable[..., dict[str, Any]]:
    """Builds a row of gold.scoreboard."""
    return _board_row


@pytest.fixture
def attribute_counts() -> Callable[..., pd.DataFrame]:
    """Builds the frame of `reductions.attribute_rates`."""
    return _attribute_counts


@pytest.fixture
def action_values() -> Callable[..., pd.DataFrame]:
    """Builds gold.action_value with some fields of the list changed."""
    return _action_values


def _board_row(model: str = "logistic_regression", **changes: Any) -> dict[str, Any]:
    """A row of gold.scoreboard that beats guessing."""
    row = {
        "task": "calls", "run_id": "run", "model": model, "leaks": "without", "split": "time",
        "calibration": "calibrated", "rows": 200, "positives": 40, "mean_probability": 0.19, "accuracy": 0.82,
        "majority_accuracy": 0.8, "auc": 0.71, "auc_within": 0.6, "pr_auc": 0.4, "log_loss": 0.45, "brier": 0.14,
        "ece": 0.02, "lift_10": 2.4, "gain_50": 0.74, "threshold": 3 / 11, "profit": 310.0, "accuracy_low": 0.8,
        "accuracy_high": 0.84, "auc_low": 0.68, "auc_high": 0.74, "auc_within_low": 0.56, "auc_within_high": 0.64,
        "lift_10_low": 2.0, "lift_10_high": 2.8, "profit_low": 200.0, "profit_high": 420.0,
    }  # fmt: skip
    return {**row, **changes}


def _majority(**changes: Any) -> dict[str, Any]:
    flat = {"auc": 0.5, "auc_within": 0.5, "lift_10": 1.0, "profit": 0.0, "accuracy": 0.8, "mean_probability": 0.18}
    ends = {f"{name}_{end}": flat[name] for name in flat if name != "mean_probability" for end in ("low", "high")}
    return _board_row("majority", **{**flat, **ends, **changes})


def _measures() -> pd.DataFrame:
    """What training says of its choice: two windows, in which the tree was better by less than its error."""
    rows = [
        ("logistic_regression", "window 1", "auc", 0.61), ("logistic_regression", "window 2", "auc", 0.65),
        ("decision_tree", "window 1", "auc", 0.58), ("decision_tree", "window 2", "auc", 0.7),
        ("logistic_regression", "train", "inside", 0.63), ("decision_tree", "train", "inside", 0.64),
        ("logistic_regression", "time", "regret", 0.0),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["subject", "split", "measure", "value"])


def _small_facts(task: dict[str, Any]) -> ReportFacts:
    ways = [(split, leaks) for split in ("time", "random") for leaks in ("without", "with")]
    board = [
        row
        for split, leaks in ways
        for row in (
            _majority(split=split, leaks=leaks, **({"rows": 1000, "positives": 200} if split == "random" else {})),
            _board_row(split=split, leaks=leaks, auc=0.9 if leaks == "with" else 0.71),
            _board_row("decision_tree", split=split, leaks=leaks, auc=0.66, accuracy=0.78),
            _board_row(
                "linear_svc", split=split, leaks=leaks, calibration="raw", log_loss=None, brier=None, ece=None,
                mean_probability=None, profit=None, profit_low=None, profit_high=None,
            ),
        )
    ]  # fmt: skip
    return ReportFacts(
        task=Task.model_validate(task),
        as_of=datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC),
        run_id="0123456789abcdef",
        training_run_id="0123456789abcdef",
        code_version="0.1.0+abc",
        table_versions={"gold.calls_features": 3, "silver.contacts": 1},
        features=(
            FeatureColumn("city", Text(en="city", ru="город"), is_known_after=False),
            FeatureColumn("age", Text(en="age, years", ru="возраст, лет"), is_known_after=False),
            FeatureColumn("duration", Text(en="length of the call", ru="длительность звонка"), is_known_after=True),
        ),
        label_states=pd.DataFrame({"label_state": ["yes", "no", "immature"], "rows": [200, 800, 7]}),
        attribute_rates=_attribute_counts(
            ("city", "level", "Қызылорда", 500, 60), ("city", "level", "Шымкент", 400, 130),
            ("city", "missing", None, 100, 10), ("age", (np.nan, 30), None, 300, 30), ("age", (30, 50), None, 400, 50),
            ("age", (50, 60), None, 200, 20), ("age", (60, np.nan), None, 100, 100),
        ),
        rates_over_time=pd.DataFrame(
            {"period": pd.date_range("2024-01-01", periods=10, freq="7D"), "rows": 100, "positives": range(10, 30, 2)}
        ),
        remark_counts=pd.DataFrame({"predicate": ["true"], "rows": [1000], "positives": [200]}),
        scoreboard=pd.DataFrame(board),
        measures=_measures(),
        score_counts=_score_counts(),
        explanations=_explanations(),
        findings=pd.DataFrame(
            [
                ("drift", "city", "{}", 0.4, "warned"),
                ("known_leak", "duration", "{}", 0.8, "left out"),
                ("rare_levels", "city", '{"count": 2, "in_split": "time", "levels": "Тараз, Семей"}', 7.0, "merged"),
            ],
            columns=["kind", "feature", "detail", "value", "action"],
        ).assign(task="calls", run_id="run"),
        scored_counts=pd.DataFrame(
            {"bin": [-400, -100, 0, 300], "rows": [600, 200, 150, 50], "labelled": [600, 200, 150, 50],
             "positives": [40, 50, 70, 40]}
        ),
        top_actions=pd.DataFrame(
            {
                "rank": [1, 2], "key": ["k1", "k2"], "arm": ["contact", "control"], "probability": [0.82, 0.8],
                "expected_profit": [6.02, 5.8],
                "reasons": [[{"feature": "city", "value": "Шымкент", "contribution": 0.7}], None],
            }
        ),
        action_arms=pd.DataFrame({"arm": ["contact", "control"], "rows": [180, 20]}),
        action_value=_action_values(),
        champion={
            "model": "logistic_regression", "metric": "auc", "value": 0.72, "folder": "models/calls/x",
            "settings": '{"reg_param": 0.001}', "trained_at": pd.Timestamp("2024-03-31"),
            "sequence": 1,
        },
        challenger=None,
        effect=None,
        balances=pd.DataFrame(
            [("contacts", "contacts.csv", 1010, 1007, 1007, 0, 2, 1, "loaded", {"odd": 3})],
            columns=["source", "file", "rows", "accepted", "inserted", "updated", "rejected", "duplicates", "status",
                     "warnings"],
        ),
    )  # fmt: skip


def _attribute_counts(*rows: tuple[str, Any, str | None, int, int]) -> pd.DataFrame:
    """attribute, kind or (low, high), level, rows, positives → the frame of `reductions.attribute_rates`."""
    found = []
    for place, (attribute, kind, level, count, positives) in enumerate(rows):
        low, high = kind if isinstance(kind, tuple) else (np.nan, np.nan)
        name = "band" if isinstance(kind, tuple) else kind
        found.append((attribute, name, level, low, high, isinstance(kind, tuple), place, count, positives))
    columns = ["attribute", "kind", "level", "low", "high", "whole", "position", "rows", "positives"]
    return pd.DataFrame(found, columns=columns)


def _action_values(**of_list: Any) -> pd.DataFrame:
    """gold.action_value with some fields of the list changed."""
    listed = {"customers": 200, "expected_profit": 480.0, "out_of_fold_profit": 510.0, "low": 380.0, "high": 640.0}
    rows = [
        {"policy": "list", "control_cost": 48.0, **listed, **of_list},
        {"policy": "all", "customers": 1000, "expected_profit": -900.0, "out_of_fold_profit": -800.0, "low": -990.0,
         "high": -610.0, "control_cost": 0.0},
        {"policy": "none", "customers": 0, "expected_profit": 0.0, "out_of_fold_profit": 0.0, "low": 0.0, "high": 0.0,
         "control_cost": 0.0},
        {"policy": "oracle", "customers": None, "expected_profit": None, "out_of_fold_profit": 1600.0, "low": 1400.0,
         "high": 1800.0, "control_cost": 0.0},
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(task="calls", run_id="run")


def _score_counts() -> pd.DataFrame:
    rows = [
        (model, "without", split, calibration, bin_, bin_ > -196, 50, positives)
        for model in ("logistic_regression", "decision_tree")
        for split in ("time", "random")
        for calibration in ("raw", "calibrated")
        for bin_, positives in zip(range(-700, 300, 50), range(0, 20), strict=True)
    ]
    columns = ["model", "leaks", "split", "calibration", "bin", "is_chosen", "rows", "positives"]
    return pd.DataFrame(rows, columns=columns)


def _explanations() -> pd.DataFrame:
    rows = [
        ("odds_ratio", "city", "Шымкент", "Қызылорда", 2.1, 1.7, 2.6, "shrunken_normal_interval"),
        ("odds_ratio", "age", "+10", "", 1.2, 1.1, 1.3, "shrunken_normal_interval"),
        ("permutation", "city", "", "", 0.06, 0.05, 0.07, ""),
        ("permutation", "age", "", "", 0.02, 0.01, 0.03, ""),
        ("partial_dependence", "age", "25.0", "", 0.14, np.nan, np.nan, ""),
        ("partial_dependence", "age", "65.0", "", 0.3, np.nan, np.nan, ""),
        ("partial_dependence", "city", "Шымкент", "", 0.3, np.nan, np.nan, ""),
        ("partial_dependence", "city", "(missing)", "", 0.1, np.nan, np.nan, ""),
    ]
    columns = ["kind", "feature", "level", "reference", "value", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).assign(task="calls", run_id="run", model="logistic_regression")
