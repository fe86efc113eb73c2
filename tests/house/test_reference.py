"""The reference of every key says what it means, when it must stand, and nothing that has no effect."""

from __future__ import annotations

import pytest
from scripts.reference import documents, files

from otklik.settings import Strict, keys_of
from otklik.task import FIXED_WITH, TRIED_WITH, Task

CLASSES = {name: settings for name, (settings, _) in documents().items()}
OF_CLASSIFY = {key.path: key for key in keys_of(Task)}


@pytest.mark.parametrize("settings", CLASSES.values(), ids=CLASSES)
def test_every_key_has_a_meaning(settings: type[Strict]) -> None:
    assert [key.path for key in keys_of(settings) if not key.meaning.strip()] == []


def test_the_reference_is_what_the_classes_say() -> None:
    assert [path.name for path, text in files().items() if path.read_text(encoding="utf-8") != text] == []


@pytest.mark.parametrize(
    ("path", "when"),
    [
        ("name", "required"),
        ("features.NAME.sql", "required"),
        ("decision.cost", "required if [decision] is given"),
        ("rows.moment_is.en", "required if [rows.moment_is] is given"),
        ("splits.folds", "default 10"),
    ],
)
def test_a_key_of_an_optional_table_is_required_only_there(path: str, when: str) -> None:
    assert OF_CLASSIFY[path].otherwise == when


def test_a_model_has_only_the_settings_that_it_uses() -> None:
    of_models: dict[str, set[str]] = {}
    for key in OF_CLASSIFY:
        table, _, name = key.removeprefix("models.").partition(".")
        if key.startswith("models.") and table in TRIED_WITH:
            of_models.setdefault(table, set()).update({name} - {""})
    assert of_models == {model: {*TRIED_WITH[model], *FIXED_WITH[model]} for model in TRIED_WITH}
    assert OF_CLASSIFY["models.naive_bayes"].takes == "empty table"
