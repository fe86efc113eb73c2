"""Package the jobs for a cluster into one folder, and print the spark-submit line that uses it. Imports no Spark.

The folder has the layout of a project: jobs/ and conf/ are next to the zip from which the driver imports the package,
so that `find_project` finds them. In cluster deploy mode they come with the packed environment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from otklik.errors import ConfigurationError, PlatformError
from otklik.progress import Progress
from otklik.project_files import ProjectFiles
from otklik.temporary_folder import temporary_folder

#: Written last; describes what the folder was built from; empty while the folder is incomplete.
MARK = "package.txt"
ZIP = "otklik.zip"
ENVIRONMENT = "environment.tar.gz"
#: Jars that a cluster lacks; set-up has installed them into the environment's own Spark.
JARS = ("delta-spark_*.jar", "delta-storage-*.jar")
#: Sources of the wheel.
_SOURCES = ("setup.py", "pyproject.toml", "lib", "jobs", "conf")
_NO_PRODUCTS = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")


@dataclass(frozen=True)
class _Wheel:
    """The built wheel: its path, its requirements, and a hash of all its files."""

    file: Path
    about: Message
    digest: str


def build_package(project: ProjectFiles, folder: Path, progress: Progress) -> None:
    """Build zip, wheel, jars, environment, jobs/ and conf/ into a folder; an up-to-date environment is kept.

    Raises:
        ConfigurationError: if the project is not a clone, or the folder contains other files.
        PlatformError: if a required package or jar is missing.
    """
    if not (project.path / "setup.py").is_file():
        raise ConfigurationError(
            "has no setup.py to build from",
            where=str(project.path),
            hint="set OTKLIK_HOME to a clone of the project",
        )
    for module, name in {"venv_pack": "venv-pack2", "pip": "pip"}.items():
        if importlib.util.find_spec(module) is None:
            raise PlatformError(
                f"the package {name} is not installed", where="package", hint="run scripts/setup, or install it"
            )
    jars = _jars()
    mark = folder / MARK
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
        raise ConfigurationError(
            "contains files that are not part of a package",
            where=str(folder),
            hint="pass a new or empty folder to --to",
        )
    before = mark.read_text(encoding="utf-8") if mark.is_file() else ""
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("", encoding="utf-8")
    with temporary_folder() as temporary:
        with progress.step("wheel, zip, jars, jobs and settings"):
            wheel = _build_wheel(project, temporary)
            _exchange(folder, wheel, project, jars)
        needed = _needed(wheel.about)
        now = _stamp(wheel, needed)
        if now == before and (folder / ENVIRONMENT).is_file():
            progress.line(f"  {ENVIRONMENT} is up to date: same packages, same code")
        else:
            with progress.step(ENVIRONMENT) as step:
                _pack_environment(folder / ENVIRONMENT, wheel, needed, temporary / "environment")
                step.rows(len(needed), "packages")
    mark.write_text(now, encoding="utf-8")


def is_of_this_machine(properties: Mapping[str, str]) -> bool:
    """Whether Spark properties name no cluster."""
    return properties.get("spark.master", "local").startswith("local")


def submit_line(
    folder: Path, project: ProjectFiles, properties_file: Path, properties: Mapping[str, str], command: Sequence[str]
) -> str:
    """The spark-submit line for a job, for a shell.

    Args:
        folder: the package.
        project: the files of the project on this machine.
        properties_file: the environment's Spark properties.
        properties: its content.
        command: the job's name and its arguments.
    """
    job, *arguments = command
    if is_of_this_machine(properties):
        options = ["--properties-file", str(properties_file), "--conf", f"spark.pyspark.python={sys.executable}"]
        # Spark's log quotes data; the command otklik turns it off by other means.
        options += ["--conf", "spark.log.level=OFF"]
        return shlex.join(["spark-submit", *options, str(project.job(job)), *arguments])
    jars = sorted(str(jar) for jar in (folder / "jars").glob("*.jar"))
    options = [
        "--properties-file", str(folder / "conf" / "spark" / properties_file.name),
        "--py-files", str(folder / ZIP),
        "--jars", ",".join(jars),
        "--archives", f"{folder / ENVIRONMENT}#environment",
        "--conf", "spark.pyspark.python=./environment/bin/python",
    ]  # fmt: skip
    if properties.get("spark.submit.deployMode", "client") == "client":
        # The driver runs here, where the archive is not unpacked.
        options += ["--conf", f"spark.pyspark.driver.python={sys.executable}"]
    return shlex.join(["spark-submit", *options, str(folder / "jobs" / f"{job}.py"), *arguments])


def _jars() -> list[Path]:
    """The two Delta jars in this environment's Spark."""
    spark = importlib.util.find_spec("pyspark")
    places = list(spark.submodule_search_locations or ()) if spark else []
    found = [jar for place in places for pattern in JARS for jar in Path(place, "jars").glob(pattern)]
    if len(found) != len(JARS):
        raise PlatformError(
            f"{len(found)} of {len(JARS)} Delta jars are in Spark's folder jars",
            where="package",
            hint="run scripts/setup",
        )
    return found


def _build_wheel(project: ProjectFiles, temporary: Path) -> _Wheel:
    """Built from a copy, because setuptools leaves build files behind and reuses those of earlier builds."""
    sources = temporary / "sources"
    sources.mkdir()
    for name in _SOURCES:
        source = project.path / name
        if source.is_dir():
            shutil.copytree(source, sources / name, ignore=_NO_PRODUCTS)
        else:
            shutil.copyfile(source, sources / name)
    _pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(temporary), str(sources))
    file = next(temporary.glob("*.whl"))
    with zipfile.ZipFile(file) as content:
        names = {Path(name).name: name for name in content.namelist() if ".dist-info/" in name}
        about = message_from_string(content.read(names["METADATA"]).decode())
        # RECORD has the hash of every file.
        return _Wheel(file, about, hashlib.sha256(content.read(names["RECORD"])).hexdigest())


def _exchange(folder: Path, wheel: _Wheel, project: ProjectFiles, jars: Iterable[Path]) -> None:
    """Put everything except the environment into the folder, replacing the results of earlier builds."""
    for old in folder.glob("*.whl"):
        old.unlink()
    for name in ("jars", "jobs", "conf"):
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copyfile(wheel.file, folder / wheel.file.name)
    with (
        zipfile.ZipFile(wheel.file) as content,
        zipfile.ZipFile(folder / ZIP, "w", compression=zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in content.infolist():
            if entry.filename.startswith("otklik/"):
                target.writestr(entry, content.read(entry))
    (folder / "jars").mkdir()
    for jar in jars:
        shutil.copyfile(jar, folder / "jars" / jar.name)
    for name in ("jobs", "conf"):
        shutil.copytree(project.path / name, folder / name, ignore=_NO_PRODUCTS)


def _needed(about: Message) -> list[Distribution]:
    """The installed packages that the wheel needs, with their dependencies.

    Test tools are left out. So is PySpark, whose version must match the cluster's.
    """
    found: dict[str, Distribution] = {}
    waiting: list[str] = about.get_all("Requires-Dist", [])
    while waiting:
        requirement = Requirement(waiting.pop())
        name = requirement.name.lower()
        if name in found or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            raise PlatformError(
                f"the package {name} is not installed", where="package", hint="run scripts/setup, or install it"
            ) from None
        waiting.extend(found[name].requires or ())
    return [found[name] for name in sorted(found)]


def _stamp(wheel: _Wheel, needed: Iterable[Distribution]) -> str:
    """What the environment is built from, one line each."""
    lines = [f"{wheel.file.name} {wheel.digest}", f"python {sys.version.split()[0]} of {sys.base_prefix}"]
    return "\n".join([*lines, *(f"{each.name}=={each.version}" for each in needed), ""])


def _pack_environment(target: Path, wheel: _Wheel, needed: Iterable[Distribution], folder: Path) -> None:
    """A fresh packed environment with the required packages installed here; nothing is downloaded."""
    import venv_pack  # noqa: PLC0415  (only here, and not a package that running needs)

    venv.create(folder, symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for package in needed:
        for file in package.files or ():
            # Scripts of the environment contain its path; compiled files are recreated when needed.
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), site / file)
    _pip(
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
        str(wheel.file),
    )
    venv_pack.pack(prefix=str(folder), output=str(target), force=True)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise PlatformError(f"pip failed: {said[-1]}", where="package", hint="run scripts/setup")
