"""What a command finds where it is started: Java, variables, places, and the Spark properties that follow from them."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otklik.errors import ConfigurationError, PlatformError

if TYPE_CHECKING:
    from otklik.project_files import ProjectFiles
    from otklik.steps.context import Tracking

#: Those that Spark 4.1 runs on.
JAVA_VERSIONS = ("17", "21")
#: Where Databricks shows volumes of Unity Catalog as folders.
VOLUMES = "/Volumes/"
#: With few rows half of the time goes to Java's second, better compiler, for code that hardly runs.
_JAVA_FOR_FEW_ROWS = "-XX:TieredStopAtLevel=1"
#: So many bytes hold few rows, some hundred thousand; with more of them the second compiler is worth its time.
_FEW_BYTES = 16 << 20
#: Files with these endings hold several times as much as their size.
_PACKED, _TIMES = (".gz", ".parquet"), 8


def overrides_of(given: argparse.Namespace) -> dict[str, Any]:
    """Dotted key → value of every --set."""
    from otklik.settings import parse_override  # noqa: PLC0415

    return dict(parse_override(text) for text in given.set)


def is_remote(settings: Mapping[str, str]) -> bool:
    """Whether a Spark Connect server of somebody's does the work.

    It goes on when this process is gone: the lease keeps others out meanwhile, and does not show that a writer is dead.
    """
    return "spark.remote" in settings or "SPARK_REMOTE" in os.environ


def is_here(root: str, settings: Mapping[str, str], catalog: str | None) -> bool:
    """Whether a lake's tables are in a local folder, also for Spark."""
    is_lent = "PYSPARK_GATEWAY_PORT" in os.environ or "DATABRICKS_RUNTIME_VERSION" in os.environ
    return root.startswith("/") and not is_lent and catalog is None and not is_remote(settings)


def tracking() -> Tracking | None:
    """The MLflow server, from MLflow's environment variables. MLflow's telemetry is off by default."""
    from otklik.steps.context import Tracking  # noqa: PLC0415

    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return None
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return Tracking(uri, os.environ.get("MLFLOW_EXPERIMENT_NAME"))


def catalog_properties(given: argparse.Namespace) -> dict[str, str]:
    """A Hive metastore in the lake's folder for Spark's own catalog; other catalogs are the cluster's."""
    if given.catalog != "spark_catalog":
        return {}
    root = absolute(given.lake)
    return {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{root}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={root}/metastore;create=true",
    }


def spark_properties(
    properties: dict[str, str], project: ProjectFiles, given: argparse.Namespace, temporary_folder: Path
) -> dict[str, str]:
    """The environment's properties, with what depends on this start."""
    quiet = project.path / "conf" / "spark" / "log4j2.properties"
    java = properties.get("spark.driver.extraJavaOptions", "")
    # Spark would leave a folder spark-warehouse wherever the command is given, and others in /tmp when it is killed:
    # those of its own, and what its libraries unpack where Java has its temporary files.
    java = f'{java} "-Djava.io.tmpdir={temporary_folder}"'
    places = {
        "spark.sql.warehouse.dir": f"{temporary_folder}/warehouse",
        "spark.local.dir": f"{temporary_folder}/spark",
    }
    if properties.get("spark.master", "").startswith("local"):
        # On a cluster it would have to be a folder that every machine reaches.
        places["spark.checkpoint.dir"] = f"{temporary_folder}/checkpoints"
        if _has_few_rows(given):
            java = f"{java} {_JAVA_FOR_FEW_ROWS}"
    if given.catalog is not None:
        java = f"{java} -Dderby.stream.error.file=/dev/null"
    if not given.debug:
        java = f"{java} -Dlog4j2.configurationFile={quiet.as_uri()}"
    return {**places, **properties, "spark.driver.extraJavaOptions": java.strip()}


def _has_few_rows(given: argparse.Namespace) -> bool:
    """Whether a command ingests few rows into small tables, as far as local files tell."""
    table = {"ingest": "silver", "reingest": "bronze"}.get(given.command)
    if table is None:
        return False
    places = [absolute(path) for path in (*getattr(given, "paths", ()), f"{given.lake}/{table}")]
    if any("://" in place for place in places):
        return False
    bytes_left = _FEW_BYTES
    for place in map(Path, places):
        for file in filter(Path.is_file, (place, *place.rglob("*"))):
            bytes_left -= file.stat().st_size * (_TIMES if file.suffix in _PACKED else 1)
            if bytes_left < 0:
                return False
    return True


def parse_moment(text: str) -> datetime:
    """Parse an ISO-8601 date or time; without a zone it is UTC, and a date means its end.

    Raises:
        ConfigurationError: if it is neither.
    """
    with contextlib.suppress(ValueError):
        return datetime.combine(date.fromisoformat(text), time_of_day.max, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r} is not an ISO-8601 date or time",
            where="--as-of",
            hint="write 2026-03-31 or 2026-03-31T18:00:00+05:00",
        ) from None


def absolute(path: str) -> str:
    """A path or URI without a trailing slash; plain paths become absolute, file: URIs plain.

    Raises:
        ConfigurationError: if the scheme is not one that Hadoop file systems have.
    """
    from otklik.settings import URI_SCHEMES, whole_uri  # noqa: PLC0415

    path = whole_uri(path)
    scheme, sign, rest = path.partition(":")
    if sign and "/" not in scheme and rest.startswith("/"):
        if scheme not in URI_SCHEMES:
            raise ConfigurationError(f"unknown scheme {scheme!r}", where=path, hint=f"known: {', '.join(URI_SCHEMES)}")
        if scheme != "file":
            return path.rstrip("/")
        path = "/" + rest.lstrip("/")
    return str(Path(path).expanduser().resolve())


def in_spark(path: str) -> str:
    """A file of a volume as Spark reaches it: Python sees volumes as folders, the JVM does not."""
    return f"dbfs://{path}" if path.startswith(VOLUMES) else path


def require_java() -> None:
    """Check that there is Java 17 or 21: in JAVA_HOME, in the path that scripts/setup recorded, or on the PATH.

    Raises:
        PlatformError: if there is no Java, or another version.
    """
    by_setup = Path(sys.prefix) / "java-home"
    if "JAVA_HOME" not in os.environ and by_setup.is_file():
        os.environ["JAVA_HOME"] = by_setup.read_text(encoding="utf-8").strip()
    if "JAVA_HOME" not in os.environ:
        _require_java_on_path()
        return
    release = Path(os.environ["JAVA_HOME"]) / "release"
    if not release.is_file():
        raise PlatformError(
            "no Java found",
            where=f"JAVA_HOME={os.environ['JAVA_HOME']}",
            hint="install Java 17 or 21 and run scripts/setup",
        )
    stated = [line for line in release.read_text(encoding="utf-8").splitlines() if line.startswith("JAVA_VERSION=")]
    version = stated[0].partition("=")[2].strip('"') if stated else "unknown"
    _refuse_other_java(version, f"JAVA_HOME={os.environ['JAVA_HOME']}")


def _require_java_on_path() -> None:
    java = shutil.which("java")
    if java is None:
        raise PlatformError("no Java found", where="PATH", hint="install Java 17 or 21 and run scripts/setup")
    # It may be a link, a script that chooses among several, or one that only says where to get Java.
    said = ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    found = re.search(r'version "([^"]+)"', said)
    _refuse_other_java(found[1] if found else "unknown", java)


def _refuse_other_java(version: str, where: str) -> None:
    if re.split(r"\D", version)[0] not in JAVA_VERSIONS:
        raise PlatformError(
            f"Java {version} does not run Spark 4.1", where=where, hint="set JAVA_HOME to Java 17 or 21"
        )
