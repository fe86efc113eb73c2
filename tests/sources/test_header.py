from __future__ import annotations

import pytest

from otklik.errors import InputError
from otklik.sources.header import match_header, split_header

COLUMNS = {
    "income": {"type": "double", "source": "Доход, тг."},
    "phone": {"type": "string", "source": "tel.no", "aliases": ["Телефон"]},
    "city": {"type": "string", "missing": "null"},
}


def test_columns_are_found_by_name_in_any_order_case_and_kind_of_blank(make_contract) -> None:
    header = match_header(["\ufeffтелефон ", "CITY", "доход,\u00a0ТГ."], make_contract(COLUMNS), "f.csv")

    assert header.columns == ("phone", "city", "income")


def test_a_column_that_may_be_missing_is_left_out(make_contract) -> None:
    assert match_header(["tel.no", "Доход, тг."], make_contract(COLUMNS), "f.csv").columns == ("phone", "income")


def test_all_faults_of_a_header_are_named_at_once(make_contract) -> None:
    with pytest.raises(InputError) as caught:
        match_header(["Телефон", "tel.no", "age", "city"], make_contract(COLUMNS), "f.csv")

    line = caught.value.line()
    assert "missing: 'Доход, тг.'" in line
    assert "duplicate: 'tel.no'" in line
    assert "unknown columns: 'age'" in line


def test_of_unknown_names_beside_personal_columns_only_the_count_is_told(make_contract) -> None:
    """A record in the place of the header may hold one of the names; a quote may join records to it."""
    contract = make_contract({"id": {"type": "integer"}, "name": {"type": "string", "personal": True}})

    for names in (["1", "Anna", "ID"], ["id", "name\n1,Anna"]):
        with pytest.raises(InputError) as caught:
            match_header(names, contract, "f.csv")
        assert "Anna" not in caught.value.line()
        assert "unknown columns: 2" in caught.value.line() or "unknown columns: 1" in caught.value.line()


def test_new_columns_are_ignored_where_the_contract_says_so(make_contract) -> None:
    header = match_header(["id", "extra", "note"], make_contract(new_columns="ignore"), "f.csv")

    assert header.columns == ("id", None, "note")


def test_a_wrong_delimiter_is_guessed_from_the_header(make_contract) -> None:
    contract = make_contract()
    with pytest.raises(InputError, match="is the delimiter ';' rather than ','"):
        match_header(split_header("id;note", contract.format), contract, "f.csv")


def test_a_quoted_header_may_hold_delimiters_and_quotes(make_contract) -> None:
    assert split_header('"a,b", "c ""d""",e', make_contract().format) == ["a,b", 'c "d"', "e"]
