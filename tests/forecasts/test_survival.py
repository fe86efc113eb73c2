"""The kind `survival`: customers in, curves, chances of leaving and a list out."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pyspark.sql import DataFrame, SparkSession
from tests.bench import run_kind, stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.forecasts.survival.curves import Counts
from otklik.forecasts.survival.hazard import steps_of
from otklik.forecasts.survival.kind import KIND, SurvivalTask
from otklik.kind import StageResult
from otklik.page.formats import Language
from otklik.settings import validate

TASK = {
    "name": "churn",
    "kind": "survival",
    "title": {"en": "Churn", "ru": "Отток"},
    "question": {"en": "Who is about to leave?", "ru": "Кто вот-вот уйдёт?"},
    "inputs": {"customers": "silver.customers"},
}
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def task_with(**settings: Any) -> SurvivalTask:
    return validate(SurvivalTask, {**TASK, **settings}, "test")


def answer(customers: DataFrame, folder: Path, **settings: Any) -> StageResult:
    return run_kind(
        KIND, {"customers": customers}, task_with(**settings), stage_context(customers.sparkSession, folder, MOMENT)
    )


def measures(result: StageResult) -> dict[tuple[str, str], Any]:
    return {(one.measure, one.subject): one for one in result.measures}


@pytest.fixture(scope="module")
def telco(spark: SparkSession, shared_data: Path) -> DataFrame:
    rows = spark.read.csv(str(shared_data / "telco_churn" / "Telco-Customer-Churn.csv"), header=True)
    features = ["SeniorCitizen", "Partner", "Dependents", "InternetService", "OnlineSecurity", "TechSupport",
                "PaperlessBilling", "PaymentMethod"]  # fmt: skip
    return rows.selectExpr(
        "customerID AS customer", "CAST(tenure AS double) AS duration", "Churn = 'Yes' AS has_left",
        "Contract AS group", "CAST(MonthlyCharges AS double) AS value",
        "CAST(MonthlyCharges AS double) AS monthly_charges", *features,
    ).persist()  # fmt: skip


@pytest.fixture(scope="module")
def telco_answer(telco: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    rescue = {"cost": 10.0, "save_rate": 0.2}
    return answer(telco, tmp_path_factory.mktemp("telco"), curve_at=[12, 24, 48, 72], rescue=rescue, currency="USD")


@pytest.mark.long
def test_telco_curves_are_those_known(telco_answer: StageResult) -> None:
    found = measures(telco_answer)

    known = {
        "": [0.8432, 0.7887, 0.7088, 0.5928],
        "Month-to-month": [0.7031, 0.5859, 0.3973, 0.1290],
        "One year": [0.9908, 0.9783, 0.9165, 0.5681],
        "Two year": [1.0, 1.0, 0.9957, 0.9357],
    }
    for group, survival in known.items():
        values = [found[f"survival_{duration}", group].value for duration in (12, 24, 48, 72)]
        assert values == pytest.approx(survival, abs=5e-5)
    last = found["survival_72", "Month-to-month"]
    assert (last.low, last.high) == pytest.approx((0.0759, 0.1964), abs=5e-5)
    assert found["departures", ""].rows == 7043
    assert found["median", "Month-to-month"].value == 35
    assert found["log_rank_chi2", ""].value == pytest.approx(2352.87, abs=0.005)
    assert found["log_rank_log10_p", ""].value == pytest.approx(-510.9, abs=0.05)


@pytest.mark.long
def test_telco_survival_is_predicted_better_than_by_contract(telco_answer: StageResult) -> None:
    found = measures(telco_answer)

    assert found["brier_gain", ""].low > 0
    assert found["integrated_brier", ""].value < found["integrated_brier", ""].baseline
    assert found["auc", ""].low > found["auc", ""].baseline
    assert telco_answer.verdict is not None and telco_answer.verdict.verdict == "gain"


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_says_it(telco_answer: StageResult, language: Language) -> None:
    rescue = {"cost": 10.0, "save_rate": 0.2}
    task = task_with(curve_at=[12, 24, 48, 72], rescue=rescue, currency="USD")

    page = page_of(KIND, task, telco_answer, language)
    Path(f"/tmp/survival-{language}.html").write_text(page)

    assert "Month-to-month" in page
    assert ("70.3%" if language == "en" else "70,3") in page


def draw_customers(count: int = 1200, effect: float = 1.2) -> pd.DataFrame:
    """Customers whose odds of leaving in each month are doubled or more by `risk`; `noise` says nothing."""
    draw = np.random.default_rng(9)
    risk, noise, value = draw.normal(size=count), draw.normal(size=count), draw.uniform(10, 50, count)
    hazard = 1 / (1 + np.exp(3.2 - effect * risk))
    lasts = draw.geometric(hazard).astype(float)
    seen = draw.integers(1, 25, count).astype(float)
    return pd.DataFrame(
        {
            "customer": [f"c{n}" for n in range(count)], "duration": np.minimum(lasts, seen), "has_left": lasts <= seen,
            "value": value, "risk": risk, "noise": noise, "plan": draw.choice(["a", "b"], count),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    frame = spark.createDataFrame(draw_customers())
    return answer(frame, tmp_path_factory.mktemp("planted"), folds=3, rescue={"cost": 20.0, "save_rate": 0.5})


@pytest.mark.long
def test_the_hazard_is_that_of_a_regression_on_person_periods(planted: StageResult) -> None:
    """statsmodels on a row for each period, with the same steps of the baseline."""
    rows = draw_customers()
    counted = rows.groupby("duration")["has_left"].sum()
    counts = Counts(
        counted.index.to_numpy(float), counted.to_numpy(float),
        (rows.groupby("duration").size() - counted).to_numpy(float),
    )  # fmt: skip
    ends = steps_of(counts, 12).ends
    periods = rows.loc[rows.index.repeat(rows["duration"].astype(int))].copy()
    periods["period"] = periods.groupby("customer").cumcount() + 1
    periods["leaves"] = (periods["has_left"] & (periods["period"] == periods["duration"])).astype(float)
    step = np.minimum(np.searchsorted(ends, periods["period"]), len(ends) - 1)
    standard = (rows[["risk", "noise"]] - rows[["risk", "noise"]].mean()) / rows[["risk", "noise"]].std(ddof=0)
    design = np.column_stack(
        [np.eye(len(ends))[step], standard.loc[periods.index], (periods["plan"] == least_common(rows)).astype(float)]
    )
    reference = sm.Logit(periods["leaves"].to_numpy(), design).fit(disp=False)

    found = {row.feature: row for row in planted.tables["effects"].collect()}

    for place, feature in enumerate(["risk", "noise", "plan"]):
        weight, error = reference.params[len(ends) + place], reference.bse[len(ends) + place]
        assert np.log(found[feature].odds_ratio) == pytest.approx(weight, abs=0.005)
        assert np.log(found[feature].high / found[feature].low) / 2 / 1.96 == pytest.approx(error, rel=0.01)


def least_common(rows: pd.DataFrame) -> str:
    return str(rows["plan"].value_counts().index[-1])


@pytest.mark.long
def test_what_was_planted_is_found_and_noise_is_not(planted: StageResult) -> None:
    found = {row.feature: row for row in planted.tables["effects"].collect()}

    assert found["risk"].low > 1
    assert found["noise"].low < 1 < found["noise"].high
    assert planted.verdict is not None and planted.verdict.verdict == "gain"


@pytest.mark.long
def test_without_anything_to_find_there_is_no_gain(spark: SparkSession, tmp_path: Path) -> None:
    result = answer(spark.createDataFrame(draw_customers(effect=0.0)), tmp_path, folds=3)

    assert result.verdict is not None and result.verdict.verdict == "no_gain"
    assert result.tables["actions"].isEmpty()


@pytest.mark.long
def test_the_list_is_what_pays_best_first(planted: StageResult) -> None:
    rows = planted.tables["actions"].orderBy("rank").collect()
    present = {row.customer: row for row in planted.tables["customers"].collect()}

    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.expected_gain == pytest.approx(row.value_at_risk * 0.5 - 20) for row in rows)
    assert all(one.expected_gain >= other.expected_gain > 0 for one, other in itertools.pairwise(rows))
    paying = [row for row in present.values() if row.value_at_risk * 0.5 > 20]
    assert {row.customer for row in rows} == {row.customer for row in paying}
    assert 0 < sum(row.arm == "control" for row in rows) < len(rows) / 2


@pytest.mark.long
def test_a_budget_cuts_the_list(spark: SparkSession, tmp_path: Path) -> None:
    rescue = {"cost": 20.0, "save_rate": 0.5, "budget": 190.0}

    result = answer(spark.createDataFrame(draw_customers()), tmp_path, folds=3, rescue=rescue)

    assert result.tables["actions"].count() == 9


def test_who_leaves_after_the_moment_is_still_there(spark: SparkSession, tmp_path: Path) -> None:
    """From moments: three whole months until the end, or until the moment asked about."""
    rows = spark.createDataFrame(
        [("a", "2025-09-15", "2025-12-20"), ("b", "2025-09-15", None), ("c", "2025-09-15", "2026-02-01"),
         ("d", "2026-03-01", None)],
        "customer string, started string, ended string",
    ).selectExpr("customer", "CAST(started AS timestamp) AS started", "CAST(ended AS timestamp) AS ended")  # fmt: skip

    result = answer(rows, tmp_path)

    curve = result.tables["curves"].collect()
    assert [(row.duration, row.at_risk, row.left, row.censored) for row in curve] == [(3, 3, 1, 2)]
    assert result.verdict is not None and result.verdict.reasons[0].code == "too_few_customers"
    assert "needed" in page_of(KIND, task_with(), result)


@pytest.mark.long
def test_one_level_and_missing_numbers_do_no_harm(spark: SparkSession, tmp_path: Path) -> None:
    rows = draw_customers(400)
    rows["plan"] = "a"
    rows["tariff"] = np.where(rows["risk"] > 1, "none", "full")
    rows["option"] = np.where(rows["risk"] > 1, "not offered", "yes")
    rows.loc[::7, "noise"] = np.nan
    frame = spark.createDataFrame(rows).selectExpr("* EXCEPT (noise)", "nanvl(noise, NULL) AS noise")

    result = answer(frame, tmp_path, folds=3)

    effects = [(row.feature, row.level) for row in result.tables["effects"].collect()]
    assert ("noise", "(empty)") in effects
    assert not any(feature == "plan" for feature, _ in effects)
    assert ("tariff", "none") in effects and ("option", "not offered") not in effects
    assert [finding.subject for finding in result.findings] == ["option"]


STARTED = datetime(2024, 1, 1, tzinfo=UTC)


def with_changes(effect: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each customer complains once, in some week; from the next week on the odds of leaving are those of `effect`."""
    draw = np.random.default_rng(12)
    customers, changes = [], []
    for n in range(500):
        begun, complains = int(draw.integers(0, 20)), int(draw.integers(0, 20))
        changes.append((f"c{n}", begun * 7 + complains * 7 - 3, float(draw.normal())))
        odds = [-4.0 + (effect if week >= complains else 0.0) for week in range(60 - begun)]
        left = next((week for week, odd in enumerate(odds) if draw.random() < 1 / (1 + np.exp(-odd))), None)
        customers.append((f"c{n}", begun * 7, None if left is None else (begun + left) * 7 + 1, float(draw.normal())))
    return (
        pd.DataFrame(customers, columns=["customer", "begun", "end", "noise"]).astype({"end": "Int64"}),
        pd.DataFrame(changes, columns=["customer", "day", "complaints"]),
    )


@pytest.mark.long
@pytest.mark.parametrize(("effect", "code"), [(2.0, "changes_help"), (0.0, "changes_say_nothing")])
def test_what_changes_while_somebody_is_a_customer_counts_from_the_next_period_on(
    spark: SparkSession, tmp_path: Path, effect: float, code: str
) -> None:
    customers, changes = with_changes(effect)
    start = f"TIMESTAMP'{STARTED:%Y-%m-%d}'"
    frames = {
        "customers": spark.createDataFrame(customers).selectExpr(
            "customer", f"{start} + make_dt_interval(begun) AS started",
            f"{start} + make_dt_interval(CAST(end AS int)) AS ended", "noise",
        ),
        "changes": spark.createDataFrame(changes).selectExpr(
            "customer", f"{start} + make_dt_interval(day) AS moment", "complaints"
        ),
    }  # fmt: skip
    context = stage_context(spark, tmp_path, STARTED + timedelta(weeks=60))

    result = run_kind(KIND, frames, task_with(period="week", folds=3, frames={"changes": {}}), context)

    assert code in {finding.code for finding in result.findings}
    effects = {(row.feature, row.level): row for row in result.tables["effects"].collect()}
    # Who has not complained yet has no number there: its mark says how the odds differ.
    mark = effects["complaints", "(empty)"]
    if effect:
        assert mark.odds_ratio == pytest.approx(np.exp(-effect), rel=0.25)
        assert mark.high < 1
    else:
        assert mark.low < 1 < mark.high
    assert effects["noise", "+1 SD"].low < 1 < effects["noise", "+1 SD"].high
    page_of(KIND, task_with(period="week"), result)


def test_changes_need_to_know_when_customers_started(spark: SparkSession, tmp_path: Path) -> None:
    rows = draw_customers(300)
    changes = spark.createDataFrame([("c1", STARTED, 1.0)], "customer string, moment timestamp, complaints double")

    with pytest.raises(ConfigurationError, match="changes needs the column `started`"):
        run_kind(
            KIND,
            {"customers": spark.createDataFrame(rows), "changes": changes},
            task_with(folds=3, frames={"changes": {}}),
            stage_context(spark, tmp_path, STARTED),
        )


def test_a_customer_named_twice_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.createDataFrame(
        [("a", 1.0, True), ("a", 2.0, False)], "customer string, duration double, has_left boolean"
    )

    with pytest.raises(RefusedError, match="1 rows have a customer that another row has"):
        answer(rows, tmp_path)


def test_durations_below_0_alone_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.createDataFrame([("a", -1.0, True)], "customer string, duration double, has_left boolean")

    with pytest.raises(RefusedError, match="no customer has a duration of 0 or more"):
        answer(rows, tmp_path)


def test_durations_or_moments_are_needed(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neither duration and has_left nor started"):
        answer(spark.createDataFrame([("a", 1.0)], "customer string, duration double"), tmp_path)


@pytest.mark.long
def test_the_same_rows_give_the_same_answer_in_any_layout(
    spark: SparkSession, planted: StageResult, tmp_path: Path
) -> None:
    frame = spark.createDataFrame(draw_customers()).repartition(4, "noise")

    again = answer(frame, tmp_path, folds=3, rescue={"cost": 20.0, "save_rate": 0.5})

    for one, other in zip(planted.measures, again.measures, strict=True):
        assert (one.measure, one.subject) == (other.measure, other.subject)
        assert one.value == pytest.approx(other.value, rel=1e-6)
