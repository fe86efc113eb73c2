"""The lease: allows one writer at a time on a lake on a local disk.

Without it two processes could both succeed in writing the same version of a table, and one commit would be lost: on a
local disk Delta locks within one JVM only. A writer holds the lease, a small file that names its processes. It is taken
over when all of them have ended, by a kill or a reboot; if Python has ended but its JVM has not, that JVM may still
commit. Object stores need no lease: Delta writes a commit there with put-if-absent. As nothing tells whether a writer
is still alive there, incomplete batches of others are not rolled back.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from otklik.errors import BusyError, PlatformError

LEASE, _GUARD = "_lease.json", "_lease.guard"
#: Seconds between two looks at a lease that another process holds.
_LOOK_EVERY = 0.5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Member:
    """A process of the holder: its id and start time, as ids are reused.

    `began` is in seconds since boot, so that setting the clock does not change it.
    """

    pid: int
    began: float

    @staticmethod
    def of(pid: int) -> Member | None:
        """The process that has this number now, or None."""
        try:
            return Member(pid, _began(psutil.Process(pid)))
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """Whether this very process may still run; one that has ended and waits to be fetched does not."""
        try:
            process = psutil.Process(self.pid)
            return abs(_began(process) - self.began) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            # There is such a process, and this user may not look at it.
            return True


@dataclass(frozen=True)
class Holder:
    """The holder of a lease: its command, host, start and processes.

    `namespace` is the PID namespace of these processes; leases of earlier versions lack it.
    """

    command: str
    host: str
    boot: str
    since: str
    members: tuple[Member, ...]
    namespace: str | None = None

    def may_still_write(self) -> bool:
        """False only if it is certain that no process of the holder is left."""
        if self.is_out_of_sight():
            return True
        return self.boot == boot_id() and any(member.is_alive() for member in self.members)

    def is_out_of_sight(self) -> bool:
        """Whether its processes cannot be seen from here: they run on another machine, or in another container."""
        if self.host != socket.gethostname():
            return True
        # Nobody of an earlier start of this machine is left, in whatever container.
        return self.boot == boot_id() and self.namespace != pid_namespace()

    def in_words(self) -> str:
        """For people: `otklik ingest (process 4711 on bank-01, since 2026-11-22T03:00:00+00:00)`."""
        numbers = " and ".join(str(member.pid) for member in self.members)
        return f"otklik {self.command} (process {numbers} on {self.host}, since {self.since})"


def boot_id() -> str:
    """The id of this boot of the machine."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return f"{psutil.boot_time():.0f}"


def pid_namespace() -> str:
    """The PID namespace of this process; a container has its own. Empty if the system has none."""
    return str(_PID_NAMESPACE.readlink()) if _PID_NAMESPACE.is_symlink() else ""


def _began(process: psutil.Process) -> float:
    """When a process began, in seconds since the machine was started."""
    while True:
        booted = psutil.boot_time()
        began = process.create_time() - booted
        # Both move when the clock is set; set in between, they do not belong together.
        if psutil.boot_time() == booted:
            return began
        process = psutil.Process(process.pid)


class Lease:
    """A lease that is held.

    Args:
        folder: of the lake.
        holder: this process, as it stands in the file.
    """

    def __init__(self, folder: Path, holder: Holder) -> None:
        self._folder, self._holder = folder, holder

    def include(self, pids: Sequence[int]) -> None:
        """Name further processes that write for this one: the JVM."""
        known = {member.pid for member in self._holder.members}
        new = tuple(m for pid in pids if pid not in known and (m := Member.of(pid)) is not None)
        members = self._holder.members + new
        with _guarded(self._folder):
            self._holder = Holder(**{**vars(self._holder), "members": members})
            _write(self._folder, self._holder)

    def release(self) -> None:
        """Release the lease if it is still held by this process."""
        with _guarded(self._folder):
            if read(self._folder) == self._holder:
                (self._folder / LEASE).unlink()


@contextlib.contextmanager
def held(
    folder: Path,
    command: str,
    now: datetime,
    *,
    wait: float,
    sleep: Callable[[float], None],
    say: Callable[[str], None],
) -> Iterator[Lease]:
    """Context manager that holds the lease of a lake.

    Args:
        folder: of the lake; created if missing.
        command: what this process does, shown to those who wait.
        now: the current time.
        wait: maximum number of seconds to wait for another holder.
        sleep: sleeps for a number of seconds.
        say: called once with a message about the current holder.

    Raises:
        BusyError: naming the holder, if the lease is not free in time.
        PlatformError: if the folder cannot be made or written.
    """
    since = now.isoformat(timespec="seconds")
    holder = Holder(command, socket.gethostname(), boot_id(), since, _this_process(), pid_namespace())
    left = wait
    while (other := _take(folder, holder)) is not None:
        if left <= 0:
            waited = f" after {wait:g} s" if wait else ""
            last_resort = (
                f"if that machine or container is gone for good, delete the file {folder / LEASE}"
                if other.is_out_of_sight()
                else "end that process"
            )
            raise BusyError(
                f"another process is writing to it{waited}: {other.in_words()}",
                where=str(folder),
                hint=f"wait for it, use a longer --wait, or {last_resort}",
            )
        if left == wait:
            say(f"  waiting up to {wait:g} s for {other.in_words()}")
        sleep(min(_LOOK_EVERY, left))
        left -= _LOOK_EVERY
    lease = Lease(folder, holder)
    try:
        yield lease
    finally:
        lease.release()


def read(folder: Path) -> Holder | None:
    """The holder that a lake's lease names; None if there is no lease or its content is invalid."""
    try:
        values: dict[str, Any] = json.loads((folder / LEASE).read_text(encoding="utf-8"))
        members = tuple(Member(**member) for member in values["members"])
        return Holder(**{**values, "members": members})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # Leases are written atomically, so this is not a lease.
        return None


def _take(folder: Path, holder: Holder) -> Holder | None:
    """Take the lease if it is free; otherwise return its holder."""
    with _guarded(folder):
        other = read(folder)
        if other is not None and other.may_still_write():
            return other
        _write(folder, holder)
        return None


def _write(folder: Path, holder: Holder) -> None:
    """Put the lease in place whole or not at all."""
    draft = folder / f"{LEASE}.new"
    draft.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    draft.replace(folder / LEASE)


@contextlib.contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """Lock the lease file; the operating system releases the lock when the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / _GUARD).open("w")
    except OSError as fault:
        raise PlatformError(
            f"cannot be written: {fault.strerror}", where=str(folder), hint="check --lake and permissions"
        ) from None
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _this_process() -> tuple[Member, ...]:
    mine = Member.of(os.getpid())
    return () if mine is None else (mine,)
