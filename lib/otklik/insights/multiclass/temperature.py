"""Calibrate the probabilities of several classes with one number, which sharpens or flattens them.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks": temperature scaling. It never changes
which class is the most probable.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column
from pyspark.sql import functions as F
from scipy import optimize

from otklik.models.bootstrap import Floats

#: Probabilities are kept this far from 0: a class that no tree has seen in a leaf is rare, not impossible.
_CLIP = 1e-4
#: Exponents outside these bounds mean that the model is useless, or right on every row.
_LEAST, _MOST = 0.05, 20.0


def fit_exponent(probabilities: Floats, labels: npt.NDArray[np.int64]) -> float:
    """The exponent (1 / temperature) that minimises the log loss of held-out rows.

    Args:
        probabilities: (rows, classes) of rows that the model had not seen.
        labels: (rows,) the class of each.
    """
    logarithms = np.log(np.clip(probabilities, _CLIP, None))
    own = logarithms[np.arange(len(labels)), labels]

    def loss(log_exponent: float) -> float:
        exponent = np.exp(log_exponent)
        return float((np.logaddexp.reduce(exponent * logarithms, axis=1) - exponent * own).mean())

    found = optimize.minimize_scalar(loss, bounds=(np.log(_LEAST), np.log(_MOST)), method="bounded")
    return float(np.exp(found.x))


def scaled(probabilities: Column, exponent: Column) -> Column:
    """ARRAY<DOUBLE> of probabilities, each raised to the exponent, normalised to add up to 1."""
    powers = F.transform(probabilities, lambda p: F.pow(F.greatest(p, F.lit(_CLIP)), exponent))
    total = F.aggregate(powers, F.lit(0.0), lambda so_far, power: so_far + power)
    return F.transform(powers, lambda power: power / total)
