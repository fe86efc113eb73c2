"""The methods of the kind `demand`, by name; read without numpy."""

from __future__ import annotations

from typing import Literal

ModelName = Literal[
    "naive", "seasonal_naive", "mean", "ses", "ses_fitted", "croston", "sba", "theta", "combined", "pooled",
    "pooled_theta", "auto_ets", "auto_theta",
]  # fmt: skip
#: The methods that are fitted to all series together.
POOLED = ("pooled", "pooled_theta")
