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
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otklik.command_line.arguments import COMMANDS, COMMON_OPTIONS, parser
from otklik.command_line.environment import (
    VOLUMES,
    absolute,
    catalog_properties,
    in_spark,
    is_here,
    is_remote,
    overrides_of,
    parse_moment,
    require_java,
    spark_properties,
    tracking,
)
from otklik.command_line.signals import StoppedError, stop_behind, stopped_by, stopped_while_starting
from otklik.errors import ConfigurationError, OtklikError, unexpected
from otklik.platform_errors import platform_error

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from otklik.progress import Progress
    from otklik.project_files import ProjectFiles
    from otklik.steps.context import Job

#: Commands that start Spark only when something has changed: what the logs of a lake on this machine say is enough.
_MAY_NEED_NO_SPARK = ("features", "train", "score", "report", "run")
#: What a shell says of a program that SIGPIPE has ended.
READER_IS_GONE = 141


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
        stop = stop_behind(fault)
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


def run_job(name: str) -> None:
    """Run a job with the arguments of the process; called by spark-submit and Databricks.

    The job passes its name, because Databricks runs its code without a __file__.
    """
    code = main([name, *sys.argv[1:]])
    # On Databricks even sys.exit(0) fails a task.
    if code:
        sys.exit(code)


def entry_point() -> None:
    """The command `otklik`."""
    sys.exit(main())


def _run_offline(given: argparse.Namespace, progress: Progress) -> int:
    from otklik.lake.local import LocalLake  # noqa: PLC0415
    from otklik.project_files import find_project  # noqa: PLC0415
    from otklik.steps import offline  # noqa: PLC0415

    if given.command == "check":
        project, root = find_project(os.environ.get("OTKLIK_HOME")), absolute(given.lake)
        lake = LocalLake(Path(root)) if given.catalog is None and "://" not in root else None
        offline.check(given.files, project, overrides_of(given), lake, _print_result)
    elif given.command == "draft":
        project = find_project(os.environ.get("OTKLIK_HOME"))
        _print_result(offline.draft(given.files, given.task, project))
    elif given.command == "kinds":
        _print_result(offline.kinds(given.kind))
    elif given.command == "graph":
        project = find_project(os.environ.get("OTKLIK_HOME"))
        _print_result(offline.graph(project, given.task, given.format, overrides_of(given)))
    elif given.command == "package":
        _print_result(_package_for(given, find_project(os.environ.get("OTKLIK_HOME")), progress))
    else:
        _print_result(offline.tables())
    return 0


def _package_for(given: argparse.Namespace, project: ProjectFiles, progress: Progress) -> str:
    """Build the package, unless the command runs on this machine; returns the line that submits the command."""
    from otklik.environment import Environment, read_properties  # noqa: PLC0415
    from otklik.settings import load  # noqa: PLC0415
    from otklik.steps import package  # noqa: PLC0415

    command = given.submit or ["features", "campaign_response", "--env", given.env]
    # Errors in the command are reported here, not by the cluster.
    submitted = parser().parse_args(command)
    if not project.job(submitted.command).is_file():
        raise ConfigurationError("is not a job", where=submitted.command, hint="use the name of a file in jobs/")
    environment = load(Environment, project.environment(submitted.env))
    properties_file = project.spark_properties(environment.spark)
    properties = read_properties(properties_file)
    folder = Path(absolute(given.to))
    if not given.submit or not package.is_of_this_machine(properties):
        package.build_package(project, folder, progress)
    return package.submit_line(folder, project, properties_file, properties, command) + "\n"


def _run_job(given: argparse.Namespace, progress: Progress, *, writes: bool) -> int:
    from otklik.project_files import find_project  # noqa: PLC0415

    as_of = parse_moment(given.as_of) if given.as_of is not None else None
    overrides = overrides_of(given)
    project = find_project(os.environ.get("OTKLIK_HOME"))
    script = project.job(given.command)
    if not script.is_file():
        raise ConfigurationError("the job's file is missing", where=str(script), hint="set OTKLIK_HOME to the project")
    if _is_done_before_spark(given, project, overrides, progress):
        return 0

    from otklik import session  # noqa: PLC0415
    from otklik.command_line import lease  # noqa: PLC0415
    from otklik.environment import Environment, read_properties  # noqa: PLC0415
    from otklik.lake.store import Lake  # noqa: PLC0415
    from otklik.settings import load  # noqa: PLC0415
    from otklik.steps.context import Job, Options  # noqa: PLC0415
    from otklik.temporary_folder import temporary_folder  # noqa: PLC0415

    environment = load(Environment, project.environment(given.env))
    on_databricks = "DATABRICKS_RUNTIME_VERSION" in os.environ
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ or on_databricks
    lake_root = absolute(given.lake)
    if on_databricks and not lake_root.startswith(VOLUMES) and "://" not in lake_root:
        raise ConfigurationError(
            "is on a local disk that is lost when the compute terminates",
            where=f"--lake {given.lake}",
            hint="use a folder in a volume: /Volumes/CATALOG/SCHEMA/VOLUME/lake",
        )
    if given.catalog is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", given.catalog):
        raise ConfigurationError(
            f"{given.catalog!r} is not a valid catalog name",
            where="--catalog",
            hint="start with a letter, then use letters, digits, _ and -, e.g. spark_catalog",
        )
    with contextlib.ExitStack() as open_until_done:
        if not submitted:
            open_until_done.enter_context(stopped_by(signal.SIGTERM, StoppedError("SIGTERM", 143)))
        temporary = open_until_done.enter_context(temporary_folder())
        folder = lease.folder_of(lake_root, on_databricks=on_databricks)
        settings = {} if submitted else read_properties(project.spark_properties(environment.spark))
        held = open_until_done.enter_context(
            lease.held_while_writing(given.command, folder, writes=writes, wait=given.wait, say=progress.line)
        )
        properties = (
            catalog_properties(given)
            if submitted
            else spark_properties({**settings, **catalog_properties(given)}, project, given, temporary)
        )
        is_local = is_here(lake_root, settings, given.catalog)

        @cache
        def spark() -> SparkSession:
            # The client of a server of yours needs none.
            if not submitted and not is_remote(settings):
                require_java()
            with stopped_while_starting():
                started = session.start(
                    f"otklik {given.command}",
                    properties,
                    submitted=submitted,
                    is_lent=on_databricks,
                    jvm_log=None if given.debug or submitted else temporary / "spark.log",
                )
            open_until_done.enter_context(started)
            if not submitted:
                # Spark's own answer to Ctrl-C cancels jobs from inside a call to the JVM, and that call fails.
                open_until_done.enter_context(stopped_by(signal.SIGINT, KeyboardInterrupt()))
            if held is not None:
                held.include(session.jvm_processes(submitted=submitted))
            if started.refused:
                progress.line(f"  this Spark session does not allow setting {', '.join(started.refused)}")
            return started.spark

        if not (is_local and given.command in _MAY_NEED_NO_SPARK):
            spark()
        names = {key: value for key, value in vars(given).items() if key not in COMMON_OPTIONS}
        if on_databricks and "paths" in names:
            names["paths"] = [in_spark(path) for path in names["paths"]]
        job = Job(
            options=Options(names, as_of, overrides, given.lang, newest=given.newest),
            lake=Lake(spark, lake_root, given.catalog, is_here=is_local),
            project=project,
            progress=progress,
            clock=lambda: datetime.now(UTC),
            pseudonym_key=_pseudonym_key,
            print_result=_print_result,
            temporary_folder=temporary,
            is_alone=held is not None and not is_remote(settings),
            lease_folder=None if is_remote(settings) else folder,
            tracking=tracking(),
        )
        return _load(script)(job)


def _is_done_before_spark(
    given: argparse.Namespace, project: ProjectFiles, overrides: Mapping[str, Any], progress: Progress
) -> bool:
    """Check the arguments before Spark starts; returns whether the command was completed without Spark."""
    from otklik.environment import Environment, read_properties  # noqa: PLC0415
    from otklik.lake.local import LocalLake  # noqa: PLC0415
    from otklik.settings import load  # noqa: PLC0415
    from otklik.steps.before_spark import check_command  # noqa: PLC0415
    from otklik.steps.without_spark import is_answered  # noqa: PLC0415

    names = next(command.names for command in COMMANDS if command.name == given.command)
    environment, root = load(Environment, project.environment(given.env)), absolute(given.lake)
    settings = read_properties(project.spark_properties(environment.spark))
    lake = LocalLake(Path(root)) if is_here(root, settings, given.catalog) else None
    check_command(given.command, names, vars(given), project, overrides, lake, _pseudonym_key)
    return lake is not None and is_answered(
        given.command, vars(given), lake, project, overrides, progress, _print_result
    )


def _pseudonym_key() -> bytes:
    """The key of pseudonyms, from the environment."""
    from otklik.privacy.key import read_key  # noqa: PLC0415

    return read_key(os.environ.get("OTKLIK_PSEUDONYM_KEY"), os.environ.get("OTKLIK_PSEUDONYM_KEY_FILE"))


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


if __name__ == "__main__":
    entry_point()
