"""The kind `lifetime`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import SharedText, Text
from otklik.task import KIND_MEANING, KindTask

_DAYS_OF_UNIT = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}


class LifetimeTask(KindTask):
    """How often customers without a contract will buy again, and what that is worth."""

    kind: Literal["lifetime"] = Field(description=KIND_MEANING)
    holdout_days: int = Field(
        182,
        ge=7,
        le=3660,
        description="hold-out: the last days before the as-of moment, on which forecasts are evaluated",
    )
    lag_days: int = Field(
        0, ge=0, le=366, description="last days before the as-of moment whose purchases are not complete yet"
    )
    horizons_days: list[Annotated[int, Field(ge=1, le=3660)]] = Field(
        [91, 365], min_length=1, max_length=12, description="forecast horizons in days"
    )
    time_unit: Literal["day", "week", "month"] = Field(
        "week", description="time unit of the parameters; forecasts do not depend on it"
    )
    model: Literal["auto", "bg_nbd", "pareto_nbd"] = Field(
        "auto", description="BG/NBD, Pareto/NBD, or the one with the higher likelihood; the NBD if no drop-out is found"
    )
    margin: float = Field(1.0, gt=0, le=1, description="share of an amount that is profit; 1: value is revenue")
    currency: SharedText = Field(
        Text(en="", ru=""), description="its name; a plain string if it is the same in both languages"
    )
    bootstrap_replicates: int = Field(200, ge=50, le=2000, description="bootstrap replicates for each interval")
    minimum_customers: int = Field(
        200, ge=50, description="minimum customers before the hold-out; with fewer the verdict is too_little_data"
    )
    minimum_repeaters: int = Field(50, ge=20, description="the same for customers with purchases on more than one day")
    maximum_groups: int = Field(
        50_000,
        ge=1000,
        le=1_000_000,
        description="maximum distinct histories in memory; with more, days are grouped",
    )

    def impossible(self) -> list[str]:
        """Refuse a horizon that occurs twice."""
        is_repeated = len(set(self.horizons_days)) < len(self.horizons_days)
        return ["horizons_days: each horizon may be named once"] if is_repeated else []

    @property
    def unit_days(self) -> float:
        """Days per unit of time."""
        return _DAYS_OF_UNIT[self.time_unit]


CUSTOMERS = answer_table(
    "customers",
    "each customer's history, the chance of still being a customer and the expected amount of a purchase",
    "customer STRING the customer",
    "frequency BIGINT days with a purchase after the first such day",
    "recency_days BIGINT days from the first purchase to the last",
    "age_days BIGINT days from the first purchase to the moment",
    "probability_alive DOUBLE chance of still being a customer; null where drop-out is not identified",
    "expected_amount DOUBLE expected amount of a purchase day; null without amounts",
    key=("customer",),
    constraints={"alive_is_a_probability": "coalesce(probability_alive BETWEEN 0 AND 1, true)"},
)

FORECASTS = answer_table(
    "forecasts",
    "expected purchases and value of each customer for each horizon",
    "customer STRING the customer",
    "horizon_days INT days ahead of the moment",
    "expected_purchases DOUBLE expected days with a purchase",
    "expected_value DOUBLE expected purchases × expected amount × margin; null without amounts",
    key=("customer", "horizon_days"),
    constraints={"purchases_are_not_negative": "expected_purchases >= 0"},
)

PARAMETERS = answer_table(
    "parameters",
    "parameters of every model, fitted before the hold-out and on all purchases",
    "part STRING calibration (before the hold-out) | all",
    "model STRING nbd | bg_nbd | pareto_nbd | gamma_gamma",
    "parameter STRING its name in the literature",
    "value DOUBLE maximum likelihood; null where the data do not identify it",
    "low DOUBLE lower bound of the 95 % interval; null for models that are not used",
    "high DOUBLE upper bound",
    "log_likelihood DOUBLE of the model, natural logarithm, times in the task's unit",
    "is_used BOOLEAN whether forecasts are this model's",
    key=("part", "model", "parameter"),
)

DECILES = answer_table(
    "deciles",
    "expected and actual purchases of the hold-out by tenths of customers, those with the most expected first",
    "decile INT 1 = most purchases expected; customers of equal expectation are divided in proportion",
    "customers DOUBLE how many",
    "expected DOUBLE mean expected purchases",
    "actual DOUBLE mean actual purchases",
    "low DOUBLE lower bound of the 95 % interval of actual",
    "high DOUBLE upper bound",
    "naive DOUBLE mean purchases if each customer went on at the rate so far",
    key=("decile",),
)

PURCHASES = Frame(
    "purchases",
    Text(
        en="one row per purchase, or per line of a purchase; all of a customer's on one day count as one",
        ru="строка — покупка или позиция покупки; все покупки клиента за один день считаются одной",
    ),
    (
        FrameColumn(
            "customer", "string", Text(en="who bought", ru="кто купил"), is_key=True,
            like=("customer", "cust", "client"),
        ),
        FrameColumn(
            "moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "moment", "purchased", "at")
        ),
        FrameColumn(
            "amount", "double", Text(en="what was paid", ru="сколько заплачено"), is_optional=True,
            like=("amount", "revenue", "total", "price"),
        ),
    ),
)  # fmt: skip

EXAMPLE = """\
# The last half year is held back, to see whether the model would have forecast it.
holdout_days = 182
# Purchases and value are forecast for a quarter and a year.
horizons_days = [91, 365]
# Share of an amount that is profit; 1: value is revenue.
margin = 1.0
"""

KIND = Kind(
    name="lifetime",
    title=Text(en="Lifetime value", ru="Пожизненная ценность"),
    summary=Text(
        en="How often will each customer without a contract buy again, and what is that worth?",
        ru="Сколько раз ещё купит каждый клиент без договора и сколько это принесёт?",
    ),
    task=LifetimeTask,
    stages=(
        Stage(
            "forecast",
            "otklik.forecasts.lifetime.method:run",
            (PURCHASES,),
            (CUSTOMERS, FORECASTS, PARAMETERS, DECILES),
        ),
    ),
    section="otklik.forecasts.lifetime.section:section",
    example=EXAMPLE,
)
