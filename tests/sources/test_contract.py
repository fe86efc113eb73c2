from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik.errors import ConfigurationError
from otklik.settings import load
from otklik.sources.contract import Contract, fold_name, parse_duration


@given(st.integers(0, 10_000), st.sampled_from([("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)]))
def test_a_duration_is_a_whole_number_and_a_unit(number: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == timedelta(seconds=number * unit[1])


@given(st.text(max_size=8))
def test_any_other_text_is_no_duration(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError as fault:
        assert "36h" in str(fault)
    else:
        assert duration >= timedelta(0)


@pytest.mark.parametrize(
    ("section", "settings", "fault"),
    [
        ("format", {"encoding": "klingon"}, "format.encoding: unknown encoding"),
        ("format", {"date_formats": ["YYYY-mm-DD"]}, "format.date_formats: 'YYYY-mm-DD' has letters"),
        ("format", {"date_formats": ["yyyy'T"]}, "has a quote that is not closed"),
        ("format", {"date_formats": ["yyyy-MMMMMMMM-dd"]}, "than a date pattern allows: MMMMMMMM"),
        ("format", {"date_formats": ["uuuu-MM-dd"]}, "letters that no date is read by: u "),
        ("format", {"timestamp_formats": ["yyyy-MM-dd HH:mm:ss.SSSSSSSSSS"]}, "format.timestamp_formats: 'yyyy-MM-dd"),
        ("format", {"timestamp_formats": ["yyyy-MM-dd {HH}"]}, "which must stand in quotes"),
        ("format", {"date_formats": ["[yyyy"]}, "brackets [ ] that do not match"),
        ("format", {"date_formats": ["]yyyy["]}, "brackets [ ] that do not match"),
        ("format", {"date_formats": ["--"]}, "'--' is not a valid date pattern"),
        ("format", {"date_formats": ["yyyy-mm-dd"]}, "has m, the minutes, without hours: months are M"),
        ("format", {"timestamp_formats": ["yyyy-MM-dd HH:MM"]}, "has M twice: minutes are m"),
        ("format", {"timestamp_formats": ["yyyy-MM-dd HH:mm:SS"]}, "has S, a fraction of a second, without seconds"),
        ("format", {"timestamp_formats": ["dd.MM.yyyy hh:mm"]}, "without AM or PM, a: those of a day are H"),
        ("format", {"timestamp_formats": ["M/d/yyyy H:mm a"]}, "beside hours of a day, H: those of half a day are h"),
        ("format", {"date_formats": ["yyyy-MM-DD"]}, "has D, the day of the year, beside the month"),
        ("format", {"date_formats": ["dd.MM"]}, "has no year, y"),
        ("name", "rejected", "name: rejected is reserved"),
        ("file_time", "yyyy-mm-dd", "file_time: 'yyyy-mm-dd' has m, the minutes, without hours"),
        ("file_time", "d.M.yyyy", "in names of files only yyyy, yy, MM, dd, HH, mm and ss are read"),
        ("lookalikes", ["note", "id"], "lookalikes names every column"),
        ("columns", {"known_at": {"type": "timestamp"}}, "columns.known_at: reserved name"),
        ("format", {"delimiter": '"'}, "quote is also the delimiter"),
        ("format", {"delimiter": "\n"}, "delimiter cannot be a line break"),
        ("format", {"multiline": True, "quote": ""}, "multiline needs a quote"),
        ("format", {"decimal_comma": True, "thousands_separator": ","}, "also the decimal mark"),
        ("format", {"time_zone": "Asia/Nowhere"}, "format.time_zone: unknown time zone"),
        ("key", {"columns": ["number"]}, "key.columns names 'number'"),
        ("key", {"columns": []}, "key.columns"),
        ("time", {"order": "event", "event": "note"}, "time.event: note is a string"),
        ("time", {"order": "position", "known": "event", "event": "note", "delay": "9999999999d"}, "is longer than"),
        ("format", {"time_zone": "Asia"}, "format.time_zone: unknown time zone"),
        ("columns", {"id": {"type": "decimal(3,5)"}}, "unknown type 'decimal(3,5)'"),
        ("columns", {"id": {"type": "integer", "minimum": float("nan")}}, "columns.id.minimum"),
        ("columns", {"id": {"type": "integer"}, "note": {"type": "string", "source": " ID "}}, "both read"),
        ("columns", {"id": {"type": "string", "units": ["%"]}}, "thousands_separator need a numeric type, not string"),
        ("columns", {"id": {"type": "double", "thousands_separator": "."}}, "columns.id: thousands_separator is also"),
        ("columns", {"id": {"type": "string", "formats": ["yyyy"]}}, "formats need type = 'date' or 'timestamp'"),
        ("columns", {"id": {"type": "date", "formats": ["YYYY"]}}, "columns.id.formats: 'YYYY' has letters"),
        ("format", {"kind": "xml", "rows": "a", "encoding": "kz1048"}, "an xml file in kz1048 is not read"),
    ],
)
def test_an_impossible_contract_is_refused_with_its_key(make_contract, section, settings, fault) -> None:
    tables = {"columns": settings} if section == "columns" else {}
    tables |= {"format_": settings} if section == "format" else {}
    tables |= {section: settings} if section not in ("format", "columns") else {}

    with pytest.raises(ConfigurationError) as caught:
        make_contract(**tables)

    assert fault in caught.value.line()


def test_a_key_has_no_codes_for_missing_numbers(make_contract) -> None:
    with pytest.raises(ConfigurationError, match=r"columns\.id: missing_codes are not allowed in a key column"):
        make_contract({"id": {"type": "integer", "missing_codes": [0]}}, key={"columns": ["id"]})


def test_all_that_does_not_go_together_is_listed_at_once_each_with_its_key(make_contract) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_contract(
            format_={"delimiter": "\n", "quote": "", "escape": "\n", "multiline": True, "thousands_separator": "."},
            columns={
                "id": {"type": "date", "minimum": 2, "maximum": 1, "allowed": ["a"], "personal": True},
                "note": {"type": "string", "required": True, "missing": "null", "missing_codes": [9]},
            },
            key={"columns": ["id"], "keep": "newest"},
            time={"order": "event", "delay": "1h"},
        )

    faults = caught.value.line().partition(" errors: ")
    assert faults[0].endswith("14")
    assert faults[2].partition(" → ")[0].split("; ") == [
        "format: thousands_separator is also the decimal mark",
        "format: delimiter cannot be a line break, NUL or a character outside the basic plane",
        "format: escape cannot be a line break, NUL or a character outside the basic plane",
        "format: escape is also the delimiter",
        "format: multiline needs a quote",
        "columns.id: minimum and maximum need a numeric type, not date",
        "columns.id: minimum is above maximum",
        "columns.id: allowed needs type = 'string', not date",
        "columns.id: a personal column is stored as a pseudonym and must have type = 'string'",
        "columns.note: missing_codes need a numeric type, not string",
        "columns.note: a required column must not be missing from the file: set missing = 'fail'",
        "key: keep = 'newest' and newest_by require each other",
        "time: order or known is 'event', but event lists no column",
        "time: delay needs known = 'event'",
    ]


@pytest.mark.parametrize(
    ("column", "delay", "fault"),
    [
        ({"type": "timestamp"}, "0s", "time.known: known = 'event' needs required = true on at"),
        ({"type": "date", "required": True}, "23h", "time.delay: at is a date, and its events are not known"),
        ({"type": "date", "required": True}, "1d", None),
        ({"type": "timestamp", "required": True}, "0s", None),
    ],
)
def test_a_row_is_not_known_before_it_can_be(make_contract, column, delay, fault) -> None:
    with nullcontext() if fault is None else pytest.raises(ConfigurationError, match=fault):
        make_contract(
            columns={"id": {"type": "integer"}, "at": column},
            time={"order": "event", "event": "at", "known": "event", "delay": delay},
        )


@pytest.mark.parametrize(
    "pattern",
    [
        "dd.MM.yyyy",
        "d MMMM yyyy 'г.'",
        "yyyy-MM-dd['T'][ ]HH:mm[:ss[.SSSSSS]]XXX",
        "yyyy/MM/dd hh 'o''clock' a, VV",
        "yy/D",
        "[dd.MM.yyyy][yyyy-MM-dd]",
    ],
)
def test_a_pattern_that_dates_are_read_by_is_taken(make_contract, pattern: str) -> None:
    assert make_contract(format_={"timestamp_formats": [pattern]}).format.timestamp_formats == [pattern]


@pytest.mark.parametrize("pattern", ["yyyy-MM-dd HH:mm[XXX]", "yyyy-MM-dd HH:mm[:ss[.SSS] z]"])
def test_a_zone_that_may_be_left_out_needs_a_pattern_of_its_own(make_contract, pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="has a zone in brackets"):
        make_contract(format_={"timestamp_formats": [pattern]})


@pytest.mark.parametrize("kind", ["json_lines", "parquet"])
def test_a_file_of_records_has_neither_delimiter_nor_header(make_contract, kind: str) -> None:
    with pytest.raises(ConfigurationError, match="2 errors") as caught:
        make_contract(format_={"kind": kind, "delimiter": ";", "header": False})

    assert f"format: delimiter: a {kind} file has no delimiter" in caught.value.line()
    assert f"format: header = false applies to delimited and fixed-width files, not {kind}" in caught.value.line()


def test_names_are_folded_alike() -> None:
    assert fold_name("\ufeff Дата\u00a0 РОЖДЕНИЯ ") == fold_name("дата рождения")


@pytest.mark.parametrize("file", sorted(Path("conf/sources").glob("*.toml")), ids=lambda file: file.stem)
def test_a_shipped_contract_is_valid_named_after_its_file_and_says_what_each_column_means(file: Path) -> None:
    contract = load(Contract, file)

    assert contract.name == file.stem
    assert contract.meaning
    assert [name for name, column in contract.columns.items() if not column.meaning] == []
