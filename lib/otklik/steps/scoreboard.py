"""The scoreboard as text: the decisive rows first, compared with the baseline."""

from __future__ import annotations

import pandas as pd

from otklik.models.scoreboard import miscalibrated
from otklik.report.findings import in_words
from otklik.report.texts import ReportVoice

_LEAKS = {"without": "known before the decision", "with": "WITH LEAKS, not usable"}


def scoreboard_text(board: pd.DataFrame, rate_moved: float) -> str:
    """The calibrated rows of a run: time before random, without leaks before with, the majority class last.

    Args:
        board: rows of gold.scoreboard of one run.
        rate_moved: relative gap between mean probability and observed rate from which a model counts as miscalibrated.
    """
    blocks = []
    for leaks in ("without", "with"):
        for split in ("time", "random"):
            rows = board[(board["leaks"] == leaks) & (board["split"] == split) & (board["calibration"] == "calibrated")]
            if len(rows):
                blocks.append(_block(f"{split} split, {_LEAKS[leaks]}", rows))
    blocks += [
        in_words(finding.kind, finding.parameters, ReportVoice("en")) for finding in miscalibrated(board, rate_moved)
    ]
    return "\n\n".join(blocks) + "\n"


def _block(title: str, rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    lines = [
        f"{title}: {first['rows']:,} rows, {first['positives']:,} yes",
        f"  {'model':<20} {'AUC':>6} {'95 % interval':>15} {'grouped':>7} "
        f"{'accuracy':>8} {'Brier':>6} {'lift 10':>7} {'profit':>9}",
    ]
    for row in rows.sort_values("auc", ascending=False, kind="stable").to_dict("records"):
        interval = f"{_number(row['auc_low'])}–{_number(row['auc_high'])}"
        profit = "·" if pd.isna(row["profit"]) else f"{row['profit']:,.0f}"
        lines.append(
            f"  {row['model']:<20} {_number(row['auc']):>6} {interval:>15} {_number(row['auc_within']):>7} "
            f"{_number(row['accuracy']):>8} {_number(row['brier']):>6} {_number(row['lift_10'], 2):>7} {profit:>9}"
        )
    return "\n".join(lines)


def _number(value: float, digits: int = 3) -> str:
    return "·" if pd.isna(value) else f"{value:.{digits}f}"
