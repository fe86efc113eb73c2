"""A campaign whose response rate rises tenfold: the first screen says what the later rows say."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.bench import QUICK_OPTIONS

from otklik.cli import main
from otklik.page.formats import Formats

pytestmark = pytest.mark.long

ROWS, LATER = 3000, 600
COST, VALUE = 1.0, 12.0
CONTRACT = """
name = "calls"
format = { kind = "csv" }
key = { columns = ["id"] }
time = { order = "event", event = "day", known = "untimed" }

[columns]
id = { type = "string" }
day = { type = "date" }
need = { type = "double" }
age = { type = "double" }
said_yes = { type = "string", known = "after_decision" }
"""
TASK = f"""
name = "calls"
kind = "classify"
title = {{ en = "Whom to call", ru = "Кому звонить" }}
question = {{ en = "Who says yes?", ru = "Кто согласится?" }}
inputs = {{ calls = "silver.calls" }}
decision = {{ cost = {COST}, value = {VALUE} }}

[rows]
sql = "record_rows"
time_ordered = true
settings = {{ input = "calls", key = "id", label = "said_yes", yes = "yes", moment_column = "day" }}

[features.call]
sql = "record_columns"
settings = {{ input = "calls", key = "id", columns = ["need", "age"] }}
"""


def calls() -> pd.DataFrame:
    """Six a day; 1 in 20 says yes, and in the last fifth 1 in 2."""
    random = np.random.default_rng(5)
    need, number = random.normal(size=ROWS), np.arange(ROWS)
    logit = np.where(number < ROWS - LATER, -3.4, 0.0) + need
    says_yes = random.random(ROWS) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {
            "id": [f"c{one}" for one in number],
            "day": [date(2025, 1, 1) + timedelta(days=int(one) // 6) for one in number],
            "need": need.round(3),
            "age": random.integers(18, 80, ROWS).astype(float),
            "said_yes": np.where(says_yes, "yes", "no"),
        }
    )


def test_the_first_screen_says_what_contacting_all_brings_later(tmp_path: Path) -> None:
    told = calls()
    told.to_csv(tmp_path / "calls.csv", index=False)
    for name, text in (("calls", CONTRACT), ("task", TASK)):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    lake = ("--lake", str(tmp_path / "lake"))

    assert main(["ingest", str(tmp_path / "calls.toml"), str(tmp_path / "calls.csv"), *lake]) == 0
    assert main(["run", str(tmp_path / "task.toml"), *QUICK_OPTIONS, *lake]) == 0

    later = told.tail(LATER)["said_yes"] == "yes"
    of_all = Formats("en").money(float(later.sum() * VALUE - LATER * COST))
    page = (tmp_path / "lake" / "report" / "calls.html").read_text(encoding="utf-8")
    screen = html.unescape(re.sub(r"<[^>]+>", " ", page[page.index('id="answer"') : page.index("</section>")]))
    assert later.mean() > 8 * (told.head(ROWS - LATER)["said_yes"] == "yes").mean()
    assert 'class="answer verdict-everybody"' in page
    assert f"contacting all {LATER} brings {of_all}" in screen
    assert "on the last 20% of rows in time" in screen
    assert "on past answers" not in screen
