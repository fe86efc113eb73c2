"""Temporary folders: gone with their command, and those of killed commands with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from otklik.lake.lease import Member
from otklik.scratch import scratch_folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_afterwards(places: Path) -> None:
    with scratch_folder() as folder:
        (folder / "spark.log").write_text("warnings", encoding="utf-8")

    assert list(places.iterdir()) == []


def test_what_killed_commands_left_goes_first(places: Path) -> None:
    code = "import os; from otklik.scratch import scratch_folder; it = scratch_folder(); it.__enter__(); os._exit(9)"
    environment = {**os.environ, "TMPDIR": str(places), "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    left = list(places.iterdir())

    with scratch_folder() as mine:
        assert list(places.iterdir()) == [mine]

    assert (killed.returncode, len(left)) == (9, 1)


def test_folders_of_the_living_and_of_others_stay(places: Path) -> None:
    me = Member.of(os.getpid())
    assert me is not None
    theirs = {f"otklik-{me.pid}-{round(me.began)}-x", "otklik-notes", "else"}
    for name in theirs:
        (places / name).mkdir()

    with scratch_folder() as mine:
        assert {path.name for path in places.iterdir()} == {*theirs, mine.name}
