"""Step: show a task's champion, or roll back to an earlier model."""

from __future__ import annotations

from otklik.lake.identity import hash_of
from otklik.lake.ledger import record_run
from otklik.lake.tables import MODEL_RUNS
from otklik.models import registry
from otklik.steps.before_spark import name_of_models, no_model_of
from otklik.steps.context import Job
from otklik.steps.printing import list_of_models
from otklik.steps.runs import record_failure, start_of


def show_champion(job: Job) -> int:
    """Print the task's models, newest first, the serving one marked; with --run, roll back to it."""
    task = job.options["task"]
    there = [task] if len(registry.history(job.lake, task)) else []
    name = name_of_models(job.project, task, job.options.overrides, there)
    if job.options["run"] is not None:
        run = start_of(job, "champion", name, hash_of(job.options["run"]))
        with record_failure(job, run):
            version = _roll_back(job, name, job.options["run"])
        outputs = {} if version is None else {MODEL_RUNS.name: version}
        record_run(job.lake, run.done(job.clock(), outputs, 0, len(outputs), f"run {job.options['run']} serves"))
    champion = registry.load_champion(job.lake, name)
    for refusal in champion.refused:
        job.progress.warn(f"{refusal}; using the previous champion")
    rows = registry.records(registry.history(job.lake, name))
    job.print_result(list_of_models(rows, champion.row["sequence"]))
    return 0


def _roll_back(job: Job, task: str, run_id: str) -> int | None:
    """Append a pointer row to an earlier model, after checking its folder; None if it already serves.

    Returns:
        The version of gold.model_runs.

    Raises:
        MissingResultError: if the task has no such run.
        DamagedError: if its folder does not match its manifest.
    """
    runs = registry.history(job.lake, task)
    found = runs[runs["run_id"] == run_id] if len(runs) else runs
    if found.empty:
        raise no_model_of(run_id, task)
    current = registry.champion_row(job.lake, task)
    if current is not None and current["run_id"] == run_id:
        job.progress.line(f"  the model of run {run_id} is already the champion")
        return None
    row = registry.records(found)[0]
    registry.load(job.lake, row["folder"], row["manifest_hash"])
    sequence = int(runs["sequence"].max()) + 1
    chosen = {**row, "serves": True, "reason": "chosen by a person", "sequence": sequence}
    trained_at = row["trained_at"].to_pydatetime()
    version = registry.register_again(job.lake, {**chosen, "trained_at": trained_at}, f"champion {task} {sequence}")
    job.progress.line(f"  the model of run {run_id} is the champion again")
    return version
