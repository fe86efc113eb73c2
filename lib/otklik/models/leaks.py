"""Features that predict the label suspiciously well: a leak unless somebody explains them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from otklik.models.evaluate import auc
from otklik.models.prepare import FeatureFinding, Slot


def single_feature_auc(
    numbers: npt.NDArray[np.float64], label: npt.NDArray[Any], slots: Sequence[Slot]
) -> dict[str, float]:
    """How well each source column alone ranks the label: AUC of the number itself, or of its levels' response rates.

    Of events in their order that of the best event: of whether it is among a row's.

    Args:
        numbers: (rows, slots) a sample of the training part.
        label: (rows,) 1 or 0.
        slots: the places.
    """
    found: dict[str, float] = {}
    for place, slot in enumerate(slots):
        score = numbers[:, place]
        if slot.level is not None or slot.is_event:
            continue
        value = auc(label, score)
        found[slot.source] = max(found.get(slot.source, 0.5), _either_way(value))
    for source in dict.fromkeys(slot.source for slot in slots if slot.level is not None):
        places = [i for i, slot in enumerate(slots) if slot.source == source and slot.level is not None]
        levels = numbers[:, places]
        # A known number has no level: that it is known is one more.
        levels = np.column_stack([levels, levels.sum(axis=1) == 0])
        counts = levels.sum(axis=0)
        rates = (levels * np.asarray(label)[:, None]).sum(axis=0) / np.maximum(counts, 1)
        found[source] = max(found.get(source, 0.5), _either_way(auc(label, levels @ rates)))
    for source in dict.fromkeys(slot.source for slot in slots if slot.is_event):
        events = numbers[:, [i for i, slot in enumerate(slots) if slot.source == source]]
        of_each = (auc(label, (events == event).any(axis=1).astype(float)) for event in np.unique(events) if event)
        found[source] = max(map(_either_way, of_each), default=0.5)
    return found


def suspected_leaks(
    single: dict[str, float], known_after: frozenset[str], limit: float, action: str
) -> tuple[FeatureFinding, ...]:
    """Findings for the columns above the limit; those declared as known after the decision are named as such."""
    found = []
    for source, value in sorted(single.items()):
        if source in known_after:
            found.append(FeatureFinding("known_leak", source, {}, value, "left out"))
        elif value > limit:
            found.append(FeatureFinding("suspected_leak", source, {"auc": value}, value, action))
    return tuple(found)


def _either_way(value: float | None) -> float:
    return 0.5 if value is None else max(value, 1 - value)
