"""The kind `recommend`: its settings, the frames it reads and the table it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class RecommendTask(KindTask):
    """Which items are shown to each customer, and how the lists are evaluated."""

    kind: Literal["recommend"] = Field(description=KIND_MEANING)
    test_days: int = Field(
        70,
        ge=1,
        le=3660,
        description="test period: the last days before the as-of moment; the weights of the blend are chosen on the "
        "same number of days before",
    )
    buy_again: bool = Field(True, description="whether a list may contain items the customer has already bought")
    list_length: int = Field(10, ge=1, le=100, description="items per customer; lists are evaluated by their first ten")
    minimum_items: int = Field(
        5,
        ge=1,
        le=1000,
        description="customers with fewer distinct items are cold-start: they get a naive rule, or what is popular in "
        "their segment",
    )
    neighbours: int = Field(50, ge=1, le=200, description="number of most similar items kept per item")
    largest_history: int = Field(
        200, ge=10, le=2000, description="maximum items per customer for similarity, most frequent first"
    )
    candidates: int = Field(200, ge=20, le=1000, description="candidate items per customer from each method")
    als_rank: int = Field(32, ge=1, le=200, description="number of factors of the matrix factorisation (ALS)")
    als_regularisation: float = Field(
        0.1,
        ge=0,
        description="regularisation of the factors; Spark multiplies it by the number of purchases of a customer or "
        "item",
    )
    als_alpha: float = Field(1.0, gt=0, description="weight of repeated purchases: confidence 1 + alpha · count")
    als_iterations: int = Field(
        10,
        ge=1,
        le=50,
        description="number of ALS iterations; more than 5 need spark.checkpoint.dir, or Java's stack may overflow: "
        "local sessions have it, on a cluster set it to a folder that every machine can reach",
    )
    category_cap: int | None = Field(None, ge=1, description="maximum items of one category in a list")
    minimum_margin: float | None = Field(None, description="items whose margin is lower are not recommended")
    judged_customers: int = Field(
        20_000, ge=1000, le=1_000_000, description="approximate number of customers evaluated, chosen by a hash"
    )
    bootstrap_replicates: int = Field(400, ge=50, le=5000, description="bootstrap replicates for each interval")
    minimum_customers: int = Field(
        100,
        ge=20,
        description="minimum customers to evaluate in either period; with fewer the verdict is too_little_data",
    )

    def impossible(self) -> list[str]:
        """Refuse rules on items without a frame `items`."""
        without = [] if "items" in self.frames else ["category_cap", "minimum_margin"]
        return [
            f"{name}: needs the frame `items`, which says what it rests on"
            for name in without
            if getattr(self, name) is not None
        ]


RECOMMENDATIONS = answer_table(
    "recommendations",
    "the items to show each customer, best first",
    "customer STRING the customer",
    "rank INT 1 = first",
    "item STRING the item",
    "score DOUBLE weighted sum of the methods' scores, 1 = best by each; no probability",
    "reason STRING what counts most in the score: bought_before | bought_with | similar_customers | popular | "
    "popular_in_segment",
    "because STRING with bought_with: the customer's item that it is most similar to",
    key=("customer", "rank"),
)

PURCHASES = Frame(
    "purchases",
    Text(en="one row per item of a purchase", ru="строка — товар в покупке"),
    (
        FrameColumn(
            "customer", "string", Text(en="who bought", ru="кто купил"), is_key=True,
            like=("customer", "cust", "client", "household"),
        ),
        FrameColumn(
            "item", "string", Text(en="what was bought", ru="что куплено"),
            like=("item", "product", "sku", "stock", "article"),
        ),
        FrameColumn(
            "moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "moment", "purchased", "at")
        ),
        FrameColumn(
            "basket", "string",
            Text(en="purchase id; default: one purchase per day", ru="номер покупки; без него — один день"),
            is_required=False, is_optional=True, is_key=True,
            like=("basket", "invoice", "order", "transaction", "receipt"),
        ),
    ),
)  # fmt: skip

ITEMS = Frame(
    "items",
    Text(en="one row per item that may be recommended", ru="строка — товар, который можно рекомендовать"),
    (
        FrameColumn("item", "string", Text(en="the item", ru="товар"), like=("item", "product", "sku", "stock_code")),
        FrameColumn(
            "in_stock", "boolean",
            Text(en="false: not recommended; empty counts as true", ru="false: не рекомендуется; пустое значит true"),
            is_required=False, is_optional=True, like=("stock", "available"),
        ),
        FrameColumn(
            "category", "string", Text(en="for the cap per category", ru="для ограничения по категории"),
            is_required=False, is_optional=True, like=("category", "group", "department"),
        ),
        FrameColumn(
            "margin", "double", Text(en="profit per unit", ru="прибыль с одной штуки"),
            is_required=False, is_optional=True, like=("margin", "profit"),
        ),
    ),
    is_optional=True,
)  # fmt: skip

CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer; also of those who have bought nothing yet", ru="строка — клиент, в том числе ещё "
                                                                                  "не купивший"),
    (
        FrameColumn(
            "customer", "string", Text(en="who", ru="кто"), is_key=True,
            like=("customer", "cust", "client", "household"),
        ),
        FrameColumn(
            "segment", "string",
            Text(en="group of similar customers: region, age group …", ru="регион, возраст …: похожие клиенты"),
            like=("segment", "group", "region", "country"),
        ),
    ),
    is_optional=True,
)  # fmt: skip

EXAMPLE = """\
# The last ten weeks are held back, to see whether the lists would have been right.
test_days = 70
# Whether a list may hold what the customer has already bought.
buy_again = true
list_length = 10
"""

KIND = Kind(
    name="recommend",
    title=Text(en="Recommendations", ru="Рекомендации"),
    summary=Text(
        en="Which items should each customer be shown, and does that beat popular items and past favourites?",
        ru="Какие товары показать каждому клиенту и лучше ли это популярных и уже купленных товаров?",
    ),
    task=RecommendTask,
    stages=(
        Stage("recommend", "otklik.forecasts.recommend.method:run", (PURCHASES, ITEMS, CUSTOMERS), (RECOMMENDATIONS,)),
    ),
    section="otklik.forecasts.recommend.section:section",
    example=EXAMPLE,
)  # fmt: skip
