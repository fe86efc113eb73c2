"""The scoreboard as text: the decisive rows first, compared with the baseline."""

from __future__ import annotations

import pandas as pd

from otklik.models.scoreboard import miscalibrated
from otklik.report.columns import COLUMNS, way_title
from otklik.report.findings import in_words
from otklik.report.texts import ReportVoice

#: Columns that are printed besides the interval of the AUC.
_SHOWN = ("auc", "within", "accuracy", "brier", "lift", "profit")


def scoreboard_text(board: pd.DataFrame, rate_moved: float) -> str:
    """The calibrated rows of a run: time before random, without leaks before with, the majority class last.

    Args:
        board: rows of gold.scoreboard of one run.
        rate_moved: relative difference between mean probability and observed rate from which a model is miscalibrated.
    """
    voice = ReportVoice("en")
    blocks = []
    for leaks in ("without", "with"):
        for split in ("time", "random"):
            rows = board[(board["leaks"] == leaks) & (board["split"] == split) & (board["calibration"] == "calibrated")]
            if len(rows):
                cannot = "" if leaks == "without" else f", {voice.words('models.cannot')}"
                blocks.append(_block(way_title(split, leaks, voice.words) + cannot, rows, voice))
    blocks += [in_words(finding.kind, finding.parameters, voice) for finding in miscalibrated(board, rate_moved)]
    return "\n\n".join(blocks) + "\n"


def _block(title: str, rows: pd.DataFrame, voice: ReportVoice) -> str:
    words, formats, first = voice.words, voice.formats, rows.iloc[0]
    cells = [[words("models.model"), *(words(f"models.{title}") for title in _SHOWN), "95% interval of the AUC"]]
    for record in rows.sort_values("auc", ascending=False, kind="stable").to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        numbers = [COLUMNS[title].text(row, formats) for title in _SHOWN]
        cells.append([words.known("model", row["model"]), *numbers, COLUMNS["auc"].interval(row, formats)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.rjust, line[1:], widths[1:])) for line in cells]
    table = [f"  {line[0]:<{widths[0]}}  {rest}".rstrip() for line, rest in zip(cells, lines, strict=True)]
    return "\n".join([f"{title}: {first['rows']:,} rows, {first['positives']:,} yes", *table])
