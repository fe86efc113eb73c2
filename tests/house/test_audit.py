"""Which licences may come with a package, and what is said of known holes and of what could not be looked up."""

import json
import os
import sys
from pathlib import Path

import pytest
from scripts import audit
from scripts.audit import is_allowed, known_holes, licence_of


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


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands in for pip-audit, which asks a service on the network: it prints this file, and ends with 1."""
    answer = tmp_path / "answer.json"
    package = tmp_path / "pip_audit"
    package.mkdir()
    (package / "__init__.py").touch()
    said = f"import pathlib, sys; print(pathlib.Path({str(answer)!r}).read_text()); print('no route', file=sys.stderr)"
    (package / "__main__.py").write_text(f"{said}; sys.exit(1)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return answer


def test_a_known_hole_is_a_fault(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hole = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    service.write_text(json.dumps({"dependencies": [{"name": "p", "version": "1.0", "vulns": [hole]}]}))

    assert known_holes()
    assert capsys.readouterr().out == "known hole: p 1.0: PYSEC-1, mended in 2.0\n"


def test_what_the_service_does_not_know_is_said(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = {"name": "p", "version": "1.0", "vulns": []}
    service.write_text(json.dumps({"dependencies": [sound, {"name": "q", "skip_reason": "not found"}]}))

    assert not known_holes()
    assert capsys.readouterr().out == "known holes: not checked: 1 of 2 packages, unknown to the service: q …\n"


def test_a_service_that_does_not_answer_is_said(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service.write_text("")

    assert not known_holes()
    assert capsys.readouterr().out == "known holes: not checked: no route\n"


def test_a_licence_that_is_not_on_the_list_is_a_fault(
    service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = tmp_path / "requirements.txt"
    pinned.write_text("no-such-package==1.0\n", encoding="utf-8")
    monkeypatch.setattr(audit, "PINNED", pinned)
    service.write_text(json.dumps({"dependencies": []}))

    assert audit.main() == 1
    assert "licence not on the list: no-such-package" in capsys.readouterr().out
