"""Settings, frames and tables of factors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import RUN_ID, Column, Table
from otklik.settings import Text
from otklik.task import KindTask, Name


class FactorTask(KindTask):
    """Which properties are taken together, and how many factors are shown."""

    kind: Literal["factor"]
    factors: int | None = Field(
        None, ge=1, le=20, description="how many factors are rotated; without it as many as carry (parallel analysis)"
    )
    log_scale: list[Name] = Field(
        default_factory=list, description="properties taken as sign(x) * ln(1 + |x|): sums of money, counts"
    )
    titles: dict[Name, Text] = Field(default_factory=dict, description="what the page calls a property")
    named_from: float = Field(0.5, gt=0, lt=1, description="loading from which on a property names its factor")
    minimum_rows: int = Field(
        100, ge=20, description="fewer customers are too little data; so are less than 5 per property"
    )


_CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer, with numbers", ru="одна строка на клиента, с числами"),
    (
        FrameColumn(
            "customer",
            "string",
            Text(en="key of the customer", ru="ключ клиента"),
            is_key=True,
            like=("customer", "id", "key"),
        ),
    ),
    others="numbers",
)


EIGENVALUES = Table(
    "gold.<task>_eigenvalues",
    "variance of each principal component beside that of unrelated properties",
    (
        Column("place", "INT", "1 = the largest"),
        Column("eigenvalue", "DOUBLE", "of the correlation matrix"),
        Column("share", "DOUBLE", "of the variance of all properties"),
        Column("low", "DOUBLE", "lower end of the eigenvalue's 95 % interval"),
        Column("high", "DOUBLE", "upper end"),
        Column("chance", "DOUBLE", "95th percentile where properties are unrelated"),
        Column("carries", "BOOLEAN", "whether it and all before it are above that"),
        RUN_ID,
    ),
    key=("place",),
)

FACTORS = Table(
    "gold.<task>_factors",
    "the rotated factors",
    (
        Column("factor", "INT", "1 = the one with most variance"),
        Column("name", "STRING", "its properties with the largest loadings"),
        Column("share", "DOUBLE", "of the variance of all properties"),
        Column("congruence", "DOUBLE", "Tucker's coefficient between random halves, median"),
        Column("congruence_low", "DOUBLE", "2.5th percentile over halves"),
        Column("congruence_high", "DOUBLE", "97.5th percentile"),
        Column("congruence_chance", "DOUBLE", "median where properties are unrelated"),
        RUN_ID,
    ),
    key=("factor",),
)

LOADINGS = Table(
    "gold.<task>_loadings",
    "correlation of each property with each rotated factor",
    (
        Column("factor", "INT", "the factor"),
        Column("name", "STRING", "its name"),
        Column("property", "STRING", "the property"),
        Column("loading", "DOUBLE", "correlation of the property with the factor"),
        Column("low", "DOUBLE", "lower end of its 95 % interval"),
        Column("high", "DOUBLE", "upper end"),
        Column("weight", "DOUBLE", "of the standardised property in the factor's score"),
        Column("communality", "DOUBLE", "share of the property's variance in all factors"),
        RUN_ID,
    ),
    key=("factor", "property"),
)

SCORES = Table(
    "gold.<task>_factor_scores",
    "where each customer stands on each factor",
    (
        Column("customer", "STRING", "key of the customer"),
        Column("factor", "INT", "the factor"),
        Column("name", "STRING", "its name"),
        Column("score", "DOUBLE", "mean 0 and variance 1 over all customers"),
        RUN_ID,
    ),
    key=("customer", "factor"),
)

KIND = Kind(
    name="factor",
    title=Text(en="Factors", ru="Факторы"),
    summary=Text(
        en="the few factors behind many correlated properties, how stable they are, and each customer's scores",
        ru="немногие факторы за многими связанными признаками, их устойчивость и значения у каждого клиента",
    ),
    task=FactorTask,
    stages=(
        Stage("factor", "otklik.insights.factor.method:run", (_CUSTOMERS,), (EIGENVALUES, FACTORS, LOADINGS, SCORES)),
    ),
    section="otklik.insights.factor.section:section",
    example="""\
# factors = 2                 # without it: as many as carry by parallel analysis
log_scale = []                # properties taken as sign(x) * ln(1 + |x|): sums of money, counts
named_from = 0.5              # loading from which on a property names its factor
""",
)
