"""What the machine says, as one clear line."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JNetworkError

from otklik.platform_errors import platform_error


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "features: Java ended before the work was done"),
        (Py4JNetworkError("Answer from Java side is empty"), "features: Java ended before the work was done"),
        (RuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited"), "features: Java ended before the work was"),
        (RuntimeError("java.net.ConnectException: Connection refused"), "features: the host of a URI cannot be"),
        (OSError(28, "No space left on device", "/data"), "/data: the disk is full"),
        (OSError(13, "Permission denied", "/data"), "/data: no permission to read or write"),
        (RuntimeError("[DELTA_CANNOT_CREATE_LOG_PATH] Cannot create /data/_delta_log"), "features: a folder in the"),
        (RuntimeError("java.io.IOException: Mkdirs failed to create /data/part"), "features: a folder in the lake"),
        (RuntimeError("java.lang.OutOfMemoryError: Java heap space"), "features: not enough memory"),
        (RuntimeError("[CATALOG_NOT_FOUND] The catalog moon is not found"), "features: no such catalog"),
        (RuntimeError('No FileSystem for scheme "s3a"'), "features: no file system driver for this scheme"),
        (ImportError("[PACKAGE_NOT_INSTALLED] grpcio must be installed"), "features: Spark Connect needs Python"),
    ],
    ids=[
        "refused",
        "empty answer",
        "never spoke",
        "host",
        "disk",
        "rights",
        "log",
        "folder",
        "memory",
        "catalog",
        "scheme",
        "package",
    ],
)
def test_what_is_not_there_is_named(fault: Exception, says: str) -> None:
    clear = platform_error(fault, "features")
    assert clear is not None
    assert clear.line().startswith(says)


def test_a_fault_of_the_data_is_nobody_elses() -> None:
    assert platform_error(ValueError("12,5"), "features") is None
