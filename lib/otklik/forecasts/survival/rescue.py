"""Value at risk, and the list of customers worth retaining."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from otklik.forecasts.survival.kind import ACTIONS, CUSTOMERS, SurvivalTask
from otklik.kind import Measure, StageContext, StageResult

#: Parts into which customers are divided for the control group.
_PARTS = 10_000


def run(frames: Mapping[str, DataFrame], task: SurvivalTask, context: StageContext) -> StageResult:
    """The value lost with customers who leave, and whom to retain.

    Args:
        frames: `present`; see `kind.PRESENT`.
        task: its value_periods and rescue.
        context: persists a frame.
    """
    value_at_risk = F.col("probability") * F.col("value") * task.value_periods
    present = context.keep(frames["present"].withColumn("value_at_risk", value_at_risk))
    actions = _actions(present, task)
    return StageResult(
        {"customers": present.select(*CUSTOMERS.own_names), "actions": actions},
        _value_measures(present, actions, task),
    )


def _actions(present: DataFrame, task: SurvivalTask) -> DataFrame:
    """The list: positive gains, best first, ties by a hash of the customer, within the budget."""
    rescue = task.rescue
    if rescue is None:
        empty = {"rank": F.lit(0).cast("bigint"), "arm": F.lit(""), "expected_gain": F.lit(0.0)}
        return present.where(F.lit(False)).withColumns(empty).select(*ACTIONS.own_names)
    gain = F.col("value_at_risk") * rescue.save_rate - rescue.cost
    best_first = Window.partitionBy(F.lit(0)).orderBy(
        F.desc("expected_gain"), F.xxhash64("customer", F.lit(task.seed)), "customer"
    )
    listed = (
        present.withColumn("expected_gain", gain)
        .where("expected_gain > 0")
        .withColumn("rank", F.row_number().over(best_first).cast("bigint"))
    )
    if rescue.budget is not None and rescue.cost > 0:
        listed = listed.where(F.col("rank") <= int(rescue.budget / rescue.cost))
    part = F.pmod(F.xxhash64("customer", F.lit(f"control {task.seed}")), F.lit(_PARTS))
    is_control = part < round(rescue.control_share * _PARTS)
    arm = F.when(is_control, F.lit("control")).otherwise(F.lit("contact"))
    return listed.select("customer", "rank", arm.alias("arm"), "probability", "value_at_risk", "expected_gain")


def _value_measures(present: DataFrame, actions: DataFrame, task: SurvivalTask) -> list[Measure]:
    row = present.agg(F.count("*"), F.sum("probability"), F.sum("value_at_risk")).collect()[0]
    rows = int(row[0])
    found = [Measure("expected_departures", row[1], str(task.horizon_periods), "present", rows=rows)]
    if row[2] is not None:
        found.append(Measure("value_at_risk", row[2], str(task.horizon_periods), "present", rows=rows))
    if task.rescue is not None and row[2] is not None:
        contacted = actions.where("arm = 'contact'")
        count, gain = contacted.agg(F.count("*"), F.coalesce(F.sum("expected_gain"), F.lit(0.0))).collect()[0]
        of_all = row[2] * task.rescue.save_rate - rows * task.rescue.cost
        found.append(Measure("list_gain", gain, split="present", baseline=of_all, rows=int(count)))
    return found
