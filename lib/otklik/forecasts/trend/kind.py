"""The kind `trend`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class TrendTask(KindTask):
    """Rising items and bursts."""

    kind: Literal["trend"] = Field(description=KIND_MEANING)
    period: Literal["hour", "day", "week"] = Field(
        "week", description="period over which events are counted; weeks start on Monday"
    )
    window: int = Field(12, ge=4, le=200, description="number of last periods over which a slope is estimated")
    ahead: int = Field(
        2, ge=1, le=50, description="number of last periods held out, to check whether rising items keep rising"
    )
    history: int = Field(24, ge=4, le=500, description="number of preceding periods that define the usual level")
    false_discovery_rate: float = Field(
        0.05, gt=0, lt=0.5, description="false discovery rate of rising items and of bursts"
    )
    minimum_total: int = Field(20, ge=1, description="minimum events of an item")
    maximum_items: int = Field(20_000, ge=1, le=200_000, description="maximum number of items, most frequent first")
    minimum_risers: int = Field(
        5, ge=1, description="minimum rising items before the hold-out; with fewer the verdict is too_little_data"
    )


ITEMS = answer_table(
    "items",
    "each item: how fast it rises or falls now",
    "item STRING the item",
    "total DOUBLE events in all periods",
    "level DOUBLE events per period over the window",
    "growth DOUBLE change per period as a share, shrunken towards that of all items",
    "low DOUBLE lower bound of its 95 % interval",
    "high DOUBLE upper bound",
    "q DOUBLE share of false alarms if everything up to this item is called rising or falling",
    "direction STRING rising | falling | steady",
    key=("item",),
)

BURSTS = answer_table(
    "bursts",
    "periods with far more events than the ones before would have made likely",
    "item STRING the item; (all) = all together",
    "period TIMESTAMP begin of the period",
    "events DOUBLE events in it",
    "usual DOUBLE median of the periods before",
    "q DOUBLE share of false alarms if everything up to this burst is called one",
    "is_peak BOOLEAN whether it is the item's largest period",
    key=("item", "period"),
)

EVENTS = Frame(
    "events",
    Text(en="one row per event: a purchase, a post, a mention", ru="строка — событие: покупка, публикация, упоминание"),
    (
        FrameColumn(
            "item", "string", Text(en="what may rise: product, topic", ru="что может расти: товар, тема"),
            like=("product", "topic", "hashtag", "item", "kind"),
        ),
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "at")),
        FrameColumn(
            "weight", "double", Text(en="how many events the row stands for", ru="сколько событий в строке"),
            is_optional=True, like=("count", "quantity"),
        ),
    ),
)  # fmt: skip

EXAMPLE = """\
period = "week"
# Number of periods of a slope; the last ones after it are held out.
window = 12
ahead = 2
"""

KIND = Kind(
    name="trend",
    title=Text(en="Trends", ru="Тренды"),
    summary=Text(
        en="What is rising or falling, and where and when were there bursts, at a controlled false discovery rate?",
        ru="Что растёт и падает, где и когда были всплески, если контролировать долю ложных тревог?",
    ),
    task=TrendTask,
    stages=(Stage("trend", "otklik.forecasts.trend.method:run", (EVENTS,), (ITEMS, BURSTS)),),
    section="otklik.forecasts.trend.section:section",
    example=EXAMPLE,
)
