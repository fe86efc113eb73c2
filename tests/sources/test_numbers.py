"""Numbers as people write them."""

from __future__ import annotations

import pytest

from otklik.sources.numbers import Marks, likeliest_marks, marks_that_read, unit_of, with_sign_in_front, without_units


@pytest.mark.parametrize(
    ("text", "signed", "unit", "bare"),
    [
        ("(33.52)", "-33.52", None, "-33.52"),
        ("($182.77)", "-$182.77", "$", "-182.77"),
        ("€(63.12)", "-€63.12", "€", "-63.12"),
        ("33.52-", "-33.52", None, "-33.52"),
        ("5 400,00- ₸", "-5 400,00 ₸", "₸", "-5 400,00"),
        ("\u22125", "-5", None, "-5"),
        ("- 5 400 ₸", "-5 400 ₸", "₸", "-5 400"),
        ("+\u00a010 тенге", "+10 тенге", "тенге", "+10"),
        ("12,5\u00a0%", "12,5\u00a0%", "%", "12,5"),
        ("KZT 1200.50", "KZT 1200.50", "KZT", "1200.50"),
        ("1 500,30 руб.", "1 500,30 руб.", "руб.", "1 500,30"),
        ("—", "—", None, "—"),
        ("5 - 6", "5 - 6", None, "5 - 6"),
        ("(x)", "(x)", None, "(x)"),
    ],
)
def test_signs_and_units(text: str, signed: str, unit: str | None, bare: str) -> None:
    assert with_sign_in_front(text) == signed
    assert unit_of(signed) == unit
    assert without_units(signed, [unit] if unit else []) == bare


@pytest.mark.parametrize(
    ("texts", "marks"),
    [
        (["1.5", "2"], Marks()),
        (["1,5", "7,5E+2"], Marks(decimal_comma=True)),
        (["1 234.5", "1\u2009234"], Marks(thousands_separator=" ")),
        (["1\u202f234,5"], Marks(decimal_comma=True, thousands_separator=" ")),
        (["1'234.5", "2\u2019000\u2019000"], Marks(thousands_separator="'")),
        (["1.337,00", "-2.000.000,50", "7,25"], Marks(decimal_comma=True, thousands_separator=".")),
        (["1,337.00", "2,000,000"], Marks(thousands_separator=",")),
        (["1,5", "1.5"], None),
        (["12 34"], None),
        (["1e400"], None),
        (["٧"], None),
    ],
)
def test_marks_that_read_all_numbers_of_a_column(texts: list[str], marks: Marks | None) -> None:
    assert (marks_that_read(texts, comma_is_free=True) or (None,))[0] == marks


def test_another_column_tells_whether_a_comma_is_of_thousands() -> None:
    either, only = (marks_that_read([text], comma_is_free=True) for text in ("1,337", "12.5"))

    assert likeliest_marks([either]) == Marks(decimal_comma=True)
    assert likeliest_marks([either, only]) == Marks(thousands_separator=",")
