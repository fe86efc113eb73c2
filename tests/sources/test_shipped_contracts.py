"""The shipped contracts take in the public data sets with the balance that the files are known to have.

The table in docs/sources.md is what is tested, so that it stays true.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from otklik.settings import load
from otklik.sources import checks
from otklik.sources.contract import POSITION, Contract
from otklik.sources.fields import with_fields
from otklik.sources.reader import read_records
from otklik.sources.rules import check_rules

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "conf" / "sources"
#: name, file, rows, accepted, rejected, duplicates, warnings
TABLE = re.findall(
    r"^\| `(\w+)` \| `([\w./-]+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (.*?) *\|$",
    (PROJECT / "docs" / "sources.md").read_text(),
    flags=re.MULTILINE,
)
#: Sets that are read in seconds, each for something that no other one has.
QUICK = {"marketing_campaign", "groceries", "advertising_islr"}
#: Contracts of the built-in world, whose files are tested with it.
WORLD = {
    "contacts", "customers", "engagements", "receipts", "products", "stores", "prices", "mailings", "media_weeks",
    "revenue_weeks", "subscriptions", "support_calls", "accounts", "ties", "reactions", "mentions", "stock_days",
    "region_weeks", "sends", "card_uses", "leads", "campaigns", "consents", "conversions", "exposures",
    "offer_contacts", "offer_customers", "offer_orders", "order_days", "posts", "signal_days", "support_messages",
    "app_events", "app_offers", "geo_media_weeks", "geo_revenue_weeks",
}  # fmt: skip


def judged_file(spark, file: Path, name: str):
    contract = load(Contract, FOLDER / f"{name}.toml")
    check_rules(spark, contract)
    records = read_records(spark, f"file://{file}", contract)
    # Kept, as the step keeps them: else each look at them would check them anew.
    checked = checks.with_reasons(with_fields(records, contract), contract).persist()
    return contract, checks.with_duplicates(checked, contract)


def test_every_shipped_contract_of_public_records_stands_in_the_table() -> None:
    assert {name for name, *_ in TABLE} == {file.stem for file in FOLDER.glob("*.toml")} - WORLD


def test_every_public_file_stands_in_the_table(shared_data) -> None:
    """All but the publishers' descriptions."""
    files = {str(file.relative_to(shared_data)) for file in shared_data.glob("*/*") if file.is_file()}
    descriptions = {"facebook_metrics/Facebook_metrics.txt", "bank_marketing/bank-names.txt"}
    assert {file for _, file, *_ in TABLE} == files - descriptions


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=f"{line[0]}-{Path(line[1]).stem}", marks=[] if line[0] in QUICK else pytest.mark.long)
        for line in TABLE
    ],
)
def test_a_public_file_has_the_balance_of_the_table(spark, shared_data, line) -> None:
    name, file, *numbers, warnings = line
    contract, judged = judged_file(spark, shared_data / file, name)

    counts = checks.balance(judged, contract)

    expected = [int(number.replace(",", "")) for number in numbers]
    assert [counts.rows, counts.accepted, counts.rejected, counts.duplicates] == expected, checks.commonest_reasons(
        judged
    )
    named = re.findall(r"`(\w+)` ([\d,]+)", warnings)
    assert counts.warnings == {rule: int(number.replace(",", "")) for rule, number in named}


def test_times_of_facebook_live(spark, shared_data) -> None:
    contract, judged = judged_file(spark, shared_data / "facebook_live_sellers" / "Live.csv", "facebook_live")

    posts = checks.only_accepted(judged, contract)
    times = posts.agg(F.count_if(F.col("published_at").isNull()), F.min("published_at"), F.max("published_at"))

    assert [str(value) for value in times.collect()[0]] == ["0", "2012-07-15 02:51:00", "2018-06-13 01:12:00"]


@pytest.mark.long
def test_kinds_of_higgs_activity(spark, shared_data) -> None:
    file = shared_data / "higgs_twitter" / "higgs-activity_time.txt.gz"
    contract, judged = judged_file(spark, file, "higgs_activity")

    kinds = checks.only_accepted(judged, contract).groupBy("kind").count().collect()

    assert {row["kind"]: row["count"] for row in kinds} == {"RT": 354_930, "MT": 171_237, "RE": 36_902}


@pytest.mark.long
def test_lines_of_online_retail(spark, shared_data) -> None:
    """The figures that the publisher's file is known by."""
    _, judged = judged_file(spark, shared_data / "online_retail" / "online_retail.csv.gz", "online_retail")

    lines = judged.where(F.size("_reasons") == 0)
    found = lines.agg(
        F.count_distinct("invoice_no"),
        F.count_if(F.startswith("invoice_no", F.lit("C"))),
        F.count_if(F.col("customer_id").isNull()),
        F.count_if(F.col("description").isNull()),
        F.count_distinct("stock_code"),
        F.count_distinct("customer_id"),
        F.round(F.sum(F.col("quantity") * F.col("unit_price")), 2),
    ).collect()[0]

    assert [str(value) for value in found] == ["25900", "9288", "135080", "1454", "4070", "4372", "9747747.93"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "file", "rows", "equal"),
    [
        ("online_retail", "online_retail/online_retail.csv.gz", 541_909, 5_268),
        ("hillstrom_email", "hillstrom_email/hillstrom.csv.gz", 64_000, 6_562),
        ("orange_juice", "orange_juice/oj.csv", 28_947, 11_846),
    ],
)
def test_rows_that_are_equal_to_an_earlier_one_are_taken_and_numbered(spark, shared_data, name, file, rows, equal):
    contract, judged = judged_file(spark, shared_data / file, name)

    taken = checks.only_accepted(judged, contract).select(F.xxhash64(*contract.whole_key).alias("key"), POSITION)
    found = taken.agg(F.count("*"), F.count_if(F.col(POSITION) > 1), F.count_distinct("key")).collect()[0]

    assert tuple(found) == (rows, equal, rows)


def test_items_of_groceries(spark, shared_data) -> None:
    contract, judged = judged_file(spark, shared_data / "groceries" / "groceries.csv", "groceries")

    items = checks.only_accepted(judged, contract)
    found = items.agg(
        F.count_distinct("basket"), F.count_distinct("item"), F.count_if(F.col("item") == "whole milk")
    ).collect()[0]

    assert tuple(found) == (9_835, 169, 2_513)
