"""The columns of the scoreboard: one list for the tables of the page and for text output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from otklik.page.formats import Formats
from otklik.report.board import Row, observed_rate
from otklik.report.texts import ReportWords


@dataclass(frozen=True)
class BoardColumn:
    """A number of a row of the scoreboard.

    Attributes:
        name: its column in gold.scoreboard.
        write: formats it.
        has_interval: whether the scoreboard has an interval for it.
    """

    name: str
    write: Callable[[Formats, Any], str]
    has_interval: bool = False

    def text(self, row: Row, formats: Formats) -> str:
        """The number, formatted for people."""
        return self.write(formats, observed_rate(row) if self.name == "observed_rate" else row[self.name])

    def interval(self, row: Row, formats: Formats) -> str:
        """Its 95 % interval; empty without one."""
        if not self.has_interval:
            return ""
        low, high = row[f"{self.name}_low"], row[f"{self.name}_high"]
        if self.write is Formats.percent:
            return formats.percent_interval(low, high)
        return formats.interval(low, high, partial(self.write, formats))


def _two_digits(formats: Formats, value: float | None) -> str:
    return formats.decimal(value, 2)


def _whole_percent(formats: Formats, value: float | None) -> str:
    return formats.percent(value, 0)


#: Key of the heading `models.<key>` → the column, in the order of the full table.
COLUMNS: Mapping[str, BoardColumn] = {
    "rows": BoardColumn("rows", Formats.integer),
    "accuracy": BoardColumn("accuracy", Formats.percent, has_interval=True),
    "auc": BoardColumn("auc", Formats.decimal, has_interval=True),
    "within": BoardColumn("auc_within", Formats.decimal, has_interval=True),
    "pr": BoardColumn("pr_auc", Formats.decimal),
    "log_loss": BoardColumn("log_loss", Formats.decimal),
    "brier": BoardColumn("brier", Formats.decimal),
    "ece": BoardColumn("ece", Formats.decimal),
    "mean": BoardColumn("mean_probability", Formats.percent),
    "rate": BoardColumn("observed_rate", Formats.percent),
    "lift": BoardColumn("lift_10", _two_digits, has_interval=True),
    "gain": BoardColumn("gain_50", _whole_percent),
    "profit": BoardColumn("profit", Formats.money, has_interval=True),
}


def way_title(split: str, leaks: str, words: ReportWords) -> str:
    """How rows were evaluated: `later in time, without leaks`."""
    return f"{words(f'split.{split}')}, {words(f'models.leaks_{leaks}')}"
