"""The commands and their arguments. One parser serves `otklik NAME …` and `spark-submit jobs/NAME.py …`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from otklik import __version__

#: Names of what every command takes, and of the command itself.
COMMON_OPTIONS = {"command", "lake", "catalog", "env", "as_of", "set", "newest", "wait", "lang", "log_format", "debug"}


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


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a name in conf/sources or a path to a .toml file")


def _ingest(parser: argparse.ArgumentParser) -> None:
    _source(parser)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, or a folder with files")
    parser.add_argument("--sha256", metavar="HASH", help="refuse the file unless its bytes have this hash")
    parser.add_argument(
        "--all-or-nothing", action="store_true", help="load no file if one is refused (default: load the others)"
    )


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="a contract, task or environment (.toml); default: all of conf/"
    )


def _draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a data file nobody has described yet; with --task the sources to read"
    )
    parser.add_argument("--task", metavar="KIND", help="write a first task of this kind over these sources instead")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", nargs="?", help="a name in conf/tasks or a path to a .toml file")
    parser.add_argument("--all", action="store_true", help="every task of conf/tasks whose sources have been ingested")
    parser.add_argument("--stage", metavar="NAME", help="end with this stage, and write no page")
    parser.add_argument("--draft", action="store_true", help="a first answer within a minute, in TASK_draft")


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
        help="parts to write, comma-separated: bank, shop …; docs/world.md lists them (default: all)",
    )
    parser.add_argument(
        "--without", metavar="EFFECTS", default="", help="planted effects to switch off; docs/world.md lists them"
    )
    parser.add_argument(
        "--list",
        metavar="FILE",
        default="",
        help="write how the customers of the world in --out answer this list of the offer, and nothing else",
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
        "--roll-back-all",
        action="store_true",
        help="give up all commits that the ledger does not know, also those that no killed run can have left",
    )


def _unless_it_only_checks(given: argparse.Namespace) -> bool:
    return not given.check_only


COMMANDS = (
    Command(
        "check",
        "validate TOML files, also against a lake's tables; starts no Spark",
        "otklik check conf/tasks/bank_full.toml",
        _check,
        False,
    ),
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
        "reingest",
        "rebuild silver from bronze under the current contract",
        "otklik reingest bank_full",
        _source,
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
