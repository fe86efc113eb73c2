"""One writer at a time: who holds the lease, who waits, and when it is taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from otklik.errors import BusyError
from otklik.lake import lease as lease_module
from otklik.lake.lease import LEASE, Holder, Lease, Member, boot_id, held, read

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


def take(folder: Path, wait: float = 0, sleep: Callable[[float], None] = lambda _: None, **more: Any) -> Any:
    return held(folder, "ingest", NOW, wait=wait, sleep=sleep, say=more.get("say", lambda _: None))


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that lives until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def held_by(folder: Path, *pids: int, **changes: str) -> None:
    """Leave a lease as another process would have written it."""
    with take(folder) as lease:
        holder = read(folder)
        assert holder is not None
        members = tuple(m for pid in pids if (m := Member.of(pid)))
        left = json.dumps(asdict(replace(holder, command="train", members=members, **changes)))
        assert isinstance(lease, Lease)
    (folder / LEASE).write_text(left)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_it_names_its_holder_and_is_gone_afterwards(tmp_path: Path) -> None:
    with take(tmp_path / "lake"):
        holder = read(tmp_path / "lake")
        assert holder is not None
        assert (holder.command, holder.since) == ("ingest", "2026-11-22T03:00:00+00:00")
        assert [member.pid for member in holder.members] == [os.getpid()]
    assert read(tmp_path / "lake") is None


def test_a_second_writer_is_told_who_writes(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid)
    with pytest.raises(BusyError, match=rf"otklik train \(process {other.pid} on .*--wait, or end"), take(tmp_path):
        pass
    assert read(tmp_path) is not None


def test_a_writer_waits_until_the_other_one_is_done(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid)
    said: list[str] = []
    with take(tmp_path, wait=10, sleep=lambda _: end(other), say=said.append):
        holder = read(tmp_path)
    assert holder is not None
    assert holder.command == "ingest"
    assert len(said) == 1
    assert "waiting up to 10 s for otklik train" in said[0]


def test_waiting_ends(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid)
    slept: list[float] = []
    with pytest.raises(BusyError, match="after 2 s"), take(tmp_path, wait=2, sleep=slept.append):
        pass
    assert sum(slept) == pytest.approx(2)


def test_the_lease_of_a_killed_process_is_taken_over(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid)
    end(other)
    with take(tmp_path):
        pass


def test_a_jvm_that_outlives_its_python_still_holds(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    jvm = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    held_by(tmp_path, other.pid, jvm.pid)
    end(other)
    with pytest.raises(BusyError), take(tmp_path):
        pass
    end(jvm)
    with take(tmp_path):
        pass


def test_nobody_of_another_boot_is_alive(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid, boot="another-boot")
    with take(tmp_path):
        pass


def test_a_number_given_anew_is_another_process(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    held_by(tmp_path, other.pid)
    values = json.loads((tmp_path / LEASE).read_text())
    values["members"][0]["began"] -= 3_600
    (tmp_path / LEASE).write_text(json.dumps(values))
    with take(tmp_path):
        pass


def test_a_process_that_may_not_be_looked_at_is_alive(
    tmp_path: Path, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    held_by(tmp_path, other.pid)
    monkeypatch.setattr(psutil.Process, "status", refuses)
    with pytest.raises(BusyError), take(tmp_path):
        pass


@pytest.mark.parametrize("seconds", [-3_600, 3_600])
def test_a_clock_that_is_set_makes_nobody_another_process(
    seconds: int, tmp_path: Path, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system tells of moments long past moves with its clock."""
    held_by(tmp_path, other.pid)
    booted, began = psutil.boot_time(), psutil.Process(other.pid).create_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: booted + seconds)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + seconds)
    with pytest.raises(BusyError), take(tmp_path):
        pass


def test_a_clock_that_is_set_while_one_looks_makes_nobody_another_process(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member.of(other.pid)
    assert member is not None
    booted, began = psutil.boot_time(), psutil.Process(other.pid).create_time()
    answers = iter([booted, booted + 3_600])
    monkeypatch.setattr(psutil, "boot_time", lambda: next(answers, booted + 3_600))
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + 3_600)
    assert member.is_alive()


def test_the_lease_of_another_container_on_this_machine_is_never_taken(tmp_path: Path) -> None:
    held_by(tmp_path, namespace="pid:[1]")
    with pytest.raises(BusyError, match="gone for good, delete the file"), take(tmp_path):
        pass


def test_a_container_has_a_namespace_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pid").symlink_to("pid:[4026531836]")
    monkeypatch.setattr(lease_module, "_PID_NAMESPACE", tmp_path / "pid")
    assert lease_module.pid_namespace() == "pid:[4026531836]"
    monkeypatch.setattr(lease_module, "_PID_NAMESPACE", tmp_path / "no such place")
    assert lease_module.pid_namespace() == ""


def test_the_lease_of_an_earlier_version_is_read_and_never_taken(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    """It named no namespace, and said by the clock when its processes began."""
    held_by(tmp_path, other.pid)
    values = json.loads((tmp_path / LEASE).read_text())
    del values["namespace"]
    values["members"][0]["began"] += psutil.boot_time()
    (tmp_path / LEASE).write_text(json.dumps(values))
    with pytest.raises(BusyError, match=rf"process {other.pid} on"), take(tmp_path):
        pass


def test_another_machines_lease_is_never_taken(tmp_path: Path) -> None:
    held_by(tmp_path, host="another-machine")
    with pytest.raises(BusyError, match="another-machine") as fault, take(tmp_path):
        pass
    assert fault.value.hint.endswith(
        f"if that machine or container is gone for good, delete the file {tmp_path / LEASE}"
    )


def test_further_processes_are_named(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    with take(tmp_path) as lease:
        lease.include([other.pid, other.pid + 100_000_000])
        holder = read(tmp_path)
    assert holder is not None
    assert [member.pid for member in holder.members] == [os.getpid(), other.pid]
    assert read(tmp_path) is None


def test_only_the_holder_gives_it_back(tmp_path: Path) -> None:
    mine = Holder("ingest", "here", boot_id(), "now", ())
    with take(tmp_path):
        Lease(tmp_path, mine).release()
        assert read(tmp_path) is not None


COUNT = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from otklik.lake.lease import held
folder = Path(sys.argv[1])
for _ in range(5):
    with held(folder, "count", datetime.now(UTC), wait=60, sleep=lambda s: time.sleep(s / 50), say=lambda _: None):
        count = int((folder / "count").read_text())
        time.sleep(0.01)
        (folder / "count").write_text(str(count + 1))
"""


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    path = os.pathsep.join(sys.path)
    writers = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)], env={**os.environ, "PYTHONPATH": path})
        for _ in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    assert (tmp_path / "count").read_text() == "20"
