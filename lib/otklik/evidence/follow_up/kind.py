"""Settings of the kind `follow_up`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class FollowUpTask(KindTask):
    """Campaigns whose lists were made here: who was contacted, what happened, and advice for the next one."""

    kind: Literal["follow_up"] = Field(description=KIND_MEANING)
    value: float | None = Field(None, gt=0, description="value of one unit with the outcome")
    cost: float | None = Field(None, gt=0, description="cost of one contact, in the same currency")
    contact_days: int = Field(7, ge=1, le=365, description="days after the list from which a contact counts as late")
    outcome_days: int = Field(30, ge=1, le=365, description="number of days after the list in which outcomes count")
    minimum_units: int = Field(
        100, ge=20, description="minimum units per arm; with fewer the verdict is too_little_data"
    )
    contacted_share: float = Field(
        0.5, gt=0, le=1, description="minimum share actually contacted; below it the campaign counts as not carried out"
    )
    control_contacted: float = Field(
        0.05, ge=0, lt=1, description="maximum share of the control group that was contacted anyway"
    )
    tolerance: float = Field(
        0.2, gt=0, description="maximum relative difference between observed and predicted before retraining is advised"
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="1 − confidence of intervals")

    def impossible(self) -> list[str]:
        """Refuse a value without a cost."""
        return ["value and cost: give both or none"] if (self.value is None) != (self.cost is None) else []


def split_of(task: str) -> str:
    """The `split` of measures: the lists of a task."""
    return f"lists of {task}" if task else "all"


TABLES = (
    answer_table(
        "campaigns",
        "the ledger: a row for each campaign, in their order",
        "campaign STRING the campaign",
        "list_of STRING the task that made its list; empty where that is not known",
        "made_at TIMESTAMP when its list was made",
        "state STRING done | open | no_control | few_units | not_contacted | control_contacted",
        "to_contact BIGINT units on the list that were to be contacted",
        "control BIGINT units on the list that were held back",
        "in_time BIGINT of those to contact: contacted in time",
        "late BIGINT contacted later",
        "never BIGINT not contacted",
        "control_contacted BIGINT of the control group: contacted all the same",
        "promised_rate DOUBLE mean probability of the outcome of those contacted; null without one",
        "contacted_rate DOUBLE share of them with the outcome",
        "rate DOUBLE share with the outcome of all that were to be contacted",
        "control_rate DOUBLE the same of the control group",
        "effect DOUBLE rate − control_rate",
        "low DOUBLE lower bound of its interval of confidence 1 − alpha",
        "high DOUBLE upper bound",
        "promised_effect DOUBLE mean effect that was expected; null where the list had none",
        "promised_profit DOUBLE expected profit of those to contact; null where the list had none",
        "profit DOUBLE effect × units to contact × value − cost of the contacts made; null without",
        "profit_low DOUBLE lower bound of its interval",
        "profit_high DOUBLE upper bound",
        "ratio DOUBLE contacted_rate ÷ promised_rate",
        "ratio_low DOUBLE lower bound of its interval",
        "ratio_high DOUBLE upper bound",
        "drift_p DOUBLE p of the test that the ratio is that of the campaign before; null without one",
        key=("campaign", "run_id"),
    ),
    answer_table(
        "bands",
        "tenths of each list by what it promised, and what came",
        "campaign STRING the campaign",
        "band INT 1 = least was promised",
        "units BIGINT contacted units",
        "promised DOUBLE mean promise: of the outcome's probability or, without one, of the effect",
        "came DOUBLE the same as it came; an effect is that share − the control group's",
        "low DOUBLE lower bound of its interval",
        "high DOUBLE upper bound",
        key=("campaign", "band", "run_id"),
    ),
    answer_table(
        "missed",
        "who was not contacted as the list said",
        "campaign STRING the campaign",
        "unit STRING the unit",
        "what STRING late | never | control_contacted",
        "contacted_at TIMESTAMP the first contact",
        key=("campaign", "unit", "run_id"),
    ),
    answer_table(
        "advice",
        "what the next campaign should change",
        "setting STRING threshold | control_share | retrain",
        "now DOUBLE as it is",
        "proposed DOUBLE as it should be; of retrain: 1 or 0",
        "low DOUBLE lower bound of the interval of the proposal, where it has one",
        "high DOUBLE upper bound",
        "reason STRING a code",
        key=("setting", "run_id"),
    ),
)

_CAMPAIGN = Text(en="the campaign", ru="кампания")
_UNIT = FrameColumn(
    "unit", "string", Text(en="the unit: a customer", ru="единица: клиент"),
    is_key=True, like=("customer_id", "user_id", "client_id", "customer", "user", "key", "id"),
)  # fmt: skip

LISTED = Frame(
    "listed",
    Text(
        en="one row per campaign and unit on its list: rows of gold.lists",
        ru="одна строка на кампанию и единицу её списка: строки gold.lists",
    ),
    (
        FrameColumn("campaign", "string", _CAMPAIGN, like=("campaign",)),
        _UNIT,
        FrameColumn(
            "arm", "string", Text(en="contact or control", ru="contact или control (контроль)"),
            like=("arm", "action"),
        ),
        FrameColumn("moment", "timestamp", Text(en="when the list was made", ru="когда составлен список")),
        FrameColumn(
            "task", "string", Text(en="the task that made it; its page then shows the effect", ru="задача списка"),
            is_required=False, is_optional=True,
        ),
        FrameColumn(
            "probability", "double",
            Text(en="predicted probability if contacted", ru="ожидаемая вероятность исхода после контакта"),
            is_required=False, is_optional=True, like=("probability",),
        ),
        FrameColumn(
            "effect", "double",
            Text(en="expected change of that probability by the contact", ru="ожидаемое изменение этой вероятности"),
            is_required=False, is_optional=True, like=("effect",),
        ),
        FrameColumn(
            "expected_profit", "double", Text(en="expected profit of the contact", ru="ожидаемая прибыль от контакта"),
            is_required=False, is_optional=True, like=("profit", "gain"),
        ),
    ),
    table="gold.lists",
)  # fmt: skip
CONTACTS = Frame(
    "contacts",
    Text(en="one row per contact that was made", ru="одна строка на состоявшийся контакт"),
    (
        _UNIT,
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("contacted_at", "sent_at", "moment")),
        FrameColumn("campaign", "string", _CAMPAIGN, is_optional=True, like=("campaign",)),
    ),
)
OUTCOMES = Frame(
    "outcomes",
    Text(
        en="one row per outcome, of everybody: contacted, control or neither",
        ru="одна строка на наступивший исход, чей угодно: был контакт, контроль или ни то ни другое",
    ),
    (
        _UNIT,
        FrameColumn(
            "moment",
            "timestamp",
            Text(en="when", ru="когда"),
            like=("responded_at", "bought_at", "ordered_at", "moment"),
        ),
    ),
)

KIND = Kind(
    name="follow_up",
    title=Text(en="Follow-up", ru="Итоги кампаний"),
    summary=Text(
        en="Did the campaigns achieve what their lists predicted, and what should the next one change?",
        ru="Дали ли кампании то, что предсказывали их списки, и что изменить в следующей?",
    ),
    task=FollowUpTask,
    stages=(Stage("follow_up", "otklik.evidence.follow_up.method:run", (LISTED, CONTACTS, OUTCOMES), TABLES),),
    section="otklik.evidence.follow_up.section:section",
    example="""\
# what an outcome is worth and a contact costs
value = 10.0
cost = 1.0
""",
)
