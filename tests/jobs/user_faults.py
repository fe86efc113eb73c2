"""Every way in which a user, a file or a machine makes a command fail, and the line that it says then.

test_user_faults.py provokes each of them, and errors_page.py writes them down for users.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from otklik import errors
from otklik.world.options import BANK, PARTS

PROJECT = Path(__file__).resolve().parents[2]

#: Stands in every record; no command may say it.
PERSONAL = "anna.canary@example.kz"
CONTRACT = """
name = "visits"
format = { kind = "csv" }
key = { columns = ["id"] }
time = { order = "position", known = "untimed" }
[columns]
id = { type = "integer", required = true }
email = { type = "string", personal = true }
page = { type = "string" }
"""
TASK = """
name = "who_comes"
kind = "classify"
title = { en = "t", ru = "т" }
question = { en = "q", ru = "в" }
inputs = { visits = "silver.visits" }
features = { visit = { sql = "record_columns", settings = { input = "visits", key = "id", columns = ["page"] } } }
[rows]
sql = "record_rows"
time_ordered = false
settings = { input = "visits", key = "id", label = "page", yes = "home", moment = "2020-01-01" }
"""
GOOD = "id,email,page\n" + "".join(f"{number},{PERSONAL},home\n" for number in range(1, 6))
PACKED = gzip.compress(GOOD.encode(), mtime=0)
#: How the folder of the case is written in a line.
FOLDER = "FOLDER"
_TOML = f"{FOLDER}/some.toml"


@dataclass(frozen=True)
class UserFault:
    """A way to fail.

    Args:
        cause: what is wrong, for the page.
        code: the exit code.
        says: the line, without `otklik: `; FOLDER stands for the folder of the case.
        command: makes what it needs in the folder and returns the command's arguments.
        file: the name of the file that is refused, where it is one.
        environment: variables that the command finds.
    """

    cause: str
    code: int
    says: str
    command: Callable[[Path], list[str]]
    file: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def delivered(
    cause: str, name: str, content: str | bytes, says: str, contract: str = CONTRACT, more: tuple[str, ...] = ()
) -> UserFault:
    """A file that cannot be taken in."""

    def command(folder: Path) -> list[str]:
        (folder / "visits.toml").write_text(contract, encoding="utf-8")
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return ["ingest", str(folder / "visits.toml"), str(folder / name), *more]

    return UserFault(cause, errors.InputError.exit_code, f"{name}: {says}", command, name)


def named(cause: str, path: str, says: str) -> UserFault:
    """A path that stands for no file to take in."""

    def command(folder: Path) -> list[str]:
        (folder / "visits.toml").write_text(CONTRACT, encoding="utf-8")
        (folder / "outside.csv").write_text(GOOD, encoding="utf-8")
        (folder / "empty").mkdir()
        (folder / "links").mkdir()
        (folder / "links" / "led-out.csv").symlink_to(folder / "outside.csv")
        return ["ingest", str(folder / "visits.toml"), path.replace(FOLDER, str(folder))]

    return UserFault(cause, errors.InputError.exit_code, says, command)


def checked(cause: str, toml: str | bytes, says: str) -> UserFault:
    """A TOML file that is wrong."""

    def command(folder: Path) -> list[str]:
        (folder / "some.toml").write_bytes(toml.encode() if isinstance(toml, str) else toml)
        return ["check", str(folder / "some.toml")]

    return UserFault(cause, errors.ConfigurationError.exit_code, says, command)


def one_fault(cause: str, toml: str, says: str) -> UserFault:
    """A TOML file with one thing in it that cannot be."""
    return checked(
        cause, toml, f"{_TOML}: 1 error: {says} → correct the file or --set, and validate it with `otklik check`"
    )


def no_toml(cause: str, toml: str | bytes, says: str) -> UserFault:
    """A file that is not TOML, or cannot be read as it."""
    hint = "write key = value, each key once and strings in quotes, and save the file as UTF-8"
    return checked(cause, toml, f"{_TOML}: not valid TOML: {says} → {hint}")


def _written(path: Path, content: bytes) -> list[str]:
    """Nothing to add to the arguments: only the file is wanted."""
    path.write_bytes(content)
    return []


def given(cause: str, says: str, *arguments: str, code: int = errors.ConfigurationError.exit_code) -> UserFault:
    """An option or a name that is wrong."""

    def command(folder: Path) -> list[str]:
        (folder / "task.toml").write_text(TASK, encoding="utf-8")
        return [argument.replace(FOLDER, str(folder)) for argument in arguments]

    return UserFault(cause, code, says, command)


def parquet(rows: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(
        rows, content, compression="none", use_dictionary=False, write_page_checksum=True, write_statistics=False
    )
    return content.getvalue()


def contract(old: str, new: str) -> str:
    """The contract with one place of it changed."""
    if old not in CONTRACT:
        raise ValueError(old)
    return CONTRACT.replace(old, new)


PARQUET = contract('"csv"', '"parquet"')
TABLE = pa.table({"id": range(5), "email": [PERSONAL] * 5, "page": ["home"] * 5})
WHOLE_PARQUET = parquet(TABLE)
_FLIPPED = WHOLE_PARQUET.replace(b"home", b"hOme", 1)
_FETCH = " → fetch the file again"
_HEADER = " → add its name to aliases, allow it with missing = 'null' or new_columns = 'ignore', or fix the file"
_MEND = " → fix the file, or the contract visits (format, rules, thresholds)"
_ENCODING, _NUMBERS, _QUOTES = (
    _MEND.replace("format, rules", settings)
    for settings in (
        "format.encoding",
        "format.null_tokens, format.thousands_separator, columns.id.units",
        "format.quote, format.escape",
    )
)
_UNREADABLE = (
    "cannot be read completely: truncated, corrupt, or not of the declared kind"
    " → fetch the file again, and check format.kind in the contract"
)
_GZIP = f"truncated or corrupt gzip file{_FETCH}"
_OTHER_HASH = (
    f"does not have the expected hash: its sha-256 is {hashlib.sha256(GOOD.encode()).hexdigest()}"
    " → fetch the file again, or correct --sha256 or sha256 in the contract"
)
_JSON = contract('"csv"', '"json_lines"')
_WIDE = ",".join(f"c{number}" for number in range(5_000))

FILES = (
    delivered("an empty file", "empty.csv", "", f"is empty{_FETCH}"),
    delivered(
        "a gzip file without content",
        "nothing.csv.gz",
        gzip.compress(b"", mtime=0),
        f"is empty when decompressed{_FETCH}",
    ),
    delivered("a header and nothing after it", "header.csv", GOOD[:14], f"contains a header but no records{_FETCH}"),
    delivered("nothing but blank lines", "blank.csv", "\n \n", f"contains neither a header nor records{_FETCH}"),
    delivered(
        "another delimiter",
        "delimiter.csv",
        GOOD.replace(",", ";"),
        "the columns do not match the contract: missing: 'id', 'email', 'page'; unknown columns: 1"
        " → is the delimiter ';' rather than ','? see format.delimiter",
    ),
    delivered(
        "no header: the file starts with a record",
        "headless.csv",
        GOOD[14:],
        "the columns do not match the contract: missing: 'id', 'email', 'page'; unknown columns: 3"
        " → is the first line a header? see format.header, or name the columns under source or aliases",
    ),
    delivered(
        "no header, and a first record that contains a column name",
        "half-headless.csv",
        f"{PERSONAL},page,7\n" + GOOD[14:],
        "the columns do not match the contract: missing: 'id', 'email'; unknown columns: 2" + _HEADER,
    ),
    delivered(
        "another encoding, detected in the header",
        "header-cp1251.csv",
        GOOD.replace("page", "дом").encode("cp1251"),
        "the header is not valid utf-8 → correct format.encoding in the contract",
    ),
    delivered(
        "another encoding, detected in the records",
        "cp1251.csv",
        GOOD.replace("home", "дом").encode("cp1251"),
        "5 of 5 records are rejected, more than thresholds.rejected_share = 0.1; most common reasons: invalid_bytes "
        f"(5, utf-8; first in record 1){_ENCODING}",
    ),
    delivered(
        "a utf-16 file, declared as another encoding",
        "utf-16.csv",
        GOOD.encode("utf-16"),
        "is encoded as utf-16, but the contract says utf-8 → set format.encoding = 'utf-16'",
    ),
    delivered(
        "a file declared as utf-16 that is not utf-16",
        "utf-8.csv",
        GOOD,
        "is declared as utf-16 but has no byte-order mark"
        " → set format.encoding to 'utf-16-le' or 'utf-16-be', or to its actual encoding",
        contract('"csv"', '"csv", encoding = "utf-16"'),
    ),
    delivered(
        "a utf-8 file, declared as a code page",
        "letters.csv",
        GOOD.replace("home", "дом"),
        "is encoded as utf-8, but the contract says cp1251 → set format.encoding = 'utf-8'",
        contract('"csv"', '"csv", encoding = "cp1251"'),
    ),
    delivered("a gzip that is cut short", "cut.csv.gz", PACKED[:-9], _GZIP),
    delivered("a gzip with a changed byte", "flipped.csv.gz", PACKED[:30] + b"\xff" + PACKED[31:], _GZIP),
    delivered(
        "a gzip file not named .gz",
        "packed.csv",
        PACKED,
        "is gzip but not named .gz → rename the file, or fetch it again",
    ),
    delivered(
        "a file named .gz that is not gzip",
        "plain.csv.gz",
        GOOD,
        "is not gzip though its name ends in .gz → rename the file, or fetch it again",
    ),
    delivered(
        "an Excel workbook named .csv",
        "workbook.csv",
        b"PK\x03\x04" + GOOD.encode(),
        "is a zip archive or an Excel workbook (xlsx), not csv → export it as csv, or correct format.kind",
    ),
    delivered("a changed byte in Parquet with page checksums", "flipped.parquet", _FLIPPED, _UNREADABLE, PARQUET),
    delivered(
        "Parquet without its footer",
        "cut.parquet",
        WHOLE_PARQUET[:-99],
        "truncated or corrupt Parquet file → fetch it again, or correct format.kind",
        PARQUET,
    ),
    delivered(
        "Parquet with a broken footer",
        "footer.parquet",
        WHOLE_PARQUET[:-8] + b"\xff\xff\xff\x7fPAR1",
        _UNREADABLE,
        PARQUET,
    ),
    delivered(
        "Parquet without rows", "none.parquet", parquet(TABLE.slice(0, 0)), f"contains no records{_FETCH}", PARQUET
    ),
    delivered(
        "Parquet with another schema",
        "other.parquet",
        parquet(TABLE.rename_columns(["id", "mail", "page"])),
        f"the columns do not match the contract: missing: 'email'; unknown columns: 1{_HEADER}",
        PARQUET,
    ),
    delivered(
        "Parquet with other types",
        "types.parquet",
        parquet(TABLE.set_column(0, "id", TABLE["email"])),
        "5 of 5 records are rejected, more than thresholds.rejected_share = 0.1; most common reasons: type in id "
        f"(5, integer; first in record 1){_NUMBERS}",
        PARQUET,
    ),
    delivered("a file that does not match --sha256", "given.csv", GOOD, _OTHER_HASH, more=("--sha256", "0" * 64)),
    delivered(
        "a file that does not match the contract's sha256",
        "declared.csv",
        GOOD,
        _OTHER_HASH,
        f'sha256 = {{ "declared.csv" = "{"0" * 64}" }}\n{CONTRACT}',
    ),
    delivered(
        "a missing column and an unknown one",
        "columns.csv",
        GOOD.replace("page", "pages"),
        f"the columns do not match the contract: missing: 'page'; unknown columns: 1{_HEADER}",
    ),
    delivered(
        "a duplicate column name",
        "doubled.csv",
        GOOD.replace("email,page", "page,page"),
        f"the columns do not match the contract: missing: 'email'; duplicate: 'page'{_HEADER}",
    ),
    delivered(
        "5,000 unknown columns",
        "wide.csv",
        f"{GOOD[:13]},{_WIDE}\n1,,,{_WIDE}\n",
        f"the columns do not match the contract: unknown columns: 5,000{_HEADER}",
    ),
    delivered(
        "no line is valid JSON",
        "no.json",
        GOOD,
        "no line is a JSON object → write one object per line, or correct format.kind",
        _JSON,
    ),
    delivered(
        "more broken lines than the contract allows",
        "broken.json",
        f'{{"id": 1, "email": "{PERSONAL}", "page": "home"}}\n{{"id": 2, "email": "{PERSONAL}',
        "1 of 2 records are rejected, more than thresholds.rejected_share = 0.1; most common reasons: broken_json "
        f"(1, one JSON object per line; first in record 2){_MEND}",
        _JSON,
    ),
    delivered(
        "more broken lines than the contract's maximum number",
        "several-broken.json",
        f'{{"id": 1, "email": "{PERSONAL}", "page": "home"}}\n{{"id": 2\n{{"id": 3\n',
        "2 records are rejected, more than thresholds.rejected_rows = 1; most common reasons: broken_json "
        f"(2, one JSON object per line; first in record 2){_MEND}",
        f"{_JSON}\n[thresholds]\nrejected_share = 0.9\nrejected_rows = 1\n",
    ),
    delivered(
        "an unclosed quote",
        "quote.csv",
        GOOD.replace(f"3,{PERSONAL}", f'3,"{PERSONAL}'),
        "1 of 5 records are rejected, more than thresholds.rejected_share = 0.1; most common reasons: unclosed_quote "
        f"(1, opened in record 3; first in record 3){_QUOTES}",
        contract('"csv"', '"csv", multiline = true'),
    ),
    delivered(
        "a violated row rule of severity fail",
        "rule.csv",
        GOOD,
        f"rules.elsewhere (severity fail) is violated by 5 of 5 rows{_MEND}",
        f"{CONTRACT}\n[[rules]]\nname = 'elsewhere'\nholds = \"page <> 'home'\"\nseverity = 'fail'\n",
    ),
    delivered(
        "too many duplicates",
        "doubles.csv",
        GOOD + GOOD[14:],
        "5 of 10 rows are duplicates, more than thresholds.duplicate_share = 0.2" + _MEND,
        f"{CONTRACT}\n[thresholds]\nduplicate_share = 0.2\n",
    ),
    delivered(
        "a loaded file name with other content",
        "loaded.csv",
        GOOD,
        "a file of this name was loaded with other content"
        " → rename the file, or set same_name_other_content to 'replace' or 'add' in the contract",
    ),
)

PATHS = (
    named("no such file", f"{FOLDER}/none.csv", f"{FOLDER}/none.csv: no such file or folder → check the path"),
    named("a pattern instead of a path", f"{FOLDER}/*.csv", f"{FOLDER}/*.csv: no such file or folder → check the path"),
    named("a folder without files", f"{FOLDER}/empty", f"{FOLDER}/empty: contains no files → check the path"),
    named(
        "a link that points outside the folder",
        f"{FOLDER}/links",
        f"{FOLDER}/links: a link points outside the folder: led-out.csv → copy the files into the folder",
    ),
    named(
        "an unknown URI scheme",
        "ftp://host/visits.csv",
        "ftp://host/visits.csv: unknown scheme ftp:// → known: file, hdfs, viewfs, s3, s3a, gs, abfs, abfss, wasb, "
        "wasbs, dbfs, oss, cosn",
    ),
)

_PATTERN = "use a-z, 0-9 and _, starting with a letter"
CONFIGURATION = (
    one_fault(
        "an unknown key",
        contract("[columns]", "new_colums = 'ignore'\n[columns]"),
        "new_colums: unknown key, did you mean 'new_columns'?",
    ),
    one_fault("a key is missing", contract('name = "visits"', ""), "name: missing"),
    one_fault(
        "a wrong unit",
        contract('"untimed"', '"event", event = "id", delay = "36 hours"'),
        "time.delay: '36 hours' is not a duration; write a whole number and s, min, h or d, e.g. '36h'",
    ),
    one_fault(
        "a value of another type",
        contract("required = true", "required = 'yes'"),
        "columns.id.required: must be true or false",
    ),
    no_toml(
        "a duplicate key",
        f'{CONTRACT}id = {{ type = "string" }}\n',
        "Cannot overwrite a value (at line 10, column 25)",
    ),
    no_toml("no TOML", "<xml>", "Invalid statement (at line 1, column 1)"),
    no_toml(
        "invalid UTF-8",
        CONTRACT.encode("utf-16"),
        "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    checked(
        "tables nested too deeply",
        "a = " + "[" * 100_000,
        f"{_TOML}: TOML is nested too deeply → use fewer nested lists and tables",
    ),
    no_toml(
        "a number of 5,000 digits",
        "a = " + "9" * 5_000,
        "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 "
        "digits; use sys.set_int_max_str_digits() to increase the limit",
    ),
    one_fault(
        "a text of 5 MB",
        f'meaning = "{"x" * 5_000_000}"{CONTRACT}',
        "meaning: takes at most 20000 characters",
    ),
    one_fault(
        "a name that points outside its folder",
        contract('"visits"', '"../visits"'),
        f"name: {_PATTERN}",
    ),
    one_fault(
        "a source with the name of a reserved table",
        contract('"visits"', '"rejected"'),
        "name: rejected is reserved: bronze.rejected stores the rejected rows of all sources",
    ),
    one_fault(
        "a column with a reserved name",
        f'{CONTRACT}known_at = {{ type = "timestamp" }}\n',
        "columns.known_at: reserved name: silver stores there when a row became known",
    ),
    one_fault(
        "an invalid date pattern",
        contract('"csv"', '"csv", date_formats = ["dd.MMMMM.yyyy"]'),
        "format.date_formats: 'dd.MMMMM.yyyy' repeats letters more or less often than a date pattern allows: MMMMM",
    ),
    one_fault("a name that ends a statement", contract('"visits"', '"visits`;--"'), f"name: {_PATTERN}"),
    one_fault(
        "a column name with a line break",
        f'{CONTRACT}"a\\nb" = {{ type = "string" }}\n',
        f"columns: the name 'a\\nb': {_PATTERN}",
    ),
    one_fault(
        "a SQL file outside the SQL folders",
        TASK.replace('"record_rows"', '"../../secret"'),
        f"rows.sql: {_PATTERN}",
    ),
    checked(
        "a missing SQL file",
        TASK.replace('"record_rows"', '"nowhere"'),
        f"nowhere.sql: no such SQL file → put it into {FOLDER}/sql, {FOLDER}, or correct the name in the task",
    ),
    UserFault(
        "a SQL file that is not UTF-8",
        errors.ConfigurationError.exit_code,
        "mine.sql: is not valid UTF-8 → save it as UTF-8",
        lambda folder: [
            *checked("", TASK.replace('"record_rows"', '"mine"'), "").command(folder),
            *_written(folder / "mine.sql", "SELECT 'дом' AS key".encode("cp1251")),
        ],
    ),
    checked(
        "SQL in place of a number",
        TASK.replace('sql = "record_rows"', 'sql = "bank_contacts"').replace(
            'settings = { input = "visits", key = "id", label', 'settings = { first_year = "2008; --", label'
        ),
        "bank_contacts.sql: its template cannot be rendered: '2008; --' is not a whole number"
        " → set the value in the task's settings",
    ),
    checked(
        "SQL in place of a column name",
        TASK.replace('key = "id", label', 'key = "id`;--", label'),
        "record_rows.sql: its template cannot be rendered: 'id`;--' cannot be part of a column name; use a-z, 0-9 and _"
        " → set the value in the task's settings",
    ),
    one_fault(
        "an input that is neither a silver nor a gold table",
        TASK.replace("silver.visits", "bronze.visits"),
        "inputs.visits: must be silver.NAME or gold.NAME, with a-z, 0-9 and _ in NAME",
    ),
    given("no such TOML file", f"{FOLDER}/none.toml: no such file → check the path", "check", f"{FOLDER}/none.toml"),
    given(
        "a folder instead of a TOML file",
        f"{FOLDER}: cannot be read: Is a directory → give the path of a .toml file that you may read",
        "check",
        FOLDER,
    ),
)


def _names_in(folder: str) -> str:
    return ", ".join(sorted(file.stem for file in (PROJECT / "conf" / folder).glob("*.toml")))


SOURCES, TASKS, ENVIRONMENTS = _names_in("sources"), _names_in("tasks"), _names_in("env")
_A_NAME = " → use one of these or the path of a .toml file"
_SHOW = ("show", "ops.files")
OPTIONS = (
    given("an unknown source", f"visitors: unknown; known here: {SOURCES}{_A_NAME}", "ingest", "visitors", "x.csv"),
    given(
        "a name that is a path",
        f"../../etc/passwd: unknown; known here: {SOURCES}{_A_NAME}",
        "ingest",
        "../../etc/passwd",
        "x.csv",
    ),
    given("an unknown task", f"who_comes: unknown; known here: {TASKS}{_A_NAME}", "train", "who_comes"),
    given(
        "an unknown environment",
        f"moon: unknown; known here: {ENVIRONMENTS}{_A_NAME}",
        "train",
        "bank_full",
        "--env",
        "moon",
    ),
    given(
        "an invalid as-of moment",
        "--as-of: '2026-02-30' is not an ISO-8601 date or time → write 2026-03-31 or 2026-03-31T18:00:00+05:00",
        "train",
        "bank_full",
        "--as-of",
        "2026-02-30",
    ),
    given(
        "a setting without a value",
        "--set: expected key=value, got 'splits' → write it like --set splits.folds=4",
        "train",
        "bank_full",
        "--set",
        "splits",
    ),
    given(
        "a lake with an unknown URI scheme",
        "ftp://host/lake: unknown scheme 'ftp' → known: file, hdfs, viewfs, s3, s3a, gs, abfs, "
        "abfss, wasb, wasbs, dbfs, oss, cosn",
        *_SHOW,
        "--lake",
        "ftp://host/lake",
    ),
    given(
        "a catalog name that contains a backquote",
        "--catalog: 'x`.`y' is not a valid catalog name"
        " → start with a letter, then use letters, digits, _ and -, e.g. spark_catalog",
        *_SHOW,
        "--catalog",
        "x`.`y",
    ),
    given(
        "an invalid table name",
        "gold.`x`: not a valid table name → write layer.name, e.g. gold.scoreboard",
        "show",
        "gold.`x`",
    ),
    given(
        "a negative number of rows",
        "--limit: the number of rows must not be negative → give 0 or more",
        *_SHOW,
        "--limit",
        "-1",
    ),
    given(
        "a file that is neither .csv nor .parquet",
        "list.xls: the file name must end in .csv or .parquet → use such a name in --to, e.g. list.csv",
        "export",
        "ops.files",
        "--to",
        "list.xls",
    ),
    given(
        "an invalid size of the world",
        "--customers: must be from 1,000 to 1,000,000, not 5 → use a number in this range",
        "world",
        "--customers",
        "5",
        "--seed",
        "1",
        "--out",
        f"{FOLDER}/world",
    ),
    given(
        "an unknown part of the world",
        f"--only: no part named weather → known: {', '.join([BANK, *PARTS])}",
        "world",
        "--customers",
        "1000",
        "--seed",
        "1",
        "--out",
        f"{FOLDER}/world",
        "--only",
        "weather",
    ),
    given(
        "an unknown planted effect",
        "--without: no effect named luck → docs/world.md lists them",
        "world",
        "--customers",
        "1000",
        "--seed",
        "1",
        "--out",
        f"{FOLDER}/world",
        "--without",
        "luck",
    ),
    given(
        "a retention period that is too short",
        "--keep-days 1: under 7 days a reader or a killed run may still need the files"
        " → give 7 or more, or --force when nothing else runs on the lake",
        "maintain",
        "--keep-days",
        "1",
    ),
    given(
        "an unknown table",
        "gold.nothing: no such table → `otklik tables` lists all tables",
        "show",
        "gold.nothing",
        code=errors.MissingResultError.exit_code,
    ),
    given(
        "no champion yet",
        "bank_full: there is no champion yet → run `otklik train bank_full` first",
        "champion",
        "bank_full",
        code=errors.MissingResultError.exit_code,
    ),
    given(
        "no report to write",
        "report: no task has an answer yet → run `otklik run TASK` first",
        "report",
        code=errors.MissingResultError.exit_code,
    ),
)


def surrounded(cause: str, says: str, code: int, lake: str = "", **environment: str) -> UserFault:
    """A good file and a good contract, but something around them is wrong."""

    def command(folder: Path) -> list[str]:
        (folder / "visits.toml").write_text(CONTRACT, encoding="utf-8")
        (folder / "good.csv").write_text(GOOD, encoding="utf-8")
        (folder / "java-11").mkdir()
        (folder / "java-11" / "release").write_text('JAVA_VERSION="11.0.2"\n', encoding="utf-8")
        on_lake = ["--lake", lake.replace(FOLDER, str(folder))] if lake else []
        return ["ingest", str(folder / "visits.toml"), str(folder / "good.csv"), *on_lake]

    return UserFault(cause, code, says, command, environment=environment)


_KEY = (
    " → run `export OTKLIK_PSEUDONYM_KEY=$(openssl rand -hex 32)` and keep the key, or set OTKLIK_PSEUDONYM_KEY_FILE "
    "to the path of a file that contains one"
)
_AROUND, _WRONG = errors.PlatformError.exit_code, errors.ConfigurationError.exit_code
SURROUNDINGS = (
    surrounded(
        "no Java",
        f"JAVA_HOME={FOLDER}: no Java found → install Java 17 or 21 and run scripts/setup",
        _AROUND,
        JAVA_HOME=FOLDER,
    ),
    surrounded(
        "an unsupported Java version",
        f"JAVA_HOME={FOLDER}/java-11: Java 11.0.2 does not run Spark 4.1 → set JAVA_HOME to Java 17 or 21",
        _AROUND,
        JAVA_HOME=f"{FOLDER}/java-11",
    ),
    surrounded(
        "no key for personal columns",
        f"pseudonym key: is missing, but personal columns need it{_KEY}",
        _WRONG,
        OTKLIK_PSEUDONYM_KEY="",
    ),
    surrounded(
        "a key that is too short",
        f"pseudonym key: is shorter than 16 bytes{_KEY}",
        _WRONG,
        OTKLIK_PSEUDONYM_KEY="short",
    ),
    surrounded(
        "a pseudonym key that is set twice",
        "pseudonym key: is set twice, as a value and as a file → unset one",
        _WRONG,
        OTKLIK_PSEUDONYM_KEY_FILE=FOLDER,
    ),
    surrounded(
        "another key than the one used for the lake",
        "silver.visits: its pseudonyms were made with another key, so no customer in it would be recognised → use the "
        "original key (OTKLIK_PSEUDONYM_KEY or its file), or rebuild it with this one: `otklik reingest visits`",
        _WRONG,
        OTKLIK_PSEUDONYM_KEY="fedcba9876543210",
    ),
    surrounded(
        "OTKLIK_HOME is not a project",
        f"{FOLDER}/jobs/ingest.py: the job's file is missing → set OTKLIK_HOME to the project",
        _WRONG,
        OTKLIK_HOME=FOLDER,
    ),
    surrounded(
        "a lake that is a file",
        f"{FOLDER}/good.csv: cannot be written: File exists → check --lake and permissions",
        _AROUND,
        lake=f"{FOLDER}/good.csv",
    ),
    surrounded(
        "a lake on a file system that Spark has no driver for",
        "ingest: no file system driver for this scheme → add the file system's jar to Spark "
        "(spark.jars.packages), or use a folder on this machine",
        _AROUND,
        lake="s3a://bucket/lake",
    ),
    surrounded(
        "a lake on a host that cannot be reached",
        "ingest: the host of a URI cannot be reached → check its name and the network",
        _AROUND,
        lake="hdfs://127.0.0.1:9/lake",
    ),
)
EVERY = (*FILES, *PATHS, *CONFIGURATION, *OPTIONS, *SURROUNDINGS)
