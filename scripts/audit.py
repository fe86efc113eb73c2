"""Licences of the pinned packages, and known holes in them.

    scripts/audit.py

A package under a licence that is not on the list ends it with 1, and so does a known hole. What cannot be looked up
(no pip-audit, no network) is said and does not count as a fault.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PINNED = Path(__file__).with_name("requirements.txt")
#: Licences that let anyone use and pass on what they cover; MPL asks only for changes to its own files.
ALLOWED = re.compile(
    r"\b(MIT|HPND|Apache|BSD|0BSD|PSF|Python Software Foundation|ISC|MPL|Mozilla|Unlicense|Zlib|CC0)\b", re.IGNORECASE
)
#: Seconds that a service for known holes is waited for.
PATIENCE = 120


def main() -> int:
    """Print a line per package and what was not checked; returns the exit code."""
    lines = re.findall(r"^[A-Za-z0-9._-]+==.*", PINNED.read_text(encoding="utf-8"), re.MULTILINE)
    pinned = [Requirement(line) for line in lines]
    names = [one.name for one in pinned if one.marker is None or one.marker.evaluate()]
    licences = {name: licence_of(name) for name in names}
    for name, licence in licences.items():
        sys.stdout.write(f"{name:<24} {licence}\n")
    unknown = [name for name, licence in licences.items() if not is_allowed(licence)]
    if unknown:
        sys.stdout.write(f"licence not on the list: {', '.join(unknown)}\n")
    holes = known_holes()
    return 1 if unknown or holes else 0


def is_allowed(licence: str) -> bool:
    """Whether every part of a package's licence is on the list."""
    return all(ALLOWED.search(part) for part in re.split(r" AND | OR |; ", licence))


def licence_of(name: str) -> str:
    """What an installed package says of its licence, on one line."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License ::")
    ]
    stated = [*about.get_all("License-Expression", []), "; ".join(classified), *about.get_all("License", [])]
    return next((text.splitlines()[0] for text in stated if text), "not stated")


def known_holes() -> bool:
    """Whether pip-audit knows a hole in a pinned package; says what it could not look up, and why."""
    if importlib.util.find_spec("pip_audit") is None:
        return _not_checked("pip-audit is not installed (pip install pip-audit)")
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json", "-r", str(PINNED)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _not_checked(f"no answer within {PATIENCE} s")
    except ValueError:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        return _not_checked(said[-1])
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        _not_checked(f"{len(skipped)} of {len(packages)} packages, unknown to the service: {', '.join(skipped[:5])} …")
    holes = [(package, hole) for package in packages for hole in package.get("vulns", [])]
    for package, hole in holes:
        hint = ", ".join(hole["fix_versions"]) or "none yet"
        sys.stdout.write(f"known hole: {package['name']} {package['version']}: {hole['id']}, mended in {hint}\n")
    return bool(holes)


def _not_checked(why: str) -> bool:
    sys.stdout.write(f"known holes: not checked: {why}\n")
    return False


if __name__ == "__main__":
    sys.exit(main())
