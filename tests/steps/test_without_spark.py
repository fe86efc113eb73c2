"""What is answered without a JVM is what Spark answers, table by table; what cannot be is left to Spark."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.bench import job_on, register_model
from tests.lake.test_readers import POSTS, post

from otklik.cli import main
from otklik.errors import ConfigurationError, MissingResultError
from otklik.lake.local import LeftToSparkError, LocalLake
from otklik.lake.maintenance import table_names
from otklik.lake.store import Lake
from otklik.lake.tables import ACTIONS, FEATURE_KEYS, SCORES, Column, Table
from otklik.page.formats import Language
from otklik.progress import Progress
from otklik.steps.champion import show_champion
from otklik.steps.conditions import plain_condition
from otklik.steps.export import export_table
from otklik.steps.show import show_table
from otklik.steps.without_spark import champion, export, is_answered, show

pytest.importorskip("deltalake", reason="deltalake is not installed: pip install 'otklik[spark]'")

ODD = Table(
    "gold.odd",
    "what is written in more than one way",
    (
        Column("rank", "BIGINT"),
        Column("number", "DOUBLE"),
        Column("text", "STRING"),
        Column("is_so", "BOOLEAN"),
        Column("pairs", "MAP<STRING,DOUBLE>"),
        Column("parts", "ARRAY<STRUCT<name:STRING,share:DOUBLE>>"),
    ),
)
NUMBERS = [0.1, 1e-3, 9.99e-4, 1e7, 1e10, 123456789.25, -0.0, float("nan"), float("-inf"), 1 / 3, 2.5e-308, None]
TEXTS = ["", "=1+1", "a,b", 'a "b"', " a ", "two\nlines", "юникод", None, "-1", "it's", "a\\b", "\t"]


@pytest.fixture(scope="module")
def full_lake(spark: SparkSession, people_lake: Lake) -> Lake:
    """Silver, bronze, rejected rows, ledger, models and every type; one table was merged into, one brought back."""
    posts = replace(POSTS, name="gold.posts")
    types = ", ".join(f"{column.name} {column.type}" for column in posts.columns)
    people_lake.append(posts, spark.createDataFrame([post(1, "a"), post(2, None)], types), "one")
    people_lake.merge(posts, spark.createDataFrame([post(2, "b"), post(3, "c")], types), "two", update_when="true")
    odd = [
        (len(NUMBERS) - place, number, text, place % 3 == 0, {"a": number}, [(text, number)])
        for place, (number, text) in enumerate(zip(NUMBERS, TEXTS, strict=True))
    ]
    people_lake.replace(ODD, spark.createDataFrame(odd, ODD.ddl), "odd")
    register_model(people_lake, "marketing_campaign", 1)
    register_model(people_lake, "marketing_campaign", 2)
    people_lake.restore("silver.people", people_lake.version("silver.people") or 0)
    return people_lake


def local(lake: Lake) -> LocalLake:
    return LocalLake(Path(lake.root))


def asked(table: str, **options: Any) -> dict[str, Any]:
    return {
        "table": table,
        "where": None,
        "limit": 50,
        "format": "json",
        "columns": None,
        "reader": None,
        "titles": False,
        "lang": "en",
        **options,
    }


def in_any_order(text: str, form: str) -> list[str]:
    """What is printed, row by row, sorted: a table has no order of rows."""
    if form == "json":
        return sorted(json.dumps(row) for row in json.loads(text))
    return sorted(text.splitlines())


def test_every_table_of_a_lake_is_shown_and_exported_as_by_spark(full_lake: Lake, make_job, tmp_path: Path) -> None:
    tables = table_names(full_lake)
    assert {"silver.people", "bronze.rejected", "ops.files", "gold.posts", "gold.model_runs", "gold.odd"} <= {*tables}
    quiet = Progress(io.StringIO(), lambda: 0.0, is_live=False)
    for table in tables:
        for form in ("json", "csv", "table"):
            job, printed = make_job(**asked(table, format=form))
            show_table(job)
            shown = show(local(full_lake), asked(table, format=form))
            assert in_any_order(shown, form) == in_any_order(printed[0], form), (table, form)
        by_spark, by_rust = tmp_path / f"{table}.csv", tmp_path / f"{table}.rust.csv"
        export_table(make_job(**asked(table, to=str(by_spark)))[0])
        export(local(full_lake), asked(table, to=str(by_rust)), quiet)
        written, expected_rows = (in_any_order(file.read_text(encoding="utf-8"), "csv") for file in (by_rust, by_spark))
        assert written == expected_rows, table
    export_table(make_job(**asked(ODD.name, to=str(tmp_path / "a.parquet")))[0])
    export(local(full_lake), asked(ODD.name, to=str(tmp_path / "b.parquet")), quiet)
    found, expected = (pq.read_table(tmp_path / name) for name in ("b.parquet", "a.parquet"))
    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    assert repr(found.to_pylist()) == repr(expected.to_pylist())


def test_a_list_is_exported_with_its_reasons_and_for_people_with_titles(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    actions, scores = (replace(each, name=each.name.replace("<task>", "calls")) for each in (ACTIONS, SCORES))
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    why = [("income", "600518", 0.9), ("bonus", "0.25", -0.1), ("is_known", "True", 0.0), ("city", None, 0.1)]
    listed = [("b", moment, 2, "control", 0.4, 1.0, "r"), ("a", moment, 1, "contact", 0.5, 2.0, "r")]
    scored = [(key, moment, 0.4, 0.0, 0.0, why if key == "a" else None, 0.0, 1, 1.0, False, "r") for key in "abc"]
    lake.replace(actions, spark.createDataFrame(listed, actions.ddl), "list")
    lake.replace(scores, spark.createDataFrame(scored, scores.ddl), "scores")
    quiet = Progress(io.StringIO(), lambda: 0.0, is_live=False)

    def exported(table: str = actions.name, **options: Any) -> list[list[str]]:
        by_spark, by_rust = tmp_path / "spark.csv", tmp_path / "rust.csv"
        temporary_folder = Path(tempfile.mkdtemp(dir=tmp_path))
        job = job_on(lake, temporary_folder, **asked(table, to=str(by_spark), **options))
        export_table(replace(job, options=replace(job.options, language=options.get("lang", "en"))))
        export(local(lake), asked(table, to=str(by_rust), **options), quiet)
        assert by_rust.read_bytes() == by_spark.read_bytes()
        return [*csv.reader(by_rust.read_text(encoding="utf-8-sig").splitlines())]

    told = "income = 600,518\u00a0↑; bonus = 0.25\u00a0↓; is_known = yes\u00a0↑; city = —\u00a0↑"
    assert exported(columns="rank,reasons") == [["rank", "reasons"], ["1", told], ["2", ""]]
    assert exported()[0] == [*(column.name for column in ACTIONS.columns), "reasons"]
    assert exported(reader="excel", columns="key,expected_profit,reasons")[0] == ["Key", "Expected profit", "Why"]
    assert exported(titles=True, columns="rank,arm")[0] == ["Rank", "Arm"]
    with pytest.raises(ConfigurationError, match=r"no column reason; did you mean reasons\?"):
        exported(columns="key,reason")

    features = Table(
        "gold.calls_features", "", (*FEATURE_KEYS, Column("income", "DOUBLE", "yearly income | доход за год"))
    )
    lake.replace(features, spark.createDataFrame([("a", moment, "a", 1, "yes", None, 600518.0)], features.ddl), "rows")
    meant = told.replace("income", "yearly income")
    assert exported(columns="rank,reasons")[1] == ["1", meant]
    assert exported(columns="rank,reasons", lang="ru")[1][1].startswith("доход за год = 600\u202f518\u00a0↑; bonus")
    columns = "key,label_state,income"
    assert exported(features.name, columns=columns, titles=True, lang="ru")[0] == [
        "the entity", "yes | no | immature | unlabelled", "доход за год",
    ]  # fmt: skip
    assert exported(features.name, columns=columns, titles=True)[0][2] == "yearly income"
    assert ["a", meant] in exported(scores.name, columns="key,reasons", titles=True)
    assert json.loads(exported(scores.name, columns="key,reasons", where="key = 'a'")[1][1])[0]["feature"] == "income"


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", ["key,share,sum,note", '"=""007""",0.5,12.10,"a,b"', '"=""123456789012""",1.0E-4,,c;d', "x,-3.0,5.03,"]),
        ("ru", ["key;share;sum;note", '"=""007""";0,5;12,10;a,b', '"=""123456789012""";1,0E-4;;"c;d"', "x;-3,0;5,03;"]),
    ],
)  # fmt: skip
def test_for_excel_no_text_becomes_another_number_and_no_number_a_date(
    spark: SparkSession, tmp_path: Path, lang: Language, expected: list[str]
) -> None:
    columns = ("key STRING", "share DOUBLE", "sum DECIMAL(6,2)", "note STRING")
    table = Table("gold.wanted", "wanted", tuple(Column(*each.split(" ")) for each in columns))
    lake = Lake(spark, str(tmp_path / "lake"))
    rows = spark.sql("""SELECT * FROM VALUES ('007', 0.5D, 12.10BD, 'a,b'), ('123456789012', 1e-4D, NULL, 'c;d'),
        ('x', -3D, 5.03BD, NULL) AS rows(key, share, sum, note)""")
    lake.replace(table, rows.withColumn("sum", F.col("sum").cast("decimal(6,2)")).coalesce(1), "wanted")
    by_spark, by_rust = tmp_path / "spark.csv", tmp_path / "rust.csv"

    job = job_on(lake, tmp_path, **asked(table.name, to=str(by_spark), reader="excel"))
    export_table(replace(job, options=replace(job.options, language=lang)))
    export(
        local(lake),
        asked(table.name, to=str(by_rust), reader="excel", lang=lang),
        Progress(io.StringIO(), lambda: 0.0, is_live=False),
    )

    assert by_spark.read_text(encoding="utf-8-sig").splitlines() == expected
    assert by_rust.read_bytes() == by_spark.read_bytes()


def test_a_row_of_one_missing_value_stays_a_row(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(
        "gold.wanted", "wanted", (Column("note", "STRING"), Column("sum", "BIGINT"), Column("at", "TIMESTAMP"))
    )
    lake = Lake(spark, str(tmp_path / "lake"))
    rows = spark.sql("""SELECT * FROM VALUES ('a', 1L, TIMESTAMP'2024-03-05 01:02:03'), (NULL, NULL, NULL)
        AS rows(note, sum, at)""")
    lake.replace(table, rows.coalesce(1), "wanted")
    by_spark, by_rust = tmp_path / "spark.csv", tmp_path / "rust.csv"

    for column, value in {"note": "a", "sum": "1", "at": "2024-03-05T01:02:03.000000Z"}.items():
        (tmp_path / column).mkdir()
        export_table(job_on(lake, tmp_path / column, **asked(table.name, to=str(by_spark), columns=column)))
        asked_for = asked(table.name, to=str(by_rust), columns=column)
        export(local(lake), asked_for, Progress(io.StringIO(), lambda: 0.0, is_live=False))

        assert sorted(by_spark.read_text(encoding="utf-8").splitlines()[1:]) == sorted([value, '""'])
        assert by_rust.read_bytes() == by_spark.read_bytes()


def test_other_tables_are_called_by_what_their_columns_mean(full_lake: Lake, tmp_path: Path, make_job) -> None:
    by_spark, by_rust = tmp_path / "spark.csv", tmp_path / "rust.csv"
    options = {"columns": "model,sequence", "titles": True}
    export_table(make_job(**asked("gold.model_runs", to=str(by_spark), **options))[0])
    export(
        local(full_lake),
        asked("gold.model_runs", to=str(by_rust), **options),
        Progress(io.StringIO(), lambda: 0.0, is_live=False),
    )

    heads = {file.read_text(encoding="utf-8").splitlines()[0] for file in (by_spark, by_rust)}
    assert heads == {"the model,order of the rows of a task"}
    with pytest.raises(ConfigurationError, match=r"--titles: applies to \.csv files only"):
        export(
            local(full_lake),
            asked("gold.model_runs", to="a.parquet", titles=True),
            Progress(io.StringIO(), lambda: 0.0, is_live=False),
        )


def test_maps_within_rows_are_shown_without_spark_and_exported_by_it(
    spark: SparkSession, tmp_path: Path, capsys
) -> None:
    columns = (Column("reasons", "ARRAY<STRUCT<code:STRING,parameters:MAP<STRING,STRING>>>"),)
    lake, claims = Lake(spark, str(tmp_path / "lake")), Table("gold.claims", "claims", columns)
    reasons = [("gain", {"n": "3"}), ("odd", {"a": None}), ("bare", None)]
    lake.replace(claims, spark.createDataFrame([(reasons,), ([],), (None,)], claims.ddl), "claims")

    show_table(job_on(lake, tmp_path, **asked(claims.name)))

    shown = show(local(lake), asked(claims.name))
    assert in_any_order(shown, "json") == in_any_order(capsys.readouterr().out, "json")
    quiet = Progress(io.StringIO(), lambda: 0.0, is_live=False)
    with pytest.raises(LeftToSparkError):
        export(local(lake), asked(claims.name, to=str(tmp_path / "claims.csv")), quiet)


def test_rows_that_the_driver_keeps_are_those_of_the_table(full_lake: Lake) -> None:
    for table in table_names(full_lake):
        kept, there = full_lake.cached_by_driver(table, full_lake.version(table) or 0), full_lake.read(table)
        assert kept is not None
        assert kept.dtypes == there.dtypes
        assert sorted(map(repr, kept.collect())) == sorted(map(repr, there.collect())), table


def test_models_are_shown_as_by_spark(full_lake: Lake, make_job) -> None:
    job, printed = make_job(task="marketing_campaign", run=None)
    show_champion(job)

    assert champion(local(full_lake), "marketing_campaign") == printed[0]
    with pytest.raises(MissingResultError, match="there is no champion yet"):
        champion(local(full_lake), "nobody")


def test_models_of_a_task_whose_file_lies_elsewhere_are_known_by_its_name(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    register_model(lake, "of_sales", 1)

    assert main(["champion", "of_sales", "--lake", lake.root]) == 0
    assert "run_1" in capsys.readouterr().out
    show_champion(job_on(lake, tmp_path, task="of_sales", run=None))
    assert "run_1" in capsys.readouterr().out


def test_a_damaged_champion_is_left_to_spark(full_lake: Lake, spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), is_here=True)
    (register_model(lake, "campaign", 1) / "serving.json").write_text("{}")

    with pytest.raises(LeftToSparkError):
        champion(local(lake), "campaign")


CONDITIONS = [
    "number > 1", "number >= 1", "number < 1", "number <= 0.1", "number = -0.0", "number <> 0.1", "not number > 1",
    "text = 'a,b'", "text < 'b'", "text in ('a,b', 'it')", "text not in ('', 'юникод')", "text is null or is_so",
    "Text IS NOT NULL AND (rank >= 3 AND rank != 4)", "is_so = false", "`rank` in (1, 2) and not is_so",
    "not (text > 'a')",
]  # fmt: skip


def test_a_plain_condition_means_what_spark_takes_it_for(full_lake: Lake) -> None:
    rows = local(full_lake).table(ODD.name).all_rows()
    columns = [F.expr(text).alias(f"c{place}") for place, text in enumerate(CONDITIONS)]
    by_spark = {row.rank: row for row in full_lake.read(ODD.name).select("rank", *columns).collect()}

    for place, text in enumerate(CONDITIONS):
        found = plain_condition(text, rows.schema)(rows).to_pylist()
        assert found == [by_spark[rank][f"c{place}"] for rank in rows["rank"].to_pylist()], text


@pytest.mark.parametrize(
    "text",
    [
        "rank = '1'", "text = 1", "rank + 1 = 2", "text like 'a%'", "upper(text) = 'A'", "rank = 1 rank",
        "rank", "(rank = 1",         "text = 'it''s'", "exists (select 1)",
        "rank = 1.5", "current_date > 1", "pairs['a'] = 1", "text = \"a\"", "",
    ],
)  # fmt: skip
def test_what_else_a_condition_says_is_left_to_spark(full_lake: Lake, text: str) -> None:
    with pytest.raises(LeftToSparkError):
        plain_condition(text, local(full_lake).table(ODD.name).schema)


def test_a_column_that_there_is_not_is_named(full_lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match=r"--where: no column nobody → columns: rank, number"):
        show(local(full_lake), asked(ODD.name, where="nobody = 1"))


@pytest.mark.parametrize(
    "properties", ["'delta.enableDeletionVectors' = 'true'", "'delta.columnMapping.mode' = 'name'", ""]
)
def test_tables_of_other_makes_are_left_to_spark(spark: SparkSession, tmp_path: Path, properties: str) -> None:
    lake = LocalLake(tmp_path)
    extra = f"TBLPROPERTIES ({properties})" if properties else "PARTITIONED BY (b)"
    spark.sql(f"CREATE TABLE delta.`{tmp_path}/gold/t` (a INT, b INT) USING delta {extra}")

    with pytest.raises(LeftToSparkError):
        lake.table("gold.t")
    assert not is_answered("show", asked("gold.t"), lake, None, {}, None, print)  # type: ignore[arg-type]


def test_a_version_that_was_compacted_has_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path), is_here=True)
    for number in (1, 2):
        lake.append(
            ODD,
            spark.sql(f"SELECT {number}L rank, 1D number, '' text, true is_so, NULL pairs, NULL parts"),
            f"{number}",
        )
    spark.sql(f"OPTIMIZE {lake.reference(ODD.name)}")
    lake.append(ODD, lake.read(ODD.name), "later")

    found = LocalLake(tmp_path).table(ODD.name, version=2)

    assert sorted(pa.concat_tables(found.rows())["rank"].to_pylist()) == [1, 2]
    assert len(found.files) == 1


COMMANDS = ["show gold.odd", "champion marketing_campaign", "export gold.odd --to x.csv"]


@pytest.mark.parametrize("command", COMMANDS)
def test_neither_spark_nor_pandas_is_loaded(full_lake: Lake, tmp_path: Path, command: str) -> None:
    code = (
        "import sys; from otklik.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ','.join({'pyspark', 'pandas', 'py4j'} & {*sys.modules}) or 0)"
    )
    words = [sys.executable, "-c", code, *command.split(), "--lake", full_lake.root]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (0, 1 if command.startswith("export") else 0), done.stderr


def test_what_is_not_there_is_said_without_spark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr("otklik.session.start", lambda *_, **__: pytest.fail("Spark was started"))

    assert main(["show", "gold.nothing", "--lake", str(tmp_path)]) == 5
    assert main(["show", "gold.nothing", "--limit", "-1", "--lake", str(tmp_path)]) == 2
    assert main(["export", "gold.nothing", "--to", "a.xlsx", "--lake", str(tmp_path)]) == 2
    assert main(["champion", "bank_full", "--lake", str(tmp_path)]) == 5
    assert capsys.readouterr().err.count("\n") == 4
