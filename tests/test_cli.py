"""The command line inside this process: moments, paths, help and exit codes; nothing here starts Spark."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik import cli, session
from otklik.cli import READER_IS_GONE, main
from otklik.command_line.arguments import COMMANDS, parser
from otklik.command_line.environment import absolute, parse_moment, require_java, spark_properties
from otklik.errors import BusyError, ConfigurationError, InputError, PlatformError
from otklik.lake.lease import held
from otklik.project_files import find_project
from otklik.steps.context import Job

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.dates())
def test_a_bare_date_means_its_end(day: date) -> None:
    assert parse_moment(day.isoformat()) == datetime.combine(day, time.max, tzinfo=UTC)
    assert parse_moment(day.isoformat().replace("-", "")) == datetime.combine(day, time.max, tzinfo=UTC)


@given(st.datetimes())
def test_a_moment_without_a_zone_is_utc(moment: datetime) -> None:
    assert parse_moment(moment.isoformat()) == moment.replace(tzinfo=UTC)
    assert parse_moment(f"{moment.isoformat()}Z") == moment.replace(tzinfo=UTC)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES))
def test_an_offset_is_brought_to_utc(moment: datetime) -> None:
    found = parse_moment(moment.isoformat())

    assert found == moment
    assert found.tzinfo == UTC


@given(st.text(max_size=30) | st.from_regex(r"\A\d{4}-\d\d-\d\d([T ]\d\d:\d\d)?([+-]\d\d:\d\d|Z)?\Z"))
def test_what_is_no_moment_is_a_clear_fault(text: str) -> None:
    try:
        found = parse_moment(text)
    except ConfigurationError as fault:
        assert fault.where == "--as-of"
    else:
        assert found.tzinfo == UTC


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday", "", "31.03.2026", "0001-01-01T00:00+14:00"])
def test_impossible_moments(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--as-of"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/data/lake/", "/data/lake"),
        ("file:///data/lake/", "/data/lake"),
        ("file:/data/lake", "/data/lake"),
        ("s3a://bucket/lake/", "s3a://bucket/lake"),
        ("hdfs:///lake", "hdfs:///lake"),
        ("hdfs:/lake/", "hdfs:///lake"),
        ("dbfs:/Volumes/a/b/c", "dbfs:///Volumes/a/b/c"),
    ],
)
def test_places_of_a_lake(path: str, found: str) -> None:
    assert absolute(path) == found


def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert absolute("a lake") == str(tmp_path / "a lake")
    assert absolute("odd:name") == str(tmp_path / "odd:name")


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown scheme 'ftp'.*known: .*s3a"):
        absolute("ftp://host/lake")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])

    assert ended.value.code == 0
    assert f"example: {' '.join(command.example.split())}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "bank_full", "--as-of", "yesterday"], "--as-of: 'yesterday' is not an ISO-8601 date or time"),
        (["train", "bank_full", "--set", "splits"], "--set: expected key=value"),
        (["train", "bank_full", "--env", "moon"], "moon: unknown; known here: "),
        (["train", "bank_full", "--lake", "ftp://host/lake"], "unknown scheme"),
        (["check", "no/such.toml"], "no/such.toml: no such file"),
        (["check", "conf/tasks/bank_full.toml", "--set", "splits.fold=4"], "splits.fold: unknown key, did you mean"),
    ],
)
def test_a_wrong_argument_is_one_line_before_spark_starts(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ConfigurationError.exit_code

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("otklik: ")
    assert said in told.err


def test_check_names_every_fault_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text("spark = 'Local'\nlanguage = 'en'\n", encoding="utf-8")
    (tmp_path / "b.toml").write_text("spark = \n", encoding="utf-8")

    assert main(["check", str(tmp_path / "a.toml"), str(tmp_path / "b.toml")]) == ConfigurationError.exit_code

    told = capsys.readouterr().err
    assert "a.toml: 2 errors: spark: " in told
    assert "language: unknown key" in told
    assert "b.toml: not valid TOML" in told


def test_draft_of_a_missing_file_is_an_input_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draft", str(tmp_path / "no.csv")]) == InputError.exit_code
    assert "Traceback" not in capsys.readouterr().err


def test_a_lake_that_another_process_writes_to_is_refused_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(tmp_path, "train", datetime.now(UTC), wait=0, sleep=lambda _: None, say=lambda _: None):
        code = main(["train", "bank_full", "--lake", str(tmp_path), "--wait", "0"])
    assert code == BusyError.exit_code
    assert f"another process is writing to it: otklik train (process {os.getpid()} on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "waits"),
    [
        (["champion", "bank_full"], False),
        (["champion", "bank_full", "--run", "0f1e2d3c4b5a6978"], True),
        (["maintain", "--check-only"], False),
        (["maintain"], True),
        (["show", "gold.scoreboard"], False),
    ],
)
def test_who_only_reads_does_not_wait_for_a_writer(
    arguments: list[str], waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def run(job: Job) -> int:
        jobs.append(job)
        return 0

    monkeypatch.setattr(session, "start", lambda *_, **__: session.Session(None, is_ours=False))  # type: ignore[arg-type]
    monkeypatch.setattr(cli, "_load", lambda _: run)
    # What is asked is not there, and would be said to be missing.
    monkeypatch.setattr("otklik.steps.before_spark.check_command", lambda *_: None)
    monkeypatch.setattr("otklik.steps.without_spark.is_answered", lambda *_: False)
    with held(tmp_path, "train", datetime.now(UTC), wait=0, sleep=lambda _: None, say=lambda _: None):
        code = main([*arguments, "--lake", str(tmp_path), "--wait", "0"])

    assert code == (BusyError.exit_code if waits else 0)
    assert [(job.is_alone, job.lease_folder) for job in jobs] == ([] if waits else [(False, tmp_path)])


def test_an_unexpected_failure_is_named_by_its_kind_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> str:
        raise RuntimeError("Анна Иванова, +7 701 000 00 00")

    monkeypatch.setattr("otklik.steps.offline.tables", breaks)

    assert main(["tables"]) == 1

    told = capsys.readouterr().err
    assert "tables: unexpected error (RuntimeError) → run again with --debug" in told
    assert "Анна" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (["ingest", "bank_full", "x.csv"], "rerun the same command to resume"),
        (["show", "gold.scoreboard"], "rerun the same command to start over"),
        (["demo"], "rerun the same command to start over"),
        (
            ["world", "--customers", "1000", "--seed", "7", "--out", "world"],
            "remove the unfinished world in --out, then rerun the same command",
        ),
    ],
)
def test_who_stops_a_command_is_told_how_to_give_it_again(
    arguments: list[str], again: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("otklik.cli._run_job", stopped)

    assert main(arguments) == 130
    assert capsys.readouterr().err == f"otklik: stopped by the user; {again}\n"


def test_a_failure_is_one_object_where_a_machine_reads(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", "no/such.toml", "--log-format", "json"])

    told = json.loads(capsys.readouterr().err)
    assert (told["level"], told["command"], told["exit_code"]) == ("error", "check", code)
    assert "no/such.toml" in told["message"]


def test_a_reader_who_has_seen_enough_ends_the_command_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As `otklik tables | head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody_reads:
        monkeypatch.setattr("sys.stdout", nobody_reads)
        with pytest.raises(SystemExit) as ended:
            main(["tables"])

    assert ended.value.code == READER_IS_GONE
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("prints", "says"),
    [
        (None, "PATH: no Java found → install Java 17 or 21"),
        ('openjdk version "11.0.2" 2019-01-15', "java: Java 11.0.2 does not run Spark 4.1 → set JAVA_HOME"),
        ('java version "1.8.0_292"', "java: Java 1.8.0_292 does not run Spark 4.1"),
        ("No Java runtime present, requesting install.", "java: Java unknown does not run Spark 4.1"),
    ],
)
def test_the_java_on_the_path_is_looked_at_before_spark_starts(
    prints: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if prints is not None:
        (tmp_path / "java").write_text(f"#!/bin/sh\necho '{prints}' >&2\n", encoding="utf-8")
        (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))

    assert main(["maintain", "--lake", str(tmp_path)]) == PlatformError.exit_code

    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("prints", ['openjdk version "17.0.9" 2023-10-17', 'openjdk version "21-ea" 2023-09-19'])
def test_a_fitting_java_on_the_path_is_taken(prints: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "java").write_text(f"#!/bin/sh\necho '{prints}' >&2\n", encoding="utf-8")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))

    require_java()


def test_debug_shows_the_failure_itself_before_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", "no/such.toml", "--debug"])

    said = capsys.readouterr().err
    assert code == ConfigurationError.exit_code
    assert said.startswith("Traceback (most recent call last):")
    assert said.splitlines()[-1].startswith("otklik: no/such.toml: ")


@pytest.mark.parametrize(
    "command, name, silver, is_quick",
    [
        ("ingest", "small.csv", 0, True),
        ("ingest", "large.csv", 0, False),
        ("ingest", "packed.csv.gz", 0, False),
        ("ingest", "small.csv", 3 << 20, False),
        ("ingest", "s3a://files/small.csv", 0, False),
        ("train", "small.csv", 0, False),
    ],
)
def test_java_is_set_for_few_rows_where_few_are_taken_in(
    tmp_path: Path, command: str, name: str, silver: int, is_quick: bool
) -> None:
    for file, size in (("small.csv", 100), ("large.csv", 17 << 20), ("packed.csv.gz", 3 << 20)):
        with (tmp_path / file).open("wb") as content:
            content.truncate(size)
    table = tmp_path / "lake" / "silver" / "visits"
    table.mkdir(parents=True)
    with (table / "part.parquet").open("wb") as content:
        content.truncate(silver)
    file = name if "://" in name else str(tmp_path / name)
    arguments = [command, "visits", *([file] if command == "ingest" else []), "--lake", str(tmp_path / "lake")]

    properties = spark_properties(
        {"spark.master": "local[*]"}, find_project(None), parser().parse_args(arguments), tmp_path
    )

    assert ("TieredStopAtLevel=1" in properties["spark.driver.extraJavaOptions"]) is is_quick
