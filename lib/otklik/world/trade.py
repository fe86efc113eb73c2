"""Writing the trade of a world: shop, mailings, advertising, subscriptions, each with its truth.

Beside the bank's files (`writing`), which stay as they are. Each part is a function of the number of customers, the
seed and the effects that are switched off, and of no other part: parts can be written one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from otklik.session import frame_of, threads
from otklik.world import advertising, deliveries, mailings, purchases, shop, subscriptions
from otklik.world.draws import Draws, text
from otklik.world.options import PARTS, check_size
from otklik.world.timeline import local_text
from otklik.world.writing import CUSTOMERS_PER_FILE, SourceFacts, is_there, occupied

#: Changes whenever the same seed gives other content.
VERSION = 1

#: Rejected records beside receipts: what is wrong with them → remainder of the customer's number, as in `deliveries`.
RECEIPT_DEFECTS = {"not_a_number": 29, "no_such_date": 137, "missing_required": 199, "negative_price": 263}
#: The first line of the first receipt comes once more.
RECEIPT_COPY = 421

_FACTS_SCHEMA = (
    "version INT, customers BIGINT, seed BIGINT, without ARRAY<STRING>, source STRING, rows BIGINT, duplicates BIGINT, "
    "defects MAP<STRING, BIGINT>"
)


@dataclass(frozen=True)
class _Files:
    """What a part writes: deliveries by folder, all columns texts, and truth by name; both below the world's folder."""

    deliveries: Mapping[str, DataFrame]
    truth: Mapping[str, DataFrame]


def write_part(
    spark: SparkSession, part: str, customers: int, seed: int, out: str, without: Collection[str] = ()
) -> dict[str, SourceFacts]:
    """Write one part: OUT/SOURCE/ for its sources, OUT/truth/NAME.parquet, OUT/facts/PART.json.

    Equal arguments give equal content on any number of cores and partitions. A part that stands there already, of the
    same size, seed and effects, is left as it is.

    Args:
        spark: the session; its time zone must be UTC.
        part: a name of PARTS.
        customers: 1,000 to 1,000,000.
        seed: the world's seed.
        out: a folder, or a URI of a Hadoop scheme.
        without: effects to switch off; those of other parts change nothing here.

    Returns:
        Source → what an exact ingest finds in it.

    Raises:
        ConfigurationError: if there are too few or too many customers, or the seed has more than 64 bits.
        RefusedError: if something else stands there.
    """
    check_size(customers, seed)
    off = sorted(set(without) & set(PARTS[part]))
    standing = _read_facts(spark, part, out)
    if standing is not None:
        if standing[0] == (customers, seed, off):
            return standing[1]
        raise occupied(out)
    files = _FILES[part](spark, customers, Draws(seed), off)
    paths = {
        **{f"{out}/{name}": rows for name, rows in files.deliveries.items()},
        **{f"{out}/truth/{name}.parquet": rows for name, rows in files.truth.items()},
    }
    if any(is_there(spark, path) for path in paths):
        raise occupied(out)
    with threads(spark, len(paths)) as pool:
        list(pool.map(lambda path: _write(paths[path], path), paths))
    facts = {source: _facts(spark, source, customers, f"{out}/{source}") for source in files.deliveries}
    rows = [
        (VERSION, customers, seed, off, source, found.rows, found.duplicates, dict(found.defects))
        for source, found in facts.items()
    ]
    # Written last: a part without it was not finished.
    frame_of(spark, rows, _FACTS_SCHEMA).coalesce(1).write.json(f"{out}/facts/{part}.json")
    return facts


def _shop(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    buyers = purchases.with_purchases(_numbers(spark, customers), draws, without)
    prices = shop.prices(spark, draws, without)
    lines = purchases.lines(buyers, shop.choices(prices, without), draws, without)
    products = frame_of(
        spark,
        [(product.id, product.name, product.category) for product in shop.products()],
        "product_id STRING, name STRING, category STRING",
    )
    stores = [(f"T{number:02d}", city) for number, city in enumerate(_store_cities(), start=1)]
    return _Files(
        {
            "receipts": _receipt_records(lines),
            "products": products.coalesce(1),
            "stores": frame_of(spark, stores, "store_id STRING, city STRING").coalesce(1),
            "prices": _price_records(prices).coalesce(1),
        },
        {
            "buyers": buyers.selectExpr(
                "customer_id", "segment", "taste", "purchase_rate", "dropout_probability", "has_dropped_out",
                "spend_rate", "size(receipts) AS receipts",
            ),
            "products": _product_truth(spark, without).coalesce(1),
            "pairs": _pair_truth(spark, without).coalesce(1),
            "likings": _liking_truth(spark, without).coalesce(1),
            "busyness": _busyness_truth(spark, without).coalesce(1),
        },
    )  # fmt: skip


def _mailings(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    buyers = purchases.with_purchases(_numbers(spark, customers), draws, without)
    contacts = mailings.contacts(buyers, draws, without)
    return _Files({"mailings": mailings.records(contacts)}, {"mailings": mailings.truth(contacts)})


def _advertising(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    """That of the whole country, whatever the number of customers."""
    media = advertising.media_weeks(spark, draws, without)
    revenue = advertising.revenue_weeks(media, draws)
    monday = f"{advertising.monday_of('week')} AS week_starts_on"
    whole = "CAST(CAST({0} AS BIGINT) AS STRING) AS {0}"
    return _Files(
        {
            "media_weeks": media.orderBy("week", "number")
            .selectExpr(monday, "channel", whole.format("spend"))
            .coalesce(1),
            "revenue_weeks": revenue.selectExpr(monday, whole.format("revenue")).coalesce(1),
        },
        {
            "channels": frame_of(
                spark,
                [
                    (channel.name, channel.carry_over, channel.half, channel.shape, channel.effect)
                    for channel in advertising.CHANNELS
                ],
                "channel STRING, carry_over DOUBLE, half DOUBLE, shape DOUBLE, effect DOUBLE",
            ).coalesce(1),
            "media_weeks": media.selectExpr(monday, "channel", "effective_spend", "effect").coalesce(1),
            "revenue_weeks": revenue.selectExpr(monday, "base", "effect").coalesce(1),
        },
    )


def _subscriptions(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = subscriptions.with_subscriptions(_numbers(spark, customers), draws, without)
    return _Files(
        {
            "subscriptions": subscriptions.records(made),
            "support_calls": subscriptions.call_records(made, draws),
        },
        {"subscriptions": subscriptions.truth(made)},
    )


_FILES: Mapping[str, Callable[[SparkSession, int, Draws, Collection[str]], _Files]] = {
    "shop": _shop,
    "mailings": _mailings,
    "advertising": _advertising,
    "subscriptions": _subscriptions,
}


def _numbers(spark: SparkSession, customers: int) -> DataFrame:
    """The customers' numbers, one partition per file: the range is padded so that its partitions are equally long."""
    files = -(-customers // CUSTOMERS_PER_FILE)
    padded = spark.range(0, files * CUSTOMERS_PER_FILE, 1, files)
    return padded.where(f"id < {customers}L").withColumnRenamed("id", "number")


def _receipt_records(lines: DataFrame) -> DataFrame:
    """The lines as the tills export them, in local time, with planted defects beside good records."""
    good = {
        "receipt_id": "concat('R', lpad(number * 1000 + receipt, 10, '0'))",
        "line": "CAST(line AS STRING)",
        "customer_id": "customer_id",
        "store_id": "concat('T', lpad(store, 2, '0'))",
        "bought_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
        "product_id": "concat('P', lpad(product, 3, '0'))",
        "quantity": "format_string('%.3f', quantity)",
        "price": "CAST(CAST(price AS BIGINT) AS STRING)",
        "amount": "format_string('%.2f', amount)",
    }
    # A defect is a record of its own, of a receipt that is not there.
    own = {**good, "receipt_id": "concat('D', lpad(number, 10, '0'))"}
    broken = {
        "not_a_number": {**own, "quantity": "'полтора'"},
        "no_such_date": {**own, "bought_at": "'2025-02-30 12:00:00'"},
        "missing_required": {**own, "product_id": "''"},
        "negative_price": {**own, "price": "'-1'"},
    }
    is_first = "receipt = 0 AND line = 1"
    beside = "\n".join(
        f"WHEN number % {deliveries.DEFECT_EVERY} = {remainder} THEN {_struct(broken[kind])}"
        for kind, remainder in RECEIPT_DEFECTS.items()
    )
    copy = f"WHEN number % {deliveries.DEFECT_EVERY} = {RECEIPT_COPY} THEN {_struct(good)}"
    further = f"if({is_first}, CASE {beside} {copy} END, NULL)"
    records = f"array_compact(array({_struct(good)}, {further}))"
    return lines.selectExpr(f"inline({records})")


def _struct(fields: Mapping[str, str]) -> str:
    return "named_struct(" + ", ".join(f"{text(name)}, {sql}" for name, sql in fields.items()) + ")"


def _price_records(prices: DataFrame) -> DataFrame:
    return prices.orderBy("week", "number").selectExpr(
        "concat('P', lpad(number, 3, '0')) AS product_id",
        f"date_format(date_add(DATE'{shop.FIRST_DAY}', CAST(7 * week AS INT)), 'yyyy-MM-dd') AS week_starts_on",
        "CAST(CAST(list_price AS BIGINT) AS STRING) AS list_price",
        "CAST(CAST(price AS BIGINT) AS STRING) AS price",
        "if(is_promoted, 'yes', 'no') AS advertised",
    )


def _store_cities() -> list[str]:
    return [city for city, count in shop.STORES.items() for _ in range(count)]


def _product_truth(spark: SparkSession, without: Collection[str]) -> DataFrame:
    rows = [
        (product.id, product.popularity, 0.0 if "elasticity" in without and product.elasticity else product.elasticity)
        for product in shop.products()
    ]
    return frame_of(spark, rows, "product_id STRING, popularity DOUBLE, elasticity DOUBLE")


def _pair_truth(spark: SparkSession, without: Collection[str]) -> DataFrame:
    by_name = {product.name: product.id for product in shop.products()}
    planted = {
        "complement": () if "rules" in without else shop.COMPLEMENTS,
        "substitute": () if "negative_rules" in without else shop.SUBSTITUTES,
    }
    rows = [
        (by_name[pair.first], by_name[pair.second], kind, pair.probability)
        for kind, pairs in planted.items()
        for pair in pairs
    ]
    return frame_of(spark, rows, "first STRING, second STRING, kind STRING, probability DOUBLE")


def _liking_truth(spark: SparkSession, without: Collection[str]) -> DataFrame:
    rows = [
        (segment, taste, product.id, product.popularity * shop.liking(product, segment, taste, without))
        for segment in shop.SEGMENTS
        for taste in range(shop.TASTES)
        for product in shop.products()
    ]
    return frame_of(spark, rows, "segment STRING, taste INT, product_id STRING, weight DOUBLE")


def _busyness_truth(spark: SparkSession, without: Collection[str]) -> DataFrame:
    rows = list(enumerate(purchases.busyness(without)))
    days = frame_of(spark, rows, "day INT, busyness DOUBLE")
    return days.selectExpr(f"date_add(DATE'{shop.FIRST_DAY}', day) AS day", "busyness")


def _write(rows: DataFrame, path: str) -> None:
    """CSV with a header for a delivery, Parquet for the truth; fails if the path exists."""
    if "/truth/" in path:
        rows.write.parquet(path)
    else:
        rows.write.option("header", "true").option("emptyValue", "").csv(path)


def _facts(spark: SparkSession, source: str, customers: int, path: str) -> SourceFacts:
    """Count what was written; the defects in it by arithmetic."""
    rows = spark.read.option("header", "true").csv(path).count()
    remainders = RECEIPT_DEFECTS if source == "receipts" else {}
    defects = {kind: deliveries.defects_of(remainder, customers) for kind, remainder in remainders.items()}
    duplicates = deliveries.defects_of(RECEIPT_COPY, customers) if source == "receipts" else 0
    return _source_facts(rows, duplicates, defects)


def _source_facts(rows: int, duplicates: int, defects: Mapping[str, int]) -> SourceFacts:
    return SourceFacts(rows, rows - duplicates - sum(defects.values()), 0, duplicates, defects)


def _read_facts(
    spark: SparkSession, part: str, out: str
) -> tuple[tuple[int, int, list[str]], dict[str, SourceFacts]] | None:
    """The arguments and facts of the part that stands at OUT; None where none of this version was finished."""
    try:
        rows = spark.read.schema(_FACTS_SCHEMA).json(f"{out}/facts/{part}.json/*.json").collect()
    except AnalysisException:
        return None
    current = [row for row in rows if row["version"] == VERSION]
    if not current:
        return None
    facts = {row["source"]: _source_facts(row["rows"], row["duplicates"], row["defects"]) for row in current}
    return (current[0]["customers"], current[0]["seed"], list(current[0]["without"])), facts
