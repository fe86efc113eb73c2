"""Choose the model that serves, by its values inside the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: Of equals the first is taken.
CANDIDATES = ("logistic_regression", "random_forest", "xgboost", "sequence", "decision_tree")
#: Those that have to earn their keep against the simple ones.
CHALLENGERS = ("xgboost", "perceptron", "sequence")
#: A small change of the rows makes another tree of a single one (Breiman 1996, "Bagging predictors").
UNSTEADY = "decision_tree"


def choose(values: Mapping[str, Sequence[float]]) -> str:
    """The model with the best mean value; a single tree only if it leads by more than one standard error.

    The one-standard-error rule (Breiman, Friedman, Olshen, Stone 1984, 3.4.3), with the error of the difference, as
    models are evaluated on the same windows. It applies to single trees only, because they are unstable: in
    docs/choice.md preferring a line to a forest by it lost more than it saved. With one value per model, the best wins.

    Args:
        values: model → its values per window, higher is better; all models have the same windows.
    """
    means = {name: float(np.mean(values[name])) for name in CANDIDATES if name in values}
    best = max(means, key=lambda name: means[name])
    steady = {name: mean for name, mean in means.items() if name != UNSTEADY}
    if best != UNSTEADY or not steady:
        return best
    second = max(steady, key=lambda name: steady[name])
    # Where the others have no value, the lead is without end, and has no error.
    with np.errstate(invalid="ignore"):
        lead = np.subtract(values[best], values[second])
        error = float(np.std(lead, ddof=1)) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
    return second if float(np.mean(lead)) <= error else best
