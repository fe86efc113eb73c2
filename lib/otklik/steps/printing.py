"""Format rows as a table, JSON or CSV. Imports no Spark."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

#: A spreadsheet treats a cell that starts with one of these as a formula.
FORMULA_STARTS = "=+-@\t\r\n"
_WIDEST = 60
#: Columns shown of a model.
_OF_MODELS = ("sequence", "run_id", "model", "metric", "value", "serves", "reason", "settings")


def moment_of(micros: int | None) -> datetime | None:
    """A moment from microseconds since 1970."""
    return None if micros is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def plain(value: Any) -> Any:
    """A value of a row for JSON: NaN is null, decimals are numbers, times are ISO-8601 UTC, keys are sorted."""
    if hasattr(value, "asDict"):  # A Spark Row within a Row.
        return plain(value.asDict())
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value)
    return value


#: JSON format of values by type. The first matching type is used: a datetime is also a date.
_PLAIN: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (float, lambda value: value if math.isfinite(value) else None),
    (Decimal, lambda value: int(value) if value == value.to_integral_value() else float(value)),
    (datetime, lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    (date, lambda value: value.isoformat()),
    # Maps are unordered, and readers return keys in different orders.
    (dict, lambda value: dict(sorted((str(key), plain(inner)) for key, inner in value.items()))),
    ((list, tuple), lambda value: [plain(inner) for inner in value]),
    ((bytes, bytearray), lambda value: value.hex()),
)


def as_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """One array of objects; every object has every column."""
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False, indent=1) + "\n"


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Comma-separated, with nested values as JSON, nulls as empty, and no formulas: a spreadsheet may open it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if value is None else _cell(value) for value in row] for row in rows])
    return out.getvalue()


def _cell(value: Any) -> str:
    text = _text(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in tuple(FORMULA_STARTS) else text


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An aligned table, with numbers right-aligned."""
    texts = [[_short(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in texts), 0) for i, name in enumerate(columns)]
    is_number = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, is_number, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(columns), line(["-" * width for width in widths]), *map(line, texts)]) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _short(value: Any) -> str:
    if value is None:
        return "·"
    text = _number(value) if isinstance(value, float) else _text(value)
    text = text.replace("\n", "⏎")
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def printed(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: str) -> str:
    """Rows of plain values as json, csv or table."""
    return {"json": as_json, "csv": as_csv, "table": as_table}[form](columns, rows)


def _number(value: float) -> str:
    """A readable number: 2,096,180 and not 2.09618e+06."""
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def list_of_models(rows: Sequence[Mapping[str, Any]], serving: int) -> str:
    """Rows of gold.model_runs as a table; the row with this sequence number is the serving one."""
    cells = [
        ["→" if row["sequence"] == serving else "", *(plain(row[column]) for column in _OF_MODELS)] for row in rows
    ]
    return as_table(["", *_OF_MODELS], cells)
