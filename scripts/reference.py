"""Writes docs/reference and conf/schemas from the settings classes: every key of contracts, tasks and environments.

scripts/reference.py           write them
scripts/reference.py --check   exit code 1 if they are not what the classes say
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from otklik.environment import Environment
from otklik.kinds import KINDS, find_kind
from otklik.settings import Strict, keys_of
from otklik.sources.contract import Contract

PROJECT = Path(__file__).resolve().parents[1]


def documents() -> dict[str, tuple[type[Strict], str]]:
    """Name of each document → the class, and what it is the reference of."""
    kinds = {f"task_{name}": find_kind(name, name) for name in sorted(KINDS)}
    return {
        "contract": (Contract, "A contract: one TOML file in `conf/sources` per kind of file."),
        "environment": (Environment, "An environment: one TOML file in `conf/env`."),
        **{name: (kind.task, f"A task of kind `{kind.name}`: {kind.summary.en}") for name, kind in kinds.items()},
    }


def files() -> dict[Path, str]:
    """Each file and what stands in it."""
    found = {}
    for name, (settings, about) in documents().items():
        found[PROJECT / "docs" / "reference" / f"{name}.md"] = page(settings, name, about)
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", **settings.model_json_schema()}
        found[PROJECT / "conf" / "schemas" / f"{name}.json"] = json.dumps(schema, ensure_ascii=False, indent=1) + "\n"
    return found


def page(settings: type[Strict], name: str, about: str) -> str:
    """A table of keys."""
    lines = [
        f"# {name.replace('_', ' ')}",
        "",
        about,
        "",
        f"Editors complete it by `#:schema ../schemas/{name}.json`.",
        "",
    ]
    lines += ["| Key | Takes | Default | Meaning |", "|---|---|---|---|"]
    for key in keys_of(settings):
        default = key.otherwise if key.default is None else f"`{key.default}`"
        cells = (f"`{key.path}`", key.takes, default, key.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Returns the exit code."""
    wanted = files()
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        sys.stdout.write("".join(f"not as the classes say: {path.relative_to(PROJECT)}\n" for path in stale))
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
