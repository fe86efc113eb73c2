"""Commands that only read a local lake, without a JVM: show, small exports, champion. Imports no Spark.

Rows, masking and format are the same as with Spark; what the Rust reader of Delta cannot read, or what would take long,
is left to Spark.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.folder import Folder
from otklik.lake.local import SMALL, LeftToSparkError, LocalLake, LocalTable, no_rows
from otklik.lake.missing import no_such_table
from otklik.lake.tables import BRONZE, MODEL_RUNS, REJECTED
from otklik.models.manifest import checked_model
from otklik.page.formats import Language
from otklik.progress import Progress
from otklik.project_files import ProjectFiles
from otklik.report.reasons import told_reasons
from otklik.report.texts import ReportVoice
from otklik.steps.before_spark import name_of_models
from otklik.steps.conditions import Condition, plain_condition
from otklik.steps.printing import FORMULA_STARTS, list_of_models, moment_of, plain, printed
from otklik.steps.table_options import (
    CHANGED_BY_EXCEL,
    LIST_KEY,
    MASK,
    REASONS,
    CsvForm,
    check_limit,
    check_table_name,
    csv_form,
    feature_meanings,
    features_of,
    form_of,
    has_reasons,
    names_features,
    put_in_place,
    reading_order,
    scores_of,
    titles_of,
    wanted_columns,
)


def is_answered(
    command: str,
    options: Mapping[str, Any],
    lake: LocalLake,
    project: ProjectFiles,
    overrides: Mapping[str, Any],
    progress: Progress,
    print_result: Callable[[str], None],
) -> bool:
    """Run a command without Spark if possible; returns whether it was.

    Args:
        command: its name.
        options: the given options by name.
        lake: the lake.
        project: the files of the project.
        overrides: values of --set.
        progress: shows the work.
        print_result: prints to stdout.

    Raises:
        OtklikError: as the command itself.
    """
    try:
        if command == "show":
            print_result(show(lake, options))
        elif command == "export":
            export(lake, options, progress)
        elif command == "champion" and options["run"] is None:
            there = {row["task"] for row in _models(lake)}
            print_result(champion(lake, name_of_models(project, options["task"], overrides, there)))
        else:
            return False
    except LeftToSparkError:
        return False
    return True


def show(lake: LocalLake, options: Mapping[str, Any]) -> str:
    """Rows of a table as text.

    Args:
        lake: the lake.
        options: the options of the command.

    Raises:
        LeftToSparkError: if only Spark can do it.
        ConfigurationError: if the options are wrong.
        MissingResultError: if there is no such table.
    """
    check_limit(options["limit"])
    masked = _masked(lake, options["table"], options["where"])
    rows = [row for piece in masked.pieces(max(options["limit"], 1)) for row in _rows_of(piece)][: options["limit"]]
    return printed(masked.columns, rows, options["format"])


def export(lake: LocalLake, options: Mapping[str, Any], progress: Progress) -> None:
    """Write a table to one file; errors as `show`, and PlatformError if it cannot be written there."""
    table, target, reader = options["table"], options["to"], options["reader"]
    form = form_of(target, reader, has_titles=options["titles"])
    masked = _masked(lake, table, options["where"])
    is_list = has_reasons(table, masked.columns) and lake.exists(scores_of(table))
    columns = wanted_columns(masked.columns, options["columns"], form, has_reasons=is_list)
    if masked.table.bytes > SMALL:
        raise LeftToSparkError
    titles, language = columns, options["lang"]
    is_for_people = options["titles"] or reader == "excel"
    if is_for_people:
        titles = titles_of(table, columns, _comments(masked.table), language)
    with progress.step(f"export {table}") as step:
        rows = pa.concat_tables([masked.empty(), *masked.pieces()])
        order = reading_order(masked.columns)
        if order:
            # Spark sorts nulls differently.
            if any(rows[name].null_count for name, _ in order):
                raise LeftToSparkError
            rows = rows.sort_by([(name, "descending" if is_down else "ascending") for name, is_down in order])
        if is_list and REASONS in columns:
            tell = _teller(lake, table, language)
            rows = rows.append_column(REASONS, _reasons(rows, lake.table(scores_of(table)), tell))
        elif is_for_people and REASONS in columns and names_features(str(rows[REASONS].type)):
            told = pa.array(map(_teller(lake, table, language), rows[REASONS].to_pylist()), pa.string())
            rows = rows.set_column(rows.column_names.index(REASONS), REASONS, told)
        rows = rows.select(columns)
        written = io.BytesIO()
        if form == "csv":
            written.write(_as_csv(rows.rename_columns(titles), csv_form(reader, language)).encode())
        else:
            # Spark's format of timestamps.
            pq.write_table(rows, written, use_deprecated_int96_timestamps=True)
        written.seek(0)
        put_in_place(written, Path(target), reader)
        step.rows(rows.num_rows)
        step.say(target)


def _teller(lake: LocalLake, table: str, language: Language) -> Callable[[Any], str | None]:
    """Formats reasons as text, with the meanings of features if the task has a feature table."""
    voice, features = ReportVoice(language), features_of(table)
    meanings = feature_meanings(_comments(lake.table(features)), language) if lake.exists(features) else {}
    return lambda reasons: (
        None if reasons is None else told_reasons(reasons, voice, lambda name: meanings.get(name, name))
    )


def _comments(table: LocalTable) -> dict[str, str]:
    """Column → what it means."""
    return {field.name: (field.metadata or {}).get(b"comment", b"").decode() for field in table.schema}


def _reasons(rows: pa.Table, scores: LocalTable, tell: Callable[..., str | None]) -> pa.Array:
    """The reasons of the scores of a list's rows, as text."""
    if scores.bytes > SMALL:
        raise LeftToSparkError
    keys = rows["key"].combine_chunks()
    told: dict[tuple[Any, ...], str | None] = {}
    for piece in scores.rows([*LIST_KEY, REASONS]):
        chosen = piece.filter(pc.and_(pc.is_in(piece["key"], keys), pc.is_valid(piece[REASONS])))
        told.update(zip(_names_of(chosen), map(tell, chosen[REASONS].to_pylist()), strict=True))
    return pa.array([told.get(name) for name in _names_of(rows)], pa.string())


def _names_of(rows: pa.Table) -> list[tuple[Any, ...]]:
    """The columns that identify each row of a list, with moments as numbers."""
    key, as_of = (rows[name] for name in LIST_KEY)
    return [*zip(key.to_pylist(), as_of.cast(pa.int64()).to_pylist(), strict=True)]


def champion(lake: LocalLake, task: str) -> str:
    """The models of a task, newest first, in printable form.

    Raises:
        LeftToSparkError: if Spark has to answer, as where the newest model that serves is damaged.
        MissingResultError: if the task has none.
    """
    rows = sorted((row for row in _models(lake) if row["task"] == task), key=lambda row: -row["sequence"])
    serving = next((row for row in rows if row["serves"]), None)
    if serving is None:
        raise MissingResultError("there is no champion yet", where=task, hint=f"run `otklik train {task}` first")
    try:
        checked_model(Folder(f"{lake.root}/{serving['folder']}"), serving["folder"], serving["manifest_hash"])
    except DamagedError as fault:
        raise LeftToSparkError from fault
    return list_of_models(rows, serving["sequence"])


def _models(lake: LocalLake) -> list[dict[str, Any]]:
    if not lake.exists(MODEL_RUNS.name):
        return []
    found = lake.table(MODEL_RUNS.name).all_rows()
    # Plain values: Arrow converts timestamps with pandas, which takes longer to load than everything else.
    return [dict(zip(found.column_names, row, strict=True)) for row in _rows_of(found)]


@dataclass(frozen=True)
class _Masked:
    """A table with personal columns masked.

    Attributes:
        table: its rows.
        hide: masks them.
        condition: selects rows; None = all.
    """

    table: LocalTable
    hide: Callable[[pa.Table], pa.Table]
    condition: Condition | None

    @property
    def columns(self) -> list[str]:
        return list(self.table.schema.names)

    def empty(self) -> pa.Table:
        """None of its rows."""
        return self.hide(no_rows(self.table.schema))

    def pieces(self, wanted: int | None = None) -> Iterator[pa.Table]:
        """The selected rows in batches; stops when there are enough."""
        left = math.inf if wanted is None else wanted
        pieces = self.table.rows() if wanted is None else self.table.rows(batch=max(wanted, 1024))
        while left > 0:
            piece = next(pieces, None)
            if piece is None:
                return
            hidden = self.hide(piece)
            chosen = hidden if self.condition is None else hidden.filter(self.condition(hidden))
            left -= chosen.num_rows
            yield chosen


def _masked(lake: LocalLake, name: str, where: str | None) -> _Masked:
    """A table with personal columns masked; the condition applies to the masked rows."""
    check_table_name(name)
    if not lake.exists(name):
        raise no_such_table(name, lake.table_names())
    # Versions that the ledger of files does not list are incomplete batches; before the first one, the table is empty.
    version = lake.known_versions().get(name, 0) if name.startswith(("bronze.", "silver.")) else None
    table = lake.table(name, version)
    hide = _mask_of(lake, name, table)
    condition = None if where is None else plain_condition(where, hide(no_rows(table.schema)).schema)
    if condition is not None and table.bytes > SMALL:
        raise LeftToSparkError
    return _Masked(table, hide, condition)


def _mask_of(lake: LocalLake, name: str, table: LocalTable) -> Callable[[pa.Table], pa.Table]:
    personal = lake.personal_columns(name)
    sources: list[str] = []
    if name == REJECTED.name:
        # A rejected record has personal data if its source does; if its tables no longer exist, it may.
        if table.bytes > SMALL:
            raise LeftToSparkError
        there = table.all_rows(["source"])["source"].unique().to_pylist()
        sources = [each for each in there if lake.personal_columns(_bronze(each)) or not lake.exists(_bronze(each))]

    def hide(rows: pa.Table) -> pa.Table:
        if sources:
            is_hidden = pc.fill_null(pc.is_in(rows["source"], pa.array(sources, pa.string())), False)
            rows = _with(rows, "record", pc.if_else(is_hidden, MASK, rows["record"]))
        for column in personal:
            rows = _with(rows, column, pc.if_else(pc.is_valid(rows[column]), MASK, pa.scalar(None, pa.string())))
        return rows

    return hide


def _bronze(source: str) -> str:
    return BRONZE.of(source).name


def _with(rows: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(column), pa.field(column, values.type), values)


def _rows_of(rows: pa.Table) -> list[list[Any]]:
    """Rows of plain values."""
    return [list(row) for row in zip(*(_plain_values(column) for column in rows.columns), strict=True)]


def _plain_values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return [plain(moment_of(micros)) for micros in column.cast(pa.int64()).to_pylist()]
    return [plain(value) for value in _values(column)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Values as in Spark's rows: maps are dicts."""
    found: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return found


def _within(kind: pa.DataType) -> list[pa.DataType]:
    """All types within a nested one."""
    fields = [kind.field(number).type for number in range(kind.num_fields)]
    return [inner for field in fields for inner in [field, *_within(field)]]


def _as_csv(rows: pa.Table, form: CsvForm) -> str:
    """A CSV file as Spark writes it: fields quoted if necessary, nested values as JSON, no formulas."""
    names = [_quoted(name, form.delimiter) for name in rows.column_names]
    columns = [_cells(column, form) for column in rows.columns]
    lines = [form.delimiter.join(cells) for cells in (names, *zip(*columns, strict=True))]
    # An empty line would be read as no row.
    return "".join(f"{line or _quoted('', form.delimiter)}\n" for line in lines)


def _cells(column: pa.ChunkedArray, form: CsvForm) -> list[str]:
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_nested(kind)
    has_fraction = pa.types.is_float64(kind) or pa.types.is_decimal(kind)
    for fits, written in _WRITTEN:
        if fits(kind):
            values = column.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(kind) else _values(column)
            texts = ["" if value is None else written(value) for value in values]
            if is_text:
                cells = [_quoted(_neutral(text, form), form.delimiter) for text in texts]
                return ["" if value is None else cell for value, cell in zip(values, cells, strict=True)]
            return [text.replace(".", form.decimal) for text in texts] if has_fraction else texts
    # Types that the two format differently, such as bytes.
    raise LeftToSparkError


def _quoted(text: str, delimiter: str) -> str:
    if not text:
        return '""'
    if any(sign in text for sign in f'{delimiter}"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _neutral(text: str, form: CsvForm) -> str:
    if text[:1] and text[0] in FORMULA_STARTS:
        return f"'{text}"
    return f'="{text}"' if form.keeps_texts and re.match(CHANGED_BY_EXCEL, text) else text


def _java(number: float) -> str:
    """A double formatted as in Java."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}Infinity"
    if 0 < abs(number) < sys.float_info.min:
        # Before version 19, Java formats the smallest numbers with other digits.
        raise LeftToSparkError
    exact = Decimal(repr(number))
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = f"{exact:f}"
        return text if "." in text else f"{text}.0"
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    return f"{'-' if number < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{exact.adjusted()}"


def _moment(micros: int) -> str:
    moment = moment_of(micros)
    assert moment is not None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(value: Any, *, keeps_nulls: bool = False) -> str:
    """JSON as Spark writes it: null fields of a struct are left out, null entries of a map are not."""
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if keeps_nulls or inner is not None}
        return "{" + ",".join(f"{_json(str(name))}:{_json(inner)}" for name, inner in kept.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        return _java(value) if math.isfinite(value) else f'"{_java(value)}"'
    return json.dumps(value, ensure_ascii=False)


def _is_plainly_nested(kind: pa.DataType) -> bool:
    """Whether a type is nested without a map: JSON keeps the nulls of a map, but not those of a struct."""
    inner = _within(kind)
    if any(map(pa.types.is_map, inner)):
        return False
    leaves = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_float64, pa.types.is_nested)
    return pa.types.is_nested(kind) and all(any(fits(each) for fits in leaves) for each in inner)


#: Types → format of their values.
_WRITTEN: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], str]]] = (
    (pa.types.is_string, str),
    (pa.types.is_boolean, lambda value: str(value).lower()),
    (pa.types.is_integer, str),
    (pa.types.is_float64, _java),
    (pa.types.is_decimal, str),
    (pa.types.is_date, lambda value: value.isoformat()),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, _moment),
    (
        lambda kind: _is_plainly_nested(kind) and pa.types.is_map(kind),
        lambda value: _json(value, keeps_nulls=True),
    ),
    (_is_plainly_nested, _json),
)
