"""Files of the lake that are no tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from otklik.errors import MissingResultError, PlatformError
from otklik.lake.folder import Folder, in_arrow


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "a lake" / "models"))


def test_a_file_is_read_as_it_was_written(folder: Folder, tmp_path: Path) -> None:
    folder.write("task/run 1/manifest.json", b"{}")
    folder.write("task/run 1/manifest.json", b'{"a": 1}')

    assert folder.read("task/run 1/manifest.json") == b'{"a": 1}'
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["manifest.json"]


def test_a_uri_is_the_same_place_as_its_path(tmp_path: Path) -> None:
    Folder(tmp_path.as_uri()).write("x", b"1")

    assert Folder(str(tmp_path)).read("x") == b"1"


def test_a_missing_file_is_named(folder: Folder) -> None:
    with pytest.raises(MissingResultError, match="models/nothing: no such file"):
        folder.read("nothing")


def test_hashes_go_by_path_and_skip_only_what_is_left_out(folder: Folder) -> None:
    assert folder.hashes() == {}
    for name in ("model/part-0", "model/.part-0.crc", "manifest.json", "a.txt"):
        folder.write(name, name.encode())

    found = folder.hashes(leave_out=frozenset({"manifest.json"}))

    assert list(found) == ["a.txt", "model/.part-0.crc", "model/part-0"]
    assert found["model/part-0"] == hashlib.sha256(b"model/part-0").hexdigest()


def test_deleting_folders_leaves_files_beside_them_and_may_be_repeated(folder: Folder) -> None:
    folder.delete_folders()
    folder.write("model/part-0", b"x")
    folder.write("kept", b"y")

    folder.delete_folders()

    assert list(folder.hashes()) == ["kept"]


@pytest.mark.parametrize("uri", ["moon://base/lake", "wasb://box@account/lake"])
def test_a_file_system_that_arrow_does_not_know_is_refused(uri: str) -> None:
    with pytest.raises(PlatformError, match="its files are not accessible"):
        Folder(uri)


def test_what_hadoop_calls_s3a_is_s3_to_arrow() -> None:
    assert in_arrow("s3a://box/lake") == "s3://box/lake"
    assert in_arrow("hdfs:///s3a/lake") == "hdfs:///s3a/lake"
