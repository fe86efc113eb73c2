"""Records of which a pattern says that they are plain are cut, cleaned and judged as the parser and its checks do."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.sources.conftest import Judge, MakeContract

from otklik.sources import fields, reader

_NEVER = "(?!)"
_COLUMNS = {
    "name": {"type": "string", "null_tokens": ["NA", "-"]},
    "age": {"type": "integer", "required": True, "minimum": 0},
    "paid": {"type": "decimal(9,2)"},
    "day": {"type": "date"},
}
#: What stands in fields, between blanks, and what makes trouble there.
_TEXTS = (
    "Анна", "Ёлка", "Қазақ қызы", "O'Brien", "'0012", '="0012"', "NA", "-", "NULL", "", "+7 701", "a-b", "#1",
    "(мл.)", "5", "42", "-3", "3-", "(3)", "- 3", "+ 3", "+3", "2.50", "1 000", "−7", "7.7E+10", "2024-02-29",
    "2024-02-30", "0", '"', '""', '"a"', '"a;b"', '"a""b"', 'a"b', "\\", '\\"', "\t", "\x00", "\u00a0",
    "\u200b", "é", "й", "№ 5", "a|b",
)  # fmt: skip
_FORMATS: tuple[dict[str, Any], ...] = (
    {"delimiter": ";"},
    {"delimiter": "|", "quote": "'"},
    {"delimiter": ";", "quote": "", "null_tokens": ["", "NULL"]},
    {"kind": "tsv", "escape": "\\", "null_tokens": []},
)


@pytest.mark.parametrize("format_", _FORMATS)
def test_they_are_read_as_the_parser_reads_them(
    spark: SparkSession,
    make_contract: MakeContract,
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    format_: dict[str, Any],
) -> None:
    contract = make_contract(_COLUMNS, format_)
    draw = random.Random(7)
    mark = contract.format.field_delimiter
    plain = [mark.join([draw.choice(("Анна Ли", "x")), "5", "2.50", "2024-02-29"]) for _ in range(50)]
    odd = [mark.join(map(_text, [draw] * draw.choice((3, 4, 4, 4, 4, 4, 5)))) for _ in range(1000)]
    content = "\n".join([mark.join(_COLUMNS), *plain, *odd])
    pattern = reader.plain_record(contract.format, len(_COLUMNS))

    found = _rows(judge(content, contract))
    monkeypatch.setattr(fields, "plain_record", lambda *_: _NEVER)
    parsed = _rows(judge(content, contract, "again.csv"))

    lines = spark.createDataFrame([(line,) for line in [*plain, *odd]], "line STRING")
    are_plain = lines.where(F.rlike("line", F.lit(pattern))).count()
    assert found == parsed
    assert len(plain) + 100 < are_plain < len(odd) / 2


def _text(draw: random.Random) -> str:
    if draw.random() < 0.7:
        return draw.choice(
            ("Анна Ли", "NA", "NULL", "", "+7 701", "a-b", "5", "-3", "2.50", "2024-02-29", "Қазақ (мл.)")
        )
    return draw.choice(("", "", "", " ")) + draw.choice(_TEXTS) + draw.choice(("", "", "", " ", "-"))


def _rows(judged: Any) -> list[Any]:
    return [row.asDict(recursive=True) for row in judged.orderBy("_record_no").collect()]
