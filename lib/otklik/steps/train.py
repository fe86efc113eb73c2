"""Step: train, evaluate and register a task's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.lake.ledger import Run, record_run
from otklik.lake.recovery import rows_at
from otklik.lake.tables import FINDINGS, PREDICTIONS, SCOREBOARD
from otklik.models import extras
from otklik.models.choice import choose
from otklik.models.drift import bins_of, counts_in, drift_of
from otklik.models.evaluate import auc_within
from otklik.models.final import values_of
from otklik.models.leaks import single_feature_auc, suspected_leaks
from otklik.models.prepare import (
    Feature,
    FeatureFinding,
    Preparation,
    Rules,
    events_of,
    features_of,
    findings_of,
    matrix,
    sample,
    slot_array,
)
from otklik.models.registry import has_sound_model
from otklik.models.scoreboard import ScoringTerms, gains_of_challengers, measures_of, miscalibrated, rows_of
from otklik.models.sequence import MOST_ROWS
from otklik.models.split import Plan, random_plan, time_plan, with_fold
from otklik.models.training import (
    Candidate,
    CrossValidation,
    Labelled,
    Training,
    collect_labelled,
    cross_validate,
    laid_out,
    predictions_frame,
    preparation_of,
    vector_of,
    with_row_hash,
)
from otklik.models.zoo import SEQUENCE, settings_to_try
from otklik.progress import Step
from otklik.report.findings import in_words
from otklik.report.texts import ReportVoice
from otklik.session import threads, without_stage_code
from otklik.steps.answers import write_measures
from otklik.steps.context import Job
from otklik.steps.frames import replace_rows
from otklik.steps.profit import bring_profits_up_to_date, later_profits, record_profits
from otklik.steps.promote import promote
from otklik.steps.resolve_classify import ResolvedClassify, answered_before, features_run, plans_for, resolve_recorded
from otklik.steps.runs import record_failure
from otklik.task import Task

#: Number of labelled rows on which single features are tested against the label.
_TRIED_ROWS = 20_000


def train_models(job: Job, resolved: ResolvedClassify | None = None) -> int:
    """Write predictions, scoreboard, explanations, findings and a model folder; returns the exit code."""
    resolved = resolved or resolve_recorded(job, "train")
    with record_failure(job, resolved.start(job, "train", {})):
        # Here and not in a worker, so that a missing package gives one clear message.
        extras.require_all(resolved.task.models)
        before = features_run(job, resolved)
    table = f"gold.{resolved.task.name}_features"
    run = resolved.start(job, "train", {table: str(before.outputs[table])})
    # A model that was damaged since is trained again, as its message advises.
    is_sound = has_sound_model(job.lake, resolved.task.name, resolved.run_ids["train"])
    earlier = answered_before(job, run) if is_sound else None
    if earlier is not None:
        job.progress.line(f"  train {resolved.task.name}: reused")
        bring_profits_up_to_date(job, resolved.task, earlier)
        named = {"task": [resolved.task.name], "run_id": [resolved.run_ids["train"]]}
        board = job.lake.small_frame(SCOREBOARD.name, named)
        if board is not None:
            _say_result(job, resolved, board, earlier.message)
        return 0
    rows = rows_at(job.lake, table, before.outputs[table])
    with (
        record_failure(job, run),
        plans_for(resolved, job.lake.spark),
        threads(job.lake.spark, resolved.task.models.parallelism) as executor,
    ):
        training = _train_candidates(job, resolved, rows, executor)
        with job.progress.step("evaluate: scoreboard with intervals") as step:
            board = _scoreboard(resolved.task, training, executor)
            step.rows(len(board))
        verdict = verdict_on(resolved.task, board, training.chosen)
        outputs = {**_write_results(job, resolved, training, board), **promote(job, resolved, training, executor)}
        outputs |= _write_measures(job, resolved, run, training, board)
    trained = run.done(job.clock(), outputs, before.rows_out, len(training.labelled.label), verdict)
    record_run(job.lake, trained)
    record_profits(job, resolved.task, trained)
    _say_result(job, resolved, board, verdict)
    return 0


def _say_result(job: Job, resolved: ResolvedClassify, board: pd.DataFrame, verdict: str) -> None:
    """Print the verdict and the miscalibrated models of a new or reused training."""
    job.progress.line(f"  {verdict}")
    of_split = decisive(board, time_ordered=resolved.task.rows.time_ordered)
    for finding in miscalibrated(of_split, resolved.task.checks.rate_moved):
        job.progress.warn(in_words(finding.kind, finding.parameters, ReportVoice("en")))


def _train_candidates(job: Job, resolved: ResolvedClassify, rows: DataFrame, executor: Executor) -> Training:
    task = resolved.task
    known_after = {column.name: column.is_known_after for column in resolved.columns}
    features, sequence = features_of(rows, known_after), task.models.sequence
    unread = events_of(rows, known_after, None if sequence is None else sequence.events)
    has_leaks = any(feature.is_known_after for feature in features)
    with_leaks = has_leaks and task.evaluation.with_leaks is not False
    labelled_rows = with_row_hash(
        with_fold(rows.where(F.col("label").isNotNull()), task.splits.folds, task.splits.fold_salt)
    )
    with job.progress.step("train: labelled rows") as step:
        labelled = collect_labelled(labelled_rows)
        step.rows(len(labelled.label), "labelled")
        require_enough(task, labelled)
    partitions = task.preparation.partitions_of(len(labelled.label))
    preparations: dict[str, Preparation] = {}
    prepared: dict[str, DataFrame] = {}
    judged: dict[str, list[CrossValidation]] = {"without": [], "with": []}
    leaks: tuple[FeatureFinding, ...] = ()

    def judged_on(plan: Plan, candidates: Sequence[Candidate], what: str) -> list[CrossValidation]:
        with job.progress.step(f"fit: {what}") as step, without_stage_code(job.lake.spark):
            made = cross_validate(
                prepared[plan.split],
                labelled,
                plan,
                candidates,
                metric=task.champion.metric,
                calibration=task.evaluation.calibration,
                seed=task.models.seed,
                executor=executor,
                say=_shown_in(step),
            )
            step.say(f"{len(made)} candidates, {len(plan.folds) + len(plan.inner_fits)} fits each")
        return made

    *before, decisive_plan = _plans(task, labelled)
    for plan in (decisive_plan, *before) if resolved.is_draft else (*before, decisive_plan):
        with job.progress.step(f"prepare: {plan.split} split") as step:
            preparation = preparation_of(plan, labelled_rows, features, _rules(task))
            preparations[plan.split] = preparation
            prepared[plan.split] = laid_out(labelled_rows, preparation, partitions, with_leaks=with_leaks)
            if plan.split == "random":
                leaks = look_for_leaks(task, labelled_rows, preparation, len(labelled.label))
            step.say(f"{len(preparation.only(with_leaks=False))} numbers from {len(features)} features")
        candidates = _candidates(task, with_leaks=False)
        if resolved.is_draft and plan is not decisive_plan:
            # Half of the fits of a draft: on the split that is not decisive, only the model chosen on the other one.
            candidates = _only_chosen(candidates, values_of(task, labelled, judged["without"]))
        judged["without"] += judged_on(plan, candidates, f"{plan.split} split")
        if has_leaks and task.evaluation.with_leaks is True:
            judged["with"] += judged_on(plan, _candidates(task, with_leaks=True), f"{plan.split} split, with leaks")
    judged["without"].sort(key=lambda result: result.plan is decisive_plan)
    values = values_of(task, labelled, judged["without"])
    if not has_leaks:
        # Without leaks, "with leaks" is the same model on the same features.
        judged["with"] = judged["without"]
    elif task.evaluation.with_leaks == "champion":
        leaking = _only_chosen(_candidates(task, with_leaks=True), values)
        judged["with"] = judged_on(decisive_plan, leaking, f"{decisive_plan.split} split, with leaks")
    findings = [*leaks, *unread, *findings_of(preparations)]
    if sequence is not None and len(labelled.label) > MOST_ROWS:
        sampled: dict[str, str | int] = {"model": SEQUENCE, "most": MOST_ROWS, "rows": len(labelled.label)}
        findings.append(FeatureFinding("sampled", "", sampled, MOST_ROWS / len(labelled.label), "warned"))
    if decisive_plan.split == "time" and not resolved.is_draft:
        with job.progress.step("compare later rows with earlier ones") as step:
            drifted = later_drift(labelled_rows, features, decisive_plan, task.checks.psi_warning)
            step.say(f"{len(drifted)} features drifted")
        findings += drifted
    return Training(labelled, labelled_rows, features, preparations, prepared, judged, tuple(findings), values)


def later_drift(rows: DataFrame, features: Sequence[Feature], plan: Plan, limit: float) -> list[FeatureFinding]:
    """The features whose distribution differs between the training and test part of the time split.

    Args:
        rows: the labelled rows.
        features: the columns.
        plan: the time split.
        limit: maximum population stability index.
    """
    outer, told = plan.folds[0].outer, [feature for feature in features if not feature.is_known_after]
    earlier = rows.where(outer.learns_from)
    names = {
        is_text: [feature.name for feature in told if (feature.feature_type == "text") == is_text]
        for is_text in (True, False)
    }
    bins = bins_of(earlier, names[False], names[True], ["key", "as_of"])
    drift = drift_of(counts_in(earlier, bins), counts_in(rows.where(outer.predicts), bins), limit)
    return [
        FeatureFinding("later_drift", str(row["feature"]), {}, float(row["psi"]), "warned")
        for row in drift[drift["has_drifted"]].to_dict("records")
    ]


def _shown_in(step: Step) -> Callable[[int, int], None]:
    return lambda done, total: step.under_way(f"{done} of {total} fits")


def require_enough(task: Task, labelled: Labelled) -> None:
    """Check that there are enough rows to train on.

    Raises:
        RefusedError: if there are fewer rows or positives than required, or all have the same label; if the champion
            is selected by grouped AUC, and there are no pairs within a moment.
    """
    rows, positives = len(labelled.label), int(labelled.label.sum())
    if positives in (0, rows) and rows:
        raise RefusedError(
            f"all {rows} labelled rows have the same label", where=task.name, hint="check the label's SQL"
        )
    if rows < task.checks.minimum_rows or positives < task.checks.minimum_positives:
        raise RefusedError(
            f"{rows} labelled rows with {positives} positives are fewer than required "
            f"({task.checks.minimum_rows} and {task.checks.minimum_positives})",
            where=task.name,
            hint="ingest more data, or accept less by lowering checks.minimum_rows and checks.minimum_positives",
        )
    if task.champion.metric == "auc_within" and auc_within(labelled.label, labelled.as_of, np.zeros(rows)) is None:
        raise RefusedError(
            "no two rows with different labels share a decision moment: champion.metric auc_within cannot be computed",
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
    return [
        Candidate(name, vector_of(name, with_leaks=with_leaks), settings_to_try(name, values))
        for name, values in chosen
        if name not in ("seed", "parallelism") and values is not None
    ]


def _only_chosen(candidates: Sequence[Candidate], values: Mapping[str, Sequence[float]]) -> list[Candidate]:
    """The candidate selected by values within the training part."""
    chosen = choose(values)
    return [each for each in candidates if each.model == chosen]


def _rules(task: Task) -> Rules:
    settings, sequence = task.preparation, task.models.sequence
    return Rules(
        settings.rare_level_share,
        settings.maximum_levels,
        settings.maximum_correlation,
        tuple(settings.drop),
        frozenset(settings.log_scale),
        frozenset(settings.categorical),
        settings.bands,
        frozenset(settings.filled),
        None if sequence is None else sequence.events,
        0 if sequence is None else sequence.last,
    )


def look_for_leaks(task: Task, labelled: DataFrame, preparation: Preparation, rows: int) -> tuple[FeatureFinding, ...]:
    """Compute the AUC of each feature alone.

    Args:
        task: its limit, and whether to stop.
        labelled: key, as_of, label and features of the labelled rows.
        preparation: fitted on them.
        rows: their number, for sampling.

    Raises:
        RefusedError: if a leak is suspected and the task says to stop.
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
            f"suspected leak: each of these features predicts the label too well on its own: {names}",
            where=task.name,
            hint="mark them [after] in their SQL header, or accept them with checks.on_suspected_leak = 'warn'",
        )
    return found


def _scoreboard(task: Task, training: Training, executor: Executor) -> pd.DataFrame:
    terms = _terms(task)
    if training.judged["with"] and training.judged["with"][0] is training.judged["without"][0]:
        board = rows_of(training.labelled, {"without": training.judged["without"]}, terms, executor)
        return pd.concat([board, board.assign(leaks="with")], ignore_index=True)
    return rows_of(training.labelled, training.judged, terms, executor)


def _terms(task: Task) -> ScoringTerms:
    decision = task.decision
    return ScoringTerms(
        None if decision is None else decision.cost,
        None if decision is None else decision.value,
        task.evaluation.bootstrap_replicates,
        task.splits.bootstrap_salt,
        task.rows.unit_of_bootstrap == "moment",
        task.rows.label_window,
        None if task.evaluation.intervals == "all" else ("time" if task.rows.time_ordered else "random"),
    )


def _write_results(job: Job, resolved: ResolvedClassify, training: Training, board: pd.DataFrame) -> dict[str, int]:
    name, run_id = resolved.task.name, resolved.run_ids["train"]
    named, label = {"task": name, "run_id": run_id}, f"train {run_id}"
    judged = [
        (leaks, result)
        for leaks, results in training.judged.items()
        for result in results
        if leaks == "without" or result.candidate.with_leaks
    ]
    predictions = predictions_frame(training.labelled_rows, training.labelled, judged).withColumn(
        "run_id", F.lit(run_id)
    )
    noticed = (*training.findings, *miscalibrated(board, resolved.task.checks.rate_moved))
    findings = pd.DataFrame([finding.row for finding in noticed])
    findings = findings.assign(**named) if len(findings) else findings
    return {
        f"gold.{name}_predictions": job.lake.replace(PREDICTIONS.of(name), predictions, label).version,
        **replace_rows(job.lake, SCOREBOARD, board.assign(**named), label, named),
        **replace_rows(job.lake, FINDINGS, findings, label, named),
    }


def _write_measures(
    job: Job, resolved: ResolvedClassify, run: Run, training: Training, board: pd.DataFrame
) -> dict[str, int]:
    task, chosen = resolved.task, training.chosen
    split = "time" if task.rows.time_ordered else "random"
    measures = measures_of(board, training.values, task.champion.metric, split, chosen)
    decisive_results = [result for result in training.judged["without"] if result.plan.split == split]
    measures += gains_of_challengers(training.labelled, decisive_results, _terms(task))
    if task.decision is not None and split == "time":
        result = next(j for j in reversed(training.judged["without"]) if j.candidate.model == chosen)
        places, labelled = result.tested.places, training.labelled
        measures += later_profits(
            task, task.decision, labelled.label[places], labelled.as_of[places], result.calibrated
        )
    return write_measures(job.lake, task, run, measures)


def decisive(board: pd.DataFrame, *, time_ordered: bool) -> pd.DataFrame:
    """The decisive rows of the scoreboard: no leaks, calibrated, on the time split if there is one."""
    split = "time" if time_ordered else "random"
    return board[(board["leaks"] == "without") & (board["split"] == split) & (board["calibration"] == "calibrated")]


def verdict_on(task: Task, board: pd.DataFrame, chosen: str) -> str:
    """The verdict in one sentence, about the chosen model and not the best one on the test part.

    Args:
        task: its candidates, and what to do if there is nothing to gain.
        board: the scoreboard.
        chosen: the candidate selected within the training part.

    Raises:
        RefusedError: if the chosen model is no better than the baseline and the task says to stop.
    """
    rows = decisive(board, time_ordered=task.rows.time_ordered)
    rows = rows[rows["model"].isin(task.champion.candidates)].sort_values("auc", ascending=False)
    its, best = rows[rows["model"] == chosen].iloc[0], rows.iloc[0]
    numbers = f"{chosen}: AUC {its['auc']:.3f}"
    if pd.isna(its["auc_low"]):
        if its["auc"] > 0.5:
            return (
                f"too little data to assess the model: {numbers}; too few decision moments or answers for an interval"
            )
    else:
        numbers += f" [{its['auc_low']:.3f}, {its['auc_high']:.3f}]"
    if its["auc_low"] > 0.5:
        beside = "" if best["model"] == chosen else f" (the best on these rows: {best['model']} {best['auc']:.3f})"
        return (
            f"chosen without leaks, {its['split']} split: {numbers}{beside}; "
            f"always-no is right {its['majority_accuracy']:.1%}"
        )
    message = f"nothing to gain: {numbers} is no better than the baseline"
    if task.checks.on_nothing_to_gain == "stop":
        raise RefusedError(message, where=task.name, hint="try other features, more data or another question")
    return message
