"""A list of the offer is answered by the customers of the world that stands there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.errors import ConfigurationError, RefusedError
from otklik.world.trade import play_campaign, write_part

CUSTOMERS, SEED = 1_000, 7


@pytest.fixture(scope="module")
def out(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offers")
    write_part(spark, "offers", CUSTOMERS, SEED, str(folder))
    return folder


def a_list(folder: Path, *rows: str, header: str = "campaign,unit,arm,moment") -> str:
    file = folder / "list.csv"
    file.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return str(file)


def records(folder: Path) -> list[dict[str, str]]:
    found = []
    for file in folder.glob("part-*"):
        with file.open(encoding="utf-8", newline="") as content:
            found += list(csv.DictReader(content))
    return found


def test_a_list_is_answered_by_everybody(spark: SparkSession, out: Path) -> None:
    moment = "2025-03-03T23:59:59.999999Z"
    rows = [f"spring,C{n:07d},{'contact' if n % 2 else 'control'},{moment}" for n in range(1, 401)]
    listed = a_list(out, *rows)

    campaign, counts = play_campaign(spark, CUSTOMERS, SEED, str(out), listed)

    contacts, orders = records(out / "spring" / "offer_contacts"), records(out / "spring" / "offer_orders")
    assert (campaign, counts) == ("spring", {"offer_contacts": len(contacts), "offer_orders": len(orders)})
    # Only those to contact, and most of them; who orders may stand on no list.
    assert 160 < len(contacts) < 200
    assert all(int(row["customer_id"][1:]) % 2 for row in contacts)
    assert any(int(row["customer_id"][1:]) > 400 for row in orders)
    assert all("2025-03-04" <= row["ordered_at"][:10] <= "2025-03-18" for row in orders)
    with pytest.raises(RefusedError, match="the folder is not empty"):
        play_campaign(spark, CUSTOMERS, SEED, str(out), listed)


def test_what_is_no_list_of_this_world(spark: SparkSession, out: Path) -> None:
    two = a_list(out, "a,C0000001,contact,2025-03-03", "b,C0000001,contact,2025-03-03")
    with pytest.raises(ConfigurationError, match="not the list of one campaign"):
        play_campaign(spark, CUSTOMERS, SEED, str(out), two)
    stranger = a_list(out, "a,C0001001,contact,2025-03-03")
    with pytest.raises(ConfigurationError, match="not the list of one campaign"):
        play_campaign(spark, CUSTOMERS, SEED, str(out), stranger)
    with pytest.raises(ConfigurationError, match=r"no \.csv file with the columns"):
        play_campaign(spark, CUSTOMERS, SEED, str(out), a_list(out, "1", header="key"))
    with pytest.raises(RefusedError, match="of a world with this size, seed and effects"):
        play_campaign(spark, CUSTOMERS, SEED + 1, str(out), stranger)
