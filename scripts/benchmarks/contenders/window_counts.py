"""The 27 numbers of conf/activity.toml as conditions on an event's age and columns: shared by those who write SQL."""

from __future__ import annotations

from scripts.benchmarks.columns import HORIZON_DAYS, KINDS, NETWORKS, TOPICS, WINDOWS_DAYS

DAY = 86_400_000_000
_TREND_DAYS = 30


def counts() -> dict[str, str]:
    """Name of a count → the condition on an event, in terms of us_before, kind, topic and network."""
    found = {f"event_count_{days}d": _within(days) for days in WINDOWS_DAYS}
    found |= {f"{kind}_count_30d": f"kind = '{kind}' AND {_within(30)}" for kind in KINDS}
    found |= {f"about_{topic}_count_30d": f"topic = '{topic}' AND {_within(30)}" for topic in TOPICS}
    found |= {f"on_{network}_count_90d": f"network = '{network}' AND {_within(90)}" for network in NETWORKS}
    return found


def aggregates(*, hour: str, is_weekend: str, weight_of_topic: str) -> list[str]:
    """All 27 as SQL that Spark and DuckDB both read.

    Args:
        hour: of the event's day.
        is_weekend: whether it happened on Saturday or Sunday.
        weight_of_topic: a power of two per topic.
    """
    before_that = f"us_before >= {_TREND_DAYS * DAY} AND us_before < {2 * _TREND_DAYS * DAY}"
    listed = [f"count_if({condition}) AS {name}" for name, condition in counts().items()]
    return [
        *listed,
        f"coalesce(min(us_before) / CAST({DAY} AS DOUBLE), {HORIZON_DAYS}) AS days_since_last_event",
        f"ln((1 + count_if({_within(_TREND_DAYS)})) / CAST(1 + count_if({before_that}) AS DOUBLE))"
        " AS activity_trend_30d",
        f"bit_count(coalesce(bit_or({weight_of_topic}), 0)) AS distinct_topics_90d",
        f"count_if({hour} < 6) / CAST(nullif(count(us_before), 0) AS DOUBLE) AS night_share_90d",
        f"count_if({hour} BETWEEN 6 AND 11) / CAST(nullif(count(us_before), 0) AS DOUBLE) AS morning_share_90d",
        f"count_if({hour} >= 18) / CAST(nullif(count(us_before), 0) AS DOUBLE) AS evening_share_90d",
        f"count_if({is_weekend}) / CAST(nullif(count(us_before), 0) AS DOUBLE) AS weekend_share_90d",
    ]


def weight_of_topic() -> str:
    """A power of two per topic, so that the topics of a customer can be told from one number."""
    cases = " ".join(f"WHEN '{topic}' THEN CAST({2**place} AS BIGINT)" for place, topic in enumerate(TOPICS))
    return f"CASE topic {cases} END"


def _within(days: int) -> str:
    return f"us_before < {days * DAY}"
