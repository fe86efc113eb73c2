"""The kind `survival`: its settings, the frame it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import Column, answer_table
from otklik.settings import SharedText, Strict, Text
from otklik.task import KIND_MEANING, KindTask


class Rescue(Strict):
    """Cost and success rate of trying to retain a customer; without them there is no list."""

    cost: float = Field(ge=0, description="cost of one offer, in the unit of `value`")
    save_rate: float = Field(gt=0, le=1, description="share of leaving customers that an offer retains")
    budget: float | None = Field(None, gt=0, description="maximum cost of all offers together")
    control_share: float = Field(0.1, ge=0, lt=1, description="share of the list held out as a control group")


class SurvivalTask(KindTask):
    """When customers with a contract leave, and who is worth retaining."""

    kind: Literal["survival"] = Field(description=KIND_MEANING)
    period: Literal["day", "week", "month", "quarter", "year"] = Field(
        "month", description="time unit of durations, also of those computed from `started` and `ended`"
    )
    curve_at: list[int] = Field(
        [12, 24, 36], min_length=1, max_length=24, description="durations at which tables show the curves"
    )
    horizon_periods: int = Field(3, ge=1, le=120, description="forecast horizon in periods")
    value_periods: int = Field(12, ge=1, le=240, description="periods that a retained customer continues to pay")
    rescue: Rescue | None = Field(None, description="cost and effect of retention offers")
    currency: SharedText = Field(
        Text(en="", ru=""), description="its name; a plain string if it is the same in both languages"
    )
    folds: int = Field(5, ge=3, le=20, description="number of cross-validation folds")
    intervals: int = Field(
        12, ge=2, le=40, description="number of steps of the baseline hazard, with equal numbers of departures"
    )
    maximum_levels: int = Field(
        30, ge=2, le=200, description="maximum levels of a string column; the rarest are merged into (other)"
    )
    maximum_durations: int = Field(5000, ge=50, le=100_000, description="maximum distinct durations in memory")
    minimum_customers: int = Field(
        200, ge=50, description="minimum customers; with fewer the verdict is too_little_data"
    )
    minimum_departures: int = Field(50, ge=20, description="the same for customers who have left")
    regularisation: float = Field(1e-4, ge=0, description="ridge penalty of the hazard model")
    reasons: int = Field(3, ge=1, le=10, description="reasons given for each customer's hazard")

    def impossible(self) -> list[str]:
        """Refuse durations that are not ascending."""
        is_rising = all(one < other for one, other in zip([-1, *self.curve_at], self.curve_at, strict=False))
        return [] if is_rising else ["curve_at: durations must rise, from 0 on"]


CURVES = answer_table(
    "curves",
    "Kaplan-Meier curves of all customers and of each group",
    "group STRING the group; (all) = everybody",
    "duration BIGINT periods",
    "at_risk BIGINT customers who had neither left nor gone out of sight before",
    "left BIGINT customers who left at this duration",
    "censored BIGINT customers last seen at this duration, who had not left",
    "survival DOUBLE share that has not left up to and including it",
    "low DOUBLE lower bound of the 95 % interval; null where survival is 0 or 1",
    "high DOUBLE upper bound",
    key=("group", "duration"),
)

JUDGED = answer_table(
    "judged",
    "how well survival was predicted for customers that the model had not seen, at each duration that is judged",
    "duration BIGINT periods",
    "brier DOUBLE mean squared error of predicted survival, weighted for censoring",
    "brier_curve DOUBLE the same of the Kaplan-Meier curve of the customer's group",
    "auc DOUBLE chance that who has left by then had the lower predicted survival than who has not",
    "auc_curve DOUBLE the same by the Kaplan-Meier curve of the customer's group",
    key=("duration",),
)

EFFECTS = answer_table(
    "effects",
    "what goes with a higher or lower chance of leaving, all else equal; no proof of cause",
    "feature STRING the column",
    "level STRING the level of a text, or what a number is counted in",
    "odds_ratio DOUBLE of leaving in a period, against the reference level or per standard deviation",
    "low DOUBLE lower bound of the 95 % interval",
    "high DOUBLE upper bound",
    "reference STRING the level it is compared with; null for numbers",
    key=("feature", "level"),
)

_REASONS = Column(
    "reasons",
    "ARRAY<STRUCT<feature:STRING,level:STRING,contribution:DOUBLE>>",
    "what raises the log-odds of leaving most, compared with the average customer",
)

PRESENT = answer_table(
    "present",
    "current customers, with predictions of the model",
    "customer STRING the customer",
    "duration BIGINT periods so far",
    "probability DOUBLE chance of leaving within the horizon",
    "value DOUBLE value of a period, at least 0; null without values",
    _REASONS,
    key=("customer",),
    constraints={"probability_is_one": "probability BETWEEN 0 AND 1"},
)

CUSTOMERS = answer_table(
    "customers",
    "those who are still customers: chance of leaving within the horizon, value at risk, and why",
    "customer STRING the customer",
    "duration BIGINT periods so far",
    "probability DOUBLE chance of leaving within the horizon",
    "value_at_risk DOUBLE probability × value of a period × value_periods; null without values",
    _REASONS,
    key=("customer",),
    constraints={"probability_is_one": "probability BETWEEN 0 AND 1"},
)

ACTIONS = answer_table(
    "actions",
    "whom to try to keep, best first: those for whom value at risk × save rate is more than the cost",
    "customer STRING the customer",
    "rank BIGINT 1 = first",
    "arm STRING contact | control",
    "probability DOUBLE chance of leaving within the horizon",
    "value_at_risk DOUBLE what is lost if the customer leaves × probability",
    "expected_gain DOUBLE value at risk × save rate − cost",
    key=("customer",),
    constraints={"arm_is_known": "arm IN ('contact', 'control')"},
)

CUSTOMERS_FRAME = Frame(
    "customers",
    Text(
        en="one row per customer: how long, and whether the customer has left; or since when and until when",
        ru="строка — клиент: сколько он с нами и ушёл ли; или с какого и до какого момента",
    ),
    (
        FrameColumn(
            "customer", "string", Text(en="the customer", ru="клиент"), is_key=True, like=("customer", "cust", "client")
        ),
        FrameColumn(
            "duration", "double", Text(en="whole periods as a customer so far", ru="целых периодов с начала"),
            is_optional=True, like=("tenure", "duration"),
        ),
        FrameColumn(
            "has_left", "boolean", Text(en="whether the customer has left", ru="ушёл ли клиент"), is_optional=True,
            like=("churn", "left"),
        ),
        FrameColumn(
            "started", "timestamp", Text(en="instead of duration: since when", ru="вместо duration: с какого момента"),
            is_optional=True, like=("started", "joined", "enrolled"),
        ),
        FrameColumn(
            "ended", "timestamp", Text(en="when the customer left; empty: not yet", ru="когда ушёл; пусто: ещё нет"),
            is_required=False, is_optional=True, like=("ended", "cancelled"),
        ),
        FrameColumn(
            "group", "string", Text(en="whose curve is drawn: the contract", ru="по чему строятся кривые: договор"),
            is_optional=True, like=("contract", "plan", "segment"),
        ),
        FrameColumn(
            "value", "double", Text(en="what the customer brings in a period", ru="сколько клиент приносит за период"),
            is_optional=True, like=("charge", "fee", "price"),
        ),
    ),
    others="any",
)  # fmt: skip

CHANGES_FRAME = Frame(
    "changes",
    Text(
        en="one row per change of a customer; further columns are numbers that hold from then on",
        ru="строка — изменение у клиента; остальные столбцы — числа, действующие с этого момента",
    ),
    (
        FrameColumn(
            "customer", "string", Text(en="who", ru="кто"), is_key=True, like=("customer", "subscriber", "client")
        ),
        FrameColumn(
            "moment", "timestamp",
            Text(en="since when it holds, and is known", ru="с какого момента известно и действует"),
            like=("date", "time", "moment", "at"),
        ),
    ),
    others="numbers",
    is_optional=True,
)  # fmt: skip

EXAMPLE = """\
# Durations are in this unit.
period = "month"
curve_at = [12, 24, 36]
# Periods within which customers may leave, and periods of value lost then.
horizon_periods = 3
value_periods = 12

# Further columns of [frames.customers.columns] are features: attributes known before the customer decides.

# Without this table there is no list.
[rescue]
cost = 5.0
save_rate = 0.2
"""

KIND = Kind(
    name="survival",
    title=Text(en="Churn", ru="Отток"),
    summary=Text(
        en="When do customers with a contract leave, who is about to leave, and who is worth retaining?",
        ru="Когда уходят клиенты с договором, кто близок к уходу и кого выгодно удерживать?",
    ),
    task=SurvivalTask,
    stages=(
        Stage(
            "fit",
            "otklik.forecasts.survival.method:run",
            (CUSTOMERS_FRAME, CHANGES_FRAME),
            (CURVES, JUDGED, EFFECTS, PRESENT),
            uses=(
                "period",
                "curve_at",
                "horizon_periods",
                "folds",
                "intervals",
                "maximum_levels",
                "maximum_durations",
                "minimum_customers",
                "minimum_departures",
                "regularisation",
                "reasons",
            ),
        ),
        Stage("survival", "otklik.forecasts.survival.rescue:run", (), (CUSTOMERS, ACTIONS), reads=("present",)),
    ),
    section="otklik.forecasts.survival.section:section",
    example=EXAMPLE,
)
