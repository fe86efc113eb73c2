from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from otklik.errors import InputError
from otklik.sources.files import _expand_uri, check_whole, describe, expand
from otklik.sources.paths import names_apart, time_in_name

PACKED = gzip.compress(b"id,note\n" + b"1,a\n" * 500, mtime=0)


def test_a_file_is_described_by_size_and_hash(spark, tmp_path, make_contract) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\n1\n")
    [path] = expand(spark, str(tmp_path / "a.csv"))

    facts = describe(spark, path)

    assert (facts.name, facts.size, facts.content_hash) == ("a.csv", 5, hashlib.sha256(b"id\n1\n").hexdigest())


def test_a_folder_stands_for_its_files_in_order(spark, tmp_path: Path) -> None:
    for name in ("b.csv", "a 1.csv", "_SUCCESS", ".b.csv.crc"):
        (tmp_path / name).write_text("id\n1\n")
    (tmp_path / "inner").mkdir()

    found = [f"file://{tmp_path}/{name}" for name in ("a 1.csv", "b.csv")]
    assert expand(spark, f"file://{tmp_path}") == found
    assert expand(spark, f"file:{tmp_path}") == found


@pytest.mark.parametrize(
    ("name", "pattern", "found"),
    [
        ("inbox 2025/sales 31.12.2026.csv", "dd.MM.yyyy", "2026-12-31 00:00"),
        ("sales_20260102_0930.csv.gz", "yyyyMMdd_HHmm", "2026-01-02 09:30"),
        ("7-99.99.2026 01.02.2026.csv", "dd.MM.yyyy", "2026-02-01 00:00"),
        ("100%_26-01.csv", "yy-MM", "2026-01-01 00:00"),
        ("sales_20260102.csv", "yyyyMM", None),
        ("sales.csv", "yyyy", None),
        ("2026/sales.csv", "yyyy", None),
    ],
)
def test_the_time_in_the_name_of_a_file(name: str, pattern: str, found: str | None) -> None:
    time = time_in_name(name, pattern)

    assert (None if time is None else f"{time:%Y-%m-%d %H:%M}") == found


def test_what_cannot_be_read_is_named(spark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        describe(spark, f"file://{tmp_path}")


def test_links_out_of_a_folder_are_refused(spark, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "secret.csv")

    with pytest.raises(InputError, match=r"points outside the folder: link\.csv"):
        expand(spark, str(tmp_path / "in"))


def test_a_remote_folder_without_files_is_refused(spark, tmp_path) -> None:
    (tmp_path / "_SUCCESS").write_text("")

    with pytest.raises(InputError, match="no such file, or a folder without files"):
        _expand_uri(spark, f"file://{tmp_path}")


@pytest.mark.parametrize("path", ["nowhere/x.csv", "*.csv", "ftp://host/x.csv", "empty", "a:b.csv"])
def test_paths_that_stand_for_nothing_are_refused(spark, tmp_path, path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a:b.csv").write_text("id\n1\n")
    (tmp_path / "a.csv").write_text("id\n1\n")

    with pytest.raises(InputError):
        expand(spark, path if "://" in path else str(tmp_path / path))


def test_a_folder_of_folders_says_so(spark, tmp_path) -> None:
    (tmp_path / "2024-01").mkdir()

    with pytest.raises(InputError, match="contains only folders, which are not entered"):
        expand(spark, str(tmp_path))


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    paths = ["/x/1/a.csv", "/x/2/a.csv", "/y/2/a.csv", "/x/b.csv"]

    assert names_apart(paths) == ["1/a.csv", "x/2/a.csv", "y/2/a.csv", "b.csv"]
    assert names_apart(["/x/a.csv", "/x/a.csv"]) == ["a.csv", "a.csv"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("a.csv", b"PAR1rest", "is a Parquet file, not csv"),
        ("a.csv", PACKED, "is gzip but not named .gz"),
        ("a.csv.gz", b"id\n1\n", "is not gzip though"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "is empty when decompressed"),
        ("a.csv.gz", PACKED[:-1], "truncated or corrupt"),
        ("a.csv.gz", PACKED[:20], "truncated or corrupt"),
        ("a.csv.gz", PACKED[:-6] + b"\x00" + PACKED[-5:], "truncated or corrupt"),
        ("a.csv.gz", PACKED[:2] + b"\xff" + PACKED[3:], "truncated or corrupt"),
    ],
)
def test_a_file_that_is_not_whole_or_something_else_is_refused(
    spark, tmp_path, make_contract, name, content, fault
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=fault):
        check_whole(describe(spark, f"file://{tmp_path / name}"), make_contract())


def test_a_parquet_file_needs_its_footer(spark, tmp_path, make_contract) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100))

    with pytest.raises(InputError, match="truncated or corrupt Parquet file"):
        check_whole(describe(spark, f"file://{tmp_path / 'a.parquet'}"), make_contract(format_={"kind": "parquet"}))


@pytest.fixture(scope="module")
def packed() -> bytes:
    return gzip.compress(b"id,page\n" + b"".join(b"%d,home\n" % number for number in range(40)), mtime=0)


def test_a_gzip_cut_at_any_byte_is_refused(spark, tmp_path, make_contract, packed) -> None:
    file = tmp_path / "visits.csv.gz"
    contract = make_contract({"id": {"type": "integer"}, "page": {"type": "string"}})
    for length in range(len(packed)):
        file.write_bytes(packed[:length])
        with pytest.raises(InputError):
            check_whole(describe(spark, file.as_uri()), contract)


def test_a_gzip_with_any_byte_changed_is_refused_or_holds_the_same(spark, tmp_path, make_contract, packed) -> None:
    """The first bytes hold a time and a system that no checksum covers."""
    file = tmp_path / "visits.csv.gz"
    contract = make_contract({"id": {"type": "integer"}, "page": {"type": "string"}})
    accepted = []
    for place in range(len(packed)):
        file.write_bytes(packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :])
        try:
            check_whole(describe(spark, file.as_uri()), contract)
        except InputError:
            continue
        assert gzip.decompress(file.read_bytes()) == gzip.decompress(packed)
        accepted.append(place)
    assert set(accepted) <= set(range(4, 10))
