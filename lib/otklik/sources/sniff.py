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
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from charset_normalizer import from_bytes

from otklik.errors import InputError
from otklik.sources.contract import FIELD_MARK, LIST_COLUMNS, SCRIPT, Format
from otklik.sources.layout import delimited_text
from otklik.sources.sample import Sample
from otklik.sources.signatures import HEAD_BYTES, other_kind
from otklik.sources.sniff_nested import document_sample, sample_of_objects, xml_sample

_DELIMITERS = (";", ",", "\t", "|")
#: Code pages that an export without a mark may be in; in every one of them most bytes mean something.
_CODE_PAGES = ["cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5", "cp1252"]
#: Lines that tell a code page together, and at most so many times: a damaged one among them outvotes no others.
_LINES_THAT_TELL, _VOTES = 15, 20
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_TELLS_DELIMITER = re.compile(r'^"?sep=(.)"?[;,\t ]*(?:\r\n|\r|\n)', re.IGNORECASE)
#: XML begins so, also without saying what it is; `other_kind` knows pages.
_XML = re.compile(rb"\s*<(?:\?xml|[^\s<>,;!?]+(?:\s+[^\s<>=]+=[^<>]*)?>\s*<)", re.IGNORECASE)
_TOTAL = re.compile(r"^(?:итого|всего|(?:grand |sub)?total|барлығы|жиыны)(?!\w)", re.IGNORECASE)
#: At most so many lines are taken for a title above the header, or for sums and remarks below the last row.
_MOST_AROUND = 20
#: So many lines are needed to see that their fields stand in columns.
_FEWEST_LINES = 6
#: So many lines must differ in length before they are taken for lists, and not for a table with slips.
_FEWEST_LISTS = 10
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NUMBER_OR_DATE = re.compile(r"^[+-]?[\d][\d\s.,:/-]*$")


def read_sample(path: Path, sample_bytes: int) -> Sample:
    """Read the beginning of a file and guess how it is written.

    Raises:
        InputError: if it cannot be read, is empty, or is not text of rows.
    """
    content, is_whole = _beginning(path, sample_bytes)
    if _XML.match(content.removeprefix(codecs.BOM_UTF8)):
        return xml_sample(content, is_whole, path.name)
    encoding = guess_encoding(content)
    text = content.decode(encoding, errors="replace").removeprefix("\ufeff")
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    if len(_CONTROLS.findall(text)) > len(text) / 1000:
        raise InputError("is not text", where=path.name, hint="export it as csv in utf-8")
    if re.match(SCRIPT, text) or re.match(r"\s*\[\s*[{\]]", text) or _is_one_object(text):
        return document_sample(text, encoding, is_whole, path.name)
    if text.lstrip()[:1] == "{":
        return _json_sample(text, encoding, is_whole, path.name)
    sample = _delimited_sample(text, encoding, is_whole, path.name)
    strange = _strange_lines(content, encoding)
    if not strange:
        return sample
    remark = f"{strange:,} lines are not {encoding}: they come from a file of another encoding, and are rejected"
    return replace(sample, rejected=sample.rejected + strange, remarks=(*sample.remarks, remark))


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
        # A few damaged or foreign lines do not make a code page of all others.
        strange = _lines_of_code_page(content)
        return "utf-8" if len(strange) * 2 < sum(map(_has_letters, content.split(b"\n"))) else _guess_code_page(content)
    return "utf-8"


def _has_letters(line: bytes) -> bool:
    return not line.isascii()


def _lines_of_code_page(content: bytes) -> list[bytes]:
    """The lines that are no utf-8; the last one, which may be cut, apart."""
    return [line for line in content.split(b"\n")[:-1] if not line.isascii() and not _is_utf8(line)]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _strange_lines(content: bytes, encoding: str) -> int:
    """How many lines are of another encoding: no utf-8 where the file is, or utf-8 among lines of a code page."""
    if encoding == "utf-8":
        return len(_lines_of_code_page(content))
    if encoding.startswith("utf-16"):
        return 0
    return sum(not line.isascii() and _is_utf8(line) for line in content.split(b"\n")[:-1])


def _guess_code_page(content: bytes) -> str:
    """The code page that most groups of lines look like, cp1252 where none does."""
    lines = [line for line in content.split(b"\n") if not line.isascii()][: _LINES_THAT_TELL * _VOTES]
    groups = [b"\n".join(lines[at : at + _LINES_THAT_TELL]) for at in range(0, len(lines), _LINES_THAT_TELL)]
    found = (from_bytes(group, cp_isolation=_CODE_PAGES).best() for group in groups)
    votes = Counter(codecs.lookup(match.encoding).name for match in found if match is not None)
    return votes.most_common(1)[0][0] if votes else "cp1252"


def _beginning(path: Path, sample_bytes: int) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as packed:
            unpacked = gzip.GzipFile(fileobj=packed) if path.name.endswith(".gz") else packed
            content = unpacked.read(sample_bytes + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError("truncated or corrupt gzip file", where=path.name, hint="fetch the file again") from None
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), hint="check the path") from None
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", where=str(path), hint="give the path of a file") from None
    if not content.strip():
        raise InputError("is empty", where=path.name, hint="fetch the file again")
    what = other_kind(content[:HEAD_BYTES])
    if what is not None and not what.startswith("an XML file"):
        raise InputError(
            f"is {what}, not a text file with rows",
            where=path.name,
            hint="export it as csv; a Parquet file must not be compressed as a whole",
        )
    return content[:sample_bytes], len(content) <= sample_bytes


def _json_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    objects = []
    broken = 0
    for number, line in enumerate(_LINE_ENDS.split(text), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.strip("\ufeff"), parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            objects.append(value)
        elif number == 1:
            raise InputError(
                "the first line is not a complete JSON object", where=where, hint="write one object per line"
            )
        else:
            broken += 1
    remarks = (f"{broken:,} lines are no JSON object, and are rejected",) if broken else ()
    return sample_of_objects(
        Sample(
            "json_lines", encoding, "", False, False, True, [], [], is_whole,
            records=len(objects) + broken, rejected=broken, remarks=remarks,
        ),
        objects,
    )  # fmt: skip


def _is_one_object(text: str) -> bool:
    """Whether a text is one JSON object that holds an array of objects, and not an object on each line."""
    if not re.match(r"\s*\{", text):
        return False
    lines = [line for line in _LINE_ENDS.split(text) if line.strip()]
    try:
        json.loads(lines[0].strip("\ufeff"))
    except (ValueError, RecursionError):
        return re.search(r":\s*\[\s*\{", text) is not None and not any(line.startswith("{") for line in lines[1:])
    return len(lines) == 1 and re.search(r":\s*\[\s*\{", text) is not None


def _delimited_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    told = _TELLS_DELIMITER.match(text)
    if told is None and (lists := _list_sample(text, encoding, is_whole)):
        return lists
    if told is None and (columns := _in_columns(text, is_whole)):
        as_table = "\n".join(delimited_text(columns, line).replace(FIELD_MARK, "\t") for line in _lines_of(text))
        sample = _table_sample(as_table, "\t", encoding, is_whole, where)
        return replace(sample, kind=columns.kind, delimiter="", widths=tuple(columns.widths or ()))
    text = text[told.end() :] if told else text
    return _table_sample(text, told[1] if told else _guess_delimiter(text), encoding, is_whole, where)


def _lines_of(text: str) -> list[str]:
    return [line for line in _LINE_ENDS.split(text) if line.strip()]


def _in_columns(text: str, is_whole: bool) -> Format | None:
    """The format of lines whose fields stand in columns, or with several blanks between them; None of all others."""
    lines = _lines_of(text) if is_whole else _lines_of(text)[:-1]
    # Behind commas of prose stand blanks.
    plain = text.replace(", ", " ")
    if len(lines) < _FEWEST_LINES or any(
        _evenness(_split(plain, mark, quoted=True, most=2000)) > 0.5 for mark in _DELIMITERS
    ):
        return None
    blanks = Format(kind="blanks")
    counts = {delimited_text(blanks, line).count("\t") for line in lines}
    if len(counts) == 1 and counts != {0}:
        return blanks if any(re.search(r"[ \t]{2}|^[ \t]", line) for line in lines) else None
    if sum(bool(re.search(r"\S {2,}\S|^ ", line)) for line in lines) < len(lines) / 2:
        return None
    longest = max(map(len, lines))
    is_used = [any(line[place : place + 1].strip() for line in lines) for place in range(longest)]
    starts = [place for place in range(1, longest) if is_used[place] and not is_used[place - 1]]
    if not re.search(r"\d", lines[0]):
        # A name stands above each field: where there is none, a field goes on.
        starts = [start for start, end in pairwise([*starts, longest]) if lines[0][start:end].strip()]
    bounds = [0, *starts, longest] if starts else []
    found = [end - start for start, end in pairwise(bounds)]
    return Format(kind="fixed", widths=found) if len(found) > 1 else None


def _table_sample(text: str, delimiter: str, encoding: str, is_whole: bool, where: str) -> Sample:
    rows = _split(text, delimiter, quoted=True)
    plain = _split(text, delimiter, quoted=False)
    has_quotes = '"' in text and _evenness(rows) >= _evenness(plain)
    rows = rows if has_quotes else plain
    if not rows:
        raise InputError("contains no rows", where=where, hint="fetch the file again")
    width = Counter(map(len, rows)).most_common(1)[0][0]
    above = _lines_above(rows, width)
    title, rows = rows[:above], rows[above:]
    has_header = len(rows) > 1 and _is_header(rows[0], rows[1:], width)
    if not has_header and above:
        title, rows, above = [], [*title, *rows], 0
    names = rows[0] if has_header else [f"column_{n}" for n in range(1, width + 1)]
    body = rows[1:] if has_header else rows
    if not is_whole:
        # The last row may be cut.
        body = body[:-1] or body
    footer = _lines_below(body, width) if is_whole else 0
    body = body[: len(body) - footer]
    again = [row for row in body if has_header and row == names]
    body = [row for row in body if not has_header or row != names]
    ragged = [row for row in body if len(row) < len(names) or any(field.strip() for field in row[len(names) :])]
    padded = [[*row, *[None] * (len(names) - len(row))][: len(names)] for row in body]
    names, padded, unnamed = _without_nameless(names, padded)
    is_multiline = has_quotes and any(re.search(r"[\r\n]", field or "") for row in rows for field in row)
    remarks = {
        f"{len(title):,} lines above the header are left out: a title?": bool(title),
        f"{footer:,} lines below the rows are left out: sums or remarks?": footer > 0,
        f"the header stands again in {len(again):,} rows, which are rejected": bool(again),
        f"{len(ragged):,} rows have another number of fields than the header, and are rejected": bool(ragged),
        f"columns with values and without a name are left out: {unnamed}": unnamed > 0,
    }
    return Sample(
        "tsv" if delimiter == "\t" else "csv",
        encoding,
        delimiter,
        has_quotes,
        is_multiline,
        has_header,
        _told_apart(names),
        padded,
        is_whole,
        skip_lines=above,
        footer=footer,
        records=len(body) + len(again),
        rejected=len(again) + len(ragged),
        remarks=tuple(remark for remark, holds in remarks.items() if holds),
    )


def _list_sample(text: str, encoding: str, is_whole: bool) -> Sample | None:
    """Lines that are lists of any length: few values that come again and again. None where they are something else."""
    for delimiter in _DELIMITERS:
        rows = _split(text, delimiter, quoted=True)
        values = [value.strip() for row in rows for value in row if value.strip()]
        _, commonest = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        has_lists = sum(len(row) > 1 for row in rows) > len(rows) / 2
        is_uneven = len(rows) >= _FEWEST_LISTS and commonest < len(rows) / 2
        if has_lists and is_uneven and len(set(values)) < len(values) / 2:
            parts: list[list[str | None]] = [
                [str(line), str(place), value]
                for line, row in enumerate(rows if is_whole else rows[:-1], start=1)
                for place, value in enumerate(filter(str.strip, row), start=1)
            ]
            return Sample("list", encoding, delimiter, '"' in text, False, False, list(LIST_COLUMNS), parts, is_whole)
    return None


def _lines_above(rows: list[list[str]], width: int) -> int:
    """How many of the first rows are a title and other prose: of fewer fields than most, or of a single one."""
    for place, row in enumerate(rows[:_MOST_AROUND]):
        filled = sum(bool(field.strip()) for field in row)
        if len(row) == width and (filled > 1 or width == 1):
            return place if len(rows) - place > 1 else 0
    return 0


def _lines_below(body: list[list[str]], width: int) -> int:
    """How many of the last rows are sums or remarks."""
    count = 0
    while count < min(_MOST_AROUND, len(body) - 1):
        row = body[-1 - count]
        first = next(field.strip() for field in row if field.strip())
        is_remark = len(row) == 1 and width > 2
        if not (is_remark or (width > 1 and _TOTAL.match(first))):
            break
        count += 1
    return count


def _without_nameless(names: list[str], rows: list[list[str | None]]) -> tuple[list[str], list[list[str | None]], int]:
    """Without columns that have no name, but for a single one that has values; how many of those go that have some."""
    filled = [
        place
        for place, name in enumerate(names)
        if not name.strip() and any((row[place] or "").strip() for row in rows)
    ]
    kept = [place for place, name in enumerate(names) if name.strip() or filled == [place]]
    gone = 0 if len(filled) == 1 else len(filled)
    return [names[place] for place in kept], [[row[place] for place in kept] for row in rows], gone


def _told_apart(names: list[str]) -> list[str]:
    """The names with a number, [1], [2] …, where one stands several times."""
    bare = [name.strip() for name in names]
    return [
        f"{name} [{bare[: place + 1].count(name)}]" if bare.count(name) > 1 else names[place]
        for place, name in enumerate(bare)
    ]


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
    """Whether a first row is names: none a number or a value of its own column, doubled only above numbers or dates."""
    names = [name.strip() for name in first]
    if len(names) != width or any(_NUMBER_OR_DATE.match(name) for name in names) or not any(names):
        return False
    columns = [[row[place].strip() for row in others[:500] if place < len(row)] for place in range(width)]
    of_named = [values for name, values in zip(names, columns, strict=True) if name]
    is_above_numbers = any(all(_NUMBER_OR_DATE.match(text) for text in values if text) for values in of_named)
    empty = [values for name, values in zip(names, columns, strict=True) if not name]
    has_odd_names = len(set(filter(None, names))) < len(of_named) or sum(any(values) for values in empty) > 1
    if has_odd_names and not is_above_numbers:
        return False
    # The header may stand again further below.
    rows = [row for row in others[:500] if row != first]
    return not any(row[place].strip() == name for row in rows for place, name in enumerate(names[: len(row)]) if name)
