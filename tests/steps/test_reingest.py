"""Silver rebuilt from bronze under a changed contract: as a fresh lake would have it, as a whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bench import CALLS, TakeIn, dying, job_on, take_in_calls

from otklik.errors import ConfigurationError, InputError, MissingResultError
from otklik.lake import maintenance, tables
from otklik.lake.content import content_hash
from otklik.lake.ledger import FileLedger, input_versions
from otklik.lake.store import Lake
from otklik.privacy.pseudonyms import fingerprint
from otklik.session import frame_of
from otklik.steps.ingest import ingest_files
from otklik.steps.reingest import reingest_source

COUNTS = ("file", "rows", "accepted", "inserted", "updated", "rejected", "duplicates", "repeated", "status", "warnings")
FILES = {
    "june.csv": ("1,10", "2,20", "2,20", "x,bad", "3,c"),
    "july.csv": ("1,11", "4,7.5", "y,1"),
    "august.csv": ("2,20", "1,10", "5,"),
}
#: What a contract may become: its key, a type, what is personal, what is a rule.
CHANGES = {
    "a key": ('["id"] }', '["id", "text"] }'),
    "a type": ('text = { type = "string" }', 'text = { type = "double" }'),
    "a column of a name that was ignored": (
        'text = { type = "string" }',
        'text = { type = "string" }, again = { type = "integer", source = "id2", missing = "null" }',
    ),
    "personal": ('text = { type = "string" }', 'text = { type = "string", personal = true }'),
    "a rule": ("thresholds =", 'rules = [{ name = "short", holds = "length(text) < 3" }]\nthresholds ='),
    "another name": ('text = { type = "string" }', 'words = { source = "text", type = "string" }'),
    "a unit and a code for none": (
        'text = { type = "string" }', 'text = { type = "double", units = ["c"], missing_codes = [10] }',
    ),
    "the first wins": ('["id"] }', '["id"], keep = "first" }'),
}  # fmt: skip


def reingest(lake: Lake, folder: Path, contract: str, **options: Any) -> None:
    (folder / "calls.toml").write_text(contract, encoding="utf-8")
    assert reingest_source(job_on(lake, folder, source=str(folder / "calls.toml"), **options)) == 0


def balances(lake: Lake) -> list[tuple[Any, ...]]:
    return [tuple(getattr(entry, name) for name in COUNTS) for entry in FileLedger(lake).entries]


def known(lake: Lake, *tables: str) -> dict[str, str]:
    versions = FileLedger(lake).versions(tables)
    return {table: content_hash(lake.read(table, versions[table])) for table in tables}


@pytest.fixture
def filled(lake: Lake, take_in: TakeIn) -> Lake:
    for name, lines in FILES.items():
        take_in(name, *lines)
    return lake


@pytest.mark.long
@pytest.mark.parametrize("change", [*CHANGES])
def test_it_gives_what_a_fresh_lake_would_have(filled: Lake, tmp_path: Path, change: str) -> None:
    old, new = CHANGES[change]
    assert old in CALLS
    contract = CALLS.replace(old, new)
    fresh = Lake(filled.spark, str(tmp_path / "fresh"), is_here=True)
    for name, lines in FILES.items():
        take_in_calls(fresh, tmp_path, name, *lines, contract=contract)
    before = filled.read("silver.calls")
    version, rows = filled.version("silver.calls"), sorted(before.collect())

    reingest(filled, tmp_path, contract)

    assert known(filled, "silver.calls", "bronze.rejected") == known(fresh, "silver.calls", "bronze.rejected")
    assert filled.read("silver.calls").dtypes == fresh.read("silver.calls").dtypes
    assert filled.properties("silver.calls") == fresh.properties("silver.calls")
    assert filled.personal_columns("bronze.calls") == fresh.personal_columns("bronze.calls")
    assert balances(filled) == balances(fresh)
    assert {e.contract_hash for e in FileLedger(filled).entries} == {e.contract_hash for e in FileLedger(fresh).entries}
    assert sorted(filled.read("silver.calls", version).collect()) == rows
    latest = filled.version("silver.calls")
    reingest(filled, tmp_path, contract)
    assert filled.version("silver.calls") == latest
    take_in_calls(filled, tmp_path, "september.csv", "1,12", contract=contract)
    assert FileLedger(filled).loaded("calls")[-1].accepted == (0 if change == "the first wins" else 1)


@pytest.mark.long
def test_killed_before_the_ledger_the_old_tables_stand_and_it_runs_again(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = CALLS.replace(*CHANGES["a type"])
    versions, before = input_versions(filled, ["silver.calls"]), known(filled, "silver.calls", "bronze.rejected")
    with dying(monkeypatch, FileLedger, "rebuild"):
        reingest(filled, tmp_path, contract)

    assert input_versions(filled, ["silver.calls"]) == versions
    assert known(filled, "silver.calls", "bronze.rejected") == before

    reingest(filled, tmp_path, contract)
    assert {row.id: row.text for row in filled.read("silver.calls").collect()} == {1: 10.0, 2: 20.0, 4: 7.5, 5: None}
    assert filled.read("bronze.rejected").count() == 3


@pytest.mark.long
def test_what_a_killed_one_left_is_taken_back_by_the_next_file(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take_in: TakeIn
) -> None:
    with dying(monkeypatch, FileLedger, "rebuild"):
        reingest(filled, tmp_path, CALLS.replace(*CHANGES["a rule"]))

    take_in("september.csv", "9,i")

    assert filled.read("silver.calls").count() == 6
    assert filled.read("bronze.rejected").count() == 2


@pytest.mark.long
def test_a_file_that_the_contract_refuses_now_stops_it_and_nothing_changes(filled: Lake, tmp_path: Path) -> None:
    before = {table: filled.version(table) for table in ("silver.calls", "bronze.rejected", "ops.files")}

    with pytest.raises(InputError, match=r"june\.csv: 1 of 5 records are rejected"):
        reingest(filled, tmp_path, CALLS.replace("rejected_share = 1.0", "rejected_share = 0.1"))
    with pytest.raises(InputError, match=r"june\.csv: the columns do not match the contract: missing: 'other'"):
        reingest(filled, tmp_path, CALLS.replace("text = { type", 'other = { type = "string" }, text = { type'))

    assert {table: filled.version(table) for table in before} == before


@pytest.mark.long
def test_bronze_cannot_be_cut_anew(filled: Lake, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"june\.csv: was split into records with other settings: format\.footer"
    ):
        reingest(filled, tmp_path, CALLS.replace('kind = "csv"', 'kind = "csv", footer = 1'))


def test_without_a_loaded_file_there_is_nothing_to_build(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match=r"silver\.calls: nothing has been ingested into it yet"):
        reingest(lake, tmp_path, CALLS)


@pytest.mark.long
def test_another_key_makes_the_pseudonyms_anew(lake: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    contract = CALLS.replace(*CHANGES["personal"])
    take_in("june.csv", "1,Anna", contract=contract)
    before = lake.read("silver.calls").collect()[0].text
    job = job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"))
    key = b"fedcba9876543210"

    reingest_source(replace(job, pseudonym_key=lambda: key))

    assert lake.read("silver.calls").collect()[0].text != before
    assert lake.properties("silver.calls")["pseudonyms.key_fingerprint"] == fingerprint(key)


@pytest.mark.long
@pytest.mark.parametrize("how", ["emptied", "gone"])
def test_a_silver_table_that_is_gone_is_built_again(filled: Lake, tmp_path: Path, how: str) -> None:
    before = known(filled, "silver.calls", "bronze.rejected")
    if how == "emptied":
        filled.spark.sql(f"DELETE FROM {filled.reference('silver.calls')}")
    else:
        shutil.rmtree(filled.folder("silver", "calls"))

    reingest(filled, tmp_path, CALLS)
    reingest(filled, tmp_path, CALLS)

    assert known(filled, "silver.calls", "bronze.rejected") == before


@pytest.mark.long
def test_what_stood_in_the_ledger_for_an_old_version_is_still_found(filled: Lake, tmp_path: Path) -> None:
    versions = input_versions(filled, ["silver.calls"])
    before = FileLedger(filled).files_at("calls", versions["silver.calls"])

    reingest(filled, tmp_path, CALLS.replace(*CHANGES["a rule"]))
    reingest(filled, tmp_path, CALLS.replace(*CHANGES["a key"]))

    assert FileLedger(filled).files_at("calls", versions["silver.calls"]) == before


@pytest.mark.long
def test_records_with_invalid_bytes_stay_so(lake: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    (tmp_path / "june.csv").write_bytes(b"id,text\n1,\xff\n2,\xef\xbf\xbd\n3,c\n")
    (tmp_path / "calls.toml").write_text(CALLS, encoding="utf-8")
    ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=[str(tmp_path / "june.csv")]))
    before = balances(lake)

    reingest(lake, tmp_path, CALLS.replace(*CHANGES["a rule"]))

    assert balances(lake) == before
    assert [row.record_no for row in lake.read("bronze.rejected").collect()] == [1]


@pytest.mark.long
def test_of_files_from_before_headers_were_kept_nothing_is_known(filled: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    older = filled.read(tables.FILES.name).drop("read_as").collect()
    columns = ", ".join(f"{column.name} {column.type}" for column in tables.FILES.columns if column.name != "read_as")
    writer = frame_of(filled.spark, older, columns).write.format("delta").mode("overwrite")
    writer.option("overwriteSchema", "true").save(filled.folder("ops", "files"))

    with pytest.raises(ConfigurationError, match=r"june\.csv: was ingested before headers were stored"):
        reingest(filled, tmp_path, CALLS.replace(*CHANGES["a rule"]))
    take_in("september.csv", "9,i")

    assert [bool(entry.read_as) for entry in FileLedger(filled).entries] == [False, False, False, True]


@pytest.mark.long
def test_where_the_newest_wins_files_of_different_columns_are_judged_in_their_order(lake: Lake, tmp_path: Path) -> None:
    columns = 'text = { type = "string" }, city = { type = "string", missing = "null" }'
    contract = CALLS.replace('text = { type = "string" }', columns)
    contract = contract.replace('["id"] }', '["id"], keep = "newest", newest_by = "text" }')
    (tmp_path / "calls.toml").write_text(contract, encoding="utf-8")
    files = {
        "a.csv": "id,text,city\n1,b,x\n2,b,x\n3,b,x\n",
        "b.csv": "id,text\n1,c\n2,a\n4,b\n",
        "c.csv": "id,text\n1,d\n4,a\n5,b\n",
        "d.csv": "id,text,city\n1,b,y\n3,c,y\n5,b,y\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    paths = [str(tmp_path / name) for name in files]
    ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=paths))
    before, counted = known(lake, "silver.calls"), balances(lake)
    rows = {tuple(row)[:3] for row in lake.read("silver.calls").collect()}
    assert rows == {(1, "d", "x"), (2, "b", "x"), (3, "c", "y"), (4, "b", None), (5, "b", "y")}

    reingest(lake, tmp_path, contract.replace(*CHANGES["a rule"]))

    assert known(lake, "silver.calls") == before
    assert balances(lake) == counted


def test_a_withdrawn_file_leaves_the_others_as_if_it_had_never_come(
    lake: Lake, tmp_path: Path, take_in: TakeIn
) -> None:
    names = ("bronze.calls", "silver.calls", "bronze.rejected")
    take_in("june.csv", *FILES["june.csv"])
    before, [june] = known(lake, *names), balances(lake)
    take_in("july.csv", *FILES["july.csv"])

    reingest(lake, tmp_path, CALLS, without=["july.csv"])

    assert known(lake, *names) == before
    assert balances(lake) == [june, ("july.csv", 3, 2, 1, 1, 1, 0, 0, "withdrawn", {})]


@pytest.mark.long
def test_a_withdrawn_file_can_come_again(filled: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    names = ("bronze.calls", "silver.calls", "bronze.rejected")
    reingest(filled, tmp_path, CALLS, without=["july.csv"])
    versions = FileLedger(filled).versions(names)

    reingest(filled, tmp_path, CALLS, without=["july.csv"])
    assert FileLedger(filled).versions(names) == versions

    take_in("july.csv", *FILES["july.csv"])
    assert {row.id: row.text for row in filled.read("silver.calls").collect()} == {
        1: "11", 2: "20", 3: "c", 4: "7.5", 5: None,
    }  # fmt: skip
    assert [entry.file for entry in FileLedger(filled).loaded("calls")] == ["june.csv", "august.csv", "july.csv"]
    assert filled.read("bronze.calls").count() == 11


@pytest.mark.long
def test_after_its_only_file_was_withdrawn_a_source_begins_anew(lake: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a", "x,b")
    [before] = FileLedger(lake).entries

    reingest(lake, tmp_path, CALLS, without=[before.content_hash])

    names = ("bronze.calls", "silver.calls", "bronze.rejected")
    assert [lake.read(name).count() for name in names] == [0, 0, 0]
    assert FileLedger(lake).versions(names) == {name: lake.version(name) for name in names}
    assert maintenance.ledger_flaws(lake, FileLedger(lake)) == []
    assert FileLedger(lake).files_at("calls", before.table_versions["silver.calls"]) == [before]
    # Another way of cutting records, too.
    take_in("june.csv", "1,a", "x,b", "3,c", contract=CALLS.replace('kind = "csv"', 'kind = "csv", footer = 1'))
    assert [tuple(row)[:2] for row in lake.read("silver.calls").collect()] == [(1, "a")]
    assert [(entry.status, entry.rows) for entry in FileLedger(lake).entries] == [("withdrawn", 2), ("loaded", 2)]


@pytest.mark.long
def test_a_bronze_table_that_is_gone_is_mended_by_its_files(filled: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    before = known(filled, "bronze.calls", "silver.calls", "bronze.rejected")
    shutil.rmtree(filled.folder("bronze", "calls"))

    reingest(filled, tmp_path, CALLS, without=["*"])
    for name, lines in FILES.items():
        take_in(name, *lines)

    assert known(filled, "bronze.calls", "silver.calls", "bronze.rejected") == before


@pytest.mark.long
def test_killed_while_it_withdraws_a_file_the_old_tables_stand_and_it_runs_again(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("bronze.calls", "silver.calls", "bronze.rejected")
    before = known(filled, *names)
    with dying(monkeypatch, FileLedger, "rebuild"):
        reingest(filled, tmp_path, CALLS, without=["july.csv", "august.csv"])
    assert known(filled, *names) == before

    reingest(filled, tmp_path, CALLS, without=["july.csv", "august.csv"])

    assert {row.id: row.text for row in filled.read("silver.calls").collect()} == {1: "10", 2: "20", 3: "c"}
    assert maintenance.ledger_flaws(filled, FileLedger(filled)) == []


@pytest.mark.long
def test_a_file_can_be_withdrawn_from_a_lake_of_an_earlier_version(lake: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")
    take_in("july.csv", "2,b")
    files = lake.reference("ops.files")
    lake.spark.sql(f"ALTER TABLE {files} DROP CONSTRAINT status_is_known")
    old = "status IN ('loaded', 'rejected', 'replaced')"
    lake.spark.sql(f"ALTER TABLE {files} ADD CONSTRAINT status_is_known CHECK ({old})")

    reingest(lake, tmp_path, CALLS, without=["june.csv"])

    assert [entry.status for entry in FileLedger(lake).entries] == ["withdrawn", "loaded"]
    assert "'withdrawn'" in lake.constraints("ops.files")["status_is_known"]
    version = lake.version("ops.files")
    lake.hold_to(tables.FILES, "status_is_known")
    assert lake.version("ops.files") == version


def test_a_file_that_is_not_there_cannot_be_withdrawn(lake: Lake, tmp_path: Path, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")

    with pytest.raises(MissingResultError, match=r"--without june\.cvs: no file of this name is loaded; did you mean"):
        reingest(lake, tmp_path, CALLS, without=["june.cvs"])
