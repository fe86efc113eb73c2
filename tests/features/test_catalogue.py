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
    with pytest.raises(ConfigurationError, match=r"mine\.sql: its template cannot be filled: .* is no window; write "):
        select_of(tmp_path, window)


def test_the_windows_of_engagement_are_words_and_leave_the_names_alone() -> None:
    settings = {"events": "e", "windows": ["7d"], "kinds": ["like"], "kind_windows": ["6h"], "trend_window": "30d"}
    said = {column.name: column.meaning for column in read_select("engagement_activity", settings, []).columns}

    assert said["event_count_7d"].ru == "событий за последние 7 дн."
    assert said["like_count_6h"].en == "events of kind like in the last 6 hours"
    assert said["days_since_last_event"].ru == "дней с последнего события, не больше 60 (и когда событий нет)"
