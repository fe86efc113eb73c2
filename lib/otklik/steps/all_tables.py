"""All tables of Otklik, including those of all kinds."""

from __future__ import annotations

import functools

from otklik.kinds import find_kind, kind_places
from otklik.lake.tables import ALL_TABLES, Table


@functools.cache
def all_tables() -> tuple[Table, ...]:
    """The tables of `lake/tables.py`, followed by those of the kinds, ordered by kind."""
    kinds = [find_kind(name, name) for name in sorted(kind_places())]
    of_kinds = [table for kind in kinds for stage in kind.stages for table in stage.tables]
    return (*ALL_TABLES, *(table for table in of_kinds if table not in ALL_TABLES))
