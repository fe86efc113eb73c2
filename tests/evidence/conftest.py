"""Units for experiments: the public e-mail experiment, and sums per arm straight from arrays."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.pages import ResultReader

from otklik.evidence.experiment.moments import Moments
from otklik.kind import StageResult
from otklik.page.formats import LANGUAGES
from otklik.page.rendering import Page, render
from otklik.page.words import Voice
from otklik.settings import Text
from otklik.task import KindTask


@pytest.fixture(scope="session")
def hillstrom(shared_data: Path) -> pd.DataFrame:
    """The file of the e-mail experiment, as it is; `unit` is the number of the record."""
    with gzip.open(shared_data / "hillstrom_email" / "hillstrom.csv.gz", "rt", encoding="utf-8") as content:
        rows = pd.read_csv(content)
    rows.insert(0, "unit", [str(number) for number in range(1, len(rows) + 1)])
    return rows.rename(columns={"segment": "arm"})


@pytest.fixture(scope="session")
def hillstrom_units(spark: SparkSession, hillstrom: pd.DataFrame) -> DataFrame:
    numbers = hillstrom.select_dtypes("number").columns
    return spark.createDataFrame(hillstrom.astype(dict.fromkeys(numbers, "float64"))).persist()


def moments(**columns: np.ndarray) -> Moments:
    """The sums of one arm's units."""
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    centre = np.zeros(values.shape[1])
    return Moments(tuple(columns), centre, len(values), values.sum(axis=0), values.T @ values)


def pages_of(
    section: Callable[[Any, Any, Voice], Page], texts: dict[str, Text], result: StageResult, task: KindTask
) -> dict[str, str]:
    """The page in each language, rendered; every finding and reason also as other pages say it."""
    pages: dict[str, str] = {}
    for language in LANGUAGES:
        voice = Voice(language, texts)
        reader = ResultReader(result)
        pages[language] = render(section(reader, task, voice), voice)
        for prefix, said in (("finding", reader.findings), ("reason", reader.verdict.reasons)):
            assert all(voice.told(one, prefix) != one.code for one in said)
    return pages
