"""Personal values stand in the records as received and nowhere else; the key of the pseudonyms stands nowhere.

They are looked for in every byte that a lake and its commands leave: tables and their logs, models, report, exports,
what the commands say, also of failures, and Spark's event log with its plans.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.conftest import PROJECT
from tests.faults.small_lake import CONTRACT, TASK

pytestmark = pytest.mark.long

#: What every planted value holds, whatever stands around it.
CANARY = "qxanna"
#: The way of the data, in one process after another's session, and then whatever shows or exports a table.
TABLES = ("bronze.calls", "bronze.rejected", "silver.calls", "ops.files", "ops.runs", "gold.calls_actions")
RUN = "import json, sys; from otklik.cli import main; print([main(given) for given in json.loads(sys.argv[1])])"


PERSONAL = ("email", "full_name", "phone")
#: Columns over which a contract's rule would fail on the canary, which Spark's event log would quote: a personal one,
#: and one where personal values stand in shifted records.
MAY_FAIL = ("email", "said")
HEADER = ",".join(["id,said,amount,city", *PERSONAL])
#: Like the canary: no other text of the lake has it.
KEY = "9e1f7aa0c4d2b6835f07"


def rule(holds: str) -> str:
    return f'[[rules]]\nname = "odd"\nholds = "{holds}"\n'


def record(number: int) -> str:
    amount = number * 37 % 100
    said = "yes" if number * 53 % 100 < amount else "no"
    return f"{number},{said},{amount},Алматы,qxanna{number}@example.kz,Айгүл qxanna{number},+7 701 qxanna{number}"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, exports, event logs, and everything that the commands said."""
    folder = tmp_path_factory.mktemp("personal")
    personal = "".join(f"{name} = {{ type = 'string', personal = true }}\n" for name in PERSONAL)
    # Asked of every record, also of those whose fields are shifted.
    contract = CONTRACT + personal + rule("try_cast(said AS INT) IS NULL AND length(city) > 0")
    (folder / "calls.toml").write_text(contract, encoding="utf-8")
    for name in MAY_FAIL:
        text = CONTRACT + personal + rule(f"cast({name} AS INT) > 0")
        (folder / f"rule_on_{name}.toml").write_text(text, encoding="utf-8")
    (folder / "task.toml").write_text(TASK, encoding="utf-8")
    rows = [record(number) for number in range(300)]
    broken = [
        "qxanna-id,yes,1,Алматы,qxanna@x,qxanna,qxanna",
        "901,qxanna,1,x,y,z,7",
        "902,yes,qxanna-amount,x,y,z,7",
        "904,yes,1,x,y,z,7,qxanna",
        '903,"qxanna',
        "qxanna",
    ]
    files = {
        "good.csv": [HEADER, *rows, *broken],
        "broken.csv": [HEADER, *broken],
        "headless.csv": rows,
        "delimiter.csv": [row.replace(",", ";") for row in [HEADER, *rows]],
        "rule.csv": [HEADER, "905,qxanna,1,Алматы,qxanna@x,qxanna,qxanna"],
    }
    for name, lines in files.items():
        (folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    home = folder / "home"
    shutil.copytree(PROJECT / "conf", home / "conf")
    shutil.copytree(PROJECT / "jobs", home / "jobs")
    (folder / "events").mkdir()
    with (home / "conf" / "spark" / "local.conf").open("a", encoding="utf-8") as properties:
        properties.write(f"\nspark.eventLog.enabled true\nspark.eventLog.dir file://{folder}/events\n")
        properties.write("spark.eventLog.compress false\nspark.eventLog.rolling.enabled false\n")
    exports = [
        [("export"), table, "--to", f"{folder}/{table}.{kind}"] for table in TABLES for kind in ("csv", "parquet")
    ]
    commands = [
        *(["ingest", f"{folder}/calls.toml", f"{folder}/{name}"] for name in files if name != "rule.csv"),
        ["run", f"{folder}/task.toml"],
        *(["show", table, "--limit", "1000"] for table in TABLES),
        ["show", "silver.calls", "--where", "cast(email AS INT) = 1"],
        *exports,
        *(["ingest", f"{folder}/rule_on_{name}.toml", f"{folder}/rule.csv"] for name in MAY_FAIL),
    ]
    (folder / "said").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([[*each, "--lake", f"{folder}/lake"] for each in commands])],
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT / "lib"),
            "OTKLIK_HOME": str(home),
            "OTKLIK_PSEUDONYM_KEY": KEY,
            "TMPDIR": str(folder / "said"),
        },
        capture_output=True,
        check=False,
    )
    (folder / "said" / "out").write_bytes(done.stdout)
    (folder / "said" / "err").write_bytes(done.stderr)
    return folder


def texts(file: Path) -> Iterator[bytes]:
    """The bytes of a file and, for Parquet, what they mean when unpacked."""
    yield file.read_bytes()
    if file.suffix == ".parquet":
        yield str(pq.ParquetFile(file).read().to_pylist()).encode()


def holders(folder: Path, searched: Sequence[bytes] = (CANARY.encode(),)) -> list[str]:
    """The files below a folder that hold one of these values; a personal one unless others are given."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    assert files
    return [
        str(file.relative_to(folder))
        for file in files
        if any(value in text for text in texts(file) for value in searched)
    ]


def test_the_commands_ended_as_they_should(left: Path) -> None:
    codes = json.loads((left / "said" / "out").read_text().splitlines()[-1])

    assert codes == [0, 3, 3, 3, 0, *[0] * len(TABLES), 2, *[0] * 2 * len(TABLES), *[2] * len(MAY_FAIL)]


def test_records_as_received_hold_them(left: Path) -> None:
    assert {name.partition("/part-")[0] for name in holders(left / "lake" / "bronze")} == {"calls", "rejected"}


def test_no_other_table_log_model_or_report_holds_them(left: Path) -> None:
    in_lake = holders(left / "lake")

    assert [name for name in in_lake if not name.startswith(("bronze/calls/part-", "bronze/rejected/part-"))] == []


def test_the_event_log_tells_of_plans_in_plain_text(left: Path) -> None:
    assert holders(left / "events", [b"== Physical Plan =="]) != []


@pytest.mark.parametrize("place", ["events", "said"])
def test_neither_events_nor_what_was_said_hold_them(left: Path, place: str) -> None:
    assert holders(left / place) == []


def test_no_export_holds_them(left: Path) -> None:
    exports = [file for table in TABLES for file in left.glob(f"{table}.*")]

    assert len(exports) == 2 * len(TABLES)
    assert [file.name for file in exports if any(CANARY.encode() in text for text in texts(file))] == []


def test_the_key_stands_nowhere(left: Path) -> None:
    # Nor the two pads that HMAC makes of it: whoever has one of them has the key.
    pads = [bytes(byte ^ pad for byte in KEY.encode()) for pad in (0x00, 0x36, 0x5C)]
    in_hex = [text.encode() for pad in pads for text in (pad.hex(), pad.hex().upper())]

    assert holders(left, [*pads, *in_hex]) == []
