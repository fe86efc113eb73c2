"""Settings, frames and tables of association rules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table, columns
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class RulesTask(KindTask):
    """Which rules are searched for, and how they are evaluated."""

    kind: Literal["rules"] = Field(description=KIND_MEANING)
    minimum_support: float = Field(
        0.01, gt=0, lt=1, description="minimum support: share of baskets with all items of a rule"
    )
    minimum_confidence: float = Field(
        0.3,
        ge=0,
        le=1,
        description="minimum confidence: share of the baskets with the antecedent that also contain the consequent",
    )
    pair_support: float = Field(
        0.03, gt=0, lt=1, description="minimum share of baskets for an item to be included in the table of pairs"
    )
    test: Literal["fisher", "chi_square"] = Field(
        "fisher", description="test of independence: Fisher's exact test or Pearson's chi-square, both two-sided"
    )
    false_discovery_rate: float = Field(
        0.05, gt=0, lt=0.5, description="maximum q-value (Benjamini-Hochberg) at which a rule or pair is significant"
    )
    later_share: float = Field(
        0.25, gt=0, lt=1, description="share of the baskets, the latest ones, on which rules are evaluated"
    )
    largest_basket: int = Field(
        1000,
        ge=2,
        le=100_000,
        description="maximum distinct items; larger baskets are excluded as implausible",
    )
    minimum_baskets: int = Field(
        100, ge=20, description="minimum baskets in either period; with fewer the verdict is too_little_data"
    )


_BASKETS = Frame(
    "baskets",
    Text(en="one row per item of a basket", ru="одна строка на товар в корзине"),
    (
        FrameColumn(
            "basket",
            "string",
            Text(en="number of the basket: invoice, order, visit", ru="номер корзины: чек, заказ, визит"),
            is_key=True,
            like=("basket", "invoice", "order", "transaction", "receipt"),
        ),
        FrameColumn(
            "item",
            "string",
            Text(en="what was bought", ru="что куплено"),
            like=("item", "product", "sku", "stock", "article"),
        ),
        FrameColumn(
            "moment",
            "timestamp",
            Text(
                en="when it was bought; lets rules be evaluated on a later period",
                ru="когда куплено; тогда правила проверяются на более позднем периоде",
            ),
            is_optional=True,
            like=("date", "time", "moment"),
        ),
    ),
)

_COUNTS = columns(
    "lift DOUBLE how many times as often together as by independence",
    "lift_low DOUBLE lower bound of its 95 % interval",
    "lift_high DOUBLE upper bound",
    "lift_by_size DOUBLE lift that unrelated items would have in baskets as full as these",
    "leverage DOUBLE share of baskets with both, less the share expected by independence",
)
_TESTED = columns(
    "p_value DOUBLE of the test of independence that the task names",
    "q_value DOUBLE p-value after Benjamini-Hochberg over all that were tested",
)
_LATER = columns(
    "later_baskets BIGINT baskets of the later period; null where there is none, like the columns below",
    "later_both BIGINT of them with all items",
    "later_lift DOUBLE lift there; null where one side never occurs",
    "holds_later BOOLEAN whether it lies on the same side of 1",
)

RULES = answer_table(
    "rules",
    "every rule with the minimum support and confidence, strongest first",
    "place BIGINT 1 = first: kept rules before others, then by lift",
    "antecedent ARRAY<STRING> items that come first in the rule, in alphabetical order",
    "consequent STRING the item that goes with them",
    "baskets BIGINT baskets that the rule comes from",
    "baskets_antecedent BIGINT of them with the antecedent",
    "baskets_consequent BIGINT of them with the consequent",
    "baskets_both BIGINT of them with both",
    "support DOUBLE share of baskets with both",
    "confidence DOUBLE share of the baskets with the antecedent that hold the consequent",
    *_COUNTS,
    "conviction DOUBLE how many times as often it would fail by independence; null = never fails",
    *_TESTED,
    "q_by_size DOUBLE the same of a test whether the lift is above lift_by_size",
    "general ARRAY<STRING> antecedent of the more general rule with no less confidence; null = none",
    "is_kept BOOLEAN significant, more than full baskets give, and no more general rule does as well",
    *_LATER,
    key=("place",),
)

PAIRS = answer_table(
    "pairs",
    "every pair of common items: bought together more often or less often than by chance",
    "first STRING the commoner item",
    "second STRING the other one",
    "baskets BIGINT baskets that were counted",
    "baskets_first BIGINT of them with the first",
    "baskets_second BIGINT of them with the second",
    "baskets_both BIGINT of them with both",
    *_COUNTS,
    *_TESTED,
    "is_significant BOOLEAN whether the q-value is within the task's false-discovery rate",
    *_LATER,
    key=("first", "second"),
)

KIND = Kind(
    name="rules",
    title=Text(en="Association rules", ru="Ассоциативные правила"),
    summary=Text(
        en="Which items are bought together, which rarely, and does that hold later?",
        ru="Какие товары покупают вместе, какие почти никогда и сохраняется ли это позже?",
    ),
    task=RulesTask,
    stages=(Stage("rules", "otklik.insights.rules.method:run", (_BASKETS,), (RULES, PAIRS)),),
    section="otklik.insights.rules.section:section",
    example="""\
minimum_support = 0.01        # share of baskets that hold all items of a rule
minimum_confidence = 0.3      # share of those with the antecedent that hold the consequent, too
pair_support = 0.03           # from which share of baskets on an item takes part in the table of pairs
test = "fisher"               # or "chi_square"
false_discovery_rate = 0.05   # greatest q-value of what counts as significant
later_share = 0.25            # the last baskets in time, on which rules are judged
""",
)
