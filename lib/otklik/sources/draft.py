"""A first contract for an unknown file, as TOML to read and edit. Without Spark, from the beginning of the file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from otklik.sources.contract import LOST_LETTER, MISREAD, TAKEN_COLUMN, TAKEN_SOURCE
from otklik.sources.guess import Guess, ambiguous_with, guess_column, orders_of
from otklik.sources.numbers import Marks, likeliest_marks
from otklik.sources.sample import Sample
from otklik.sources.sniff import read_sample
from otklik.sources.sniff_parquet import is_parquet, read_parquet_sample

_SAMPLE_BYTES = 4_000_000
#: More rejected rows than this share stop a file, unless the contract says otherwise.
_USUAL_SHARE = 0.1
_TWO_DIGITS = re.compile(r"(?<!y)yy(?!y)")
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
        path: a local file of one of the kinds that a contract knows, also gzipped.
        sample_bytes: how much text of it is looked at.

    Raises:
        InputError: if the file cannot be read as rows.
    """
    file = Path(path)
    whole = read_parquet_sample(file) if is_parquet(file) else read_sample(file, sample_bytes)
    # Real numbers of Parquet have a point, and one mark holds for all columns.
    comma_is_free = whole.kind != "parquet" and (whole.delimiter != "," or whole.has_quotes)
    guessed = [
        guess_column(theirs, [row[place] for row in whole.rows], comma_is_free=comma_is_free)
        for place, theirs in enumerate(whole.names)
    ]
    if whole.types:
        guessed = [_as_declared(*column) for column in zip(guessed, whole.types, strict=True)]
    ours = dict(zip(whole.names, our_names(whole.names, TAKEN_COLUMN), strict=True))
    sample = _without_objects(whole)
    names = [ours[theirs] for theirs in sample.names]
    guesses = [guess for theirs, guess in zip(whole.names, guessed, strict=True) if theirs in sample.names]
    left_out = [column for column in zip(ours.values(), ours, guessed, strict=True) if column[1] not in sample.names]
    stem = re.sub(
        r"\.(?:csv|tsv|txt|dat|prn|jsonl?|js|ndjson|xml|yml|rss|parquet|gz)\b", "", file.name, flags=re.IGNORECASE
    )
    extent = "the whole file" if sample.is_whole else f"the first {len(sample.rows):,} rows"
    nulls = _null_tokens(guesses)
    habits = _habits_of(guesses, sample)
    guesses = [_in_habit(guess, habits.marks) for guess in guesses]
    sample = replace(sample, remarks=(*sample.remarks, *_odd_letters(sample)))
    lines = [
        f"# Drafted from {extent} of {_comment(file.name)}. Every line is a guess: review it, then delete this line.",
        *(f"# {_comment(remark)}" for remark in sample.remarks),
        f"name = {_text(our_names([stem], TAKEN_SOURCE)[0])}",
        'meaning = ""',
        *(['new_columns = "ignore"  # the objects whose fields are left out'] if left_out else []),
        "",
        *_format_lines(sample, guesses, nulls, habits),
        *_date_lines(guesses, habits, written_in=datetime.fromtimestamp(file.stat().st_mtime, UTC).year),
        "",
        *_time_lines(names, guesses),
        "",
        *_key_lines(sample, names, guesses),
        *_threshold_lines(sample),
        "",
        "[columns]",
        *(_column_line(*column, sample, nulls, habits) for column in zip(names, sample.names, guesses, strict=True)),
        *(f"# {_column_line(*column, sample, nulls, habits)}" for column in left_out),
    ]
    return "\n".join(lines) + "\n"


def _without_objects(sample: Sample) -> Sample:
    """A sample without the fields of objects inside the rows, where these have fields of their own."""
    kept = [place for place, name in enumerate(sample.names) if name not in sample.inside]
    if len(kept) == len(sample.names) or all(sample.names[place].startswith("../") for place in kept):
        return sample
    names, rows = [sample.names[place] for place in kept], [[row[place] for place in kept] for row in sample.rows]
    remark = "fields of objects inside the rows are left out; those to be read stand at the end, as comments"
    return replace(sample, names=names, rows=rows, remarks=(*sample.remarks, remark))


@dataclass(frozen=True)
class _Habits:
    """How most columns of a file write numbers and dates; the others say so themselves."""

    marks: Marks
    patterns: Mapping[str, Sequence[str]]


def _habits_of(guesses: Sequence[Guess], sample: Sample) -> _Habits:
    patterns: dict[str, list[str]] = {"date": [], "timestamp": []}
    for guess in guesses:
        # A day before its month and one behind it are not told apart by what they look like.
        if guess.type in patterns and len(orders_of([*patterns[guess.type], *guess.patterns])) < 2:
            patterns[guess.type] += [pattern for pattern in guess.patterns if pattern not in patterns[guess.type]]
    found = [guess.marks for guess in guesses if guess.marks]
    return _Habits(likeliest_marks(found, has_commas_between=sample.delimiter == ","), patterns)


def _in_habit(guess: Guess, marks: Marks) -> Guess:
    """A column of whole numbers, where the marks of the file say that commas in it stand between thousands."""
    is_whole = marks in guess.marks and all(re.fullmatch(r"[+-]?\d+", marks.plain(text)) for text in guess.distinct)
    return replace(guess, type="integer") if guess.type == "double" and guess.distinct and is_whole else guess


def _as_declared(guess: Guess, type_: str | None) -> Guess:
    """A column whose type the file declares; numbers may still be times, and a personal column stays text."""
    if type_ is None or guess.is_personal or (type_ == "integer" and guess.type in ("date", "timestamp")):
        return guess
    return replace(
        guess,
        type=type_,
        patterns=(),
        nulls=guess.nulls if type_ == "double" else (),
        marks=(),
        units=(),
        remarks=tuple(remark for remark in guess.remarks if "spreadsheet" not in remark),
    )


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
    """What stands for nothing in any column does so in every column, but words that are values of another one."""
    found = frozenset(token for guess in guesses for token in guess.nulls)
    return frozenset(token for token in found if not (token.isalpha() and _columns_with(token, guesses)))


def _columns_with(token: str, guesses: list[Guess]) -> list[Guess]:
    """The columns in which a text is a value."""
    return [guess for guess in guesses if token in guess.distinct]


def _is_misread(sample: Sample) -> bool:
    """Whether texts hold the bytes of UTF-8 as characters, as exports of Facebook and Instagram have them."""
    texts = (text for row in sample.rows for text in row if text and not text.isascii())
    return any(map(_reads_as_utf8, texts))


def _odd_letters(sample: Sample) -> list[str]:
    """What happened to letters before the file came here."""
    if _is_misread(sample):
        return ["texts are UTF-8 that was read as Latin-1; put right below"]
    rows = [" ".join(filter(None, row)) for row in sample.rows]
    misread = any(re.search(MISREAD, text) for text in [*rows, *sample.names])
    lost = sum(bool(re.search(LOST_LETTER, row)) for row in rows)
    remarks = {
        "texts look like UTF-8 that was read in another encoding: how was the file exported?": misread,
        f"{lost:,} rows have ? or \ufffd in the place of letters: the export has lost them": lost > 0,
    }
    return [remark for remark, holds in remarks.items() if holds]


def _reads_as_utf8(text: str) -> bool:
    try:
        return len(text.encode("latin-1").decode("utf-8")) < len(text)
    except UnicodeError:
        return False


def _format_lines(sample: Sample, guesses: list[Guess], nulls: frozenset[str], habits: _Habits) -> list[str]:
    marks = habits.marks
    is_delimited = sample.kind in ("csv", "tsv", "blanks", "fixed")
    may_have_quotes = sample.kind in ("csv", "tsv") and not sample.has_quotes and not sample.is_whole
    settings = {
        f"rows = {_text(sample.path)}": bool(sample.path),
        f"widths = {list(sample.widths)}": bool(sample.widths),
        f"skip_lines = {sample.skip_lines}": sample.skip_lines > 0,
        f"footer = {sample.footer}": sample.footer > 0,
        "utf8_as_latin1 = true": _is_misread(sample),
        f"delimiter = {_text(sample.delimiter)}": sample.kind in ("csv", "list"),
        '# no quotes in the sample; if the file never has any: quote = ""': may_have_quotes,
        f"quote = {_text(sample.quote)}": is_delimited and sample.quote != '"',
        f"escape = {_text(sample.escape)}": bool(sample.escape),
        "header = false": is_delimited and not sample.has_header,
        f"header_lines = {sample.header_lines}": sample.header_lines > 1,
        "multiline = true": is_delimited and sample.is_multiline,
        f"encoding = {_text(sample.encoding)}": sample.encoding != "utf-8",
        f"null_tokens = {_texts(['', *sorted(nulls)])}": bool(nulls),
        f"decimal_comma = true{_or_thousands(guesses)}": marks.decimal_comma,
        f"thousands_separator = {_text(marks.thousands_separator or '')}{_or_decimals(guesses, marks)}": (
            marks.thousands_separator is not None
        ),
    }
    lines = [line for line, holds in settings.items() if holds]
    return ["[format]", f"kind = {_text(sample.kind)}", *lines]


def _date_lines(guesses: list[Guess], habits: _Habits, written_in: int) -> list[str]:
    lines = []
    if any(_TWO_DIGITS.search(pattern) for guess in guesses for pattern in guess.patterns):
        first = written_in - 98
        remark = f"two digits of a year mean {first} to {first + 99}: which century is meant?"
        lines.append(f"two_digit_years_from = {first}  # {remark}")
    for type_, patterns in habits.patterns.items():
        if patterns:
            lines.append(f"{type_}_formats = {_texts(patterns)}{_ambiguity(patterns, guesses)}")
    if placeholders := sorted({day for guess in guesses for day in guess.placeholders}):
        lines.append(f"placeholders = {_texts(placeholders)}  # dates that seem to mean: no date")
    if any(guess.type == "timestamp" and not any("epoch" in p for p in guess.patterns) for guess in guesses):
        lines.append('time_zone = "UTC"  # check the time zone')
    return lines


def _or_thousands(guesses: list[Guess]) -> str:
    commas = [text for guess in guesses if guess.marks for text in guess.distinct if "," in text]
    if all(_MAY_BE_THOUSANDS.match(text) for text in commas):
        return '  # or thousands_separator = ","? every comma precedes three digits'
    return ""


def _or_decimals(guesses: list[Guess], marks: Marks) -> str:
    may_be = all(Marks(decimal_comma=True) in guess.marks for guess in guesses if guess.marks)
    if marks.thousands_separator == "," and may_be and _or_thousands(guesses):
        return "  # or decimal_comma = true? every comma precedes three digits"
    return ""


def _ambiguity(patterns: Sequence[str], guesses: list[Guess]) -> str:
    for pattern in patterns:
        values = {text for guess in guesses if pattern in guess.patterns for text in guess.distinct}
        if other := ambiguous_with(pattern, values):
            return f"  # or {_text(other)}? both parse every value"
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
        return [*_equal_rows(sample, names), "[key]", 'columns = "all"']
    others = f"  # or {', '.join(_texts(key) for key in candidates[1:4])}" if len(candidates) > 1 else ""
    return ["[key]", f"columns = {_texts(candidates[0])}{others}"]


def _equal_rows(sample: Sample, names: list[str]) -> list[str]:
    """What is said where no one or two columns tell the rows apart, but by chance."""
    equal = len(sample.rows) - len(set(map(tuple, sample.rows)))
    lines = ["# no combination of one or two columns identifies the rows"]
    if equal:
        lines += [
            f"# {equal:,} of {len(sample.rows):,} rows are identical to another one and are loaded only once; if each",
            f"# of them counts, e.g. equal lines of a receipt: position_within = {_texts(names)}",
        ]
    return lines


def _threshold_lines(sample: Sample) -> list[str]:
    """How many rows may be rejected, where more than a tenth of those seen are."""
    share = sample.rejected / max(sample.records, 1)
    if share <= _USUAL_SHARE:
        return []
    return ["", "[thresholds]", f"rejected_share = {math.ceil(share * 20) / 20:g}  # as in the sample"]


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
    # Two counts of which nearly every row has its own tell the rows apart by chance.
    measured = {
        place
        for place in fit
        if guesses[place].type == "integer"
        and not _KEY_NAME.search(names[place])
        and len(guesses[place].distinct) > rows / 2
    }
    whole = {place for place in fit if guesses[place].type == "integer"}
    return [
        [names[one], names[two]]
        for one, two in combinations(fit[:8], 2)
        if not ({one, two} & measured and {one, two} <= whole)
        and len({(row[one], row[two]) for row in sample.rows}) == rows
    ]


def _column_line(ours: str, theirs: str, guess: Guess, sample: Sample, nulls: frozenset[str], habits: _Habits) -> str:
    parts = []
    if theirs.strip() != ours:
        parts.append(f"source = {_text(theirs.strip())}")
    parts.append(f"type = {_text(guess.type)}")
    parts += _own_habits(guess, habits)
    if theirs in sample.pieces:
        parts.append(f"pieces = {_text(sample.pieces[theirs])}")
    own = sorted(set(guess.nulls) - nulls)
    if own:
        parts.append(f"null_tokens = {_texts(['', *sorted({*nulls, *guess.nulls})])}")
    remark = ""
    if sample.is_whole and not guess.has_empty and not nulls & guess.distinct and not sample.rejected:
        parts.append("required = true")
    if guess.is_personal:
        parts.append("personal = true")
        remark = "  # seems to identify a person; silver stores only a pseudonym"
    elif not guess.distinct:
        remark = "  # empty in the whole sample"
    elif guess.type == "string" and len(guess.distinct) <= _MOST_LEVELS and guess.rows_with_value >= 50:
        remark = f"  # levels seen: {_comment(', '.join(sorted(guess.distinct)))}"
    if own:
        remark = f"  # {', '.join(own)} means missing here, but is a value elsewhere"
    for doubt in guess.remarks:
        remark = f"{remark}; {doubt}" if remark else f"  # {doubt}"
    return f"{ours} = {{ {', '.join(parts)} }}{remark}"


def _own_habits(guess: Guess, habits: _Habits) -> list[str]:
    """How a column writes its numbers and dates, where most others do not write them so."""
    parts = [f"units = {_texts(guess.units)}"] if guess.units else []
    if guess.marks and habits.marks not in guess.marks:
        own = guess.marks[0]
        if own.decimal_comma != habits.marks.decimal_comma:
            parts.append(f"decimal_comma = {str(own.decimal_comma).lower()}")
        if own.thousands_separator != habits.marks.thousands_separator:
            parts.append(f"thousands_separator = {_text(own.thousands_separator or '')}")
    if guess.type in habits.patterns and not set(guess.patterns) <= set(habits.patterns[guess.type]):
        parts.append(f"formats = {_texts(guess.patterns)}")
    return parts


def _text(value: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _comment(text: str) -> str:
    """A text that may stand in a TOML comment: one line, no control characters."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:200]
