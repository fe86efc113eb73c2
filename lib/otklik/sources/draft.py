"""A first contract for an unknown file, as TOML to read and edit. Without Spark, from the beginning of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from otklik.sources.contract import TAKEN_COLUMN, TAKEN_SOURCE
from otklik.sources.guess import Guess, ambiguous_with, guess_column
from otklik.sources.sniff import Sample, read_sample
from otklik.sources.sniff_parquet import is_parquet, read_parquet_sample

_SAMPLE_BYTES = 4_000_000
_MOST_LEVELS = 12
_KEY_NAME = re.compile(r"(?:^|_)(?:id|key|code|no|nr|num|number|kod|nomer|uuid|guid)(?:_|$)")
_MAY_BE_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2},\d{3}$")
_LATIN = {
    **dict(zip("абвгдеёзийклмнопрстуфыэғқңөұүһіә", "abvgdeeziyklmnoprstufyegqnouuhia", strict=True)),
    **{"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya"},
}


def draft(path: str, sample_bytes: int = _SAMPLE_BYTES) -> str:
    """Write a first contract for a file: valid as it stands, with comments where a person should look.

    Args:
        path: a local csv, tsv or json-lines file, also gzipped, or a Parquet file.
        sample_bytes: how much text of it is looked at.

    Raises:
        InputError: if the file cannot be read as rows.
    """
    file = Path(path)
    sample = read_parquet_sample(file) if is_parquet(file) else read_sample(file, sample_bytes)
    names = our_names(sample.names, TAKEN_COLUMN)
    # Real numbers of Parquet have a point, and one mark holds for all columns.
    comma_is_free = sample.kind != "parquet" and (sample.delimiter != "," or sample.has_quotes)
    guesses = [
        guess_column(theirs, [row[place] for row in sample.rows], comma_is_free=comma_is_free)
        for place, theirs in enumerate(sample.names)
    ]
    if sample.types:
        guesses = [_as_declared(*column) for column in zip(guesses, sample.types, strict=True)]
    stem = re.sub(r"\.(?:csv|tsv|txt|jsonl?|ndjson|parquet|gz)\b", "", file.name, flags=re.IGNORECASE)
    extent = "the whole file" if sample.is_whole else f"the first {len(sample.rows):,} rows"
    nulls = _null_tokens(guesses)
    lines = [
        f"# Drafted from {extent} of {_comment(file.name)}. Every line is a guess: read it, then delete this comment.",
        f"name = {_text(our_names([stem], TAKEN_SOURCE)[0])}",
        'meaning = ""',
        "",
        *_format_lines(sample, guesses, nulls),
        "",
        *_time_lines(names, guesses),
        "",
        *_key_lines(sample, names, guesses),
        "",
        "[columns]",
        *(_column_line(*column, sample, nulls) for column in zip(names, sample.names, guesses, strict=True)),
    ]
    return "\n".join(lines) + "\n"


def _as_declared(guess: Guess, type_: str | None) -> Guess:
    """A column whose type the file declares; numbers may still be times, and a personal column stays text."""
    if type_ is None or guess.is_personal or (type_ == "integer" and guess.type == "timestamp"):
        return guess
    return replace(guess, type=type_, patterns=(), nulls=guess.nulls if type_ == "double" else ())


def our_names(names: Sequence[str], taken: str = "") -> list[str]:
    """Names in the file as names of the house: [a-z][a-z0-9_]*, each once; Cyrillic letters transliterated."""
    ours: list[str] = []
    for place, name in enumerate(names, start=1):
        words = re.sub(r"(?<=[a-zа-яё0-9])(?=[A-ZА-ЯЁ])", "_", name)
        latin = "".join(_LATIN.get(letter, letter) for letter in words.lower())
        plain = re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:56].rstrip("_") or f"column_{place}"
        plain = plain if plain[0].isalpha() else f"c_{plain}"
        number = 2
        candidate = plain
        while candidate in (taken, *ours):
            candidate, number = f"{plain}_{number}", number + 1
        ours.append(candidate)
    return ours


def _null_tokens(guesses: list[Guess]) -> frozenset[str]:
    """What stands for nothing in any column does so in every column."""
    return frozenset(token for guess in guesses for token in guess.nulls)


def _format_lines(sample: Sample, guesses: list[Guess], nulls: frozenset[str]) -> list[str]:
    lines = ["[format]", f"kind = {_text(sample.kind)}"]
    if sample.kind == "csv":
        lines.append(f"delimiter = {_text(sample.delimiter)}")
    if sample.kind in ("csv", "tsv"):
        if not sample.has_quotes and not sample.is_whole:
            lines.append('# no quotes so far; if none ever stand in the file: quote = ""')
        if not sample.has_header:
            lines.append("header = false")
        if sample.is_multiline:
            lines.append("multiline = true")
    if sample.encoding != "utf-8":
        lines.append(f"encoding = {_text(sample.encoding)}")
    if nulls:
        lines.append(f"null_tokens = {_texts(['', *sorted(nulls)])}")
    if any(guess.has_decimal_comma for guess in guesses):
        lines.append(f"decimal_comma = true{_or_thousands(guesses)}")
    if any(guess.has_blank_groups for guess in guesses):
        lines.append('thousands_separator = " "')
    for type_, key in (("date", "date_formats"), ("timestamp", "timestamp_formats")):
        patterns = list(dict.fromkeys(p for guess in guesses if guess.type == type_ for p in guess.patterns))
        if patterns:
            lines.append(f"{key} = {_texts(patterns)}{_ambiguity(patterns, guesses)}")
    if any(guess.type == "timestamp" and not any("epoch" in p for p in guess.patterns) for guess in guesses):
        lines.append('time_zone = "UTC"  # which zone are the times in?')
    return lines


def _or_thousands(guesses: list[Guess]) -> str:
    commas = [text for guess in guesses if guess.has_decimal_comma for text in guess.distinct if "," in text]
    if all(_MAY_BE_THOUSANDS.match(text) for text in commas):
        return '  # or thousands_separator = ","? every comma stands before three digits'
    return ""


def _ambiguity(patterns: list[str], guesses: list[Guess]) -> str:
    for pattern in patterns:
        values = {text for guess in guesses if pattern in guess.patterns for text in guess.distinct}
        if other := ambiguous_with(pattern, values):
            return f"  # or {_text(other)}? both read every value"
    return ""


def _time_lines(names: list[str], guesses: list[Guess]) -> list[str]:
    for type_ in ("timestamp", "date"):
        for name, guess in zip(names, guesses, strict=True):
            if guess.type == type_ and not guess.has_empty:
                return ["[time]", 'order = "event"', f"event = {_text(name)}", 'known = "arrival"']
    return ["[time]", 'order = "position"', 'known = "arrival"']


def _key_lines(sample: Sample, names: list[str], guesses: list[Guess]) -> list[str]:
    candidates = _candidate_keys(sample, names, guesses)
    if not candidates:
        return ["# no one or two columns tell the rows apart", "[key]", 'columns = "all"']
    others = f"  # or {', '.join(_texts(key) for key in candidates[1:4])}" if len(candidates) > 1 else ""
    return ["[key]", f"columns = {_texts(candidates[0])}{others}"]


def _candidate_keys(sample: Sample, names: list[str], guesses: list[Guess]) -> list[list[str]]:
    """Columns, or else pairs of columns, that are filled and different in every row of the sample; likelier first."""
    rows = len(sample.rows)
    fit = [
        place
        for place, guess in enumerate(guesses)
        if not guess.has_empty and guess.type in ("string", "integer", "timestamp", "date")
    ]
    fit.sort(key=lambda place: (not _KEY_NAME.search(names[place]), place))
    single = [[names[place]] for place in fit if len(guesses[place].distinct) == rows and guesses[place].type != "date"]
    named = [key for key in single if _KEY_NAME.search(key[0]) or key[0] == names[0]]
    if single:
        return named + [key for key in single if key not in named]
    pairs = combinations(fit[:8], 2)
    return [
        [names[one], names[two]] for one, two in pairs if len({(row[one], row[two]) for row in sample.rows}) == rows
    ]


def _column_line(ours: str, theirs: str, guess: Guess, sample: Sample, nulls: frozenset[str]) -> str:
    parts = []
    if theirs.strip() != ours:
        parts.append(f"source = {_text(theirs.strip())}")
    parts.append(f"type = {_text(guess.type)}")
    remark = ""
    if sample.is_whole and not guess.has_empty and not nulls & guess.distinct:
        parts.append("required = true")
    if guess.is_personal:
        parts.append("personal = true")
        remark = "  # seems to name a person; silver keeps a pseudonym only"
    elif not guess.distinct:
        remark = "  # empty in all rows seen"
    elif guess.type == "string" and len(guess.distinct) <= _MOST_LEVELS and guess.rows_with_value >= 50:
        remark = f"  # levels seen: {_comment(', '.join(sorted(guess.distinct)))}"
    return f"{ours} = {{ {', '.join(parts)} }}{remark}"


def _text(value: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _comment(text: str) -> str:
    """A text that may stand in a TOML comment: one line, no control characters."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:200]
