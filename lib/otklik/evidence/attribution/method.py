"""Journeys of touches to conversions, and how each rule attributes the conversions to channels.

A journey is the touches of a path up to a conversion, after the one before, within the window; those after the last
conversion are a journey without one. Rules: last and first touch; linear, the same to each touch; time decay, half as
much per half-life before the conversion; Markov, by removal effect (see `chain`); Shapley, of the game in which a set
of channels is worth the conversions of journeys through no other channel (Zhao, Mahboobi & Bagheri 2018, "Shapley
value methods for attribution modeling in online advertising"): its Shapley value is the same share for each channel of
a journey, exact for any number of channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.evidence.attribution import chain
from otklik.evidence.attribution.kind import METHODS, TABLES, AttributionTask
from otklik.evidence.tables import tables_of
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

#: The Markov chain is a channels × channels table.
MOST_CHANNELS = 100
_SECONDS_A_DAY = 86_400.0
_DIRECT = [method for method in METHODS if method != "markov"]

_Row = tuple[Any, ...]


def run(frames: Mapping[str, DataFrame], task: AttributionTask, context: StageContext) -> StageResult:
    """Attribute conversions to channels.

    The driver collects one row per channel, and one per pair of channels that followed each other.

    Args:
        frames: `touches` and `conversions`; see `kind`.
        task: the settings.
        context: session and seed.

    Raises:
        RefusedError: if there are more channels than the Markov chain supports.
    """
    touches, conversions = frames["touches"], frames["conversions"]
    has_cost, has_value = "cost" in touches.columns, "value" in conversions.columns
    by_channel = _by_channel(touches if has_cost else touches.withColumn("cost", F.lit(None).cast("double")))
    steps = context.keep(with_credit(_journeys(touches, conversions, task.window_days), task.half_life_days))
    total, total_value = _totals(conversions)
    given, given_value = _given(steps)
    transitions = _transitions(steps)
    found = sum(count for (_, to), count in transitions.items() if to == chain.CONVERSION)
    context.step.rows(total, "conversions")
    if found < task.minimum_conversions:
        parameters = {"found": found, "needed": task.minimum_conversions}
        return StageResult(tables_of(context, TABLES), [], Verdict("too_little_data", [Finding("few", "", parameters)]))

    reached = sum(given_value["last"].values())
    for channel, share in chain.shares(chain.removal_effects(transitions)).items():
        given.setdefault("markov", {})[channel] = share * found
        given_value.setdefault("markov", {})[channel] = share * reached
    rows = list(_channel_rows(given, given_value, by_channel, (total, total_value), task, has_cost=has_cost))
    leaving: dict[str, int] = {}
    for (origin, _), count in transitions.items():
        leaving[origin] = leaving.get(origin, 0) + count
    tables = tables_of(
        context,
        TABLES,
        channels=rows,
        transitions=[(a, b, count, count / leaving[a]) for (a, b), count in sorted(transitions.items())],
    )
    findings = [Finding("without_touch", "", {"n": total - found, "all": total}, float(total - found))]
    findings += [] if has_value else [Finding("without_value")]
    return StageResult(tables, list(_measures(given, total)), _verdict(given, found, task), findings)


def _by_channel(touches: DataFrame) -> dict[str, tuple[int, float | None]]:
    """Channel → its touches and their cost."""
    found = touches.groupBy("channel").agg(F.count("*").alias("touches"), F.sum("cost").alias("cost"))
    rows = found.limit(MOST_CHANNELS + 1).collect()
    if len(rows) > MOST_CHANNELS:
        raise RefusedError(
            f"touches have more than {MOST_CHANNELS} channels",
            where="frame touches",
            hint="use broader channels under columns of [frames.touches]",
        )
    return {row["channel"]: (row["touches"], row["cost"]) for row in rows}


def _journeys(touches: DataFrame, conversions: DataFrame, window_days: float) -> DataFrame:
    """Each touch with the conversion that ends its journey.

    Returns:
        path, number (of the journey in the path), channel, moment, converted_at (null = no conversion), value. A touch
        at the same moment as a conversion counts for it; touches before the window are left out.
    """
    value = F.col("value") if "value" in conversions.columns else F.lit(1.0)
    text, double = F.lit(None).cast("string"), F.lit(None).cast("double")
    events = touches.select("path", "moment", F.lit(0).alias("is_end"), "channel", double.alias("value")).unionByName(
        conversions.select("path", "moment", F.lit(1).alias("is_end"), text.alias("channel"), value.alias("value"))
    )
    in_order = Window.partitionBy("path").orderBy("moment", "is_end", "channel", "value")
    before = F.sum("is_end").over(in_order.rowsBetween(Window.unboundedPreceding, -1))
    numbered = events.withColumn("number", F.coalesce(before, F.lit(0)))
    journey = Window.partitionBy("path", "number")
    ended = numbered.withColumns(
        {
            "converted_at": F.max(F.when(F.col("is_end") == 1, F.col("moment"))).over(journey),
            "value": F.max("value").over(journey),
        }
    )
    age = _seconds("converted_at") - _seconds("moment")
    is_recent = F.col("converted_at").isNull() | (age <= F.lit(window_days * _SECONDS_A_DAY))
    return ended.where((F.col("is_end") == 0) & is_recent).drop("is_end")


def with_credit(journeys: DataFrame, half_life_days: float) -> DataFrame:
    """Add the credit that each rule gives to a touch, and the channel of the next touch.

    Args:
        journeys: from `_journeys`.
        half_life_days: of time decay.

    Returns:
        `journeys` with is_first, next_channel (null at the end), and a column for each rule but Markov, 0
        if the journey has no conversion.
    """
    journey = Window.partitionBy("path", "number")
    in_order = journey.orderBy("moment", "channel")
    age = (_seconds("converted_at") - _seconds("moment")) / F.lit(_SECONDS_A_DAY)
    # Relative to the journey's last touch, so that weights do not underflow.
    decay = F.pow(F.lit(2.0), (F.min(age).over(journey) - age) / F.lit(half_life_days))
    placed = journeys.withColumns(
        {
            "place": F.row_number().over(in_order),
            "size": F.count("*").over(journey),
            "decay": decay,
            "channels": F.size(F.collect_set("channel").over(journey)),
            "same": F.count("*").over(Window.partitionBy("path", "number", "channel")),
            "next_channel": F.lead("channel").over(in_order),
        }
    )
    is_converted = F.col("converted_at").isNotNull()
    rules = {
        "last": (F.col("place") == F.col("size")).cast("double"),
        "first": (F.col("place") == 1).cast("double"),
        "linear": 1 / F.col("size"),
        "time_decay": F.col("decay") / F.sum("decay").over(journey),
        "shapley": 1 / F.col("channels") / F.col("same"),
    }
    shared = placed.withColumns({name: F.when(is_converted, rule).otherwise(0.0) for name, rule in rules.items()})
    return shared.withColumn("is_first", F.col("place") == 1).drop("place", "size", "decay", "channels", "same")


def _totals(conversions: DataFrame) -> tuple[int, float]:
    value = F.sum("value") if "value" in conversions.columns else F.count("*").cast("double")
    row = conversions.agg(F.count("*").alias("n"), value.alias("value")).collect()[0]
    return row["n"], row["value"] or 0.0


def _given(steps: DataFrame) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Rule → channel → its conversions, and its value."""
    value = F.coalesce("value", F.lit(0.0))
    found = steps.groupBy("channel").agg(
        *(F.sum(name).alias(name) for name in _DIRECT),
        *(F.sum(F.col(name) * value).alias(f"{name} value") for name in _DIRECT),
    )
    rows = found.collect()
    conversions = {name: {row["channel"]: row[name] for row in rows} for name in _DIRECT}
    return conversions, {name: {row["channel"]: row[f"{name} value"] for row in rows} for name in _DIRECT}


def _transitions(steps: DataFrame) -> dict[tuple[str, str], int]:
    """(origin, destination) → count."""
    end = F.when(F.col("converted_at").isNotNull(), F.lit(chain.CONVERSION)).otherwise(F.lit(chain.NONE))
    onward = F.struct(F.col("channel").alias("origin"), F.coalesce("next_channel", end).alias("destination"))
    begun = F.struct(F.lit(chain.START).alias("origin"), F.col("channel").alias("destination"))
    moves = F.explode(F.when(F.col("is_first"), F.array(begun, onward)).otherwise(F.array(onward)))
    counted = steps.select(moves.alias("move")).groupBy("move.origin", "move.destination").count()
    return {(row["origin"], row["destination"]): row["count"] for row in counted.collect()}


def _channel_rows(
    given: Mapping[str, Mapping[str, float]],
    given_value: Mapping[str, Mapping[str, float]],
    by_channel: Mapping[str, tuple[int, float | None]],
    totals: tuple[int, float],
    task: AttributionTask,
    *,
    has_cost: bool,
) -> Iterator[_Row]:
    total, total_value = totals
    for method in METHODS:
        for channel, (touches, cost) in sorted(by_channel.items()):
            conversions = given[method].get(channel, 0.0)
            proof = task.experiments.get(channel)
            paid = cost if has_cost else None
            yield (
                channel, method, conversions, given_value[method].get(channel, 0.0), conversions / total, touches, paid,
                paid / conversions if paid is not None and conversions > 0 else None,
                *((proof.conversions, proof.low, proof.high) if proof else (None, None, None)),
            )  # fmt: skip
        without, worth = total - sum(given[method].values()), total_value - sum(given_value[method].values())
        yield None, method, without, worth, without / total, 0, None, None, None, None, None


def _measures(given: Mapping[str, Mapping[str, float]], total: int) -> Iterator[Measure]:
    """Conversions by channel and rule; the baseline is the last touch, which most tools report."""
    for method in METHODS:
        for channel, conversions in sorted(given[method].items()):
            naive = given["last"].get(channel, 0.0)
            yield Measure("conversions", conversions, f"{channel}: {method}", baseline=naive, rows=total)


def _verdict(given: Mapping[str, Mapping[str, float]], found: int, task: AttributionTask) -> Verdict:
    """The verdict `descriptive`, with the channels that experiments contradict."""
    reasons = [Finding("descriptive", "", {"n": found}, float(found))]
    for channel, proof in sorted(task.experiments.items()):
        said = [given[method].get(channel, 0.0) for method in METHODS]
        outside = sum(not proof.low <= one <= proof.high for one in said)
        if outside:
            parameters = {"outside": outside, "all": len(METHODS), "low": proof.low, "high": proof.high}
            reasons.append(Finding("experiment_disagrees", channel, parameters, proof.conversions))
    top = max(given["shapley"], key=lambda channel: given["shapley"][channel])
    key = Measure("conversions", given["shapley"][top], f"{top}: shapley", baseline=given["last"][top], rows=found)
    return Verdict("descriptive", reasons, key)


def _seconds(column: str) -> Any:
    return F.col(column).cast("double")
