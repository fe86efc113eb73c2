"""Strict settings: every fault at once, hints for slips, overrides; whatever stands in the file."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik.errors import ConfigurationError
from otklik.settings import Strict, load, parse_override, read_toml, validate, whole_uri, with_override
from otklik.sources.contract import Contract
from otklik.task import Task

CONF = Path(__file__).resolve().parents[1] / "conf"
TASK = read_toml(CONF / "tasks" / "campaign_response.toml")
CONTRACT = read_toml(CONF / "sources" / "customers.toml")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(values: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of nested values."""
    pairs = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [path for key, inner in pairs for path in [(*before, key), *paths(inner, (*before, key))]]


def replaced(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same values with another one at a place."""
    if not path:
        return value
    made = dict(values) if isinstance(values, dict) else list(values)
    made[path[0]] = replaced(values[path[0]], path[1:], value)
    return made


def names_a_key(fault: ConfigurationError, kind: type[Strict], values: dict[str, Any]) -> bool:
    """Whether a refusal of values begins with the path of a key that there is or should be."""
    count, _, faults = fault.what.partition(": ")
    keys = [*kind.model_fields, *values]
    return bool(re.fullmatch(r"[\d,]+ errors?", count)) and faults.startswith(
        tuple(f"{key}{sign}" for key in keys for sign in (".", "[", ": "))
    )


def fault_of(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        validate(Task, values, "some.toml")
    return caught.value.line()


def test_the_shipped_files_are_valid() -> None:
    assert validate(Task, TASK, "task").name == "campaign_response"
    assert validate(Contract, CONTRACT, "contract").personal_columns == ["name", "email", "phone"]


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("hdfs:/a/b", "hdfs:///a/b"),
        ("file:/a.csv", "file:///a.csv"),
        ("s3a://bucket/a", "s3a://bucket/a"),
        ("file:///a", "file:///a"),
        ("/a/hdfs:/b", "/a/hdfs:/b"),
        ("odd:/a", "odd:/a"),
        ("hdfs:a", "hdfs:a"),
    ],
)
def test_a_uri_without_a_host_says_so(path: str, whole: str) -> None:
    assert whole_uri(path) == whole


def test_all_faults_are_listed_each_with_its_place() -> None:
    values = with_override(TASK, ["splits", "fold"], 5, "")
    values = with_override(values, ["splits", "time_windows"], "three", "")
    values = with_override(values, ["decision", "cost"], -1.0, "")
    del values["question"]

    line = fault_of(values)

    assert line.startswith("some.toml: 4 errors: ")
    assert "splits.fold: unknown key, did you mean 'folds'?" in line
    assert "splits.time_windows: must be a whole number" in line
    assert "decision.cost: must be greater than 0" in line
    assert "question: missing" in line


def test_all_that_does_not_go_together_is_listed() -> None:
    values = with_override(TASK, ["splits"], {"folds": 4, "groups": 3, "fold_salt": "bootstrap"}, "")

    assert fault_of(values) == (
        "some.toml: 2 errors: splits: fold, bootstrap, control and permutation need different salts; "
        "splits: each group needs at least two folds: groups must be at most half of folds"
        " → correct the file or --set, and validate it with `otklik check`"
    )


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (["models", "decision_tree", "max_depth"], [31], "models.decision_tree.max_depth[1]: must be at most 30"),
        (["models", "random_forest", "trees"], [0], "models.random_forest.trees[1]: must be"),
        (["models", "random_forest", "features_per_split"], ["some"], "features_per_split[1]: must match the pattern"),
        (["models", "logistic_regression", "reg_param"], [], "reg_param: must not be empty"),
        (["models", "logistic_regression", "elastic_net"], [2.0], "elastic_net[1]: must be at most 1"),
        (["champion", "candidates"], [], "champion.candidates: must not be empty"),
        (["rows", "label_window_hours"], 99_999_999_999, "rows.label_window_hours: must be"),
        (["preparation", "bands"], {"age": [60.0, 30.0]}, "preparation: bands.age: needs at least one cut point"),
        (
            ["preparation", "bands"],
            {"age": [30.0, math.inf]},
            "preparation.bands.age[2]: must be a finite number",
        ),
        (["rows", "settings"], {"share": math.inf}, "1 error: rows.settings.share: must be a string, a number"),
        (["rows", "settings"], {"label_window_hours": 7}, "rows: settings.label_window_hours: set it in [rows]"),
        (
            ["rows", "settings"],
            {"moment": date(2020, 3, 31)},
            "1 error: rows.settings.moment: must be a string, a number",
        ),
    ],
)
def test_what_training_could_not_do_is_said_before_it_begins(place: list[str], value: Any, fault: str) -> None:
    assert fault in fault_of(with_override(TASK, place, value, ""))


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (
            ["columns"],
            {"b c": {"type": "string"}},
            "columns: the name 'b c': use a-z, 0-9 and _, starting with a letter",
        ),
        (["columns", "city"], "string", "columns.city: must be a table { type = … }"),
        (["columns", "city", "allowed"], "Oral", "columns.city.allowed: must be a list"),
        (["rules"], [{"name": "adult", "holds": "TRUE"}, {"name": "old"}], "rules[2].holds: missing"),
        (["key", "columns"], "id", "1 error: key.columns: must be a list or 'all'"),
        (["key", "columns"], [], "1 error: key.columns: must not be empty"),
        (["name"], "rejected", "1 error: name: rejected is reserved"),
        (["format", "kind"], "xls", "format.kind: must be 'csv', 'tsv', "),
    ],
)
def test_a_fault_is_said_in_the_words_of_the_file(place: list[str], value: Any, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate(Contract, with_override(CONTRACT, place, value, ""), "some.toml")
    assert fault in caught.value.line()


def test_a_text_in_two_languages_is_asked_for_as_a_table() -> None:
    assert "title: must be a table { en = …, ru = … }" in fault_of(with_override(TASK, ["title"], "Calls", ""))


def test_of_very_many_faults_the_first_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def no_near_key(key: str, *_: Any, **__: Any) -> list[str]:
        searched.append(key)
        return []

    monkeypatch.setattr(difflib, "get_close_matches", no_near_key)

    line = fault_of({**TASK, **{f"unknown_{number}": number for number in range(5_000)}})

    assert line.startswith("some.toml: 5,000 errors: unknown_0: unknown key")
    assert "unknown_19: unknown key; and 4,980 more → " in line
    assert len(searched) == 20


def test_a_key_of_any_length_is_shortened() -> None:
    assert len(fault_of({**TASK, "x" * 1_000_000: 1})) < 1_000


def test_a_hint_knows_the_place_of_the_key() -> None:
    line = fault_of(with_override(TASK, ["models", "random_forest", "tress"], [5], ""))

    assert "models.random_forest.tress: unknown key, did you mean 'trees'?" in line


def test_values_are_not_converted_in_silence() -> None:
    assert "splits.folds" in fault_of(with_override(TASK, ["splits", "folds"], "5", ""))
    assert "rows.time_ordered" in fault_of(with_override(TASK, ["rows", "time_ordered"], 1, ""))


def test_overrides_lie_over_the_file_and_leave_it_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_bytes((CONF / "tasks" / "campaign_response.toml").read_bytes())
    before = load(Task, file)

    found = load(Task, file, dict([parse_override("decision.cost=7.5"), parse_override("splits.fold_salt=other")]))

    assert found.decision is not None
    assert (found.decision.cost, found.splits.fold_salt) == (7.5, "other")
    assert load(Task, file) == before


def test_an_override_of_what_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"name is not a table, so name\.x cannot be set"):
        validate(Task, TASK, "some.toml", {"name.x": 1})


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a.b=5", "a.b", 5),
        ("a = [1, 2]", "a", [1, 2]),
        ("a=plain words", "a", " plain words".strip()),
        ("a=x=y", "a", "x=y"),
        ("a='5'", "a", "5"),
        ("a=", "a", ""),
    ],
)
def test_override_values_are_toml_or_bare_text(text: str, key: str, value: Any) -> None:
    assert parse_override(text) == (key, value)


@given(st.text(max_size=20))
def test_any_override_is_taken_or_refused(text: str) -> None:
    try:
        key, _ = parse_override(text)
    except ConfigurationError:
        assert "=" not in text or not text.partition("=")[0].strip()
    else:
        assert key


@given(st.sampled_from([(Task, TASK), (Contract, CONTRACT)]), st.data(), VALUES)
def test_any_other_value_at_any_place_is_valid_or_a_clear_fault(kind_and_values, data, value: Any) -> None:
    kind, values = kind_and_values
    changed = replaced(values, data.draw(st.sampled_from(paths(values))), value)
    try:
        validate(kind, changed, "some.toml")
    except ConfigurationError as fault:
        assert "\n" not in fault.where
        assert fault.line().startswith("some.toml: ")
        assert names_a_key(fault, kind, changed)


@given(st.sampled_from([(Task, "tasks/campaign_response"), (Contract, "sources/customers")]), st.data())
def test_any_slip_in_a_shipped_file_is_valid_or_a_clear_fault(
    tmp_path_factory: pytest.TempPathFactory, kind_and_name, data
) -> None:
    """Bytes taken out, put in or repeated anywhere, as a hand or a bad disk does it."""
    kind, name = kind_and_name
    content = (CONF / f"{name}.toml").read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 20, len(content))))
        pieces = st.sampled_from([b"", b"=", b'"', b"[", b"]\n[a]", content[end : end + 30]])
        inner = data.draw(st.binary(max_size=6) | pieces)
        content = content[:start] + inner + content[end:]
    file = tmp_path_factory.getbasetemp() / "slip.toml"
    file.write_bytes(content)
    try:
        load(kind, file)
    except ConfigurationError as fault:
        assert fault.line().startswith(f"{file}: ")
        assert "\n" not in fault.line()
        assert fault.what.startswith("not valid TOML: ") or names_a_key(fault, kind, read_toml(file))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_toml_or_a_clear_fault(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    try:
        found = read_toml(file)
    except ConfigurationError as fault:
        assert fault.where == str(file)
    else:
        assert found == tomllib.loads(content.decode())


@pytest.mark.parametrize("content", ["a = " + "[" * 5000, "a." * 5000 + "b = 1", "a = " + "9" * 5000])
def test_toml_that_is_nested_too_deeply_is_a_clear_fault_or_read(tmp_path: Path, content: str) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError):
        load(Task, file)
