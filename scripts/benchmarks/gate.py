"""Whether a contender gave the same rows as Otklik, or a model as good. A time without that means nothing."""

from __future__ import annotations

import math

from scripts.benchmarks.evidence import Evidence

#: The most that two models' AUC may differ.
AUC_TOLERANCE = 0.005
#: Trained and timed, and not compared: where few say yes, the hinge loss is smallest for a model that says no to all,
#: and how it orders them is chance. The same rows gave .53 and .69 with scikit-learn by its seed, .62 and .66 with
#: MLlib by its settings.
INCOMPARABLE = ("linear_svc",)
#: Of the AUC of two models on the same rows.
_CORRELATION = 0.9


def fault(evidence: Evidence, reference: Evidence) -> str:
    """What differs from the reference, in words; empty where nothing does."""
    made = {*evidence.contents, *evidence.auc}
    faults = [f"{name}: is not there" for name in (*reference.contents, *reference.auc) if name not in made]
    faults += [
        f"{name}: {_rows(found)} rows, not the same as {_rows(reference.contents[name])}"
        for name, found in evidence.contents.items()
        if name in reference.contents and found != reference.contents[name]
    ]
    tolerance = tolerance_of(evidence, reference)
    faults += [
        f"{model}: AUC {found:.4f} against {reference.auc[model]:.4f}"
        for model, found in evidence.auc.items()
        if model in reference.auc and model not in INCOMPARABLE and not abs(found - reference.auc[model]) <= tolerance
    ]
    return "; ".join(faults)


def tolerance_of(*evidence: Evidence) -> float:
    """The most that AUC may differ: .005, or on few held-out rows two standard errors.

    Contenders of the whole way are judged on different rows, and of a thousand rows AUC is known to ± .03 only: the
    error is that of the smallest part. On the same rows two models that see the same mostly err together, and it is
    that of the difference (Hanley and McNeil, 1983).
    """
    judged = {(each.judged_rows, each.judged_yes) for each in evidence}
    shared = math.sqrt(2 * (1 - _CORRELATION)) if len(judged) == 1 else 1.0
    return max([AUC_TOLERANCE, *(2 * shared * _standard_error(rows, yes) for rows, yes in judged if yes)])


def _standard_error(rows: int, yes: int) -> float:
    """Of an AUC of about .75, after Hanley and McNeil (1982)."""
    area, no = 0.75, max(rows - yes, 1)
    of_yes, of_no = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (yes - 1) * (of_yes - area**2) + (no - 1) * (of_no - area**2)
    return math.sqrt(variance / (yes * no))


def _rows(content: str) -> str:
    return f"{int(content.split(maxsplit=1)[0]):,}"
