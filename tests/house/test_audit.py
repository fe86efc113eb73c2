"""Which licences may come with a package."""

import pytest
from scripts.audit import is_allowed, licence_of


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache-2.0 OR BSD-2-Clause", "BSD License; Mozilla Public License 2.0 (MPL 2.0)"]
)
def test_free_licences_are_allowed(licence: str) -> None:
    assert is_allowed(licence)


@pytest.mark.parametrize(
    "licence", ["AGPL-3.0", "MIT AND GPL-3.0", "Databricks License", "not stated", "not installed"]
)
def test_others_are_not(licence: str) -> None:
    assert not is_allowed(licence)


def test_a_package_says_its_licence() -> None:
    assert is_allowed(licence_of("pydantic"))
    assert licence_of("no-such-package") == "not installed"
