"""Every line of docs/errors.md: the fault is made, and the command says exactly that."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.conftest import PROJECT
from tests.jobs.errors_page import page
from tests.jobs.user_faults import (
    CONFIGURATION,
    EVERY,
    FILES,
    FOLDER,
    GOOD,
    OPTIONS,
    PATHS,
    PERSONAL,
    SURROUNDINGS,
    UserFault,
    delivered,
)

from otklik.cli import main
from otklik.lake.store import Lake

#: One of each kind; the others come with --all, for each starts jobs and writes the ledger.
QUICK_FILES = ("empty.csv",)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that has taken in one good file."""
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTKLIK_PSEUDONYM_KEY", "0123456789abcdef")
        good = delivered("", "loaded.csv", GOOD.replace("home", "cart"), "")
        assert main([*good.command(folder), "--lake", str(folder / "lake")]) == 0
    return Lake(spark, str(folder / "lake"), is_here=True)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTKLIK_PSEUDONYM_KEY", "0123456789abcdef")


def commits(lake: Lake) -> list[str]:
    """Every version of every table that a refused command must not change."""
    return sorted(
        f"{file}"
        for layer in ("bronze", "silver", "gold")
        for file in (Path(lake.root) / layer).rglob("_delta_log/*.json")
    )


def check(fault: UserFault, lake: Lake | None, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = fault.command(folder)
    on_lake = [] if lake is None or "--lake" in arguments or arguments[0] == "check" else ["--lake", lake.root]
    before = [] if lake is None else commits(lake)

    code = main([*arguments, *on_lake])

    told = capsys.readouterr()
    assert told.err.replace(str(folder), FOLDER) == f"otklik: {fault.says}\n"
    assert code == fault.code
    assert told.out == ""
    assert PERSONAL not in told.err
    assert before == ([] if lake is None else commits(lake))


@pytest.mark.parametrize(
    "fault",
    [pytest.param(each, id=each.file, marks=[] if each.file in QUICK_FILES else pytest.mark.long) for each in FILES],
)
def test_a_file_is_refused(fault: UserFault, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(fault, lake, tmp_path, capsys)

    entries = lake.read("ops.files").where(f"file = '{fault.file}'").orderBy("started_at").collect()
    assert (entries[-1].status, entries[-1].rows) == ("rejected", 0)


@pytest.mark.long
@pytest.mark.parametrize("fault", PATHS, ids=lambda fault: fault.cause)
def test_a_path_stands_for_no_file(
    fault: UserFault, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(fault, lake, tmp_path, capsys)


@pytest.mark.parametrize("fault", CONFIGURATION, ids=lambda fault: fault.cause)
def test_a_toml_file_is_refused(fault: UserFault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(fault, None, tmp_path, capsys)


@pytest.mark.parametrize("fault", OPTIONS, ids=lambda fault: fault.cause)
def test_an_option_or_name_is_wrong(
    fault: UserFault, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(fault, lake, tmp_path, capsys)


@pytest.mark.parametrize("fault", SURROUNDINGS, ids=lambda fault: fault.cause)
def test_something_around_is_wrong(
    fault: UserFault,
    lake: Lake,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in fault.environment.items():
        monkeypatch.setenv(name, value.replace(FOLDER, str(tmp_path)))

    check(fault, lake, tmp_path, capsys)


def test_the_page_lists_exactly_these() -> None:
    """If this fails: `python -m tests.jobs.errors_page > docs/errors.md`."""
    assert (PROJECT / "docs" / "errors.md").read_text(encoding="utf-8") == page()


def test_a_cause_stands_once() -> None:
    causes = [fault.cause for fault in EVERY]
    assert len(set(causes)) == len(causes)
