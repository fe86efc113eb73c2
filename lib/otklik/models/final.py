"""The final models: the candidates fitted on all labelled rows, their explanations, and the model that serves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.ml import Model
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import DamagedError, RefusedError
from otklik.models import calibrate, explain, registry
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
from otklik.models.zoo import NOT_OF_MLLIB, SEQUENCE, TREES, Setting, with_prediction
from otklik.task import Task

#: Rows of the sample for permutation importance and partial dependence.
_EXPLAINED_ROWS = 4_000
#: The least rows of each label in that sample, if there are as many.
_OF_RARE = 200
#: Features whose partial dependence is drawn.
_EXPLAINED_FEATURES = 6
#: The largest difference between two ways to compute one probability.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class FinalModels:
    """The chosen model and the other candidates, fitted on all labelled rows, with what their explanations need.

    Attributes:
        chosen: name of the best candidate.
        setting: its setting.
        value: its out-of-fold metric inside the training part.
        fitted: candidate → its model.
        slots: the slots of the chosen model's vector.
        means: (slots,) mean of each number over all labelled rows.
        sampled: (rows, slots) the numbers of a sample of labelled rows.
        champion: portable form of the chosen model.
        folds: fold of the random split → portable form of the model fitted without that fold.
        past: portable form of the model fitted before the time test part; None without a time split.
    """

    chosen: str
    setting: Setting
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
        """The slots that every model reads; they come first."""
        return tuple(slot for slot in self.slots if not slot.is_event)


def values_of(task: Task, labelled: Labelled, results: Sequence[CrossValidation]) -> dict[str, list[float]]:
    """Values of each candidate inside the training part of the decisive split, by the metric of [champion]."""
    names: list[str] = [name for name in task.champion.candidates if getattr(task.models, name) is not None]
    return {name: values_inside(labelled, _last(results, name), task.champion.metric) for name in names}


def fit_final_models(
    task: Task, training: Training, executor: Executor, *, saved_to: str, temporary: str, only_chosen: bool
) -> FinalModels:
    """Fit the candidates on all labelled rows, and put the models of the chosen one into portable form.

    Args:
        task: its settings.
        training: what cross-validation found.
        executor: runs the fits.
        saved_to: folder for the chosen model as Spark saves it.
        temporary: folder for its tree models of folds, from which their nodes are read back. Every machine of the
            cluster must reach it; the caller deletes it.
        only_chosen: fit none of the other candidates.

    Raises:
        RefusedError: if the metric is not available.
        DamagedError: if the portable form and the fitted model predict different probabilities.
    """
    values, chosen = training.values, training.chosen
    if values[chosen][0] == -np.inf:
        raise RefusedError(
            f"champion.metric {task.champion.metric} is not available on the rows used for model selection",
            where=task.name,
            hint="set champion.metric to auc",
        )
    names = [chosen] if only_chosen else [*values]
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

    of_folds = _on_random(training, chosen).fitted
    forms = executor.map(lambda fold: form(of_folds[fold], slots, list(means), f"{temporary}/fold_{fold}"), of_folds)
    folds = dict(zip(of_folds, forms, strict=True))
    past = None
    if "time" in training.preparations:
        past_slots = _slots(training, chosen, "time")
        of_past = _decisive(training, chosen).fitted[TIME_TEST]
        past = form(of_past, past_slots, [0.0] * len(past_slots), f"{temporary}/past")
    champion = form(models[chosen], slots, list(means), saved_to)
    if not is_tree and chosen not in NOT_OF_MLLIB:
        registry.save_spark_model(models[chosen], saved_to)
    require_same_answers(with_prediction(prepared, models[chosen], chosen).select("raw", numbers), champion)
    return FinalModels(
        chosen,
        _setting(training, chosen),
        in_metric(task.champion.metric, float(np.mean(values[chosen]))),
        models,
        slots,
        means,
        matrix(sampled, "numbers"),
        champion,
        folds,
        past,
    )


def require_same_answers(rows: DataFrame, champion: PortableModel) -> None:
    """Check that the portable form predicts the probabilities of the fitted model.

    Args:
        rows: raw (probability of the fitted model) and numbers (the vector as an array).
        champion: the portable form.

    Raises:
        DamagedError: if a probability differs by more than 1e-9.
    """

    def gaps(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch):
                gap = np.abs(batch["raw"].to_numpy(np.float64) - champion.probability(matrix(batch, "numbers")))
                # NaN would become null, which max ignores.
                yield pd.DataFrame({"gap": [np.nan_to_num(gap, nan=np.inf).max()]})

    # On the executors: the vectors of a million rows would take gigabytes on the driver.
    gap = rows.mapInPandas(gaps, "gap DOUBLE").agg(F.max("gap")).collect()[0][0]
    if gap > _SAME:
        raise DamagedError(
            f"the portable form of the model differs from the fitted one by {gap:.2g}",
            where="champion",
            hint="report this",
        )


def explanations_of(task: Task, training: Training, final_models: FinalModels, executor: Executor) -> pd.DataFrame:
    """Odds ratios, impurity and permutation importances, and partial dependence, as rows of gold.explanations."""
    slots, fitted = final_models.plain_slots, final_models.fitted
    found = [
        _odds_ratios(task, training, final_models, executor),
        *(
            explain.impurity_importance(slots, fitted[name].featureImportances.toArray()).assign(  # type: ignore[attr-defined]
                model=name, kind="impurity"
            )
            for name in TREES
            if name in fitted
        ),
    ]
    permuted = _permutation(task, training, final_models)
    found.append(permuted.assign(model=final_models.chosen, kind="permutation", level="", reference="", note=""))
    of_events = {slot.source for slot in final_models.slots if slot.is_event}
    plain = permuted[~permuted["feature"].isin(of_events)]
    strongest = list(plain.sort_values(["value", "feature"], ascending=[False, True])["feature"])
    shown = explain.dependence(
        final_models.champion.probability,
        final_models.slots,
        final_models.sampled,
        strongest[:_EXPLAINED_FEATURES],
        frozenset(task.preparation.log_scale),
    )
    found.append(shown.assign(model=final_models.chosen, kind="partial_dependence"))
    return pd.concat([frame for frame in found if len(frame)], ignore_index=True)


def _odds_ratios(task: Task, training: Training, final_models: FinalModels, executor: Executor) -> pd.DataFrame:
    name = "logistic_regression"
    if name not in final_models.fitted:
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
    slots = final_models.plain_slots
    ratios = explain.odds_ratios(
        slots,
        final_models.fitted[name].coefficients.toArray(),  # type: ignore[attr-defined]
        np.array(list(draws)).reshape(-1, len(slots)),
        shares=final_models.means[: len(slots)],
        units=task.evaluation.units,
        references=task.evaluation.references,
        log_scale=frozenset(task.preparation.log_scale),
    )
    return ratios.assign(model=name, kind="odds_ratio")


def _permutation(task: Task, training: Training, final_models: FinalModels) -> pd.DataFrame:
    """Permutation importance on unseen rows: of the past model on the time test part, or of one fold's on its fold.

    The sample keeps the shares of both labels, with at least `_OF_RARE` rows of each. Empty if all labels are equal.
    """
    split = "random" if final_models.past is None else "time"
    result = _decisive(training, final_models.chosen)
    fold = result.plan.folds[0]
    slots = _slots(training, final_models.chosen, split)
    model = final_models.folds[fold.number] if final_models.past is None else final_models.past
    tested = training.prepared[split].where(fold.outer.predicts)
    columns = [F.col("row_hash"), F.col("label"), _numbers(training, final_models.chosen)]
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
        salt=task.splits.permutation_salt,
    )


def serving_model(task: Task, training: Training, final_models: FinalModels, rows_hash: str) -> registry.ServingModel:
    """What scoring needs of the chosen model; `rows_hash` is of the SELECT that gave the rows."""
    result = _on_random(training, final_models.chosen)
    features = [f for f in training.features if not f.is_known_after]
    rows = training.labelled_rows
    bins = bins_of(
        rows,
        [f.name for f in features if f.feature_type != "text"],
        [f.name for f in features if f.feature_type == "text"],
        ["key", "as_of"],
    )
    expected = counts_in(rows, bins)
    # The margin, not the probability: on a time split the serving calibrator is not that of the folds.
    scores = np.sort(
        _leaves(training, final_models) if final_models.chosen == "decision_tree" else result.tested.margin
    )
    cuts = sorted({float(x) for x in np.quantile(scores, np.arange(1, 10) / 10, method="nearest")})
    of_scores = Bins(SCORE, edges=tuple(cuts))
    counts = np.bincount(np.searchsorted(cuts, scores, side="left"), minlength=len(of_scores.names))
    return registry.ServingModel(
        final_models.chosen,
        training.preparations["random"],
        final_models.champion,
        _calibrator(training, final_models, task.evaluation.calibration),
        final_models.folds,
        result.calibrators,
        len(result.plan.folds),
        task.splits.fold_salt,
        rows_hash,
        [*bins, of_scores],
        {**expected, SCORE: [int(count) for count in counts]},
    )


def _leaves(training: Training, final_models: FinalModels) -> Floats:
    """Scores of the final tree on its training rows: it has one score per leaf, and fold trees have other leaves."""
    numbers = _numbers(training, final_models.chosen)
    rows = sample(training.prepared["random"], [numbers], SAMPLE_ROWS, len(training.labelled.label), "leaves")
    return final_models.champion.raw_score(matrix(rows, "numbers"))


def _calibrator(training: Training, final_models: FinalModels, method: calibrate.Wanted) -> Calibrator:
    """Fit on out-of-fold scores or, with a time split, on scores of later rows: windows and test part."""
    result = _decisive(training, final_models.chosen)
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


def in_metric(metric: str, goodness: float) -> float:
    """Convert between a metric and a value of which more is better: the sign of log loss changes."""
    return -goodness if metric == "log_loss" else goodness


def _decisive(training: Training, model: str) -> CrossValidation:
    """The result by which a model is chosen: of the time split, or of the random split if there is no other."""
    return _last(training.judged["without"], model)


def _last(results: Sequence[CrossValidation], model: str) -> CrossValidation:
    return [result for result in results if result.candidate.model == model][-1]


def _on_random(training: Training, model: str) -> CrossValidation:
    return [j for j in training.judged["without"] if j.candidate.model == model][0]  # noqa: RUF015


def _setting(training: Training, model: str) -> Setting:
    """The setting that most folds of the decisive split chose; the first one of a tie."""
    settings = [json.dumps(s, sort_keys=True) for s in _decisive(training, model).settings.values()]
    chosen: Setting = json.loads(max(settings, key=settings.count))
    return chosen


def _candidate(training: Training, model: str) -> Candidate:
    return _on_random(training, model).candidate


def _slots(training: Training, model: str, split: str) -> tuple[Slot, ...]:
    """The slots of the vector that a model reads, without leaks."""
    return training.preparations[split].only(with_leaks=False, in_order=model == SEQUENCE)


def _numbers(training: Training, model: str) -> Column:
    """The vector of a model as an array column."""
    return vector_to_array(F.col(_candidate(training, model).vector)).alias("numbers")
