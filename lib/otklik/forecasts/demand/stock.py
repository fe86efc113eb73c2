"""The recommended stock of each series, and its cost in the hold-out."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.forecasts.demand.kind import STOCK, DemandTask, Stock
from otklik.forecasts.demand.method import REACH
from otklik.kind import Measure, StageContext, StageResult
from otklik.session import frame_of


def run(frames: Mapping[str, DataFrame], task: DemandTask, context: StageContext) -> StageResult:
    """Propose a stock for each series, and evaluate it on the hold-out; nothing without [stock].

    Args:
        frames: `forecasts`, `holdout` and `errors`; see `kind`.
        task: its `stock` settings.
        context: the session.
    """
    if task.stock is None:
        return StageResult({"stock": frame_of(context.spark, [], STOCK.own_ddl)})
    coming, judged = (
        _stocks(frames[steps], part, frames["errors"], task.stock)
        for steps, part in (("forecasts", "next"), ("holdout", "holdout"))
    )
    rows = coming.withColumn("periods", F.lit(task.stock.periods)).select(STOCK.own_names)
    return StageResult({"stock": rows}, _stock_measures(judged, task.stock))


def _stocks(steps: DataFrame, part: str, errors: DataFrame, stock: Stock) -> DataFrame:
    """series, expected, stock, needed (actual sales, if known), naive: for the first periods of a part.

    The newsvendor's rule (Arrow, Harris & Marschak 1951): the quantile of what will be sold at missing_cost /
    (missing_cost + left_cost). Quantiles come from earlier errors of sums over as many periods, pooled over series.
    """
    sums = (
        errors.where((F.col("part") == part) & (F.col("step") <= stock.periods))
        .groupBy("series", "back")
        .agg((F.sum("error") / F.first("scale")).alias("error"))
    )
    # Without an earlier origin the stock is the forecast.
    reach = sums.agg(F.coalesce(F.percentile("error", F.lit(stock.enough)), F.lit(0.0)).alias("reach"))
    first = steps.where(F.col("step") <= stock.periods).groupBy("series")
    columns = [name for name in ("actual", "naive") if name in steps.columns]
    found = first.agg(
        F.sum("quantity").alias("expected"),
        F.first("scale").alias("scale"),
        *(F.sum(name).alias(name) for name in columns),
    )
    proposed = F.greatest(F.col("expected") + F.col("reach") * F.col("scale"), F.lit(0.0))
    return found.crossJoin(F.broadcast(reach)).withColumn("stock", F.ceil(proposed).cast("double"))


def _stock_measures(stocks: DataFrame, stock: Stock) -> list[Measure]:
    """Costs of stock in the hold-out, compared with stock by the last value and by the forecast alone."""

    def cost(of: str) -> Column:
        gap = F.col("actual") - F.col(of)
        return F.when(gap > 0, gap * stock.missing_cost).otherwise(-gap * stock.left_cost)

    own = cost("stock")
    wanted = {
        "stock_cost": (own, cost("naive")),
        "stock_gain": (cost("naive") - own, F.lit(0.0)),
        "stock_gain_over_forecast": (cost("expected") - own, F.lit(0.0)),
        "stock_enough": ((F.col("stock") >= F.col("actual")).cast("double"), F.lit(stock.enough)),
    }
    row = stocks.agg(
        F.count("*").alias("count"),
        *(
            how(value).alias(f"{name}_{what}")
            for name, (value, baseline) in wanted.items()
            for what, how, value in (
                ("value", F.avg, value), ("spread", F.stddev_samp, value), ("baseline", F.avg, baseline)
            )
        ),
    ).collect()[0]  # fmt: skip
    found = []
    for name in wanted:
        value, reach = row[f"{name}_value"], REACH * (row[f"{name}_spread"] or 0.0) / math.sqrt(row["count"])
        baseline = row[f"{name}_baseline"]
        found.append(Measure(name, value, "", "holdout", value - reach, value + reach, baseline, int(row["count"])))
    return found
