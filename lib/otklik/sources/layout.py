"""Lines whose fields stand in columns: of fixed width, or with any number of blanks between them.

Both are read as delimited lines: the pieces of a line are put together with a mark that no text holds (fixed width) or
with a tab (blanks). What bronze keeps is the line as it was received.
"""

from __future__ import annotations

import re
from itertools import accumulate

from otklik.lake.store import sql_text
from otklik.sources.contract import FIELD_MARK, Format


def as_delimited(format_: Format, line: str) -> str:
    """A line of fields as a delimited one, as SQL over the SQL `line`.

    Of a line that is longer than its widths, the rest is a field too many. Fields that a line is too short for are
    empty: blanks at its end are often left out.
    """
    if format_.kind == "blanks":
        return f"array_join(regexp_extract_all({line}, {sql_text(_token(format_))}, 0), '\\t')"
    if format_.widths is None:
        return line
    starts = list(accumulate(format_.widths, initial=1))
    fields = [f"substring({line}, {start}, {width})" for start, width in zip(starts, format_.widths, strict=False)]
    rest = f"substring({line}, {starts[-1]})"
    mark = sql_text(FIELD_MARK)
    return f"concat(concat_ws({mark}, {', '.join(fields)}), if(trim({rest}) = '', '', concat({mark}, {rest})))"


def delimited_text(format_: Format, line: str) -> str:
    """The same of a text in Python: of a header."""
    if format_.kind == "blanks":
        return "\t".join(re.findall(_token(format_), line))
    if format_.widths is None:
        return line
    starts = list(accumulate(format_.widths, initial=0))
    fields = [line[start : start + width] for start, width in zip(starts, format_.widths, strict=False)]
    rest = line[starts[-1] :]
    return FIELD_MARK.join([field.strip() for field in fields] + ([rest] if rest.strip() else []))


def _token(format_: Format) -> str:
    """A pattern for a field between blanks: in quotes, it may hold some."""
    bare = r"[^ \t\r\n]+"
    if not format_.quote:
        return bare
    quote = re.escape(format_.quote)
    return f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?![^ \\t])|{bare}"
