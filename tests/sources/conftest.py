"""What the tests of sources share: a small contract, and the way of bytes through reader, fields and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.settings import validate
from otklik.sources import checks
from otklik.sources.contract import Contract
from otklik.sources.fields import with_fields
from otklik.sources.reader import read_records

MakeContract = Callable[..., Contract]
Judge = Callable[..., DataFrame]


@pytest.fixture(scope="session")
def make_contract() -> MakeContract:
    """A contract with columns id and note; `columns` replaces them, further names are keys of [format] or tables."""

    def make(columns: dict[str, Any] | None = None, format_: dict[str, Any] | None = None, **tables: Any) -> Contract:
        base: dict[str, Any] = {
            "name": "things",
            "format": {"kind": "csv", **(format_ or {})},
            "columns": columns or {"id": {"type": "integer"}, "note": {"type": "string"}},
            "key": {"columns": "all"},
            "time": {"order": "position"},
            "thresholds": {"rejected_share": 1.0},
        }
        return validate(Contract, base | tables, "test")

    return make


@pytest.fixture
def judge(spark: SparkSession, tmp_path: Path) -> Iterator[Judge]:
    """The bytes of a file, read and judged: one row per record, kept while the test asks it this and that.

    Kept as the step `ingest` keeps it: otherwise a filter on the reasons goes down to the scan with all it is made of.
    """
    kept: list[DataFrame] = []

    def run(content: bytes | str, contract: Contract, name: str = "things.csv") -> DataFrame:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        records = read_records(spark, f"file://{file}", contract)
        checked = checks.with_reasons(with_fields(records, contract), contract).persist()
        kept.append(checked)
        return checks.with_duplicates(checked, contract)

    yield run
    for checked in kept:
        checked.unpersist()
