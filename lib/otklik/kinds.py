"""All kinds of question, one line each. Other packages add theirs by the entry-point group `otklik.kinds`.

A kind is imported when a task needs it, so that commands start fast. Imports no Spark.
"""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from typing import Any

from otklik.errors import ConfigurationError, did_you_mean
from otklik.kind import Kind

#: name → "module:attribute".
KINDS = {
    "classify": "otklik.models.kind:KIND",
    "rules": "otklik.insights.rules.kind:KIND",
    "factor": "otklik.insights.factor.kind:KIND",
    "dependency": "otklik.insights.dependency.kind:KIND",
    "experiment": "otklik.evidence.experiment.kind:KIND",
    "lifetime": "otklik.forecasts.lifetime.kind:KIND",
    "survival": "otklik.forecasts.survival.kind:KIND",
    "recommend": "otklik.forecasts.recommend.kind:KIND",
    "segment": "otklik.insights.segment.kind:KIND",
    "multiclass": "otklik.insights.multiclass.kind:KIND",
    "uplift": "otklik.evidence.uplift.kind:KIND",
    "attribution": "otklik.evidence.attribution.kind:KIND",
    "effect": "otklik.evidence.effect.kind:KIND",
    "media_mix": "otklik.evidence.media_mix.kind:KIND",
    "follow_up": "otklik.evidence.follow_up.kind:KIND",
    "region_effect": "otklik.evidence.region_effect.kind:KIND",
    "lead_lag": "otklik.evidence.lead_lag.kind:KIND",
    "demand": "otklik.forecasts.demand.kind:KIND",
    "trend": "otklik.forecasts.trend.kind:KIND",
    "season": "otklik.forecasts.season.kind:KIND",
    "send_time": "otklik.decisions.send_time.kind:KIND",
    "assortment": "otklik.decisions.assortment.kind:KIND",
}
_ENTRY_POINTS = "otklik.kinds"


@functools.cache
def kind_places() -> dict[str, str]:
    """Name of each kind → where it is defined; other packages cannot replace built-in kinds."""
    others = {point.name: point.value for point in metadata.entry_points(group=_ENTRY_POINTS)}
    return {**others, **KINDS}


def find_kind(name: object, where: str) -> Kind:
    """Find a kind by name.

    Args:
        name: the value of `kind` in the task.
        where: the task's file, for the message.

    Raises:
        ConfigurationError: if there is no such kind.
    """
    place = kind_places().get(str(name))
    if place is None:
        known = sorted(kind_places())
        raise ConfigurationError(
            f"unknown kind {name!r}; {did_you_mean(str(name), known) or 'known: ' + ', '.join(known)}",
            where=where,
            hint="`otklik kinds` says what each one answers",
        )
    found = load_object(place)
    assert isinstance(found, Kind), f"{place} is not a Kind"
    return found


def load_object(place: str) -> Any:
    """What "module:attribute" names."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
