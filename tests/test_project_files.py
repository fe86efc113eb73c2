"""Where jobs/ and conf/ are found, however the package was installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import PROJECT

import otklik
from otklik.project_files import find_project


@pytest.mark.parametrize(
    "package",
    [
        "lib/python3.12/site-packages/otklik",  # into an environment, or as a library of a Databricks cluster
        "otklik",  # pip install --target
    ],
)
def test_what_was_installed_is_found_beside_the_package(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("share/otklik/conf", "share/otklik/jobs", package):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(otklik, "__file__", str(tmp_path / package / "__init__.py"))

    assert find_project(None).path == tmp_path / "share" / "otklik"


def test_a_checkout_comes_before_what_is_installed_and_a_chosen_home_before_both(tmp_path: Path) -> None:
    assert find_project(None).path == PROJECT
    assert find_project(str(tmp_path)).path == tmp_path
    assert find_project(".").path == Path.cwd()
