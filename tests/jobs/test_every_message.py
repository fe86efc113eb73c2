"""Every message of docs/errors.md was said by some test: this one comes last, and counts only after all the others."""

from __future__ import annotations

import re

import pytest
from tests.conftest import SHARED_DATA
from tests.jobs.errors_page import messages
from tests.said import SAID


@pytest.mark.long
def test_every_message_was_provoked(request: pytest.FixtureRequest) -> None:
    chosen = request.config.option.keyword or request.config.option.markexpr
    if chosen or request.config.args_source is not pytest.Config.ArgsSource.TESTPATHS or not SHARED_DATA.is_dir():
        pytest.skip("says something only where all tests ran, those on the public data sets included")

    never = sorted(
        f"{code} {what}"
        for code, what, _ in messages()
        if not any(code == said_code and _pattern(what).fullmatch(said) for said_code, said in SAID)
    )

    assert not never, "\n".join(never)


def _pattern(what: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in what.split("…")), re.DOTALL)
