"""Files of one command: the same tables and balances as one command for each, in one commit per table."""

from __future__ import annotations

import gzip
import io
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench import CALLS, TakeIn, dying, job_on, take_in_calls

from otklik.errors import ConfigurationError, InputError
from otklik.lake.content import content_hash
from otklik.lake.ledger import FileLedger
from otklik.lake.store import Lake
from otklik.progress import Progress
from otklik.sources import many_files
from otklik.steps import ingest

TABLES = ("bronze.calls", "bronze.rejected", "silver.calls")
COUNTS = ("rows", "accepted", "inserted", "updated", "rejected", "duplicates", "repeated")
#: Keys that come in several files: changed and changed back, equal, twice within a file, rejected, alone.
JUNE = ("1,a", "2,b", "3,c", "3,C", "x,bad")
MONTHS = {
    "july.csv": ("1,A", "2,b", "4,d", "4,d", "y,bad"),
    "august.csv": ("1,a", "4,D", "5,e", "3,c"),
    "september.csv": ("1,A", "5,e", "6,"),
}


def taken_in(lake: Lake, folder: Path, files: Mapping[str, str | bytes], contract: str = CALLS, **options: Any) -> str:
    """Write files and ingest them by one command; returns what it said."""
    source = folder / "calls.toml"
    source.write_text(contract, encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    said = io.StringIO()
    job = job_on(lake, folder, source=str(source), paths=[str(folder / name) for name in files], **options)
    try:
        ingest.ingest_files(replace(job, progress=Progress(said, lambda: 0.0, is_live=False)))
    finally:
        said.flush()
    return said.getvalue()


def texts(files: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: "\n".join(["id,text", *lines, ""]) for name, lines in files.items()}


def ledger(lake: Lake) -> dict[str, tuple[Any, ...]]:
    entries = [entry for entry in FileLedger(lake).entries if entry.source == "calls"]
    assert all(entry.rows == entry.accepted + entry.rejected + entry.duplicates for entry in entries)
    return {e.file: (e.status, *(getattr(e, name) for name in COUNTS), e.warnings, e.batch) for e in entries}


def whole(lake: Lake) -> dict[str, Any]:
    """What the tables hold, also of where each row came from."""
    origins = sorted(tuple(row) for row in lake.read("silver.calls").select("id", "_file", "_record_no").collect())
    return {table: content_hash(lake.read(table)) for table in TABLES} | {"origins": origins, "ledger": ledger(lake)}


def commits(lake: Lake, table: str) -> list[str]:
    """Operations that changed rows."""
    return [each.operation for each in lake.commits(table) or [] if each.operation != "CREATE TABLE"]


@pytest.mark.parametrize("has_june", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "keep",
    ["last", pytest.param("first", marks=pytest.mark.long), pytest.param("newest", marks=pytest.mark.long)],
)
def test_one_command_for_all_files_does_what_one_for_each_does(
    lake: Lake, take_in: TakeIn, tmp_path: Path, keep: str, has_june: bool
) -> None:
    newest = ', newest_by = "text"' if keep == "newest" else ""
    contract = CALLS.replace('["id"] }', f'["id"], keep = "{keep}"{newest} }}')
    others = Lake(lake.spark, str(tmp_path / "others"), is_here=True)
    if has_june:
        take_in("june.csv", *JUNE, contract=contract)
        shutil.copytree(lake.root, others.root)
    months = MONTHS if has_june else {"june.csv": JUNE, **MONTHS}
    before = {table: len(commits(lake, table)) for table in (*TABLES, "ops.files")}
    for name, lines in months.items():
        take_in_calls(others, tmp_path, name, *lines, contract=contract)

    taken_in(lake, tmp_path, texts(months), contract)

    assert whole(lake) == whole(others)
    assert {table: len(commits(lake, table)) - before[table] for table in before} == dict.fromkeys(before, 1)


def test_a_refused_file_is_recorded_and_left_out(lake: Lake, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.csv": "id,text\n1,a\n",
        "b.csv": "wrong\n1\n",
        "c.csv": "id,text\n2,b\n3,c\n",
        "d.csv.gz": gzip.compress(b"id,text\n4,d\n" * 999)[:-9],
        "e.csv": "text,id\ne,5\n",
    }
    with pytest.raises(InputError, match="calls: 2 of 5 files were refused → loaded files stay loaded") as caught:
        taken_in(lake, tmp_path, files)

    assert caught.value.exit_code == 3
    assert {name: (row[0], row[1]) for name, row in ledger(lake).items()} == {
        "a.csv": ("loaded", 1), "b.csv": ("rejected", 0), "c.csv": ("loaded", 2), "d.csv.gz": ("rejected", 0),
        "e.csv": ("loaded", 1),
    }  # fmt: skip
    assert sorted(row.id for row in lake.read("silver.calls").collect()) == [1, 2, 3, 5]
    assert len(commits(lake, "bronze.calls")) == 1

    said = io.StringIO()
    assert "3 files" in taken_in(lake, tmp_path, {name: files[name] for name in ("a.csv", "c.csv", "e.csv")})
    assert said.getvalue() == ""


@pytest.mark.long
def test_past_a_threshold_a_file_is_left_out_and_takes_no_part(lake: Lake, tmp_path: Path) -> None:
    strict = CALLS.replace("rejected_share = 1.0", "rejected_share = 0.4")

    with pytest.raises(InputError, match=r"b\.csv: 1 of 2 records are rejected"):
        taken_in(lake, tmp_path, texts({"a.csv": ("1,a",), "b.csv": ("1,b", "x,bad"), "c.csv": ("2,c",)}), strict)

    assert {row.id: row.text for row in lake.read("silver.calls").collect()} == {1: "a", 2: "c"}
    assert lake.read("bronze.calls").count() == 2
    assert lake.read("bronze.rejected").count() == 0


@pytest.mark.long
def test_all_or_nothing_takes_in_no_file_where_one_is_refused(lake: Lake, tmp_path: Path) -> None:
    files = {"a.csv": "id,text\n1,a\n", "b.csv": "wrong\n1\n"}

    with pytest.raises(InputError, match=r"b\.csv: the columns do not match the contract"):
        taken_in(lake, tmp_path, files, all_or_nothing=True)
    with pytest.raises(ConfigurationError, match=r"--all-or-nothing: c\.csv cannot be ingested together"):
        taken_in(lake, tmp_path, {"a.csv": "id,text\n1,a\n", "c.csv": "id,text\n1,a\n"}, all_or_nothing=True)

    assert lake.find("silver.calls") is None
    assert {name: row[0] for name, row in ledger(lake).items()} == {"b.csv": "rejected"}


@pytest.mark.long
def test_many_files_are_cut_into_batches(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take_in: TakeIn
) -> None:
    monkeypatch.setattr(ingest, "MOST_FILES", 2)

    said = taken_in(lake, tmp_path, texts({f"{n}.csv": (f"{n},a", "0,b") for n in range(1, 6)}))

    assert len(commits(lake, "bronze.calls")) == 3
    assert lake.read("silver.calls").count() == 6
    assert said.count("ingest 2 files") == 2
    assert [row[7] for row in ledger(lake).values()] == [0, 1, 1, 1, 1]


@pytest.mark.long
def test_what_a_file_is_depends_on_those_before_it_in_the_same_command(lake: Lake, tmp_path: Path) -> None:
    """The same content under two names, and other content under the same name."""
    (tmp_path / "later").mkdir()
    files = {"a.csv": "id,text\n1,a\n", "b.csv": "id,text\n1,a\n", "later/a.csv": "id,text\n2,b\n"}

    taken_in(lake, tmp_path, files)

    assert {row.id: row.text for row in lake.read("silver.calls").collect()} == {2: "b"}
    assert [entry.status for entry in FileLedger(lake).entries] == ["replaced", "loaded"]


@pytest.mark.long
def test_files_of_one_name_in_several_folders_are_several_files(lake: Lake, tmp_path: Path) -> None:
    """As monthly folders have them; once more each is known by its content. One is of a name that Spark passes over."""
    contract = CALLS.replace('same_name_other_content = "replace"', "")
    files = {"1/a.csv": "id,text\n1,a\n", "2/a.csv": "id,text\n2,b\n", "3/_a.csv": "id,text\n3,c\n"}
    for name in files:
        (tmp_path / name).parent.mkdir()

    taken_in(lake, tmp_path, files, contract)
    said = taken_in(lake, tmp_path, {"2/a.csv": files["2/a.csv"]}, contract)

    assert {row.id: row._file for row in lake.read("silver.calls").collect()} == {
        1: "1/a.csv", 2: "2/a.csv", 3: "_a.csv",
    }  # fmt: skip
    assert "this content was already loaded" in said


@pytest.mark.long
def test_a_file_that_spark_cannot_read_is_found_among_the_others(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = texts({f"{n}.csv": (f"{n},a",) for n in range(1, 6)})
    read = many_files.read_files

    def failing(spark: Any, paths: Mapping[int, str], contract: Any) -> Any:
        if any(path.endswith("/4.csv") for path in paths.values()):
            raise InputError("cannot be read completely", where="…")
        return read(spark, paths, contract)

    monkeypatch.setattr(ingest, "read_files", failing)

    with pytest.raises(InputError, match="cannot be read completely"):
        taken_in(lake, tmp_path, files)

    assert {name: row[0] for name, row in ledger(lake).items() if row[0] == "rejected"} == {"4.csv": "rejected"}
    assert lake.read("silver.calls").count() == 4


@pytest.mark.long
@pytest.mark.parametrize("again", [1, 2, 3])
def test_a_killed_batch_is_continued_by_the_same_files_and_taken_back_by_others(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: int, take_in: TakeIn
) -> None:
    take_in("june.csv", *JUNE)
    with dying(monkeypatch, FileLedger, "record"):
        taken_in(lake, tmp_path, texts(MONTHS))
    others = Lake(lake.spark, str(tmp_path / "others"), is_here=True)
    take_in_calls(others, tmp_path, "june.csv", *JUNE)
    first = dict([*MONTHS.items()][:again])

    taken_in(lake, tmp_path, texts(first))
    taken_in(lake, tmp_path, texts(MONTHS))

    for name, lines in MONTHS.items():
        take_in_calls(others, tmp_path, name, *lines)
    assert whole(lake) == whole(others)
    restored = [each.operation for each in lake.commits("silver.calls") or []].count("RESTORE")
    assert restored == (0 if again == len(MONTHS) else 1)
