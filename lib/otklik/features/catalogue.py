"""The catalogue: the columns of every .sql file, their meanings, and when they become known. Imports no Spark.

A file is a Jinja template of one SELECT. Its header documents each output column, one line each:

    -- column likes_30d: likes in the last 30 days | лайки за последние 30 дней
    -- column duration [after]: length of the call, seconds | длительность звонка, секунд

Filters write a window such as '30d' or '6h' in words: {{ window | in_english }} is 30 days,
{{ window | in_russian }} is 30 дн.

`[after]` marks columns known only after the decision: they never enter a model that is used for scoring.

A column that a source's contract marks so is not available to a SELECT, under any name. To read it, the header has to
declare the output as `[after]`, or to explain why it is not a leak:

    -- reads [after] responded_at: of earlier contacts only, and only answers that had come by the moment
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from otklik.errors import ConfigurationError
from otklik.settings import NAME_PATTERN, Text

_NAME = re.compile(NAME_PATTERN)
_COLUMN = re.compile(
    r"^--\s*column\s+(?P<name>\S+)(?P<after>\s+\[after\])?\s*:\s*(?P<en>[^|]+?)\s*\|\s*(?P<ru>.+?)\s*$"
)
_READS_LINE = re.compile(r"^--\s*reads\s*\[")
_READS = re.compile(r"^--\s*reads\s+\[after\]\s+(?P<names>\w+(?:\s*,\s*\w+)*)\s*:\s*\S")


@dataclass(frozen=True)
class FeatureColumn:
    """One documented output column of a feature file."""

    name: str
    meaning: Text
    is_known_after: bool


@dataclass(frozen=True)
class Select:
    """A rendered .sql file: its text, the columns that its header documents, and those that it declares to read."""

    name: str
    text: str
    columns: tuple[FeatureColumn, ...]
    reads: frozenset[str] = frozenset()

    @property
    def may_read(self) -> frozenset[str]:
        """The columns known only after the decision that the header answers for."""
        return self.reads | self.known_after

    @property
    def known_after(self) -> frozenset[str]:
        """Its output columns that are known only after the decision."""
        return frozenset(column.name for column in self.columns if column.is_known_after)

    @property
    def decisive(self) -> list[Any]:
        """All of it that affects results, as JSON values: no comments except declarations of both clocks."""
        return [self.text, sorted(self.known_after), sorted(self.reads)]


def read_select(name: str, settings: Mapping[str, Any], folders: Sequence[Path]) -> Select:
    """Find a .sql file, fill its template and read its header.

    Args:
        name: the file's name without .sql.
        settings: template values.
        folders: where to look first; the package's own files come last.

    Raises:
        ConfigurationError: if the file is missing, its template needs a value that is not set, a name is unsafe, or a
            header line is invalid.
    """
    source = _find(name, folders)
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        literal=_literal,
        name=_checked_name,
        whole=_whole,
        divisor_of=_divisor_of,
        in_english=_in_english,
        in_russian=_in_russian,
        meanings_of=_meanings_of,
        spellings=_spellings,
        opposites=_opposites,
        unknowns=_unknowns,
    )
    try:
        text = environment.from_string(source).render(**settings)
    except (jinja2.TemplateError, ValueError, TypeError) as fault:
        raise ConfigurationError(
            f"its template cannot be rendered: {fault}",
            where=f"{name}.sql",
            hint="set the value in the task's settings",
        ) from fault
    columns = tuple(_documented(name, line) for line in _column_lines(text))
    return Select(name, _without_comments(text), columns, _read_after(name, text))


def _find(name: str, folders: Sequence[Path]) -> str:
    for folder in folders:
        path = folder / f"{name}.sql"
        if path.is_file():
            return _text_of(path)
    packaged = resources.files("otklik.features").joinpath("sql", f"{name}.sql")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    places = ", ".join(str(folder) for folder in folders) or "the package"
    raise ConfigurationError(
        "no such SQL file", where=f"{name}.sql", hint=f"put it into {places}, or correct the name in the task"
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError("is not valid UTF-8", where=path.name, hint="save it as UTF-8") from None


def _column_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if re.match(r"^\s*--\s*column\b", line)]


def _documented(select: str, line: str) -> FeatureColumn:
    match = _COLUMN.match(line)
    if match is None or not _NAME.match(match["name"]):
        raise ConfigurationError(
            f"invalid column line: {line}",
            where=f"{select}.sql",
            hint="write `-- column name: English meaning | русский смысл`",
        )
    return FeatureColumn(match["name"], Text(en=match["en"], ru=match["ru"]), match["after"] is not None)


def _read_after(select: str, text: str) -> frozenset[str]:
    """Columns known only after the decision that the header declares to read, with a reason."""
    names: set[str] = set()
    for line in (line.strip() for line in text.splitlines()):
        if not _READS_LINE.match(line):
            continue
        match = _READS.match(line)
        if match is None:
            raise ConfigurationError(
                f"invalid reads line: {line}",
                where=f"{select}.sql",
                hint="write `-- reads [after] name: why it is not a leak`",
            )
        names.update(re.split(r"\s*,\s*", match["names"]))
    return frozenset(names)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()


def _literal(value: object) -> str:
    """A value as a SQL literal; the only way for free text into a statement."""
    if isinstance(value, bool | int | float):
        return str(value).lower()
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    # A name in braces would be read as that of a frame.
    return "'" + escaped.replace("{", "\\u007b") + "'"


#: Ways to say yes and no, and that nothing is known, in small letters.
_YES = ("yes", "y", "true", "t", "1", "да", "д", "истина", "иә", "ақиқат")
_NO = ("no", "n", "false", "f", "0", "нет", "н", "ложь", "жоқ", "жалған")
_UNKNOWN = (
    "", "unknown", "n/a", "na", "none", "null", "nan", "?", "-", "--", "undefined", "not known", "no answer", "pending",
    "неизвестно", "не известно", "не указано", "нет данных", "не определено", "н/д", "белгісіз", "#n/a", "#н/д",
)  # fmt: skip


def _folded(values: object) -> list[str]:
    """One or several values of an answer as the SQL has them: small letters, no blanks around."""
    several = values if isinstance(values, list) else [values]
    return [str(value).strip().lower() for value in several]


def _texts(words: Sequence[str]) -> str:
    return ", ".join(_literal(word) for word in dict.fromkeys(words))


def _spellings(values: object) -> str:
    """Strings with the same meaning as a label, as SQL: all spellings of yes or no if it is one."""
    folded = _folded(values)
    groups = [group for group in (_YES, _NO) if set(folded) & set(group)]
    return _texts([*folded, *(word for group in groups for word in group)] if len(groups) == 1 else folded)


def _opposites(values: object) -> str:
    """Strings with the opposite meaning, as SQL; empty if the values are not spellings of yes or no."""
    folded = set(_folded(values))
    if folded & set(_YES) and folded & set(_NO):
        return ""
    return _texts(_NO) if folded & set(_YES) else _texts(_YES) if folded & set(_NO) else ""


def _unknowns(_: object) -> str:
    """Strings that mean unknown, as SQL."""
    return _texts(_UNKNOWN)


def _in_english(window: object) -> str:
    """A window for people: 30 days, 1 hour."""
    count, unit = _window(window)
    return f"{count} {'hour' if unit == 'h' else 'day'}{'' if count == 1 else 's'}"


def _in_russian(window: object) -> str:
    """A window for people: 30 дн., 1 ч."""
    count, unit = _window(window)
    return f"{count} {'ч' if unit == 'h' else 'дн.'}"


def _window(window: object) -> tuple[int, str]:
    match = re.fullmatch(r"(\d+)([hd])", str(window))
    if match is None:
        raise ValueError(f"{window!r} is not a window; write '6h' or '30d'")
    return int(match[1]), match[2]


def _meanings_of(meanings: object, columns: Sequence[str]) -> dict[str, str]:
    """The meaning of each column in the header: from the task's settings, or its name."""
    if not isinstance(meanings, Mapping):
        raise ValueError("meanings is not a table")
    for column, meaning in meanings.items():
        if column not in columns:
            raise ValueError(f"meanings names {column!r}, which is not one of its columns")
        halves = str(meaning).split("|")
        # A second line would be SQL.
        if len(halves) != 2 or not all(map(str.strip, halves)) or len(str(meaning).splitlines()) != 1:
            raise ValueError(f"meanings.{column} is not one line 'English meaning | русский смысл'")
    named = {column: str(column).replace("_", " ") for column in columns}
    return {column: str(meanings.get(column, f"{name} | {name}")) for column, name in named.items()}


def _whole(value: object) -> int:
    """A value as a whole number; anything else is refused, as it could be SQL."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _divisor_of(value: object, whole: int) -> int:
    """A value as a whole number that divides another one."""
    divisor = _whole(value)
    if divisor < 1 or whole % divisor:
        raise ValueError(f"{divisor} does not divide {whole}")
    return divisor


def _checked_name(value: object) -> str:
    """A value as part of an identifier."""
    if not re.fullmatch(r"[a-z0-9_]+", str(value)):
        raise ValueError(f"{value!r} cannot be part of a column name; use a-z, 0-9 and _")
    return str(value)
