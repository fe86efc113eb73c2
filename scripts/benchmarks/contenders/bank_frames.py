"""The bank-like rows as pandas frames and as scikit-learn's numbers, for the contenders that work in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scripts.benchmarks.inputs import columns
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

COLUMNS = [*columns.TEXTS, *columns.NUMBERS]


def read_rows(file: Path, *others: str) -> pd.DataFrame:
    """Label, is_held_out, the features and other columns; texts as categories, as pandas handles them fastest."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    names = [*others, "label", "is_held_out", *COLUMNS]
    table = pq.read_table(file, columns=names, read_dictionary=list(columns.TEXTS))
    return with_short_numbers(table.to_pandas(split_blocks=True, self_destruct=True))


def with_short_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers of 32 bits, as the trees want them: so nothing is copied later."""
    return rows.astype(dict.fromkeys(columns.NUMBERS, np.float32), copy=False)


def with_codes(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels as small numbers: scikit-learn takes categories for texts, and is several times slower with these."""
    codes = {name: rows[name].cat.set_categories(levels).cat.codes for name, levels in columns.LEVELS.items()}
    return rows.assign(**codes)


def preparation() -> Any:
    """One-hot levels, rare ones together; medians for what is missing, and a column that says so; equal scale.

    Dense numbers of 32 bits: the trees of scikit-learn work on nothing else, and sparse ones cost them much longer.
    """
    levels = OneHotEncoder(
        min_frequency=0.005, handle_unknown="infrequent_if_exist", sparse_output=False, dtype=np.float32
    )
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return ColumnTransformer([("levels", levels, list(columns.TEXTS)), ("numbers", numbers, list(columns.NUMBERS))])
