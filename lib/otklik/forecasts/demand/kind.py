"""The kind `demand`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.forecasts.demand.names import ModelName
from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KindTask

_SEASONS = {"day": 7, "week": 52, "month": 12}


class DemandTask(KindTask):
    """How much of each thing will be sold in the next periods."""

    kind: Literal["demand"]
    period: Literal["day", "week", "month"] = Field(
        "week", description="what quantities are summed over; weeks from Monday"
    )
    ahead: int = Field(8, ge=1, le=104, description="periods to forecast; as many are held out to judge it")
    season_periods: int | None = Field(
        None, ge=1, le=366, description="periods of a season; default: 7 days, 52 weeks or 12 months"
    )
    models: list[ModelName] = Field(
        ["naive", "seasonal_naive", "mean", "ses", "ses_fitted", "croston", "sba", "theta"],
        min_length=1, description="methods to choose from; auto_ets and auto_theta need the extra `forecast`",
    )  # fmt: skip
    origins: int = Field(4, ge=1, le=20, description="earlier origins at which methods are compared, `ahead` apart")
    minimum_periods: int = Field(
        16, ge=4, description="a series with fewer periods before the hold-out is not forecast"
    )
    fill: Literal["zero", "interpolate"] = Field(
        "zero", description="what a period without a row has: nothing sold, or the line between its neighbours"
    )
    begin: Literal["first_row", "first_period"] = Field(
        "first_row", description="where a series begins: with its own first row, or with the first period of all"
    )
    top: int | None = Field(None, ge=1, description="only so many series with the largest quantity before the hold-out")
    minimum_series: int = Field(5, ge=1, description="with fewer series forecast there is no verdict")

    def impossible(self) -> list[str]:
        """Methods that the choice starts from left out, or named twice."""
        needed = [name for name in ("ses", "theta", "naive") if name not in self.models]
        faults = [f"models: {', '.join(needed)} cannot be left out"] if needed else []
        return faults + (["models: each may be named once"] if len(set(self.models)) < len(self.models) else [])

    @property
    def season(self) -> int:
        """Periods of a season."""
        return self.season_periods or _SEASONS[self.period]


SERIES = answer_table(
    "series",
    "each series: whether it can be forecast, by which method, and how good that was in the hold-out",
    "series STRING the series",
    "status STRING forecast | too_short | nothing_sold | constant",
    "model STRING the method that forecasts",
    "is_default BOOLEAN whether it is the default of the kind; else it was better before, beyond chance",
    "kind STRING smooth | erratic | intermittent | lumpy",
    "periods INT periods of history, hold-out included",
    "quantity DOUBLE sold in all periods",
    "mase DOUBLE mean absolute error in the hold-out over the mean change per period before",
    "naive_mase DOUBLE the same if the last value had gone on",
    "rmsse DOUBLE the same of squared errors, as a root",
    key=("series",),
)

FORECASTS = answer_table(
    "forecasts",
    "the next periods of each series",
    "series STRING the series",
    "period DATE first day of the period",
    "step INT periods ahead, from 1",
    "quantity DOUBLE the forecast",
    "low DOUBLE 10 % quantile: in one period of ten less is sold",
    "high DOUBLE 90 % quantile",
    key=("series", "period"),
)

HOLDOUT = answer_table(
    "holdout",
    "the last periods of each series as they would have been forecast, and as they were",
    "series STRING the series",
    "period DATE first day of the period",
    "step INT periods ahead, from 1",
    "quantity DOUBLE the forecast",
    "low DOUBLE 10 % quantile",
    "high DOUBLE 90 % quantile",
    "actual DOUBLE what was sold",
    "naive DOUBLE the last value before the hold-out",
    key=("series", "period"),
)

MODELS = answer_table(
    "models",
    "what each method would have reached in the hold-out, on all series",
    "model STRING the method",
    "mase DOUBLE mean over series",
    "rmsse DOUBLE mean over series",
    "chosen BIGINT series whose hold-out it was chosen to forecast, without having seen it",
    key=("model",),
)

SALES = Frame(
    "sales",
    Text(en="one row per sale, or per series and period", ru="строка — продажа или сумма по ряду и периоду"),
    (
        FrameColumn(
            "series", "string", Text(en="a product, a store …: what is forecast", ru="товар, магазин …"),
            like=("product", "stock", "item", "sku", "region"),
        ),
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "week", "at")),
        FrameColumn("quantity", "double", Text(en="how much", ru="сколько"), like=("quantity", "volume", "units")),
    ),
)  # fmt: skip

EXAMPLE = """\
period = "week"
# Weeks to forecast; as many of the last ones are held out to judge it.
ahead = 8
# A week without a row: nothing sold. Use "interpolate" where it means that the number is missing.
fill = "zero"
"""

KIND = Kind(
    name="demand",
    title=Text(en="Demand", ru="Спрос"),
    summary=Text(
        en="How much of each product will be sold in the next periods, with quantiles; does that beat naive rules?",
        ru="Сколько каждого товара продадут в ближайшие периоды, с квантилями; лучше ли это наивных правил?",
    ),
    task=DemandTask,
    stages=(Stage("forecast", "otklik.forecasts.demand.method:run", (SALES,), (SERIES, FORECASTS, HOLDOUT, MODELS)),),
    section="otklik.forecasts.demand.section:section",
    example=EXAMPLE,
)
