"""Which commands hold the lease of the lake, and where there is one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from otklik.lake import lease

#: They make a lake that is not there; a slip in --lake makes none.
_MAKE_A_LAKE = ("ingest", "demo")


def folder_of(lake_root: str, *, on_databricks: bool) -> Path | None:
    """Folder of a lake's lease; None if a lease is not possible.

    A Databricks volume looks like a folder but is an object store: it has no locks, and the lease of a terminated
    cluster would never be released.
    """
    return Path(lake_root) if lake_root.startswith("/") and not on_databricks else None


@contextlib.contextmanager
def held_while_writing(
    command: str, folder: Path | None, *, writes: bool, wait: float, say: Callable[[str], None]
) -> Iterator[lease.Lease | None]:
    """Hold the lease while a command writes; None if it does not write, or there is no lake and it creates none."""
    if not writes or folder is None or not (folder.is_dir() or command in _MAKE_A_LAKE):
        yield None
        return
    with lease.held(folder, command, datetime.now(UTC), wait=wait, sleep=time.sleep, say=say) as held:
        yield held
