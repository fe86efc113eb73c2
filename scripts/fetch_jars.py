"""Fetches the two Delta jars into this environment's Spark, once, so that every session starts offline.

Run by scripts/setup with the environment's own Python. The wheel of delta-spark holds no jar, and the way it offers
brings 33 of them at the start of every session though two are enough. In Spark's own folder they also serve
spark-submit and a standalone cluster, from any folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

PACKAGE = "io.delta:delta-spark_4.1_2.13:4.4.0"
JARS = {
    "delta-spark_4.1_2.13-4.4.0.jar": "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10",
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
#: What Delta names as needed but Spark brings itself, or what only Unity Catalog outside Databricks needs.
EXCLUDED = (
    "org.apache.hadoop:*",
    "org.apache.parquet:*",
    "com.fasterxml.jackson.core:*",
    "com.fasterxml.jackson.datatype:*",
    "com.google.code.findbugs:*",
    "org.apache.logging.log4j:*",
    "org.roaringbitmap:*",
    "org.slf4j:*",
    "io.unitycatalog:*",
    "io.delta:delta-kernel-api",
    "io.delta:delta-kernel-defaults",
    "io.delta:delta-kernel-unitycatalog",
)
#: Settings of our own, because Ivy trusts a half-filled ~/.m2 and then fails.
IVY_SETTINGS = (
    '<ivysettings><settings defaultResolver="central"/>'
    '<resolvers><ibiblio name="central" m2compatible="true"/></resolvers></ivysettings>'
)


def sha256(file: Path) -> str:
    """The file's SHA-256 in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_complete(jars: Path) -> bool:
    """Whether both jars stand in the folder, byte for byte."""
    return all((jars / name).is_file() and sha256(jars / name) == expected for name, expected in JARS.items())


def fetch(spark_home: Path, temporary_folder: Path) -> None:
    """Let spark-submit resolve the package, then keep the two jars.

    Args:
        spark_home: pyspark's folder; the jars go to its jars/.
        temporary_folder: an empty folder for Ivy and for a program that does nothing.

    Raises:
        SystemExit: if a jar cannot be had, or is not the one expected.
    """
    settings = temporary_folder / "ivysettings.xml"
    settings.write_text(IVY_SETTINGS, encoding="utf-8")
    # spark-submit resolves packages before it starts the program: no session is needed.
    nothing = temporary_folder / "nothing.py"
    nothing.write_text("", encoding="utf-8")
    properties = {
        "spark.jars.packages": PACKAGE,
        "spark.jars.excludes": ",".join(EXCLUDED),
        "spark.jars.ivy": str(temporary_folder / "ivy"),
        "spark.jars.ivySettings": str(settings),
    }
    options = [part for key, value in properties.items() for part in ("--conf", f"{key}={value}")]
    resolved = subprocess.run(
        [str(spark_home / "bin" / "spark-submit"), "--master", "local[1]", *options, str(nothing)],
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "SPARK_HOME": str(spark_home), "PYSPARK_PYTHON": sys.executable},
    )
    if resolved.returncode:
        sys.exit(f"spark-submit could not resolve {PACKAGE}; its own words are above")
    for name, expected in JARS.items():
        found = next((temporary_folder / "ivy").rglob(f"*{name}"), None)
        if found is None:
            sys.exit(f"{name} did not come")
        if sha256(found) != expected:
            sys.exit(f"{name} is not the file expected: SHA-256 {sha256(found)} instead of {expected}")
        unfinished = spark_home / "jars" / f"{name}.unfinished"
        shutil.copyfile(found, unfinished)
        unfinished.replace(spark_home / "jars" / name)


def main() -> None:
    """Fetch the jars unless they stand; leave nothing else behind."""
    spark_home = Path(pyspark.__file__).parent
    if is_complete(spark_home / "jars"):
        return
    with tempfile.TemporaryDirectory(prefix="otklik-jars-") as temporary_folder:
        fetch(spark_home, Path(temporary_folder))


if __name__ == "__main__":
    main()
