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
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, zip_longest
from pathlib import Path

from charset_normalizer import from_bytes

from otklik.errors import InputError
from otklik.sources.contract import (
    FIELD_MARK,
    LIST_COLUMNS,
    MOST_FOOTER,
    MOST_HEADER_LINES,
    SCRIPT,
    TOTAL,
    TRANSLATED,
    Format,
)
from otklik.sources.guess import is_no_value
from otklik.sources.header import joined_header
from otklik.sources.layout import delimited_text
from otklik.sources.sample import Sample, told_apart
from otklik.sources.signatures import HEAD_BYTES, other_kind, refuse_other_name
from otklik.sources.sniff_nested import document_sample, refuse_rows_as_keys, sample_of_objects, xml_sample

_DELIMITERS = (";", ",", "\t", "|")
#: Marks that only some programs put between fields: tried where the usual ones cut nothing. The first is Hive's.
_RARE_DELIMITERS = ("\x01", "^", "~")
#: Code pages that an export without a mark may be in; in every one of them most bytes mean something.
_CODE_PAGES = ["cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5", "cp1252"]
#: Lines that tell a code page together, and at most so many times: a damaged one among them outvotes no others.
_LINES_THAT_TELL, _VOTES = 15, 20
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_TELLS_DELIMITER = re.compile(r'^"?sep=(.)"?[;,\t ]*(?:\r\n|\r|\n)', re.IGNORECASE)
#: Lines above the header that begin with a number sign, as exports of Google Analytics and PowerShell have them.
_COMMENTS = re.compile(r"(?:\s*#[^\r\n]*(?:\r\n|\r|\n))+")
#: What stands between two tables: blank lines, or such that begin with a number sign.
_GAP = re.compile(r"(?:\r\n|\r|\n)(?=[ \t]*(?:#[^\r\n]*)?[\r\n])(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))+")
#: XML begins so, also without saying what it is; `other_kind` knows pages.
_XML = re.compile(rb"\s*<(?:\?xml|[^\s<>,;!?]+(?:\s+[^\s<>=]+=[^<>]*)?>\s*<)", re.IGNORECASE)
#: A line of dashes, and the count of rows below them, as consoles of databases write.
_DASHES = re.compile(r"[-=+_|]{3,}")
_COUNT_OF_ROWS = re.compile(r"\(\d+(?:rows?(?:affected)?|строк[аи]?)\)|\(затронутострок:\d+\)", re.IGNORECASE)
#: At most so many lines are taken for a title above the header, or for sums and remarks below the last row.
_MOST_AROUND = 20
#: In a table of more columns, pairs above the header say what the table is of.
_MOST_OF_PAIR = 3
#: So many lines are needed to see that their fields stand in columns.
_FEWEST_LINES = 6
#: So many other rows are needed to see that one is not like them.
_FEWEST_OTHERS = 2
#: So many lines must differ in length before they are taken for lists, and not for a table with slips.
_FEWEST_LISTS = 10
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NUMBER_OR_DATE = re.compile(r"^[+-]?[\d][\d\s.,:/-]*$")
_WORDS = re.compile(r"[^\W\d_]{2}")
#: So many lines with a turnover or a balance stand below the rows at most.
_MOST_BALANCES = 3
_YEAR = re.compile(r"^(?:19|20)\d\d$")
_DAY = re.compile(r"^\d{1,4}([./-])\d{1,2}\1\d{2,4}$")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
#: Letters that Kazakh has and Russian has not, and of these the ones that no other alphabet has in the same place of
#: its code page; letters of Russian, and what else stands in texts.
_OF_KAZAKH = "ӘәҒғҚқҢңӨөҰұҮүҺһІі"
_ONLY_KAZAKH = "ӘәҚқҢң"
_LETTER = re.compile(f"[А-Яа-яЁё{_OF_KAZAKH}]")
_SYMBOL = re.compile("[\u00a0«»№§°±·…–—‘’“”„€©®™]")


def read_sample(path: Path, sample_bytes: int) -> Sample:
    """Read the beginning of a file and guess how it is written.

    Raises:
        InputError: if it cannot be read, is empty, or is not text of rows.
    """
    content, is_whole = _beginning(path, sample_bytes)
    if _is_xml(content):
        return xml_sample(content, is_whole, path.name)
    encoding = guess_encoding(content)
    text = re.sub("^\ufeff+", "", content.decode(encoding, errors="replace"), flags=re.MULTILINE)
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    if not _is_text(text):
        raise InputError("is not text", where=path.name, hint="export it as csv in utf-8")
    if re.match(SCRIPT, text) or re.match(r"\s*\[\s*[{\[\]]", text) or _is_one_object(text):
        return document_sample(text, encoding, is_whole, path.name)
    if re.match(r"\s*\[(?:[^\r\n]*\])[ \t]*\r?\n\s*\[", text):
        raise InputError(
            "lines are JSON arrays, not objects", where=path.name, hint="write one object per line, with its keys"
        )
    if text.lstrip()[:1] == "{":
        refuse_rows_as_keys(text, path.name)
        return _json_sample(text, encoding, is_whole, path.name)
    if sample := _sample_below_other_header(content, encoding, is_whole, path.name):
        return sample
    sample = _delimited_sample(text, encoding, is_whole, path.name)
    strange = _strange_lines(content, encoding)
    if not strange:
        return sample
    remark = f"{strange:,} lines are not {encoding}: they come from a file of another encoding, and are rejected"
    return replace(sample, rejected=sample.rejected + strange, remarks=(*sample.remarks, remark))


def _is_xml(content: bytes) -> bool:
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    head = content[:HEAD_BYTES].decode("utf-16", errors="ignore").encode() if is_wide else content
    return _XML.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def _sample_below_other_header(content: bytes, encoding: str, is_whole: bool, where: str) -> Sample | None:
    """The sample of a file in utf-8 whose header is in a code page; None of all others."""
    first, _, rest = content.partition(b"\n")
    if encoding != "utf-8" or _is_utf8(first) or not _is_utf8(rest[: rest.rfind(b"\n")]):
        return None
    text = f"{first.decode(_guess_code_page(first), errors='replace')}\n{rest.decode(errors='replace')}"
    sample = _delimited_sample(text, encoding, is_whole, where)
    if not sample.has_header or sample.skip_lines or sample.header_lines > 1:
        return None
    remark = "the header is in another encoding than the rows: the columns are told by their places"
    return replace(sample, has_header=False, skip_lines=1, remarks=(*sample.remarks, remark))


def _is_text(text: str) -> bool:
    """Whether a text holds hardly any control characters, but for one that stands between the fields of each line."""
    lines = _lines_of(text)
    is_hive = len(lines) > 1 and all(_RARE_DELIMITERS[0] in line for line in lines)
    controls = len(_CONTROLS.findall(text)) - (text.count(_RARE_DELIMITERS[0]) if is_hive else 0)
    return controls <= len(text) / 100


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
        # Surrogates, as some programs write emoji, are no letters of a code page either.
        codecs.getincrementaldecoder("utf-8")().decode(_SURROGATE.sub(b"", content))
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
    if kazakh := _kazakh_page(lines):
        return kazakh
    found = (from_bytes(group, cp_isolation=_CODE_PAGES).best() for group in groups)
    votes = Counter(codecs.lookup(match.encoding).name for match in found if match is not None)
    return votes.most_common(1)[0][0] if votes else "cp1252"


def _kazakh_page(lines: list[bytes]) -> str | None:
    """The code page of Kazakh in which the lines are words, and some of their letters are of Kazakh alone."""
    some = b"\n".join(lines)
    for page in TRANSLATED:
        text = some.decode(page, errors="replace")
        kazakh = len(re.findall(f"[{_ONLY_KAZAKH}](?=[а-я{_OF_KAZAKH}])", text))
        letters, symbols = len(_LETTER.findall(text)), len(_SYMBOL.findall(text))
        strange = sum(not letter.isascii() for letter in text) - letters - symbols
        # Letters of another page would be capital ones inside words, or symbols.
        capitals_inside = len(re.findall("[а-яё][А-ЯЁ]", text))
        if kazakh > capitals_inside and strange * 50 <= kazakh and symbols * 10 <= letters:
            return page
    return None


def _beginning(path: Path, sample_bytes: int) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as packed:
            refuse_other_name(packed.read(HEAD_BYTES), path.name)
            packed.seek(0)
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
        raise InputError(f"is {what}, not a text file with rows", where=path.name, hint="export it as csv")
    return content[:sample_bytes], len(content) <= sample_bytes


def _json_sample(text: str, encoding: str, is_whole: bool, where: str) -> Sample:
    objects = []
    broken, doubled = list[int](), list[int]()
    for number, line in enumerate(_LINE_ENDS.split(text), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.strip("\ufeff"), parse_float=str, parse_int=str, object_pairs_hook=_keys_once)
        except _DoubledKeyError:
            doubled.append(number)
            continue
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            objects.append(value)
        elif number == 1:
            raise InputError(
                "the first line is not a complete JSON object", where=where, hint="write one object per line"
            )
        else:
            broken.append(number)
    if not objects:
        raise InputError("no line is a JSON object", where=where, hint="write one object per line")
    faults = {"lines are no JSON object, and are rejected": broken, "lines have a key twice, and are rejected": doubled}
    rejected = len(broken) + len(doubled)
    return sample_of_objects(
        Sample(
            "json_lines", encoding, "", False, False, True, [], [], is_whole,
            records=len(objects) + rejected, rejected=rejected,
            remarks=tuple(
                f"{len(lines):,} {fault}; the first is line {lines[0]:,}" for fault, lines in faults.items() if lines
            ),
        ),
        objects,
    )  # fmt: skip


class _DoubledKeyError(ValueError):
    """An object has a key twice: which value is meant nobody knows."""


def _keys_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DoubledKeyError
    return found


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
    if comments := _COMMENTS.match(text):
        below = text[comments.end() :]
        sample = _delimited_sample(below, encoding, is_whole, where) if below.strip() else None
        lines = _lines_of(comments[0])
        # The last of them may be the header.
        if sample and (not sample.delimiter or lines[-1].count(sample.delimiter) < len(sample.names) - 1):
            remark = f"{len(lines):,} lines that begin with # are left out"
            return replace(sample, skip_lines=sample.skip_lines + len(lines), remarks=(*sample.remarks, remark))
    if (end := _end_of_first_table(text)) is not None:
        rest = _lines_of(text[end:])
        name = next(line for line in rest if not line.lstrip().startswith("#")).strip()
        if not is_whole or len(rest) > MOST_FOOTER:
            raise InputError(
                f"contains a second table with different columns, whose header is {name!r}",
                where=where,
                hint="write each table to a file of its own",
            )
        sample = _delimited_sample(text[:end], encoding, is_whole, where)
        remark = f"a second table is left out, whose header is {name}: write it to a file of its own"
        more = f"the footer is of this file: in another one, {len(rest):,} lines may be too few or too many"
        return replace(sample, footer=sample.footer + len(rest), remarks=(*sample.remarks, remark, more))
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


def _end_of_first_table(text: str) -> int | None:
    """Where the first table of a text ends, if one with other columns follows; None if there is only one.

    Each has a header of words above numbers, and a gap stands between them. In tables of as many columns, one must be
    of numbers in both: a first row of texts alone is no header.
    """
    gaps = [*_GAP.finditer(text)]
    first_text = text[: gaps[0].start()] if gaps else ""
    delimiter = _guess_delimiter(first_text)
    first = _split(first_text, delimiter, most=500)
    if len(first) < _FEWEST_OTHERS or len(first[0]) == 1 or not _columns_of_numbers(first):
        return None
    quotes, seen = 0, 0
    for gap, following in zip_longest(gaps, gaps[1:]):
        quotes, seen = quotes + text.count('"', seen, gap.start()), gap.start()
        block = _split(text[gap.end() : following.start() if following else len(text)], delimiter, most=500)
        if quotes % 2 or len(block) <= _FEWEST_OTHERS or block[0] == first[0]:
            continue
        found, width = _columns_of_numbers(block), len(first[0])
        if len(block[0]) == width:
            found &= _columns_of_numbers(first)
        # Pairs above a table say what it is of.
        if found and not (width < _MOST_OF_PAIR and len(block[0]) > width):
            return gap.start()
    return None


def _columns_of_numbers(table: Sequence[Sequence[str]]) -> set[int]:
    """The places of words in the first row above nothing but numbers; none where that row is no header of all rows."""
    head, *rows = table
    if any(_NUMBER_OR_DATE.match(name.strip()) for name in head) or any(len(row) != len(head) for row in rows):
        return set()
    return {
        place
        for place, name in enumerate(head)
        if _WORDS.search(name)
        and not is_no_value(name.strip())
        and all(_NUMBER_OR_DATE.match(row[place].strip()) for row in rows)
    }


def _in_columns(text: str, is_whole: bool) -> Format | None:
    """The format of lines whose fields stand in columns, or with several blanks between them; None of all others."""
    lines = [line for line in _lines_of(text) if not _is_between([line])]
    lines = lines if is_whole else lines[:-1]
    # Behind commas of prose stand blanks.
    plain = text.replace(", ", " ")
    if len(lines) < _FEWEST_LINES or any(_evenness(_split(plain, mark, most=2000)) > 0.5 for mark in _DELIMITERS):
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
    quote, escape, rows = _quoting(text, delimiter)
    has_quotes = bool(quote)
    rows = _without_empty_ends(rows)
    if not rows:
        raise InputError("contains no rows", where=where, hint="fetch the file again")
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if len(rows) == 1 and width > 1 and not any(_NUMBER_OR_DATE.match(field.strip()) for field in rows[0]):
        raise InputError(
            "contains a single line without numbers or dates: a header without rows?",
            where=where,
            hint="draft from a file with rows",
        )
    above = _lines_above(rows, width)
    title, rows = rows[:above], rows[above:]
    header_lines = _header_lines(rows)
    head = joined_header(rows[:header_lines])
    below = [row for row in rows[header_lines:] if not _is_between(row)]
    has_header = bool(below) and _is_header(head, below, width)
    # In R's tables the names of the rows have no name themselves.
    lacks_one = not has_header and _lacks_first_name(title[-1:], rows, width)
    if not has_header and not lacks_one:
        title, rows, above = [], [*title, *rows], 0
    names = head if has_header else [f"column_{n}" for n in range(1, width + 1)]
    if lacks_one:
        names, title = ["row_name", *title[-1]], title[:-1]
    body = rows[header_lines:] if has_header else rows
    if not is_whole:
        # The last row may be cut.
        body = body[:-1] or body
    footer = _lines_below(body, width) if is_whole else 0
    body = body[: len(body) - footer]
    numbers = {id(row): number for number, row in enumerate(body, start=1)}
    between = [row for row in body if _is_between(row)]
    body = [row for row in body if not _is_between(row)]
    numbering = [f"{place}" for place in range(1, width + 1)]
    has_numbering = has_header and body[:1] == [numbering] and _is_out_of_place(numbering, body[1:])
    body = body[has_numbering:]
    again = [row for row in body if has_header and row == names]
    body = [row for row in body if not has_header or row != names]
    open_quotes = [] if has_quotes else [row for row in body if _is_open(row, '"')]
    totals = [row for row in body if width > 1 and re.search(TOTAL, row[0].strip())]
    with_nul = [row for row in body if any("\0" in field for field in row)]
    ragged = [row for row in body if len(row) < len(names) or any(field.strip() for field in row[len(names) :])]
    padded = [[*row, *[None] * (len(names) - len(row))][: len(names)] for row in body]
    names, padded, unnamed = _without_nameless(names, padded)
    is_multiline = has_quotes and any(re.search(r"[\r\n]", field or "") for row in rows for field in row)
    above_records = above + header_lines * has_header
    unescaped = _unescaped(text, delimiter, escape, width, _MOST_AROUND if is_multiline else 1) if quote == '"' else []
    unescaped = [number - above_records for number in unescaped if above_records < number <= above_records + len(rows)]
    on_rows = {
        "rows begin with a word for a total": totals,
        "lines of dashes stand among the rows, and are rejected where a column takes no text": between,
        "rows are the header again, and are rejected": again,
        "rows have another number of fields than the header, and are rejected": ragged,
        "rows have a quote that is not closed, and are rejected": open_quotes,
        "rows have a zero byte, and are rejected": with_nul,
    }
    remarks = {
        f"{len(title):,} lines above the header are left out: a title?": bool(title),
        f"{footer:,} lines below the rows are left out: sums or remarks?": footer > 0,
        **{
            f"{len(rows):,} {remark}; the first is record {numbers[id(rows[0])]:,}": True
            for remark, rows in on_rows.items()
            if rows
        },
        f"{len(unescaped):,} rows have a quote inside a quoted field that is not doubled or escaped, and are rejected; "
        f"the first is record {min(unescaped, default=0):,}": bool(unescaped),
        "the first row has nothing in columns of text: a sum?": _is_without_texts(body[:1], body[1:]),
        "the last row has nothing in columns of text: a sum?": is_whole and _is_without_texts(body[-1:], body[:-1]),
        "the first column is empty in most rows: does a label hold for the rows below it?": _has_blocks(body),
        "the line below the header numbers the columns, and is rejected where a column takes no number": has_numbering,
        f"columns with values and without a name are left out: {unnamed}": unnamed > 0,
        "the header has one name fewer than a row has fields: the columns are told by their places": lacks_one,
        "no line was taken for a header; if the first one is: header = true, and its names as source": not (
            has_header or lacks_one
        ),
        "there is but one column: is the delimiter right?": len(names) == 1,
    }
    rejected = len(again) + len(ragged) + len(open_quotes) + len(with_nul) + len(between) + has_numbering
    rejected += len(unescaped)
    return Sample(
        "tsv" if delimiter == "\t" else "csv",
        encoding,
        delimiter,
        has_quotes,
        is_multiline,
        has_header,
        told_apart(names),
        padded,
        is_whole,
        skip_lines=above,
        footer=footer,
        records=len(body) + len(again) + len(between) + has_numbering,
        rejected=rejected,
        remarks=tuple(remark for remark, holds in remarks.items() if holds),
        quote=quote or '"',
        escape=escape,
        header_lines=header_lines if has_header else 1,
    )


def _quoting(text: str, delimiter: str) -> tuple[str, str, list[list[str]]]:
    """What is put round fields, what stands before a quote inside, and the rows; empty texts where it is nothing."""
    plain = _split(text, delimiter, quote="")
    quoted = _split(text, delimiter)
    # One quote too many eats the lines behind it.
    eats_lines = text.count('"') % 2 == 1 and 0 < 2 * len(quoted) < len(plain)
    if '"' in text and _evenness(quoted) >= _evenness(plain) and not eats_lines:
        escaped = _split(text, delimiter, escape="\\") if '\\"' in text else []
        # A backslash at the end of a field, as paths of Windows have it, escapes nothing.
        gain = _evenness(escaped) - _evenness(quoted)
        if gain > 0 or (gain == 0 and escaped and _whole_lines(text, delimiter, "\\") > _whole_lines(text, delimiter)):
            return '"', "\\", escaped
        return '"', "", quoted
    edge = re.escape(delimiter)
    if len(re.findall(rf"(?:^|{edge})'[^'\r\n]*'(?={edge}|$)", text, re.MULTILINE)) > len(plain):
        single = _split(text, delimiter, quote="'")
        if _evenness(single) >= _evenness(plain):
            return "'", "", single
    return "", "", plain


def _whole_lines(text: str, delimiter: str, escape: str = "") -> int:
    """How many lines are whole fields: behind each closing quote a field ends."""
    whole = _whole_fields(delimiter, escape)
    return sum(bool(whole.match(line)) for line in _lines_of(text))


def _whole_fields(delimiter: str, escape: str) -> re.Pattern[str]:
    plain, escaped = ('[^"\\\\]', r"|\\.") if escape else ('[^"]', "")
    edge = re.escape(delimiter)
    field = rf' *+(?:"(?:{plain}++|""{escaped})*+" *+|(?!")[^{edge}\r\n]*+)'
    return re.compile(rf"^{field}(?:{edge}{field})*+$")


def _unescaped(text: str, delimiter: str, escape: str, width: int, most_lines: int) -> list[int]:
    """The numbers of the records of this width in which text stands behind the closing quote of a field.

    Args:
        text: the records.
        delimiter: between fields.
        escape: before a quote inside quotes; empty where it is doubled.
        width: how many fields most records have.
        most_lines: how many lines a record may have.
    """
    whole, lines, found, number, place = _whole_fields(delimiter, escape), _lines_of(text), list[int](), 0, 0
    while place < len(lines):
        number += 1
        ends = range(place + 1, min(place + most_lines, len(lines)) + 1)
        end = next((end for end in ends if whole.match("\n".join(lines[place:end]))), None)
        if end is None and [len(row) for row in _split(lines[place], delimiter, escape=escape or None)] == [width]:
            found.append(number)
        place = end or place + 1
    return found


def _is_open(row: list[str], quote: str) -> bool:
    """Whether a field of a line that was cut at every delimiter begins with a quote that no field of it closes."""
    return sum(field.count(quote) for field in row) % 2 == 1 and any(field.lstrip().startswith(quote) for field in row)


def _without_empty_ends(rows: list[list[str]]) -> list[list[str]]:
    """The rows without the fields behind the last one that has something in any row."""
    used = max((place for row in rows for place, field in enumerate(row, start=1) if field.strip()), default=0)
    return [row[:used] for row in rows]


def _header_lines(rows: list[list[str]]) -> int:
    """How many of the first rows are a header: more than one where each has only texts, and numbers come below."""
    found = 1
    for count in range(2, min(MOST_HEADER_LINES, len(rows) - 1) + 1):
        last, body = rows[count - 1], rows[count : count + 500]
        if any(_NUMBER_OR_DATE.match(field.strip()) for row in rows[:count] for field in row):
            break
        columns = [[row[place].strip() for row in body if place < len(row)] for place in range(len(last))]
        of_numbers = [
            place
            for place, texts in enumerate(columns)
            if any(texts) and all(_NUMBER_OR_DATE.match(t) for t in texts if t)
        ]
        above = [last[place].strip() for place in of_numbers]
        # A row in which all numbers are missing is no header.
        if any(re.search(r"[^\W\d_]{2,}|[%$€₸₽]", text) and not is_no_value(text) for text in above):
            found = count
    return found


def _list_sample(text: str, encoding: str, is_whole: bool) -> Sample | None:
    """Lines that are lists of any length: few values that come again and again. None where they are something else."""
    for delimiter in _DELIMITERS:
        rows = _split(text, delimiter)
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
    """How many of the first rows are a title and other prose: of fewer fields than most, of a single one, or pairs."""
    for place, row in enumerate(rows[:_MOST_AROUND]):
        filled = [number for number, field in enumerate(row) if field.strip()]
        is_pair = filled == [0, 1] and width > _MOST_OF_PAIR and _has_names_below(rows[place + 1 : _MOST_AROUND], width)
        # The first of two columns may have no name, as where pandas writes an index.
        is_full = len(filled) > 1 or width == 1 or (filled == [1] and width == 2)
        if len(row) == width and is_full and not is_pair:
            return place if len(rows) - place > 1 else 0
    return 0


def _has_names_below(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first of some rows that is no pair is full, and nothing in it is a number."""
    first = next((row for row in rows if any(field.strip() for field in row[2:])), [])
    return len(first) == width and all(field.strip() and not _NUMBER_OR_DATE.match(field.strip()) for field in first)


def _lacks_first_name(header: Sequence[Sequence[str]], rows: list[list[str]], width: int) -> bool:
    """Whether a header names all columns but the first, in which each row has a name or number of its own."""
    if not header or len(header[0]) != width - 1 or not all(map(str.strip, header[0])):
        return False
    found = [row[0].strip() for row in rows]
    is_counted = found == [f"{number}" for number in range(1, len(rows) + 1)]
    are_names = len(set(found)) == len(found) and not any(map(_NUMBER_OR_DATE.match, found))
    return (is_counted or are_names) and _is_header(["", *header[0]], rows, width)


def _lines_below(body: list[list[str]], width: int) -> int:
    """How many of the last rows are sums or remarks."""
    count = 0
    while count < min(_MOST_AROUND, len(body) - 1):
        row = body[-1 - count]
        first = next(field.strip() for field in row if field.strip())
        is_remark = len(row) == 1 and width > 2
        if not (
            is_remark
            or _is_between(row)
            or (width > 1 and (re.search(TOTAL, first) or _is_text_below(row, body[: -1 - count])))
        ):
            break
        count += 1
    return count


def _is_between(row: Sequence[str]) -> bool:
    """Whether a row is a line of dashes, or a count of rows, also where it was cut into columns."""
    fields = [field.strip() for field in row if field.strip()]
    is_line = any(map(_DASHES.match, fields)) and all(re.fullmatch(r"[-=+_| ]+", field) for field in fields)
    return is_line or _COUNT_OF_ROWS.fullmatch("".join(fields).replace(" ", "")) is not None


def _is_out_of_place(row: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether some number of a row stands in a column in which no other row has a whole number."""
    columns = ([other[place].strip() for other in others[:500] if place < len(other)] for place in range(len(row)))
    return any(any(texts) and not any(text.isdecimal() for text in texts) for texts in columns)


def _is_without_texts(rows: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> bool:
    """Whether a single row has nothing in all columns in which each of the others has a text."""
    some = [other for other in others if any(map(str.strip, other))][:500]
    if len(some) < _FEWEST_OTHERS or not rows:
        return False
    columns = list(zip_longest(*some, fillvalue=""))
    texts = [
        place
        for place, column in enumerate(columns)
        if all(field.strip() and not _NUMBER_OR_DATE.match(field.strip()) for field in column)
    ]
    # A note may be missing in any row.
    is_note = len(texts) == 1 and rows[0][0].strip() != ""
    return bool(texts) and not is_note and not any(rows[0][place].strip() for place in texts if place < len(rows[0]))


def _has_blocks(body: Sequence[Sequence[str]]) -> bool:
    """Whether the first column has a label of its own in a few rows, the first among them, and nothing in most."""
    labels = [row[0].strip() for row in body if not re.search(TOTAL, row[0].strip())]
    filled = [label for label in labels if label]
    is_sparse = 2 * len(filled) <= len(labels) and labels[0] != "" if labels else False
    return is_sparse and len(body[0]) > 1 and 1 < len(filled) == len(set(filled))


def _is_text_below(row: list[str], above: list[list[str]]) -> bool:
    """Whether a row begins with words below a column of nothing but numbers or dates, as a closing balance does."""
    texts = [other[0].strip() for other in above if other]
    # Turnovers and the like may stand above the balance.
    last = next((place for place in range(len(texts)) if not _WORDS.match(texts[-1 - place])), len(texts))
    numbers = texts[: len(texts) - min(last, _MOST_BALANCES)]
    return (
        _WORDS.match(row[0].strip()) is not None
        and not is_no_value(row[0].strip())
        and len(numbers) > 1
        and all(_NUMBER_OR_DATE.match(text) for text in numbers)
    )


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


def _guess_delimiter(text: str) -> str:
    """The mark that cuts the rows into equally many fields, and into more than one."""
    evenness = {mark: _evenness(_split(text, mark, most=2000)) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: evenness[mark])
    if evenness[best] > 0.5:
        return best
    # Words in a text are cut by blanks too, but hardly ever into equally many.
    for mark in (*_RARE_DELIMITERS, " "):
        if _evenness(_split(text, mark, most=2000)) > 1:
            return mark
    return best


def _evenness(rows: list[list[str]]) -> float:
    """Share of rows with the commonest number of fields, a little more for many fields; 0 for a single one."""
    if not rows:
        return 0.0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return 0.0 if width == 1 else count / len(rows) + min(width, 100) / 1000


def _split(
    text: str, delimiter: str, *, quote: str = '"', escape: str | None = None, most: int | None = None
) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        quotechar=quote or None,
        escapechar=escape,
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
    numbers = [name for name in names if _NUMBER_OR_DATE.match(name)]
    # Of a table of periods the header has their years or days.
    is_of_periods = 1 < len(set(numbers)) == len(numbers) < len(names) and (
        all(map(_YEAR.match, numbers)) or all(map(_DAY.match, numbers))
    )
    if len(names) != width or not any(names):
        return False
    columns = [[row[place].strip() for row in others[:500] if place < len(row)] for place in range(width)]
    # Nor do words stand above numbers in a file without a header.
    is_word_above_numbers = any(
        re.search(r"[^\W\d_]{2}", name)
        and not is_no_value(name)
        and len(texts) > 1
        and all(_NUMBER_OR_DATE.match(text) for text in texts if text)
        for name, texts in zip(names, columns, strict=True)
    )
    if numbers and not (is_of_periods or (is_word_above_numbers and len(set(numbers)) == len(numbers))):
        return False
    of_named = [values for name, values in zip(names, columns, strict=True) if name]
    is_above_numbers = any(all(_NUMBER_OR_DATE.match(text) for text in values if text) for values in of_named)
    empty = [values for name, values in zip(names, columns, strict=True) if not name]
    has_odd_names = len(set(filter(None, names))) < len(of_named) or sum(any(values) for values in empty) > 1
    if has_odd_names and not is_above_numbers:
        return False
    # The header may stand again further below.
    rows = [row for row in others[:500] if row != first]
    return not any(row[place].strip() == name for row in rows for place, name in enumerate(names[: len(row)]) if name)
