"""Settings, frames and tables of dependencies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.insights.columns import CUSTOMER
from otklik.kind import Frame, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask, Name


class DependencyTask(KindTask):
    """Which columns are outcomes and confounders, and how columns are binned; all others are properties."""

    kind: Literal["dependency"] = Field(description=KIND_MEANING)
    outcomes: list[Name] = Field(min_length=1, max_length=5, description="columns of the frame that are outcomes")
    confounders: list[Name] = Field(
        default_factory=list, max_length=4, description="columns to condition on in the second test of each pair"
    )
    levels: list[Name] = Field(default_factory=list, description="numeric columns that are category codes")
    titles: dict[Name, Text] = Field(default_factory=dict, description="title of each column on the page")
    bins: int = Field(10, ge=2, le=20, description="number of equal-frequency bins for numeric columns")
    confounder_bins: int = Field(4, ge=2, le=10, description="the same for confounders")
    rare_level_share: float = Field(
        0.005, ge=0, lt=0.5, description="levels with a smaller share are merged into (other)"
    )
    false_discovery_rate: float = Field(
        0.05, gt=0, lt=0.5, description="maximum q-value (Benjamini-Hochberg) at which a dependency is significant"
    )
    minimum_rows: int = Field(200, ge=50, description="minimum customers; with fewer the verdict is too_little_data")

    def impossible(self) -> list[str]:
        """Refuse a column in two roles, and names of unknown columns."""
        both = sorted({*self.outcomes} & {*self.confounders})
        columns = self.frames["customers"].columns if "customers" in self.frames else {}
        unknown = {
            key: ", ".join(name for name in getattr(self, key) if columns and name not in columns)
            for key in ("outcomes", "confounders", "levels")
        }
        faults = [f"confounders: {', '.join(both)} is an outcome, too"] if both else []
        return faults + [
            f"{k}: {names} is no column of frames.customers.columns" for k, names in unknown.items() if names
        ]


_CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer, with properties and outcomes", ru="одна строка на клиента, с признаками и исходами"),
    (CUSTOMER,),
    others="any",
)


DEPENDENCIES = answer_table(
    "dependencies",
    "every property with every outcome: how strongly they go together, and whether that is more than chance",
    "property STRING the property",
    "outcome STRING the outcome",
    "rows BIGINT customers who have both",
    "spearman DOUBLE rank correlation; null unless both have an order (numbers, two levels)",
    "spearman_low DOUBLE lower bound of its 95 % interval",
    "spearman_high DOUBLE upper bound",
    "cramers_v DOUBLE Cramér's V of the table of parts and levels, 0 to 1",
    "cramers_v_low DOUBLE lower bound of its 95 % interval",
    "cramers_v_high DOUBLE upper bound",
    "cramers_v_chance DOUBLE what independent columns of the same levels have",
    "mutual_information DOUBLE nats",
    "mutual_information_chance DOUBLE what independent columns of the same levels have",
    "p_value DOUBLE Pearson's chi-square test",
    "q_value DOUBLE the same after Benjamini-Hochberg over all pairs",
    "is_significant BOOLEAN whether that is within the task's false-discovery rate",
    "spearman_given DOUBLE rank correlation within strata of the confounders; null without them",
    "spearman_given_low DOUBLE lower bound of its 95 % interval",
    "spearman_given_high DOUBLE upper bound",
    "cramers_v_given DOUBLE Cramér's V within strata",
    "cramers_v_given_chance DOUBLE what independent columns have there",
    "p_given DOUBLE Cochran-Mantel-Haenszel test of general association",
    "q_given DOUBLE the same after Benjamini-Hochberg over all pairs",
    "is_significant_given BOOLEAN whether that is within the false-discovery rate",
    key=("property", "outcome"),
)

PROFILES = answer_table(
    "profiles",
    "the outcome at each level or part of each property",
    "property STRING the property",
    "place INT order of its levels",
    "level STRING level, or least and greatest value of the part",
    "outcome STRING the outcome",
    "outcome_level STRING its level; empty: mean rank of a number, from 0 to 1",
    "rows BIGINT customers at this level",
    "value DOUBLE share with the outcome's level, or mean rank",
    "low DOUBLE lower bound of its 95 % interval",
    "high DOUBLE upper bound",
    "overall DOUBLE the same of all customers",
    key=("property", "place", "outcome", "outcome_level"),
)

KIND = Kind(
    name="dependency",
    title=Text(en="Dependencies", ru="Зависимости"),
    summary=Text(
        en="Which properties of customers are associated with which outcomes, how strongly, and do confounders "
        "explain it?",
        ru="Какие признаки клиентов связаны с какими исходами, насколько сильно и не объясняют ли это вмешивающиеся "
        "признаки?",
    ),
    task=DependencyTask,
    stages=(Stage("dependency", "otklik.insights.dependency.method:run", (_CUSTOMERS,), (DEPENDENCIES, PROFILES)),),
    section="otklik.insights.dependency.section:section",
    example="""\
outcomes = ["OUTCOME"]        # columns of [frames.customers.columns]; all others are properties
confounders = []              # columns that are held fixed in the second test
levels = []                   # numeric columns that are category codes
bins = 10                     # number of equal-frequency bins for numeric columns
false_discovery_rate = 0.05   # greatest q-value of what counts as significant
""",
)
