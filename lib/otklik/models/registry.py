"""Model folders and the champion: a folder per run, a manifest written last, a pointer row in gold.model_runs.

A folder is trusted only when its manifest is the one the pointer knows and every file in it has the hash the manifest
names. Loading reads JSON; no class named in a model folder is ever loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml import Model

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.folder import Folder
from otklik.lake.store import Lake
from otklik.lake.tables import MODEL_RUNS
from otklik.models import portable
from otklik.models.calibrate import Calibrator
from otklik.models.drift import Bins
from otklik.models.manifest import MANIFEST, SERVING, checked_model
from otklik.models.portable import BoostedModel, PortableModel, SequenceModel, Slots
from otklik.models.prepare import Preparation, Slot
from otklik.models.zoo import SEQUENCE, TREES, XGBOOST
from otklik.session import frame_of

SPARK_MODEL = "spark"


@dataclass(frozen=True, eq=False)
class ServingModel:
    """All that scoring needs: preparation, model, fold models, calibrators and the bins of training.

    Attributes:
        model: its name.
        preparation: features → slots.
        champion: the model fitted on all labelled rows.
        calibrator: of the champion.
        folds: fold number → the model fitted without that fold.
        fold_calibrators: fold number → its calibrator.
        fold_count: number of folds.
        fold_salt: salt of the folds.
        rows_hash: hash of the SELECT that returned the rows; for other rows the fold is unknown.
        bins: bins of features and scores in training.
        expected: feature → rows per bin in training.
    """

    model: str
    preparation: Preparation
    champion: PortableModel
    calibrator: Calibrator
    folds: Mapping[int, PortableModel]
    fold_calibrators: Mapping[int, Calibrator]
    fold_count: int
    fold_salt: str
    rows_hash: str
    bins: Sequence[Bins]
    expected: Mapping[str, Sequence[int]]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that it reads."""
        return self.preparation.only(with_leaks=False, in_order=self.model == SEQUENCE)

    def misfit(self, columns: Collection[str], known_after: Collection[str], rows_hash: str) -> str | None:
        """Why it cannot score the current feature table; None if it can.

        Args:
            columns: columns of the feature table.
            known_after: those of them that their SQL now marks as known only after the decision.
            rows_hash: hash of the SELECT that returns its rows.
        """
        needed = {slot.source for slot in self.slots}
        missing = sorted(needed.difference(columns))
        if missing:
            return f"it asks for features that are not built any more: {', '.join(missing)}"
        leaks = sorted(needed.intersection(known_after))
        if leaks:
            return f"it asks for features that are marked as known only after the decision: {', '.join(leaks)}"
        if self.rows_hash != rows_hash:
            return "it was trained on rows of another SELECT, and nobody knows which of its folds saw these"
        return None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": self.model,
            "preparation": self.preparation.to_dict(),
            "champion": self.champion.to_dict(),
            "calibrator": self.calibrator.to_dict(),
            "folds": {str(fold): model.to_dict() for fold, model in self.folds.items()},
            "fold_calibrators": {str(fold): c.to_dict() for fold, c in self.fold_calibrators.items()},
            "fold_count": self.fold_count,
            "fold_salt": self.fold_salt,
            "rows_hash": self.rows_hash,
            "bins": [bins.to_dict() for bins in self.bins],
            "expected": {feature: list(counts) for feature, counts in self.expected.items()},
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ServingModel:
        """From JSON values.

        Raises:
            DamagedError: if a part is missing or impossible.
        """
        try:
            return ServingModel(
                model=values["model"],
                preparation=Preparation.from_dict(values["preparation"]),
                champion=portable.from_dict(values["champion"]),
                calibrator=Calibrator.from_dict(values["calibrator"]),
                folds={int(fold): portable.from_dict(model) for fold, model in values["folds"].items()},
                fold_calibrators={int(f): Calibrator.from_dict(c) for f, c in values["fold_calibrators"].items()},
                fold_count=values["fold_count"],
                fold_salt=values["fold_salt"],
                rows_hash=values["rows_hash"],
                bins=[Bins.from_dict(bins) for bins in values["bins"]],
                expected=values["expected"],
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise DamagedError("the serving model is not readable", hint="train again, or roll back") from fault


@dataclass(frozen=True)
class Champion:
    """The serving model of a task and the pointer row that names it."""

    run_id: str
    row: Mapping[str, Any]
    serving: ServingModel
    refused: tuple[str, ...]


def save_spark_model(fitted: Model, folder: str) -> None:
    """Save an MLlib model in place of what is there."""
    fitted.write().overwrite().save(folder)  # type: ignore[attr-defined]


def portable_form(
    fitted: Model, model: str, slots: Sequence[Slot], means: Sequence[float], folder: str
) -> PortableModel:
    """The exact JVM-free form of a fitted model; a tree's nodes are read back from where it is saved.

    Args:
        fitted: the model, of MLlib or one of the project's own.
        model: its name.
        slots: the places of its vector.
        means: training mean of each slot.
        folder: where trees were saved.
    """
    places = Slots(tuple(slot.name for slot in slots), tuple(slot.source for slot in slots))
    if model == XGBOOST:
        return BoostedModel(places, fitted.booster)  # type: ignore[attr-defined]
    if model == SEQUENCE:
        return SequenceModel(places, fitted.weights)  # type: ignore[attr-defined]
    if model in TREES:
        return portable.from_spark_trees(places, Folder(folder).parquet("data").to_pandas())
    return portable.from_logistic(places, fitted.coefficients.toArray(), fitted.intercept, np.asarray(means))  # type: ignore[attr-defined]


def save(lake: Lake, folder: str, serving: ServingModel, about: Mapping[str, Any]) -> str:
    """Write the model of a run: the serving model first, the manifest last.

    Args:
        lake: the lake.
        folder: the model's folder, relative to the lake; it already contains the model as Spark saved it, if any.
        serving: what scoring needs.
        about: inputs, features, settings, seed, metrics, library versions.

    Returns:
        The SHA-256 of the manifest.
    """
    files = Folder(lake.folder(folder))
    files.write(SERVING, json.dumps(serving.to_dict(), sort_keys=True).encode())
    manifest = {**about, "files": files.hashes(frozenset({MANIFEST}))}
    content = json.dumps(manifest, sort_keys=True, indent=1, default=str, ensure_ascii=False).encode()
    files.write(MANIFEST, content)
    return hashlib.sha256(content).hexdigest()


def load(lake: Lake, folder: str, manifest_hash: str) -> ServingModel:
    """Read a model folder after checking all of it.

    Raises:
        DamagedError: if the manifest is not the one that was registered, or a file is missing, new or changed.
    """
    return ServingModel.from_dict(checked_model(Folder(lake.folder(folder)), folder, manifest_hash))


def tasks(lake: Lake) -> list[str]:
    """The tasks that have a model."""
    runs = lake.small(MODEL_RUNS.name)
    return [] if runs is None else sorted({row["task"] for row in runs.rows})


def history(lake: Lake, task: str, trained_by: datetime | None = None) -> pd.DataFrame:
    """Rows of a task in gold.model_runs, newest first.

    Args:
        lake: the lake.
        task: name of the task.
        trained_by: only models trained as of this moment or earlier, UTC.
    """
    runs = lake.small_frame(MODEL_RUNS.name, {"task": [task]})
    if runs is None:
        return pd.DataFrame(columns=[column.name for column in MODEL_RUNS.columns])
    if trained_by is not None:
        runs = runs[runs["trained_at"] <= pd.Timestamp(trained_by).tz_convert(None)]
    return runs.sort_values("sequence", ascending=False, ignore_index=True)


def load_champion(lake: Lake, task: str, besides: str | None = None, trained_by: datetime | None = None) -> Champion:
    """The serving model of a task; if its folder is damaged, the previous one.

    Args:
        lake: the lake.
        task: name of the task.
        besides: a run to ignore.
        trained_by: ignore models trained as of a later moment, UTC.

    Raises:
        MissingResultError: if no model has been registered, or none by then.
        DamagedError: if all registered folders are damaged.
    """
    runs = history(lake, task, trained_by)
    refused: list[str] = []
    for row in records(runs[runs["serves"].astype(bool) & (runs["run_id"] != besides)]):
        try:
            return Champion(row["run_id"], row, load(lake, row["folder"], row["manifest_hash"]), tuple(refused))
        except DamagedError as fault:
            refused.append(fault.line())
    if refused:
        raise DamagedError(f"no champion is intact: {'; '.join(refused)}", where=task, hint="train again")
    raise MissingResultError("there is no champion yet", where=task, hint=f"run `otklik train {task}` first")


def find_champion(lake: Lake, task: str, besides: str | None = None) -> Champion | None:
    """What `load_champion` finds; None where it finds nothing."""
    try:
        return load_champion(lake, task, besides)
    except (MissingResultError, DamagedError):
        return None


def champion_row(lake: Lake, task: str) -> Mapping[str, Any] | None:
    """The pointer row of what `load_champion` finds; None where it finds nothing."""
    champion = find_champion(lake, task)
    return None if champion is None else champion.row


def has_sound_model(lake: Lake, task: str, run_id: str) -> bool:
    """Whether a run's model is there as it was registered last."""
    runs = history(lake, task)
    for row in records(runs[runs["run_id"] == run_id].head(1)):
        try:
            load(lake, row["folder"], row["manifest_hash"])
        except DamagedError:
            return False
        return True
    return False


def records(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Pointer rows as values."""
    return [{str(name): value for name, value in row.items()} for row in runs.to_dict("records")]


def register(lake: Lake, row: Mapping[str, Any], label: str) -> int:
    """Replace the row of a run in gold.model_runs; returns the table's version.

    A run that is repeated after a kill or damage writes a new folder, so the old row is no longer valid.
    """
    named = {"task": str(row["task"]), "run_id": str(row["run_id"])}
    return lake.replace_rows(MODEL_RUNS, _as_rows(row), label, where=named)


def register_again(lake: Lake, row: Mapping[str, Any], label: str) -> int:
    """Append one more pointer row to a model that is registered; returns the table's version."""
    return lake.append(MODEL_RUNS, frame_of(lake.spark, _as_rows(row), MODEL_RUNS.ddl), label).version


def _as_rows(row: Mapping[str, Any]) -> list[list[Any]]:
    kinds = {"STRING": str, "DOUBLE": float, "BOOLEAN": bool, "BIGINT": int}
    values = [
        row[c.name] if row[c.name] is None or c.type == "TIMESTAMP" else kinds[c.type](row[c.name])
        for c in MODEL_RUNS.columns
    ]
    return [values]
