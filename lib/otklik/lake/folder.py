"""Files of the lake other than tables (models, reports), on a local disk or any file system that Arrow supports."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.fs as arrow_fs
import pyarrow.parquet as pq

from otklik.errors import MissingResultError, PlatformError

#: How a file is named while it is being written.
_PARTIAL = ".partial"


def in_arrow(uri: str) -> str:
    """An address of Hadoop's as Arrow knows it: both call the same store of S3 by names of their own."""
    return uri.replace("s3a://", "s3://", 1) if uri.startswith("s3a://") else uri


class Folder:
    """A folder of the lake.

    Args:
        uri: absolute path or URI.

    Raises:
        PlatformError: if it is on a file system that Arrow does not reach.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        try:
            found = arrow_fs.FileSystem.from_uri(in_arrow(uri)) if "://" in uri else (arrow_fs.LocalFileSystem(), uri)
        except (OSError, ValueError) as fault:
            raise PlatformError(
                f"its files are not accessible: {fault}",
                where=uri,
                hint="put the lake where Arrow can reach it too: a folder, hdfs, s3, s3a, gs, abfs or abfss",
            ) from fault
        self._files: Any = found[0]
        self._path: str = found[1]

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all: under another name first, then moved."""
        target = f"{self._path}/{name}"
        self._files.create_dir(target.rpartition("/")[0], recursive=True)
        with self._files.open_output_stream(f"{target}{_PARTIAL}") as stream:
            stream.write(content)
        self._put_in_place(f"{target}{_PARTIAL}", target)

    def _put_in_place(self, draft: str, target: str) -> None:
        self._files.move(draft, target)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            MissingResultError: if it is not there.
        """
        with self._existing(name), self._files.open_input_stream(f"{self._path}/{name}") as stream:
            content: bytes = stream.read()
        return content

    def parquet(self, name: str) -> pa.Table:
        """The rows of a folder in it that Spark wrote as Parquet.

        Raises:
            MissingResultError: if it is not there.
        """
        with self._existing(name):
            return pq.read_table(f"{self._path}/{name}", filesystem=self._files, partitioning=None)

    @contextlib.contextmanager
    def _existing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise MissingResultError(
                "no such file", where=f"{self.uri}/{name}", hint="`otklik maintain --check-only` shows what is wrong"
            ) from fault

    def hashes(self, leave_out: frozenset[str] = frozenset()) -> dict[str, str]:
        """SHA-256 of every file below, by its path in the folder, Hadoop's checksum files (.*.crc) among them."""
        found = self._files.get_file_info(arrow_fs.FileSelector(self._path, recursive=True, allow_not_found=True))
        hashes = {}
        for info in found:
            name = info.path[len(self._path) :].lstrip("/")
            if info.type != arrow_fs.FileType.File or name in leave_out:
                continue
            hashes[name] = hashlib.sha256(self.read(name)).hexdigest()
        return dict(sorted(hashes.items()))

    def folders(self) -> list[str]:
        """The names of the folders in it; none where it is not there."""
        found = self._files.get_file_info(arrow_fs.FileSelector(self._path, allow_not_found=True))
        return sorted(info.base_name for info in found if info.type == arrow_fs.FileType.Directory)

    def files(self) -> list[str]:
        """The names of the files in it; none where it is not there."""
        found = self._files.get_file_info(arrow_fs.FileSelector(self._path, allow_not_found=True))
        return sorted(info.base_name for info in found if info.type == arrow_fs.FileType.File)

    def half_written(self) -> list[str]:
        """Files in it that `write` did not finish."""
        found = self._files.get_file_info(arrow_fs.FileSelector(self._path, recursive=True, allow_not_found=True))
        names = [info.path[len(self._path) :].lstrip("/") for info in found if info.type == arrow_fs.FileType.File]
        return sorted(name for name in names if name.endswith(_PARTIAL))

    def drafts(self) -> list[str]:
        """Files in it that had not yet their names: Hadoop's `.NAME.tmp`, what checks them, and `NAME#…`."""
        return [
            name
            for name in self.files()
            if (name.startswith(".") and name.endswith((".tmp", ".tmp.crc"))) or ".json#" in name
        ]

    def delete(self, name: str) -> None:
        """Delete a file or a folder in it."""
        path = f"{self._path}/{name}"
        if self._files.get_file_info(path).type == arrow_fs.FileType.Directory:
            self._files.delete_dir(path)
        else:
            self._files.delete_file(path)

    def delete_folders(self) -> None:
        """Delete the folders in it, but not its files."""
        for name in self.folders():
            self.delete(name)

    def exists(self) -> bool:
        """Whether the folder is there."""
        return bool(self._files.get_file_info(self._path).type == arrow_fs.FileType.Directory)
