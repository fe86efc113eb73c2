"""Settings of the kind `media_mix`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask


class Measured(Strict):
    """The result of an experiment on a channel."""

    roi: float = Field(description="revenue per unit spent")
    low: float = Field(description="lower bound of its 95 % interval")
    high: float = Field(description="upper bound of the 95 % interval")

    def impossible(self) -> list[str]:
        """Refuse an interval that does not contain its value."""
        return [] if self.low < self.roi < self.high else ["low, roi and high must rise"]

    @property
    def error(self) -> float:
        """Its standard error."""
        return (self.high - self.low) / (2 * 1.96)


class Bounds(Strict):
    """Limits of a channel's weekly spend in a plan."""

    lowest: NonNegativeFloat | None = Field(
        None, description="minimum weekly spend; default: the observed 10 % quantile"
    )
    highest: NonNegativeFloat | None = Field(
        None, description="maximum weekly spend; default: the observed 90 % quantile"
    )


class MediaMixTask(KindTask):
    """Weekly revenue and spend by channel: the return of each, and how to split a budget."""

    kind: Literal["media_mix"] = Field(description=KIND_MEANING)
    trend_and_season: Literal["shared", "by_region", "each_week"] = Field(
        "shared",
        description="with regions: shared: all have the same trend and season; by_region: each its own; each_week: "
        "each week has a separate effect, the same in all regions, and only differences between regions "
        "count",
    )
    season_harmonics: int = Field(2, ge=0, le=6, description="Fourier terms of the yearly season; 0 = none")
    holdout_weeks: int = Field(
        26, ge=8, description="number of last weeks on which the model is compared with one without media"
    )
    minimum_weeks: int = Field(80, ge=52, description="minimum weeks; with fewer the verdict is too_little_data")
    replicates: int = Field(100, ge=20, le=1000, description="bootstrap replicates")
    block_weeks: int = Field(8, ge=1, le=26, description="block length of the bootstrap, in weeks")
    weekly_budget: float | None = Field(None, gt=0, description="weekly budget; default: the mean of the last 13 weeks")
    adstock: Literal["geometric", "weibull"] = Field(
        "geometric", description="adstock: geometric decay, or Weibull with a longer or shorter tail"
    )
    experiments: dict[str, Measured] = Field(
        default_factory=dict, description="channel → result of an experiment, weighted by its error"
    )
    bounds: dict[str, Bounds] = Field(
        default_factory=dict,
        description="channel → bounds of its weekly spend, within the observed range; not with regions",
    )


#: The revenue from a channel, in total or in a region.
_BROUGHT = (
    "spend DOUBLE spent in all weeks",
    "revenue DOUBLE revenue that it has brought",
    "revenue_low DOUBLE lower bound of the 95 % interval",
    "revenue_high DOUBLE upper bound",
    "roi DOUBLE revenue ÷ spend",
    "roi_low DOUBLE lower bound of the 95 % interval",
    "roi_high DOUBLE upper bound",
)
FITTED = (
    answer_table(
        "responses",
        "the fitted response to spend, and fits to redrawn weeks; arrays in the order of the channels' names",
        "replicate INT 0 = fitted to the weeks as they are",
        "carry_over ARRAY<DOUBLE> share of the effective spend that stays for the next week",
        "half ARRAY<DOUBLE> effective spend at which half of the effect is reached",
        "shape ARRAY<DOUBLE> exponent of the saturation",
        "effect ARRAY<DOUBLE> revenue that a channel can bring in a week at most",
        "base ARRAY<DOUBLE> coefficients of revenue without media",
        "decay ARRAY<DOUBLE> exponent of the carry-over's weeks; null = geometric",
        key=("replicate", "run_id"),
    ),
    answer_table(
        "holdout",
        "squared errors in the last weeks, by a fit that has not seen them, summed over regions",
        "week DATE first day of the week",
        "error DOUBLE of the model",
        "error_without_media DOUBLE of the base alone",
        key=("week", "run_id"),
    ),
)
TABLES = (
    answer_table(
        "channels",
        "what each channel has brought",
        "channel STRING the channel",
        *_BROUGHT,
        "naive_roi DOUBLE by linear regression without carry-over and saturation",
        "carry_over DOUBLE share of the effective spend that stays for the next week",
        "carry_over_low DOUBLE lower bound of the 95 % interval",
        "carry_over_high DOUBLE upper bound",
        "half DOUBLE effective spend at which half of the effect is reached",
        "shape DOUBLE exponent of the saturation",
        "effect DOUBLE revenue that it can bring in a week at most",
        "decay DOUBLE exponent of the carry-over's weeks; 1 = geometric",
        "measured_roi DOUBLE by an experiment, where the task names one",
        key=("channel", "run_id"),
    ),
    answer_table(
        "curves",
        "revenue a week at the same spend every week, up to the greatest that was observed",
        "channel STRING the channel",
        "spend DOUBLE spend a week",
        "revenue DOUBLE revenue a week",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        "region STRING the region; null = all, spend split between them as it was",
        key=("channel", "region", "spend", "run_id"),
    ),
    answer_table(
        "weeks",
        "revenue by week, of all regions together, and what it is made of",
        "week DATE first day of the week",
        "revenue DOUBLE observed revenue",
        "fitted DOUBLE by the model",
        "base DOUBLE without media",
        key=("week", "run_id"),
    ),
    answer_table(
        "budget",
        "how to split the weekly budget inside what was observed; empty where the budget lies outside",
        "channel STRING the channel",
        "spend DOUBLE a week, in the last 13 weeks",
        "planned DOUBLE a week, in the plan",
        "lowest DOUBLE least that the plan may spend: 10 % quantile of spend over four weeks, or the present",
        "highest DOUBLE most: the 90 % quantile, or the present",
        "marginal DOUBLE revenue of one more unit a week, now",
        "marginal_planned DOUBLE the same in the plan",
        "region STRING the region; null = all of them, marginal revenue weighted by spend",
        key=("channel", "region", "run_id"),
    ),
    answer_table(
        "regions",
        "what each channel has brought in each region; empty where there are none",
        "region STRING the region",
        "channel STRING the channel",
        *_BROUGHT,
        "marginal DOUBLE revenue of one more unit a week, at the spend of the last 13 weeks",
        key=("region", "channel", "run_id"),
    ),
)

WEEKS = Frame(
    "weeks",
    Text(
        en="one row per week, or per region and week: revenue, and control variables",
        ru="одна строка на неделю или на регион и неделю: выручка и числа, которые влияют на неё помимо рекламы",
    ),
    (
        FrameColumn(
            "moment", "timestamp", Text(en="first day of the week", ru="первый день недели"), like=("week", "date")
        ),
        FrameColumn(
            "revenue", "double", Text(en="revenue of the week", ru="выручка недели"), like=("revenue", "sales")
        ),
        FrameColumn(
            "region", "string", Text(en="the region: a town, a state", ru="регион: город, область"),
            is_optional=True, is_key=True, like=("region", "geo", "city", "state"),
        ),
        FrameColumn(
            "size", "double",
            Text(en="size of the region: inhabitants, customers; default: its mean revenue",
                 ru="размер региона: число жителей или клиентов; по умолчанию его средняя выручка"),
            is_optional=True, like=("population", "inhabitants", "households"),
        ),
    ),
    others="numbers",
)  # fmt: skip
SPENDS = Frame(
    "spends",
    Text(
        en="one row per week and channel, or several: all spend of the seven days from a week’s first counts",
        ru="одна строка на неделю и канал или несколько: складываются затраты семи дней с первого дня недели",
    ),
    (
        FrameColumn(
            "moment", "timestamp", Text(en="first day of the week", ru="первый день недели"), like=("week", "date")
        ),
        FrameColumn("channel", "string", Text(en="the channel", ru="канал"), like=("channel", "medium")),
        FrameColumn("spend", "double", Text(en="spent on it", ru="потрачено"), like=("spend", "cost")),
        FrameColumn(
            "region", "string",
            Text(en="the region; null = all of them, split by size", ru="регион; null = все, делится по размеру"),
            is_required=False, is_optional=True, is_key=True, like=("region", "geo", "city", "state"),
        ),
    ),
)  # fmt: skip

KIND = Kind(
    name="media_mix",
    title=Text(en="Media mix", ru="Медиамикс"),
    summary=Text(
        en="What is the return of each channel, and how should a budget be split?",
        ru="Что приносят затраты на каждый канал и как разделить бюджет?",
    ),
    task=MediaMixTask,
    stages=(
        Stage(
            "fit",
            "otklik.evidence.media_mix.fitting:run",
            (WEEKS, SPENDS),
            FITTED,
            uses=(
                "trend_and_season",
                "season_harmonics",
                "holdout_weeks",
                "minimum_weeks",
                "replicates",
                "block_weeks",
                "adstock",
                "experiments",
            ),
        ),
        Stage(
            "media_mix",
            "otklik.evidence.media_mix.method:run",
            (WEEKS, SPENDS),
            TABLES,
            reads=("responses", "holdout"),
        ),
    ),
    section="otklik.evidence.media_mix.section:section",
    example="""\
# number of last weeks on which the model is compared with one without media
holdout_weeks = 26
""",
)
