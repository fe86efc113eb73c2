"""Cross-validate the candidate models of a task, and keep their predictions for unseen rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml import Model
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError
from otklik.models import calibrate
from otklik.models.calibrate import Calibrator, Scale
from otklik.models.choice import choose
from otklik.models.evaluate import auc, auc_within, log_loss
from otklik.models.prepare import Feature, FeatureFinding, Preparation, Rules, fit_preparation, with_vectors
from otklik.models.split import TIME_TEST, Fit, Fold, Plan
from otklik.models.zoo import SEQUENCE, TREES, Setting, estimator, with_prediction
from otklik.session import checkpointed

Floats = npt.NDArray[np.float64]
Metric = Literal["auc", "auc_within", "log_loss"]

WITHOUT, WITH = "features", "features_with_leaks"
IN_ORDER, IN_ORDER_WITH = "features_in_order", "features_in_order_with_leaks"
#: (with features known only after the decision, with the sequence of events) → name of the vector column.
_VECTORS = {
    (False, False): WITHOUT,
    (True, False): WITH,
    (False, True): IN_ORDER,
    (True, True): IN_ORDER_WITH,
}


@dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled rows on the driver, sorted by hash; predictions refer to their positions."""

    row_hash: npt.NDArray[np.int64]
    as_of: npt.NDArray[Any]
    unit: npt.NDArray[Any]
    label: npt.NDArray[np.int64]

    def place(self, row_hash: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """Positions of rows, by their hash."""
        return np.searchsorted(self.row_hash, row_hash)


def vector_of(model: str, *, with_leaks: bool) -> str:
    """The column that a model reads."""
    return _VECTORS[with_leaks, model == SEQUENCE]


@dataclass(frozen=True)
class Candidate:
    """A model with its settings, on one vector of features."""

    model: str
    vector: str
    settings: tuple[Setting, ...]

    @property
    def with_leaks(self) -> bool:
        """Whether it uses features that are known only after the decision."""
        return self.vector in (WITH, IN_ORDER_WITH)

    @property
    def scale(self) -> Scale:
        """The scale of its margin."""
        return "probability" if self.model in TREES else "log_odds"


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of one fit: positions of the rows, margins and probabilities."""

    places: npt.NDArray[np.intp]
    margin: Floats
    raw: Floats | None


@dataclass(frozen=True, eq=False)
class InnerPredictions:
    """Predictions of inner fits for the rows that they evaluate.

    Concatenated only on demand: folds share them, and a copy per fold and candidate would take gigabytes.

    Attributes:
        parts: predictions of a fit, and which of all labelled rows it evaluates.
    """

    parts: tuple[tuple[Predicted, npt.NDArray[np.bool_]], ...]

    def together(self) -> Predicted:
        """All of them; a row occurs once for each fold that it is evaluated for."""
        return _together(self.by_fit())

    def by_fit(self) -> list[Predicted]:
        """Predictions of each fit for the rows that it evaluates."""
        return [_only(predicted, judged[predicted.places]) for predicted, judged in self.parts]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """A candidate's result on one plan.

    Attributes:
        candidate: the model.
        plan: the split.
        tested: predictions of the outer fits for the test rows, all folds together.
        calibrated: probabilities of the same rows after their fold's calibrator.
        fold: the fold of each of them.
        inner: predictions of the inner fits inside the training part, all folds together.
        settings: the setting chosen for each fold.
        calibrators: the calibrator of each fold.
        fitted: the outer model of each fold.
    """

    candidate: Candidate
    plan: Plan
    tested: Predicted
    calibrated: Floats
    fold: npt.NDArray[np.int64]
    inner: InnerPredictions
    settings: Mapping[int, Setting]
    calibrators: Mapping[int, Calibrator]
    fitted: Mapping[int, Model]


@dataclass(frozen=True, eq=False)
class Training:
    """The results of cross-validating the candidates of a task.

    Attributes:
        values: candidate → its metric inside the training part of the decisive split; greater is better.
    """

    labelled: Labelled
    labelled_rows: DataFrame
    features: tuple[Feature, ...]
    preparations: dict[str, Preparation]
    prepared: dict[str, DataFrame]
    judged: dict[str, list[CrossValidation]]
    findings: tuple[FeatureFinding, ...]
    values: Mapping[str, Sequence[float]]

    @property
    def chosen(self) -> str:
        """The candidate that these values choose."""
        return choose(self.values)


def with_row_hash(rows: DataFrame) -> DataFrame:
    """Add row_hash BIGINT, which identifies a row on the driver."""
    return rows.withColumn("row_hash", F.xxhash64("key", "as_of"))


def preparation_of(plan: Plan, rows: DataFrame, features: Sequence[Feature], rules: Rules) -> Preparation:
    """Fit the preparation of features on the training part of a plan, once for all folds and settings.

    Args:
        plan: the split; on the random one every row is in a training part, see `random_plan`.
        rows: all labelled rows.
        features: the columns to use.
        rules: what to do with them.

    Raises:
        RefusedError: if no feature is left to train on.
    """
    preparation = fit_preparation(rows.where(plan.training_part), features, rules)
    if not preparation.only(with_leaks=False):
        dropped = [finding.kind for finding in preparation.findings if finding.action == "dropped"]
        raise RefusedError(
            f"no feature is left to train on: of {len(features)}, {dropped.count('constant')} are constant, "
            f"and {sum(each.is_known_after for each in features)} are known only after the decision",
            where=f"split {plan.split}",
            hint="add features that vary between rows ([features] in the task's file)",
        )
    return preparation


def laid_out(rows: DataFrame, preparation: Preparation, partitions: int, *, with_leaks: bool) -> DataFrame:
    """Encoded rows, in memory, partitioned and sorted by key.

    Trees depend on the layout of rows; a layout by key is the same on any number of cores.
    """
    orders = (False, True) if any(slot.is_event for slot in preparation.slots) else (False,)
    vectors = {
        name: preparation.only(with_leaks=leaks, in_order=order)
        for (leaks, order), name in _VECTORS.items()
        if order in orders and (with_leaks or not leaks)
    }
    seen = with_vectors(rows, vectors).select(
        "row_hash", "key", "as_of", "unit", "fold", F.col("label").cast("double").alias("label"), *vectors
    )
    ordered = seen.repartition(partitions, "key").sortWithinPartitions("key", "as_of")
    # A checkpoint, not a cache: each of a fit's many small jobs would carry the whole plan of the features with it.
    return checkpointed(ordered)


def collect_labelled(rows: DataFrame) -> Labelled:
    """The labelled rows without their features.

    Raises:
        RefusedError: if two rows share a hash (then another salt is needed; one chance in 10^7 at a million rows).
    """
    frame = rows.select("row_hash", "as_of", "unit", "label").toPandas()
    frame = frame.sort_values("row_hash", ignore_index=True)
    if frame["row_hash"].duplicated().any():
        raise RefusedError("two rows share a 64-bit hash", where="key and as_of", hint="change one of the two keys")
    label = frame["label"].to_numpy().astype(np.int64)
    return Labelled(frame["row_hash"].to_numpy(), frame["as_of"].to_numpy(), frame["unit"].to_numpy(), label)


def cross_validate(
    prepared: DataFrame,
    labelled: Labelled,
    plan: Plan,
    candidates: Sequence[Candidate],
    *,
    metric: Metric,
    calibration: calibrate.Wanted,
    seed: int,
    executor: Executor,
    say: Callable[[int, int], None],
) -> list[CrossValidation]:
    """Run a plan for all candidates.

    Args:
        prepared: from `laid_out`.
        labelled: the same rows on the driver.
        plan: the split.
        candidates: the models.
        metric: selects the settings, by out-of-fold predictions inside the training part.
        calibration: kind of calibrator.
        seed: of forests.
        executor: runs the fits.
        say: called with the number of finished fits and their total.

    Raises:
        RefusedError: if a training part has one class only, or a test part has no positives.
    """
    _require_both_classes(prepared, plan)
    inner_work = [(c, s, fit) for c in candidates for s in range(len(c.settings)) for fit in plan.inner_fits]
    outer_work = [(c, fold) for c in candidates for fold in plan.folds]
    total, done = len(inner_work) + len(outer_work), 0

    def counted(results: Any) -> Any:
        nonlocal done
        for result in results:
            done += 1
            say(done, total)
            yield result

    def fit_inner(work: tuple[Candidate, int, Fit]) -> Predicted:
        candidate, setting, fit = work
        return _fit(prepared, labelled, candidate, candidate.settings[setting], fit, seed)[1]

    inner = dict(
        zip(
            [(c.model, c.vector, s, fit.name) for c, s, fit in inner_work],
            counted(executor.map(fit_inner, inner_work)),
            strict=True,
        )
    )
    masks = _judged_places(prepared, labelled, plan)
    chosen = {
        (c.model, c.vector, fold.number): _choose(labelled, c, fold, inner, masks, metric)
        for c in candidates
        for fold in plan.folds
    }

    def fit_outer(work: tuple[Candidate, Fold]) -> tuple[Model, Predicted]:
        candidate, fold = work
        setting, _ = chosen[candidate.model, candidate.vector, fold.number]
        return _fit(prepared, labelled, candidate, candidate.settings[setting], fold.outer, seed)

    outer = dict(
        zip(
            [(c.model, c.vector, fold.number) for c, fold in outer_work],
            counted(executor.map(fit_outer, outer_work)),
            strict=True,
        )
    )
    return [_cross_validated(labelled, c, plan, chosen, outer, calibration) for c in candidates]


def measure(labelled: Labelled, predicted: Predicted, metric: Metric) -> float:
    """A metric of predictions; greater is better, and minus infinity if it is undefined."""
    label, moment = labelled.label[predicted.places], labelled.as_of[predicted.places]
    if metric == "log_loss":
        return -log_loss(label, predicted.raw) if predicted.raw is not None else -np.inf
    score = predicted.margin if predicted.raw is None else predicted.raw
    value = auc(label, score) if metric == "auc" else auc_within(label, moment, score)
    return -np.inf if value is None else value


def values_inside(labelled: Labelled, result: CrossValidation, metric: Metric) -> list[float]:
    """The metric of a candidate inside the training part; greater is better.

    On a time split one value per expanding window, because a value pooled over windows with different rates rewards a
    model for knowing the window; windows with one class only are left out. On the random split one over all folds.
    """
    if result.plan.split == "time":
        return _by_window(labelled, result.inner, metric)
    return [measure(labelled, result.inner.together(), metric)]


def _by_window(labelled: Labelled, inner: InnerPredictions, metric: Metric) -> list[float]:
    values = [measure(labelled, part, metric) for part in inner.by_fit()]
    return [value for value in values if value > -np.inf] or [-np.inf]


def fit_on_all(
    prepared: DataFrame, candidate: Candidate, setting: Setting, seed: int, weight: Column | None = None
) -> Model:
    """Fit a model on all rows, or on rows weighted by a column (rows of weight 0 are left out)."""
    rows = prepared if weight is None else prepared.withColumn("weight", weight).where(F.col("weight") > 0)
    weights = None if weight is None else "weight"
    fitted: Model = estimator(candidate.model, setting, seed, candidate.vector, weights).fit(rows)
    return fitted


def poisson_weight(replicate: int, salt: str) -> Column:
    """Poisson(1) weight of a unit in one bootstrap replicate, from the hash of both, by inversion."""
    uniform = F.pmod(F.xxhash64(F.col("unit"), F.lit(salt), F.lit(replicate)), F.lit(2**53)) / F.lit(float(2**53))
    weight = F.lit(7.0)
    cumulative = np.cumsum([np.exp(-1) / math.factorial(k) for k in range(7)])
    for count in range(6, -1, -1):
        weight = F.when(uniform < F.lit(float(cumulative[count])), F.lit(float(count))).otherwise(weight)
    return weight


def _fit(
    prepared: DataFrame, labelled: Labelled, candidate: Candidate, setting: Setting, fit: Fit, seed: int
) -> tuple[Model, Predicted]:
    fitted = estimator(candidate.model, setting, seed, candidate.vector).fit(prepared.where(fit.learns_from))
    said = with_prediction(prepared.where(fit.predicts), fitted, candidate.model).select("row_hash", "margin", "raw")
    frame = said.toPandas()
    places = labelled.place(frame["row_hash"].to_numpy())
    order = np.argsort(places)
    raw = None if candidate.model == "linear_svc" else frame["raw"].to_numpy(dtype=np.float64)[order]
    return fitted, Predicted(places[order], frame["margin"].to_numpy(dtype=np.float64)[order], raw)


def _require_both_classes(prepared: DataFrame, plan: Plan) -> None:
    fits = [*plan.inner_fits, *(fold.outer for fold in plan.folds)]
    tests = [fold.outer for fold in plan.folds]
    counts = prepared.agg(
        *(F.count_if(fit.predicts & (F.col("label") == 1)).alias(f"tested {i}") for i, fit in enumerate(tests)),
        *(F.count_if(fit.learns_from & (F.col("label") == 1)).alias(f"yes {i}") for i, fit in enumerate(fits)),
        *(F.count_if(fit.learns_from & (F.col("label") == 0)).alias(f"no {i}") for i, fit in enumerate(fits)),
    ).collect()[0]
    for i, fit in enumerate(tests):
        if not counts[f"tested {i}"]:
            raise RefusedError(
                f"{fit.name} would be tested on rows without any positives",
                where=f"split {plan.split}",
                hint="use more data, fewer folds (splits.folds) or a larger splits.time_test_share",
            )
    for i, fit in enumerate(fits):
        if not counts[f"yes {i}"] or not counts[f"no {i}"]:
            raise RefusedError(
                f"{fit.name} would be trained on {counts[f'yes {i}']} positives and {counts[f'no {i}']} negatives",
                where=f"split {plan.split}",
                hint="use more data, fewer folds (splits.folds) or fewer windows (splits.time_windows)",
            )


def _judged_places(prepared: DataFrame, labelled: Labelled, plan: Plan) -> dict[tuple[int, int], npt.NDArray[np.bool_]]:
    """(fold number, index of its inner fit) → which rows the fit evaluates for the fold."""
    columns = [(fold.number, i, condition) for fold in plan.folds for i, condition in enumerate(fold.judged)]
    frame = prepared.select(
        "row_hash", *(condition.alias(f"judged {n}") for n, (_, _, condition) in enumerate(columns))
    ).toPandas()
    places = labelled.place(frame["row_hash"].to_numpy())
    masks = {}
    for n, (fold, i, _) in enumerate(columns):
        mask = np.zeros(len(labelled.label), dtype=np.bool_)
        mask[places] = frame[f"judged {n}"].to_numpy(dtype=np.bool_)
        masks[fold, i] = mask
    return masks


def _choose(
    labelled: Labelled,
    candidate: Candidate,
    fold: Fold,
    inner: Mapping[tuple[str, str, int, str], Predicted],
    masks: Mapping[tuple[int, int], npt.NDArray[np.bool_]],
    metric: Metric,
) -> tuple[int, InnerPredictions]:
    """The setting with the best value inside the training part, the first of equals, and its inner predictions."""
    candidates = [
        InnerPredictions(
            tuple(
                (inner[candidate.model, candidate.vector, setting, name], masks[fold.number, i])
                for i, name in enumerate(fold.inner)
            )
        )
        for setting in range(len(candidate.settings))
    ]
    if len(candidates) == 1:
        return 0, candidates[0]
    by: Metric = "auc" if candidate.model == "linear_svc" and metric == "log_loss" else metric

    def value(inner: InnerPredictions) -> float:
        if fold.number == TIME_TEST:
            return float(np.mean(_by_window(labelled, inner, by)))
        return measure(labelled, inner.together(), by)

    best = max(range(len(candidates)), key=lambda i: (value(candidates[i]), -i))
    return best, candidates[best]


def _cross_validated(
    labelled: Labelled,
    candidate: Candidate,
    plan: Plan,
    chosen: Mapping[tuple[str, str, int], tuple[int, InnerPredictions]],
    outer: Mapping[tuple[str, str, int], tuple[Model, Predicted]],
    calibration: calibrate.Wanted,
) -> CrossValidation:
    tested, calibrated, folds = [], [], []
    inner: list[tuple[Predicted, npt.NDArray[np.bool_]]] = []
    settings, calibrators, fitted = {}, {}, {}
    for fold in plan.folds:
        setting, judged = chosen[candidate.model, candidate.vector, fold.number]
        model, predicted = outer[candidate.model, candidate.vector, fold.number]
        seen = judged.together()
        calibrator = calibrate.fit(calibration, seen.margin, labelled.label[seen.places], candidate.scale)
        tested.append(predicted)
        inner += judged.parts
        calibrated.append(calibrator.apply(predicted.margin))
        folds.append(np.full(len(predicted.places), fold.number, dtype=np.int64))
        settings[fold.number], calibrators[fold.number] = candidate.settings[setting], calibrator
        fitted[fold.number] = model
    return CrossValidation(
        candidate,
        plan,
        _together(tested),
        np.concatenate(calibrated),
        np.concatenate(folds),
        InnerPredictions(tuple(inner)),
        settings,
        calibrators,
        fitted,
    )


def _only(predicted: Predicted, kept: npt.NDArray[np.bool_]) -> Predicted:
    raw = None if predicted.raw is None else predicted.raw[kept]
    return Predicted(predicted.places[kept], predicted.margin[kept], raw)


def _together(parts: Sequence[Predicted]) -> Predicted:
    raws = [part.raw for part in parts if part.raw is not None]
    return Predicted(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.margin for part in parts]),
        np.concatenate(raws) if raws else None,
    )


def predictions_frame(rows: DataFrame, labelled: Labelled, judged: Sequence[tuple[str, CrossValidation]]) -> DataFrame:
    """Predictions of candidates for unseen rows, joined with these rows.

    Args:
        rows: the labelled rows with row_hash, key, as_of, unit, label.
        labelled: the same rows on the driver.
        judged: from `cross_validate`, each with its name for leaks.

    Returns:
        key, as_of, unit, label, model, leaks, split, fold, margin, raw (null where the model has no probability),
        calibrated.
    """
    numbers = [
        _numbers_said(labelled, result).assign(candidate=np.int16(number)) for number, (_, result) in enumerate(judged)
    ]
    # Through Arrow a missing number (NaN) becomes null.
    said = rows.sparkSession.createDataFrame(
        pd.concat(numbers, ignore_index=True),
        "row_hash BIGINT, fold SMALLINT, margin DOUBLE, raw DOUBLE, calibrated DOUBLE, candidate SMALLINT",
    )
    names = F.array(
        *(
            F.struct(
                F.lit(result.candidate.model).alias("model"),
                F.lit(leaks).alias("leaks"),
                F.lit(result.plan.split).alias("split"),
            )
            for leaks, result in judged
        )
    )
    named = said.withColumn("name", names[F.col("candidate")]).select("*", "name.*").drop("name", "candidate")
    beside = rows.select("row_hash", "key", "as_of", "unit", "label")
    # Not by broadcast, for which they look small enough: a million keys on the heap, and a file per Arrow batch.
    return named.join(beside.hint("shuffle_hash"), "row_hash").drop("row_hash")


def _numbers_said(labelled: Labelled, result: CrossValidation) -> pd.DataFrame:
    """Only numbers leave the driver: keys and moments of a million rows, once per candidate, would not fit."""
    tested = result.tested
    return pd.DataFrame(
        {
            "row_hash": labelled.row_hash[tested.places],
            "fold": result.fold.astype(np.int16),
            "margin": tested.margin,
            "raw": np.full(len(tested.places), np.nan) if tested.raw is None else tested.raw,
            "calibrated": result.calibrated,
        }
    )
