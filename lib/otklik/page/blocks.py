"""The blocks of a page's sections; the template renders them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from otklik.page.drawing import Picture


@dataclass(frozen=True)
class Paragraph:
    """Running text; a takeaway says what the next block shows, a warning is boxed."""

    text: str
    style: Literal["lead", "note", "takeaway", "warning"] = "lead"


@dataclass(frozen=True)
class Figure:
    """A figure with its title and a one-sentence takeaway."""

    title: str
    takeaway: str
    picture: Picture
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, a smaller second line, a mark. Numbers are right-aligned, long texts keep their width."""

    text: str
    style: Literal["text", "long", "number", "head", "key"] = "text"
    small: str = ""
    mark: str = ""


@dataclass(frozen=True)
class TableBlock:
    """A table with its caption; the first cell of a row heads it if its style is head.

    `groups` maps a row's index to a heading above it, across the table.
    """

    caption: str
    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    takeaway: str = ""
    note: str = ""
    emphasised: frozenset[int] = frozenset()
    faded: frozenset[int] = frozenset()
    groups: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Small blocks side by side, as many as fit; packed ones fill columns regardless of height."""

    blocks: Sequence[Figure | TableBlock]
    is_packed: bool = False


@dataclass(frozen=True)
class Details:
    """Collapsible blocks; browsers that support `::details-content` expand them for printing."""

    summary: str
    blocks: Sequence[Paragraph | TableBlock]


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class DefinitionList:
    """Terms and their definitions."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


Block = Paragraph | Figure | TableBlock | Grid | Details | Bullets | DefinitionList | Heading


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, its title and its blocks."""

    anchor: str
    title: str
    blocks: Sequence[Block]

    @property
    def typed_blocks(self) -> list[tuple[str, Block]]:
        """The blocks with their class names, for the template."""
        return [(type(block).__name__, block) for block in self.blocks]


def number(text: str, small: str = "", mark: str = "") -> Cell:
    """A cell with a number."""
    return Cell(text, "number", small, mark)


def head(text: str, small: str = "", mark: str = "") -> Cell:
    """A cell that heads its row or column."""
    return Cell(text, "head", small, mark)


def heads(*texts: str, numbers_from: int = 1) -> list[Cell]:
    """The head row of a table; columns from `numbers_from` on hold numbers."""
    return [Cell(text, "number" if place >= numbers_from else "text") for place, text in enumerate(texts)]
