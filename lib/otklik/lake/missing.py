"""Errors about tables that do not exist. Imports no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otklik.errors import MissingResultError, did_you_mean


def no_such_table(table: str, there: Iterable[str] = ()) -> MissingResultError:
    """Error for a table that does not exist; `there` are the existing tables, to suggest a similar name."""
    hint = "`otklik tables` lists all tables"
    if table.endswith("_actions"):
        hint = "a yes-or-no task writes its list where it has [decision] with cost and value; " + hint
    meant = did_you_mean(table, there)
    return MissingResultError(f"no such table{meant and '; '}{meant}", where=table, hint=hint)


def not_ingested(tables: Sequence[str]) -> MissingResultError:
    """Error for silver tables into which nothing has been ingested."""
    return MissingResultError(
        "nothing has been ingested into it yet",
        where=", ".join(tables),
        hint=f"run `otklik ingest {tables[0].partition('.')[2]} PATH` first",
    )
