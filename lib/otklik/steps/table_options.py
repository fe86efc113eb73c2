"""Check the options of `show` and `export` before Spark starts. Imports no Spark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from otklik.errors import ConfigurationError, PlatformError, did_you_mean
from otklik.lake.tables import FEATURE_KEYS
from otklik.page.formats import Language
from otklik.report.texts import ReportWords
from otklik.settings import NAME_PATTERN
from otklik.steps.printing import FORMULA_STARTS

#: Replacement for personal values.
MASK = "***"
#: Without it Excel reads UTF-8 in the code page of the machine.
_EXCELS_MARK = b"\xef\xbb\xbf"
_LIST = "_actions"
#: Texts that Excel would turn into other numbers: it drops leading zeros, rounds long numbers and reads a power of ten.
CHANGED_BY_EXCEL = "^(?:0[0-9]+|[0-9]{12,}|[0-9]+[eE][0-9]+)$"
#: Columns that identify a row of a list and of its scores.
LIST_KEY = ("key", "as_of")
#: The column of an exported list with the reasons.
REASONS = "reasons"
#: Column of a list → key of its title on the page.
_TITLES = {
    "key": "list.key",
    "as_of": "origin.as_of",
    "rank": "list.rank",
    "arm": "list.arm",
    "probability": "list.probability",
    "expected_profit": "list.value",
    "run_id": "origin.run",
    REASONS: "list.reasons",
}


@dataclass(frozen=True)
class CsvForm:
    """How a .csv file is written.

    Attributes:
        delimiter: stands between fields.
        decimal: stands before the fraction of numbers.
        keeps_texts: whether texts that Excel would turn into other numbers are written as formulas of texts.
    """

    delimiter: str = ","
    decimal: str = "."
    keeps_texts: bool = False


def csv_form(reader: str | None, language: Language) -> CsvForm:
    """How a .csv file is written for a reader; Excel in Russian expects semicolons, and takes 5.03 for a date.

    Args:
        reader: who is to open it: excel, or None.
        language: of the reader.
    """
    if reader != "excel":
        return CsvForm()
    return CsvForm(";", ",", keeps_texts=True) if language == "ru" else CsvForm(keeps_texts=True)


def check_limit(limit: int) -> None:
    """Check a number of rows.

    Raises:
        ConfigurationError: if it is negative.
    """
    if limit < 0:
        raise ConfigurationError("the number of rows must not be negative", where="--limit", hint="give 0 or more")


def check_table_name(table: str) -> None:
    """Check the name of a table.

    Raises:
        ConfigurationError: if not.
    """
    layer, _, name = table.partition(".")
    if not (re.fullmatch(NAME_PATTERN, layer) and re.fullmatch(NAME_PATTERN, name)):
        raise ConfigurationError("not a valid table name", where=table, hint="write layer.name, e.g. gold.scoreboard")


def has_reasons(table: str, columns: Collection[str]) -> bool:
    """Whether the rows of a table are a list to act on, which may be exported with the reasons of its scores.

    Args:
        table: its name.
        columns: its columns.
    """
    return table.endswith(_LIST) and {*LIST_KEY} <= {*columns} and REASONS not in columns


def scores_of(table: str) -> str:
    """The table with the scores of a list."""
    return table.removesuffix(_LIST) + "_scores"


def names_features(kind: str) -> bool:
    """Whether reasons of this Spark or Arrow type are features with values, not codes."""
    return "struct<feature:" in kind


def features_of(table: str) -> str:
    """The table with the features behind a list, its scores or another table of the task."""
    return table.rpartition("_")[0] + "_features"


def feature_meanings(comments: Mapping[str, str], language: Language) -> dict[str, str]:
    """Feature → its meaning in a language, from the comments of the columns of a feature table."""
    keys = {column.name for column in FEATURE_KEYS}
    told = {name: text.partition(" | ") for name, text in comments.items() if name not in keys}
    return {name: ru if ru and language == "ru" else en for name, (en, _, ru) in told.items() if en}


def wanted_columns(columns: Sequence[str], names: str | None, form: str, *, has_reasons: bool = False) -> list[str]:
    """The named columns, in order; all if none are named, including reasons for a list in csv.

    Args:
        columns: of the table.
        names: comma-separated names.
        form: csv or parquet.
        has_reasons: whether the table is a list with reasons in another table.

    Raises:
        ConfigurationError: if there is no such column.
    """
    if names is None:
        return [*columns, *([REASONS] if has_reasons and form == "csv" else [])]
    known = [*columns, *([REASONS] if has_reasons else [])]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        meant = did_you_mean(unknown[0], known) if unknown else ""
        said = f"no column {', '.join(unknown)}" + (f"; {meant}" if meant else "")
        raise ConfigurationError(
            said if unknown else "lists no column", where="--columns", hint=f"columns: {', '.join(known)}"
        )
    return wanted


def titles_of(table: str, columns: Sequence[str], meanings: Mapping[str, str], language: Language) -> list[str]:
    """Readable titles of columns: for a list as on its page, for other tables by meaning.

    Args:
        table: its name.
        columns: the columns to export.
        meanings: column → its meaning, from the table's comments.
        language: language of a list's columns and of features.
    """
    words = ReportWords(language)
    if table == features_of(table):
        meanings = {**meanings, **feature_meanings(meanings, language)}
    titles: list[str] = []
    for column in columns:
        is_told = table.endswith(_LIST) and column in _TITLES
        title = words(_TITLES[column]) if is_told else meanings.get(column) or column
        title = f"{title} ({column})" if title in titles else title
        titles.append(f"'{title}" if title[0] in FORMULA_STARTS else title)
    return titles


def reading_order(columns: Collection[str]) -> list[tuple[str, bool]]:
    """The columns by which an exported table is sorted, and whether in descending order: best rows first.

    Args:
        columns: of the table.
    """
    best_first = next((each for each in (("rank", False), ("probability", True)) if each[0] in columns), None)
    if best_first is None:
        return []
    return [best_first, *((name, False) for name in ("key", "customer") if name in columns)]


def form_of(target: str, reader: str | None, *, has_titles: bool = False) -> str:
    """Whether to write csv or parquet.

    Args:
        target: the file.
        reader: the program that will open it: excel, or None.
        has_titles: whether its columns get readable titles.

    Raises:
        ConfigurationError: if its extension is neither, or the reader does not support it.
        PlatformError: if there is no such folder.
    """
    ending = target.rpartition(".")[2].lower()
    if ending not in ("csv", "parquet"):
        raise ConfigurationError(
            "the file name must end in .csv or .parquet", where=target, hint="use such a name in --to, e.g. list.csv"
        )
    asked = "--for excel" if reader == "excel" else "--titles" if has_titles else ""
    if asked and ending != "csv":
        raise ConfigurationError("applies to .csv files only", where=asked, hint="name a .csv file in --to")
    folder = Path(target).absolute().parent
    if not folder.is_dir():
        raise PlatformError("no such folder", where=str(Path(target).parent), hint="create it first")
    return ending


def put_in_place(written: BinaryIO, target: Path, reader: str | None) -> None:
    """Write a file atomically: under another name first.

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
