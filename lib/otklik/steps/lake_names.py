"""Check the tables and column names that tasks read against the tables of a local lake, without Spark.

Only names are checked, in SQL only where they are unambiguous; if the package sqlglot is installed, it also parses the
SQL. Types and everything else are checked by Spark at run time.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otklik.errors import ConfigurationError, did_you_mean
from otklik.features.catalogue import Select, read_select
from otklik.lake.local import LeftToSparkError, LocalLake, LocalTable
from otklik.project_files import ProjectFiles
from otklik.settings import read_toml
from otklik.steps.task_files import TaskFile, check_frames
from otklik.task import BaseTask, FrameSettings, KindTask, Task

#: A token of SQL: a string, a name (perhaps of a function or a named argument), or anything else.
_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"[^\"]*\"|(?P<name>`[^`]+`|[^\W\d]\w*)(?P<after>\s*[(])?|\d[\w.]*|.", re.S)
#: SQL keywords that are not columns.
_WORDS = frozenset(
    """
    all and any array as asc between bigint binary boolean both by case cast cross current current_date
    current_timestamp date day days decimal desc distinct div double else end escape exists extract false first filter
    float following for from hour hours if ilike in int integer interval is last leading like long map minute minutes
    month months not null nulls or order over partition position preceding quarter range regexp rlike row rows second
    seconds short similar smallint some string struct then timestamp timestamp_ltz timestamp_ntz tinyint to trailing
    true unbounded using week weeks when where within year years
    """.split()  # noqa: SIM905  (a list of words, not of lines)
)
_NO_NAME = "ON|WHERE|INNER|LEFT|RIGHT|FULL|CROSS|JOIN|GROUP|ORDER|UNION|LATERAL|USING|HAVING|LIMIT|WINDOW|SEMI|ANTI"
#: `{frame} AS name` or `{frame} name` of a SELECT.
_NAMED_FRAME = re.compile(rf"\{{(?P<frame>\w+)\}}(?:\s+(?:AS\s+)?(?!(?:{_NO_NAME})\b)(?P<name>[A-Za-z_]\w*))?", re.I)


@dataclass(frozen=True)
class Known:
    """The tables that a task reads, in the lake.

    Attributes:
        tables: input → its table, without missing ones and those that only Spark can read.
        missing: silver tables into which nothing has been ingested.
    """

    tables: Mapping[str, LocalTable]
    missing: Sequence[str]


def known_inputs(task: BaseTask, lake: LocalLake) -> Known:
    """The inputs of a task at the versions that a run would read now."""
    try:
        versions = lake.known_versions()
    except LeftToSparkError:
        return Known({}, ())
    missing = sorted({name for name in task.inputs.values() if name.startswith("silver.") and name not in versions})
    found = {}
    for frame, table in task.inputs.items():
        if table not in missing and lake.exists(table):
            try:
                found[frame] = lake.table(table, versions.get(table))
            except LeftToSparkError:
                continue
    return Known(found, missing)


def check_sources(file: TaskFile, project: ProjectFiles, lake: LocalLake, missing: Sequence[str]) -> None:
    """Check that tables into which nothing has been ingested are sources.

    Args:
        file: the task.
        project: has contracts; others may be next to the task.
        lake: the lake, whose silver tables may be meant.
        missing: silver tables.

    Raises:
        ConfigurationError: if there is no contract for one of them.
    """
    sources = {*project.sources()}
    if not {table.partition(".")[2] for table in missing} <= sources:
        sources |= {name for path in file.path.parent.glob("*.toml") if (name := _contract_name(path)) is not None}
    unknown = [table for table in missing if table.partition(".")[2] not in sources]
    if unknown:
        name = unknown[0].partition(".")[2]
        there = {table.partition(".")[2] for table in lake.table_names() if table.startswith("silver.")}
        meant = did_you_mean(name, there | sources)
        raise ConfigurationError(
            f"no contract and no table for {', '.join(unknown)}{meant and '; '}{meant}",
            where=f"{file.path}: inputs",
            hint=f"correct the name, or write a contract: `otklik draft FILE > {name}.toml`",
        )


def _contract_name(path: Path) -> str | None:
    """The source that a file describes; None if it is not a contract."""
    try:
        values = read_toml(path)
    except ConfigurationError:
        return None
    return str(values["name"]) if "name" in values and {"columns", "format"} & {*values} else None


def check_names(file: TaskFile, folders: Sequence[Path], known: Known) -> None:
    """Check that the columns that a task names are in its inputs.

    Args:
        file: the task.
        folders: folders of its .sql files.
        known: its inputs.

    Raises:
        ConfigurationError: naming every unknown column, and where it is used.
    """
    # SQL sees every input with known_at and row_id.
    columns = {
        frame: [*dict.fromkeys((*table.schema.names, "known_at", "row_id"))] for frame, table in known.tables.items()
    }
    faults = [*_faults(file, folders, columns)]
    if faults:
        seen = "; ".join(f"{frame}: {', '.join(names)}" for frame, names in columns.items())
        raise ConfigurationError(
            f"does not match its inputs: {'; '.join(faults)}", where=str(file.path), hint=f"columns of {seen}"
        )


def _faults(file: TaskFile, folders: Sequence[Path], columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    task = file.task
    if isinstance(task, Task):
        groups = {f"features.{name}.sql": group for name, group in task.features.items()}
        selects = {place: read_select(group.sql, group.settings, folders) for place, group in groups.items()}
        selects["rows.sql"] = read_select(task.rows.sql, task.rows.template_values, folders)
        for place, select in selects.items():
            yield from _of_select(f"{place} ({select.name}.sql)", select, columns)
    if isinstance(task, KindTask):
        selects = check_frames(file, folders)
        for name, settings in task.frames.items():
            if name in selects:
                yield from _of_select(f"frames.{name}.sql ({selects[name].name}.sql)", selects[name], columns)
            else:
                yield from _of_frame(f"frames.{name}", settings, task, columns)


def _of_frame(
    place: str, settings: FrameSettings, task: BaseTask, columns: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    source = columns.get(settings.input or next(iter(task.inputs)))
    expressions = {f"{place}.columns.{name}": text for name, text in settings.columns.items()}
    if settings.where is not None:
        expressions[f"{place}.where"] = settings.where
    for where, text in expressions.items():
        fault = _syntax_fault(f"SELECT {text}")
        if fault is not None:
            yield f"{where}: is not valid SQL: {fault}"
        elif source is not None:
            yield from _lacking(where, names_in(text), source)


def _of_select(place: str, select: Select, columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    fault = _syntax_fault(re.sub(r"\{(\w+)\}", r"\1", select.text))
    if fault is not None:
        yield f"{place}: is not valid SQL: {fault}"
    frames = {found["name"] or found["frame"]: found["frame"] for found in _NAMED_FRAME.finditer(select.text)}
    text = re.sub(r"'(?:[^'\\]|\\.)*'", "''", select.text)
    for name, frame in frames.items():
        if frame in columns:
            used = re.findall(rf"(?<![\w.`])`?{name}`?\.(`[^`]+`|[^\W\d]\w*)(?!\s*\()", text)
            yield from _lacking(place, used, columns[frame])


def _lacking(place: str, names: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    known = {column.lower() for column in columns}
    lacking = dict.fromkeys(name for name in (each.strip("`") for each in names) if name.lower() not in known)
    if lacking:
        yield f"{place}: no column {', '.join(lacking)}"


def names_in(expression: str) -> list[str]:
    """The columns that an expression names, without functions, keywords and struct fields.

    Expressions with lambda variables (`x -> …`) are skipped.
    """
    if "->" in expression:
        return []
    names, is_field = [], False
    for piece in _PIECE.finditer(expression):
        name = piece["name"]
        is_word = name is not None and (piece["after"] is not None or name.lower() in _WORDS)
        if name is not None and not is_field and not is_word:
            names.append(name)
        if piece[0].strip():
            is_field = piece[0] == "."
    return names


def _syntax_fault(sql: str) -> str | None:
    """The syntax error that sqlglot finds in a statement; None if there is none, or sqlglot is not installed."""
    if importlib.util.find_spec("sqlglot") is None:
        return None
    import sqlglot  # noqa: PLC0415  (it need not be installed)

    try:
        sqlglot.parse_one(sql, dialect="spark")
    except sqlglot.errors.ParseError as fault:
        found = fault.errors[0] if fault.errors else {}
        return f"{found.get('description', 'it cannot be read')} (line {found.get('line', 1)})"
    except sqlglot.errors.TokenError:
        return "a quotation mark is not closed"
    return None
