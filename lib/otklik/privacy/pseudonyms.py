"""Pseudonyms: HMAC-SHA256 (RFC 2104) of a value under a secret key, so that equal values have equal pseudonyms.

The key never appears in a query plan: it is joined as a one-row frame, because a literal would be printed by explain,
in errors and in Spark's event log.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.session import frame_of

#: Of this text the fingerprint of a key is made; no column of personal values holds it.
_FINGERPRINTED = b"otklik: which key made these pseudonyms"
_FINGERPRINT_DIGITS = 16

_BLOCK = 64
_INNER, _OUTER = 0x36, 0x5C


def fingerprint(key: bytes) -> str:
    """16 hexadecimal digits that identify a key without revealing it.

    Args:
        key: the key; see `otklik.privacy.key`.
    """
    return hmac.new(key, _FINGERPRINTED, hashlib.sha256).hexdigest()[:_FINGERPRINT_DIGITS]


def with_pseudonyms(rows: DataFrame, columns: Sequence[str], key: bytes) -> DataFrame:
    """Replace personal columns by 64 hexadecimal digits; null stays null, outer blanks do not count.

    Args:
        rows: any rows.
        columns: names of text columns of `rows`.
        key: the key; see `otklik.privacy.key`.
    """
    if not columns:
        return rows
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    pads = (bytes(byte ^ _INNER for byte in block), bytes(byte ^ _OUTER for byte in block))
    keys = frame_of(rows.sparkSession, [pads], "_inner BINARY, _outer BINARY")
    keyed = rows.crossJoin(F.broadcast(keys))
    replaced = [_pseudonym(F.col(name)).alias(name) if name in columns else F.col(name) for name in rows.columns]
    return keyed.select(*replaced)


def _pseudonym(value: Column) -> Column:
    """hash(outer pad + hash(inner pad + value)): RFC 2104."""
    inner = F.sha2(F.concat(F.col("_inner"), F.trim(value).cast("binary")), 256)
    return F.sha2(F.concat(F.col("_outer"), F.unhex(inner)), 256)
