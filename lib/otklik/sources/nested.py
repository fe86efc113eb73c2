"""Paths to fields inside the objects of JSON records."""

from __future__ import annotations

from collections.abc import Collection

from otklik.sources.contract import Contract


def nested_names(keys: Collection[str], contract: Contract) -> dict[str, str]:
    """Paths among the contract's names in the file → the key of the object that they lead into.

    Args:
        keys: of the objects in the file; a key that holds a point itself is no path.
        contract: for the names.
    """
    wanted = [
        name for ours, column in contract.columns.items() for name in (contract.name_in_file(ours), *column.aliases)
    ]
    return {name: key for name in wanted if (key := name.split(".")[0]) in keys and name not in keys}
