"""The command seen from outside, in a process of its own: nothing heavy is loaded too early, faults are one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from otklik.command_line.arguments import COMMANDS
from otklik.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[2]


def otklik(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otklik.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "lib")},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_help_is_said_on_stdout_and_is_no_failure() -> None:
    """What each command's help says is read in tests/test_cli.py, without a process for each."""
    answer = otklik("run", "--help")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "example: otklik run" in " ".join(answer.stdout.split())


def test_help_and_check_load_neither_spark_nor_pandas() -> None:
    script = (
        "import sys; from otklik.cli import main; "
        f"assert main(['check', {str(PROJECT / 'conf' / 'tasks' / 'bank_full.toml')!r}]) == 0; "
        "print(sorted({'pyspark', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.splitlines()[-1] == "[]"


def test_a_users_mistake_is_one_line_on_stderr_and_its_exit_code(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", encoding="utf-8")

    answer = otklik("check", str(broken))

    assert answer.returncode == ConfigurationError.exit_code
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert "broken.toml" in answer.stderr


def test_every_job_of_the_command_has_its_file_and_every_file_its_command() -> None:
    jobs = {command.name for command in COMMANDS if command.is_job}

    assert {file.stem for file in (PROJECT / "jobs").glob("*.py")} == jobs
