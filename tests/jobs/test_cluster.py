"""A standalone cluster on this machine, a master and two workers, makes the same tables as local mode."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.conftest import PROJECT
from tests.faults.harness import environment
from tests.faults.small_lake import write_files
from tests.jobs.elsewhere import KEY, Pass, assert_same_lakes

from otklik.cli import main
from otklik.environment import read_properties
from otklik.lake.store import Lake
from otklik.session import CLASS_ARCHIVE

BINARIES = Path(sys.executable).parent
WORKERS = 2
#: Seconds that a daemon may take to start, and a job to end, where other tests have the cores.
DAEMON_PATIENCE, JOB_PATIENCE = 300, 3_600
#: Over conf/spark/standalone.conf: as small as a machine that runs other tests wants it, and all on this machine.
SMALL = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "768m",
    "spark.executor.cores": "1",
    "spark.cores.max": f"{WORKERS}",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    # A short job is over before the second executor has come.
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
}


@dataclass(frozen=True)
class Cluster:
    """A master and its workers, each with a folder in which its executors leave what they say."""

    master: str
    work: tuple[Path, ...]

    def submit(self, options: Sequence[str], job: Path, *arguments: str, variables: Mapping[str, str]) -> None:
        """Run a job by the environment's own spark-submit, from another folder than the project's."""
        properties = {**SMALL, **with_class_archive()}
        small = [part for key, value in properties.items() for part in ("--conf", f"{key}={value}")]
        command = [f"{BINARIES / 'spark-submit'}", *options, "--master", self.master, *small, f"{job}", *arguments]
        process = subprocess.Popen(
            command, env=variables, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=JOB_PATIENCE)
        finally:
            end(process)
        assert process.returncode == 0, said[-2_000:]

    def busy_workers(self) -> int:
        """How many workers have run executors."""
        return sum(any(folder.glob("app-*/*")) for folder in self.work)


def with_class_archive() -> dict[str, str]:
    """Java's options of conf/spark/standalone.conf with the archive of classes, for starts that take half the time."""
    if not CLASS_ARCHIVE.is_file():
        return {}
    options = read_properties(PROJECT / "conf" / "spark" / "standalone.conf")
    names = [f"spark.{which}.extraJavaOptions" for which in ("driver", "executor")]
    return {name: f'{options[name]} "-XX:SharedArchiveFile={CLASS_ARCHIVE}"' for name in names}


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def said_in(log: Path, pattern: str) -> str:
    """What the pattern's group has found in a daemon's log, once it stands there."""
    until = time.monotonic() + DAEMON_PATIENCE
    while time.monotonic() < until:
        found = re.search(pattern, log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(f"{pattern} does not stand in {log.read_text(encoding='utf-8')[-2_000:]}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    variables = {
        **outside(),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # It would listen on a port of its own, and take jobs from anybody.
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
    }
    running: list[subprocess.Popen[str]] = []

    def start(name: str, kind: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        # Port 0: whichever is free.
        ports = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        with log.open("w", encoding="utf-8") as said:
            running.append(
                subprocess.Popen(
                    [f"{BINARIES / 'spark-class'}", f"org.apache.spark.deploy.{kind}", *ports, *arguments],
                    env=variables, cwd=folder, stdout=said, stderr=said, text=True, start_new_session=True,
                )
            )  # fmt: skip
        return log

    try:
        master = said_in(start("master", "master.Master"), r"Starting Spark master at (spark://\S+)")
        work = tuple(folder / f"worker-{number}" for number in range(WORKERS))
        room = ["--cores", "1", "--memory", "1g", master]
        logs = [start(place.name, "worker.Worker", "--work-dir", str(place), *room) for place in work]
        for log in logs:
            said_in(log, r"Successfully registered with master (\S+)")
        yield Cluster(master, work)
    finally:
        for process in running:
            end(process)


def outside() -> dict[str, str]:
    """The variables of a shell in which the environment is active."""
    return {**environment(), **KEY, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Submitted:
    """A pass on the cluster: where it was made, and the lake that it made."""

    cluster: Cluster
    lake: Path


#: Jobs one after the other in one application, for a job leaves a session that it found: executors start only once.
#: Each job as an application of its own is tried by the long test of the package.
ONE_APPLICATION = """
import json, runpy, sys
from otklik import session

with session.start("jobs", {}, submitted=True):
    for script, *arguments in json.loads(sys.argv[1]):
        sys.argv = [script, *arguments]
        runpy.run_path(script, run_name="__main__")
"""


@pytest.fixture(scope="module")
def submitted(cluster: Cluster, small_pass: Pass, tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """Ingest, and the four steps of a task."""
    folder = tmp_path_factory.mktemp("small")
    script, there = folder / "jobs.py", folder / "lake"
    script.write_text(ONE_APPLICATION, encoding="utf-8")
    properties = ["--properties-file", f"{PROJECT / 'conf' / 'spark' / 'standalone.conf'}"]
    jobs = [
        [f"{PROJECT / 'jobs' / job}.py", *arguments, "--lake", f"{there}"] for job, *arguments in small_pass.commands
    ]
    cluster.submit(properties, script, json.dumps(jobs), variables=outside())
    return Submitted(cluster, there)


@pytest.mark.long
def test_one_pass_of_the_jobs_makes_the_same_tables(
    spark: SparkSession, submitted: Submitted, small_pass: Pass
) -> None:
    assert_same_lakes(spark, small_pass.lake, submitted.lake)
    assert submitted.cluster.busy_workers() == WORKERS


@pytest.mark.long
def test_executors_leave_no_messages_that_could_quote_data(submitted: Submitted) -> None:
    logs = [log for folder in submitted.cluster.work for log in folder.glob("app-*/*/stderr")]
    assert logs
    messages = [re.findall(r"^.*\b(?:INFO|WARN|ERROR)\b.*$", log.read_text(encoding="utf-8"), re.M) for log in logs]
    assert not any(messages)


@pytest.mark.long
def test_the_environments_own_spark_submit_needs_no_options_from_any_folder(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_files(tmp_path)
    arguments = [f"{tmp_path / 'calls.toml'}", f"{tmp_path / 'june.csv'}", "--lake", f"{tmp_path / 'lake'}"]
    variables = {name: value for name, value in outside().items() if name not in ("PYTHONPATH", "JDK_JAVA_OPTIONS")}

    done = subprocess.run(
        [f"{BINARIES / 'spark-submit'}", f"{PROJECT / 'jobs' / 'ingest.py'}", *arguments],
        env=variables, cwd="/", capture_output=True, text=True, timeout=JOB_PATIENCE, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2_000:]
    assert Lake(spark, str(tmp_path / "lake")).read("silver.calls").count() == 300


@pytest.mark.long
def test_the_package_brings_all_that_a_cluster_needs(
    spark: SparkSession, cluster: Cluster, world_pass: Pass, tmp_path: Path
) -> None:
    """Each step an application of its own, by the line that `otklik package` prints, and nothing of the project."""
    there = tmp_path / "cluster"
    *ingests, (_, *task) = world_pass.commands
    variables = {name: value for name, value in outside().items() if name != "PYTHONPATH"}
    for job, *arguments in (*ingests, *([step, *task] for step in ("features", "train", "score", "report"))):
        command = [job, *arguments, "--lake", f"{there}", "--env", "standalone"]
        _, *options = packaged(tmp_path / "package", command)
        place = options.index(f"{tmp_path / 'package' / 'jobs' / job}.py")
        cluster.submit(options[:place], Path(options[place]), *options[place + 1 :], variables=variables)

    assert_same_lakes(spark, world_pass.lake, there)


def packaged(folder: Path, command: Sequence[str]) -> list[str]:
    """The line that `otklik package` prints for a command, as a shell takes it apart."""
    line = io.StringIO()
    with contextlib.redirect_stdout(line):
        assert main(["package", "--to", str(folder), "--", *command]) == 0
    return shlex.split(line.getvalue())
