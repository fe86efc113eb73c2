"""Times every job beside what a user would pick instead: see scripts/benchmark."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmarks import bars, figures, gate, machine, page, plan, plot, process
from scripts.benchmarks.child import Order
from scripts.benchmarks.contenders import CONTENDERS, LAYOUTS, OURS, TRIALS
from scripts.benchmarks.figures import Result
from scripts.benchmarks.inputs import kept
from scripts.benchmarks.plan import Entry, Start
from scripts.benchmarks.stages import spent_between

from otklik.lake.identity import code_version

PROJECT = Path(__file__).resolve().parents[2]
#: Of ours with the event log on: cold, then the one that is looked at.
_LOGGED_REPETITIONS = 2


class Bench:
    """A folder with inputs and results; what it has already is not measured again.

    Args:
        folder: where everything goes.
        given: the arguments.
        say: is told of the progress.
    """

    def __init__(self, folder: Path, given: argparse.Namespace, say: Callable[[str], None]) -> None:
        self._folder, self._given, self._say = folder, given, say
        # Results of other code, another heap or other cores are not results of this.
        self._code = f"{code_version()}+{_version_of_the_work()}, {given.cores} cores, heap {given.heap}"
        self._file = folder / "results.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        found: list[Result] = [json.loads(line) for line in lines]
        # What failed is tried again by the next start.
        self._done = {
            result["name"]: result for result in found if result["code"] == self._code and not result["fault"]
        }

    @property
    def results(self) -> list[Result]:
        """All that was measured under these conditions."""
        return list(self._done.values())

    def make_inputs(self, entries: list[Entry]) -> None:
        """Make the inputs that are missing, in a process of their own.

        Raises:
            SystemExit: if one cannot be made.
        """
        inputs = self._folder / "inputs"
        wanted = kept.missing(inputs, [(entry.case, entry.rows) for entry in entries])
        if not wanted:
            return
        order = {"folder": str(inputs), "cores": self._given.cores, "heap": self._given.heap, "wanted": wanted}
        command = [sys.executable, "-m", "scripts.benchmarks.inputs", json.dumps(order)]
        if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
            sys.exit("an input could not be made; what was said of it is above")

    def measure(self, starts: list[Start]) -> None:
        """Run the processes that are not among the results yet."""
        missing = [start for start in starts if start.name not in self._done]
        for number, start in enumerate(missing, start=1):
            begun = time.monotonic()
            result = self._run(start)
            said = result["fault"] or ", ".join(f"{seconds:.2f}" for seconds in result["seconds"]) + " s"
            self._say(f"{number} of {len(missing)}: {start.name}: {said} ({time.monotonic() - begun:.0f} s in all)")
            self._keep(result)

    def look_into(self, entries: list[Entry]) -> None:
        """Run ours once more per case with Spark's event log on."""
        for entry in entries:
            name = f"{entry.case} {entry.rows} stages"
            if name in self._done or OURS not in entry.contenders:
                continue
            order = self._order(entry, OURS, _LOGGED_REPETITIONS if entry.warm else 1, event_log=True)
            done = process.run(order, self._given.patience)
            result = {"name": name, "code": self._code, "fault": done.fault, "case": entry.case, "rows": entry.rows}
            if done.result is not None:
                ended = done.result["ended"]
                spent = spent_between(Path(order.folder) / "events", ended - done.result["seconds"][-1], ended)
                result["spent"] = spent.to_dict()
            self._say(f"{name}: {done.fault or 'noted'}")
            self._keep(result)
            self._clear(order)

    def spent(self, entries: list[Entry]) -> list[dict[str, Any]]:
        """Where the time of these cases went."""
        found = [self._done.get(f"{entry.case} {entry.rows} stages") for entry in entries]
        return [{"case": r["case"], "rows": r["rows"], **r["spent"]} for r in found if r is not None and "spent" in r]

    def _run(self, start: Start) -> Result:
        order = self._order(start.entry, start.contender, 1 + start.entry.warm)
        done = process.run(order, self._given.patience)
        evidence = None
        if done.result is not None:
            inputs = {name: Path(path) for name, path in order.inputs.items()}
            evidence = gate.evidence_of(start.entry.case, Path(order.folder), done.result, inputs)
            self._clear(order)
        return figures.result_of(start, done, evidence, self._code)

    def _order(self, entry: Entry, contender: str, repetitions: int, event_log: bool = False) -> Order:
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
        if not result["fault"]:
            self._done[result["name"]] = result
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")

    def _clear(self, order: Order) -> None:
        """The log of a run stays; what it wrote goes."""
        for name in ("out", "events", "spark", "warehouse"):
            shutil.rmtree(Path(order.folder) / name, ignore_errors=True)


def main() -> int:
    """Measure what is missing, then write the results; returns 1 if Otklik itself could not be."""
    given = _arguments().parse_args()
    # So that the process under way is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(given.folder).resolve()
    entries = plan.quick() if given.quick else plan.full(given.rows, given.rounds, given.warm)
    entries = plan.only(entries, _named(given.cases), _named(given.contenders))
    left_out = {name: "left out: not installed" for name, each in CONTENDERS.items() if not each.is_installed}
    for name in sorted(left_out):
        _say(f"{CONTENDERS[name].title} is left out: it is not installed")
    bench = Bench(folder, given, _say)
    bench.make_inputs(entries)
    bench.measure([start for start in plan.starts(entries) if start.contender not in left_out])
    if not given.quick:
        bench.look_into(plan.looked_into(entries))
    boards = figures.boards(entries, bench.results, left_out)
    return _write(folder, given, boards, bench.spent(entries))


def _write(folder: Path, given: argparse.Namespace, boards: list[figures.Board], spent: list[dict[str, Any]]) -> int:
    size = "--quick" if given.quick else f"--rows {given.rows}"
    setting = page.Setting(
        machine.description(),
        f"{datetime.now(UTC):%Y-%m-%d}",
        code_version(),
        given.cores,
        given.heap,
        f"./scripts/benchmark {size} --docs",
    )
    found = {"setting": asdict(setting), "boards": [asdict(board) for board in boards], "spent": spent}
    found["promises"] = [{**asdict(verdict), "holds": verdict.holds} for verdict in bars.verdicts(boards)]
    (folder / "results.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    targets = [(folder / "performance.md", folder / "performance.svg")]
    if given.docs:
        targets.append((PROJECT / "docs" / "performance.md", PROJECT / "docs" / "performance.svg"))
    for text, picture in targets:
        name = picture.name if plot.draw(boards, picture) else None
        text.write_text(page.page(boards, spent, setting, name), encoding="utf-8")
        _say(f"written: {text}")
    differing = [f for board in boards for f in board.figures if f.is_measured and f.fault]
    for figure in differing:
        _say(f"the gate: {CONTENDERS[figure.contender].title}: {figure.fault}")
    ours = [figure for board in boards for figure in board.figures if figure.contender in (OURS, TRIALS, LAYOUTS)]
    return 0 if all(figure.is_sound for figure in ours) else 1


def _version_of_the_work() -> str:
    """A hash of what contenders do, how they are started and judged, of settings and of every library's version."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("work", "child", "process", "gate", "content", "stages")]
    files += [here.parent / "requirements.txt", here.parent / "peers.txt"]
    files += [file for room in ("contenders", "inputs", "conf") for file in sorted((here / room).glob("*.*"))]
    files += sorted(file for file in (PROJECT / "conf").rglob("*.*") if file.is_file())
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
    parser.add_argument("--patience", metavar="SECONDS", type=float, default=7200, help="per process (7200)")
    parser.add_argument("--folder", default="benchmark", help="for inputs and results; a second start goes on there")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and its picture, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
