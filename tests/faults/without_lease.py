"""A command that takes no lease and stops at a fault point: what the harness must see go wrong.

`python -m tests.faults.without_lease POINT MARK LAKE -- otklik's arguments`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from tests.faults import stop_at

from otklik.lake import lease


class _NoLease:
    """The command believes that it holds a lease: where it knows that there is none it takes nothing back."""

    def include(self, _: Sequence[int]) -> None:
        return


@contextlib.contextmanager
def _nothing_held(*_: object, **__: object) -> Iterator[_NoLease]:
    yield _NoLease()


if __name__ == "__main__":
    lease.held = _nothing_held  # type: ignore[assignment]
    stop_at.main()
