"""The shipped tasks on the built-in world find what is planted in it, and nothing where it is switched off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import Row, SparkSession
from tests.bench import job_on

from otklik.forecasts.recommend.judging import of_list
from otklik.lake.store import Lake
from otklik.models.evaluate import auc
from otklik.steps.ingest import ingest_files
from otklik.steps.run import run_task
from otklik.world import advertising, journeys, mailings, trade, trials

pytestmark = pytest.mark.long

SEED = 7
Answer = Callable[..., Lake]


@pytest.fixture
def answered(spark: SparkSession, tmp_path: Path) -> Answer:
    """A lake in which some parts of a world were taken in and a task was answered."""

    def lake_of(
        task: str, parts: Sequence[str], sources: Sequence[str], without: Sequence[str] = (), customers: int = 3_000
    ) -> Lake:
        folder = tmp_path / f"{Path(task).stem} {len(list(tmp_path.iterdir()))}"
        lake = Lake(spark, str(folder / "lake"), is_here=True)
        for part in parts:
            trade.write_part(spark, part, customers, SEED, str(folder / "world"), without)
        for source in sources:
            ingest_files(job_on(lake, folder, source=source, paths=[str(folder / "world" / source)]))
        run_task(job_on(lake, folder, task=task))
        return lake

    return lake_of


def verdict_of(lake: Lake, task: str) -> str:
    return lake.read("gold.verdicts").where(f"task = '{task}'").collect()[0].verdict


def measure_of(lake: Lake, name: str, subject: str = "", split: str = "") -> Row:
    of_split = f" AND split = '{split}'" if split else ""
    return lake.read("gold.measures").where(f"measure = '{name}' AND subject = '{subject}'{of_split}").collect()[0]


def test_the_lift_of_the_regions_is_found(answered: Answer) -> None:
    lake = answered("world_region_effect", ["regions"], ["region_weeks"])
    off = answered("world_region_effect", ["regions"], ["region_weeks"], ["geo_lift"])

    effect = measure_of(lake, "effect")
    # The lift is of what a week would have brought, the effect a share of what weeks brought before: more in winter.
    regions = lake.read("gold.world_region_effect_regions").where("role = 'treated'").collect()
    truth = fmean((1 - 1 / trials.GEO_LIFT) * region.after / region.before for region in regions)
    assert len(regions) == trials.TREATED
    assert verdict_of(lake, "world_region_effect") == "gain"
    assert effect.low < truth < effect.high
    assert verdict_of(off, "world_region_effect") == "no_gain"


def test_the_signal_that_comes_before_orders_is_found_at_its_lag(answered: Answer) -> None:
    sources = ["order_days", "signal_days"]
    lake = answered("world_lead_lag", ["signals"], sources)
    off = answered("world_lead_lag", ["signals"], sources, ["leading_signal"])

    signals = {row.signal: row for row in lake.read("gold.world_lead_lag_signals").collect()}
    (at_lag,) = (
        lake.read("gold.world_lead_lag_lags").where(f"signal = 'mentions' AND lag = {trials.LEAD_DAYS}").collect()
    )
    assert verdict_of(lake, "world_lead_lag") == "gain"
    assert {name: row.status for name, row in signals.items()} == {
        "mentions": "leads", "reviews": "nothing", "searches": "nothing",
    }  # fmt: skip
    assert signals["mentions"].lag == trials.LEAD_DAYS
    assert at_lag.low < trials.LEAD_EFFECT < at_lag.high
    # Reviews follow orders: that is what their later values say.
    assert signals["reviews"].lead_p < 0.001 < signals["mentions"].lead_p
    assert verdict_of(off, "world_lead_lag") == "no_gain"


def test_the_effect_of_a_mailing_whose_receivers_were_chosen_is_found(answered: Answer) -> None:
    parts, sources = ["shop", "mailings"], ["receipts", "mailings"]
    lake = answered("world_effect", parts, sources, customers=5_000)
    off = answered("world_effect", parts, sources, ["chosen_uplift"], customers=5_000)

    effect = measure_of(lake, "effect_on_all")
    assert verdict_of(lake, "world_effect") == "gain"
    assert effect.low < mailings.CHOSEN_UPLIFT < effect.high
    # The plain difference of the arms takes the choice for an effect.
    assert effect.baseline > effect.value
    assert verdict_of(off, "world_effect") == "no_gain"
    nothing = measure_of(off, "effect_on_all")
    assert nothing.low < 0 < nothing.high < nothing.baseline


HIDDEN = """
name = "hidden"
kind = "effect"
control = "control"
contacted = "discount"
title = { en = "Second mailing", ru = "Вторая рассылка" }
question = { en = "Did it work?", ru = "Сработала ли она?" }
[inputs]
mailings = "silver.mailings"
receipts = "silver.receipts"
[frames.units]
sql = "units"
"""
#: The second mailing brings nothing and goes to recent buyers, of which nothing is given here.
UNITS = """
SELECT m.customer_id AS unit, m.arm, m.sent_at AS moment, CAST(any_value(m.bought) = 'yes' AS DOUBLE) AS outcome,
    CAST(right(m.customer_id, 1) AS DOUBLE) AS last_digit{placebo}
FROM {{mailings}} AS m JOIN {{receipts}} AS r ON r.customer_id = m.customer_id AND r.bought_at < m.sent_at
WHERE m.mailing = 'Возвращение' GROUP BY m.customer_id, m.arm, m.sent_at
"""
PLACEBO = """, CAST(count_if(r.bought_at BETWEEN m.sent_at - INTERVAL '150' DAY AND m.sent_at - INTERVAL '90' DAY) > 0
    AS DOUBLE) AS bought_long_before"""


@pytest.mark.parametrize("placebo", [False, True])
def test_a_hidden_cause_is_said_to_be_possible_and_shown_by_a_placebo(
    answered: Answer, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, placebo: bool
) -> None:
    folder = tmp_path_factory.mktemp("hidden")
    placebos = 'placebos = ["bought_long_before"]\ntitle' if placebo else "title"
    (folder / "hidden.toml").write_text(HIDDEN.replace("title", placebos, 1), encoding="utf-8")
    (folder / "units.sql").write_text(UNITS.format(placebo=PLACEBO if placebo else ""), encoding="utf-8")

    lake = answered(str(folder / "hidden.toml"), ["shop", "mailings"], ["receipts", "mailings"], customers=5_000)

    if placebo:
        assert verdict_of(lake, "hidden") == "invalid"
        return
    truth = spark.read.parquet(f"{Path(lake.root).parent / 'world'}/truth/mailings.parquet")
    second = truth.where("mailing = 'Возвращение'").toPandas()
    recent = second["days_since_last"] < mailings.CHOSEN_DAYS
    chance = second["probability_without"]
    of_contact = mailings.CHOSEN_SHARES[0] / mailings.CHOSEN_SHARES[1]
    of_outcome = chance[recent].mean() / chance[~recent].mean()
    effect, sensitivity = measure_of(lake, "effect_on_all"), measure_of(lake, "e_value")
    # It looks like an effect, and the page says that a cause of this strength would do: the planted one has it.
    assert effect.low > 0
    assert 1 < sensitivity.low < max(of_contact, of_outcome)
    at_most = of_contact * of_outcome / (of_contact + of_outcome - 1)
    needed = sensitivity.low**2 / (2 * sensitivity.low - 1)
    assert needed < at_most


def test_what_advertising_brings_by_region_is_found(answered: Answer, spark: SparkSession) -> None:
    sources = ["geo_revenue_weeks", "geo_media_weeks"]
    lake = answered("world_geo_media_mix", ["geo_advertising"], sources)
    off = answered("world_geo_media_mix", ["geo_advertising"], sources, ["geo_advertising"])

    world = Path(lake.root).parent / "world"
    effects = spark.read.parquet(f"{world}/truth/geo_media_weeks.parquet").groupBy("channel").sum("effect").collect()
    channels = {row.channel: row for row in lake.read("gold.world_geo_media_mix_channels").collect()}
    assert verdict_of(lake, "world_geo_media_mix") == "gain"
    for channel, effect in effects:
        assert channels[channel].revenue_low - 1e-9 <= effect <= channels[channel].revenue_high
    for planted in advertising.CHANNELS[:3]:
        assert channels[planted.name].carry_over == pytest.approx(planted.carry_over, abs=0.05)
    assert measure_of(lake, "planned_gain").low > 0
    assert verdict_of(off, "world_geo_media_mix") == "no_gain"


def test_attribution_gives_orders_to_a_channel_that_brings_none(answered: Answer) -> None:
    """Which is why its page calls every rule descriptive."""
    lake = answered("world_attribution", ["journeys"], ["exposures", "conversions"])

    assert verdict_of(lake, "world_attribution") == "descriptive"
    last = {
        row.channel: row.conversions
        for row in lake.read("gold.world_attribution_channels").where("method = 'last'").collect()
    }
    assert last[journeys.RETARGETING.name] == max(last.values())


def test_the_order_of_events_is_found_and_claimed_only_where_it_is_planted(
    answered: Answer, spark: SparkSession, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'otklik[deep]'")
    sources = ["app_offers", "app_events"]
    lake = answered("world_sequence", ["visits"], sources, customers=4_000)
    off = answered("world_sequence", ["visits"], sources, ["order_matters"], customers=4_000)

    gain, nothing = (measure_of(each, "auc_gain", "sequence") for each in (lake, off))
    later = {
        row.subject: row for row in lake.read("gold.measures").where("measure = 'auc' AND split = 'time'").collect()
    }
    simple = max(later[name].value for name in ("logistic_regression", "decision_tree", "random_forest"))
    truth = spark.read.parquet(f"{Path(lake.root).parent / 'world'}/truth/app_offers.parquet")
    oracle = (
        lake.read("gold.world_sequence_predictions")
        .where("model = 'sequence' AND split = 'time' AND leaks = 'without'")
        .join(truth.withColumnRenamed("customer_id", "key"), "key")
        .toPandas()
    )
    best = auc(oracle["label"].to_numpy(), oracle["probability"].to_numpy())
    assert gain.low > 0.05
    # What no count tells: the simple models are far below what can be known, the network is near it.
    assert simple < best - 0.08 and later["sequence"].value > best - 0.04
    assert nothing.low < 0 and nothing.value < 0.02
    pages = [(Path(each.root) / "report" / "world_sequence.html").read_text(encoding="utf-8") for each in (lake, off)]
    assert re.search(r"Network over the order of events: AUC [^:]*, significantly above ", pages[0])
    # Not worth it, or only on a random split: it is not above the simpler ones.
    assert "Network over the order of events: " in pages[1]
    assert "Network over the order of events: AUC" not in pages[1]


def test_lists_come_near_those_of_who_knows_every_taste(answered: Answer) -> None:
    """The best list by truth: the ten products that the customer's segment and taste prefer most."""
    lake = answered("world_recommend", ["shop"], ["receipts"], customers=5_000)
    off = answered("world_recommend", ["shop"], ["receipts"], ["segments", "tastes"], customers=5_000)

    truth = Path(lake.root).parent / "world" / "truth"
    buyers, likings = (pd.read_parquet(truth / f"{name}.parquet") for name in ("buyers", "likings"))
    best = likings.sort_values(["weight", "product_id"], ascending=[False, True]).groupby(["segment", "taste"])
    lists = {key: list(rows["product_id"])[:10] for key, rows in best}
    taste_of = {row.customer_id: (row.segment, row.taste) for row in buyers.itertuples()}
    sold = lake.read("silver.receipts").where("kind = 'sale'").toPandas()
    start = sold["bought_at"].max() + pd.Timedelta(microseconds=1) - pd.Timedelta(days=270)
    before, later = sold[sold["bought_at"] < start], sold[sold["bought_at"] >= start]
    counts = before.groupby("customer_id")["product_id"].nunique()
    oracle = [
        of_list(np.isin(lists[taste_of[customer]], [*rows["product_id"]]), rows["product_id"].nunique())[0]
        for customer, rows in later.groupby("customer_id")
        if counts.get(customer, 0) >= 5
    ]
    blend = measure_of(lake, "ndcg", "blend", "again")

    assert blend["rows"] == len(oracle)
    assert blend["value"] >= 0.9 * fmean(oracle)
    assert verdict_of(lake, "world_recommend") == "gain"
    assert verdict_of(off, "world_recommend") == "no_gain"


def test_a_set_that_covers_the_tastes_of_all_segments_loses_least(answered: Answer) -> None:
    """The best sellers are those of the large segments; a set that covers the small ones reaches more customers."""
    sources = ["receipts", "products"]
    lake = answered("world_assortment", ["shop"], sources, customers=5_000)
    off = answered("world_assortment", ["shop"], sources, ["segments", "tastes"], customers=5_000)

    assert verdict_of(lake, "world_assortment") == "gain"
    assert measure_of(lake, "gain").low > 0
    assert measure_of(lake, "reach_gain").low > 0.02
    assert verdict_of(off, "world_assortment") == "no_gain"
    assert measure_of(off, "reach_gain").low < 0.01
