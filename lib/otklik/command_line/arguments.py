"""The commands and their arguments. One parser serves `otklik NAME …` and `spark-submit jobs/NAME.py …`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from otklik import __version__
from otklik.errors import did_you_mean

#: Names of what every command takes, and of the command itself.
COMMON_OPTIONS = {"command", "lake", "catalog", "env", "as_of", "set", "newest", "wait", "lang", "log_format", "debug"}


def _always(_: argparse.Namespace) -> bool:
    return True


def _never(_: argparse.Namespace) -> bool:
    return False


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Attributes:
        does: what it does, in one sentence.
        example: its arguments in an example.
        add_arguments: adds its arguments to a parser.
        is_job: whether a file in jobs/ runs it.
        writes: whether it writes tables, given its arguments.
        stopped: message after Ctrl-C; by default to rerun it, which resumes a command that writes tables.
        names: which argument is checked before Spark starts.
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
        """Message after Ctrl-C: how to resume or start over."""
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


def _reingest(parser: argparse.ArgumentParser) -> None:
    _source(parser)
    parser.add_argument(
        "--without",
        metavar="FILE",
        action="append",
        help="withdraw a loaded file: its name or content_hash in ops.files; * matches any text (may be repeated)",
    )


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="a contract, task or environment (.toml); default: all of conf/"
    )


def _draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a data file without a contract; with --task: the sources to read"
    )
    parser.add_argument("--task", metavar="KIND", help="draft a task of this kind over these sources instead")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", nargs="?", help="a name in conf/tasks or a path to a .toml file")
    parser.add_argument("--all", action="store_true", help="every task of conf/tasks whose sources have been ingested")
    parser.add_argument("--stage", metavar="NAME", help="stop after this stage, without writing a page")
    parser.add_argument("--draft", action="store_true", help="a quick first answer, in TASK_draft")


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
    parser.add_argument("--where", metavar="SQL", help="only rows that satisfy this condition")
    parser.add_argument(
        "--columns", metavar="NAMES", help="only these columns, in this order, e.g. key,rank,probability,reasons"
    )
    parser.add_argument(
        "--for",
        dest="reader",
        choices=("excel",),
        help="excel: a .csv with --titles that Excel reads correctly, with --lang ru that Excel in Russian does",
    )
    parser.add_argument(
        "--titles", action="store_true", help="readable column headers instead of column names (.csv only)"
    )


def _world(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customers", metavar="N", type=int, required=True, help="1,000 to 1,000,000")
    parser.add_argument("--seed", metavar="S", type=int, required=True, help="the same seed gives the same world")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the files")
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
        help="write only how the customers of the world in --out respond to this contact list",
    )


def _package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "submit",
        metavar="JOB ARGUMENT",
        nargs="*",
        help="after `--`: the command whose spark-submit line is printed (default: features campaign_response)",
    )
    parser.add_argument("--to", metavar="DIR", default="package", help="folder for the package (default ./package)")


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a table, e.g. gold.scoreboard")
    parser.add_argument("--where", metavar="SQL", help="only rows that satisfy this condition")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="maximum number of rows (default 20)")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")


def _maintain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check-only", action="store_true", help="change nothing; exit with 1 if something is wrong")
    parser.add_argument(
        "--keep-days", metavar="N", type=int, default=30, help="how long old versions stay readable (default 30)"
    )
    parser.add_argument("--force", action="store_true", help="allow --keep-days under 7, and repairs without a lease")
    parser.add_argument(
        "--roll-back-all",
        action="store_true",
        help="discard all commits that the ledger does not list, even those that no killed run can have left",
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
        "load files: raw → bronze → silver",
        "otklik ingest bank_full bank-full.csv.gz",
        _ingest,
        writes=_always,
        names="source",
    ),
    Command(
        "reingest",
        "rebuild silver from bronze under the current contract, or without some files",
        "otklik reingest bank_full",
        _reingest,
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
    Command(
        "train", "train, evaluate and register models", "otklik train bank_full", _task, writes=_always, names="task"
    ),
    Command(
        "score",
        "score rows with the champion, and decide whom to contact",
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
        "run a task up to its page, after the tasks it reads from",
        "otklik run bank_full",
        _run,
        writes=_always,
        names="task",
    ),
    Command(
        "assign",
        "assign people without an arm to the arms of an experiment",
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
        "run the full pipeline on the simulated world, in a fresh lake",
        "otklik demo",
        _no_arguments,
        writes=_always,
        stopped="rerun the same command to start over",
    ),
    Command(
        "world",
        "write the files of the simulated world",
        "otklik world --customers 20000 --seed 7 --out world",
        _world,
        stopped="remove the unfinished world in --out, then rerun the same command",
    ),
    Command(
        "show", "print rows of a table", "otklik show gold.scoreboard --where \"split = 'time'\" --format json", _show
    ),
)


class _Parser(argparse.ArgumentParser):
    """A parser that asks whether one of its choices was meant."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with 2."""
        slip = re.search(r"invalid choice: '?(?P<given>[\w-]+)'? \(choose from (?P<known>.*)\)", message)
        meant = did_you_mean(slip["given"], re.findall(r"[\w-]+", slip["known"])) if slip else ""
        super().error(f"{message}{meant and '; '}{meant}")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = _Parser(
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
    group.add_argument("--catalog", metavar="NAME", help="store tables in this catalog instead of the lake's folder")
    group.add_argument("--env", metavar="NAME", default="local", help="settings in conf/env (default local)")
    group.add_argument(
        "--as-of", metavar="TIME", help="as-of moment, ISO-8601; default zone UTC, default time end of day"
    )
    group.add_argument(
        "--newest", action="store_true", help="with --as-of: also read files that arrived after the first answer"
    )
    group.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how long to wait for another writer of the lake (default 60)",
    )
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a value of the TOML file"
    )
    group.add_argument("--lang", choices=("ru", "en"), default="en", help="language of the report (default en)")
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="stderr as lines, or as JSON objects (default text)",
    )
    group.add_argument("--debug", action="store_true", help="show Spark's own messages and stack traces")
