from __future__ import annotations

import hashlib
import hmac

import pytest
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.privacy.key import read_key
from otklik.privacy.pseudonyms import with_pseudonyms

KEY = b"0123456789abcdef" * 2


@pytest.mark.parametrize("key", [KEY, b"k" * 16, b"k" * 64, b"long " * 40, bytes(range(256))])
def test_a_pseudonym_is_the_hmac_of_the_trimmed_value(spark, key) -> None:
    names = ["Анна", "", "a" * 500, "Өтегенқызы", " Анна "]
    rows = spark.createDataFrame([(n, name, name) for n, name in enumerate(names)], "n INT, name STRING, other STRING")

    found = {row.n: row for row in with_pseudonyms(rows, ["name"], key).collect()}

    for n, name in enumerate(names):
        assert found[n].name == hmac.new(key, name.strip(" ").encode(), hashlib.sha256).hexdigest()
        assert found[n].other == name


def test_null_stays_null_and_columns_keep_their_order(spark) -> None:
    rows = spark.createDataFrame([(None, 1, "x")], "phone STRING, n INT, name STRING")

    replaced = with_pseudonyms(rows, ["name", "phone"], KEY)

    assert replaced.columns == rows.columns
    assert replaced.collect()[0].phone is None


def test_neither_key_nor_values_stand_in_the_plan(spark, capsys) -> None:
    rows = spark.range(3).select(F.concat(F.lit("name"), F.col("id")).alias("name"))
    replaced = with_pseudonyms(rows, ["name"], KEY)

    replaced.explain("extended")
    replaced.explain("formatted")

    plan = capsys.readouterr().out
    inner = bytes(byte ^ 0x36 for byte in KEY)
    outer = bytes(byte ^ 0x5C for byte in KEY)
    assert "sha2" in plan
    for secret in (KEY, inner, outer):
        assert secret.hex() not in plan.lower()
        assert secret.decode() not in plan
        assert str(list(secret))[1:-1] not in plan


def test_a_key_comes_from_a_text_or_a_file(tmp_path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef\n")

    assert read_key(" 0123456789abcdef ", None) == read_key(None, str(tmp_path / "key")) == b"0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "file", "fault"),
    [
        (None, None, "is missing"),
        ("  ", None, "is missing"),
        ("short secret", None, "is shorter than 16 bytes"),
        (None, "no/such/file", "cannot be read"),
        ("0123456789abcdef", "key", "set twice"),
    ],
)
def test_a_missing_or_short_key_is_refused_and_not_shown(text, file, fault) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_key(text, file)

    assert fault in caught.value.line()
    assert "secret" not in caught.value.line().replace("secret key", "")
