"""What a cluster of one's own gets: one folder, and the line that uses it."""

from __future__ import annotations

import importlib.util
import io
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PROJECT

from otklik.cli import main
from otklik.environment import read_properties
from otklik.errors import ConfigurationError, PlatformError
from otklik.lake.identity import code_version
from otklik.progress import Progress
from otklik.project_files import ProjectFiles, find_project
from otklik.steps import package

HOME = find_project(None)
QUIET = Progress(io.StringIO(), lambda: 0.0, is_live=False)
CLUSTERS = ("standalone", "yarn", "kubernetes")


@pytest.fixture(scope="module")
def packed() -> list[Path]:
    """The environments that were asked for; tests/jobs/test_cluster.py packs a real one, which takes a minute."""
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, packed: list[Path]) -> Path:
    target = tmp_path_factory.mktemp("package") / "dist"

    def stand_in(archive: Path, *_: Any) -> None:
        packed.append(archive)
        archive.write_bytes(b"an environment")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "_pack_environment", stand_in)
        patch.setattr(importlib.util, "find_spec", lambda name: _find_spec("pip" if name == "venv_pack" else name))
        for _ in range(2):
            package.build_package(HOME, target, QUIET)
    return target


_find_spec = importlib.util.find_spec


def test_the_folder_holds_what_a_cluster_lacks(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "conf", "environment.tar.gz", "jars", "jobs", "otklik-0.1.0-py3-none-any.whl", "otklik.zip", "package.txt",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "jars").iterdir()) == [
        "delta-spark_4.1_2.13-4.4.0.jar",
        "delta-storage-4.4.0.jar",
    ]
    assert {path.name for path in (folder / "jobs").iterdir()} == {
        path.name for path in (PROJECT / "jobs").glob("*.py")
    }


def test_the_zip_is_the_package_and_nothing_else(folder: Path) -> None:
    with zipfile.ZipFile(folder / "otklik.zip") as content:
        names = set(content.namelist())
    lib = PROJECT / "lib"
    code = {path.relative_to(lib).as_posix() for path in (lib / "otklik").rglob("*") if path.suffix in (".py", ".sql")}
    assert names == code | {
        "otklik/py.typed",
        "otklik/page/index.html",
        "otklik/page/page.html",
        "otklik/page/page.css",
    }


def test_the_package_works_from_the_zip_and_finds_jobs_and_settings_beside_it(folder: Path) -> None:
    script = (
        "import jinja2; from otklik.cli import main; from otklik.project_files import find_project; "
        "from otklik.lake.identity import code_version; "
        "home = find_project(None); print(home.path); print(home.job('ingest').is_file()); print(code_version()); "
        "jinja2.PackageLoader('otklik.page', '.').get_source(jinja2.Environment(), 'page.html'); "
        "main(['check', str(home.task('campaign_response'))])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(folder / "otklik.zip")},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[:3] == [str(folder), "True", code_version()]
    assert "features, fine" in said[3]


@pytest.mark.long
def test_the_environment_holds_all_that_a_command_needs_and_no_spark(tmp_path: Path) -> None:
    package.build_package(HOME, tmp_path / "package", QUIET)
    with tarfile.open(tmp_path / "package" / package.ENVIRONMENT) as archive:
        archive.extractall(tmp_path / "unpacked", filter="fully_trusted")
    python = tmp_path / "unpacked" / "bin" / "python"
    script = (
        "import importlib.util, otklik.cli, otklik.project_files; "
        "print(importlib.util.find_spec('pyspark'), otklik.cli.__file__); "
        "task = otklik.project_files.find_project(None).task('campaign_response'); "
        "raise SystemExit(otklik.cli.main(['check', str(task)]))"
    )

    said = subprocess.run(
        [python, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert said[0].split() == ["None", str(next((tmp_path / "unpacked").rglob("otklik/cli.py")))]
    assert "features, fine" in said[1]


def test_an_environment_that_is_still_right_is_kept(folder: Path, packed: list[Path]) -> None:
    assert packed == [folder / "environment.tar.gz"]
    lines = (folder / "package.txt").read_text(encoding="utf-8").splitlines()
    assert "pandas==2.3.3" in lines
    assert not any(line.startswith("pyspark==") for line in lines), "the cluster has its own"
    assert not [line for line in lines if line.startswith(("pytest", "mypy", "ruff", "venv"))]


@pytest.mark.parametrize("environment", CLUSTERS)
def test_the_line_names_everything_and_each_file_is_there(folder: Path, environment: str) -> None:
    line = shlex.split(line_for(folder, environment))
    given = dict(zip(line[1:-3:2], line[2:-3:2], strict=True))
    assert line[0] == "spark-submit"
    assert line[-3:] == [str(folder / "jobs" / "features.py"), "bank_full", "--newest"]
    assert given["--archives"].endswith("environment.tar.gz#environment")
    named = [given["--properties-file"], given["--py-files"], *given["--jars"].split(","), line[-3]]
    assert [name for name in [*named, given["--archives"].partition("#")[0]] if not Path(name).is_file()] == []
    assert "spark.pyspark.python=./environment/bin/python" in line


def test_only_a_driver_that_runs_here_has_the_python_of_this_machine(folder: Path) -> None:
    here = f"spark.pyspark.driver.python={sys.executable}"
    assert here in line_for(folder, "yarn")
    assert here not in line_for(folder, "yarn", {"spark.submit.deployMode": "cluster"})


def line_for(folder: Path, environment: str, changes: dict[str, str] | None = None) -> str:
    file = HOME.spark_properties(environment)
    properties = {**read_properties(file), **(changes or {})}
    return package.submit_line(folder, HOME, file, properties, ["features", "bank_full", "--newest"])


def test_a_job_of_this_machine_needs_no_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", "--to", str(tmp_path / "none"), "--", "show", "ops.runs", "--limit", "3"]) == 0
    line = shlex.split(capsys.readouterr().out)
    assert line[-4:] == [str(PROJECT / "jobs" / "show.py"), "ops.runs", "--limit", "3"]
    assert "--archives" not in line
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("environment", ["local", *CLUSTERS])
def test_every_environment_has_properties_with_four_gigabytes_for_the_driver(environment: str) -> None:
    assert main(["check", str(HOME.environment(environment))]) == 0
    assert read_properties(HOME.spark_properties(environment))["spark.driver.memory"] == "4g"


def test_what_is_no_job_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", "--to", str(tmp_path), "--", "tables"]) == ConfigurationError.exit_code
    assert "tables: is not a job" in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: _find_spec("pip" if name == "venv_pack" else name))
    (tmp_path / "conf").mkdir()
    with pytest.raises(ConfigurationError, match="contains files that are not part of a package"):
        package.build_package(HOME, tmp_path, QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_without_setup_py_there_is_nothing_to_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no setup\.py"):
        package.build_package(ProjectFiles(tmp_path), tmp_path / "dist", QUIET)


def test_without_the_library_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "venv_pack" else _find_spec(name))
    with pytest.raises(PlatformError, match="the package venv-pack2 is not installed"):
        package.build_package(HOME, tmp_path / "dist", QUIET)
    assert not (tmp_path / "dist").exists()


def test_a_needed_package_that_is_not_installed_is_named() -> None:
    about = Message()
    about["Requires-Dist"] = "no-such-package>=1"
    with pytest.raises(PlatformError, match="the package no-such-package is not installed"):
        package._needed(about)


def test_without_the_delta_jars_set_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "JARS", ("no-such-*.jar",))
    with pytest.raises(PlatformError, match="0 of 1 Delta jars are in Spark's folder jars"):
        package._jars()


def test_what_pip_says_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"pip failed: .+"):
        package._pip("install", "--no-index", str(tmp_path / "none.whl"))
