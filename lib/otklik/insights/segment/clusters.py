"""Clusters of customers: their number, their stability, whether they exist, and the fit by MLlib to all customers.

The number is chosen on a bounded sample with scikit-learn, where hundreds of fits are affordable; the model that
assigns customers is then fitted by MLlib to all of them.

Stability: Hennig 2007, "Cluster-wise assessment of cluster stability". Silhouette: Rousseeuw 1987, "Silhouettes". Data
without clusters to compare with: Tibshirani, Walther & Hastie 2001, "Estimating the number of clusters in a data set
via the gap statistic".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.ml import Model
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sklearn import cluster, mixture
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_samples

from otklik.errors import RefusedError
from otklik.insights.segment.agreement import adjusted_rand_index
from otklik.models.bootstrap import Floats, poisson_weights

#: Number of data sets without clusters: to exceed all of them by chance has a probability of 1 in 20.
_STRUCTURELESS = 19
_VECTOR, _LABEL = "_scaled", "_label"
#: Added to every standardised number. MLlib's bisecting k-means starts two new centres apart by a share of the old
#: one's distance from the origin: where that is 0, as of all customers, it never divides. Distances stay the same.
_SHIFT = 10.0

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """A number of segments, evaluated on the sample.

    Attributes:
        k: the number.
        silhouettes: (customers,) silhouettes in the sample.
        redrawn: for each bootstrap sample (customers,) labels by the fit to it.
        agreements: (resamples,) adjusted Rand index of these labels with the fit to the sample.
    """

    k: int
    silhouettes: Floats
    redrawn: Sequence[Labels]
    agreements: Floats

    @property
    def silhouette(self) -> float:
        """Mean silhouette."""
        return float(self.silhouettes.mean())

    @property
    def stability(self) -> float:
        """Mean agreement."""
        return float(self.agreements.mean())


def judged(
    points: Floats, keys: npt.NDArray[Any], method: str, numbers: Sequence[int], starts: int, resamples: int, seed: int
) -> list[Candidate]:
    """Evaluate every number of segments on a sample.

    Args:
        points: (customers, features), standardised.
        keys: (customers,) keys of the rows, by which bootstrap samples are drawn.
        method: kmeans, bisecting_kmeans or gaussian_mixture.
        numbers: numbers of segments.
        starts: starts per fit.
        resamples: Poisson bootstrap samples of customers.
        seed: seed of the fits.

    Raises:
        RefusedError: if there are fewer different customers than segments.
    """
    different = len(np.unique(points, axis=0))
    if different <= max(numbers):
        raise RefusedError(
            f"only {different} distinct customers by features, too few for {max(numbers)} segments",
            where="clusters.k",
            hint=f"set clusters.k to numbers below {different}, or give features that differ",
        )
    weights = poisson_weights(keys, resamples, "segment resample").astype(int)
    found = []
    for k in numbers:
        labels = _fitted(points, method, k, starts, seed).predict(points)
        redrawn = [
            _fitted(np.repeat(points, times, axis=0), method, k, starts, seed).predict(points)
            for times in weights
            # With few customers a resample may contain too few distinct ones.
            if len(np.unique(points[times > 0], axis=0)) > k
        ]
        found.append(Candidate(k, silhouettes(points, labels), redrawn, agreements(labels, redrawn)))
    return found


def best(candidates: Sequence[Candidate], minimum_stability: float) -> Candidate:
    """The stable number with the highest silhouette; if none is stable, the one of all numbers."""
    stable = [one for one in candidates if one.stability >= minimum_stability]
    return max(stable or candidates, key=lambda one: one.silhouette)


def agreements(labels: Labels, redrawn: Sequence[Labels]) -> Floats:
    """Adjusted Rand index between labels (from 0) and those of each resample; 0 if a resample could not be fitted."""
    tables = []
    for again in redrawn:
        counts = np.zeros((labels.max() + 1, again.max() + 1))
        np.add.at(counts, (labels, again), 1)
        tables.append(counts)
    return np.array([adjusted_rand_index(counts) for counts in tables] or [0.0])


def silhouettes_without_structure(points: Floats, method: str, k: int, starts: int, seed: int) -> Floats:
    """Mean silhouettes of the method on data without clusters.

    The data are as many points, uniform in the bounding box of the principal components.

    Returns:
        (19,)
    """
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    along = centred @ axes.T
    random = np.random.default_rng(seed)
    found = []
    for _ in range(_STRUCTURELESS):
        uniform = random.uniform(along.min(axis=0), along.max(axis=0), along.shape)
        labels = _fitted(uniform, method, k, starts, seed).predict(uniform)
        found.append(float(silhouettes(uniform, labels).mean()))
    return np.array(found)


def fit(customers: DataFrame, method: str, k: int, starts: int, partitions: int, seed: int) -> Model:
    """The best of several fits by MLlib.

    Rows are partitioned by key first, so that the model does not depend on the partitioning of the input.

    Args:
        customers: customer, scaled ARRAY<DOUBLE>.
        method: kmeans, bisecting_kmeans or gaussian_mixture.
        k: number of segments.
        starts: fits from different seeds.
        partitions: number of partitions.
        seed: seed of the first fit.
    """
    rows = customers.select("customer", _shifted().alias(_VECTOR))
    laid_out = rows.repartition(partitions, "customer").sortWithinPartitions("customer").persist()
    try:
        # Bisecting k-means starts from its own splits: the seed hardly matters.
        models = [_estimator(method, k, seed + start).fit(laid_out) for start in range(starts)]
    finally:
        laid_out.unpersist()
    best_one: Model = min(models, key=_loss)
    return best_one


def with_label(customers: DataFrame, model: Model) -> DataFrame:
    """customer and label INT of rows with scaled ARRAY<DOUBLE>; other columns stay."""
    vectors = customers.withColumn(_VECTOR, _shifted())
    return model.transform(vectors).withColumn("label", F.col(_LABEL).cast("int")).select(*customers.columns, "label")


def centres(model: Any) -> Floats:
    """(k, features) the centres of clusters, or the means of a mixture."""
    if hasattr(model, "clusterCenters"):
        return np.array(model.clusterCenters()) - _SHIFT
    means = model.gaussiansDF.select("mean").collect()
    return np.array([row["mean"].toArray() for row in means]) - _SHIFT


def _shifted() -> Column:
    return array_to_vector(F.transform("scaled", lambda number: number + _SHIFT))


def _estimator(method: str, k: int, seed: int) -> Any:
    columns: dict[str, Any] = {"featuresCol": _VECTOR, "predictionCol": _LABEL, "k": k, "seed": seed}
    if method == "kmeans":
        return KMeans(**columns, maxIter=100)
    if method == "bisecting_kmeans":
        return BisectingKMeans(**columns, maxIter=100)
    return GaussianMixture(**columns, maxIter=100, tol=1e-3)


def _loss(model: Any) -> float:
    return -model.summary.logLikelihood if hasattr(model, "gaussiansDF") else float(model.summary.trainingCost)


def _fitted(points: Floats, method: str, k: int, starts: int, seed: int) -> Any:
    """The same method by scikit-learn."""
    with warnings.catch_warnings():
        # More iterations would hardly change the labels; stability is measured anyway.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if method == "kmeans":
            return cluster.KMeans(k, n_init=starts, random_state=seed).fit(points)
        if method == "bisecting_kmeans":
            return cluster.BisectingKMeans(
                k, n_init=starts, random_state=seed, bisecting_strategy="largest_cluster"
            ).fit(points)
        # Each starts from k-means, and takes far longer than it.
        return mixture.GaussianMixture(k, n_init=max(1, starts // 5), random_state=seed).fit(points)


def silhouettes(points: Floats, labels: Labels) -> Floats:
    """(customers,) silhouettes; 0 if all customers have the same label."""
    return silhouette_samples(points, labels) if len(np.unique(labels)) > 1 else np.zeros(len(points))
