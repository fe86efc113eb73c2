"""What a person sees while a job works: one line per step with rows and seconds, on stderr.

On a terminal the running step shows its seconds; elsewhere each step is one plain line when it is done.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Step:
    """A step under way; the work may note what it did."""

    name: str
    notes: list[str] = field(default_factory=list)
    now: str = ""

    def rows(self, count: int, of: str = "rows") -> None:
        """Note a count, e.g. 45,211 rows."""
        self.notes.append(f"{count:,} {of}")

    def under_way(self, text: str) -> None:
        """What a terminal shows while the step runs."""
        self.now = text

    def say(self, text: str) -> None:
        """Note something in words."""
        self.notes.append(text)


class Progress:
    """Prints steps to a stream.

    Args:
        stream: where to (stderr).
        seconds: a clock that only goes forward.
        is_live: whether the stream is a terminal that can redraw its line.
    """

    def __init__(self, stream: TextIO, seconds: Callable[[], float], *, is_live: bool) -> None:
        self._stream, self._seconds, self._is_live = stream, seconds, is_live

    def line(self, text: str) -> None:
        """One line of its own."""
        self._stream.write(text + "\n")
        self._stream.flush()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step and print it; a step that fails prints nothing of its own."""
        step = Step(name)
        start = self._seconds()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, start, done), daemon=True)
        if self._is_live:
            ticker.start()
        try:
            yield step
        finally:
            done.set()
            if self._is_live:
                ticker.join()
                self._stream.write("\r\x1b[2K")
                self._stream.flush()
        self.line(f"  {name:<34} {', '.join(step.notes):<44} {self._seconds() - start:6.1f} s")

    def _tick(self, step: Step, start: float, done: threading.Event) -> None:
        while not done.wait(0.5):
            self._stream.write(f"\r\x1b[2K… {step.name:<34} {step.now:<44} {self._seconds() - start:6.0f} s")
            self._stream.flush()
