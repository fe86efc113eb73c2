"""What is wrong with names, options and files is said before Spark starts, and `check` knows the tables of a lake."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from otklik.cli import main
from otklik.errors import ConfigurationError
from otklik.lake.local import LocalLake
from otklik.lake.tables import FILES, MODEL_RUNS, RUNS
from otklik.project_files import find_project
from otklik.steps.before_spark import check_command
from otklik.steps.lake_names import Known, check_names, names_in
from otklik.steps.task_files import read_task

deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed: pip install 'otklik[spark]'")

TASK = """
name = "visits"
kind = "segment"
title = { en = "visits", ru = "визиты" }
question = { en = "who?", ru = "кто?" }
inputs = { visits = "silver.visits" }
"""
GOOD = """
[frames.purchases]
where = "NOT startswith(page, 'x') AND Day >= DATE'2026-01-01'"
columns = { customer = "id", moment = "CAST(day AS TIMESTAMP)", amount = "paid * 1.5", order = "concat(id, `day`)" }
"""
BAD = """
[frames.purchases]
where = "pages <> 'x'"
columns = { customer = "id", moment = "day", amount = "coalesce(payed, 0)" }
"""


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """A lake with three rows of visits, and a model of bank_full."""
    rows = pa.table({"id": ["1", "2", "3"], "day": ["", "", ""], "page": ["", "", ""], "paid": [1.0, 2.0, 3.0]})
    ledger = {column.name: pa.nulls(1, pa.string()) for column in FILES.columns}
    ledger["table_versions"] = pa.array([[("silver.visits", 0)]], pa.map_(pa.string(), pa.int64()))
    models = {column.name: ["bank_full"] for column in MODEL_RUNS.columns}
    for table, columns in (("silver/visits", rows), ("ops/files", ledger), ("gold/model_runs", models)):
        deltalake.write_deltalake(str(tmp_path / "lake" / table), pa.table(columns))
    return str(tmp_path / "lake")


@pytest.fixture(autouse=True)
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otklik.session.start", lambda *_, **__: pytest.fail("Spark was started"))
    monkeypatch.delenv("OTKLIK_PSEUDONYM_KEY", raising=False)


SLIPS = [
    ("ingest nobody x.csv", 2, "nobody: unknown; known here"),
    ("ingest bank_full none.csv", 3, "none.csv: no such file or folder"),
    ("ingest customers none.csv", 2, "pseudonym key: is missing"),
    ("features nobody", 2, "nobody: unknown; known here"),
    ("features bank_ful", 2, "bank_ful: unknown; did you mean bank_full?"),
    ("champion nobody", 2, "nobody: unknown; known here"),
    ("features bank_full", 5, "silver.bank_full: nothing has been ingested into it yet"),
    ("run bank_full", 5, "silver.bank_full: nothing has been ingested into it yet"),
    ("run retail_first_week", 5, "silver.online_retail: nothing has been ingested into it yet"),
    ("run", 2, "run: name a task, or give --all"),
    ("run bank_full --stage trian", 2, "--stage: 'trian' is not a stage of classify; did you mean train? → its stages"),
    ("draft --task clasify bank_full", 2, "--task: unknown kind 'clasify'; did you mean classify?"),
    ("kinds nothing_like_it", 2, "unknown kind 'nothing_like_it'; known: assortment, attribution"),
    ("export silver.visits --to x.csv --columns id,payd", 2, "--columns: no column payd; did you mean paid?"),
    (
        "train shop_segments",
        2,
        "is of kind segment; `otklik train` is for tasks of kind classify → use `otklik run shop_",
    ),
    ("features hillstrom_experiment", 2, "is of kind experiment; `otklik features` is for tasks of kind classify"),
    ("score shop_segments", 2, "is of kind segment; `otklik score` is for tasks of kind classify"),
    ("assign shop_segments", 2, "does not define how arms are assigned"),
    ("assign hillstrom_experiment", 2, "does not define how arms are assigned"),
    ("train bank_full --set splits.fold=5", 2, "splits.fold: unknown key"),
    ("score bank_full --set decision.cost", 2, "--set: expected key=value"),
    ("champion bank_full --run 1234", 5, "bank_full: no model of run 1234"),
    ("show silver.visit", 5, "silver.visit: no such table; did you mean silver.visits?"),
    ("show gold.bank_full_actions", 5, "no such table → a yes-or-no task writes its list where it has [decision]"),
    ("show silver.visits --where whom=1", 2, "--where: no column whom → columns: id, day, page, paid"),
    ("export silver.visits --to x.xls", 2, "x.xls: the file name must end in .csv or .parquet"),
    ("export silver.visits --to x.csv --columns id,whom", 2, "--columns: no column whom"),
    ("maintain --keep-days 1", 2, "--keep-days 1: under 7 days"),
    ("world --customers 1000 --seed 1 --out x --only shops", 2, "--only: no part named shops"),
    ("world --customers 1000 --seed 1 --out x --without influense", 2, "named influense; did you mean influence?"),
    ("world --customers 10 --seed 1 --out x", 2, "--customers: must be from 1,000 to 1,000,000, not 10"),
]


@pytest.mark.parametrize(("command", "code", "says"), SLIPS, ids=[command for command, _, _ in SLIPS])
def test_a_slip_is_said_without_spark(
    command: str, code: int, says: str, lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main([*command.split(), "--lake", lake]) == code
    assert says in capsys.readouterr().err


def test_a_command_that_is_misspelt_is_said_with_the_one_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, meant in ((["rnu"], "run"), (["graph", "--format", "jsn"], "json")):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.strip().endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("task", "package", "says"),
    [
        (
            "world_sequence",
            "torch",
            "models.sequence: the model sequence needs the package torch, which",
        ),
        (
            "bank_full_challengers",
            "xgboost",
            "models.xgboost: the model xgboost needs the package xgboost, which",
        ),
    ],
)
def test_a_package_that_is_not_installed_is_said_without_spark(
    task: str, package: str, says: str, lake: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    for command in ("train", "run"):
        assert main([command, task, "--lake", lake]) == 2
        assert says in capsys.readouterr().err
    assert main(["check", f"conf/tasks/{task}.toml", "--lake", lake]) == 0


def test_a_command_over_a_source_without_files_is_let_through(tmp_path: Path) -> None:
    asked = {"source": "bank_full"}

    check_command("reingest", "source", asked, find_project(None), {}, LocalLake(tmp_path), lambda: b"")


def test_a_report_is_found_by_the_file_that_its_task_was_run_from(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: dict[str, pa.Array] = {column.name: pa.nulls(3, pa.string()) for column in RUNS.columns}
    runs |= {name: pa.array([value] * 3) for name, value in (("task", "visits"), ("job", "report"), ("status", "done"))}
    files = ("old.toml", str(tmp_path / "good.toml"), "older.toml")
    runs["inputs"] = pa.array([[("file", file)] for file in files], pa.map_(pa.string(), pa.string()))
    runs["ended_at"] = pa.array([2, 3, 1], pa.timestamp("us", "UTC"))
    deltalake.write_deltalake(f"{lake}/ops/runs", pa.table(runs))
    asked, here = {"task": "visits", "as_of": None, "lang": "en"}, LocalLake(Path(lake))
    (tmp_path / "good.toml").write_text(TASK + GOOD, encoding="utf-8")

    check_command("report", "task", asked, find_project(None), {}, here, lambda: b"")
    (tmp_path / "good.toml").unlink()
    assert main(["report", "visits", "--lake", lake]) == 2
    assert "good.toml: no such file" in capsys.readouterr().err


def test_check_tries_names_against_the_tables_and_goes_through_all_files(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.toml").write_text(TASK + GOOD, encoding="utf-8")
    (tmp_path / "bad.toml").write_text(TASK.replace('visits"\nkind', 'calls"\nkind') + BAD, encoding="utf-8")
    (tmp_path / "empty.toml").write_text("# nothing\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("bad.toml", "empty.toml", "good.toml")]

    assert main(["check", *files, "--lake", lake]) == 2

    told = capsys.readouterr()
    lacking = "frames.purchases.columns.amount: no column payed; frames.purchases.where: no column pages"
    assert f"bad.toml: does not match its inputs: {lacking}" in told.err
    assert "empty.toml: is neither a contract nor a task nor an environment" in told.err
    assert told.out.count("\n") == 1
    assert "good.toml: a task of kind segment, fine; reads silver.visits (3 rows); writes gold.visits_" in told.out
    assert main(["run", files[0], "--lake", lake]) == 2
    assert "no column payed" in capsys.readouterr().err


def test_check_without_files_goes_through_the_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--lake", str(tmp_path)]) == 0

    said = capsys.readouterr().out
    for what in (
        "bank_full.toml: a contract, ",
        "reads silver.bank_full (not there yet)",
        "local.toml: an environment",
    ):
        assert what in said


def test_sql_of_a_classify_task_is_tried_by_its_aliases(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = (
        TASK.replace("segment", "classify")
        + '[rows]\nsql = "who"\ntime_ordered = false\n[features.all]\nsql = "what"\n'
    )
    (tmp_path / "visits.toml").write_text(task, encoding="utf-8")
    (tmp_path / "who.sql").write_text(
        "SELECT v.id AS key, v.days AS moment, 1 AS label FROM {visits} AS v WHERE v.page <> 'v.no'", encoding="utf-8"
    )
    (tmp_path / "what.sql").write_text(
        "-- column paid: paid | оплачено\nSELECT r.key, r.moment, v.paid FROM {rows} r JOIN {visits} v ON v.id = r.key "
        "AND v.known_at <= r.moment",
        encoding="utf-8",
    )

    assert main(["check", str(tmp_path / "visits.toml"), "--lake", lake]) == 2
    lacking = "visits.toml: does not match its inputs: rows.sql (who.sql): no column days → columns of visits: id, day"
    assert lacking in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("a + `b` * 2.5e3", ["a", "`b`"]),
        ("CASE WHEN a.b > 'c' THEN f(d) END", ["a", "d"]),
        ("transform(a, x -> x + 1)", []),
        ("INTERVAL 3 DAYS + DATE'2026-01-01' - \"q\"", []),
        ("cast(a AS double) BETWEEN 1 AND b", ["a", "b"]),
    ],
)
def test_names_of_columns_in_an_expression(expression: str, names: list[str]) -> None:
    assert names_in(expression) == names


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("(paid * 1.5", "is not valid SQL: Expecting )"),
        ("concat(paid, 'a)", "is not valid SQL: a quotation mark is not"),
    ],
)
def test_sql_is_read_whether_or_not_the_table_is_there(
    sql: str, says: str, lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sqlglot", reason="sqlglot is not installed: ./scripts/setup")
    (tmp_path / "bad.toml").write_text(TASK + GOOD.replace("paid * 1.5", sql), encoding="utf-8")
    (tmp_path / "visits.toml").write_text('name = "visits"\n[columns]\n', encoding="utf-8")

    for place in (lake, str(tmp_path / "none")):
        assert main(["check", str(tmp_path / "bad.toml"), "--lake", place]) == 2
        assert f"frames.purchases.columns.amount: {says}" in capsys.readouterr().err


def test_an_input_that_is_no_source_is_said_with_the_one_that_is_meant(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, of_nobody = tmp_path / "task.toml", "no contract and no table for silver."
    slips = [("visit", "visit; did you mean visits"), ("recepts", "recepts; did you mean receipts")]
    for table, says in slips:
        file.write_text(TASK.replace("silver.visits", f"silver.{table}") + GOOD, encoding="utf-8")
        for command in ("check", "run"):
            assert main([command, str(file), "--lake", lake]) == 2
            assert of_nobody + says in capsys.readouterr().err

    (tmp_path / "recepts.toml").write_text('name = "recepts"\n[columns]\n', encoding="utf-8")
    assert main(["check", str(file), "--lake", lake]) == 0
    assert "reads silver.recepts (not there yet)" in capsys.readouterr().out


def test_a_column_is_named_once_among_those_that_are_there(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pa.table({"id": ["1"], "day": [""], "page": [""], "paid": [1.0], "known_at": [""]})
    deltalake.write_deltalake(f"{lake}/silver/visits", rows, mode="overwrite", schema_mode="overwrite")
    (tmp_path / "bad.toml").write_text(TASK + BAD, encoding="utf-8")

    known = Known({"visits": LocalLake(Path(lake)).table("silver.visits")}, ())
    with pytest.raises(ConfigurationError, match=r"columns of visits: id, day, page, paid, known_at, row_id$"):
        check_names(read_task(find_project(None), str(tmp_path / "bad.toml"), {}), [], known)
