"""What `otklik maintain` finds and mends."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.bench import CALLS, TakeIn, dying, job_on, register_model

from otklik.errors import ConfigurationError, DamagedError
from otklik.lake.folder import Folder
from otklik.lake.lease import held
from otklik.lake.ledger import FileLedger, Run, input_versions, record_run
from otklik.lake.maintenance import run_flaws
from otklik.lake.recovery import with_same_rows
from otklik.lake.store import Lake
from otklik.project_files import ProjectFiles
from otklik.steps.maintain import maintain_lake
from otklik.steps.reingest import reingest_source


def maintain(
    lake: Lake,
    temporary_folder: Path,
    *,
    keep_days: int = 30,
    force: bool = False,
    check_only: bool = False,
    is_alone: bool = True,
    roll_back_all: bool = False,
) -> int:
    options: dict[str, Any] = {
        "keep_days": keep_days,
        "force": force,
        "check_only": check_only,
        "roll_back_all": roll_back_all,
    }
    job = job_on(lake, temporary_folder, None, **options)
    return maintain_lake(replace(job, is_alone=is_alone))


def wrong(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]


def leave_a_killed_run(lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded file, a batch that never came into the ledger, and a model folder that no pointer names."""
    take_in("june.csv", "1,a")
    with dying(monkeypatch, FileLedger, "record"):
        take_in("july.csv", "2,b")
    Folder(lake.folder("models", "calls", "0123")).write("serving.json", json.dumps({}).encode())


def test_it_takes_back_what_a_killed_run_left(
    lake: Lake,
    take_in: TakeIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    take_in("june.csv", "1,a", "x,bad")
    with dying(monkeypatch, FileLedger, "record"):
        take_in("july.csv", "1,A", "2,b", "y,bad")
    Folder(lake.folder("models", "calls", "0123")).write("serving.json", json.dumps({}).encode())
    Path(lake.folder("models", "calls", "0123", "manifest.json.partial")).write_text("half")
    Path(lake.folder("report")).mkdir()
    Path(lake.folder("report", "index.html.partial")).write_text("half")
    log = Path(lake.folder("silver", "calls", "_delta_log"))
    drafts = [log / ".00000000000000000009.json.0123.tmp", log / "00000000000000000009.json#1"]
    for draft in drafts:
        draft.write_text("a commit that was never made")

    assert maintain(lake, tmp_path, check_only=True) == 1
    said = wrong(capsys)
    assert [line.split(": ")[1] for line in said] == [
        "bronze.calls",
        "bronze.rejected",
        "silver.calls",
        "models/calls/0123",
        "report/index.html.partial",
        *(f"silver/calls/_delta_log/{draft.name}" for draft in drafts),
    ]
    assert said[2].startswith("wrong: silver.calls: 1 unfinished commits of a killed run")

    assert maintain(lake, tmp_path) == 0
    assert "silver.calls" in capsys.readouterr().out
    assert [(row.id, row.text) for row in lake.read("silver.calls").collect()] == [(1, "a")]
    assert not Path(lake.folder("models", "calls", "0123")).exists()
    assert not any(draft.exists() for draft in drafts)
    assert maintain(lake, tmp_path, check_only=True) == 0


@pytest.mark.long
def test_without_a_lease_nothing_is_removed_unless_forced(
    lake: Lake,
    take_in: TakeIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_a_killed_run(lake, take_in, monkeypatch)

    assert maintain(lake, tmp_path, is_alone=False) == 1

    said = wrong(capsys)
    assert [line.split(": ")[1] for line in said] == ["bronze.calls", "silver.calls", "models/calls/0123"]
    assert all("nothing else writes, then `otklik maintain --force`" in line for line in said)
    assert lake.read("silver.calls").count() == 2
    assert Path(lake.folder("models", "calls", "0123")).exists()

    assert maintain(lake, tmp_path, is_alone=False, force=True) == 0
    assert lake.read("silver.calls").count() == 1
    assert not Path(lake.folder("models", "calls", "0123")).exists()


@pytest.mark.long
def test_what_a_living_writer_has_not_finished_is_no_flaw(
    lake: Lake,
    take_in: TakeIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_a_killed_run(lake, take_in, monkeypatch)
    job = job_on(lake, tmp_path, keep_days=30, force=False, check_only=True, roll_back_all=False)
    job = replace(job, is_alone=False, lease_folder=Path(lake.root))
    capsys.readouterr()

    with held(Path(lake.root), "ingest", job.clock(), wait=0, sleep=lambda _: None, say=lambda _: None):
        assert maintain_lake(job) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"running: otklik ingest (process {os.getpid()} on ")
    assert "wrong" not in said

    assert maintain_lake(job) == 1
    lines = wrong(capsys)
    assert [line.split(": ")[1] for line in lines] == ["bronze.calls", "silver.calls", "models/calls/0123"]
    assert all("→ `otklik maintain` " in line for line in lines)


@pytest.mark.long
def test_a_compacted_and_vacuumed_table_is_still_read_at_the_ledgers_version(
    lake: Lake, take_in: TakeIn, tmp_path: Path
) -> None:
    for number in range(3):
        take_in(f"{number}.csv", f"{number},a")
    known = input_versions(lake, ["silver.calls"])["silver.calls"]

    assert maintain(lake, tmp_path, keep_days=0, force=True) == 0

    readable = with_same_rows(lake, "silver.calls", known)
    assert readable > known
    assert lake.read("silver.calls", readable).count() == 3
    files = list(Path(lake.folder("silver", "calls")).glob("*.parquet"))
    assert len(files) == 1
    take_in("9.csv", "9,z")
    assert lake.read("silver.calls").count() == 4


@pytest.mark.long
def test_a_compacted_and_vacuumed_lake_is_repaired_and_checked_again(
    lake: Lake, take_in: TakeIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in("june.csv", "1,a", "x,bad")
    take_in("july.csv", "1,A", "2,b", "y,bad")
    for _ in range(2):
        assert maintain(lake, tmp_path, keep_days=0, force=True) == 0
    with dying(monkeypatch, FileLedger, "record"):
        take_in("august.csv", "3,c", "z,bad")

    take_in("september.csv", "4,d")

    assert sorted(row.id for row in lake.read("silver.calls").collect()) == [1, 2, 4]
    assert sorted(row.record for row in lake.read("bronze.rejected").collect()) == ["x,bad", "y,bad"]
    assert maintain(lake, tmp_path) == 0
    assert maintain(lake, tmp_path, check_only=True) == 0


@pytest.mark.long
def test_what_the_ledger_does_not_say_is_wrong_and_stays(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a", "2,b")
    ledger = lake.reference("ops.files")
    # Lakes of earlier versions have no such constraint.
    lake.spark.sql(f"ALTER TABLE {ledger} DROP CONSTRAINT nothing_lost_nothing_twice")
    lake.spark.sql(f"UPDATE {ledger} SET inserted = 7")

    assert maintain(lake, tmp_path) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: ops.files: its constraint nothing_lost_nothing_twice is missing",
        "wrong: ops.files: june.csv of calls: its counts do not add up",
        "wrong: silver.calls: 2 rows, the ledger says 7",
    ]

    assert reingest_source(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"))) == 0
    assert maintain(lake, tmp_path, check_only=True) == 1
    assert ["nothing_lost_nothing_twice" in line for line in wrong(capsys)] == [True]


@pytest.mark.long
def test_a_table_that_is_gone_or_older_than_the_ledger_is_named_beside_the_others(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a", "x,bad")
    take_in("july.csv", "2,b")
    shutil.rmtree(lake.folder("silver", "calls"))
    log = Path(lake.folder("bronze", "calls", "_delta_log"))
    newest = sorted(log.glob("*.json"))[-1]
    for file in log.glob(f"*{newest.name}*"):
        file.unlink()

    assert maintain(lake, tmp_path) == 1

    assert [line.partition(" →")[0].partition(": run ")[0] for line in wrong(capsys)] == [
        f"wrong: bronze.calls: the ledger lists version {int(newest.stem)}, but the newest one is 1",
        "wrong: silver.calls: no such table",
        "wrong: bronze.calls",
        "wrong: silver.calls",
    ]


@pytest.mark.long
def test_what_no_killed_run_can_have_left_is_named_and_stays(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows were deleted by hand: to bring them back in silence would undo somebody's erasure."""
    take_in("june.csv", "1,a", "2,b")
    lake.spark.sql(f"DELETE FROM {lake.reference('silver.calls')} WHERE id = 2")
    capsys.readouterr()
    said = "wrong: silver.calls: 1 commits that the ledger does not list and that no killed run can have left"

    for only_checks in (True, False):
        assert maintain(lake, tmp_path, check_only=only_checks, force=True) == 1
        assert [line.partition(": the ledger is")[0] for line in wrong(capsys)][:1] == [said]
    assert lake.read("silver.calls").count() == 1

    assert maintain(lake, tmp_path, roll_back_all=True) == 0
    assert lake.read("silver.calls").count() == 2


@pytest.mark.long
def test_tables_of_others_are_left_alone(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a catalog the schemas silver and gold may be a whole company's, and one table may be gone behind its name."""
    others = ["gold.calls_features", "silver.crm", "silver.gone"]
    for table in others:
        for number in (1, 2):
            lake.spark.sql(
                f"CREATE OR REPLACE TABLE {lake.reference(table)} USING DELTA AS SELECT {number} AS id, 'x' AS _run_id"
            )
    for commit in Path(lake.folder("silver", "gone", "_delta_log")).glob("*.json"):
        commit.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no tables found"):
        maintain(lake, tmp_path)
    take_in("june.csv", "1,a")
    capsys.readouterr()

    assert maintain(lake, tmp_path, roll_back_all=True) == 0

    assert f"left alone: {', '.join(others)}: not created by Otklik" in capsys.readouterr().out.splitlines()
    assert [lake.version(table) for table in others[:2]] == [1, 1]


@pytest.mark.long
def test_rows_that_were_restored_away_by_hand_are_missed(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    before = lake.version("silver.calls")
    take_in("july.csv", "2,b")
    lake.spark.sql(f"RESTORE TABLE {lake.reference('silver.calls')} TO VERSION AS OF {before}")

    with pytest.raises(DamagedError, match=r"silver\.calls: 1 commits that the ledger does not know"):
        take_in("august.csv", "3,c")
    assert maintain(lake, tmp_path, check_only=True) == 1
    assert maintain(lake, tmp_path, roll_back_all=True) == 0
    assert sorted(row.id for row in lake.read("silver.calls").collect()) == [1, 2]


@pytest.mark.long
def test_a_table_whose_files_are_gone_is_named(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    for file in Path(lake.folder("bronze", "calls")).rglob("*.parquet"):
        file.unlink()

    assert maintain(lake, tmp_path, check_only=True) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == ["wrong: bronze.calls: some of its files are missing"]


@pytest.mark.long
def test_a_table_that_a_killed_run_had_only_begun_to_make_is_removed(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    begun = ["gold.scoreboard", "silver.others"]
    for table in begun:
        Path(lake.folder(*table.split("."), "_delta_log", "_staged_commits")).mkdir(parents=True)

    assert maintain(lake, tmp_path, check_only=True) == 1
    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        f"wrong: {table}: a killed run created it without a first commit" for table in begun
    ]

    assert maintain(lake, tmp_path) == 0
    assert not any(Path(lake.folder(*table.split("."), "_delta_log")).exists() for table in begun)


def test_models_are_not_taken_for_leftovers_where_the_table_that_names_them_is_gone(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = register_model(lake, "calls", 1)
    now = datetime.now(UTC)
    run = Run("run_1", "train", "calls", None, "failed", {}, "", "", now)
    record_run(lake, run.done(now, {"gold.model_runs": 1}, 0, 0, ""))
    shutil.rmtree(lake.folder("gold", "model_runs"))

    assert maintain(lake, tmp_path) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: gold.model_runs: run run_1 wrote version 1, the table has none"
    ]
    assert folder.exists()


def test_where_the_ledger_of_files_is_gone_nothing_is_taken_back(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    shutil.rmtree(lake.folder("ops", "files"))

    assert maintain(lake, tmp_path) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: ops.files: files were ingested, but the ledger of files is missing"
    ]
    assert lake.read("silver.calls").count() == 1


def test_a_batch_of_which_the_ledger_says_more_is_wrong(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a", "2,b")
    lake.spark.sql(f"UPDATE {lake.reference('ops.files')} SET rows = 3, duplicates = 1")

    assert maintain(lake, tmp_path, check_only=True) == 1

    [line] = wrong(capsys)
    assert line.startswith("wrong: bronze.calls: batch ")
    assert ": 2 rows, the ledger says 3 →" in line


def test_a_result_that_a_run_names_and_no_table_has_is_wrong(lake: Lake, take_in: TakeIn) -> None:
    take_in("june.csv", "1,a")

    there = {table: lake.version(table) for table in ("bronze.calls", "silver.calls")}
    version = there["silver.calls"]
    assert version is not None
    assert run_flaws(lake, there.get) == []
    [flaw] = run_flaws(lake, {**there, "silver.calls": version - 1}.get)
    assert f"wrote version {version}, the table has {version - 1}" in flaw.line()


def test_without_a_whole_ledger_nothing_is_taken_back(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a", "2,b")
    lake.spark.sql(f"ALTER TABLE {lake.reference('ops.files')} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    lake.spark.sql(f"ALTER TABLE {lake.reference('ops.files')} DROP COLUMN table_versions")

    assert maintain(lake, tmp_path) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: ops.files: the ledger of files lacks its column table_versions"
    ]
    with pytest.raises(DamagedError, match="lacks its column table_versions"):
        take_in("july.csv", "3,c")
    assert lake.read("silver.calls").count() == 2


def test_a_table_that_is_not_as_defined_is_named(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a", "2,b")
    lake.spark.sql(f"ALTER TABLE {lake.reference('ops.runs')} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    lake.spark.sql(f"ALTER TABLE {lake.reference('ops.runs')} DROP COLUMN message")

    assert maintain(lake, tmp_path, check_only=True) == 1

    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: ops.runs: not as defined: message STRING (missing)"
    ]


@pytest.mark.long
def test_columns_constraints_and_marks_beside_the_definition_are_named(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    runs, bronze = lake.reference("ops.runs"), lake.reference("bronze.calls")
    lake.spark.sql(f"ALTER TABLE {runs} ADD COLUMN mood STRING")
    lake.spark.sql(f"ALTER TABLE {runs} DROP CONSTRAINT status_is_known")
    lake.spark.sql(f"ALTER TABLE {bronze} SET TBLPROPERTIES ('otklik.personal' = 'record')")

    assert maintain(lake, tmp_path) == 1

    said = wrong(capsys)
    assert [line.partition(" →")[0] for line in said] == [
        "wrong: bronze.calls: not as defined: other columns are marked as personal: record",
        "wrong: ops.runs: not as defined: mood string (not defined)",
        "wrong: ops.runs: its constraint status_is_known is missing",
    ]
    lake.spark.sql(said[2].partition("→ ")[2])
    assert maintain(lake, tmp_path) == 1
    assert len(wrong(capsys)) == 2


@pytest.mark.long
def test_silver_is_compared_with_the_contract_under_which_it_came_in(
    lake: Lake, take_in: TakeIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in("june.csv", "1,a")
    sources = tmp_path / "home" / "conf" / "sources"
    sources.mkdir(parents=True)
    job = job_on(lake, tmp_path, keep_days=30, force=False, check_only=True, roll_back_all=False)
    job = replace(job, project=ProjectFiles(tmp_path / "home"))

    (sources / "calls.toml").write_text(CALLS.replace("text =", "said ="), encoding="utf-8")
    assert maintain_lake(job) == 0

    (sources / "calls.toml").write_text(CALLS, encoding="utf-8")
    assert maintain_lake(job) == 0
    lake.spark.sql(f"ALTER TABLE {lake.reference('silver.calls')} ADD COLUMN mood STRING")
    capsys.readouterr()
    assert maintain_lake(job) == 1
    assert [line.partition(" →")[0] for line in wrong(capsys)] == [
        "wrong: silver.calls: 1 commits that the ledger does not list and that no killed run can have left: the ledger "
        "is outdated, or something else changed the table",
        "wrong: silver.calls: not as defined: mood string (not defined)",
    ]


@pytest.mark.long
def test_a_table_that_somebody_has_clustered_by_hand_stays_so(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "2,b", "1,a")
    known = input_versions(lake, ["silver.calls"])["silver.calls"]
    lake.spark.sql(f"ALTER TABLE {lake.reference('silver.calls')} CLUSTER BY (id)")

    assert maintain(lake, tmp_path) == 0

    rows = lake.read("silver.calls", with_same_rows(lake, "silver.calls", known))
    assert sorted(row.id for row in rows.collect()) == [1, 2]
    take_in("july.csv", "3,c")
    assert maintain(lake, tmp_path) == 0
    [detail] = lake.spark.sql(f"DESCRIBE DETAIL {lake.reference('silver.calls')}").collect()
    assert detail.clusteringColumns == ["id"]


def test_a_short_memory_must_be_forced(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--keep-days 6"):
        maintain(lake, tmp_path, keep_days=6)


def test_a_place_without_tables_is_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no tables found"):
        maintain(lake, tmp_path)
