"""Keeps Java's classes as they lie in memory after a small piece of Spark work, so that later starts map them at once.

Run by scripts/setup with the environment's own Python. Java calls such a file an archive of class data sharing
(JEP 350, AppCDS). It fits this Java and these jars only: a Java that finds other ones loads its classes as ever.
Without an archive everything works, and every start takes some seconds longer.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
from pyspark.ml.classification import DecisionTreeClassifier, LogisticRegression
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.sql import SparkSession

from otklik import session
from otklik.environment import read_properties
from otklik.project_files import find_project

#: Seconds that Java may take to write the archive after the work.
PATIENCE = 300
JAVA_OPTIONS = "spark.driver.extraJavaOptions"


def main() -> None:
    """Make the archive; it gets its name when it is whole."""
    unfinished = session.CLASS_ARCHIVE.with_suffix(".unfinished")
    session.CLASS_ARCHIVE.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="otklik-classes-") as place:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
            java = processes.submit(work, Path(place), unfinished).result()
        # Java ends with the process that started it, and writes the archive then.
        _, alive = psutil.wait_procs([each for each in psutil.process_iter() if each.pid in java], timeout=PATIENCE)
        if alive:
            sys.exit(f"Java did not write the archive within {PATIENCE} s")
    unfinished.replace(session.CLASS_ARCHIVE)


def work(folder: Path, archive: Path) -> list[int]:
    """Some of what every command does, in a session that keeps its classes; returns the numbers of its JVM."""
    properties = read_properties(find_project(None).spark_properties("local"))
    properties |= {
        "spark.driver.memory": "1g",
        "spark.local.dir": f"{folder}/spark",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        JAVA_OPTIONS: f'{properties[JAVA_OPTIONS]} "-XX:ArchiveClassesAtExit={archive}"',
    }
    with session.start("class archive", properties, submitted=False, jvm_log=folder / "spark.log") as started:
        fill_and_ask(started.spark, folder)
        return session.jvm_processes()


def fill_and_ask(spark: SparkSession, folder: Path) -> None:
    """Read a text file, write and change a Delta table, ask it in SQL, fit and apply models."""
    text, table = folder / "rows.csv", f"delta.`{folder / 'table'}`"
    text.write_text("id,city,amount,label\n" + "".join(f"{n},c{n % 3},{n % 7},{n % 2}\n" for n in range(50)))
    rows = spark.read.schema("id BIGINT, city STRING, amount DOUBLE, label DOUBLE").csv(str(text), header=True)
    rows.write.format("delta").partitionBy("label").save(str(folder / "table"))
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT id + 20 AS id, city, amount, label FROM {{rows}}) s ON t.id = s.id "
        "WHEN MATCHED AND t.amount < s.amount THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        rows=rows,
    )
    spark.sql(f"DELETE FROM {table} WHERE id = 3")
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(f"DESCRIBE HISTORY {table}").toPandas()
    spark.sql(
        "SELECT city, count(*), avg(amount), percentile(amount, 0.5) FROM "
        f"(SELECT *, row_number() OVER (PARTITION BY city ORDER BY id) AS n FROM {table} LEFT JOIN {{rows}} "
        "USING (id, city, amount)) WHERE n > 1 GROUP BY city ORDER BY city",
        rows=rows,
    ).toPandas()
    indexed = StringIndexer(inputCol="city", outputCol="index").fit(rows).transform(rows)
    vectors = VectorAssembler(inputCols=["index", "amount"], outputCol="features").transform(indexed)
    for estimator in (LogisticRegression(maxIter=2), DecisionTreeClassifier(maxDepth=2)):
        model = estimator.fit(vectors)
        model.save(str(folder / type(estimator).__name__))
        model.transform(vectors).select("prediction").toPandas()


if __name__ == "__main__":
    main()
