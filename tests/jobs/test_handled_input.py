"""What differs between files of one source and is not a fault: the command takes each of them in, with exit code 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from otklik.cli import main
from otklik.lake.store import Lake

CONTRACT = """
name = "visits"
new_columns = "ignore"
format = { kind = "csv", encoding = "{encoding}", multiline = {multiline} }
key = { columns = ["id", "file_of"] }
time = { order = "position", known = "untimed" }
[columns]
id = { type = "integer", required = true }
file_of = { type = "string", required = true, source = "of" }
city = { type = "string", source = "Город" }
page = { type = "string", missing = "null" }
"""

#: How a file may come → its text. Each holds the same two rows, and says in `of` which file it is.
AS_TEXT = {
    "plain": "id,of,Город,page\n1,plain,Алматы,home\n2,plain,Ақтөбе,home\n",
    "reordered": "page,Город,of,id\nhome,Алматы,reordered,1\nhome,Ақтөбе,reordered,2\n",
    "case": "ID,Of,ГОРОД,Page\n1,case,Алматы,home\n2,case,Ақтөбе,home\n",
    "bom": "\ufeffid,of,Город,page\n1,bom,Алматы,home\n2,bom,Ақтөбе,home\n",
    "line_ends": "id,of,Город,page\r\n1,line_ends,Алматы,home\r2,line_ends,Ақтөбе,home\n",
    "blanks": "id , of,\u00a0Город,page\n 1,blanks ,\u00a0Алматы\u00a0,home\n2\u00a0,\u00a0blanks,  Ақтөбе,\thome\n",
    "new_column": "id,of,Город,page,colour\n1,new_column,Алматы,home,red\n2,new_column,Ақтөбе,home,\n",
    "missing_column": "id,of,Город\n1,missing_column,Алматы\n2,missing_column,Ақтөбе\n",
    "quoted": 'id,of,"Город",page\n"1",quoted,"Алматы","home"\n2,"quoted",Ақтөбе,home\n',
}
#: Only where the contract says that quoted fields may hold line breaks.
OF_SEVERAL_LINES = AS_TEXT | {
    "line_breaks": 'id,of,Город,page\r\n1,line_breaks,Алматы,"home\nor\r\nshop"\r\n2,line_breaks,Ақтөбе,home\r\n'
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("texts", "encoding"),
    [
        pytest.param(AS_TEXT, "utf-8", id="by lines"),
        pytest.param(OF_SEVERAL_LINES, "utf-8", id="of several lines"),
        pytest.param(AS_TEXT, "utf-16", id="utf-16"),
    ],
)
def test_every_form_of_a_file_is_taken_in(
    texts: dict[str, str], encoding: str, spark: SparkSession, tmp_path: Path
) -> None:
    folder, contract = tmp_path / "visits", tmp_path / "visits.toml"
    folder.mkdir()
    for name, text in texts.items():
        content = text.removeprefix("\ufeff") if encoding == "utf-16" else text
        (folder / f"{name}.csv").write_bytes(content.encode(encoding))
    multiline = "true" if texts is OF_SEVERAL_LINES else "false"
    contract.write_text(CONTRACT.replace("{encoding}", encoding).replace("{multiline}", multiline), encoding="utf-8")

    assert main(["ingest", str(contract), str(folder), "--lake", str(tmp_path / "lake")]) == 0

    lake = Lake(spark, str(tmp_path / "lake"), is_here=True)
    rows = lake.read("silver.visits").select("file_of", "id", "city", "page").collect()
    expected: dict[tuple[str, int], tuple[str, str | None]]
    expected = {(name, id_): (city, "home") for name in texts for id_, city in ((1, "Алматы"), (2, "Ақтөбе"))}
    expected |= {("missing_column", 1): ("Алматы", None), ("missing_column", 2): ("Ақтөбе", None)}
    if "line_breaks" in texts:
        expected["line_breaks", 1] = ("Алматы", "home\nor\r\nshop")
    assert {(row.file_of, row.id): (row.city, row.page) for row in rows} == expected
    assert len(rows) == len(expected)
    entries = lake.read("ops.files").collect()
    assert {(entry.rows, entry.accepted, entry.status) for entry in entries} == {(2, 2, "loaded")}
