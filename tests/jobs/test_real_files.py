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
    if not CASES.is_dir():
        pytest.skip(f"the reported situations are not at {CASES.parent.name}/{CASES.name} beside the project")
    for case in CASES.glob("*/expected.json"):
        shutil.copytree(case.parent, tmp_path / "cases" / case.parent.name)
    # Beside the command stands the Python that the judge starts once, for all cases.
    (tmp_path / "bin").mkdir()
    for name, start in (("python", ""), ("otklik", ' -c "from otklik.cli import entry_point; entry_point()"')):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable}{start} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    run = [
        sys.executable,
        str(CASES / "run_cases.py"),
        str(tmp_path),
        "--otklik",
        str(tmp_path / "bin/otklik"),
        "--warm",
    ]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "lib"), "OTKLIK_HOME": str(PROJECT)}

    judged = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout + judged.stderr
