"""The shop of the world: products, stores, weekly prices, and the weekly demand for each product.

Expenditure on a product follows (price / usual price)^(1 − elasticity), so that the quantity follows
(price / usual price)^(−elasticity); an advertised discount adds its own factor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import sha256

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr

from otklik.session import frame_of
from otklik.world.draws import Draws
from otklik.world.timeline import DELIVERED_AT, LOCAL_OFFSET

WEEKS = 104
#: The local day, a Monday, on which the first of the WEEKS begins; the last one ends before the files are delivered.
FIRST_DAY = (DELIVERED_AT + LOCAL_OFFSET).date() - timedelta(days=1 + 7 * WEEKS)

#: Category → its five products, and their usual prices in tenge.
ASSORTMENT: Mapping[str, tuple[tuple[str, int], ...]] = {
    "молочное": (("масло", 1500), ("молоко", 550), ("йогурт", 400), ("маргарин", 700), ("сыр", 3200)),
    "детское": (("подгузники", 5200), ("салфетки", 900), ("пюре", 450), ("смесь", 4100), ("игрушки", 2500)),
    "бакалея": (("рис", 700), ("гречка", 650), ("макароны", 480), ("мука", 420), ("сахар", 560)),
    "овощи": (("картофель", 300), ("морковь", 320), ("помидоры", 900), ("огурцы", 850), ("капуста", 280)),
    "фрукты": (("яблоки", 750), ("бананы", 990), ("апельсины", 1100), ("груши", 1400), ("виноград", 1600)),
    "мясо": (("говядина", 3400), ("курица", 1900), ("фарш", 2600), ("колбаса", 2900), ("конина", 3900)),
    "сладости": (("шоколад", 850), ("печенье", 600), ("мороженое", 500), ("торт", 4200), ("конфеты", 2200)),
    "напитки": (("кофе", 3800), ("вода", 250), ("лимонад", 450), ("чай", 1700), ("сок", 800)),
    "хлеб": (("хлеб белый", 220), ("батон", 240), ("булочка", 180), ("хлеб чёрный", 260), ("лепёшка", 200)),
    "дом": (("порошок", 2800), ("мыло", 350), ("губки", 300), ("бумага", 950), ("пакеты", 400)),
    "сад": (("семена", 250), ("удобрения", 1200), ("горшки", 1500), ("перчатки", 600), ("грабли", 3300)),
    "питомцы": (("корм для кошек", 2400), ("корм для собак", 3600), ("наполнитель", 1900), ("миска", 1300),
                ("лакомство", 700)),
}  # fmt: skip
#: Popularity of the five products of a category, in descending order.
_POPULARITY = (2.0, 1.5, 1.0, 0.8, 0.6)
_ELASTICITIES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Pair:
    """Two products that are complements or substitutes.

    Attributes:
        first, second: names in ASSORTMENT.
        probability: that a receipt with the first also gets the second (complements) or, with both, loses the second
            (substitutes).
    """

    first: str
    second: str
    probability: float


COMPLEMENTS = (
    Pair("макароны", "фарш", 0.5),
    Pair("картофель", "морковь", 0.4),
    Pair("корм для кошек", "наполнитель", 0.5),
    Pair("подгузники", "салфетки", 0.6),
)
SUBSTITUTES = (
    Pair("масло", "маргарин", 0.9),
    Pair("хлеб белый", "хлеб чёрный", 0.9),
    Pair("яблоки", "груши", 0.9),
    Pair("кофе", "чай", 0.9),
)
#: Their prices are constant, because an elasticity could not be separated from the effect of the pair.
_PAIRED = {name for pair in (*COMPLEMENTS, *SUBSTITUTES) for name in (pair.first, pair.second)}

#: Factor of an advertised discount on demand, on top of its price effect.
PROMOTION_LIFT = 1.5
_PROMOTED_SHARE = 0.12
_DISCOUNTS = (0.1, 0.2, 0.3)
#: Weeks between changes of usual prices, and their factors.
_WEEKS_OF_A_PRICE = 13
_LEVELS = (0.85, 0.95, 1.0, 1.05, 1.2)

#: Segment → its percentage of the customers, and its preferred categories.
SEGMENTS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "family": (30, ("молочное", "детское", "бакалея")),
    "fresh": (30, ("овощи", "фрукты", "мясо")),
    "treats": (25, ("сладости", "напитки", "хлеб")),
    "home": (15, ("дом", "сад", "питомцы")),
}
#: Factors of a segment's preference for the products of its categories, and of a taste's for those that it likes.
HOME_FACTOR, LIKED_FACTOR = 15.0, 6.0
#: Tastes in each segment: taste k likes every product whose place in its category leaves k when divided by this.
TASTES = 3

STORES = {
    "Алматы": 4, "Астана": 3, "Шымкент": 2, "Караганда": 1, "Актобе": 1, "Атырау": 1,
}  # fmt: skip
STORE_COUNT = sum(STORES.values())


@dataclass(frozen=True)
class Product:
    """A product: its number from 1, name, category, place in the category from 0, and what is planted about it."""

    number: int
    name: str
    category: str
    place: int
    usual_price: int
    popularity: float
    elasticity: float | None

    @property
    def id(self) -> str:
        """Product id in the files."""
        return f"P{self.number:03d}"


@cache
def products() -> tuple[Product, ...]:
    """All products in the order of their numbers; products of pairs have constant prices, so no elasticity.

    Numbers are drawn at random; in the order of the assortment they would reveal category, popularity and taste.
    """
    assortment = [
        (name, category, place, price)
        for category, names in ASSORTMENT.items()
        for place, (name, price) in enumerate(names)
    ]
    elasticities = {
        name: None if name in _PAIRED else _ELASTICITIES[nth % len(_ELASTICITIES)]
        for nth, (name, *_) in enumerate(assortment)
    }
    drawn = sorted(assortment, key=lambda each: sha256(each[0].encode()).digest())
    return tuple(
        Product(number, name, category, place, price, _POPULARITY[place], elasticities[name])
        for number, (name, category, place, price) in enumerate(drawn, start=1)
    )


def number_of(name: str) -> int:
    """The number of a product, from 1."""
    return next(product.number for product in products() if product.name == name)


def liking(product: Product, segment: str, taste: int, without: Collection[str]) -> float:
    """Factor of a segment's and taste's preference for a product."""
    if product.category not in SEGMENTS[segment][1]:
        return 1.0
    of_segment = 1.0 if "segments" in without else HOME_FACTOR
    return of_segment * (LIKED_FACTOR if product.place % TASTES == taste and "tastes" not in without else 1.0)


def prices(spark: SparkSession, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per product and week.

    Returns:
        number (of the product), week (from 0), list_price, price (whole tenge), is_promoted, demand DOUBLE (what the
        expenditure on the product is proportional to, tastes apart).
    """
    rows = [
        (
            product.number,
            float(product.usual_price),
            product.popularity,
            0.0 if "elasticity" in without else product.elasticity or 0.0,
            product.elasticity is not None,
        )
        for product in products()
    ]
    columns = "number BIGINT, usual_price DOUBLE, popularity DOUBLE, elasticity DOUBLE, is_priced BOOLEAN"
    weeks = spark.range(0, WEEKS, 1, 1).withColumnRenamed("id", "week")
    level = _one_of(_LEVELS, draws, "price level", f"week DIV {_WEEKS_OF_A_PRICE}")
    is_promoted = f"is_priced AND {draws.uniform('promotion', 'week')} < {_PROMOTED_SHARE}D"
    lift = 1.0 if "promotions" in without else PROMOTION_LIFT
    return (
        frame_of(spark, rows, columns)
        .crossJoin(weeks)
        .selectExpr(
            "*", f"{is_promoted} AS is_promoted", f"round(usual_price * if(is_priced, {level}, 1D)) AS list_price"
        )
        .selectExpr(
            "*",
            f"if(is_promoted, round(list_price * (1D - {_one_of(_DISCOUNTS, draws, 'discount', 'week')})), list_price)"
            " AS price",
        )
        .selectExpr(
            "number", "week", "list_price", "price", "is_promoted",
            f"popularity * pow(price / usual_price, 1D - elasticity) * if(is_promoted, {lift}D, 1D) AS demand",
        )
    )  # fmt: skip


def choices(week_prices: DataFrame, without: Collection[str]) -> DataFrame:
    """The distribution of products on a receipt line: one row per week, segment and taste.

    Returns:
        week, segment, taste, bounds ARRAY<DOUBLE> (cumulative demand up to and including product k), and
        prices ARRAY<DOUBLE> (of product k).
    """
    of_products = expr("sort_array(collect_list(struct(number, demand, price)))")
    weeks = week_prices.groupBy("week").agg(of_products.alias("of_products"))
    tastes = [
        (segment, taste, [liking(product, segment, taste, without) for product in products()])
        for segment in SEGMENTS
        for taste in range(TASTES)
    ]
    likings = frame_of(week_prices.sparkSession, tastes, "segment STRING, taste INT, likings ARRAY<DOUBLE>")
    wanted = "zip_with(of_products, likings, (product, liking) -> product.demand * liking)"
    bounds = f"""aggregate({wanted}, CAST(array() AS ARRAY<DOUBLE>),
        (done, each) -> concat(done, array(coalesce(try_element_at(done, -1), 0D) + each)))"""
    return weeks.crossJoin(likings).selectExpr(
        "week", "segment", "taste", f"{bounds} AS bounds", "transform(of_products, product -> product.price) AS prices"
    )


def _one_of(values: Sequence[float], draws: Draws, salt: str, *also: str) -> str:
    listed = ", ".join(f"{value}D" for value in values)
    return f"element_at(array({listed}), 1 + CAST({draws.below(len(values), salt, *also)} AS INT))"
