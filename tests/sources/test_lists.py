"""Files whose lines are lists of any length: each value is a row, numbered by its line and its place in it."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, InputError
from otklik.sources import checks
from otklik.sources.reader import read_records

COLUMNS = {
    "basket": {"source": "line", "type": "integer"},
    "place": {"type": "integer"},
    "item": {"source": "value", "type": "string", "required": True},
}


def test_each_value_of_a_line_is_a_row_with_the_number_of_its_line_and_its_place(judge, make_contract) -> None:
    contract = make_contract(COLUMNS, {"kind": "list"})

    judged = judge('milk, rye bread ,milk\r\n\r\n"cheese, hard",,"5"" pan"\n', contract)

    rows = judged.orderBy("_record_no").select("_record_no", "basket", "place", "item").collect()
    assert [tuple(row) for row in rows] == [
        (1, 1, 1, "milk"),
        (2, 1, 2, "rye bread"),
        (3, 1, 3, "milk"),
        (4, 2, 1, "cheese, hard"),
        (5, 2, 2, '5" pan'),
    ]


def test_an_item_that_stands_twice_in_a_line_is_one_where_line_and_value_are_the_key(judge, make_contract) -> None:
    contract = make_contract(
        COLUMNS, {"kind": "list", "delimiter": ";", "quote": ""}, key={"columns": ["basket", "item"]}
    )

    counts = checks.balance(judge("a;b;a\na\n", contract), contract)

    assert (counts.rows, counts.accepted, counts.duplicates) == (4, 3, 1)


@pytest.mark.parametrize("block_bytes", [100_000, 256, 64])
def test_numbers_do_not_depend_on_the_blocks_that_a_file_is_cut_into(
    spark, make_contract, tmp_path, block_bytes: int
) -> None:
    lines = [[f"v{n}_{place}" for place in range(n % 4 + 1)] for n in range(200)]
    (tmp_path / "a.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    spark.conf.set("spark.sql.files.maxPartitionBytes", block_bytes)
    try:
        records = read_records(spark, f"file://{tmp_path}/a.csv", make_contract(COLUMNS, {"kind": "list"}))
        found = records.frame.select(
            "record_no", F.from_json("record", "line INT, place INT, value STRING").alias("r")
        ).select("record_no", "r.*")
        rows = [tuple(row) for row in found.orderBy("record_no").collect()]
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")

    expected = [(n + 1, place + 1, value) for n, line in enumerate(lines) for place, value in enumerate(line)]
    assert rows == [(number, *row) for number, row in enumerate(expected, start=1)]


def test_a_list_has_no_other_columns(make_contract) -> None:
    with pytest.raises(ConfigurationError, match="has the columns line, place, value"):
        make_contract({"basket": {"type": "integer"}}, {"kind": "list"})


def test_a_file_of_blank_lines_holds_no_lists(judge, make_contract) -> None:
    with pytest.raises(InputError, match="contains no records"):
        judge("\n \n", make_contract(COLUMNS, {"kind": "list"}))
