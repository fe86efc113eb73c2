"""The temporary folder of a command, and those of commands that were killed before they could remove theirs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from otklik.lake.lease import Member

_NAME = re.compile(r"^otklik-(\d+)-(\d+)-")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the time of the block, named after its process; folders of dead processes go first."""
    places = Path(tempfile.gettempdir())
    for left in places.glob("otklik-*"):
        owner = _NAME.match(left.name)
        if owner is not None and not Member(int(owner[1]), float(owner[2])).is_alive():
            # Another user's folder cannot be removed, and need not be.
            shutil.rmtree(left, ignore_errors=True)
    me = Member.of(os.getpid())
    began = 0 if me is None else round(me.began)
    with tempfile.TemporaryDirectory(prefix=f"otklik-{os.getpid()}-{began}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
