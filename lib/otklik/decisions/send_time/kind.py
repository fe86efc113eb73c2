"""The kind `send_time`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class SendTimeTask(KindTask):
    """The best hour to contact customers, and whether customers differ in it."""

    kind: Literal["send_time"] = Field(description=KIND_MEANING)
    timezone: str = Field("UTC", description="IANA name of the time zone in which hours are counted")
    band_starts: list[int] = Field(
        [0, 6, 9, 12, 15, 18, 21],
        min_length=2,
        max_length=24,
        description="start hours of the bands of the day; the first is 0",
    )
    later_share: float = Field(
        0.3, gt=0, lt=1, description="share of the contacts, the latest ones, on which the choice is evaluated"
    )
    minimum_share: float = Field(
        0.03, gt=0, lt=0.5, description="a band with a smaller share of a group's contacts is not recommended"
    )
    minimum_contacts: int = Field(
        1000, ge=100, description="minimum contacts in either period; with fewer the verdict is too_little_data"
    )
    maximum_groups: int = Field(50, ge=1, le=500, description="maximum number of groups")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone; write an IANA name like 'Asia/Almaty'")
        return name

    @field_validator("band_starts")
    @classmethod
    def _ascending(cls, hours: list[int]) -> list[int]:
        if hours[0] != 0 or hours != sorted(set(hours)) or hours[-1] > 23:
            raise ValueError("must be ascending hours from 0 to 23, starting with 0")
        return hours

    def band_name(self, start: int) -> str:
        """`09:00–12:00`."""
        following = [hour for hour in [*self.band_starts, 24] if hour > start]
        return f"{start:02d}:00–{following[0]:02d}:00"


CONTACTS = Frame(
    "contacts",
    Text(en="one row per contact", ru="строка — одно обращение"),
    (
        FrameColumn(
            "customer", "string", Text(en="who was contacted", ru="к кому обратились"), is_key=True,
            like=("customer", "client", "user"),
        ),
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("sent", "contacted", "time", "date")),
        FrameColumn(
            "responded", "boolean", Text(en="whether the customer responded", ru="откликнулся ли клиент"),
            like=("opened", "clicked", "respon", "answer"),
        ),
        FrameColumn(
            "group", "string",
            Text(
                en="hours are compared within it: channel, campaign, segment",
                ru="часы сравниваются внутри неё: канал, кампания, сегмент",
            ),
            is_optional=True, like=("channel", "campaign", "segment"),
        ),
    ),
)  # fmt: skip

BANDS = answer_table(
    "bands",
    "how often contacts in each band of the day are answered",
    "group STRING the group of contacts; (all) where the task gives none",
    "band INT hour at which the band begins, in the task's time zone",
    "contacts BIGINT contacts of the earlier period",
    "responses BIGINT of them answered",
    "rate DOUBLE share answered",
    "low DOUBLE lower bound of its 95 % interval (Wilson)",
    "high DOUBLE upper bound",
    "later_rate DOUBLE share answered in the later period; null where there was no contact",
    "is_offered BOOLEAN whether it is used often enough to be recommended",
    "is_best BOOLEAN whether it is the best band for the group as a whole",
    key=("group", "band"),
)

TIMES = answer_table(
    "times",
    "the band in which to contact each customer",
    "customer STRING the customer",
    "group STRING group of the last contact",
    "band INT hour at which the recommended band begins",
    "is_own BOOLEAN whether it differs from the best band of the group",
    "expected DOUBLE expected share of answers in that band",
    "expected_best DOUBLE the same in the best band of the group",
    "contacts BIGINT earlier contacts of the customer",
    "responses BIGINT of them answered",
    key=("customer",),
)

KIND = Kind(
    name="send_time",
    title=Text(en="Send time", ru="Время отправки"),
    summary=Text(
        en="At which hour should each customer be contacted, and does that beat one good hour for all?",
        ru="В какой час обращаться к каждому клиенту и лучше ли это одного удачного часа для всех?",
    ),
    task=SendTimeTask,
    stages=(Stage("send_time", "otklik.decisions.send_time.method:run", (CONTACTS,), (BANDS, TIMES)),),
    section="otklik.decisions.send_time.section:section",
    example="""\
timezone = "Asia/Almaty"               # in which hours are counted
band_starts = [0, 6, 9, 12, 15, 18, 21]  # hours at which the bands of the day begin
later_share = 0.3                      # the last contacts in time, on which the choice is judged
minimum_share = 0.03                   # a band used more rarely is not recommended

# From a log of events, with a row when a message is sent and another when it is opened, instead of columns:
# [frames.contacts]
# sql = "contacts_of_events"
# settings = { input = "log", customer = "user", moment = "time", event = "kind", contacts = "sent", answers = "open" }
""",
)
