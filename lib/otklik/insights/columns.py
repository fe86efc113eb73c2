"""Columns that the frames of several kinds have. Imports no Spark."""

from __future__ import annotations

from otklik.kind import FrameColumn
from otklik.settings import Text

CUSTOMER = FrameColumn(
    "customer", "string", Text(en="key of the customer", ru="ключ клиента"), is_key=True, like=("customer", "id", "key")
)
