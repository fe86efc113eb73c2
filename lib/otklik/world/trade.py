"""Write the parts of a world other than the bank: the shop, its campaigns, social networks, each with its truth.

The bank's files (`writing`) do not change. Each part depends on the number of customers, the seed and the disabled
effects, and on no other part: parts can be written one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.functions import expr

from otklik.errors import ConfigurationError, RefusedError
from otklik.session import analysed, frame_of, threads
from otklik.world import (
    advertising,
    deliveries,
    dialogue,
    geo_advertising,
    journeys,
    mailings,
    offers,
    purchases,
    shop,
    social,
    subscriptions,
    trials,
    visits,
)  # fmt: skip
from otklik.world.draws import Draws, text
from otklik.world.options import PARTS, check_size
from otklik.world.planted import effect_sizes, effects_path
from otklik.world.timeline import FIRST_MOMENT, LOCAL_OFFSET, local_text
from otklik.world.writing import CUSTOMERS_PER_FILE, SourceFacts, is_there, occupied

#: Changes whenever the same seed gives other content.
VERSION = 2

#: Source → its rejected records: defect → remainder of the customer's number, as in `deliveries`.
DEFECTS: Mapping[str, Mapping[str, int]] = {
    "receipts": {"not_a_number": 29, "no_such_date": 137, "missing_required": 199, "negative_price": 263},
    "accounts": {"unknown_level": 31, "no_such_date": 139, "missing_required": 203},
    "sends": {"not_a_time": 37, "unknown_level": 149, "missing_required": 211},
    "leads": {"not_a_number": 41, "unknown_level": 151, "missing_required": 223},
    "exposures": {"not_a_time": 43, "unknown_level": 157, "missing_required": 227},
    "consents": {"not_a_time": 47, "unknown_level": 163, "missing_required": 229},
    "support_messages": {"not_a_time": 53, "unknown_level": 167, "missing_required": 233},
}
#: Source → remainder of the customers whose first record is repeated.
COPIES: Mapping[str, int] = {"receipts": 421, "accounts": 431, "sends": 433, "leads": 439, "consents": 443}
#: Kind of receipt line that is not a purchase → the customers with one, after their first purchase: one customer in
#: this many, and the remainder. A return returns the first line of that purchase; a cancelled receipt was never paid.
NO_PURCHASES: Mapping[str, tuple[int, int]] = {"return": (20, 3), "cancelled": (40, 17)}

_FIRST_LINE = "receipt = 0 AND line = 1"

_FACTS_SCHEMA = (
    "version INT, customers BIGINT, seed BIGINT, without ARRAY<STRING>, source STRING, rows BIGINT, duplicates BIGINT, "
    "defects MAP<STRING, BIGINT>"
)


@dataclass(frozen=True)
class _Files:
    """The output of a part: deliveries by folder (string columns only), truth by name; both in the world's folder."""

    deliveries: Mapping[str, DataFrame]
    truth: Mapping[str, DataFrame]


def write_part(
    spark: SparkSession, part: str, customers: int, seed: int, out: str, without: Collection[str] = ()
) -> dict[str, SourceFacts]:
    """Write one part: OUT/SOURCE/ for its sources, OUT/truth/NAME.parquet, OUT/truth/effects/PART.parquet,
    OUT/facts/PART.json.

    Equal arguments give equal content on any number of cores and partitions. An existing part of the same size, seed
    and effects is left as it is.

    Args:
        spark: the session; its time zone must be UTC.
        part: a name of PARTS.
        customers: 1,000 to 1,000,000.
        seed: the world's seed.
        out: a folder, or a URI of a Hadoop scheme.
        without: effects to disable; those of other parts are ignored.

    Returns:
        Source → the counts that an exact ingest finds.

    Raises:
        ConfigurationError: if there are too few or too many customers, or the seed has more than 64 bits.
        RefusedError: if the folder contains something else.
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
        **({f"{out}/{effects_path(part)}": effect_sizes(spark, part, off)} if PARTS[part] else {}),
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


def play_campaign(
    spark: SparkSession, customers: int, seed: int, out: str, listed: str, without: Collection[str] = ()
) -> tuple[str, dict[str, int]]:
    """Simulate a campaign of the offer: contacts of the list, and orders of everybody.

    Writes OUT/CAMPAIGN/offer_contacts/ and OUT/CAMPAIGN/offer_orders/. The same list gives the same result.

    Args:
        spark: the session; its time zone must be UTC.
        customers: number of customers of the world at OUT.
        seed: its seed.
        out: its folder.
        listed: a .csv file with the columns campaign, unit, arm and moment of gold.lists.
        without: effects that are disabled in that world.

    Returns:
        The campaign, and source → records.

    Raises:
        ConfigurationError: if the file is not a list of one campaign for customers of this world.
        RefusedError: if that world is not at OUT, or the campaign is already there.
    """
    off = sorted(set(without) & set(PARTS["offers"]))
    standing = _read_facts(spark, "offers", out)
    if standing is None or standing[0] != (customers, seed, off):
        raise RefusedError(
            "the part offers of a world with this size, seed and effects was not found",
            where=out,
            hint="write it first, with the same options and without --list",
        )
    draws = Draws(seed)
    everybody = offers.with_chances(_numbers(spark, customers), draws, off)
    rows = _listed(spark, listed)
    facts = rows.agg(
        F.count("*").alias("rows"),
        F.count_distinct("campaign").alias("campaigns"),
        F.max("campaign").alias("campaign"),
        F.max("made_us").alias("made_us"),
    ).first()
    known = rows.join(everybody, rows["unit"] == everybody["customer_id"], "left_semi").count()
    if facts is None or facts["campaigns"] != 1 or known < facts["rows"]:
        raise ConfigurationError(
            "not the list of one campaign for customers of this world",
            where=listed,
            hint="export it with --where \"campaign = 'NAME'\" --columns campaign,unit,arm,moment",
        )
    campaign = facts["campaign"]
    planned = everybody.join(rows, everybody["customer_id"] == rows["unit"], "left").selectExpr(
        "number", "customer_id", "chance_with", "chance_without", f"{text(campaign)} AS campaign",
        f"{facts['made_us']}L AS made_us", "coalesce(arm = 'contact', false) AS is_contact",
    )  # fmt: skip
    found = offers.records(offers.played(planned, draws))
    if any(is_there(spark, f"{out}/{campaign}/{source}") for source in found):
        raise occupied(f"{out}/{campaign}")
    for source, records in found.items():
        _write(records, f"{out}/{campaign}/{source}")
    return campaign, {
        source: spark.read.option("header", "true").csv(f"{out}/{campaign}/{source}").count() for source in found
    }


def _listed(spark: SparkSession, path: str) -> DataFrame:
    """The rows of a list: campaign, unit, arm, made_us.

    Raises:
        ConfigurationError: if the file is missing or has other columns.
    """
    try:
        return analysed(
            spark.read.option("header", "true")
            .csv(path)
            .selectExpr("campaign", "unit", "arm", "unix_micros(CAST(moment AS TIMESTAMP)) AS made_us")
        )
    except AnalysisException:
        raise ConfigurationError(
            "no .csv file with the columns campaign, unit, arm and moment",
            where=path,
            hint="otklik export gold.lists --columns campaign,unit,arm,moment --to FILE",
        ) from None


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
            "no_purchases": _no_purchase_truth(lines),
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
            "channels": advertising.channels(spark, without)
            .selectExpr("channel", "carry_over", "half", "shape", "most AS effect")
            .coalesce(1),
            "media_weeks": media.selectExpr(monday, "channel", "effective_spend", "effect").coalesce(1),
            "revenue_weeks": revenue.selectExpr(monday, "base", "effect").coalesce(1),
        },
    )


def _geo_advertising(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    """That of the whole country, whatever the number of customers."""
    media = geo_advertising.media_weeks(spark, draws, without)
    revenue = geo_advertising.revenue_weeks(media, spark, draws)
    key = ("region", f"date_format({geo_advertising.day_of('week')}, 'yyyy-MM-dd') AS week_starts_on")
    whole = "CAST(CAST({0} AS BIGINT) AS STRING) AS {0}"
    return _Files(
        {
            "geo_media_weeks": media.orderBy("number", "week", "place")
            .selectExpr(*key, "channel", whole.format("spend"))
            .coalesce(1),
            "geo_revenue_weeks": revenue.selectExpr(
                *key, whole.format("inhabitants"), "CAST(price_index AS STRING) AS price_index",
                "if(is_holiday, 'yes', 'no') AS is_holiday", whole.format("revenue"),
            ).coalesce(1),
        },
        {
            "geo_channels": media.where("week = 0")
            .selectExpr("region", "channel", "carry_over", "half", "shape", "most AS effect")
            .coalesce(1),
            "geo_media_weeks": media.selectExpr(*key, "channel", "effective_spend", "effect").coalesce(1),
            "geo_revenue_weeks": revenue.selectExpr(*key, "base", "effect").coalesce(1),
        },
    )  # fmt: skip


def _subscriptions(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = subscriptions.with_subscriptions(_numbers(spark, customers), draws, without)
    return _Files(
        {
            "subscriptions": subscriptions.records(made),
            "support_calls": subscriptions.call_records(made, draws),
        },
        {"subscriptions": subscriptions.truth(made)},
    )


def _social(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    everybody = social.with_social(_numbers(spark, customers), customers, draws, without)
    accounts = social.accounts(everybody, draws, without)
    ties, mentions = social.ties(everybody, draws), social.mentions(everybody, draws, without)
    of_person = "concat('C', lpad({} + 1, 7, '0'))"
    first_day = f"DATE'{FIRST_MOMENT + LOCAL_OFFSET:%Y-%m-%d}'"
    said_at = local_text("us", "yyyy-MM-dd HH:mm:ss")
    # Sorted by random names: the order of customers would reveal the owners of accounts.
    return _Files(
        {
            "accounts": _account_records(accounts).sortWithinPartitions("account_id"),
            "ties": ties.selectExpr(
                "follower_id", "followed_id", "network", "date_format(since, 'yyyy-MM-dd') AS since"
            ).sortWithinPartitions("follower_id", "followed_id"),
            "reactions": social.reactions(everybody, draws, without)
            .selectExpr("reaction_id", "account_id", "kind", "topic", f"{said_at} AS reacted_at")
            .sortWithinPartitions("reaction_id"),
            "mentions": mentions.selectExpr(
                "mention_id", "account_id", "network", f"{said_at} AS published_at", "text"
            ).sortWithinPartitions("mention_id"),
        },
        {
            "accounts": accounts.selectExpr(
                "account_id", f"if(kind = 'bot', NULL, {of_person.format('number')}) AS customer_id",
                "kind", "spelling",
            ),
            "people": everybody.selectExpr(
                f"{of_person.format('number')} AS customer_id", "community",
                f"date_add({first_day}, CAST(liked_day AS INT)) AS liked_on",
                f"date_add({first_day}, CAST(own_day AS INT)) AS own_on",
                f"date_add({first_day}, CAST(passed_day AS INT)) AS passed_on",
                f"{of_person.format('passed_by')} AS passed_by",
            ),
            "mentions": mentions.selectExpr("mention_id", "language", "tone", "is_crisis"),
        },
    )  # fmt: skip


def _account_records(accounts: DataFrame) -> DataFrame:
    good = {
        "account_id": "account_id",
        "network": "network",
        "handle": "handle",
        "display_name": "coalesce(display_name, '')",
        "city": "coalesce(city, '')",
        "created_on": "date_format(created_on, 'yyyy-MM-dd')",
    }
    own = {**good, "account_id": "concat('d', account_id)"}
    broken = {
        "unknown_level": {**own, "network": "'icq'"},
        "no_such_date": {**own, "created_on": "'2024-02-30'"},
        "missing_required": {**own, "handle": "''"},
    }
    return _records("accounts", accounts, good, broken, "nth = 0 AND kind = 'person'")


def _stock(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    """That of the whole company, whatever the number of customers."""
    days = trials.stock_days(spark, draws, without)
    key = ("store AS store_id", "product AS product_id", "date_format(day, 'yyyy-MM-dd') AS day")
    return _Files(
        {"stock_days": days.selectExpr(*key, "CAST(opening AS STRING) AS opening", "CAST(sold AS STRING) AS sold")},
        {"stock_days": days.selectExpr(*key, "wanted")},
    )


def _regions(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    weeks = trials.region_weeks(spark, draws, without)
    monday = "date_format(monday, 'yyyy-MM-dd') AS week_starts_on"
    revenue = "CAST(CAST(revenue AS BIGINT) AS STRING) AS revenue"
    return _Files(
        {"region_weeks": weeks.selectExpr("region", monday, "arm", revenue).coalesce(1)},
        {"region_weeks": weeks.selectExpr("region", monday, "lift").coalesce(1)},
    )


def _sends(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = trials.sends(_numbers(spark, customers), draws, without)
    good = {
        "send_id": "send_id",
        "customer_id": "customer_id",
        "sent_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
        "opened": "if(is_opened, 'yes', 'no')",
        "opened_at": f"coalesce({local_text('opened_us', 'yyyy-MM-dd HH:mm:ss')}, '')",
    }
    own = {**good, "send_id": "concat('D', send_id)"}
    broken = {
        "not_a_time": {**own, "sent_at": "'вчера'"},
        "unknown_level": {**own, "opened": "'?'"},
        "missing_required": {**own, "customer_id": "''"},
    }
    hours = made.where("n = 0").selectExpr("customer_id", "favourite_hour")
    return _Files({"sends": _records("sends", made, good, broken, "n = 0")}, {"send_hours": hours})


def _cards(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    uses = trials.card_uses(_numbers(spark, customers), draws, without)
    used_at = local_text("us", "yyyy-MM-dd HH:mm:ss")
    return _Files(
        {
            "card_uses": uses.selectExpr(
                "use_id", "card_id", f"{used_at} AS used_at", "concat('T', lpad(store, 2, '0')) AS store_id"
            )
        },
        {
            "cards": uses.where("n = 0").selectExpr("card_id", "is_shared"),
            "card_uses": uses.selectExpr("use_id", "card_id", "user"),
        },
    )


def _leads(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = trials.leads(_numbers(spark, customers), draws, without)
    good = {
        "lead_id": "lead_id",
        "came_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
        "came_by": "came_by",
        "income": "format_string('%.3f', income)",
        "won": "if(is_won, 'yes', 'no')",
    }
    own = {**good, "lead_id": "concat('D', lead_id)"}
    broken = {
        "not_a_number": {**own, "income": "'много'"},
        "unknown_level": {**own, "came_by": "'fax'"},
        "missing_required": {**own, "came_at": "''"},
    }
    return _Files(
        {"leads": _records("leads", made, good, broken, "true")}, {"leads": made.selectExpr("lead_id", "probability")}
    )


def _signals(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    """Those of the whole company, whatever the number of customers."""
    days = trials.signal_days(spark, draws, without).withColumn("day", expr("date_format(day, 'yyyy-MM-dd')"))
    signals = ", ".join(f"struct({text(name)} AS signal, {name} AS value)" for name in trials.SIGNALS)
    return _Files(
        {
            "order_days": days.selectExpr("day", "CAST(orders AS STRING) AS orders"),
            "signal_days": days.selectExpr("day", f"inline(array({signals}))").selectExpr(
                "day", "signal", "CAST(value AS STRING) AS value"
            ),
        },
        {},
    )


def _journeys(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = journeys.journeys(_numbers(spark, customers), draws, without)
    seen = made.selectExpr("number", "customer_id", "posexplode_outer(exposures) AS (place, at)").selectExpr(
        "number", "place", "customer_id", "at.*"
    )
    good = {
        "exposure_id": f"lower(hex({draws.bits('exposure id', 'channel', 'nth')}))",
        "customer_id": "customer_id",
        "campaign_id": "campaign",
        "channel": "channel",
        "exposed_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
    }
    own = {**good, "exposure_id": "concat('d', number)"}
    broken = {
        "not_a_time": {**own, "exposed_at": "'вчера'"},
        "unknown_level": {**own, "channel": "'fax'"},
        "missing_required": {**own, "customer_id": "''"},
    }
    channels = [*journeys.CHANNELS, journeys.RETARGETING]
    campaigns = [(one.campaign, f"{one.name} 2025", one.name, str(one.budget)) for one in channels]
    effects = [(one.name, 0.0 if "exposures" in without else one.effect) for one in channels]
    return _Files(
        {
            "campaigns": frame_of(
                spark, campaigns, "campaign_id STRING, name STRING, channel STRING, budget STRING"
            ).coalesce(1),
            "exposures": _records(
                "exposures", seen, good, broken, "coalesce(place, 0) = 0", is_there="place IS NOT NULL"
            ),
            "conversions": made.where("ordered_us IS NOT NULL").selectExpr(
                f"lower(hex({draws.bits('conversion id')})) AS conversion_id", "customer_id",
                f"{local_text('ordered_us', 'yyyy-MM-dd HH:mm:ss')} AS converted_at",
                "format_string('%.2f', amount) AS amount",
            ),
        },
        {
            "journeys": made.selectExpr("customer_id", "probability"),
            "exposure_effects": frame_of(spark, effects, "channel STRING, effect DOUBLE").coalesce(1),
        },
    )  # fmt: skip


def _consents(spark: SparkSession, customers: int, draws: Draws, _: Collection[str]) -> _Files:
    made = dialogue.consents(_numbers(spark, customers), draws)
    good = {
        "consent_id": "consent_id",
        "customer_id": "customer_id",
        "channel": "channel",
        "state": "state",
        "recorded_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
    }
    own = {**good, "consent_id": "concat('D', consent_id)"}
    broken = {
        "not_a_time": {**own, "recorded_at": "'давно'"},
        "unknown_level": {**own, "state": "'maybe'"},
        "missing_required": {**own, "customer_id": "''"},
    }
    return _Files(
        {"consents": _records("consents", made, good, broken, "n = 0")},
        {"consents": made.where("n % 2 = 0").selectExpr("customer_id", "channel", "is_allowed")},
    )


def _support(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = dialogue.support_messages(_numbers(spark, customers), draws, without)
    good = {
        "message_id": "message_id",
        "customer_id": "customer_id",
        "written_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
        "text": "text",
        "topic": "topic",
    }
    # For somebody without messages only the record itself can be broken.
    own = {**good, "message_id": "concat('d', number)", "written_at": "'2025-03-03 10:00:00'", "text": "'?'"}
    own["topic"] = "'refund'"
    broken = {
        "not_a_time": {**own, "written_at": "'вчера'"},
        "unknown_level": {**own, "topic": "'прочее'"},
        "missing_required": {**own, "customer_id": "''"},
    }
    records = _records(
        "support_messages", made, good, broken, "coalesce(i, 1) = 1", is_there="i IS NOT NULL"
    ).sortWithinPartitions("message_id")
    truth = made.where("i IS NOT NULL").selectExpr("message_id", "true_topic AS topic")
    return _Files({"support_messages": records}, {"support_messages": truth})


def _posts(spark: SparkSession, _: int, draws: Draws, without: Collection[str]) -> _Files:
    """Those of the whole company, whatever the number of customers."""
    made = dialogue.posts(spark, draws, without)
    posted = f"{local_text('us', 'yyyy-MM-dd HH:mm:ss')} AS posted_at"
    counts = ("CAST(reactions AS STRING) AS reactions", "CAST(comments AS STRING) AS comments")
    return _Files(
        {"posts": made.selectExpr("post_id", "network", posted, "format", "topic", *counts)},
        {"posts": made.selectExpr("post_id", "expected")},
    )


def _offers(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    everybody = offers.with_chances(_numbers(spark, customers), draws, without)
    pilot = offers.played(offers.pilot(everybody, draws), draws)
    return _Files(
        {
            "offer_customers": everybody.selectExpr(
                "customer_id", "CAST(visits AS STRING) AS visits", "CAST(months AS STRING) AS months", "city"
            ),
            **offers.records(pilot),
        },
        {"offers": everybody.selectExpr("customer_id", "chance_with", "chance_without")},
    )


def _visits(spark: SparkSession, customers: int, draws: Draws, without: Collection[str]) -> _Files:
    made = visits.offers(_numbers(spark, customers), draws, without)
    happened = f"{local_text('us', 'yyyy-MM-dd HH:mm:ss.SSSSSS')} AS happened_at"
    offered = f"{local_text('us', 'yyyy-MM-dd HH:mm:ss')} AS offered_at"
    return _Files(
        {
            "app_events": visits.events(made).selectExpr("event_id", "customer_id", happened, "kind"),
            "app_offers": made.selectExpr("customer_id", offered, "if(is_taken, 'yes', 'no') AS taken"),
        },
        {"app_offers": made.selectExpr("customer_id", "is_in_order", "probability")},
    )


_FILES: Mapping[str, Callable[[SparkSession, int, Draws, Collection[str]], _Files]] = {
    "shop": _shop,
    "mailings": _mailings,
    "advertising": _advertising,
    "subscriptions": _subscriptions,
    "social": _social,
    "stock": _stock,
    "regions": _regions,
    "sends": _sends,
    "cards": _cards,
    "leads": _leads,
    "signals": _signals,
    "journeys": _journeys,
    "consents": _consents,
    "support": _support,
    "posts": _posts,
    "offers": _offers,
    "visits": _visits,
    "geo_advertising": _geo_advertising,
}


def _numbers(spark: SparkSession, customers: int) -> DataFrame:
    """The customers' numbers, one partition per file: the range is padded so that its partitions are equally long."""
    files = -(-customers // CUSTOMERS_PER_FILE)
    padded = spark.range(0, files * CUSTOMERS_PER_FILE, 1, files)
    return padded.where(f"id < {customers}L").withColumnRenamed("id", "number")


def _receipt_records(lines: DataFrame) -> DataFrame:
    """The lines as exported by the tills, in local time, with planted defects."""
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
        "kind": "'sale'",
    }
    beside = {
        "return": {
            **good,
            "bought_at": local_text("us + 3 * 86400000000", "yyyy-MM-dd HH:mm:ss"),
            "quantity": "format_string('%.3f', -quantity)",
            "amount": "format_string('%.2f', -amount)",
        },
        "cancelled": {**good, "bought_at": local_text("us + 600000000", "yyyy-MM-dd HH:mm:ss")},
    }
    further = [
        f"if(number % {every} = {remainder}, "
        f"{_struct({**beside[kind], 'receipt_id': _no_purchase_id(kind), 'kind': text(kind)})}, NULL)"
        for kind, (every, remainder) in NO_PURCHASES.items()
    ]
    own = {**good, "receipt_id": "concat('D', lpad(number, 10, '0'))"}
    broken = {
        "not_a_number": {**own, "quantity": "'полтора'"},
        "no_such_date": {**own, "bought_at": "'2025-02-30 12:00:00'"},
        "missing_required": {**own, "product_id": "''"},
        "negative_price": {**own, "price": "'-1'"},
    }
    return _records("receipts", lines, good, broken, _FIRST_LINE, further)


def _no_purchase_id(kind: str) -> str:
    return f"concat({text('V' if kind == 'return' else 'A')}, lpad(number * 1000 + receipt, 10, '0'))"


def _no_purchase_truth(lines: DataFrame) -> DataFrame:
    """Lines that are not purchases: receipt_id, line, kind, of_receipt (the original receipt)."""
    found = ", ".join(
        f"if(number % {every} = {remainder}, struct({_no_purchase_id(kind)} AS receipt_id, line, {text(kind)} AS kind, "
        "concat('R', lpad(number * 1000 + receipt, 10, '0')) AS of_receipt), NULL)"
        for kind, (every, remainder) in NO_PURCHASES.items()
    )
    return lines.where(_FIRST_LINE).selectExpr(f"inline(array_compact(array({found})))")


def _records(
    source: str,
    rows: DataFrame,
    good: Mapping[str, str],
    broken: Mapping[str, Mapping[str, str]],
    is_first: str,
    further: Sequence[str] = (),
    is_there: str = "true",
) -> DataFrame:
    """Good records, with defects and copies after the first record of some customers.

    Args:
        source: determines DEFECTS and COPIES.
        rows: with the customer's `number`.
        good: column → SQL of its text.
        broken: likewise for each defect, a separate record.
        is_first: SQL: whether a row is the customer's first one, which everybody has.
        further: SQL of additional good records, or null.
        is_there: SQL: whether a row has a good record; false for customers without one.
    """
    beside = "\n".join(
        f"WHEN number % {deliveries.DEFECT_EVERY} = {remainder} THEN {_struct(broken[kind])}"
        for kind, remainder in DEFECTS[source].items()
    )
    if source in COPIES:
        beside += f" WHEN number % {deliveries.DEFECT_EVERY} = {COPIES[source]} THEN {_struct(good)}"
    more = "".join(f", if({is_first}, {record}, NULL)" for record in (f"CASE {beside} END", *further))
    return rows.selectExpr(f"inline(array_compact(array(if({is_there}, {_struct(good)}, NULL){more})))")


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
    """Count the written records; defects are counted by arithmetic."""
    rows = spark.read.option("header", "true").csv(path).count()
    defects = {kind: deliveries.defects_of(remainder, customers) for kind, remainder in DEFECTS.get(source, {}).items()}
    duplicates = deliveries.defects_of(COPIES[source], customers) if source in COPIES else 0
    return _source_facts(rows, duplicates, defects)


def _source_facts(rows: int, duplicates: int, defects: Mapping[str, int]) -> SourceFacts:
    return SourceFacts(rows, rows - duplicates - sum(defects.values()), 0, duplicates, defects)


def _read_facts(
    spark: SparkSession, part: str, out: str
) -> tuple[tuple[int, int, list[str]], dict[str, SourceFacts]] | None:
    """The arguments and facts of the part at OUT; None if there is no complete one of this version."""
    try:
        rows = spark.read.schema(_FACTS_SCHEMA).json(f"{out}/facts/{part}.json/*.json").collect()
    except AnalysisException:
        return None
    current = [row for row in rows if row["version"] == VERSION]
    if not current:
        return None
    facts = {row["source"]: _source_facts(row["rows"], row["duplicates"], row["defects"]) for row in current}
    return (current[0]["customers"], current[0]["seed"], list(current[0]["without"])), facts
