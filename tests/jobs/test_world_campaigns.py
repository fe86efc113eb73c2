"""The three campaigns of docs/world.md, by the lines that stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from otklik.cli import main
from otklik.lake.store import Lake
from otklik.world.offers import EFFECT_SHARE

pytestmark = pytest.mark.long

DOC = (Path(__file__).resolve().parents[2] / "docs" / "world.md").read_text(encoding="utf-8")
[LINES] = re.findall(r"## Three campaigns.*?```sh\n(.*?)```", DOC, re.DOTALL)
COMMANDS = [shlex.split(line) for line in LINES.splitlines() if line.startswith("otklik ")]
#: Task, and what ends a follow-up that says which campaign it was.
CAMPAIGNS, FOLLOW_UP = ("spring", "summer", "autumn"), "world_offers_follow_up"


def played(spark: SparkSession, folder: Path, without: str = "", upto: int = len(COMMANDS)) -> Lake:
    """A lake in which the lines were run, their files in `folder`."""
    lake = folder / "lake"
    for _, *arguments in COMMANDS[:upto]:
        placed = [str(folder / each) if re.match(r"world(/|$)|\w+\.csv$", each) else each for each in arguments[1:]]
        more = ["--without", without] if arguments[0] == "world" and without else []
        # A warning is no fault: what a campaign changed may drift.
        assert main([arguments[0], *placed, *more, "--lake", str(lake)]) in (0, 1), arguments
    return Lake(spark, str(lake), is_here=True)


def ledger(lake: Lake) -> dict[str, Row]:
    return {row.campaign: row for row in lake.read(f"gold.{FOLLOW_UP}_campaigns").collect()}


def test_the_second_campaign_learns_from_the_first(spark: SparkSession, tmp_path: Path) -> None:
    lake = played(spark, tmp_path)

    campaigns = ledger(lake)
    assert set(campaigns) == set(CAMPAIGNS)
    assert {row.state for row in campaigns.values()} == {"done"}
    # The predicted responses were observed, but most would have come without a contact.
    for row in campaigns.values():
        assert row.ratio == pytest.approx(1, abs=0.1)
        assert row.low < EFFECT_SHARE * row.promised_rate < row.high
        assert row.late > 0 and row.never > 0 and row.control_contacted == 0
    assert campaigns["spring"].profit_high < 0 < campaigns["spring"].promised_profit
    assert campaigns["summer"].profit_low > 0
    assert campaigns["autumn"].profit > 0
    assert campaigns["autumn"].control < campaigns["summer"].control
    # What summer was told: the truth lies in its interval, and the lines above set what it proposes.
    told = lake.read(f"gold.{FOLLOW_UP}_advice", version=1).where("setting = 'threshold'").collect()[0]
    assert told.low < 1 / 6 / EFFECT_SHARE < told.high
    [summer] = [line for line in COMMANDS if "decision.campaign=summer" in line]
    [value] = [float(part.split("=")[1]) for part in summer if part.startswith("decision.value=")]
    assert 1 / value == pytest.approx(told.proposed, abs=0.01)


def test_calls_that_change_nothing_bring_nothing(spark: SparkSession, tmp_path: Path) -> None:
    first = next(place for place, line in enumerate(COMMANDS) if line[1:3] == ["run", FOLLOW_UP])
    lake = played(spark, tmp_path, "offer_effect", first + 1)

    [spring] = ledger(lake).values()
    assert spring.low < 0 < spring.high
    assert spring.profit_high < 0 < spring.promised_profit
