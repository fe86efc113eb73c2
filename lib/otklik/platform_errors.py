"""One-line errors for failures of disk, memory, permissions and network in Python, Java or Hadoop. Imports no Spark."""

from __future__ import annotations

from otklik.errors import PlatformError

#: How Python says that the Java process it talks to is gone, and that the one it waited for has never spoken.
_JAVA_IS_GONE = ("ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "Py4JNetworkError")
_JAVA_NEVER_SPOKE = "JAVA_GATEWAY_EXITED"
#: Part of an exception's message → what is wrong, and what to do. It is often nested in another message.
SAYINGS = {
    ("No space left on device", "Disk quota exceeded"): (
        "the disk is full",
        "free some space (lake, temporary folder) and rerun the same command to resume",
    ),
    ("Permission denied", "Read-only file system", "Operation not permitted"): (
        "no permission to read or write",
        "check the permissions of the lake, the temporary folder and the files",
    ),
    # Delta and Hadoop do not say why.
    ("DELTA_CANNOT_CREATE_LOG_PATH", "Mkdirs failed to create"): (
        "a folder in the lake or for temporary files cannot be created",
        "check permissions and free space of both",
    ),
    ("OutOfMemoryError", "Cannot allocate memory"): (
        "not enough memory",
        "raise spark.driver.memory in conf/spark, or stop other programs on the machine",
    ),
    ("FileSystem not found", "No FileSystem for scheme", "UnsupportedFileSystemException"): (
        "no file system driver for this scheme",
        "add the file system's jar to Spark (spark.jars.packages), or use a folder on this machine",
    ),
    ("CATALOG_NOT_FOUND",): (
        "no such catalog",
        "check --catalog, and spark.sql.catalog.NAME in conf/spark",
    ),
    ("PACKAGE_NOT_INSTALLED",): (
        "Spark Connect needs Python packages that are not installed",
        "run pip install 'pyspark[connect]==VERSION' with the installed version of pyspark",
    ),
    ("UnknownHostException", "ConnectException", "NoRouteToHostException"): (
        "the host of a URI cannot be reached",
        "check its name and the network",
    ),
}


def platform_error(fault: BaseException, where: str) -> PlatformError | None:
    """A one-line error for a failure caused by the machine and not by the data; otherwise None.

    Args:
        fault: the exception.
        where: the file or command, if the exception names none.
    """
    text = f"{fault}"
    if type(fault).__name__ in _JAVA_IS_GONE or _JAVA_NEVER_SPOKE in text:
        return PlatformError(
            "Java ended before the work was done: killed, or out of memory",
            where=where,
            hint="raise spark.driver.memory in conf/spark, and rerun the same command to resume",
        )
    for sayings, (what, hint) in SAYINGS.items():
        if any(saying in text for saying in sayings):
            place = fault.filename if isinstance(fault, OSError) and fault.filename else where
            return PlatformError(what, where=f"{place}", hint=hint)
    return None
