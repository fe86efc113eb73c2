"""What the benchmark ran on: processor, memory, system, and the version of everything that was measured."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

_PACKAGES = (
    "pyspark", "delta-spark", "pandas", "numpy", "pyarrow", "scikit-learn", "polars", "duckdb", "xgboost-cpu",
    "xgboost",
)  # fmt: skip


def description() -> dict[str, str]:
    """Name → value, in the order in which it is shown; a package that is not installed is left out."""
    found = {
        "processor": _processor(),
        "cores": f"{psutil.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": _system(),
        "Python": platform.python_version(),
        "Java": _java(),
    }
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    """The distribution where there is one, else the kernel."""
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.platform(aliased=True, terse=True)


def _java() -> str:
    """Of the Java that Spark starts."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else "java"
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return "not found"
    return said.partition('"')[2].partition('"')[0] or "unknown"
