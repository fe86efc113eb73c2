"""Who a run is: a hash of everything that decides its result. Knows no Spark."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import otklik


def hash_of(value: Any) -> str:
    """SHA-256 of plain values, the same whatever the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str, ensure_ascii=False).encode()).hexdigest()


def run_id(
    task: str, as_of: datetime, settings: Mapping[str, Any], inputs: Mapping[str, int], code_version: str
) -> str:
    """The 16-digit name of a run.

    Args:
        task: its name.
        as_of: the moment it looks from, UTC.
        settings: the whole task as plain values, its SQL texts among them.
        inputs: versions of the silver tables it reads.
        code_version: see `code_version`.
    """
    identity = [task, as_of.isoformat(), hash_of(settings), dict(sorted(inputs.items())), code_version]
    return hash_of(identity)[:16]


@functools.cache
def code_version() -> str:
    """The package's version and a hash of its code and SQL."""
    package = Path(otklik.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in (".py", ".sql")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return f"{otklik.__version__}+{digest.hexdigest()[:12]}"
