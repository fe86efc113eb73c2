"""Files that are read at once: the same records, numbers and refusals as one by one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from otklik.errors import InputError
from otklik.sources.fields import with_fields
from otklik.sources.files import expand
from otklik.sources.many_files import read_files
from otklik.sources.reader import read_records


def one_by_one(spark, paths, contract) -> tuple[dict, dict]:
    rows, refused = {}, {}
    for number, path in enumerate(paths):
        try:
            records = read_records(spark, path, contract)
            fields = with_fields(records, contract).select("_record_no", "_record", *contract.columns).collect()
            rows[number] = (records.header, sorted(tuple(row) for row in fields))
        except InputError as fault:
            refused[number] = fault.line()
    return rows, refused


def at_once(spark, paths, contract) -> tuple[dict, dict]:
    readings = read_files(spark, dict(enumerate(paths)), contract)
    rows: dict = {number: (header, []) for number, header in readings.headers.items()}
    for records in readings.records:
        fields = with_fields(records, contract)
        for row in fields.select("_file_no", "_record_no", "_record", *contract.columns).collect():
            rows[row[0]][1].append(tuple(row)[1:])
    sorted_rows = {number: (header, sorted(those)) for number, (header, those) in rows.items()}
    return sorted_rows, {number: fault.line() for number, fault in readings.refused.items()}


FILES = {
    "csv": {
        "a.csv": b"id,note\n1,a\n\n2,b\n",
        "a b %20[1]{x}.csv": b"id,note\n3,c\n",
        "a%20b.csv": b"id,note\r4,d\r5,e\r",
        "b.csv": b"note,ID\nx,6\ny,7\n",
        "c.csv": b"sep=,\nnote,id\nz,8\n",
        "d.csv": b"wrong\n1\n",
        "e.csv": b"id,note\n",
        "f.csv.gz": gzip.compress("id,note\n9,ё\n".encode()),
        "g.csv": "id,note\n10,ж\n".encode("utf-16"),
        "h.csv": b"\xef\xbb\xbfid,note\n11,\xff\n",
    },
    "footer": {"a.csv": b"id,note\n1,a\n2,b\nAll,2\n", "b.csv": b"id,note\n3,c\nAll,1\n", "c.csv": b"id,note\n3,0\n"},
    "multiline": {
        "a.csv": b'id,note\n1,"a\nb"\n2,c\n',
        "b.csv": b'id,note\n3,"open\n4,d\n',
        "c.csv": b'id,note\r\n5,"e\r\nf"\r\n',
        "d.csv": b"id,note\n",
    },
    "headerless": {"a.csv": b"1,a\n2,b\n", "b.csv": b"3,c\n"},
    "cp1251": {"a.csv": "id,note\n1,да\n".encode("cp1251"), "b.csv": "id,note\n2,нет\n".encode("cp1251"),
               "c.csv": "id,note\n2,нет\n".encode(), "d.csv": b"id,note\n4,x\n"},
    "json_lines": {
        "a.json": b'{"id": 1, "note": "a"}\n{"id": 2}\n',
        "b.json": b'{"note": "c", "ID": 3}\n',
        "c.json": b'[{"id": 4}]\n',
        "d.json": b'{"id": 5, "other": 1}\n',
        "e.json": b"\n",
    },
    "json_keys": {
        "a.json": '{"id\u200b": 1, "note": "a"}\n{"id": 2, "note": "b"}\n'.encode(),
        "b.json": '{"id\u200b": 3, "note": "c"}\n'.encode(),
    },
    "json_doubled": {
        "a.json": b'{"id": 1, "id": 1, "note": "a"}\n{"id": 2, "note": "b"}\n',
        "b.json": b'{"id": 3, "id": 3, "note": "c"}\n',
    },
}  # fmt: skip
FORMATS = {
    "csv": {"encoding": "utf-8"},
    "footer": {"footer": 1},
    "multiline": {"multiline": True},
    "headerless": {"header": False},
    "cp1251": {"encoding": "cp1251"},
    "json_lines": {"kind": "json_lines"},
    "json_keys": {"kind": "json_lines"},
    "json_doubled": {"kind": "json_lines"},
}


@pytest.mark.parametrize(
    "kind", [kind if kind == "csv" else pytest.param(kind, marks=pytest.mark.long) for kind in FILES]
)
def test_files_read_at_once_give_what_they_give_one_by_one(spark, tmp_path, make_contract, kind) -> None:
    contract = make_contract(format_=FORMATS[kind])
    for name, content in FILES[kind].items():
        (tmp_path / name).write_bytes(content)
    paths = expand(spark, str(tmp_path))

    found = at_once(spark, paths, contract)

    assert found == one_by_one(spark, paths, contract)
    assert len(found[0]) > 1


@pytest.mark.long
def test_parquet_files_are_read_at_once_where_their_columns_are_the_same(spark, tmp_path, make_contract) -> None:
    parts = {
        "a": "SELECT CAST(1 AS BIGINT) AS id, 'a' AS note",
        "b": "SELECT CAST(2 AS BIGINT) AS id, 'b' AS note UNION ALL SELECT 3, 'c'",
        "c": "SELECT 'd' AS note, CAST(4 AS INT) AS id",
        "d": "SELECT CAST(5 AS BIGINT) AS id, 'e' AS note LIMIT 0",
        "e": "SELECT 1 AS other",
    }
    for name, query in parts.items():
        spark.sql(query).coalesce(1).write.parquet(str(tmp_path / name))
        [file] = (tmp_path / name).glob("*.parquet")
        Path(file).rename(tmp_path / f"{name}.parquet")
    paths = [f"file://{tmp_path / name}.parquet" for name in parts]
    contract = make_contract(format_={"kind": "parquet"})

    found = at_once(spark, paths, contract)

    assert found == one_by_one(spark, paths, contract)
    assert sorted(found[0]) == [0, 1, 2]
