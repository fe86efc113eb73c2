"""The rules of the house that import-linter cannot say, read from the source text of lib and jobs."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "lib" / "otklik"
JOBS = PROJECT / "jobs"
COMMAND_LINE = (PACKAGE / "cli.py", PACKAGE / "command_line")
FILES = sorted([*PACKAGE.rglob("*.py"), *JOBS.glob("*.py")])

#: What fails on Spark Connect, or lets the same rows give another table.
NOT_ON_CONNECT = {
    "rdd", "sparkContext", "_jvm", "_jdf", "_jsc", "_jsparkSession", "_sc", "toJSON", "createOrReplaceTempView",
    "SparkContext", "DeltaTable",
}  # fmt: skip
NOT_REPEATABLE = {"randomSplit", "rand", "randn", "uuid", "current_timestamp", "current_date", "now", "today", "utcnow"}
#: Reads tables of this machine without Spark.
RUST_READER = PACKAGE / "lake" / "local.py"
#: The one exception: the record number of a line, straight on the scan.
RECORD_NUMBERS = PACKAGE / "sources" / "record_numbers.py"


@functools.cache
def nodes(file: Path) -> list[ast.AST]:
    return [*ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file)))]


def place(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(PROJECT)}:{getattr(node, 'lineno', 0)}"


def attributes(file: Path, names: set[str]) -> Iterator[str]:
    """Where something is taken by one of these names: `x.name`."""
    for node in nodes(file):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield f"{place(file, node)}: {node.attr}"


def calls(file: Path, names: set[str]) -> Iterator[str]:
    """Where a function or method of one of these names is called."""
    for node in nodes(file):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names:
                yield f"{place(file, node)}: {name}()"


def imports(file: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every module that is imported, as far down as the statement says."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def found(files: list[Path], look: Callable[[Path, set[str]], Iterable[str]], names: set[str]) -> list[str]:
    return [hit for file in files for hit in look(file, names)]


def without(*rooms: Path) -> list[Path]:
    return [file for file in FILES if not any(room == file or room in file.parents for room in rooms)]


def test_nothing_that_spark_connect_lacks() -> None:
    brought = [
        f"{place(file, node)}: {name}"
        for file in FILES
        for name, node in imports(file)
        if name.rpartition(".")[2] in NOT_ON_CONNECT or name.startswith("delta.")
        # The class of the Rust reader bears the name of Delta's own.
        if file != RUST_READER
    ]

    assert found(without(RUST_READER), attributes, NOT_ON_CONNECT) + brought == []


def test_randomness_and_time_come_from_keys_and_arguments() -> None:
    assert found(without(*COMMAND_LINE), calls, NOT_REPEATABLE) == []


def test_row_positions_are_taken_in_one_file_only() -> None:
    names = {"monotonically_increasing_id", "spark_partition_id", "input_file_name"}

    assert found(without(RECORD_NUMBERS), calls, names) == []


def test_sql_files_hold_one_select_that_gives_the_same_rows_again() -> None:
    restless = re.compile(
        r"\b(rand|randn|uuid|now|current_timestamp|current_date|monotonically_increasing_id)\s*\(", re.I
    )
    faults = []
    for file in sorted(PACKAGE.rglob("*.sql")):
        text = re.sub(r"--[^\n]*|\{#.*?#\}", "", file.read_text(encoding="utf-8"), flags=re.S)
        if restless.search(text) or ";" in text.strip().rstrip(";"):
            faults.append(file.name)

    assert faults == []


def test_only_the_session_builds_spark() -> None:
    assert found(without(PACKAGE / "session.py"), attributes, {"builder"}) == []


def test_only_lake_reads_and_writes_tables() -> None:
    names = {"saveAsTable", "insertInto", "writeTo", "writeStream", "readStream", "DeltaTable"}
    by_format = [
        place(file, node)
        for file in without(PACKAGE / "lake")
        for node in nodes(file)
        if isinstance(node, ast.Constant) and node.value == "delta"
    ]

    assert found(without(PACKAGE / "lake"), attributes, names) + by_format == []


def test_only_the_command_line_sees_argv_environment_and_clock() -> None:
    # session.py tells Spark's workers which Python to use; that is writing, not reading.
    rooms = without(*COMMAND_LINE, PACKAGE / "session.py")
    clocks = {"time.time", "time.monotonic", "datetime.datetime.now"}

    seen = found(rooms, attributes, {"argv", "environ", "getenv"})
    seen += [f"{place(file, node)}: {name}" for file in rooms for name, node in imports(file) if name in clocks]

    assert seen == []


def test_features_are_built_without_machine_learning() -> None:
    files = sorted((PACKAGE / "features").rglob("*.py"))

    assert [place(file, node) for file in files for name, node in imports(file) if name.startswith("pyspark.ml")] == []


def test_nothing_in_lib_imports_jobs_and_jobs_do_not_import_each_other() -> None:
    jobs = {file.stem for file in JOBS.glob("*.py")} | {"jobs"}

    assert [place(file, node) for file in FILES for name, node in imports(file) if name.split(".")[0] in jobs] == []


@pytest.mark.parametrize("file", sorted(JOBS.glob("*.py")), ids=lambda file: file.stem)
def test_a_job_reads_calls_and_writes_in_some_40_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 60


def test_every_helper_lives_where_it_is_used() -> None:
    forbidden = {"utils", "util", "helpers", "helper", "common", "base", "misc"}

    assert [str(file.relative_to(PROJECT)) for file in FILES if forbidden & set(file.with_suffix("").parts)] == []


def test_every_room_says_what_it_is_for() -> None:
    rooms = sorted(PACKAGE.rglob("__init__.py"))

    silent = [room for room in rooms if not ast.get_docstring(cast(ast.Module, nodes(room)[0]))]
    assert [str(room.relative_to(PROJECT)) for room in silent] == []


def test_stack_traces_are_shown_by_the_command_line_only() -> None:
    names = {"print_exc", "format_exc", "print_exception", "print_stack", "format_tb"}

    assert found(without(*COMMAND_LINE), attributes, names) == []


def test_nothing_that_is_read_can_name_code_to_run() -> None:
    """Models are loaded from JSON: what unpickles, or builds the class that a file names, has no place here."""
    loaders = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    modules = [place(file, node) for file in FILES for name, node in imports(file) if name.split(".")[0] in loaders]
    readers = {"PipelineModel", "CrossValidatorModel", "DefaultParamsReader", "MLReader", "eval", "exec"}
    named = [place(file, node) for file in FILES for name, node in imports(file) if name.split(".")[-1] in readers]

    assert modules + named + found(FILES, calls, {"eval", "exec"}) == []


def test_nothing_is_printed_past_the_progress_and_the_result() -> None:
    assert found(FILES, calls, {"print", "breakpoint"}) == []


def test_no_failure_is_swallowed() -> None:
    silent = [
        place(file, node)
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or all(isinstance(s, ast.Pass) for s in node.body))
    ]

    assert silent == []
