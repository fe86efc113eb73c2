"""Kill real commands on a small lake, run them again, and compare with a lake on which nobody was killed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from pyspark.sql import SparkSession
from tests.conftest import JAVA_FOR_FEW_ROWS, PLANS_FOR_FEW_ROWS, PROJECT
from tests.faults.small_lake import STAGES, Stage, write_files
from tests.faults.stop_at import POINTS, java_of

from otklik import cli
from otklik.errors import PlatformError
from otklik.lake.content import content_hash
from otklik.lake.identity import code_version
from otklik.lake.lease import LEASE
from otklik.lake.maintenance import table_names
from otklik.lake.store import Lake
from otklik.lake.tables import FILES
from otklik.models.registry import history, load

Victim = Literal["python", "java", "both"]
VICTIMS: tuple[Victim, ...] = ("python", "java", "both")
#: Columns that differ because of when and on which versions a run was made, not because of what it found.
_OF_THE_RUN = {"run_id", "folder", "manifest_hash", "table_versions", "started_at", "ended_at", "bytes"}
_LEDGER = ("source", "file", "content_hash", "rows", "inserted", "updated", "rejected", "duplicates", "status")
#: Seconds after which a command is given up.
_PATIENCE = 300
#: Seconds within which a command whose JVM was killed is over.
_SOON = 60
#: Characters of what a command said that a difference quotes.
_MOST_OF_IT = 400


@dataclass(frozen=True)
class Result:
    """What became of one round: no differences is what should be.

    Attributes:
        name: the point, the moment or the pair.
        victim: who was killed, or is written to.
        differences: what is not as it would be had nobody been killed.
        seconds: that the round took.
        reached: whether a command was killed, or held, before it was over; None where none was to be.
        committed: whether it had made a commit by then; None where none was killed.
        met: whether one of two writers had to wait for the other or was refused; None where there was but one.
        codes: exit codes of the commands that nobody killed.
        drafts: of killed commits that are still there at the end.
    """

    name: str
    victim: Victim
    differences: tuple[str, ...]
    seconds: float
    reached: bool | None = None
    committed: bool | None = None
    met: bool | None = None
    codes: tuple[int, ...] = ()
    drafts: tuple[str, ...] = ()


class Bench:
    """The small lake after every stage, made once in a folder, and what it should look like.

    Args:
        folder: where it is, or is to be made; a folder that is there already is used again.
        spark: to look into lakes.
    """

    def __init__(self, folder: Path, spark: SparkSession) -> None:
        self.folder, self.spark = folder, spark
        self.files = folder / "files"
        write_files(self.files)
        self._expected: dict[tuple[str, ...], dict[str, str]] = {}
        self._seconds: dict[tuple[str, ...], float] = {}

    def command(self, lake: Path, *arguments: str, wait: float = 120) -> list[str]:
        """A real command as a list of arguments."""
        given = [argument.replace("{files}", str(self.files)) for argument in arguments]
        return [sys.executable, "-m", "otklik.cli", *given, "--lake", str(lake), "--wait", f"{wait:g}"]

    def run(self, lake: Path, *arguments: str, wait: float = 120) -> int:
        """The same command inside this process, which has a warm session; returns its exit code."""
        with contextlib.redirect_stdout(io.StringIO()):
            return cli.main(self.command(lake, *arguments, wait=wait)[3:])

    def before(self, stage: str) -> Path:
        """A fresh copy of the lake as it is before a stage."""
        place = [each.name for each in STAGES].index(stage)
        return self._copy(self._after(place - 1) if place else None)

    def seconds(self, before: str, arguments: tuple[str, ...]) -> float:
        """How long a real command takes before a stage, from the start of its process, if nobody kills it."""
        if (before, *arguments) not in self._seconds:
            lake, begun = self.before(before), time.monotonic()
            code = start(self.command(lake, *arguments)).wait()
            if code:
                raise RuntimeError(f"{' '.join(arguments)} ended with {code}")
            self._seconds[before, *arguments] = time.monotonic() - begun
            shutil.rmtree(lake)
        return self._seconds[before, *arguments]

    def expected(self, stage: str, then: tuple[str, ...] = ()) -> dict[str, str]:
        """What a lake holds after a stage, and one more command, if nobody was killed."""
        if (stage, *then) not in self._expected:
            lake = self._after([each.name for each in STAGES].index(stage))
            if then:
                lake = self._copy(lake)
                self.run(lake, *then)
            self._expected[stage, *then] = fingerprint(self.spark, lake)
            if then:
                shutil.rmtree(lake)
        return self._expected[stage, *then]

    def differences(self, lake: Path, stage: str, then: tuple[str, ...] = ()) -> tuple[str, ...]:
        """In what a lake differs from one on which nobody was killed."""
        expected, found = self.expected(stage, then), fingerprint(self.spark, lake)
        return tuple(
            f"{name}: {found.get(name, 'missing')[:60]} instead of {expected.get(name, 'nothing')[:60]}"
            for name in sorted({*expected, *found})
            if expected.get(name) != found.get(name)
        )

    def _after(self, place: int) -> Path:
        # Results of other code are not found again: runs are named after it.
        done = self.folder / "stages" / code_version() / f"{place}"
        if not done.exists():
            lake = self._copy(self._after(place - 1) if place else None)
            code = self.run(lake, *STAGES[place].arguments)
            if code:
                raise RuntimeError(f"{STAGES[place].name} ended with {code}")
            done.parent.mkdir(parents=True, exist_ok=True)
            lake.rename(done)
        return done

    def _copy(self, of: Path | None) -> Path:
        lake = self.folder / f"lake-{time.monotonic_ns()}"
        if of is not None:
            shutil.copytree(of, lake)
        else:
            lake.mkdir(parents=True)
        return lake


def stage_named(name: str) -> Stage:
    """The stage with this name."""
    return next(stage for stage in STAGES if stage.name == name)


@dataclass(frozen=True)
class Doomed:
    """A command that stands at a fault point, and the lake it works on."""

    lake: Path
    process: subprocess.Popen[str]
    reached: bool
    before: frozenset[str]


def doom(bench: Bench, point: str, tries: int = 3) -> Doomed:
    """Start the point's command on a fresh lake and wait until it stands there.

    The moment before a commit is short: on a busy machine it may be over before it was seen, and then all starts anew.
    """
    stage = stage_named(POINTS[point].stage)
    lake = bench.before(stage.name)
    before = commits(lake)
    mark = lake.with_suffix(".mark")
    ordinary = bench.command(lake, *stage.arguments)
    process = start([sys.executable, "-m", "tests.faults.stop_at", point, str(mark), str(lake), "--", *ordinary[3:]])
    reached = wait_for(mark, process)
    if not reached and tries > 1:
        kill(process, "both")
        shutil.rmtree(lake)
        return doom(bench, point, tries - 1)
    return Doomed(lake, process, reached, before)


def kill_at_point(bench: Bench, point: str, victim: Victim, doomed: Doomed | None = None) -> Result:
    """One round: the point's command is killed there, run again, and what is left is compared."""
    stage, begun = stage_named(POINTS[point].stage), time.monotonic()
    doomed = doomed or doom(bench, point)
    committed = commits(doomed.lake) > doomed.before
    kill(doomed.process, victim)
    after = _gone_on(bench, doomed.lake, stage, POINTS[point].then)
    return Result(
        point,
        victim,
        after.differences,
        round(time.monotonic() - begun, 1),
        reached=doomed.reached,
        committed=committed,
        codes=after.codes,
        drafts=after.drafts,
    )


class Ahead:
    """Starts the commands of the next points while one is looked at: most of a round is a cold start.

    Args:
        bench: the small lake.
        points: in the order in which they are taken.
        steps: how many are started ahead.
    """

    def __init__(self, bench: Bench, points: Sequence[str], steps: int = 2) -> None:
        self._bench, self._points, self._steps = bench, points, steps
        self._threads = ThreadPoolExecutor(steps)
        self._started: dict[str, Future[Doomed]] = {}
        # Stages are made by this process's session, which is no place for threads.
        for point in points:
            bench.expected(POINTS[point].stage)

    def take(self, point: str) -> Doomed:
        """The command that stands at the point."""
        place = self._points.index(point)
        for coming in self._points[place : place + 1 + self._steps]:
            if coming not in self._started:
                self._started[coming] = self._threads.submit(doom, self._bench, coming)
        return self._started[point].result()

    def close(self) -> None:
        """Kill what nobody took."""
        self._threads.shutdown()
        for started in self._started.values():
            kill(started.result().process, "both")


def kill_at_random(bench: Bench, stage: Stage, victim: Victim, share: float) -> Result:
    """One round: the stage's command is killed after this share of its usual time, wherever it is then.

    A JVM that is to be killed alone is waited for where there is none yet, and Python is left to end by itself.
    """
    seconds, begun = share * bench.seconds(stage.name, stage.arguments), time.monotonic()
    lake = bench.before(stage.name)
    before, said = commits(lake), lake.with_suffix(".said")
    process = start(bench.command(lake, *stage.arguments), said)
    moment = time.monotonic() + seconds
    while process.poll() is None and (time.monotonic() < moment or (victim == "java" and not java_of(process.pid))):
        time.sleep(0.02)
    reached, committed = process.poll() is None, commits(lake) > before
    faults: tuple[str, ...] = ()
    if victim == "java" and reached:
        faults = _without_java(bench, lake, stage, process, said)
    else:
        kill(process, victim)
    after = _gone_on(bench, lake, stage)
    if not (faults or after.differences):
        said.unlink()
    return Result(
        f"{stage.name} after {seconds:.1f} s",
        victim,
        (*faults, *after.differences),
        round(time.monotonic() - begun, 1),
        reached=reached,
        committed=committed,
        codes=after.codes,
        drafts=after.drafts,
    )


def _without_java(
    bench: Bench, lake: Path, stage: Stage, process: subprocess.Popen[str], said: Path
) -> tuple[str, ...]:
    """Kill a command's JVM; what is wrong with how its Python ends then."""
    for java in java_of(process.pid):
        # The one that finds out how Spark's is to be started ends by itself.
        with contextlib.suppress(psutil.NoSuchProcess):
            java.send_signal(signal.SIGKILL)
    try:
        code = process.wait(_SOON)
    except subprocess.TimeoutExpired:
        kill(process, "both")
        return (f"Python still ran {_SOON} s after its JVM was killed",)
    if code == 0:
        # Java was not needed any more.
        return tuple(f"it ended with 0, and {difference}" for difference in bench.differences(lake, stage.name))
    lines = beside_progress(said)
    faults = []
    if code != PlatformError.exit_code:
        faults.append(f"without its JVM it ended with {code}")
    if len(lines) != 1 or not lines[0].startswith("otklik: "):
        faults.append(f"without its JVM it said {lines!r}"[:_MOST_OF_IT])
    if (lake / LEASE).exists():
        faults.append("without its JVM it left its lease")
    return tuple(faults)


@dataclass(frozen=True)
class _After:
    """What was seen after a kill; see `Result`."""

    codes: tuple[int, ...]
    differences: tuple[str, ...]
    drafts: tuple[str, ...]


def _gone_on(bench: Bench, lake: Path, stage: Stage, then: tuple[str, ...] = ()) -> _After:
    """After a kill: a look at the lake, one more command where there is one, and the killed one again."""
    faults = _unbalanced(bench.spark, lake)
    codes = tuple(bench.run(lake, *arguments) for arguments in (then, stage.arguments) if arguments)
    if any(codes):
        faults += (f"what came after the kill ended with {codes}",)
    after = _After(codes, (*faults, *bench.differences(lake, stage.name, then)), drafts(lake))
    if not after.differences:
        shutil.rmtree(lake)
    lake.with_suffix(".mark").unlink(missing_ok=True)
    return after


def commits(lake: Path) -> frozenset[str]:
    """The commits that stand in the logs of a lake's tables."""
    return frozenset(str(path.relative_to(lake)) for path in lake.glob("*/*/_delta_log/[0-9]*.json"))


def drafts(lake: Path) -> tuple[str, ...]:
    """Drafts of commits that were never put in place, in the logs of a lake's tables: Delta's own and ours.

    A killed writer leaves one. No reader takes it for a commit; `otklik maintain` removes it.
    """
    found = [path for pattern in (".*.tmp", "*.json#*") for path in lake.glob(f"*/*/_delta_log/{pattern}")]
    return tuple(sorted(str(path.relative_to(lake)) for path in found))


def _unbalanced(spark: SparkSession, root: Path) -> tuple[str, ...]:
    """Files whose counts do not add up in a lake as the kill left it."""
    files = Lake(spark, str(root), is_here=True).find(FILES.name)
    if files is None:
        return ()
    wrong = files.where("rows <> accepted + rejected + duplicates").collect()
    return tuple(f"after the kill the counts of {row.file} do not add up" for row in wrong)


def start(command: Sequence[str], said: Path | None = None) -> subprocess.Popen[str]:
    """Start a command as a process group of its own; what it says on stderr is thrown away, or goes to a file."""
    with Path(said or os.devnull).open("w", encoding="utf-8") as stderr:
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )


def beside_progress(said: Path) -> list[str]:
    """What a command said on stderr but for its progress, whose lines are indented, and Java's notes of its options."""
    lines = said.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith(("NOTE: ", "  "))]


def kill(process: subprocess.Popen[str], victim: Victim) -> None:
    """Kill -9 the command's Python, its JVM or both, and see that nothing of it runs on but what was left alive."""
    if process.poll() is not None:
        return
    java = java_of(process.pid)
    if victim == "both":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "java":
        for each in java:
            each.send_signal(signal.SIGKILL)
        # A command that waits at a fault point will not notice by itself.
        time.sleep(1)
        process.kill()
    else:
        process.kill()
        for each in java:
            if each.is_running() and each.status() == psutil.STATUS_STOPPED:
                # It was stopped before its commit: now it goes on without its Python.
                each.send_signal(signal.SIGCONT)
    process.wait()


def wait_for(mark: Path, process: subprocess.Popen[str]) -> bool:
    """Whether the mark appeared before the command ended."""
    until = time.monotonic() + _PATIENCE
    while not mark.exists():
        if process.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def environment() -> dict[str, str]:
    """What a command started by the harness finds: the project, and options for short runs."""
    quick = " ".join([JAVA_FOR_FEW_ROWS, *(f"-D{name}={value}" for name, value in PLANS_FOR_FEW_ROWS.items())])
    return {**as_users(), "JDK_JAVA_OPTIONS": quick}


def as_users() -> dict[str, str]:
    """The same without those options: Java and Spark as a user's command has them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "lib"), str(PROJECT)])}


def fingerprint(spark: SparkSession, root: Path) -> dict[str, str]:
    """All that must be the same whoever was killed: table → hash of its rows, and the files that are no tables."""
    lake = Lake(spark, str(root), is_here=True)
    found = {table: _rows_of(lake, root, table) for table in table_names(lake)}
    found["champion"] = _champion(lake)
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        is_table = name.parts[0] in ("bronze", "silver", "gold", "ops")
        if path.is_file() and not is_table and name.parts[0] != "models" and not name.name.startswith("_lease"):
            found[str(name)] = "there"
        if ".tmp" in name.name and not name.name.startswith("."):
            found[str(name)] = "left behind"
    holder = root / LEASE
    if holder.exists():
        found[LEASE] = json.loads(holder.read_text(encoding="utf-8"))["command"]
    return found


#: What a table whose folder has these bytes holds: most tables of a lake are as they were copied.
_ROWS_BY_FOLDER: dict[str, str] = {}


def _rows_of(lake: Lake, root: Path, table: str) -> str:
    """A table's rows as one text; read only where no table with the same files was read before."""
    folder, digest = root.joinpath(*table.split(".")), hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".crc":
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    known = digest.hexdigest()
    if known not in _ROWS_BY_FOLDER:
        _ROWS_BY_FOLDER[known] = _read_rows(lake, table)
    return _ROWS_BY_FOLDER[known]


def _read_rows(lake: Lake, table: str) -> str:
    rows = lake.read(table)
    if table == "ops.runs":
        # Every start has a row; what counts is which steps came to an end.
        done = rows.where("status = 'done'").select("job").distinct().collect()
        return ", ".join(sorted(row.job for row in done))
    if table == "ops.files":
        entries = rows.select(*_LEDGER)
        return f"{content_hash(entries)} {entries.count()} files"
    return content_hash(rows.select(*(name for name in rows.columns if name not in _OF_THE_RUN)))


def _champion(lake: Lake) -> str:
    """How many models there are, each with a whole folder, and folders that no pointer names."""
    runs = history(lake, "calls")
    for row in runs.to_dict("records"):
        load(lake, row["folder"], row["manifest_hash"])
    folders = {path for path in Path(lake.folder("models", "calls")).glob("*") if path.is_dir()}
    orphans = {str(path) for path in folders} - {lake.folder(folder) for folder in runs["folder"]}
    return f"{len(runs)} models, {int(runs['serves'].sum()) if len(runs) else 0} serve, {len(orphans)} orphans"
