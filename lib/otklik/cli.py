"""The command line: the only reader of argv, environment and clock; it turns errors into one line and an exit code.

`otklik NAME …` and `spark-submit jobs/NAME.py …` are the same step with the same arguments: one parser serves both.
Nothing heavy is imported before a command needs it, so that --help and check answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from otklik import __version__
from otklik.errors import ConfigurationError, OtklikError, PlatformError, unexpected
from otklik.platform_errors import platform_error

if TYPE_CHECKING:
    from otklik.progress import Progress
    from otklik.project_files import ProjectFiles
    from otklik.steps.context import Job, Tracking

#: Those that Spark 4.1 runs on.
JAVA_VERSIONS = ("17", "21")
#: Where Databricks shows volumes of Unity Catalog as folders.
VOLUMES = "/Volumes/"
#: What a shell says of a program that SIGPIPE has ended.
READER_IS_GONE = 141


def _always(_: argparse.Namespace) -> bool:
    return True


def _never(_: argparse.Namespace) -> bool:
    return False


@dataclass(frozen=True)
class Command:
    """A command: what it does, an example, its arguments, whether it is a job of jobs/, and when it writes tables.

    Attributes:
        stopped: how it is given again after Ctrl-C; by default one that writes tables goes on, any other starts anew.
        names: what of its arguments is read before Spark starts, so that a slip is told at once.
    """

    name: str
    does: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    is_job: bool = True
    writes: Callable[[argparse.Namespace], bool] = _never
    stopped: str = ""
    names: Literal["", "task", "source"] = ""

    def how_again(self, given: argparse.Namespace) -> str:
        """What a person is told who stopped it."""
        starts = "rerun the same command to resume" if self.writes(given) else "rerun the same command to start over"
        return self.stopped or starts


def _no_arguments(_: argparse.ArgumentParser) -> None:
    return


def _task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", help="a name in conf/tasks or a path to a .toml file")


def _optional_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "task", metavar="TASK", nargs="?", help="a name in conf/tasks or a path; default: every task with an answer"
    )


def _ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a name in conf/sources or a path to a .toml file")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, or a folder whose files are taken one by one")
    parser.add_argument("--sha256", metavar="HASH", help="refuse the file unless its bytes have this hash")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a contract, task or environment (.toml)")


def _draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a data file nobody has described yet; with --task the sources to read"
    )
    parser.add_argument("--task", metavar="KIND", help="write a first task of this kind over these sources instead")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", nargs="?", help="a name in conf/tasks or a path to a .toml file")
    parser.add_argument("--all", action="store_true", help="every task of conf/tasks whose sources have been ingested")
    parser.add_argument("--stage", metavar="NAME", help="end with this stage, and write no page")


def _kinds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help="one kind, with its frames, settings and tables")


def _graph(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", nargs="?", help="only this task and those that it reads from")
    parser.add_argument("--format", choices=("text", "dot", "json"), default="text", help="default: text")


def _champion(parser: argparse.ArgumentParser) -> None:
    _task(parser)
    parser.add_argument("--run", metavar="ID", help="make the model of this run the champion again")


def _where_a_run_is_named(given: argparse.Namespace) -> bool:
    return given.run is not None


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a table, e.g. gold.bank_full_actions")
    parser.add_argument("--to", metavar="FILE", required=True, help="a .csv or .parquet file")
    parser.add_argument("--where", metavar="SQL", help="only rows for which this holds")
    parser.add_argument("--columns", metavar="NAMES", help="only these, in this order: key,rank,probability")
    parser.add_argument(
        "--for", dest="reader", choices=("excel",), help="excel: a .csv whose letters Excel reads rightly"
    )


def _world(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customers", metavar="N", type=int, required=True, help="1,000 to 1,000,000")
    parser.add_argument("--seed", metavar="S", type=int, required=True, help="the same seed gives the same world")
    parser.add_argument("--out", metavar="DIR", required=True, help="where the files go")
    parser.add_argument(
        "--only",
        metavar="PARTS",
        default="all",
        help="parts to write: bank, shop, mailings, advertising, subscriptions (comma-separated; default: all)",
    )
    parser.add_argument(
        "--without", metavar="EFFECTS", default="", help="planted effects to switch off; docs/world.md lists them"
    )


def _package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "submit",
        metavar="JOB ARGUMENT",
        nargs="*",
        help="after `--`: the command whose spark-submit line is printed (default: features campaign_response)",
    )
    parser.add_argument("--to", metavar="DIR", default="package", help="where the package goes (default ./package)")


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a table, e.g. gold.scoreboard")
    parser.add_argument("--where", metavar="SQL", help="only rows for which this holds")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many rows (default 20)")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")


def _maintain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check-only", action="store_true", help="change nothing; exit code 1 when something is wrong")
    parser.add_argument(
        "--keep-days", metavar="N", type=int, default=30, help="old versions stay readable so long (default 30)"
    )
    parser.add_argument("--force", action="store_true", help="allow --keep-days under 7, and repairs without a lease")
    parser.add_argument(
        "--take-back-all",
        action="store_true",
        help="give up all commits that the ledger does not know, also those that no killed run can have left",
    )


def _unless_it_only_checks(given: argparse.Namespace) -> bool:
    return not given.check_only


COMMANDS = (
    Command("check", "validate TOML files; starts no Spark", "otklik check conf/tasks/bank_full.toml", _check, False),
    Command(
        "draft",
        "write a first contract for an unknown file, or a first task over sources",
        "otklik draft new_file.csv > mine.toml",
        _draft,
        False,
    ),
    Command("kinds", "list the kinds of question", "otklik kinds segment", _kinds, False),
    Command("graph", "print which task reads from which", "otklik graph --format dot", _graph, False),
    Command("tables", "print the definition of every table", "otklik tables", _no_arguments, False),
    Command(
        "package",
        "build what a cluster needs, and print the spark-submit line",
        "otklik package -- features bank_full --env yarn --lake hdfs:///marketing/lake",
        _package,
        False,
    ),
    Command(
        "ingest",
        "take files in: raw → bronze → silver",
        "otklik ingest bank_full bank-full.csv.gz",
        _ingest,
        writes=_always,
        names="source",
    ),
    Command(
        "features",
        "build a task's features",
        "otklik features bank_full --as-of 2010-11-17",
        _task,
        writes=_always,
        names="task",
    ),
    Command("train", "train, judge and register models", "otklik train bank_full", _task, writes=_always, names="task"),
    Command(
        "score",
        "score rows with the champion, and decide",
        "otklik score bank_full",
        _task,
        writes=_always,
        names="task",
    ),
    Command(
        "report",
        "write a task's page and the index of all",
        "otklik report bank_full --lang ru",
        _optional_task,
        writes=_always,
        names="task",
    ),
    Command(
        "run",
        "a task all the way to its page, behind the tasks it reads from",
        "otklik run bank_full",
        _run,
        writes=_always,
        names="task",
    ),
    Command(
        "assign",
        "draw the arms of an experiment, once for each person",
        "otklik assign spring_letter",
        _task,
        writes=_always,
        names="task",
    ),
    Command(
        "champion",
        "show a task's champion, or roll back",
        "otklik champion bank_full --run 0f1e2d3c4b5a6978",
        _champion,
        writes=_where_a_run_is_named,
        names="task",
    ),
    Command(
        "export",
        "write a table to a file for the CRM",
        "otklik export gold.campaign_response_actions --to list.csv",
        _export,
    ),
    Command(
        "maintain",
        "repair, check, compact and vacuum the lake",
        "otklik maintain --keep-days 90",
        _maintain,
        writes=_unless_it_only_checks,
    ),
    Command(
        "demo",
        "the main job on the built-in world, in a fresh lake",
        "otklik demo",
        _no_arguments,
        writes=_always,
        stopped="rerun the same command to start over",
    ),
    Command(
        "world",
        "write the built-in world's files",
        "otklik world --customers 20000 --seed 7 --out world",
        _world,
        stopped="an unfinished world in --out has to be removed before the same command",
    ),
    Command(
        "show", "print rows of a table", "otklik show gold.scoreboard --where \"split = 'time'\" --format json", _show
    ),
)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="otklik",
        description="From raw files to scores, a list to act on and an honest report.",
        epilog="example: otklik ingest bank_full bank-full.csv.gz && otklik run bank_full",
    )
    top.add_argument("--version", action="version", version=f"otklik {__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = subparsers.add_parser(
            command.name, help=command.does, description=command.does, epilog=f"example: {command.example}"
        )
        command.add_arguments(sub)
        _common(sub)
    return top


def _common(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group("common options")
    group.add_argument("--lake", metavar="DIR", default="lake", help="folder or URI of the lake (default ./lake)")
    group.add_argument("--catalog", metavar="NAME", help="tables live in this catalog instead of the lake's folder")
    group.add_argument("--env", metavar="NAME", default="local", help="settings in conf/env (default local)")
    group.add_argument("--as-of", metavar="TIME", help="ISO-8601; UTC without a zone, the day's end without a time")
    group.add_argument(
        "--newest", action="store_true", help="with --as-of: read files, too, that came after its first answer"
    )
    group.add_argument(
        "--wait", metavar="SECONDS", type=float, default=60.0, help="for another writer of the lake (default 60)"
    )
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="lay a value over the TOML file")
    group.add_argument("--lang", choices=("ru", "en"), default="en", help="language of the report (default en)")
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="stderr as lines, or as JSON objects (default text)",
    )
    group.add_argument("--debug", action="store_true", help="show Spark's own messages and stack traces")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    # In a locale without our letters a result is better spelt than not printed.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)
    command = next(c for c in COMMANDS if c.name == given.command)
    if not given.debug:
        logging.disable(logging.CRITICAL)
    progress = _progress(given)
    try:
        if command.is_job:
            return _run_job(given, progress, writes=command.writes(given))
        return _run_offline(given, progress)
    except (Exception, KeyboardInterrupt) as fault:
        stop = _stop_behind(fault)
        if stop is not None:
            progress.fail(f"stopped by {stop.by}; {command.how_again(given)}", stop.exit_code)
            return stop.exit_code
        if given.debug:
            traceback.print_exception(fault)
        clear = fault if isinstance(fault, OtklikError) else platform_error(fault, command.name)
        said = clear or unexpected(fault, command.name)
        progress.fail(said.line(), said.exit_code)
        return said.exit_code


def _progress(given: argparse.Namespace) -> Progress:
    from otklik.progress import JsonProgress, Progress  # noqa: PLC0415

    if given.log_format == "json":
        return JsonProgress(sys.stderr, time.monotonic, lambda: datetime.now(UTC), given.command)
    return Progress(sys.stderr, time.monotonic, is_live=sys.stderr.isatty())


class _StoppedError(KeyboardInterrupt):
    """A signal that ends the command: what is open is closed, and the lease given back."""

    def __init__(self, by: str, exit_code: int) -> None:
        super().__init__(by)
        self.by, self.exit_code = by, exit_code


def _stop_behind(fault: BaseException) -> _StoppedError | None:
    """The signal that stopped the command, also where its JVM heard it first and closing failed without it."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, _StoppedError):
            return seen
        if isinstance(seen, KeyboardInterrupt):
            return _StoppedError("the user", 130)
        seen = seen.__cause__ or seen.__context__
    return None


@contextlib.contextmanager
def _stopped_by(number: signal.Signals, fault: KeyboardInterrupt) -> Iterator[None]:
    """While it lasts the signal raises this where the program stands, and the program closes what is open."""

    def stop(*_: object) -> None:
        raise fault

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _stopped_while_starting() -> Iterator[None]:
    """While it lasts, a failure after Ctrl-C counts as Ctrl-C.

    Early in its start Spark takes the answer to Ctrl-C into its own hands: a call to the JVM from inside another one.
    That breaks both, and what is raised in the end does not tell why. So the signal's arrival is noted beside it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    except Exception as fault:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGINT in os.read(reading, 64):
                raise KeyboardInterrupt from fault
        raise
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def run_job(name: str) -> None:
    """Run a job with the process's arguments: what spark-submit and Databricks call.

    The file says its own name: Databricks runs its text without telling it a __file__.
    """
    code = main([name, *sys.argv[1:]])
    # On Databricks even sys.exit(0) fails a task.
    if code:
        sys.exit(code)


def entry_point() -> None:
    """The command `otklik`."""
    sys.exit(main())


def _overrides(given: argparse.Namespace) -> dict[str, Any]:
    """Dotted key → value of every --set."""
    from otklik.settings import parse_override  # noqa: PLC0415

    return dict(parse_override(text) for text in given.set)


def _run_offline(given: argparse.Namespace, progress: Progress) -> int:
    from otklik.project_files import find_project  # noqa: PLC0415
    from otklik.steps import offline  # noqa: PLC0415

    if given.command == "check":
        _print_result(offline.check(given.files, find_project(os.environ.get("OTKLIK_HOME")), _overrides(given)))
    elif given.command == "draft":
        home = find_project(os.environ.get("OTKLIK_HOME"))
        _print_result(offline.draft(given.files, given.task, home))
    elif given.command == "kinds":
        _print_result(offline.kinds(given.kind))
    elif given.command == "graph":
        home = find_project(os.environ.get("OTKLIK_HOME"))
        _print_result(offline.graph(home, given.task, given.format, _overrides(given)))
    elif given.command == "package":
        _print_result(_package_for(given, find_project(os.environ.get("OTKLIK_HOME")), progress))
    else:
        _print_result(offline.tables())
    return 0


def _package_for(given: argparse.Namespace, home: ProjectFiles, progress: Progress) -> str:
    """Build the package, unless the command runs on this machine; returns the line that submits the command."""
    from otklik.environment import Environment, read_properties  # noqa: PLC0415
    from otklik.settings import load  # noqa: PLC0415
    from otklik.steps import package  # noqa: PLC0415

    command = given.submit or ["features", "campaign_response", "--env", given.env]
    # What is wrong with the command is said here, and not by the cluster.
    submitted = parser().parse_args(command)
    if not home.job(submitted.command).is_file():
        raise ConfigurationError("is not a job", where=submitted.command, hint="give a name of jobs/")
    environment = load(Environment, home.environment(submitted.env))
    properties_file = home.spark_properties(environment.spark)
    properties = read_properties(properties_file)
    folder = Path(absolute(given.to))
    if not given.submit or not package.is_of_this_machine(properties):
        package.build_package(home, folder, progress)
    return package.submit_line(folder, home, properties_file, properties, command) + "\n"


def _run_job(given: argparse.Namespace, progress: Progress, *, writes: bool) -> int:
    from otklik.project_files import find_project  # noqa: PLC0415

    as_of = parse_moment(given.as_of) if given.as_of is not None else None
    overrides = _overrides(given)
    home = find_project(os.environ.get("OTKLIK_HOME"))
    script = home.job(given.command)
    if not script.is_file():
        raise ConfigurationError("the job's file is missing", where=str(script), hint="set OTKLIK_HOME to the project")
    _read_names(given, home, overrides)

    from otklik import session  # noqa: PLC0415
    from otklik.environment import Environment, read_properties  # noqa: PLC0415
    from otklik.lake import lease  # noqa: PLC0415
    from otklik.lake.store import Lake  # noqa: PLC0415
    from otklik.privacy.pseudonyms import read_key  # noqa: PLC0415
    from otklik.settings import load  # noqa: PLC0415
    from otklik.steps.context import Job, Options  # noqa: PLC0415
    from otklik.temporary_folder import temporary_folder  # noqa: PLC0415

    environment = load(Environment, home.environment(given.env))
    on_databricks = "DATABRICKS_RUNTIME_VERSION" in os.environ
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ or on_databricks
    lake_root = absolute(given.lake)
    if on_databricks and not lake_root.startswith(VOLUMES) and "://" not in lake_root:
        raise ConfigurationError(
            "lies on a disk that is gone when the compute is",
            where=f"--lake {given.lake}",
            hint="give a folder of a volume: /Volumes/CATALOG/SCHEMA/VOLUME/lake",
        )
    if given.catalog is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", given.catalog):
        raise ConfigurationError(
            f"{given.catalog!r} is not a name of a catalog",
            where="--catalog",
            hint="write a letter, then letters, digits, _ and -, like spark_catalog",
        )
    with contextlib.ExitStack() as open_until_done:
        if not submitted:
            open_until_done.enter_context(_stopped_by(signal.SIGTERM, _StoppedError("SIGTERM", 143)))
        scratch = open_until_done.enter_context(temporary_folder())
        held = None
        folder, now = Path(lake_root), datetime.now(UTC)
        # A lake that is not there is made by the commands that fill one, not by a slip in --lake. A volume looks like a
        # folder and is an object store: it knows no locks, and a holder on a cluster that is gone would never end.
        is_on_a_disk = lake_root.startswith("/") and not on_databricks
        settings = {} if submitted else read_properties(home.spark_properties(environment.spark))
        if writes and is_on_a_disk and (folder.is_dir() or given.command in ("ingest", "demo")):
            held = open_until_done.enter_context(
                lease.held(folder, given.command, now, wait=given.wait, sleep=time.sleep, say=progress.line)
            )
        properties = (
            _catalog_properties(given)
            if submitted
            else _spark_properties({**settings, **_catalog_properties(given)}, home, given, scratch)
        )
        # The client of a server of yours needs none.
        if not submitted and not _is_remote(settings):
            _require_java()
        with _stopped_while_starting():
            started = session.start(
                f"otklik {given.command}",
                properties,
                submitted=submitted,
                is_lent=on_databricks,
                jvm_log=None if given.debug or submitted else scratch / "spark.log",
            )
        open_until_done.enter_context(started)
        if not submitted:
            # Spark's own answer to Ctrl-C cancels jobs from inside a call to the JVM, and that call fails.
            open_until_done.enter_context(_stopped_by(signal.SIGINT, KeyboardInterrupt()))
        if held is not None:
            held.include(session.jvm_processes(submitted=submitted))
        if started.refused:
            progress.line(f"  this Spark keeps its own values of {', '.join(started.refused)}")
        names = {key: value for key, value in vars(given).items() if key not in _COMMON_OPTIONS}
        if on_databricks and "paths" in names:
            names["paths"] = [in_spark(path) for path in names["paths"]]
        job = Job(
            options=Options(names, as_of, overrides, given.lang, newest=given.newest),
            lake=Lake(started.spark, lake_root, given.catalog),
            home=home,
            progress=progress,
            clock=lambda: datetime.now(UTC),
            pseudonym_key=lambda: read_key(
                os.environ.get("OTKLIK_PSEUDONYM_KEY"), os.environ.get("OTKLIK_PSEUDONYM_KEY_FILE")
            ),
            print_result=_print_result,
            scratch=scratch,
            is_alone=held is not None and not _is_remote(settings),
            lease_folder=folder if is_on_a_disk and not _is_remote(settings) else None,
            tracking=_tracking(),
        )
        return _load(script)(job)


def _read_names(given: argparse.Namespace, home: ProjectFiles, overrides: Mapping[str, Any]) -> None:
    """Read the task or contract that is named.

    Raises:
        ConfigurationError: if it is not there, or wrong.
    """
    names = next(command.names for command in COMMANDS if command.name == given.command)
    if names == "source":
        from otklik.settings import load  # noqa: PLC0415
        from otklik.sources.contract import Contract  # noqa: PLC0415

        load(Contract, home.source(given.source), dict(overrides))
    elif names == "task" and given.task is not None:
        from otklik.steps.task_files import check_task, read_task  # noqa: PLC0415

        file = read_task(home, given.task, overrides)
        check_task(file, home.sql_folders(file.path))


def _is_remote(settings: Mapping[str, str]) -> bool:
    """Whether a Spark Connect server of somebody's does the work.

    It goes on when this process is gone: the lease keeps others out meanwhile, and does not show that a writer is dead.
    """
    return "spark.remote" in settings or "SPARK_REMOTE" in os.environ


def _tracking() -> Tracking | None:
    """Where MLflow is told, by MLflow's own variables. It must not tell its makers in turn, unless somebody says so."""
    from otklik.steps.context import Tracking  # noqa: PLC0415

    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return None
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return Tracking(uri, os.environ.get("MLFLOW_EXPERIMENT_NAME"))


_COMMON_OPTIONS = {"command", "lake", "catalog", "env", "as_of", "set", "newest", "wait", "lang", "log_format", "debug"}


def _print_result(text: str) -> None:
    """To stdout; who reads it may have seen enough (`| head`), and that ends the command quietly."""
    from otklik.progress import give_up  # noqa: PLC0415

    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        give_up(sys.stdout)
        sys.exit(READER_IS_GONE)


def _load(script: Path) -> Callable[[Job], int]:
    """The function `main` of a job's file."""
    spec = importlib.util.spec_from_file_location(f"otklik_job_{script.stem}", script)
    # Only a name with another ending than .py would have none.
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Callable[[Job], int] = module.main
    return loaded


def _catalog_properties(given: argparse.Namespace) -> dict[str, str]:
    """A Hive metastore in the lake's folder for Spark's own catalog; other catalogs are the cluster's."""
    if given.catalog != "spark_catalog":
        return {}
    root = absolute(given.lake)
    return {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{root}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={root}/metastore;create=true",
    }


def _spark_properties(
    properties: dict[str, str], home: Any, given: argparse.Namespace, scratch: Path
) -> dict[str, str]:
    """The environment's properties, with what depends on this start."""
    quiet = home.path / "conf" / "spark" / "log4j2.properties"
    java = properties.get("spark.driver.extraJavaOptions", "")
    # Spark would leave a folder spark-warehouse wherever the command is given, and others in /tmp when it is killed:
    # those of its own, and what its libraries unpack where Java has its temporary files.
    java = f'{java} "-Djava.io.tmpdir={scratch}"'
    places = {"spark.sql.warehouse.dir": f"{scratch}/warehouse", "spark.local.dir": f"{scratch}/spark"}
    if given.catalog is not None:
        java = f"{java} -Dderby.stream.error.file=/dev/null"
    if not given.debug:
        java = f"{java} -Dlog4j2.configurationFile={quiet.as_uri()}"
    return {**places, **properties, "spark.driver.extraJavaOptions": java.strip()}


def parse_moment(text: str) -> datetime:
    """An ISO-8601 moment in UTC: without a zone it is UTC, a bare date means its end.

    Raises:
        ConfigurationError: if it is no such moment.
    """
    with contextlib.suppress(ValueError):
        return datetime.combine(date.fromisoformat(text), time_of_day.max, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r} is not an ISO-8601 moment", where="--as-of", hint="write 2026-03-31 or 2026-03-31T18:00:00+05:00"
        ) from None


def absolute(path: str) -> str:
    """A path or URI without a trailing slash; plain paths become absolute, file: URIs plain.

    Raises:
        ConfigurationError: if the scheme is not one that Hadoop file systems have.
    """
    from otklik.settings import URI_SCHEMES, whole_uri  # noqa: PLC0415

    path = whole_uri(path)
    scheme, sign, rest = path.partition(":")
    if sign and "/" not in scheme and rest.startswith("/"):
        if scheme not in URI_SCHEMES:
            raise ConfigurationError(f"unknown scheme {scheme!r}", where=path, hint=f"known: {', '.join(URI_SCHEMES)}")
        if scheme != "file":
            return path.rstrip("/")
        path = "/" + rest.lstrip("/")
    return str(Path(path).expanduser().resolve())


def in_spark(path: str) -> str:
    """A file of a volume as Spark reaches it: Python sees volumes as folders, the JVM does not."""
    return f"dbfs://{path}" if path.startswith(VOLUMES) else path


def _require_java() -> None:
    """See that there is Java 17 or 21: in JAVA_HOME, else where set-up wrote down, else on the PATH, as Spark looks.

    Raises:
        SurroundingsError: if there is none, or another version.
    """
    by_setup = Path(sys.prefix) / "java-home"
    if "JAVA_HOME" not in os.environ and by_setup.is_file():
        os.environ["JAVA_HOME"] = by_setup.read_text(encoding="utf-8").strip()
    if "JAVA_HOME" not in os.environ:
        _require_java_on_path()
        return
    release = Path(os.environ["JAVA_HOME"]) / "release"
    if not release.is_file():
        raise PlatformError(
            "no Java there",
            where=f"JAVA_HOME={os.environ['JAVA_HOME']}",
            hint="install Java 17 or 21 and run scripts/setup",
        )
    stated = [line for line in release.read_text(encoding="utf-8").splitlines() if line.startswith("JAVA_VERSION=")]
    version = stated[0].partition("=")[2].strip('"') if stated else "unknown"
    _refuse_other_java(version, f"JAVA_HOME={os.environ['JAVA_HOME']}")


def _require_java_on_path() -> None:
    java = shutil.which("java")
    if java is None:
        raise PlatformError("no Java there", where="PATH", hint="install Java 17 or 21 and run scripts/setup")
    # It may be a link, a script that chooses among several, or one that only says where to get Java.
    said = ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    found = re.search(r'version "([^"]+)"', said)
    _refuse_other_java(found[1] if found else "unknown", java)


def _refuse_other_java(version: str, where: str) -> None:
    if re.split(r"\D", version)[0] not in JAVA_VERSIONS:
        raise PlatformError(
            f"Java {version} does not run Spark 4.1", where=where, hint="set JAVA_HOME to Java 17 or 21"
        )


if __name__ == "__main__":
    entry_point()
