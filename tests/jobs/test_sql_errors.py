"""What is wrong with single rows: the command takes the others in, says 0, and keeps each bad one with its reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.cli import main
from otklik.lake.store import Lake

CONTRACT = """
name = "{name}"
format = {{ kind = "{kind}" {more} }}
key = {{ columns = ["id"] }}
time = {{ order = "position", known = "untimed" }}
thresholds = {{ rejected_share = 1.0 }}
[columns]
id = {{ type = "integer", required = true, minimum = 1, maximum = 99 }}
page = {{ type = "string", allowed = ["home", "cart"] }}
day = {{ type = "date" }}
note = {{ type = "string" }}
"""
#: A record of the file → the reasons for which it is rejected.
CSV: dict[bytes, list[str]] = {
    b"1,home,2024-02-29,good": [],
    b"2,home": ["too_few_fields"],
    b"3,home,2024-01-01,a,b": ["too_many_fields"],
    b"four,home,2024-01-01,": ["type of id"],
    b"5,home,2023-02-29,": ["type of day"],
    b"600,home,2024-01-01,": ["range of id"],
    b"7,shop,2024-01-01,": ["allowed of page"],
    b",home,2024-01-01,": ["required of id"],
    b"9,home,2024-01-01,\xff": ["invalid_bytes"],
    b"10,home,2024-01-01,a\x00b": ["nul_byte"],
    b"11,home,2024-01-01," + b"x" * 10_000_000: ["field_too_long of note"],
    # The quote would eat the rows after it, up to the next one.
    b'12,home,2024-01-01,"open': ["unclosed_quote"],
    b"13,home,2024-01-01,good": [],
    b'14,home,2024-01-01,"two': ["unclosed_quote"],
    b'lines"': ["too_few_fields"],
    b"16,cart,,good": [],
}
JSON: dict[bytes, list[str]] = {
    b'{"id": 1, "page": "home", "day": "2024-02-29", "note": "good"}': [],
    b'{"id": 2, "page": "home", "day": "2024-': ["broken_json"],
    b'{"id": 3, "page": "shop"}': ["allowed of page"],
    b'{"id": 4, "note": "a\\u0000b"}': ["nul_byte"],
    b'{"id": 5}': [],
}


@pytest.mark.long
def test_bad_rows_are_kept_with_reasons_and_position_and_the_others_taken_in(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), is_here=True)
    for name, kind, more, records in (
        ("visits", "csv", ", multiline = true", CSV),
        ("clicks", "json_lines", "", JSON),
    ):
        contract, file = tmp_path / f"{name}.toml", tmp_path / f"{name}.txt"
        contract.write_text(CONTRACT.format(name=name, kind=kind, more=more), encoding="utf-8")
        file.write_bytes(b"\n".join([*([b"id,page,day,note"] if kind == "csv" else []), *records, b""]))

        assert main(["ingest", str(contract), str(file), "--lake", lake.root]) == 0

        rejected = lake.read("bronze.rejected").where(f"source = '{name}'").collect()
        assert {row.record_no: [in_words(reason) for reason in row.reasons] for row in rejected} == {
            number: reasons for number, reasons in enumerate(records.values(), start=1) if reasons
        }
        assert {row.file for row in rejected} == {file.name}
        good = sorted(row._record_no for row in lake.read(f"silver.{name}").select("_record_no").collect())
        assert good == [number for number, reasons in enumerate(records.values(), start=1) if not reasons]
        [entry] = lake.read("ops.files").where(f"source = '{name}'").collect()
        balance = (entry.rows, entry.accepted, entry.rejected, entry.duplicates)
        assert (entry.status, *balance) == ("loaded", len(records), len(good), len(rejected), 0)


def in_words(reason) -> str:
    return reason["reason"] + (f" of {reason['column']}" if reason["column"] else "")
