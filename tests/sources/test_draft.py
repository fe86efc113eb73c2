from __future__ import annotations

import gzip
import json
import tomllib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otklik.errors import InputError
from otklik.session import cached
from otklik.settings import validate
from otklik.sources import checks
from otklik.sources.contract import Contract
from otklik.sources.draft import draft, our_names
from otklik.sources.fields import with_fields
from otklik.sources.reader import read_records


def drafted(path: Path) -> Contract:
    return validate(Contract, tomllib.loads(draft(str(path))), path.name)


RUSSIAN = "Код клиента;Фамилия;Моб. телефон;Доход, тг;Дата рожд.;Город\r\n" + "".join(
    f"{n};Петров{n};+7 701 000 {n:02d} {n:02d};1 {n:03d},50;{n % 28 + 1:02d}.03.1980;{'Уральск' if n % 2 else '-'}\r\n"
    for n in range(1, 80)
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "koi8-r", "cp866"])
def test_a_russian_export_is_recognised_in_every_encoding(tmp_path, encoding) -> None:
    (tmp_path / "Клиенты 2024.csv").write_bytes(RUSSIAN.encode(encoding))

    contract = drafted(tmp_path / "Клиенты 2024.csv")

    assert contract.name == "klienty_2024"
    assert contract.format.encoding == encoding.removesuffix("-sig")
    assert (contract.format.delimiter, contract.format.decimal_comma) == (";", True)
    assert (contract.format.thousands_separator, contract.format.date_formats) == (" ", ["dd.MM.yyyy"])
    types = {name: column.type for name, column in contract.columns.items()}
    assert types == {
        "kod_klienta": "integer",
        "familiya": "string",
        "mob_telefon": "string",
        "dokhod_tg": "double",
        "data_rozhd": "date",
        "gorod": "string",
    }
    assert contract.personal_columns == ["familiya", "mob_telefon"]
    assert contract.key_columns == ["kod_klienta"]


def test_json_lines_null_tokens_and_ambiguous_dates(tmp_path) -> None:
    rows = [{"id": n, "at": "2024-01-01T00:00:00.123456Z", "x": "NA" if n == 3 else str(n / 2)} for n in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "b.csv").write_text("day,n\n" + "".join(f"0{n % 9 + 1}/02/2024,{n}\n" for n in range(20)))

    events = drafted(tmp_path / "a.jsonl")

    assert (events.format.kind, events.format.null_tokens, events.columns["x"].type) == (
        "json_lines",
        ["", "NA"],
        "double",
    )
    assert events.format.timestamp_formats == ["yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"]
    assert '# or "MM/dd/yyyy"? both read every value' in draft(str(tmp_path / "b.csv"))


def test_account_numbers_stay_text_and_a_comma_that_may_be_of_thousands_is_asked_about(tmp_path) -> None:
    lines = [f'408178100999100043{n:02d};"1,{n:03d}"' for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["account;sum", *lines, ""]))

    contract = drafted(tmp_path / "a.csv")

    types = {name: column.type for name, column in contract.columns.items()}
    assert types == {"account": "string", "sum": "double"}
    assert '# or thousands_separator = ","?' in draft(str(tmp_path / "a.csv"))


def test_a_level_that_stands_for_nothing_elsewhere_is_not_required(tmp_path) -> None:
    lines = [f"{n};{'-' if n == 3 else n * 2};{'-' if n == 5 else 'a'}" for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["id;score;grade", *lines, ""]))

    contract = drafted(tmp_path / "a.csv")

    assert contract.format.null_tokens == ["", "-"]
    assert {name: column.required for name, column in contract.columns.items()} == {
        "id": True, "score": False, "grade": False,
    }  # fmt: skip


def test_a_parquet_file_is_drafted_from_its_schema_and_read_by_it(spark, tmp_path) -> None:
    count = 60
    rows = pa.table(
        {
            "Order Id": pa.array(range(count)),
            "e-mail": [f"anna{n}@example.kz" for n in range(count)],
            "price": pa.array([Decimal("1.50")] * count, pa.decimal128(10, 2)),
            "weight": [float("nan"), *[0.5] * (count - 1)],
            "paid": [n % 2 == 0 for n in range(count)],
            "day": [date(2024, 1, 1) + timedelta(days=n) for n in range(count)],
            "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")),
            "written": ["31.12.2023"] * count,
            "parts": [["a", "b"]] * count,
            "note": [None, *["1,5"] * (count - 1)],
        }
    )
    pq.write_table(rows, tmp_path / "orders.parquet")

    contract = drafted(tmp_path / "orders.parquet")

    assert (contract.name, contract.format.kind, contract.key_columns) == ("orders", "parquet", ["order_id"])
    assert {name: column.type for name, column in contract.columns.items()} == {
        "order_id": "integer",
        "e_mail": "string",
        "price": "decimal(10,2)",
        "weight": "double",
        "paid": "boolean",
        "day": "date",
        "at": "timestamp",
        "written": "date",
        "parts": "string",
        "note": "string",
    }
    assert contract.personal_columns == ["e_mail"]
    assert [name for name, column in contract.columns.items() if not column.required] == ["weight", "note"]
    records = read_records(spark, f"file://{tmp_path}/orders.parquet", contract)
    judged = checks.with_duplicates(checks.with_reasons(with_fields(records, contract), contract), contract)
    assert checks.balance(judged, contract).accepted == count


def test_a_parquet_file_that_is_cut_is_refused(tmp_path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + b"\0" * 20)

    with pytest.raises(InputError, match="truncated or corrupt Parquet file"):
        draft(str(tmp_path / "a.parquet"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{broken", b"\x00\x01\x02\x03" * 9])
def test_what_is_no_text_of_rows_is_refused(tmp_path, content) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError):
        draft(str(tmp_path / "a.csv"))


def test_a_folder_is_no_file_to_draft_from(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        draft(str(tmp_path))


@pytest.mark.parametrize("content", [b'"\n', b'""\n\n'])
def test_a_file_of_quotes_holds_no_rows(tmp_path, content) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match="holds no rows"):
        draft(str(tmp_path / "a.csv"))


def test_a_draft_takes_no_name_that_is_taken(tmp_path) -> None:
    (tmp_path / "rejected.csv").write_text("id,known_at\n1,a\n", encoding="utf-8")

    contract = drafted(tmp_path / "rejected.csv")

    assert (contract.name, contract.columns["known_at_2"].source) == ("rejected_2", "known_at")


def test_names_are_made_of_the_house_and_unique() -> None:
    assert our_names(["MntWines", "Ёжик (шт.)", "2nd", "", "a b", "A_B"]) == [
        "mnt_wines",
        "yozhik_sht".replace("yo", "e"),
        "c_2nd",
        "column_4",
        "a_b",
        "a_b_2",
    ]


cell = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(str),
    st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(lambda day: day.strftime("%d.%m.%Y")),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10),
)


@settings(max_examples=150, deadline=timedelta(seconds=2), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(cell, min_size=3, max_size=3), min_size=2, max_size=30),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["utf-8", "utf-16", "cp1251"]),
)
def test_whatever_the_file_the_draft_is_a_valid_contract_or_one_clear_line(tmp_path, rows, delimiter, encoding) -> None:
    text = "\n".join(delimiter.join(row) for row in [["a", "б", "c d"], *rows])
    (tmp_path / "a.csv").write_bytes(text.encode(encoding, errors="replace"))

    try:
        contract = drafted(tmp_path / "a.csv")
    except InputError:
        return

    assert contract.columns


SHARED = {
    "customer_personality/marketing_campaign.csv": (2_240, 0, 0),
    "telco_churn/Telco-Customer-Churn.csv": (7_043, 0, 0),
    "facebook_live_sellers/Live.csv": (7_050, 0, 51),
    "rusentitweet/rusentitweet_full.csv.gz": (13_392, 0, 0),
    "facebook_metrics/dataset_Facebook.csv": (500, 0, 0),
    "febrl/dataset1.csv": (1_000, 0, 0),
    "bank_marketing/bank-full.csv.gz": (45_211, 0, 0),
    "online_retail/online_retail.csv.gz": (541_909, 0, 5_268),
    "airline_tweets/Tweets.csv.gz": (14_640, 0, None),
}
QUICK = {
    "telco_churn/Telco-Customer-Churn.csv",
    "facebook_live_sellers/Live.csv",
}


@pytest.mark.parametrize(
    "file", [file if file in QUICK else pytest.param(file, marks=pytest.mark.long) for file in SHARED]
)
def test_a_drafted_contract_takes_in_a_public_data_set_as_it_stands(spark, shared_data, file) -> None:
    contract = drafted(shared_data / file)

    records = read_records(spark, f"file://{shared_data / file}", contract)
    # Kept, as ingest does: otherwise each question plans the fields of all columns anew, which takes a gigabyte.
    with cached(checks.with_reasons(with_fields(records, contract), contract)) as checked:
        judged = checks.with_duplicates(checked, contract)
        counts = checks.balance(judged, contract)

        rows, rejected, duplicates = SHARED[file]
        assert (counts.rows, counts.rejected) == (rows, rejected), checks.commonest_reasons(judged)
    assert duplicates is None or counts.duplicates == duplicates


def test_a_gzipped_file_is_drafted_from_its_beginning(tmp_path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,v\n" + b"".join(b"%d,1.5\n" % n for n in range(10_000))))

    text = draft(str(tmp_path / "a.csv.gz"), sample_bytes=1_000)

    assert "# Drafted from the first" in text
    assert "required" not in text


REAL: dict[str, tuple[str, dict[str, Any]]] = {
    "preamble.csv": ("Отчёт\nза май\nКампания;Клики\nВесна;20\nЛето;30\nИтого;50\n", {"skip_lines": 2, "footer": 1}),
    "excel.csv": ("sep=;\nКод;Сумма;;\n1;2,5;;\n2;3,5;;\n;;;\n", {"delimiter": ";", "decimal_comma": True}),
    "again.csv": ("id,x\n1,a\nid,x\n2,b\n", {}),
    "born.csv": ("id,born\n1,15.03.58\n2,01.12.61\n", {}),
    "empty_date.csv": (
        "id,at\n1,05.03.2024 10:00:00\n2,01.01.0001 0:00:00\n",
        {"placeholders": ["0001-01-01"]},
    ),
    "namibia.csv": ("id,country,age\n1,NA,2\n2,KZ,NA\n3,NA,4\n", {"null_tokens": [""]}),
    "faults.csv": ("id;x;y\n1;#Н/Д;1\n2;a;#Н/Д\n", {"null_tokens": ["", "#Н/Д"]}),
    "truth.csv": ("id;x\n1;ИСТИНА\n2;ЛОЖЬ\n", {}),
    "epoch.csv": ("id,at\n1,1709629200\n2,1709629200123\n", {"timestamp_formats": ["epoch_seconds", "epoch_millis"]}),
    "words.csv": ("id;day\n1;5 марта 2024 г.\n2;7 мая 2024 г.\n", {"date_formats": ["d MMMM yyyy 'г.'"]}),
    "separator.jsonl": ('{"id":1,"t":"a\u2028b"}\n{"id":2,"t":"c\x85d"}\n', {"kind": "json_lines"}),
    "latin.jsonl": ('{"id":1,"t":"\\u00d0\\u00b0\\u00d0\\u00b1"}\n', {"utf8_as_latin1": True}),
    "ragged.csv": ("id,x,y\n1,a,b\n2,c\n3,d,e,f\n", {}),
    "pandas.csv": (",id,x\n0,7,a\n1,8,b\n", {}),
    "doubled.csv": ("id,Сумма,Сумма\n1,2,3\n2,3,4\n", {}),
    "equal.csv": ("r,a\nR1,b\nR1,b\nR1,c\n", {}),
}


def test_a_draft_takes_in_the_file_it_was_made_from(judge, tmp_path) -> None:
    for name, (content, format_) in REAL.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        text = draft(str(tmp_path / name))
        contract = validate(Contract, tomllib.loads(text), name)
        assert {key: getattr(contract.format, key) for key in format_} == format_, text

        judged = judge(content, contract, name)
        counts = checks.balance(judged, contract)

        assert counts.accepted + counts.duplicates > 0, text
        assert not counts.rejected or "are rejected" in text, (text, checks.commonest_reasons(judged))
        checks.refuse_past_thresholds(counts, judged, contract, name)


def test_a_draft_says_what_it_doubts(tmp_path) -> None:
    phones = "".join(f"77000000{n:03d},{'7.7E+10' if n == 5 else n}\n" for n in range(60))
    doubts = {
        "two digits of a year mean 19": REAL["born.csv"][0],
        "1 of 3 rows are identical to another one, and are taken only once": REAL["equal.csv"][0],
        "NA stands for nothing here, and is a value elsewhere": REAL["namibia.csv"][0],
        "1 values like 7.7E+10: a spreadsheet has rounded them": f"phone,x\n{phones}",
        "1 values have fewer than the usual 11 digits": f"phone,x\n{phones}7700000000,1\n",
        "2 lines are not utf-8": "id;x\n" + "".join(f"{n};Ёж\n" for n in range(9)),
    }
    for doubt, content in doubts.items():
        foreign = "8;ёж\n9;ёж\n".encode("cp1251") if "utf-8" in doubt else b""
        (tmp_path / "a.csv").write_bytes(content.encode() + foreign)

        assert doubt in draft(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'[{"id":1}]', "is one JSON array"),
        (b'[\n{"id":1},\n{"id":2}\n]', "is one JSON array"),
        (b"<html><table><tr><td>1", "is an HTML page"),
    ],
)
def test_what_is_no_table_is_called_by_its_name(tmp_path, content, fault) -> None:
    (tmp_path / "a.csv").write_bytes(content)

    with pytest.raises(InputError, match=fault):
        draft(str(tmp_path / "a.csv"))


def test_lines_of_any_length_are_drafted_as_lists(tmp_path) -> None:
    lines = [",".join(["milk", "bread", "tea", "jam"][: n % 4 + 1]) for n in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(lines))

    contract = drafted(tmp_path / "a.csv")

    assert contract.format.kind == "list"
    assert list(contract.columns) == ["line", "place", "value"]
