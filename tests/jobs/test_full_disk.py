"""A disk that fills up, or may not be written: one clear line, and the same command goes on when there is space."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.conftest import PROJECT
from tests.jobs.user_faults import CONTRACT

from otklik.cli import main
from otklik.errors import PlatformError
from otklik.lake.store import Lake

pytestmark = pytest.mark.long

ROWS = 30_000
FULL = "the disk is full → free some space (lake, temporary folder) and rerun the same command to resume"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make or remake a disk in memory with these options; what is on it stays."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mounted(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small disk in memory can be mounted by root only")
        return disk

    yield mounted
    subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ingest of a file that is larger than the disk."""
    monkeypatch.setenv("OTKLIK_PSEUDONYM_KEY", "0123456789abcdef")
    rows = [f"{number},a{number}@x.kz,{hash(str(number))}{hash(-number)}" for number in range(ROWS)]
    (tmp_path / "visits.csv").write_text("\n".join(["id,email,page", *rows, ""]), encoding="utf-8")
    (tmp_path / "visits.toml").write_text(CONTRACT, encoding="utf-8")
    return ["ingest", str(tmp_path / "visits.toml"), str(tmp_path / "visits.csv"), "--lake"]


def test_a_full_lake_is_said_and_the_same_command_goes_on(
    spark: SparkSession, small_disk, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lake = small_disk("size=1m") / "lake"

    assert main([*arguments, str(lake)]) == PlatformError.exit_code
    assert FULL in capsys.readouterr().err
    assert not Lake(spark, str(lake), is_here=True).exists("ops.files")

    small_disk("remount,size=64m")
    assert main([*arguments, str(lake)]) == 0
    [entry] = Lake(spark, str(lake), is_here=True).read("ops.files").where("status = 'loaded'").collect()
    assert (entry.rows, entry.accepted) == (ROWS, ROWS)
    assert Lake(spark, str(lake), is_here=True).read("bronze.visits").count() == ROWS


def test_a_lake_that_may_not_be_written_is_said(
    small_disk, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lake = small_disk("size=1m,ro") / "lake"

    assert main([*arguments, str(lake)]) == PlatformError.exit_code
    assert "lake: cannot be written: Read-only file system → check --lake and permissions" in capsys.readouterr().err


def test_a_full_temporary_folder_is_said(small_disk, arguments: list[str], tmp_path: Path) -> None:
    temporary = small_disk("size=200k")
    done = subprocess.run(
        [sys.executable, "-m", "otklik.cli", *arguments, str(tmp_path / "lake")],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "lib"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == PlatformError.exit_code, done.stderr
    [said] = [line for line in done.stderr.splitlines() if not line.startswith(("  ", "NOTE: "))]
    assert said.startswith("otklik: ")
    assert said.endswith(FULL)
    assert not (tmp_path / "lake" / "silver").exists()
