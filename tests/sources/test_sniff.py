"""How unknown files are written: headers, delimiters, quotes, what stands around the rows."""

from __future__ import annotations

import bz2
import gzip
import io
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otklik.errors import InputError
from otklik.settings import validate
from otklik.sources.contract import Contract
from otklik.sources.draft import draft

#: A file → settings of [format], names in the file, and what a remark says.
FILES: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("Клиент;;Продажи;\nКод;Имя;Штук;Сумма\n1;А;10;100\n2;Б;20;200\n", {"header_lines": 2},
     ["Клиент Код", "Клиент Имя", "Продажи Штук", "Продажи Сумма"], ""),
    ("id,weight\n,kg\n1,70\n2,80\n", {"header_lines": 2}, ["id", "weight kg"], ""),
    (",A,A\n,x,y\nid,,\n1,2,3\n2,3,4\n", {"header_lines": 3}, ["id", "A x", "A y"], ""),
    ("id,x,y\n1,NA,a\n2,3,b\n3,4,c\n", {"header_lines": 1}, ["id", "x", "y"], ""),
    ("city,2021,2022\nАлматы,1,2\nТараз,4,5\n", {"header": True}, ["city", "2021", "2022"], ""),
    ("товар;01.01.2024;01.02.2024\nЧай;5;6\nСыр;7;8\n", {"header": True}, ["товар", "01.01.2024", "01.02.2024"], ""),
    ("day,4046,4225\n2015-01-01,1.5,2\n2015-01-02,4,5\n", {"header": True}, ["day", "4046", "4225"], ""),
    ("1,Анна\n2,Борис\n", {"header": False}, ["column_1", "column_2"], "no line was taken for a header"),
    ("id,Name,name\n1,a,b\n2,c,d\n", {}, ["id", "Name [1]", "name [2]"], ""),
    ("id;x\n1;2;\n2;3;\n", {"header": True}, ["id", "x"], ""),
    ("id;x;\n1;2\n2;3\n", {"header": True}, ["id", "x"], ""),
    ("'id','note'\n'1','a,b'\n'2','c'\n", {"quote": "'"}, ["id", "note"], ""),
    ('"id","note"\n"1","a \\"b\\", c"\n"2","d"\n', {"escape": "\\"}, ["id", "note"], ""),
    ('id,note\n1,"a ""b"""\n2,"5\\" x"\n3,"C:\\"\n', {"escape": None}, ["id", "note"],
     "1 rows have a quote inside a quoted field that is not doubled or escaped, and are rejected; the first is record"
     " 2"),
    ('id,note,path\n1,"a\nb","x"\n2,"TV 5" LED","C:\\"\n3,"lamp","y"\n', {"multiline": True},
     ["id", "note", "path"],
     "1 rows have a quote inside a quoted field that is not doubled or escaped, and are rejected; the first is record"
     " 2"),
    ("# GA4\nNth day,New users\n0000,5\n0001,4\n\n# 20240301\nFirst channel,New users\nDirect,5\nSearch,4\n",
     {"skip_lines": 1, "footer": 4}, ["Nth day", "New users"],
     "a second table is left out, whose header is First channel,New users: write it to a file of its own"),
    ("page,hits,sum\nx,1,2\ny,3,4\n\nday,users\n01.03.2024,5\n02.03.2024,4\n\nk,n\nz,1\nw,2\n", {"footer": 6},
     ["page", "hits", "sum"], "whose header is day,users"),
    ("Report,Sales\nYear,2026\nRows,12\n\nname,qty,sum\nA,1,2\nB,3,4\nC,3,4\n", {"skip_lines": 3, "footer": 0},
     ["name", "qty", "sum"], "3 lines above the header are left out"),
    ("name,city,n\nA,Oral,1\nB,Taraz,2\n\nC,Aqtau,none\nD,Oral,4\nE,Oral,7\n", {"footer": 0},
     ["name", "city", "n"], ""),
    ('id,note\n1,"a \\"b\\" c"\n2,"d"\n', {"escape": "\\"}, ["id", "note"], ""),
    ('id,note\n1,"open\n2,b\n3,c\n4,d\n', {"multiline": False}, ["id", "note"],
     "1 rows have a quote that is not closed, and are rejected; the first is record 1"),
    ('day,visits\n2024-03-01,"1,234"\n2024-03-02,987\n', {"thousands_separator": ","}, ["day", "visits"],
     "or decimal_comma = true? every comma precedes three digits"),
    (',value\nx,1\ny,2\n', {"skip_lines": 0, "header": True}, ["", "value"], ""),
    ('"","second column"\nhello,there\nx,y\n', {"skip_lines": 0, "header": True}, ["", "second column"], ""),
    ("id,tags\n1,a\n2,\\N\n3,b\n", {"null_tokens": ["", "\\N"]}, ["id", "tags"], ""),
    ("id^name\n1^a\n2^b\n", {"delimiter": "^"}, ["id", "name"], ""),
    ("id\x01name\n1\x01a\n2\x01b\n", {"delimiter": "\x01"}, ["id", "name"], ""),
    ('"id,name"\n"1,Anna"\n"2,Boris"\n', {}, ["id,name"], "there is but one column: is the delimiter right?"),
    ("день;сумма\n05.03.2024;1\n06.03.2024;2\nОстаток;3\n", {"footer": 1}, ["день", "сумма"], "1 lines below the rows"),
    ("источник,визиты\nИтого и средние,3\nпоиск,1\nпрямые,2\n", {}, ["источник", "визиты"], "1 rows begin with a word"),
    ("город;сумма\nАлматы;1\nАлматы Итог;1\nТараз;2\nОбщий итог;3\n", {"footer": 1}, ["город", "сумма"],
     "1 rows begin with a word for a total"),
    ("день;чек;сумма\n01.03.2024;R1;1\n02.03.2024;R2;2\n;;3\n", {"footer": 0}, ["день", "чек", "сумма"],
     "the last row has nothing in columns of text: a sum?"),
    ("from,name,kind,n\n1,,,3\n2,Brand,a,1\n3,Video,b,2\n", {}, ["from", "name", "kind", "n"],
     "the first row has nothing in columns of text"),
    ("№;имя;день\n1;2;3\n1;А;01.03.2024\n2;Б;02.03.2024\n", {"date_formats": ["dd.MM.yyyy"]}, ["№", "имя", "день"],
     "the line below the header numbers the columns"),
    ("город;месяц\nАлматы;1\n;2\nТараз;1\n;2\n", {}, ["город", "месяц"], "does a label hold for the rows below it?"),
    (" id | city   | sum\n----+--------+-----\n  1 | Тараз  | 1.5\n  2 | Актау  | 2.5\n(2 rows)\n", {"footer": 1},
     ["id", "city", "sum"], "1 lines of dashes stand among the rows"),
    ("id    name     n\n----- -------- --\n" + "".join(f"{n:5} item {n}   {n:2}\n" for n in range(9)) + "(9 rows)\n",
     {"kind": "fixed", "widths": [6, 9, 2], "footer": 1}, ["id", "name", "n"], ""),
    ("# Report\n#\n# 20240301\n\nchannel,users\nDirect,5\nSearch,4\n", {"skip_lines": 3}, ["channel", "users"],
     "3 lines that begin with # are left out"),
    ("# made by x\n#id\tname\n1\ta\n2\tb\n", {"kind": "tsv", "skip_lines": 1}, ["#id", "name"], ""),
    ("От:;Лавка;;\nЗа:;март;;\n\nдень;номер;приход;расход\n01.03.2024;1;5;\n02.03.2024;2;6;\nОборот;;11;\nОстаток;;9;\n",
     {"skip_lines": 2, "footer": 2}, ["день", "номер", "приход", "расход"], ""),
    ('"Sepal";"Petal"\n"1";1.5;2\n"2";2.5;3\n', {"skip_lines": 1, "header": False}, ["row_name", "Sepal", "Petal"],
     "one name fewer than a row has fields"),
    ("id,name\n1,Anna,x\n2,Boris,y\n1,Ivan,z\n", {"header": False}, ["column_1", "column_2", "column_3"], ""),
    ('\ufeff\ufeff"id","имя"\n"1","Анна"\n', {}, ["id", "имя"], ""),
    ("id,name\n1,Айг?л\n2,Ерлан\n", {}, ["id", "name"], "1 rows have ? or \ufffd in the place of letters"),
    ("id,city\n1,РђР»РјР°С‚С‹\n", {}, ["id", "city"], "texts look like UTF-8 that was read in another encoding"),
    ("id,x\n" + "".join(f"{n},{'a' * 20}\n" for n in range(9)) + "9,a\0b\n", {}, ["id", "x"], "1 rows have a zero"),
    ('{"id":1,"v":5}\n{"id":2,"v":{"a":1}}\n', {"kind": "json_lines"}, ["id", "v"], "v is an object in some rows"),
    ('{"id":1}\n{"id":2,"id":3}\n', {"kind": "json_lines"}, ["id"],
     "1 lines have a key twice, and are rejected; the first is line 2"),
    ('{"id":1,"Name":"a","name":"b"}\n', {"kind": "json_lines"}, ["id", "Name [1]", "name [2]"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("content", "format_", "names", "remark"), FILES)
def test_how_a_file_is_written(
    tmp_path: Path, content: str, format_: dict[str, Any], names: list[str], remark: str
) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8", newline="")

    text = draft(str(tmp_path / "a.csv"))

    contract = validate(Contract, tomllib.loads(text), "a.csv")
    assert {key: getattr(contract.format, key) for key in format_} == format_
    assert [contract.name_in_file(name) for name in contract.columns] == names
    assert remark in text


def test_a_column_that_writes_numbers_and_dates_in_its_own_way_says_so(tmp_path: Path) -> None:
    rows = "".join(f'{n}.5;{n + 1}.5;"{n},5";{n}/25/2024;25/{n}/2024\n' for n in range(1, 9))
    (tmp_path / "a.csv").write_text(f"a;b;c;sent;paid\n{rows}")

    contract = validate(Contract, tomllib.loads(draft(str(tmp_path / "a.csv"))), "a.csv")

    assert (contract.format.decimal_comma, contract.format.date_formats) == (False, ["M/d/yyyy"])
    assert contract.format_of("c").decimal_comma
    assert contract.format_of("paid").date_formats == ["d/M/yyyy"]


def test_a_header_in_another_encoding_than_the_rows_is_read_by_places(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Код,Город\n".encode("cp1251") + "1,Тараз\n2,Актау\n".encode())

    contract = validate(Contract, tomllib.loads(draft(str(tmp_path / "a.csv"))), "a.csv")

    assert (contract.format.encoding, contract.format.header, contract.format.skip_lines) == ("utf-8", False, 1)
    assert {name: column.source for name, column in contract.columns.items()} == {"kod": "Код", "gorod": "Город"}


def parquet(table: pa.Table, **options: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", gzip.compress(b"id\n1\n", mtime=0), "is gzip but not named .gz"),
        ("a.csv.gz", b"id\n1\n", "is not gzip though its name ends in .gz"),
        ("a.csv.gz", gzip.compress(gzip.compress(b"id\n1\n", mtime=0), mtime=0), "is compressed with gzip twice"),
        ("a.csv", bz2.compress(b"id\n1\n"), "is compressed with bzip2"),
        ("a.txt", "1CClientBankExchange\nВерсияФормата=1.03\n".encode("cp1251"), "is a bank exchange file of 1C"),
        ("a.vcf", b"BEGIN:VCARD\nFN:Anna\n", "is a list of contacts"),
        ("a.sql", b"INSERT INTO t VALUES (1);\n", "is a list of SQL statements"),
        ("a.xls", b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "is a workbook of Excel 2003"),
        ("a.orc", b"ORC\x0a\x03\x00\x01", "is an ORC file"),
        ("a.csv", "id\n1\n".encode("utf-32"), "is encoded as utf-32"),
        ("a.csv", b"id,name\n", "a header without rows"),
        ("a.json", b'[[1,"a"],[2,"b"]]', "contains no JSON array of objects"),
        ("a.jsonl", b'["id","x"]\n[1,"a"]\n', "lines are JSON arrays, not objects"),
        ("a.json", b'{"u1":{"n":1},"u2":{"n":2}}', "is one JSON object whose fields are its rows or columns"),
        ("a.jsonl", b'{"id":1,"id":2}\n', "no line is a JSON object"),
        ("a.parquet", parquet(pa.table({"x": pa.array([1], pa.time32("ms"))})), r"types of these columns: x \(time\)"),
        ("a.parquet", parquet(pa.table({"x": pa.array([1], pa.decimal256(50, 2))})), r"x \(decimal\(50,2\)\)"),
        ("a.parquet", parquet(pa.table({"x": [1]}), compression="brotli"), "is stored as BROTLI"),
        ("a.parquet", parquet(pa.table([[1], [2]], names=["id", "ID"])), "has columns whose names differ only in case"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_called_by_its_name(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=fault):
        draft(str(tmp_path / name))


def test_a_name_may_begin_as_another_kind_of_file_does(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ORCID,name\n0000-0001,Anna\n0000-0002,Boris\n")

    assert 'source = "ORCID"' in draft(str(tmp_path / "a.csv"))
