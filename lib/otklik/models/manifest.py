"""The manifest of a model's folder: what is trusted, and why. Imports no Spark."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.folder import Folder

MANIFEST, SERVING = "manifest.json", "serving.json"


def checked_model(files: Folder, folder: str, manifest_hash: str) -> dict[str, Any]:
    """The serving model of a folder as JSON values, after checking all of it.

    Args:
        files: the folder.
        folder: how it is called in messages.
        manifest_hash: of the manifest that was registered.

    Raises:
        DamagedError: if the manifest is not the one that was registered, or a file is missing, new or changed.
    """
    try:
        content = files.read(MANIFEST)
    except MissingResultError:
        raise DamagedError("it has no manifest", where=folder, hint="train again, or roll back") from None
    if hashlib.sha256(content).hexdigest() != manifest_hash:
        raise DamagedError(
            "its manifest does not match the registered one", where=folder, hint="train again, or roll back"
        )
    named, there = json.loads(content)["files"], files.hashes(frozenset({MANIFEST}))
    changed = sorted(name for name in {*named, *there} if named.get(name) != there.get(name))
    if changed:
        raise DamagedError(
            f"files were changed, added or removed: {', '.join(changed[:3])}",
            where=folder,
            hint="train again, or roll back",
        )
    serving: dict[str, Any] = json.loads(files.read(SERVING))
    return serving
