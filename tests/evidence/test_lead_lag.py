"""The kind `lead_lag`: a planted lag is found, walks at random explain nothing, talk after the purchase is no lead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import RefusedError
from otklik.evidence.lead_lag import regression
from otklik.evidence.lead_lag.kind import LeadLagTask
from otklik.evidence.lead_lag.method import run
from otklik.evidence.lead_lag.section import TEXTS, section
from otklik.settings import validate

TASK = {
    "name": "talk", "kind": "lead_lag", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"posts": "silver.posts"}, "log_scale": False,
}  # fmt: skip
LAG = 3


def a_task(**changes) -> LeadLagTask:
    return validate(LeadLagTask, {**TASK, **changes}, "test")


def a_world(
    seed: int, effect: float = 0.0, back: float = 0.0, own: float = 0.5, talk: float = 0.6, count: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Sales, which move by the talk of three days before, and talk, which moves by the sales of the day before."""
    draws = np.random.default_rng(seed)
    noise = draws.normal(size=(2, count))
    sales, signal = np.zeros(count), np.zeros(count)
    for t in range(LAG, count):
        signal[t] = talk * signal[t - 1] + noise[0, t] + back * sales[t - 1]
        sales[t] = own * sales[t - 1] + noise[1, t] + effect * signal[t - LAG]
    days = np.arange(count)
    return sales + 0.8 * (days % 7 > 4) + np.sin(2 * np.pi * days / 365.25), signal


def series_of(sales: np.ndarray, signal: np.ndarray) -> regression.Series:
    season = regression.season_columns(len(sales), 7, 365.25, 2)
    return regression.Series(sales - sales.mean(), (signal - signal.mean()) / signal.std(), season, 7, 7)


def answered(spark, tmp_path, task: LeadLagTask, sales: np.ndarray, **signals: np.ndarray) -> Any:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=place) for place in range(len(sales))]
    rows = [(day, name, float(one)) for name, values in signals.items() for day, one in zip(days, values, strict=True)]
    frames = {
        "outcomes": spark.createDataFrame(pd.DataFrame({"moment": days, "outcome": sales})),
        "signals": spark.createDataFrame(pd.DataFrame(rows, columns=["moment", "signal", "value"])),
    }
    return run(frames, task, stage_context(spark, tmp_path))


def test_the_lags_are_those_of_the_same_regression_in_statsmodels() -> None:
    series = series_of(*a_world(1, 0.4))
    found, p = regression.effects(series, 0.05)
    y, s, first = series.outcome, series.signal, 8
    columns = [s[first - lag : 500 - lag] for lag in range(1, 8)]
    columns += [y[first - lag : 500 - lag] for lag in range(1, 9)] + [s[first:], s[first - 8 : 500 - 8]]
    fitted = sm.OLS(y[first:], np.column_stack([*columns, series.season[first:]])).fit(cov_type="HC1", use_t=True)

    assert [one.value for one in found] == pytest.approx(fitted.params[:7])
    assert [one.high - one.value for one in found] == pytest.approx(fitted.conf_int()[:7, 1] - fitted.params[:7])
    assert p == pytest.approx(float(fitted.f_test(np.eye(7, len(fitted.params))).pvalue))


def test_a_planted_lag_is_found_and_its_placebo_is_nothing() -> None:
    lags, ps, placebos = [], [], []
    for seed in range(20):
        series = series_of(*a_world(seed, 0.3))
        found, p = regression.effects(series, 0.05)
        lags.append(1 + int(np.argmin([one.p for one in found])))
        ps.append(p)
        placebos.append(regression.placebo(series, 0.05)[1])

    assert set(lags) == {LAG} and max(ps) < 0.001
    assert np.mean(np.array(placebos) < 0.05) <= 0.15


@pytest.mark.long
@pytest.mark.parametrize(("own", "talk"), [(0.5, 0.6), (1.0, 1.0)])
def test_chance_is_taken_for_a_lead_as_often_as_it_may_be(own: float, talk: float) -> None:
    """Also of two random walks, which a plain regression finds to move together."""
    worlds = [series_of(*a_world(seed, own=own, talk=talk)) for seed in range(300)]

    assert np.mean([regression.effects(one, 0.05)[1] < 0.05 for one in worlds]) == pytest.approx(0.05, abs=0.03)
    assert np.mean([regression.placebo(one, 0.05)[1] < 0.05 for one in worlds]) == pytest.approx(0.05, abs=0.03)


def test_forecasts_one_period_ahead_are_those_fitted_to_all_before() -> None:
    draws = np.random.default_rng(4)
    columns, y = draws.normal(size=(60, 3)), draws.normal(size=60)
    said = regression._one_ahead(y, columns, 50)
    again = [columns[t] @ np.linalg.lstsq(columns[:t], y[:t], rcond=None)[0] for t in range(50, 60)]
    assert said == pytest.approx(np.array(again), abs=1e-7)


def test_the_signal_that_leads_is_named_and_the_others_are_not(spark, tmp_path) -> None:
    sales, talk = a_world(2, 0.4)
    noise = np.random.default_rng(9).normal(size=len(sales))

    result = answered(spark, tmp_path, a_task(), sales, talk=talk, noise=noise, still=np.zeros(len(sales)))

    signals = result.tables["signals"].toPandas().set_index("signal")
    assert signals["status"].to_dict() == {"talk": "leads", "noise": "nothing"}
    assert signals.loc["talk", "lag"] == LAG and signals.loc["talk", "lead_p"] > 0.05
    assert (result.verdict.verdict, [one.subject for one in result.verdict.reasons]) == ("gain", ["talk"])
    assert [(one.code, one.subject) for one in result.findings] == [("constant_signal", "still")]
    pages = pages_of(section, TEXTS, result, a_task())
    assert "Signals lead sales" in pages["en"] and "Сигналы опережают продажи" in pages["ru"]


def test_talk_of_what_was_bought_is_no_lead_and_noise_is_nothing(spark, tmp_path) -> None:
    sales, talk = a_world(3, 0.4, back=0.5)
    both = answered(spark, tmp_path, a_task(), sales, talk=talk)
    assert (both.verdict.verdict, both.verdict.reasons[0].code) == ("invalid", "both_ways")
    assert pages_of(section, TEXTS, both, a_task())
    sales, talk = a_world(4)
    none = answered(spark, tmp_path, a_task(log_scale=True), np.exp(sales), talk=np.exp(talk))
    assert (none.verdict.verdict, none.verdict.reasons[0].code) == ("no_gain", "nothing")
    assert pages_of(section, TEXTS, none, a_task())


def test_few_periods_still_signals_and_too_many(spark, tmp_path) -> None:
    sales, talk = a_world(5)
    few = answered(spark, tmp_path, a_task(), sales[:80], talk=talk[:80])
    assert (few.verdict.verdict, few.verdict.reasons[0].code) == ("too_little_data", "few_periods")
    assert pages_of(section, TEXTS, few, a_task())
    still = answered(spark, tmp_path, a_task(), sales, talk=np.ones(500))
    assert (still.verdict.verdict, still.verdict.reasons[0].code) == ("too_little_data", "no_signal")
    assert pages_of(section, TEXTS, still, a_task())
    days = spark.range(400).selectExpr("timestamp_seconds(id * 172800) moment", "1D outcome")
    signals = days.selectExpr("moment", "'talk' signal", "rand(7) value")
    gaps = run({"outcomes": days, "signals": signals}, a_task(), stage_context(spark, tmp_path))
    assert [(one.code, one.parameters["n"]) for one in gaps.findings] == [("filled", 399)]
    many = signals.selectExpr("moment", "concat('s', unix_timestamp(moment)) signal", "value")
    with pytest.raises(RefusedError, match="more than 5,000 periods or 50 signals"):
        run({"outcomes": days, "signals": many}, a_task(), stage_context(spark, tmp_path))
