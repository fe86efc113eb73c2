"""What a file is that is not what its name says: told by its first bytes. Without Spark."""

from __future__ import annotations

import re

from otklik.errors import InputError

#: Beginnings of files that are often named .csv and are not.
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (xls)",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3": "an SQLite database",
    b"{\\rtf": "a text of a word processor (RTF)",
    b"MIME-Version:": "a saved web page (MHTML)",
    b"ARROW1": "an Arrow file (Feather)",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x80\x04\x95": "a pickle of Python",
    b"\x80\x05\x95": "a pickle of Python",
    b"1CClientBankExchange": "a bank exchange file of 1C",
    b"BEGIN:VCARD": "a list of contacts (vCard)",
    b"BEGIN:VCALENDAR": "a calendar (iCalendar)",
    b"INSERT INTO ": "a list of SQL statements",
    b"CREATE TABLE ": "a list of SQL statements",
    b"-- MySQL dump": "a list of SQL statements",
    b"-- PostgreSQL database dump": "a list of SQL statements",
    b"@relation ": "an ARFF file of Weka",
    b"@RELATION ": "an ARFF file of Weka",
    b"\xff\xfe\0\0": "encoded as utf-32",
    b"\0\0\xfe\xff": "encoded as utf-32",
}
#: An ORC file goes on with numbers; a name of a column may begin with these letters.
_ORC = re.compile(rb"^ORC.{0,8}?[\x00-\x08\x0e-\x1f]", re.DOTALL)
_GZIP = b"\x1f\x8b"
#: A workbook of Excel 2003 is XML whose cells have no names.
_WORKBOOK = re.compile(rb'progid="Excel\.Sheet"|urn:schemas-microsoft-com:office:spreadsheet')
_XML = re.compile(rb"^<\?xml", re.IGNORECASE)
_HTML = re.compile(
    rb"^(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body|table|script|style|meta|title|div|!--)", re.I
)
#: So many bytes tell.
HEAD_BYTES = 512


def other_kind(head: bytes) -> str | None:
    """What else a file is that should hold lines of text; None where nothing speaks against that.

    Args:
        head: its first HEAD_BYTES bytes, unpacked once.
    """
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, what in _OTHER_KINDS.items():
        if head.startswith(start) or bare.startswith(start):
            return what
    if _ORC.match(head):
        return "an ORC file"
    if is_gzip(head):
        return "compressed with gzip twice"
    if _WORKBOOK.search(head):
        return "a workbook of Excel 2003 (XML)"
    # In utf-16 every other byte of a tag is zero.
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _HTML.match(text):
        return "an HTML page (perhaps a login page, or a table saved as one)"
    return "an XML file (perhaps a workbook of Excel 2003)" if _XML.match(text) else None


def is_gzip(head: bytes) -> bool:
    """Whether a file is compressed with gzip."""
    return head.startswith(_GZIP)


def refuse_other_name(head: bytes, name: str) -> None:
    """See whether a file is compressed with gzip as its name says.

    Args:
        head: its first bytes, as received.
        name: its name.

    Raises:
        InputError: if it is not.
    """
    if is_gzip(head) != name.endswith(".gz"):
        what = "is not gzip though its name ends in .gz" if name.endswith(".gz") else "is gzip but not named .gz"
        raise InputError(what, where=name, hint="rename the file, or fetch it again")
