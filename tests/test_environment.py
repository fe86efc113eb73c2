"""Files of Spark properties: read line by line, and what is wrong in one is named."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.conftest import PROJECT

from otklik.environment import read_properties
from otklik.errors import ConfigurationError


def test_a_line_is_a_key_and_a_value_with_blanks_in_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.conf"
    file.write_text("# why\n\n spark.a   1 2\nspark.b=true\nspark.c = -Dd=e:f\nspark.g\th\n", encoding="utf-8")

    assert read_properties(file) == {"spark.a": "1 2", "spark.b": "true", "spark.c": "-Dd=e:f", "spark.g": "h"}


def test_what_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.conf"
    file.write_text("# why\nspark.a\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"mine\.conf: line 2: spark\.a has no value"):
        read_properties(file)
    with pytest.raises(ConfigurationError, match=r"none\.conf: no such file of Spark properties"):
        read_properties(tmp_path / "none.conf")


@pytest.mark.parametrize("file", sorted((PROJECT / "conf" / "spark").glob("*.conf")), ids=lambda file: file.name)
def test_shipped_files_can_be_read(file: Path) -> None:
    assert all(key.startswith("spark.") for key in read_properties(file))


@pytest.mark.parametrize("file", sorted((PROJECT / "conf" / "spark").glob("*.conf")), ids=lambda file: file.name)
def test_every_shipped_property_has_its_reason_above_it(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()

    properties = [(before, line) for before, line in pairwise(["", *lines]) if line.startswith("spark.")]

    assert [line for before, line in properties if not before.startswith("# ")] == []
