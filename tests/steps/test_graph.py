"""Which task reads from which, where two of them say that they write one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from otklik.errors import ConfigurationError
from otklik.project_files import find_project
from otklik.steps.graph import read_graph

READER = """
name = "reader"
kind = "rules"
title = { en = "t", ru = "t" }
question = { en = "q", ru = "q" }
inputs = { segments = "INPUT" }
"""
HOME = find_project(None)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's folder with a copy of a shipped task."""
    copy = HOME.task("shop_segments").read_text(encoding="utf-8")
    (tmp_path / "copy.toml").write_text(copy, encoding="utf-8")
    return tmp_path


def test_a_copy_of_a_shipped_task_does_not_stop_those_beside_it(mine: Path) -> None:
    (mine / "own.toml").write_text(READER.replace("INPUT", "silver.receipts"), encoding="utf-8")

    graph = read_graph(HOME, [str(mine / "own.toml")])

    assert graph.order(["reader"]) == ["reader"]
    assert ["is also written by" in fault.what for fault in graph.faults] == [True]


@pytest.mark.parametrize("named", ["copy", "own"])
def test_a_table_that_is_needed_must_have_one_writer(named: str, mine: Path) -> None:
    (mine / "own.toml").write_text(READER.replace("INPUT", "gold.shop_segments_segments"), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"gold\.shop_segments_\w+ is also written by"):
        read_graph(HOME, [str(mine / f"{named}.toml")])
