"""The kind `assortment`: choose products on earlier purchases, evaluate the set on later ones.

`choice` defines what a set retains. The set is chosen on purchases before the last `test_days` and evaluated on these
days, on all customers, and compared with the products of the highest value (best sellers) and a random set. Intervals
are conditional on the sets, by a jackknife over hashed groups of customers. If the transfer is estimated, the set must
also be better at the lower bound of its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.decisions.assortment.choice import Floats, Needs, Whole, by_value, greedy, lost_without, substitutes
from otklik.decisions.assortment.judging import METHODS, SPLITS, STEPS, Judged, Pools, evaluate
from otklik.decisions.assortment.kind import CURVE, PRODUCTS, TRANSFER, AssortmentTask
from otklik.decisions.assortment.stock import Transfer, measured
from otklik.errors import RefusedError
from otklik.inference import Estimate, known
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict
from otklik.models.bootstrap import draw_hash
from otklik.session import frame_of

ALL = "(all)"
_KEYS = "`group` STRING, product STRING, category STRING, alone STRING, number INT"


def run(frames: Mapping[str, DataFrame], task: AssortmentTask, context: StageContext) -> StageResult:
    """Choose the set, and compare it with the best sellers on later purchases.

    Collects a row per product and group, the needs of a bounded sample of customers, a row per week without stock, and
    sums by 100 groups of customers.

    Args:
        frames: `purchases` (customer, product, moment, value and perhaps category, group), perhaps `out_of_stock`.
        task: see `AssortmentTask`.
        context: of the stage.

    Returns:
        Tables `products`, `curve`, `transfer`. Measures of each method on later purchases: `kept`, `kept_itself`,
        `needs`, `reach`; `kept` on earlier ones; `gain` and `reach_gain` of the chosen set over the best sellers;
        `break_even`, the transfer above which it retains more; `transfer`.

    Raises:
        RefusedError: if there are too many products.
    """
    rows = _laid_out(frames["purchases"], task, context)
    # Returns are not purchases: a product with a negative total was not bought in that period.
    bought = context.keep(
        rows.groupBy("customer", "group", "product", "window").agg(F.sum("value").alias("value")).where("value > 0")
    )
    products, findings = _products(bought, rows, task)
    keys = _keys(products, context)
    counts = bought.join(F.broadcast(keys), ["group", "product"]).agg(
        F.countDistinct(F.when(F.col("window") >= 0, F.col("customer"))).alias("earlier"),
        F.countDistinct(F.when(F.col("window") < 0, F.col("customer"))).alias("later"),
        F.count_if(F.col("window") >= 0).alias("rows"),
    ).collect()[0].asDict()  # fmt: skip
    context.step.rows(counts["earlier"], "customers")
    for split in SPLITS:
        if counts[split] < task.minimum_customers:
            parameters = {"customers": counts[split], "minimum": task.minimum_customers}
            verdict = Verdict("too_little_data", [Finding(f"few_{split}", parameters=parameters)])
            return StageResult(_tables({}, context), [], verdict, findings)
    needs = _needs(bought, keys, products, task, counts["rows"])
    transfer, transfers, unclear = _transfer(frames, rows, products, needs, task, context)
    pools = Pools.of(products, task)
    at_random = draw_hash(products["group"] + "\n" + products["product"], f"assortment {task.seed}")
    turns = {
        "chosen": greedy(needs, transfer.value, pools.of_product, 2 * pools.places),
        "best_sellers": by_value(needs.own, pools.of_product),
        "random": by_value(at_random.astype(float), pools.of_product),
    }
    steps = {method: pools.steps(turn) for method, turn in turns.items()}
    judged = evaluate(bought, _keys(products, context, steps))
    measures = _measures(judged, transfer, task.transfer, counts)
    is_same = bool(((steps["chosen"] <= STEPS) == (steps["best_sellers"] <= STEPS)).all())
    verdict = _verdict(judged, measures, transfer, pools, task.minimum_gain, is_same=is_same)
    # A set that is not significantly better is not recommended.
    advised = "chosen" if verdict.verdict == "gain" else "best_sellers"
    tables = {
        "products": _described(products, needs, transfer.value, turns[advised], steps[advised]).assign(
            is_chosen=steps["chosen"] <= STEPS, is_best_seller=steps["best_sellers"] <= STEPS
        ),
        "curve": _curve(judged, pools, transfer.value),
        "transfer": transfers,
    }
    return StageResult(_tables(tables, context), measures, verdict, [*findings, *unclear])


def _laid_out(purchases: DataFrame, task: AssortmentTask, context: StageContext) -> DataFrame:
    """customer, group, product, category, day, value; window: −1 is the later period, 0 as many days before it."""
    cut = F.unix_micros(F.lit(context.as_of - timedelta(days=task.test_days)))
    window = F.floor(
        (cut - F.unix_micros("moment")) / F.lit(timedelta(days=task.test_days) // timedelta(microseconds=1))
    )
    given = purchases.columns
    return purchases.select(
        "customer",
        (F.col("group") if "group" in given else F.lit(ALL)).alias("group"),
        "product",
        (F.col("category") if "category" in given else F.lit(ALL)).alias("category"),
        F.to_date("moment").alias("day"),
        "value",
        window.alias("window"),
    )


def _products(bought: DataFrame, rows: DataFrame, task: AssortmentTask) -> tuple[pd.DataFrame, list[Finding]]:
    """group, product, category, value, later_value of what was bought in the earlier period, in the order of names."""
    is_later = F.col("window") < 0
    values = bought.groupBy("group", "product").agg(
        F.sum(F.when(~is_later, F.col("value")).otherwise(0.0)).alias("value"),
        F.sum(F.when(is_later, F.col("value")).otherwise(0.0)).alias("later_value"),
    )
    categories = rows.where(~is_later).groupBy("product").agg(
        F.mode("category", True).alias("category"), F.countDistinct("category").alias("categories")
    )  # fmt: skip
    found = values.join(categories, "product", "left").limit(task.maximum_products + 1).toPandas()
    if len(found) > task.maximum_products:
        raise RefusedError(
            f"more than {task.maximum_products:,} products, counted in each group",
            where=f"task {task.name}, frame purchases",
            hint="use broader products or groups, or raise maximum_products",
        )
    findings = []
    is_new = found["value"] <= 0
    if is_new.any():
        share = round(100 * found.loc[is_new, "later_value"].sum() / max(found["later_value"].sum(), 1e-300))
        findings.append(Finding("new_products", parameters={"n": int(is_new.sum()), "percent": share}))
    several = int((found.groupby("product")["categories"].max() > 1).sum())
    if several:
        findings.append(Finding("several_categories", parameters={"n": several}))
    columns = ["group", "product", "category", "value", "later_value"]
    return found.loc[~is_new, columns].sort_values(["group", "product"], ignore_index=True), findings


def _keys(products: pd.DataFrame, context: StageContext, steps: Mapping[str, Whole] | None = None) -> DataFrame:
    """group, product, category, alone (names the category of a product without one), number, and further columns."""
    rows = products[["group", "product", "category"]].assign(
        alone=products["product"].where(products["category"].isna()), number=range(len(products)), **(steps or {})
    )
    return frame_of(context.spark, rows, _KEYS + "".join(f", {name} INT" for name in steps or ()))


def _needs(bought: DataFrame, keys: DataFrame, products: pd.DataFrame, task: AssortmentTask, rows: int) -> Needs:
    """The needs of the earlier period, for a bounded number of customers."""
    grain = 1_000_000
    share = min(1.0, task.collected_rows / max(rows, 1))
    is_drawn = F.pmod(F.xxhash64("customer", F.lit("needs")), F.lit(grain)) < F.lit(round(share * grain))
    need = F.xxhash64("customer", "window", "group", "category", "alone")
    drawn = (
        bought.where((F.col("window") >= 0) & is_drawn).join(F.broadcast(keys), ["group", "product"])
        .select(need.alias("need"), "number", "value").toPandas().sort_values(["need", "number"])
    )  # fmt: skip
    need_of_row, product, value = (drawn[name].to_numpy() for name in ("need", "number", "value"))
    return Needs.of(need_of_row, product, value, products["value"].to_numpy(float))


def _transfer(
    frames: Mapping[str, DataFrame], rows: DataFrame, products: pd.DataFrame, needs: Needs, task: AssortmentTask,
    context: StageContext,
) -> tuple[Estimate, pd.DataFrame, list[Finding]]:  # fmt: skip
    """The transfer used, the rows of its table, and the findings."""
    declared = Estimate(task.transfer, task.transfer, task.transfer)
    if "out_of_stock" not in frames:
        return declared, _transfer_rows(declared, None), []
    context.step.under_way("measuring the transfer")
    keys = _keys(products, context)
    portable = frame_of(context.spark, list(enumerate(needs.portable().tolist())), "number INT, portable DOUBLE")
    sold = rows.where("window >= 0 AND value > 0").select("group", "product", "day", "value")
    cut = context.as_of - timedelta(days=task.test_days)
    found = measured(sold, frames["out_of_stock"], keys.join(portable, "number").drop("number"), cut)
    if found.is_known:
        bounded = np.clip([found.share.value, found.share.low, found.share.high], 0, 1)
        return Estimate(*bounded.tolist()), _transfer_rows(declared, found), []
    unclear = Finding("transfer_unclear", parameters={"days": found.days, "weeks": found.weeks})
    return declared, _transfer_rows(declared, found), [unclear]


def _transfer_rows(declared: Estimate, found: Transfer | None) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"source": "declared", "is_used": found is None or not found.is_known, "transfer": declared.value}
    ]
    if found is not None:
        ends = {"transfer": found.share.value, "low": found.share.low, "high": found.share.high}
        counted = {"days": found.days, "weeks": found.weeks, "missed": found.missed, "gained": found.gained}
        rows.append({"source": "measured", "is_used": found.is_known, **ends, **counted})
    return pd.DataFrame(rows)


def _described(products: pd.DataFrame, needs: Needs, transfer: float, turn: Whole, step: Whole) -> pd.DataFrame:
    """The rows of table `products` for the rule with these ranks and steps."""
    kept = step <= STEPS
    nearest, share = substitutes(needs, kept)
    names = np.array([*products["product"], None], dtype=object)
    return products.assign(
        is_kept=kept,
        place=pd.Series(turn, dtype="Int64").where(step <= 2 * STEPS),
        lost_without=lost_without(needs, transfer, kept) * products["value"].sum(),
        substitute=names[nearest],
        substitute_share=np.where(nearest >= 0, share, np.nan),
    )


def _curve(judged: Judged, pools: Pools, transfer: float) -> pd.DataFrame:
    """The rows of `curve`."""
    rows = []
    places = {pools.places_at(step): step for step in range(2 * STEPS, 0, -1)}
    for split in SPLITS:
        for method in METHODS:
            for count, step in sorted(places.items()):
                parts = {
                    "kept": judged.kept(split, method, transfer, step),
                    "kept_itself": judged.kept_itself(split, method, step),
                    "needs": judged.met(split, method, step),
                    "reach": judged.reach(split, method, step),
                }
                shares = {name: values[0] for name, values in parts.items()}
                rows.append({"split": split, "method": method, "places": count, **shares})
    return pd.DataFrame(rows).query("places > 0")


def _measures(judged: Judged, transfer: Estimate, declared: float, counts: Mapping[str, int]) -> list[Measure]:
    def kept(split: str, method: str) -> Floats:
        return judged.kept(split, method, transfer.value)

    claims: list[tuple[str, str, Callable[[str, str], Floats]]] = [
        *((split, "kept", kept) for split in SPLITS),
        *(("later", name, of) for name, of in (
            ("kept_itself", judged.kept_itself), ("needs", judged.met), ("reach", judged.reach)
        )),
    ]  # fmt: skip
    found = []
    for split, name, of in claims:
        naive = float(of(split, "best_sellers")[0])
        for method in METHODS:
            each = Estimate.by_jackknife(of(split, method))
            found.append(Measure(name, each.value, method, split, each.low, each.high, naive, counts[split]))
    reached = judged.reach("later", "chosen") - judged.reach("later", "best_sellers")
    for name, split, each, baseline in (
        ("gain", "later", judged.gain(transfer.value), 0.0),
        ("reach_gain", "later", Estimate.by_jackknife(reached), 0.0),
        ("break_even", "later", judged.break_even(), transfer.value),
        ("transfer", "earlier", transfer, declared),
    ):
        middle, low, high = (known(end) for end in (each.value, each.low, each.high))
        found.append(Measure(name, middle, "", split, low, high, baseline, counts[split]))
    return found


def _verdict(
    judged: Judged, measures: Sequence[Measure], transfer: Estimate, pools: Pools, minimum: float, *, is_same: bool
) -> Verdict:
    """A gain if the set retains enough more later value than the best sellers, also at the lower bound of transfer."""
    key = next(one for one in measures if one.measure == "gain")
    places = pools.places_at(STEPS)
    if not pools.has_choice:
        return Verdict("no_gain", [Finding("nothing_to_choose", parameters={"products": places})], key)
    if is_same:
        return Verdict("no_gain", [Finding("same_set", parameters={"places": places})], key)
    kept, naive = (
        round(1000 * float(judged.kept("later", method, transfer.value)[0])) for method in ("chosen", "best_sellers")
    )
    parameters = {"kept": kept, "naive": naive, "places": places, "customers": key.rows or 0}
    if not all(judged.gain(share).low > 0 for share in {transfer.value, transfer.low}):
        reason = "not_better"
    else:
        reason = "keeps_more" if judged.gain(transfer.value).value >= minimum else "little_more"
    found = Finding(reason, parameters=parameters, value=key.value)
    return Verdict("gain" if reason == "keeps_more" else "no_gain", [found], key)


def _tables(found: Mapping[str, pd.DataFrame], context: StageContext) -> dict[str, DataFrame]:
    """All tables of the stage; tables without rows are empty."""
    made = {}
    for table in (PRODUCTS, CURVE, TRANSFER):
        what = table.name.rpartition("_")[2]
        rows = found.get(what, pd.DataFrame()).reindex(columns=table.own_names)
        made[what] = frame_of(context.spark, rows, table.own_ddl)
    return made
