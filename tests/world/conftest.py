"""One small world for all tests of this room, and a plain-Python reading of its files to hold them against."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.world.writing import WorldFacts, write_world

LOCAL = timezone(timedelta(hours=5))
Row = dict[str, str | None]


@dataclass
class Reading:
    """What a plain reading of one source's files finds."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    duplicates: int = 0
    defects: Counter[str] = field(default_factory=Counter)
    kept: dict[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """A world on disk."""

    folder: Path
    facts: WorldFacts
    customers: Reading
    contacts: Reading
    engagements: Reading


@pytest.fixture(scope="session")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    facts = write_world(spark, 2_000, 7, str(folder))
    return World(
        folder, facts, read_customers(folder / "customers"), read_contacts(folder / "contacts"),
        read_engagements(folder / "engagements"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def silver(spark: SparkSession, world: World) -> dict[str, DataFrame]:
    """The kept rows, typed, with known_at, as the feature files receive them."""
    customers = [
        (row["Код клиента"], local(row["Зарегистрирован"], "%d.%m.%Y %H:%M"), birth_date(row["Дата рожд."]).date(),
         row["Пол"], row["Город"], row["Образование"], row["Семейное положение"], int(row["Детей"] or 0),
         number(row["Доход, тг"]), row["Кредит"], row["Ипотека"], local(row["Изменено"], "%d.%m.%Y %H:%M:%S"))
        for row in world.customers.kept.values()
    ]  # fmt: skip
    contacts = [
        (row["contact_id"], row["customer_id"], local(row["contacted_at"], "%Y-%m-%d %H:%M:%S"), row["channel"],
         int(row["call_number"] or 0), int(row["talk_seconds"] or 0), row["responded"] or None,
         local(row["responded_at"], "%Y-%m-%d %H:%M:%S") if row["responded_at"] else None)
        for row in world.contacts.kept.values()
    ]  # fmt: skip
    events = [
        (row["customer_id"], datetime.fromisoformat(str(row["happened_at"])), row["kind"], row["network"], row["topic"])
        for row in world.engagements.kept.values()
    ]
    return {
        "customers": spark.createDataFrame(
            customers,
            "customer_id STRING, registered_at TIMESTAMP, birth_date DATE, sex STRING, city STRING, education STRING, "
            "marital_status STRING, children INT, income DOUBLE, has_loan STRING, has_housing_loan STRING, "
            "updated_at TIMESTAMP",
        ).selectExpr("*", "registered_at AS known_at"),
        "contacts": spark.createDataFrame(
            contacts,
            "contact_id STRING, customer_id STRING, contacted_at TIMESTAMP, channel STRING, call_number INT, "
            "talk_seconds INT, responded STRING, responded_at TIMESTAMP",
        ).selectExpr("*", "contacted_at AS known_at"),
        "engagements": spark.createDataFrame(
            events, "customer_id STRING, happened_at TIMESTAMP, kind STRING, network STRING, topic STRING"
        ).selectExpr("*", "happened_at + INTERVAL 10 MINUTES AS known_at"),
    }


def read_customers(folder: Path) -> Reading:
    return _read_delimited(folder, ";", "Код клиента", _customer_defect, newest_by="Изменено")


def read_contacts(folder: Path) -> Reading:
    return _read_delimited(folder, ",", "contact_id", _contact_defect)


def read_engagements(folder: Path) -> Reading:
    reading = Reading()
    for path in sorted(folder.glob("part-*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            defect = "broken_record" if row is None else _event_defect(row)
            _take(reading, row, "event_id", defect)
    return reading


def birth_date(text: str | None) -> datetime:
    return datetime.strptime(text or "", "%Y-%m-%d" if re.match(r"\d{4}-", text or "") else "%d.%m.%Y")


def local(text: str | None, pattern: str) -> datetime:
    return datetime.strptime(text or "", pattern).replace(tzinfo=LOCAL).astimezone(UTC)


def number(text: str | None) -> float | None:
    return float(text.replace(" ", "").replace(",", ".")) if text else None


def _read_delimited(folder: Path, delimiter: str, key: str, defect_of, newest_by: str | None = None) -> Reading:
    reading = Reading()
    for path in sorted(folder.glob("part-*")):
        with path.open(encoding="utf-8", newline="") as lines:
            header, *records = list(csv.reader(lines, delimiter=delimiter))
        for record in records:
            row: Row = dict(zip(header, record, strict=False))
            short, long = len(record) < len(header), len(record) > len(header)
            defect = "too_few_fields" if short else "too_many_fields" if long else defect_of(row)
            _take(reading, row, key, defect, newest_by)
    return reading


def _take(reading: Reading, row: Row | None, key: str, defect: str | None, newest_by: str | None = None) -> None:
    """Count one record. A version wins if it is newer by `newest_by`; else what comes under a known key is a copy."""
    reading.rows += 1
    if defect is not None or row is None:
        reading.defects[defect or ""] += 1
        return
    name = str(row[key])
    known = reading.kept.get(name)
    if known is None:
        reading.inserted += 1
        reading.kept[name] = row
    elif newest_by and _moment(row[newest_by]) > _moment(known[newest_by]):
        reading.updated += 1
        reading.kept[name] = row
    else:
        assert newest_by or row == known, "a second record under one key that is no exact copy"
        reading.duplicates += 1


def _moment(text: str | None) -> datetime:
    return local(text, "%d.%m.%Y %H:%M:%S")


def _customer_defect(row: Row) -> str | None:
    if not row["Дата рожд."]:
        return "missing_required"
    try:
        birth_date(row["Дата рожд."])
    except ValueError:
        return "no_such_date"
    try:
        number(row["Доход, тг"])
    except ValueError:
        return "not_a_number"
    return None if row["Пол"] in ("ж", "м") else "unknown_level"


def _contact_defect(row: Row) -> str | None:
    if not row["customer_id"]:
        return "missing_required"
    if not (row["talk_seconds"] or "").isdigit():
        return "not_a_number"
    if row["channel"] not in ("phone", "messenger", "branch"):
        return "unknown_level"
    try:
        contacted = local(row["contacted_at"], "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return "no_such_date"
    if row["responded_at"] and local(row["responded_at"], "%Y-%m-%d %H:%M:%S") <= contacted:
        return "answer_before_contact"
    return None


def _event_defect(row: Row) -> str | None:
    if "customer_id" not in row:
        return "missing_required"
    if row["kind"] not in ("like", "comment", "repost", "view", "follow"):
        return "unknown_level"
    if not re.match(r"\d{4}-\d\d-\d\dT", str(row["happened_at"])):
        return "not_a_time"
    try:
        datetime.fromisoformat(str(row["happened_at"]))
    except ValueError:
        return "no_such_date"
    return None
