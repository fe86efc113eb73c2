"""Choose the method of a series: the best one for all series at earlier origins, or a better one for this series.

Only origins before the hold-out count. The default is chosen over all series, because the best method on one series is
mostly a matter of luck. Methods are compared by the geometric mean of scaled errors, in which a few series cannot
outweigh the others (Armstrong & Collopy 1992, "Error measures for generalizing about forecasting methods").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy import stats

from otklik.forecasts.demand.models import Floats

#: Limits of the kinds of demand (Syntetos, Boylan & Croston 2005, "On the categorization of demand patterns"): how long
#: one waits for a demand, and how much its size varies (CV²).
_LONG_WAIT, _MUCH_VARIATION = 1.32, 0.49
#: Probability that some method replaces the default although none is better.
_LEVEL = 0.05
#: Smaller improvements count as none.
_NEAREST = 0.05
PARTS = ("holdout", "next")


@dataclass(frozen=True)
class Defaults:
    """The default method of all series, and the errors of all methods at earlier origins.

    Attributes:
        model: part → the method.
        errors: part → method → geometric mean of its scaled errors; empty without earlier origins.
    """

    model: Mapping[str, str]
    errors: Mapping[str, Mapping[str, float]]


def kind_of(values: Floats) -> str:
    """smooth, erratic, intermittent or lumpy."""
    sold = values[values > 0]
    waits = len(values) / max(len(sold), 1)
    variation = float((sold.std() / sold.mean()) ** 2) if len(sold) else 0.0
    if waits < _LONG_WAIT:
        return "smooth" if variation < _MUCH_VARIATION else "erratic"
    return "intermittent" if variation < _MUCH_VARIATION else "lumpy"


def scale_of(values: Floats) -> float:
    """Mean absolute change from one period to the next: the unit of MASE."""
    return float(np.abs(np.diff(values)).mean()) if len(values) > 1 else 0.0


def known_to(part: str, origins: int) -> Column:
    """Whether the origin `back` horizons before the end may be used for a part."""
    return F.col("back").between(2, origins + 1) if part == "holdout" else F.col("back").between(1, origins)


def defaults_of(tried: DataFrame, models: Sequence[str], origins: int) -> Defaults:
    """The best method for all series together; without earlier origins, the first of the list.

    Args:
        tried: series, model, back, error (mean absolute error over the mean change before).
        models: names of methods; the order decides ties.
        origins: number of earlier origins.
    """
    size = F.avg(F.log(F.greatest("error", F.lit(_NEAREST))))
    errors: dict[str, dict[str, float]] = {}
    for part in PARTS:
        rows = tried.where(known_to(part, origins)).groupBy("model").agg(size.alias("size")).collect()
        errors[part] = {row.model: float(np.exp(row["size"])) for row in rows}
    best = {part: min(models, key=lambda name: round(found.get(name, np.inf), 9)) for part, found in errors.items()}
    return Defaults(best, errors)


def chosen(tried: DataFrame, defaults: Defaults, models: Sequence[str], origins: int) -> DataFrame:
    """The method of each series: series, part, model, is_default.

    The default is replaced if another method has a lower mean error in a paired t-test over the origins, at 5 % for all
    methods together (Bonferroni). With two origins or fewer it is kept.
    """
    series = tried.select("series").distinct()
    others = max(len(models) - 1, 1)
    limits = [(count, float(stats.t.ppf(1 - _LEVEL / others, count - 1))) for count in range(3, origins + 1)]
    found = []
    for part in PARTS:
        default = defaults.model[part]
        earlier = tried.where(known_to(part, origins))
        usual = earlier.where(F.col("model") == default).select("series", "back", F.col("error").alias("usual"))
        gain = F.col("usual") - F.col("error")
        gains = (
            earlier.join(usual, ["series", "back"])
            .groupBy("series", "model")
            .agg(F.avg(gain).alias("gain"), F.stddev_samp(gain).alias("spread"), F.count("*").alias("origins"))
        )
        limit = F.lit(None).cast("double")
        for count, value in limits:
            limit = F.when(F.col("origins") == count, F.lit(value)).otherwise(limit)
        # Beyond rounding error: two methods that agree have no gain.
        is_better = (F.col("gain") > limit * F.col("spread") / F.sqrt("origins")) & (F.col("gain") > 1e-9)
        better = (
            gains.where(is_better).groupBy("series").agg(F.max_by("model", F.struct("gain", "model")).alias("other"))
        )
        found.append(
            series.join(better, "series", "left").select(
                "series",
                F.lit(part).alias("part"),
                F.coalesce("other", F.lit(default)).alias("model"),
                F.col("other").isNull().alias("is_default"),
            )
        )
    return found[0].unionByName(found[1])
