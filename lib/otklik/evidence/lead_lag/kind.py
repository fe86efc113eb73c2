"""Settings of the kind `lead_lag`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class LeadLagTask(KindTask):
    """An outcome by period, and signals by period."""

    kind: Literal["lead_lag"] = Field(description=KIND_MEANING)
    grain: Literal["day", "week"] = Field("day", description="length of a period")
    lags: int = Field(7, ge=1, le=60, description="maximum lag of a signal, in periods")
    own_lags: int = Field(7, ge=1, le=60, description="number of the outcome's own lags to control for")
    season_harmonics: int = Field(
        2, ge=0, le=6, description="Fourier terms of the yearly season; none with less than a year and a half of data"
    )
    log_scale: bool = Field(
        True, description="transform outcome and signals to ln(1 + x), so that effects are relative"
    )
    holdout_share: float = Field(
        0.25, gt=0.05, lt=0.6, description="share of the periods, the latest ones, on which the gain is evaluated"
    )
    minimum_periods: int = Field(100, ge=60, description="minimum periods; with fewer the verdict is too_little_data")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="false discovery rate over signals, and level of intervals")


TABLES = (
    answer_table(
        "signals",
        "what each signal says of later outcomes",
        "signal STRING the signal",
        "gain DOUBLE share of the squared error on the last periods that it takes away",
        "gain_low DOUBLE lower bound of the 95 % interval",
        "gain_high DOUBLE upper bound",
        "p_value DOUBLE its lags say nothing",
        "q_value DOUBLE p after Benjamini-Hochberg over signals",
        "lead_p DOUBLE placebo: its values after the outcome say nothing",
        "lag BIGINT the lag whose effect is surest",
        "status STRING leads | both_ways | nothing",
        key=("signal", "run_id"),
    ),
    answer_table(
        "lags",
        "effect by lag of a signal that is higher by its standard deviation",
        "signal STRING the signal",
        "lag BIGINT periods before the outcome; below 0: after it, a placebo",
        "effect DOUBLE change of the outcome: of its logarithm, or in its own unit",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        key=("signal", "lag", "run_id"),
    ),
)

_MOMENT = FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("date", "day", "week", "moment"))

OUTCOMES = Frame(
    "outcomes",
    Text(en="one row per sale or per period; summed by period", ru="строка на продажу или период; складываются"),
    (
        _MOMENT,
        FrameColumn(
            "outcome", "double", Text(en="the outcome: revenue, orders", ru="результат: выручка, заказы"),
            like=("revenue", "sales", "amount", "orders", "outcome"),
        ),
    ),
)  # fmt: skip
SIGNALS = Frame(
    "signals",
    Text(
        en="one row per mention, like or the like, or per period and signal; added up by period",
        ru="строка на упоминание, лайк и т. п. или на период и сигнал; складываются по периодам",
    ),
    (
        _MOMENT,
        FrameColumn("signal", "string", Text(en="which signal", ru="какой сигнал"), like=("signal", "kind", "topic")),
        FrameColumn("value", "double", Text(en="how much; 1 for a mention", ru="сколько; 1 для упоминания")),
    ),
)

KIND = Kind(
    name="lead_lag",
    title=Text(en="Leading signals", ru="Опережающие сигналы"),
    summary=Text(
        en="Do signals, such as mentions, predict later sales beyond what past sales predict?",
        ru="Улучшают ли сигналы, например упоминания, прогноз продаж по одним прошлым продажам?",
    ),
    task=LeadLagTask,
    stages=(Stage("lead_lag", "otklik.evidence.lead_lag.method:run", (OUTCOMES, SIGNALS), TABLES),),
    section="otklik.evidence.lead_lag.section:section",
    example="""\
# maximum lag of a signal, in periods
lags = 7
""",
)
