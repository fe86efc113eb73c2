"""What rows of many files do to what was known, beside files that come one after the other in plain Python."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from otklik.sources.outcomes import effects, with_outcomes

FILES = 4
NAMES = ("id", "note", "city", "day")
Row = tuple[Any, ...]


def one_after_the_other(
    keep: str, known: dict[int, Row], files: list[dict[int, Row]], lacking: Mapping[int, Collection[str]]
) -> tuple[dict[int, Row], dict[int, Row]]:
    """The rows that changed, with the number of the file that the row is of, and what each file did."""
    there = {key: (row, -1) for key, row in known.items()}
    did: dict[int, Row] = {}
    for number, file in enumerate(files):
        inserted = updated = 0
        stays = [NAMES.index(name) for name in lacking.get(number, ())]
        for key, row in file.items():
            if key not in there:
                there[key], inserted = (row, number), inserted + 1
                continue
            old = there[key][0]
            differs = any(row[n] != old[n] for n in range(1, 4) if n not in stays)
            is_newer = keep != "newest" or old[3] is None or (row[3] is not None and row[3] >= old[3])
            if keep != "first" and differs and is_newer:
                there[key] = (tuple(old[n] if n in stays else row[n] for n in range(4)), number)
                updated += 1
        did[number] = (inserted, updated, len(file) - inserted - updated)
    return {key: (*row, number) for key, (row, number) in there.items() if number >= 0}, did


@pytest.mark.parametrize("keep", [pytest.param("first", marks=pytest.mark.long), "last", "newest"])
@pytest.mark.parametrize("has_known", [True, pytest.param(False, marks=pytest.mark.long)])
def test_rows_do_what_they_would_one_file_after_the_other(spark, make_contract, keep, has_known) -> None:
    chance = random.Random(f"{keep} {has_known}")
    newest = {"newest_by": "day"} if keep == "newest" else {}
    columns = {"id": {"type": "integer"}, "note": {"type": "string"}, "day": {"type": "integer"}}
    columns["city"] = {"type": "string", "missing": "null"}
    contract = make_contract({name: columns[name] for name in NAMES}, key={"columns": ["id"], "keep": keep, **newest})
    # Where the newest wins, all files of a batch lack the same columns.
    lacking = {number: ["city"] for number in range(FILES)} if keep == "newest" else {1: ["city"], 2: ["city"]}

    def row(key: int, number: int) -> Row:
        city = None if number >= 0 and "city" in lacking.get(number, ()) else chance.choice(["x", "y", None])
        return key, chance.choice(["a", "b", None]), city, chance.choice([1, 2, None])

    keys = range(400)
    known = {key: row(key, -1) for key in keys if has_known and chance.random() < 0.5}
    files = [{key: row(key, number) for key in keys if chance.random() < 0.6} for number in range(FILES)]
    expected, did = one_after_the_other(keep, known, files, lacking)
    schema = "id BIGINT, note STRING, city STRING, day BIGINT"
    rows = [(*each, number, key) for number, file in enumerate(files) for key, each in file.items()]
    coming = spark.createDataFrame(rows, f"{schema}, _file_no INT, _record_no BIGINT")
    there = spark.createDataFrame([*known.values()], schema) if has_known else None

    told = with_outcomes(coming, there, contract, lacking).persist()

    found = {each.id: tuple(each) for each in told.where("_remains").select(*NAMES, "_file_no").collect()}
    counted = {n: (each.inserted, each.updated, each.repeated) for n, each in effects(told).items()}
    told.unpersist()
    assert counted == did
    assert found == expected
