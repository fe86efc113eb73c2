"""Whether a contender gave the same rows as Otklik, or a model as good. A time without that means nothing."""

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

#: The most that two models' AUC may differ.
AUC_TOLERANCE = 0.005
#: Trained and timed, and not compared: where few say yes, the hinge loss is smallest for a model that says no to all,
#: and how it orders them is chance. The same rows gave .53 and .69 with scikit-learn by its seed, .62 and .66 with
#: MLlib by its settings.
INCOMPARABLE = ("linear_svc",)
#: Of the AUC of two models on the same rows.
_CORRELATION = 0.9
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
        value = auc(label.astype(np.int64), score)
        found[model] = math.nan if value is None else value
        rows, yes = len(label), int(label.sum())
    return Evidence(contents, found, rows, yes)


def fault(evidence: Evidence, reference: Evidence) -> str:
    """What differs from the reference, in words; empty where nothing does."""
    faults = [
        f"{name}: {_rows(found)} rows, not the same as {_rows(reference.contents[name])}"
        for name, found in evidence.contents.items()
        if name in reference.contents and found != reference.contents[name]
    ]
    tolerance = tolerance_of(evidence, reference)
    faults += [
        f"{model}: AUC {found:.4f} against {reference.auc[model]:.4f}"
        for model, found in evidence.auc.items()
        if model in reference.auc and model not in INCOMPARABLE and not abs(found - reference.auc[model]) <= tolerance
    ]
    return "; ".join(faults)


def tolerance_of(*evidence: Evidence) -> float:
    """The most that AUC may differ: .005, or on few held-out rows two standard errors.

    Contenders of the whole way are judged on different rows, and of a thousand rows AUC is known to ± .03 only: the
    error is that of the smallest part. On the same rows two models that see the same mostly err together, and it is
    that of the difference (Hanley and McNeil, 1983).
    """
    judged = {(each.judged_rows, each.judged_yes) for each in evidence}
    shared = math.sqrt(2 * (1 - _CORRELATION)) if len(judged) == 1 else 1.0
    return max([AUC_TOLERANCE, *(2 * shared * _standard_error(rows, yes) for rows, yes in judged if yes)])


def _standard_error(rows: int, yes: int) -> float:
    """Of an AUC of about .75, after Hanley and McNeil (1982)."""
    area, no = 0.75, max(rows - yes, 1)
    of_yes, of_no = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (yes - 1) * (of_yes - area**2) + (no - 1) * (of_no - area**2)
    return math.sqrt(variance / (yes * no))


def _scored(scores: Path, rows: Path) -> tuple[Any, Any]:
    """Labels and probabilities of scored rows, side by side."""
    probabilities = _frame(scores, ["key", "probability"])
    both = probabilities.merge(_frame(rows, ["key", "label"]), on="key", how="outer", validate="one_to_one")
    return both["label"].to_numpy(), both["probability"].to_numpy()


def _frame(table: Path, columns: list[str]) -> pd.DataFrame:
    files = [str(file) for file in live_files(table)]
    frame: pd.DataFrame = ds.dataset(files, format="parquet").to_table(columns=columns).to_pandas()
    return frame


def _rows(content: str) -> str:
    return f"{int(content.split(maxsplit=1)[0]):,}"
