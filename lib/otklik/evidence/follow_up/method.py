"""Compare predictions of lists with outcomes: counts per campaign, a table of campaigns, advice from the last one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.evidence.follow_up.kind import TABLES, FollowUpTask, split_of
from otklik.evidence.follow_up.reckoning import (
    Advice,
    Band,
    Campaign,
    advised_control,
    advised_retraining,
    advised_threshold,
    difference,
    drift_p,
)
from otklik.evidence.tables import tables_of
from otklik.inference import Estimate, known
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict

_BANDS = 10
_MOST_CAMPAIGNS = 500
_MISSED = ("late", "never", "control_contacted")

_Row = tuple[Any, ...]


def run(frames: Mapping[str, DataFrame], task: FollowUpTask, context: StageContext) -> StageResult:
    """Compare campaigns with the predictions of their lists.

    The driver collects counts per campaign, and per campaign and decile of its list.

    Args:
        frames: `listed`, `contacts` and `outcomes`; see `kind`.
        task: the settings.
        context: the as-of moment; a campaign is open until its outcome window has passed.

    Raises:
        RefusedError: if a unit is twice on a list, an arm is unknown, or there are too many campaigns.
    """
    listed = context.keep(_checked(frames["listed"]))
    rows = context.keep(_with_what_came(listed, frames["contacts"], frames["outcomes"], task))
    campaigns = _counted(rows, task, context)
    context.step.rows(sum(one.to_contact + one.control for one in campaigns), "units on lists")
    done = [one for one in campaigns if _state(one, task) == "done"]
    advice = _advice(done[-1], task) if done else []
    tables = tables_of(
        context,
        TABLES,
        campaigns=[_campaign_row(one, before, task) for before, one in pairwise([None, *campaigns])],
        bands=[row for one in campaigns for row in _band_rows(one, task)],
        advice=[(one.setting, *map(known, (one.now, one.proposed, one.low, one.high)), one.reason) for one in advice],
    )
    missed = rows.where(F.col("what").isin(*_MISSED)).select("campaign", "unit", "what", "contacted_at")
    findings = [*_advice_findings(advice), *_drift_findings(done, task)]
    return StageResult({**tables, "missed": missed}, list(_measures(done, task)), _verdict(campaigns, task), findings)


def _checked(listed: DataFrame) -> DataFrame:
    """Lists as they were made, with the prediction that is evaluated.

    Raises:
        RefusedError: if they are not lists.
    """
    counts = listed.agg(
        F.count("*").alias("rows"),
        F.count_distinct("campaign", "unit").alias("units"),
        F.count_distinct("campaign").alias("campaigns"),
        F.count_if(~F.col("arm").isin("contact", "control")).alias("odd"),
    ).collect()[0]
    if counts["rows"] > counts["units"]:
        raise RefusedError(
            f"{counts['rows']:,} rows for {counts['units']:,} units of campaigns",
            where="frame listed",
            hint="give one row per campaign and unit, as gold.lists has them: where or a SELECT in [frames.listed]",
        )
    if counts["odd"]:
        raise RefusedError(
            f"arm: neither contact nor control in {counts['odd']:,} rows",
            where="frame listed",
            hint="filter out other rows with where, or map the arms to these names under columns of [frames.listed]",
        )
    if counts["campaigns"] > _MOST_CAMPAIGNS:
        raise RefusedError(
            f"more than {_MOST_CAMPAIGNS} campaigns", where="frame listed", hint="filter out old ones with where"
        )
    there = {
        name: F.col(name) if name in listed.columns else F.lit(None).cast("double")
        for name in ("probability", "effect", "expected_profit")
    }
    is_contact = (F.col("arm") == "contact").alias("is_contact")
    promise = F.coalesce(there["probability"], there["effect"]).alias("promise")
    columns = (column.alias(name) for name, column in there.items())
    list_of = F.coalesce("task", F.lit("")) if "task" in listed.columns else F.lit("")
    return listed.select(
        "campaign", "unit", list_of.alias("list_of"), is_contact, F.col("moment").alias("made_at"), *columns, promise
    )


def _with_what_came(listed: DataFrame, contacts: DataFrame, outcomes: DataFrame, task: FollowUpTask) -> DataFrame:
    """Adds contacted_at, what (in_time | late | never; of control: control | control_contacted), yes and band."""
    end = _after("made_at", task.outcome_days)
    same = [F.col("l.unit") == F.col("c.unit")]
    if "campaign" in contacts.columns:
        same.append(F.col("l.campaign") == F.col("c.campaign"))
    places = listed.select("campaign", "unit", "made_at").alias("l")
    is_within = (F.col("c.moment") >= F.col("made_at")) & (F.col("c.moment") <= end)
    first = (
        places.join(contacts.alias("c"), [*same, is_within], "inner")
        .groupBy("l.campaign", "l.unit")
        .agg(F.min("c.moment").alias("contacted_at"))
    )
    is_within = (F.col("o.moment") >= F.col("made_at")) & (F.col("o.moment") <= end)
    came = (
        places.join(outcomes.alias("o"), [F.col("l.unit") == F.col("o.unit"), is_within], "inner")
        .select("l.campaign", "l.unit", F.lit(1.0).alias("yes"))
        .distinct()
    )
    is_there = F.col("contacted_at").isNotNull()
    is_in_time = F.col("contacted_at") <= _after("made_at", task.contact_days)
    to_contact = F.when(~is_there, "never").when(is_in_time, "in_time").otherwise("late")
    what = F.when(F.col("is_contact"), to_contact).when(is_there, "control_contacted").otherwise("control")
    joined = listed.join(first, ["campaign", "unit"], "left").join(came, ["campaign", "unit"], "left")
    cuts = F.percentile_approx("promise", [place / _BANDS for place in range(1, _BANDS)], 10_000).alias("_cuts")
    edges = listed.groupBy("campaign").agg(cuts)
    band = F.size(F.filter("_cuts", lambda cut: cut < F.col("promise"))) + 1
    return joined.join(F.broadcast(edges), "campaign").select(
        *joined.drop("yes").columns,
        F.coalesce("yes", F.lit(0.0)).alias("yes"),
        what.alias("what"),
        F.when(F.col("promise").isNotNull(), band).alias("band"),
    )


def _after(column: str, days: int) -> Column:
    return F.col(column) + F.make_dt_interval(F.lit(days))


def _counted(rows: DataFrame, task: FollowUpTask, context: StageContext) -> list[Campaign]:
    """Campaigns in the order of their lists."""
    is_contact, is_control = F.col("is_contact"), ~F.col("is_contact")
    is_contacted = F.col("what").isin("in_time", "late")
    bands: dict[str, list[Band]] = {}
    by_band = rows.where("band IS NOT NULL").groupBy("campaign", "band")
    for row in by_band.agg(
        F.count_if(is_contacted).alias("units"),
        F.count_if(is_contacted & (F.col("yes") > 0)).alias("yes"),
        F.avg(F.when(is_contacted, F.col("promise"))).alias("promised"),
        F.count_if(is_control).alias("control"),
        F.count_if(is_control & (F.col("yes") > 0)).alias("control_yes"),
    ).orderBy("campaign", "band").collect():  # fmt: skip
        counts = (row["units"], row["yes"], _number(row["promised"]), row["control"], row["control_yes"])
        bands.setdefault(row["campaign"], []).append(Band(*counts))
    found = rows.groupBy("campaign").agg(
        # As a number, because a collected timestamp is in the machine's time zone.
        F.unix_micros(F.max("made_at")).alias("made_at"),
        F.max("list_of").alias("list_of"),
        (F.max(_after("made_at", task.outcome_days)) <= F.lit(context.as_of)).alias("is_over"),
        F.count_if(is_contact).alias("to_contact"),
        *(F.count_if(F.col("what") == name).alias(name) for name in ("in_time", *_MISSED)),
        F.count_if(is_contact & (F.col("yes") > 0)).alias("yes"),
        F.count_if(is_contacted & (F.col("yes") > 0)).alias("contacted_yes"),
        F.count_if(is_control).alias("control"),
        F.count_if(is_control & (F.col("yes") > 0)).alias("control_yes"),
        F.sum(F.when(is_contacted, F.col("probability"))).alias("promised"),
        F.avg(F.when(is_contact, F.col("effect"))).alias("promised_effect"),
        F.sum(F.when(is_contact, F.col("expected_profit"))).alias("promised_profit"),
        F.min("probability").alias("least"),
    )
    numbers = ("promised", "promised_effect", "promised_profit", "least")
    campaigns = []
    for row in found.withColumnRenamed("campaign", "name").collect():
        made_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["made_at"])
        values = {**row.asDict(), **{name: _number(row[name]) for name in numbers}, "made_at": made_at}
        campaigns.append(Campaign(**values, bands=bands.get(row["name"], [])))
    return sorted(campaigns, key=lambda one: (one.made_at, one.name))


def _state(one: Campaign, task: FollowUpTask) -> str:
    return one.state(task.minimum_units, task.contacted_share, task.control_contacted)


def _campaign_row(one: Campaign | None, before: Campaign | None, task: FollowUpTask) -> _Row:
    assert one is not None
    effect, profit, ratio = _effect(one, task), _profit(one, task), one.ratio(task.alpha)
    counts = (one.to_contact, one.control, one.in_time, one.late, one.never, one.control_contacted)
    rates = (
        _share(one.promised, one.contacted), _share(one.contacted_yes, one.contacted), _share(one.yes, one.to_contact),
        _share(one.control_yes, one.control),
    )  # fmt: skip
    numbers = (
        *rates, effect.value, effect.low, effect.high, one.promised_effect, one.promised_profit, profit.value,
        profit.low, profit.high, ratio.value, ratio.low, ratio.high, _drift(one, before),
    )  # fmt: skip
    return one.name, one.list_of, one.made_at, _state(one, task), *counts, *map(known, numbers)


def _effect(one: Campaign, task: FollowUpTask) -> Estimate:
    """No effect if the arms are not comparable."""
    return one.effect(task.alpha) if _state(one, task) in ("done", "few_units") else Estimate()


def _profit(one: Campaign, task: FollowUpTask) -> Estimate:
    isknown = _state(one, task) in ("done", "few_units")
    return one.profit(task.value, task.cost, task.alpha) if isknown else Estimate()


def _drift(one: Campaign, before: Campaign | None) -> float:
    has_promise = before is not None and one.is_over and min(one.promised, before.promised) > 0
    return drift_p(one, before) if before is not None and has_promise else math.nan


def _band_rows(one: Campaign, task: FollowUpTask) -> Iterator[_Row]:
    """Observed share for a predicted probability; observed effect for a predicted effect."""
    if not one.is_over:
        return
    is_rate = math.isfinite(one.least)
    for number, band in enumerate(one.bands, 1):
        if not band.units or not (is_rate or band.control):
            continue
        if is_rate:
            rate = band.yes / band.units
            came = Estimate.around(rate, math.sqrt(rate * (1 - rate) / band.units), task.alpha)
        else:
            came = difference(band.yes, band.units, band.control_yes, band.control, task.alpha)
        yield one.name, number, band.units, *map(known, (band.promised, came.value, came.low, came.high))


def _advice(last: Campaign, task: FollowUpTask) -> list[Advice]:
    advice = []
    worth = abs(last.effect(task.alpha).value)
    if task.value is not None and task.cost is not None:
        advice.append(advised_threshold(last, task.value, task.cost, task.alpha))
        worth = task.cost / task.value
    # Of the profit if there is one, otherwise of the effect.
    found = _profit(last, task) if task.value is not None else _effect(last, task)
    control = advised_control(last, worth, task.alpha, is_open=not found.is_beyond_nought)
    return [*advice, control, advised_retraining(last, task.tolerance, task.alpha)]


def _advice_findings(advice: Sequence[Advice]) -> Iterator[Finding]:
    for one in advice:
        if one.is_change:
            parameters = {name: getattr(one, name) for name in ("now", "proposed", "low", "high")}
            known = {name: value for name, value in parameters.items() if math.isfinite(value)}
            yield Finding(f"advice_{one.reason}", one.setting, known, one.proposed)


def _drift_findings(done: Sequence[Campaign], task: FollowUpTask) -> Iterator[Finding]:
    """Whether observed ÷ predicted differs between the last campaign and the one before."""
    if len(done) > 1 and (p := _drift(done[-1], done[-2])) < task.alpha:
        ratios = {name: one.ratio(task.alpha).value for name, one in (("now", done[-1]), ("before", done[-2]))}
        yield Finding("drift", done[-1].name, {**ratios, "p": p}, p)


def _measures(done: Sequence[Campaign], task: FollowUpTask) -> Iterator[Measure]:
    """Measures; the baseline of effects and profits is the prediction, of ratios 1; `split` names the list's task."""
    for one in done:
        effect, profit, ratio = _effect(one, task), _profit(one, task), one.ratio(task.alpha)
        promised = one.promised_effect if math.isfinite(one.promised_effect) else _share(one.promised, one.contacted)
        rows = one.to_contact + one.control
        whose = split_of(one.list_of)
        for name, found, baseline in (
            ("effect", effect, promised), ("profit", profit, one.promised_profit), ("ratio", ratio, 1.0),
        ):  # fmt: skip
            if math.isfinite(found.value):
                yield Measure(name, found.value, one.name, whose, found.low, found.high, known(baseline), rows)


def _verdict(campaigns: Sequence[Campaign], task: FollowUpTask) -> Verdict:
    """The verdict by the last closed campaign; if it is invalid, so is the verdict."""
    over = [one for one in campaigns if one.is_over]
    if not over:
        return Verdict("too_little_data", [Finding("open", campaigns[-1].name, {"days": task.outcome_days})])
    last = over[-1]
    state = _state(last, task)
    if state != "done":
        counts = {
            "units": last.to_contact, "control": last.control, "contacted": last.contacted,
            "control_contacted": last.control_contacted, "needed": task.minimum_units,
        }  # fmt: skip
        reason = Finding(state, last.name, counts)
        return Verdict("too_little_data" if state == "few_units" else "invalid", [reason])
    key = next(one for one in _measures([last], task) if one.measure == ("profit" if task.value else "effect"))
    found = _profit(last, task) if task.value else _effect(last, task)
    parameters: dict[str, float | int | str] = {"value": found.value, "low": found.low, "high": found.high}
    parameters["promised"] = "—" if key.baseline is None else key.baseline
    what = "profit" if task.value else "effect"
    if found.low > 0:
        return Verdict("gain", [Finding(f"{what}_came", last.name, parameters, found.value)], key)
    if found.high < 0:
        return Verdict("no_gain", [Finding(f"{what}_lost", last.name, parameters, found.value)], key)
    return Verdict("too_little_data", [Finding(f"{what}_not_shown", last.name, parameters, found.value)], key)


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
