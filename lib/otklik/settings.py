"""Strict settings from TOML: unknown keys and wrong types are errors, and all of them are listed at once.

Nothing here knows Spark. A settings class derives from `Strict`; `load` reads a file into it.
"""

from __future__ import annotations

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from otklik.errors import ConfigurationError

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
#: Schemes of URIs, for lakes and for input files; anything else before :// is refused.
URI_SCHEMES = ("file", "hdfs", "viewfs", "s3", "s3a", "gs", "abfs", "abfss", "wasb", "wasbs", "dbfs", "oss", "cosn")

#: Maximum number of errors reported per file, and maximum length of each.
_MOST_FAULTS, _LONGEST_FAULT = 20, 500


class _ImpossibleError(ValueError):
    """Values that are valid one by one but not together."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Strict(BaseModel):
    """A frozen settings table: no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_max_length=20_000, allow_inf_nan=False)

    def impossible(self) -> list[str]:
        """Return cross-field errors; called after each field has been validated."""
        return []

    @model_validator(mode="after")
    def _possible(self) -> Self:
        faults = self.impossible()
        if faults:
            raise _ImpossibleError(faults)
        return self


def whole_uri(path: str) -> str:
    """A path as it is; a URI that names no host (`hdfs:/x`) as all code expects URIs: `hdfs:///x`."""
    scheme, sign, rest = path.partition(":/")
    is_short = bool(sign) and scheme in URI_SCHEMES and not rest.startswith("/")
    return f"{scheme}:///{rest}" if is_short else path


class Text(Strict):
    """A text for people in the report's two languages."""

    en: str
    ru: str

    def __getitem__(self, language: str) -> str:
        return self.ru if language == "ru" else self.en


#: The same, written once in a TOML file where it is one text in both languages.
SharedText = Annotated[Text, BeforeValidator(lambda text: {"en": text, "ru": text} if isinstance(text, str) else text)]

Settings = TypeVar("Settings", bound=Strict)


def load(settings_class: type[Settings], path: Path, overrides: dict[str, Any] | None = None) -> Settings:
    """Read a TOML file into a settings class.

    Args:
        settings_class: what the file is checked against.
        path: the file.
        overrides: dotted key → value, laid over the file (`--set key=value`).

    Raises:
        ConfigurationError: with one line per fault, each with its key path and, for an unknown key, the nearest known.
    """
    return validate(settings_class, read_toml(path), str(path), overrides)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as plain values.

    Raises:
        ConfigurationError: if the file is missing, not UTF-8, or not TOML.
    """
    try:
        with path.open("rb") as content:
            return tomllib.load(content)
    except FileNotFoundError:
        raise ConfigurationError("no such file", where=str(path), hint="check the path") from None
    except ValueError as fault:
        # Not only TOML's own faults: bytes that are no text, and numbers of thousands of digits.
        raise ConfigurationError(
            f"not valid TOML: {fault}",
            where=str(path),
            hint="write key = value, each key once and strings in quotes, and save the file as UTF-8",
        ) from None
    except RecursionError:
        raise ConfigurationError(
            "TOML is nested too deeply", where=str(path), hint="use fewer nested lists and tables"
        ) from None
    except OSError as fault:
        raise ConfigurationError(
            f"cannot be read: {fault.strerror}", where=str(path), hint="give the path of a .toml file that you may read"
        ) from None


def validate(
    settings_class: type[Settings], values: dict[str, Any], where: str, overrides: dict[str, Any] | None = None
) -> Settings:
    """Check plain values against a settings class; see `load`."""
    for key, value in (overrides or {}).items():
        values = with_override(values, key.split("."), value, where)
    try:
        return settings_class.model_validate(values)
    except ValidationError as fault:
        errors = fault.errors(include_url=False)
        count = sum(map(_fault_count, errors))
        lines = list(islice((line for error in errors for line in _fault_lines(settings_class, error)), _MOST_FAULTS))
        if count > len(lines):
            lines.append(f"and {count - len(lines):,} more")
        faults = "; ".join(map(_shortened, lines))
        raise ConfigurationError(
            f"1 error: {faults}" if count == 1 else f"{count:,} errors: {faults}",
            where=where,
            hint="correct the file or --set, and validate it with `otklik check`",
        ) from None


def with_override(values: dict[str, Any], keys: list[str], value: Any, where: str) -> dict[str, Any]:
    """Lay one value over nested tables, without changing the tables given."""
    head, rest = keys[0], keys[1:]
    if not rest:
        return {**values, head: value}
    inner = values.get(head, {})
    if not isinstance(inner, dict):
        raise ConfigurationError(
            f"{head} is not a table, so {head}.{'.'.join(rest)} cannot be set",
            where=where,
            hint=f"give --set a key that the file can have, or all of {head} at once",
        )
    return {**values, head: with_override(inner, rest, value, where)}


def parse_override(text: str) -> tuple[str, Any]:
    """Split `key=value` of --set; the value is TOML, or a bare string where it is not.

    Raises:
        ConfigurationError: if there is no `=` or no key.
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ConfigurationError(
            f"expected key=value, got {text!r}", where="--set", hint="write it like --set splits.folds=4"
        )
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


@dataclass(frozen=True)
class Key:
    """A key for people: its dotted path, what it takes, its default (None = required), its meaning."""

    path: str
    takes: str
    default: str | None
    meaning: str


def keys_of(settings: type[Strict], prefix: str = "") -> list[Key]:
    """Every key of a settings class and of the tables inside it; `NAME` stands where a name is free.

    Args:
        settings: the class.
        prefix: of the paths, with its dot.
    """
    found = []
    for name, field in settings.model_fields.items():
        path, inner = f"{prefix}{field.alias or name}", _settings_classes(field.annotation)
        free = _free_names(field.annotation)
        if inner:
            for each in inner:
                found += keys_of(each, f"{path}{free}.")
            continue
        default = None if field.is_required() else _as_toml(field.get_default(call_default_factory=True))
        found.append(Key(f"{path}{free}", _in_words(field.annotation), default, field.description or ""))
    return list({key.path: key for key in found}.values())


def _free_names(annotation: Any) -> str:
    """`.NAME` for a table whose keys are free, `[]` for a list of tables."""
    origins = [typing.get_origin(part) for part in (annotation, *typing.get_args(annotation))]
    return ".NAME" if dict in origins else "[]" if list in origins and _settings_classes(annotation) else ""


def _in_words(annotation: Any) -> str:
    """What a key takes: `text`, `number`, `one of a, b` …"""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is Annotated:
        return _in_words(parts[0])
    if origin in (list, tuple):
        return f"list of {_in_words(parts[0])}"
    if origin is dict:
        return _in_words(parts[1])
    if parts:
        return " or ".join(dict.fromkeys(_in_words(part) for part in parts if part is not types.NoneType))
    return _TYPES.get(annotation, getattr(annotation, "__name__", str(annotation)))


_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def _as_toml(value: Any) -> str:
    if isinstance(value, Strict):
        value = value.model_dump(mode="json")
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _fault_count(error: Any) -> int:
    """How many lines `_fault_lines` gives, without looking for near keys."""
    raised = error.get("ctx", {}).get("error")
    return len(raised.faults) if isinstance(raised, _ImpossibleError) else 1


def _shortened(line: str) -> str:
    """A fault quotes keys and values, and they may have any length."""
    return line if len(line) <= _LONGEST_FAULT else f"{line[: _LONGEST_FAULT - 1]}…"


def _fault_lines(settings_class: type[Strict], error: Any) -> list[str]:
    path = [str(part) for part in error["loc"]]
    dotted = ".".join(path) or "(top level)"
    if error["type"] == "extra_forbidden":
        known = _known_keys(settings_class, path[:-1])
        near = difflib.get_close_matches(path[-1][:_LONGEST_FAULT], known, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return [f"{dotted}: unknown key{hint}"]
    if error["type"] == "missing":
        return [f"{dotted}: missing"]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, _ImpossibleError):
        return [f"{dotted}: {fault}" for fault in raised.faults]
    message = str(error["msg"]).removeprefix("Value error, ")
    return [f"{dotted}: {message[0].lower()}{message[1:]}"]


def _known_keys(settings_class: type[Strict], path: list[str]) -> list[str]:
    """The keys a settings class knows at a path; list positions and free names are stepped through."""
    classes: list[type[Strict]] = [settings_class]
    for part in path:
        found = [inner for one in classes for inner in _inner_classes(one, part)]
        classes = found or classes
    return [name for one in classes for name in one.model_fields]


def _inner_classes(settings_class: type[Strict], part: str) -> list[type[Strict]]:
    field = settings_class.model_fields.get(part)
    return [] if field is None else _settings_classes(field.annotation)


def _settings_classes(annotation: Any) -> list[type[Strict]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, Strict) else []
    return [found for inner in typing.get_args(annotation) for found in _settings_classes(inner)]
