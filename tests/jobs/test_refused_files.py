"""A file that cannot be taken in leaves one row in the ledger and nothing else."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.bench import job_on

from otklik.cli import main
from otklik.errors import ConfigurationError, InputError
from otklik.lake.store import Lake
from otklik.steps.ingest import ingest_files

CONTRACT = """
name = "visits"
[format]
kind = "csv"
[key]
columns = ["id"]
[time]
order = "position"
known = "untimed"
[columns]
id = { type = "integer", required = true }
page = { type = "string" }
"""
GOOD = b"id,page\n1,home\n2,cart\n"
BAD = {
    "empty.csv": (b"", "is empty"),
    "cut.csv.gz": (gzip.compress(GOOD * 500)[:-9], "cut short or damaged"),
    "header-only.csv": (b"id,page\n", "a header and no records"),
    "workbook.csv": (b"PK\x03\x04" + GOOD, "an Excel workbook"),
    "other.csv": (b"id;page\n1;home\n", "id"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_stands_in_the_ledger_as_rejected(spark: SparkSession, tmp_path: Path, name: str) -> None:
    content, says = BAD[name]
    (tmp_path / "visits.toml").write_text(CONTRACT)
    (tmp_path / name).write_bytes(content)
    lake = Lake(spark, str(tmp_path / "lake"))
    with pytest.raises(InputError, match=says):
        ingest_files(job_on(lake, tmp_path, source=str(tmp_path / "visits.toml"), paths=[str(tmp_path / name)]))
    rows = lake.read("ops.files").collect()
    assert [(row.file, row.status, row.bytes, row.rows) for row in rows] == [(name, "rejected", len(content), 0)]
    assert not lake.exists("bronze.visits")
    assert not lake.exists("silver.visits")


def test_personal_columns_without_a_key_are_refused_before_anything_is_written(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OTKLIK_PSEUDONYM_KEY", "OTKLIK_PSEUDONYM_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    personal = CONTRACT.replace('page = { type = "string"', 'page = { type = "string", personal = true')
    (tmp_path / "visits.toml").write_text(personal)
    (tmp_path / "june.csv").write_bytes(GOOD)

    code = main(["ingest", str(tmp_path / "visits.toml"), str(tmp_path / "june.csv"), "--lake", str(tmp_path / "lake")])

    assert code == ConfigurationError.exit_code == 2
    assert "pseudonym key: is missing, and personal columns need it" in capsys.readouterr().err
    assert list((tmp_path / "lake").glob("*/*")) == []
