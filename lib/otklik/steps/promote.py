"""The end of training: fit the chosen model on all labelled rows, explain it, save it, promote it if it is better."""

from __future__ import annotations

import itertools
import json
import platform
from collections.abc import Mapping
from concurrent.futures import Executor
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

import pyspark

from otklik.lake.folder import Folder
from otklik.lake.identity import code_version
from otklik.lake.tables import EXPLANATIONS
from otklik.models import extras, registry
from otklik.models.final import FinalModels, explanations_of, fit_final_models, in_metric, serving_model
from otklik.models.training import Training
from otklik.models.zoo import XGBOOST
from otklik.session import without_stage_code
from otklik.steps.context import Job
from otklik.steps.frames import replace_rows
from otklik.steps.resolve_classify import ResolvedClassify
from otklik.task import ChampionSettings

#: Subfolder of the champion's folder for models of folds while their nodes are read back.
_TEMPORARY = "temporary"
_LIBRARIES = ("pyspark", "delta-spark", "numpy", "pandas", "scikit-learn")


def promote(job: Job, resolved: ResolvedClassify, training: Training, executor: Executor) -> dict[str, int]:
    """Choose, refit, explain, save and register; returns table → version."""
    task = resolved.task
    folder, before = _free_folder(job, resolved)
    # In the lake, which every machine of a cluster can reach.
    temporary = job.lake.folder(folder, _TEMPORARY)
    with job.progress.step("champion: fit on all rows") as step, without_stage_code(job.lake.spark):
        final_models = fit_final_models(
            task,
            training,
            executor,
            saved_to=job.lake.folder(folder, registry.SPARK_MODEL),
            temporary=temporary,
            # A draft explains no other candidate.
            only_chosen=resolved.is_draft,
        )
        if Folder(temporary).exists():
            # All files in the champion's folder must be in its manifest.
            Folder(job.lake.folder(folder)).delete(_TEMPORARY)
        step.say(f"{final_models.chosen}, out of fold {task.champion.metric} {final_models.value:.3f}")
    with job.progress.step("champion: explain") as step, without_stage_code(job.lake.spark):
        explanations = explanations_of(task, training, final_models, executor)
        step.rows(len(explanations), "explanations")
    with job.progress.step("champion: save and register") as step:
        serving = serving_model(task, training, final_models, resolved.rows_hash)
        manifest_hash = registry.save(job.lake, folder, serving, _about(resolved, training, final_models))
        row = _pointer(job, resolved, training, final_models, folder, manifest_hash)
        named, label = {"task": task.name, "run_id": resolved.run_ids["train"]}, f"train {resolved.run_ids['train']}"
        outputs = replace_rows(job.lake, EXPLANATIONS, explanations.assign(**named), label, named)
        outputs["gold.model_runs"] = registry.register(job.lake, row, label)
        # Of a training that is repeated because its end was not recorded or its tables are gone.
        for name in before:
            Folder(job.lake.folder("models", task.name)).delete(name)
        step.say(row["reason"])
    return outputs


def _free_folder(job: Job, resolved: ResolvedClassify) -> tuple[str, list[str]]:
    """A folder that no pointer row names, so that no serving model is overwritten; and the run's earlier folders."""
    task, run_id = resolved.task.name, resolved.run_ids["train"]
    runs = registry.history(job.lake, task)
    before = [str(folder).rpartition("/")[2] for folder in runs.loc[runs["run_id"] == run_id, "folder"].unique()]
    names = (run_id if number == 1 else f"{run_id}-{number}" for number in itertools.count(1))
    models = Folder(job.lake.folder("models", task))
    there = models.folders()
    # If others may write concurrently, another training may be writing to such a folder.
    free = next(name for name in names if name not in before and (job.is_alone or name not in there))
    if free in there:
        # Remains of a killed training would be taken for files of the new model.
        models.delete(free)
    return f"models/{task}/{free}", before


def _about(resolved: ResolvedClassify, training: Training, final_models: FinalModels) -> dict[str, Any]:
    libraries = {name: library_version(name) for name in _LIBRARIES}
    if final_models.chosen == XGBOOST:
        libraries[XGBOOST] = extras.library(XGBOOST).__version__
    return {
        "task": resolved.task.name,
        "run_id": resolved.run_ids["train"],
        "as_of": resolved.as_of.isoformat(),
        "model": final_models.chosen,
        "setting": dict(final_models.setting),
        "seed": resolved.task.models.seed,
        "inputs": resolved.versions,
        "features": {f.name: f.feature_type for f in training.features if not f.is_known_after},
        "slots": [slot.name for slot in final_models.slots],
        "metrics": {resolved.task.champion.metric: final_models.value},
        "rows": len(training.labelled.label),
        "positives": int(training.labelled.label.sum()),
        "code_version": code_version(),
        "libraries": libraries,
        "python": platform.python_version(),
    }


def library_version(name: str) -> str:
    """The version of a library, also if a cluster provides Spark and Delta without a Python package."""
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return pyspark.__version__ if name == "pyspark" else "the cluster's own"


def _pointer(
    job: Job, resolved: ResolvedClassify, training: Training, final_models: FinalModels, folder: str, manifest_hash: str
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
        serves, reason = serves_from_now_on(task.champion, final_models.value, before)
    else:
        serves, reason = True, f"the champion before it cannot score these rows: {misfit}"
    return {
        "task": task.name,
        "run_id": resolved.run_ids["train"],
        "model": final_models.chosen,
        "settings": json.dumps(dict(final_models.setting), sort_keys=True),
        "metric": task.champion.metric,
        "value": final_models.value,
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
        settings: the metric for comparison, and how much better the new model must be.
        value: the new model's value of the metric.
        before: the pointer row of the champion, if there is one that can be trusted.
    """
    if before is None:
        return True, "there was no champion to beat"
    if before["metric"] != settings.metric:
        return True, f"the champion was judged by {before['metric']}"
    gain = in_metric(settings.metric, value - before["value"])
    if gain > 0 and gain >= settings.margin:
        return True, f"better than the champion by {gain:.4f}"
    return False, f"not better than the champion by {settings.margin}: {value:.4f} against {before['value']:.4f}"
