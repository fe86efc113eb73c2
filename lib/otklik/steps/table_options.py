"""Check the options of `show` and `export` before Spark starts. Imports no Spark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from otklik.errors import ConfigurationError, PlatformError
from otklik.settings import NAME_PATTERN

#: Replacement for personal values.
MASK = "***"
#: Without it Excel takes UTF-8 for the code page of the machine.
_EXCELS_MARK = b"\xef\xbb\xbf"


def check_limit(limit: int) -> None:
    """See that a number of rows can be one.

    Raises:
        ConfigurationError: if it is negative.
    """
    if limit < 0:
        raise ConfigurationError("the number of rows must not be negative", where="--limit", hint="give 0 or more")


def check_table_name(table: str) -> None:
    """See that a table can be called so.

    Raises:
        ConfigurationError: if not.
    """
    layer, _, name = table.partition(".")
    if not (re.fullmatch(NAME_PATTERN, layer) and re.fullmatch(NAME_PATTERN, name)):
        raise ConfigurationError("not a valid table name", where=table, hint="write layer.name, e.g. gold.scoreboard")


def wanted_columns(columns: Sequence[str], names: str | None) -> list[str]:
    """The named columns, in their order; all if none are named.

    Args:
        columns: of the table.
        names: comma-separated names.

    Raises:
        ConfigurationError: if there is no such column.
    """
    if names is None:
        return list(columns)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in columns]
    if unknown or not wanted:
        raise ConfigurationError(
            f"no column {', '.join(unknown)}" if unknown else "lists no column",
            where="--columns",
            hint=f"columns: {', '.join(columns)}",
        )
    return wanted


def reading_order(columns: Collection[str]) -> list[tuple[str, bool]]:
    """The columns that an exported table is sorted by, and whether downwards: the best rows first, if any are better.

    Args:
        columns: of the table.
    """
    best_first = next((each for each in (("rank", False), ("probability", True)) if each[0] in columns), None)
    if best_first is None:
        return []
    return [best_first, *((name, False) for name in ("key", "customer") if name in columns)]


def form_of(target: str, reader: str | None) -> str:
    """The format of a file to write: csv or parquet.

    Args:
        target: the file.
        reader: excel, if it will open the file; or None.

    Raises:
        ConfigurationError: if its extension is neither, or the reader does not support it.
        PlatformError: if there is no such folder.
    """
    ending = target.rpartition(".")[2].lower()
    if ending not in ("csv", "parquet"):
        raise ConfigurationError(
            "the file name must end in .csv or .parquet", where=target, hint="use such a name in --to, e.g. list.csv"
        )
    if reader == "excel" and ending != "csv":
        raise ConfigurationError("applies to .csv files only", where="--for excel", hint="name a .csv file in --to")
    folder = Path(target).absolute().parent
    if not folder.is_dir():
        raise PlatformError("no such folder", where=str(Path(target).parent), hint="create it first")
    return ending


def put_in_place(written: BinaryIO, target: Path, reader: str | None) -> None:
    """Write a file whole or not at all: under another name first.

    Raises:
        PlatformError: if it cannot be written there.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(_EXCELS_MARK if reader == "excel" else b"")
            shutil.copyfileobj(written, file)
        partial.replace(target)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        raise PlatformError(
            f"cannot be written: {fault.strerror}", where=str(target), hint="check path, permissions and disk space"
        ) from fault
