"""Access to the scoreboard: the decisive rows, the champion, and the models compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from otklik.page.formats import is_number
from otklik.report.facts import ReportFacts

MAJORITY = "majority"
#: Order of the models in all lists.
MODELS = (
    MAJORITY, "logistic_regression", "decision_tree", "random_forest", "naive_bayes", "linear_svc", "xgboost",
    "perceptron", "sequence",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Board:
    """One run's scoreboard.

    Attributes:
        rows: gold.scoreboard, in the order of MODELS.
        split: the decisive split: time if rows are ordered in time, otherwise random.
        champion: the model to report, the best of this run if none serves; None without scores.
        rate_moved: relative difference between predicted and observed rate from which a row counts as miscalibrated.
    """

    rows: pd.DataFrame
    split: str
    champion: str | None
    rate_moved: float

    def row(self, model: str, leaks: str, split: str, calibration: str = "calibrated") -> Row | None:
        """A row of the scoreboard; with the other calibration if the requested one is missing."""
        frame = self.rows
        found = frame[(frame["model"] == model) & (frame["leaks"] == leaks) & (frame["split"] == split)]
        if found.empty:
            return None
        wanted = found[found["calibration"] == calibration]
        return _as_dict((found if wanted.empty else wanted).iloc[0])

    @property
    def told(self) -> Row | None:
        """The decisive row of the champion: decisive split, without leaks, calibrated."""
        return None if self.champion is None else self.row(self.champion, "without", self.split)

    def models(self, leaks: str, split: str) -> list[Row]:
        """One row per model, calibrated, the baseline first."""
        return [row for model in MODELS if (row := self.row(model, leaks, split)) is not None]

    def has(self, leaks: str, split: str) -> bool:
        """Whether there are such rows."""
        return bool(self.models(leaks, split))

    def is_miscalibrated(self, row: Row) -> bool:
        """Whether predicted and observed rates differ by more than the configured limit."""
        predicted, observed = row["mean_probability"], observed_rate(row)
        if row["model"] == MAJORITY or not (is_number(predicted) and observed):
            return False
        return bool(abs(predicted - observed) / observed > self.rate_moved)


def read(facts: ReportFacts) -> Board:
    """The board of a report's run."""
    frame = facts.scoreboard
    order = {model: place for place, model in enumerate(MODELS)}
    frame = frame.assign(_order=frame["model"].map(order).fillna(len(MODELS))).sort_values(
        ["split", "leaks", "calibration", "_order"], ascending=[False, False, True, True], ignore_index=True
    )
    frame = frame.drop(columns="_order")
    if not facts.has_time:
        # Without time order moments say nothing: mostly all rows share one, and any pair is within it.
        frame = frame.assign(auc_within=None, auc_within_low=None, auc_within_high=None)
    if not any(doc.is_known_after for doc in facts.features):
        # If there are no leaks, the scoreboard repeats every row as "with leaks".
        frame = frame[frame["leaks"] == "without"]
    split = "time" if (frame["split"] == "time").any() else "random"
    champion = None if facts.champion is None else str(facts.champion["model"])
    if champion is None or not (frame["model"] == champion).any():
        champion = _best(frame, split)
    return Board(frame, split, champion, facts.task.checks.rate_moved)


def observed_rate(row: Row) -> float:
    """The response rate of the rows of a scoreboard row."""
    return float(row["positives"]) / float(row["rows"]) if row["rows"] else 0.0


def has_interval(row: Row, measure: str = "auc") -> bool:
    """Whether an AUC has an interval; only a perfect ranking may have one of zero width."""
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    return is_number(low) and is_number(high) and bool(low < high or low == 1.0)


def beats_guessing(row: Row, measure: str = "auc") -> bool:
    """Whether the interval of an AUC is above 0.5."""
    return has_interval(row, measure) and bool(row[f"{measure}_low"] > 0.5)


def is_below_majority(row: Row) -> bool:
    """Whether a model is less accurate than the majority class."""
    accuracy = row["accuracy"]
    return row["model"] != MAJORITY and is_number(accuracy) and bool(accuracy < row["majority_accuracy"])


def _best(frame: pd.DataFrame, split: str) -> str | None:
    honest = frame[(frame["leaks"] == "without") & (frame["split"] == split) & (frame["model"] != MAJORITY)]
    judged = honest[honest["auc"].notna()]
    return None if judged.empty else str(judged.sort_values("auc", kind="stable")["model"].iloc[-1])


def _as_dict(series: pd.Series) -> Row:
    return {str(name): value for name, value in series.items()}
