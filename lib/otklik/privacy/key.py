"""The secret key of pseudonyms. Knows no Spark."""

from __future__ import annotations

from pathlib import Path

from otklik.errors import ConfigurationError

#: Fewer bytes can be guessed; 32 are what the hash can use.
SHORTEST_KEY = 16


def read_key(text: str | None, file: str | None) -> bytes:
    """The secret key: a text (from the environment), or the content of a file; outer blanks do not count.

    Raises:
        ConfigurationError: if there is none, both are given, it cannot be read, or it is shorter than 16 bytes.
    """
    hint = (
        "type `export OTKLIK_PSEUDONYM_KEY=$(openssl rand -hex 32)` and keep that key, or name a file that holds one "
        "in OTKLIK_PSEUDONYM_KEY_FILE"
    )
    if text and file:
        raise ConfigurationError("is given twice, as a text and as a file", where="pseudonym key", hint="drop one")
    try:
        key = Path(file).read_bytes().strip() if file else (text or "").strip().encode()
    except OSError as fault:
        raise ConfigurationError(
            f"its file cannot be read: {fault.strerror}", where="pseudonym key", hint="check path and rights"
        ) from None
    if not key:
        raise ConfigurationError("is missing, and personal columns need it", where="pseudonym key", hint=hint)
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(f"is shorter than {SHORTEST_KEY} bytes", where="pseudonym key", hint=hint)
    return key
