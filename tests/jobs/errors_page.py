"""docs/errors.md: `python -m tests.jobs.errors_page > docs/errors.md` writes it, test_user_faults.py compares it.

The first table is what test_user_faults.py provokes. The second one is read from the source text, so that no message
can be missing: every place where a fault is made, with `…` for what is filled in.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.jobs.user_faults import ENVIRONMENTS, EVERY, SOURCES, TASKS

from otklik import errors
from otklik.platform_errors import SAYINGS

PACKAGE = Path(errors.__file__).parent
CLASSES = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.OtklikError)
}
HEAD = """# Error messages

One line on stderr, `otklik: where: what → what to do`, and an exit code other than 0. No step leaves partial results: a
refused file adds a row to `ops.files` (status `rejected`), the command one to `ops.runs`, and no other table changes.
If a file changes while it is being ingested, or another process writes to its tables, none of its rows count. `--debug`
adds the stack trace.

| Code | Meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    # The first class of a code is the one that the others are kinds of.
    meanings = {kind.exit_code: (kind.__doc__ or "").splitlines()[0] for kind in reversed(CLASSES.values())}
    meanings[1] = "Unexpected error (`--debug` shows it), or `otklik maintain` found something wrong."
    codes = [f"| {code} | {meanings[code]} |" for code in sorted(meanings)]
    codes += [
        f"| {errors.WARNING_EXIT_CODE} | Done, but inputs or scores have drifted beyond the declared limit. |",
        "| 141 | The reader of the output has closed it (`\\| head`); this is not an error, and nothing is printed. |",
        "| 130, 143 | Stopped by Ctrl-C or SIGTERM; the message says how to resume or start over. |",
    ]
    examples = [f"| {fault.code} | {fault.cause} | {_cells(fault.says)} |" for fault in EVERY]
    lines = sorted({f"| {code} | {_cell(what)} | {_cell(hint)} |" for code, what, hint in messages()})
    return (
        HEAD
        + "\n".join(codes)
        + "\n\n## By cause\n\nFOLDER stands for one of your folders.\n\n"
        + "\n".join(["| Code | Cause | Message | What to do |", "|---|---|---|---|", *examples])
        + "\n\n## Every message\n\n`…` stands for what is filled in.\n\n"
        + "\n".join(["| Code | Message | What to do |", "|---|---|---|", *lines])
        + "\n"
    )


def _cells(line: str) -> str:
    # The page stays as it is when conf/ gets a file.
    for names in (SOURCES, TASKS, ENVIRONMENTS):
        line = line.replace(names, "…")
    says, _, hint = line.partition(" → ")
    return f"{_cell(says)} | {_cell(hint)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@dataclass(frozen=True)
class Making:
    """A place of the source where a fault is made: its function, the fault's code, and what it may say and advise."""

    place: str
    code: int
    whats: tuple[str, ...]
    hints: tuple[str, ...]


@functools.cache
def messages(package: Path = PACKAGE) -> Sequence[tuple[int, str, str]]:
    """Exit code, message and hint of every fault that the package makes."""
    found = [(errors.PlatformError.exit_code, what, hint) for what, hint in SAYINGS.values()]
    for making in makings(package):
        found += [(making.code, what, hint) for what in making.whats for hint in making.hints if says_something(what)]
    return found


def makings(package: Path = PACKAGE) -> Iterator[Making]:
    """Every place of the package where a fault is made."""
    for file in sorted(package.rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES and node.args:
                around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
                texts = {**_texts_by_name(module.body), **_texts_by_name([n for f in around for n in ast.walk(f)])}
                hint = next((keyword.value for keyword in node.keywords if keyword.arg == "hint"), ast.Constant(""))
                yield Making(
                    f"{file.relative_to(package)}: {around[-1].name}",
                    CLASSES[node.func.id].exit_code,
                    _templates(node.args[0], texts),
                    _templates(hint, texts),
                )


def says_something(text: str) -> bool:
    """Whether a text has words of its own, and not only what is filled in."""
    return any(letter.isalpha() for letter in text)


def _texts_by_name(nodes: Iterable[ast.AST]) -> dict[str, tuple[str, ...]]:
    """The names to which a text is given in these statements, with all such texts."""
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found[name] = found.get(name, ()) + _templates(node.value, {})
    return found


def _templates(node: ast.expr, texts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The texts that an expression may give, with `…` for their variable parts; a name stands for its texts."""
    if isinstance(node, ast.IfExp):
        return _templates(node.body, texts) + _templates(node.orelse, texts)
    if isinstance(node, ast.Name):
        return texts.get(node.id, ("…",))
    return (_template(node),)


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return "…"


if __name__ == "__main__":
    sys.stdout.write(page())
