"""Files that come again: the same, corrected, late, and after a run that was killed midway."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.bench import CALLS, TakeIn, dying, job_on, take_in_calls

from otklik.errors import BusyError, ConfigurationError, DamagedError, InputError
from otklik.lake.content import content_hash
from otklik.lake.ledger import FileLedger, input_versions
from otklik.lake.store import Lake
from otklik.settings import load
from otklik.sources import checks
from otklik.sources.contract import Contract
from otklik.steps import batch, ingest
from otklik.steps.masking import masked_rows
from otklik.steps.reingest import reingest_source

#: Where the step dies.
BEFORE_SILVER, BEFORE_LEDGER = (batch, "write_silver"), (FileLedger, "record")
TABLES = ("bronze.calls", "bronze.rejected", "silver.calls", "ops.files")


def silver(lake: Lake) -> dict[int, str]:
    return {row.id: row.text for row in lake.read("silver.calls").collect()}


def ledger(lake: Lake) -> dict[tuple[str, str], tuple[int, ...]]:
    counted = ("rows", "inserted", "updated", "rejected", "duplicates", "repeated")
    rows = lake.read("ops.files").collect()
    assert all(row.rows == row.accepted + row.rejected + row.duplicates for row in rows)
    assert all(row.accepted == row.inserted + row.updated for row in rows)
    return {(row.file, row.status): tuple(row[name] for name in counted) for row in rows}


def hashes(lake: Lake) -> dict[str, str]:
    return {table: content_hash(lake.read(table)) for table in TABLES[:3] if lake.exists(table)}


def test_a_corrected_file_of_the_same_name_replaces_the_old_one(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a", "2,b", "x,bad", "3,c", "3,c")
    take_in("july.csv", "7,g", "y,bad")

    take_in("june.csv", "2,B", "3,c", "4,d")

    assert silver(lake) == {2: "B", 3: "c", 4: "d", 7: "g"}
    assert sorted(row.record for row in lake.read("bronze.calls").collect()) == ["2,B", "3,c", "4,d", "7,g", "y,bad"]
    assert [row.record for row in lake.read("bronze.rejected").collect()] == ["y,bad"]
    assert ledger(lake) == {
        ("june.csv", "replaced"): (5, 3, 0, 1, 1, 0),
        ("july.csv", "loaded"): (2, 1, 0, 1, 0, 0),
        ("june.csv", "loaded"): (3, 3, 0, 0, 0, 0),
    }


@pytest.mark.long
@pytest.mark.parametrize(
    ("keep", "kept", "counted"),
    [
        ('"first"', {1: "b", 2: "b"}, (3, 0, 0, 0, 3, 2)),
        ('"last"', {1: "c", 2: "a"}, (3, 0, 2, 0, 1, 0)),
        ('"newest", newest_by = "text"', {1: "c", 2: "b"}, (3, 0, 1, 0, 2, 1)),
    ],
)
def test_a_later_file_corrects_an_earlier_one_as_the_contract_says(
    lake: Lake, take_in: TakeIn, keep: str, kept: dict[int, str], counted: tuple[int, ...]
) -> None:
    """In the second file customer 1 has a newer version twice, and customer 2 an older one."""
    contract = CALLS.replace('["id"] }', f'["id"], keep = {keep} }}')
    take_in("june.csv", "1,b", "2,b", contract=contract)

    take_in("july.csv", "1,c", "1,c", "2,a", contract=contract)

    assert silver(lake) == kept
    assert ledger(lake)[("july.csv", "loaded")] == counted


@pytest.mark.long
def test_a_file_that_is_mixed_with_others_is_not_replaced(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")
    take_in("july.csv", "1,A")
    before = hashes(lake)

    with pytest.raises(InputError, match=r"june\.csv: cannot replace the loaded file"):
        take_in("june.csv", "1,b")

    assert hashes(lake) == before
    assert ledger(lake)[("june.csv", "rejected")] == (0, 0, 0, 0, 0, 0)


@pytest.mark.long
def test_a_refusal_leaves_the_row_of_a_loaded_content_alone(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")

    with pytest.raises(InputError, match=r"june\.csv: does not have the expected hash"):
        take_in("june.csv", "1,a", sha256="0" * 64)
    take_in("july.csv", "2,b")

    assert silver(lake) == {1: "a", 2: "b"}
    assert {status for _, status in ledger(lake)} == {"loaded"}


def test_a_file_that_is_refused_again_changes_no_table(lake: Lake, take_in: TakeIn) -> None:
    before = None
    for _ in range(2):
        with pytest.raises(InputError, match="contains a header but no records"):
            take_in("empty.csv")
        before = before or lake.version("ops.files")

    assert lake.version("ops.files") == before
    assert ledger(lake) == {("empty.csv", "rejected"): (0, 0, 0, 0, 0, 0)}


def test_a_refused_file_that_is_put_right_is_read_anew(lake: Lake, take_in: TakeIn) -> None:
    """By the same session, and as long as it was: Spark knows it by name and lengths."""
    strict = CALLS.replace("rejected_share = 1.0", "rejected_share = 0.0")
    with pytest.raises(InputError, match="1 of 2 records are rejected"):
        take_in("june.csv", "1,a", "x,b", contract=strict)

    take_in("june.csv", "1,a", "2,b", contract=strict)

    assert silver(lake) == {1: "a", 2: "b"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("fail", {1: "a"}), pytest.param("add", {1: "a", 2: "b"}, marks=pytest.mark.long)],
)
def test_a_name_that_comes_again_follows_the_contract(
    lake: Lake, take_in: TakeIn, policy: str, expected: dict[int, str]
) -> None:
    contract = CALLS.replace('"replace"', f'"{policy}"')
    take_in("calls.csv", "1,a", contract=contract)
    try:
        take_in("calls.csv", "2,b", contract=contract)
    except InputError as fault:
        assert fault.line().startswith("calls.csv: a file of this name was loaded with other content")
    assert silver(lake) == expected


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("replace", r"june\.csv: cannot replace .* the same content was loaded as july\.csv"),
        pytest.param("fail", r"june\.csv: a file of this name was loaded with other content", marks=pytest.mark.long),
        pytest.param("add", None, marks=pytest.mark.long),
    ],
)
def test_a_loaded_content_under_a_name_that_has_another_one_follows_the_contract(
    lake: Lake, take_in: TakeIn, policy: str, said: str | None
) -> None:
    contract = CALLS.replace('"replace"', f'"{policy}"')
    take_in("june.csv", "1,a", contract=contract)
    take_in("july.csv", "2,b", contract=contract)
    before = ledger(lake)

    with nullcontext() if said is None else pytest.raises(InputError, match=said):
        take_in("june.csv", "2,b", contract=contract)

    assert ledger(lake) == before
    assert silver(lake) == {1: "a", 2: "b"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            'text = { type = "string" }',
            'text = { type = "date" }',
            "its columns do not match the contract: text",
            marks=pytest.mark.long,
        ),
        pytest.param(
            'id = { type = "integer" }, text = { type = "string" }',
            'text = { type = "string" }, id = { type = "integer" }',
            "its columns do not match the contract: their order differs",
            marks=pytest.mark.long,
        ),
        (
            'text = { type = "string" }',
            'text = { type = "string", personal = true }',
            "was built when the contract marked other columns as personal: text",
        ),
        pytest.param('["id"] }', '"all" }', "was built when rows were identified by id", marks=pytest.mark.long),
    ],
)
def test_a_contract_whose_columns_changed_is_refused_before_anything_is_written(
    lake: Lake, take_in: TakeIn, old: str, new: str, said: str
) -> None:
    take_in("june.csv", "1,a")
    before = {table: lake.version(table) for table in (*TABLES, "ops.runs")}
    assert old in CALLS

    with pytest.raises(ConfigurationError, match=rf"silver\.calls: {said} → `otklik reingest calls` rebuilds it"):
        take_in("july.csv", "2,b", contract=CALLS.replace(old, new))

    assert {table: lake.version(table) for table in before} == before


def test_a_column_that_turns_out_to_be_known_only_afterwards_is_marked_when_the_source_is_rebuilt(
    lake: Lake, take_in: TakeIn, tmp_path: Path
) -> None:
    take_in("june.csv", "1,a")
    late = CALLS.replace('text = { type = "string" }', 'text = { type = "string", known = "after_decision" }')

    with pytest.raises(ConfigurationError, match="only after the decision: of none → `otklik reingest calls`"):
        take_in("july.csv", "2,b", contract=late)
    assert reingest_source(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"))) == 0
    take_in("july.csv", "2,b", contract=late)

    assert lake.marked_columns("silver.calls")["after_decision"] == ["text"]
    assert silver(lake) == {1: "a", 2: "b"}


def test_marks_and_keys_that_are_called_like_secrets_are_known(lake: Lake, take_in: TakeIn) -> None:
    contract = CALLS.replace(
        'text = { type = "string" }', 'page_url = { source = "text", type = "string", known = "after_decision" }'
    )
    contract = contract.replace('columns = ["id"]', 'columns = "all"')

    take_in("june.csv", "1,a", contract=contract)
    take_in("july.csv", "2,b", contract=contract)

    assert lake.marked_columns("silver.calls")["after_decision"] == ["page_url"]
    assert lake.read("silver.calls").count() == 2


def test_a_run_counts_what_it_took_in_and_not_what_was_there(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    for name in ("july.csv", "july again.csv"):
        (tmp_path / name).write_text("id,text\n3,c\n", encoding="utf-8")
    source = str(tmp_path / "calls.toml")
    paths = [str(tmp_path / name) for name in ("july.csv", "july again.csv", "june.csv")]

    ingest.ingest_files(job_on(lake, tmp_path, source=source, paths=paths))

    newest = lake.read("ops.runs").orderBy(F.col("ended_at").desc()).first()
    assert newest is not None
    assert (newest.rows_in, newest.rows_out) == (1, 1)
    assert newest.outputs["silver.calls"] == lake.version("silver.calls")
    assert newest.message == "files taken in: 1, there before: 2"


def test_a_rule_that_fails_on_a_row_is_a_fault_of_the_contract(lake: Lake, take_in: TakeIn) -> None:
    contract = CALLS + '[[rules]]\nname = "even"\nholds = "10 / cast(text AS INT) > 1"\n'

    with pytest.raises(ConfigurationError, match="a row rule of the contract raises an error on some row") as caught:
        take_in("june.csv", "1,5", "2,seven", contract=contract)

    assert "seven" not in caught.value.line()
    assert lake.find("silver.calls") is None


@pytest.mark.long
def test_one_hash_cannot_stand_for_several_files(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a")
    (tmp_path / "july.csv").write_text("id,text\n2,b\n", encoding="utf-8")
    both = [str(tmp_path / name) for name in ("june.csv", "july.csv")]
    job = job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=both, sha256="0" * 64)

    with pytest.raises(ConfigurationError, match="--sha256: is the hash of one file, but there are 2"):
        ingest.ingest_files(job)

    assert {file for file, _ in ledger(lake)} == {"june.csv"}


@pytest.mark.long
def test_a_file_that_changes_while_it_is_taken_in_does_not_count(
    lake: Lake, take_in: TakeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a")
    write_bronze = batch.write_bronze

    def after_a_change(*arguments: Any) -> dict[str, int]:
        with (tmp_path / "july.csv").open("a", encoding="utf-8") as file:
            file.write("3,c\n")
        return write_bronze(*arguments)

    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"july\.csv: was changed while"):
        patch.setattr(batch, "write_bronze", after_a_change)
        take_in("july.csv", "2,b")

    assert {file for file, _ in ledger(lake)} == {"june.csv"}
    take_in("july.csv", "2,b", "3,c")
    assert silver(lake) == {1: "a", 2: "b", 3: "c"}
    assert lake.read("bronze.calls").count() == 3


@pytest.mark.long
def test_what_a_killed_batch_left_is_not_shown(lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in("june.csv", "1,a", "x,bad")
    with dying(monkeypatch, *BEFORE_LEDGER):
        take_in("july.csv", "1,A", "2,b", "y,bad")

    shown = {table: masked_rows(lake, table, None).count() for table in TABLES}

    assert shown == {"bronze.calls": 2, "bronze.rejected": 1, "silver.calls": 1, "ops.files": 1}


def test_of_the_first_batch_of_all_nothing_is_shown_before_the_ledger_knows_it(
    lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dying(monkeypatch, *BEFORE_LEDGER):
        take_in("june.csv", "1,a", "x,bad")

    assert [masked_rows(lake, table, None).count() for table in TABLES[:3]] == [0, 0, 0]


@pytest.mark.long
@pytest.mark.parametrize(("killed", "again"), [("june.csv", "june_2.csv"), ("june_2.csv", "june.csv")])
def test_a_killed_batch_is_not_continued_under_another_name(
    lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch, killed: str, again: str
) -> None:
    """Under the name of a loaded file the content replaces it, under a new one it is added."""
    take_in("june.csv", "1,a", "2,b", "3,c")
    with dying(monkeypatch, *BEFORE_LEDGER):
        take_in(killed, "2,B", "3,c", "4,d")

    take_in(again, "2,B", "3,c", "4,d")

    is_replaced = again == "june.csv"
    assert silver(lake) == ({} if is_replaced else {1: "a"}) | {2: "B", 3: "c", 4: "d"}
    assert {file for file, status in ledger(lake) if status == "loaded"} == {"june.csv", again}
    assert {row.file for row in lake.read("bronze.calls").collect()} == {"june.csv", again}


@pytest.mark.long
def test_a_row_that_gets_lost_on_its_way_is_noticed(
    lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = checks.only_accepted
    for name in ("june.csv", "july.csv"):
        with monkeypatch.context() as patch:
            patch.setattr(checks, "only_accepted", lambda *given: accepted(*given).where("id <> 2"))
            with pytest.raises(DamagedError, match=r"silver\.calls: contains 1 of 2 accepted rows"):
                take_in(name, "1,a", "2,b")
        take_in(name, "1,a", f"3,{name}")

    assert silver(lake) == {1: "a", 3: "july.csv"}


@pytest.mark.long
def test_without_a_lease_nothing_is_taken_back(lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an object store: who wrote what the ledger does not know may still write."""
    take_in("june.csv", "1,a", is_alone=False)
    with dying(monkeypatch, *BEFORE_SILVER):
        take_in("july.csv", "2,b", is_alone=False)
    begun = lake.version("bronze.calls")

    with pytest.raises(BusyError, match=r"bronze\.calls: 1 commits .* run `otklik maintain --force`"):
        take_in("august.csv", "3,c", is_alone=False)

    assert lake.version("bronze.calls") == begun
    take_in("july.csv", "2,b", is_alone=False)
    assert silver(lake) == {1: "a", 2: "b"}


@pytest.mark.long
def test_without_a_lease_two_who_wrote_at_once_are_not_both_recorded(
    lake: Lake, take_in: TakeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a", is_alone=False)
    contract, write_silver = load(Contract, tmp_path / "calls.toml", {}), batch.write_silver
    another = ingest.silver_table(contract)

    def while_another_writes(*arguments: Any) -> Any:
        written = write_silver(*arguments)
        lake.append(another, lake.read("silver.calls").withColumn("id", F.lit(9)), "ingest another")
        return written

    with monkeypatch.context() as patch, pytest.raises(BusyError, match=r"silver\.calls: 2 commits"):
        patch.setattr(batch, "write_silver", while_another_writes)
        take_in("july.csv", "2,b", is_alone=False)

    assert {file for file, _ in ledger(lake)} == {"june.csv"}


@pytest.mark.long
def test_without_a_lease_a_file_that_two_take_in_at_once_is_recorded_once(
    lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a", is_alone=False)
    write_silver = batch.write_silver

    def while_another_takes_it_in(*arguments: Any) -> Any:
        monkeypatch.setattr(batch, "write_silver", write_silver)
        take_in("july.csv", "2,b", is_alone=False)
        return write_silver(*arguments)

    monkeypatch.setattr(batch, "write_silver", while_another_takes_it_in)
    with pytest.raises(BusyError, match="another process ingested it at the same time"):
        take_in("july.csv", "2,b", is_alone=False)

    assert {file for file, _ in ledger(lake)} == {"june.csv", "july.csv"}
    assert silver(lake) == {1: "a", 2: "b"}


@pytest.fixture(scope="module")
def unkilled(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What the lake must be like at the end: the same files in the same order, nobody killed."""
    folder = tmp_path_factory.mktemp("unkilled")
    lake = Lake(spark, str(folder / "lake"), is_here=True)
    take_in_calls(lake, folder, "june.csv", "1,a", "x,bad")
    take_in_calls(lake, folder, "july.csv", "1,A", "2,b", "y,bad")
    return lake


@pytest.mark.long
@pytest.mark.parametrize("at", [BEFORE_SILVER, BEFORE_LEDGER])
def test_a_killed_batch_run_again_gives_the_same_tables(
    lake: Lake, take_in: TakeIn, unkilled: Lake, at: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a", "x,bad")
    known = input_versions(lake, ["silver.calls"])
    with dying(monkeypatch, *at):
        take_in("july.csv", "1,A", "2,b", "y,bad")

    assert input_versions(lake, ["silver.calls"]) == known
    take_in("july.csv", "1,A", "2,b", "y,bad")

    assert hashes(lake) == hashes(unkilled)
    assert ledger(lake) == ledger(unkilled)


@pytest.mark.long
@pytest.mark.parametrize("at", [BEFORE_SILVER, BEFORE_LEDGER])
def test_another_file_after_a_killed_batch_finds_nothing_of_it(
    lake: Lake, take_in: TakeIn, unkilled: Lake, at: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with dying(monkeypatch, *at):
        take_in("july.csv", "1,A", "2,b", "y,bad")

    take_in("june.csv", "1,a", "x,bad")
    assert silver(lake) == {1: "a"}
    take_in("july.csv", "1,A", "2,b", "y,bad")

    assert hashes(lake) == hashes(unkilled)
    assert ledger(lake) == ledger(unkilled)


@pytest.mark.long
def test_a_killed_batch_is_whole_when_it_comes_again_behind_another_file_of_one_command(
    lake: Lake, take_in: TakeIn, unkilled: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the killed run left is rolled back for the first file; the second must not take it for its own."""
    with dying(monkeypatch, *BEFORE_LEDGER):
        take_in("july.csv", "1,A", "2,b", "y,bad")
    (tmp_path / "june.csv").write_text("id,text\n1,a\nx,bad\n", encoding="utf-8")

    names = [str(tmp_path / "june.csv"), str(tmp_path / "july.csv")]
    job = job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"), paths=names)
    ingest.ingest_files(replace(job, is_alone=True))

    assert hashes(lake) == hashes(unkilled)
    assert ledger(lake) == ledger(unkilled)


@pytest.mark.long
@pytest.mark.parametrize("at", [BEFORE_SILVER, BEFORE_LEDGER])
def test_a_killed_replacement_run_again_is_whole(
    lake: Lake, take_in: TakeIn, at: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a", "2,b", "x,bad")
    with dying(monkeypatch, *at):
        take_in("june.csv", "2,B", "3,c")

    take_in("june.csv", "2,B", "3,c")

    assert silver(lake) == {2: "B", 3: "c"}
    assert lake.read("bronze.calls").count() == 2
    assert lake.read("bronze.rejected").count() == 0
    assert ledger(lake)[("june.csv", "loaded")] == (2, 2, 0, 0, 0, 0)


def test_where_the_ledger_of_files_is_gone_nothing_is_taken_in(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")
    shutil.rmtree(lake.folder("ops", "files"))

    with pytest.raises(DamagedError, match="the ledger of files is missing"):
        take_in("july.csv", "2,b")

    assert silver(lake) == {1: "a"}


@pytest.mark.long
def test_an_older_ledger_takes_nothing_back(lake: Lake, take_in: TakeIn) -> None:
    """A backup of ops/ alone was put back: two files look like killed runs'."""
    take_in("june.csv", "1,a")
    before = lake.version("ops.files")
    take_in("july.csv", "2,b")
    take_in("august.csv", "3,c")
    lake.restore("ops.files", before or 0)

    with pytest.raises(DamagedError, match="no killed run can have left"):
        take_in("september.csv", "4,d")

    assert silver(lake) == {1: "a", 2: "b", 3: "c"}


@pytest.mark.long
def test_a_killed_batch_is_not_continued_by_other_code(
    lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a")
    with dying(monkeypatch, *BEFORE_SILVER):
        take_in("july.csv", "2,b")
    monkeypatch.setattr(batch, "code_version", lambda: "the next version")

    take_in("july.csv", "2,b")

    assert [row.operation for row in lake.commits("bronze.calls", -1) or []].count("RESTORE") == 1
    assert silver(lake) == {1: "a", 2: "b"}


@pytest.mark.long
def test_a_file_that_goes_while_it_is_taken_in_is_named(
    lake: Lake, take_in: TakeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = batch.write_bronze

    def gone_before(*given: Any) -> dict[str, int]:
        (tmp_path / "june.csv").unlink()
        return write(*given)

    monkeypatch.setattr(batch, "write_bronze", gone_before)

    with pytest.raises(InputError, match=r"june\.csv: cannot be read: No such file"):
        take_in("june.csv", "1,a")


def test_a_contract_is_another_one_when_it_reads_rows_otherwise(tmp_path: Path) -> None:
    def hash_with(*changes: tuple[str, str]) -> str:
        text = CALLS
        for old, new in changes:
            text = text.replace(old, new)
        (tmp_path / "calls.toml").write_text(text, encoding="utf-8")
        return ingest.hash_of_contract(load(Contract, tmp_path / "calls.toml"))

    said = ('text = { type = "string" }', 'text = { type = "string", meaning = "what was said" }')
    about = ("time =", 'meaning = "calls"\ntime =')
    by_default = ('text = { type = "string" }', 'text = { type = "string", required = false }')
    read = ('id = { type = "integer" }', 'id = { type = "integer", minimum = 1 }')

    assert hash_with(said, about) == hash_with(by_default) == hash_with()
    assert hash_with(read) != hash_with()
