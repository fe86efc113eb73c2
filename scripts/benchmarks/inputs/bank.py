"""Bank-like rows, made up: the columns of UCI's bank-full.csv and a customer number. Row n is always the same.

The answer depends on the other columns by a known rule with some chance, so that a sound model reaches AUC .77 or so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from scripts.benchmarks.inputs.columns import BANK, HELD_OUT_EVERY, LEVELS, NUMBERS, TEXTS

#: One row in so many comes once more under its customer's number, with other values: the later one counts.
REPEATED_EVERY = 100
#: All decisions are taken at one moment.
MOMENT = "2025-06-01"


def write_csv(spark: SparkSession, rows: int, target: Path) -> None:
    """One CSV file with `;`, a header and the columns in bank-full's order, the customer's number first."""
    folder = target.with_suffix(".parts")
    frame = bank_rows(spark, rows, 1).select(*BANK)
    frame.write.mode("overwrite").option("header", "true").option("sep", ";").csv(str(folder))
    (part,) = folder.glob("part-*.csv")
    part.replace(target)
    shutil.rmtree(folder)


def write_table(spark: SparkSession, rows: int, target: Path) -> None:
    """Parquet files with one row per customer: key, as_of, unit, label, is_held_out and the features."""
    frame = bank_rows(spark, rows, 8, repeated=False).selectExpr(
        "customer_id AS key",
        f"CAST('{MOMENT}' AS TIMESTAMP) AS as_of",
        "customer_id AS unit",
        "CAST(y = 'yes' AS INT) AS label",
        f"number % {HELD_OUT_EVERY} = 0 AS is_held_out",
        *TEXTS,
        *(f"CAST({'nullif(pdays, -1)' if name == 'pdays' else name} AS DOUBLE) AS {name}" for name in NUMBERS),
    )
    frame.write.mode("overwrite").parquet(str(target))


def bank_rows(spark: SparkSession, rows: int, partitions: int, *, repeated: bool = True) -> DataFrame:
    """The rows in order: `number` and the columns of the file.

    Args:
        spark: the session.
        rows: how many.
        partitions: they are cut into; one gives one file.
        repeated: whether some customers come twice.
    """
    again = f"id % {REPEATED_EVERY} = {REPEATED_EVERY - 1}"
    number = f"if({again}, id - {REPEATED_EVERY // 2}, id)" if repeated else "id"
    drawn = spark.range(0, rows, 1, partitions).selectExpr(
        "id",
        f"{number} AS number",
        f"CAST(18 + 62 * power({_draw('age')}, 1.5D) AS INT) AS age",
        f"{_one_of(LEVELS['job'], 'job')} AS job",
        f"{_one_of(('married', 'married', 'single', 'divorced'), 'marital')} AS marital",
        f"{_one_of(('primary', 'secondary', 'secondary', 'tertiary', 'unknown'), 'education')} AS education",
        f"if({_draw('default')} < 0.02D, 'yes', 'no') AS default",
        f"CAST(8000 * power({_draw('balance')}, 3D) - 400 AS INT) AS balance",
        f"if({_draw('housing')} < 0.55D, 'yes', 'no') AS housing",
        f"if({_draw('loan')} < 0.16D, 'yes', 'no') AS loan",
        f"{_one_of(('cellular', 'cellular', 'telephone', 'unknown'), 'contact')} AS contact",
        f"CAST(1 + 28 * {_draw('day')} AS INT) AS day",
        f"{_one_of(LEVELS['month'], 'month')} AS month",
        f"CAST(-250 * ln(1 - {_draw('duration')}) AS INT) AS duration",
        f"CAST(1 - 1.5D * ln(1 - {_draw('campaign')}) AS INT) AS campaign",
        f"if({_draw('earlier')} < 0.2D, CAST(1 + 400 * {_draw('pdays')} AS INT), -1) AS pdays",
        f"if({_draw('earlier')} < 0.2D, CAST(1 - 2 * ln(1 - {_draw('previous')}) AS INT), 0) AS previous",
        f"if({_draw('earlier')} < 0.2D, {_one_of(('success', 'failure', 'failure', 'other'), 'poutcome')}, 'unknown')"
        " AS poutcome",
    )
    log_odds = """
        -2.9D + if(poutcome = 'success', 2.1D, 0D) + if(poutcome = 'other', 0.5D, 0D) - if(housing = 'yes', 0.7D, 0D)
        - if(loan = 'yes', 0.5D, 0D) + if(contact = 'cellular', 0.6D, 0D) + if(age >= 60, 1.0D, 0D)
        + if(age < 26, 0.8D, 0D) + if(month IN ('mar', 'sep', 'oct', 'dec'), 1.1D, 0D) + balance / 5000D
        - 0.15D * campaign + if(job IN ('student', 'retired'), 0.5D, 0D) + if(education = 'tertiary', 0.3D, 0D)
    """
    answered = drawn.selectExpr(
        "*",
        "concat('c', lpad(CAST(number AS STRING), 9, '0')) AS customer_id",
        f"if({_draw('answer')} < 1 / (1 + exp(-({log_odds}))), 'yes', 'no') AS y",
    )
    return answered.drop("id")


def _draw(salt: str) -> str:
    """A number in [0, 1) from the row's place and a salt."""
    return f"(pmod(xxhash64(id, '{salt}'), 1000000L) / 1000000D)"


def _one_of(levels: tuple[str, ...], salt: str) -> str:
    listed = ", ".join(f"'{level}'" for level in levels)
    return f"element_at(array({listed}), CAST(1 + {len(levels)} * {_draw(salt)} AS INT))"
