"""Send times: rates by hour, each customer's preference by empirical Bayes, evaluated on later contacts.

A customer responds to a contact in band b at the rate m(b)·r·t(b): m is the group's rate, r ~ Gamma(c, c) the
customer's overall responsiveness, t(b) ~ Gamma(k, k) the customer's preference for the band. Two contacts of a customer
in different bands share only r, two in the same band also t, so pairs of responses give both variances without a fit:
E[y y'] / (m m') is 1 + 1/c between bands and (1 + 1/c)(1 + 1/k) within one. (Gamma-Poisson shrinkage: Robbins 1956,
Fader and Hardie 2002; moments of pairs: Efron and Morris 1975.)

Policies are compared on later contacts by inverse propensity, self-normalised (Hajek 1971; Swaminathan and Joachims
2015): contacts that were sent, by chance, when the policy would have sent them. Intervals by a jackknife over hashed
groups of customers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.decisions.send_time.kind import BANDS, SendTimeTask
from otklik.errors import RefusedError
from otklik.inference import Estimate, wilson
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

ALL = "(all)"
#: Number of jackknife groups of customers.
_BUCKETS = 100
#: Variance so small that it counts as none.
_NO_SPREAD = 1e9
#: If contacts fall in the customer's own best band this many times as often as by chance, they were targeted.
_CHOSEN = 1.1
Floats = npt.NDArray[np.float64]


def run(frames: Mapping[str, DataFrame], task: SendTimeTask, context: StageContext) -> StageResult:
    """Rates by band, a band for each customer, and the gain from choosing on later contacts.

    Collects sums by group and band, and by 100 groups of customers.

    Args:
        frames: `contacts`: customer, moment, responded and perhaps group.
        task: see `SendTimeTask`.
        context: of the stage; nothing is drawn at random.

    Returns:
        Tables `bands` and `times`; measures `rate` on later contacts as sent, in the best band for all, and in each
        customer's own band; `gain` of the latter two; `preference` (1/k) and `chance_match`.

    Raises:
        RefusedError: if there are no contacts, only one moment, or too many groups.
    """
    contacts = _laid_out(frames["contacts"], task)
    counts = context.keep(
        contacts.groupBy("customer", "group", "band").agg(
            *(
                F.count_if(is_in & is_wanted).alias(name)
                for period, is_in in (("", ~F.col("is_later")), ("later_", F.col("is_later")))
                for name, is_wanted in ((f"{period}n", F.lit(True)), (f"{period}yes", F.col("responded")))
            )
        )
    )
    bands = _bands(counts, task)
    earlier, later = int(bands["n"].sum()), int(bands["later_n"].sum())
    for period, rows in (("earlier", earlier), ("later", later)):
        if rows < task.minimum_contacts or not bands["yes" if period == "earlier" else "later_yes"].sum():
            parameters = {"contacts": rows, "minimum": task.minimum_contacts}
            verdict = Verdict("too_little_data", [Finding(f"few_{period}", parameters=parameters)])
            none = _times(counts, bands, _NO_SPREAD, _NO_SPREAD, context).limit(0)
            return StageResult({"bands": _bands_table(bands, context), "times": none}, [], verdict)
    readiness, preference = _spreads(counts, bands, context)
    chosen = context.keep(_times(counts, bands, _shape_of(readiness.value), _shape_of(preference.value), context))
    context.step.rows(chosen.count(), "customers")
    judged = _judged(counts, chosen, bands, context)
    measures = _measures(judged, preference, later)
    rare = bands[~bands["is_offered"]]
    findings = [Finding("rare_bands", parameters={"n": len(rare)}, value=len(rare))] if len(rare) else []
    return StageResult(
        {"bands": _bands_table(bands, context), "times": chosen}, measures, _verdict(judged, measures, later), findings
    )


def _laid_out(contacts: DataFrame, task: SendTimeTask) -> DataFrame:
    """customer, group (of the customer's last contact), band, is_later, responded."""
    micros = F.unix_micros("moment")
    ends = contacts.agg(
        F.percentile_approx(micros, F.lit(1 - task.later_share), F.lit(10_000)).alias("cut"), F.max(micros).alias("end")
    ).collect()[0]
    if ends.cut is None:
        raise RefusedError(
            "no contact has a customer, a moment and an answer",
            where=f"task {task.name}, frame contacts",
            hint="check its input, `where` and columns",
        )
    if ends.cut >= ends.end:
        raise RefusedError(
            "the contacts cannot be split by time: too many have the latest moment",
            where=f"task {task.name}, frame contacts",
            hint="provide moments with hours, over several days",
        )
    hour = F.hour(F.from_utc_timestamp("moment", task.timezone))
    band: Column = F.lit(task.band_starts[0])
    for start in task.band_starts[1:]:
        band = F.when(hour >= start, F.lit(start)).otherwise(band)
    group = F.coalesce("group", F.lit(ALL)) if "group" in contacts.columns else F.lit(ALL)
    latest = F.max_by(group, F.struct("moment", group)).over(Window.partitionBy("customer"))
    return contacts.select(
        "customer", latest.alias("group"), band.alias("band"), (micros > F.lit(ends.cut)).alias("is_later"), "responded"
    )


def _bands(counts: DataFrame, task: SendTimeTask) -> pd.DataFrame:
    """group, band and its statistics: the rate, its share of the group's contacts, whether it is the best."""
    sums = [F.sum(name).alias(name) for name in ("n", "yes", "later_n", "later_yes")]
    groups = counts.select("group").distinct().limit(task.maximum_groups + 1).count()
    if groups > task.maximum_groups:
        raise RefusedError(
            f"more than {task.maximum_groups} groups of contacts",
            where=f"task {task.name}, frame contacts",
            hint="use broader groups, or raise maximum_groups",
        )
    bands = counts.groupBy("group", "band").agg(*sums).toPandas().sort_values(["group", "band"], ignore_index=True)
    of_group = bands.groupby("group")
    # A band with few contacts is shrunk towards its group's rate, with the weight of two contacts.
    overall = of_group["yes"].transform("sum") / of_group["n"].transform("sum").clip(lower=1)
    bands["smoothed"] = (bands["yes"] + 2 * overall) / (bands["n"] + 2)
    for period in ("n", "later_n"):
        bands[f"{period}_share"] = bands[period] / of_group[period].transform("sum").clip(lower=1)
    bands["is_offered"] = bands[["n_share", "later_n_share"]].min(axis=1) >= task.minimum_share
    # If every band of a group is rare in one period, the group keeps its most common one.
    commonest = bands["n"] == of_group["n"].transform("max")
    bands["is_offered"] |= commonest & ~of_group["is_offered"].transform("any")
    ordered = bands[bands["is_offered"]].sort_values(["group", "smoothed", "band"], ascending=[True, False, True])
    bands["is_best"] = bands.index.isin(ordered.groupby("group").head(1).index)
    return bands


def _bands_table(bands: pd.DataFrame, context: StageContext) -> DataFrame:
    low, high = wilson(bands["yes"], bands["n"])
    rows = bands.assign(
        contacts=bands["n"],
        responses=bands["yes"],
        rate=bands["yes"] / bands["n"].where(bands["n"] > 0),
        low=low,
        high=high,
        later_rate=bands["later_yes"] / bands["later_n"].where(bands["later_n"] > 0),
    )
    frame: DataFrame = context.spark.createDataFrame(rows[BANDS.own_names], BANDS.own_ddl)
    return frame


def _with_rates(counts: DataFrame, bands: pd.DataFrame, context: StageContext) -> DataFrame:
    """Counts of customers with the group's rate of the band and the customer's bucket."""
    rates = context.spark.createDataFrame(bands[["group", "band", "smoothed", "later_n_share"]])
    bucket = F.pmod(F.xxhash64("customer", F.lit("jackknife")), F.lit(_BUCKETS)).cast("int")
    return counts.join(F.broadcast(rates), ["group", "band"]).withColumn("bucket", bucket)


def _spreads(counts: DataFrame, bands: pd.DataFrame, context: StageContext) -> tuple[Estimate, Estimate]:
    """1/c and 1/k, from pairs of a customer's earlier contacts in different bands and in the same one."""
    expected = F.col("n") * F.col("smoothed")
    rows = _with_rates(counts, bands, context)
    per_customer = rows.groupBy("bucket", "customer").agg(
        F.sum("yes").alias("yes"),
        F.sum(expected).alias("expected"),
        F.sum(F.col("yes") ** 2).alias("yes_squared"),
        F.sum(expected**2).alias("expected_squared"),
        F.sum(F.col("yes") * (F.col("yes") - 1)).alias("same"),
        F.sum(F.col("n") * (F.col("n") - 1) * F.col("smoothed") ** 2).alias("same_expected"),
    )
    sums = _by_bucket(
        per_customer,
        {
            "cross": F.col("yes") ** 2 - F.col("yes_squared"),
            "cross_expected": F.col("expected") ** 2 - F.col("expected_squared"),
            "same": F.col("same"),
            "same_expected": F.col("same_expected"),
        },
    )

    def between(totals: Mapping[str, float]) -> float:
        return _ratio(totals["cross"], totals["cross_expected"], 1.0)

    def within(totals: Mapping[str, float]) -> float:
        return _ratio(_ratio(totals["same"], totals["same_expected"], 1.0), between(totals), 1.0) - 1

    return jackknife(sums, lambda totals: between(totals) - 1), jackknife(sums, within)


def _by_bucket(rows: DataFrame, sums: Mapping[str, Column]) -> pd.DataFrame:
    totals = rows.groupBy("bucket").agg(*(F.sum(column).cast("double").alias(name) for name, column in sums.items()))
    return totals.toPandas().sort_values("bucket", ignore_index=True)


def jackknife(sums: pd.DataFrame, of: Callable[[Mapping[str, float]], float]) -> Estimate:
    """A function of sums over groups of customers, with its jackknife interval.

    Args:
        sums: a row per group, a column per sum.
        of: totals → the number.
    """
    values = sums.drop(columns="bucket")
    names, rows = list(values.columns), values.to_numpy(float)
    totals = rows.sum(axis=0)

    def value(sums_of_some: Floats) -> float:
        return of(dict(zip(names, sums_of_some.tolist(), strict=True)))

    return Estimate.by_jackknife(np.array([value(totals), *(value(totals - row) for row in rows)]))


def _ratio(above: float, below: float, otherwise: float) -> float:
    return above / below if below > 0 else otherwise


def _shape_of(spread: float) -> float:
    """Shape of the gamma distribution with this variance; without variance, one that shrinks completely."""
    return 1 / spread if spread > 1 / _NO_SPREAD else _NO_SPREAD


def _times(
    counts: DataFrame, bands: pd.DataFrame, readiness: float, preference: float, context: StageContext
) -> DataFrame:
    """The rows of `times`: per customer the offered band with the highest expected rate.

    Args:
        counts: customer, group, band, n, yes.
        bands: see `_bands`.
        readiness: c.
        preference: k.
        context: of the stage.
    """
    offered = bands[bands["is_offered"]]
    options = pd.DataFrame(
        [
            {
                "group": group,
                "options": [
                    {"rate": row["smoothed"], "band": row["band"], "is_best": row["is_best"]}
                    for row in rows.to_dict("records")
                ],
            }
            for group, rows in offered.groupby("group")
        ]
    )
    of_groups = context.spark.createDataFrame(
        options, "`group` STRING, options ARRAY<STRUCT<rate: DOUBLE, band: INT, is_best: BOOLEAN>>"
    )
    per_customer = (
        _with_rates(counts, bands, context)
        .groupBy("customer", "group")
        .agg(
            F.sum("n").alias("contacts"),
            F.sum("yes").alias("responses"),
            F.sum(F.col("n") * F.col("smoothed")).alias("expected_responses"),
            F.map_from_entries(F.collect_list(F.struct("band", F.struct("n", "yes")))).alias("seen"),
        )
    )
    ready = (F.lit(readiness) + F.col("responses")) / (F.lit(readiness) + F.col("expected_responses"))
    like = F.lit(preference)

    def scored(option: Column) -> Column:
        seen = F.try_element_at("seen", option["band"])
        yes, n = F.coalesce(seen["yes"], F.lit(0)), F.coalesce(seen["n"], F.lit(0))
        liking = (like + yes) / (like + F.col("ready") * option["rate"] * n)
        # A rate is at most 1, even if estimated from a few answers.
        expected = F.least(F.col("ready") * option["rate"] * liking, F.lit(1.0))
        return F.struct(
            expected.alias("expected"), option["is_best"].alias("is_best"), (-option["band"]).alias("earlier_first")
        )

    best = F.filter("scored", lambda one: one["is_best"])[0]
    return (
        per_customer.withColumn("ready", ready)
        .join(F.broadcast(of_groups), "group")
        .withColumn("scored", F.transform("options", scored))
        .withColumn("chosen", F.array_max("scored"))
        .select(
            "customer",
            "group",
            (-F.col("chosen.earlier_first")).cast("int").alias("band"),
            (~F.col("chosen.is_best")).alias("is_own"),
            F.col("chosen.expected").alias("expected"),
            best["expected"].alias("expected_best"),
            "contacts",
            "responses",
        )
    )


def _judged(counts: DataFrame, chosen: DataFrame, bands: pd.DataFrame, context: StageContext) -> dict[str, Estimate]:
    """Estimates of the three policies on later contacts, by name.

    Rates as sent (`sent`), in the best band (`best`) and in each customer's own (`own`), the gains, and how often
    contacts of customers with their own band were in it, compared with chance (`match`).
    """
    chosen_bands = bands.loc[bands["is_best"], ["group", "band"]]
    best = context.spark.createDataFrame(chosen_bands.rename(columns={"band": "best"}))
    shares = context.spark.createDataFrame(
        bands[["group", "band", "later_n_share"]].rename(columns={"band": "own", "later_n_share": "own_share"})
    )
    rows = (
        _with_rates(counts.where("later_n > 0"), bands, context)
        .join(chosen.select("customer", F.col("band").alias("own"), "is_own"), "customer")
        .join(F.broadcast(best), "group")
        .join(F.broadcast(shares), ["group", "own"])
    )
    weights = {
        "sent": F.lit(1.0),
        "best": F.when(F.col("band") == F.col("best"), 1 / F.col("later_n_share")).otherwise(0.0),
        "own": F.when(F.col("band") == F.col("own"), 1 / F.col("later_n_share")).otherwise(0.0),
    }
    sums = {f"{name}_yes": weight * F.col("later_yes") for name, weight in weights.items()}
    sums |= {f"{name}_n": weight * F.col("later_n") for name, weight in weights.items()}
    is_own = F.col("is_own").cast("int")
    sums["matched"] = is_own * F.when(F.col("band") == F.col("own"), F.col("later_n")).otherwise(0)
    sums["by_chance"] = is_own * F.col("later_n") * F.col("own_share")
    totals = _by_bucket(rows, sums)

    def rate(name: str) -> Callable[[Mapping[str, float]], float]:
        return lambda total: _ratio(total[f"{name}_yes"], total[f"{name}_n"], math.nan)

    def gain(name: str, over: str) -> Callable[[Mapping[str, float]], float]:
        return lambda total: rate(name)(total) - rate(over)(total)

    return {
        **{name: jackknife(totals, rate(name)) for name in weights},
        "own_gain": jackknife(totals, gain("own", "best")),
        "best_gain": jackknife(totals, gain("best", "sent")),
        "match": jackknife(totals, lambda total: _ratio(total["matched"], total["by_chance"], 1.0)),
    }


def _measures(judged: Mapping[str, Estimate], preference: Estimate, rows: int) -> list[Measure]:
    sent, best = judged["sent"].value, judged["best"].value
    claims = [
        ("rate", "own", "later", judged["own"], best),
        ("rate", "best", "later", judged["best"], sent),
        ("rate", "sent", "later", judged["sent"], sent),
        ("gain", "own", "later", judged["own_gain"], 0.0),
        ("gain", "best", "later", judged["best_gain"], 0.0),
        ("chance_match", "", "later", judged["match"], 1.0),
        ("preference", "", "earlier", preference, 0.0),
    ]
    return [
        Measure(name, each.value, subject, split, each.low, each.high, baseline, rows)
        for name, subject, split, each, baseline in claims
    ]


def _verdict(judged: Mapping[str, Estimate], measures: list[Measure], rows: int) -> Verdict:
    """A gain if own hours beat the best one for all, or that one the hours as sent; invalid if those were targeted."""
    own, best, match = judged["own_gain"], judged["best_gain"], judged["match"]
    key = next(one for one in measures if (one.measure, one.subject) == ("gain", "own"))
    if match.low > _CHOSEN:
        return Verdict("invalid", [Finding("hours_follow_customers", parameters={"ratio": match.value})], key)
    for policy, gain, reason in (("own", own, "own_hours"), ("best", best, "one_hour_for_all")):
        if gain.low > 0:
            per_thousand = {"gain": round(1000 * gain.value), "rate": round(1000 * judged[policy].value)}
            card = next(one for one in measures if (one.measure, one.subject) == ("gain", policy))
            return Verdict(
                "gain", [Finding(reason, parameters={**per_thousand, "contacts": rows}, value=gain.value)], card
            )
    return Verdict("no_gain", [Finding("hours_alike", parameters={"contacts": rows}, value=own.value)], key)
