"""Who a run is: a hash of everything that decides its result. Imports no Spark."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import resources
from importlib.abc import InspectLoader
from importlib.resources.abc import Traversable
from typing import Any

import otklik


def hash_of(value: Any) -> str:
    """SHA-256 of plain values, the same whatever the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str, ensure_ascii=False).encode()).hexdigest()


def run_id(
    task: str, as_of: datetime, settings: Mapping[str, Any], inputs: Mapping[str, str], code_version: str
) -> str:
    """The 16-digit name of a run.

    Args:
        task: its name.
        as_of: the as-of moment, UTC.
        settings: the task as plain values, including its SQL and the marks of its inputs' columns.
        inputs: input table → its version or, for gold, the run that wrote it.
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


@functools.cache
def code_version_of(modules: tuple[str, ...]) -> str:
    """A hash of modules, of what they import from their own packages, and of the SQL files next to them.

    A result depends on this code only: editing one kind does not make the others run again.

    Args:
        modules: full names.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_imported(modules).items()):
        digest.update(f"{name}\n{source}\n".encode())
    for folder in sorted({module.rpartition(".")[0] for module in modules}):
        sql = resources.files(folder).joinpath("sql")
        for file in sorted(sql.iterdir(), key=lambda entry: entry.name) if sql.is_dir() else []:
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _imported(modules: Sequence[str]) -> dict[str, str]:
    """Name → source of the modules and of all that they import of the packages that they belong to."""
    packages = {module.partition(".")[0] for module in modules} | {otklik.__name__}
    sources: dict[str, str] = {}
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name in sources or name.partition(".")[0] not in packages:
            continue
        source = _source_of(name)
        if source is not None:
            sources[name] = source
            waiting += _imports_of(source)
    return sources


def _source_of(module: str) -> str | None:
    """The text of a module; None where a name is not a module's but that of something in one."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    loader = None if spec is None else spec.loader
    return loader.get_source(module) if isinstance(loader, InspectLoader) else None


@functools.cache
def _imports_of(source: str) -> Sequence[str]:
    """What a module imports; a name that is imported from a package may be a module itself."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            found += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return found


def _code(folder: Traversable, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """All code files in a folder, with their paths; on a cluster the package is in a zip file."""
    for entry in folder.iterdir():
        here = (*place, entry.name)
        if entry.is_dir():
            yield from _code(entry, here)
        elif entry.name.endswith((".py", ".sql")):
            yield here, entry.read_bytes()
