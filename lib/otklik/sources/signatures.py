"""What a file is that is not what its name says: told by its first bytes. Without Spark."""

from __future__ import annotations

import re

#: Beginnings of files that are often named .csv and are not.
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (xls)",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3": "an SQLite database",
    b"{\\rtf": "a text of a word processor (RTF)",
    b"MIME-Version:": "a saved web page (MHTML)",
}
_XML = re.compile(rb"^<\?xml", re.IGNORECASE)
_HTML = re.compile(
    rb"^(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body|table|script|style|meta|title|div|!--)", re.I
)
#: So many bytes tell.
HEAD_BYTES = 512


def other_kind(head: bytes) -> str | None:
    """What else a file is that should hold lines of text; None where nothing speaks against that.

    Args:
        head: its first HEAD_BYTES bytes, unpacked.
    """
    for start, what in _OTHER_KINDS.items():
        if head.startswith(start):
            return what
    # In utf-16 every other byte of a tag is zero.
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _HTML.match(text):
        return "an HTML page (perhaps a login page, or a table saved as one)"
    return "an XML file (perhaps a workbook of Excel 2003)" if _XML.match(text) else None
