"""Files as they come: situations that people have reported in public, each with what is right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import PROJECT

CASES = PROJECT.parent / "shared" / "cases"


@pytest.mark.long
def test_every_reported_situation_comes_out_right(tmp_path: Path) -> None:
    """Each command in a process of its own, as users run them; two cases at a time."""
    if not CASES.is_dir():
        pytest.skip(f"the reported situations are not at {CASES.parent.name}/{CASES.name} beside the project")
    cases = sorted(file.parent for file in CASES.glob("*/expected.json"))
    command = tmp_path / "otklik"
    start = "from otklik.cli import entry_point; entry_point()"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{start}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "lib"), "OTKLIK_HOME": str(PROJECT)}
    judges = []
    for half in (cases[::2], cases[1::2]):
        folder = tmp_path / half[0].name
        for case in half:
            shutil.copytree(case, folder / "cases" / case.name)
        run = [sys.executable, str(CASES / "run_cases.py"), str(folder), "--otklik", str(command)]
        judges.append(
            subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )

    said = [judge.communicate()[0] for judge in judges]

    assert not any("FAIL " in text for text in said), "\n".join(said)
