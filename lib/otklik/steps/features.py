"""Step: a task's features, one row per entity and decision moment."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.features.builder import count_rows, rows_of_task, with_features
from otklik.lake.ledger import record_run
from otklik.lake.tables import FEATURE_KEYS, FEATURES, Column, Table
from otklik.report.reductions import refuse_odd_remarks
from otklik.session import cached
from otklik.steps.context import Job
from otklik.steps.drafts import DRAFT_ROWS
from otklik.steps.resolve_classify import ResolvedClassify, answered_before, resolve_recorded
from otklik.steps.runs import record_failure
from otklik.steps.score import only_to_score


def build_features(job: Job, question: ResolvedClassify | None = None) -> int:
    """Write gold.<task>_features; returns the exit code."""
    question = question or resolve_recorded(job, "features")
    run = question.start(job, "features", question.inputs.identities)
    with record_failure(job, run), job.progress.step(f"features {question.task.name}") as step:
        earlier = answered_before(job, run)
        if earlier is not None:
            step.rows(earlier.rows_out)
            step.say("reused")
            return 0
        _refuse_marked(question)
        inputs = _without_personal(question)
        rows = rows_of_task(
            job.lake.spark,
            question.rows_select,
            inputs,
            as_of=question.as_of,
            label_window=question.task.rows.label_window,
        )
        if question.is_draft:
            rows = _some(rows)
        # Kept by key alone: SELECTs join by it, and Spark 4.1 can fail to plan a join that needs only the key of a
        # frame kept by key and moment (INTERNAL_ERROR_ATTRIBUTE_NOT_FOUND).
        with cached(rows.repartition("key")) as rows:
            counts = count_rows(rows, f"{question.rows_select.name}.sql")
            known_after = question.inputs.marked("after_decision")
            features = with_features(
                job.lake.spark, rows, question.feature_selects, inputs, question.as_of, known_after
            )
            table = features_table(question, features)
            label = f"features {question.run_ids['features']}"
            named = features.withColumnRenamed("moment", "as_of").withColumn(
                "_run_id", F.lit(question.run_ids["features"])
            )
            # What later steps ask of the table is tried now: a slip should not cost a training.
            only_to_score(named, question.task)
            refuse_odd_remarks(named, [*question.task.report.remarks, *question.task.rows.caveats])
            commit = job.lake.replace(table, named, label)
        written = commit.count("numOutputRows")
        if written != counts.rows:
            # No run names this version, so no step reads it; who shows the table finds what was there before.
            job.lake.restore(table.name, commit.version - 1)
            raise RefusedError(
                f"{counts.rows:,} rows became {written:,}: a feature SELECT gives a key and moment more than once",
                where=", ".join(f"{select.name}.sql" for select, _ in question.feature_selects),
                hint="join on all that names a row there, or group by key and moment",
            )
        message = (
            f"{counts.labelled} labelled, {counts.positives} positive, {counts.immature} immature, "
            f"{counts.unlabelled} unlabelled"
        )
        record_run(job.lake, run.done(job.clock(), {table.name: commit.version}, counts.rows, written, message))
        step.rows(written)
        step.rows(counts.labelled, "labelled")
        step.rows(counts.positives, "positive")
        step.rows(counts.immature, "immature")
        step.rows(counts.unlabelled, "unlabelled")
    if counts.only_yes_after is not None:
        job.progress.warn(
            f"after {counts.only_yes_after:%Y-%m-%d %H:%M} every answer is a yes, and other rows have none yet: the "
            "file with the answers seems older than the moment asked about; give --as-of the moment it was drawn"
        )
    return 0


def _some(rows: DataFrame) -> DataFrame:
    """As many rows as a draft has, by the hash of their key: all of a customer, or none."""
    share = DRAFT_ROWS / max(rows.count(), 1)
    return rows if share >= 1 else rows.where(F.pmod(F.xxhash64("key", F.lit("draft")), F.lit(10**6)) < share * 10**6)


def _refuse_marked(question: ResolvedClassify) -> None:
    """Columns that a contract marks as personal are no features, and those known only afterwards say so.

    Raises:
        ConfigurationError: naming every column that is otherwise.
    """
    known_after = {column.name: column.is_known_after for column in question.columns}
    faults = []
    for table, marked in question.inputs.marks.items():
        faults += [f"{name} of {table} is personal" for name in marked.get("personal", []) if name in known_after]
        faults += [
            f"{name} of {table} is known only after the decision, and its SQL header lacks [after]"
            for name in marked.get("after_decision", [])
            if known_after.get(name) is False
        ]
    if faults:
        raise ConfigurationError(
            f"columns that the contracts keep out of models: {'; '.join(faults)}",
            where=f"features of {question.task.name}",
            hint="leave the column out (leave_out), or mark it [after] in the SQL header",
        )


def _without_personal(question: ResolvedClassify) -> dict[str, DataFrame]:
    """The input frames as SQL sees them: a personal column is not there under any other name either.

    But for one that the task names as the key of its rows: there its pseudonym names them.
    """
    inputs, personal = question.inputs.known_at(question.as_of), question.inputs.marked("personal")
    task = question.task
    keys = {settings.get("key") for settings in (task.rows.settings, *(g.settings for g in task.features.values()))}
    return {name: rows.drop(*(c for c in personal[name] if c not in keys)) for name, rows in inputs.items()}


def features_table(question: ResolvedClassify, features: DataFrame) -> Table:
    """The definition of the task's feature table: the fixed keys, then its features with their meaning."""
    kinds = {name: kind.upper() for name, kind in features.dtypes}
    columns = tuple(Column(c.name, kinds[c.name], c.meaning.en) for c in question.columns)
    return FEATURES.of(question.task.name, FEATURE_KEYS + columns)
