"""The shipped contracts take in the public data sets with the balance that the files are known to have."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import functions as F

from otklik.settings import load
from otklik.sources import checks
from otklik.sources.contract import Contract
from otklik.sources.fields import with_fields
from otklik.sources.reader import read_records
from otklik.sources.rules import check_rules

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "sources"


def judged_file(spark, file: Path, name: str):
    contract = load(Contract, FOLDER / f"{name}.toml")
    check_rules(spark, contract)
    records = read_records(spark, f"file://{file}", contract)
    # Kept, as the step keeps them: else each look at them would check them anew.
    checked = checks.with_reasons(with_fields(records, contract), contract).persist()
    return contract, checks.with_duplicates(checked, contract)


def test_marketing_campaign(spark, shared_data) -> None:
    contract, judged = judged_file(
        spark, shared_data / "customer_personality" / "marketing_campaign.csv", "marketing_campaign"
    )

    counts = checks.balance(judged, contract)

    assert (counts.rows, counts.accepted, counts.rejected, counts.duplicates) == (2_240, 2_240, 0, 0)
    assert counts.warnings == {
        "lookalikes": 182,
        "plausible_birth_year": 3,
        "plausible_income": 1,
        "known_marital_status": 7,
    }


def test_facebook_live(spark, shared_data) -> None:
    contract, judged = judged_file(spark, shared_data / "facebook_live_sellers" / "Live.csv", "facebook_live")

    counts = checks.balance(judged, contract)
    posts = checks.only_accepted(judged, contract)
    times = posts.agg(F.count_if(F.col("published_at").isNull()), F.min("published_at"), F.max("published_at"))

    assert (counts.accepted, counts.rejected, counts.duplicates) == (6_997, 0, 53)
    assert [str(value) for value in times.collect()[0]] == ["0", "2012-07-15 02:51:00", "2018-06-13 01:12:00"]


@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [
        ("bank_full", "bank_marketing/bank-full.csv.gz", 45_211),
        pytest.param("higgs_activity", "higgs_twitter/higgs-activity_time.txt.gz", 563_069, marks=pytest.mark.long),
    ],
)
def test_files_without_faults(spark, shared_data, name, file, rows) -> None:
    contract, judged = judged_file(spark, shared_data / file, name)

    counts = checks.balance(judged, contract)

    assert (counts.rows, counts.accepted, counts.rejected, counts.duplicates) == (rows, rows, 0, 0)
    if name == "higgs_activity":
        kinds = checks.only_accepted(judged, contract).groupBy("kind").count().collect()
        assert {row["kind"]: row["count"] for row in kinds} == {"RT": 354_930, "MT": 171_237, "RE": 36_902}
