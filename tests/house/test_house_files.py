"""What the project's own files may hold: no places of one machine, no hosts, and versions that fit together."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from tests.browser import NAMES

PROJECT = Path(__file__).resolve().parents[2]
#: A home folder, or a folder of a machine that no stranger has.
MACHINE_PATH = re.compile(r"/(?:home|Users|root|work|tmp/w)/\w")
#: Hosts of package registries: their addresses belong to the settings of pip, Ivy and apt on each machine.
REGISTRY = re.compile(r"(?:https?://|@)[\w.-]*(?:pypi|maven|debian|ubuntu|conda|npmjs|artifact|mirror)[\w.-]*", re.I)
TEXT_SUFFIXES = {
    "",
    ".py",
    ".sql",
    ".toml",
    ".md",
    ".txt",
    ".yaml",
    ".yml",
    ".conf",
    ".properties",
    ".html",
    ".css",
    ".svg",
}


def project_files() -> list[Path]:
    """The files that git knows or would take in; all files where the project is not a clone."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone: which files belong to the project is not known")
    return [PROJECT / name for name in listed if (PROJECT / name).is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    hits = []
    for file in project_files():
        if file.suffix not in TEXT_SUFFIXES or file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                hits.append(f"{file.relative_to(PROJECT)}:{number}")
    return hits


def pinned() -> dict[str, Version]:
    files = [PROJECT / "scripts" / name for name in ("requirements.txt", "peers.txt")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    pins = [line.partition(";")[0].strip().split("==") for line in lines if not line.startswith("#")]
    return {name: Version(version) for name, version in pins}


def wanted() -> list[Requirement]:
    """Every requirement in setup.py, also those of the extras."""
    texts = [
        node.value
        for node in ast.walk(ast.parse((PROJECT / "setup.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"[a-z0-9-]+[=><]=", node.value)
    ]
    return [Requirement(text) for text in texts]


def test_no_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_host_of_a_package_registry() -> None:
    assert lines_with(REGISTRY) == []


def test_no_file_is_large_enough_to_be_data_or_a_product() -> None:
    assert [file.name for file in project_files() if file.stat().st_size > 500_000] == []


def test_the_pinned_versions_are_those_that_setup_asks_for() -> None:
    # `>=3.11` of python_requires has no name and is not among them.
    pins = pinned()
    # 5 GB with its CUDA libraries, for one model: scripts/setup does not install it.
    asked = [want for want in wanted() if want.name != "torch"]

    assert len(asked) > 10
    assert [str(want) for want in asked if pins.get(want.name, Version("0")) not in want.specifier] == []


def test_spark_and_delta_are_pinned_as_a_pair() -> None:
    exact = {want.name: str(want.specifier) for want in wanted() if want.name in {"pyspark", "delta-spark"}}

    assert exact == {"pyspark": "==4.1.4", "delta-spark": "==4.4.0"}
    assert "delta-spark_4.1_2.13:4.4.0" in (PROJECT / "scripts" / "fetch_jars.py").read_text(encoding="utf-8")


def test_set_up_and_the_browser_test_look_for_the_same_browsers() -> None:
    looked_for = re.search(r"for name in (chrom.*); do", (PROJECT / "scripts" / "setup").read_text(encoding="utf-8"))

    assert looked_for is not None
    assert tuple(looked_for[1].split()) == NAMES
