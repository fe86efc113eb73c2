"""In which code page a text without a mark is written."""

from __future__ import annotations

import pytest

from otklik.sources.contract import CHARSETS
from otklik.sources.sniff import guess_encoding

RUSSIAN_PAGES = ("cp1251", "cp866", "koi8-r", "mac-cyrillic", "iso8859-5")
TABLE = (
    "id;фамилия;город;дата;сумма\n1;Иванов;Алматы;2024-01-05;1200\n2;Петрова;Шымкент;2024-01-06;300\n3;Асанов;Ош;;\n"
)
PHRASES = [
    "Добрый день, подскажите пожалуйста условия по вкладу", "Не могу войти в приложение, помогите",
    "Спасибо за быстрый ответ!", "Когда будет выплата по кредиту?", "ОТЛИЧНЫЙ БАНК", "ёжик и щука",
]  # fmt: skip
COMMENTS = "id;текст\n" + "".join(f"{number};{text}\n" for number, text in enumerate(PHRASES * 5))
CAPITALS = "ID;ФАМИЛИЯ;ГОРОД\n" + "".join(f"{n};{name};АЛМАТЫ\n" for n, name in enumerate(["ИВАНОВ", "СИДОРОВА"] * 8))
KAZAKH = "id;аты;қала\n" + "".join(f"{n};{name};Қызылорда\n" for n, name in enumerate(["Әлия Өтегенқызы", "Үміт"] * 8))
GERMAN = "id;name;stadt\n" + "".join(f"{n};{name};München\n" for n, name in enumerate(["Jürgen Groß", "Zoë"] * 8))
FRENCH = "id;avis\n" + "".join(f"{n};{text}\n" for n, text in enumerate(["Très bien, merci à vous", "Élève déçu"] * 8))
PRICES = "id;price\n" + "".join(f"{number};{number * 3} €\n" for number in range(30))


@pytest.mark.parametrize("encoding", RUSSIAN_PAGES)
@pytest.mark.parametrize("text", [TABLE, COMMENTS], ids=["table", "comments"])
def test_russian_text_is_told_in_every_page(text: str, encoding: str) -> None:
    assert guess_encoding(text.encode(encoding)) == encoding
    assert encoding in CHARSETS


@pytest.mark.parametrize("encoding", RUSSIAN_PAGES)
def test_capitals_alone_are_read_as_what_they_are(encoding: str) -> None:
    """Of two pages that agree on every letter of a text either is right."""
    content = CAPITALS.encode(encoding)

    assert content.decode(guess_encoding(content)) == CAPITALS


@pytest.mark.parametrize("text", [GERMAN, FRENCH, PRICES], ids=["german", "french", "euros"])
def test_western_text_is_no_cyrillic(text: str) -> None:
    assert guess_encoding(text.encode("cp1252")) == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [COMMENTS, KAZAKH, GERMAN], ids=["russian", "kazakh", "german"])
def test_unicode_is_told_before_any_page(text: str, encoding: str) -> None:
    assert text.encode(encoding).decode(guess_encoding(text.encode(encoding))) == text


def test_a_damaged_byte_or_foreign_lines_change_nothing() -> None:
    of_page, of_utf8 = COMMENTS.encode("cp1251"), COMMENTS.encode()

    # 0x98 means nothing in cp1251, while it is a letter in others.
    assert guess_encoding(of_page.replace(b"\n", b"\x98\n", 1)) == "cp1251"
    assert guess_encoding(of_page + "99;Привет, мир\n".encode() * 2) == "cp1251"
    assert guess_encoding(of_utf8 + b"99;caf\xe9 \xff\n") == "utf-8"


@pytest.mark.parametrize("encoding", ["kz1048", "ptcp154"])
def test_kazakh_text_is_told_in_its_code_pages(encoding: str) -> None:
    assert guess_encoding(KAZAKH.encode(encoding)) == encoding


def test_ukrainian_text_is_no_kazakh() -> None:
    text = "id;назва\n" + "".join(f"{n};Їжа для Євгенії в Україні\n" for n in range(20))

    assert guess_encoding(text.encode("cp1251")) == "cp1251"


def test_emoji_in_halves_are_no_code_page() -> None:
    assert guess_encoding(b"id,note\n1,\xed\xa0\xbd\xed\xb8\x80\n2,ok\n") == "utf-8"
