"""A command that takes no lease and stops at a fault point: what the harness must see go wrong.

`python -m tests.faults.without_lease POINT MARK LAKE -- otklik's arguments`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.faults import stop_at

from otklik.lake import lease


@contextlib.contextmanager
def _nothing_held(*_: object, **__: object) -> Iterator[None]:
    yield None


if __name__ == "__main__":
    lease.held = _nothing_held  # type: ignore[assignment]
    stop_at.main()
