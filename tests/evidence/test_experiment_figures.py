"""The public e-mail experiment: effects, intervals and CUPED's gain as recomputed from the file."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench import stage_context

from otklik.evidence.experiment.kind import ExperimentTask
from otklik.evidence.experiment.method import run
from otklik.settings import validate

HILLSTROM = {
    "name": "mail", "kind": "experiment", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"mails": "silver.hillstrom_email"},
    "control": "No E-Mail", "arms": {"No E-Mail": 1, "Mens E-Mail": 1, "Womens E-Mail": 1},
    "metrics": {"visit": {"type": "share"}, "conversion": {"type": "share"}, "spend": {"type": "revenue"}},
}  # fmt: skip

pytestmark = pytest.mark.long

#: metric, effect, low and high of Mens − none, then of Womens − none: Welch's error × 1.96, where ours has 1.96003.
EFFECTS = [
    ("visit", (0.07659, 0.06995, 0.08323), (0.04523, 0.03889, 0.05157)),
    ("conversion", (0.00681, 0.00500, 0.00861), (0.00311, 0.00150, 0.00472)),
    ("spend", (0.76983, 0.48515, 1.05450), (0.42441, 0.16897, 0.67986)),
]


def hillstrom_task(**changes) -> ExperimentTask:
    return validate(ExperimentTask, {**HILLSTROM, **changes}, "test")


@pytest.fixture(scope="module")
def result(spark, hillstrom_units, tmp_path_factory):
    context = stage_context(spark, tmp_path_factory.mktemp("experiment"))
    task = hillstrom_task(covariates=["history", "recency"], subgroups=["channel", "newbie"], winsor_quantile=0.9)
    return run({"units": hillstrom_units}, task, context)


@pytest.mark.parametrize(("metric", "mens", "womens"), EFFECTS)
def test_effects_and_intervals(result, metric, mens, womens) -> None:
    effects = result.tables["effects"].where(f"metric = '{metric}' AND estimate = 'plain'").toPandas().set_index("arm")

    for arm, expected in (("Mens E-Mail", mens), ("Womens E-Mail", womens)):
        assert effects.loc[arm, ["effect", "low", "high"]].to_list() == pytest.approx(expected, abs=1.6e-5)


def test_both_mails_are_worth_sending(result) -> None:
    assert result.verdict.verdict == "gain"
    assert [reason.parameters["arm"] for reason in result.verdict.reasons] == ["Mens E-Mail", "Womens E-Mail"]
    assert (result.verdict.key.subject, round(result.verdict.key.value, 5)) == ("visit: Mens E-Mail", 0.07659)


@pytest.mark.parametrize(
    ("covariates", "mens", "womens"),
    [(["history"], 0.44, 0.40), (["recency"], 0.66, 0.53), (["history", "recency"], 0.89, 0.75)],
)
def test_cuped_gains_next_to_nothing(spark, hillstrom_units, tmp_path, covariates, mens, womens) -> None:
    task = hillstrom_task(covariates=covariates, metrics={"visit": {"type": "share"}, "spend": {"type": "mean"}})

    effects = run({"units": hillstrom_units}, task, stage_context(spark, tmp_path)).tables["effects"].toPandas()

    cuped = effects[effects["estimate"] == "cuped"].set_index(["metric", "arm"])["variance_reduction"] * 100
    assert cuped["visit"].to_dict() == pytest.approx({"Mens E-Mail": mens, "Womens E-Mail": womens}, abs=0.006)
    if len(covariates) == 2:
        assert cuped["spend"].to_dict() == pytest.approx({"Mens E-Mail": 0.06, "Womens E-Mail": 0.05}, abs=0.006)


def test_spend_is_also_shown_without_its_tail(result) -> None:
    spend = result.tables["effects"].where("metric = 'spend'").toPandas().set_index(["arm", "estimate"])
    raw, cut = spend.loc[("Mens E-Mail", "plain")], spend.loc[("Mens E-Mail", "winsorised")]

    assert 0 < cut["effect"] < raw["effect"]
    assert cut["error"] < raw["error"]


def test_subgroups_stand_apart(result) -> None:
    subgroups = result.tables["subgroups"].toPandas()

    assert sorted(subgroups["level"].unique()) == ["0", "1", "Multichannel", "Phone", "Web"]
    assert np.isfinite(subgroups["differs_p"]).all()
