"""The kind `recommend`: its settings, the frames it reads and the table it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KindTask


class RecommendTask(KindTask):
    """Which items are shown to each customer, and how the lists are judged."""

    kind: Literal["recommend"]
    test_days: int = Field(
        70,
        ge=1,
        le=3660,
        description="the last days before the moment: lists made before them are judged on them; the weights of the "
        "blend are chosen on as many days before those",
    )
    buy_again: bool = Field(True, description="whether a list may hold what the customer has already bought")
    list_length: int = Field(10, ge=1, le=100, description="items per customer; lists are judged by their first ten")
    minimum_items: int = Field(
        5,
        ge=1,
        le=1000,
        description="customers who have bought fewer different items are cold: a "
        "naive rule serves, or what is popular in their segment",
    )
    neighbours: int = Field(50, ge=1, le=200, description="most similar items that are kept of each item")
    largest_history: int = Field(
        200, ge=10, le=2000, description="of a customer so many items, those bought most often, count for similarity"
    )
    candidates: int = Field(
        200, ge=20, le=1000, description="so many items of each method are candidates for a customer's list"
    )
    als_rank: int = Field(32, ge=1, le=200, description="factors of the matrix factorisation (ALS)")
    als_regularisation: float = Field(
        0.1, ge=0, description="of the factors; Spark multiplies it by a customer's or item's number of purchases"
    )
    als_alpha: float = Field(
        1.0, gt=0, description="how much more a repeated purchase says: confidence 1 + alpha·times"
    )
    als_iterations: int = Field(
        10,
        ge=1,
        le=50,
        description="of alternating least squares; more than 5 need spark.checkpoint.dir, or Java's stack may "
        "overflow: sessions on one machine have it, on a cluster give a folder that every machine reaches",
    )
    category_cap: int | None = Field(None, ge=1, description="at most so many items of a category in a list")
    minimum_margin: float | None = Field(None, description="items whose margin is lower are not recommended")
    judged_customers: int = Field(
        20_000, ge=1000, le=1_000_000, description="lists of about so many customers are judged, chosen by a hash"
    )
    bootstrap_replicates: int = Field(400, ge=50, le=5000, description="replicates behind each interval")
    minimum_customers: int = Field(
        100, ge=20, description="with fewer customers to judge, in either period, there is no verdict"
    )

    def impossible(self) -> list[str]:
        """Rules on items that no frame describes."""
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
            Text(en="number of the purchase; without it, a day is one", ru="номер покупки; без него — один день"),
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
            "margin", "double", Text(en="profit on one piece", ru="прибыль с одной штуки"),
            is_required=False, is_optional=True, like=("margin", "profit"),
        ),
    ),
    is_optional=True,
)  # fmt: skip

CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer; also of those who have bought nothing yet", ru="строка — клиент, и ещё не купивший"),
    (
        FrameColumn(
            "customer", "string", Text(en="who", ru="кто"), is_key=True,
            like=("customer", "cust", "client", "household"),
        ),
        FrameColumn(
            "segment", "string",
            Text(en="region, age group …: customers alike", ru="регион, возраст …: похожие клиенты"),
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
        en="which items to show each customer, and whether that beats popular items and buying the same again",
        ru="какие товары показать каждому клиенту и лучше ли это популярных и уже купленных товаров",
    ),
    task=RecommendTask,
    stages=(
        Stage("recommend", "otklik.forecasts.recommend.method:run", (PURCHASES, ITEMS, CUSTOMERS), (RECOMMENDATIONS,)),
    ),
    section="otklik.forecasts.recommend.section:section",
    example=EXAMPLE,
)  # fmt: skip
