"""One command at a size at which something could run out: its time, and the most memory that it took.

    PYTHONPATH=lib .venv/bin/python -m scripts.scale lifetime --size 10000000 --heap 5g
    PYTHONPATH=lib .venv/bin/python -m scripts.scale ingest --size 1000000 --parts bank

`world` writes parts of the built-in world, `ingest` takes them in and compares every balance with what was planted.
The kinds get rows that Spark makes from numbers and salts and that lie in silver as if they had been ingested: row n is
always the same. What is measured is the command alone, from its start to its end, with the page and Java's start; rows
are made before, by a process of its own. Each result is printed as a line of docs/scale.md and kept in
FOLDER/results.jsonl. Inputs that are there already are used again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from scripts.benchmarks.child import spark_session
from scripts.benchmarks.inputs import fill
from scripts.benchmarks.process import Memory, watch

from otklik.lake.local import LocalLake
from otklik.lake.store import Lake
from otklik.settings import validate
from otklik.sources.contract import Contract
from otklik.world.draws import Draws

PROJECT = Path(__file__).resolve().parents[1]
_SEED = 7
_DRAWS = Draws(_SEED)
#: Seconds after which a command is given up.
_PATIENCE = 3 * 3600.0
#: Rows of a partition while they are made.
_PART = 100_000
_WEEKS, _GROUPS = 150, 100
_ITEMS, _TASTES = 20_000, 100
_FIRST_SECOND = int(datetime(2023, 1, 2, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Question:
    """A task over one source of made-up rows.

    Attributes:
        unit: what the size counts.
        columns: of the source with their types; `moment` is when a row happened.
        rows: session, size → the columns.
        task: TOML below the kind; its input is called `records`.
    """

    unit: str
    columns: dict[str, str]
    rows: Callable[[SparkSession, int], DataFrame]
    task: str


@dataclass(frozen=True)
class Result:
    """What some commands took together.

    Attributes:
        seconds: from the start to the end.
        processor: seconds that they had on processors.
        java: the highest of their peaks, MiB; so are python and together.
        others: share of the machine's processors that others took, while that was highest.
    """

    case: str
    size: int
    what: str
    seconds: float
    processor: float
    java: float
    python: float
    together: float
    others: float
    heap: str
    day: str


def numbers(spark: SparkSession, count: int) -> DataFrame:
    """`number` from 0 on."""
    return spark.range(0, count, 1, max(8, count // _PART)).withColumnRenamed("id", "number")


def purchases(spark: SparkSession, customers: int) -> DataFrame:
    """Pareto/NBD in weeks with r = 1, alpha = 9, s = 0.7, beta = 20, seen for up to 104; Gamma-Gamma (4, 4, 3000).

    With r = 1 the number of repeat purchases in a given time is geometric, and they come at any moment of it.
    """
    of_customer, of_purchase = (
        " * ".join(f"(1D - {_DRAWS.uniform(f'{what} {n}', *also)})" for n in range(4))
        for what, also in (("worth", ()), ("spent", ("n",)))
    )
    repeats = f"floor(ln(1D - {_DRAWS.uniform('repeats')}) / ln(seen / (9D + seen)))"
    return (
        numbers(spark, customers)
        .selectExpr(
            "number", f"52D * {_DRAWS.uniform('first')} AS first", f"-ln({of_customer}) / 3000D AS spend_rate",
            f"20D * (pow(1D - {_DRAWS.uniform('stays')}, -1D / 0.7D) - 1D) AS stays",
        )
        .selectExpr("*", "least(104D - first, stays) AS seen")
        .selectExpr("*", f"explode(sequence(0, CAST(least(200D, {repeats}) AS INT))) AS n")
        .selectExpr(
            "concat('C', lpad(number, 8, '0')) AS customer",
            f"timestamp_seconds({_FIRST_SECOND}L + CAST(604800D * (first + if(n = 0, 0D, seen * "
            f"{_DRAWS.uniform('at', 'n')})) AS BIGINT)) AS moment",
            f"-ln({of_purchase}) / spend_rate AS amount",
        )
    )  # fmt: skip


def sales(spark: SparkSession, series: int) -> DataFrame:
    """Weekly quantities: a level of its own, a season, noise; a quarter of the series sell in two weeks of five."""
    season = f"0.3D * sin(2D * pi() * (week / 52D + {_DRAWS.uniform('phase')}))"
    sells = f"number % 4 > 0 OR {_DRAWS.uniform('sells', 'week')} < 0.4D"
    noise = f"0.3D * {_DRAWS.normal('noise', 'week')}"
    return (
        numbers(spark, series)
        .selectExpr("number", f"3D + {_DRAWS.normal('level')} AS level", f"explode(sequence(0, {_WEEKS - 1})) AS week")
        .selectExpr(
            "concat('S', lpad(number, 6, '0')) AS series",
            # The last second of a week: so that the last one of all is over.
            f"timestamp_seconds({_FIRST_SECOND}L + 604800L * (week + 1) - 1) AS moment",
            f"if({sells}, round(exp(level + {season} + {noise})), 0D) AS quantity",
            f"concat('G', number % {_GROUPS}) AS `group`",
        )
    )


def items(spark: SparkSession, customers: int) -> DataFrame:
    """5 to 35 items of each customer in a year: mostly of a taste, some again, some that are popular with everybody."""
    each = _ITEMS // _TASTES
    own = f"{each} * pmod(number, {_TASTES}) + floor({each} * pow({_DRAWS.uniform('own', 'd')}, 2))"
    any_item = f"floor({_ITEMS} * pow({_DRAWS.uniform('any', 'd')}, 3))"
    return (
        numbers(spark, customers)
        .selectExpr("number", f"explode(sequence(1, 5 + CAST({_DRAWS.below(31, 'count')} AS INT))) AS k")
        .selectExpr("*", f"if({_DRAWS.uniform('again', 'k')} < 0.3D, k % 5, k) AS d")
        .selectExpr(
            "concat('C', lpad(number, 8, '0')) AS customer",
            f"concat('I', lpad(if({_DRAWS.uniform('of taste', 'd')} < 0.8D, {own}, {any_item}), 5, '0')) AS item",
            f"timestamp_seconds({_FIRST_SECOND}L + {_DRAWS.below(365 * 86_400, 'when', 'k')}) AS moment",
        )
    )


QUESTIONS = {
    "lifetime": Question(
        "customers",
        {"customer": "string", "moment": "timestamp", "amount": "double"},
        purchases,
        "",
    ),
    "demand": Question(
        "series",
        {"series": "string", "moment": "timestamp", "quantity": "double", "group": "string"},
        sales,
        "stock = { periods = 2, missing_cost = 3.0, left_cost = 1.0 }",
    ),
    "recommend": Question(
        "customers",
        {"customer": "string", "item": "string", "moment": "timestamp"},
        items,
        "test_days = 60",
    ),
}  # fmt: skip
#: Part of the world → its sources that are taken in.
SOURCES = {
    "bank": ("customers", "contacts", "engagements"),
    "shop": ("receipts", "products", "stores", "prices"),
    "visits": ("app_events", "app_offers"),
}


def main() -> int:
    """Measure what is asked for; returns 1 if a command failed or a balance is not exact."""
    given = _arguments()
    folder = Path(given.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    home = _home(folder, given.heap)
    if given.case == "world":
        return _measured(folder, given, f"parts {given.parts}", _write_world(folder, given), home)
    if given.case == "ingest":
        world, lake = _world(folder, given), folder / f"lake-{given.size}"
        shutil.rmtree(lake, ignore_errors=True)
        if not world.exists():
            subprocess.run(_otklik(*_write_world(folder, given)[0]), check=True, env=_environment(home))
        parts = [part for part in SOURCES if part in given.parts.split(",")]
        sources = [source for part in parts for source in SOURCES[part]]
        commands = [("ingest", source, str(world / source), "--lake", str(lake)) for source in sources]
        return _measured(folder, given, ", ".join(sources), commands, home) or _unbalanced(lake, world, parts)
    lake = _lake(folder, given)
    task = folder / f"{given.case}.toml"
    task.write_text(_task(given.case), encoding="utf-8")
    # Answered anew, and not reused.
    for table in ("gold", "ops/runs"):
        shutil.rmtree(lake / table, ignore_errors=True)
    command = ("run", str(task), "--lake", str(lake))
    return _measured(folder, given, QUESTIONS[given.case].unit, [command], home)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scale", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("case", choices=("world", "ingest", *QUESTIONS))
    parser.add_argument("--size", type=int, required=True, help="customers, or series of demand")
    parser.add_argument("--heap", default="4g", help="of the JVM (default 4g, as conf/spark/local.conf has it)")
    parser.add_argument("--parts", default="bank", help="of the world, comma-separated (default bank)")
    parser.add_argument("--folder", default="scale", help="for inputs, logs and results.jsonl (default ./scale)")
    return parser.parse_args()


def _world(folder: Path, given: argparse.Namespace) -> Path:
    return folder / f"world-{given.size}-{given.parts.replace(',', '-')}"


def _write_world(folder: Path, given: argparse.Namespace) -> list[tuple[str, ...]]:
    world = _world(folder, given)
    shutil.rmtree(world, ignore_errors=True)
    return [
        ("world", "--customers", f"{given.size}", "--seed", f"{_SEED}", "--out", str(world), "--only", given.parts)
    ]  # fmt: skip


def _measured(
    folder: Path, given: argparse.Namespace, what: str, commands: Sequence[tuple[str, ...]], home: Path
) -> int:
    """Run commands one after the other; returns 1 if one failed."""
    begun, highest, others, processor = time.monotonic(), Memory(0.0, 0.0, 0.0), 0.0, 0.0
    log = folder / f"{given.case}-{given.size}.log"
    with log.open("w", encoding="utf-8") as said:
        for command in commands:
            started = subprocess.Popen(_otklik(*command), stdout=said, stderr=said, env=_environment(home))
            try:
                seen = watch(started, _PATIENCE)
            finally:
                # Done already, given up, or stopped with this command.
                if started.poll() is None:
                    started.terminate()
            # 10: done, with warnings.
            if started.wait() not in (0, 10):
                sys.stderr.write(f"{' '.join(command)}: failed, see {log}\n")
                return 1
            highest = Memory(
                *(max(pair) for pair in zip(asdict(highest).values(), asdict(seen.memory).values(), strict=True))
            )
            others, processor = max(others, seen.others), processor + seen.processor
    seconds = time.monotonic() - begun
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    peaks = asdict(highest)
    found = Result(given.case, given.size, what, seconds, processor, **peaks, others=others, heap=given.heap, day=day)
    with (folder / "results.jsonl").open("a", encoding="utf-8") as results:
        results.write(json.dumps(asdict(found)) + "\n")
    values = (found.size, seconds, processor, found.java, found.python, found.together)
    size, *measured = (f"{value:,.0f}" for value in values)
    cells = [found.case, f"{size} {what}", *measured, found.heap, f"{others:.0%}", day]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    return 0


def _otklik(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "otklik.cli", *arguments]


def _environment(home: Path) -> dict[str, str]:
    # Of people who are made up.
    key = "scale runs of made-up people"
    return {**os.environ, "OTKLIK_HOME": str(home), "OTKLIK_PSEUDONYM_KEY": key}


def _home(folder: Path, heap: str) -> Path:
    """The project's conf and jobs with another heap."""
    home = folder / f"home-{heap}"
    shutil.rmtree(home, ignore_errors=True)
    for part in ("conf", "jobs"):
        shutil.copytree(PROJECT / part, home / part)
    properties = home / "conf" / "spark" / "local.conf"
    lines = properties.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if not line.startswith("spark.driver.memory ")]
    properties.write_text("\n".join([*others, f"spark.driver.memory {heap}", ""]), encoding="utf-8")
    return home


def _task(case: str) -> str:
    columns = QUESTIONS[case].columns
    title = f'{{ en = "{case.title()} at scale", ru = "Масштаб: {case}" }}'
    return (
        f'name = "{case}_scale"\nkind = "{case}"\ntitle = {title}\nquestion = {title}\n{QUESTIONS[case].task}\n'
        '[inputs]\nrecords = "silver.rows"\n'
        f"[frames.{'sales' if case == 'demand' else 'purchases'}.columns]\n"
        + "".join(f'{name} = "`{name}`"\n' for name in columns)
    )


def _lake(folder: Path, given: argparse.Namespace) -> Path:
    """The lake with the rows of a question, made by a process of its own: no Java stays beside what is measured."""
    lake = folder / f"{given.case}-{given.size}"
    if not (lake / "whole").exists():
        shutil.rmtree(lake, ignore_errors=True)
        maker = multiprocessing.get_context("spawn").Process(
            target=_fill, args=(lake, given.case, given.size, given.heap)
        )
        maker.start()
        maker.join()
        if maker.exitcode:
            raise SystemExit(maker.exitcode)
        (lake / "whole").touch()
    return lake


def _fill(lake: Path, case: str, size: int, heap: str) -> None:
    question = QUESTIONS[case]
    contract = validate(
        Contract,
        {
            "name": "rows",
            "format": {"kind": "parquet"},
            "columns": {name: {"type": kind, "required": True} for name, kind in question.columns.items()},
            "key": {"columns": "all"},
            "time": {"order": "event", "event": "moment", "known": "event"},
        },
        "scale",
    )
    (lake / "temporary").mkdir(parents=True)
    begun = time.monotonic()
    with spark_session(lake / "temporary", os.cpu_count() or 1, heap) as spark:
        rows = question.rows(spark, size).selectExpr("*", "moment AS known_at", "0L AS _record_no")
        fill(Lake(spark, str(lake)), contract, rows, size)
    shutil.rmtree(lake / "temporary", ignore_errors=True)
    sys.stderr.write(f"rows of {case} {size:,}: made in {time.monotonic() - begun:.0f} s\n")


def _unbalanced(lake: Path, world: Path, parts: list[str]) -> int:
    """Compare the ledger's sums with what was planted; returns 1 where they differ."""
    counts = ("rows", "accepted", "rejected", "duplicates")
    found: dict[str, dict[str, int]] = {}
    for row in LocalLake(lake).table("ops.files").all_rows(["source", *counts]).to_pylist():
        sums = found.setdefault(row["source"], dict.fromkeys(counts, 0))
        sums |= {name: sums[name] + row[name] for name in counts}
    wrong = 0
    for source, planted in _planted(world, parts):
        is_exact = found.get(source) == planted
        wrong |= not is_exact
        sys.stdout.write(f"{source}: {planted} {'exact' if is_exact else f'found {found.get(source)}'}\n")
    return wrong


def _planted(world: Path, parts: list[str]) -> Iterator[tuple[str, dict[str, int]]]:
    for part in parts:
        folder = world / ("defects.json" if part == "bank" else f"facts/{part}.json")
        for file in sorted(folder.glob("*.json")):
            for line in file.read_text(encoding="utf-8").splitlines():
                facts: dict[str, Any] = json.loads(line)
                rejected = sum(facts["defects"].values())
                yield facts["source"], {
                    "rows": facts["rows"],
                    "accepted": facts["rows"] - rejected - facts["duplicates"],
                    "rejected": rejected,
                    "duplicates": facts["duplicates"],
                }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
