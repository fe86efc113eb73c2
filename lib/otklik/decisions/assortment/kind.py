"""The kind `assortment`: its settings, the frames it reads and the tables it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KindTask


class AssortmentTask(KindTask):
    """Which products to keep on limited places, and whether that beats keeping the best sellers."""

    kind: Literal["assortment"]
    places: int = Field(ge=1, description="products to keep, in each group where there are groups")
    category_places: dict[str, int] = Field(
        default_factory=dict,
        description="category → places of its own; its products do not compete for `places`",
    )
    transfer: float = Field(
        0.45,
        ge=0,
        le=1,
        description="share of a dropped product's value that its buyer spends on another product of the category that "
        "he or she buys, too; 0.45 is the mean over many shops of who takes another item where one is out of stock "
        "(Gruen, Corsten, Bharadwaj 2002). The frame `out_of_stock` measures it",
    )
    test_days: int = Field(
        90,
        ge=1,
        le=3660,
        description="the last days before the moment, on which the choice is judged; what a customer buys in a "
        "category within so many days is one need",
    )
    minimum_gain: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="share of the later value; a set that keeps less more than the best sellers do is "
        "not worth a change",
    )
    minimum_customers: int = Field(200, ge=20, description="fewer customers are too little data, in either period")
    maximum_products: int = Field(
        20_000, ge=10, le=100_000, description="more products, counted in each group, are refused"
    )
    collected_rows: int = Field(
        1_000_000,
        ge=1000,
        le=20_000_000,
        description="needs are collected from so many customers, chosen by a hash, as have about so many rows of "
        "customer, product and period; values and the judgement are of all customers",
    )

    def impossible(self) -> list[str]:
        """Categories without a place."""
        return [
            f"category_places: {category!r} has {places} places; leave out its products by `where`"
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
                en="what was paid for it or, better, the margin; below 0 where it came back",
                ru="сколько за него заплачено или, лучше, маржа; меньше 0, если товар вернули",
            ),
            like=("margin", "profit", "amount", "value", "revenue", "sales"),
        ),
        FrameColumn(
            "category", "string",
            Text(
                en="products of a category may stand in for each other; an empty one: nothing stands in for it",
                ru="товары одной категории могут заменять друг друга; пусто — заменить нечем",
            ),
            is_required=False, is_optional=True, like=("category", "department", "commodity"),
        ),
        FrameColumn(
            "group", "string",
            Text(en="store or region with places of its own", ru="магазин или регион со своими местами"),
            is_optional=True, like=("store", "shop", "region", "country"),
        ),
    ),
)  # fmt: skip

OUT_OF_STOCK = Frame(
    "out_of_stock",
    Text(en="one row per product and day on which there was none", ru="строка — товар и день, когда его не было"),
    (
        FrameColumn(
            "product", "string", Text(en="the product", ru="товар"),
            like=("product", "item", "sku", "stock_code", "article"),
        ),
        FrameColumn("day", "date", Text(en="the day (UTC)", ru="день (UTC)"), like=("day", "date")),
        FrameColumn(
            "group", "string",
            Text(en="the store or region; without it, all", ru="магазин или регион; без него — все"),
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
    "category STRING its category; null: nothing stands in for it",
    "is_kept BOOLEAN whether to keep it: as chosen where that is a gain, else as a best seller",
    "is_chosen BOOLEAN whether it is in the chosen set",
    "is_best_seller BOOLEAN whether it is among as many products of most value",
    "place INT its turn by the rule that is_kept follows, from 1, among the products that it competes with; null "
    "beyond twice the places",
    "value DOUBLE its value in the earlier period",
    "later_value DOUBLE its value in the later period",
    "lost_without DOUBLE of the earlier value, what would be lost if of the kept products it alone went; of one that "
    "is not kept, what it would add",
    "substitute STRING the kept product of the category that its buyers, by value, buy most; null: none",
    "substitute_share DOUBLE share of its value from customers who buy that one, too",
    key=("group", "product"),
)

CURVE = answer_table(
    "curve",
    "what a set of so many products keeps",
    "split STRING earlier | later",
    "method STRING chosen | best_sellers | random",
    "places BIGINT products kept, in all groups",
    "kept DOUBLE share of the value that is kept, what moves to other products included",
    "kept_itself DOUBLE share of the value that is of the kept products themselves",
    "needs DOUBLE share of the value in whose category the customer finds a product that he or she buys",
    "reach DOUBLE share of the customers who find at least one product that they buy",
    key=("split", "method", "places"),
)

TRANSFER = answer_table(
    "transfer",
    "which share of a dropped product's value goes to others",
    "source STRING declared | measured",
    "is_used BOOLEAN whether the choice rests on it",
    "transfer DOUBLE the share",
    "low DOUBLE lower end of its 95 % interval",
    "high DOUBLE upper end",
    "days BIGINT products and days without stock that could be compared",
    "weeks BIGINT weeks in which they lie",
    "missed DOUBLE value that did not come, of customers who also buy another product of the category",
    "gained DOUBLE what the other products of the category brought more",
    key=("source",),
)

KIND = Kind(
    name="assortment",
    title=Text(en="Assortment", ru="Ассортимент"),
    summary=Text(
        en="which products to keep on limited places, and whether that beats keeping the best sellers",
        ru="какие товары оставить на ограниченном числе мест и лучше ли это, чем оставить самые продаваемые",
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
places = 20                            # products to keep, in each group where there are groups
# category_places = { bread = 5 }      # categories with places of their own
transfer = 0.45                        # share of a dropped product's value that goes to another one its buyer buys
test_days = 90                         # the last days, on which the choice is judged
""",
)  # fmt: skip
