"""Run an otklik command that takes no lease: what the lease protects from can then be seen.

    python -m tests.faults.without_lease MARK LAKE -- ingest …

Unless MARK is the null device, the JVM is held up at its first commit to bronze.calls, and MARK appears.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.stop_at import stop_before_commit

from otklik import cli
from otklik.lake import lease


class _NoLease:
    def include(self, _: object) -> None:
        return


@contextlib.contextmanager
def _held(*_: Any, **__: Any) -> Iterator[_NoLease]:
    yield _NoLease()


if __name__ == "__main__":
    lease.held = _held  # type: ignore[assignment]
    mark, table = Path(sys.argv[1]), Path(sys.argv[2]) / "bronze" / "calls"
    if str(mark) != os.devnull:
        threading.Thread(target=stop_before_commit, args=(table, 1, mark), daemon=True).start()
    sys.exit(cli.main(sys.argv[4:]))
