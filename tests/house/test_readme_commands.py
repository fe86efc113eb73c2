"""README names every command, option and exit code there is."""

import argparse
import re

import pytest
from tests.conftest import PROJECT

from otklik import errors
from otklik.command_line.arguments import COMMANDS, parser

README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_stands_there(command: str) -> None:
    assert f"| `otklik {command}" in README


def test_every_common_option_stands_there() -> None:
    [commands] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    [common] = [g for g in commands.choices["run"]._action_groups if g.title == "common options"]
    options = {action.option_strings[0] for action in common._group_actions}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE))


def test_every_exit_code_stands_there() -> None:
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OtklikError)
    ]
    codes = {0, errors.WARNING_EXIT_CODE, *(kind.exit_code for kind in classes)}
    assert {f"| {code} |" for code in codes} <= set(re.findall(r"^\| \d+ \|", README, re.MULTILINE))
