"""The beginning of a JSON document, or of an XML file, as rows of texts. Without Spark."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.parsers import expat

from otklik.errors import InputError
from otklik.sources.contract import SCRIPT
from otklik.sources.guess import MOMENT_NAME
from otklik.sources.sample import Sample, told_apart

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
#: So many times as many objects as an array has elements make rows of an array inside them.
_FEWEST_INSIDE = 3
_ID_NAME = re.compile(r"^_?(?:id|uuid|guid|key)$", re.IGNORECASE)
#: Arrays that tell of the rows what they are, or who is in them, and are not the rows.
_BESIDE = re.compile(
    r"(?:^|\.)(?:meta|metadata|schema|fields|columns|profiles|groups|participants|included|includes|users|errors)\[\]$"
)
#: So deep inside a row fields are columns of their own.
_DEPTH = 3
#: Spark's names for the attributes of an element, and for its text where it has both.
_ATTRIBUTE, _VALUE = "_", "_VALUE"


def document_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    """The elements of an array of objects, and the plain fields of the object around it.

    The array is the outer one, unless one inside it holds _FEWEST_INSIDE times as many and the outer ones are groups.

    Raises:
        InputError: if the text is no JSON document, or holds no array of objects.
    """
    bare = re.sub(SCRIPT, "", text).rstrip("; \t\r\n")
    try:
        document = json.loads(bare if is_whole else _closed(bare), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise InputError("is not valid JSON: truncated or corrupt", where=where, hint="fetch the file again") from None
    found: dict[str, list[dict[str, Any]]] = {}
    for path, rows in _arrays(document):
        found.setdefault(path, []).extend(rows)
    if not found:
        raise InputError(
            "contains no JSON array of objects", where=where, hint="write one object per line, or an array of objects"
        )
    best = _likeliest(found)
    objects: list[dict[str, Any]] = []
    for parent, rows in _rows_at(document, re.findall(r"\[\]|[^.\[\]]+", best)):
        around = {f"../{name}": value for name, value in parent.items() if not isinstance(value, dict | list)}
        objects += [{**around, **row} for row in rows]
    inside = sorted(path for path in found if path.startswith(best) and path != best)
    beside = [path for path in found if not path.startswith(best) and not best.startswith(path)]
    remarks = (
        *(_remark_on_inside(path, found[path]) for path in inside[:3]),
        *(f'the document holds other rows: rows = "{path[:-2]}" ({len(found[path]):,})' for path in beside[:3]),
        *(f'the rows lie inside those of "{path[:-2]}"' for path in found if best.startswith(path) and path != best),
    )
    path = "" if best == "[]" else best.removesuffix("[]")
    return sample_of_objects(
        replace(_EMPTY, kind="json", encoding=encoding, is_whole=is_whole, path=path, remarks=remarks), objects
    )


def _likeliest(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The path of the rows, by the objects in the array at each path."""
    best = ""
    for path in sorted(found, key=lambda path: (path.count("[]"), -len(found[path]))):
        if not best or _is_likelier(path, best, found):
            best = path
    return best


def _is_likelier(path: str, best: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    """Whether an array holds the rows rather than the likeliest one so far, which is around it or beside it."""
    times = len(found[path]) / len(found[best])
    if path.startswith(best):
        # What has a time, or a number that its parts lack, is a thing of its own and no group of things.
        has_time, has_id = (any(map(name.search, found[best][0])) for name in (MOMENT_NAME, _ID_NAME))
        is_group = not has_time and (not has_id or any(map(_ID_NAME.search, found[path][0])))
        return is_group and times >= _FEWEST_INSIDE
    is_beside, was_beside = (_BESIDE.search(each) is not None for each in (path, best))
    return was_beside if is_beside != was_beside else times >= 1.01


def _remark_on_inside(path: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """What to do with rows inside the rows, unless these are the names and values of more columns."""
    is_pairs = all(len(row) == 2 and not row.keys().isdisjoint({"value", "Value"}) for row in rows)
    what = "holds pairs of name and value" if is_pairs else "holds rows"
    return f'each row {what}: rows = "{path[:-2]}" would make rows of them'


def sample_of_objects(sample: Sample, objects: Sequence[Mapping[str, Any]]) -> Sample:
    """A sample with the fields of objects as its columns; those of objects inside them under their paths."""
    flat = [dict(_fields(each)) for each in objects]
    found = list(dict.fromkeys(name for row in flat for name in row))
    for name in [name for name in found if f"{name}.{_VALUE}" in found]:
        # Spark has the text of an element under this name where any of them has attributes.
        flat = [{f"{key}.{_VALUE}" if key == name else key: value for key, value in row.items()} for row in flat]
    # What is an object in one row may be nothing in another one; where it is something, it stays whole everywhere.
    mixed = {
        name
        for name in found
        if any(other.startswith(f"{name}.") for other in found) and any(row.get(name) not in (None, "") for row in flat)
    }
    for name in mixed:
        flat = [
            row if name in row else {**row, name: _at_path(each, name)} for row, each in zip(flat, objects, strict=True)
        ]
    names = [
        name
        for name in found
        if name in mixed or not any(other.startswith(f"{name}.") for other in found)
        if not any(name.startswith(f"{other}.") for other in mixed)
    ]
    pieces = {name: key for name in names if (key := _key_of_pieces([row.get(name) for row in flat]))}
    rows = [[_as_text(row.get(name), pieces.get(name)) for name in names] for row in flat]
    remarks = [f"{name} is an object in some rows and a plain value in others: read as it is written" for name in mixed]
    inside = frozenset(names).difference(*objects) if sample.kind != "xml" else frozenset[str]()
    return replace(
        sample,
        names=told_apart(names),
        rows=rows,
        pieces=pieces,
        remarks=(*sample.remarks, *sorted(remarks)),
        # What programs wrap a value in, such as {"$oid": …}, is no object.
        inside=frozenset(name for name in inside if "$" not in name),
    )


def refuse_rows_as_keys(text: str, where: str) -> None:
    """See that a text is not one JSON object whose fields are the rows, or the columns, under their names.

    Raises:
        InputError: if it is.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    inner = [*value.values()] if isinstance(value, dict) else []
    if len(inner) > 1 and all(isinstance(each, dict) and each and each.keys() == inner[0].keys() for each in inner):
        raise InputError(
            "is one JSON object whose fields are its rows or columns",
            where=where,
            hint="write an array of objects, one for each row, with the key as a field",
        )


def xml_sample(content: bytes, is_whole: bool, where: str) -> Sample:
    """The elements of the tag that comes most often and holds others.

    Raises:
        InputError: if the file is not well-formed XML, or no element holds others several times.
    """
    reader = _Elements()
    try:
        reader.parser.Parse(content, is_whole)
    except expat.ExpatError as fault:
        raise InputError(
            f"is not well-formed XML: {expat.ErrorString(fault.code)} in line {fault.lineno:,}",
            where=where,
            hint="fetch the file again",
        ) from None
    repeated = [tag for tag, rows in reader.rows.items() if len(rows) > 1]
    if not repeated:
        raise InputError(
            "contains no repeated element with child elements", where=where, hint="export it as csv in utf-8"
        )
    # Of an element and another one inside it, the outer one holds more text.
    best = max(repeated, key=lambda tag: reader.sizes[tag])
    sample = replace(_EMPTY, kind="xml", encoding=reader.encoding, is_whole=is_whole, path=best)
    return sample_of_objects(sample, reader.rows[best])


class _Elements:
    """Gathers the elements that hold others, by tag, as Spark's reader has them: objects of texts."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.sizes = Counter[str]()
        self.encoding = "utf-8"
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.CharacterDataHandler = self._text
        self.parser.EndElementHandler = self._end

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        self.encoding = (encoding or "utf-8").lower()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        # Of an element that says it is nil Spark has nothing.
        named = {f"{_ATTRIBUTE}{name}": value for name, value in attributes.items() if not name.endswith(":nil")}
        self._open.append((tag, named, []))

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)

    def _end(self, tag: str) -> None:
        _, fields, texts = self._open.pop()
        text = "".join(texts).strip()
        holds_others = any(not name.startswith(_ATTRIBUTE) for name in fields)
        if holds_others or len(fields) > 1:
            self.rows.setdefault(tag, []).append(fields)
            self.sizes[tag] += len(str(fields))
        value: Any = fields or text
        if fields and text and not holds_others:
            value = {**fields, _VALUE: text}
        if self._open:
            parent = self._open[-1][1]
            parent[tag] = [*_listed(parent[tag]), value] if tag in parent else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _closed(text: str) -> str:
    """The beginning of a document, cut behind its last whole element, with all that is open closed."""
    stack: list[str] = []
    end, closers = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            stack.append("]" if mark == "[" else "}")
        elif mark in "]}" and stack:
            stack.pop()
        elif mark == ",":
            end, closers = token.start(), "".join(reversed(stack))
    return text[:end] + closers


def _arrays(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The arrays of objects in a value, each with the path that leads to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not re.search(r"[.\[\]]", name):
                yield from _arrays(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        objects = [each for each in value if isinstance(each, dict)]
        if objects and _key_of_pieces([value]) is None:
            yield f"{path}[]", objects
        for each in objects:
            yield from _arrays(each, f"{path}[]")


def _rows_at(value: Any, steps: list[str], parent: Any = None) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The arrays at the end of a path, each with the object around it."""
    if not steps or value is None:
        return
    if steps[0] != "[]":
        if isinstance(value, dict):
            yield from _rows_at(value.get(steps[0]), steps[1:], value)
    elif isinstance(value, list):
        objects = [each for each in value if isinstance(each, dict)]
        if len(steps) == 1:
            yield parent or {}, objects
        for each in objects:
            yield from _rows_at(each, steps[1:], each)


def _fields(value: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The fields of an object, and those of objects inside it under their paths."""
    for name, inner in value.items():
        is_path = name and "." not in name.removeprefix("../")
        if isinstance(inner, dict) and inner and is_path and depth < _DEPTH:
            yield from _fields(inner, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", inner


def _key_of_pieces(values: Sequence[Any]) -> str | None:
    """The key of the texts in the objects of lists of texts and objects, where some value is such a list."""
    lists = [
        value for value in values if isinstance(value, list) and all(isinstance(each, str | dict) for each in value)
    ]
    mixed = [value for value in lists if any(isinstance(each, str) for each in value)]
    keys = Counter(
        name
        for value in mixed
        for each in value
        if isinstance(each, dict)
        for name, inner in each.items()
        if isinstance(inner, str)
    )
    return ("text" if "text" in keys else keys.most_common(1)[0][0]) if keys else None


def _at_path(value: Any, path: str) -> Any:
    """What stands at a path inside objects."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _as_text(value: Any, pieces: str | None) -> str | None:
    if pieces and isinstance(value, list):
        return "".join(each if isinstance(each, str) else str(each.get(pieces, "")) for each in value if each)
    if isinstance(value, str):
        # Half of a pair that is one character is none.
        return value.encode("utf-8", "replace").decode()
    return None if value is None else json.dumps(value, ensure_ascii=False)


_EMPTY = Sample("json", "utf-8", "", False, False, True, [], [], True)
