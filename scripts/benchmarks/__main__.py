"""Times every job beside what a user would pick instead: see scripts/benchmark."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from scripts.benchmarks import figures, inputs, page, plan, process
from scripts.benchmarks.child import Order
from scripts.benchmarks.contenders import CONTENDERS, OURS
from scripts.benchmarks.figures import Result
from scripts.benchmarks.judge import Evidence, evidence_of
from scripts.benchmarks.plan import Entry, Start

from otklik.lake.identity import code_version

PROJECT = Path(__file__).resolve().parents[2]
#: Of the built-in world's customers, which are as many as --rows.
_LEAST, _MOST = 10_000, 1_000_000
#: Share of the machine's processors that the watching itself takes, and what a system does at rest.
_QUIET = 0.05
_PACKAGES = (
    "pyspark", "delta-spark", "pandas", "numpy", "pyarrow", "scikit-learn", "polars", "duckdb", "xgboost-cpu",
    "xgboost",
)  # fmt: skip


def measure(
    folder: Path, given: argparse.Namespace, entries: list[Entry], code: str, left_out: Collection[str]
) -> None:
    """Run the processes that have no result under these conditions yet; what failed is tried again."""
    file = folder / "results.jsonl"
    done = {result["name"] for result in read_results(file) if result.get("code") == code and not result["fault"]}
    missing = [s for s in plan.starts(entries) if s.contender not in left_out and s.name not in done]
    for number, start in enumerate(missing, start=1):
        begun = time.monotonic()
        result = _run(folder, given, start, code)
        said = result["fault"] or ", ".join(f"{seconds:.2f}" for seconds in result["seconds"]) + " s"
        others = f", others took {result['others']:.0%}" if result["others"] > _QUIET else ""
        _say(f"{number} of {len(missing)}: {start.name}: {said} ({time.monotonic() - begun:.0f} s in all{others})")
        _keep(file, result)


def _run(folder: Path, given: argparse.Namespace, start: Start, code: str) -> Result:
    entry, day = start.entry, f"{datetime.now(UTC):%Y-%m-%d}"
    places = inputs.made(folder / "inputs", entry.case, entry.rows, given.cores, given.heap)
    order = Order(
        contender=start.contender,
        case=entry.case,
        inputs={name: str(path) for name, path in places.items()},
        folder=str(folder / "runs" / f"{entry.case}-{start.contender}"),
        repetitions=1 + entry.warm,
        cores=given.cores,
        heap=given.heap,
    )
    done = process.run(order, given.patience)
    evidence: Evidence | None = None
    if done.result is not None:
        try:
            evidence = evidence_of(entry.case, Path(order.folder), done.result)
        except Exception as fault:
            # Whatever a contender wrote must not end the measuring of all others.
            done = replace(done, result=None, fault=f"what it wrote cannot be judged: {fault!r}")
        # The log of a run stays; what it wrote goes.
        for name in ("out", "spark", "warehouse"):
            shutil.rmtree(Path(order.folder) / name, ignore_errors=True)
    return figures.result_of(start, done, evidence, code, day)


def read_results(file: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; one that was cut off is measured again."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def _keep(file: Path, line: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as opened:
        # After a line that was cut off in the middle this one begins anew.
        opened.write(f"\n{json.dumps(line, ensure_ascii=False)}\n")
        opened.flush()
        os.fsync(opened.fileno())


def main() -> int:
    """Measure what is missing, then write the results; returns 1 if Otklik itself could not be."""
    parser = _arguments()
    given = parser.parse_args()
    _refuse(parser, given)
    # So that the process under way is ended, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = Path(given.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    entries = plan.quick() if given.quick else plan.full(given.rows, given.rounds, given.warm)
    entries = plan.only(entries, _named(given.cases), _named(given.contenders))
    left_out = {name: "left out: not installed" for name, each in CONTENDERS.items() if not each.is_installed}
    if not given.only_page:
        for name in sorted(left_out):
            _say(f"{CONTENDERS[name].title} is left out: it is not installed")
        machine = description()
        # Results of other code, another machine, another heap or other cores are not results of this.
        conditions = [f"{code_version()}+{_version_of_the_work(machine)}", f"{given.cores} cores", f"heap {given.heap}"]
        code = ", ".join([*conditions, machine["processor"], machine["memory"]])
        setting = {"command": _command(given), "cores": given.cores, "heap": given.heap, "code": code}
        _keep(folder / "results.jsonl", {"setting": setting | {"machine": machine}})
        measure(folder, given, entries, code, left_out)
    return write(folder, entries, left_out, [folder, *([PROJECT / "docs"] if given.docs else [])])


def write(folder: Path, entries: list[Entry], left_out: dict[str, str], places: list[Path]) -> int:
    """Write page, picture and lines of what was measured last; returns 1 if Otklik itself could not be.

    Args:
        folder: with results.jsonl.
        entries: the plan.
        left_out: contender → why it does not take part.
        places: folders to write to.
    """
    lines = list(read_results(folder / "results.jsonl"))
    setting = [line["setting"] for line in lines if "setting" in line][-1]
    # Of what was tried again the last attempt counts.
    results = list({line["name"]: line for line in lines if line.get("code") == setting["code"]}.values())
    boards = figures.boards(entries, results, left_out)
    for place in places:
        text, picture, raw = (place / f"performance.{kind}" for kind in ("md", "svg", "jsonl"))
        name = picture.name if page.draw(boards, picture) else ""
        kept = [json.dumps(line, ensure_ascii=False) for line in ({"setting": setting}, *results)]
        raw.write_text("\n".join([*kept, ""]), encoding="utf-8")
        text.write_text(page.page(boards, results, setting, name, raw.name), encoding="utf-8")
        _say(f"written: {text}")
    ours = [figure for board in boards for figure in board.figures if figure.contender == OURS]
    return 0 if all(figure.is_sound for figure in ours) else 1


def description() -> dict[str, str]:
    """What it runs on, by name; a package that is not installed is left out."""
    found = {"processor": platform.processor() or platform.machine(), "cores": f"{psutil.cpu_count()}"}
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        found["processor"] = next(iter(names), found["processor"])
    found["memory"] = f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
    found["system"] = platform.platform(aliased=True, terse=True)
    with contextlib.suppress(OSError):
        found["system"] = platform.freedesktop_os_release()["PRETTY_NAME"]
    found["Python"] = platform.python_version()
    java = Path(os.environ.get("JAVA_HOME", "/usr")) / "bin" / "java"
    with contextlib.suppress(OSError):
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        found["Java"] = said.partition('"')[2].partition('"')[0]
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found | {"Otklik": code_version()}


def _version_of_the_work(machine: dict[str, str]) -> str:
    """A hash of what contenders do, of the settings they use, and of Java's and every library's version."""
    here, conf = Path(__file__).parent, PROJECT / "conf"
    files = [file for room in ("", "contenders", "conf") for file in sorted((here / room).glob("*.*"))]
    files = [file for file in files if file.name not in ("page.py", "figures.py", "__main__.py")]
    files += [here.parent / "requirements.txt", here.parent / "peers.txt"]
    files += [conf / "spark" / name for name in ("local.conf", "log4j2.properties")]
    files += [conf / "sources" / f"{source}.toml" for source in inputs.WORLD]
    files.append(conf / "tasks" / f"{inputs.WORLD_TASK}.toml")
    text = b"\0".join([machine.get("Java", "").encode(), *(file.read_bytes() for file in files)])
    return hashlib.sha256(text).hexdigest()[:12]


def _refuse(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Stop where the arguments do not go together."""
    if not given.quick and not _LEAST <= given.rows <= _MOST:
        parser.error(
            f"--rows {given.rows}: give {_LEAST:,} to {_MOST:,}, as many customers as the built-in world may have"
        )
    if given.cores > len(os.sched_getaffinity(0)):
        parser.error(f"--cores {given.cores}: there are {len(os.sched_getaffinity(0))}")
    for option, text, known in (("cases", given.cases, plan.TITLES), ("contenders", given.contenders, CONTENDERS)):
        if unknown := [name for name in _named(text) if name not in known]:
            parser.error(f"--{option} {', '.join(unknown)}: known are {', '.join(known)}")
    if given.docs and (given.cases or given.contenders or given.quick):
        parser.error("--docs: the page is about all cases; leave --cases, --contenders and --quick out")


def _command(given: argparse.Namespace) -> str:
    """What measures the same again."""
    size = "--quick" if given.quick else f"--rows {given.rows} --rounds {given.rounds} --warm {given.warm}"
    chosen = "".join(f" --{name} {value}" for name in ("cases", "contenders") if (value := getattr(given, name)))
    return f"./scripts/benchmark {size}{chosen} --cores {given.cores} --heap {given.heap}"


def _named(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__)
    parser.add_argument("--rows", metavar="N", type=int, default=1_000_000, help="sizes follow from it (1,000,000)")
    parser.add_argument("--quick", action="store_true", help="fixed small sizes; done within five minutes on 2 cores")
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="processes per contender and case (3)")
    parser.add_argument("--warm", metavar="N", type=int, default=2, help="warm repetitions in each process (2)")
    parser.add_argument("--cases", metavar="A,B", default="", help=f"of {', '.join(plan.TITLES)}; default: all")
    parser.add_argument("--contenders", metavar="A,B", default="", help=f"of {', '.join(CONTENDERS)}; default: all")
    parser.add_argument("--cores", metavar="N", type=int, default=2, help="for everybody (2)")
    parser.add_argument("--heap", metavar="SIZE", default="4g", help="of every JVM (4g)")
    parser.add_argument("--patience", metavar="SECONDS", type=float, default=14400, help="per process (14400)")
    parser.add_argument("--folder", default="benchmark", help="for inputs and results; a second start goes on there")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and its picture, too")
    parser.add_argument("--only-page", action="store_true", help="measure nothing; write the page of what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
