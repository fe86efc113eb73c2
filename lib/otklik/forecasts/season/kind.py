"""The kind `season`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask

Part = Literal["hour", "weekday", "month"]


class SeasonTask(KindTask):
    """The hours, weekdays and months in which more is bought."""

    kind: Literal["season"] = Field(description=KIND_MEANING)
    parts: list[Part] = Field(["weekday", "month"], min_length=1, description="which indices to estimate")
    holidays: list[date] = Field(default_factory=list, description="days with their own index")
    holdout_days: int = Field(28, ge=14, le=366, description="number of last days held out for evaluation")
    level_days: int = Field(28, ge=7, le=366, description="days before the hold-out from which the level is estimated")
    minimum_days: int = Field(56, ge=28, description="minimum days before the hold-out for a group to get indices")
    maximum_groups: int = Field(20, ge=1, le=200, description="maximum number of groups, largest first")


INDICES = answer_table(
    "indices",
    "how much more or less is bought at each hour, weekday, month and on holidays",
    "group STRING the group of customers; (all) = everybody",
    "part STRING hour | weekday | month | holiday | price | promotion",
    "level INT hour 0-23, weekday 1 = Monday, month 1-12; 1 for the others",
    "index DOUBLE 1 = as much as on average; of price: the elasticity",
    "low DOUBLE lower bound of the 95 % interval",
    "high DOUBLE upper bound",
    key=("group", "part", "level"),
)

HOLDOUT = answer_table(
    "holdout",
    "the last days as they were, and as forecast by the indices and by naive rules",
    "group STRING the group",
    "day DATE the day",
    "actual DOUBLE bought",
    "seasonal DOUBLE level of the days before × indices",
    "last_week DOUBLE the same weekday of the last week before the hold-out",
    "level DOUBLE mean of the days before: no season",
    key=("group", "day"),
)

SALES = Frame(
    "sales",
    Text(en="one row per purchase, or per line of a purchase", ru="строка — покупка или позиция покупки"),
    (
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "at")),
        FrameColumn(
            "quantity", "double", Text(en="quantity; default: rows are counted", ru="сколько; иначе считаются строки"),
            is_optional=True, like=("quantity", "amount"),
        ),
        FrameColumn(
            "group", "string", Text(en="group of customers", ru="группа клиентов"), is_optional=True,
            like=("segment", "group", "country"),
        ),
        FrameColumn(
            "price", "double", Text(en="price; its daily mean is controlled for", ru="цена; её среднее за день учтено"),
            is_optional=True, like=("price",),
        ),
        FrameColumn(
            "is_promotion", "boolean", Text(en="whether a promotion ran", ru="шла ли акция"), is_optional=True,
            like=("promo",),
        ),
    ),
)  # fmt: skip

EXAMPLE = """\
parts = ["hour", "weekday", "month"]
# Days with an index of their own.
holidays = []
holdout_days = 28
"""

KIND = Kind(
    name="season",
    title=Text(en="Seasonality", ru="Сезонность"),
    summary=Text(
        en="At which hours, weekdays and months does each group buy more, controlling for trend, price and promotion?",
        ru="В какие часы, дни недели и месяцы каждая группа покупает больше, за вычетом тренда, цены и акций?",
    ),
    task=SeasonTask,
    stages=(Stage("season", "otklik.forecasts.season.method:run", (SALES,), (INDICES, HOLDOUT)),),
    section="otklik.forecasts.season.section:section",
    example=EXAMPLE,
)
