"""Step: score rows with the champion, compare them with training, and decide whom to contact."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.decisions.audience import action_values, audience, with_rank
from otklik.errors import WARNING_EXIT_CODE, DamagedError, MissingResultError, RefusedError
from otklik.lake.ledger import Run, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.tables import ACTION_VALUE, ACTIONS, FINDINGS, SCORES
from otklik.models import extras
from otklik.models.drift import SCORE, counts_in, drift_of
from otklik.models.registry import Champion, ServingModel, load_champion
from otklik.models.scoring import with_scores
from otklik.models.split import with_fold
from otklik.models.zoo import XGBOOST
from otklik.report.findings import in_words
from otklik.report.texts import ReportVoice
from otklik.session import cached
from otklik.steps.answers import write_list
from otklik.steps.context import Job
from otklik.steps.frames import as_frame, replace_rows
from otklik.steps.resolve_classify import (
    ResolvedClassify,
    answered_before,
    features_run,
    only_to_score,
    plans_for,
    resolve_recorded,
)
from otklik.steps.runs import record_failure


def score_rows(job: Job, resolved: ResolvedClassify | None = None) -> int:
    """Write gold.<task>_scores, _actions and gold.action_value; returns the exit code, 10 on drift."""
    resolved = resolved or resolve_recorded(job, "score")
    with record_failure(job, resolved.start(job, "score", {})):
        before = features_run(job, resolved)
        champion = _champion(job, resolved)
        if champion.serving.model == XGBOOST:
            extras.library(XGBOOST)
    for refusal in champion.refused:
        job.progress.warn(f"{refusal}; using the previous champion")
    table = f"gold.{resolved.task.name}_features"
    inputs = {table: str(before.outputs[table]), "model": f"{champion.run_id} {champion.row['sequence']}"}
    run = resolved.start(job, "score", inputs)
    earlier = answered_before(job, run)
    if earlier is not None:
        job.progress.line(f"  score {resolved.task.name}: reused")
        return _warned(job, resolved, champion)
    with contextlib.ExitStack() as while_needed:
        while_needed.enter_context(plans_for(resolved, job.lake.spark))
        with record_failure(job, run), job.progress.step(f"score {resolved.task.name}") as step:
            rows = _chosen_rows(rows_at(job.lake, table, before.outputs[table]), resolved, champion.serving)
            scores = while_needed.enter_context(cached(_scores(rows, resolved, champion)))
            count = scores.count()
            if not count:
                raise RefusedError(
                    "no row matches score.where", where=resolved.task.name, hint="check [score] where in the task"
                )
            outputs = {SCORES.of(resolved.task.name).name: _write_scores(job, resolved, scores, count)}
            _write_drift(job, resolved, champion, rows, scores)
            step.rows(count)
        if resolved.task.decision is not None:
            with record_failure(job, run), job.progress.step("decide whom to contact") as step:
                outputs |= _write_list(job, resolved, scores, run)
    message = f"{champion.row['model']} of run {champion.run_id}"
    record_run(job.lake, run.done(job.clock(), outputs, before.rows_out, count, message))
    return _warned(job, resolved, champion)


def _champion(job: Job, resolved: ResolvedClassify) -> Champion:
    """The latest champion trained by the as-of moment, as a later one may have been fitted to the labels."""
    name = resolved.task.name
    newest = load_champion(job.lake, name)
    if resolved.as_of >= newest.row["trained_at"].tz_localize(UTC):
        return newest
    later = f"trained as of {newest.row['trained_at']:%Y-%m-%d %H:%M}, after this task's moment"
    try:
        champion = load_champion(job.lake, name, trained_by=resolved.as_of)
    except (MissingResultError, DamagedError):
        job.progress.warn(
            f"the champion was {later}: its training data may include the answers that are being predicted"
        )
        return newest
    job.progress.line(f"  the newest champion was {later}; using the previous one")
    return champion


def _warned(job: Job, resolved: ResolvedClassify, champion: Champion) -> int:
    """Print warnings about new or reused scores; returns the exit code."""
    split = "time" if resolved.task.rows.time_ordered else "random"
    runs = {"rate_moved": champion.run_id, "drift": resolved.run_ids["score"]}
    found = job.lake.small(
        FINDINGS.name,
        {"task": [resolved.task.name], "action": ["warned"], "kind": [*runs], "run_id": [*runs.values()]},
    )
    noticed = [row for row in ([] if found is None else found.rows) if row["run_id"] == runs[row["kind"]]]
    noticed.sort(key=lambda row: row["feature"])
    for finding in (json.loads(row["detail"]) for row in noticed if row["kind"] == "rate_moved"):
        if (finding["model"], finding["split"]) == (champion.row["model"], split):
            job.progress.warn(in_words("rate_moved", finding, ReportVoice("en")))
    drifted = [f"{row['feature']} PSI {row['value']:.2f}" for row in noticed if row["kind"] == "drift"]
    if not drifted:
        return 0
    job.progress.warn(f"inputs have drifted: {', '.join(drifted)}")
    return WARNING_EXIT_CODE


def _chosen_rows(features: DataFrame, resolved: ResolvedClassify, serving: ServingModel) -> DataFrame:
    """The rows to score, with the folds of the champion's training, whatever the task's current settings.

    Raises:
        MissingResultError: if the champion does not fit the current features.
        ConfigurationError: if score.where is not a condition on them.
    """
    misfit = serving.misfit(features.columns, resolved.known_after, resolved.rows_hash)
    if misfit is not None:
        name = resolved.task.name
        raise MissingResultError(
            f"the champion cannot score these rows: {misfit}", where=name, hint=f"run `otklik train {name}` first"
        )
    chosen = only_to_score(features, resolved.task)
    return with_fold(chosen, serving.fold_count, serving.fold_salt)


def _scores(rows: DataFrame, resolved: ResolvedClassify, champion: Champion) -> DataFrame:
    scored = with_scores(rows, champion.serving, resolved.task.evaluation.reasons)
    decision = resolved.task.decision
    profit = (
        F.lit(None).cast("double")
        if decision is None
        else F.col("probability") * F.lit(decision.value) - F.lit(decision.cost)
    )
    return scored.withColumns({"expected_profit": profit, "run_id": F.lit(resolved.run_ids["score"])})


def _write_scores(job: Job, resolved: ResolvedClassify, scores: DataFrame, count: int) -> int:
    ranked = with_rank(scores, resolved.task.splits.control_salt)
    tenth = F.ceil(F.col("rank") * F.lit(10) / F.lit(count)).cast("int")
    table = SCORES.of(resolved.task.name)
    return job.lake.replace(table, ranked.withColumn("decile", tenth), f"score {resolved.run_ids['score']}").version


def _write_drift(job: Job, resolved: ResolvedClassify, champion: Champion, rows: DataFrame, scores: DataFrame) -> None:
    """Record the drift of each feature in gold.findings."""
    # A feature that the model does not use may have been left out of the task since.
    of_features = [bins for bins in champion.serving.bins if bins.feature in rows.columns]
    of_scores = [bins for bins in champion.serving.bins if bins.feature == SCORE]
    # A tree has one value per leaf, and trees of other folds have different ones: only its own are comparable.
    is_one_tree = champion.serving.model == "decision_tree"
    compared = scores.where(~F.col("is_out_of_fold")) if is_one_tree else scores
    actual = {**counts_in(rows, of_features), **counts_in(compared, of_scores)}
    drift = drift_of(champion.serving.expected, actual, resolved.task.checks.psi_warning)
    findings = pd.DataFrame(
        {
            "task": resolved.task.name,
            "run_id": resolved.run_ids["score"],
            "kind": "drift",
            "feature": drift["feature"],
            "detail": "{}",
            "value": drift["psi"],
            "action": ["warned" if has_drifted else "kept" for has_drifted in drift["has_drifted"]],
        }
    )
    named = {"task": resolved.task.name, "run_id": resolved.run_ids["score"], "kind": "drift"}
    replace_rows(job.lake, FINDINGS, findings, f"score {resolved.run_ids['score']} {champion.run_id}", named)


def _write_list(job: Job, resolved: ResolvedClassify, scores: DataFrame, run: Run) -> dict[str, int]:
    decision, splits = resolved.task.decision, resolved.task.splits
    if decision is None:
        return {}
    listed = audience(
        scores,
        cost=decision.cost,
        value=decision.value,
        budget=decision.budget,
        control_share=decision.control_share,
        campaign=decision.campaign,
        salt=splits.control_salt,
    )
    table, label = ACTIONS.of(resolved.task.name), f"score {resolved.run_ids['score']}"
    with cached(listed) as actions:
        outputs = {table.name: job.lake.replace(table, actions, label).version}
        if not resolved.is_draft:
            outputs |= write_list(job.lake, run, decision.campaign, actions.withColumnRenamed("key", "unit"))
        arms = actions.select("key", "as_of", "arm")
        frame = scores.join(arms, ["key", "as_of"], "left").select("probability", "label", "unit", "arm").toPandas()
    values = action_values(
        frame["probability"].to_numpy(np.float64),
        frame["label"].to_numpy(np.float64),
        frame["unit"].to_numpy(),
        frame["arm"].notna().to_numpy(),
        (frame["arm"] == "control").to_numpy(),
        cost=decision.cost,
        value=decision.value,
        replicates=resolved.task.evaluation.bootstrap_replicates,
        salt=splits.bootstrap_salt,
    )
    named = {"task": resolved.task.name, "run_id": resolved.run_ids["score"]}
    return outputs | replace_rows(job.lake, ACTION_VALUE, as_frame(values).assign(**named), label, named)
