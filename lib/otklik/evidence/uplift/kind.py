"""Settings of the kind `uplift`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from otklik.evidence.columns import ARM, ASSIGNED_AT, OUTCOME, UNIT
from otklik.kind import Frame, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import SharedText, Strict, Text
from otklik.task import KIND_MEANING, KindTask, Name

Learner = Literal["t", "s", "x", "dr", "class"]
Positive = Annotated[float, Field(gt=0)]


class Payoff(Strict):
    """Cost of a contact and value of an outcome; without them arms are compared by their effect alone."""

    value: float = Field(gt=0, description="value of one unit with the outcome")
    cost: float = Field(ge=0, description="cost of one contact, in the same currency")
    costs: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="arm → cost of its contact, if arms differ"
    )
    currency: SharedText = Field(
        Text(en="", ru=""), description="its name; a plain string if it is the same in both languages"
    )

    def cost_of(self, arm: str) -> float:
        """Cost of a contact of an arm."""
        return self.costs.get(arm, self.cost)


class UpliftTask(KindTask):
    """Whom to contact, learned from units that were assigned to arms."""

    kind: Literal["uplift"] = Field(description=KIND_MEANING)
    control: str = Field(min_length=1, description="name of the arm without a contact")
    arms: dict[str, Positive] = Field(
        min_length=2, description="arm, including the control → its planned size, relative to the others"
    )
    assignment: Literal["random", "observed"] = Field(
        "random",
        description="random: units were assigned in the planned proportions; observed: the propensity of each arm is "
        "estimated from the features, and unobserved differences may bias the result",
    )
    learners: list[Learner] = Field(
        ["t", "s", "x", "dr", "class"],
        min_length=1,
        description="t: a model per arm; s: one model with interactions; x: X-learner; dr: doubly robust; class: "
        "transformed outcome",
    )
    decide_by: Learner = Field("t", description="the learner that makes the list; the others are shown for comparison")
    payoff: Payoff | None = Field(None, description="cost of a contact and value of an outcome")
    control_share: float = Field(0.1, ge=0, lt=1, description="share of the list held out as a control group")
    campaign: Name = Field(
        "campaign", description="name of the next campaign; another name selects another control group"
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
    sample_ratio_alpha: float = Field(
        0.001, gt=0, lt=0.5, description="for random assignment: below this p-value there is a sample ratio mismatch"
    )
    overlap: float = Field(
        0.02,
        gt=0,
        lt=0.5,
        description="for observed assignment: minimum propensity of each arm for a comparable unit",
    )
    overlap_share: float = Field(
        0.05, gt=0, lt=1, description="for observed assignment: maximum share of units below `overlap`"
    )

    def impossible(self) -> list[str]:
        """Refuse a control that is not an arm, a deciding learner that is not fitted, and costs of unknown arms."""
        unknown = sorted(set(self.payoff.costs) - set(self.others)) if self.payoff else []
        faults = {
            "control is not one of [arms]": self.control not in self.arms,
            "decide_by is not one of learners": self.decide_by not in self.learners,
            f"payoff.costs names {', '.join(unknown)}: no arm with a contact": bool(unknown),
        }
        return [fault for fault, holds in faults.items() if holds]

    @property
    def others(self) -> list[str]:
        """All arms except the control."""
        return [arm for arm in self.arms if arm != self.control]

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Planned share of each arm, the control first; None: not assigned at random."""
        total = sum(self.arms.values())
        planned = tuple(self.arms[arm] / total for arm in (self.control, *self.others))
        return planned if self.assignment == "random" else None


EFFECTS = answer_table(
    "effects",
    "what models that did not see a unit expect of it",
    "unit STRING the unit",
    "place INT its arm: 0 = the control, then the other arms in their order",
    "y DOUBLE whether the outcome has come",
    "chances ARRAY<DOUBLE> how likely each arm was",
    "mu ARRAY<DOUBLE> expected outcome in each arm",
    "effects MAP<STRING,DOUBLE> learner and place → expected effect of the arm; response → expected outcome",
    key=("unit", "run_id"),
)

TABLES = (
    answer_table(
        "list",
        "what to do with each unit in the next campaign",
        "unit STRING the unit",
        "action STRING contact | control (held back) | leave",
        "arm STRING with what to contact it; null = leave alone",
        "effect DOUBLE expected change of the outcome's chance, by a model that did not see the unit",
        "expected_gain DOUBLE effect × value − cost; without [payoff] the effect",
        key=("unit", "run_id"),
    ),
    answer_table(
        "deciles",
        "deciles of units by expected effect, with the observed effect",
        "arm STRING the arm, against the control",
        "decile INT 1 = greatest expected effect",
        "units BIGINT units of the arm and the control",
        "expected DOUBLE mean effect by the model",
        "effect DOUBLE outcome share of the arm − that of the control",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        key=("arm", "decile", "run_id"),
    ),
    answer_table(
        "curves",
        "Qini curves: outcomes gained by contacting the units ranked highest",
        "arm STRING the arm, against the control",
        "score STRING a learner, or response: the chance of the outcome after a contact",
        "share DOUBLE share of the units contacted",
        "gain DOUBLE outcomes gained per unit of the arm",
        key=("arm", "score", "share", "run_id"),
    ),
    answer_table(
        "policies",
        "value of each policy per unit, compared with contacting nobody",
        "policy STRING list | response | all <arm>",
        "contacted DOUBLE share of the units that it contacts",
        "value DOUBLE per unit, doubly robust",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        "value_ipw DOUBLE per unit, by inverse propensity alone",
        "list_better_by DOUBLE value of the list − value of this policy",
        "better_low DOUBLE lower bound of its 95 % interval",
        "better_high DOUBLE upper bound",
        key=("policy", "run_id"),
    ),
)

UNITS = Frame(
    "units",
    Text(
        en="one row per unit that was assigned to an arm: its outcome and what was known before",
        ru="одна строка на единицу, отнесённую к группе: исход и то, что было известно заранее",
    ),
    (UNIT, ARM, OUTCOME, ASSIGNED_AT),
    others="any",
)

KIND = Kind(
    name="uplift",
    title=Text(en="Uplift", ru="Аплифт"),
    summary=Text(
        en="Whom does a contact change, and does targeting them pay?",
        ru="На кого контакт влияет и окупается ли такой выбор?",
    ),
    task=UpliftTask,
    stages=(
        Stage(
            "fit",
            "otklik.evidence.uplift.fitting:run",
            (UNITS,),
            (EFFECTS,),
            uses=(
                "control",
                "arms",
                "assignment",
                "learners",
                "folds",
                "log_scale",
                "minimum_outcomes",
                "sample_ratio_alpha",
                "overlap",
                "overlap_share",
            ),
        ),
        Stage("uplift", "otklik.evidence.uplift.method:run", (), TABLES, reads=("effects",)),
    ),
    section="otklik.evidence.uplift.section:section",
    example="""\
# the arm without a contact, and the planned sizes of all arms
control = "CONTROL"
arms = { ARMS }

# cost of a contact and value of an outcome
[payoff]
value = 10.0
cost = 1.0
""",
)
