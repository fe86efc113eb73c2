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
from otklik.sources import checks, files
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
    assert '# or "MM/dd/yyyy"? both parse every value' in draft(str(tmp_path / "b.csv"))


def test_account_numbers_stay_text_and_a_comma_that_may_be_of_thousands_is_asked_about(tmp_path) -> None:
    lines = [f'408178100999100043{n:02d};"1,{n:03d}"' for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["account;sum", *lines, ""]))

    contract = drafted(tmp_path / "a.csv")

    types = {name: column.type for name, column in contract.columns.items()}
    assert types == {"account": "string", "sum": "double"}
    assert '# or thousands_separator = ","?' in draft(str(tmp_path / "a.csv"))


def test_two_counts_that_tell_rows_apart_by_chance_are_no_key(tmp_path) -> None:
    posts = [f"{n // 3};{n * n + 1};{n % 2}" for n in range(60)]
    (tmp_path / "posts.csv").write_text("\n".join(["likes;reach;hour", *posts, ""]))
    calls = [f"{n // 4};{n % 4};5" for n in range(60)]
    (tmp_path / "calls.csv").write_text("\n".join(["store;week;sold", *calls, ""]))

    assert drafted(tmp_path / "posts.csv").key.columns == ["reach"]
    (tmp_path / "posts.csv").write_text("\n".join(["likes;reach;hour", *posts, "20;2;1", ""]))
    assert drafted(tmp_path / "posts.csv").key.columns == "all"
    assert drafted(tmp_path / "calls.csv").key.columns == ["store", "week"]


def test_a_number_that_may_stand_for_none_is_remarked_with_its_rows(tmp_path) -> None:
    # An amount below zero is one of many; a year and an age have no number far from the others.
    lines = [f"{n};{999 if n % 3 else n};{-1 if n % 4 else n};{n - 30};{20 + n};{'' if n else -1}" for n in range(60)]
    (tmp_path / "calls.csv").write_text("\n".join(["id;days;before;amount;age;odd", *lines, ""]))

    remarks = [line.partition("  # ")[2] for line in draft(str(tmp_path / "calls.csv")).splitlines() if " = { " in line]

    assert remarks == [
        "",
        "999 in 40 of 60 rows: a number, or none? missing_codes = [999]",
        "-1 in 45 of 60 rows: a number, or none? missing_codes = [-1]",
        *("", "", ""),
    ]


def test_a_level_that_stands_for_nothing_elsewhere_is_not_required(tmp_path) -> None:
    lines = [f"{n};{'-' if n == 3 else n * 2};{'-' if n == 5 else 'a'}" for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["id;score;grade", *lines, ""]))

    contract = drafted(tmp_path / "a.csv")

    assert contract.format.null_tokens == ["", "-"]
    assert {name: column.required for name, column in contract.columns.items()} == {
        "id": True, "score": False, "grade": False,
    }  # fmt: skip


@pytest.mark.long
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
    with cached(checks.with_reasons(with_fields(records, contract), contract)) as checked:
        assert checks.balance(checks.with_duplicates(checked, contract), contract).accepted == count


def test_bytes_of_parquet_that_are_text_are_text(spark, tmp_path) -> None:
    rows = pa.table({"city": ["Тараз".encode(), b""], "hash": [b"a", b"\xff\x00"]})
    pq.write_table(rows, tmp_path / "a.parquet")

    records = read_records(spark, f"file://{tmp_path}/a.parquet", drafted(tmp_path / "a.parquet"))

    assert "bytes that are no text are read in base64: hash" in draft(str(tmp_path / "a.parquet"))
    found = [row.record for row in records.frame.orderBy("record_no").collect()]
    assert found == ['{"city":"Тараз","hash":"a"}', '{"city":"","hash":"/wA="}']


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
    with pytest.raises(InputError, match="contains no rows"):
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
        "1 of 3 rows are identical to another one and are loaded only once": REAL["equal.csv"][0],
        "NA means missing here, but is a value elsewhere": REAL["namibia.csv"][0],
        "1 values like 7.7E+10: a spreadsheet has rounded them": f"phone,x\n{phones}",
        "1 values have fewer than the usual 11 digits, like 770#######": f"phone,x\n{phones}7700000000,1\n",
        "2 lines are not utf-8": "id;x\n" + "".join(f"{n};Ёж\n" for n in range(9)),
    }
    for doubt, content in doubts.items():
        foreign = "8;ёж\n9;ёж\n".encode("cp1251") if "utf-8" in doubt else b""
        (tmp_path / "a.csv").write_bytes(content.encode() + foreign)

        assert doubt in draft(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'[{"id":1}, {"id"]', "is not valid JSON"),
        (b'{"a": [{"id":1}], \n', "is not valid JSON"),
        (b"[]", "contains no JSON array of objects"),
        (b"<a><b></a>", "is not well-formed XML: mismatched tag in line 1"),
        (b"<a>\n<b>1</b></a>", "contains no repeated element"),
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


#: Small exports of the shape that networks and shops have, and what their drafted contracts say of them.
NESTED: dict[str, Any] = {
    # One channel of Telegram; its texts are lists of pieces.
    "result.json": (
        {
            "name": "Лавка", "type": "public_channel", "id": 11,
            "messages": [
                {"id": n, "type": "message", "date_unixtime": f"{1_700_000_000 + n}",
                 "text": "plain" if n % 2 else ["see ", {"type": "bold", "text": f"n{n}"}],
                 "text_entities": [{"type": "plain", "text": "see "}, {"type": "bold", "text": f"n{n}"}]}
                for n in range(8)
            ],
        },
        {"kind": "json", "rows": "messages"}, 8, ("text", "see n2"),
    ),
    # All chats of Telegram, in one file.
    "chats.json": (
        {"chats": {"about": "…", "list": [
            {"name": f"c{c}", "id": c, "messages": [{"id": 10 * c + n, "text": f"t{c}{n}"} for n in range(5)]}
            for c in range(3)
        ]}},
        {"kind": "json", "rows": "chats.list[].messages"}, 15, ("name", "c0"),
    ),
    # Instagram: one follower per object, all of it in a list inside.
    "followers_1.json": (
        [{"title": "", "media_list_data": [],
          "string_list_data": [{"href": f"https://example.com/u{n}", "value": f"u{n}", "timestamp": 1_676_354_318 + n}]}
         for n in range(5)],
        {"kind": "json", "rows": None}, 5, ("string_list_data", None),
    ),
    # Facebook: UTF-8 read as Latin-1, milliseconds.
    "message_1.json": (
        {"participants": [{"name": "A"}, {"name": "B"}],
         "messages": [{"sender_name": "Анна".encode().decode("latin-1"), "timestamp_ms": 1_676_354_318_000 - n,
                       "content": f"m{n}"} for n in range(7)],
         "title": "A", "thread_path": "inbox/1"},
        {"kind": "json", "rows": "messages", "utf8_as_latin1": True}, 7, ("sender_name", "Анна"),
    ),
    # VK's answer to wall.get.
    "wall.json": (
        {"response": {"count": 4, "items": [
            {"id": n, "owner_id": -1, "date": 1_700_000_000 + n, "likes": {"count": n}, "text": f"p{n}"}
            for n in range(4)]}},
        {"kind": "json", "rows": "response.items"}, 4, ("text", "p2"),
    ),
    # Twitter's archive is a script.
    "tweets.js": (
        "window.YTD.tweets.part0 = " + json.dumps(
            [{"tweet": {"id_str": f"{n}", "created_at": f"Thu May {n + 10} 01:38:56 +0000 2020", "full_text": f"t{n}",
                        "entities": {"hashtags": []}}} for n in range(4)], indent=2),
        {"kind": "json", "rows": None}, 4, ("tweet_full_text", "t2"),
    ),
    # YML, the catalogue that shops hand to Yandex Market.
    "catalogue.xml": (
        '<?xml version="1.0" encoding="windows-1251"?>\n<yml_catalog date="2025-06-01"><shop><name>Лавка</name><offers>'
        + "".join(
            f'<offer id="{n:03d}" available="true"><name>Чай №{n}</name><price>{n}99.90</price>'
            f'<param name="вес" unit="г">{n}</param><param name="цвет">синий</param></offer>'.replace("№", "N")
            for n in range(4))
        + "</offers></shop></yml_catalog>",
        {"kind": "xml", "rows": "offer", "encoding": "cp1251"}, 4, ("name", "Чай N2"),
    ),
    # 1C's CommerceML.
    "import.xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<КоммерческаяИнформация Версия="2.08"><Каталог><Ид>к1</Ид><Товары>'
        + "".join(
            f"<Товар><Ид>t-{n}</Ид><Наименование>Сыр {n}</Наименование><ЗначенияРеквизитов><ЗначениеРеквизита>"
            f"<Наименование>Вес</Наименование><Значение>{n}</Значение></ЗначениеРеквизита><ЗначениеРеквизита>"
            f"<Наименование>Вид</Наименование><Значение>Товар</Значение></ЗначениеРеквизита></ЗначенияРеквизитов></Товар>"
            for n in range(4))
        + "</Товары></Каталог></КоммерческаяИнформация>",
        {"kind": "xml", "rows": "Товар"}, 4, ("naimenovanie", "Сыр 2"),
    ),
    # A feed of news or mentions.
    "mentions.rss": (
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>лента</title>'
        + "".join(
            f"<item><title>Новость {n}</title><link>https://example.com/{n}</link><dc:creator>A{n}</dc:creator>"
            f'<pubDate>Thu, {n + 1:02d} May 2025 01:38:56 +0500</pubDate><guid isPermaLink="false">g{n}</guid></item>'
            for n in range(4))
        + "</channel></rss>",
        {"kind": "xml", "rows": "item"}, 4, ("title", "Новость 2"),
    ),
    # A report in columns, as accounting programs print it.
    "report.prn": (
        "Код   Наименование      Сумма\n"
        + "".join(f"{n:05d} Чай, зелёный {n % 7} {n * 10.5:8.2f}\n" for n in range(30)),
        {"kind": "fixed", "header": True}, 30, ("naimenovanie", "Чай, зелёный 2"),
    ),
    "table.dat": (
        "  id   city      x\n" + "".join(f"   {n}   Тараз     {n / 2}\n" for n in range(30)),
        {"kind": "blanks", "header": True}, 30, ("city", "Тараз"),
    ),
}  # fmt: skip


def test_fields_of_objects_inside_the_rows_are_left_out_and_stand_as_comments(tmp_path) -> None:
    content = '{"id":1,"utm.source":"a","_id":{"$oid":"x1"},"likes":{"count":3}}\n'
    (tmp_path / "a.jsonl").write_text(content * 2)
    (tmp_path / "b.jsonl").write_text('{"tweet":{"id":1,"text":"a"}}\n')

    text = draft(str(tmp_path / "a.jsonl"))

    assert [*drafted(tmp_path / "a.jsonl").columns] == ["id", "utm_source", "id_oid"]
    assert drafted(tmp_path / "a.jsonl").new_columns == "ignore"
    read = validate(Contract, tomllib.loads(text.replace("# likes_count", "likes_count")), "a.jsonl")
    assert read.columns["likes_count"].source == "likes.count"
    assert [*drafted(tmp_path / "b.jsonl").columns] == ["tweet_id", "tweet_text"]


PARTS = [{"type": "bold", "text": "a"}] * 3


@pytest.mark.parametrize(
    ("document", "rows", "remark"),
    [
        ({"messages": [{"id": 1, "date": "d", "text_entities": PARTS}]}, "messages", "messages[].text_entities"),
        (
            {"orders": [{"id": 1, "created_at": "d", "line_items": [{"id": n} for n in range(4)]}]},
            "orders",
            "holds rows",
        ),
        (
            {"chats": [{"id": 1, "messages": [{"id": n} for n in range(4)]}]},
            "chats[].messages",
            'inside those of "chats"',
        ),
        ([{"timestamp": 1, "label_values": [{"label": "URL", "value": "x"}] * 3}], None, "pairs of name and value"),
        ({"items": [{"id": 1}], "profiles": PARTS, "groups": PARTS}, "items", 'other rows: rows = "profiles" (3)'),
        ({"meta": PARTS, "data": [{"id": 1}]}, "data", 'other rows: rows = "meta" (3)'),
        ({"a": [{"x": 1}], "users": [{"x": n} for n in range(2)], "b": [{"x": n} for n in range(3)]}, "b", "users"),
    ],
)
def test_the_rows_of_a_document_are_things_of_their_own(tmp_path, document, rows, remark) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document))

    assert drafted(tmp_path / "a.json").format.rows == rows
    assert remark in draft(str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("result.json", "import.xml", "report.prn") else pytest.mark.long)
        for name in NESTED
    ],
)
def test_exports_of_networks_shops_and_accounting_are_drafted_and_read_by_their_draft(spark, tmp_path, name) -> None:
    content, format_, count, (column, text) = NESTED[name]
    written = content if isinstance(content, str) else json.dumps(content, ensure_ascii=name != "chats.json", indent=1)
    (tmp_path / name).write_bytes(written.encode("cp1251" if "windows-1251" in written else "utf-8"))

    contract = drafted(tmp_path / name)

    assert {key: getattr(contract.format, key) for key in format_} == format_
    files.check_whole(files.describe(spark, f"file://{tmp_path}/{name}"), contract)
    records = read_records(spark, f"file://{tmp_path}/{name}", contract)
    with cached(checks.with_reasons(with_fields(records, contract), contract)) as checked:
        judged = checks.with_duplicates(checked, contract)
        counts = checks.balance(judged, contract)
        assert (counts.rows, counts.accepted) == (count, count), checks.commonest_reasons(judged)
        texts = [row[0] for row in judged.orderBy("_record_no").select(column).collect()]
    assert text in texts or text is None
