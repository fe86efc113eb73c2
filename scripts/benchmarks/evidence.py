"""What a contender left: the content of its tables, and how well its models tell yes from no."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from scripts.benchmarks.child import SAID
from scripts.benchmarks.contenders.window_counts import counts
from scripts.benchmarks.content import content_of, live_files
from scripts.benchmarks.inputs import columns

from otklik.models.evaluate import auc

_SILVER = ("customer_id", *columns.TEXTS, *columns.NUMBERS, "duration", "y")
_ACTIVITY = (
    "days_since_last_event", "activity_trend_30d", "distinct_topics_90d",
    "night_share_90d", "morning_share_90d", "evening_share_90d", "weekend_share_90d",
)  # fmt: skip
#: Case → table → the columns whose values must be everybody's.
COMPARED: dict[str, dict[str, tuple[str, ...]]] = {
    "ingest": {"bronze": ("record",), "silver": _SILVER},
    "features": {"features": ("key", "as_of", *counts(), *_ACTIVITY)},
    # Probabilities are judged; each row must have one.
    "score": {"scores": ("key",)},
}


@dataclass(frozen=True)
class Evidence:
    """What a process left, small enough to be kept: table → content, model → AUC, and the rows of its judging."""

    contents: dict[str, str]
    auc: dict[str, float]
    judged_rows: int
    judged_yes: int


def evidence_of(case: str, folder: Path, result: Mapping[str, Any], inputs: Mapping[str, Path]) -> Evidence:
    """Look at what a process wrote before it is thrown away."""
    tables = {name: Path(path) for name, path in result["tables"].items()}
    contents = {
        name: content_of(tables[name], columns) for name, columns in COMPARED.get(case, {}).items() if name in tables
    }
    found: dict[str, float] = dict(result["auc"])
    rows = yes = 0
    said = np.load(folder / SAID)
    models = {name.rpartition(".")[0] for name in said.files}
    judged = {model: (said[f"{model}.label"], said[f"{model}.score"]) for model in sorted(models)}
    if case == "score" and "scores" in tables:
        judged["logistic_regression"] = _scored(tables["scores"], inputs["rows"])
    for model, (label, score) in judged.items():
        found[model] = _auc(label, score)
        rows, yes = len(label), int(np.nansum(label))
    return Evidence(contents, found, rows, yes)


def _auc(label: Any, score: Any) -> float:
    """NaN where a row has no label or no score, or all have one label."""
    if not (np.isfinite(label).all() and np.isfinite(score).all()):
        return math.nan
    found = auc(label.astype(np.int64), score)
    return math.nan if found is None else found


def _scored(scores: Path, rows: Path) -> tuple[Any, Any]:
    """Labels and probabilities of scored rows, side by side; whether keys are the same, their content says."""
    probabilities = _frame(scores, ["key", "probability"])
    both = probabilities.merge(_frame(rows, ["key", "label"]), on="key", how="outer")
    return both["label"].to_numpy(), both["probability"].to_numpy()


def _frame(table: Path, columns: list[str]) -> pd.DataFrame:
    files = [str(file) for file in live_files(table)]
    frame: pd.DataFrame = ds.dataset(files, format="parquet").to_table(columns=columns).to_pandas()
    return frame
