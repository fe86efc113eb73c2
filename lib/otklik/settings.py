"""Strict settings from TOML: unknown keys and wrong types are errors, and all of them are listed at once.

Imports no Spark. A settings class derives from `Strict`; `load` reads a file into it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
import typing
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from otklik.errors import ConfigurationError

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
#: Of a table that a task reads.
TABLE_PATTERN = r"^(silver|gold)\.[a-z][a-z0-9_]*$"
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

    @classmethod
    def keys_within(cls, table: str) -> Collection[str] | None:  # noqa: ARG003  (asked of those with such tables)
        """The keys that mean something in one of its tables, where others have the same class; None = all."""
        return None

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


#: Context of `model_dump`: texts for people become None, since they decide no result.
WITHOUT_TEXTS = {"texts": False}


class Text(Strict):
    """A text for people in the report's two languages."""

    en: str = Field(description="in English")
    ru: str = Field(description="in Russian")

    @model_serializer(mode="wrap")
    def _plain(self, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        return None if info.context is WITHOUT_TEXTS else write(self)

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
        overrides: dotted key → value, overriding the file (`--set key=value`).

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
        errors = _without_unions(fault.errors(include_url=False))
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
    """Override one value in nested tables, without changing the given ones."""
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
    """A key for people.

    Attributes:
        path: with dots.
        takes: what it takes.
        default: its value where it is left out; None: it is required.
        meaning: of it.
        within: the optional table in which alone it is required; empty where it always is.
    """

    path: str
    takes: str
    default: str | None
    meaning: str
    within: str = ""

    @property
    def otherwise(self) -> str:
        """What holds where it is left out."""
        if self.default is not None:
            return f"default {self.default}"
        return f"required if {self.within} is given" if self.within else "required"


def keys_of(
    settings: type[Strict], prefix: str = "", within: str = "", only: Collection[str] | None = None
) -> list[Key]:
    """Every key of a settings class and of the tables inside it; `NAME` stands where a name is free.

    Args:
        settings: the class.
        prefix: of the paths, with its dot.
        within: the optional table that it is of, if any.
        only: these keys; None = all.
    """
    found = []
    for name, field in settings.model_fields.items():
        if only is not None and name not in only:
            continue
        path, inner, used = f"{prefix}{field.alias or name}", _settings_classes(field.annotation), None
        free = _free_names(field.annotation)
        if inner:
            used = settings.keys_within(name)
            for each in inner:
                of_it = keys_of(each, f"{path}{free}.", within if field.is_required() else f"[{path}]", used)
                if each is Text and field.description:
                    of_it = [replace(key, meaning=f"{key.meaning}: {field.description}") for key in of_it]
                found += of_it
        if not inner or (used is not None and not used):
            default = None if field.is_required() else _as_toml(field.get_default(call_default_factory=True))
            takes, default = ("empty table", "{}") if inner else (_in_words(field.annotation), default)
            found.append(Key(f"{path}{free}", takes, default, field.description or "", within))
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


def _without_unions(errors: Sequence[Any]) -> list[Any]:
    """One fault per key: for a key of several types pydantic reports one for each type."""
    found: dict[tuple[object, ...], Any] = {}
    for number, error in enumerate(errors):
        place = tuple(part for part in error["loc"] if not _OF_UNION.match(str(part)))
        is_of_union = len(place) < len(error["loc"])
        known = found.get(place) if is_of_union else None
        if known is not None:
            known["others"].append(error)
        else:
            found[place if is_of_union else (number,)] = {**error, "loc": place, "others": []}
    return list(found.values())


def _fault_lines(settings_class: type[Strict], error: Any) -> list[str]:
    path = list(error["loc"])
    if path and path[-1] == "[key]":
        return [f"{_dotted(path[:-2])}: the name {path[-2]!r}: {_message(settings_class, path, error)}"]
    before = f"{_dotted(path)}: " if path else ""
    if error["type"] == "extra_forbidden":
        known = [name for each in _classes_at(settings_class, path[:-1]) for name in each.model_fields]
        near = difflib.get_close_matches(str(path[-1])[:_LONGEST_FAULT], known, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return [f"{before}unknown key{hint}"]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, _ImpossibleError):
        return [f"{before}{fault}" for fault in raised.faults]
    messages = [_message(settings_class, path, each) for each in (error, *error["others"])]
    # Where the type is right, what is wrong with the value says more than which other types there are.
    of_value = [message for message in messages if not message.startswith("must be ")]
    messages = of_value or messages
    either = dict.fromkeys([messages[0], *(message.removeprefix("must be ") for message in messages[1:])])
    return [f"{before}{' or '.join(either)}"]


def _dotted(path: Sequence[object]) -> str:
    """A place in a file: `columns.age`, `rules[1].holds` for the first of its rules."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _message(settings_class: type[Strict], path: Sequence[object], error: Any) -> str:
    """What is wrong with a value, in the words of TOML."""
    name, values = error["type"], error.get("ctx", {})
    if name == "model_type":
        required = [
            each.alias or key
            for settings in _classes_at(settings_class, path)[:1]
            for key, each in settings.model_fields.items()
            if each.is_required()
        ]
        return f"must be a table{' { ' + ', '.join(f'{key} = …' for key in required) + ' }' if required else ''}"
    if name in ("too_short", "string_too_short"):
        least = values["min_length"]
        return "must not be empty" if least == 1 else f"needs at least {least}"
    if name == "string_pattern_mismatch":
        return _PATTERNS.get(values["pattern"], f"must match the pattern {values['pattern']}")
    if name in _MESSAGES:
        return _MESSAGES[name].format(**values)
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"


#: What pydantic puts into the place of a fault for each type that a key takes.
_OF_UNION = re.compile(r"(literal|list|dict|tuple|constrained-|function-)[^ ]*\[")
_MESSAGES = {
    "missing": "missing",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text in quotes",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "date_type": "must be a date without quotes, e.g. 2026-01-31",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_long": "takes at most {max_length}",
    "string_too_long": "takes at most {max_length} characters",
}
_PATTERNS = {
    NAME_PATTERN: "use a-z, 0-9 and _, starting with a letter",
    TABLE_PATTERN: "must be silver.NAME or gold.NAME, with a-z, 0-9 and _ in NAME",
}


def _classes_at(settings_class: type[Strict], path: Sequence[object]) -> list[type[Strict]]:
    """The settings classes at a place; list positions and free names are skipped."""
    classes: list[type[Strict]] = [settings_class]
    for part in path:
        found = [inner for one in classes for inner in _inner_classes(one, str(part))]
        classes = found or classes
    return classes


def _inner_classes(settings_class: type[Strict], part: str) -> list[type[Strict]]:
    field = settings_class.model_fields.get(part)
    return [] if field is None else _settings_classes(field.annotation)


def _settings_classes(annotation: Any) -> list[type[Strict]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, Strict) else []
    return [found for inner in typing.get_args(annotation) for found in _settings_classes(inner)]
