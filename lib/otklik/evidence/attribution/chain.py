"""The Markov chain of channels and what removing one does to it. Imports no Spark.

Source: Anderl, Becker, von Wangenheim & Schumann 2016, "Mapping the customer journey: lessons learned from graph-based
online attribution modeling", for a chain of first order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

START, CONVERSION, NONE = "(start)", "(conversion)", "(none)"


def removal_effects(transitions: Mapping[tuple[str, str], int]) -> dict[str, float]:
    """Channel → share of conversions lost if every transition to it led to NONE instead.

    Args:
        transitions: (origin, destination) → count; every journey begins at START and ends at CONVERSION or NONE.
    """
    channels = sorted({origin for origin, _ in transitions} - {START})
    whole = _conversion_chance(transitions, channels)
    if whole == 0:
        return dict.fromkeys(channels, 0.0)
    return {
        removed: 1 - _conversion_chance(transitions, [one for one in channels if one != removed]) / whole
        for removed in channels
    }


def shares(effects: Mapping[str, float]) -> dict[str, float]:
    """Removal effects scaled to add up to 1."""
    total = sum(effects.values())
    return {channel: effect / total if total else 0.0 for channel, effect in effects.items()}


def _conversion_chance(transitions: Mapping[tuple[str, str], int], channels: list[str]) -> float:
    """Probability of reaching CONVERSION from START through these channels only."""
    states = [START, *channels]
    places = {state: place for place, state in enumerate(states)}
    leaving = dict.fromkeys(states, 0)
    for (origin, _), count in transitions.items():
        if origin in leaving:
            leaving[origin] += count
    onward, converted = np.zeros((len(states), len(states))), np.zeros(len(states))
    for (origin, destination), count in transitions.items():
        if origin not in places:
            continue
        chance = count / leaving[origin]
        if destination == CONVERSION:
            converted[places[origin]] += chance
        elif destination in places:
            onward[places[origin], places[destination]] += chance
    return float(np.linalg.solve(np.eye(len(states)) - onward, converted)[0])
