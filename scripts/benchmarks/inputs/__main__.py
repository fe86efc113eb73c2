"""Makes inputs in a process of their own, so that no Java of theirs stays beside what is measured. See `kept`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from scripts.benchmarks.child import spark_session, use_cores
from scripts.benchmarks.inputs import kept


def main() -> None:
    """Make what the only argument lists: the folder, cores, heap, and pairs of kind and size."""
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    use_cores(order["cores"])
    with spark_session(scratch, order["cores"], order["heap"]) as spark:
        for kind, size in order["wanted"]:
            begun = time.monotonic()
            kept.make(spark, folder, kind, size)
            sys.stderr.write(f"input {kind} {size:,}: made in {time.monotonic() - begun:.0f} s\n")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
