"""Settings of the kind `attribution`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask

METHODS = ("last", "first", "linear", "time_decay", "markov", "shapley")


class Proof(Strict):
    """The causal effect of a channel by an experiment, in the same period and for the same people."""

    conversions: float = Field(description="conversions caused by the channel")
    low: float = Field(description="lower bound of the 95 % interval")
    high: float = Field(description="upper bound of the 95 % interval")

    def impossible(self) -> list[str]:
        """Refuse an interval that does not contain its value."""
        return [] if self.low <= self.conversions <= self.high else ["low and high must lie around conversions"]


class AttributionTask(KindTask):
    """Which touches preceded conversions, and how credit is assigned."""

    kind: Literal["attribution"] = Field(description=KIND_MEANING)
    window_days: float = Field(30.0, gt=0, description="how long before a conversion a touch still counts")
    half_life_days: float = Field(7.0, gt=0, description="half-life of the time-decay rule")
    minimum_conversions: int = Field(
        30, ge=1, description="minimum conversions after a touch; with fewer the verdict is too_little_data"
    )
    experiments: dict[str, Proof] = Field(
        default_factory=dict, description="channel → conversions it has caused according to an experiment"
    )


TABLES = (
    answer_table(
        "channels",
        "conversions of each channel by each rule; those without a touch stand under channel null",
        "channel STRING the channel; null = conversions without a touch in the window",
        "method STRING last | first | linear | time_decay | markov | shapley",
        "conversions DOUBLE conversions given to the channel",
        "value DOUBLE value given to it; the number of conversions where they have no value",
        "share DOUBLE of all conversions",
        "touches BIGINT touches of the channel",
        "cost DOUBLE cost of all its touches; null where touches have none",
        "cost_per_conversion DOUBLE cost ÷ conversions given to it",
        "experiment DOUBLE conversions that an experiment says it has caused",
        "experiment_low DOUBLE lower bound of the 95 % interval",
        "experiment_high DOUBLE upper bound",
        key=("channel", "method", "run_id"),
    ),
    answer_table(
        "transitions",
        "how often one touch followed another: the chain behind the Markov rule",
        "origin STRING a channel, or (start)",
        "destination STRING a channel, (conversion) or (none)",
        "journeys BIGINT how often",
        "chance DOUBLE of all that leave the origin",
        key=("origin", "destination", "run_id"),
    ),
)

_PATH = FrameColumn(
    "path", "string", Text(en="the customer", ru="клиент"),
    is_key=True, like=("customer_id", "user_id", "visitor", "cookie", "customer", "user", "path"),
)  # fmt: skip
TOUCHES = Frame(
    "touches",
    Text(en="one row per contact with a channel", ru="одна строка на контакт с каналом"),
    (
        _PATH,
        FrameColumn("channel", "string", Text(en="the channel", ru="канал"), like=("channel", "medium", "source")),
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("time", "date", "moment")),
        FrameColumn(
            "cost", "double", Text(en="what it cost", ru="сколько стоил"),
            is_required=False, is_optional=True, like=("cost", "spend"),
        ),
    ),
)  # fmt: skip
CONVERSIONS = Frame(
    "conversions",
    Text(en="one row per conversion", ru="одна строка на конверсию"),
    (
        _PATH,
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("time", "date", "moment")),
        FrameColumn(
            "value", "double", Text(en="what it is worth", ru="сколько она стоит"),
            is_required=False, is_optional=True, like=("value", "revenue", "amount"),
        ),
    ),
)  # fmt: skip

KIND = Kind(
    name="attribution",
    title=Text(en="Attribution", ru="Атрибуция"),
    summary=Text(
        en="Which channels preceded conversions, by several attribution rules? (descriptive, not causal)",
        ru="Какие каналы встречались на пути к конверсиям, по нескольким правилам? Описание, а не доказательство.",
    ),
    task=AttributionTask,
    stages=(Stage("attribution", "otklik.evidence.attribution.method:run", (TOUCHES, CONVERSIONS), TABLES),),
    section="otklik.evidence.attribution.section:section",
    example="""\
# how long before a conversion a touch still counts
window_days = 30.0

# results of experiments on channels, shown next to the rules:
# [experiments.email]
# conversions = 120.0
# low = 80.0
# high = 160.0
""",
)
