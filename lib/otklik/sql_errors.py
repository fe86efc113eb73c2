"""Recognise Spark errors of SQL that fails on the values of a row. Imports no Spark."""

from __future__ import annotations

import re

#: The classes of data exceptions and of subqueries that give several rows, as the SQL standard numbers them; and dates
#: that Spark's old parser read in another way. They stand in the text of a failure, often inside another's.
_DATA_EXCEPTION = re.compile(r"SQLSTATE: (?:22(?!KD)|21)\w{3}|INCONSISTENT_BEHAVIOR_CROSS_VERSION")


def fails_on_a_row(fault: BaseException) -> bool:
    """Whether an expression failed on a row: a cast, a division, a date, a pattern …

    Such messages quote values of the row: report the expression only.
    """
    return bool(_DATA_EXCEPTION.search(f"{fault}"))
