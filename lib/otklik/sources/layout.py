"""Lines whose fields stand in columns: of fixed width, or with any number of blanks between them.

Both are read as delimited lines: the pieces of a line are put together with a mark that no text holds (fixed width) or
with a tab (blanks). What bronze keeps is the line as it was received.
"""

from __future__ import annotations

import re
from itertools import accumulate

from otklik.sources.contract import FIELD_MARK, Format


def delimited_text(format_: Format, line: str) -> str:
    """A line of fields as a delimited one, without blanks around them; `reader.as_delimited` is the same in SQL."""
    if format_.kind == "blanks":
        return "\t".join(re.findall(token_pattern(format_), line))
    if format_.widths is None:
        return line
    starts = list(accumulate(format_.widths, initial=0))
    fields = [line[start : start + width] for start, width in zip(starts, format_.widths, strict=False)]
    rest = line[starts[-1] :]
    return FIELD_MARK.join([field.strip() for field in fields] + ([rest] if rest.strip() else []))


def token_pattern(format_: Format) -> str:
    """A pattern for a field between blanks: in quotes, it may hold some."""
    bare = r"[^ \t\r\n]+"
    if not format_.quote:
        return bare
    quote = re.escape(format_.quote)
    return f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?![^ \\t])|{bare}"
