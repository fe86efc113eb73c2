"""Commands that need no Spark: check, draft, kinds, graph, tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otklik.environment import Environment
from otklik.errors import ConfigurationError, SeveralFilesError
from otklik.kinds import find_kind, kind_places
from otklik.lake.local import LocalLake
from otklik.lake.tables import FEATURE_KEYS, FEATURES, HOUSE_PROPERTIES
from otklik.project_files import ProjectFiles
from otklik.settings import read_toml, validate
from otklik.sources.contract import Contract
from otklik.steps.all_tables import all_tables
from otklik.steps.draft_task import described, draft_task
from otklik.steps.graph import TaskGraph, read_graph
from otklik.steps.lake_names import Known, check_names, check_sources, known_inputs
from otklik.steps.task_files import check_task


def check(
    files: Sequence[str],
    project: ProjectFiles,
    overrides: dict[str, Any],
    lake: LocalLake | None = None,
    print_result: Callable[[str], None] = lambda _: None,
) -> str:
    """Validate TOML files; returns a line per file.

    Args:
        files: contracts, tasks and environments; none = all of the project.
        project: the files of the project.
        overrides: dotted key → value, applied to contracts and tasks as in the steps.
        lake: the inputs and columns that tasks name are checked against its tables; None = not checked.
        print_result: prints the lines at once, also those of other files if one is wrong.

    Raises:
        ConfigurationError: with all errors of all files.
    """
    lines, faults = [], []
    for file in files or project.settings_files():
        try:
            lines.append(f"{file}: {_check(Path(file), project, overrides, lake)}\n")
            print_result(lines[-1])
        except ConfigurationError as fault:
            faults.append(fault)
    if faults:
        raise SeveralFilesError(faults)
    return "".join(lines)


def _check(path: Path, project: ProjectFiles, overrides: dict[str, Any], lake: LocalLake | None) -> str:
    """Validate a file; its type is determined by the tables that only that type has."""
    values, where = read_toml(path), str(path)
    if not values:
        raise ConfigurationError(
            "is neither a contract nor a task nor an environment",
            where=where,
            hint="a contract has [columns], a task has kind, an environment has spark",
        )
    if {"columns", "format"} & set(values):
        contract = validate(Contract, values, where, overrides)
        return f"a contract, {len(contract.columns)} columns, fine"
    if {"rows", "inputs", "features", "question", "kind"} & set(values):
        return _checked_task(path, project, overrides, lake)
    validate(Environment, values, where)
    return "an environment, fine"


def _checked_task(path: Path, project: ProjectFiles, overrides: dict[str, Any], lake: LocalLake | None) -> str:
    """Check a task: its settings, its SQL, its inputs, and its dependencies on other tasks."""
    graph = read_graph(project, [str(path)], overrides)
    file = next(iter(graph.files.values()))
    said = check_task(file, project.sql_folders(path))
    graph.order([file.task.name])
    counts: dict[str, str] = {}
    known = Known({}, ()) if lake is None else known_inputs(file.task, lake)
    if lake is not None:
        check_sources(file, project, lake, known.missing)
    check_names(file, project.sql_folders(path), known)
    if lake is not None:
        counts = dict.fromkeys(file.task.inputs.values(), " (not there yet)")
        counts |= {file.task.inputs[frame]: f" ({table.count:,} rows)" for frame, table in known.tables.items()}
    reads = ", ".join(f"{table}{counts.get(table, '')}" for table in sorted({*file.task.inputs.values()}))
    return f"{said}, fine; reads {reads}; writes {', '.join(file.outputs)}"


def kinds(name: str | None) -> str:
    """The kinds of question, one sentence each, or one kind with all its settings."""
    if name is not None:
        return described(find_kind(name, name)) + "\n"
    found = [find_kind(each, each) for each in sorted(kind_places())]
    lines = []
    for kind in found:
        frames = ", ".join(frame.name for stage in kind.stages for frame in stage.frames)
        tables = ", ".join(table.name for stage in kind.stages for table in stage.tables)
        lines.append(f"{kind.name}: {kind.summary.en}\n  reads   {frames or 'rows and features'}\n  writes  {tables}")
    return "\n".join(lines) + "\n"


def graph(project: ProjectFiles, task: str | None, form: str, overrides: dict[str, Any]) -> str:
    """Which task reads from which, as text, for Graphviz or as JSON."""
    found = read_graph(project, [] if task is None else [task], overrides)
    if task is not None:
        wanted = found.order([next(iter(found.files))])
        found = TaskGraph({name: found.files[name] for name in wanted})
    return {"text": found.as_text, "dot": found.as_dot, "json": found.as_json}[form]()


def draft(files: Sequence[str], kind: str | None, project: ProjectFiles) -> str:
    """Draft a contract for an unknown file or, if a kind is given, a task over sources."""
    if kind is not None:
        return draft_task(find_kind(kind, "--task"), files, project)
    if len(files) > 1:
        raise ConfigurationError(
            "a contract can be drafted from one file only", where=files[1], hint="give one file at a time"
        )
    from otklik.sources.draft import draft as draft_contract  # noqa: PLC0415  (its readers are heavy)

    return draft_contract(files[0])


def tables() -> str:
    """All tables of Otklik with their columns."""
    blocks = []
    with_keys = replace(FEATURES, columns=FEATURE_KEYS + FEATURES.columns)
    for table in (with_keys if known is FEATURES else known for known in all_tables()):
        lines = [f"  key: {', '.join(table.key)}"] if table.key else []
        lines += [f"  {name} = {value}" for name, value in sorted({**HOUSE_PROPERTIES, **table.properties}.items())]
        lines += [f"  always: {holds}" for holds in table.constraints.values()]
        columns = [f"    {c.name:<22} {c.type:<12} {c.meaning}" for c in table.columns]
        blocks.append("\n".join([f"{table.name}: {table.meaning}", *lines, *columns]))
    return "\n\n".join(blocks) + "\n"
