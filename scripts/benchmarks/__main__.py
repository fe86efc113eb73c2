"""Times every job beside what a user would pick instead: see scripts/benchmark."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmarks import bars, figures, machine, page, plan, plot, process
from scripts.benchmarks.child import Order
from scripts.benchmarks.contenders import CONTENDERS, LAYOUTS, OURS, TRIALS
from scripts.benchmarks.evidence import Evidence, evidence_of
from scripts.benchmarks.figures import Board, Result
from scripts.benchmarks.inputs import kept
from scripts.benchmarks.inputs.places import WORLD, WORLD_TASK
from scripts.benchmarks.plan import Entry, Start
from scripts.benchmarks.stages import spent_between

from otklik.lake.identity import code_version

PROJECT = Path(__file__).resolve().parents[2]
#: Of ours with the event log on: cold, then the one that is looked at.
_LOGGED_REPETITIONS = 2
#: Of the built-in world's customers, which are as many as --rows.
_LEAST, _MOST = 10_000, 1_000_000
#: Share of the machine's processors that the watching itself takes, and what a system does at rest.
_QUIET = 0.05
_WITHOUT_INPUT = process.Done(None, process.Memory(0.0, 0.0, 0.0), "its input could not be made")


class Bench:
    """A folder with inputs and results; what it has already is not measured again.

    Args:
        folder: where everything goes.
        given: the arguments.
        say: is told of the progress.
    """

    def __init__(self, folder: Path, given: argparse.Namespace, say: Callable[[str], None]) -> None:
        self._folder, self._given, self._say = folder, given, say
        # Results of other code, another machine, another heap or other cores are not results of this.
        about = machine.description()
        place = f"{about['processor']}, {about['cores']} cores, {about['memory']}"
        self._code = f"{code_version()}+{_version_of_the_work()}, {given.cores} cores, heap {given.heap}, {place}"
        self._file = folder / "results.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._done: dict[str, Result] = {}
        self._failed: dict[str, Result] = {}
        for result in read_results(self._file):
            if result["code"] == self._code:
                self._note(result)

    @property
    def results(self) -> list[Result]:
        """All that was measured under these conditions, and the last failure of what could not be."""
        return [*self._done.values(), *self._failed.values()]

    def measure(self, entries: list[Entry], left_out: Collection[str]) -> None:
        """Run the processes that are not among the results yet; what failed is tried again."""
        missing = [s for s in plan.starts(entries) if s.contender not in left_out and s.name not in self._done]
        inputs: dict[tuple[str, int], bool] = {}
        for number, start in enumerate(missing, start=1):
            of_entry = (start.entry.case, start.entry.rows)
            if of_entry not in inputs:
                inputs[of_entry] = self._make_inputs(*of_entry)
            begun = time.monotonic()
            result = self._run(start) if inputs[of_entry] else self._result(start, _WITHOUT_INPUT)
            said = result["fault"] or ", ".join(f"{seconds:.2f}" for seconds in result["seconds"]) + " s"
            others = f", others took {result['others']:.0%}" if result["others"] > _QUIET else ""
            self._say(
                f"{number} of {len(missing)}: {start.name}: {said} ({time.monotonic() - begun:.0f} s in all{others})"
            )
            self._keep(result)

    def look_into(self, entries: list[Entry]) -> None:
        """Run ours once more per case with Spark's event log on."""
        for entry in entries:
            name = f"{entry.case} {entry.rows} stages"
            if name in self._done or not self._make_inputs(entry.case, entry.rows):
                continue
            order = self._order(entry, OURS, _LOGGED_REPETITIONS if entry.warm else 1, event_log=True)
            done = process.run(order, self._given.patience)
            result = {"name": name, "code": self._code, "fault": done.fault, "case": entry.case, "rows": entry.rows}
            if done.result is not None:
                result |= self._spent_in(order, done.result)
            self._say(f"{name}: {done.fault or 'noted'}")
            self._keep(result)
            self._clear(order)

    def spent(self, entries: list[Entry]) -> list[dict[str, Any]]:
        """Where the time of these cases went, part by part."""
        names = {f"{entry.case} {entry.rows} stages" for entry in entries}
        names |= {start.name for start in plan.starts(entries) if start.is_logged}
        found = [result for name, result in self._done.items() if name in names and "spent" in result]
        return [{"case": r["case"], "rows": r["rows"], **part} for r in found for part in r["spent"]]

    def _make_inputs(self, case: str, rows: int) -> bool:
        """Make the inputs that a case lacks, in a process of their own; whether they are there now."""
        folder = self._folder / "inputs"
        wanted = kept.missing(folder, case, rows)
        if not wanted:
            return True
        order = {"folder": str(folder), "cores": self._given.cores, "heap": self._given.heap, "wanted": wanted}
        command = [sys.executable, "-m", "scripts.benchmarks.inputs", json.dumps(order)]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0

    def _run(self, start: Start) -> Result:
        order = self._order(start.entry, start.contender, 1 + start.entry.warm, event_log=start.is_logged)
        done = process.run(order, self._given.patience)
        if done.result is None:
            return self._result(start, done)
        inputs = {name: Path(path) for name, path in order.inputs.items()}
        try:
            evidence = evidence_of(start.entry.case, Path(order.folder), done.result, inputs)
        except Exception as fault:
            # Whatever a contender wrote must not end the measuring of all others.
            return self._result(start, replace(done, result=None, fault=f"what it wrote cannot be judged: {fault!r}"))
        spent = self._spent_in(order, done.result) if start.is_logged else {}
        self._clear(order)
        return self._result(start, done, evidence) | spent

    def _result(self, start: Start, done: process.Done, evidence: Evidence | None = None) -> Result:
        return figures.result_of(start, done, evidence, self._code, f"{datetime.now(UTC):%Y-%m-%d}")

    def _spent_in(self, order: Order, result: Mapping[str, Any]) -> Result:
        """Where the time of the last repetition went, all of it and part by part."""
        events = Path(order.folder) / "events"
        return {
            "spent": [
                {"part": part, **page.without_places(spent_between(events, *span).to_dict())}
                for part, span in result["spans"].items()
            ]
        }

    def _order(self, entry: Entry, contender: str, repetitions: int, *, event_log: bool = False) -> Order:
        inputs = kept.inputs_of(self._folder / "inputs", entry.case, entry.rows)
        return Order(
            contender=contender,
            case=entry.case,
            inputs={name: str(path) for name, path in inputs.items()},
            folder=str(self._folder / "runs" / f"{entry.case}-{contender}"),
            repetitions=repetitions,
            cores=self._given.cores,
            heap=self._given.heap,
            event_log=event_log,
        )

    def _keep(self, result: Result) -> None:
        self._note(result)
        with self._file.open("a", encoding="utf-8") as file:
            # After a line that was cut off in the middle this one begins anew.
            file.write(f"\n{json.dumps(result, ensure_ascii=False)}\n")
            file.flush()
            os.fsync(file.fileno())

    def _note(self, result: Result) -> None:
        name = result["name"]
        if not result["fault"]:
            self._done[name] = result
            self._failed.pop(name, None)
        elif name not in self._done:
            self._failed[name] = result

    def _clear(self, order: Order) -> None:
        """The log of a run stays; what it wrote goes."""
        for name in ("out", "events", "spark", "warehouse"):
            shutil.rmtree(Path(order.folder) / name, ignore_errors=True)


def read_results(file: Path) -> Iterator[Result]:
    """Whole lines; one that was cut off is measured again."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def main() -> int:
    """Measure what is missing, then write the results; returns 1 if Otklik itself could not be."""
    parser = _arguments()
    given = parser.parse_args()
    _refuse(parser, given)
    # So that the process under way is ended, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = Path(given.folder).resolve()
    entries = plan.quick() if given.quick else plan.full(given.rows, given.rounds, given.warm)
    entries = plan.only(entries, _named(given.cases), _named(given.contenders))
    left_out = {name: "left out: not installed" for name, each in CONTENDERS.items() if not each.is_installed}
    for name in sorted(left_out):
        _say(f"{CONTENDERS[name].title} is left out: it is not installed")
    bench = Bench(folder, given, _say)
    if not given.only_page:
        bench.measure(entries, left_out)
        if not given.quick:
            bench.look_into(plan.looked_into(entries))
    boards = figures.boards(entries, bench.results, left_out)
    return _write(folder, given, boards, bench.spent(entries), bench.results)


def _refuse(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Stop where the arguments do not go together."""
    if not given.quick and not _LEAST <= given.rows <= _MOST:
        parser.error(
            f"--rows {given.rows}: give {_LEAST:,} to {_MOST:,}, as many customers as the built-in world may have"
        )
    if given.cores > len(os.sched_getaffinity(0)):
        parser.error(f"--cores {given.cores}: there are {len(os.sched_getaffinity(0))}")
    if given.docs and (given.cases or given.contenders or given.quick):
        parser.error("--docs: the page is about all cases; leave --cases, --contenders and --quick out")


def _write(
    folder: Path, given: argparse.Namespace, boards: list[Board], spent: list[dict[str, Any]], results: list[Result]
) -> int:
    days = sorted({result["day"] for result in results if "day" in result})
    setting = page.Setting(
        machine.description(),
        " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        code_version(),
        given.cores,
        given.heap,
        _command(given),
    )
    found = {"setting": asdict(setting), "boards": [asdict(board) for board in boards], "spent": spent}
    found["promises"] = [{**asdict(verdict), "holds": verdict.holds} for verdict in bars.verdicts(boards)]
    (folder / "results.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    for place in [folder, *([PROJECT / "docs"] if given.docs else [])]:
        text, picture, raw = (place / f"performance.{kind}" for kind in ("md", "svg", "jsonl"))
        name = picture.name if plot.draw(boards, picture) else None
        raw.write_text("".join(f"{json.dumps(result, ensure_ascii=False)}\n" for result in results), encoding="utf-8")
        text.write_text(page.page(boards, spent, setting, name, raw.name), encoding="utf-8")
        _say(f"written: {text}")
    differing = [f for board in boards for f in board.figures if f.is_measured and f.fault]
    for figure in differing:
        _say(f"the gate: {CONTENDERS[figure.contender].title}: {figure.fault}")
    ours = [figure for board in boards for figure in board.figures if figure.contender in (OURS, TRIALS, LAYOUTS)]
    return 0 if all(figure.is_sound for figure in ours) else 1


def _command(given: argparse.Namespace) -> str:
    """What measures the same again."""
    size = "--quick" if given.quick else f"--rows {given.rows} --rounds {given.rounds} --warm {given.warm}"
    chosen = "".join(f" --{name} {value}" for name in ("cases", "contenders") if (value := getattr(given, name)))
    return f"./scripts/benchmark {size}{chosen} --cores {given.cores} --heap {given.heap}"


def _version_of_the_work() -> str:
    """A hash of what contenders do, how they are started, of the settings they use and of every library's version."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("work", "child", "process", "content", "evidence", "stages")]
    files += [here.parent / "requirements.txt", here.parent / "peers.txt"]
    files += [file for room in ("contenders", "inputs", "conf") for file in sorted((here / room).glob("*.*"))]
    conf = PROJECT / "conf"
    files += [conf / "spark" / name for name in ("local.conf", "log4j2.properties")]
    files += [conf / "sources" / f"{source}.toml" for source in WORLD]
    files.append(conf / "tasks" / f"{WORLD_TASK}.toml")
    java = machine.description()["Java"].encode()
    return hashlib.sha256(b"\0".join([java, *(file.read_bytes() for file in files)])).hexdigest()[:12]


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
