"""The size of each planted effect: the constants of the other modules as one table of the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pyspark.sql import DataFrame, SparkSession

from otklik.session import frame_of
from otklik.world import (
    advertising,
    campaigns,
    dialogue,
    geo_advertising,
    journeys,
    mailings,
    offers,
    purchases,
    shop,
    social,
    subscriptions,
    trials,
    visits,
)  # fmt: skip
from otklik.world.options import BANK, BANK_EFFECTS, PARTS


def effects_path(part: str) -> str:
    """Path of the sizes of a part's effects, relative to the world's folder."""
    return f"truth/effects/{part}.parquet"


def effect_sizes(spark: SparkSession, part: str, without: Collection[str]) -> DataFrame:
    """The effects of a part that are planted, one row per quantity: effect, quantity, value."""
    effects = BANK_EFFECTS if part == BANK else PARTS[part]
    rows = [
        (effect, quantity, float(value))
        for effect in effects
        if effect not in without
        for quantity, value in _SIZES[effect].items()
    ]
    return frame_of(spark, rows, "effect STRING, quantity STRING, value DOUBLE").coalesce(1)


def _responses() -> Iterator[tuple[str, float]]:
    first, last = campaigns.BASE_LOG_ODDS
    yield "log-odds at the first campaign", first
    yield "log-odds at the last campaign", last
    for effect in campaigns.EFFECTS:
        term = effect.transform.replace("x", effect.feature, 1)
        yield f"log-odds per unit of {term}", effect.coefficient
        if effect.faded is not None:
            yield f"log-odds per unit of {term} at the last campaign", effect.faded


def _pairs(pairs: Collection[shop.Pair], quantity: str) -> dict[str, float]:
    return {f"{quantity}: {pair.first}, {pair.second}": pair.probability for pair in pairs}


def _elasticities() -> dict[str, float]:
    return {f"elasticity of {one.id}": one.elasticity for one in shop.products() if one.elasticity}


def _of_channels(quantity: str) -> dict[str, float]:
    return {f"{quantity} of {one.name}": getattr(one, quantity) for one in advertising.CHANNELS}


def _shares(of: str, per_cent: Mapping[str, float]) -> dict[str, float]:
    return {f"share of {of} {name}": share / 100 for name, share in per_cent.items()}


_SIZES: Mapping[str, Mapping[str, float]] = {
    "responses": dict(_responses()),
    "season": {
        **{f"factor on purchases in month {month}": factor for month, factor in enumerate(purchases.MONTHS, start=1)},
        **{
            f"factor on purchases on {month:02d}-{day:02d}": factor
            for (month, day), factor in purchases.HOLIDAYS.items()
        },
    },
    "weekday": {
        f"factor on purchases on weekday {day}": factor for day, factor in enumerate(purchases.WEEKDAYS, start=1)
    },
    "dropout": {
        "shape of the Gamma distribution of weekly purchase rates": 1,
        "rate of the Gamma distribution of weekly purchase rates": purchases.RATE_ALPHA,
        "a of the Beta distribution of drop-out probabilities": 1,
        "b of the Beta distribution of drop-out probabilities": purchases.DROPOUT_B,
    },
    "spend": {
        "shape of the Gamma distribution of receipts": purchases.SPEND_P,
        "shape of the Gamma distribution of their rates": purchases.SPEND_Q,
        "rate of the Gamma distribution of their rates, tenge": purchases.SPEND_GAMMA,
    },
    "elasticity": _elasticities(),
    "promotions": {"factor on demand of an advertised discount": shop.PROMOTION_LIFT},
    "rules": _pairs(shop.COMPLEMENTS, "probability that the first brings the second"),
    "negative_rules": _pairs(shop.SUBSTITUTES, "probability that the first takes the place of the second"),
    "segments": {
        **_shares("segment", {name: share for name, (share, _) in shop.SEGMENTS.items()}),
        "factor on products of the segment's categories": shop.HOME_FACTOR,
    },
    "tastes": {"factor on products of the taste": shop.LIKED_FACTOR},
    "uplift": {
        f"change of probability by the discount, {start} to {end - 1} days after the last receipt": change
        for start, end, change in mailings.UPLIFTS
    },
    "confounding": {
        f"share of {who} who receive the second mailing": share
        for who, share in zip(("recent buyers", "others"), mailings.CHOSEN_SHARES, strict=True)
    },
    "chosen_uplift": {"change of probability by the third mailing's discount": mailings.CHOSEN_UPLIFT},
    "advertising": _of_channels("effect"),
    "geo_advertising": {
        f"{quantity} per inhabitant": value / geo_advertising.INHABITANTS
        for quantity, value in _of_channels("effect").items()
    },
    "carry_over": _of_channels("carry_over"),
    "saturation": {**_of_channels("half"), **_of_channels("shape")},
    "churn_causes": {
        "monthly log-odds": subscriptions.BASE_LOG_ODDS,
        **{f"monthly log-odds of {cause}": coefficient for cause, (coefficient, _) in subscriptions.CAUSES.items()},
    },
    "misspelt_names": _shares("names", social.NAMES),
    "duplicates": {"share of accounts with a second one": social.DUPLICATE_SHARE},
    "bots": {
        "bots per customer": 1 / social.BOT_EVERY,
        "fewest reactions of a bot": social.BOT_REACTIONS[0],
        "most reactions of a bot": social.BOT_REACTIONS[1],
        "hours of a bot's reactions": social.BURST_HOURS,
    },
    "homophily": {
        "share of ties within a community": social.HOMOPHILY,
        "share of adopters in communities that like the topic": social.LIKED_SHARE,
        "share of adopters in other communities": social.OTHER_SHARE,
    },
    "influence": {
        "share who adopt on their own": social.OWN_SHARE,
        "probability that a follower adopts": social.PASSED_ON,
    },
    "rising_topics": {
        "share of reactions before it rises": social.RISING_SHARES[0],
        "share of reactions in the last week": social.RISING_SHARES[1],
        "week from which it rises": social.RISES_FROM_WEEK,
    },
    "crisis": {"share of people who complain": social.CRISIS_SHARE, "days of the crisis": social.CRISIS_DAYS},
    "stock_outs": {"days of demand per delivery": trials.COVERED_DAYS, "share of late deliveries": trials.LATE_SHARE},
    "geo_lift": {"factor on revenue of treated regions": trials.GEO_LIFT, "first treated week": trials.TREATED_FROM},
    "send_hour": {
        "probability of opening": trials.OPEN_BASE,
        "change of probability at the preferred hour": trials.OPEN_MORE,
    },
    "shared_cards": {"share of cards of two people": trials.SHARED_SHARE},
    "drift": {
        "share of web leads before": trials.WEB_SHARES[0],
        "share of web leads after": trials.WEB_SHARES[1],
        "log-odds per standard deviation of income before": trials.INCOME_EFFECTS[0],
        "log-odds per standard deviation of income after": trials.INCOME_EFFECTS[1],
    },
    "leading_signal": {
        "days by which mentions precede orders": trials.LEAD_DAYS,
        "logarithm of orders per standard deviation of mentions": trials.LEAD_EFFECT,
    },
    "following_signal": {
        "days by which reviews follow orders": trials.FOLLOWING_DAYS,
        "logarithm of reviews per standard deviation of orders": trials.FOLLOWING_EFFECT,
    },
    "exposures": {f"change of probability by {one.name}": one.effect for one in journeys.CHANNELS},
    "retargeting": {
        f"share of {who} who see it": share
        for who, share in zip(("those about to order", "others"), journeys.RETARGETED_SHARES, strict=True)
    },
    "support_topics": {
        **_shares("topic", dialogue.MESSAGE_TOPICS),
        "share of messages filed under a random topic": dialogue.MISFILED_SHARE,
    },
    "post_formats": {f"factor on reactions to a {name}": factor for name, factor in dialogue.FORMAT_FACTORS.items()},
    "offer_effect": {"share of orders caused by a call": offers.EFFECT_SHARE},
    "order_matters": {
        "share of customers with events in order": visits.IN_ORDER_SHARE,
        "log-odds of events in order": visits.ORDER_EFFECT,
    },
}
