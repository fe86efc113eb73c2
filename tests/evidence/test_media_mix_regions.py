"""The kind `media_mix` with weeks by region: what many regions tell that the sum of them does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from tests.bench import run_kind, stage_context
from tests.evidence.conftest import pages_of
from tests.evidence.test_media_mix import PAUSES, PLANTED, USUAL, a_task, coverage, roi

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.media_mix import method
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix import weeks as by_week
from otklik.evidence.media_mix.kind import KIND, MediaMixTask
from otklik.evidence.media_mix.response import Form, Response, Weeks
from otklik.evidence.media_mix.section import TEXTS, section

CHANNELS = ["tv", "search", "social", "radio"]
#: tv and radio, which brings nothing.
TWO = Response(
    carry_over=PLANTED.carry_over[[0, 3]], half=PLANTED.half[[0, 3]], shape=PLANTED.shape[[0, 3]],
    effect=PLANTED.effect[[0, 3]], base=np.empty(0),
)  # fmt: skip
NOTHING = replace(PLANTED, effect=np.zeros(4))


def a_country(
    seed: int, planted: Response = PLANTED, regions: int = 12, count: int = 104, demand: float = 0.0
) -> Weeks:
    """Regions of different sizes; a part of spend and of noise is common to all, and a control differs.

    Args:
        seed: of the world.
        planted: what spend brings.
        regions: how many.
        count: of weeks.
        demand: how much more is spent everywhere when demand is high everywhere.
    """
    draws = np.random.default_rng(seed)
    size = np.exp(0.6 * draws.normal(size=regions))
    kept = [0, 3] if planted is TWO else slice(None)
    moved = 0.3 * draws.normal(size=(count, 4)) + 0.4 * draws.normal(size=(regions, count, 4))
    high = draws.normal(size=(count, 1))
    spend = np.where(draws.random((regions, count, 4)) < PAUSES, 0, USUAL * np.exp(moved + demand * high))[..., kept]
    t = np.arange(count)
    price = draws.normal(size=(regions, count))
    level = 20 * np.exp(0.2 * draws.normal(size=(regions, 1)))
    base = level + 0.015 * t + 2.5 * np.cos(2 * np.pi * (t - 24) / 52) - 0.8 * price
    base = base + 8 * demand * high[:, 0]
    noise = 0.3 * draws.normal(size=count) + 0.9 * draws.normal(size=(regions, count))
    calendar = model.calendar(count, 0, 2)
    common = np.broadcast_to(calendar[:, 1:], (regions, count, calendar.shape[1] - 1))
    columns = np.concatenate([common, price[..., np.newaxis]], axis=-1)
    revenue = base + planted.contributions(spend).sum(axis=-1) + noise
    return Weeks(revenue, spend, columns, calendar[:, :1], size / size.mean())


def summed(weeks: Weeks) -> Weeks:
    """The same country without its regions."""
    money = weeks.size[:, np.newaxis, np.newaxis]
    base = np.column_stack([np.ones(weeks.revenue.shape[1]), (weeks.base * money).sum(axis=0) / weeks.size.sum()])
    return Weeks(weeks.by_week(weeks.revenue), (weeks.spend * money).sum(axis=0), base)


def near(fits: list[Response]) -> np.ndarray:
    """Share of the fits whose carry-over of tv, search and social is within ± .05 of the planted."""
    return (np.abs([one.carry_over[:3] - PLANTED.carry_over[:3] for one in fits]) <= 0.05).mean(axis=0)


def data_of(weeks: Weeks) -> by_week.Data:
    days = [day.date() for day in pd.date_range("2023-01-02", periods=weeks.revenue.shape[1], freq="7D")]
    return by_week.Data(days, CHANNELS, weeks, [f"r{place:02d}" for place in range(len(weeks.size))])


def frames_of(spark, weeks: Weeks, national: float = 0.0) -> dict[str, Any]:
    """The weeks as rows, in money; `national` a week is spent on tv without a region."""
    data = data_of(weeks)
    moments = [pd.Timestamp(day).to_pydatetime() for day in data.days]
    money = weeks.size[:, np.newaxis]
    rows = [
        (moment, region, float(weeks.size[r] * 1000), *map(float, (money * weeks.revenue)[r, [w]]),
         float(weeks.base[r, w, -1]))
        for r, region in enumerate(data.regions)
        for w, moment in enumerate(moments)
    ]  # fmt: skip
    spends: list[tuple[Any, ...]] = [
        (moments[w], region, CHANNELS[c], float(weeks.size[r] * weeks.spend[r, w, c]))
        for r, region in enumerate(data.regions)
        for w, c in np.ndindex(len(moments), 4)
    ]
    spends += [(moment, None, "tv", national) for moment in moments if national]
    return {
        "weeks": spark.createDataFrame(rows, "moment timestamp, region string, size double, revenue double, x double"),
        "spends": spark.createDataFrame(spends, "moment timestamp, region string, channel string, spend double"),
    }


def test_own_coefficients_of_regions_are_those_of_a_regression_with_dummies() -> None:
    weeks = a_country(1, regions=3, count=60)
    calendar = model.calendar(60, 0, 2)
    by_region = replace(weeks, base=weeks.base[..., -1:], own=calendar)
    by_week = replace(weeks, base=weeks.base[..., -1:], is_apart=True)
    without_controls = replace(by_week, base=weeks.base[..., :0])
    for one in (weeks, by_region, by_week, without_controls):
        columns = np.column_stack([one.base.reshape(180, -1), np.kron(np.eye(3), one.own)])
        if one.is_apart:
            columns = np.column_stack([columns, np.tile(np.eye(60), (3, 1))])
        plain = columns @ np.linalg.lstsq(columns, one.revenue.ravel(), rcond=None)[0]

        expected = one.expected(one.solved(one.revenue))
        assert one.left(expected).ravel() == pytest.approx(one.revenue.ravel() - plain)
        assert one.without_base(one.revenue[..., np.newaxis]).ravel() == pytest.approx(one.revenue.ravel() - plain)
        assert one.coefficients == columns.shape[1]


def test_nothing_is_carried_over_from_one_region_to_the_next() -> None:
    spend = np.array([[[4.0], [0.0]], [[0.0], [2.0]]])

    assert model.carried(spend, np.array([0.5])).ravel().tolist() == [4, 2, 0, 2]


def test_regions_tell_a_carry_over_that_their_sum_does_not() -> None:
    worlds = [a_country(seed, regions=24) for seed in range(5)]

    apart = near([model.fit(one) for one in worlds])
    together = near([model.fit(summed(one)) for one in worlds])

    assert apart.min() >= 0.9
    # Of search and social, which 156 weeks of a country do not tell either.
    assert together[1:].max() <= 0.6


def test_what_moves_all_regions_alike_is_no_effect_where_each_week_stands_apart() -> None:
    """Who spends more when demand is high overrates media, unless only differences between regions count."""
    worlds = [a_country(seed, demand=0.5) for seed in range(4)]
    apart = [replace(one, base=one.base[..., -1:], is_apart=True) for one in worlds]

    truth = np.mean([roi(PLANTED, one) for one in worlds], axis=0)
    shared, by_week = (np.mean([roi(model.fit(one), one) for one in of], axis=0) - truth for of in (worlds, apart))

    # Of radio, which brings nothing, and of all four.
    assert shared[3] > 0.8 and by_week[3] < 0.15
    assert np.abs(by_week).mean() < np.abs(shared).mean() / 3


@pytest.mark.long
def test_regions_tell_the_planted_carry_over_in_nine_of_ten_worlds() -> None:
    assert (near([model.fit(a_country(seed, regions=24)) for seed in range(200)]) >= 0.9).all()


def test_intervals_of_roi_by_region_hold_the_truth() -> None:
    worlds = (a_country(seed, TWO, regions=4, count=104) for seed in range(10))

    assert coverage(worlds, 20, TWO).min() >= 0.9


@pytest.mark.long
def test_intervals_of_roi_by_region_hold_the_truth_in_two_hundred_worlds() -> None:
    assert coverage((a_country(seed) for seed in range(200)), 60).min() >= 0.9


def test_an_experiment_counts_in_money_where_there_are_regions() -> None:
    weeks = a_country(3)
    measured = Form(roi=np.array([np.nan, 2.0, np.nan, np.nan]), roi_error=np.array([np.nan, 0.005, np.nan, np.nan]))

    assert roi(model.fit(weeks, form=measured), weeks)[1] == pytest.approx(2.0, abs=0.03)


def test_the_best_split_over_channels_and_regions_has_equal_marginal_returns() -> None:
    weeks = a_country(1, regions=30)
    cells = PLANTED.of_cells(weeks.size)
    now = data_of(weeks).cells[-13:].mean(axis=0)
    low, high = 0.5 * now, 1.5 * now

    plan = model.best_split(cells, float(now.sum()), low, high)

    assert plan.sum() == pytest.approx(now.sum())
    assert ((low - 1e-9 <= plan) & (plan <= high + 1e-9)).all()
    inside = (plan > low * 1.02) & (plan < high * 0.98)
    marginal = cells.marginal(plan)
    assert inside.any() and np.ptp(np.quantile(marginal[inside], [0.05, 0.95])) < 0.05 * marginal[inside].mean()
    # No unit moved between two of them brings more.
    assert marginal[plan < high * 0.98].max() < 1.05 * marginal[inside].mean()
    assert cells.steady(plan).sum() > cells.steady(now).sum()


def answered(spark, tmp_path, frames: dict[str, Any], task: MediaMixTask | None = None) -> Any:
    return run_kind(KIND, frames, task or a_task(), stage_context(spark, tmp_path))


def test_weeks_by_region_go_all_the_way(spark, tmp_path) -> None:
    weeks = a_country(1, regions=5)
    task = a_task()

    result: Any = answered(spark, tmp_path, frames_of(spark, weeks), task)

    tables = {name: frame.toPandas() for name, frame in result.tables.items()}
    whole, parts = (tables["budget"][tables["budget"]["region"].isna() == one] for one in (True, False))
    channels = tables["channels"].set_index("channel")
    assert result.verdict.verdict == "gain"
    assert len(tables["regions"]) == len(parts) == 20
    assert tables["regions"].groupby("channel")["revenue"].sum().to_dict() == pytest.approx(
        channels["revenue"].to_dict()
    )
    assert parts.groupby("channel")["planned"].sum().to_list() == pytest.approx(whole["planned"].to_list())
    assert parts["planned"].between(parts["lowest"] - 1e-9, parts["highest"] + 1e-9).all()
    assert whole["planned"].sum() == pytest.approx(whole["spend"].sum())
    assert tables["weeks"]["revenue"].to_list() == pytest.approx(weeks.by_week(weeks.revenue).tolist())
    curves = tables["curves"]
    assert curves["region"].nunique() == 5 and curves["region"].isna().sum() == 4 * 31
    pages = pages_of(section, TEXTS, result, task)
    assert "Greatest changes of the plan" in pages["en"] and "Самые большие изменения" in pages["ru"]


@pytest.mark.long
def test_media_without_effect_explain_nothing_in_any_region(spark, tmp_path) -> None:
    result: Any = run_kind(
        KIND, frames_of(spark, a_country(2, NOTHING, regions=8)), a_task(), stage_context(spark, tmp_path)
    )

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("no_gain", "media_explain_nothing")
    assert "Greatest changes of the plan" not in pages_of(section, TEXTS, result, a_task())["en"]


def test_spend_without_a_region_is_split_by_size_and_days_count_in_their_week(spark, tmp_path) -> None:
    weeks = a_country(1, regions=3, count=60)
    frames = frames_of(spark, weeks, national=30.0)
    sundays = frames["spends"].selectExpr("moment + INTERVAL 6 DAYS AS moment", "region", "channel", "spend")

    read = by_week.read_data({**frames, "spends": sundays}, a_task())

    more = np.zeros((3, 60, 4))
    more[..., 0] = 10.0
    assert read.regions == ["r00", "r01", "r02"]
    assert read.weeks.size == pytest.approx(weeks.size)
    assert read.weeks.revenue == pytest.approx(weeks.revenue)
    by_name = [CHANNELS.index(channel) for channel in read.channels]
    assert read.weeks.spend == pytest.approx((weeks.spend + more)[..., by_name])
    assert read.negative == 0


def test_spend_below_zero_counts_as_none_and_is_counted(spark) -> None:
    frames = frames_of(spark, a_country(1, regions=2, count=60))
    refund = frames["spends"].where("region = 'r00' AND channel = 'tv'").orderBy("moment").limit(3)
    frames["spends"] = frames["spends"].unionByName(refund.withColumn("spend", F.lit(-1e6)))

    read = by_week.read_data(frames, a_task())

    tv = read.weeks.spend[0, :3, read.channels.index("tv")]
    assert (read.negative, tv.tolist()) == (3, [0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("frame", "where", "said"),
    [
        ("weeks", "region <> 'r00' OR moment > '2023-02-01'", "weeks are missing or duplicated"),
        ("weeks", "region <> 'r00'", "1 regions of spend have no revenue: 'r00'"),
    ],
)
def test_regions_that_do_not_fit_are_refused(spark, frame, where, said) -> None:
    frames = frames_of(spark, a_country(1, regions=3, count=60))

    with pytest.raises(RefusedError, match=said):
        by_week.read_data({**frames, frame: frames[frame].where(where)}, a_task())


def test_no_weeks_are_too_little_data(spark, tmp_path) -> None:
    frames = frames_of(spark, a_country(1, regions=2, count=60))

    result: Any = run_kind(
        KIND, {**frames, "weeks": frames["weeks"].limit(0)}, a_task(), stage_context(spark, tmp_path)
    )

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("too_little_data", "few_weeks")


def test_regions_without_size_are_named_and_bounds_refused() -> None:
    rows = pd.DataFrame({"region": ["a", "b"], "size": [1.0, 0.0], "revenue": [1.0, 1.0]})

    with pytest.raises(RefusedError, match="the size of 1 regions is not above 0: 'b'"):
        by_week._sizes(rows, ["a", "b"])
    assert by_week._sizes(rows.drop(columns="size"), ["a", "b"]).tolist() == [1.0, 1.0]
    with pytest.raises(ConfigurationError, match="bounds applies to national data only"):
        method._check_bounds(data_of(a_country(1, regions=3, count=60)), a_task(bounds={"tv": {"lowest": 1.0}}))
