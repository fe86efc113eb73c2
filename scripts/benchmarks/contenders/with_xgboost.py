"""XGBoost on a pandas frame, its histogram method on all cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scripts.benchmarks.contenders.pandas_sklearn import COLUMNS, read_rows
from scripts.benchmarks.work import FOREST, SEED, Case, Outcome, Repetition, Work, said
from xgboost import XGBRFClassifier


def forest(work: Work) -> Repetition:
    """A random forest of as many trees, as deep; it takes levels and missing numbers as they are."""

    def once(_: Path) -> Outcome:
        outcome = Outcome()
        with outcome.part("prepare"):
            rows = read_rows(work.inputs["rows"])
            is_held_out = rows["is_held_out"].to_numpy(bool)
            label = rows["label"].to_numpy(np.int64)
        with outcome.part("random_forest"):
            model = XGBRFClassifier(
                n_estimators=FOREST["trees"],
                max_depth=FOREST["max_depth"],
                # A row weighs p (1 − p), a tenth at this rate of yes.
                min_child_weight=FOREST["min_leaf"] / 10,
                max_bin=FOREST["max_bins"],
                # Some four of fifteen, the square root.
                colsample_bynode=0.27,
                tree_method="hist",
                enable_categorical=True,
                n_jobs=work.cores,
                random_state=SEED,
            )
            model.fit(rows.loc[~is_held_out, COLUMNS], label[~is_held_out])
            scores = model.predict_proba(rows.loc[is_held_out, COLUMNS])[:, 1]
            outcome.said["random_forest"] = said(label[is_held_out], scores)
        return outcome

    return once


CASES: dict[str, Case] = {"forest": forest}
