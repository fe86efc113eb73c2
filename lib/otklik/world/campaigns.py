"""The campaigns: who was contacted when, the probability of a yes, and the answer.

The truth is a logistic model, linear in features that can be known before the moment; `EFFECTS` has all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from otklik.world.draws import Draws
from otklik.world.timeline import (
    CAMPAIGN_MOMENTS,
    ENGAGEMENT_DELAY,
    MICROSECONDS_PER_DAY,
    RESPONSE_WINDOW,
    epoch_microseconds,
    microseconds,
)


@dataclass(frozen=True)
class Effect:
    """One planted effect: coefficient × transform(feature), in log-odds.

    Attributes:
        feature: the feature's name in the task campaign_response.
        coefficient: log-odds per unit of the transformed feature, at the first campaign; its sign is the effect's.
        transform: transformation of the feature: `ln(1 + x)`, `x`, or a condition (0 or 1).
        sql: the transformed feature, over c.known (see `_planned`), c.previous_responses and the customer's columns.
        faded: the coefficient at the last campaign, if it changes; it changes linearly over time.
    """

    feature: str
    coefficient: float
    transform: str
    sql: str
    faded: float | None = None

    @property
    def mean_coefficient(self) -> float:
        """The coefficient halfway through the six months."""
        return self.coefficient if self.faded is None else (self.coefficient + self.faded) / 2


#: The planted effects, strongest first: strength is |mean coefficient| × standard deviation of the transformed feature.
EFFECTS = (
    Effect("about_deposits_count_30d", 0.95, "ln(1 + x)", "ln(1D + c.known.about_deposits)"),
    Effect("income", 0.85, "ln(1 + x)", "coalesce(ln(1D + income), 12.5D) - 12.5D"),
    Effect("age", 0.9, "x >= 60", "if(c.known.age >= 60, 1D, 0D)"),
    Effect("has_housing_loan", -0.75, "x = 'да'", "if(has_housing_loan = 'да', 1D, 0D)"),
    Effect("about_complaints_count_30d", -0.8, "ln(1 + x)", "ln(1D + c.known.about_complaints)"),
    Effect("days_since_last_event", -0.01, "x", "c.known.days_since_last"),
    Effect("comment_count_30d", 0.55, "ln(1 + x)", "ln(1D + c.known.comments)"),
    Effect("channel", 0.7, "x = 'messenger'", "if(c.known.channel = 'messenger', 1D, 0D)", faded=0.1),
    Effect("previous_responses", 0.5, "x", "CAST(c.previous_responses AS DOUBLE)"),
    Effect("has_loan", -0.3, "x = 'да'", "if(has_loan = 'да', 1D, 0D)"),
    Effect("call_number", -0.1, "x", "CAST(c.known.call_number AS DOUBLE)"),
)
#: Log-odds of a contact at the first campaign with every term of EFFECTS 0, and at the last one.
BASE_LOG_ODDS = (-2.55, -2.05)

CHANNELS = {"phone": 55, "messenger": 28, "branch": 17}

#: Share of the customers contacted on each campaign day, so that 30 days make about 1.2 contacts per customer.
_CONTACTED_SHARE = 0.04
#: How far back engagement counts: the longest and the middle window of the task campaign_response.
_LONG_DAYS = 90
_SHORT_DAYS = 30


def with_contacts(customers: DataFrame, draws: Draws, without: Collection[str] = ()) -> DataFrame:
    """Add `contacts`: array of structs, one per contact of the customer in time order.

    Fields: contact_id, nth_campaign (from 0), us (the decision moment, microseconds since 1970 UTC), channel,
    call_number, probability, responded_us (to the second; null: no yes within the window), talk_seconds.

    Args:
        customers: rows of `people.with_person` and `engagement.with_events`.
        draws: the draws of this world.
        without: effects that are switched off; without `responses` every contact of a day is as likely to say yes.
    """
    return (
        with_chosen(customers, draws)
        .withColumn("planned", expr(_planned(draws)))
        .withColumn("contacts", expr(_answered(() if "responses" in without else EFFECTS)))
        .drop("chosen", "planned")
    )


def with_chosen(customers: DataFrame, draws: Draws) -> DataFrame:
    """Add `chosen`: the campaigns in which the customer is contacted, array<int> of positions in CAMPAIGN_MOMENTS."""
    last = len(CAMPAIGN_MOMENTS) - 1
    chosen = f"filter(sequence(0, {last}), n -> {draws.uniform('contacted', 'n')} < {_CONTACTED_SHARE}D)"
    return customers.withColumn("chosen", expr(chosen))


def contacts(customers: DataFrame) -> DataFrame:
    """One row per contact, in the customers' order: number, customer_id, nth (from 0) and the fields of a contact.

    A customer without contacts has one row with null in these.
    """
    return customers.selectExpr("number", "customer_id", "posexplode_outer(contacts) AS (nth, contact)").selectExpr(
        "number", "customer_id", "nth", "contact.*"
    )


def truth(contacts: DataFrame) -> DataFrame:
    """The truth behind the data: contact_id, customer_id, moment, probability of a yes."""
    return contacts.where("contact_id IS NOT NULL").selectExpr(
        "contact_id", "customer_id", "timestamp_micros(us) AS moment", "probability"
    )


def _planned(draws: Draws) -> str:
    """SQL: what is known of each contact at its moment, except earlier answers, and the draws that decide the answer.

    An event counts when it had reached the company: happened_at + delay ≤ moment and happened_at > moment − window.
    """
    moments = ", ".join(f"{epoch_microseconds(moment)}L" for moment in CAMPAIGN_MOMENTS)
    known = f"e.us + {microseconds(ENGAGEMENT_DELAY)}L <= c.us"
    long, short = (f"c.us - {days * MICROSECONDS_PER_DAY}L" for days in (_LONG_DAYS, _SHORT_DAYS))
    with_moment = f"""transform(chosen, (n, nth) -> named_struct(
        'contact_id', concat('K', lpad(number * 100 + n, 9, '0')),
        'nth_campaign', n,
        'call_number', nth + 1,
        'us', element_at(array({moments}), n + 1),
        'channel', {draws.weighted(CHANNELS, "channel", "n")},
        'answer_u', {draws.uniform("answer", "n")},
        'answer_delay_u', {draws.uniform("answer delay", "n")},
        'talk_z', {draws.normal("talk", "n")}))"""
    with_recent = f"""transform({with_moment}, c -> named_struct(
        'plan', c,
        'last_us', array_max(transform(filter(events, e -> {known} AND e.us > {long}), e -> e.us)),
        'recent', filter(events, e -> {known} AND e.us > {short})))"""
    return f"""transform({with_recent}, c -> named_struct(
        'contact_id', c.plan.contact_id,
        'nth_campaign', c.plan.nth_campaign,
        'call_number', c.plan.call_number,
        'us', c.plan.us,
        'channel', c.plan.channel,
        'answer_u', c.plan.answer_u,
        'answer_delay_u', c.plan.answer_delay_u,
        'talk_z', c.plan.talk_z,
        'age', CAST(floor(months_between(to_date(timestamp_micros(c.plan.us)), birth_date) / 12D) AS INT),
        'days_since_last', coalesce((c.plan.us - c.last_us) / {MICROSECONDS_PER_DAY}D, {_LONG_DAYS}D),
        'about_deposits', size(filter(c.recent, e -> e.topic = 'deposits')),
        'about_complaints', size(filter(c.recent, e -> e.topic = 'complaints')),
        'comments', size(filter(c.recent, e -> e.kind = 'comment'))))"""


def _answered(effects: Sequence[Effect]) -> str:
    """SQL: the planned contacts with their answers, one after the other, because an answer changes the later ones."""
    window = microseconds(RESPONSE_WINDOW) // 1_000_000
    time = f"(c.known.nth_campaign / {len(CAMPAIGN_MOMENTS) - 1}D)"
    terms = [f"{BASE_LOG_ODDS[0]}D + {BASE_LOG_ODDS[1] - BASE_LOG_ODDS[0]}D * {time}"]
    for effect in effects:
        change = 0.0 if effect.faded is None else effect.faded - effect.coefficient
        terms.append(f"({effect.coefficient}D + {change}D * {time}) * ({effect.sql})")
    answer = "array<struct<contact_id: string, nth_campaign: int, call_number: int, us: bigint, channel: string, "
    answer += "probability: double, responded_us: bigint, talk_seconds: int>>"
    earlier = "size(filter(done, d -> d.responded_us <= p.us))"
    # A transform over an array of one gives an intermediate result a name: c is what is known of the contact with the
    # number of earlier answers, r has its probability too.
    return f"""aggregate(planned, CAST(array() AS {answer}), (done, p) -> concat(done, transform(
        transform(
            transform(array(p), p -> struct(p AS known, {earlier} AS previous_responses)),
            c -> struct(c.known AS known, 1D / (1D + exp(-({" + ".join(terms)}))) AS probability)),
        r -> named_struct(
            'contact_id', r.known.contact_id,
            'nth_campaign', r.known.nth_campaign,
            'call_number', r.known.call_number,
            'us', r.known.us,
            'channel', r.known.channel,
            'probability', r.probability,
            'responded_us', if(r.known.answer_u < r.probability, r.known.us + 1000000L * (1L +
                CAST(pow(r.known.answer_delay_u, 2) * {window}D AS BIGINT)), CAST(NULL AS BIGINT)),
            'talk_seconds', CAST(
                exp(5.0D + if(r.known.answer_u < r.probability, 0.9D, 0D) + 0.7D * r.known.talk_z) AS INT)))))"""
