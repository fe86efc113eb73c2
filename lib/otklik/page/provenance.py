"""Where the numbers of a page come from: files with their balances, the run, versions of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from otklik.page.blocks import Block, Cell, Details, Paragraph, TableBlock, head, heads, number
from otklik.page.words import Voice

#: A longer table is collapsed.
_MOST_ROWS = 12


def files(balances: pd.DataFrame, voice: Voice) -> list[Block]:
    """The balance of every file.

    Args:
        balances: rows of ops.files.
        voice: the language.
    """
    words, formats = voice.words, voice.formats
    if balances.empty:
        return [Paragraph(words("quality.none"))]
    is_even = (balances["rows"] == balances["accepted"] + balances["rejected"] + balances["duplicates"]) & (
        balances["accepted"] == balances["inserted"] + balances["updated"]
    )
    counts = ["rows", "accepted", "inserted", "updated", "rejected", "duplicates"]
    rows = [
        [
            head(str(record["file"]), str(record["source"])),
            *(number(formats.integer(record[column])) for column in counts),
            Cell(words.known("status", str(record["status"]))),
            Cell(_warnings(record.get("warnings"), voice)),
        ]
        for record in balances.sort_values(["source", "file"]).to_dict("records")
    ]
    uneven = ", ".join(balances.loc[~is_even, "file"].astype(str))
    # Silver has no rows of replaced or refused files.
    in_silver = balances[balances["status"] == "loaded"]
    takeaway = words(
        "quality.takeaway",
        files=formats.integer(len(in_silver)),
        files_word=formats.plural(len(in_silver), "file", "files", "files"),
        balance=words("quality.unbalanced", files=uneven) if uneven else words("quality.balanced"),
        **{
            column: formats.integer(in_silver[column].sum())
            for column in ("rows", "accepted", "rejected", "duplicates")
        },
    )
    left_out_by = {"replaced": "quality.replaced", "withdrawn": "quality.withdrawn", "rejected": "quality.refused"}
    for status, key in left_out_by.items():
        left_out = int((balances["status"] == status).sum())
        takeaway += words(key, n=formats.integer(left_out)) if left_out else ""
    titles = [
        Cell(words("quality.file")),
        *(number(words(f"quality.{column}")) for column in counts),
        Cell(words("quality.status")),
        Cell(words("quality.warnings")),
    ]
    table = TableBlock(words("quality.caption"), titles, rows)
    is_long = len(rows) > _MOST_ROWS
    folded: Block = Details(f"{words('quality.caption')} ({len(rows)})", [table]) if is_long else table
    return [Paragraph(takeaway, "takeaway"), folded]


def _warnings(warnings: Any, voice: Voice) -> str:
    pairs = dict(warnings) if warnings is not None and not isinstance(warnings, float) else {}
    return ", ".join(f"{name} {voice.formats.integer(rows)}" for name, rows in sorted(pairs.items()))


def run(facts: Sequence[tuple[str, str]], versions: Mapping[str, int], voice: Voice) -> list[TableBlock]:
    """The run, and the tables that it read and wrote.

    Args:
        facts: key of a text and its value.
        versions: table → Delta version.
        voice: the language.
    """
    words = voice.words
    return [
        TableBlock(words("origin.caption"), [], [[head(words(key)), Cell(text, "key")] for key, text in facts]),
        TableBlock(
            words("origin.tables"),
            heads(words("origin.table"), words("origin.version")),
            [[head(name), number(str(version))] for name, version in sorted(versions.items())],
        ),
    ]
