from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from otklik.sources.contract import Format
from otklik.sources.values import cleaned, typed


def read_all(spark, texts: Sequence[str | None], type_: str, **options) -> list:
    """The values of texts under one type, in their order."""
    rows = spark.createDataFrame(list(enumerate(texts)), "n INT, text STRING")
    format_ = Format(kind="csv", **options)
    values = rows.select("n", typed(cleaned(F.col("text"), format_), type_, format_).alias("value")).collect()
    return [row.value for row in sorted(values)]


def test_integers_are_strict(spark) -> None:
    texts = [" 7\u00a0", "-0", "+5", "5.0", "5.5", "1e3", "0x1", "9223372036854775808", "", None, "٧"]

    assert read_all(spark, texts, "integer") == [7, 0, 5, 5, None, None, None, None, None, None, None]


def test_doubles_are_decimal_numbers_in_range(spark) -> None:
    texts = ["1.5", ".5", "5.", "-1e-3", "1e400", "NaN", "Infinity", "1d", "0x1p3", "1,5"]

    assert read_all(spark, texts, "double") == [1.5, 0.5, 5.0, -0.001, None, None, None, None, None, None]


def test_a_decimal_that_would_lose_digits_is_none(spark) -> None:
    texts = ["1.25", "1.2500", "1.255", "-.5", "99999999.99", "999999999.99", "1e2", "7"]

    found = read_all(spark, texts, "decimal(10,2)")

    expected = ["1.25", "1.25", None, "-0.5", "99999999.99", None, None, "7"]
    assert found == [None if text is None else Decimal(text) for text in expected]


def test_a_decimal_without_digits_after_the_point_rounds_nothing(spark) -> None:
    texts = [".5", "0.5", "5.0", "5.", "-7"]

    assert read_all(spark, texts, "decimal(10,0)") == [None, None, Decimal(5), Decimal(5), Decimal(-7)]


def test_decimal_comma_and_thousands_in_groups_of_three(spark) -> None:
    texts = ["1\u00a0234,5", "1 234 567", "12 34", "1.5", "1234,5", "1 234,567"]

    found = read_all(spark, texts, "double", decimal_comma=True, thousands_separator=" ")

    assert found == [1234.5, 1234567.0, None, None, 1234.5, 1234.567]


def test_booleans_and_null_tokens(spark) -> None:
    texts = ["TRUE", "нет", "y", "0", "maybe", "NA", "na"]

    assert read_all(spark, texts, "boolean", null_tokens=["NA"]) == [True, False, True, False, None, None, None]
    assert read_all(spark, ["NA", "na", ""], "string", null_tokens=["NA"]) == [None, "na", ""]


def test_dates_take_the_first_pattern_that_fits_and_days_must_exist(spark) -> None:
    texts = ["2024-02-29", "2023-02-29", "29.02.2024", "31.04.2024", "2024-2-9", "24-02-2024"]

    found = read_all(spark, texts, "date", date_formats=["yyyy-MM-dd", "dd.MM.yyyy"])

    assert found == [date(2024, 2, 29), None, date(2024, 2, 29), None, None, None]


def test_times_without_a_zone_are_in_the_zone_of_the_contract(spark) -> None:
    patterns = ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ssXXX", "M/d/yy H:mm"]
    texts = ["2024-07-01 12:00:00", "2024-07-01T12:00:00Z", "2024-07-01T12:00:00+03:00", "7/1/24 9:05", "2024-07-01"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=patterns, time_zone="Europe/Berlin")

    hours = [(10, 0), (12, 0), (9, 0), (7, 5)]
    assert found == [*(datetime(2024, 7, 1, hour, minute) for hour, minute in hours), None]


def test_seconds_since_1970_must_be_a_time_of_our_calendar(spark) -> None:
    texts = ["1341100972", "-1", "99999999999999999", "1.5"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=["epoch_seconds"])

    assert found == [datetime(2012, 7, 1, 0, 2, 52), datetime(1969, 12, 31, 23, 59, 59), None, None]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=300, max_size=300))
def test_no_text_makes_the_types_fail(spark, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    rows = spark.createDataFrame([(text,) for text in texts], "text STRING")
    format_ = Format(
        kind="csv", decimal_comma=True, thousands_separator=" ", timestamp_formats=["epoch_millis", "d.M.yy"]
    )
    types = ["integer", "double", "decimal(9,2)", "boolean", "date", "timestamp"]

    counted = rows.select(*(typed(cleaned(F.col("text"), format_), type_, format_).alias(type_) for type_ in types))

    assert len(counted.collect()) == len(texts)


def test_a_zone_in_quotes_is_a_zone_and_every_way_of_writing_an_offset_is_read(spark) -> None:
    patterns = ["yyyy-MM-dd'T'HH:mm:ss'Z'", "dd.MM.yyyy HH:mm' UTC'", "yyyy-MM-dd HH:mm:ssZ"]
    texts = ["2024-03-05T10:00:00Z", "05.03.2024 10:00 UTC", "2024-03-05 15:00:00+0500", "2024-03-05 15:00:00+05:00"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=patterns, time_zone="Asia/Almaty")

    assert found == [datetime(2024, 3, 5, 10)] * 4


def test_times_that_a_clock_skips_or_that_lie_outside_our_years_are_none(spark) -> None:
    patterns = ["yyyy-MM-dd HH:mm:ss"]
    texts = ["2024-03-31 02:30:00", "2024-10-27 02:30:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=patterns, time_zone="Europe/Berlin")

    # Of the hour that comes twice the first one is taken.
    assert found == [None, datetime(2024, 10, 27, 0, 30), None, datetime(9999, 12, 31, 22, 59, 59)]
    assert read_all(spark, ["0000-01-01", "0001-01-01"], "date") == [None, date(1, 1, 1)]


def test_units_of_epoch_numbers_are_told_apart_by_their_size_or_refused(spark) -> None:
    texts = ["1709629200", "1709629200123", "1709629200123456", "0", "-86400"]
    units = ["epoch_seconds", "epoch_millis", "epoch_micros"]
    at = datetime(2024, 3, 5, 9)
    start, before = datetime(1970, 1, 1), datetime(1969, 12, 31)

    both = [at, at.replace(microsecond=123_000), None, start, before]
    for formats in (units[:2], units[1::-1]):
        assert read_all(spark, texts, "timestamp", timestamp_formats=formats) == both
    all_three = read_all(spark, texts, "timestamp", timestamp_formats=units[::-1])
    assert all_three == [*both[:2], at.replace(microsecond=123_456), start, before]
    assert read_all(spark, texts, "timestamp", timestamp_formats=units[1:2]) == [None, both[1], None, start, None]


def test_times_with_a_fraction_of_seconds_since_1970_keep_it(spark) -> None:
    texts = ["1709629200.25", "1709629200123.5", "1709629200.0001239"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=["epoch_seconds", "epoch_millis"])

    assert [each.microsecond for each in found] == [250_000, 123_500, 123]


def test_halves_of_the_day_may_have_points(spark) -> None:
    texts = ["3/5/24, 1:15:00 PM", "3/5/24, 1:15:00 p.m.", "3/5/24, 1:15:00 P. M."]

    times = read_all(spark, texts, "timestamp", timestamp_formats=["M/d/yy, h:mm:ss a"])

    assert times == [datetime(2024, 3, 5, 13, 15)] * 3


def test_months_and_days_of_the_week_are_read_in_three_languages(spark) -> None:
    patterns = [
        "d MMMM yyyy[ 'г.']",
        "d MMM yyyy",
        "EEE, d MMM yyyy HH:mm:ss z",
        "EEE MMM dd HH:mm:ss Z yyyy",
        "ddMMMyyyy",
    ]
    texts = [
        "5 марта 2024 г.", "29 февраля 2024", "31 мая 2024", "7 Jun 2024", "1 СЕНТ. 2024", "5 наурыз 2024",
        "Tue, 5 Mar 2024 10:00:00 GMT", "Ср мар 06 12:00:00 +0500 2024", "08мар2024", "5 03 2024", "31 апреля 2024",
        "5 мартобря 2024",
    ]  # fmt: skip

    found = read_all(spark, texts, "date", date_formats=patterns)

    days = [(3, 5), (2, 29), (5, 31), (6, 7), (9, 1), (3, 5), (3, 5), (3, 6), (3, 8)]
    assert found == [*(date(2024, month, day) for month, day in days), None, None, None]


def test_two_digits_of_a_year_mean_the_century_that_the_contract_says(spark) -> None:
    texts = ["15.03.58", "01.01.27", "01.01.28", "29.02.00", "29.02.28"]
    formats = {"date_formats": ["dd.MM.yy", "dd.MM.yyyy"]}

    assert read_all(spark, texts, "date", **formats)[:2] == [date(2058, 3, 15), date(2027, 1, 1)]
    pivoted = read_all(spark, [*texts, "01.01.2058"], "date", two_digit_years_from=1928, **formats)
    assert pivoted == [
        date(1958, 3, 15), date(2027, 1, 1), date(1928, 1, 1), date(2000, 2, 29), date(1928, 2, 29), date(2058, 1, 1),
    ]  # fmt: skip
    assert read_all(spark, ["29.02.00"], "date", two_digit_years_from=1900, **formats) == [None]


def test_truth_is_read_in_the_languages_of_spreadsheets(spark) -> None:
    texts = ["ИСТИНА", "Ложь", "АҚИҚАТ", "FALSCH", "vrai", "Off", "1.0", "ВКЛ"]

    assert read_all(spark, texts, "boolean") == [True, False, True, False, True, False, True, True]


def test_a_day_ends_at_24_and_no_other_hour_does(spark) -> None:
    patterns = ["yyyy-MM-dd HH:mm:ss", "dd.MM.yyyy HH:mm"]
    texts = [
        "2024-02-28 24:00:00",
        "31.12.2023 24:00",
        "2024-02-28 24:00:01",
        "31.12.2023 24:01",
        "2024-02-28 00:24:00",
    ]

    found = read_all(spark, texts, "timestamp", timestamp_formats=patterns)

    assert found == [datetime(2024, 2, 29), datetime(2024, 1, 1), None, None, datetime(2024, 2, 28, 0, 24)]


def test_days_that_a_spreadsheet_has_left_as_numbers(spark) -> None:
    texts = ["45356", "45356,5", "05.03.2024", "61", "60", "2958466", "-5", "4.5e4"]
    dates = read_all(spark, texts, "date", date_formats=["dd.MM.yyyy", "spreadsheet_days"])
    times = read_all(spark, texts[:2], "timestamp", timestamp_formats=["spreadsheet_days"], time_zone="Asia/Almaty")

    assert dates == [date(2024, 3, 5)] * 3 + [date(1900, 3, 1), None, None, None, None]
    assert times == [datetime(2024, 3, 4, 19), datetime(2024, 3, 5, 7)]


def test_fractions_of_a_second_are_as_long_as_they_are(spark) -> None:
    patterns = ["yyyy-MM-dd HH:mm:ss.SSSSSSSSS", "yyyy-MM-dd HH:mm:ss"]
    texts = ["2024-03-05 10:00:00.5", "2024-03-05 10:00:00.1234567", "2024-03-05 10:00:00.123456789"]

    found = read_all(spark, texts, "timestamp", timestamp_formats=patterns)

    assert [moment.microsecond for moment in found] == [500_000, 123_456, 123_456]


def test_months_without_a_day_are_their_first_and_hours_may_be_counted_twice(spark) -> None:
    months = read_all(
        spark, ["2024-03", "03.2024", "Март 2024"], "date", date_formats=["yyyy-MM", "MM.yyyy", "MMMM yyyy"]
    )
    texts = ["3/5/2024 1:15 PM", "12/31/2023 12:00 am"]
    hours = read_all(spark, texts, "timestamp", timestamp_formats=["M/d/yyyy h:mm a"])

    assert months == [date(2024, 3, 1)] * 3
    assert hours == [datetime(2024, 3, 5, 13, 15), datetime(2023, 12, 31)]
