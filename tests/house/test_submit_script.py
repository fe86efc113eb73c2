"""scripts/submit runs the line that `otklik package` prints, as it stands, and ends as the job does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import PROJECT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project with the real script, and stand-ins for what it calls."""
    binaries = tmp_path / "a clone" / ".venv" / "bin"
    scripts = tmp_path / "a clone" / "scripts"
    binaries.mkdir(parents=True)
    scripts.mkdir()
    shutil.copy(PROJECT / "scripts" / "submit", scripts / "submit")
    write(scripts / "setup", "exit 0")
    write(binaries / "activate", 'PATH="$(dirname "${BASH_SOURCE[0]}"):$PATH"')
    # Each stand-in says on a line of its own what it was given.
    write(binaries / "otklik", 'printf "%s\\n" "$@" >&2; echo "spark-submit --conf \'a=b c\' job.py \'*\'"')
    write(binaries / "spark-submit", 'printf "%s\\n" "$@"; exit 10')
    return scripts.parent


def write(file: Path, text: str) -> None:
    file.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def submit(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [f"{clone / 'scripts' / 'submit'}", *arguments], cwd=clone, capture_output=True, text=True, check=False
    )


def test_the_line_is_run_as_it_stands_and_the_jobs_exit_code_comes_back(clone: Path) -> None:
    done = submit(clone, "show", "ops.runs", "--where", "job = 'train'")
    assert done.stdout.splitlines() == ["--conf", "a=b c", "job.py", "*"]
    assert done.stderr.splitlines() == [
        "package", "--to", f"{clone / 'package'}", "--", "show", "ops.runs", "--where", "job = 'train'",
    ]  # fmt: skip
    assert done.returncode == 10


def test_where_the_line_cannot_be_made_nothing_is_run(clone: Path) -> None:
    write(clone / ".venv" / "bin" / "otklik", "exit 2")
    done = submit(clone, "features", "no_such_task")
    assert (done.returncode, done.stdout) == (2, "")


def test_without_a_job_it_says_how_it_is_called(clone: Path) -> None:
    done = submit(clone)
    assert done.returncode == 2
    assert "give a job" in done.stderr
