"""Every fault that the package makes while tests run is written down, so that a message nobody provokes is found."""

from __future__ import annotations

from typing import Any

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
