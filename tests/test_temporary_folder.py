"""Temporary folders: gone with their command, and those of killed commands with the next one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from otklik import temporary_folder as module
from otklik.lake.lease import Member, pid_namespace
from otklik.temporary_folder import temporary_folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_afterwards(places: Path) -> None:
    with temporary_folder() as folder:
        (folder / "spark.log").write_text("warnings", encoding="utf-8")

    assert list(places.iterdir()) == []


def test_what_killed_commands_left_goes_first(places: Path) -> None:
    code = "import os; from otklik.temporary_folder import temporary_folder as t; it = t(); it.__enter__(); os._exit(9)"
    environment = {**os.environ, "TMPDIR": str(places), "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    left = list(places.iterdir())

    with temporary_folder() as mine:
        assert list(places.iterdir()) == [mine]

    assert (killed.returncode, len(left)) == (9, 1)


def test_folders_of_the_living_and_of_others_stay(places: Path) -> None:
    me = Member.of(os.getpid())
    assert me is not None
    namespace = re.sub(r"\D", "", pid_namespace())
    theirs = {f"otklik-{me.pid}-{round(me.began)}-{namespace}-x", "otklik-notes", "else"}
    for name in theirs:
        (places / name).mkdir()

    with temporary_folder() as mine:
        assert {path.name for path in places.iterdir()} == {*theirs, mine.name}


def test_the_folder_of_a_process_that_cannot_be_seen_from_here_stays(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that shares the place has processes of the same numbers, or of none that are there."""
    nobody = 100_000_000
    of_earlier_version, elsewhere = f"otklik-{nobody}-1790000000-x", f"otklik-{nobody}-17-4026530000-x"
    gone = f"otklik-{nobody}-17-4026531836-x"
    for name in (of_earlier_version, elsewhere, gone):
        (places / name).mkdir()
    monkeypatch.setattr(module, "pid_namespace", lambda: "pid:[4026531836]")

    with temporary_folder() as mine:
        assert {path.name for path in places.iterdir()} == {of_earlier_version, elsewhere, mine.name}
