"""Set-up that is done does no work again, and needs no network."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.conftest import PROJECT

STAMP = PROJECT / ".venv" / "setup-stamp"
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.skipif(not STAMP.exists(), reason="this checkout was not set up by scripts/setup")
def test_a_second_set_up_does_nothing_and_asks_nobody() -> None:
    made_at = STAMP.stat().st_mtime_ns

    done = subprocess.run(
        [PROJECT / "scripts" / "setup", "--browser"],
        env={**os.environ, "http_proxy": NOWHERE, "https_proxy": NOWHERE, "PIP_INDEX_URL": NOWHERE},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("", "")
    assert STAMP.stat().st_mtime_ns == made_at
