"""The campaigns: who was contacted when, how likely a yes was, and what the answer was.

The truth is a logistic model that is linear in what can be known before the moment; `EFFECTS` is all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.world.draws import Draws
from otklik.world.timeline import (
    CAMPAIGN_MOMENTS,
    DELIVERED_AT,
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
        coefficient: log-odds per unit of the transformed feature, at the first campaign.
        transform: what the feature goes through before it is multiplied: `ln(1 + x)`, `x`, or a condition on x (0 or 1).
        sql: the transformed feature, over a contact `c` (see `_planned`) and the customer's columns.
        faded: the coefficient at the last campaign, where it moves; it moves linearly in time.
    """

    feature: str
    coefficient: float
    transform: str
    sql: str
    faded: float | None = None

    @property
    def sign(self) -> int:
        """Whether more of it makes a yes more (1) or less (-1) likely."""
        return 1 if self.coefficient > 0 else -1


#: What is planted, the strongest first: strength is |coefficient| × standard deviation of the transformed feature.
EFFECTS = (
    Effect("about_deposits_count_30d", 0.85, "ln(1 + x)", "ln(1D + c.about_deposits)"),
    Effect("income", 0.9, "ln(1 + x)", "coalesce(ln(1D + income), 12.5D) - 12.5D"),
    Effect("days_since_last_event", -0.012, "x", "c.days_since_last"),
    Effect("has_housing_loan", -0.8, "x = 'да'", "if(has_housing_loan = 'да', 1D, 0D)"),
    Effect("age", 0.95, "x >= 60", "if(c.age >= 60, 1D, 0D)"),
    Effect("comment_count_30d", 0.6, "ln(1 + x)", "ln(1D + c.comments)"),
    Effect("channel", 0.8, "x = 'messenger'", "if(c.channel = 'messenger', 1D, 0D)", faded=0.2),
    Effect("about_complaints_count_30d", -0.9, "ln(1 + x)", "ln(1D + c.about_complaints)"),
    Effect("has_loan", -0.35, "x = 'да'", "if(has_loan = 'да', 1D, 0D)"),
    Effect("previous_responses", 0.6, "x", "CAST(c.previous_responses AS DOUBLE)"),
    Effect("call_number", -0.1, "x", "CAST(c.call_number AS DOUBLE)"),
)
#: Log-odds of a contact at the first campaign with every transformed feature 0, and at the last one.
BASE_LOG_ODDS = (-2.75, -2.25)

CHANNELS = {"phone": 55, "messenger": 28, "branch": 17}

#: Share of the customers contacted on each campaign day, so that 30 days make about 1.2 contacts per customer.
_CONTACTED_SHARE = 0.04
#: How far back engagement counts: as the longest and the middle window of the task campaign_response.
_LONG_DAYS = 90
_SHORT_DAYS = 30


def with_contacts(customers: DataFrame, draws: Draws) -> DataFrame:
    """Add `contacts`: array of structs, one per contact of the customer in time order.

    Fields: contact_id, nth_campaign (from 0), us (the decision moment, microseconds since 1970 UTC), channel,
    call_number, probability, responded_us (null: no yes within the window), talk_seconds.

    Args:
        customers: rows of `people.with_person` and `engagement.with_events`.
        draws: the draws of this world.
    """
    return (
        customers.withColumn("chosen", F.expr(_chosen(draws)))
        .withColumn("planned", F.expr(_planned(draws)))
        .withColumn("contacts", F.expr(_answered()))
        .drop("chosen", "planned")
    )


def contacts(customers: DataFrame) -> DataFrame:
    """One row per contact, in the customers' order: number, customer_id, nth (from 0) and the fields of a contact.

    A customer without contacts has one row with null in these.
    """
    return customers.selectExpr(
        "number", "customer_id", "posexplode_outer(contacts) AS (nth, contact)"
    ).selectExpr("number", "customer_id", "nth", "contact.*")


def truth(contacts: DataFrame) -> DataFrame:
    """What nobody knows outside a made world: contact_id, customer_id, moment, probability of a yes."""
    return contacts.where("contact_id IS NOT NULL").selectExpr(
        "contact_id", "customer_id", "timestamp_micros(us) AS moment", "probability"
    )


def _chosen(draws: Draws) -> str:
    """SQL: the campaigns in which the customer is contacted, as array<int> of positions in CAMPAIGN_MOMENTS."""
    last = len(CAMPAIGN_MOMENTS) - 1
    return f"filter(sequence(0, {last}), n -> {draws.uniform('contacted', 'n')} < {_CONTACTED_SHARE}D)"


def _planned(draws: Draws) -> str:
    """SQL: what is known of each contact at its moment but for earlier answers, and the draws that decide the answer.

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


def _answered() -> str:
    """SQL: the planned contacts with their answers, one after the other, because an answer changes the later ones."""
    window = microseconds(RESPONSE_WINDOW)
    time = f"(c.nth_campaign / {len(CAMPAIGN_MOMENTS) - 1}D)"
    terms = [f"{BASE_LOG_ODDS[0]}D + {BASE_LOG_ODDS[1] - BASE_LOG_ODDS[0]}D * {time}"]
    for effect in EFFECTS:
        change = 0.0 if effect.faded is None else effect.faded - effect.coefficient
        terms.append(f"({effect.coefficient}D + {change}D * {time}) * ({effect.sql})")
    answer = "array<struct<contact_id: string, nth_campaign: int, call_number: int, us: bigint, channel: string, "
    answer += "probability: double, responded_us: bigint, talk_seconds: int>>"
    earlier = "size(filter(done, d -> d.responded_us <= p.us))"
    # A transform over an array of one names an intermediate result: p with its earlier answers is c, with its
    # probability is r.
    return f"""aggregate(planned, CAST(array() AS {answer}), (done, p) -> concat(done, transform(
        transform(
            transform(array(p), p -> struct(p.*, {earlier} AS previous_responses)),
            c -> struct(c.*, 1D / (1D + exp(-({" + ".join(terms)}))) AS probability)),
        r -> named_struct(
            'contact_id', r.contact_id,
            'nth_campaign', r.nth_campaign,
            'call_number', r.call_number,
            'us', r.us,
            'channel', r.channel,
            'probability', r.probability,
            'responded_us', if(r.answer_u < r.probability,
                r.us + CAST(pow(r.answer_delay_u, 2) * {window}D AS BIGINT) + 1, CAST(NULL AS BIGINT)),
            'talk_seconds', CAST(exp(5.0D + if(r.answer_u < r.probability, 0.9D, 0D) + 0.7D * r.talk_z) AS INT)))))"""
