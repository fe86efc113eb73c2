"""Which of several models serves, judged by what it reached inside the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: The steadiest first: a small change of the rows changes a tree more than a forest, and a line least.
STEADIEST_FIRST = ("logistic_regression", "random_forest", "xgboost", "decision_tree")


def choose(values: Mapping[str, Sequence[float]]) -> str:
    """The model with the best mean value; a steadier one where the difference is within one standard error.

    The rule of one standard error (Breiman, Friedman, Olshen, Stone 1984, 3.4.3), with the error of the difference:
    models are judged on the same windows. With one value per model the best is taken.

    Args:
        values: model → its values, greater for better, one per window; all models have the same windows.
    """
    best = max(values, key=lambda name: float(np.mean(values[name])))
    for name in (name for name in STEADIEST_FIRST if name in values):
        # Where neither has a value, minus infinity less itself is no number, and the first of them is taken.
        with np.errstate(invalid="ignore"):
            lead = np.subtract(values[best], values[name])
        error = float(np.std(lead, ddof=1)) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
        if name == best or float(np.mean(lead)) <= error:
            return name
    return best
