"""What a .sql file's header says of its columns: windows that are settings are said in words of each language."""

from __future__ import annotations

from pathlib import Path

import pytest

from otklik.errors import ConfigurationError
from otklik.features.catalogue import Select, read_select

LINE = "-- column n: in the last {{ window | in_english }} | за последние {{ window | in_russian }}\nSELECT 1 AS n"


def select_of(folder: Path, window: object) -> Select:
    (folder / "mine.sql").write_text(LINE, encoding="utf-8")
    return read_select("mine", {"window": window}, [folder])


@pytest.mark.parametrize(
    ("window", "english", "russian"),
    [("30d", "30 days", "30 дн."), ("1d", "1 day", "1 дн."), ("6h", "6 hours", "6 ч"), ("1h", "1 hour", "1 ч")],
)
def test_a_window_is_said_in_words(tmp_path: Path, window: str, english: str, russian: str) -> None:
    meaning = select_of(tmp_path, window).columns[0].meaning

    assert (meaning.en, meaning.ru) == (f"in the last {english}", f"за последние {russian}")


@pytest.mark.parametrize("window", ["30", "4w", "h", "-1d", 30])
def test_what_is_no_window_is_refused(tmp_path: Path, window: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"mine\.sql: its template cannot be rendered: .* is not a window; write "
    ):
        select_of(tmp_path, window)


def record_columns(**settings: object) -> Select:
    return read_select(
        "record_columns", {"input": "customers", "key": "id", "columns": ["income_kzt", "city"], **settings}, []
    )


def test_a_record_column_means_what_the_task_says_or_its_name() -> None:
    select = record_columns(known_after=["talk_seconds"], meanings={"city": "home town | город", "talk_seconds": "a|б"})

    assert [(column.name, column.meaning.en, column.meaning.ru) for column in select.columns] == [
        ("income_kzt", "income kzt", "income kzt"),
        ("city", "home town", "город"),
        ("talk_seconds", "a", "б"),
    ]
    assert select.text == record_columns(known_after=["talk_seconds"]).text


@pytest.mark.parametrize(
    ("meanings", "fault"),
    [
        ({"town": "town | город"}, "meanings names 'town', which is not one of its columns"),
        ({"city": "home town"}, "meanings.city is not one line 'English meaning | русский смысл'"),
        ({"city": "home town | "}, "meanings.city is not one line"),
        ({"city": "home | town | город"}, "meanings.city is not one line"),
        ({"city": "home town | город\nDROP TABLE t"}, "meanings.city is not one line"),
        ("home town | город", "meanings is not a table"),
    ],
)
def test_a_meaning_in_one_language_or_of_no_column_is_refused(meanings: object, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=r"record_columns\.sql: its template cannot be rendered: ") as caught:
        record_columns(meanings=meanings)

    assert fault in caught.value.line()


def test_the_windows_of_engagement_are_words_and_leave_the_names_alone() -> None:
    settings = {"events": "e", "windows": ["7d"], "kinds": ["like"], "kind_windows": ["6h"], "trend_window": "30d"}
    said = {column.name: column.meaning for column in read_select("engagement_activity", settings, []).columns}

    assert said["event_count_7d"].ru == "событий за последние 7 дн."
    assert said["like_count_6h"].en == "events of kind like in the last 6 hours"
    assert said["days_since_last_event"].ru == "дней с последнего события, не больше 60 (и когда событий нет)"
