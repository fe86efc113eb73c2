"""Numbers as English and Russian write them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otklik.kind import Finding
from otklik.page.formats import LANGUAGES, Formats, Language
from otklik.page.words import Voice, texts


@pytest.mark.parametrize(
    ("language", "integer", "percent", "negative"),
    [("en", "45,211", "11.7%", "−3,046.5"), ("ru", "45\u202f211", "11,7\u00a0%", "−3\u202f046,5")],
)
def test_each_language_has_its_marks(language: Language, integer: str, percent: str, negative: str) -> None:
    formats = Formats(language)
    assert formats.integer(45211) == integer
    assert formats.percent(0.117) == percent
    assert formats.decimal(-3046.5, 1) == negative


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_a_dash(nothing: float | None) -> None:
    formats = Formats("en")
    assert {formats.decimal(nothing), formats.percent(nothing), formats.money(nothing)} == {"—"}


def test_intervals_name_their_unit_once_and_never_run_a_minus_into_the_dash() -> None:
    formats = Formats("en")
    assert formats.percent_interval(0.114, 0.12) == "11.4–12.0%"
    assert formats.interval(-5, 3, formats.money) == "−5\u202f…\u202f3"
    assert formats.interval(0.5, 0.5, formats.decimal) == ""


def test_a_rounded_zero_has_no_sign() -> None:
    assert Formats("en").decimal(-0.0001, 2) == "0.00"


@given(st.integers(-(10**12), 10**12), st.sampled_from(LANGUAGES))
def test_integers_read_back(value: int, language: Language) -> None:
    text = Formats(language).integer(value)
    assert int(text.replace(",", "").replace("\u202f", "").replace("−", "-")) == value


@pytest.mark.parametrize(
    ("count", "form"), [(1, "файл"), (2, "файла"), (5, "файлов"), (11, "файлов"), (21, "файл"), (112, "файлов")]
)
def test_russian_plurals(count: int, form: str) -> None:
    assert Formats("ru").plural(count, "файл", "файла", "файлов") == form


@pytest.mark.parametrize(
    ("language", "grain", "tick"),
    [("en", "6h", "11 May 06:00"), ("ru", "6h", "11 мая 06:00"), ("ru", "day", "11 мая"), ("ru", "month", "май 2012")],
)
def test_a_tick_names_as_much_of_a_moment_as_its_grain_needs(language: Language, grain: str, tick: str) -> None:
    assert Formats(language).period(pd.Timestamp("2012-05-11 06:00"), grain) == tick


@pytest.mark.parametrize(
    ("language", "p", "cell", "sentence"),
    [
        ("en", 3e-05, "<\u00a00.0001", "p\u00a0<\u00a00.0001"),
        ("ru", 3e-05, "<\u00a00,0001", "p\u00a0<\u00a00,0001"),
        ("ru", 0.0004, "0,0004", "p\u00a0=\u00a00,0004"),
        ("en", 0.0123, "0.012", "p\u00a0=\u00a00.012"),
        ("en", None, "—", "p\u00a0=\u00a0—"),
    ],
)
def test_a_small_p_value_is_written_as_people_read(
    language: Language, p: float | None, cell: str, sentence: str
) -> None:
    assert (Formats(language).p_value(p), Formats(language).p_equation(p)) == (cell, sentence)


def test_the_p_value_of_a_finding_reads_the_same_whether_stored_as_text_or_number() -> None:
    voice = Voice("ru", texts(finding__broken_split=("({p})", "({p})")))
    stored = (Finding("broken_split", parameters={"p": p}) for p in ("3.0e-05", 3e-05))
    assert {voice.told(finding) for finding in stored} == {"(p\u00a0<\u00a00,0001)"}
