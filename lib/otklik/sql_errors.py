"""What Spark says where SQL fails on the values of a row, instead of giving a value. Knows no Spark."""

from __future__ import annotations

import re

#: The classes of data exceptions and of subqueries that give several rows, as the SQL standard numbers them; and dates
#: that Spark's old parser read in another way. They stand in the text of a failure, often inside another's.
_DATA_EXCEPTION = re.compile(r"SQLSTATE: (?:22(?!KD)|21)\w{3}|INCONSISTENT_BEHAVIOR_CROSS_VERSION")


def fails_on_a_row(fault: BaseException) -> bool:
    """Whether a failure is that of an expression on some row: a cast, a division, a date, a pattern …

    Such messages quote the row's values: tell users of the expression, and pass nothing of them on.
    """
    return bool(_DATA_EXCEPTION.search(f"{fault}"))
