"""Advertisements that people see, and orders that some of them place afterwards.

Search and video cause orders, social causes none. Retargeting is shown mostly to those who are about to order anyway,
and causes none either: by the last touch before an order it looks like the best channel.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import DataFrame

from otklik.world.draws import Draws, text
from otklik.world.people import CUSTOMER_ID
from otklik.world.timeline import microseconds_of_local_day
from otklik.world.trials import FIRST_DAY

#: Probability of an order without any advertisement; days in which advertisements are shown.
BASE, DAYS = 0.04, 60


@dataclass(frozen=True)
class Channel:
    """Planted properties of a channel.

    Attributes:
        name: name in the files.
        campaign: its campaign.
        budget: of the campaign, tenge.
        share: share of people who see it; for retargeting: of those who would order anyway, and of the others.
        effect: increase in the probability of an order.
    """

    name: str
    campaign: str
    budget: int
    share: float
    effect: float


CHANNELS = (
    Channel("search", "K01", 3_000_000, 0.30, 0.08),
    Channel("video", "K02", 5_000_000, 0.40, 0.05),
    Channel("social", "K03", 2_000_000, 0.35, 0.0),
)
RETARGETING = Channel("retargeting", "K04", 1_000_000, 0.0, 0.0)
RETARGETED_SHARES = (0.7, 0.05)


def journeys(people: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per person.

    Returns:
        number, customer_id, probability (of an order), ordered_us (null: no order), amount (tenge), exposures:
        array<struct<channel, campaign, nth, us>>.
    """
    seen = ", ".join(
        f"struct({text(one.name)} AS channel, {text(one.campaign)} AS campaign, "
        f"{0.0 if 'exposures' in without else one.effect}D AS effect, "
        f"{draws.uniform('sees', text(one.name))} < {one.share}D AS is_seen)"
        for one in CHANNELS
    )
    day = f"{microseconds_of_local_day(FIRST_DAY)}L + CAST(86400D * {{}} AS BIGINT) * 1000000L"
    shown = f"""flatten(transform(seen, each -> transform(
        sequence(1, 1 + CAST({draws.below(3, "times", "each.channel")} AS INT)), nth -> struct(
            each.channel AS channel, each.campaign AS campaign, nth,
            {day.format(f"{DAYS}D * {draws.uniform('shown', 'each.channel', 'nth')}")} AS us))))"""
    # After everything the person saw, so that the causes of an order precede it.
    some_day = day.format(f"{DAYS}D * {draws.uniform('comes by')}")
    last = f"coalesce(array_max(transform(shown, each -> each.us)), {some_day})"
    likely, other = RETARGETED_SHARES if "retargeting" not in without else (0.15, 0.15)
    again = f"""if({draws.uniform("retargeted")} < if(is_ordered, {likely}D, {other}D), array(struct(
        {text(RETARGETING.name)} AS channel, {text(RETARGETING.campaign)} AS campaign, 1 AS nth,
        last_us + CAST(3600D * (1D + 22D * {draws.uniform("retargeted at")}) AS BIGINT) * 1000000L AS us)), array())"""
    return (
        people.selectExpr("number", CUSTOMER_ID,
                          f"filter(array({seen}), each -> each.is_seen) AS seen")
        .selectExpr("*", f"{BASE}D + aggregate(seen, 0D, (sum, each) -> sum + each.effect) AS probability",
                    f"{shown} AS shown")
        .selectExpr("*", f"{draws.uniform('orders')} < probability AS is_ordered", f"{last} AS last_us")
        .selectExpr(
            "number", "customer_id", "probability",
            "if(is_ordered, last_us + 1000000L * "
            f"CAST(86400D * (1D + 6D * {draws.uniform('ordered')}) AS BIGINT), NULL) AS ordered_us",
            f"round(exp(8.6D + 0.5D * {draws.normal('ordered for')}), 2) AS amount",
            f"concat(shown, {again}) AS exposures",
        )
    )  # fmt: skip
