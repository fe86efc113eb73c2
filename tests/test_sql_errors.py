"""What Spark says where an expression fails on a row, as it says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from otklik.sql_errors import fails_on_a_row

#: As its own exceptions or, from inside a write, as the gateway's.
SAID_BY_SPARK = (PySparkException, Py4JJavaError)


@pytest.mark.parametrize(
    "expression",
    [
        "cast(text AS INT)",
        "to_date(text, 'yyyy-MM-dd')",
        "to_timestamp(text)",
        "make_date(number + 2000, 13, 1)",
        "1 / number",
        "number % number",
        "cast(number + 1000 AS TINYINT)",
        "array(1)[number + 5]",
        "element_at(array(1), CAST(number AS INT))",
        "regexp_extract(text, concat('(', text), 1)",
        "(SELECT explode(array(number, number)))",
    ],
)
def test_an_expression_that_fails_on_a_row_is_known(spark: SparkSession, expression: str) -> None:
    rows = spark.sql("SELECT id - 3 AS number, concat('x', id) AS text FROM range(3, 4)")
    with pytest.raises(SAID_BY_SPARK) as caught:
        rows.selectExpr(f"{expression} AS found").collect()
    assert fails_on_a_row(caught.value)


def test_so_is_one_that_fails_while_a_table_is_written(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SAID_BY_SPARK) as caught:
        spark.range(2).selectExpr("1 / id AS found").write.format("delta").save(str(tmp_path / "table"))
    assert fails_on_a_row(caught.value)


def test_no_other_fault_is_taken_for_one(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SAID_BY_SPARK) as caught:
        spark.read.parquet(str(tmp_path / "none"))
    assert not fails_on_a_row(caught.value)
    assert not fails_on_a_row(ValueError("22007"))
