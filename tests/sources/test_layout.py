"""Lines whose fields have fixed widths, or stand between any number of blanks."""

from __future__ import annotations

from otklik.sources import checks
from otklik.sources.contract import Format
from otklik.sources.layout import delimited_text


def fields(judged, *names: str):
    return [tuple(row) for row in judged.orderBy("_record_no").select("_record_no", *names).collect()]


def reasons(judged) -> dict[int, list[tuple[str, str | None]]]:
    rows = checks.only_rejected(judged).collect()
    return {row.record_no: [(each.reason, each.rule) for each in row.reasons] for row in rows}


def test_fields_of_fixed_width_are_cut_trimmed_and_counted(judge, make_contract) -> None:
    columns = {"id": {"type": "integer", "required": True}, "name": {"type": "string"}, "sum": {"type": "double"}}
    contract = make_contract(columns, {"kind": "fixed", "widths": [5, 10, 8], "skip_lines": 1, "footer": 1})
    lines = [
        "за май 2025",
        "id   name           sum",
        '00001Әсел "А"    1500.5',
        "00002Timur, K.",
        "",
        "00003Anna           300 x",
        "     Dana           300",
        "id   name           sum",
        "Итого              1800",
    ]

    judged = judge("\r\n".join(lines), contract, "a.txt")

    assert fields(judged, "id", "name", "sum")[:2] == [(1, 1, 'Әсел "А"', 1500.5), (2, 2, "Timur, K.", None)]
    assert reasons(judged) == {
        3: [("too_many_fields", "4 fields, 3 expected")],
        4: [("required", None)],
        5: [("repeated_header", "the header stands here once more")],
    }
    record = checks.only_rejected(judged).where("record_no = 3").collect()[0].record
    assert record == "00003Anna           300 x"


def test_fields_between_any_number_of_blanks(judge, make_contract) -> None:
    columns = {"id": {"type": "integer"}, "city": {"type": "string"}, "x": {"type": "double"}}
    contract = make_contract(columns, {"kind": "blanks"})
    lines = ["  id \tcity   x", '1  "New  York" 1.5', "  2\tТараз\t\t-3e2  ", "3 Алматы", "4 a b c", '5 "x ""y""" 1']

    judged = judge("\n".join(lines), contract, "a.dat")

    assert fields(judged, "id", "city", "x") == [
        (1, 1, "New  York", 1.5), (2, 2, "Тараз", -300.0), (3, 3, "Алматы", None), (4, 4, "a", None),
        (5, 5, 'x "y"', 1.0),
    ]  # fmt: skip
    assert reasons(judged) == {
        3: [("too_few_fields", "2 fields, 3 expected")],
        4: [("too_many_fields", "4 fields, 3 expected")],
    }


def test_a_file_without_header_has_the_columns_in_their_order(judge, make_contract) -> None:
    contract = make_contract(format_={"kind": "fixed", "widths": [3, 4], "header": False})

    assert fields(judge("  1 ab\n 12cdef\n", contract), "id", "note") == [(1, 1, "ab"), (2, 12, "cdef")]


def test_a_quote_is_a_character_where_fields_have_widths() -> None:
    assert Format(kind="fixed", widths=[3]).quote is None
    assert delimited_text(Format(kind="fixed", widths=[2, 2]), 'a"b') == 'a"\x1fb'
