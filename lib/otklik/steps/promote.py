"""The end of training: choose the best model, refit it on all mature rows, explain it, save it.

It serves from then on if it is better than the one that serves now.
"""

from __future__ import annotations

import itertools
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
import pandas as pd
import pyspark
from pyspark.ml import Model
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import DamagedError, RefusedError
from otklik.lake.folder import Folder
from otklik.lake.identity import code_version
from otklik.lake.tables import EXPLANATIONS
from otklik.models import calibrate, explain, extras, registry
from otklik.models.calibrate import Calibrator
from otklik.models.drift import SCORE, Bins, bins_of, counts_in
from otklik.models.evaluate import auc
from otklik.models.portable import PortableModel, Predict, Slots, permutation_importance
from otklik.models.prepare import SAMPLE_ROWS, Slot, matrix, means_of, sample
from otklik.models.split import TIME_TEST
from otklik.models.training import (
    Candidate,
    CrossValidation,
    Floats,
    Labelled,
    Training,
    fit_on_all,
    poisson_weight,
    values_inside,
)
from otklik.models.zoo import NOT_OF_MLLIB, SEQUENCE, TREES, XGBOOST, Setting, with_prediction
from otklik.session import without_stage_code
from otklik.steps.context import Job
from otklik.steps.frames import replace_rows
from otklik.steps.resolve_classify import ResolvedClassify
from otklik.task import ChampionSettings, Task

#: Rows of the sample on which importances and partial dependence are measured.
_EXPLAINED_ROWS = 4_000
#: And of each answer at least so many, if there are.
_OF_RARE = 200
#: Features whose partial dependence is drawn.
_EXPLAINED_FEATURES = 6
#: The most that two ways to compute one probability may differ.
_SAME = 1e-9
#: Where in the champion's folder the models of the folds are saved, to be read back.
_TEMPORARY = "temporary"
_LIBRARIES = ("pyspark", "delta-spark", "numpy", "pandas", "scikit-learn")


@dataclass(frozen=True, eq=False)
class FinalModels:
    """The chosen model and its rivals, each fitted on all mature rows, with what explaining them needs.

    Attributes:
        chosen: name of the best candidate.
        value: its out-of-fold value inside the training part, as the metric names it.
        fitted: candidate → its model.
        slots: the places of the chosen model's vector.
        means: (slots,) mean of each number over all labelled rows.
        sampled: (rows, slots) the numbers of some labelled rows.
        champion: the chosen model's portable form.
        folds: fold → portable form of the chosen model's fold models (random split).
        past: portable form of the chosen model that learnt from the past only, where there is a time split.
    """

    chosen: str
    value: float
    fitted: Mapping[str, Model]
    slots: tuple[Slot, ...]
    means: Floats
    sampled: Floats
    champion: PortableModel
    folds: Mapping[int, PortableModel]
    past: PortableModel | None

    @property
    def plain_slots(self) -> tuple[Slot, ...]:
        """Those of them that every model reads; they stand first."""
        return tuple(slot for slot in self.slots if not slot.is_event)


def promote(job: Job, resolved: ResolvedClassify, training: Training, executor: Executor) -> dict[str, int]:
    """Choose, refit, explain, save and register; returns table → version."""
    task = resolved.task
    folder, before = _free_folder(job, resolved)
    with job.progress.step("champion: fit on all rows") as step, without_stage_code(job.lake.spark):
        finals = _finals(job, resolved, training, folder, executor)
        step.say(f"{finals.chosen}, out of fold {task.champion.metric} {finals.value:.3f}")
    with job.progress.step("champion: explain") as step, without_stage_code(job.lake.spark):
        explanations = _explanations(resolved, training, finals, executor)
        step.rows(len(explanations), "explanations")
    with job.progress.step("champion: save and register") as step:
        serving = _serving(resolved, training, finals)
        manifest_hash = registry.save(job.lake, folder, serving, _about(resolved, training, finals))
        row = _pointer(job, resolved, training, finals, folder, manifest_hash)
        named, label = {"task": task.name, "run_id": resolved.run_ids["train"]}, f"train {resolved.run_ids['train']}"
        outputs = replace_rows(job.lake, EXPLANATIONS, explanations.assign(**named), label, named)
        outputs["gold.model_runs"] = registry.register(job.lake, row, label)
        # Of a training that is repeated, because its end was not recorded or its tables are gone.
        for name in before:
            Folder(job.lake.folder("models", task.name)).delete(name)
        step.say(row["reason"])
    return outputs


def _free_folder(job: Job, resolved: ResolvedClassify) -> tuple[str, list[str]]:
    """A folder that no pointer names, so that no model is written over while it serves; and the run's earlier ones."""
    task, run_id = resolved.task.name, resolved.run_ids["train"]
    runs = registry.history(job.lake, task)
    before = [str(folder).rpartition("/")[2] for folder in runs.loc[runs["run_id"] == run_id, "folder"].unique()]
    names = (run_id if number == 1 else f"{run_id}-{number}" for number in itertools.count(1))
    models = Folder(job.lake.folder("models", task))
    there = models.folders()
    # Where others may write at once, a folder may be the one that another training is writing.
    free = next(name for name in names if name not in before and (job.is_alone or name not in there))
    if free in there:
        # What a killed training left would be taken for files of the new model.
        models.delete(free)
    return f"models/{task}/{free}", before


def _decisive(training: Training, model: str) -> CrossValidation:
    """The result that a model is chosen by: on time without leaks, or on the random split where there is no time."""
    return _last(training.judged["without"], model)


def _last(results: Sequence[CrossValidation], model: str) -> CrossValidation:
    return [result for result in results if result.candidate.model == model][-1]


def _on_random(training: Training, model: str) -> CrossValidation:
    return [j for j in training.judged["without"] if j.candidate.model == model][0]  # noqa: RUF015


def _setting(training: Training, model: str) -> Setting:
    """The setting most folds of the decisive split chose, the first of equals."""
    settings = [json.dumps(s, sort_keys=True) for s in _decisive(training, model).settings.values()]
    chosen: Setting = json.loads(max(settings, key=settings.count))
    return chosen


def _named(metric: str, goodness: float) -> float:
    """What `measure` says, greater for better, as the metric names it: of log loss less is better. Its own inverse."""
    return -goodness if metric == "log_loss" else goodness


def values_of(task: Task, labelled: Labelled, results: Sequence[CrossValidation]) -> dict[str, list[float]]:
    """Candidate → its values inside the training part of the split that decides, by the metric that chooses."""
    names: list[str] = [name for name in task.champion.candidates if getattr(task.models, name) is not None]
    return {name: values_inside(labelled, _last(results, name), task.champion.metric) for name in names}


def _finals(job: Job, resolved: ResolvedClassify, training: Training, folder: str, executor: Executor) -> FinalModels:
    task = resolved.task
    values, chosen = training.values, training.chosen
    if values[chosen][0] == -np.inf:
        raise RefusedError(
            f"champion.metric {task.champion.metric} is not available on the rows used for model selection",
            where=task.name,
            hint="set champion.metric to auc",
        )
    # A draft says nothing of its rivals' coefficients and importances.
    names = [chosen] if resolved.is_draft else [*values]
    prepared = training.prepared["random"]
    slots = _slots(training, chosen, "random")
    fitted = executor.map(
        lambda name: fit_on_all(prepared, _candidate(training, name), _setting(training, name), task.models.seed), names
    )
    models = dict(zip(names, fitted, strict=True))
    numbers = _numbers(training, chosen)
    means = means_of(prepared.select(numbers), "numbers")
    sampled = sample(prepared, [numbers], _EXPLAINED_ROWS, len(training.labelled.label), "dependence")

    is_tree = chosen in TREES

    def form(model: Model, of: Sequence[Slot], mean: Sequence[float], place: str) -> PortableModel:
        if is_tree:
            registry.save_spark_model(model, place)
        return registry.portable_form(model, chosen, of, mean, place)

    # In the lake, which every machine of a cluster reaches: nodes of trees are read back from where Spark saved them.
    temporary_folder = job.lake.folder(folder, _TEMPORARY)
    of_folds = _on_random(training, chosen).fitted
    forms = executor.map(
        lambda fold: form(of_folds[fold], slots, list(means), f"{temporary_folder}/fold_{fold}"), of_folds
    )
    folds = dict(zip(of_folds, forms, strict=True))
    past = None
    if "time" in training.preparations:
        past_slots = _slots(training, chosen, "time")
        of_past = _decisive(training, chosen).fitted[TIME_TEST]
        past = form(of_past, past_slots, [0.0] * len(past_slots), f"{temporary_folder}/past")
    if is_tree:
        # What stays in the folder is in its manifest.
        Folder(job.lake.folder(folder)).delete(_TEMPORARY)
    its_place = job.lake.folder(folder, registry.SPARK_MODEL)
    champion = form(models[chosen], slots, list(means), its_place)
    if not is_tree and chosen not in NOT_OF_MLLIB:
        registry.save_spark_model(models[chosen], its_place)
    require_same_answers(with_prediction(prepared, models[chosen], chosen).select("raw", numbers), champion)
    return FinalModels(
        chosen,
        _named(task.champion.metric, float(np.mean(values[chosen]))),
        models,
        slots,
        means,
        matrix(sampled, "numbers"),
        champion,
        folds,
        past,
    )


def require_same_answers(rows: DataFrame, champion: PortableModel) -> None:
    """What will score must say what was fitted.

    Args:
        rows: raw (the fitted model's probability) and numbers (the vector, an array).
        champion: what will score.

    Raises:
        DamagedError: if a probability differs by more than 1e-9.
    """

    def gaps(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch):
                gap = np.abs(batch["raw"].to_numpy(np.float64) - champion.probability(matrix(batch, "numbers")))
                # A number that is none would travel as null, and null is not a gap.
                yield pd.DataFrame({"gap": [np.nan_to_num(gap, nan=np.inf).max()]})

    # On the executors: a million rows' numbers would need gigabytes here.
    gap = rows.mapInPandas(gaps, "gap DOUBLE").agg(F.max("gap")).collect()[0][0]
    if gap > _SAME:
        raise DamagedError(
            f"the portable form of the model differs from the fitted one by {gap:.2g}",
            where="champion",
            hint="report this",
        )


def _slots(training: Training, model: str, split: str) -> tuple[Slot, ...]:
    """The places of the vector that a model reads, without leaks."""
    return training.preparations[split].only(with_leaks=False, in_order=model == SEQUENCE)


def _numbers(training: Training, model: str) -> Column:
    """That vector as an array."""
    return vector_to_array(F.col(_candidate(training, model).vector)).alias("numbers")


def _candidate(training: Training, model: str) -> Candidate:
    return _on_random(training, model).candidate


def _explanations(
    resolved: ResolvedClassify, training: Training, finals: FinalModels, executor: Executor
) -> pd.DataFrame:
    found = [
        _odds_ratios(resolved, training, finals, executor),
        *(
            explain.impurity_importance(finals.plain_slots, finals.fitted[name].featureImportances.toArray()).assign(  # type: ignore[attr-defined]
                model=name, kind="impurity"
            )
            for name in TREES
            if name in finals.fitted
        ),
    ]
    permuted = _permutation(resolved, training, finals)
    found.append(permuted.assign(model=finals.chosen, kind="permutation", level="", reference="", note=""))
    of_events = {slot.source for slot in finals.slots if slot.is_event}
    told = permuted[~permuted["feature"].isin(of_events)]
    strongest = list(told.sort_values(["value", "feature"], ascending=[False, True])["feature"])
    shown = explain.dependence(
        finals.champion.probability,
        finals.slots,
        finals.sampled,
        strongest[:_EXPLAINED_FEATURES],
        frozenset(resolved.task.preparation.log_scale),
    )
    found.append(shown.assign(model=finals.chosen, kind="partial_dependence"))
    return pd.concat([frame for frame in found if len(frame)], ignore_index=True)


def _odds_ratios(
    resolved: ResolvedClassify, training: Training, finals: FinalModels, executor: Executor
) -> pd.DataFrame:
    name, task = "logistic_regression", resolved.task
    if name not in finals.fitted:
        return pd.DataFrame()
    candidate, setting = _candidate(training, name), _setting(training, name)
    draws = executor.map(
        lambda replicate: fit_on_all(
            training.prepared["random"],
            candidate,
            setting,
            task.models.seed,
            poisson_weight(replicate, task.splits.bootstrap_salt),
        ).coefficients.toArray(),  # type: ignore[attr-defined]
        range(task.evaluation.odds_ratio_replicates),
    )
    slots = finals.plain_slots
    ratios = explain.odds_ratios(
        slots,
        finals.fitted[name].coefficients.toArray(),  # type: ignore[attr-defined]
        np.array(list(draws)).reshape(-1, len(slots)),
        shares=finals.means[: len(slots)],
        units=task.evaluation.units,
        references=task.evaluation.references,
        log_scale=frozenset(task.preparation.log_scale),
    )
    return ratios.assign(model=name, kind="odds_ratio")


def _permutation(resolved: ResolvedClassify, training: Training, finals: FinalModels) -> pd.DataFrame:
    """On rows the model had not seen: the time test part by the model of the past, or fold 0 by its fold model.

    The sample has the answers as they come, but for a rare one, of which it would hold few or none. Nothing where only
    one answer was seen.
    """
    split = "random" if finals.past is None else "time"
    result = _decisive(training, finals.chosen)
    fold = result.plan.folds[0]
    slots = _slots(training, finals.chosen, split)
    model = finals.folds[fold.number] if finals.past is None else finals.past
    tested = training.prepared[split].where(fold.outer.predicts)
    columns = [F.col("row_hash"), F.col("label"), _numbers(training, finals.chosen)]
    answers = training.labelled.label[result.tested.places[result.fold == fold.number]]
    share = min(1.0, _EXPLAINED_ROWS / max(len(answers), 1))
    rows = pd.concat(
        sample(tested.where(F.col("label") == answer), columns, max(round(share * count), _OF_RARE), count, "explained")
        for answer, count in ((0, int((answers == 0).sum())), (1, int((answers == 1).sum())))
    )
    label = rows["label"].to_numpy()
    if len(np.unique(label)) < 2:
        return pd.DataFrame({"feature": pd.Series(dtype=str), "value": [], "low": [], "high": []})
    predict: Predict = model.probability
    return permutation_importance(
        predict,
        matrix(rows, "numbers"),
        Slots(tuple(s.name for s in slots), tuple(s.source for s in slots)),
        metric=lambda probability: auc(label, probability),
        keys=rows["row_hash"].to_numpy(),
        salt=resolved.task.splits.permutation_salt,
    )


def _serving(resolved: ResolvedClassify, training: Training, finals: FinalModels) -> registry.ServingModel:
    result = _on_random(training, finals.chosen)
    features = [f for f in training.features if not f.is_known_after]
    rows = training.labelled_rows
    bins = bins_of(
        rows,
        [f.name for f in features if f.feature_type != "text"],
        [f.name for f in features if f.feature_type == "text"],
        ["key", "as_of"],
    )
    expected = counts_in(rows, bins)
    # Not the probability: on a time split another calibrator serves than the one of the folds.
    scores = np.sort(_leaves(training, finals) if finals.chosen == "decision_tree" else result.tested.margin)
    cuts = sorted({float(x) for x in np.quantile(scores, np.arange(1, 10) / 10, method="nearest")})
    of_scores = Bins(SCORE, edges=tuple(cuts))
    counts = np.bincount(np.searchsorted(cuts, scores, side="left"), minlength=len(of_scores.names))
    return registry.ServingModel(
        finals.chosen,
        training.preparations["random"],
        finals.champion,
        _calibrator(training, finals, resolved.task.evaluation.calibration),
        finals.folds,
        result.calibrators,
        len(result.plan.folds),
        resolved.task.splits.fold_salt,
        resolved.rows_hash,
        [*bins, of_scores],
        {**expected, SCORE: [int(count) for count in counts]},
    )


def _leaves(training: Training, finals: FinalModels) -> Floats:
    """What one tree says of rows that it was fitted on: it has a value per leaf, and those of fold trees are others."""
    numbers = _numbers(training, finals.chosen)
    rows = sample(training.prepared["random"], [numbers], SAMPLE_ROWS, len(training.labelled.label), "leaves")
    return finals.champion.raw_score(matrix(rows, "numbers"))


def _calibrator(training: Training, finals: FinalModels, method: calibrate.Wanted) -> Calibrator:
    """Fitted on what the model said of rows ahead of its training: windows and test part; or out of fold."""
    result = _decisive(training, finals.chosen)
    places, margins = result.tested.places, result.tested.margin
    if result.plan.split == "time":
        inner = result.inner.together()
        places = np.concatenate([inner.places, places])
        margins = np.concatenate([inner.margin, margins])
    return calibrate.fit(
        method,
        margins,
        training.labelled.label[places],
        result.candidate.scale,
    )


def _about(resolved: ResolvedClassify, training: Training, finals: FinalModels) -> dict[str, Any]:
    libraries = {name: library_version(name) for name in _LIBRARIES}
    if finals.chosen == XGBOOST:
        libraries[XGBOOST] = extras.library(XGBOOST).__version__
    return {
        "task": resolved.task.name,
        "run_id": resolved.run_ids["train"],
        "as_of": resolved.as_of.isoformat(),
        "model": finals.chosen,
        "setting": dict(_setting(training, finals.chosen)),
        "seed": resolved.task.models.seed,
        "inputs": resolved.versions,
        "features": {f.name: f.feature_type for f in training.features if not f.is_known_after},
        "slots": [slot.name for slot in finals.slots],
        "metrics": {resolved.task.champion.metric: finals.value},
        "rows": len(training.labelled.label),
        "positives": int(training.labelled.label.sum()),
        "code_version": code_version(),
        "libraries": libraries,
        "python": platform.python_version(),
    }


def library_version(name: str) -> str:
    """The version of a library, also where a cluster brings Spark and Delta and no package says so."""
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return pyspark.__version__ if name == "pyspark" else "the cluster's own"


def _pointer(
    job: Job, resolved: ResolvedClassify, training: Training, finals: FinalModels, folder: str, manifest_hash: str
) -> dict[str, Any]:
    """The row of gold.model_runs: whether the new model serves, and why."""
    task = resolved.task
    runs = registry.history(job.lake, task.name)
    others = runs[runs["run_id"] != resolved.run_ids["train"]]
    champion = registry.find_champion(job.lake, task.name, besides=resolved.run_ids["train"])
    before = None if champion is None else champion.row
    misfit = None
    if champion is not None:
        misfit = champion.serving.misfit(training.labelled_rows.columns, resolved.known_after, resolved.rows_hash)
    if resolved.is_draft:
        serves, reason = True, "a draft, which serves nobody but its own list"
    elif misfit is None:
        serves, reason = serves_from_now_on(task.champion, finals.value, before)
    else:
        serves, reason = True, f"the champion before it cannot score these rows: {misfit}"
    return {
        "task": task.name,
        "run_id": resolved.run_ids["train"],
        "model": finals.chosen,
        "settings": json.dumps(dict(_setting(training, finals.chosen)), sort_keys=True),
        "metric": task.champion.metric,
        "value": finals.value,
        "value_before": None if before is None else before["value"],
        "folder": folder,
        "manifest_hash": manifest_hash,
        "serves": serves,
        "reason": reason,
        "trained_at": resolved.as_of,
        "sequence": 1 if others.empty else int(others["sequence"].max()) + 1,
    }


def serves_from_now_on(settings: ChampionSettings, value: float, before: Mapping[str, Any] | None) -> tuple[bool, str]:
    """Whether a new model becomes the champion, and why.

    Args:
        settings: by what models are compared, and how much better the new one must be.
        value: of the new model, as the metric names it.
        before: the pointer row of the champion, if there is one that can be trusted.
    """
    if before is None:
        return True, "there was no champion to beat"
    if before["metric"] != settings.metric:
        return True, f"the champion was judged by {before['metric']}"
    gain = _named(settings.metric, value - before["value"])
    if gain > 0 and gain >= settings.margin:
        return True, f"better than the champion by {gain:.4f}"
    return False, f"not better than the champion by {settings.margin}: {value:.4f} against {before['value']:.4f}"
