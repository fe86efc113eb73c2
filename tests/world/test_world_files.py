"""The files of a world: what is planted in them, and that nothing else decides their content but size and seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.world import campaigns, deliveries, engagement, people
from otklik.world.draws import Draws
from otklik.world.writing import SourceFacts, read_facts, write_world


@pytest.mark.parametrize("source", ["customers", "contacts", "engagements"])
def test_a_plain_reading_finds_exactly_what_is_planted(world, source):
    found, planted = getattr(world, source), world.facts.sources[source]
    assert SourceFacts(found.rows, found.inserted, found.updated, found.duplicates, dict(found.defects)) == planted
    assert planted.rows == planted.accepted + planted.rejected + planted.duplicates
    assert min(planted.defects.values()) >= 2
    assert planted.duplicates >= 2


def test_sizes_are_those_of_a_bank(world):
    customers = world.facts.customers
    assert world.facts.sources["contacts"].inserted == pytest.approx(1.2 * customers, rel=0.1)
    assert world.facts.sources["engagements"].inserted == pytest.approx(25 * customers, rel=0.15)
    texts = {row.get("text") is not None for row in world.engagements.kept.values() if row["kind"] == "like"}
    assert texts == {False}
    assert all(row.get("text") for row in world.engagements.kept.values() if row["kind"] == "comment")


def test_the_sizes_of_its_effects_are_in_the_truth(spark: SparkSession, world):
    sizes = spark.read.parquet(str(world.folder / "truth" / "effects" / "bank.parquet")).collect()

    assert {row["effect"] for row in sizes} == {"responses"}
    by_quantity = {row["quantity"]: row["value"] for row in sizes}
    assert by_quantity["log-odds per unit of ln(1 + income)"] == 0.85
    assert by_quantity["log-odds per unit of channel = 'messenger' at the last campaign"] == 0.1


def test_the_newest_version_of_a_customer_is_the_one_who_moved(world):
    changed = world.customers.kept["C0000004"]
    assert changed["Изменено"] != f"{changed['Зарегистрирован']}:00"
    assert changed["Город"] in people.CITIES


def test_last_campaign_days_are_still_open(world):
    answers: dict[str, set[str]] = {row["contacted_at"]: set() for row in world.contacts.kept.values()}
    for row in world.contacts.kept.values():
        answers[row["contacted_at"]].add(row["responded"])
    last = sorted(answers)[-2:]
    assert all("no" not in answers[day] and "" in answers[day] for day in last)
    assert all(answers[day] <= {"yes", "no"} for day in sorted(answers)[:-2])


def test_a_world_that_stands_is_left_as_it_is_and_nothing_is_overwritten(spark: SparkSession, world, tmp_path: Path):
    assert write_world(spark, world.facts.customers, world.facts.seed, str(world.folder)) == world.facts
    with pytest.raises(RefusedError):
        write_world(spark, world.facts.customers, world.facts.seed + 1, str(world.folder))
    with pytest.raises(RefusedError):
        write_world(spark, world.facts.customers, world.facts.seed, str(world.folder), ["responses"])
    (tmp_path / "customers").mkdir()
    with pytest.raises(RefusedError):
        write_world(spark, 1_000, 1, str(tmp_path))
    assert read_facts(spark, str(tmp_path)) is None


@pytest.mark.parametrize("customers", [999, 1_000_001])
def test_a_world_has_a_thousand_to_a_million_customers(spark: SparkSession, tmp_path: Path, customers):
    with pytest.raises(ConfigurationError):
        write_world(spark, customers, 1, str(tmp_path))


def test_a_seed_has_at_most_64_bits(spark: SparkSession, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="the seed has more than 64 bits"):
        write_world(spark, 1_000, 2**63, str(tmp_path))
    assert read_facts(spark, str(tmp_path)) is None


def content(spark: SparkSession, customers: int, seed: int, partitions: int) -> tuple[str, ...]:
    """The sorted records of all deliveries and the truth as hashes, made in so many partitions."""
    draws = Draws(seed)
    blank = spark.range(0, customers, 1, partitions)
    made = engagement.with_events(people.with_person(people.numbers(blank, customers), draws), draws)
    contacts = campaigns.contacts(campaigns.with_contacts(made, draws))
    frames = [
        deliveries.customer_records(made.selectExpr("*", "false AS is_change"), draws, customers),
        deliveries.contact_records(contacts, customers),
        deliveries.engagement_records(engagement.events(made, draws)),
        campaigns.truth(contacts).selectExpr("to_json(struct(*)) AS value"),
    ]
    return tuple(
        frame.selectExpr("md5(array_join(array_sort(collect_list(value)), '\\n'))").collect()[0][0] for frame in frames
    )


@pytest.mark.long
def test_without_responses_all_contacts_of_a_day_are_as_likely_to_say_yes(spark: SparkSession) -> None:
    draws = Draws(7)
    made = engagement.with_events(people.with_person(people.numbers(spark.range(300), 300), draws), draws)

    placebo = campaigns.truth(campaigns.contacts(campaigns.with_contacts(made, draws, ["responses"])))
    planted = campaigns.truth(campaigns.contacts(campaigns.with_contacts(made, draws)))

    for contacts, differ in ((placebo, False), (planted, True)):
        most = contacts.groupBy("moment").agg(F.countDistinct("probability").alias("n")).agg(F.max("n")).collect()[0][0]
        assert (most > 1) is differ


@pytest.mark.long
def test_content_does_not_depend_on_partitions_but_on_the_seed(spark: SparkSession):
    once = content(spark, 300, 7, 1)
    assert content(spark, 300, 7, 2) == once
    assert content(spark, 300, 7, 4) == once
    assert all(left != right for left, right in zip(content(spark, 300, 8, 2), once, strict=True))


_IN_A_SESSION_OF_ITS_OWN = """
import sys
from otklik import session
from otklik.world.writing import write_world
properties = {"spark.master": sys.argv[1], "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1",
              "spark.driver.bindAddress": "127.0.0.1"}
started = session.start("world", properties, submitted=False)
write_world(started.spark, 12_000, 7, sys.argv[2])
started.stop()
"""


@pytest.mark.long
def test_files_are_the_same_on_one_two_and_four_cores(tmp_path: Path):
    worlds = []
    for cores in (1, 2, 4):
        folder = tmp_path / str(cores)
        command = [sys.executable, "-c", _IN_A_SESSION_OF_ITS_OWN, f"local[{cores}]", str(folder)]
        subprocess.run(command, check=True, env={"PYTHONPATH": "lib", "PATH": "/usr/bin:/bin"}, capture_output=True)
        worlds.append({
            source: [path.read_bytes() for path in sorted((folder / source).glob("part-*"))]
            for source in ("customers", "contacts", "engagements")
        })  # fmt: skip
    assert worlds[0] == worlds[1] == worlds[2]
    assert [len(files) for files in worlds[0].values()] == [2, 1, 2]
