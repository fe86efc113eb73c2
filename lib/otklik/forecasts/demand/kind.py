"""The kind `demand`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from otklik.forecasts.demand.names import ModelName
from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask

_SEASONS = {"day": 7, "week": 52, "month": 12}


class Stock(Strict):
    """Costs of a missing unit and of a leftover unit, which determine the stock."""

    periods: int = Field(ge=1, description="number of periods that the stock has to last, until the next delivery")
    missing_cost: float = Field(gt=0, description="cost of a missing unit, usually its margin")
    left_cost: float = Field(gt=0, description="cost of a unit left over after these periods")

    @property
    def enough(self) -> float:
        """Share of the series for which the stock should suffice."""
        return self.missing_cost / (self.missing_cost + self.left_cost)


class DemandTask(KindTask):
    """How much of each product will be sold in the next periods."""

    kind: Literal["demand"] = Field(description=KIND_MEANING)
    period: Literal["day", "week", "month"] = Field(
        "week", description="period over which quantities are summed; weeks start on Monday"
    )
    ahead: int = Field(8, ge=1, le=104, description="periods to forecast; the same number is held out for evaluation")
    season_periods: int | None = Field(
        None, ge=1, le=366, description="season length in periods; default: 7 days, 52 weeks or 12 months"
    )
    models: list[ModelName] = Field(
        [
            "naive", "seasonal_naive", "mean", "ses", "ses_fitted", "croston", "sba", "theta", "combined", "pooled",
            "pooled_theta",
        ],
        min_length=1, description="methods to choose from; auto_ets and auto_theta need the extra `forecast`",
    )  # fmt: skip
    origins: int = Field(4, ge=1, le=20, description="earlier origins at which methods are compared, `ahead` apart")
    minimum_periods: int = Field(
        16, ge=4, description="a series with fewer periods before the hold-out is not forecast"
    )
    fill: Literal["zero", "interpolate"] = Field(
        "zero", description="how to fill periods without a row: with 0, or by linear interpolation"
    )
    begin: Literal["first_row", "first_period"] = Field(
        "first_row", description="start of a series: its own first row, or the first period of all series"
    )
    holidays: list[date] = Field(
        default_factory=list,
        description="past and future holidays; pooled methods use the number per period",
    )
    top: int | None = Field(
        None, ge=1, description="maximum number of series, largest quantity before the hold-out first"
    )
    stock: Stock | None = Field(None, description="stock proposal; none without this table")
    minimum_series: int = Field(
        5, ge=1, description="minimum forecast series; with fewer the verdict is too_little_data"
    )

    def impossible(self) -> list[str]:
        """Refuse models without the naive rule, and a method named twice."""
        faults = [] if "naive" in self.models else ["models: naive cannot be left out"]
        if self.stock is not None and self.stock.periods > self.ahead:
            faults.append("stock.periods: must not exceed `ahead`")
        return faults + (["models: duplicate name"] if len(set(self.models)) < len(self.models) else [])

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
    "is_default BOOLEAN whether it is the best for all series; else it was better for this one, beyond chance",
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
    "scale DOUBLE mean change per period before, in which errors are measured",
    key=("series", "period"),
)

HOLDOUT = answer_table(
    "holdout",
    "forecasts of the last periods of each series, and what was sold",
    "series STRING the series",
    "period DATE first day of the period",
    "step INT periods ahead, from 1",
    "quantity DOUBLE the forecast",
    "low DOUBLE 10 % quantile",
    "high DOUBLE 90 % quantile",
    "actual DOUBLE what was sold",
    "naive DOUBLE the last value before the hold-out",
    "scale DOUBLE mean change per period before, in which errors are measured",
    key=("series", "period"),
)

ERRORS = answer_table(
    "errors",
    "errors of each series' method at earlier origins",
    "series STRING the series",
    "part STRING holdout | next: the forecast whose uncertainty they show",
    "back INT how many times `ahead` periods before the end it was forecast; 1 = the hold-out",
    "step INT periods ahead, from 1",
    "error DOUBLE what was sold − forecast",
    "scale DOUBLE mean change per period before, in which errors are measured",
    key=("series", "part", "back", "step"),
)

MODELS = answer_table(
    "models",
    "errors of each method in the hold-out, over all series",
    "model STRING the method",
    "mase DOUBLE mean over series",
    "rmsse DOUBLE mean over series",
    "chosen BIGINT series whose hold-out it was chosen to forecast, without having seen it",
    key=("model",),
)

TOTALS = answer_table(
    "totals",
    "the next periods of each group and of all series; no rows without `group`",
    "name STRING `group …`, or `all`",
    "period DATE first day of the period",
    "step INT periods ahead, from 1",
    "quantity DOUBLE sum of the forecasts of its series",
    "own DOUBLE the direct forecast of the sum, before reconciliation",
    key=("name", "period"),
)

STOCK = answer_table(
    "stock",
    "what to have of each series at the beginning of the next periods; no rows without [stock]",
    "series STRING the series",
    "periods INT that it has to last",
    "expected DOUBLE sold in them by the forecast",
    "stock DOUBLE whole pieces to have, so that a missing and a left piece together cost least",
    key=("series",),
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
        FrameColumn(
            "group", "string",
            Text(
                en="region, store, category … of the series: forecasts are reconciled across groups",
                ru="регион, магазин, категория ряда: тогда части и суммы согласуются",
            ),
            is_required=False, is_optional=True, like=("region", "store", "category", "department"),
        ),
    ),
)  # fmt: skip

PLAN = Frame(
    "plan",
    Text(en="one row per series and period, past and future: what was planned", ru="план: строка — ряд и период"),
    (
        FrameColumn("series", "string", Text(en="the series", ru="ряд"), like=("product", "stock", "item", "sku")),
        # Not `moment`: plans for later periods may be read.
        FrameColumn("day", "date", Text(en="a day of the period", ru="день периода"), like=("date", "week", "day")),
        FrameColumn(
            "price", "double", Text(en="unit price, valid until the next one", ru="цена за штуку"),
            is_required=False, is_optional=True, like=("price",),
        ),
        FrameColumn(
            "promotion", "double", Text(en="1 where there is a promotion", ru="1, если идёт акция"),
            is_required=False, is_optional=True, like=("promo",),
        ),
    ),
    is_optional=True,
)  # fmt: skip

EXAMPLE = """\
period = "week"
# Weeks to forecast; as many of the last ones are held out to judge it.
ahead = 8
# A week without a row: nothing sold. Use "interpolate" where it means that the number is missing.
fill = "zero"
# Without this table there is no proposal what to have in stock.
# [stock]
# periods = 2
# missing_cost = 3.0
# left_cost = 1.0
"""

KIND = Kind(
    name="demand",
    title=Text(en="Demand", ru="Спрос"),
    summary=Text(
        en="How much of each product will be sold in the next periods, and does the forecast beat naive rules?",
        ru="Сколько каждого товара продадут в ближайшие периоды и лучше ли прогноз наивных правил?",
    ),
    task=DemandTask,
    stages=(
        Stage(
            "forecast",
            "otklik.forecasts.demand.method:run",
            (SALES, PLAN),
            (SERIES, FORECASTS, HOLDOUT, ERRORS, MODELS, TOTALS),
            uses=(
                "period",
                "ahead",
                "season_periods",
                "models",
                "origins",
                "minimum_periods",
                "fill",
                "begin",
                "holidays",
                "top",
                "minimum_series",
            ),
        ),
        Stage("stock", "otklik.forecasts.demand.stock:run", (), (STOCK,), reads=("forecasts", "holdout", "errors")),
    ),
    section="otklik.forecasts.demand.section:section",
    example=EXAMPLE,
)
