"""Log runs of tasks to MLflow, if configured: settings, metrics, model, report, and the serving model.

The lake remains the source of truth: everything is read from it, and what MLflow already has is not changed. A run that
could not be logged is logged by the next command. No other module uses MLflow.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.utils import is_remote

from otklik.errors import MissingResultError, OtklikError, PlatformError
from otklik.lake.folder import Folder
from otklik.lake.tables import SCOREBOARD
from otklik.models import registry
from otklik.models.manifest import MANIFEST
from otklik.models.pipeline import champion_pipeline, typical_row
from otklik.models.zoo import NOT_OF_MLLIB
from otklik.page.formats import LANGUAGES
from otklik.steps.context import Job, Tracking
from otklik.steps.pages import page_name
from otklik.steps.task_files import read_task

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: Tags that identify a run.
RUN_ID, MANIFEST_HASH, REPORT_HASH = "otklik.run_id", "otklik.manifest_hash", "otklik.report_hash"
#: Tags of a completely logged run, and of one that also has its model, which is missing on Spark Connect.
IS_WHOLE, HAS_MODEL = "otklik.is_whole", "otklik.has_model"
#: The alias of the serving model version.
CHAMPION = "champion"
#: Keys of the manifest that are parameters; `setting` and `inputs` are nested tables.
_PARAMETERS = ("task", "as_of", "model", "seed", "rows", "positives", "code_version")
#: MLflow's maximum number of metrics per request.
_METRICS_AT_ONCE = 1_000
_WHICH_ROW = ("task", "run_id", "model", "leaks", "split", "calibration")


def publish(job: Job, *, others_follow: bool = False) -> None:
    """Log the newest run and the champion of the job's task, or of every task that has one.

    Args:
        job: the job.
        others_follow: whether later steps of a scheduler depend on this one: then a failed update of MLflow is only a
            warning; the next command repeats it.

    Raises:
        PlatformError: if MLflow cannot be reached, and no step follows.
    """
    if job.tracking is None:
        return
    try:
        _publish(job, job.tracking)
    except PlatformError as fault:
        if not others_follow:
            raise
        job.progress.warn(fault.line())


def _publish(job: Job, tracking: Tracking) -> None:
    if importlib.util.find_spec("mlflow") is None:
        job.progress.warn("a tracking URI is set, but mlflow is not installed: nothing is logged")
        return
    with job.progress.step("log to MLflow") as step, _quiet(), _clear(tracking):
        told = sum(_publish_task(job, tracking, task) for task in _tasks(job))
        step.rows(told, "new runs")


def _tasks(job: Job) -> list[str]:
    named = job.options.names.get("task")
    return [read_task(job.project, named, job.options.overrides).task.name] if named else registry.tasks(job.lake)


def _publish_task(job: Job, tracking: Tracking, task: str) -> int:
    """Returns how many runs were new to MLflow."""
    runs = registry.history(job.lake, task)
    if runs.empty:
        return 0
    champion = registry.champion_row(job.lake, task)
    newest = registry.records(runs.head(1))[0]
    wanted = {row["run_id"]: row for row in (champion, newest) if row is not None}
    client, experiment = _client(tracking, task)
    new = 0
    for run_id, row in wanted.items():
        known = _known_run(client, experiment, row)
        new += known is None
        logged = known or _log_run(job, client, experiment, row)
        _log_report(job, client, logged, task)
        if HAS_MODEL not in logged.data.tags:
            if is_remote():
                job.progress.line("  MLflow saves models through the JVM, which Spark Connect lacks: model not logged")
                continue
            if row["model"] in NOT_OF_MLLIB:
                job.progress.line(f"  {row['model']} is not an MLlib model: the run is logged without its model")
                continue
            _log_model(job, client, logged, row)
        if champion is not None and run_id == champion["run_id"]:
            name = _registered_name(job, task)
            if name is None:
                job.progress.warn(
                    "MLflow registers models in Unity Catalog, but --catalog is not set: model not registered"
                )
                continue
            _let_serve(client, name, logged)
    return new


def _client(tracking: Tracking, task: str) -> tuple[MlflowClient, str]:
    """The client, and the id of the task's experiment."""
    import mlflow  # noqa: PLC0415  (heavy, and not installed everywhere)

    mlflow.set_tracking_uri(tracking.uri)
    name = tracking.experiment or f"otklik_{task}"
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        return client, client.create_experiment(name)
    if found.lifecycle_stage == "deleted":
        # Its name remains in use, and it accepts no runs.
        client.restore_experiment(found.experiment_id)
    return client, found.experiment_id


def _known_run(client: MlflowClient, experiment: str, row: Mapping[str, Any]) -> Run | None:
    """The completely logged run of this model folder, with or without its model."""
    same = f"tags.`{RUN_ID}` = '{row['run_id']}' and tags.`{MANIFEST_HASH}` = '{row['manifest_hash']}'"
    found = client.search_runs([experiment], f"{same} and tags.`{IS_WHOLE}` = 'true'", max_results=1)
    return found[0] if found else None


def _log_run(job: Job, client: MlflowClient, experiment: str, row: Mapping[str, Any]) -> Run:
    import mlflow  # noqa: PLC0415

    registry.load(job.lake, row["folder"], row["manifest_hash"])
    manifest = _manifest(job, row)
    tags = {RUN_ID: row["run_id"], MANIFEST_HASH: row["manifest_hash"]}
    # An exception in the block leaves a FAILED run, and the next command logs another one.
    with mlflow.start_run(experiment_id=experiment, run_name=f"{row['task']} {row['run_id']}", tags=tags) as run:
        mlflow.log_params(parameters(manifest))
        board = job.lake.read(SCOREBOARD.name).where(F.col("run_id") == row["run_id"]).toPandas()
        metrics = list(metrics_of(board).items())
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            mlflow.log_metrics(dict(metrics[start : start + _METRICS_AT_ONCE]))
        mlflow.log_text(board.to_csv(index=False), "scoreboard.csv")
        mlflow.log_dict(manifest, MANIFEST)
        mlflow.set_tag(IS_WHOLE, "true")
    return client.get_run(run.info.run_id)


def _manifest(job: Job, row: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a verified model folder."""
    manifest: dict[str, Any] = json.loads(Folder(job.lake.folder(row["folder"])).read(MANIFEST))
    return manifest


def parameters(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A run's parameters from its manifest: the model, its setting and the versions of its inputs."""
    return {
        **{name: manifest[name] for name in _PARAMETERS},
        **{f"setting.{name}": value for name, value in manifest["setting"].items()},
        **{f"version.{table}": version for table, version in manifest["inputs"].items()},
        **{f"library.{name}": version for name, version in manifest["libraries"].items()},
    }


def metrics_of(board: pd.DataFrame) -> dict[str, float]:
    """Every number of the scoreboard by its key: split/leaks/calibration/model/metric; no nulls."""
    numbers = [name for name in board.columns if name not in _WHICH_ROW]
    return {
        f"{row['split']}/leaks_{row['leaks']}/{row['calibration']}/{row['model']}/{name}": float(row[name])
        for row in board.to_dict("records")
        for name in numbers
        if pd.notna(row[name])
    }


def _log_model(job: Job, client: MlflowClient, run: Run, row: Mapping[str, Any]) -> None:
    import mlflow.spark  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415

    serving = registry.load(job.lake, row["folder"], row["manifest_hash"])
    libraries = _manifest(job, row)["libraries"]
    schema = job.lake.read(f"gold.{row['task']}_features").schema
    example = typical_row(job.lake.spark, serving, schema)
    pipeline = champion_pipeline(serving, job.lake.folder(row["folder"], registry.SPARK_MODEL), example)
    # In the lake, because every machine of a cluster writes a part; `maintain` removes what a killed command leaves.
    models, draft = Folder(job.lake.folder("models", row["task"])), f"{row['run_id']}_mlflow"
    try:
        with mlflow.start_run(run_id=run.info.run_id):
            mlflow.spark.log_model(
                pipeline,
                "model",
                signature=infer_signature(example, pipeline.transform(example).select("prediction")),
                input_example=example.toPandas(),
                # Otherwise MLflow starts a process to find out.
                pip_requirements=[f"pyspark=={libraries['pyspark']}"],
                dfs_tmpdir=f"{models.uri}/{draft}",
            )
        client.set_tag(run.info.run_id, HAS_MODEL, "true")
    finally:
        if draft in models.folders():
            models.delete(draft)


def _log_report(job: Job, client: MlflowClient, run: Run, task: str) -> None:
    """The report that shows this run, if it has changed since."""
    folder, run_id = Folder(job.lake.folder("report")), run.data.tags[RUN_ID]
    for page in (page_name(task, language) for language in LANGUAGES):
        with contextlib.suppress(MissingResultError):
            html = folder.read(page)
            found = hashlib.sha256(html).hexdigest()
            # The page may belong to another task or run: it names the one it shows.
            if run_id.encode() in html and run.data.tags.get(REPORT_HASH) != found:
                client.log_text(run.info.run_id, html.decode(), "report/index.html")
                client.set_tag(run.info.run_id, REPORT_HASH, found)
                return


def _registered_name(job: Job, task: str) -> str | None:
    """The model's name; three parts for Unity Catalog."""
    import mlflow  # noqa: PLC0415

    if not mlflow.get_registry_uri().startswith("databricks-uc"):
        return f"otklik_{task}"
    return None if job.lake.catalog is None else f"{job.lake.catalog}.gold.otklik_{task}"


def _let_serve(client: MlflowClient, name: str, run: Run) -> None:
    """Register the run's model, unless it is registered, and set the alias."""
    import mlflow  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    run_id = run.info.run_id
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    version = found[0].version if found else mlflow.register_model(f"runs:/{run_id}/model", name).version
    try:
        serves = client.get_model_version_by_alias(name, CHAMPION).version
    except MlflowException:
        serves = None
    if serves != version:
        client.set_registered_model_alias(name, CHAMPION, version)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow from printing URLs of runs to stdout, which is for results, and hints for developers."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _clear(tracking: Tracking) -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        if isinstance(fault, OtklikError):
            raise
        raise PlatformError(
            f"MLflow could not be updated ({type(fault).__name__}); the lake is complete",
            # A tracking URI may hold a password.
            where=re.sub(r"//[^/@]*@", "//", tracking.uri),
            hint="check that it can be reached, and rerun the same command: only what is missing is logged",
        ) from fault
