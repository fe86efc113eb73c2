"""Score rows with the champion's portable form: probability, raw score and the reasons for it.

A labelled row is scored by the fold model that did not see its fold; so is its calibrator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.models.portable import PortableModel, top_reasons
from otklik.models.prepare import matrix, slot_array
from otklik.models.registry import ServingModel

_SCORED = (
    "key STRING, as_of TIMESTAMP, unit STRING, label INT, probability DOUBLE, raw_score DOUBLE, base_value DOUBLE, "
    "reasons ARRAY<STRUCT<feature:STRING,value:STRING,contribution:DOUBLE>>, other DOUBLE, is_out_of_fold BOOLEAN"
)
#: The fold number of rows without a label: the champion itself scores them.
_CHAMPION = -1


def with_scores(rows: DataFrame, serving: ServingModel, reasons: int) -> DataFrame:
    """Score rows.

    Args:
        rows: key, as_of, unit, label, fold and the features.
        serving: the champion.
        reasons: how many reasons a row has at most.

    Returns:
        key, as_of, unit, label, probability, raw_score, base_value, reasons, other, is_out_of_fold.
    """
    slots = serving.slots
    columns = list(dict.fromkeys(slot.source for slot in slots))
    prepared = rows.select(
        "key",
        "as_of",
        "unit",
        "label",
        F.when(F.col("label").isNull(), _CHAMPION).otherwise(F.col("fold")).alias("fold"),
        slot_array(slots).alias("numbers"),
        *(F.col(f"`{column}`").alias(f"value {column}") for column in columns),
    )

    def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for fold in batch["fold"].unique():
                yield _scored(batch[batch["fold"] == fold], int(fold), serving, columns, reasons)

    return prepared.mapInPandas(scored, _SCORED)


def _scored(rows: pd.DataFrame, fold: int, serving: ServingModel, columns: Sequence[str], count: int) -> pd.DataFrame:
    model: PortableModel = serving.champion if fold == _CHAMPION else serving.folds[fold]
    calibrator = serving.calibrator if fold == _CHAMPION else serving.fold_calibrators[fold]
    numbers = matrix(rows, "numbers")
    raw = model.raw_score(numbers)
    base, contributions = model.contributions(numbers)
    values = pd.DataFrame({column: rows[f"value {column}"].to_numpy() for column in columns})
    reasons, _ = top_reasons(model.slots.columns, contributions, values, count)
    given = np.array([sum(part for _, _, part in row) for row in reasons])
    return pd.DataFrame(
        {
            "key": rows["key"].to_numpy(),
            "as_of": rows["as_of"].to_numpy(),
            "unit": rows["unit"].to_numpy(),
            "label": rows["label"].astype("Int32").to_numpy(),
            "probability": calibrator.apply(raw),
            "raw_score": raw,
            "base_value": base,
            "reasons": [[_reason(*reason) for reason in row] for row in reasons],
            "other": raw - base - given,
            "is_out_of_fold": fold != _CHAMPION,
        }
    )


def _reason(feature: str, value: str | None, contribution: float) -> dict[str, Any]:
    return {"feature": feature, "value": value, "contribution": contribution}
