"""The file as such, before any record is read: is it there, whole, and of the kind it says?"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from otklik.errors import InputError
from otklik.settings import whole_uri
from otklik.sources.contract import Contract
from otklik.sources.parquet_facts import refuse_unreadable
from otklik.sources.paths import in_natural_order, local_files, name_of
from otklik.sources.reader import clear_faults, literal_path
from otklik.sources.signatures import HEAD_BYTES, is_gzip, other_kind, refuse_other_name

_CHUNK = 1 << 20
#: Bytes of a JSON document that is read as a whole, in one task.
MOST_OF_A_DOCUMENT = 1 << 30


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file before its records are read.

    Attributes:
        path: where it is, as the reader takes it.
        name: its name, without folders but those that tell it from another file of the command.
        size: in bytes, as received.
        content_hash: sha-256 of its bytes as received, hex.
        head: its first bytes, as many as tell what it is.
        tail: its last 4 bytes.
    """

    path: str
    name: str
    size: int
    content_hash: str
    head: bytes
    tail: bytes


def expand(spark: SparkSession, path: str) -> list[str]:
    """The files that a path stands for: itself, or those of a folder that do not start with `_` or `.`, in order.

    The order is that of their names, in which numbers count by their value: part_9 comes before part_10.

    Paths are literal, never patterns. Folders inside the folder are not entered.

    Raises:
        InputError: if there is nothing, the scheme is not known, or a link leads out of the folder.
    """
    found = local_files(path)
    return _expand_uri(spark, whole_uri(path)) if found is None else found


def describe(spark: SparkSession, path: str) -> FileFacts:
    """Read a file's bytes once: its size, its hash, how it begins and ends.

    Args:
        spark: for URIs of other schemes than file://; their bytes are read by Spark, at most 2 GB of each.
        path: from `expand`.

    Raises:
        InputError: if it cannot be read.
    """
    name = name_of(path)
    if not path.startswith("file://"):
        found = [*_describe_uris(spark, [path]).values()]
        if not found:
            raise InputError("no such file", where=path, hint="check the path")
        return replace(found[0], path=path)
    local = Path(path.removeprefix("file://"))
    digest, size, head, tail = hashlib.sha256(), 0, b"", b""
    try:
        with local.open("rb") as content:
            for chunk in iter(lambda: content.read(_CHUNK), b""):
                digest.update(chunk)
                size += len(chunk)
                head = head or chunk[:HEAD_BYTES]
                tail = (tail + chunk)[-4:]
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", where=name, hint="check path and permissions") from None
    return FileFacts(path, name, size, digest.hexdigest(), head, tail)


def describe_all(spark: SparkSession, paths: Sequence[str]) -> Iterator[FileFacts | InputError]:
    """Describe files in their order, as `describe`; what cannot be read is told in its place.

    Local files are read when they are asked for, all others at once, by one query.
    """
    elsewhere = [path for path in paths if not path.startswith("file://")]
    known = _describe_uris(spark, elsewhere) if len(elsewhere) > 1 else {}
    for path in paths:
        try:
            yield known[path] if path in known else describe(spark, path)
        except InputError as fault:
            yield fault


def has_named_hash(facts: FileFacts, contract: Contract, given: str | None) -> bool:
    """Whether a file's bytes are those whose hash was named: by the contract, or by the sender."""
    named = [contract.sha256.get(name_of(facts.path)), given]
    return all(each is None or each.lower() == facts.content_hash for each in named)


def check_whole(facts: FileFacts, contract: Contract, given_hash: str | None = None) -> None:
    """See whether a file is whole and of the declared kind.

    Args:
        facts: from `describe`.
        contract: what is declared of it.
        given_hash: the sha-256 that the person who hands it in says it has.

    Raises:
        InputError: if it is empty, cut short, damaged, or something else than the contract says.
    """
    if not has_named_hash(facts, contract, given_hash):
        raise InputError(
            f"does not have the expected hash: its sha-256 is {facts.content_hash}",
            where=facts.name,
            hint="fetch the file again, or correct --sha256 or sha256 in the contract",
        )
    _check_kind(facts, contract.format.kind)
    if contract.format.kind == "json" and facts.size > MOST_OF_A_DOCUMENT:
        raise InputError(
            f"is larger than {MOST_OF_A_DOCUMENT >> 20} MB, and a JSON document is read as one value",
            where=facts.name,
            hint="write one object per line (jq -c '.[]' does), and set format.kind = 'json_lines'",
        )
    if facts.path.startswith("file://") and facts.name.endswith(".gz"):
        _check_gzip(Path(facts.path.removeprefix("file://")), facts.name, contract.format.kind)
    if facts.path.startswith("file://") and contract.format.kind == "parquet":
        refuse_unreadable(Path(facts.path.removeprefix("file://")), facts.name)
    if facts.path.startswith("file://") and contract.format.kind == "xml":
        _check_xml(Path(facts.path.removeprefix("file://")), facts.name, contract.format.encoding)


def _expand_uri(spark: SparkSession, path: str) -> list[str]:
    with clear_faults(path):
        listed = spark.read.format("binaryFile").load(literal_path(path)).select("path").collect()
    paths = (row.path for row in listed if not name_of(row.path).startswith(("_", ".")))
    files = sorted(paths, key=in_natural_order)
    if not files:
        raise InputError("no such file, or a folder without files", where=path, hint="check the path")
    return files


def _describe_uris(spark: SparkSession, paths: Sequence[str]) -> dict[str, FileFacts]:
    content = F.col("content")
    with clear_faults(name_of(paths[0])):
        found = (
            spark.read.format("binaryFile")
            .load([*map(literal_path, paths)])
            .select(
                "path",
                "length",
                F.sha2(content, 256).alias("hash"),
                F.substring(content, 1, HEAD_BYTES).alias("head"),
                F.expr("substring(content, -4, 4)").alias("tail"),
            )
            .collect()
        )
    return {
        row.path: FileFacts(row.path, name_of(row.path), row.length, row.hash, bytes(row.head), bytes(row.tail))
        for row in found
    }


def _check_kind(facts: FileFacts, kind: str) -> None:
    name, head = facts.name, facts.head
    if facts.size == 0:
        raise InputError("is empty", where=name, hint="fetch the file again")
    if kind == "parquet":
        if not (head.startswith(b"PAR1") and facts.tail == b"PAR1"):
            raise InputError(
                "truncated or corrupt Parquet file", where=name, hint="fetch it again, or correct format.kind"
            )
        return
    if not is_gzip(head):
        _refuse_other_kind(head, kind, name)
    refuse_other_name(head, name)


def _refuse_other_kind(head: bytes, kind: str, name: str) -> None:
    what = other_kind(head)
    is_xml = kind == "xml" and what is not None and what.startswith(("an XML file", "a workbook of Excel 2003"))
    if what is not None and not is_xml:
        raise InputError(f"is {what}, not {kind}", where=name, hint=f"export it as {kind}, or correct format.kind")


def _check_gzip(path: Path, name: str, kind: str) -> None:
    """Unpack once to see that nothing is missing or flipped; Spark would take what it gets, or stop midway."""
    size = 0
    try:
        with path.open("rb") as packed:
            for chunk in _unpacked(packed):
                if not size:
                    _refuse_other_kind(chunk[:HEAD_BYTES], kind, name)
                size += len(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError("truncated or corrupt gzip file", where=name, hint="fetch the file again") from None
    if size == 0:
        raise InputError("is empty when decompressed", where=name, hint="fetch the file again")


def _check_xml(path: Path, name: str, encoding: str) -> None:
    """Read once to see that all elements are closed: Spark passes over a last one that is not."""
    declared: list[str] = []
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = lambda _, encoding, __: declared.append(encoding or "utf-8")
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as content:
            parser.ParseFile(content)
    except expat.ExpatError as fault:
        raise InputError(
            f"is not well-formed XML: {expat.ErrorString(fault.code)} in line {fault.lineno:,}",
            where=name,
            hint="fetch the file again",
        ) from None
    if declared and codecs.lookup(declared[0]).name.removesuffix("-sig") != encoding.removesuffix("-sig"):
        raise InputError(
            f"declares the encoding {declared[0]}, the contract says {encoding}",
            where=name,
            hint="correct format.encoding in the contract",
        )


def _unpacked(packed: BinaryIO) -> Iterator[bytes]:
    with closing(gzip.GzipFile(fileobj=packed)) as content:
        yield from iter(lambda: content.read(_CHUNK), b"")
