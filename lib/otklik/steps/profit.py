"""Profits of a training under the current [decision]: a changed cost or value does not refit anything.

Thresholds and profits in gold.scoreboard and gold.measures follow the latest decision, as gold.<task>_scores follows
the latest options. They are computed from the out-of-sample predictions in gold.<task>_predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from otklik.decisions.audience import action_values, affordable
from otklik.errors import MissingResultError
from otklik.kind import Measure
from otklik.lake.identity import hash_of
from otklik.lake.ledger import Run, find_answer, record_run
from otklik.lake.missing import no_such_table
from otklik.lake.recovery import rows_at
from otklik.lake.tables import MEASURES, SCOREBOARD
from otklik.models.bootstrap import Floats
from otklik.models.evaluate import profit_figures
from otklik.models.registry import history
from otklik.models.zoo import MAJORITY
from otklik.steps.answers import rows_of_measures
from otklik.steps.context import Job
from otklik.steps.frames import replace_rows
from otklik.task import Decision, Task

#: The step's name in ops.runs.
_STEP = "profit"


def record_profits(job: Job, task: Task, trained: Run) -> None:
    """Record the decision used for the profits of a new training."""
    run = _run(job, task, trained)
    record_run(job.lake, run.done(job.clock(), {}, 0, 0, ""))


def bring_profits_up_to_date(job: Job, task: Task, trained: Run) -> None:
    """Recompute the profits of a training if the task's decision has changed since.

    If its predictions have been vacuumed, the old profits stay.
    """
    run, name = _run(job, task, trained), task.name
    # The newest training and that of the champion may differ, each with its own profits.
    last = None if trained.as_of is None else find_answer(job.lake, name, trained.as_of, _STEP, run.inputs)
    if last is not None and last.run_id == run.run_id:
        return
    table, named = f"gold.{name}_predictions", {"task": name, "run_id": trained.run_id}
    try:
        said = rows_at(job.lake, table, trained.outputs[table])
    except MissingResultError:
        return
    with job.progress.step("profits of the decision") as step:
        # In the order of the training, so that the budget cuts equal probabilities at the same rows.
        columns = ["model", "leaks", "split", "unit", "as_of", "label", "raw", "calibrated"]
        predictions = said.select(F.xxhash64("key", "as_of").alias("row_hash"), *columns).toPandas()
        predictions = predictions.sort_values("row_hash", kind="stable")
        board = job.lake.small_frame(SCOREBOARD.name, {column: [value] for column, value in named.items()})
        if board is None:
            raise no_such_table(SCOREBOARD.name)
        label = f"{_STEP} {run.run_id}"
        outputs = replace_rows(job.lake, SCOREBOARD, with_profits(board, predictions, task), label, named)
        models = history(job.lake, name)
        chosen = models.loc[models["run_id"] == trained.run_id, "model"]
        measures: list[Measure] = []
        if task.decision is not None and task.rows.time_ordered and len(chosen):
            tested = predictions[(predictions["split"] == "time") & (predictions["leaks"] == "without")]
            of_chosen = tested[tested["model"] == chosen.iloc[0]]
            measures = later_profits(
                task,
                task.decision,
                of_chosen["label"].to_numpy(),
                of_chosen["as_of"].to_numpy(),
                of_chosen["calibrated"].to_numpy(),
            )
        rows = rows_of_measures(task, trained, measures)
        outputs |= replace_rows(job.lake, MEASURES, rows, label, {**named, "measure": "profit"})
        step.rows(len(board), "rows of the scoreboard")
    record_run(job.lake, run.done(job.clock(), outputs, len(predictions), len(board), ""))


def _run(job: Job, task: Task, trained: Run) -> Run:
    decision = (
        None if task.decision is None else task.decision.model_dump(mode="json", include={"cost", "value", "budget"})
    )
    settings = hash_of(decision)
    run_id = hash_of([trained.run_id, settings, trained.code_version])[:16]
    return replace(
        trained,
        run_id=run_id,
        job=_STEP,
        status="failed",
        inputs={"training": f"{trained.run_id} {trained.started_at.isoformat()}"},
        settings_hash=settings,
        started_at=job.clock(),
        ended_at=None,
    )


def with_profits(board: pd.DataFrame, predictions: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The rows of gold.scoreboard of a training with threshold and profit under the task's decision.

    Args:
        board: the rows.
        predictions: gold.<task>_predictions of the same training.
        task: its decision, bootstrap replicates and resampling unit.
    """
    decision = task.decision
    board = board.assign(threshold=np.nan, profit=np.nan, profit_low=np.nan, profit_high=np.nan)
    if decision is None:
        return board
    has_leaks = "with" in {*predictions["leaks"]}
    for (leaks, split, model), of_model in board.groupby(["leaks", "split", "model"]):
        # Without leaks, "with" is the same as "without"; the baseline uses the rows of any model.
        of_split = predictions[
            (predictions["split"] == split) & (predictions["leaks"] == (leaks if has_leaks else "without"))
        ]
        said = of_split[of_split["model"] == (of_split["model"].iloc[0] if model == MAJORITY else model)]
        by_moment = split == "time" or task.rows.unit_of_bootstrap == "moment"
        moment = said["as_of"].to_numpy().astype("datetime64[us]").astype(np.int64)
        probabilities: list[Floats | None] = []
        for row in of_model.to_dict("records"):
            if model == MAJORITY:
                probabilities.append(np.full(len(said), row["mean_probability"]))
            elif row["calibration"] == "raw":
                raw = said["raw"].to_numpy(np.float64)
                probabilities.append(None if np.isnan(raw).all() else raw)
            else:
                probabilities.append(said["calibrated"].to_numpy(np.float64))
        figures = profit_figures(
            said["label"].to_numpy(),
            moment if by_moment else said["unit"].to_numpy(),
            probabilities,
            cost=decision.cost,
            value=decision.value,
            replicates=task.evaluation.bootstrap_replicates,
            salt=task.splits.bootstrap_salt,
        )
        for place, found in zip(of_model.index, figures, strict=True):
            board.loc[place, list(found)] = [np.nan if number is None else number for number in found.values()]
    return board


def later_profits(task: Task, decision: Decision, label: Any, moment: Any, probability: Floats) -> list[Measure]:
    """The profit of each selection rule on the later rows: measure `profit`, its rows are the contacts.

    The list is made as in `otklik score`, with probabilities of the model trained on earlier rows only; the interval
    resamples decision moments.

    Args:
        task: its bootstrap replicates.
        decision: cost, value and budget.
        label: (rows,) 1 or 0.
        moment: (rows,) the decision moment.
        probability: (rows,) calibrated.
    """
    listed = probability > decision.threshold
    if decision.budget is not None:
        rank = np.empty(len(label), dtype=np.int64)
        rank[np.argsort(-probability, kind="stable")] = np.arange(len(label))
        listed &= rank < affordable(decision.budget, decision.cost)
    found = action_values(
        probability,
        label.astype(np.float64),
        moment.astype("datetime64[us]").astype(np.int64),
        listed,
        np.zeros(len(label), dtype=np.bool_),
        cost=decision.cost,
        value=decision.value,
        replicates=task.evaluation.bootstrap_replicates,
        salt=task.splits.bootstrap_salt,
    )
    rows: dict[str, Mapping[str, Any]] = {str(row["policy"]): row for row in found}
    # A random selection of the same size: its share of the profit of contacting all.
    share, everybody = float(listed.mean()), rows["all"]
    drawn = {name: share * everybody[name] for name in ("out_of_fold_profit", "low", "high")}
    rows["random"] = {**drawn, "customers": int(listed.sum())}
    of_all = everybody["out_of_fold_profit"]

    def measure(policy: str, row: Mapping[str, Any]) -> Measure:
        low, high = row["low"], row["high"]
        return Measure("profit", row["out_of_fold_profit"], policy, "time", low, high, of_all, row["customers"])

    return [measure(policy, row) for policy, row in rows.items()]
