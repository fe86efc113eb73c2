"""Model explanations: odds ratios, importances, partial dependence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from otklik.models.portable import Predict, partial_dependence
from otklik.models.prepare import MISSING, OTHER, Slot

Floats = npt.NDArray[np.float64]

#: The note on every odds ratio: its estimate is shrunken, its interval normal on the log scale.
SHRUNKEN = "shrunken_normal_interval"
_NORMAL = NormalDist().inv_cdf(0.975)
#: Points of the grid on which a number's partial dependence is drawn: quantiles of its values.
_GRID = np.linspace(0.05, 0.95, 10)


def odds_ratios(
    slots: Sequence[Slot],
    coefficients: Floats,
    replicates: Floats,
    *,
    shares: Floats,
    units: Mapping[str, float],
    references: Mapping[str, str],
    log_scale: frozenset[str],
) -> pd.DataFrame:
    """Odds ratios of a logistic regression, per declared unit or against a named reference level.

    Elastic net shrinks coefficients towards 0, so the ratios are biased towards 1; each row carries a note about it.

    The 95 % interval is estimate ± 1.96 · standard error of the bootstrap, on the log scale (Efron & Tibshirani 1993,
    "An Introduction to the Bootstrap", ch. 13, the standard normal interval). A few refits are enough for a standard
    error, but not for the 2.5 % and 97.5 % percentiles. With ten refits the interval covers about 92 % (by Student's
    t), with thirty about 94 %.

    Args:
        slots: the slots of the vector.
        coefficients: (slots,).
        replicates: (replicates, slots) coefficients of bootstrap fits; with fewer than two there is no interval.
        shares: (slots,) mean of each slot; the most common level is the reference unless one is declared.
        units: number feature → the unit; default 1.
        references: level feature → the reference level.
        log_scale: features taken as sign(x) · ln(1 + |x|): the ratio is for e times 1 + |x|.

    Returns:
        feature, level, reference, value, low, high, note.
    """
    found = []
    for source in dict.fromkeys(slot.source for slot in slots):
        places = [i for i, slot in enumerate(slots) if slot.source == source]
        for i in places:
            if slots[i].level is None:
                unit = units.get(source, 1.0)
                level = "× e" if source in log_scale else f"+{unit:g}"
                found.append(_ratio(source, level, "", coefficients[i] * unit, replicates[:, i] * unit))
        levels = [i for i in places if slots[i].level is not None]
        number = any(slots[i].level is None for i in places)
        if number and len(levels) == 1:
            i = levels[0]
            found.append(_ratio(source, str(slots[i].level), "known", coefficients[i], replicates[:, i]))
        elif levels:
            found += _against_reference(source, levels, slots, coefficients, replicates, shares, references)
    return pd.DataFrame(found)


def _against_reference(
    source: str,
    levels: Sequence[int],
    slots: Sequence[Slot],
    coefficients: Floats,
    replicates: Floats,
    shares: Floats,
    references: Mapping[str, str],
) -> list[dict[str, Any]]:
    named = {str(slots[i].level): i for i in levels}
    reference = references.get(source, "")
    if reference not in named:
        reference = max(named, key=lambda level: (shares[named[level]], level))
    base = named[reference]
    return [
        _ratio(source, level, reference, coefficients[i] - coefficients[base], replicates[:, i] - replicates[:, base])
        for level, i in named.items()
        # A level that training never had has no coefficient to speak of.
        if i != base and (shares[i] > 0 or level not in (OTHER, MISSING))
    ]


def _ratio(source: str, level: str, reference: str, log_odds: float, draws: Floats) -> dict[str, Any]:
    reach = _NORMAL * draws.std(ddof=1) if len(draws) > 1 else np.nan
    return {
        "feature": source,
        "level": level,
        "reference": reference,
        "value": float(np.exp(log_odds)),
        "low": float(np.exp(log_odds - reach)),
        "high": float(np.exp(log_odds + reach)),
        "note": SHRUNKEN,
    }


def impurity_importance(slots: Sequence[Slot], importances: Floats) -> pd.DataFrame:
    """Importances of a tree model by mean decrease in impurity, summed per source column; they sum to 1.

    They favour features with many values (Strobl et al. 2007), so compare them with permutation importances.
    """
    summed: dict[str, float] = {}
    for slot, importance in zip(slots, importances, strict=True):
        summed[slot.source] = summed.get(slot.source, 0.0) + float(importance)
    return _rows([(source, "", value) for source, value in summed.items()])


def dependence(
    predict: Predict, slots: Sequence[Slot], numbers: Floats, sources: Sequence[str], log_scale: frozenset[str]
) -> pd.DataFrame:
    """Partial dependence of some source columns: a number at its quantiles and where it is missing, levels one by one.

    Args:
        predict: the model.
        slots: the places of the vector.
        numbers: (rows, slots) a sample.
        sources: the columns to show.
        log_scale: features taken as sign(x) · ln(1 + |x|); their level is x, as everybody knows it.
    """
    found: list[tuple[str, str, float]] = []
    for source in sources:
        places = [i for i, slot in enumerate(slots) if slot.source == source]
        number = next((i for i in places if slots[i].level is None), None)
        if number is None:
            # Where no row lacks a value, or has a rare one, a model says nothing that could be held to be so.
            there = [i for i in places if slots[i].level not in (OTHER, MISSING) or numbers[:, i].any()]
            points = {str(slots[i].level): {j: float(i == j) for j in places} for i in there}
        else:
            # Its bands move with the number, and it is not missing any more: all its slots are those of a row that
            # has it.
            missing = [i for i in places if slots[i].level == MISSING]
            known = numbers[(numbers[:, missing] == 0).all(axis=1)]
            points = {
                _as_known(row[number], source in log_scale): {i: float(row[i]) for i in places}
                for row in _rows_on_grid(known, number)
            }
            if 0 < len(known) < len(numbers):
                lacking = numbers[(numbers[:, missing] != 0).any(axis=1)][0]
                points[MISSING] = {i: float(lacking[i]) for i in places}
        means = partial_dependence(predict, numbers, list(points.values()))
        found += [(source, level, float(mean)) for level, mean in zip(points, means, strict=True)]
    return _rows(found)


def _rows_on_grid(numbers: Floats, place: int) -> list[Floats]:
    """For each quantile of one number, the index of a row with that value; empty without rows."""
    values = numbers[:, place]
    if not len(values):
        return []
    grid = sorted({float(value) for value in np.quantile(values, _GRID, method="nearest")})
    return [numbers[np.flatnonzero(values == value)[0]] for value in grid]


def _as_known(value: float, is_logarithm: bool) -> str:
    return f"{np.copysign(np.expm1(abs(value)), value) if is_logarithm else value:.6g}"


def _rows(found: Sequence[tuple[str, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["feature", "level", "value"])
    return frame.assign(reference="", low=np.nan, high=np.nan, note="")
