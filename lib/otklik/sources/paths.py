"""Which files a path of this machine stands for. Knows no Spark."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from otklik.errors import InputError
from otklik.settings import URI_SCHEMES, whole_uri
from otklik.sources.contract import TIME_PART

#: Part of a pattern → of one of Python's.
_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def name_of(path: str) -> str:
    """The name of a file, without folders."""
    return path.rsplit("/", 1)[-1]


def local_files(path: str) -> list[str] | None:
    """The files that a path stands for, as Spark is told of them; None where it is an address elsewhere.

    Raises:
        InputError: if there is nothing, the scheme is not known, or a link leads out of the folder.
    """
    scheme, sign, rest = whole_uri(path).partition("://")
    if sign and scheme not in URI_SCHEMES:
        raise InputError(f"unknown scheme {scheme}://", where=path, hint=f"known: {', '.join(URI_SCHEMES)}")
    if sign and scheme != "file":
        return None
    return _expand_local(Path(rest if sign else path))


def _expand_local(path: Path) -> list[str]:
    where = str(path)
    if path.is_file():
        return [_uri(path)]
    if not path.is_dir():
        raise InputError("no such file or folder", where=where, hint="check the path")
    found = (file for file in path.iterdir() if file.is_file() and not file.name.startswith(("_", ".")))
    files = sorted(found, key=lambda file: in_natural_order(file.name))
    if not files:
        folders = any(file.is_dir() and not file.name.startswith(("_", ".")) for file in path.iterdir())
        raise InputError(
            "contains only folders, which are not entered" if folders else "contains no files",
            where=where,
            hint="name the folders themselves, e.g. FOLDER/*" if folders else "check the path",
        )
    home = path.resolve()
    strays = [file.name for file in files if home not in file.resolve().parents]
    if strays:
        raise InputError(
            f"a link points outside the folder: {', '.join(strays)}", where=where, hint="copy the files into the folder"
        )
    return [_uri(file) for file in files]


def readable(paths: Sequence[str], folder: Path) -> list[str]:
    """The paths; a local file whose name begins with _ or ., which Spark passes over, as a link of another name.

    Args:
        paths: from `local_files`.
        folder: where the links may lie as long as the files are read.
    """
    found = []
    for place, path in enumerate(paths):
        name = name_of(path)
        link = folder / f"{place}" / f"file{name}"
        if path.startswith("file://") and name.startswith(("_", ".")):
            link.parent.mkdir(parents=True)
            link.symlink_to(path.removeprefix("file://"))
            found.append(f"file://{link.absolute()}")
        else:
            found.append(path)
    return found


def names_apart(paths: Sequence[str]) -> list[str]:
    """The name of each file, behind as many of its folders as tell it from others of that name among the paths."""
    parts = {path: path.split("/") for path in paths}
    names = {path: part[-1] for path, part in parts.items()}
    depth = 1
    while len(set(names.values())) < len(names):
        depth += 1
        times = Counter(names.values())
        names |= {path: "/".join(parts[path][-depth:]) for path, name in names.items() if times[name] > 1}
    return [names[path] for path in paths]


@cache
def time_in_name(name: str, pattern: str) -> datetime | None:
    """The first time in the name of a file that has the form of `Contract.file_time`; None if there is none."""
    digits = "".join(
        rf"\d{{{len(part)}}}" if TIME_PART.fullmatch(part) else re.escape(part) for part in _parts_of(pattern)
    )
    form = "".join(_PARTS.get(part, part.replace("%", "%%")) for part in _parts_of(pattern))
    for match in re.finditer(rf"(?<!\d){digits}(?!\d)", name_of(name), re.ASCII):
        with contextlib.suppress(ValueError):
            return datetime.strptime(match[0], form).replace(tzinfo=UTC)
    return None


def _parts_of(pattern: str) -> list[str]:
    return re.split(f"({TIME_PART.pattern})", pattern)


def in_natural_order(name: str) -> list[tuple[int, str]]:
    """By which names and paths are sorted: numbers in them by value, the rest as text."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _uri(path: Path) -> str:
    """A local file as Spark is told of it: absolute, with its scheme, characters as they are."""
    if ":" in path.name:
        raise InputError(
            "Spark does not read files whose name contains a colon", where=path.name, hint="rename the file"
        )
    return f"file://{path.absolute()}"
