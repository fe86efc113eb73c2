"""The beginning of an unknown file as rows of texts, and how it is written. Without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otklik.sources.contract import fold_name


@dataclass(frozen=True)
class Sample:
    """The beginning of a file as rows of texts.

    Attributes:
        kind: that of the contract.
        encoding: Python's name of it.
        delimiter: between fields; empty where no mark stands there.
        has_quotes, is_multiline, has_header: how it is written.
        quote: what is put round fields; empty where quotes are characters like others.
        escape: what stands before a quote inside quotes; empty where it is doubled.
        header_lines: how many lines the header has.
        names: of the columns, from the header or numbered.
        rows: the fields of each row, as many as there are names; None where a row lacks one.
        is_whole: whether the sample is the whole file.
        types: of the columns, where the file itself declares them; None where it says nothing but text.
        skip_lines, footer: lines above the header and below the last row that are no rows.
        records: all that were seen, rejected ones among them; 0 where none are rejected.
        rejected: rows that ingest will reject: of another number of fields, or in another encoding.
        remarks: what a person should know of it, none of it personal.
        path: to the rows in a JSON document, or the tag of the rows in XML.
        inside: columns that are fields of objects inside the rows.
        widths: of the fields, where each has one.
        pieces: columns whose texts are lists of texts and objects → the key of the objects' texts.
    """

    kind: str
    encoding: str
    delimiter: str
    has_quotes: bool
    is_multiline: bool
    has_header: bool
    names: list[str]
    rows: list[list[str | None]]
    is_whole: bool
    types: tuple[str | None, ...] = ()
    skip_lines: int = 0
    footer: int = 0
    records: int = 0
    rejected: int = 0
    remarks: tuple[str, ...] = ()
    path: str = ""
    inside: frozenset[str] = frozenset()
    widths: tuple[int, ...] = ()
    pieces: Mapping[str, str] = field(default_factory=dict)
    quote: str = '"'
    escape: str = ""
    header_lines: int = 1


def told_apart(names: Sequence[str]) -> list[str]:
    """The names with a number, [1], [2] …, where one stands several times, case apart."""
    same = [fold_name(name) for name in names]
    return [
        f"{name.strip()} [{same[: place + 1].count(same[place])}]" if same.count(same[place]) > 1 else name
        for place, name in enumerate(names)
    ]
