"""The small lake, made once per file of tests."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from tests.faults.harness import Bench


@pytest.fixture(scope="module")
def bench(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faults"), spark)
