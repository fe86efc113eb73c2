"""docs/errors.md can leave nothing out: what a fault says and advises stands where it is made."""

from __future__ import annotations

from pathlib import Path

from tests.jobs.errors_page import makings, messages, says_something

#: Functions whose fault has no words where it is made, and where the page has them.
SAID_ELSEWHERE = {
    "sources/checks.py: refuse_past_thresholds": "one fault for each threshold, each in the table by cause",
    "steps/offline.py: check": "the faults of several files, each of them made with words of its own",
    "lake/maintenance.py: noting": "what another message says of one table, as a flaw of that table",
    "platform_errors.py: platform_error": "SAYINGS, which the page lists",
}
#: Functions whose fault has no advice where it is made.
ADVISED_ELSEWHERE = {
    "sources/header.py: match_header": "the advice depends on the header, and stands in the table by cause",
    "steps/offline.py: check": "the faults of several files, each of them with its own",
    "platform_errors.py: platform_error": "SAYINGS, which the page lists",
}


def test_every_fault_says_in_words_what_is_wrong() -> None:
    assert {made.place for made in makings() if not all(map(says_something, made.whats))} == set(SAID_ELSEWHERE)


def test_every_fault_says_in_words_what_to_do() -> None:
    assert {made.place for made in makings() if not all(map(says_something, made.hints))} == set(ADVISED_ELSEWHERE)


def test_a_text_is_found_under_its_name_and_in_both_branches(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(
        "CURE = 'do that'\n"
        "def one(x):\n"
        "    what = 'is bad' if x else f'is {x}'\n"
        "    raise InputError(what, hint=CURE)\n"
        "def other(what):\n"
        "    raise ConfigurationError(what, hint='do ' + what)\n",
        encoding="utf-8",
    )

    assert [(made.place, made.whats, made.hints) for made in makings(tmp_path)] == [
        ("some.py: one", ("is bad", "is …"), ("do that",)),
        ("some.py: other", ("…",), ("do …",)),
    ]
    assert [said for said in messages(tmp_path) if said[0] != 7] == [(3, "is bad", "do that"), (3, "is …", "do that")]
