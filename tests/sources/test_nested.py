"""Rows inside JSON documents and XML files, and paths to fields inside objects: rows in, rows out."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik.errors import ConfigurationError, InputError
from otklik.settings import validate
from otklik.sources import checks, files
from otklik.sources.contract import Contract
from otklik.sources.draft import draft
from otklik.sources.nested import path_steps, plain_object
from otklik.sources.reader import read_records

TELEGRAM = """{"about": "export", "chats": {"list": [
  {"name": "Лавка", "id": 7, "messages": [
    {"id": 1, "date_unixtime": "1700000000", "text": "salem"},
    {"id": 2, "date_unixtime": "1700000060", "text": ["see ", {"type": "bold", "text": "this"}, {"type": "x"}, "!"]}]},
  {"name": "empty", "id": 8, "messages": []},
  {"name": null, "id": 9, "messages": [{"id": 1, "date_unixtime": "1700000120", "text": ""}, null, 5]}
]}}"""


def rows_of(judged, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in judged.orderBy("_record_no").select("_record_no", *names).collect()]


def reasons(judged) -> dict[int, list[str]]:
    return {row.record_no: [each.reason for each in row.reasons] for row in checks.only_rejected(judged).collect()}


def test_paths_lead_into_the_objects_of_json_lines(judge, make_contract) -> None:
    columns = {
        "id": {"type": "integer"},
        "name": {"source": "user.screen_name", "type": "string"},
        "price": {"source": "order.sum", "type": "decimal(10,2)"},
        "dotted": {"source": "a.b", "type": "string"},
    }
    lines = '{"id": 1, "user": {"screen_name": "anna"}, "order": {"sum": 12.50}, "a.b": "x"}\n{"id": 2, "a.b": "y"}\n'

    rows = judge(lines, make_contract(columns, {"kind": "json_lines"})).orderBy("_record_no").collect()

    assert [(row.id, row.name, f"{row.price}", row.dotted) for row in rows] == [
        (1, "anna", "12.50", "x"),
        (2, None, "None", "y"),
    ]


def test_elements_of_arrays_inside_arrays_are_rows_with_the_fields_around_them(judge, make_contract) -> None:
    columns = {
        "chat": {"source": "../id", "type": "integer", "required": True},
        "chat_name": {"source": "../name", "type": "string"},
        "export": {"source": "../../../about", "type": "string"},
        "id": {"type": "integer", "required": True},
        "at": {"source": "date_unixtime", "type": "timestamp"},
        "text": {"type": "string", "pieces": "text"},
    }
    format_ = {"kind": "json", "rows": "chats.list[].messages", "timestamp_formats": ["epoch_seconds"]}
    contract = make_contract(columns, format_)

    judged = judge(TELEGRAM, contract, "result.json")

    with_texts = judged.withColumn("at", judged.at.cast("string"))
    found = rows_of(with_texts, "chat", "chat_name", "export", "id", "at", "text")
    assert found[:3] == [
        (1, 7, "Лавка", "export", 1, "2023-11-14 22:13:20", "salem"),
        (2, 7, "Лавка", "export", 2, "2023-11-14 22:14:20", "see this!"),
        (3, 9, None, "export", 1, "2023-11-14 22:15:20", None),
    ]
    assert reasons(judged) == {4: ["broken_json"], 5: ["broken_json"]}
    counts = checks.balance(judged, contract)
    assert (counts.rows, counts.accepted, counts.rejected) == (5, 3, 2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("content", "format_"),
    [
        ('[{"id": 1, "note": "a, [b]"},\n {"id": 2, "note": "{\\"c\\": 1}"}]', {}),
        ('\ufeffwindow.YTD.tweets.part0 = [ {"id": 1, "note": "a, [b]"}, {"id": 2, "note": "{\\"c\\": 1}"} ];\n', {}),
        ('{"response": {"count": 2, "items": [{"id": 1, "note": "a, [b]"}, {"id": 2, "note": "{\\"c\\": 1}"}]}}',
         {"rows": "response.items"}),
    ],
)  # fmt: skip
def test_an_array_is_found_at_the_top_behind_a_script_and_at_a_path(judge, make_contract, content, format_) -> None:
    contract = make_contract(format_={"kind": "json", **format_}, new_columns="ignore")

    assert rows_of(judge(content, contract), "id", "note") == [(1, 1, "a, [b]"), (2, 2, '{"c": 1}')]


@pytest.mark.long
def test_numbers_and_escapes_of_a_document_are_those_of_the_file(judge, make_contract) -> None:
    columns = {"id": {"type": "integer"}, "sum": {"type": "decimal(14,2)"}, "x": {"type": "double"},
               "note": {"type": "string"}}  # fmt: skip
    content = (
        '[{"id": 12345678901234567, "sum": 12345678.90, "x": 1e-7, "note": "\\u0430\\n"},'
        ' {"id": 2, "sum": 0.10, "x": 12345678.5, "note": "\\ud83d\\ude00"}]'
    )

    found = rows_of(judge(content, make_contract(columns, {"kind": "json"})), "id", "sum", "x", "note")

    assert [(number, id_, f"{sum_}", x, note) for number, id_, sum_, x, note in found] == [
        (1, 12345678901234567, "12345678.90", 1e-7, "а"),
        (2, 2, "0.10", 12345678.5, "😀"),
    ]


@pytest.mark.long
def test_lines_with_arrays_become_as_many_rows_as_these_have_elements(judge, make_contract) -> None:
    columns = {"receipt": {"source": "../id", "type": "string"}, "item": {"source": "name", "type": "string"}}
    contract = make_contract(columns, {"kind": "json_lines", "rows": "items"}, key={"columns": "all"})
    lines = '{"id": "R1", "items": [{"name": "tea"}, {"name": "jam"}]}\n{"id": "R2"\n{"id": "R3", "items": []}\n\n'

    judged = judge(lines + '{"id": "R4", "items": [{"name": "tea"}]}\n', contract)

    assert rows_of(judged, "receipt", "item") == [
        (1, "R1", "tea"), (2, "R1", "jam"), (3, None, None), (4, "R4", "tea"),
    ]  # fmt: skip
    assert reasons(judged) == {3: ["broken_json"]}


@pytest.mark.parametrize(
    ("content", "format_", "fault"),
    [
        ('[{"id": 1, "note": "a"}, {"id": 2, "no', {}, "is not valid JSON: truncated or corrupt"),
        pytest.param(
            '[{"id": 1}] [{"id": 2}]', {}, "is not valid JSON: truncated or corrupt", marks=pytest.mark.long
        ),
        pytest.param(
            '{"messages": [{"id": 1, "note": "a"}]}', {}, "contains no JSON array with elements at the path []",
            marks=pytest.mark.long,
        ),
        ('{"messages": {"id": 1}}', {"rows": "messages"}, "contains no JSON array with elements at the path messages"),
        pytest.param("[]", {}, "contains no JSON array with elements at the path []", marks=pytest.mark.long),
        pytest.param("[1, 2]", {}, "no line is a JSON object", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_a_document_without_the_rows_gives_one_clear_line(judge, make_contract, content, format_, fault) -> None:
    with pytest.raises(InputError) as caught:
        judge(content, make_contract(format_={"kind": "json", **format_}), "a.json")

    assert fault in caught.value.line()


def test_a_document_that_no_task_should_hold_is_refused(spark, tmp_path, make_contract) -> None:
    (tmp_path / "a.json").write_text("[]")
    facts = replace(files.describe(spark, f"file://{tmp_path}/a.json"), size=files.MOST_OF_A_DOCUMENT + 1)

    with pytest.raises(InputError, match="is larger than 1024 MB, and a JSON document is read as one value"):
        files.check_whole(facts, make_contract(format_={"kind": "json"}))


CATALOGUE = """<?xml version="1.0" encoding="{encoding}"?>
<yml_catalog date="2025-06-01"><shop><offer/><offers>
<offer id="007" available="true"><name>Чай &amp; мёд</name><price currency="KZT">1500.50</price>
  <picture>a.jpg</picture><picture>b.jpg</picture></offer>
<!-- <offer id="9"/> --><offer id="8"><name><![CDATA[Сыр <твёрдый>]]></name><price>3200</price></offer>
</offers></shop></yml_catalog>
"""
OFFERS = {
    "id": {"source": "_id", "type": "string"},
    "name": {"type": "string"},
    "price": {"source": "price._VALUE", "type": "decimal(10,2)"},
    "pictures": {"source": "picture", "type": "string"},
}


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "a.xml"), pytest.param("windows-1251", "a.xml.gz", marks=pytest.mark.long)]
)
def test_elements_of_a_tag_are_rows_and_their_attributes_columns(spark, tmp_path, judge, make_contract, encoding, name):
    contract = make_contract(OFFERS, {"kind": "xml", "rows": "offer", "encoding": encoding}, new_columns="ignore")
    content = CATALOGUE.replace("{encoding}", encoding).encode(encoding)

    judged = judge(gzip.compress(content) if name.endswith(".gz") else content, contract, name)

    assert [(*row[:3], f"{row[3]}", row[4]) for row in rows_of(judged, *OFFERS)] == [
        (1, "007", "Чай & мёд", "1500.50", '["a.jpg","b.jpg"]'),
        (2, "8", "Сыр <твёрдый>", "3200.00", None),
    ]
    files.check_whole(files.describe(spark, f"file://{tmp_path}/{name}"), contract)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            CATALOGUE.replace("{encoding}", "utf-8").removesuffix("</shop></yml_catalog>\n"),
            "no element found in line 6",
        ),
        (CATALOGUE.replace("{encoding}", "windows-1251"), "declares the encoding windows-1251"),
        ("id,note\n1,a\n", "is not well-formed XML"),
        ("<!DOCTYPE html><html></html>", "is an HTML page"),
    ],
)
def test_a_file_that_is_no_whole_xml_gives_one_clear_line(spark, tmp_path, make_contract, content, fault) -> None:
    (tmp_path / "a.xml").write_text(content)
    contract = make_contract(OFFERS, {"kind": "xml", "rows": "offer"})

    with pytest.raises(InputError) as caught:
        files.check_whole(files.describe(spark, f"file://{tmp_path}/a.xml"), contract)

    assert fault in caught.value.line()


def test_an_element_that_is_nil_is_empty_also_in_utf_16(spark, tmp_path, judge) -> None:
    items = "".join(
        f"<item><id>{n}</id><x{' s:nil=' + repr('true') + '/>' if n % 2 else '>Тараз</x>'}</item>" for n in range(4)
    )
    content = f'<?xml version="1.0" encoding="utf-16"?><list xmlns:s="urn:s">{items}</list>'.encode("utf-16")
    (tmp_path / "a.xml").write_bytes(content)
    contract = validate(Contract, tomllib.loads(draft(str(tmp_path / "a.xml"))), "a.xml")

    judged = judge(content, contract, "a.xml")

    assert [tuple(row)[1:] for row in rows_of(judged, "id", "x")] == [(0, "Тараз"), (1, None), (2, "Тараз"), (3, None)]
    files.check_whole(files.describe(spark, f"file://{tmp_path}/a.xml"), contract)


def test_xml_without_the_tag_of_a_row_holds_none(spark, tmp_path, make_contract) -> None:
    (tmp_path / "a.xml").write_text("<shop><offer><id>1</id></offer></shop>")

    with pytest.raises(InputError, match="contains no readable element item"):
        read_records(spark, f"file://{tmp_path}/a.xml", make_contract(format_={"kind": "xml", "rows": "item"}))


def test_paths_to_rows() -> None:
    assert path_steps(None) == ["[]"]
    assert path_steps("messages") == ["messages", "[]"]
    assert path_steps("[].string_list_data[]") == ["[]", "string_list_data", "[]"]
    assert path_steps("chats.list[].messages") == ["chats", "list", "[]", "messages", "[]"]


@pytest.mark.parametrize(
    ("format_", "fault"),
    [
        ({"kind": "csv", "rows": "a"}, "rows applies to json, json_lines and xml, not csv"),
        ({"kind": "xml"}, "rows: set it to the tag of the row elements"),
        ({"kind": "json", "rows": "a..b"}, "is not a path like messages"),
        ({"kind": "fixed"}, "widths and kind = 'fixed' require each other"),
        ({"kind": "json", "multiline": True}, "multiline applies to csv and tsv, not json"),
    ],
)
def test_what_does_not_go_together_in_a_format_is_said(make_contract, format_, fault) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_contract(format_=format_)

    assert fault in caught.value.line()


def test_pieces_are_for_texts_of_json(make_contract) -> None:
    with pytest.raises(ConfigurationError, match="pieces applies to json and json_lines only"):
        make_contract({"text": {"type": "string", "pieces": "text"}})
    with pytest.raises(ConfigurationError, match="pieces needs type = 'string', not integer"):
        make_contract({"n": {"type": "integer", "pieces": "text"}}, {"kind": "json"})


VALUES = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text('aé" \\,:}{', max_size=4)
PIECES = st.sampled_from(
    ['{"a":1', ',"b":"x"', ',"a":2', ',"c":null', ",", "}", ' "b":true', ',"b":[1]', ',"c":01', "{"]
)


@given(st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_plain_objects_are_told_by_a_pattern(record: dict[str, object]) -> None:
    text = json.dumps(dict(sorted(record.items())), ensure_ascii=False, separators=(",", ":"))

    found = re.search(plain_object("abcd") or "", text)

    assert (found is not None) == ("\\" not in text)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_what_fits_the_pattern_is_one_object_without_doubled_keys(text: str) -> None:
    if re.search(plain_object("abc") or "", text):
        pairs = json.loads(text, object_pairs_hook=list)
        assert len({key for key, _ in pairs}) == len(pairs)


def test_no_pattern_for_keys_that_differ_by_case_or_need_escapes_or_are_many() -> None:
    assert plain_object(["Id", "id"]) is None
    assert plain_object(['a"b']) is None
    assert plain_object([f"k{n}" for n in range(1_200)]) is None
