"""Every fault that the package makes while tests run is written down, so that a message nobody provokes is found.

Where tests run in several processes, each tells what it has heard when it ends: the first process, which runs none of
them then, counts when all have ended.
"""

from __future__ import annotations

import re
from typing import Any

from tests.jobs.errors_page import messages

from otklik.errors import OtklikError

#: Exit code and text of every fault so far.
SAID: set[tuple[int, str]] = set()


def listen() -> None:
    """From now on faults are written down."""
    make = OtklikError.__init__

    def make_and_note(fault: OtklikError, what: str, **places: Any) -> None:
        SAID.add((fault.exit_code, what))
        make(fault, what, **places)

    OtklikError.__init__ = make_and_note  # type: ignore[method-assign, assignment]


def never_said() -> list[str]:
    """Exit code and text of every message of docs/errors.md that no test has provoked."""
    return sorted(
        f"{code} {what}"
        for code, what, _ in messages()
        if not any(code == said_code and _pattern(what).fullmatch(said) for said_code, said in SAID)
    )


def _pattern(what: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in what.split("…")), re.DOTALL)
