"""What real exports look like, kind by kind: rows in, rows out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otklik.errors import ConfigurationError, InputError
from otklik.session import cached
from otklik.sources import checks
from otklik.sources.fields import with_fields
from otklik.sources.files import check_whole, describe, expand
from otklik.sources.reader import read_records

TEXTS = {"id": {"type": "string"}, "note": {"type": "string"}}


def accepted(judged, contract) -> list[tuple[Any, ...]]:
    rows = checks.only_accepted(judged, contract).orderBy("_record_no").collect()
    return [tuple(row)[1:] for row in rows]


def reasons(judged) -> dict[int, list[str]]:
    return {row.record_no: [each.reason for each in row.reasons] for row in checks.only_rejected(judged).collect()}


def test_what_nobody_sees_is_taken_out_of_names_and_values(judge, make_contract) -> None:
    contract = make_contract(TEXTS, key={"columns": ["id"]})
    content = (
        "\u200bid\u200e,note\n"
        + "\u202a77\u202c,\u200bи\u0306од\u00a0\n"
        + '\ufeff"78","a, b"\n'
        + "7\u200b9,\u2060x\u2029\n"
        + "80,👨\u200d👩\n"
    )

    judged = judge(content, contract)

    assert accepted(judged, contract) == [("77", "йод"), ("78", "a, b"), ("79", "x"), ("80", "👨\u200d👩")]


def test_a_name_is_found_however_its_letters_are_written(judge, make_contract) -> None:
    contract = make_contract({"id": {"type": "integer", "source": "Йод"}})

    assert accepted(judge("\ufeffи\u0306од\n1\n", contract), contract) == [(1,)]


def test_a_header_in_the_middle_is_no_row(judge, make_contract) -> None:
    contract = make_contract(TEXTS)

    judged = judge('id;note\nK1;a\n\ufeffid;note\nK2;b\n"ID";"Note"\n', make_contract(TEXTS, {"delimiter": ";"}))

    assert reasons(judged) == {2: ["repeated_header"], 4: ["repeated_header"]}
    assert accepted(judged, contract) == [("K1", "a"), ("K2", "b")]


@pytest.mark.parametrize("multiline", [False, True])
def test_lines_around_the_rows_are_left_out(judge, make_contract, multiline) -> None:
    contract = make_contract(
        {"id": {"type": "integer", "source": "Код Номер"}, "note": {"type": "string", "source": "Код Имя"}},
        {"skip_lines": 2, "header_lines": 2, "footer": 1, "delimiter": ";", "multiline": multiline},
    )

    judged = judge("sep=;\nОтчёт\n\nза май\nКод;\nНомер;Имя\n1;a\n;\n2;b\n\nИтого;2\n", contract)

    assert accepted(judged, contract) == [(1, "a"), (2, "b")]
    assert [row._record_no for row in judged.orderBy("_record_no").collect()] == [1, 2]


def test_empty_columns_at_the_end_are_nothing_and_values_without_a_name_are_counted(judge, make_contract) -> None:
    contract = make_contract(format_={"delimiter": ";"})

    judged = judge('id;note;;\n1;a;;\n2;"b;c";;;;\n3;d;x;\n4;e\n;;;\n5;f;;;y\n6\n', contract)

    assert accepted(judged, contract) == [(1, "a"), (2, "b;c"), (3, "d"), (4, "e")]
    assert reasons(judged) == {5: ["too_many_fields"], 6: ["too_few_fields"]}
    assert checks.balance(judged, contract).warnings == {"unnamed_values": 1}


def test_columns_of_one_name_are_told_apart_by_their_number(judge, make_contract) -> None:
    columns = {"id": {"type": "integer"}, "sold": {"type": "integer", "source": "Сумма"}}
    both = columns | {"returned": {"type": "integer", "source": "Сумма [2]"}}
    content = "id,Сумма,Сумма\n1,10,2\n"

    with pytest.raises(InputError, match="duplicate: 'Сумма'"):
        judge(content, make_contract(columns))
    contract = make_contract(both)
    assert accepted(judge(content, contract), contract) == [(1, 10, 2)]


def test_lines_of_another_encoding_are_rejected_and_not_the_file(judge, make_contract) -> None:
    of_page, of_utf8 = (text.encode(page) for text, page in (("1,Тараз\n2,Її\n", "cp1251"), ("3,Алматы\n", "utf-8")))

    in_page = judge(b"id,note\n" + of_page + of_utf8, make_contract(format_={"encoding": "cp1251"}))
    in_utf8 = judge(b"id,note\n" + of_utf8 + of_page, make_contract(), "other.csv")

    assert reasons(in_page) == {3: ["invalid_bytes"]}
    assert reasons(in_utf8) == {2: ["invalid_bytes"], 3: ["invalid_bytes"]}


def test_the_quote_as_its_own_escape_is_the_doubled_quote(judge, make_contract) -> None:
    contract = make_contract(format_={"escape": '"'})

    judged = judge('"id","note"\n"1","Lamp ""Nova"""\n"2",""\n', contract)

    assert contract.format.escape is None
    assert accepted(judged, contract) == [(1, 'Lamp "Nova"'), (2, None)]


def test_doubled_quotes_beside_escaped_ones_are_quotes(judge, make_contract) -> None:
    contract = make_contract(format_={"escape": "\\"})
    rows = [r'1,"a \"b\", c"', '2,"""a ""b"", c"""', '3, "d""" ', r'4,"\\""e"', '5,""', '6,f ""g"" h', '7,"i "j"" k"']

    judged = judge("\n".join(["id,note", *rows]), contract)

    texts = {1: 'a "b", c', 2: '"a "b", c"', 3: 'd"', 4: '\\"e', 5: None, 6: 'f ""g"" h'}
    assert dict(accepted(judged, contract)) == texts
    assert reasons(judged) == {7: ["unescaped_quote"]}


def test_a_text_that_stands_for_nothing_does_so_in_its_own_column(judge, make_contract) -> None:
    columns = {"country": {"type": "string"}, "age": {"type": "integer", "null_tokens": ["", "NA"]}}
    contract = make_contract(columns)

    assert accepted(judge("country,age\nNA,44\nKG,NA\n,1\n", contract), contract) == [
        ("NA", 44),
        ("KG", None),
        (None, 1),
    ]


def test_any_blank_is_a_blank_in_a_time(judge, make_contract) -> None:
    contract = make_contract(
        {"at": {"type": "timestamp"}, "day": {"type": "date"}},
        {"delimiter": ";", "timestamp_formats": ["M/d/yy, h:mm:ss a"], "date_formats": ["d MMMM yyyy\u00a0'г.'"]},
    )

    judged = judge("at;day\n3/5/24, 1:15:00\u202fPM;5\u00a0марта 2024\u00a0г.\n", contract)

    assert accepted(judged, contract) == [(datetime(2024, 3, 5, 13, 15), date(2024, 3, 5))]


def test_a_code_for_a_missing_number_is_no_number_and_no_fault(judge, make_contract) -> None:
    days = {"type": "double", "required": True, "minimum": 0, "maximum": 100, "missing_codes": [999, -1]}
    rules = [{"name": "not_long_ago", "holds": "days < 50"}]
    contract = make_contract({"id": {"type": "integer"}, "days": days}, rules=rules)

    judged = judge("id,days\n1,7\n2,999\n3,-1.0\n4,998\n5,\n6,soon\n", contract)

    assert accepted(judged, contract) == [(1, 7.0), (2, None), (3, None)]
    assert reasons(judged) == {4: ["range", "rule"], 5: ["required"], 6: ["type"]}


def test_days_that_stand_for_no_date_are_none_and_odd_ones_are_counted(judge, make_contract) -> None:
    columns = {"day": {"type": "date"}, "at": {"type": "timestamp", "required": True}}
    formats = {"date_formats": ["dd.MM.yyyy"], "timestamp_formats": ["dd.MM.yyyy H:mm:ss"], "time_zone": "Asia/Almaty"}
    content = "day,at\n01.01.0001,02.03.2024 5:00:00\n05.03.2024,01.01.1900 0:00:00\n06.03.2024,01.01.1901 5:00:00\n"

    declared = make_contract(columns, formats | {"placeholders": ["0001-01-01", "1900-01-01"]})
    judged = judge(content, declared)
    silent = judge(content, make_contract(columns, formats), "silent.csv")

    assert [row[0] for row in accepted(judged, declared)] == [None, date(2024, 3, 6)]
    assert reasons(judged) == {2: ["required"]}
    assert checks.balance(judged, declared).warnings == {"far_times": 1}
    assert checks.balance(silent, declared).warnings == {"far_times": 3}


@pytest.mark.long
def test_what_is_odd_without_being_wrong_is_counted(spark, tmp_path, make_contract) -> None:
    columns = {"name": {"type": "string"}, "phone": {"type": "string"}, "born": {"type": "date"}}
    contract = make_contract(columns, {"date_formats": ["dd.MM.yy"]})
    content = "name,phone,born\nАлматы Итог,7.7E+10,15.03.58\nРђР»РјР°С‚С‹,1,01.01.20\nÐ\u0090Ð»Ð¼Ð°,2,01.01.20\n"
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")

    records = read_records(spark, f"file://{tmp_path}/a.csv", contract)
    with cached(
        checks.with_reasons(with_fields(records, contract), contract, datetime(2026, 1, 1, tzinfo=UTC))
    ) as checked:
        counts = checks.balance(checks.with_duplicates(checked, contract), contract)

    assert counts.warnings == {"totals": 1, "rounded_numbers": 1, "two_digit_years": 1, "misread_texts": 2}


def test_a_local_time_that_comes_twice_is_counted(judge, make_contract) -> None:
    columns = {"at": {"type": "timestamp"}}
    contract = make_contract(columns, {"time_zone": "Europe/Berlin"})

    judged = judge("at\n2024-10-27 02:30:00\n2024-10-27 03:30:00\n2024-03-31 02:30:00\n", contract)

    assert checks.balance(judged, contract).warnings == {"repeated_times": 1}
    assert reasons(judged) == {3: ["type"]}


def test_a_text_written_as_a_formula_is_that_text_and_quotes_inside_stay(judge, make_contract) -> None:
    contract = make_contract(TEXTS)
    lines = ['="0012",a', '"=""0013""",b', '14,"say ""="" x"', "'0015,'tis", "\x1a"]

    judged = judge("id,note\n" + "\n".join(lines), contract)

    assert accepted(judged, contract) == [("0012", "a"), ("0013", "b"), ("14", 'say "=" x'), ("0015", "'tis")]


def test_numbers_with_units_and_with_signs_where_accountants_put_them(judge, make_contract) -> None:
    columns = {
        "paid": {"type": "decimal(12,2)", "units": ["₸", "$"], "decimal_comma": True, "thousands_separator": " "},
        "share": {"type": "double", "units": ["%"], "missing_codes": [99]},
        "n": {"type": "integer", "thousands_separator": ","},
        "note": {"type": "string"},
    }
    contract = make_contract(columns, {"delimiter": ";"})
    lines = [
        "1\u00a0234,56\u00a0₸;12.5%;1,234;(5)",
        "(5,10);7-;-3;5-",
        "- 5 400 ₸;99%;\u22127;a",
        "$(1,5);;(8);",
        "5 €;1;1;",
    ]

    judged = judge("paid;share;n;note\n" + "\n".join(lines), contract)

    assert [(f"{row[0]}", *row[1:]) for row in accepted(judged, contract)] == [
        ("1234.56", 12.5, 1234, "(5)"), ("-5.10", -7.0, -3, "5-"), ("-5400.00", None, -7, "a"),
        ("-1.50", None, -8, None),
    ]  # fmt: skip
    assert reasons(judged) == {5: ["type"]}


def test_each_column_may_have_date_patterns_of_its_own(judge, make_contract) -> None:
    columns = {"sent": {"type": "date"}, "paid": {"type": "date", "formats": ["dd/MM/yyyy"]}}
    contract = make_contract(columns, {"date_formats": ["MM/dd/yyyy"]})

    assert accepted(judge("sent,paid\n02/01/2024,02/01/2024\n", contract), contract) == [
        (date(2024, 2, 1), date(2024, 1, 2))
    ]


@pytest.mark.parametrize("encoding", ["kz1048", "ptcp154"])
def test_code_pages_of_kazakh_that_java_does_not_know(judge, make_contract, encoding) -> None:
    names = ["Айгүл", "Өмірбек", "Әлия Қасым", "Ғани Ұлан", "таң, һәм"]
    contract = make_contract(TEXTS, {"encoding": encoding, "delimiter": ";"})
    lines = "".join(f"{n};{name}\n" for n, name in enumerate(names))

    judged = judge(f"id;note\n{lines}".encode(encoding), contract)

    assert accepted(judged, contract) == [(f"{n}", name) for n, name in enumerate(names)]


def test_letters_that_an_export_has_lost_are_counted(judge, make_contract) -> None:
    contract = make_contract(TEXTS)

    judged = judge("id,note\n1,Айг?л\n2,Что? Где?\n3,\ufffd\n4,a?b\n", contract)

    assert checks.balance(judged, contract).warnings == {"lost_letters": 2}


def test_a_quote_that_is_not_escaped_rejects_its_row(judge, make_contract) -> None:
    contract = make_contract(TEXTS)
    lines = ['15,"JOHN "WAYNE""', '16,"""JOHN"""', '17,"JOHN" WAYNE', '18,"JOHN "THE" WAYNE"', '19,""', '20,"a",']

    judged = judge("id,note\n" + "\n".join(lines), contract)

    assert reasons(judged) == {1: ["unescaped_quote"], 4: ["unescaped_quote"]}
    assert accepted(judged, contract) == [("16", '"JOHN"'), ("17", '"JOHN" WAYNE'), ("19", None), ("20", "a")]


def test_a_number_that_a_spreadsheet_has_rounded_is_no_identifier(judge, make_contract) -> None:
    contract = make_contract(TEXTS, key={"columns": ["id"]})

    judged = judge("id,note\n7.7E+10,a\n77000000001,7.7E+10\n1E5,b\n", contract)

    assert reasons(judged) == {1: ["rounded"]}
    assert checks.balance(judged, contract).warnings == {"rounded_numbers": 1}


def test_identifiers_that_a_program_has_written_as_fractions_are_counted(judge, make_contract) -> None:
    content = "id,note\n17850.0,1.0\n17850,2\n1.50,3\n0.0,4\n"
    texts = make_contract(TEXTS, key={"columns": ["id"]})
    numbers = make_contract({"id": {"type": "integer"}, "note": {"type": "double"}}, key={"columns": ["id"]})

    balance = checks.balance(judge(content, texts), texts)

    assert (balance.accepted, balance.warnings) == (4, {"fractions_in_identifiers": 1})
    assert accepted(judge(content, numbers), numbers) == [(17850, 2.0), (0, 4.0)]


def test_equal_lines_of_one_receipt_are_several_purchases_where_the_contract_says_so(judge, make_contract) -> None:
    columns = {"receipt": {"type": "string"}, "article": {"type": "string"}}
    key = {"columns": ["receipt", "article"], "position_within": ["receipt", "article"]}
    contract = make_contract(columns, key=key)

    judged = judge("receipt,article\nR1,bread\nR1,bread\nR1,milk\nR2,bread\n", contract)

    expected = [("R1", "bread", 1), ("R1", "bread", 2), ("R1", "milk", 1), ("R2", "bread", 1)]
    assert accepted(judged, contract) == expected
    # Within the receipt equal lines are counted, not all of its lines.
    of_receipt = make_contract(columns, key={"columns": "all", "position_within": ["receipt"]})
    assert accepted(checks.with_duplicates(judged.drop("position_within"), of_receipt), of_receipt) == expected
    with pytest.raises(ConfigurationError, match=r"key\.position_within names 'till'"):
        make_contract(columns, key={"columns": "all", "position_within": ["till"]})


def test_nan_of_json_is_nothing_where_the_contract_says_so(judge, make_contract) -> None:
    columns = {"id": {"type": "integer"}, "x": {"type": "double", "null_tokens": ["NaN"]}}
    contract = make_contract(columns, {"kind": "json_lines"})

    judged = judge('{"id":1,"x":1.5}\n{"id":2,"x":NaN}\n', contract, "things.json")

    assert accepted(judged, contract) == [(1, 1.5), (2, None)]


def test_json_lines_with_other_names_and_odd_characters(judge, make_contract) -> None:
    columns = {
        "id": {"type": "integer"},
        "phone": {"type": "string", "aliases": ["tel"]},
        "x": {"type": "double", "missing": "null", "null_tokens": ["NaN"]},
    }
    contract = make_contract(columns, {"kind": "json_lines"})
    lines = [
        '{"id":1,"tel":"701"}',
        '\ufeff{"id":2,"phone":"7\u202802","x":2.5}',
        '{"ID":3,"Phone":"\\u202a703\\u202c","x":1.5}',
        '{"id":4,"phone":"704","tel":"705"}',
        '{"id":5,"phone":": NaN,"}',
    ]

    judged = judge("\n".join(lines), contract, "things.json")

    assert reasons(judged) == {4: ["two_names"]}
    assert accepted(judged, contract) == [
        (1, "701", None), (2, "7\u202802", 2.5), (3, "703", 1.5), (5, ": NaN,", None),
    ]  # fmt: skip


def test_texts_of_utf8_read_as_latin1_are_counted_or_put_right(judge, make_contract) -> None:
    content = '{"id":1,"note":"\\u00d1\\u0081\\u00d0\\u00bf\\u00f0\\u009f\\u0091\\u008d"}\n{"id":2,"note":"Café"}\n'
    as_it_is = make_contract(format_={"kind": "json_lines"})
    put_right = make_contract(format_={"kind": "json_lines", "utf8_as_latin1": True})

    assert checks.balance(judge(content, as_it_is, "a.json"), as_it_is).warnings == {"misread_texts": 1}
    assert accepted(judge(content, put_right, "b.json"), put_right) == [(1, "сп👍"), (2, "Café")]


def test_parquet_of_pandas_with_nanoseconds(judge, make_contract, spark, tmp_path) -> None:
    nanos = [1_709_632_800_123_456_789, -1, None]
    table = pa.table(
        {
            "local": pa.array(nanos, pa.timestamp("ns")),
            "utc": pa.array(nanos, pa.timestamp("ns", "UTC")),
            "nothing": pa.nulls(3),
            "day": pa.array([date(1, 1, 1)] * 3),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    columns = {name: {"type": "timestamp"} for name in ("local", "utc")}
    columns |= {"nothing": {"type": "string"}, "day": {"type": "date"}}
    contract = make_contract(columns, {"kind": "parquet", "time_zone": "Asia/Almaty"})
    [path] = expand(spark, str(tmp_path / "a.parquet"))

    rows = with_fields(read_records(spark, path, contract), contract).select(*columns).collect()

    assert [tuple(row) for row in rows] == [
        (datetime(2024, 3, 5, 5, 0, 0, 123456), datetime(2024, 3, 5, 10, 0, 0, 123456), None, date(1, 1, 1)),
        (datetime(1969, 12, 31, 17, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 59, 999999), None, date(1, 1, 1)),
        (None, None, None, date(1, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (pa.table([[1], [2]], names=["id", "ID"]), "has columns whose names differ only in case"),
        (pa.table({"id": [1], "note": pa.array([1], pa.time64("us"))}), "Spark cannot read it: "),
    ],
)
def test_what_spark_does_not_read_is_one_clear_line(spark, tmp_path, make_contract, table, fault) -> None:
    pq.write_table(table, tmp_path / "a.parquet")

    with pytest.raises(InputError, match=fault):
        read_records(spark, f"file://{tmp_path}/a.parquet", make_contract(format_={"kind": "parquet"})).frame.collect()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xef\xbb\xbf\n<html><body>Please sign in</body>", "is an HTML page"),
        ("<!DOCTYPE html>\n".encode("utf-16"), "is an HTML page"),
        (b"<?xml version='1.0'?><Workbook>", "is an XML file"),
        (b"Rar!\x1a", "is a RAR archive"),
        (b"<5,a\n", None),
    ],
)
def test_a_page_named_csv_is_called_one(spark, tmp_path, make_contract, content, fault) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    facts = describe(spark, f"file://{tmp_path}/a.csv")

    if fault is None:
        check_whole(facts, make_contract())
    else:
        with pytest.raises(InputError, match=fault):
            check_whole(facts, make_contract())


def test_numbers_in_names_of_files_count_by_value(spark, tmp_path) -> None:
    for name in ("part_10.csv", "part_9.csv", "part_9b.csv", "a.csv", "1.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")

    names = [path.rsplit("/", 1)[-1] for path in expand(spark, str(tmp_path))]

    assert names == ["1.csv", "a.csv", "part_9.csv", "part_9b.csv", "part_10.csv"]
