"""Whether a contender gave the same rows as Otklik, or a model as good. A time without that means nothing.

The rows of a table become one number, the same in any order and from any library. Only the columns asked for count:
contenders keep others beside them (batch, file, record number) that are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from scripts.benchmarks import columns
from scripts.benchmarks.contenders.window_counts import counts
from scripts.benchmarks.work import SAID, live_files

from otklik.models.evaluate import auc

#: Decimals to which numbers with a fraction are compared.
DECIMALS = 6
#: The most that two models' AUC may differ.
AUC_TOLERANCE = 0.005
#: Of the AUC of two models on the same rows.
_CORRELATION = 0.9
#: Case → table → the columns whose values must be everybody's.
COMPARED: dict[str, dict[str, tuple[str, ...]]] = {
    "ingest": {
        "bronze": ("record",),
        "silver": ("customer_id", *columns.TEXTS, *columns.NUMBERS, "duration", "y"),
    },
    "features": {
        "features": (
            "key", "as_of", *counts(), "days_since_last_event", "activity_trend_30d", "distinct_topics_90d",
            "night_share_90d", "morning_share_90d", "evening_share_90d", "weekend_share_90d",
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What a process left, small enough to be kept: table → content, model → AUC, and the rows of its judging."""

    contents: dict[str, str]
    auc: dict[str, float]
    judged_rows: int
    judged_yes: int


def content_of(table: Path, names: Sequence[str]) -> str:
    """How many rows, and the sum of their hashes, as text."""
    rows = total = 0
    dataset = ds.dataset([str(file) for file in live_files(table)], format="parquet")
    for batch in dataset.to_batches(columns=list(names)):
        if batch.num_rows:
            frame = pd.DataFrame({name: _plain(batch.column(name)) for name in names})
            total += int(np.asarray(pd.util.hash_pandas_object(frame, index=False)).sum(dtype=np.uint64))
            rows += batch.num_rows
    return f"{rows} {total % 2**64:016x}"


def _plain(column: pa.Array) -> pd.Series[str] | pd.Series[float]:
    """Text as text, moments and whole numbers as numbers, numbers with a fraction rounded; nothing is one value."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pd.Series(column.cast(pa.string()).to_pandas())
    numbers = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    # Adding zero turns −0.0 into 0.0.
    return pd.Series(np.round(numbers, DECIMALS) + 0.0)


def evidence_of(case: str, folder: Path, result: Mapping[str, Any]) -> Evidence:
    """Look at what a process wrote before it is thrown away."""
    tables = {name: Path(path) for name, path in result["tables"].items()}
    contents = {
        name: content_of(tables[name], names) for name, names in COMPARED.get(case, {}).items() if name in tables
    }
    said = np.load(folder / SAID)
    models = sorted({name.rpartition(".")[0] for name in said.files})
    judged = {model: (said[f"{model}.label"], said[f"{model}.score"]) for model in models}
    rows, yes = next(((len(label), int(np.nansum(label))) for label, _ in judged.values()), (0, 0))
    return Evidence(contents, {model: _auc(*each) for model, each in judged.items()}, rows, yes)


def _auc(label: Any, score: Any) -> float:
    """NaN where a row has no label or no score, or all have one label."""
    if not (np.isfinite(label).all() and np.isfinite(score).all()):
        return math.nan
    found = auc(label.astype(np.int64), score)
    return math.nan if found is None else found


def difference(evidence: Evidence, reference: Evidence) -> str:
    """What differs from the reference, in words; empty where nothing does."""
    made = {*evidence.contents, *evidence.auc}
    faults = [f"{name}: is not there" for name in (*reference.contents, *reference.auc) if name not in made]
    faults += [
        f"{name}: {_rows(found)} rows, not the same as {_rows(reference.contents[name])}"
        for name, found in evidence.contents.items()
        if name in reference.contents and found != reference.contents[name]
    ]
    tolerance = tolerance_of(evidence, reference)
    faults += [
        f"{model}: AUC {found:.4f} against {reference.auc[model]:.4f}"
        for model, found in evidence.auc.items()
        if model in reference.auc and not abs(found - reference.auc[model]) <= tolerance
    ]
    return "; ".join(faults)


def tolerance_of(*evidence: Evidence) -> float:
    """The most that AUC may differ: .005, or on few held-out rows two standard errors.

    On the same rows two models that see the same mostly err together, and it is the error of the difference (Hanley and
    McNeil, 1983).
    """
    shared = math.sqrt(2 * (1 - _CORRELATION))
    return max([AUC_TOLERANCE, *(2 * shared * _error(e.judged_rows, e.judged_yes) for e in evidence if e.judged_yes)])


def _error(rows: int, yes: int) -> float:
    """Standard error of an AUC of about .75, after Hanley and McNeil (1982)."""
    area, no = 0.75, max(rows - yes, 1)
    of_yes, of_no = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (yes - 1) * (of_yes - area**2) + (no - 1) * (of_no - area**2)
    return math.sqrt(variance / (yes * no))


def _rows(content: str) -> str:
    return f"{int(content.split(maxsplit=1)[0]):,}"
