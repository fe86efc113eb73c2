"""Rows inside JSON documents, and paths to fields inside objects."""

from __future__ import annotations

import contextlib
import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from otklik.lake.store import sql_text
from otklik.sources.contract import Contract

#: What a step up to the object around a row looks like in a column's path.
_UP = "../"
#: Reads nothing that is not whole: a document that is cut short, or a path that leads to something else, is an error.
_STRICT = {"mode": "FAILFAST"}
_OBJECT = r"^\s*\{"
#: A value of JSON whose text says by itself what it is: no escapes, no digits that a double would lose.
_PLAIN_VALUE = r'(?:"[^"\\\x00-\x1f]*+"|-?(?:0|[1-9][0-9]{0,14}+)|null|true|false)'
_PLAIN_KEY = r'[^"\\\x00-\x1f]+'
#: Java looks for each key of a pattern inside the search for the one before it, and its stack is small.
_MOST_PLAIN_KEYS = 50

#: The objects and arrays on the way to the rows, from the document inwards: name of a field → what is in it, and of an
#: array its elements under `[]`. The wanted fields of objects around the rows lie beside, and hold nothing.
Tree = dict[str, Any]


def nested_names(keys: Collection[str], contract: Contract) -> dict[str, str]:
    """Paths among the contract's names in the file → the key of the object that they lead into.

    Args:
        keys: of the objects in the file; a key that holds a point itself is no path.
        contract: for the names.
    """
    return {name: key for name in _names(contract) if (key := name.split(".")[0]) in keys and name not in keys}


def rows_of(text: Column, contract: Contract, *, is_strict: bool) -> Column:
    """The rows in a JSON document as ARRAY<STRING>, each a JSON object.

    Fields of objects around a row stand in it under the contract's name for them, such as `../name`. Numbers with a
    point keep what a double holds. An element that is no object is given as it is.

    Args:
        text: of the document.
        contract: for the path to the rows, and for the names.
        is_strict: whether what is no such document makes the query fail; else it has no rows.
    """
    steps = path_steps(contract.format.rows)
    tree, ups = _tree(steps, _names(contract))
    # In brackets: what follows the document makes it none.
    options = _STRICT if is_strict else {}
    document = F.get(F.from_json(F.concat(F.lit("["), text, F.lit("]")), f"ARRAY<{_type_of(tree)}>", options), 0)
    return _rows_below(document, tree, steps, [], ups)


def leading_keys(record: str) -> list[str]:
    """The keys of a file's first record in their order; none where no `plain_object` has such keys."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(record, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
        return found if record.lstrip().startswith("{") and plain_object(found) else []
    return []


def plain_object(keys: Sequence[str]) -> str | None:
    """A pattern for a JSON object with these keys in this order, each once or left out, and plain values.

    What fits is valid JSON, which a parser needs three times as long to see. None where no pattern can be made, or keys
    hold what `characters.tidied` changes.
    """
    is_possible = len(keys) <= _MOST_PLAIN_KEYS and len({key.lower() for key in keys}) == len(keys)
    if not is_possible or not all(re.fullmatch(_PLAIN_KEY, key) and _is_tidy(key) for key in keys):
        return None
    # A comma stands between two pairs only.
    end = r"(?:, *+(?!\})|(?=\}))"
    pairs = (f'(?:"{re.escape(key)}": *+{_PLAIN_VALUE}{end})?+' for key in keys)
    return rf"^\{{{''.join(pairs)}\}}$"


def _is_tidy(text: str) -> bool:
    return text.isprintable() and unicodedata.is_normalized("NFC", text)


def path_steps(rows: str | None) -> list[str]:
    """The way to the rows: names of fields, and `[]` for the elements of an array; the last step is always `[]`."""
    return re.findall(r"\[\]|[^.\[\]]+", f"{rows or ''}[]" if not (rows or "").endswith("[]") else str(rows))


def _names(contract: Contract) -> list[str]:
    """The names in the file that columns may have."""
    return [
        name for ours, column in contract.columns.items() for name in (contract.name_in_file(ours), *column.aliases)
    ]


def _tree(steps: Sequence[str], names: Sequence[str]) -> tuple[Tree, dict[str, tuple[int, list[str]]]]:
    """What is read of a document, and where each wanted field of an object around the rows lies.

    Returns:
        The tree, and name → (how many of the steps lead to the object, path in it).
    """
    # So many steps lead to each object around the rows, the innermost first.
    objects = [place for place, step in enumerate(steps) if step != "[]"][::-1]
    ups = {}
    for name in dict.fromkeys(names):
        height = (len(name) - len(re.sub(r"^(?:\.\./)+", "", name))) // len(_UP)
        if 0 < height <= len(objects):
            ups[name] = (objects[height - 1], name[height * len(_UP) :].split("."))
    tree: Tree = {}
    for path in [list(steps), *([*steps[:place], *path] for place, path in ups.values())]:
        below = tree
        for step in path:
            below = below.setdefault(step, {})
    return tree, ups


def _type_of(tree: Tree) -> str:
    """The DDL of what is read."""
    if not tree:
        return "STRING"
    if "[]" in tree:
        return f"ARRAY<{_type_of(tree['[]'])}>"
    fields = (f"`{name.replace('`', '``')}`: {_type_of(below)}" for name, below in tree.items())
    return f"STRUCT<{', '.join(fields)}>"


def _rows_below(
    value: Column, tree: Tree, steps: Sequence[str], seen: list[Column], ups: Mapping[str, tuple[int, list[str]]]
) -> Column:
    """The rows in a value, to which `seen` has led: the values on the way, the document first."""
    on_the_way = [*seen, value]
    place = len(seen)
    if place == len(steps):
        return F.array(_with_fields_around(value, on_the_way, ups))
    below = tree[steps[place]]
    if steps[place] != "[]":
        return _rows_below(value.getField(steps[place]), below, steps, on_the_way, ups)
    found = F.transform(value, lambda element: _rows_below(element, below, steps, on_the_way, ups))
    return F.coalesce(F.flatten(F.filter(found, lambda rows: rows.isNotNull())), F.array().cast("array<string>"))


def _with_fields_around(row: Column, on_the_way: Sequence[Column], ups: Mapping[str, tuple[int, list[str]]]) -> Column:
    """A row with the wanted fields of the objects around it before its own."""
    text = F.coalesce(row, F.lit("null"))
    if not ups:
        return text
    fields = []
    for name, (place, path) in ups.items():
        value = on_the_way[place]
        for key in path:
            value = value.getField(key)
        fields.append(value.cast("string").alias(name))
    around = F.regexp_replace(F.to_json(F.struct(*fields), {"ignoreNullFields": "false"}), r"\}$", "")
    inner = F.regexp_replace(text, r"^\s*\{\s*", "")
    comma = F.when(F.startswith(inner, F.lit("}")), "").otherwise(",")
    return F.when(F.rlike(text, F.lit(_OBJECT)), F.concat(around, comma, inner)).otherwise(text)


def joined_pieces(path: str, key: str) -> Column:
    """The text at a path of the VARIANT `_variant`; of a list, its texts and those under a key of its objects."""
    place, of_object = sql_text(path), sql_text(f"$['{key}']")
    piece = f"""coalesce(try_variant_get(piece, if(startswith(schema_of_variant(piece), 'OBJECT'), {of_object}, '$'),
        'string'), '')"""
    pieces = f"transform(try_variant_get(_variant, {place}, 'array<variant>'), piece -> {piece})"
    return F.expr(f"coalesce(array_join({pieces}, ''), try_variant_get(_variant, {place}, 'string'))")
