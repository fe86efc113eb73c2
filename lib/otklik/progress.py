"""What is seen of a job while it works: one line per step with rows and seconds, on stderr.

For a person in words: on a terminal the running step shows its seconds; elsewhere each step is one plain line when it
is done. For a machine one JSON object per line.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

#: Puts a terminal's cursor at the beginning of its line and clears it.
_CLEARED = "\r\x1b[2K"


def give_up(stream: TextIO) -> None:
    """Let what is written to a stream from now on go nowhere; what is in its buffer would be tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@dataclass
class Step:
    """A step under way; the work may note what it did."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    now: str = ""

    def rows(self, count: int, of: str = "rows") -> None:
        """Note a count, e.g. 45,211 rows."""
        self.counts[of] = count

    def under_way(self, text: str) -> None:
        """What a terminal shows while the step runs."""
        self.now = text

    def say(self, text: str) -> None:
        """Note something in words."""
        self.notes.append(text)


class Progress:
    """Prints steps to a stream, in words.

    Args:
        stream: the output (stderr).
        seconds: a clock that only goes forward.
        is_live: whether the stream is a terminal that can redraw its line.
    """

    def __init__(self, stream: TextIO, seconds: Callable[[], float], *, is_live: bool) -> None:
        self._stream, self._seconds, self._is_live = stream, seconds, is_live

    def line(self, text: str) -> None:
        """Print a separate line."""
        self._write_out(f"{_CLEARED if self._is_live else ''}{text}\n")

    def warn(self, text: str) -> None:
        """One line about what the user should look into."""
        self.line(f"  warning: {text}")

    def fail(self, text: str, exit_code: int) -> None:  # noqa: ARG002 - a machine is told the code, a shell shows it
        """The one line by which a command ends that failed or was stopped."""
        self.line(f"otklik: {text}")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step and print it; a failed step prints nothing."""
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
                self._write_out(_CLEARED)
        self._done(step, self._seconds() - start)

    def _done(self, step: Step, seconds: float) -> None:
        said = ", ".join([*(f"{count:,} {of}" for of, count in step.counts.items()), *step.notes])
        self.line(f"  {step.name:<34} {said:<44} {seconds:6.1f} s")

    def _tick(self, step: Step, start: float, done: threading.Event) -> None:
        while not done.wait(0.5):
            now = f"… {step.name:<34} {step.now:<44} {self._seconds() - start:6.0f} s"
            # A line that wraps could not be cleared.
            self._write_out(f"{_CLEARED}{now[: shutil.get_terminal_size().columns - 1]}")

    def _write_out(self, text: str) -> None:
        """Write to the stream; a closed stream is ignored, and the work goes on."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            give_up(self._stream)


class JsonProgress(Progress):
    """Prints one JSON object per line, with the keys time (ISO-8601, UTC), level (info | warning | error) and command.

    A step has also step, seconds, counts (what was counted → how many) and notes; a failure message and exit_code;
    everything else message.

    Args:
        stream: the output (stderr).
        seconds: a clock that only goes forward.
        clock: returns the time of a line.
        command: the command.
    """

    def __init__(
        self, stream: TextIO, seconds: Callable[[], float], clock: Callable[[], datetime], command: str
    ) -> None:
        super().__init__(stream, seconds, is_live=False)
        self._clock, self._command = clock, command

    def line(self, text: str) -> None:
        """One object with a message."""
        self._write("info", message=text.strip())

    def warn(self, text: str) -> None:
        """One object of level warning."""
        self._write("warning", message=text)

    def fail(self, text: str, exit_code: int) -> None:
        """One object of level error."""
        self._write("error", message=text, exit_code=exit_code)

    def _done(self, step: Step, seconds: float) -> None:
        self._write("info", step=step.name, seconds=round(seconds, 3), counts=step.counts, notes=step.notes)

    def _write(self, level: str, **said: object) -> None:
        time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"time": time, "level": level, "command": self._command, **said}
        super().line(json.dumps(record, ensure_ascii=False))
