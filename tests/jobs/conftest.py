"""One pass of all jobs in local mode, which the tests of other ways to run compare theirs with."""

from __future__ import annotations

import pytest
from tests.faults.small_lake import write_files
from tests.jobs.elsewhere import SmallPass, run_here


@pytest.fixture(scope="session")
def small_pass(tmp_path_factory: pytest.TempPathFactory) -> SmallPass:
    folder = tmp_path_factory.mktemp("small_pass")
    made = SmallPass(folder / "files", folder / "lake")
    write_files(made.files)
    for command in made.commands:
        run_here(*command, "--lake", f"{made.lake}")
    return made
