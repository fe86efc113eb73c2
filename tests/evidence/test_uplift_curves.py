"""Qini and uplift coefficients of bins: the same as those of scikit-uplift's definition, written out unit by unit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc

from otklik.evidence.uplift.curves import Counts, auuc, group_weights, qini, qini_curve


def reference(kind: str, y: np.ndarray, score: np.ndarray, arm: np.ndarray) -> float:
    """qini_auc_score or uplift_auc_score: the area between curve and chance over that of the perfect order."""

    def curve(by: np.ndarray) -> tuple[list[float], list[float]]:
        xs, values = [0.0], [0.0]
        for least in sorted(set(by), reverse=True):
            taken = by >= least
            n1, n0 = (taken & (arm == 1)).sum(), (taken & (arm == 0)).sum()
            y1, y0 = y[taken & (arm == 1)].sum(), y[taken & (arm == 0)].sum()
            xs.append(n1 + n0)
            if kind == "qini":
                values.append(y1 - (y0 * n1 / n0 if n0 else 0))
            else:
                values.append(((y1 / n1 if n1 else 0) - (y0 / n0 if n0 else 0)) * (n1 + n0))
        return xs, values

    if kind == "qini":
        perfect = curve(y * arm - y * (1 - arm))
    else:
        more_harm = ((y == 1) & (arm == 0)).sum() > ((y == 0) & (arm == 1)).sum()
        perfect = curve(2 * (y == arm) + (y if more_harm else arm))
    chance = auc([0, perfect[0][-1]], [0, perfect[1][-1]])
    return (auc(*curve(score)) - chance) / (auc(*perfect) - chance)


def binned(y: np.ndarray, score: np.ndarray, arm: np.ndarray, levels: np.ndarray | None = None) -> Counts:
    """Every distinct score is a bin of its own."""
    bins = [score == one for one in sorted(set(score if levels is None else levels), reverse=True)]

    def sums(values: np.ndarray) -> np.ndarray:
        return np.array([values[one].sum() for one in bins], dtype=float)

    return Counts(sums(arm), sums(y * arm), sums(1 - arm), sums(y * (1 - arm)))


def units(seed: int, rate: float, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    score = draws.integers(-5, 6, 600) / 10
    arm = (draws.random(600) < share).astype(int)
    y = (draws.random(600) < rate + arm * score * 0.3).astype(int)
    return y, score, arm


@pytest.mark.parametrize(("rate", "share"), [(0.2, 0.5), (0.6, 0.7), (0.9, 0.2)])
@pytest.mark.parametrize("kind", ["qini", "auuc"])
def test_coefficients_are_those_of_the_definition(kind, rate, share) -> None:
    for seed in range(5):
        found = (qini if kind == "qini" else auuc)(binned(*units(seed, rate, share)))

        assert float(found) == pytest.approx(reference(kind, *units(seed, rate, share)))


def test_a_curve_by_hand() -> None:
    """Two bins: 10 and 10 units with 4 and 1 outcomes, then 10 and 10 with 2 and 2."""
    counts = Counts(*(np.array(part, dtype=float) for part in ([10, 10], [4, 2], [10, 10], [1, 2])))

    x, gain = qini_curve(counts)

    assert (x.tolist(), gain.tolist()) == ([0, 20, 40], [0, 3, 3])


def test_replicates_are_worked_out_at_once() -> None:
    y, score, arm = units(1, 0.3, 0.5)
    groups = np.arange(600) % 20
    parts = [binned(y[groups == g], score[groups == g], arm[groups == g], score) for g in range(20)]
    by_group = Counts(*(np.array([getattr(p, name) for p in parts]) for name in vars(parts[0])))
    weights = group_weights(20, 3, seed=1)

    replicates = qini(by_group.drawn(weights))

    assert float(qini(by_group.together())) == pytest.approx(reference("qini", y, score, arm))
    first = np.repeat(np.arange(600), weights[0][groups].astype(int))
    assert replicates[0] == pytest.approx(reference("qini", y[first], score[first], arm[first]))


def test_the_coefficient_of_chance_is_nought() -> None:
    draws = np.random.default_rng(2)
    y, _, arm = units(3, 0.3, 0.5)

    found = [float(qini(binned(y, draws.integers(0, 50, 600), arm))) for _ in range(50)]

    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / np.sqrt(50))
