"""The small lake that faults are tried on: its files, its task, and the commands that make it, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONTRACT = """
name = "calls"
same_name_other_content = "replace"
format = { kind = "csv" }
key = { columns = ["id"] }
time = { order = "position", known = "untimed" }
thresholds = { rejected_share = 0.5 }

[columns]
id = { type = "integer", required = true }
said = { type = "string", allowed = ["yes", "no"] }
amount = { type = "double" }
city = { type = "string" }
"""

TASK = """
name = "calls"
kind = "classify"
title = { en = "Who says yes", ru = "Кто согласится" }
question = { en = "Who says yes?", ru = "Кто согласится?" }
inputs = { calls = "silver.calls" }
splits = { folds = 4, groups = 2 }
checks = { minimum_positives = 20, psi_warning = 100.0 }
decision = { cost = 1.0, value = 2.0, currency = "KZT" }
evaluation = { odds_ratio_replicates = 10 }

[rows]
sql = "record_rows"
time_ordered = false
settings = { input = "calls", key = "id", label = "said", yes = "yes", moment = "2020-01-01" }

[features.call]
sql = "record_columns"
settings = { input = "calls", key = "id", columns = ["amount", "city"] }

[models]
logistic_regression = { max_iter = 5 }
decision_tree = { max_depth = [2] }
random_forest = { max_depth = [2], trees = [3] }
linear_svc = { max_iter = 2 }

[champion]
candidates = ["logistic_regression", "decision_tree"]
"""

CITIES = ("Алматы", "Астана", "Қарағанды")


@dataclass(frozen=True)
class Stage:
    """One command on the small lake; `{files}` in its arguments is the folder of the files."""

    name: str
    arguments: tuple[str, ...]


STAGES = (
    Stage("ingest june", ("ingest", "{files}/calls.toml", "{files}/june.csv")),
    Stage("ingest july", ("ingest", "{files}/calls.toml", "{files}/july.csv")),
    Stage("ingest august", ("ingest", "{files}/calls.toml", "{files}/august.csv")),
    Stage("replace august", ("ingest", "{files}/calls.toml", "{files}/corrected/august.csv")),
    Stage("ingest months", ("ingest", "{files}/calls.toml", "{files}/months")),
    Stage("features", ("features", "{files}/calls_task.toml")),
    Stage("train", ("train", "{files}/calls_task.toml")),
    Stage("score", ("score", "{files}/calls_task.toml")),
    Stage("report", ("report", "{files}/calls_task.toml")),
    Stage("maintain", ("maintain",)),
    Stage("reingest", ("reingest", "{files}/changed/calls.toml")),
)
#: Of these each takes in files.
INGESTS = tuple(stage for stage in STAGES if stage.arguments[0] == "ingest")


def write_files(folder: Path) -> None:
    """The contract, the task and files: new rows, updates and faults, more rows, those corrected, and several at once.

    The contract stands there twice, the second time with another type, bound and winner.
    """
    for name in ("corrected", "months", "changed"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "calls.toml").write_text(CONTRACT, encoding="utf-8")
    changed = CONTRACT.replace('amount = { type = "double" }', 'amount = { type = "decimal(9,2)", maximum = 95 }')
    changed = changed.replace('columns = ["id"] }', 'columns = ["id"], keep = "first" }')
    (folder / "changed" / "calls.toml").write_text(changed, encoding="utf-8")
    (folder / "calls_task.toml").write_text(TASK, encoding="utf-8")
    rows = [_row(number, 0) for number in range(300)]
    _write(folder / "june.csv", rows + rows[:5])
    _write(folder / "july.csv", [*(_row(n, 7) for n in range(250, 400)), "x,yes,1,Алматы", "401,perhaps,1,Алматы"])
    _write(folder / "august.csv", [*(_row(number, 0) for number in range(500, 560)), "600,,"])
    _write(folder / "corrected" / "august.csv", [*(_row(number, 3) for number in range(520, 580)), "y,no,2,Астана"])
    _write_months(folder / "months")


def _write_months(folder: Path) -> None:
    """Files that share keys with one another and with those that were there, and of which one has a fault."""
    _write(folder / "september.csv", [*(_row(n, 11) for n in range(560, 640)), *(_row(n, 12) for n in range(630, 640))])
    _write(folder / "october.csv", [*(_row(number, 13) for number in range(620, 700)), "z,no,3,Астана"])
    _write(folder / "november.csv", [_row(number, 11) for number in range(630, 660)])


def write_more(folder: Path, name: str, first: int, rows: int) -> Path:
    """One more file of calls with keys of its own."""
    file = folder / name
    _write(file, [_row(number, 0) for number in range(first, first + rows)])
    return file


def _write(file: Path, rows: list[str]) -> None:
    file.write_text("\n".join(["id,said,amount,city", *rows, ""]), encoding="utf-8")


def _row(number: int, changed: int) -> str:
    """Likelier to say yes for a large amount; `changed` makes another version of the row."""
    amount = (number * 37 + changed) % 100
    says_yes = (number * 53 + changed) % 100 < amount
    return f"{number},{'yes' if says_yes else 'no'},{amount},{CITIES[number % 3]}"
