"""Settings, frames and tables of factors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.insights.columns import CUSTOMER
from otklik.kind import Frame, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask, Name


class FactorTask(KindTask):
    """Which properties are analysed, and how many factors are reported."""

    kind: Literal["factor"] = Field(description=KIND_MEANING)
    factors: int | None = Field(
        None, ge=1, le=20, description="number of factors to rotate; default: by parallel analysis"
    )
    log_scale: list[Name] = Field(
        default_factory=list, description="properties transformed to sign(x) * ln(1 + |x|), e.g. amounts and counts"
    )
    titles: dict[Name, Text] = Field(default_factory=dict, description="title of each property on the page")
    named_from: float = Field(0.5, gt=0, lt=1, description="minimum loading of a property that names its factor")
    minimum_rows: int = Field(
        100,
        ge=20,
        description="minimum customers, and at least 5 per property; with fewer the verdict is too_little_data",
    )


_CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer, with numbers", ru="одна строка на клиента, с числами"),
    (CUSTOMER,),
    others="numbers",
)


EIGENVALUES = answer_table(
    "eigenvalues",
    "variance of each principal component beside that of unrelated properties",
    "place INT 1 = the largest",
    "eigenvalue DOUBLE of the correlation matrix",
    "share DOUBLE of the variance of all properties",
    "low DOUBLE lower bound of the eigenvalue's 95 % interval",
    "high DOUBLE upper bound",
    "chance DOUBLE 95th percentile where properties are unrelated",
    "carries BOOLEAN whether it and all before it are above that",
    key=("place",),
)

FACTORS = answer_table(
    "factors",
    "the rotated factors",
    "factor INT 1 = the one with most variance",
    "name STRING its properties with the largest loadings",
    "share DOUBLE of the variance of all properties",
    "congruence DOUBLE Tucker's coefficient between random halves, median",
    "congruence_low DOUBLE 2.5th percentile over halves",
    "congruence_high DOUBLE 97.5th percentile",
    "congruence_chance DOUBLE median where properties are unrelated",
    key=("factor",),
)

LOADINGS = answer_table(
    "loadings",
    "correlation of each property with each rotated factor",
    "factor INT the factor",
    "name STRING its name",
    "property STRING the property",
    "loading DOUBLE correlation of the property with the factor",
    "low DOUBLE lower bound of its 95 % interval",
    "high DOUBLE upper bound",
    "weight DOUBLE of the standardised property in the factor's score",
    "communality DOUBLE share of the property's variance in all factors",
    key=("factor", "property"),
)

SCORES = answer_table(
    "factor_scores",
    "where each customer stands on each factor",
    "customer STRING key of the customer",
    "factor INT the factor",
    "name STRING its name",
    "score DOUBLE mean 0 and variance 1 over all customers",
    key=("customer", "factor"),
)

KIND = Kind(
    name="factor",
    title=Text(en="Factors", ru="Факторы"),
    summary=Text(
        en="Which few factors explain many correlated properties, how stable are they, and what are each customer's "
        "scores?",
        ru="Какие немногие факторы стоят за многими связанными признаками, устойчивы ли они и каковы их значения у "
        "каждого клиента?",
    ),
    task=FactorTask,
    stages=(
        Stage("factor", "otklik.insights.factor.method:run", (_CUSTOMERS,), (EIGENVALUES, FACTORS, LOADINGS, SCORES)),
    ),
    section="otklik.insights.factor.section:section",
    example="""\
# factors = 2                 # without it: as many as carry by parallel analysis
log_scale = []                # properties transformed to sign(x) * ln(1 + |x|), e.g. amounts and counts
named_from = 0.5              # minimum loading of a property that names its factor
""",
)
