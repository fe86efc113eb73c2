"""The kind `assortment`: its settings, the frames it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class AssortmentTask(KindTask):
    """Which products to keep on limited shelf space, and whether that beats keeping the best sellers."""

    kind: Literal["assortment"] = Field(description=KIND_MEANING)
    places: int = Field(ge=1, description="number of products to keep, per group if there are groups")
    category_places: dict[str, int] = Field(
        default_factory=dict,
        description="category → its own number of places; its products do not compete for `places`",
    )
    transfer: float = Field(
        0.45,
        ge=0,
        le=1,
        description="share of a dropped product's value that its buyers spend on another product of the category they "
        "also buy. Default: the share of shoppers who buy a substitute when a product is out of stock, over many "
        "retailers (Gruen, Corsten, Bharadwaj 2002). With the frame `out_of_stock` it is measured",
    )
    test_days: int = Field(
        90,
        ge=1,
        le=3660,
        description="the last days before the as-of moment, on which the choice is evaluated; all that a customer buys "
        "in a category within a period of this length is one need",
    )
    minimum_gain: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="minimum gain over the best sellers, as a share of the later value; a smaller one is "
        "not worth a change",
    )
    minimum_customers: int = Field(
        200, ge=20, description="minimum customers in either period; with fewer the verdict is too_little_data"
    )
    maximum_products: int = Field(
        20_000, ge=10, le=100_000, description="maximum number of products, summed over the groups"
    )
    collected_rows: int = Field(
        1_000_000,
        ge=1000,
        le=20_000_000,
        description="needs are collected from a hash sample of customers with about this many rows of customer, "
        "product and period; values and the evaluation use all customers",
    )

    def impossible(self) -> list[str]:
        """Refuse categories without a place."""
        return [
            f"category_places: {category!r} has {places} places; filter out its products with `where`"
            for category, places in self.category_places.items()
            if places < 1
        ]


PURCHASES = Frame(
    "purchases",
    Text(en="one row per product of a purchase", ru="строка — товар в покупке"),
    (
        FrameColumn(
            "customer", "string", Text(en="who bought", ru="кто купил"), is_key=True,
            like=("customer", "cust", "client", "household"),
        ),
        FrameColumn(
            "product", "string", Text(en="what was bought", ru="что куплено"),
            like=("product", "item", "sku", "stock_code", "article"),
        ),
        FrameColumn(
            "moment", "timestamp", Text(en="when", ru="когда"), like=("date", "time", "moment", "purchased", "at")
        ),
        FrameColumn(
            "value", "double",
            Text(
                en="what was paid for it or, better, the margin; negative for a return",
                ru="сколько за него заплачено или, лучше, маржа; отрицательно, если товар вернули",
            ),
            like=("margin", "profit", "amount", "value", "revenue", "sales"),
        ),
        FrameColumn(
            "category", "string",
            Text(
                en="products of a category can substitute for each other; null: the product has no substitutes",
                ru="товары одной категории могут заменять друг друга; пусто — замены нет",
            ),
            is_required=False, is_optional=True, like=("category", "department", "commodity"),
        ),
        FrameColumn(
            "group", "string",
            Text(en="store or region, with places of its own", ru="магазин или регион со своими местами"),
            is_optional=True, like=("store", "shop", "region", "country"),
        ),
    ),
)  # fmt: skip

OUT_OF_STOCK = Frame(
    "out_of_stock",
    Text(en="one row per product and day on which it was out of stock", ru="строка — товар и день, когда его не было"),
    (
        FrameColumn(
            "product", "string", Text(en="the product", ru="товар"),
            like=("product", "item", "sku", "stock_code", "article"),
        ),
        FrameColumn("day", "date", Text(en="the day (UTC)", ru="день (UTC)"), like=("day", "date")),
        FrameColumn(
            "group", "string",
            Text(en="store or region; all of them if it is not given", ru="магазин или регион; без него — все"),
            is_optional=True, like=("store", "shop", "region", "country"),
        ),
    ),
    is_optional=True,
)  # fmt: skip

PRODUCTS = answer_table(
    "products",
    "which products to keep, and what would be lost without each",
    "group STRING store or region; (all) where the task gives none",
    "product STRING the product",
    "category STRING its category; null: no substitutes",
    "is_kept BOOLEAN whether to keep it: is_chosen if the verdict is gain, else is_best_seller",
    "is_chosen BOOLEAN whether it is in the chosen set",
    "is_best_seller BOOLEAN whether it is among the products with most value, as many as there are places",
    "place INT rank from 1 by the rule behind is_kept, among the products it competes with; null beyond twice the "
    "places",
    "value DOUBLE its value in the earlier period",
    "later_value DOUBLE its value in the later period",
    "lost_without DOUBLE earlier value that would be lost if only this product were dropped from the kept ones; if it "
    "is not kept, the value that adding it would retain",
    "substitute STRING the kept product of its category that most of its buyers, weighted by value, also buy; null: "
    "none",
    "substitute_share DOUBLE share of its value from customers who also buy the substitute",
    key=("group", "product"),
)

CURVE = answer_table(
    "curve",
    "what sets of each size retain",
    "split STRING earlier | later",
    "method STRING chosen | best_sellers | random",
    "places BIGINT products kept, over all groups",
    "kept DOUBLE share of the value retained, transfer to other products included",
    "kept_itself DOUBLE share of the value that the kept products have themselves",
    "needs DOUBLE share of the value in needs that are met: at least one of their products is kept",
    "reach DOUBLE share of the customers with at least one kept product among those they buy",
    key=("split", "method", "places"),
)

TRANSFER = answer_table(
    "transfer",
    "share of a dropped product's value that transfers to other products",
    "source STRING declared | measured",
    "is_used BOOLEAN whether the choice uses it",
    "transfer DOUBLE the share",
    "low DOUBLE lower bound of its 95 % interval",
    "high DOUBLE upper bound",
    "days BIGINT product-days out of stock that could be compared",
    "weeks BIGINT weeks in which they lie",
    "missed DOUBLE lost value of the products out of stock, of customers who also buy another product of the category",
    "gained DOUBLE additional value of the other products of the category",
    key=("source",),
)

KIND = Kind(
    name="assortment",
    title=Text(en="Assortment", ru="Ассортимент"),
    summary=Text(
        en="Which products should stay on limited shelf space, and does that beat keeping the best sellers?",
        ru="Какие товары оставить на ограниченном числе мест и лучше ли это, чем оставить самые продаваемые?",
    ),
    task=AssortmentTask,
    stages=(
        Stage(
            "assortment", "otklik.decisions.assortment.method:run", (PURCHASES, OUT_OF_STOCK),
            (PRODUCTS, CURVE, TRANSFER),
        ),
    ),
    section="otklik.decisions.assortment.section:section",
    example="""\
places = 20                            # number of products to keep, per group if there are groups
# category_places = { bread = 5 }      # categories with places of their own
transfer = 0.45                        # share of a dropped product's value that goes to others its buyers buy
test_days = 90                         # the last days, on which the choice is evaluated
""",
)  # fmt: skip
