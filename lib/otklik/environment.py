"""The settings of an environment (conf/env/*.toml): where it runs. Imports no Spark."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field

from otklik.errors import ConfigurationError
from otklik.settings import NAME_PATTERN, Strict


class Environment(Strict):
    """One environment. A secret is never a setting: see privacy.pseudonyms."""

    spark: str = Field("local", pattern=NAME_PATTERN, description="name of its Spark properties file in conf/spark")


def read_properties(path: Path) -> dict[str, str]:
    """Read a Spark properties file: `key value` or `key=value` per line, # for comments, as Spark reads it.

    Raises:
        ConfigurationError: if the file is missing or a line has no value.
    """
    if not path.is_file():
        raise ConfigurationError(
            "no such file of Spark properties",
            where=str(path),
            hint="write it, or correct spark in the environment's TOML file",
        )
    properties = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, value = [*re.split(r"\s*[=:]\s*|\s+", text, maxsplit=1), ""][:2]
        if not value:
            raise ConfigurationError(
                f"line {number}: {key} has no value", where=str(path), hint="write the key, a space and the value"
            )
        properties[key] = value
    return properties
