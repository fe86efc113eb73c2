from __future__ import annotations

import codecs
import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.errors import InputError
from otklik.sources.contract import CHARSETS, Contract
from otklik.sources.fields import with_fields
from otklik.sources.files import expand
from otklik.sources.reader import read_records


@pytest.fixture
def read(spark: SparkSession, tmp_path: Path):
    """The records of a file: (number, text) in order."""

    def run(content: bytes, contract: Contract, name: str = "file.csv") -> list[tuple[int, str]]:
        (tmp_path / name).write_bytes(content)
        rows = read_records(spark, f"file://{tmp_path / name}", contract).frame.collect()
        return sorted((row.record_no, row.record) for row in rows)

    return run


@pytest.fixture
def split_size(spark: SparkSession):
    """Set how many bytes of a file one task reads."""
    key = "spark.sql.files.maxPartitionBytes"
    before = spark.conf.get(key)
    yield lambda size: spark.conf.set(key, str(size))
    spark.conf.set(key, str(before))


def test_line_ends_may_be_mixed_and_blank_lines_are_no_records(read, make_contract) -> None:
    content = codecs.BOM_UTF8 + b"id,note\r1,a\r\n\n   \n2,b\n\r3,c"

    assert read(content, make_contract()) == [(1, "1,a"), (2, "2,b"), (3, "3,c")]


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "utf-16", "utf-16-le"])
def test_other_encodings_are_read_as_text(read, make_contract, encoding) -> None:
    text = "id,note\r\n1,Алия\r2,Өтегенқызы\n" if encoding.startswith("utf") else "id,note\r\n1,Алия\r2,ёж\n"

    records = read(text.encode(encoding), make_contract(format_={"encoding": encoding}))

    assert records == [(1, "1,Алия"), (2, "2,Өтегенқызы" if encoding.startswith("utf") else "2,ёж")]


#: Letters that each encoding has, for those that have no Cyrillic.
LETTERS = {
    "ascii": "Aliya", "cp1250": "Łódź", "cp1252": "Zoë", "cp1254": "İğde", "iso8859-1": "Zoë", "iso8859-2": "Łódź",
    "iso8859-9": "İğde", "iso8859-15": "Zoë €", "shift_jis": "東京", "euc_kr": "서울", "gb18030": "北京",
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("encoding", CHARSETS)
def test_every_encoding_that_may_be_declared_is_read(read, make_contract, encoding) -> None:
    records = [f"{number},{LETTERS.get(encoding, 'ёж')}" for number in (1, 2)]

    found = read("\r\n".join(["id,note", *records]).encode(encoding), make_contract(format_={"encoding": encoding}))

    assert found == list(enumerate(records, start=1))


@pytest.mark.parametrize("splits", [1, 2, 8])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_numbers_do_not_depend_on_how_the_file_is_cut(read, make_contract, split_size, splits, encoding) -> None:
    lines = [f"{n},{'я' * (n % 7)}" for n in range(1, 200)]
    content = "\r\n".join(["id,note", "", *lines]).encode(encoding)
    split_size(len(content) // splits + 1)

    records = read(content, make_contract(format_={"encoding": encoding}))

    assert records == list(enumerate(lines, start=1))


@pytest.mark.parametrize("splits", [1, 8])
def test_quoted_line_breaks_stay_as_received_however_the_file_is_cut(read, make_contract, split_size, splits) -> None:
    notes = ["plain", '"two\nlines"', '"a\r\n\r\nb ""c"""', '"cr\ronly"', '"\n\n"', "end"]
    expected = [f"{n},{notes[n % len(notes)]}" for n in range(60)]
    content = ("id,note\r\n\r\n" + "\r\n".join(expected) + "\r\n").encode()
    split_size(len(content) // splits + 1)

    assert read(content, make_contract(format_={"multiline": True})) == list(enumerate(expected, start=1))


@pytest.mark.parametrize("multiline", [False, True])
def test_rows_kept_of_a_file_are_not_taken_for_those_of_what_it_holds_now(
    read, spark, tmp_path, make_contract, multiline
) -> None:
    """A run that was killed lets go of nothing, and other runs of the same session come after it."""
    contract = make_contract(format_={"multiline": multiline})
    (tmp_path / "file.csv").write_bytes(b"id,note\n1,a\n")
    of_a_killed_run = read_records(spark, f"file://{tmp_path / 'file.csv'}", contract).frame.persist()
    assert of_a_killed_run.count() == 1

    records = read(b"id,note\n2,b\n", contract)

    of_a_killed_run.unpersist()
    assert records == [(1, "2,b")]


def test_a_quote_that_never_closes_does_not_eat_the_rows_after_it(read, make_contract) -> None:
    content = b'id,note\n1,"a\nb"\n2,"open\n3,c\n\n4,"d"\n'

    records = read(content, make_contract(format_={"multiline": True}))

    assert records == [(1, '1,"a\nb"'), (2, '2,"open'), (3, "3,c"), (4, '4,"d"')]


def test_quotes_that_only_seem_to_close_eat_no_rows(read, make_contract) -> None:
    """Two slips, or a slip before a good field of several lines, make an even number of quotes."""
    contract = make_contract(format_={"multiline": True})

    records = read(b'id,note\n1,a\n2,"open\n3,c\n\n5,"a\nb"\n6,x\n', contract)
    inches = read(b'id,note\n1,5" pipe\n2,"a, b"\n3,6" pipe\n4,"x\r\ny"\n', contract, "inches.csv")

    assert [record for _, record in records] == ["1,a", '2,"open', "3,c", '5,"a', 'b"', "6,x"]
    assert inches == [(1, '1,5" pipe'), (2, '2,"a, b"'), (3, '3,6" pipe'), (4, '4,"x\r\ny"')]


def test_gzip_and_odd_file_names_are_read_literally(spark, tmp_path, make_contract) -> None:
    file = tmp_path / "a[1]*{b} ?%20.csv.gz"
    file.write_bytes(gzip.compress(b"id,note\n1,a\n"))

    [path] = expand(spark, str(file))

    assert read_records(spark, path, make_contract()).frame.collect()[0].record == "1,a"


def test_parquet_rows_keep_their_values_and_names(spark, tmp_path, make_contract) -> None:
    columns = {
        "id": {"type": "integer", "source": "Код.1"},
        "paid": {"type": "decimal(30,10)"},
        "rate": {"type": "decimal(12,10)"},
        "at": {"type": "timestamp"},
        "note": {"type": "string"},
    }
    paid, rate = Decimal("12345678901234567890.0123456789"), Decimal("0.0000001234")
    row = (2**60, paid, rate, datetime(2024, 2, 29, 1, 2, 3, 4567), None)
    schema = "`Код.1` BIGINT, paid DECIMAL(30,10), rate DECIMAL(12,10), at TIMESTAMP, note STRING"
    spark.createDataFrame([row], schema).coalesce(1).write.parquet(str(tmp_path / "out"))
    [path] = expand(spark, str(tmp_path / "out"))
    contract = make_contract(columns, {"kind": "parquet"})

    fields = with_fields(read_records(spark, path, contract), contract).select(*columns).collect()

    assert [tuple(found) for found in fields] == [row]


@pytest.mark.parametrize(
    ("content", "format_", "fault"),
    [
        (b"id,note\n", {}, "contains a header but no records"),
        (b"\n \n", {}, "contains neither a header nor records"),
        (b"id;note\n1;a\n", {}, "is the delimiter ';' rather than ','"),
        ("id,note\n1,a\n".encode("utf-16"), {}, "is encoded as utf-16, but the contract says utf-8"),
        (b"id,note\n1,a\n", {"encoding": "utf-16"}, "has no byte-order mark"),
        ("id,Ёж\n1,a\n".encode("cp1251"), {}, "the header is not valid utf-8"),
        (
            "id,note\n1,a\n2,Алматы\n".encode(),
            {"encoding": "cp1251"},
            "is encoded as utf-8, but the contract says cp1251",
        ),
        (b"1\n2\n", {"kind": "json_lines"}, "no line is a JSON object"),
        (b'[{"id":1},\n{"id":2}]\n', {"kind": "json_lines"}, "is one JSON array"),
        (b"Report\nMay\nid,note\n1,a\n", {}, "the header stands below 2 other lines: set format.skip_lines = 2"),
        (b",note\nid,\n1,a\n", {}, "the names stand on 2 lines: set format.header_lines = 2"),
        (b'"id","no\nte"\n1,a\n', {}, "set format.multiline = true"),
        (b"id,note,note\n1,a,b\n", {}, "'NAME [1]', 'NAME [2]'"),
        (b'{"id":1,"nota":2}\n', {"kind": "json_lines"}, "missing: 'note'"),
        (b"no parquet", {"kind": "parquet"}, "cannot be read completely"),
    ],
)
def test_a_file_that_cannot_be_taken_in_gives_one_clear_line(read, make_contract, content, format_, fault) -> None:
    with pytest.raises(InputError) as caught:
        read(content, make_contract(format_=format_))

    assert fault in caught.value.line()
