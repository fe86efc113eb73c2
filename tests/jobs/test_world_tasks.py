"""The shipped tasks on the built-in world find what is planted in it, and nothing where it is switched off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import pytest
from pyspark.sql import Row, SparkSession
from tests.bench import job_on

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
        folder = tmp_path / f"{task} {len(list(tmp_path.iterdir()))}"
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


def measure_of(lake: Lake, name: str, subject: str = "") -> Row:
    return lake.read("gold.measures").where(f"measure = '{name}' AND subject = '{subject}'").collect()[0]


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
