"""The count of messages that no test has provoked can see one."""

from __future__ import annotations

import pytest
from tests import said

from otklik.errors import ConfigurationError

MESSAGE = "2 … is not a table, so ….… cannot be set"


def test_a_message_counts_as_missing_until_a_fault_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said, "SAID", set())
    assert MESSAGE in said.never_said()

    ConfigurationError("task.split is not a table, so task.split.salt cannot be set")

    assert MESSAGE not in said.never_said()
    assert len(said.never_said()) > 1


def test_a_message_said_with_another_exit_code_is_still_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said, "SAID", {(4, "x is not a table, so x.y cannot be set")})

    assert MESSAGE in said.never_said()
