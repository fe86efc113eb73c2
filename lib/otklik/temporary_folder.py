"""The temporary folder of a command, and those of commands that were killed before they could remove theirs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from otklik.lake.lease import Member, pid_namespace

#: Number of the process, when it began, and the namespace in which that number counts.
_NAME = re.compile(r"^otklik-(\d+)-(\d+)-(\d*)-")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the time of the block, named after its process; folders of dead processes go first."""
    places = Path(tempfile.gettempdir())
    namespace = re.sub(r"\D", "", pid_namespace())
    for left in places.glob("otklik-*"):
        owner = _NAME.match(left.name)
        # Containers may share the place, and cannot see each other's processes.
        if owner is None or owner[3] != namespace:
            continue
        if not Member(int(owner[1]), float(owner[2])).is_alive():
            # Another user's folder cannot be removed, and need not be.
            shutil.rmtree(left, ignore_errors=True)
    me = Member.of(os.getpid())
    began = 0 if me is None else round(me.began)
    prefix = f"otklik-{os.getpid()}-{began}-{namespace}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
