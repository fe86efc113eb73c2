"""How an unknown text file is written: encoding, kind, delimiter, header. Guesses from a sample, without Spark."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from otklik.errors import InputError

_DELIMITERS = (";", ",", "\t", "|")
_CYRILLIC_PAGES = ("cp1251", "koi8-r", "cp866")
#: Share of each letter in Russian text, in thousandths (National Corpus of the Russian language, rounded).
_RUSSIAN = dict(
    zip(
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
        (
            110,
            85,
            80,
            74,
            67,
            63,
            55,
            47,
            45,
            44,
            35,
            32,
            30,
            28,
            26,
            20,
            19,
            17,
            17,
            16,
            16,
            14,
            12,
            10,
            9,
            7,
            6,
            5,
            4,
            3,
            3,
            1,
            1,
        ),
        strict=True,
    )
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NUMBER_OR_DATE = re.compile(r"^[+-]?[\d][\d\s.,:/-]*$")


@dataclass(frozen=True)
class Sample:
    """The beginning of a file as rows of texts.

    Attributes:
        kind: csv, tsv, json_lines or parquet.
        encoding: Python's name of it.
        delimiter: between fields; empty where no mark stands there.
        has_quotes, is_multiline, has_header: how it is written.
        names: of the columns, from the header or numbered.
        rows: the fields of each row, as many as there are names; None where a row lacks one.
        is_whole: whether the sample is the whole file.
        types: of the columns, where the file itself declares them; None where it says nothing but text.
    """

    kind: str
    encoding: str
    delimiter: str
    has_quotes: bool
    is_multiline: bool
    has_header: bool
    names: list[str]
    rows: list[list[str | None]]
    is_whole: bool
    types: tuple[str | None, ...] = ()


def read_sample(path: Path, sample_bytes: int) -> Sample:
    """Read the beginning of a file and guess how it is written.

    Raises:
        InputError: if it cannot be read, is empty, or is no text of rows.
    """
    content, is_whole = _beginning(path, sample_bytes)
    encoding = guess_encoding(content)
    text = content.decode(encoding, errors="replace").removeprefix("\ufeff")
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    if len(_CONTROLS.findall(text)) > len(text) / 1000:
        raise InputError("is no text", where=path.name, cure="export it as csv in utf-8")
    first = text.lstrip()[:1]
    if first == "{":
        return _json_sample(text, encoding, is_whole, path.name)
    return _delimited_sample(text, encoding, is_whole, path.name)


def guess_encoding(content: bytes) -> str:
    """The most likely encoding: by mark, by zero bytes, utf-8 where it is valid, else a code page by its letters."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = [content[place::2].count(0) for place in (0, 1)]
    if max(zeros) > len(content) / 10 and min(zeros) * 10 < max(zeros):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return _guess_code_page(content)
    return "utf-8"


def _guess_code_page(content: bytes) -> str:
    high = re.findall(rb"[\x80-\xff]+", content)
    # In western text accented letters stand alone between plain ones; in Cyrillic text they stand together.
    if sum(len(run) <= 2 for run in high) > 0.8 * len(high):
        return "cp1252"
    return max(_CYRILLIC_PAGES, key=lambda page: _russian_score(content.decode(page, errors="replace")))


def _russian_score(text: str) -> float:
    """How much a text looks like Russian: by its letters, and by capitals standing where capitals stand."""
    score = 0.0
    previous = " "
    for letter in text[:200_000]:
        if not letter.isascii():
            if letter in _RUSSIAN:
                score += _RUSSIAN[letter]
            elif letter.lower() in _RUSSIAN:
                score += -60 if previous.lower() in _RUSSIAN and previous.islower() else _RUSSIAN[letter.lower()] / 3
            else:
                score -= 60
        previous = letter
    return score


def _beginning(path: Path, sample_bytes: int) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as packed:
            unpacked = gzip.GzipFile(fileobj=packed) if path.name.endswith(".gz") else packed
            content = unpacked.read(sample_bytes + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError("the gzip is cut short or damaged", where=path.name, cure="fetch the file again") from None
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), cure="check the path") from None
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", where=str(path), cure="give the path of a file") from None
    if not content.strip():
        raise InputError("is empty", where=path.name, cure="fetch the file again")
    if content.startswith((b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise InputError("is no text file", where=path.name, cure="export it as csv; a Parquet file must not be packed")
    return content[:sample_bytes], len(content) <= sample_bytes


def _json_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    objects = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            objects.append(value)
        elif number == 1:
            raise InputError("the first line is no whole JSON object", where=where, cure="write one object per line")
    names = list(dict.fromkeys(name for value in objects for name in value))
    rows = [[_json_text(value.get(name)) for name in names] for value in objects]
    return Sample("json_lines", encoding, "", False, False, True, names, rows, is_whole)


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _delimited_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    delimiter = _guess_delimiter(text)
    rows = _split(text, delimiter, quoted=True)
    plain = _split(text, delimiter, quoted=False)
    has_quotes = '"' in text and _evenness(rows) >= _evenness(plain)
    rows = rows if has_quotes else plain
    if not rows:
        raise InputError("holds no rows", where=where, cure="fetch the file again")
    width = Counter(map(len, rows)).most_common(1)[0][0]
    has_header = len(rows) > 1 and _is_header(rows[0], rows[1:], width)
    names = rows[0] if has_header else [f"column_{n}" for n in range(1, width + 1)]
    body = [[*row, *[None] * (len(names) - len(row))][: len(names)] for row in (rows[1:] if has_header else rows)]
    if not is_whole:
        # The last row may be cut.
        body = body[:-1] or body
    is_multiline = has_quotes and any(re.search(r"[\r\n]", field or "") for row in rows for field in row)
    kind = "tsv" if delimiter == "\t" else "csv"
    return Sample(kind, encoding, delimiter, has_quotes, is_multiline, has_header, names, body, is_whole)


def _guess_delimiter(text: str) -> str:
    """The mark that cuts the rows into equally many fields, and into more than one."""
    evenness = {mark: _evenness(_split(text, mark, quoted=True, most=2000)) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: evenness[mark])
    if evenness[best] > 0.5:
        return best
    # Words in a text are cut by blanks too, but hardly ever into equally many.
    return " " if _evenness(_split(text, " ", quoted=True, most=2000)) > 1 else best


def _evenness(rows: list[list[str]]) -> float:
    """Share of rows with the commonest number of fields, a little more for many fields; 0 for a single one."""
    if not rows:
        return 0.0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return 0.0 if width == 1 else count / len(rows) + min(width, 100) / 1000


def _split(text: str, delimiter: str, *, quoted: bool, most: int | None = None) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=delimiter != " ",
    )
    rows = []
    for row in reader:
        if any(field.strip() for field in row):
            rows.append(row)
        if most is not None and len(rows) >= most:
            break
    return rows


def _is_header(first: list[str], others: list[list[str]], width: int) -> bool:
    """Whether a first row is names: none empty, doubled or a number, none a value of its own column."""
    names = [name.strip() for name in first]
    if len(names) != width or any(_NUMBER_OR_DATE.match(name) for name in names):
        return False
    if sum(not name for name in names) > 1 or len(set(names)) < len(names):
        return False
    return not any(
        row[place].strip() == name for row in others[:500] for place, name in enumerate(names[: len(row)]) if name
    )
