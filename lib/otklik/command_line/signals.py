"""Stop a command on a signal: close resources and release the lease."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


class StoppedError(KeyboardInterrupt):
    """A signal that stops the command, so that resources are closed and the lease is released."""

    def __init__(self, by: str, exit_code: int) -> None:
        super().__init__(by)
        self.by, self.exit_code = by, exit_code


def stop_behind(fault: BaseException) -> StoppedError | None:
    """The signal that stopped the command, also where its JVM heard it first and closing failed without it."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, StoppedError):
            return seen
        if isinstance(seen, KeyboardInterrupt):
            return StoppedError("the user", 130)
        seen = seen.__cause__ or seen.__context__
    return None


@contextlib.contextmanager
def stopped_by(number: signal.Signals, fault: KeyboardInterrupt) -> Iterator[None]:
    """Context manager in which a signal raises StoppedError, so that resources are closed."""

    def stop(*_: object) -> None:
        raise fault

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def stopped_while_starting() -> Iterator[None]:
    """Treat any failure after Ctrl-C as Ctrl-C.

    Early in its start Spark handles Ctrl-C itself, by a call to the JVM from inside another call. Both calls fail, and
    the exception does not tell why. So the arrival of the signal is recorded separately.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    except Exception as fault:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGINT in os.read(reading, 64):
                raise KeyboardInterrupt from fault
        raise
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
