"""One pass of all jobs in local mode, which the tests of other ways to run compare theirs with."""

from __future__ import annotations

import fcntl

import pytest
from tests.faults.small_lake import write_files
from tests.jobs.elsewhere import SmallPass, run_here


@pytest.fixture(scope="session")
def small_pass(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> SmallPass:
    """Made once, by whichever process of tests asks first."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "small_pass"
    folder.mkdir(exist_ok=True)
    made, is_made = SmallPass(folder / "files", folder / "lake"), folder / "is_made"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            write_files(made.files)
            for command in made.commands:
                run_here(*command, "--lake", f"{made.lake}")
            is_made.touch()
    return made
