"""Who a run is: a hash of everything that decides its result. Knows no Spark."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import resources
from importlib.resources.abc import Traversable
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
        settings: the whole task as plain values, its SQL texts and the marks of its inputs' columns among them.
        inputs: versions of the silver tables it reads.
        code_version: see `code_version`.
    """
    identity = [task, as_of.isoformat(), hash_of(settings), dict(sorted(inputs.items())), code_version]
    return hash_of(identity)[:16]


@functools.cache
def code_version() -> str:
    """The package's version and a hash of its code and SQL."""
    digest = hashlib.sha256()
    for place, content in sorted(_code(resources.files(otklik), ())):
        digest.update("/".join(place).encode())
        digest.update(content)
    return f"{otklik.__version__}+{digest.hexdigest()[:12]}"


def _code(folder: Traversable, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Every file of code below a folder, with its place; on a cluster the package lies in a zip."""
    for entry in folder.iterdir():
        here = (*place, entry.name)
        if entry.is_dir():
            yield from _code(entry, here)
        elif entry.name.endswith((".py", ".sql")):
            yield here, entry.read_bytes()
