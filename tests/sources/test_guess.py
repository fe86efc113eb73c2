"""What a column of texts may be."""

from __future__ import annotations

from typing import Any

import pytest

from otklik.sources.guess import guess_column

#: Name, texts → type, patterns, units, null tokens and what a remark says, as far as they are told.
COLUMNS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("sum", ["1 234,56 ₸", "-5,10 ₸"], {"type": "double", "units": ("₸",)}),
    ("share", ["12.5%", "7%"], {"type": "double", "units": ("%",)}),
    ("sum", ["5 ₸", "5 $"], {"type": "string", "remark": "numbers with several units: $, ₸"}),
    ("sum", ["12.5", "13,5", "7"], {"type": "string", "remark": "a decimal point in some rows and a decimal comma in"}),
    ("sum", ["12345678901234567890.123456789", "1"], {"type": "decimal(29,9)"}),
    ("share", ["0.6837000000000001", "0.1"], {"type": "double"}),
    ("n", ["١٢", "٣"], {"type": "string"}),
    ("customer", ["17850.0", "14527.0"], {"type": "double", "remark": "as pandas writes them in columns with missing"}),
    ("CustomerID", ["17850.0", "14527.0"], {"type": "integer"}),
    ("x", ["inf", "1.5", "NaN"], {"type": "double", "nulls": {"inf", "NaN"}, "remark": "1 values are infinite"}),
    ("x", ["нет данных", "1.#QNAN", "3"], {"type": "integer", "nulls": {"нет данных", "1.#QNAN"}}),
    ("x", ["#####", "3"], {"type": "integer", "nulls": {"#####"}}),
    ("phone", ["'77011234567", "'77021234567"], {"type": "string", "is_personal": True}),
    ("Телефон", ["77000000100", "7.7E+10"], {"type": "string", "is_personal": True, "remark": "1 values like 7.7E+10"}),
    ("phone", ["77000000100.0", ""], {"type": "string", "is_personal": True}),
    ("x", [f"770000001{n:02}" for n in range(20)] + ["7.7E+10"], {"type": "string"}),
    ("x", ["1e5", "2.5E+06", "17"], {"type": "double"}),
    ("order_id", ["1000000001", "1000000038"], {"type": "integer", "remark": ""}),
    ("ИИН", ["950101300123", "951201300900"], {"type": "string", "is_personal": True}),
    ("x", ["1709629200", "1709629201"], {"type": "integer", "remark": "and may be times: epoch_seconds"}),
    ("createdAt", ["1709629201", "1709629200"], {"type": "timestamp", "patterns": ("epoch_seconds",)}),
    ("release", ["1.9", "1.10", "1.1"], {"type": "string", "remark": "as numbers, some of these texts would be equal"}),
    ("weight", ["1.5", "2.0", "2.00"], {"type": "double"}),
    ("price", ["1.5", "1.50"], {"type": "double"}),
    ("sku", ["12.10", "12.11"], {"type": "string"}),
    ("code", ['="0012"', '="12"'], {"type": "string"}),
    ("day", ["0000-00-00", "2024-03-05"], {"type": "date", "nulls": {"0000-00-00"}}),
    ("day", [".  .", "05.03.2024"], {"type": "date", "nulls": {".  ."}}),
    ("day", ["20240105", "20231231"], {"type": "date", "patterns": ("yyyyMMdd",)}),
    ("dateHour", ["2024010523", "2024010600"], {"type": "timestamp", "patterns": ("yyyyMMddHH",)}),
    ("date_time", ["202401052359", "202401060000"], {"type": "timestamp", "patterns": ("yyyyMMddHHmm",)}),
    ("date", ["20240105", "2024010600"], {"type": "integer"}),
    ("total", ["20240105", "20231231"], {"type": "integer"}),
    ("is_active", ["t", "f"], {"type": "boolean"}),
    ("sex", ["f", "F"], {"type": "string"}),
    (
        "date",
        ["45292", "45383"],
        {"type": "date", "patterns": ("spreadsheet_days",), "remark": "days as a spreadsheet"},
    ),
    ("date", ["05.03.2024", "45356"], {"type": "date", "patterns": ("dd.MM.yyyy", "spreadsheet_days")}),
    ("update_count", ["45292", "45383"], {"type": "integer"}),
    ("contact", ["(727) 250-10-01", "7 701 250 10 02"], {"is_personal": True}),
    ("x", ["…", ":", "..", "10,5"], {"type": "double", "nulls": {"…", ":", ".."}}),
    ("datetime", ["45292.5", "45383.25"], {"type": "timestamp", "patterns": ("spreadsheet_days",)}),
    ("month", ["01.2024", "12.2023"], {"type": "date", "patterns": ("MM.yyyy",)}),
    ("x", ["01.2024", "12.2023"], {"type": "string"}),
    ("at", ["3/5/2024 1:15 PM", "12/31/2023 12:00 am"], {"type": "timestamp", "patterns": ("M/d/yyyy h:mm a",)}),
    ("at", ["2024-03-05 10:00:00+00"], {"type": "timestamp", "patterns": ("yyyy-MM-dd HH:mm:ssX",)}),
    (
        "at",
        ["2024-03-05 10:00:00 UTC", "2024-03-05 10:00:00.123 UTC", "2024-03-05 10:00:00.123456 UTC"],
        {"type": "timestamp"},
    ),
    ("at", ["2024-03-05T10:00:00.1234567Z"], {"patterns": ("yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX",)}),
    ("at", ["2024-03-05 10:00:00.5", "2024-03-05 10:00:00"], {"type": "timestamp"}),
    ("at", ["05.03.2024 0:00:00", "06.03.2024 0:00:00"], {"type": "date", "patterns": ("dd.MM.yyyy H:mm:ss",)}),
    ("at", ["05.03.2024 24:00", "05.03.2024 12:00"], {"type": "timestamp", "patterns": ("dd.MM.yyyy HH:mm",)}),
    ("at", ["3/12/24, 1:15:00\u202fPM", "3/5/24, 1:15:00 a.m."], {"patterns": ("M/d/yy, h:mm:ss a",)}),
    ("at", ["2024/03/25 1:15:00 PM GMT+5"], {"patterns": ("yyyy/MM/dd h:mm:ss a O",)}),
    ("day", ["5\u00a0марта\u00a02024\u00a0г.", "25 мая 2024 г."], {"patterns": ("d MMMM yyyy 'г.'",)}),
    ("ts", ["1709629200.000100", "1709629201.25"], {"type": "timestamp", "patterns": ("epoch_seconds",)}),
    ("x", ["#ERROR!", "Loading...", "3"], {"type": "integer", "nulls": {"#ERROR!", "Loading..."}}),
    ("күні", ["5 наурыз 2024 ж.", "1 мамыр 2024 ж."], {"type": "date", "patterns": ("d MMMM yyyy 'ж.'",)}),
    ("at", ["5 марта 2024, 9:30"], {"type": "timestamp", "patterns": ("d MMMM yyyy, H:mm",)}),
    ("day", ["03/25/2024", "25/03/2024"], {"type": "string", "remark": "dates with the day first in some rows"}),
    (
        "day",
        [f"{n:02}.03.2024" for n in range(1, 30)] + ["31.02.2024"],
        {"remark": "but for 1 of 30 values such as ##.##.####"},
    ),
]


@pytest.mark.parametrize(("name", "texts", "told"), COLUMNS)
def test_what_a_column_may_be(name: str, texts: list[str], told: dict[str, Any]) -> None:
    guess = guess_column(name, texts, comma_is_free=True)

    assert told.pop("remark", "") in "; ".join(guess.remarks)
    assert set(told.pop("nulls", set())) <= set(guess.nulls)
    assert {key: getattr(guess, key) for key in told} == told
