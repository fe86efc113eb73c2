"""Whatever stands in a file, every record is accepted, rejected or a duplicate, and its number tells which."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otklik.sources import checks
from otklik.sources.reader import read_records

COLUMNS = {
    "id": {"type": "integer", "required": True},
    "paid": {"type": "decimal(8,2)"},
    "day": {"type": "date"},
    "note": {"type": "string"},
}
BATCH = 1_000
fuzz = settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
    ],
)

#: Fields that are right, nearly right, and wrong.
field = st.one_of(
    st.integers(0, 30).map(str),
    st.sampled_from(["", "12.50", "12.505", "2024-02-29", "2023-02-29", "x", "\u00a07 ", "é", '"', "a,b", "\x00"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=6),
)
row = st.one_of(st.lists(field, min_size=4, max_size=4), st.lists(field, min_size=1, max_size=6))


def seen(text: str) -> str:
    """A text without blanks around it and without what nobody sees; letters and their marks are one character."""
    without = re.sub("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]", "", text)
    whole = re.sub("(?s).[\u0300-\u036f]", lambda found: unicodedata.normalize("NFC", found[0]), without)
    blanks = [*" \t\r\n\x0b\x0c\x1a\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000", *map(chr, range(0x2000, 0x200E))]
    return whole.strip("".join(blanks))


def check_balance(judged, contract) -> checks.Balance:
    """The counts of a file against the rows themselves; returns the counts.

    `Balance.accepted` is what is left when rejected records and duplicates are taken off. So it is compared with the
    rows that go on to silver, and these with what a key means.
    """
    counts = checks.balance(judged, contract)
    rows = judged.selectExpr("_record_no AS number", "size(_reasons) > 0 AS is_rejected", "_is_duplicate").collect()
    rejected = {row.number for row in rows if row.is_rejected}
    duplicates = {row.number for row in rows if row._is_duplicate}
    kept = {number: values for number, *values in checks.only_accepted(judged, contract).collect()}

    # Every record once, under the next number.
    assert sorted(row.number for row in rows) == list(range(1, counts.rows + 1))
    assert sorted([*kept, *rejected, *duplicates]) == list(range(1, counts.rows + 1))
    assert (counts.accepted, counts.rejected, counts.duplicates) == (len(kept), len(rejected), len(duplicates))
    # The key is all columns: no two of the kept rows are the same.
    assert len({tuple(values) for values in kept.values()}) == len(kept)
    return counts


def check_raw_records(judge, contract, seeds: list[list[str]]) -> None:
    # Rows recombined: many different records from few draws.
    lines = [",".join(seeds[n % 40][:2] + seeds[(n * 7 + n // 40) % 40][2:]) for n in range(BATCH)]

    judged = judge("id,paid,day,note\n" + "\n".join(lines), contract).persist()
    counts = check_balance(judged, contract)
    judged.unpersist()

    assert counts.rows == len([line for line in lines if line.strip(" ,\x1a")])


@fuzz
@given(seeds=st.lists(row, min_size=40, max_size=40))
def test_raw_records_are_balanced(judge, make_contract, seeds) -> None:
    check_raw_records(judge, make_contract(COLUMNS), seeds)


@pytest.mark.long
@settings(fuzz, max_examples=12)
@given(seeds=st.lists(row, min_size=40, max_size=40))
def test_ten_thousand_raw_records_are_balanced(judge, make_contract, seeds) -> None:
    check_raw_records(judge, make_contract(COLUMNS), seeds)


@fuzz
@given(seeds=st.lists(st.tuples(*[field] * 4), min_size=40, max_size=40), breaks=st.sampled_from(["\n", "\r\n", "\r"]))
def test_well_written_records_keep_their_fields(judge, make_contract, seeds, breaks) -> None:
    """Python's csv writer and this reader understand each other, also with line breaks in quotes."""
    rows = [[str(n), *seeds[n % 40][1:3], seeds[n % 40][3] + breaks * (n % 3) + "end"] for n in range(BATCH)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([list(COLUMNS), *rows])
    strings = {name: {"type": "string"} for name in COLUMNS}
    contract = make_contract(strings, {"multiline": True, "null_tokens": []}, key={"columns": ["id"]})

    judged = judge(text.getvalue(), contract)

    found = {found.id: found for found in checks.only_accepted(judged, contract).collect()}
    nul = {values[0] for values in rows if any("\x00" in value for value in values)}
    assert found.keys() == {values[0] for values in rows} - nul
    for values in rows:
        if values[0] not in nul:
            kept = found[values[0]]
            assert [kept.paid, kept.day, kept.note] == [seen(value) for value in values[1:]]


@pytest.mark.long
@settings(fuzz, max_examples=12)
@given(seeds=st.lists(row, min_size=40, max_size=40))
def test_ten_thousand_records_of_several_lines_are_balanced(judge, make_contract, spark, tmp_path, seeds) -> None:
    lines = [",".join(seeds[n % 40][:2] + seeds[(n * 7 + n // 40) % 40][2:]) for n in range(BATCH)]
    contract = make_contract(COLUMNS, {"multiline": True})

    judged = judge("id,paid,day,note\n" + "\n".join(lines), contract).persist()
    counts = check_balance(judged, contract)
    judged.unpersist()

    # `judge` wrote this file; a judged row keeps its record's text only where it is rejected.
    records = read_records(spark, f"file://{tmp_path / 'things.csv'}", contract).frame.orderBy("record_no").collect()
    in_records = [line for record in records for line in record.record.split("\n") if line.strip(" ,\x1a")]
    assert in_records == [line for line in lines if line.strip(" ,\x1a")]
    assert counts.rows == len(records)
