"""Whether the model that is chosen inside the training part is the one that serves best later: docs/choice.md.

    PYTHONPATH=lib python scripts/regret.py FOLDER > docs/choice.md

FOLDER holds the public data sets bank_marketing and telco_churn; twenty drifting worlds are drawn here. In each problem
the models that may serve are fitted and judged by the code of `otklik train`, with the settings that a task has by
default. Regret is the AUC of the best of them on later rows less that of the chosen. Some ten minutes on 2 cores.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik import session
from otklik.models.choice import choose
from otklik.models.prepare import Rules, features_of
from otklik.models.split import Plan, random_plan, time_plan, with_fold
from otklik.models.training import (
    WITHOUT,
    Candidate,
    collect_labelled,
    cross_validate,
    laid_out,
    measure,
    preparation_of,
    values_inside,
    with_row_hash,
)
from otklik.models.zoo import settings_to_try
from otklik.task import Models

MODELS = ("logistic_regression", "decision_tree", "random_forest")
STEADIEST_FIRST = ("logistic_regression", "random_forest", "decision_tree")
WORLDS = 20
_ROWS, _DAYS = 6_000, 730
TEXT = """# Is the selected model still the best on later rows?

Which model is best on later rows is known only afterwards. Regret is the AUC of that model on the later rows minus
the AUC of the model that was selected within the training part. Three selection rules are compared: *pooled*, the
best value pooled over all windows; *steadiest*, the first of logistic regression, forest and tree that is within
one standard error of the best mean over windows; and *now*, the rule in use (`lib/otklik/models/choice.py`): the
best mean over windows, but a tree only if it leads by more than one standard error. The models are fitted and
evaluated by the code of `otklik train` with default settings. LR = logistic regression, DT = decision tree, RF =
random forest. Each selected model is followed by its regret.

- The rule was fixed when the problems up to world 10 were known; worlds 11 to 20 were added afterwards.
- On these problems the pooled value has the lowest regret. It is not used, because over windows with different
  rates it rewards knowing the window: on a public file of 41,188 bank calls, which is not in this table, it
  selected a tree with an AUC of .558 on later rows, where the forest reached .751.
- In world 13 the tree was the best later, by .044, and no rule selected it: the target (regret of at most .03) is
  missed there.
- If models are as close as on bank_full, no rule can do much better than chance: sometimes logistic regression,
  sometimes the forest is ahead by .02, both later and within the training part.
"""
_NOT_FEATURES = ("key", "unit", "as_of", "label")


@dataclass(frozen=True)
class Problem:
    """Rows with answers, and what share of them, the latest, comes later; None where there is no time."""

    name: str
    rows: pd.DataFrame
    later: float | None


@dataclass(frozen=True)
class Judged:
    """What each model reached on later rows and inside the training part, and which had the best pooled value there."""

    problem: str
    later: dict[str, float]
    inside: dict[str, list[float]]
    pooled: str

    @property
    def chosen(self) -> list[str]:
        """The models that the rules take: pooled, steadiest, now."""
        return [self.pooled, steadiest(self.inside), choose(self.inside)]

    @property
    def regrets(self) -> list[float]:
        """What each of them lacks of the best."""
        return [max(self.later.values()) - self.later[model] for model in self.chosen]


def steadiest(values: dict[str, list[float]]) -> str:
    """The first of STEADIEST_FIRST that is within one standard error of the best mean value."""
    best = max(values, key=lambda model: float(np.mean(values[model])))
    for model in STEADIEST_FIRST:
        lead = np.subtract(values[best], values[model])
        error = float(np.std(lead, ddof=1)) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
        if float(lead.mean()) <= error:
            break
    return model


def problems(folder: Path) -> Iterator[Problem]:
    """All of them, the public ones first."""
    calls = bank_calls(folder / "bank_marketing" / "bank-full.csv.gz")
    for percent in (50, 60, 70, 80):
        yield Problem(f"bank_full, trained on the first {percent} %", calls, 1 - percent / 100)
    half = len(calls) // 2
    yield Problem("bank_full, first half, its last 20 %", calls.head(half), 0.2)
    yield Problem("bank_full, second half, its last 20 %", calls.tail(half), 0.2)
    yield Problem("telco_churn, out of fold", telco(folder / "telco_churn" / "Telco-Customer-Churn.csv"), None)
    for seed in range(1, WORLDS + 1):
        yield Problem(f"drifting world {seed}, its last 20 %", drifting_world(seed), 0.2)


def bank_calls(file: Path) -> pd.DataFrame:
    """The calls in their order, which with month and day gives the year; without the length of the call."""
    calls = pd.read_csv(file, sep=";").drop(columns="duration")
    month = pd.to_datetime(calls["month"], format="%b").dt.month
    year = 2008 + (month.diff() < 0).cumsum()
    days = pd.DataFrame({"year": year, "month": month, "day": calls["day"]})
    calls["pdays"] = calls["pdays"].where(calls["pdays"] >= 0)
    return _named(calls.drop(columns="y"), calls["y"] == "yes", pd.to_datetime(days))


def telco(file: Path) -> pd.DataFrame:
    """The customers, all of one moment."""
    customers = pd.read_csv(file, na_values=" ").drop(columns="customerID")
    moment = pd.Series(pd.Timestamp(2020, 1, 1), index=customers.index)
    return _named(customers.drop(columns="Churn"), customers["Churn"] == "Yes", moment)


def drifting_world(seed: int) -> pd.DataFrame:
    """Two years in which the rate, what tells, and the customers change; one column tells little but the date.

    How much of the truth is a line, how much only trees can find, and how fast it moves, differs from world to world.
    """
    draws = np.random.default_rng(seed)
    day = np.sort(draws.integers(0, _DAYS, _ROWS))
    gone = day / _DAYS
    numbers = draws.normal(size=(_ROWS, 6)) + np.outer(gone, draws.normal(0, 0.5, 6))
    first, last = draws.normal(0, 0.5, (2, 6))
    moving = draws.uniform(0, 0.8)
    line = ((1 - moving * gone)[:, None] * first + (moving * gone)[:, None] * last) * numbers
    corner = draws.uniform(0, 1.5) * ((numbers[:, 0] > 0) ^ (numbers[:, 1] > 0))
    level = draws.uniform(-3.2, -2) + draws.uniform(0, 2.5) * gone + 0.5 * np.sin(4 * np.pi * gone)
    log_odds = level + line.sum(axis=1) + corner
    label = draws.random(_ROWS) < 1 / (1 + np.exp(-log_odds))
    columns = {f"x{place}": numbers[:, place] for place in range(6)}
    frame = pd.DataFrame({**columns, "index_of_prices": 100 + 20 * gone + draws.normal(0, 1, _ROWS)})
    return _named(frame, pd.Series(label), pd.Timestamp(2024, 1, 1) + pd.to_timedelta(pd.Series(day), unit="D"))


def _named(features: pd.DataFrame, label: pd.Series, moment: pd.Series) -> pd.DataFrame:
    keys = [f"{place:06d}" for place in range(len(features))]
    return features.assign(key=keys, unit=keys, as_of=moment, label=label.astype(int))


def plan_of(problem: Problem) -> Plan:
    """As `otklik train` splits; the random one of fewer folds."""
    if problem.later is None:
        return random_plan(4, 2)
    moments, counts = np.unique(problem.rows["as_of"].to_numpy(dtype="datetime64[us]"), return_counts=True)
    counted = [(moment.replace(tzinfo=UTC), int(n)) for moment, n in zip(moments.tolist(), counts, strict=True)]
    return time_plan(counted, problem.later, 3, timedelta())


def judged(spark: SparkSession, problem: Problem) -> Judged:
    """Fit and judge the models of one problem."""
    plan, rows = plan_of(problem), frame_of(spark, problem.rows)
    features = features_of(rows, {name: False for name in problem.rows.columns if name not in _NOT_FEATURES})
    rules = Rules(0.005, 50, 0.98, ("constant", "duplicate"), frozenset(), frozenset(), {})
    labelled = collect_labelled(rows)
    prepared = laid_out(rows, preparation_of(plan, rows, features, rules), 2, with_leaks=False)
    values = {model: getattr(Models(), model) for model in MODELS}
    candidates = [Candidate(model, WITHOUT, settings_to_try(model, values[model])) for model in MODELS]
    with ThreadPoolExecutor(3) as executor:
        made = cross_validate(
            prepared, labelled, plan, candidates,
            metric="auc", calibration="isotonic", seed=7, executor=executor, say=lambda *_: None,
        )  # fmt: skip
    by_model = {each.candidate.model: each for each in made}
    pooled = {model: measure(labelled, each.inner.together(), "auc") for model, each in by_model.items()}
    inside = {model: values_inside(labelled, each, "auc") for model, each in by_model.items()}
    return Judged(
        problem.name,
        {model: measure(labelled, each.tested, "auc") for model, each in by_model.items()},
        inside,
        max(pooled, key=lambda model: pooled[model]),
    )


def frame_of(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    """The rows with hash and fold."""
    types = {"i": "bigint", "f": "double", "M": "timestamp", "O": "string"}
    schema = ", ".join(f"`{name}` {types[np.dtype(kind).kind]}" for name, kind in rows.dtypes.items())
    frame = spark.createDataFrame(rows, schema)
    return with_row_hash(with_fold(frame, 4, "fold")).withColumn("label", F.col("label").cast("int"))


def page(results: list[Judged]) -> str:
    """The table, with the machine and the day."""
    lines = [
        TEXT,
        "| Problem | LR | DT | RF | pooled | | steadiest | | now | |",
        "|---|" + "---:|" * 3 + "---|---:|" * 3,
    ]
    short = dict(zip(MODELS, ("LR", "DT", "RF"), strict=True))
    for one in results:
        later = " | ".join(f"{one.later[model]:.3f}" for model in MODELS)
        rules = " | ".join(f"{short[m]} | {lost:.3f}" for m, lost in zip(one.chosen, one.regrets, strict=True))
        lines.append(f"| {one.problem} | {later} | {rules} |")
    regrets = np.array([one.regrets for one in results])
    for words, values in (("mean", regrets.mean(axis=0)), ("worst", regrets.max(axis=0))):
        lines.append(f"| **{words}** | | | | " + " | ".join(f"| **{value:.3f}**" for value in values) + " |")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    lines += ["", f"Written by `scripts/regret.py` on {date.today().isoformat()}; {machine}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Returns the exit code."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        properties = {
            "spark.master": "local[2]",
            "spark.driver.memory": "3g",
            "spark.sql.shuffle.partitions": "2",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.checkpoint.dir": f"{folder}/checkpoints",
        }
        results = []
        log = Path(folder) / "spark.log"
        with session.start("regret", properties, submitted=False, jvm_log=log) as started:
            for problem in problems(Path(sys.argv[1])):
                start = datetime.now(UTC)
                results.append(judged(started.spark, problem))
                seconds = (datetime.now(UTC) - start).total_seconds()
                sys.stderr.write(f"{results[-1]} {seconds:.0f} s\n")
    sys.stdout.write(page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
