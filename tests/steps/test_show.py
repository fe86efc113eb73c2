"""How values and rows are printed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Row

from otklik.steps.printing import as_csv, as_json, as_table, plain


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (0.5, 0.5),
        (True, True),
        (None, None),
        (Decimal("7.00"), 7),
        (Decimal("7.25"), 7.25),
        (datetime(2026, 3, 31, 18, 0, 0, 5, tzinfo=UTC), "2026-03-31T18:00:00.000005Z"),
        (datetime(2026, 3, 31, 18, tzinfo=timezone(timedelta(hours=5))), "2026-03-31T13:00:00Z"),
        (date(2026, 3, 31), "2026-03-31"),
        (Row(a=1, b=Row(c=float("nan"))), {"a": 1, "b": {"c": None}}),
        ([Decimal("1"), None], [1, None]),
        ({3: Decimal("0.5")}, {"3": 0.5}),
        (bytearray(b"\x00\xff"), "00ff"),
        ("текст", "текст"),
    ],
)
def test_values_as_json_has_them(value: Any, found: Any) -> None:
    assert plain(value) == found
    assert type(plain(value)) is type(found)


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats(), max_size=2)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_json_has_every_column_in_every_object(rows: list[tuple[Any, Any]]) -> None:
    text = as_json(["a", "b"], [[plain(value) for value in row] for row in rows])

    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [(row["a"], row["b"]) for row in found] == [(plain(a), plain(b)) for a, b in rows]


def test_csv_quotes_what_it_must_and_leaves_null_empty() -> None:
    text = as_csv(["a", "b", "c"], [['x,"y"\nz', None, [{"f": 1.5}]], [True, 2, "да"]])

    assert list(csv.reader(io.StringIO(text))) == [
        ["a", "b", "c"],
        ['x,"y"\nz', "", '[{"f": 1.5}]'],
        ["true", "2", "да"],
    ]


def test_csv_holds_no_formulas() -> None:
    text = as_csv(["a", "b"], [["=1+1", -1.5], ["\n@x", None], ["", True]])

    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b"],
        ["'=1+1", "-1.5"],
        ["'\n@x", ""],
        ["", "true"],
    ]


def test_a_table_has_numbers_to_the_right_and_long_texts_cut() -> None:
    lines = as_table(["name", "n"], [["a", 1], ["b\nc", 12.5], [None, None], ["z" * 99, 1234567.0]]).splitlines()

    assert {len(line) for line in lines} == {60 + 2 + len("1,234,567")}
    assert [line.split() for line in lines[2:5]] == [["a", "1"], ["b⏎c", "12.5"], ["·", "·"]]
    assert lines[5].startswith("z" * 59 + "…  ")


def test_a_table_without_rows_is_its_header() -> None:
    assert as_table(["name", "n"], []) == "name  n\n----  -\n"
