"""When things happen in the world: its first and last moment, and the campaign days between them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

#: The company's time zone is Asia/Aqtobe, UTC+5 all year round in any time zone data since 2005.
LOCAL_OFFSET = timedelta(hours=5)
#: Engagement is recorded from here …
FIRST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC) - LOCAL_OFFSET
#: … until here, when the files were delivered.
DELIVERED_AT = datetime(2025, 7, 1, tzinfo=UTC) - LOCAL_OFFSET
#: An engagement event reaches the company this long after it happened.
ENGAGEMENT_DELAY = timedelta(minutes=10)
#: A response counts within this time after the contact.
RESPONSE_WINDOW = timedelta(days=7)

_FIRST_CAMPAIGN_DAY = datetime(2025, 2, 4, 10, tzinfo=UTC) - LOCAL_OFFSET
_DAYS_BETWEEN_CAMPAIGNS = 5

#: The decision moments: everybody contacted on a campaign day was chosen at 10:00 that day. The last two are less than
#: RESPONSE_WINDOW before DELIVERED_AT, so their answers are incomplete.
CAMPAIGN_MOMENTS = tuple(_FIRST_CAMPAIGN_DAY + timedelta(days=_DAYS_BETWEEN_CAMPAIGNS * n) for n in range(30))

MONTHS = ("январь", "февраль", "март", "апрель", "май", "июнь")

MICROSECONDS_PER_DAY = 86_400_000_000


def microseconds(span: timedelta) -> int:
    """A time span in whole microseconds."""
    return span // timedelta(microseconds=1)


def epoch_microseconds(moment: datetime) -> int:
    """A moment in microseconds since 1970-01-01 UTC."""
    return microseconds(moment - datetime(1970, 1, 1, tzinfo=UTC))


def local_text(microseconds_column: str, pattern: str) -> str:
    """SQL: microseconds since 1970 (UTC) as local time, a string. The session's time zone must be UTC."""
    return f"date_format(timestamp_micros({microseconds_column} + {microseconds(LOCAL_OFFSET)}L), '{pattern}')"


def microseconds_of_local_day(day: date) -> int:
    """The local midnight at which a day begins, in microseconds since 1970-01-01 UTC."""
    return epoch_microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC) - LOCAL_OFFSET)
