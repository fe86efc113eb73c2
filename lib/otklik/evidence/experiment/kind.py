"""Settings of the kind `experiment`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from otklik.evidence.columns import ARM, ASSIGNED_AT, UNIT
from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table, columns
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask, Name

Positive = Annotated[float, Field(gt=0)]


class Metric(Strict):
    """One metric: a numeric column of the units, and which direction is better."""

    type: Literal["share", "mean", "ratio", "revenue"] = Field(
        description="share: 1 or 0 per unit; mean: a number per unit; ratio: sum of the column over sum of "
        "`denominator`; revenue: a mean with heavy tails, shown winsorised as well"
    )
    denominator: Name | None = Field(None, description="denominator column of a ratio")
    better: Literal["up", "down"] = Field("up", description="whether higher or lower is better")
    role: Literal["goal", "guardrail"] = Field("goal", description="goal, or guardrail, which must not get worse")
    worth: Positive | None = Field(
        None, description="smallest difference from the control group worth having, in the unit of the metric"
    )
    tolerated: float = Field(0.0, ge=0, description="how much worse a guardrail may get, in the unit of the metric")
    title: Text | None = Field(None, description="title on the page; default: the column's name")

    def impossible(self) -> list[str]:
        """Refuse a ratio without a denominator, a denominator of anything else, and settings of the other role."""
        faults = {
            "denominator: a ratio needs one, and no other type has one": (
                (self.type == "ratio") != (self.denominator is not None)
            ),
            "tolerated is for guardrails": self.role == "goal" and self.tolerated > 0,
        }
        return [fault for fault, holds in faults.items() if holds]

    @property
    def sign(self) -> float:
        """1 if more is better, −1 if less is better."""
        return 1.0 if self.better == "up" else -1.0

    @property
    def is_goal(self) -> bool:
        """Whether it is a goal, not a guardrail."""
        return self.role == "goal"


class Assignment(Strict):
    """How `otklik assign` assigns the people in [frames.people] to arms."""

    salt: str | None = Field(None, min_length=1, description="salt of the assignment; default: the task's name")
    strata: list[Name] = Field(
        default_factory=list,
        description="columns of [frames.people]; each combination of their values is split between the arms as planned",
    )
    exclude: list[Name] = Field(
        default_factory=list, description="other experiments; their participants are excluded from this one"
    )


class ExperimentTask(KindTask):
    """A randomised experiment: its arms, and the metrics that decide."""

    kind: Literal["experiment"] = Field(description=KIND_MEANING)
    control: str = Field(min_length=1, description="name of the control arm")
    arms: dict[str, Positive] = Field(
        min_length=2, description="arm, including the control → its planned size, relative to the others"
    )
    metrics: dict[Name, Metric] = Field(
        min_length=1, description="column of the units → its metric; the first goal decides the verdict"
    )
    covariates: list[Name] = Field(
        default_factory=list,
        description="numeric columns known before the experiment; CUPED removes the variance they explain",
    )
    decide_by: Literal["plain", "cuped"] = Field(
        "plain", description="which estimate decides; fix it before the data come in"
    )
    subgroups: list[Name] = Field(
        default_factory=list, description="columns whose levels define subgroups, shown as hypotheses only"
    )
    winsor_quantile: float = Field(
        0.99, gt=0.5, lt=1, description="revenue above this quantile of the positive values is capped at it"
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="false discovery rate, and 1 − confidence of intervals")
    power: float = Field(
        0.8, gt=0.5, lt=1, description="power of the plan: probability of detecting an effect worth having"
    )
    sample_ratio_alpha: float = Field(
        0.001,
        gt=0,
        lt=0.5,
        description="below this p-value there is a sample ratio mismatch, and the verdict is invalid",
    )
    minimum_units: int = Field(
        100, ge=10, description="minimum units per arm; with fewer the verdict is too_little_data"
    )
    planned_units: int = Field(
        10_000, ge=100, description="total units of two arms at which always-valid intervals are narrowest"
    )
    assignment: Assignment | None = Field(None, description="how `otklik assign` assigns people to arms")

    def impossible(self) -> list[str]:
        """Refuse a control that is not an arm, a task without a goal, and columns used twice."""
        faults = {
            "control is not one of [arms]": self.control not in self.arms,
            "metrics: at least one must be a goal": all(metric.role == "guardrail" for metric in self.metrics.values()),
            "decide_by = 'cuped' needs covariates": self.decide_by == "cuped" and not self.covariates,
            "covariates cannot be metrics: what the experiment changes explains nothing": bool(
                set(self.covariates) & set(self.metrics)
            ),
            "covariates and subgroups name a column twice": any(
                len(set(names)) < len(names) for names in (self.covariates, self.subgroups)
            ),
            "assignment needs [frames.people], and no other task has it": (self.assignment is None)
            == ("people" in self.frames),
            "assignment.exclude names the experiment itself": self.assignment is not None
            and self.name in self.assignment.exclude,
        }
        return [fault for fault, holds in faults.items() if holds]

    @property
    def goals(self) -> list[str]:
        """The metrics that are goals, the deciding one first."""
        return [name for name, metric in self.metrics.items() if metric.role == "goal"]

    @property
    def others(self) -> list[str]:
        """All arms except the control."""
        return [arm for arm in self.arms if arm != self.control]


_EFFECT = columns(
    "effect DOUBLE value of the arm − value of the control",
    "low DOUBLE lower bound of the interval of confidence 1 − alpha",
    "high DOUBLE upper bound",
    "always_low DOUBLE lower bound of the interval that holds at every look at once",
    "always_high DOUBLE upper bound",
    "units BIGINT units of both arms",
)

TABLES = (
    answer_table(
        "arms",
        "how many units each arm has, beside the plan",
        "arm STRING the arm",
        "is_control BOOLEAN whether the others are compared with it",
        "units BIGINT units in it",
        "share DOUBLE of all units",
        "planned_share DOUBLE as declared",
        key=("arm", "run_id"),
    ),
    answer_table(
        "effects",
        "each metric of each arm beside the control; empty where the split is broken",
        "metric STRING the metric",
        "arm STRING the arm",
        "estimate STRING plain | cuped | winsorised",
        "role STRING goal | guardrail",
        "control_value DOUBLE of the control arm",
        "arm_value DOUBLE of the arm",
        *_EFFECT,
        "error DOUBLE standard error of the effect",
        "p_value DOUBLE two-sided: no effect at all",
        "q_value DOUBLE p after Benjamini-Hochberg over goals and arms; of the deciding estimate",
        "lift DOUBLE effect ÷ value of the control",
        "lift_low DOUBLE lower bound of its interval, by the delta method",
        "lift_high DOUBLE upper bound",
        "variance_reduction DOUBLE of cuped: share of the effect's variance that is gone",
        "status STRING better | worse | open | thin; of guardrails safe | harmed | open | thin",
        key=("metric", "arm", "estimate", "run_id"),
    ),
    answer_table(
        "subgroups",
        "effects on the deciding metric by subgroup: hypotheses, not results",
        "dimension STRING the column",
        "level STRING its level",
        "metric STRING the metric",
        "arm STRING the arm",
        *_EFFECT,
        "differs_p DOUBLE p of Cochran's Q: levels of the column have the same effect",
        key=("dimension", "level", "metric", "arm", "run_id"),
    ),
    answer_table(
        "looks",
        "the deciding metric as it stood at the end of each day; only where units have a moment",
        "day DATE the day, UTC",
        "metric STRING the metric",
        "arm STRING the arm",
        *_EFFECT,
        key=("day", "metric", "arm", "run_id"),
    ),
    answer_table(
        "plan",
        "how many units the next experiment needs",
        "metric STRING the metric",
        "arm STRING the arm",
        "worth DOUBLE smallest effect worth having, as declared",
        "units_needed BIGINT of both arms, to show it with the declared power",
        "units BIGINT of both arms, in this experiment",
        "detectable DOUBLE smallest effect that this many units show with the declared power",
        "days_needed DOUBLE at this experiment's pace; null where units have no moment",
        key=("metric", "arm", "run_id"),
    ),
)

UNITS = Frame(
    "units",
    Text(
        en="one row per unit that was assigned to an arm, with its metrics",
        ru="одна строка на единицу, отнесённую к группе, с её показателями",
    ),
    (UNIT, ARM, ASSIGNED_AT),
    others="any",
)

PEOPLE = Frame(
    "people",
    Text(
        en="one row per person eligible for the experiment, for `otklik assign`",
        ru="одна строка на человека, который может попасть в эксперимент: для `otklik assign`",
    ),
    (
        FrameColumn(
            "unit", "string", Text(en="the person: a customer", ru="кого распределяют: клиент"),
            is_key=True, like=("customer_id", "user_id", "client_id", "customer", "user", "id"),
        ),
        FrameColumn(
            "moment", "timestamp", Text(en="eligible from this moment", ru="начиная с какого момента"),
            is_required=False, is_optional=True, like=("registered", "moment"),
        ),
    ),
    others="any",
    is_optional=True,
)  # fmt: skip

KIND = Kind(
    name="experiment",
    title=Text(en="Experiment", ru="Эксперимент"),
    summary=Text(
        en="What did each arm of a randomised experiment change, and how certain is that?",
        ru="Что изменила каждая группа рандомизированного эксперимента и насколько это надёжно?",
    ),
    task=ExperimentTask,
    stages=(Stage("experiment", "otklik.evidence.experiment.method:run", (UNITS,), TABLES),),
    section="otklik.evidence.experiment.section:section",
    commands=(Stage("assign", "otklik.evidence.assignment:drawn", (PEOPLE,), uses=("arms", "control", "assignment")),),
    example="""\
# the arm that the others are compared with, and the planned sizes of all arms
control = "CONTROL"
arms = { ARMS }

# the first goal decides; worth = the smallest difference from the control group that is worth having
[metrics.OUTCOME]
type = "share"
worth = 0.01
""",
)
