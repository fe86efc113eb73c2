"""Settings of the kind `effect`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.evidence.columns import OUTCOME
from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask, Name


class EffectTask(KindTask):
    """The effect of a contact on the contacted and on all units, from observational data."""

    kind: Literal["effect"] = Field(description=KIND_MEANING)
    control: str = Field(min_length=1, description="name of the arm without the contact")
    contacted: str = Field(min_length=1, description="name of the arm with the contact")
    better: Literal["up", "down"] = Field("up", description="whether a higher or a lower outcome is better")
    placebos: list[Name] = Field(
        default_factory=list,
        description="columns of 1 or 0 that the contact cannot have changed, such as the same outcome before it: an "
        "effect on one of them shows that the arms differ in what was not recorded",
    )
    folds: int = Field(
        4, ge=3, le=10, description="number of folds; each unit is evaluated by models that did not see it"
    )
    log_scale: list[Name] = Field(
        default_factory=list, description="numeric features transformed to sign(x) * ln(1 + |x|)"
    )
    minimum_outcomes: int = Field(
        50,
        ge=20,
        description="minimum units with, and without, the outcome in each arm; with fewer the verdict is "
        "too_little_data",
    )
    overlap: float = Field(0.02, gt=0, lt=0.5, description="minimum propensity of each arm for a comparable unit")
    overlap_share: float = Field(0.05, gt=0, lt=1, description="maximum share of units below `overlap`")
    imbalance: float = Field(0.1, gt=0, lt=1, description="maximum standardised difference after weighting")

    def impossible(self) -> list[str]:
        """Refuse two arms with the same name."""
        return ["control and contacted are the same arm"] if self.control == self.contacted else []


TABLES = (
    answer_table(
        "effects",
        "the effect by each estimate",
        "outcome STRING outcome, or a placebo",
        "estimate STRING naive | all (ATE) | contacted (ATT)",
        "value DOUBLE change of the outcome's share",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        key=("outcome", "estimate", "run_id"),
    ),
    answer_table(
        "balance",
        "how much the arms differ in what was known, before and after weighting",
        "feature STRING a number of the model: a column, or a level of one",
        "before DOUBLE standardised difference: contacted − control",
        "after DOUBLE the same with units weighted by 1 ÷ the chance of their arm",
        key=("feature", "run_id"),
    ),
)

UNITS = Frame(
    "units",
    Text(
        en="one row per unit: whether it was contacted, its outcome, and what was known before",
        ru="одна строка на единицу: был ли контакт, исход и то, что было известно заранее",
    ),
    (
        FrameColumn(
            "unit", "string", Text(en="the unit: a customer", ru="единица: клиент"),
            is_key=True, like=("customer_id", "user_id", "client_id", "customer", "user", "id"),
        ),
        FrameColumn(
            "arm", "string", Text(en="whether it was contacted", ru="был ли контакт"),
            like=("arm", "contacted", "group", "segment", "treatment"),
        ),
        OUTCOME,
        FrameColumn(
            "moment", "timestamp",
            Text(en="when it was contacted, or might have been", ru="когда контакт был или мог быть"),
            is_required=False, is_optional=True, like=("contacted_at", "moment"),
        ),
    ),
    others="any",
)  # fmt: skip

KIND = Kind(
    name="effect",
    title=Text(en="Effect", ru="Эффект"),
    summary=Text(
        en="What did a contact change, without random assignment?",
        ru="Что изменил контакт, если случайного отбора не было?",
    ),
    task=EffectTask,
    stages=(Stage("effect", "otklik.evidence.effect.method:run", (UNITS,), TABLES),),
    section="otklik.evidence.effect.section:section",
    example="""\
# the arms without and with the contact
control = "CONTROL"
contacted = "FIRST_ARM"

# columns of 1 or 0 that the contact cannot have changed, such as the same outcome before it
placebos = []
""",
)
