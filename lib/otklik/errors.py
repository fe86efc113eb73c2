"""Everything that can go wrong by a user's hand, by cause.

Every exception here becomes one line on stderr (what is wrong, where, what to do) and the exit code of its class.
Messages never quote a value of a personal column.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

#: Characters that would break a line or move the cursor of a terminal; names of files and keys may hold them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: How much of a name must be alike for it to be what was meant.
_NEAR = 0.75


class OtklikError(Exception):
    """A failure with a cause a person can remove.

    Args:
        what: what is wrong, in one sentence.
        where: the file, row, key or table it is about.
        hint: what to do next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self.line())

    def line(self) -> str:
        """The failure as one line for a person: `where: what → hint`."""
        place = f"{self.where}: " if self.where else ""
        advice = f" → {self.hint}" if self.hint else ""
        return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], f"{place}{self.what}{advice}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The question whether one of the most similar known names was meant; empty where none is similar."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, n=3, cutoff=_NEAR)
    # Of a short name two swapped letters are a large part.
    near = near or [each for each in there if sorted(each) == sorted(name)]
    return f"did you mean {' or '.join(near)}?" if near else ""


def unexpected(fault: BaseException, where: str) -> OtklikError:
    """Message about an unexpected failure: its type only, because Spark's messages quote data."""
    return OtklikError(
        f"unexpected error ({type(fault).__name__})", where=where, hint="run again with --debug to see it"
    )


class ConfigurationError(OtklikError):
    """A TOML file, an option or a name is wrong; nothing was started."""

    exit_code = 2


class SeveralFilesError(ConfigurationError):
    """The faults of several files, one line for each file.

    Args:
        faults: one per file.
    """

    def __init__(self, faults: Sequence[ConfigurationError]) -> None:
        self.faults = faults
        super().__init__(f"{len(faults)} files are wrong")

    def line(self) -> str:
        """A line per file."""
        return "\n".join(fault.line() for fault in self.faults)


class InputError(OtklikError):
    """A file cannot be ingested, or exceeds a threshold of its contract; none of its rows count."""

    exit_code = 3


class RefusedError(OtklikError):
    """The data cannot answer the question (one class only, too few rows, a suspected leak …)."""

    exit_code = 4


class MissingResultError(OtklikError):
    """A table, run or model that the step needs does not exist."""

    exit_code = 5


class DamagedError(OtklikError):
    """A model folder or table does not match its manifest or definition."""

    exit_code = 6


class PlatformError(OtklikError):
    """A problem with Java, memory, disk, network or permissions."""

    exit_code = 7


class BusyError(OtklikError):
    """Another process is writing to the lake; nothing was recorded, so rerun the same command later."""

    exit_code = 8


#: Exit code of a step that ended well but wants attention (the inputs have drifted past the declared limit).
WARNING_EXIT_CODE = 10
