"""What needs no Spark: check, draft, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otklik.environment import Environment
from otklik.errors import ConfigurationError, SeveralFilesError
from otklik.features.catalogue import read_select
from otklik.home import Home
from otklik.lake.tables import ALL_TABLES, FEATURE_KEYS, FEATURES, HOUSE_PROPERTIES
from otklik.settings import read_toml, validate
from otklik.sources.contract import Contract
from otklik.task import Task


def check(files: Sequence[str], home: Home, overrides: dict[str, Any]) -> str:
    """Validate TOML files; returns a line per file.

    Args:
        files: contracts, tasks and environments.
        home: where the SQL files of the features lie.
        overrides: dotted key → value, laid over contracts and tasks as the steps do it.

    Raises:
        ConfigurationError: with every fault of every file.
    """
    lines, faults = [], []
    for file in files:
        try:
            lines.append(f"{file}: {_check(Path(file), home, overrides)}")
        except ConfigurationError as fault:
            faults.append(fault)
    if faults:
        raise SeveralFilesError(faults)
    return "\n".join(lines) + "\n"


def _check(path: Path, home: Home, overrides: dict[str, Any]) -> str:
    """What a file is, by the tables that only one kind has, and that it is fine."""
    values, where = read_toml(path), str(path)
    if {"columns", "format"} & set(values):
        contract = validate(Contract, values, where, overrides)
        return f"a contract, {len(contract.columns)} columns, fine"
    if {"rows", "inputs", "features", "question", "kind"} & set(values):
        features = _checked_features(validate(Task, values, where, overrides), home.sql_folders(path))
        return f"a task, {features} features, fine"
    validate(Environment, values, where)
    return "an environment, fine"


def _checked_features(task: Task, folders: Sequence[Path]) -> int:
    """How many features a task has, once its SQL files are read and the names it uses are found there."""
    read_select(task.rows.sql, task.rows.template_values, folders)
    selects = [read_select(group.sql, group.settings, folders) for group in task.features.values()]
    task.check_feature_names({column.name for select in selects for column in select.columns})
    return sum(len(select.columns) for select in selects)


def draft(path: str) -> str:
    """A first contract for an unknown file."""
    from otklik.sources.draft import draft as draft_contract  # noqa: PLC0415  (its readers are heavy)

    return draft_contract(path)


def tables() -> str:
    """Every table of the house with its columns."""
    blocks = []
    with_keys = replace(FEATURES, columns=FEATURE_KEYS + FEATURES.columns)
    for table in (with_keys if known is FEATURES else known for known in ALL_TABLES):
        lines = [f"  key: {', '.join(table.key)}"] if table.key else []
        lines += [f"  {name} = {value}" for name, value in sorted({**HOUSE_PROPERTIES, **table.properties}.items())]
        lines += [f"  always: {holds}" for holds in table.constraints.values()]
        columns = [f"    {c.name:<22} {c.type:<12} {c.meaning}" for c in table.columns]
        blocks.append("\n".join([f"{table.name}: {table.meaning}", *lines, *columns]))
    return "\n\n".join(blocks) + "\n"
