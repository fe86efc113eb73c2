"""Real exports on their way into tables: every type, deliveries of some columns, equal lines, files in order."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.bench import QUICK, job_on

from otklik.errors import InputError
from otklik.lake.ledger import FileLedger
from otklik.lake.store import Lake
from otklik.progress import Progress
from otklik.steps.export import export_table
from otklik.steps.features import build_features
from otklik.steps.ingest import ingest_files
from otklik.steps.reingest import reingest_source
from otklik.steps.score import score_rows
from otklik.steps.train import train_models

HEAD = """
name = "things"
format = {{ kind = "csv" }}
time = {{ order = "position" }}
key = {key}
"""


def taken_in(lake: Lake, folder: Path, contract: str, **files: str) -> str:
    """Write files, ingest them by one command, and return what it said."""
    (folder / "things.toml").write_text(contract, encoding="utf-8")
    inbox = folder / "_".join(files)
    inbox.mkdir()
    for name, text in files.items():
        (inbox / f"{name}.csv").write_text(text, encoding="utf-8")
    said = io.StringIO()
    job = job_on(lake, folder, source=str(folder / "things.toml"), paths=[str(inbox)])
    assert ingest_files(replace(job, progress=Progress(said, lambda: 0.0, is_live=False))) == 0
    return said.getvalue()


def silver(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.read("silver.things").selectExpr(*columns).collect())


def test_rows_of_every_type_are_keyed_by_every_type_and_merged(lake: Lake, tmp_path: Path) -> None:
    types = {
        "b": "boolean", "i": "integer", "d": "double", "c": "decimal(10,2)", "day": "date", "at": "timestamp",
        "s": "string", "is_new": "boolean", "rate": "decimal(38,10)",
    }  # fmt: skip
    key = list(types)[:7]
    contract = HEAD.format(key=f"{{ columns = {key} }}".replace("'", '"')) + "[columns]\n"
    contract += "".join(f'{name} = {{ type = "{type_}" }}\n' for name, type_ in types.items())
    head = ",".join(types)
    same = "да,1,1.5,2.50,0001-01-01,2024-02-29 10:00:00,a"

    taken_in(lake, tmp_path, contract, one=f"{head}\n{same},true,1\nЛОЖЬ,,,,,,,,\n")
    taken_in(lake, tmp_path, contract, two=f"{head}\n{same},false,0.5\nнет,,,,,,,true,\n")

    assert silver(lake, "CAST(b AS INT) AS b", "is_new", "CAST(rate AS STRING)") == [
        (0, True, None), (1, False, "0.5000000000"),
    ]  # fmt: skip


#: Type → texts of it, some at its ends; an empty one is no value.
TEXTS = {
    "boolean": st.sampled_from(["да", "ЛОЖЬ", "1", "no", ""]),
    "integer": st.integers(-(2**63), 2**63 - 1).map(str) | st.just(""),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.just(""),
    "decimal(38,10)": st.decimals(-(10**27), 10**27, places=10).map("{:f}".format) | st.just(""),
    "decimal(5,0)": st.integers(-99_999, 99_999).map(str),
    "date": st.dates().map(str) | st.just(""),
    "timestamp": st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")) | st.just(""),
    "string": st.text("аёЯқ aZ09'\\=", max_size=9),
}
TASK = """
name = "things"
kind = "classify"
title = { en = "Who says yes", ru = "Кто согласится" }
question = { en = "Who says yes?", ru = "Кто согласится?" }
inputs = { things = "silver.things" }
decision = { cost = 1.0, value = 2.0, currency = "KZT" }
evaluation = { odds_ratio_replicates = 10 }

[rows]
sql = "record_rows"
time_ordered = false
settings = { input = "things", key = "n", label = "said", yes = "yes", moment = "2020-01-01" }

[features.thing]
sql = "record_columns"
"""


@pytest.mark.long
@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(values=st.fixed_dictionaries({type_: st.lists(texts, min_size=9, max_size=9) for type_, texts in TEXTS.items()}))
@pytest.mark.parametrize("is_key", [False, True], ids=["not-keyed", "keyed"])
def test_values_of_every_type_go_all_the_way(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory, is_key: bool, values: dict[str, list[str]]
) -> None:
    """Ingested, merged with the same rows and others, made features, scored and exported: no row is lost or doubled."""
    folder = tmp_path_factory.mktemp("types")
    lake = replace(lake, root=str(folder / "lake"))
    types = {"n": "integer", "said": "string", "x": "integer"} | {f"c{n}": type_ for n, type_ in enumerate(TEXTS)}
    # All columns but x may turn out to be constant.
    lines = [
        ",".join([f"{n}", "yes" if n % 7 < 3 else "no", f"{n % 11}", *(f'"{values[type_][n % 9]}"' for type_ in TEXTS)])
        for n in range(240)
    ]
    head, key = ",".join(types), [*types] if is_key else ["n"]
    contract = HEAD.format(key=f"{{ columns = {key} }}".replace("'", '"')) + "[columns]\n"
    contract += "".join(f'{name} = {{ type = "{type_}" }}\n' for name, type_ in types.items())
    columns = [*types][2:]
    (folder / "task.toml").write_text(
        TASK + f'settings = {{ input = "things", key = "n", columns = {columns} }}\n'.replace("'", '"'),
        encoding="utf-8",
    )

    taken_in(lake, folder, contract, one="\n".join([head, *lines[:160], ""]))
    taken_in(lake, folder, contract, two="\n".join([head, *lines[80:], ""]))
    for step in (build_features, train_models, score_rows):
        assert step(job_on(lake, folder, QUICK, task=str(folder / "task.toml"))) in (0, 10)
    for table in ("silver.things", "gold.things_scores"):
        for ending in ("csv", "parquet"):
            target = folder / f"{table}.{ending}"
            assert export_table(job_on(lake, folder / ending / table, table=table, where=None, to=str(target))) == 0

    assert silver(lake, "n") == [(n,) for n in range(240)]
    counted = lake.read("ops.files").groupBy().sum("rows", "accepted", "duplicates", "rejected").collect()
    assert [tuple(row) for row in counted] == [(320, 240, 80, 0)]
    for table in ("silver.things", "gold.things_scores"):
        assert pq.read_table(folder / f"{table}.parquet").num_rows == 240


def test_a_table_of_booleans_alone_is_made(lake: Lake, tmp_path: Path) -> None:
    contract = HEAD.format(key='{ columns = ["x"] }') + '[columns]\nx = { type = "boolean" }\n'
    contract = contract.replace('time = { order = "position" }', 'time = { order = "position", known = "untimed" }')

    taken_in(lake, tmp_path, contract, one="x\ntrue\nfalse\n")

    assert silver(lake, "x") == [(False,), (True,)]


def test_a_delivery_of_some_columns_leaves_the_others_or_clears_them(lake: Lake, tmp_path: Path) -> None:
    contract = HEAD.format(key='{ columns = ["id"] }') + (
        '[columns]\nid = { type = "integer" }\ncity = { type = "string", missing = "null" }\n'
        'tag = { type = "string", missing = "clear" }\nphone = { type = "string" }\n'
    )
    taken_in(lake, tmp_path, contract, first="id,city,tag,phone\n1,Тараз,a,701\n2,Актау,b,702\n")

    said = taken_in(lake, tmp_path, contract, second="id,phone\n2,777\n3,703\n")

    assert silver(lake, "id", "city", "tag", "phone") == [
        (1, "Тараз", "a", "701"), (2, "Актау", None, "777"), (3, None, None, "703"),
    ]  # fmt: skip
    assert "1 existing rows keep their values in columns that the file lacks: city" in said
    assert "1 existing rows lose their values in columns that the file lacks: tag" in said


def test_a_delivery_that_lacks_what_says_which_row_is_newest_is_warned_of(lake: Lake, tmp_path: Path) -> None:
    contract = HEAD.format(key='{ columns = ["id"], keep = "newest", newest_by = "changed_on" }') + (
        '[columns]\nid = { type = "integer" }\ncity = { type = "string" }\n'
        'changed_on = { type = "date", missing = "null" }\n'
    )
    taken_in(lake, tmp_path, contract, first="id,city,changed_on\n1,Тараз,2024-03-05\n2,Актау,\n")

    said = taken_in(lake, tmp_path, contract, second="id,city\n1,Алматы\n2,Астана\n3,Павлодар\n")

    assert silver(lake, "id", "city") == [(1, "Тараз"), (2, "Астана"), (3, "Павлодар")]
    assert "1 rows with existing keys changed nothing: the file lacks changed_on, by which the newest row wins" in said


def test_equal_lines_are_counted_within_a_receipt_or_said_to_be_taken_once(lake: Lake, tmp_path: Path) -> None:
    columns = '[columns]\nreceipt = { type = "string" }\narticle = { type = "string" }\n'
    counted = HEAD.format(key='{ columns = "all", position_within = ["receipt", "article"] }') + columns
    lines = "receipt,article\nR1,bread\nR1,bread\nR2,bread\n"
    once = Lake(lake.spark, f"{lake.root}_once", is_here=True)

    taken_in(lake, tmp_path, counted, first=lines)
    taken_in(lake, tmp_path, counted, again=f"{lines}R3,milk\n")
    said = taken_in(once, tmp_path, HEAD.format(key='{ columns = "all" }') + columns, once=lines)

    rows = [("R1", "bread", 1), ("R1", "bread", 2), ("R2", "bread", 1), ("R3", "milk", 1)]
    assert silver(lake, "receipt", "article", "position_within") == rows
    assert "1 rows identical to another one were loaded once" in said


def test_files_are_taken_in_the_order_of_numbers_in_their_names(lake: Lake, tmp_path: Path) -> None:
    contract = (
        HEAD.format(key='{ columns = ["id"] }') + '[columns]\nid = { type = "integer" }\nx = { type = "string" }\n'
    )

    said = taken_in(lake, tmp_path, contract, part_10="id,x\n1,ten\n", part_9="id,x\n1,nine\n")

    assert silver(lake, "x") == [("ten",)]
    assert "2 files, in natural order of names: part_9.csv … part_10.csv" in said


@pytest.mark.parametrize(("listed", "last"), [((1, 10, 9), "part_10"), ((10, 9, 1), "part_1")])
def test_files_listed_as_a_shell_does_are_taken_in_natural_order_and_others_as_listed(
    lake: Lake, tmp_path: Path, listed: tuple[int, ...], last: str
) -> None:
    contract = (
        HEAD.format(key='{ columns = ["id"] }') + '[columns]\nid = { type = "integer" }\nx = { type = "string" }\n'
    )
    (tmp_path / "things.toml").write_text(contract, encoding="utf-8")
    paths = [tmp_path / f"part_{n}.csv" for n in listed]
    for path in paths:
        path.write_text(f"id,x\n1,{path.stem}\n", encoding="utf-8")

    assert ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "things.toml"), paths=[*map(str, paths)])) == 0

    assert silver(lake, "x") == [(last,)]


TIMED = """
name = "things"
file_time = "dd.MM.yyyy"
format = { kind = "csv" }
time = { order = "position" }
key = { columns = ["id"] }
columns = { id = { type = "integer" }, x = { type = "string" } }
"""


def test_files_count_in_the_order_of_the_times_in_their_names(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "things.toml").write_text(TIMED, encoding="utf-8")

    def ingest(**rows: str) -> str:
        """Ingest one file per day of a month, and return what it said."""
        paths = [tmp_path / f"export {day[1:].replace('_', '.')}.2026.csv" for day in rows]
        for path, row in zip(paths, rows.values(), strict=True):
            path.write_text(f"id,x\n{row}\n", encoding="utf-8")
        said = io.StringIO()
        job = job_on(lake, tmp_path, source=str(tmp_path / "things.toml"), paths=[*map(str, paths)])
        assert ingest_files(replace(job, progress=Progress(said, lambda: 0.0, is_live=False))) == 0
        return said.getvalue()

    said = ingest(d05_02="1,February", d31_01="1,January")
    assert "in order of the times in their names: export 31.01.2026.csv … export 05.02.2026.csv" in said
    # Nothing depends on the order of a late file without known keys.
    ingest(d03_02="2,late")
    assert silver(lake, "id", "x") == [(1, "February"), (2, "late")]

    before = lake.version("bronze.things"), lake.version("silver.things")
    with pytest.raises(
        InputError, match=r"export 04\.02\.2026\.csv: shares keys with export 05\.02\.2026\.csv, a file of a later time"
    ):
        ingest(d04_02="1,later still")
    assert (lake.version("bronze.things"), lake.version("silver.things")) == before
    (tmp_path / "export.csv").write_text("id,x\n3,c\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"export\.csv: its name contains no time of the form dd\.MM\.yyyy"):
        ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "things.toml"), paths=[str(tmp_path / "export.csv")]))


@pytest.mark.long
def test_files_that_were_taken_in_before_an_order_was_declared_are_put_in_order(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "things.toml"
    source.write_text(TIMED.replace('file_time = "dd.MM.yyyy"', ""), encoding="utf-8")
    paths = [tmp_path / name for name in ("export 05.02.2026.csv", "export 31.01.2026.csv")]
    for path, month in zip(paths, ("February", "January"), strict=True):
        path.write_text(f"id,x\n1,{month}\n", encoding="utf-8")
    ingest_files(job_on(lake, tmp_path, source=str(source), paths=[*map(str, paths)]))
    assert silver(lake, "x") == [("January",)]

    source.write_text(TIMED, encoding="utf-8")
    assert reingest_source(job_on(lake, tmp_path, source=str(source))) == 0

    assert silver(lake, "x") == [("February",)]
    said = [(entry.file, entry.inserted, entry.updated) for entry in FileLedger(lake).loaded("things")]
    assert said == [("export 05.02.2026.csv", 0, 1), ("export 31.01.2026.csv", 1, 0)]
