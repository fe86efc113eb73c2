"""The scoreboard: every model × leaks × split × calibration, compared with the majority class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from otklik.kind import Measure
from otklik.models.choice import CHALLENGERS
from otklik.models.evaluate import auc, auc_gain, evaluate
from otklik.models.prepare import FeatureFinding
from otklik.models.training import CrossValidation, Labelled, Metric
from otklik.models.zoo import MAJORITY


@dataclass(frozen=True)
class ScoringTerms:
    """Parameters of the numbers: cost and value of a contact, bootstrap replicates, window of the labels."""

    cost: float | None
    value: float | None
    replicates: int
    salt: str
    by_moment_always: bool
    label_window: timedelta
    #: The split whose calibrated rows alone have intervals; None = all rows.
    only_decisive: str | None = None

    def draws(self, split: str, calibration: str) -> int:
        """Number of bootstrap replicates for a row of the scoreboard."""
        is_needed = self.only_decisive is None or (split, calibration) == (self.only_decisive, "calibrated")
        return self.replicates if is_needed else 0


def rows_of(
    labelled: Labelled, judged: Mapping[str, Sequence[CrossValidation]], terms: ScoringTerms, executor: Executor
) -> pd.DataFrame:
    """The rows of gold.scoreboard without task and run_id.

    Args:
        labelled: the labelled rows.
        judged: `with` and `without` leaks → results on all plans.
        terms: see `ScoringTerms`.
        executor: computes several rows at once.
    """
    names: list[dict[str, str]] = []
    figures: list[Future[dict[str, Any]]] = []
    for leaks, results in judged.items():
        for split in dict.fromkeys(result.plan.split for result in results):
            of_split = [result for result in results if result.plan.split == split]
            rate = _training_rate(labelled, of_split[0], terms.label_window)
            places = of_split[0].tested.places
            constant = np.full(len(places), rate)
            for calibration in ("raw", "calibrated"):
                asked: list[tuple[str, Any, Any, Any]] = [(MAJORITY, places, constant, constant)]
                for result in of_split:
                    tested = result.tested
                    probability = tested.raw if calibration == "raw" else result.calibrated
                    asked.append((result.candidate.model, tested.places, probability, tested.margin))
                for model, of_rows, probability, margin in asked:
                    names.append({"model": model, "leaks": leaks, "split": split, "calibration": calibration})
                    draws = terms.draws(split, calibration)
                    evaluation = executor.submit(
                        _figures, labelled, split, of_rows, probability, margin, rate, terms, draws
                    )
                    figures.append(evaluation)
    return pd.DataFrame([{**name, **found.result()} for name, found in zip(names, figures, strict=True)])


def _training_rate(labelled: Labelled, result: CrossValidation, label_window: timedelta) -> float:
    """Share of yes in the training part: all rows on a random split, those with final labels before a cut in time."""
    if result.plan.split == "random":
        return float(labelled.label.mean())
    tested = np.zeros(len(labelled.label), dtype=np.bool_)
    tested[result.tested.places] = True
    cut = labelled.as_of[tested].min()
    trained = labelled.as_of + np.timedelta64(label_window) <= cut if label_window else labelled.as_of < cut
    return float(labelled.label[trained].mean())


def _figures(
    labelled: Labelled,
    split: str,
    places: Any,
    probability: Any,
    margin: Any,
    rate: float,
    terms: ScoringTerms,
    draws: int,
) -> dict[str, Any]:
    label, moment = labelled.label[places], labelled.as_of[places].astype("datetime64[us]").astype(np.int64)
    by_moment = split == "time" or terms.by_moment_always
    figures = evaluate(
        label,
        moment,
        moment if by_moment else labelled.unit[places],
        probability=probability,
        margin=margin,
        training_rate=rate,
        cost=terms.cost,
        value=terms.value,
        replicates=draws,
        salt=terms.salt,
    )
    return {"rows": len(label), "positives": int(label.sum()), **figures}


def measures_of(
    board: pd.DataFrame, inside: Mapping[str, Sequence[float]], metric: Metric, split: str, chosen: str
) -> list[Measure]:
    """Measures of a training for gold.measures.

    Args:
        board: rows of gold.scoreboard; calibrated ones without leaks are used.
        inside: candidate → its values inside the training part, one per window on a time split.
        metric: the metric of `inside`.
        split: the decisive split.
        chosen: the candidate chosen by `inside`.

    Returns:
        Metrics of each model compared with guessing or the majority class; values of each candidate inside the training
        part (splits `window 1` …) and their mean (measure `inside`, split `train`); and `regret`: how much better than
        the chosen candidate the best one was on the test rows.
    """
    rows = board[(board["leaks"] == "without") & (board["calibration"] == "calibrated")]
    plain = {row["split"]: row for row in rows[rows["model"] == MAJORITY].to_dict("records")}
    measures = []
    for row in rows[rows["model"] != MAJORITY].to_dict("records"):
        without = plain[row["split"]]
        for name, baseline in (
            ("auc", 0.5),
            ("auc_within", 0.5),
            ("accuracy", without["accuracy"]),
            ("brier", without["brier"]),
        ):
            low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
            measures.append(Measure(name, row[name], row["model"], row["split"], low, high, baseline, row["rows"]))
    of_split = rows[rows["split"] == split].set_index("model")[metric]
    later = {name: float(of_split[name]) for name in inside if not pd.isna(of_split[name])}
    sign = -1.0 if metric == "log_loss" else 1.0
    for name, values in inside.items():
        measures.append(Measure("inside", sign * float(np.mean(values)), name, "train", baseline=None))
        if split == "time":
            measures += [Measure(metric, sign * v, name, f"window {place}") for place, v in enumerate(values, start=1)]
    if chosen in later:
        regret = max(sign * value for value in later.values()) - sign * later[chosen]
        measures.append(Measure("regret", regret, chosen, split))
    return measures


def gains_of_challengers(labelled: Labelled, results: Sequence[CrossValidation], terms: ScoringTerms) -> list[Measure]:
    """Difference in AUC between each challenger and the best simpler model, on the decisive split.

    The best is chosen on the same rows, which favours the simpler ones; the interval is of the paired difference.

    Args:
        labelled: the labelled rows.
        results: on the split that decides, without leaks.
        terms: see `ScoringTerms`.
    """

    def auc_of(result: CrossValidation) -> float:
        return auc(labelled.label[result.tested.places], result.calibrated) or 0.0

    simple = [result for result in results if result.candidate.model not in CHALLENGERS]
    if not simple:
        return []
    best = max(simple, key=auc_of)
    measures = []
    for result in results:
        if result.candidate.model not in CHALLENGERS:
            continue
        places, split = result.tested.places, result.plan.split
        order = np.argsort(best.tested.places)
        other = best.calibrated[order[np.searchsorted(best.tested.places, places, sorter=order)]]
        unit = labelled.as_of if split == "time" or terms.by_moment_always else labelled.unit
        gain, low, high = auc_gain(
            labelled.label[places], unit[places], result.calibrated, other, replicates=terms.replicates, salt=terms.salt
        )
        measures.append(Measure("auc_gain", gain, result.candidate.model, split, low, high, 0.0, len(places)))
    return measures


def miscalibrated(board: pd.DataFrame, limit: float) -> list[FeatureFinding]:
    """The models whose mean probability on the test part is far from the observed rate.

    Args:
        board: rows of gold.scoreboard; calibrated ones without leaks are used.
        limit: maximum relative gap.
    """
    rows = board[(board["leaks"] == "without") & (board["calibration"] == "calibrated") & (board["model"] != MAJORITY)]
    found = []
    for row in rows.to_dict("records"):
        observed = row["positives"] / row["rows"]
        gap = abs(row["mean_probability"] - observed) / observed if observed else np.inf
        if gap > limit:
            means = {"mean": float(row["mean_probability"]), "observed": float(observed)}
            parameters = {"model": row["model"], "split": row["split"], **means}
            found.append(FeatureFinding("rate_moved", "", parameters, gap, "warned"))
    return found
