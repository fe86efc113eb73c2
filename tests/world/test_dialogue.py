"""Consents, messages, posts, advertisements, signals and offers: what is planted is there, by direct computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from math import log
from statistics import correlation, fmean

import pytest
from pyspark.sql import Row, SparkSession

from otklik.world import dialogue, journeys, offers, trials
from otklik.world.draws import Draws
from otklik.world.options import EFFECTS

pytestmark = pytest.mark.long

CUSTOMERS = 4_000
Rows = Callable[[str, bool], list[Row]]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Rows:
    """The rows of a frame, with all effects or with none."""

    @cache
    def made(name: str, is_planted: bool) -> list[Row]:
        draws, without = Draws(7), () if is_planted else EFFECTS
        numbers = spark.range(0, CUSTOMERS, 1, 2).withColumnRenamed("id", "number")
        everybody = offers.with_chances(numbers, draws, without)
        frames = {
            "consents": lambda: dialogue.consents(numbers, draws),
            "messages": lambda: dialogue.support_messages(numbers, draws, without).where("i IS NOT NULL"),
            "posts": lambda: dialogue.posts(spark, draws, without),
            "journeys": lambda: journeys.journeys(numbers, draws, without),
            "signals": lambda: trials.signal_days(spark, draws, without).orderBy("number"),
            "offers": lambda: offers.played(offers.pilot(everybody, draws), draws),
        }
        return frames[name]().collect()

    return made


def test_consents_are_given_and_taken_back_as_planted(rows: Rows) -> None:
    states: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows("consents", True):
        states[row.number, row.channel].append(row)
    last = {key: max(of, key=lambda row: row.us) for key, of in states.items()}

    assert len(states) == CUSTOMERS * len(dialogue.AGREE)
    assert all((row.state == "granted") == row.is_allowed for row in last.values())
    for channel, percent in dialogue.AGREE.items():
        allowed = fmean(row.is_allowed for (_, of), row in last.items() if of == channel)
        assert allowed == pytest.approx(percent / 100 * (1 - dialogue.WITHDRAWN_SHARE), abs=0.03)


@pytest.mark.parametrize("is_planted", [True, False])
def test_a_message_says_what_it_is_about_only_where_that_is_planted(rows: Rows, is_planted: bool) -> None:
    """Whether a phrase of the topic under which an agent filed the text stands in it."""
    messages = rows("messages", is_planted)
    said = fmean(any(phrase in row.text for phrase in dialogue.ASKED[row.topic]) for row in messages)
    # One in four of those filed at random is filed rightly after all.
    rightly = 1 - dialogue.MISFILED_SHARE * 3 / 4

    assert all(any(phrase in row.text for of in dialogue.ASKED.values() for phrase in of) for row in messages)
    assert said == pytest.approx(rightly if is_planted else 1 / len(dialogue.ASKED), abs=0.04)
    assert fmean(row.topic == row.true_topic for row in messages) == pytest.approx(rightly, abs=0.02)


def test_videos_bring_more_reactions(rows: Rows) -> None:
    def mean(is_planted: bool, form: str) -> float:
        return fmean(row.reactions for row in rows("posts", is_planted) if row.format == form)

    assert mean(True, "video") / mean(True, "photo") == pytest.approx(dialogue.FORMAT_FACTORS["video"], rel=0.15)
    assert mean(False, "video") / mean(False, "photo") == pytest.approx(1, rel=0.15)


def order_rates(people: list[Row], channel: str) -> tuple[float, float]:
    """Share of those with an order, of those who saw a channel and of the others."""
    orders: dict[bool, list[bool]] = {True: [], False: []}
    for row in people:
        orders[any(each.channel == channel for each in row.exposures)].append(row.ordered_us is not None)
    return fmean(orders[True]), fmean(orders[False])


def test_channels_bring_the_planted_orders_and_retargeting_goes_with_orders(rows: Rows) -> None:
    planted, placebo = rows("journeys", True), rows("journeys", False)
    for channel in journeys.CHANNELS:
        seen, others = order_rates(planted, channel.name)
        assert seen - others == pytest.approx(channel.effect, abs=0.025)
        seen, others = order_rates(placebo, channel.name)
        assert seen - others == pytest.approx(0, abs=0.025)
    seen, others = order_rates(planted, "retargeting")
    assert seen - others > 0.3
    seen, others = order_rates(placebo, "retargeting")
    assert seen - others == pytest.approx(0, abs=0.025)
    # Whatever somebody saw came before the order.
    assert all(each.us < row.ordered_us for row in planted if row.ordered_us for each in row.exposures)


def test_mentions_come_before_orders_and_reviews_after_them(rows: Rows) -> None:
    def at(is_planted: bool, signal: str, days_before: int) -> float:
        """Correlation of the logarithms of orders and of a signal so many days before."""
        days = rows("signals", is_planted)
        pairs = [(log(days[n][signal]), log(days[n + days_before].orders)) for n in range(10, len(days) - 10)]
        return correlation(*zip(*pairs, strict=True))

    assert at(True, "mentions", trials.LEAD_DAYS) > 0.4
    assert at(True, "reviews", -trials.FOLLOWING_DAYS) > 0.4
    assert abs(at(True, "mentions", -trials.LEAD_DAYS)) < 0.12
    assert max(abs(at(True, "searches", lag)) for lag in range(-7, 8)) < 0.15
    assert max(abs(at(False, signal, lag)) for signal in trials.SIGNALS for lag in range(-7, 8)) < 0.15


def test_a_quarter_of_the_orders_after_an_offer_are_its_work(rows: Rows) -> None:
    def rate(is_planted: bool, is_contact: bool) -> float:
        return fmean(r.ordered_us is not None for r in rows("offers", is_planted) if r.is_contact == is_contact)

    reached = fmean(row.contacted_us is not None for row in rows("offers", True) if row.is_contact)
    mean = fmean(row.chance_with for row in rows("offers", True))
    assert reached == pytest.approx(1 - offers.NEVER_SHARE, abs=0.02)
    assert rate(True, False) == pytest.approx((1 - offers.EFFECT_SHARE) * mean, abs=0.025)
    assert rate(True, True) - rate(True, False) == pytest.approx(offers.EFFECT_SHARE * reached * mean, abs=0.035)
    assert rate(False, True) - rate(False, False) == pytest.approx(0, abs=0.035)
