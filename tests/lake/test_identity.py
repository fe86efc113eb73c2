"""Who a run is: the same for the same question, another for any difference."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otklik
from otklik.lake.identity import code_version, hash_of, run_id

QUESTION: dict[str, Any] = {
    "task": "calls",
    "as_of": datetime(2026, 3, 31, tzinfo=UTC),
    "settings": {"splits": {"folds": 10}, "sql": ["SELECT 1"]},
    "inputs": {"silver.a": 3, "silver.b": 1},
    "code_version": "0.1+abc",
}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def turned(value: Any) -> Any:
    """The same values with the keys of every table in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


@given(PLAIN)
def test_the_order_of_keys_does_not_count(value: Any) -> None:
    assert hash_of(value) == hash_of(turned(value))


@given(PLAIN, PLAIN)
def test_other_values_have_another_hash(one: Any, other: Any) -> None:
    assert (hash_of(one) == hash_of(other)) == same(one, other)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON has it: 1 is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_a_run_keeps_its_name() -> None:
    assert re.fullmatch("[0-9a-f]{16}", run_id(**QUESTION))
    assert run_id(**QUESTION) == run_id(**{**QUESTION, "inputs": {"silver.b": 1, "silver.a": 3}})


@pytest.mark.parametrize(
    "change",
    [
        {"task": "letters"},
        {"as_of": datetime(2026, 3, 31, 0, 0, 0, 1, tzinfo=UTC)},
        {"settings": {"splits": {"folds": 5}, "sql": ["SELECT 1"]}},
        {"settings": {"splits": {"folds": 10}, "sql": ["SELECT 2"]}},
        {"inputs": {"silver.a": 4, "silver.b": 1}},
        {"code_version": "0.1+abd"},
    ],
)
def test_any_difference_makes_another_run(change: dict[str, Any]) -> None:
    assert run_id(**{**QUESTION, **change}) != run_id(**QUESTION)


def test_the_code_is_named_by_version_and_content() -> None:
    assert re.fullmatch(re.escape(otklik.__version__) + r"\+[0-9a-f]{12}", code_version())
