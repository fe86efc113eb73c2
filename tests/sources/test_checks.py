from __future__ import annotations

import pytest
from pyspark.sql import Row

from otklik.errors import ConfigurationError, InputError
from otklik.sources import checks
from otklik.sources.contract import Contract
from otklik.sources.reader import clear_faults

COLUMNS = {
    "id": {"type": "integer", "required": True, "minimum": 1, "maximum": 99},
    "kind": {"type": "string", "allowed": ["a", "b"]},
    "day": {"type": "date"},
}


def reasons_by_record(judged) -> dict[int, list[tuple[str, str | None]]]:
    return {
        row.record_no: [(found.reason, found.column) for found in row.reasons]
        for row in checks.only_rejected(judged).collect()
    }


def test_every_fault_of_a_record_is_named_with_its_column(judge, make_contract) -> None:
    rules = [{"name": "a_is_small", "holds": "kind <> 'a' OR id < 10"}]
    contract = make_contract(COLUMNS, {"maximum_field_length": 20}, rules=rules)
    records = [
        b"1,a,2024-01-01",
        b"x,a,2024-01-01",
        b"0,c,2023-02-29",
        b",b,",
        b"50,a,",
        b"2,b",
        b"3,b,,9",
        b"4,b,\xff",
        b"5,\x00b,",
        b"6," + b"b" * 30 + b",",
        b'7,b,"2024-01-01',
        b'8,"b,2024-01-01',
        b'9,b,"2024-01-01"',
    ]

    judged = judge(b"id,kind,day\n" + b"\n".join(records), contract)

    assert reasons_by_record(judged) == {
        2: [("type", "id")],
        3: [("range", "id"), ("allowed", "kind"), ("type", "day")],
        4: [("required", "id")],
        5: [("rule", None)],
        6: [("too_few_fields", None)],
        7: [("too_many_fields", None)],
        8: [("invalid_bytes", None), ("type", "day")],
        9: [("nul_byte", None)],
        10: [("field_too_long", "kind"), ("allowed", "kind")],
        11: [("unclosed_quote", None)],
        12: [("unclosed_quote", None)],
    }
    counts = checks.balance(judged, contract)
    assert (counts.rows, counts.accepted, counts.rejected, counts.duplicates) == (13, 2, 11, 0)


def test_a_field_of_ten_megabytes_rejects_its_own_record(judge, make_contract) -> None:
    judged = judge(f"id,note\n1,a\n2,{'x' * 10_000_000}\n3,b\n", make_contract())

    assert reasons_by_record(judged) == {2: [("field_too_long", "note")]}
    assert [row.id for row in checks.only_accepted(judged, make_contract()).orderBy("id").collect()] == [1, 3]


def test_a_record_of_endless_fields_is_rejected_alone(judge, make_contract) -> None:
    fields = ",x" * 30_000
    judged = judge(f'id,note\n1,a\n2{fields}\n3,"{fields}"\n4,5"{fields},6"\n', make_contract())

    assert reasons_by_record(judged) == {2: [("too_many_fields", None)], 4: [("too_many_fields", None)]}


def test_rows_without_any_key_are_warned_of(judge, make_contract) -> None:
    contract = make_contract(key={"columns": ["id"]})

    counts = checks.balance(judge("id,note\n,a\n,b\n3,c\n", contract), contract)

    assert (counts.accepted, counts.duplicates, counts.warnings) == (2, 1, {"without_key": 2})


def test_a_quote_inside_an_unquoted_field_is_a_character(judge, make_contract) -> None:
    judged = judge('id,note\n1,5" pipe\n2,"5"" pipe"\n', make_contract())

    rows = checks.only_accepted(judged, make_contract()).collect()
    assert sorted((row.id, row.note) for row in rows) == [(1, '5" pipe'), (2, '5" pipe')]


def test_quotes_in_even_number_are_balanced_too_and_eaten_records_are_warned_of(judge, make_contract) -> None:
    contract = make_contract(format_={"multiline": True})
    slips = judge('id,note\n2,"open\n3,c\n5,"a\nb"\n6,x\n', contract)
    eaten = judge('id,note\n1,"a\nb"\n2,"abc\n' + "3,c\n" * 90 + '4,x"\n5,d\n', contract, "eaten.csv")

    assert reasons_by_record(slips) == {
        1: [("unclosed_quote", None)],
        3: [("unclosed_quote", None)],
        4: [("too_few_fields", None)],
    }
    counts = checks.balance(slips, contract)
    assert (counts.rows, counts.accepted, counts.rejected, counts.warnings) == (5, 2, 3, {})
    counts = checks.balance(eaten, contract)
    assert (counts.rows, counts.accepted, counts.warnings) == (3, 3, {"records_in_quotes": 1})
    assert counts.first_in_quotes == 2


def test_an_escape_character_of_its_own(judge, make_contract) -> None:
    contract = make_contract(format_={"escape": "\\"})
    judged = judge('id,note\n1,"a \\"b\\", c"\n2,"open\n', contract)

    assert [row.note for row in checks.only_accepted(judged, contract).collect()] == ['a "b", c']
    assert reasons_by_record(judged) == {2: [("unclosed_quote", None)]}


def test_broken_json_is_rejected_and_numbers_keep_their_digits(judge, make_contract) -> None:
    columns = {"id": {"type": "decimal(30,9)", "source": "the.id"}, "note": {"type": "string"}}
    lines = [
        '{"the.id": 12345678901234567890.123456789, "note": " x\\u00a0"}',
        '{"the.id": 1',
        '{"the.id": 1} {"the.id": 2}',
        '{"the.id": 1, "the.id": 2}',
        "[1]",
        '{"note": {"a": [1]}}',
        '{"note": "\\u0000"}',
    ]
    contract = make_contract(columns, {"kind": "json_lines"})

    judged = judge("\n".join(lines), contract, "things.json")

    broken = [("broken_json", None)]
    assert reasons_by_record(judged) == {2: broken, 3: broken, 4: broken, 5: broken, 7: [("nul_byte", None)]}
    rows = {row._record_no: row for row in checks.only_accepted(judged, contract).collect()}
    assert (str(rows[1].id), rows[1].note) == ("12345678901234567890.123456789", "x")
    assert (rows[6].id, rows[6].note) == (None, '{"a":[1]}')


@pytest.mark.parametrize("most_hashes", [0, 10])
@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ({"columns": ["id"], "keep": "first"}, [1, 4, 5]),
        ({"columns": ["id"], "keep": "last"}, [3, 4, 6]),
        ({"columns": ["id"], "keep": "newest", "newest_by": "day"}, [1, 4, 6]),
        ({"columns": "all"}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_one_row_of_each_key_is_kept_and_empty_keys_are_equal(
    judge, make_contract, monkeypatch, key, kept, most_hashes
) -> None:
    # Whether few keys are repeated or many.
    monkeypatch.setattr(checks, "_MOST_HASHES", most_hashes)
    content = "id,kind,day\n1,a,2024-01-03\n1,b,2024-01-01\n1,a,\n2,a,\n,a,\n,b,2020-01-01\n"
    columns = COLUMNS | {"id": {"type": "integer"}}
    contract = make_contract(columns, key=key)

    judged = judge(content, contract)

    assert sorted(row._record_no for row in checks.only_accepted(judged, contract).collect()) == kept
    counts = checks.balance(judged, contract)
    assert counts.rows == counts.accepted + counts.rejected + counts.duplicates == 6


def test_lookalikes_and_broken_warnings_are_counted_and_kept(judge, make_contract) -> None:
    rules = [
        {"name": "small", "holds": "id < 3", "severity": "warn"},
        {"name": "named", "holds": "note IS NOT NULL", "severity": "fail"},
    ]
    contract = make_contract(key={"columns": ["id"]}, lookalikes=["id"], rules=rules)
    judged = judge("id,note\n1,a\n2,a\n3,a\n4,b\n4,b\nx,a\n5,\n", contract)

    counts = checks.balance(judged, contract)

    assert (counts.accepted, counts.rejected, counts.duplicates) == (5, 1, 1)
    assert counts.warnings == {"small": 4, "lookalikes": 2}
    assert counts.failures == {"named": 1}
    with pytest.raises(InputError, match=r"rules\.named \(severity fail\) is violated by 1 of 7 rows"):
        checks.refuse_past_thresholds(counts, judged, contract, "f.csv")


def test_a_rule_that_fails_on_a_row_is_a_fault_of_the_contract(judge, make_contract, recwarn) -> None:
    contract = make_contract(rules=[{"name": "dated", "holds": "to_date(note, 'yyyy-MM-dd') > DATE'2020-01-01'"}])

    fails = pytest.raises(ConfigurationError, match=r"f\.csv: a row rule of the contract raises an error")
    with fails as caught, clear_faults("f.csv"):
        checks.balance(judge("id,note\n1,2024-01-01\n2,secret\n", contract), contract)

    assert "secret" not in caught.value.line()
    assert not any("secret" in str(warning.message) for warning in recwarn)


def test_a_hint_names_no_setting_that_is_so_already_or_that_nothing_asks(make_contract) -> None:
    columns = {"x": {"type": "double", "decimal_comma": True, "null_tokens": ["-"]}}
    table, report = make_contract(columns), make_contract(columns, {"kind": "fixed", "widths": [1, 2]})

    def hint(what: str, contract: Contract) -> str:
        return checks._setting(Row(what=what, place="x", rule=None), contract)

    assert hint("type", table) == "columns.x.null_tokens, format.thousands_separator, columns.x.units"
    assert hint("too_few_fields", table) == "format.delimiter, format.quote"
    assert hint("too_few_fields", report) == "format.widths, format.quote"


def test_a_passed_threshold_is_named_with_the_commonest_reasons_and_no_value(judge, make_contract) -> None:
    contract = make_contract(thresholds={"rejected_share": 0.2, "rejected_rows": 1})
    judged = judge("id,note\n1,a\nsecret,b\n3,c\nsecret,d\n", contract)

    with pytest.raises(InputError) as caught:
        checks.refuse_past_thresholds(checks.balance(judged, contract), judged, contract, "f.csv")

    line = caught.value.line()
    assert "2 of 4 records are rejected, more than thresholds.rejected_share = 0.2" in line
    assert "more than thresholds.rejected_rows = 1" in line
    assert "type in id (2, integer; first in record 2)" in line
    assert "secret" not in line
