"""Simple Spark SQL conditions, evaluated by Arrow. Imports no Spark.

Comparisons of columns with literals of their own type, IN, IS NULL, AND, OR, NOT and parentheses mean the same in both.
All other conditions are left to Spark.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from otklik.errors import ConfigurationError
from otklik.lake.local import LeftToSparkError

#: Rows → true, false or null for each.
Condition = Callable[[pa.Table], pa.ChunkedArray]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^'\\]*')|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<name>[^\W\d]\w*|`[^`]+`)"
    r"|(?P<sign><=|>=|<>|!=|==|[=<>(),]))"
)
_COMPARE = {
    "=": pc.equal,
    "==": pc.equal,
    "<>": pc.not_equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
#: Names that Spark treats as functions if there is no such column.
_FUNCTIONS = re.compile(r"(current|local|session|null$|user$|date$|timestamp$|interval$|case$|exists$|cast$).*", re.I)


def plain_condition(text: str, schema: pa.Schema) -> Condition:
    """Parse a condition.

    Args:
        text: SQL.
        schema: of the rows.

    Raises:
        LeftToSparkError: if it contains anything else.
        ConfigurationError: if it names an unknown column.
    """
    parser = _Parser(_tokens(text), schema)
    condition = parser.either()
    if parser.tokens:
        raise LeftToSparkError
    return condition


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise LeftToSparkError
        tokens.append((found.lastgroup, found[found.lastgroup]))
        place = found.end()
    return tokens


class _Parser:
    """Parses the tokens of a condition from left to right.

    Args:
        tokens: kind and text of each.
        schema: of the rows.
    """

    def __init__(self, tokens: list[tuple[str, str]], schema: pa.Schema) -> None:
        self.tokens, self._schema = tokens, schema

    def either(self) -> Condition:
        """Conditions joined by OR."""
        return self._joined("OR", self._both, pc.or_kleene)

    def _both(self) -> Condition:
        return self._joined("AND", self._one, pc.and_kleene)

    def _joined(self, word: str, part: Callable[[], Condition], join: Callable[..., pa.ChunkedArray]) -> Condition:
        condition = part()
        while self._takes(word):
            condition = _both_sides(join, condition, part())
        return condition

    def _one(self) -> Condition:
        if self._takes("NOT"):
            negated = self._one()
            return lambda rows: pc.invert(negated(rows))
        if self._takes("("):
            condition = self.either()
            self._must_take(")")
            return condition
        return self._about(self._column())

    def _about(self, field: pa.Field) -> Condition:
        name = field.name
        if self._takes("IS"):
            is_negated = self._takes("NOT")
            self._must_take("NULL")
            return lambda rows: (pc.is_valid if is_negated else pc.is_null)(rows[name])
        is_negated = self._takes("NOT")
        if self._takes("IN"):
            self._must_take("(")
            condition = self._equal_to_next(field)
            while self._takes(","):
                condition = _both_sides(pc.or_kleene, condition, self._equal_to_next(field))
            self._must_take(")")
            return (lambda rows: pc.invert(condition(rows))) if is_negated else condition
        sign = self.tokens[0][1] if self.tokens else ""
        if is_negated:
            raise LeftToSparkError
        if sign not in _COMPARE:
            if not pa.types.is_boolean(field.type):
                raise LeftToSparkError
            return lambda rows: rows[name]
        self.tokens.pop(0)
        return self._compared(field, sign)

    def _equal_to_next(self, field: pa.Field) -> Condition:
        return self._compared(field, "=")

    def _compared(self, field: pa.Field, sign: str) -> Condition:
        name, value = field.name, self._literal(field.type)
        is_reached_by_nan = sign[0] == ">" and pa.types.is_floating(field.type)

        def compared(rows: pa.Table) -> pa.ChunkedArray:
            found = _COMPARE[sign](rows[name], value)
            # In Spark NaN is greater than any number.
            return pc.or_kleene(found, pc.is_nan(rows[name])) if is_reached_by_nan else found

        return compared

    def _literal(self, kind: pa.DataType) -> pa.Scalar:
        """The next token, if it has the column's type."""
        found, text = self.tokens.pop(0) if self.tokens else ("", "")
        if found == "text" and pa.types.is_string(kind):
            return pa.scalar(text[1:-1], kind)
        if found == "number" and pa.types.is_floating(kind):
            return pa.scalar(float(text), pa.float64())
        if found == "number" and pa.types.is_integer(kind) and "." not in text and len(text) < len("9" * 18):
            return pa.scalar(int(text), pa.int64())
        if found == "name" and pa.types.is_boolean(kind) and text.upper() in ("TRUE", "FALSE"):
            return pa.scalar(text.upper() == "TRUE")
        raise LeftToSparkError

    def _column(self) -> pa.Field:
        found, text = self.tokens.pop(0) if self.tokens else ("", "")
        if found != "name":
            raise LeftToSparkError
        name = text.strip("`")
        fields = [field for field in self._schema if field.name.lower() == name.lower()]
        if fields:
            return fields[0]
        is_called = bool(self.tokens) and self.tokens[0][1] == "("
        if is_called or _FUNCTIONS.fullmatch(name) or name.upper() in ("TRUE", "FALSE"):
            raise LeftToSparkError
        raise ConfigurationError(f"no column {name}", where="--where", hint=f"columns: {', '.join(self._schema.names)}")

    def _takes(self, word: str) -> bool:
        """Whether the next token is this one; if so, it is consumed."""
        is_next = bool(self.tokens) and self.tokens[0][0] != "text" and self.tokens[0][1].upper() == word
        if is_next:
            self.tokens.pop(0)
        return is_next

    def _must_take(self, word: str) -> None:
        if not self._takes(word):
            raise LeftToSparkError


def _both_sides(join: Callable[..., pa.ChunkedArray], left: Condition, right: Condition) -> Condition:
    return lambda rows: join(left(rows), right(rows))
