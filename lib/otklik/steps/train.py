"""Step: train, judge and register a task's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.decisions.audience import action_values, affordable
from otklik.errors import RefusedError
from otklik.kind import Measure
from otklik.lake.ledger import Run, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.tables import FINDINGS, PREDICTIONS, SCOREBOARD
from otklik.models import boosting
from otklik.models.choice import choose
from otklik.models.evaluate import auc_within
from otklik.models.leaks import single_feature_auc, suspected_leaks
from otklik.models.prepare import (
    FeatureFinding,
    Preparation,
    Rules,
    features_of,
    findings_of,
    matrix,
    sample,
    slot_array,
)
from otklik.models.registry import has_sound_model
from otklik.models.scoreboard import Terms, measures_of, miscalibrated, rows_of
from otklik.models.split import Plan, random_plan, time_plan, with_fold
from otklik.models.training import (
    WITH,
    WITHOUT,
    Candidate,
    CrossValidation,
    Labelled,
    Training,
    collect_labelled,
    judge,
    laid_out,
    predictions_frame,
    preparation_of,
    with_row_hash,
)
from otklik.models.zoo import settings_to_try
from otklik.progress import Step
from otklik.report.findings import in_words
from otklik.report.texts import Voice
from otklik.session import threads, without_stage_code
from otklik.steps.answers import write_measures
from otklik.steps.context import Job
from otklik.steps.frames import replace_rows
from otklik.steps.promote import promote, values_of
from otklik.steps.resolve_classify import ResolvedClassify, answered_before, features_run, resolve_recorded
from otklik.steps.runs import record_failure
from otklik.task import Decision, Task

#: Labelled rows on which single features are tried against the label.
_TRIED_ROWS = 20_000


def train_models(job: Job, question: ResolvedClassify | None = None) -> int:
    """Write predictions, scoreboard, explanations, findings and a model folder; returns the exit code."""
    question = question or resolve_recorded(job, "train")
    with record_failure(job, question.start(job, "train", {})):
        if question.task.models.xgboost is not None:
            # Here and not in a worker: what is not installed is one clear line.
            boosting.library()
        before = features_run(job, question)
    table = f"gold.{question.task.name}_features"
    run = question.start(job, "train", {table: str(before.outputs[table])})
    # A model that was damaged since is trained anew, as the message about it advises.
    is_sound = has_sound_model(job.lake, question.task.name, question.run_id)
    earlier = answered_before(job, run) if is_sound else None
    if earlier is not None:
        job.progress.line(f"  train {question.task.name}: reused")
        of_run = (F.col("task") == question.task.name) & (F.col("run_id") == question.run_id)
        _say_result(job, question, job.lake.read(SCOREBOARD.name).where(of_run).toPandas(), earlier.message)
        return 0
    rows = rows_at(job.lake, table, before.outputs[table])
    with record_failure(job, run), threads(job.lake.spark, question.task.models.parallelism) as executor:
        contest = _train_candidates(job, question, rows, executor)
        with job.progress.step("judge: scoreboard with intervals") as step:
            board = _scoreboard(question.task, contest, executor)
            step.rows(len(board))
        verdict = verdict_on(question.task, board)
        outputs = {**_write_judgements(job, question, contest, board), **promote(job, question, contest, executor)}
        outputs |= _write_measures(job, question, run, contest, board)
    record_run(job.lake, run.done(job.clock(), outputs, before.rows_out, len(contest.labelled.label), verdict))
    _say_result(job, question, board, verdict)
    return 0


def _say_result(job: Job, question: ResolvedClassify, board: pd.DataFrame, verdict: str) -> None:
    """The verdict, and the models whose probabilities are off, whether they are new or were trained before."""
    job.progress.line(f"  {verdict}")
    of_split = decisive(board, time_ordered=question.task.rows.time_ordered)
    for finding in miscalibrated(of_split, question.task.checks.rate_moved):
        job.progress.warn(in_words(finding.kind, finding.parameters, Voice("en")))


def _train_candidates(job: Job, question: ResolvedClassify, rows: DataFrame, executor: Executor) -> Training:
    task = question.task
    known_after = {column.name: column.is_known_after for column in question.columns}
    features = features_of(rows, known_after)
    with_leaks = any(feature.is_known_after for feature in features)
    labelled_rows = with_row_hash(
        with_fold(rows.where(F.col("label").isNotNull()), task.splits.folds, task.splits.fold_salt)
    )
    with job.progress.step("train: labelled rows") as step:
        labelled = collect_labelled(labelled_rows)
        step.rows(len(labelled.label), "labelled")
        require_enough(task, labelled)
    preparations, prepared = {}, {}
    judged: dict[str, list[CrossValidation]] = {"without": [], "with": []}
    leaks: tuple[FeatureFinding, ...] = ()
    for plan in _plans(task, labelled):
        with job.progress.step(f"prepare: {plan.split} split") as step:
            preparation = preparation_of(plan, labelled_rows, features, _rules(task))
            preparations[plan.split] = preparation
            prepared[plan.split] = laid_out(
                labelled_rows, preparation, task.preparation.partitions, with_leaks=with_leaks
            )
            if plan.split == "random":
                leaks = look_for_leaks(task, labelled_rows, preparation, len(labelled.label))
            step.say(f"{len(preparation.only(with_leaks=False))} numbers from {len(features)} features")
        with job.progress.step(f"fit: {plan.split} split") as step, without_stage_code(job.lake.spark):
            made = judge(
                prepared[plan.split],
                labelled,
                plan,
                _candidates(task, with_leaks=with_leaks),
                metric=task.champion.metric,
                calibration=task.evaluation.calibration,
                seed=task.models.seed,
                executor=executor,
                say=_shown_in(step),
            )
            step.say(f"{len(made)} contenders, {len(plan.folds) + len(plan.inner_fits)} fits each")
        judged["without"] += [j for j in made if j.candidate.vector == WITHOUT]
        # Where nothing is known only after the decision, "with leaks" is the same model on the same features.
        judged["with"] += [j for j in made if j.candidate.vector == (WITH if with_leaks else WITHOUT)]
    findings = (*leaks, *findings_of(preparations))
    return Training(labelled, labelled_rows, features, preparations, prepared, judged, findings)


def _shown_in(step: Step) -> Callable[[int, int], None]:
    return lambda done, total: step.under_way(f"{done} of {total} fits")


def require_enough(task: Task, labelled: Labelled) -> None:
    """See whether there are rows to learn from.

    Raises:
        RefusedError: if there are fewer rows or positives than declared, or all have the same answer; if the champion
            is to be chosen by pairs within a moment, and there are none.
    """
    rows, positives = len(labelled.label), int(labelled.label.sum())
    if positives in (0, rows) and rows:
        raise RefusedError(
            f"all {rows} labelled rows have the same answer", where=task.name, hint="look at the label's SQL"
        )
    if rows < task.checks.minimum_rows or positives < task.checks.minimum_positives:
        raise RefusedError(
            f"{rows} labelled rows with {positives} positives are fewer than declared "
            f"({task.checks.minimum_rows} and {task.checks.minimum_positives})",
            where=task.name,
            hint="ingest more data, or lower checks.minimum_rows and checks.minimum_positives knowingly",
        )
    if task.champion.metric == "auc_within" and auc_within(labelled.label, labelled.as_of, np.zeros(rows)) is None:
        raise RefusedError(
            "no two rows with different answers share a decision moment: champion.metric auc_within does not exist",
            where=task.name,
            hint="set champion.metric to auc or log_loss, or round the moments in the rows' SQL",
        )


def _plans(task: Task, labelled: Labelled) -> list[Plan]:
    plans = [random_plan(task.splits.folds, task.splits.groups)]
    if task.rows.time_ordered:
        moments, rows = np.unique(labelled.as_of.astype("datetime64[us]"), return_counts=True)
        counted = [(moment.replace(tzinfo=UTC), int(n)) for moment, n in zip(moments.tolist(), rows, strict=True)]
        plans.append(time_plan(counted, task.splits.time_test_share, task.splits.time_windows, task.rows.label_window))
    return plans


def _candidates(task: Task, *, with_leaks: bool) -> list[Candidate]:
    chosen = [(name, getattr(task.models, name)) for name in type(task.models).model_fields]
    models = [(name, values) for name, values in chosen if name not in ("seed", "parallelism") and values is not None]
    vectors = (WITHOUT, WITH) if with_leaks else (WITHOUT,)
    return [Candidate(name, vector, settings_to_try(name, values)) for vector in vectors for name, values in models]


def _rules(task: Task) -> Rules:
    settings = task.preparation
    return Rules(
        settings.rare_level_share,
        settings.maximum_levels,
        settings.maximum_correlation,
        tuple(settings.drop),
        frozenset(settings.log_scale),
        frozenset(settings.categorical),
        settings.bands,
        frozenset(settings.filled),
    )


def look_for_leaks(task: Task, labelled: DataFrame, preparation: Preparation, rows: int) -> tuple[FeatureFinding, ...]:
    """Try each feature alone against the label.

    Args:
        task: says what is too good, and whether that stops the training.
        labelled: key, as_of, label and the features of the labelled rows.
        preparation: fitted on them.
        rows: how many there are, so that a sample can be drawn.

    Raises:
        RefusedError: if a feature is suspected and the task says to stop.
    """
    columns = [slot_array(preparation.slots).alias("slots"), F.col("label")]
    frame = sample(labelled, columns, _TRIED_ROWS, rows, "leaks")
    single = single_feature_auc(matrix(frame, "slots"), frame["label"].to_numpy(), preparation.slots)
    known_after = frozenset(slot.source for slot in preparation.slots if slot.is_known_after)
    stops = task.checks.on_suspected_leak == "stop"
    found = suspected_leaks(single, known_after, task.checks.leak_auc, "stopped" if stops else "warned")
    suspected = [finding for finding in found if finding.kind == "suspected_leak"]
    if suspected and stops:
        names = ", ".join(f"{finding.feature} (AUC {finding.value:.3f})" for finding in suspected)
        raise RefusedError(
            f"suspected leak: alone they predict the label too well: {names}",
            where=task.name,
            hint="mark them [after] in their SQL header, or set checks.on_suspected_leak = 'warn' knowingly",
        )
    return found


def _scoreboard(task: Task, contest: Training, executor: Executor) -> pd.DataFrame:
    decision = task.decision
    terms = Terms(
        None if decision is None else decision.cost,
        None if decision is None else decision.value,
        task.evaluation.bootstrap_replicates,
        task.splits.bootstrap_salt,
        task.rows.unit_of_bootstrap == "moment",
        task.rows.label_window,
    )
    if contest.judged["with"] and contest.judged["with"][0] is contest.judged["without"][0]:
        board = rows_of(contest.labelled, {"without": contest.judged["without"]}, terms, executor)
        return pd.concat([board, board.assign(leaks="with")], ignore_index=True)
    return rows_of(contest.labelled, contest.judged, terms, executor)


def _write_judgements(job: Job, question: ResolvedClassify, contest: Training, board: pd.DataFrame) -> dict[str, int]:
    name, run_id = question.task.name, question.run_id
    named, label = {"task": name, "run_id": run_id}, f"train {run_id}"
    judged = [
        (leaks, judgement)
        for leaks, judgements in contest.judged.items()
        for judgement in judgements
        if leaks == "without" or judgement.candidate.vector == WITH
    ]
    predictions = predictions_frame(contest.labelled_rows, contest.labelled, judged).withColumn("run_id", F.lit(run_id))
    noticed = (*contest.findings, *miscalibrated(board, question.task.checks.rate_moved))
    findings = pd.DataFrame([finding.row for finding in noticed])
    findings = findings.assign(**named) if len(findings) else findings
    return {
        f"gold.{name}_predictions": job.lake.replace(PREDICTIONS.of(name), predictions, label).version,
        **replace_rows(job.lake, SCOREBOARD, board.assign(**named), label, named),
        **replace_rows(job.lake, FINDINGS, findings, label, named),
    }


def _write_measures(
    job: Job, question: ResolvedClassify, run: Run, contest: Training, board: pd.DataFrame
) -> dict[str, int]:
    task, values = question.task, values_of(question, contest)
    split, chosen = "time" if task.rows.time_ordered else "random", choose(values)
    measures = measures_of(board, values, task.champion.metric, split, chosen)
    if task.decision is not None and split == "time":
        judgement = next(j for j in reversed(contest.judged["without"]) if j.candidate.model == chosen)
        measures += _later_profits(task, task.decision, contest.labelled, judgement)
    return write_measures(job.lake, task, run, measures)


def _later_profits(task: Task, decision: Decision, labelled: Labelled, judgement: CrossValidation) -> list[Measure]:
    """What each way of choosing would have brought on the later rows: measure `profit`, its rows are the contacts.

    The list is drawn up as `otklik score` does it, by probabilities of the model that learnt from the past only; the
    interval draws whole decision moments.
    """
    places, probability = judgement.tested.places, judgement.calibrated
    label, moment = labelled.label[places].astype(np.float64), labelled.as_of[places]
    listed = probability > decision.threshold
    if decision.budget is not None:
        rank = np.empty(len(places), dtype=np.int64)
        rank[np.argsort(-probability, kind="stable")] = np.arange(len(places))
        listed &= rank < affordable(decision.budget, decision.cost)
    found = action_values(
        probability,
        label,
        moment.astype("datetime64[us]").astype(np.int64),
        listed,
        np.zeros(len(label), dtype=np.bool_),
        cost=decision.cost,
        value=decision.value,
        replicates=task.evaluation.bootstrap_replicates,
        salt=task.splits.bootstrap_salt,
    )
    rows: dict[str, Mapping[str, Any]] = {str(row["policy"]): row for row in found}
    # As many, drawn at random: their share of what contacting all brings.
    share, everybody = float(listed.mean()), rows["all"]
    drawn = {name: share * everybody[name] for name in ("out_of_fold_profit", "low", "high")}
    rows["random"] = {**drawn, "customers": int(listed.sum())}
    of_all = everybody["out_of_fold_profit"]

    def measure(policy: str, row: Mapping[str, Any]) -> Measure:
        low, high = row["low"], row["high"]
        return Measure("profit", row["out_of_fold_profit"], policy, "time", low, high, of_all, row["customers"])

    return [measure(policy, row) for policy, row in rows.items()]


def decisive(board: pd.DataFrame, *, time_ordered: bool) -> pd.DataFrame:
    """The scoreboard's rows that count: no leaks, calibrated, on time where there is time."""
    split = "time" if time_ordered else "random"
    return board[(board["leaks"] == "without") & (board["split"] == split) & (board["calibration"] == "calibrated")]


def verdict_on(task: Task, board: pd.DataFrame) -> str:
    """What the scoreboard comes to, in one sentence.

    Raises:
        RefusedError: if no candidate is better than the base line and the task says to stop.
    """
    rows = decisive(board, time_ordered=task.rows.time_ordered)
    best = rows[rows["model"].isin(task.champion.candidates)].sort_values("auc", ascending=False).iloc[0]
    numbers = f"{best['model']}: AUC {best['auc']:.3f}"
    if pd.isna(best["auc_low"]):
        if best["auc"] > 0.5:
            return (
                f"too little data to assess the model: {numbers}; too few decision moments or answers for an interval"
            )
    else:
        numbers += f" [{best['auc_low']:.3f}, {best['auc_high']:.3f}]"
    if best["auc_low"] > 0.5:
        return (
            f"best without leaks, {best['split']} split: {numbers}; always-no is right {best['majority_accuracy']:.1%}"
        )
    message = f"nothing to gain here: {numbers} is no better than the base line"
    if task.checks.on_nothing_to_gain == "stop":
        raise RefusedError(message, where=task.name, hint="other features, more data, or another question")
    return message
