"""The secret key of pseudonyms. Imports no Spark."""

from __future__ import annotations

from pathlib import Path

from otklik.errors import ConfigurationError

#: Fewer bytes can be guessed; 32 are what the hash can use.
SHORTEST_KEY = 16


def read_key(text: str | None, file: str | None) -> bytes:
    """The secret key: a string (from the environment), or the content of a file, stripped of whitespace.

    Raises:
        ConfigurationError: if neither or both are given, it cannot be read, or it is shorter than 16 bytes.
    """
    hint = (
        "run `export OTKLIK_PSEUDONYM_KEY=$(openssl rand -hex 32)` and keep the key, or set OTKLIK_PSEUDONYM_KEY_FILE "
        "to the path of a file that contains one"
    )
    if text and file:
        raise ConfigurationError("is set twice, as a value and as a file", where="pseudonym key", hint="unset one")
    try:
        key = Path(file).read_bytes().strip() if file else (text or "").strip().encode()
    except OSError as fault:
        raise ConfigurationError(
            f"its file cannot be read: {fault.strerror}", where="pseudonym key", hint="check path and permissions"
        ) from None
    if not key:
        raise ConfigurationError("is missing, but personal columns need it", where="pseudonym key", hint=hint)
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(f"is shorter than {SHORTEST_KEY} bytes", where="pseudonym key", hint=hint)
    return key
