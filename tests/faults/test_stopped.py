"""Ctrl-C and SIGTERM: the command ends soon, says so in one line, and leaves nothing half done."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.faults.harness import Bench, beside_progress, commits, stage_named, start

#: Instead of seconds: as soon as the command has made a commit, and most of them are still to come.
FIRST_COMMIT = "first commit"
#: Or as soon as models are fitted, in threads.
FITS = "fits"
#: Seconds within which a stopped command is over.
SOON = 10


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "moment", "is_group"),
    [
        ("ingest july", 3, False),
        ("ingest july", 9, False),
        ("ingest july", FIRST_COMMIT, False),
        ("ingest july", 9, True),
        ("ingest july", FIRST_COMMIT, True),
        ("train", FITS, False),
    ],
    ids=lambda value: f"{value}",
)
@pytest.mark.parametrize(("number", "code", "by"), [(signal.SIGINT, 130, "the user"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_stopped_command_ends_soon_and_goes_on_later(
    bench: Bench, number: signal.Signals, code: int, by: str, name: str, moment: int | str, is_group: bool
) -> None:
    """A terminal's Ctrl-C and systemd's stop reach the whole group: Java hears them, too."""
    stage, lake = stage_named(name), bench.before(name)
    before, said, begun = commits(lake), lake.with_suffix(".said"), time.monotonic()
    process = start(bench.command(lake, *stage.arguments), said)

    def is_reached() -> bool:
        if moment == FIRST_COMMIT:
            return commits(lake) != before
        if moment == FITS:
            return "prepare: random split" in said.read_text(encoding="utf-8")
        return time.monotonic() >= begun + float(moment)

    while process.poll() is None and not is_reached():
        time.sleep(0.01)
    if is_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.wait(SOON)

    if process.returncode != 0 or moment in (FIRST_COMMIT, FITS):
        assert process.returncode == code
        assert beside_progress(said) == [f"otklik: stopped by {by}; rerun the same command to resume"]
    assert not (Path(lake) / "_lease.json").exists()
    assert bench.run(lake, *stage.arguments) == 0
    assert bench.differences(lake, name) == ()
